//! Owns the specification of one service: fully decided, canonical, without a secret value.
//!
//! It does not know how it was resolved (`resolve`) nor which runtime will run it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;

use crate::id::EdgeId;
use crate::id::ManifestId;
use crate::id::Name;
use crate::id::ServiceId;
use crate::manifest::schema::CredentialKind;
use crate::manifest::schema::DataClass;
use crate::manifest::schema::Listen;
use crate::manifest::schema::OnLoss;
use crate::manifest::schema::StopSignal;
use crate::manifest::schema::WaitsFor;
use crate::secret::SecretRef;

/// Everything needed to run one service. Two equal specifications have equal hashes, whatever built them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServiceSpec {
    /// The instance.
    pub id: ServiceId,
    /// The manifest it is an instance of.
    pub manifest: ManifestId,
    /// The program and its rendered arguments.
    pub program: ProgramSpec,
    /// Rendered files by file name; a secret stands as a marker (`service::marker`), never as a value.
    pub files: BTreeMap<String, String>,
    /// Secrets given as files, by file name.
    pub secrets: BTreeMap<String, SecretRef>,
    /// Folders that outlive the service.
    pub volumes: BTreeMap<Name, VolumeSpec>,
    /// Where it listens.
    pub listeners: BTreeMap<Name, Listener>,
    /// Whom it calls.
    pub edges: Vec<EdgeSpec>,
    /// Who calls it, with the credential each was given.
    pub consumers: Vec<ConsumerSpec>,
    /// How it is stopped.
    pub stop: StopSpec,
    /// Memory and process limits.
    pub limits: LimitSpec,
}

impl ServiceSpec {
    /// Whether starting it needs a value from the vault.
    #[must_use]
    pub fn needs_secrets(&self) -> bool {
        !self.secrets.is_empty()
            || self
                .files
                .values()
                .any(|text| super::marker::holds_marker(text))
    }
}

/// The program of a specification.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProgramSpec {
    /// The program's file name.
    pub command: String,
    /// The image's digest, or nothing under the process runtime.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Rendered arguments; never a secret.
    pub args: Vec<String>,
    /// Rendered environment; never a secret.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// How it listens.
    pub listen: Listen,
}

/// A folder that outlives the service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VolumeSpec {
    /// Where it lies on the host.
    pub path: PathBuf,
    /// The storage root it lies in: `data`, or a name from `[storage]`.
    pub root: String,
    /// What losing or rolling it back means.
    pub class: DataClass,
    /// Free space without which the service does not start. Units: MiB.
    pub needs_mib: u64,
}

/// An address on which the service listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    /// The address.
    pub host: IpAddr,
    /// The port.
    pub port: u16,
    /// Whether strangers reach it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub public: bool,
}

/// One edge on which the service is the consumer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EdgeSpec {
    /// Which edge.
    pub id: EdgeId,
    /// What the service does when the provider goes away.
    pub on_loss: OnLoss,
    /// Which of the provider's signals its first start waits for.
    pub waits_for: WaitsFor,
    /// Whether the service can run without it: then it waits for nothing of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// What the service may do there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<String>,
    /// The credential, where the interface has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<SecretRef>,
}

/// One edge on which the service is the provider.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConsumerSpec {
    /// Which edge.
    pub id: EdgeId,
    /// The kind of credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<CredentialKind>,
    /// What the consumer may do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<String>,
    /// The credential, where the interface has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<SecretRef>,
}

/// How a service is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopSpec {
    /// The signal that asks it to.
    pub signal: StopSignal,
    /// How long it may take before it is killed. Units: seconds.
    pub grace_seconds: u32,
}

/// Memory and process limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitSpec {
    /// Units: MiB.
    pub memory_mib: u32,
    /// Most processes and threads.
    pub pids: u32,
}

/// The hash of a canonical specification with the version of the hashing scheme.
///
/// Shape: `v1:` and 64 hex digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SpecHash(pub String);

impl fmt::Display for SpecHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
