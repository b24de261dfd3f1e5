//! Owns the specification of one service: fully decided, canonical, without a secret value.
//!
//! It does not know how it was resolved (`resolve`) nor which runtime will run it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
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
    /// Copies of files that only a provider can make, by file name; none where the program reads the provider's own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub provided: BTreeMap<String, ProvidedFile>,
    /// Folders that outlive the service.
    pub volumes: BTreeMap<Name, VolumeSpec>,
    /// Where it listens.
    pub listeners: BTreeMap<Name, Listener>,
    /// Networks of its own; none where services share the machine's.
    #[serde(default, skip_serializing_if = "NetworkSpec::none")]
    pub network: NetworkSpec,
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
    /// The image's own folder in which the program starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
}

/// The networks that a service is a member of. It reaches nothing else, and nothing else reaches it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkSpec {
    /// Its addresses, one for each edge, sorted by edge.
    pub attachments: Vec<Attachment>,
    /// Names of the providers that it calls, and their addresses.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub hosts: BTreeMap<String, Ipv4Addr>,
    /// Ports of the machine that lead to it, sorted by port.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub publish: Vec<Publish>,
}

impl NetworkSpec {
    /// Whether the service has no network of its own.
    #[must_use]
    pub fn none(&self) -> bool {
        *self == Self::default()
    }
}

/// A place on the network of one edge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// The edge, which names the network.
    pub edge: EdgeId,
    /// What the network leads to.
    pub kind: NetworkKind,
    /// The network.
    pub subnet: Subnet,
    /// The service's own address in it.
    pub address: Ipv4Addr,
    /// Where, beyond the other member, the service may open connections to: the node, or an external server.
    /// Empty: nowhere on an `edge` or a `way_in`, everywhere on a `way_out`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub may_reach: Vec<SocketAddr>,
}

/// What the network of an edge leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NetworkKind {
    /// Its two members, and nothing else.
    Edge,
    /// Whoever reaches a published port; the member opens no connection through it.
    WayIn,
    /// Everything outside, or the one server that `may_reach` names.
    WayOut,
}

/// An IPv4 network of 16 addresses. Shape: `10.213.0.0/28`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Subnet(Ipv4Addr);

/// How many addresses a [`Subnet`] has.
const SUBNET_SIZE: u32 = 16;

impl Subnet {
    /// Returns the network that begins at `first`, or nothing where none begins there.
    #[must_use]
    pub fn new(first: Ipv4Addr) -> Option<Self> {
        u32::from(first)
            .is_multiple_of(SUBNET_SIZE)
            .then_some(Self(first))
    }

    /// Returns the machine's own address in it.
    #[must_use]
    pub fn gateway(self) -> Ipv4Addr {
        self.member(1)
    }

    /// Returns the provider's address in it.
    #[must_use]
    pub fn provider(self) -> Ipv4Addr {
        self.member(2)
    }

    /// Returns the consumer's address in it.
    #[must_use]
    pub fn consumer(self) -> Ipv4Addr {
        self.member(3)
    }

    /// Returns its first address, which names it.
    #[must_use]
    pub fn first(self) -> Ipv4Addr {
        self.0
    }

    fn member(self, number: u32) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.0) + number)
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/28", self.0)
    }
}

impl From<Subnet> for String {
    fn from(subnet: Subnet) -> Self {
        subnet.to_string()
    }
}

impl TryFrom<String> for Subnet {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.strip_suffix("/28")
            .and_then(|first| first.parse().ok())
            .and_then(Self::new)
            .ok_or_else(|| format!("`{text}` is no network of 16 addresses"))
    }
}

/// A port of the machine that leads to a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publish {
    /// The service's port, by name.
    pub port: Name,
    /// The machine's address and port.
    pub on: SocketAddr,
    /// The port's number inside.
    pub number: u16,
}

/// A file that only a provider can make, such as a cookie or a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProvidedFile {
    /// Who makes it.
    pub provider: ServiceId,
    /// The provider's volume, on the machine.
    pub volume: PathBuf,
    /// The path below it.
    pub below: String,
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
