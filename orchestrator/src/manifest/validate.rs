//! Owns the rules of one manifest: a list of small functions, each pure.
//!
//! It does not know other manifests (`references`), profiles or choices (`compose`).

use super::error::Finding;
use super::error::Rule;
use super::hint;
use super::locate::Path;
use super::schema::Manifest;
use crate::id::Name;

pub(super) use edges::check_grants;
pub(super) use health::check_method;
pub use settings::SettingError;

mod edges;
mod health;
mod identity;
mod init;
mod literals;
mod network;
mod settings;
mod templates;

type Check = fn(&Manifest, &mut Findings);

const CHECKS: &[Check] = &[
    identity::check_schema_version,
    identity::check_id,
    identity::check_networks_reason,
    identity::check_image,
    identity::check_program,
    identity::check_stop_grace,
    identity::check_versions,
    identity::check_limits,
    identity::check_control_characters,
    network::check_port_numbers,
    network::check_duplicate_ports,
    network::check_single_listener,
    network::check_interfaces,
    network::check_volume_parts,
    network::check_file_names,
    network::check_onion,
    network::check_endpoints,
    edges::check_edges,
    edges::check_node_edges,
    settings::check_defaults,
    settings::check_checks,
    settings::check_unused,
    templates::check_templates,
    templates::check_literals,
    health::check_signals,
    health::check_conditions,
    health::check_probes,
    init::check_names,
    init::check_steps,
    init::check_captures,
];

/// Returns everything that is wrong with `manifest` by itself.
#[must_use]
pub fn validate(manifest: &Manifest) -> Vec<Finding> {
    let mut found = Findings::default();
    for check in CHECKS {
        check(manifest, &mut found);
    }
    found.0
}

/// What the rules found so far.
#[derive(Debug, Default)]
pub(super) struct Findings(pub(super) Vec<Finding>);

impl Findings {
    pub(super) fn add(&mut self, rule: Rule, path: Path, message: impl Into<String>) {
        self.0.push(Finding {
            rule,
            path,
            message: message.into(),
            hint: None,
        });
    }

    pub(super) fn add_with_hint(
        &mut self,
        rule: Rule,
        path: Path,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.0.push(Finding {
            rule,
            path,
            message: message.into(),
            hint: Some(hint.into()),
        });
    }

    /// Checks that `name` is among the declared names of its kind.
    fn refer<'a>(
        &mut self,
        path: Path,
        what: &str,
        name: &Name,
        declared: impl IntoIterator<Item = &'a Name>,
    ) -> bool {
        let declared: Vec<&str> = declared.into_iter().map(Name::as_str).collect();
        let known = declared.contains(&name.as_str());
        if !known {
            self.add_with_hint(
                Rule::UnknownReference,
                path,
                format!("no {what} `{name}` is declared"),
                hint::among(what, name.as_str(), declared),
            );
        }
        known
    }
}
