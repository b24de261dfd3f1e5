//! Owns the table of edges: who may reach whom, for what, with which credential.
//!
//! It reads what was accepted, and asks nothing that runs.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::app::world::World;
use crate::id::EdgeId;
use crate::id::ServiceId;
use crate::manifest::schema::CredentialKind;
use crate::manifest::schema::Listen;
use crate::service::credential;
use crate::service::desired::Wanted;
use crate::service::spec::Attachment;
use crate::service::spec::NetworkKind;
use crate::service::spec::ServiceSpec;
use crate::view::Credential;
use crate::view::CredentialWord;
use crate::view::Edge;
use crate::view::EdgeNote;
use crate::view::Edges;
use crate::view::Way;

/// How many names of a list are shown before the rest is counted.
const SHOWN: usize = 4;

/// The words of one line of the table.
type Words = [String; 5];

/// Writes the table of every edge, sorted by who calls.
pub(super) fn table(edges: &Edges) -> String {
    let header = ["FROM", "TO", "FOR", "CREDENTIAL", "NETWORK"].map(str::to_owned);
    let lines = edges.edges.iter().map(words);
    let all: Vec<Words> = std::iter::once(header).chain(lines).collect();
    let width = |column: usize| {
        let widths = all.iter().map(|line| line[column].chars().count());
        widths.max().unwrap_or_default()
    };
    let (from, to, what, credential) = (width(0), width(1), width(2), width(3));
    let mut text = String::new();
    for [a, b, c, d, e] in &all {
        let row = format!("{a:from$}  {b:to$}  {c:what$}  {d:credential$}  {e}");
        text.push_str(row.trim_end());
        text.push('\n');
    }
    for note in &edges.notes {
        text.push_str(&format!("{}\n", note.text));
    }
    text
}

fn words(edge: &Edge) -> Words {
    let credential = edge.credential.as_ref().map_or("-".to_owned(), |one| {
        let number = one
            .generation
            .map(|number| format!(", generation {number}"));
        format!("{}{}", one.kind, number.unwrap_or_default())
    });
    let network = match (edge.way, edge.network.as_deref(), edge.reach.as_slice()) {
        (Way::Published, _, _) => "published".to_owned(),
        (_, None, _) => "-".to_owned(),
        (Way::WayOut, Some(own), []) => format!("{own} and everything outside"),
        (_, Some(own), []) => own.to_owned(),
        (_, Some(own), reach) => format!("{own} and {}", reach.join(", ")),
    };
    [
        edge.from.clone(),
        edge.to.clone(),
        wanted(edge),
        credential,
        network,
    ]
}

/// Lists every edge of `world`, sorted by who calls.
pub(super) fn edges(world: &World) -> Edges {
    let mut notes: Vec<EdgeNote> = overheard(world)
        .into_iter()
        .map(|(id, others)| {
            let others: Vec<String> = others.iter().map(ToString::to_string).collect();
            let text = format!(
                "{id} binds every address of its own, because it can bind one only: {} can reach its port as well",
                others.join(", ")
            );
            EdgeNote {
                code: "binds_every_address".to_owned(),
                service: Some(id.to_string()),
                others,
                text,
            }
        })
        .collect();
    if world.subnets.is_none() {
        let text = "services run as processes and share this machine's network: credentials separate them, networks do not";
        notes.push(EdgeNote {
            code: "shared_network".to_owned(),
            service: None,
            others: Vec::new(),
            text: text.to_owned(),
        });
    }
    Edges {
        edges: lines(world),
        notes,
    }
}

/// Lists services that bind all their addresses, each with the neighbours that reach its port although no edge says so:
/// those whose own port it calls.
fn overheard(world: &World) -> BTreeMap<&ServiceId, BTreeSet<&ServiceId>> {
    let mut found: BTreeMap<&ServiceId, BTreeSet<&ServiceId>> = BTreeMap::new();
    if world.subnets.is_none() {
        return found;
    }
    for (id, service) in &world.resolved.desired.services {
        let Wanted::Run { spec, .. } = &service.wanted else {
            continue;
        };
        let manifest = world.catalog.get(&service.manifest);
        if manifest.is_none_or(|manifest| manifest.program.listen != Listen::Single) {
            continue;
        }
        let declared: BTreeSet<&ServiceId> =
            spec.consumers.iter().map(|one| &one.id.consumer).collect();
        let called = spec.edges.iter().map(|edge| &edge.id.provider);
        for other in called.filter(|other| !declared.contains(other)) {
            // The way out and external services have no network that they share with it.
            let runs = world.resolved.desired.services.get(other);
            if runs.is_some_and(|other| matches!(other.wanted, Wanted::Run { .. })) {
                found.entry(id).or_default().insert(other);
            }
        }
    }
    found
}

fn lines(world: &World) -> Vec<Edge> {
    let mut lines = Vec::new();
    for (id, service) in &world.resolved.desired.services {
        let Wanted::Run { spec, .. } = &service.wanted else {
            continue;
        };
        let networks: BTreeMap<&EdgeId, &Attachment> = spec
            .network
            .attachments
            .iter()
            .map(|one| (&one.edge, one))
            .collect();
        // Between two services the consumer's side says it all; the node has no side of its own.
        let of_node = spec.consumers.iter();
        let of_node = of_node.filter(|one| one.id.consumer == crate::id::node_party());
        let own = spec.edges.iter().map(|edge| (&edge.id, &edge.allow));
        for (edge, allow) in own.chain(of_node.map(|one| (&one.id, &one.allow))) {
            let attachment = networks.get(edge).copied();
            let out = attachment.is_some_and(|one| one.kind == NetworkKind::WayOut);
            let reach = attachment.map(|one| one.may_reach.iter().map(ToString::to_string));
            lines.push(Edge {
                id: Some(edge.to_string()),
                from: edge.consumer.to_string(),
                to: edge.provider.to_string(),
                interface: edge.interface.to_string(),
                allow: allow.clone(),
                credential: credential(world, edge),
                way: if out { Way::WayOut } else { Way::Between },
                network: attachment.map(|one| one.subnet.to_string()),
                reach: reach.into_iter().flatten().collect(),
            });
        }
        lines.extend(published(id, spec));
    }
    lines.sort_by(|a, b| {
        let key = |edge: &Edge| (edge.from.clone(), edge.to.clone(), wanted(edge));
        key(a).cmp(&key(b))
    });
    lines
}

/// Lists the ports that answer others than this machine, a sentence each.
pub(super) fn open(world: &World) -> Vec<String> {
    let mut open = Vec::new();
    for (id, service) in &world.resolved.desired.services {
        if let Wanted::Run { spec, .. } = &service.wanted {
            let ports = spec.network.publish.iter();
            let outside = ports.filter(|one| !one.on.ip().is_loopback());
            open.extend(
                outside
                    .map(|one| format!("{id}: others reach its port {} at {}", one.port, one.on)),
            );
        }
    }
    open
}

/// Whoever reaches a published port.
fn published(id: &ServiceId, spec: &ServiceSpec) -> Vec<Edge> {
    let ports = spec.network.publish.iter();
    ports
        .map(|one| {
            let who = if one.on.ip().is_loopback() {
                "this machine"
            } else if one.on.ip().is_unspecified() {
                "anyone"
            } else {
                "its network"
            };
            Edge {
                id: None,
                from: who.to_owned(),
                to: id.to_string(),
                interface: format!("{} at {}", one.port, one.on),
                allow: Vec::new(),
                credential: None,
                way: Way::Published,
                network: None,
                reach: Vec::new(),
            }
        })
        .collect()
}

fn wanted(edge: &Edge) -> String {
    if edge.allow.is_empty() {
        return edge.interface.clone();
    }
    let shown = edge.allow.iter().take(SHOWN).cloned().collect::<Vec<_>>();
    let rest = edge.allow.len().saturating_sub(SHOWN);
    let more = if rest > 0 {
        format!(" and {rest} more")
    } else {
        String::new()
    };
    format!("{}: {}{more}", edge.interface, shown.join(" "))
}

/// Says by what a consumer is known, and in which generation.
fn credential(world: &World, edge: &EdgeId) -> Option<Credential> {
    let provider = world.resolved.desired.services.get(&edge.provider)?;
    let manifest = world.catalog.get(&provider.manifest)?;
    let kind = manifest.interfaces.get(&edge.interface)?.credential?;
    let generation = match kind {
        CredentialKind::ProviderFile => None,
        _ => generation(world, edge),
    };
    let ours = matches!(provider.wanted, Wanted::Run { .. });
    Some(Credential {
        kind: match kind {
            CredentialKind::Rpcauth => CredentialWord::RpcUser,
            CredentialKind::PostgresRole => CredentialWord::Role,
            CredentialKind::LndMacaroon => CredentialWord::Macaroon,
            CredentialKind::TorPassword => CredentialWord::Password,
            CredentialKind::Token => CredentialWord::Token,
            CredentialKind::TlsPair => CredentialWord::TlsPair,
            CredentialKind::ProviderFile => CredentialWord::ProviderFile,
        },
        generation,
        rotatable: ours && generation.is_some() && credential::made_here(kind),
    })
}

/// Returns the generation of an edge's credential, as the specification of either end holds it.
pub(super) fn generation(world: &World, edge: &EdgeId) -> Option<u32> {
    let of = |service: &ServiceId| match &world.resolved.desired.services.get(service)?.wanted {
        Wanted::Run { spec, .. } => Some(spec),
        Wanted::External | Wanted::HeldBack { .. } => None,
    };
    let consumed = of(&edge.consumer).and_then(|spec| {
        let own = spec.edges.iter().find(|one| one.id == *edge)?;
        own.credential.as_ref()
    });
    let provided = of(&edge.provider).and_then(|spec| {
        let own = spec.consumers.iter().find(|one| one.id == *edge)?;
        own.credential.as_ref()
    });
    consumed.or(provided).map(|secret| secret.generation)
}
