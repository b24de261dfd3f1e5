//! Owns the words for what changed between two versions of a desired service, so that a plan names that and no more.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt::Display;

use crate::id::EdgeId;
use crate::secret::SecretKey;
use crate::secret::SecretRef;
use crate::service::desired::DesiredService;
use crate::service::desired::Wanted;
use crate::service::marker;
use crate::service::marker::MarkerError;
use crate::service::spec::ConsumerSpec;
use crate::service::spec::EdgeSpec;
use crate::service::spec::Listener;
use crate::service::spec::NetworkSpec;
use crate::service::spec::ServiceSpec;
use crate::service::spec::VolumeSpec;

/// Says in words what changed from `old` to `new`, in a stable order; nothing where they are equal.
///
/// What the operator can recognise comes first: settings, credentials, ports, folders, edges. Rendered arguments, variables
/// and files follow from those, so that they are named only where nothing else explains the change (a new release's
/// template, a provider's port).
#[must_use]
pub fn difference(old: &DesiredService, new: &DesiredService) -> Vec<String> {
    let mut words = Vec::new();
    if old.manifest != new.manifest {
        words.push(format!("manifest {} → {}", old.manifest, new.manifest));
    }
    changed(&mut words, "setting ", &old.settings, &new.settings);
    match (&old.wanted, &new.wanted) {
        (Wanted::Run { spec: old, .. }, Wanted::Run { spec: new, .. }) => {
            causes(&mut words, old, new);
            if words.is_empty() {
                consequences(&mut words, old, new);
            }
        }
        (old, new) if old != new => words.push(format!("{} → {}", wanted(old), wanted(new))),
        _ => {}
    }
    words
}

fn wanted(wanted: &Wanted) -> String {
    match wanted {
        Wanted::Run { .. } => "run by this node".to_owned(),
        Wanted::External => "external".to_owned(),
        Wanted::HeldBack { code, .. } => format!("held back ({code})"),
    }
}

fn causes(words: &mut Vec<String>, old: &ServiceSpec, new: &ServiceSpec) {
    // No `..`: whoever adds a field decides here how a plan names its change.
    let ServiceSpec {
        id: _,
        manifest: _,
        program,
        files: _,
        secrets: _,
        provided: _,
        volumes,
        listeners,
        network,
        edges,
        consumers,
        stop,
        limits,
    } = old;
    if program.command != new.program.command {
        words.push(format!(
            "program {} → {}",
            program.command, new.program.command
        ));
    }
    if program.image != new.program.image {
        words.push(format!(
            "image {} → {}",
            program.image.as_deref().unwrap_or("none"),
            new.program.image.as_deref().unwrap_or("none")
        ));
    }
    let (before, after) = (credentials(old), credentials(new));
    for (key, generation) in &before {
        if let Some(newer) = after.get(key).filter(|newer| *newer != generation) {
            words.push(format!(
                "credential {key} generation {generation} → {newer}"
            ));
        }
    }
    let port = |l: &Listener| format!("{}:{}", l.host, l.port);
    changed(
        words,
        "port ",
        &map(listeners, port),
        &map(&new.listeners, port),
    );
    changed(
        words,
        "published port ",
        &published(network),
        &published(&new.network),
    );
    changed(
        words,
        "address on ",
        &addresses(network),
        &addresses(&new.network),
    );
    let folder = |v: &VolumeSpec| v.path.display().to_string();
    changed(
        words,
        "volume ",
        &map(volumes, folder),
        &map(&new.volumes, folder),
    );
    let edge = |e: &EdgeSpec| (e.id.clone(), e.allow.clone());
    edges_changed(
        words,
        "edge",
        &edges.iter().map(edge).collect(),
        &new.edges.iter().map(edge).collect(),
    );
    let consumer = |c: &ConsumerSpec| (c.id.clone(), c.allow.clone());
    edges_changed(
        words,
        "consumer",
        &consumers.iter().map(consumer).collect(),
        &new.consumers.iter().map(consumer).collect(),
    );
    one(
        words,
        "stop grace",
        stop.grace_seconds,
        new.stop.grace_seconds,
        " s",
    );
    if stop.signal != new.stop.signal {
        words.push(format!(
            "stop signal {:?} → {:?}",
            stop.signal, new.stop.signal
        ));
    }
    one(
        words,
        "memory limit",
        limits.memory_mib,
        new.limits.memory_mib,
        " MiB",
    );
    one(words, "process limit", limits.pids, new.limits.pids, "");
}

fn published(network: &NetworkSpec) -> BTreeMap<String, String> {
    let ports = network.publish.iter();
    ports
        .map(|one| (one.port.to_string(), one.on.to_string()))
        .collect()
}

/// The address on each network, for edges that the two lists of edges do not name themselves.
fn addresses(network: &NetworkSpec) -> BTreeMap<String, String> {
    let attachments = network.attachments.iter();
    attachments
        .map(|one| (one.edge.to_string(), one.address.to_string()))
        .collect()
}

fn edges_changed(
    words: &mut Vec<String>,
    what: &str,
    old: &BTreeMap<EdgeId, Vec<String>>,
    new: &BTreeMap<EdgeId, Vec<String>>,
) {
    for id in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
        match (old.get(id), new.get(id)) {
            (Some(_), None) => words.push(format!("{what} {id} removed")),
            (None, Some(_)) => words.push(format!("{what} {id} added")),
            (Some(a), Some(b)) if a != b => words.push(format!("permissions of {id}")),
            _ => {}
        }
    }
}

fn consequences(words: &mut Vec<String>, old: &ServiceSpec, new: &ServiceSpec) {
    let (before, after) = (&old.program.args, &new.program.args);
    if before.len() == after.len() {
        for (before, after) in before.iter().zip(after).filter(|(a, b)| a != b) {
            words.push(format!("argument {before} → {after}"));
        }
    } else {
        let gone = before.iter().filter(|arg| !after.contains(arg));
        words.extend(gone.map(|arg| format!("argument {arg} removed")));
        let come = after.iter().filter(|arg| !before.contains(arg));
        words.extend(come.map(|arg| format!("argument {arg} added")));
    }
    changed(words, "variable ", &old.program.env, &new.program.env);
    let names = |s: &ServiceSpec| -> BTreeSet<String> {
        s.files.keys().chain(s.secrets.keys()).cloned().collect()
    };
    for name in names(old).union(&names(new)) {
        match (names(old).contains(name), names(new).contains(name)) {
            (true, false) => words.push(format!("file {name} removed")),
            (false, true) => words.push(format!("file {name} added")),
            _ if old.files.get(name) != new.files.get(name) => words.push(format!("file {name}")),
            _ => {}
        }
    }
}

/// The newest generation of every secret that a specification holds anywhere.
fn credentials(spec: &ServiceSpec) -> BTreeMap<SecretKey, u32> {
    let mut all: Vec<SecretRef> = spec.secrets.values().cloned().collect();
    all.extend(spec.edges.iter().filter_map(|edge| edge.credential.clone()));
    all.extend(spec.consumers.iter().filter_map(|c| c.credential.clone()));
    for text in spec.files.values() {
        // A broken marker is reported where it is filled in; here it only has no name.
        let _ = marker::fill::<MarkerError>(text, |secret, _form| {
            all.push(secret.clone());
            Ok(String::new())
        });
    }
    let mut newest = BTreeMap::new();
    for secret in all {
        let generation = newest.entry(secret.key).or_insert(secret.generation);
        *generation = secret.generation.max(*generation);
    }
    newest
}

fn map<K: Ord + Clone, V>(
    from: &BTreeMap<K, V>,
    text: impl Fn(&V) -> String,
) -> BTreeMap<K, String> {
    from.iter()
        .map(|(key, value)| (key.clone(), text(value)))
        .collect()
}

fn changed<K: Ord + Display, V: PartialEq + Display>(
    words: &mut Vec<String>,
    what: &str,
    old: &BTreeMap<K, V>,
    new: &BTreeMap<K, V>,
) {
    for key in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
        match (old.get(key), new.get(key)) {
            (Some(a), Some(b)) if a != b => words.push(format!("{what}{key} {a} → {b}")),
            (Some(_), None) => words.push(format!("{what}{key} removed")),
            (None, Some(b)) => words.push(format!("{what}{key} added ({b})")),
            _ => {}
        }
    }
}

fn one<V: PartialEq + Display>(words: &mut Vec<String>, what: &str, old: V, new: V, unit: &str) {
    if old != new {
        words.push(format!("{what} {old} → {new}{unit}"));
    }
}

#[cfg(test)]
mod tests;
