//! Owns who provides each edge: the only instance of the manifest, or the one that the operator chose.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::id::EdgeId;
use crate::id::Name;
use crate::id::ServiceId;
use crate::id::node_party;
use crate::manifest::schema::CredentialKind;
use crate::manifest::schema::Edge;
use crate::manifest::schema::Interface;
use crate::secret::SecretRef;
use crate::service::credential;
use crate::service::resolve::Inputs;
use crate::service::resolve::Problem;
use crate::service::resolve::ResolveError;
use crate::service::resolve::compose::Part;

/// The `to` of an edge that is the way out.
const INTERNET: &str = "internet";
/// The `to` of an edge that is the node itself.
const NODE: &str = "node";

/// An edge whose provider is known.
#[derive(Debug, Clone)]
pub(crate) struct Bond<'a> {
    pub(crate) name: &'a Name,
    pub(crate) edge: &'a Edge,
    pub(crate) id: EdgeId,
    pub(crate) provider: Provider<'a>,
}

/// Who is at the other end of an edge.
#[derive(Debug, Clone)]
pub(crate) enum Provider<'a> {
    /// Everything outside.
    Internet,
    /// The node itself, on a loopback port.
    Node { port: u16 },
    /// A service of this node, ours or external.
    Service {
        id: ServiceId,
        interface: &'a Interface,
    },
}

/// Bonds by consumer. An optional edge that nobody provides is simply not there.
pub(crate) type Bonds<'a> = BTreeMap<ServiceId, Vec<Bond<'a>>>;

/// Finds the provider of every edge.
pub(crate) fn tie<'a>(
    inputs: &Inputs<'a>,
    parts: &BTreeMap<ServiceId, Part<'a>>,
    errors: &mut Vec<ResolveError>,
) -> Bonds<'a> {
    let mut bonds = Bonds::new();
    for (consumer, part) in parts {
        let mut tied: Vec<Bond<'a>> = Vec::new();
        if part.external.is_none() {
            for (name, edge) in &part.manifest.edges {
                match tie_one(inputs, parts, consumer, name, edge) {
                    Ok(Some(bond)) => match tied.iter().find(|other| other.id == bond.id) {
                        None => tied.push(bond),
                        Some(other) => errors.push(ResolveError::new(
                            consumer,
                            Problem::SameEdgeTwice {
                                first: other.name.clone(),
                                second: name.clone(),
                            },
                        )),
                    },
                    Ok(None) => {}
                    Err(error) => errors.push(error),
                }
            }
        }
        bonds.insert(consumer.clone(), tied);
    }
    if let Some(services) = cycle(&bonds) {
        let first = services[0].clone();
        errors.push(ResolveError::new(&first, Problem::Cycle { services }));
    }
    bonds
}

fn tie_one<'a>(
    inputs: &Inputs<'a>,
    parts: &BTreeMap<ServiceId, Part<'a>>,
    consumer: &ServiceId,
    name: &'a Name,
    edge: &'a Edge,
) -> Result<Option<Bond<'a>>, ResolveError> {
    let of = |interface: &Name, provider: ServiceId| EdgeId {
        consumer: consumer.clone(),
        interface: interface.clone(),
        provider,
    };
    if edge.to.as_str() == INTERNET {
        return Ok(Some(Bond {
            name,
            edge,
            id: of(name, internet_party()),
            provider: Provider::Internet,
        }));
    }
    let missing = |provider: &ServiceId| {
        ResolveError::new(
            consumer,
            Problem::NoInterface {
                edge: name.clone(),
                interface: edge.interface.as_ref().map_or("", Name::as_str).to_owned(),
                provider: provider.clone(),
            },
        )
    };
    if edge.to.as_str() == NODE {
        let party = node_party();
        let offered = edge
            .interface
            .as_ref()
            .and_then(|interface| Some((interface, inputs.ports.get(&party, interface)?)));
        return match offered {
            Some((interface, port)) => Ok(Some(Bond {
                name,
                edge,
                id: of(interface, party),
                provider: Provider::Node { port },
            })),
            None if edge.optional => Ok(None),
            None => Err(missing(&party)),
        };
    }
    let Some(provider) = provider_of(parts, consumer, name, edge)
        .map_err(|problem| ResolveError::new(consumer, problem))?
    else {
        return Ok(None);
    };
    let part = &parts[&provider];
    let (interface_name, interface) = edge
        .interface
        .as_ref()
        .and_then(|name| Some((name, part.manifest.interfaces.get(name)?)))
        .ok_or_else(|| missing(&provider))?;
    check_provider(part, consumer, interface_name, interface)
        .map_err(|problem| ResolveError::new(&provider, problem))?;
    Ok(Some(Bond {
        name,
        edge,
        id: of(interface_name, provider.clone()),
        provider: Provider::Service {
            id: provider,
            interface,
        },
    }))
}

/// The name under which everything outside takes part in edges.
pub(crate) fn internet_party() -> ServiceId {
    ServiceId::new(INTERNET).expect("`internet` is a name")
}

fn provider_of(
    parts: &BTreeMap<ServiceId, Part<'_>>,
    consumer: &ServiceId,
    name: &Name,
    edge: &Edge,
) -> Result<Option<ServiceId>, Problem> {
    let candidates: Vec<ServiceId> = parts
        .iter()
        .filter(|(id, part)| part.manifest.id == edge.to && *id != consumer)
        .map(|(id, _)| id.clone())
        .collect();
    let chosen = parts[consumer]
        .choice
        .and_then(|choice| choice.edges.get(name));
    match (chosen, candidates.as_slice()) {
        (Some(chosen), _) if candidates.contains(chosen) => Ok(Some(chosen.clone())),
        (Some(chosen), _) => Err(Problem::WrongProvider {
            edge: name.clone(),
            chosen: chosen.clone(),
            manifest: edge.to.clone(),
        }),
        (None, [only]) => Ok(Some(only.clone())),
        (None, []) if edge.optional => Ok(None),
        (None, []) => Err(Problem::NoProvider {
            edge: name.clone(),
            manifest: edge.to.clone(),
        }),
        (None, _) => Err(Problem::SeveralProviders {
            edge: name.clone(),
            candidates,
        }),
    }
}

fn check_provider(
    part: &Part<'_>,
    consumer: &ServiceId,
    name: &Name,
    interface: &Interface,
) -> Result<(), Problem> {
    if interface.credential == Some(CredentialKind::TlsPair) {
        return Err(Problem::NoSuchCredential {
            interface: name.clone(),
            kind: CredentialKind::TlsPair,
        });
    }
    let Some(external) = part.external else {
        return Ok(());
    };
    for port in std::iter::once(&interface.port).chain(&interface.also) {
        if !external.addresses.contains_key(port) {
            return Err(Problem::NoExternalAddress {
                port: port.clone(),
                consumer: consumer.clone(),
            });
        }
    }
    match interface.credential {
        None => Ok(()),
        Some(kind @ (CredentialKind::ProviderFile | CredentialKind::TlsPair)) => {
            Err(Problem::NotExternally {
                interface: name.clone(),
                kind,
            })
        }
        Some(
            CredentialKind::Rpcauth
            | CredentialKind::PostgresRole
            | CredentialKind::LndMacaroon
            | CredentialKind::TorPassword
            | CredentialKind::Token,
        ) if external.credentials.contains_key(name) => Ok(()),
        Some(_) => Err(Problem::NoExternalCredential {
            interface: name.clone(),
            consumer: consumer.clone(),
        }),
    }
}

/// Who `consumer` is at an interface, where that takes a credential that a secret stands for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) secret: SecretRef,
}

/// Returns the login of an edge, or of the node where it is the consumer.
pub(crate) fn login(inputs: &Inputs<'_>, provider: &Part<'_>, edge: &EdgeId) -> Option<Login> {
    let interface = provider.manifest.interfaces.get(&edge.interface)?;
    match interface.credential? {
        CredentialKind::ProviderFile | CredentialKind::TlsPair => None,
        CredentialKind::Rpcauth
        | CredentialKind::PostgresRole
        | CredentialKind::LndMacaroon
        | CredentialKind::TorPassword
        | CredentialKind::Token => Some(match provider.external {
            None => Login {
                user: credential::user(&edge.consumer),
                secret: inputs.secret(credential::edge_key(edge)),
            },
            Some(external) => Login {
                user: external.credentials.get(&edge.interface)?.user.clone(),
                secret: inputs.secret(credential::external_key(&edge.provider, &edge.interface)),
            },
        }),
    }
}

/// Finds services that would wait for each other for ever, if there are any. Over optional edges nobody waits.
fn cycle(bonds: &Bonds<'_>) -> Option<Vec<ServiceId>> {
    let mut done = BTreeSet::new();
    bonds
        .keys()
        .find_map(|service| visit(bonds, service, &mut Vec::new(), &mut done))
}

fn visit(
    bonds: &Bonds<'_>,
    service: &ServiceId,
    trail: &mut Vec<ServiceId>,
    done: &mut BTreeSet<ServiceId>,
) -> Option<Vec<ServiceId>> {
    if let Some(start) = trail.iter().position(|seen| seen == service) {
        let mut services = trail[start..].to_vec();
        services.push(service.clone());
        return Some(services);
    }
    if done.contains(service) {
        return None;
    }
    trail.push(service.clone());
    for bond in bonds.get(service).into_iter().flatten() {
        if let Provider::Service { id, .. } = &bond.provider
            && !bond.edge.optional
            && let Some(found) = visit(bonds, id, trail, done)
        {
            return Some(found);
        }
    }
    trail.pop();
    done.insert(service.clone());
    None
}
