//! Owns the rules about whom a service calls, as far as its own manifest tells.

use super::Findings;
use crate::manifest::error::Rule;
use crate::manifest::hint;
use crate::manifest::locate::Path;
use crate::manifest::locate::place;
use crate::manifest::schema::Manifest;

pub(super) fn check_edges(manifest: &Manifest, found: &mut Findings) {
    for (name, edge) in &manifest.edges {
        let at = place!["edges", name];
        let out = edge.to.as_str() == "internet";
        if out && (edge.interface.is_some() || !edge.allow.is_empty()) {
            found.add_with_hint(
                Rule::InternetEdge,
                at.then(if edge.interface.is_some() {
                    "interface"
                } else {
                    "allow"
                }),
                "the way out is no service: it has no interface and grants nothing",
                "leave `interface` and `allow` away",
            );
        }
        if !out && edge.interface.is_none() {
            found.add_with_hint(
                Rule::EdgeInterface,
                at.then("to"),
                format!(
                    "the edge `{name}` does not say what it calls on `{}`",
                    edge.to
                ),
                "add `interface`",
            );
        }
        if edge.to == manifest.id {
            found.add(
                Rule::EdgeToItself,
                at.then("to"),
                format!("`{}` calls itself", manifest.id),
            );
        }
    }
}

pub(super) fn check_node_edges(manifest: &Manifest, found: &mut Findings) {
    for (name, edge) in &manifest.node {
        let at = place!["node", name];
        if found.refer(at.clone(), "interface", name, manifest.interfaces.keys()) {
            let allows = &manifest.interfaces[name].allows;
            check_grants(&at.then("allow"), &edge.allow, allows, found);
        }
    }
}

/// Checks that each grant is one that the interface allows.
pub(in crate::manifest) fn check_grants(
    at: &Path,
    grants: &[String],
    allows: &[String],
    found: &mut Findings,
) {
    for (index, grant) in grants.iter().enumerate() {
        if allows.contains(grant) {
            continue;
        }
        let hint = if allows.is_empty() {
            "the interface takes no list".to_owned()
        } else {
            hint::among("grant", grant, allows.iter().map(String::as_str))
        };
        found.add_with_hint(
            Rule::UnknownGrant,
            at.then(index),
            format!("the interface does not allow `{grant}`"),
            hint,
        );
    }
}
