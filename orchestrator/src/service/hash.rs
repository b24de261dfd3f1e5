//! Owns the hash of a specification: equal hashes mean that a running service may be left alone.
//!
//! It covers what can only change by a restart, and nothing else. Credentials count by generation, never by value;
//! what equals a default is left out, so that a new field of a newer `flash-node` recreates nothing.
//! Changing what is covered, or how it is written down, restarts every service of every node: that takes a new
//! scheme version and a line in the release notes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;
use serde_json::json;
use sha2::Digest;
use sha2::Sha256;

use crate::manifest::schema::Listen;
use crate::secret::SecretRef;
use crate::service::spec::Attachment;
use crate::service::spec::ConsumerSpec;
use crate::service::spec::EdgeSpec;
use crate::service::spec::LimitSpec;
use crate::service::spec::Listener;
use crate::service::spec::NetworkSpec;
use crate::service::spec::ProgramSpec;
use crate::service::spec::ProvidedFile;
use crate::service::spec::Publish;
use crate::service::spec::ServiceSpec;
use crate::service::spec::SpecHash;
use crate::service::spec::VolumeSpec;

/// Version of the hashing scheme.
const SCHEME: &str = "v1";

/// Hashes everything of `spec` that can only change by a restart.
#[must_use]
pub fn spec_hash(spec: &ServiceSpec) -> SpecHash {
    let digest = Sha256::digest(canonical(&covered(spec)).as_bytes());
    SpecHash(format!("{SCHEME}:{}", hex::encode(digest)))
}

fn covered(spec: &ServiceSpec) -> Value {
    // No `..`: whoever adds a field decides here whether it restarts services.
    let ServiceSpec {
        id,
        manifest: _, // The same text from a renamed manifest runs the same program.
        program,
        files,
        secrets,
        provided,
        volumes,
        listeners,
        network,
        edges,
        consumers,
        stop: _, // Handed over anew with each stop.
        limits,
    } = spec;
    let mut root = serde_json::Map::new();
    root.insert("id".into(), json!(id));
    root.insert("program".into(), covered_program(program));
    insert_map(&mut root, "files", files, |text| json!(text));
    insert_map(&mut root, "secrets", secrets, covered_secret);
    insert_map(&mut root, "provided", provided, covered_provided);
    insert_map(&mut root, "volumes", volumes, covered_volume);
    insert_map(&mut root, "listeners", listeners, covered_listener);
    if !network.none() {
        root.insert("network".into(), covered_network(network));
    }
    insert_sorted(&mut root, "edges", edges.iter().map(covered_edge).collect());
    insert_sorted(
        &mut root,
        "consumers",
        consumers.iter().filter_map(covered_consumer).collect(),
    );
    let LimitSpec { memory_mib, pids } = limits;
    root.insert(
        "limits".into(),
        json!({ "memory_mib": memory_mib, "pids": pids }),
    );
    Value::Object(root)
}

fn covered_program(program: &ProgramSpec) -> Value {
    let ProgramSpec {
        command,
        image,
        args,
        env,
        listen,
        folder,
    } = program;
    let mut object = serde_json::Map::new();
    object.insert("command".into(), json!(command));
    if let Some(image) = image {
        object.insert("image".into(), json!(image));
    }
    if !args.is_empty() {
        object.insert("args".into(), json!(args));
    }
    insert_map(&mut object, "env", env, |value| json!(value));
    if *listen != Listen::PerEdge {
        object.insert("listen".into(), json!(listen));
    }
    if let Some(folder) = folder {
        object.insert("folder".into(), json!(folder));
    }
    Value::Object(object)
}

fn covered_network(network: &NetworkSpec) -> Value {
    let NetworkSpec {
        attachments,
        hosts,
        publish,
    } = network;
    let mut object = serde_json::Map::new();
    let attached = attachments.iter().map(covered_attachment).collect();
    insert_sorted(&mut object, "attachments", attached);
    insert_map(&mut object, "hosts", hosts, |address| json!(address));
    let published = publish.iter().map(covered_publish).collect();
    insert_sorted(&mut object, "publish", published);
    Value::Object(object)
}

fn covered_attachment(attachment: &Attachment) -> Value {
    let Attachment {
        edge,
        kind,
        subnet,
        address,
        may_reach: _, // Enforced by the machine's firewall, without a restart.
    } = attachment;
    json!({ "edge": edge, "kind": kind, "subnet": subnet, "address": address })
}

fn covered_publish(publish: &Publish) -> Value {
    let Publish { port, on, number } = publish;
    json!({ "port": port, "on": on, "number": number })
}

fn covered_secret(secret: &SecretRef) -> Value {
    let SecretRef { key, generation } = secret;
    json!({ "key": key, "generation": generation })
}

fn covered_provided(file: &ProvidedFile) -> Value {
    let ProvidedFile {
        provider,
        volume: _, // Copied from there; the copy's name is what the program knows.
        below: _,
    } = file;
    json!({ "provider": provider })
}

fn covered_volume(volume: &VolumeSpec) -> Value {
    let VolumeSpec {
        path,
        root: _,      // The path says it already.
        class: _,     // For backups.
        needs_mib: _, // Asked before a start only.
    } = volume;
    json!({ "path": path })
}

fn covered_listener(listener: &Listener) -> Value {
    let Listener { host, port, public } = listener;
    let mut object = serde_json::Map::new();
    object.insert("host".into(), json!(host));
    object.insert("port".into(), json!(port));
    if *public {
        object.insert("public".into(), json!(true));
    }
    Value::Object(object)
}

fn covered_edge(edge: &EdgeSpec) -> Value {
    let EdgeSpec {
        id,
        on_loss: _,   // The reconciler's.
        waits_for: _, // The reconciler's, at a first start.
        optional: _,  // The reconciler's, too.
        allow: _,     // Enforced by the provider.
        credential,
    } = edge;
    let mut object = serde_json::Map::new();
    object.insert("id".into(), json!(id));
    if let Some(credential) = credential {
        object.insert("credential".into(), covered_secret(credential));
    }
    Value::Object(object)
}

/// A provider must learn of a consumer with a credential: a user, a role, a macaroon. What that consumer may do and
/// the credential's generation count only where a rendered file holds them: roles and macaroons rotate live.
fn covered_consumer(consumer: &ConsumerSpec) -> Option<Value> {
    let ConsumerSpec {
        id,
        kind,
        allow: _,
        credential: _,
    } = consumer;
    kind.as_ref().map(|_| json!(id))
}

fn insert_map<K: ToString, V>(
    into: &mut serde_json::Map<String, Value>,
    name: &str,
    from: &BTreeMap<K, V>,
    covered: impl Fn(&V) -> Value,
) {
    if from.is_empty() {
        return;
    }
    let object = from
        .iter()
        .map(|(key, value)| (key.to_string(), covered(value)))
        .collect();
    into.insert(name.to_owned(), Value::Object(object));
}

/// Inserts a list whose order means nothing, sorted by its canonical text.
fn insert_sorted(into: &mut serde_json::Map<String, Value>, name: &str, mut list: Vec<Value>) {
    if list.is_empty() {
        return;
    }
    list.sort_by_cached_key(canonical);
    into.insert(name.to_owned(), Value::Array(list));
}

/// Writes JSON with sorted keys and without spaces, whatever order the map library keeps.
fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write_canonical(&mut text, value);
    text
}

fn write_canonical(text: &mut String, value: &Value) {
    match value {
        Value::Object(object) => {
            let sorted: BTreeMap<&String, &Value> = object.iter().collect();
            text.push('{');
            for (index, (key, value)) in sorted.into_iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write!(text, "{}:", Value::from(key.as_str())).expect("a String takes every text");
                write_canonical(text, value);
            }
            text.push('}');
        }
        Value::Array(list) => {
            text.push('[');
            for (index, value) in list.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write_canonical(text, value);
            }
            text.push(']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            write!(text, "{value}").expect("a String takes every text");
        }
    }
}

#[cfg(test)]
mod tests;
