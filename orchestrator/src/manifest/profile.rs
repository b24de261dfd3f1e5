//! Owns the shape of a profile: which services a node runs, on which network, and how strict it is.
//!
//! It does not know an operator's own choices (`choices`).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

use crate::id::ManifestId;
use crate::id::Name;
use crate::id::ServiceId;
use crate::manifest::schema::Network;
use crate::runtime::RuntimeKind;

/// Composes services into a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Schema version of this file: 1.
    pub profile: u32,
    /// The profile's name.
    pub name: ProfileName,
    /// One sentence: what it is for.
    pub summary: String,
    /// The Bitcoin network.
    pub network: Network,
    /// Whether nothing here is worth anything. False: play-money back ends refuse to start.
    pub play_money: bool,
    /// The runtime where the operator names none.
    pub runtime: RuntimeKind,
    /// Whether the vault opens itself until a passphrase is set.
    #[serde(default)]
    pub vault_unseals_itself: bool,
    /// Whether a taken port is replaced by the next free one at the first start. False: taken is an error.
    #[serde(default)]
    pub next_free_port: bool,
    /// Services by instance name.
    pub services: BTreeMap<ServiceId, Instance>,
}

/// One instance of a manifest in a profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Instance {
    /// The manifest.
    pub manifest: ManifestId,
    /// Settings that differ from the manifest's defaults.
    #[serde(default)]
    pub settings: BTreeMap<Name, serde_json::Value>,
}

/// The four profiles.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum ProfileName {
    /// The embedded default: play money, no Docker, no downloads.
    Demo,
    /// The full stack on a private chain.
    Regtest,
    /// The full stack on the public test network.
    Signet,
    /// Real money.
    Mainnet,
}
