//! Owns the operator's choices: the shape of `node.toml`.
//!
//! It does not know which of them were accepted (`store::state`).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

use crate::id::ManifestId;
use crate::id::Name;
use crate::id::ServiceId;
use crate::manifest::error::ManifestErrors;
use crate::manifest::error::Subject;

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
