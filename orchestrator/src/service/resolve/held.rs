//! Owns which services cannot run here, and why: a named state, never an error.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::id::Name;
use crate::id::ServiceId;
use crate::manifest::schema::Check;
use crate::manifest::schema::Image;
use crate::manifest::schema::Manifest;
use crate::manifest::schema::Network;
use crate::runtime::RuntimeKind;
use crate::service::programs::Verdict;
use crate::service::resolve::Inputs;
use crate::service::resolve::bond::Bond;
use crate::service::resolve::bond::Bonds;
use crate::service::resolve::bond::Provider;
use crate::service::resolve::compose::Part;

/// Why a service is held back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) code: &'static str,
    pub(crate) text: String,
    /// The service that everything began with.
    root: ServiceId,
    /// What is wrong with that one.
    cause: String,
}

impl Held {
    pub(crate) fn code(&self) -> Name {
        Name::new(self.code).expect("every code is a name")
    }
}

/// Finds every service that cannot run here. Dependants of one are held back too, except over optional edges.
pub(crate) fn judge(
    inputs: &Inputs<'_>,
    parts: &BTreeMap<ServiceId, Part<'_>>,
    bonds: &Bonds<'_>,
) -> BTreeMap<ServiceId, Held> {
    let mut held = BTreeMap::new();
    for (service, part) in parts {
        if part.external.is_none()
            && let Some((code, text)) = own_cause(inputs, parts, part, &bonds[service])
        {
            held.insert(
                service.clone(),
                Held {
                    code,
                    root: service.clone(),
                    cause: text.clone(),
                    text,
                },
            );
        }
    }
    // Edges have no cycles, so that as many rounds as there are services are enough; each round goes by name.
    for _ in 0..parts.len() {
        let mut more = BTreeMap::new();
        for (service, bonds) in bonds {
            if !held.contains_key(service)
                && let Some(cause) = inherited(bonds, &held)
            {
                more.insert(service.clone(), cause);
            }
        }
        if more.is_empty() {
            break;
        }
        held.extend(more);
    }
    held
}

fn own_cause(
    inputs: &Inputs<'_>,
    parts: &BTreeMap<ServiceId, Part<'_>>,
    part: &Part<'_>,
    bonds: &[Bond<'_>],
) -> Option<(&'static str, String)> {
    let manifest = part.manifest;
    let network = inputs.profile.network;
    if !manifest.networks.is_empty() && !manifest.networks.contains(&network) {
        return Some(("not_on_this_network", elsewhere(manifest, network)));
    }
    if let Some(check) = manifest
        .checks
        .iter()
        .find(|check| !holds(check, parts, part, bonds))
    {
        return Some(("check_failed", check.message.clone()));
    }
    match inputs.places.kind {
        RuntimeKind::Process => match inputs.programs.verdict(&manifest.id) {
            Verdict::Ready => None,
            Verdict::NotInstalled { text } => Some(("not_installed", text)),
            Verdict::Unsafe { text } => Some(("unsafe_version", text)),
        },
        RuntimeKind::Docker => no_image(inputs, part),
        RuntimeKind::Fake => None,
    }
}

/// Says why there is nothing to make a container of.
fn no_image(inputs: &Inputs<'_>, part: &Part<'_>) -> Option<(&'static str, String)> {
    let Manifest { title, program, .. } = part.manifest;
    if part.choice.is_some_and(|choice| choice.image.is_some()) {
        return None;
    }
    match &part.manifest.image {
        Some(Image::Pinned(_)) => None,
        Some(Image::Own(_)) if inputs.programs.digest(&program.command).is_some() => None,
        Some(Image::Own(_)) => Some((
            "not_installed",
            format!(
                "the program `{}` of {title} was not found: put it beside flash-node or on the PATH; its image is packed from it",
                program.command
            ),
        )),
        None => Some((
            "no_image",
            format!(
                "{title} has no image: pack one (`flash-node images pack`) and name it in node.toml, or run it with `--runtime process`"
            ),
        )),
    }
}

fn elsewhere(manifest: &Manifest, network: Network) -> String {
    let (title, here) = (&manifest.title, network_word(network));
    if let Some(reason) = &manifest.networks_reason {
        return format!("{title} does not run on {here}: {reason}");
    }
    let legal: Vec<&str> = manifest
        .networks
        .iter()
        .copied()
        .map(network_word)
        .collect();
    format!(
        "{title} does not run on {here}, only on {}",
        legal.join(", ")
    )
}

/// Whether a check holds. One on an optional edge that is not there has nothing to say.
fn holds(
    check: &Check,
    parts: &BTreeMap<ServiceId, Part<'_>>,
    part: &Part<'_>,
    bonds: &[Bond<'_>],
) -> bool {
    let settings = match &check.edge {
        None => &part.settings,
        Some(edge) => {
            let provider = bonds.iter().find(|bond| bond.name == edge);
            match provider.map(|bond| &bond.provider) {
                Some(Provider::Service { id, .. }) => &parts[id].settings,
                Some(Provider::Internet | Provider::Node { .. }) | None => return true,
            }
        }
    };
    settings
        .get(&check.setting)
        .is_some_and(|value| same(value, &check.equals))
}

/// Whether two JSON values are equal, `0` and `0.0` included.
fn same(a: &Value, b: &Value) -> bool {
    a == b || matches!((a.as_f64(), b.as_f64()), (Some(a), Some(b)) if a == b)
}

fn inherited(bonds: &[Bond<'_>], held: &BTreeMap<ServiceId, Held>) -> Option<Held> {
    bonds.iter().find_map(|bond| {
        let Provider::Service { id, .. } = &bond.provider else {
            return None;
        };
        let cause = held.get(id).filter(|_| !bond.edge.optional)?;
        let text = if cause.root == *id {
            format!("needs {id}, which is held back: {}", cause.cause)
        } else {
            let Held { root, cause, .. } = cause;
            format!("needs {id}, which waits for {root}: {cause}")
        };
        Some(Held {
            code: "provider_held_back",
            text,
            root: cause.root.clone(),
            cause: cause.cause.clone(),
        })
    })
}

pub(crate) fn network_word(network: Network) -> &'static str {
    match network {
        Network::Mainnet => "mainnet",
        Network::Signet => "signet",
        Network::Regtest => "regtest",
    }
}
