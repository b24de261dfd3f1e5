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
use crate::service::desired::Wanted;
use crate::service::spec::Attachment;
use crate::service::spec::NetworkKind;
use crate::service::spec::ServiceSpec;

/// How many names of a list are shown before the rest is counted.
const SHOWN: usize = 4;

/// One line of the table.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    from: String,
    to: String,
    what: String,
    credential: String,
    network: String,
}

/// Writes the table of every edge of `world`, sorted by who calls.
pub(super) fn table(world: &World) -> String {
    let lines = lines(world);
    let header = Line {
        from: "FROM".to_owned(),
        to: "TO".to_owned(),
        what: "FOR".to_owned(),
        credential: "CREDENTIAL".to_owned(),
        network: "NETWORK".to_owned(),
    };
    let all: Vec<&Line> = std::iter::once(&header).chain(&lines).collect();
    let width = |of: fn(&Line) -> &String| {
        let widths = all.iter().map(|line| of(line).chars().count());
        widths.max().unwrap_or_default()
    };
    let (from, to) = (width(|l| &l.from), width(|l| &l.to));
    let (what, credential) = (width(|l| &l.what), width(|l| &l.credential));
    let mut text = String::new();
    for line in all {
        let row = format!(
            "{:from$}  {:to$}  {:what$}  {:credential$}  {}",
            line.from, line.to, line.what, line.credential, line.network
        );
        text.push_str(row.trim_end());
        text.push('\n');
    }
    for (id, others) in overheard(world) {
        let others: Vec<String> = others.iter().map(ToString::to_string).collect();
        text.push_str(&format!(
            "{id} binds every address of its own, because it can bind one only: {} can reach its port as well\n",
            others.join(", ")
        ));
    }
    if world.subnets.is_none() {
        text.push_str(
            "services run as processes and share this machine's network: credentials separate them, networks do not\n",
        );
    }
    text
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

fn lines(world: &World) -> Vec<Line> {
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
        for edge in &spec.edges {
            lines.push(Line {
                from: id.to_string(),
                to: edge.id.provider.to_string(),
                what: wanted(&edge.id, &edge.allow),
                credential: credential(world, &edge.id),
                network: network(networks.get(&edge.id).copied()),
            });
        }
        let strangers = spec.consumers.iter();
        // Between two services the consumer's side says it all; the node has no side of its own.
        for edge in strangers.filter(|one| one.id.consumer == crate::id::node_party()) {
            lines.push(Line {
                from: "node".to_owned(),
                to: id.to_string(),
                what: wanted(&edge.id, &edge.allow),
                credential: credential(world, &edge.id),
                network: network(networks.get(&edge.id).copied()),
            });
        }
        lines.extend(published(id, spec));
    }
    lines.sort_by(|a, b| (&a.from, &a.to, &a.what).cmp(&(&b.from, &b.to, &b.what)));
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
fn published(id: &ServiceId, spec: &ServiceSpec) -> Vec<Line> {
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
            Line {
                from: who.to_owned(),
                to: id.to_string(),
                what: format!("{} at {}", one.port, one.on),
                credential: "-".to_owned(),
                network: "published".to_owned(),
            }
        })
        .collect()
}

fn wanted(edge: &EdgeId, allow: &[String]) -> String {
    if allow.is_empty() {
        return edge.interface.to_string();
    }
    let shown = allow.iter().take(SHOWN).cloned().collect::<Vec<_>>();
    let rest = allow.len().saturating_sub(SHOWN);
    let more = if rest > 0 {
        format!(" and {rest} more")
    } else {
        String::new()
    };
    format!("{}: {}{more}", edge.interface, shown.join(" "))
}

fn network(attachment: Option<&Attachment>) -> String {
    let Some(attachment) = attachment else {
        return "-".to_owned();
    };
    match (attachment.kind, attachment.may_reach.as_slice()) {
        (NetworkKind::WayOut, []) => format!("{} and everything outside", attachment.subnet),
        (_, []) => attachment.subnet.to_string(),
        (_, reach) => {
            let reach: Vec<String> = reach.iter().map(ToString::to_string).collect();
            format!("{} and {}", attachment.subnet, reach.join(", "))
        }
    }
}

/// Says by what a consumer is known, and in which generation.
fn credential(world: &World, edge: &EdgeId) -> String {
    let desired = &world.resolved.desired.services;
    let Some(provider) = desired.get(&edge.provider) else {
        return "-".to_owned();
    };
    let kind = world
        .catalog
        .get(&provider.manifest)
        .and_then(|manifest| manifest.interfaces.get(&edge.interface))
        .and_then(|interface| interface.credential);
    let word = match kind {
        None => return "-".to_owned(),
        Some(CredentialKind::Rpcauth) => "RPC user",
        Some(CredentialKind::PostgresRole) => "role",
        Some(CredentialKind::LndMacaroon) => "macaroon",
        Some(CredentialKind::TorPassword) => "password",
        Some(CredentialKind::Token) => "token",
        Some(CredentialKind::TlsPair) => "TLS pair",
        Some(CredentialKind::ProviderFile) => return "file of the provider".to_owned(),
    };
    let generation = generation(world, edge);
    generation.map_or_else(
        || word.to_owned(),
        |number| format!("{word}, generation {number}"),
    )
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
