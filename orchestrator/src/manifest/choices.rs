//! Owns the operator's choices: the shape of `node.toml`.
//!
//! It does not know which of them were accepted (`store::state`).

mod access;

pub use access::AccessChoice;
pub use access::AcmeChoice;
pub use access::HostName;
pub use access::HttpsUrl;
pub use access::PublicChoice;
pub use access::TrustedNet;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;
use toml_edit::DocumentMut;
use toml_edit::Item;
use toml_edit::Table;
use toml_edit::TableLike;

use crate::id::ManifestId;
use crate::id::Name;
use crate::id::ServiceId;
use crate::manifest::catalog::Catalog;
use crate::manifest::error::ManifestErrors;
use crate::manifest::error::Subject;
use crate::manifest::hint;
use crate::manifest::profile::Profile;
use crate::manifest::profile::ProfileName;
use crate::manifest::validate::SettingError;
use crate::service::subnets::Cidr;

/// What an operator wrote into `node.toml`. An empty file is a legal one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Choices {
    /// Services: settings, further instances, external ones, switched-off ones.
    #[serde(default)]
    pub services: BTreeMap<ServiceId, ServiceChoice>,
    /// Further storage roots by name, such as a second disk.
    #[serde(default)]
    pub storage: BTreeMap<Name, StorageRoot>,
    /// Images by `repository@digest`, each replaced by a mirror or a local one.
    #[serde(default)]
    pub images: BTreeMap<String, String>,
    /// Where containers get their addresses.
    #[serde(default)]
    pub network: NetworkChoice,
    /// Who reaches the node's own pages and API.
    #[serde(default)]
    pub access: AccessChoice,
}

/// Where containers get their addresses.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NetworkChoice {
    /// The pool of which every edge gets 16 addresses, such as `10.213.0.0/20`. Absent: one that overlaps no route of
    /// this machine is chosen once and kept.
    pub pool: Option<Cidr>,
}

/// What an operator wants of one service.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceChoice {
    /// The manifest, for an instance that the profile does not have.
    pub manifest: Option<ManifestId>,
    /// `false` leaves a service of the profile out; its data stay.
    pub enabled: Option<bool>,
    /// Settings that differ from the profile's.
    #[serde(default)]
    pub settings: BTreeMap<Name, serde_json::Value>,
    /// Which storage root holds which volume; the data folder where nothing is said.
    #[serde(default)]
    pub volumes: BTreeMap<Name, Name>,
    /// Which instance provides each edge, where there are several.
    #[serde(default)]
    pub edges: BTreeMap<Name, ServiceId>,
    /// Fixed port numbers.
    #[serde(default)]
    pub ports: BTreeMap<Name, u16>,
    /// The machine's address on which a published port answers; 127.0.0.1 where nothing is said.
    #[serde(default)]
    pub publish: BTreeMap<Name, Ipv4Addr>,
    /// Another image than the manifest's: `repository@sha256:…`, or `sha256:…` for one that is on this machine.
    pub image: Option<String>,
    /// The operator's own server instead of ours: never started, stopped or changed by us.
    pub external: Option<External>,
}

/// The operator's own server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct External {
    /// Where each port of the manifest answers.
    pub addresses: BTreeMap<Name, SocketAddr>,
    /// Who we are there, by interface.
    #[serde(default)]
    pub credentials: BTreeMap<Name, ExternalCredential>,
}

/// Who we are at an external server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExternalCredential {
    /// The user's name.
    pub user: String,
    /// A file that holds the password, read once into the vault.
    pub password_file: PathBuf,
}

/// A further storage root.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StorageRoot {
    /// Its absolute path. A file `flash-node-storage.toml` in it names the node; a missing mount is refused, never started empty.
    pub path: PathBuf,
}

/// Reads `node.toml`; `file` is only named in errors. Errors: the first thing that cannot be read.
pub fn parse(text: &str, file: &str) -> Result<Choices, ManifestErrors> {
    super::parse::read(text, &Subject::Choices, file)
}

/// Reads `node.toml` and checks it against the profile and the manifests of a node; `file` is only named in errors.
///
/// Errors: the first thing that cannot be read, else every mistake, each with its line.
pub fn read(
    catalog: &Catalog,
    profile: &Profile,
    text: &str,
    file: &str,
) -> Result<Choices, ManifestErrors> {
    let choices = parse(text, file)?;
    catalog
        .validate(profile, &choices)
        .map_err(|errors| errors.in_choices(file, text))?;
    Ok(choices)
}

/// Checks the text of a `node.toml` as a node of the embedded profile would, with the embedded manifests alone.
///
/// Errors: as [`read`].
pub fn validate_text(text: &str, profile_name: ProfileName) -> Result<(), ManifestErrors> {
    let catalog = Catalog::load(None)?;
    read(&catalog, &super::profile(profile_name), text, FILE).map(drop)
}

/// The name of the file that holds the choices, in the data folder.
pub const FILE: &str = "node.toml";

/// The text of `node.toml` in a new data folder: an empty choice, explained.
#[must_use]
pub fn default_text(profile: ProfileName) -> String {
    include_str!("choices/node.toml").replace("{profile}", profile.as_str())
}

/// Why a setting was not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// The node has no such service.
    #[error("no service is named `{service}`; {hint}")]
    Service {
        /// The service that was named.
        service: ServiceId,
        /// What there is.
        hint: String,
    },
    /// The service has no such setting.
    #[error("`{service}` has no setting `{setting}`; {hint}")]
    Setting {
        /// The service.
        service: ServiceId,
        /// The setting that was named.
        setting: Name,
        /// What there is.
        hint: String,
    },
    /// The value has the wrong type or lies outside the range.
    #[error("`{service}.{setting}` takes {range}")]
    Value {
        /// The service.
        service: ServiceId,
        /// The setting.
        setting: Name,
        /// What may be written.
        range: String,
        /// What is wrong with the value.
        #[source]
        source: Box<SettingError>,
    },
    /// The file cannot be read as it stands.
    #[error("node.toml has errors; mend them first")]
    File(#[source] ManifestErrors),
    /// The file writes something else where the setting belongs.
    #[error("`{0}` in node.toml is not a table")]
    NotATable(String),
}

/// Finds the type of `service.setting` and reads `typed` as a value of it: what `flash-node set` needs.
///
/// Errors: [`SetError`], with what may be written.
pub fn value(
    catalog: &Catalog,
    profile: &Profile,
    choices: &Choices,
    service: &ServiceId,
    setting: &Name,
    typed: &str,
) -> Result<serde_json::Value, SetError> {
    let chosen = choices
        .services
        .get(service)
        .and_then(|choice| choice.manifest.as_ref());
    let instance = profile
        .services
        .get(service)
        .map(|instance| &instance.manifest);
    let Some(manifest) = instance.or(chosen).and_then(|id| catalog.get(id)) else {
        let known = profile.services.keys().chain(choices.services.keys());
        return Err(SetError::Service {
            service: service.clone(),
            hint: hint::among("service", service.as_str(), known.map(ServiceId::as_str)),
        });
    };
    let Some(declared) = manifest.settings.get(setting) else {
        let known = manifest.settings.keys().map(Name::as_str);
        return Err(SetError::Setting {
            service: service.clone(),
            setting: setting.clone(),
            hint: hint::among("setting", setting.as_str(), known),
        });
    };
    declared
        .kind
        .typed(typed)
        .map_err(|source| SetError::Value {
            service: service.clone(),
            setting: setting.clone(),
            range: declared.kind.range(),
            source: Box::new(source),
        })
}

/// Writes `service.setting = value` into the text of `node.toml`; comments and order survive.
///
/// The value is one that [`value`] returned. Errors: a text that cannot be read, or that holds something else there.
pub fn set(
    text: &str,
    service: &ServiceId,
    setting: &Name,
    value: &serde_json::Value,
) -> Result<String, SetError> {
    let new: toml_edit::Value = match value {
        serde_json::Value::Bool(value) => (*value).into(),
        serde_json::Value::Number(value) if value.is_i64() => {
            value.as_i64().unwrap_or_default().into()
        }
        serde_json::Value::String(value) => value.as_str().into(),
        _ => return Err(SetError::NotATable(format!("{service}.settings.{setting}"))),
    };
    write(
        text,
        &["services", service.as_str(), "settings"],
        setting.as_str(),
        new,
    )
}

/// Writes `enabled = false` for `service` into the text of `node.toml`: the service is left out, its data stay.
///
/// Errors: as [`set`].
pub fn leave_out(text: &str, service: &ServiceId) -> Result<String, SetError> {
    write(
        text,
        &["services", service.as_str()],
        "enabled",
        false.into(),
    )
}

/// Writes which image `service` runs in into the text of `node.toml`. Errors: as [`set`].
pub fn set_image(text: &str, service: &ServiceId, image: &str) -> Result<String, SetError> {
    write(text, &["services", service.as_str()], "image", image.into())
}

/// Writes whether the node's own network reaches it into the text of `node.toml`. Errors: as [`set`].
pub fn set_lan(text: &str, lan: bool) -> Result<String, SetError> {
    write(text, &["access"], "lan", lan.into())
}

/// Writes whether the Tor network reaches the node into the text of `node.toml`. Errors: as [`set`].
pub fn set_onion(text: &str, onion: bool) -> Result<String, SetError> {
    write(text, &["access"], "onion", onion.into())
}

/// Writes one value at `path`, making the tables that are missing; comments and order survive.
fn write(text: &str, path: &[&str], key: &str, new: toml_edit::Value) -> Result<String, SetError> {
    parse(text, FILE).map_err(SetError::File)?;
    let mut document: DocumentMut = text.parse().expect("read just before");
    if document.is_empty() && !text.trim().is_empty() {
        // Nothing but comments: the first choice goes behind them.
        let first = write("", path, key, new)?;
        return Ok(format!("{}\n\n{first}", text.trim_end()));
    }
    let mut place = document.as_table_mut() as &mut dyn TableLike;
    for (at, name) in path.iter().enumerate() {
        let entry = place.entry(name).or_insert_with(|| {
            let mut table = Table::new();
            // Only the innermost table gets a header of its own.
            table.set_implicit(at + 1 < path.len());
            Item::Table(table)
        });
        place = entry
            .as_table_like_mut()
            .ok_or_else(|| SetError::NotATable(path[..=at].join(".")))?;
    }
    match place.get_mut(key).and_then(Item::as_value_mut) {
        Some(old) => {
            // What stands around the old value, such as a comment behind it, stays.
            let decor = old.decor().clone();
            *old = new;
            *old.decor_mut() = decor;
        }
        None => {
            place.insert(key, Item::Value(new));
        }
    }
    Ok(document.to_string())
}

#[cfg(test)]
mod tests;
