//! Owns the desired state: manifests, profile and choices, resolved into one specification per service.
//!
//! It does not know what runs. Nothing in it is a secret value.

mod difference;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::Deserialize;
use serde::Serialize;

pub use difference::difference;

use crate::id::ManifestId;
use crate::id::Name;
use crate::id::ServiceId;
use crate::manifest::schema::Network;
use crate::manifest::schema::Scheme;
use crate::secret::SecretRef;
use crate::service::spec::ServiceSpec;
use crate::service::spec::SpecHash;

/// What should run on the node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Desired {
    /// The Bitcoin network.
    pub network: Network,
    /// Every service that the profile and the operator name, those left out by `enabled = false` excepted.
    pub services: BTreeMap<ServiceId, DesiredService>,
}

/// One desired service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DesiredService {
    /// The manifest it is an instance of.
    pub manifest: ManifestId,
    /// What people call it.
    pub title: String,
    /// What should become of it.
    pub wanted: Wanted,
    /// Addresses for people.
    pub endpoints: Vec<DesiredEndpoint>,
    /// Where each of its ports answers, for probes.
    pub addresses: BTreeMap<Name, SocketAddr>,
    /// The node's own credentials there, by interface.
    pub node_credentials: BTreeMap<Name, SecretRef>,
    /// The node's own user names there, by interface; they differ at an external server.
    #[serde(default)]
    pub node_users: BTreeMap<Name, String>,
    /// Its effective settings, for `plan` to name what changed.
    pub settings: BTreeMap<Name, serde_json::Value>,
}

/// What should become of a service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// It runs.
    Run {
        /// What to run.
        spec: Box<ServiceSpec>,
        /// Its hash.
        hash: SpecHash,
    },
    /// The operator's own server: probed, never touched.
    External,
    /// It cannot run here; its dependants are held back too.
    HeldBack {
        /// The machine code: `not_installed`, `provider_held_back`, `unsafe_version`, `check_failed`, …
        code: Name,
        /// Why, in one sentence, with what to do.
        text: String,
    },
}

/// An address for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DesiredEndpoint {
    /// Its name in the manifest.
    pub name: Name,
    /// The scheme.
    pub scheme: Scheme,
    /// The address.
    pub address: SocketAddr,
    /// The path.
    pub path: String,
}

impl DesiredEndpoint {
    /// Writes the endpoint as a URL.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
            Scheme::Ws => "ws",
            Scheme::Tcp => "tcp",
        };
        format!("{scheme}://{}{}", self.address, self.path)
    }
}
