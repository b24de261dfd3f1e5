//! Owns what can be wrong between manifests, profile and choices, in words that say what to do.

use std::fmt;

use crate::id::EdgeId;
use crate::id::ManifestId;
use crate::id::Name;
use crate::id::ServiceId;
use crate::id::node_party;
use crate::manifest::schema::CredentialKind;
use crate::service::render::RenderError;

/// One thing that is wrong, and with which service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolveError {
    /// The service; `node` for what concerns all of them.
    pub service: ServiceId,
    /// What is wrong.
    pub problem: Problem,
}

impl ResolveError {
    pub(crate) fn new(service: &ServiceId, problem: Problem) -> Self {
        Self {
            service: service.clone(),
            problem,
        }
    }

    pub(crate) fn of_node(problem: Problem) -> Self {
        Self {
            service: node_party(),
            problem,
        }
    }
}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.service, self.problem)
    }
}

impl std::error::Error for ResolveError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        None
    }
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// An edge has no place in the address plan.
    #[error("the edge {edge} has no network in the address plan")]
    NoSubnet {
        /// The edge.
        edge: EdgeId,
    },
    /// An external server on the machine's loopback, which no container reaches.
    #[error(
        "it is external at {address}, which a container cannot reach: let it listen on another address of this machine, and name that one in node.toml under external.addresses"
    )]
    ExternalLoopback {
        /// The address.
        address: std::net::SocketAddr,
    },
    /// A probe asks a port to which no edge leads.
    #[error(
        "the node asks its port `{port}`, and no edge leads there: give the port an interface, and the node an edge to it ([node.INTERFACE])"
    )]
    Unprobeable {
        /// The port.
        port: Name,
    },
    /// The name is taken by the model itself.
    #[error("this name is reserved; call the service something else")]
    ReservedName,
    /// No such manifest.
    #[error("there is no manifest `{manifest}`; known are {}", list(.known))]
    UnknownManifest {
        /// The name.
        manifest: ManifestId,
        /// The names that exist.
        known: Vec<ManifestId>,
    },
    /// A service outside the profile without a manifest.
    #[error(
        "the profile has no such service; say which manifest it is an instance of: `manifest = \"…\"`"
    )]
    NoManifest,
    /// A service of the profile under another manifest.
    #[error(
        "the profile makes it an instance of `{profile}`, node.toml of `{chosen}`; give the other instance a name of its own"
    )]
    OtherManifest {
        /// The profile's.
        profile: ManifestId,
        /// The operator's.
        chosen: ManifestId,
    },
    /// A setting that the manifest does not have.
    #[error("it has no setting `{setting}`; it has {}", list(.known))]
    UnknownSetting {
        /// The name.
        setting: Name,
        /// The names that exist.
        known: Vec<Name>,
    },
    /// A setting's value is not legal.
    #[error("setting `{setting}` is {given}, but {rule}")]
    BadSetting {
        /// The setting.
        setting: Name,
        /// The value, as JSON.
        given: String,
        /// What would be legal.
        rule: String,
    },
    /// A name in `node.toml` that the manifest does not have.
    #[error("node.toml names the {kind} `{name}`, which it does not have; it has {}", list(.known))]
    UnknownName {
        /// `port`, `volume`, `edge` or `interface`.
        kind: &'static str,
        /// The name.
        name: Name,
        /// The names that exist.
        known: Vec<Name>,
    },
    /// A volume in a storage root that `[storage]` does not name.
    #[error("volume `{volume}` lies in the storage root `{root}`, which [storage] does not name")]
    UnknownStorageRoot {
        /// The volume.
        volume: Name,
        /// The root.
        root: Name,
    },
    /// A path that is not absolute.
    #[error("[storage] `{root}` is not an absolute path")]
    RelativeStorageRoot {
        /// The root.
        root: Name,
    },
    /// An external server without an address for a port that is used.
    #[error(
        "it is external, and {consumer} calls its port `{port}`; give its address in node.toml under external.addresses"
    )]
    NoExternalAddress {
        /// The port.
        port: Name,
        /// Who needs it.
        consumer: ServiceId,
    },
    /// An external server without a credential for an interface that needs one.
    #[error(
        "it is external, and {consumer} calls `{interface}`; give user and password_file in node.toml under external.credentials"
    )]
    NoExternalCredential {
        /// The interface.
        interface: Name,
        /// Who needs it.
        consumer: ServiceId,
    },
    /// An external server cannot give this kind of credential.
    #[error(
        "it is external, and its interface `{interface}` takes a credential of a kind ({kind:?}) that only our own instance gives"
    )]
    NotExternally {
        /// The interface.
        interface: Name,
        /// The kind.
        kind: CredentialKind,
    },
    /// A user name that could break out of a configuration line.
    #[error("the user name for `{interface}` holds a control character or is empty")]
    BadUser {
        /// The interface.
        interface: Name,
    },
    /// Nobody provides an edge.
    #[error(
        "it needs `{manifest}` (edge `{edge}`), and this node has no such service; add one, or name your own server as external"
    )]
    NoProvider {
        /// The edge.
        edge: Name,
        /// The manifest.
        manifest: ManifestId,
    },
    /// Several could provide an edge.
    #[error("{} could each be its `{edge}`; choose in node.toml: [services.NAME.edges] {edge} = \"…\"", list(.candidates))]
    SeveralProviders {
        /// The edge.
        edge: Name,
        /// Those who could.
        candidates: Vec<ServiceId>,
    },
    /// The operator chose a service that cannot provide the edge.
    #[error(
        "`{chosen}` cannot be its `{edge}`: that takes an instance of `{manifest}` on this node"
    )]
    WrongProvider {
        /// The edge.
        edge: Name,
        /// The choice.
        chosen: ServiceId,
        /// The manifest that is needed.
        manifest: ManifestId,
    },
    /// The provider does not offer the interface.
    #[error(
        "its edge `{edge}` calls the interface `{interface}` of {provider}, which has none of that name"
    )]
    NoInterface {
        /// The edge.
        edge: Name,
        /// The interface.
        interface: String,
        /// The provider.
        provider: ServiceId,
    },
    /// Two edges of one service are the same edge.
    #[error(
        "two of its edges, `{first}` and `{second}`, call the same interface of the same provider"
    )]
    SameEdgeTwice {
        /// One.
        first: Name,
        /// The other.
        second: Name,
    },
    /// Services that wait for each other.
    #[error("it would wait for itself: {}", path(.services))]
    Cycle {
        /// The services, in order.
        services: Vec<ServiceId>,
    },
    /// A kind of credential that nobody can make yet.
    #[error(
        "its interface `{interface}` asks for a credential of a kind ({kind:?}) that this version cannot make"
    )]
    NoSuchCredential {
        /// The interface.
        interface: Name,
        /// The kind.
        kind: CredentialKind,
    },
    /// A port without a number on this network.
    #[error("its port `{port}` has no number")]
    NoPort {
        /// The port.
        port: Name,
    },
    /// A path that cannot be written into a configuration file.
    #[error("the path {path:?} cannot be written into a configuration file; move the data folder")]
    BadPath {
        /// The path, with escapes.
        path: String,
    },
    /// A template could not be rendered.
    #[error("{place}: {problem}")]
    Template {
        /// Where it stands, such as `argument 3`.
        place: String,
        /// What is wrong.
        problem: RenderError,
    },
    /// Two files of one service have the same name.
    #[error("two of its files are called `{name}`")]
    FileTwice {
        /// The name.
        name: String,
    },
}

fn list<T: fmt::Display>(names: &[T]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    names
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

fn path(services: &[ServiceId]) -> String {
    services
        .iter()
        .map(ServiceId::as_str)
        .collect::<Vec<_>>()
        .join(" → ")
}
