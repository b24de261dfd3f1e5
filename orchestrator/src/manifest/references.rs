//! Owns the rules between manifests: edges, grants, checks and probes that name another service.
//!
//! It does not know which services a node has (`compose`).

use super::error::Rule;
use super::hint;
use super::locate::Path;
use super::locate::place;
use super::schema::CredentialKind;
use super::schema::Edge;
use super::schema::Interface;
use super::schema::Manifest;
use super::schema::Probe;
use super::template;
use super::validate::Findings;
use super::validate::check_grants;
use super::validate::check_method;
use crate::id::ManifestId;
use crate::id::Name;

/// Gives a manifest by id.
pub(super) type Known<'a> = dyn Fn(&ManifestId) -> Option<&'a Manifest> + 'a;

/// Finds everything that is wrong with how `manifest` refers to others.
pub(super) fn check(manifest: &Manifest, ids: &[&str], known: &Known<'_>, found: &mut Findings) {
    for (name, edge) in &manifest.edges {
        if !matches!(edge.to.as_str(), "internet" | "node") {
            check_edge(manifest, name, edge, ids, known, found);
        }
    }
    for (index, check) in manifest.checks.iter().enumerate() {
        let edge = check
            .edge
            .as_ref()
            .and_then(|name| manifest.edges.get(name));
        let Some(provider) = edge.and_then(|edge| known(&edge.to)) else {
            continue;
        };
        let at = place!["checks", index];
        let Some(setting) = provider.settings.get(&check.setting) else {
            let settings = provider.settings.keys().map(Name::as_str);
            found.add_with_hint(
                Rule::UnknownReference,
                at.then("setting"),
                format!("`{}` has no setting `{}`", provider.id, check.setting),
                hint::among("setting", check.setting.as_str(), settings),
            );
            continue;
        };
        if let Err(error) = setting.kind.check(&check.equals) {
            let message = format!(
                "the setting `{}` can never have this value: {error}",
                check.setting
            );
            found.add(Rule::CheckValue, at.then("equals"), message);
        }
    }
    for (name, probe) in &manifest.probes {
        check_probe(manifest, &place!["probes", name], probe, known, found);
    }
}

fn check_edge(
    manifest: &Manifest,
    name: &Name,
    edge: &Edge,
    ids: &[&str],
    known: &Known<'_>,
    found: &mut Findings,
) {
    let at = place!["edges", name];
    let Some(provider) = known(&edge.to) else {
        found.add_with_hint(
            Rule::EdgeProvider,
            at.then("to"),
            format!("no manifest has the id `{}`", edge.to),
            hint::among("manifest", edge.to.as_str(), ids.iter().copied()),
        );
        return;
    };
    let Some(interface_name) = &edge.interface else {
        return;
    };
    let Some(interface) = provider.interfaces.get(interface_name) else {
        let interfaces = provider.interfaces.keys().map(Name::as_str);
        found.add_with_hint(
            Rule::UnknownReference,
            at.then("interface"),
            format!("`{}` has no interface `{interface_name}`", provider.id),
            hint::among("interface", interface_name.as_str(), interfaces),
        );
        return;
    };
    check_grants(&at.then("allow"), &edge.allow, &interface.allows, found);
    check_variables(manifest, name, interface, found);
}

/// Checks that templates read from an edge only what its interface gives.
fn check_variables(manifest: &Manifest, edge: &Name, interface: &Interface, found: &mut Findings) {
    let prefix = format!("edge.{edge}.");
    for place in template::templates(manifest) {
        for variable in template::variables_read(place.source) {
            let Some(rest) = variable.strip_prefix(&prefix) else {
                continue;
            };
            if let Some(hint) = not_given(rest, interface) {
                found.add_with_hint(
                    Rule::EdgeVariable,
                    place.path.clone(),
                    format!("the interface gives no `{variable}`"),
                    hint,
                );
            }
        }
    }
}

/// Says what the interface gives instead, where it does not give `variable`.
fn not_given(variable: &str, interface: &Interface) -> Option<String> {
    let kind = interface.credential;
    let worded = matches!(
        kind,
        Some(
            CredentialKind::Rpcauth
                | CredentialKind::PostgresRole
                | CredentialKind::TorPassword
                | CredentialKind::Token
        )
    );
    let given = match variable {
        "user" | "password" => worded,
        "password_path" => kind.is_some() && kind != Some(CredentialKind::ProviderFile),
        "file_path" => kind == Some(CredentialKind::ProviderFile),
        _ => {
            let port = variable.strip_prefix("ports.")?;
            let ports: Vec<&str> = std::iter::once(&interface.port)
                .chain(&interface.also)
                .map(Name::as_str)
                .collect();
            return (!ports.contains(&port)).then(|| hint::among("port", port, ports));
        }
    };
    (!given).then(|| match kind {
        None => "reaching its port is enough: it gives no credential".to_owned(),
        Some(CredentialKind::ProviderFile) => "it gives a file: `file_path`".to_owned(),
        Some(_) if worded => "it gives `user`, `password` and `password_path`".to_owned(),
        Some(_) => "it gives `password_path`".to_owned(),
    })
}

/// Checks that the node may ask the provider what a probe along an edge asks.
fn check_probe(
    manifest: &Manifest,
    at: &Path,
    probe: &Probe,
    known: &Known<'_>,
    found: &mut Findings,
) {
    let edge = probe
        .edge
        .as_ref()
        .and_then(|name| manifest.edges.get(name));
    let (Some(provider), Some(credential)) =
        (edge.and_then(|edge| known(&edge.to)), &probe.credential)
    else {
        return;
    };
    let Some(grant) = provider.node.get(credential) else {
        let names = provider.node.keys().map(Name::as_str);
        found.add_with_hint(
            Rule::UnknownReference,
            at.then("credential"),
            format!(
                "`{}` gives the node no credential `{credential}`",
                provider.id
            ),
            hint::among("node credential", credential.as_str(), names),
        );
        return;
    };
    check_method(at, &probe.ask, &grant.allow, found);
}
