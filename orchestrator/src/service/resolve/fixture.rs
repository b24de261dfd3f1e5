//! Two small manifests, a provider with users and a consumer, and everything around them, for tests of this folder.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::id::ManifestId;
use crate::id::Name;
use crate::id::ServiceId;
use crate::manifest::Catalog;
use crate::manifest::choices::Choices;
use crate::manifest::profile::Profile;
use crate::runtime::RuntimeKind;
use crate::secret::SecretKey;
use crate::service::desired::Desired;
use crate::service::desired::DesiredService;
use crate::service::desired::Wanted;
use crate::service::places::Places;
use crate::service::ports;
use crate::service::ports::PortTable;
use crate::service::programs::Programs;
use crate::service::resolve;
use crate::service::resolve::Inputs;
use crate::service::resolve::MemoryClass;
use crate::service::resolve::ResolveError;
use crate::service::resolve::Resolved;
use crate::service::resolve::resolve_with_scopes;
use crate::service::spec::ServiceSpec;
use crate::service::subnets;
use crate::service::subnets::SubnetTable;

/// A chain with users: settings, a volume, a file with `rpcauth` lines, a second port.
pub(crate) const CHAIN: &str = include_str!("fixture/chain.toml");
/// An indexer of it: an edge with a credential, an optional edge to a proxy, the way out.
pub(crate) const INDEX: &str = include_str!("fixture/index.toml");
/// A proxy whose control interface has a cookie file.
pub(crate) const PROXY: &str = include_str!("fixture/proxy.toml");

/// Everything that `resolve` takes, owned.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) profile: Profile,
    pub(crate) choices: Choices,
    pub(crate) catalog: Catalog,
    pub(crate) ports: PortTable,
    pub(crate) subnets: Option<SubnetTable>,
    pub(crate) generations: BTreeMap<SecretKey, u32>,
    pub(crate) places: Places,
    pub(crate) programs: Programs,
}

impl Node {
    /// A regtest node with a chain and an index, all programs installed.
    pub(crate) fn new() -> Self {
        Self::of(
            &[
                ("chain.toml", CHAIN),
                ("index.toml", INDEX),
                ("proxy.toml", PROXY),
            ],
            "regtest",
            &[("chain", "chain"), ("index", "index")],
        )
    }

    pub(crate) fn of(
        manifests: &[(&'static str, &'static str)],
        network: &str,
        services: &[(&str, &str)],
    ) -> Self {
        let mut profile = format!(
            "profile = 1\nname = \"regtest\"\nsummary = \"A test.\"\nnetwork = \"{network}\"\n\
             play_money = true\nruntime = \"process\"\nnext_free_port = true\n[services]\n"
        );
        for (service, manifest) in services {
            profile.push_str(&format!(
                "[services.{service}]\nmanifest = \"{manifest}\"\n"
            ));
        }
        let catalog =
            Catalog::of_texts(manifests.iter().copied()).expect("fixture manifests are legal");
        let mut programs = Programs::default();
        for (id, entry) in catalog.iter() {
            let command = &entry.manifest.program.command;
            programs = programs.with(id, command, PathBuf::from(format!("/opt/{command}")));
        }
        let mut node = Self {
            profile: toml::from_str(&profile).expect("the fixture profile is legal"),
            choices: Choices::default(),
            catalog,
            ports: PortTable::default(),
            subnets: None,
            generations: BTreeMap::new(),
            places: Places {
                kind: RuntimeKind::Process,
                data: PathBuf::from("/data"),
                files: PathBuf::from("/run/flash-node-abc123/files"),
            },
            programs,
        };
        node.assign();
        node
    }

    /// The same node under other choices.
    pub(crate) fn choosing(mut self, choices: &str) -> Self {
        self.choices = toml::from_str(choices).expect("the fixture choices are legal");
        self.assign();
        self
    }

    /// The same node with a network for each edge, on a machine without any other.
    pub(crate) fn in_containers(mut self) -> Self {
        self.places.kind = RuntimeKind::Docker;
        self.assign();
        let edges = resolve::networks(&self.inputs()).expect("the fixture's edges can be tied");
        let pool = subnets::choose_pool(None, None, &[]).expect("nothing is taken");
        let table = subnets::assign(&edges, None, pool).expect("the fixture's edges fit");
        self.subnets = Some(table);
        self
    }

    /// A regtest node whose relay runs in a container, from an image of this machine.
    pub(crate) fn contained() -> Self {
        let relay = include_str!("../../../../manifests/services/relay.toml");
        let choices = format!("[services.relay]\nimage = \"sha256:{}\"\n", "0".repeat(64));
        Self::of(&[("relay.toml", relay)], "regtest", &[("relay", "relay")])
            .choosing(&choices)
            .in_containers()
    }

    /// Chooses ports as if every number were free.
    fn assign(&mut self) {
        let requests = ports::requests(
            &self.profile,
            &self.choices,
            &self.catalog,
            self.places.kind,
        );
        self.ports = ports::assign(&requests, &self.ports, true, &|_| true)
            .expect("fixture ports do not collide");
    }

    pub(crate) fn inputs(&self) -> Inputs<'_> {
        Inputs {
            profile: &self.profile,
            choices: &self.choices,
            catalog: &self.catalog,
            ports: &self.ports,
            subnets: self.subnets.as_ref(),
            generations: &self.generations,
            places: &self.places,
            programs: &self.programs,
            memory_class: MemoryClass::Small,
            node_id: "abc123abc123abc123abc123abc123ab",
        }
    }

    pub(crate) fn resolved(&self) -> Resolved {
        resolve_with_scopes(&self.inputs()).unwrap_or_else(|errors| {
            let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
            panic!("the fixture does not resolve:\n{}", errors.join("\n"))
        })
    }

    pub(crate) fn desired(&self) -> Desired {
        self.resolved().desired
    }

    /// The problems of a node that does not resolve, as text.
    pub(crate) fn errors(&self) -> Vec<String> {
        resolve_with_scopes(&self.inputs())
            .expect_err("the node should not resolve")
            .iter()
            .map(ResolveError::to_string)
            .collect()
    }

    pub(crate) fn service(&self, service: &str) -> DesiredService {
        self.desired().services[&id(service)].clone()
    }

    pub(crate) fn spec(&self, service: &str) -> ServiceSpec {
        match self.service(service).wanted {
            Wanted::Run { spec, .. } => *spec,
            other => panic!("{service} does not run: {other:?}"),
        }
    }

    /// Code and text of a service that is held back.
    pub(crate) fn held(&self, service: &str) -> (String, String) {
        match self.service(service).wanted {
            Wanted::HeldBack { code, text } => (code.to_string(), text),
            other => panic!("{service} is not held back: {other:?}"),
        }
    }
}

pub(crate) fn id(service: &str) -> ServiceId {
    ServiceId::new(service).expect("a legal id")
}

pub(crate) fn name(name: &str) -> Name {
    Name::new(name).expect("a legal name")
}

pub(crate) fn manifest_id(id: &str) -> ManifestId {
    ManifestId::new(id).expect("a legal id")
}
