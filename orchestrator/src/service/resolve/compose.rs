//! Owns which services a node has, and their effective settings: manifest < profile < choices.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde_json::Value;

use crate::id::ManifestId;
use crate::id::Name;
use crate::id::ServiceId;
use crate::manifest::Catalog;
use crate::manifest::choices::Choices;
use crate::manifest::choices::External;
use crate::manifest::choices::ServiceChoice;
use crate::manifest::profile::Profile;
use crate::manifest::schema::Manifest;
use crate::manifest::schema::Setting;
use crate::manifest::schema::SettingKind;
use crate::service::marker;
use crate::service::resolve::Problem;
use crate::service::resolve::ResolveError;

/// Names that no service may have: the parties of edges that are not services.
pub(crate) const RESERVED: [&str; 2] = ["node", "internet"];

/// One service of the node, before anything is decided about it.
#[derive(Debug, Clone)]
pub(crate) struct Part<'a> {
    pub(crate) manifest: &'a Manifest,
    pub(crate) settings: BTreeMap<Name, Value>,
    pub(crate) external: Option<&'a External>,
    pub(crate) choice: Option<&'a ServiceChoice>,
}

/// Lists the services of the node, and what is wrong with those that cannot be listed.
pub(crate) fn compose<'a>(
    profile: &'a Profile,
    choices: &'a Choices,
    catalog: &'a Catalog,
) -> (BTreeMap<ServiceId, Part<'a>>, Vec<ResolveError>) {
    let mut parts = BTreeMap::new();
    let mut errors = Vec::new();
    let names: BTreeSet<&ServiceId> = profile
        .services
        .keys()
        .chain(choices.services.keys())
        .collect();
    for service in names {
        match part(service, profile, choices, catalog) {
            Ok(Some((part, problems))) => {
                errors.extend(problems.into_iter().map(|p| ResolveError::new(service, p)));
                parts.insert(service.clone(), part);
            }
            Ok(None) => {}
            Err(problem) => errors.push(ResolveError::new(service, problem)),
        }
    }
    (parts, errors)
}

type Found<'a> = Option<(Part<'a>, Vec<Problem>)>;

fn part<'a>(
    service: &ServiceId,
    profile: &'a Profile,
    choices: &'a Choices,
    catalog: &'a Catalog,
) -> Result<Found<'a>, Problem> {
    if RESERVED.contains(&service.as_str()) {
        return Err(Problem::ReservedName);
    }
    let instance = profile.services.get(service);
    let choice = choices.services.get(service);
    let chosen = choice.and_then(|choice| choice.manifest.as_ref());
    let manifest_id = match (instance.map(|i| &i.manifest), chosen) {
        (Some(profile), Some(chosen)) if profile != chosen => {
            return Err(Problem::OtherManifest {
                profile: profile.clone(),
                chosen: chosen.clone(),
            });
        }
        (Some(manifest), _) | (None, Some(manifest)) => manifest,
        (None, None) => return Err(Problem::NoManifest),
    };
    if choice.and_then(|choice| choice.enabled) == Some(false) {
        return Ok(None);
    }
    let manifest = catalog
        .get(manifest_id)
        .ok_or_else(|| Problem::UnknownManifest {
            manifest: manifest_id.clone(),
            known: known_manifests(catalog),
        })?;
    let mut problems = Vec::new();
    let mut settings: BTreeMap<Name, Value> = manifest
        .settings
        .iter()
        .map(|(name, setting)| (name.clone(), default_of(setting)))
        .collect();
    let layers = [
        instance.map(|instance| &instance.settings),
        choice.map(|choice| &choice.settings),
    ];
    for (name, value) in layers.into_iter().flatten().flatten() {
        match manifest.settings.get(name) {
            None => problems.push(Problem::UnknownSetting {
                setting: name.clone(),
                known: manifest.settings.keys().cloned().collect(),
            }),
            Some(setting) => match refused(&setting.kind, value) {
                Some(rule) => problems.push(Problem::BadSetting {
                    setting: name.clone(),
                    given: value.to_string(),
                    rule,
                }),
                None => {
                    settings.insert(name.clone(), value.clone());
                }
            },
        }
    }
    let part = Part {
        manifest,
        settings,
        external: choice.and_then(|choice| choice.external.as_ref()),
        choice,
    };
    Ok(Some((part, problems)))
}

fn known_manifests(catalog: &Catalog) -> Vec<ManifestId> {
    catalog.iter().map(|(id, _)| id.clone()).collect()
}

fn default_of(setting: &Setting) -> Value {
    match &setting.kind {
        SettingKind::Bool { default } => Value::from(*default),
        SettingKind::Integer { default, .. } => Value::from(*default),
        SettingKind::Text { default, .. } | SettingKind::Choice { default, .. } => {
            Value::from(default.as_str())
        }
    }
}

/// Says what would be legal, where `value` is not.
pub(crate) fn refused(kind: &SettingKind, value: &Value) -> Option<String> {
    match kind {
        SettingKind::Bool { .. } => {
            (!value.is_boolean()).then(|| "must be true or false".to_owned())
        }
        SettingKind::Integer { min, max, unit, .. } => {
            let legal = value.as_i64().is_some_and(|n| (*min..=*max).contains(&n));
            let unit = unit
                .as_ref()
                .map_or(String::new(), |unit| format!(" {unit}"));
            (!legal).then(|| format!("must be a whole number from {min} to {max}{unit}"))
        }
        SettingKind::Text { max_length, .. } => {
            let legal = value.as_str().is_some_and(|text| {
                text.chars().count() <= *max_length
                    && !text.contains(char::is_control)
                    && !marker::holds_marker(text)
            });
            (!legal).then(|| {
                format!(
                    "must be a text of at most {max_length} characters without control characters"
                )
            })
        }
        SettingKind::Choice { options, .. } => {
            let legal = value
                .as_str()
                .is_some_and(|text| options.iter().any(|o| o == text));
            (!legal).then(|| format!("must be one of {}", options.join(", ")))
        }
    }
}

/// Checks the names that the operator's choices use.
pub(crate) fn check_choices(
    parts: &BTreeMap<ServiceId, Part<'_>>,
    choices: &Choices,
    errors: &mut Vec<ResolveError>,
) {
    for (root, storage) in &choices.storage {
        if !storage.path.is_absolute() {
            let root = root.clone();
            errors.push(ResolveError::of_node(Problem::RelativeStorageRoot { root }));
        }
    }
    for (service, part) in parts {
        let Some(choice) = part.choice else { continue };
        let manifest = part.manifest;
        let mut problems = Vec::new();
        problems.extend(strangers("port", choice.ports.keys(), &manifest.ports));
        problems.extend(strangers(
            "volume",
            choice.volumes.keys(),
            &manifest.volumes,
        ));
        problems.extend(strangers("edge", choice.edges.keys(), &manifest.edges));
        for (volume, root) in &choice.volumes {
            if root.as_str() != DATA_ROOT && !choices.storage.contains_key(root) {
                problems.push(Problem::UnknownStorageRoot {
                    volume: volume.clone(),
                    root: root.clone(),
                });
            }
        }
        if let Some(external) = part.external {
            let (addresses, credentials) = (&external.addresses, &external.credentials);
            problems.extend(strangers("port", addresses.keys(), &manifest.ports));
            problems.extend(strangers(
                "interface",
                credentials.keys(),
                &manifest.interfaces,
            ));
            for (interface, credential) in credentials {
                if credential.user.is_empty()
                    || credential.user.contains(char::is_control)
                    || marker::holds_marker(&credential.user)
                {
                    let interface = interface.clone();
                    problems.push(Problem::BadUser { interface });
                }
            }
        }
        errors.extend(problems.into_iter().map(|p| ResolveError::new(service, p)));
    }
}

/// The storage root that every node has.
pub(crate) const DATA_ROOT: &str = "data";

fn strangers<'a, V>(
    kind: &'static str,
    named: impl Iterator<Item = &'a Name>,
    existing: &BTreeMap<Name, V>,
) -> Vec<Problem> {
    named
        .filter(|name| !existing.contains_key(*name))
        .map(|name| Problem::UnknownName {
            kind,
            name: name.clone(),
            known: existing.keys().cloned().collect(),
        })
        .collect()
}
