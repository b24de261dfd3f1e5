//! Owns the stand-in values with which templates are tried before any real value exists.

use std::collections::BTreeSet;

use minijinja::ErrorKind;
use minijinja::Value;
use minijinja::value::Serde;
use serde_json::Map;
use serde_json::json;

use super::Scope;
use crate::manifest::schema::Manifest;
use crate::manifest::schema::SettingKind;

/// Every combination of network, kind of money, optional edges and switches that a template branches on.
///
/// `read` is what the manifest's templates read: the ports of its edges are taken from there.
pub(super) fn contexts(manifest: &Manifest, scope: Scope, read: &BTreeSet<String>) -> Vec<Value> {
    if scope == Scope::Text {
        return Vec::new();
    }
    let mut contexts = Vec::new();
    for network in ["mainnet", "signet", "regtest"] {
        for on in [true, false] {
            contexts.push(Value::from(Serde(context(
                manifest, scope, network, on, read,
            ))));
        }
    }
    contexts
}

/// Whether an error in a sentence is one whatever the probes answer: their answers have no shape before they come.
pub(super) fn certainly_wrong(error: &minijinja::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::UnknownFilter | ErrorKind::UnknownTest | ErrorKind::UnknownFunction
    )
}

fn context(
    manifest: &Manifest,
    scope: Scope,
    network: &str,
    on: bool,
    read: &BTreeSet<String>,
) -> serde_json::Value {
    let secret_values = scope != Scope::Argument;
    let mut context = json!({
        "service": "service", "network": network, "play_money": on, "memory_mib": 512,
        "port": {}, "bind": {}, "volume": {}, "file": {}, "url": {}, "secret": {}, "setting": {}, "edge": {},
        "interface": {}, "node_credential": {},
    });
    for port in manifest.ports.keys() {
        context["port"][port.as_str()] = json!(1000);
        context["bind"][port.as_str()] = json!("192.0.2.1");
    }
    for volume in manifest.volumes.keys() {
        context["volume"][volume.as_str()] = json!({ "path": "/volume" });
    }
    for file in manifest.files.keys() {
        context["file"][file.as_str()] = json!({ "path": "/file" });
    }
    for endpoint in manifest.endpoints.keys() {
        context["url"][endpoint.as_str()] = json!("tcp://192.0.2.1:1000");
    }
    for (name, secret) in &manifest.secrets {
        let mut value = Map::new();
        if secret.file {
            value.insert("path".to_owned(), json!("/secret"));
        }
        if secret_values {
            // Four letters that are base64 too.
            value.insert("value".to_owned(), json!("abcd"));
        }
        context["secret"][name.as_str()] = value.into();
    }
    for (name, setting) in &manifest.settings {
        context["setting"][name.as_str()] = match &setting.kind {
            SettingKind::Bool { .. } => json!(on),
            SettingKind::Integer { min, max, .. } => json!(if on { max } else { min }),
            SettingKind::Text { default, .. } | SettingKind::Choice { default, .. } => {
                json!(default)
            }
        };
    }
    for (name, edge) in &manifest.edges {
        context["edge"][name.as_str()] = if !on && edge.optional {
            json!({ "present": false })
        } else if edge.interface.is_none() {
            json!({ "present": true })
        } else {
            edge_values(name.as_str(), secret_values, read)
        };
    }
    for (name, interface) in &manifest.interfaces {
        let bind = json!({ "host": "192.0.2.1", "port": 1000 });
        let consumer = json!({
            "user": "user", "service": "consumer", "password": "secret", "rpcauth": "user:salt$hmac",
            "subnet": "192.0.2.0/28", "allow": interface.allows,
        });
        let mut value = json!({ "binds": [bind] });
        if secret_values {
            value["consumers"] = if on { json!([consumer]) } else { json!([]) };
        }
        context["interface"][name.as_str()] = value;
    }
    if manifest.onion.is_some() {
        context["onion"] = json!({ "wanted": on, "socket": "/volume/socket", "port": 80 });
    }
    if scope == Scope::Ask {
        for name in manifest.node.keys() {
            context["node_credential"][name.as_str()] =
                json!({ "user": "node", "password": "secret" });
        }
    }
    context
}

fn edge_values(name: &str, secret_values: bool, read: &BTreeSet<String>) -> serde_json::Value {
    let prefix = format!("edge.{name}.ports.");
    let ports = read
        .iter()
        .filter_map(|variable| variable.strip_prefix(&prefix));
    let ports: Map<String, serde_json::Value> =
        ports.map(|port| (port.to_owned(), json!(1000))).collect();
    let mut edge = json!({
        "present": true, "host": "192.0.2.2", "port": 1000, "ports": ports, "user": "user",
        "password_path": "/password", "file_path": "/file", "subnet": "192.0.2.0/28",
    });
    if secret_values {
        edge["password"] = json!("secret");
    }
    edge
}

/// The settings, and a number wherever a sentence reads a probe's answer.
pub(super) fn text(manifest: &Manifest, read: &[String]) -> Value {
    let mut context = context(manifest, Scope::Text, "regtest", true, &BTreeSet::new());
    for variable in read {
        if !variable.starts_with("setting.") {
            let mut place = &mut context;
            for part in variable.split('.') {
                if !place.is_object() {
                    *place = json!({});
                }
                place = &mut place[part];
            }
            if place.is_null() {
                *place = json!(0.5);
            }
        }
    }
    Value::from(Serde(context))
}
