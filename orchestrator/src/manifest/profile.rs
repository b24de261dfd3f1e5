//! Owns the shape of a profile: which services a node runs, on which network, and how strict it is.
//!
//! It does not know an operator's own choices (`choices`).

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

use crate::id::ManifestId;
use crate::id::Name;
use crate::id::ServiceId;
use crate::manifest::error::ManifestErrors;
use crate::manifest::error::Subject;
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

impl ProfileName {
    /// Every profile, from play money to real money.
    pub const ALL: &[Self] = &[Self::Demo, Self::Regtest, Self::Signet, Self::Mainnet];

    /// Returns the name as it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Demo => "demo",
            Self::Regtest => "regtest",
            Self::Signet => "signet",
            Self::Mainnet => "mainnet",
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Demo => include_str!("../../../manifests/profiles/demo.toml"),
            Self::Regtest => include_str!("../../../manifests/profiles/regtest.toml"),
            Self::Signet => include_str!("../../../manifests/profiles/signet.toml"),
            Self::Mainnet => include_str!("../../../manifests/profiles/mainnet.toml"),
        }
    }

    pub(crate) fn file(self) -> String {
        format!("manifests/profiles/{}.toml", self.as_str())
    }

    pub(crate) fn source(self) -> (String, &'static str) {
        (self.file(), self.text())
    }
}

impl fmt::Display for ProfileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Returns an embedded profile.
///
/// Panics: never in a build whose tests passed; each embedded profile is read by one.
#[must_use]
pub fn profile(name: ProfileName) -> Profile {
    let (file, text) = name.source();
    parse(text, &file).expect("embedded profiles are read by a test")
}

/// Reads one profile; `file` is only named in errors. Errors: the first thing that cannot be read.
pub fn parse(text: &str, file: &str) -> Result<Profile, ManifestErrors> {
    super::parse::read(text, &Subject::Profile, file)
}
