use std::collections::BTreeMap;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use super::canonical;
use super::spec_hash;
use crate::id::EdgeId;
use crate::manifest::schema::CredentialKind;
use crate::manifest::schema::DataClass;
use crate::manifest::schema::Listen;
use crate::manifest::schema::OnLoss;
use crate::manifest::schema::StopSignal;
use crate::manifest::schema::WaitsFor;
use crate::secret::SecretKey;
use crate::secret::SecretRef;
use crate::service::resolve::fixture::Node;
use crate::service::resolve::fixture::id;
use crate::service::resolve::fixture::manifest_id;
use crate::service::resolve::fixture::name;
use crate::service::spec::ConsumerSpec;
use crate::service::spec::EdgeSpec;
use crate::service::spec::LimitSpec;
use crate::service::spec::Listener;
use crate::service::spec::ProgramSpec;
use crate::service::spec::ServiceSpec;
use crate::service::spec::StopSpec;
use crate::service::spec::VolumeSpec;

// The literals below are a promise to every node in the field: when one changes, the next release restarts all services
// of all nodes. Never edit one to make a test pass; bring in a new scheme version and say so in the release notes.

const BARE: &str = "v1:506c623e867f0ce85136d9c73a6c837051bcb76d75982ba76bfb3a054a16fbf3";
const FULL: &str = "v1:c9939081891a6c3fab9a4ff20a5a6bb635839266040009b83f626d0cac45c118";
const FIXTURE_CHAIN: &str = "v1:cf5d6a272366a2d7403f50caeec6617575be70703b7dd8fffe70d29ba75fde29";
const FIXTURE_INDEX: &str = "v1:0dd258611f548fcd1bbe07559c4313359480e7f713ff3440b23c59162a6e6acd";

/// A specification with nothing but what it must have.
fn bare() -> ServiceSpec {
    ServiceSpec {
        id: id("relay"),
        manifest: manifest_id("relay"),
        program: ProgramSpec {
            command: "flash-relay".to_owned(),
            image: None,
            args: Vec::new(),
            env: BTreeMap::new(),
            listen: Listen::PerEdge,
            folder: None,
        },
        files: BTreeMap::new(),
        secrets: BTreeMap::new(),
        volumes: BTreeMap::new(),
        listeners: BTreeMap::new(),
        provided: BTreeMap::new(),
        network: crate::service::spec::NetworkSpec::default(),
        edges: Vec::new(),
        consumers: Vec::new(),
        stop: StopSpec {
            signal: StopSignal::Term,
            grace_seconds: 30,
        },
        limits: LimitSpec {
            memory_mib: 256,
            pids: 64,
        },
    }
}

fn edge(consumer: &str, provider: &str) -> EdgeId {
    EdgeId {
        consumer: id(consumer),
        interface: name("rpc"),
        provider: id(provider),
    }
}

fn secret(key: &str, generation: u32) -> SecretRef {
    SecretRef {
        key: SecretKey(key.to_owned()),
        generation,
    }
}

/// A specification in which nothing is left out.
fn full() -> ServiceSpec {
    let mut spec = bare();
    spec.program.image = Some("sha256:00".to_owned());
    spec.program.args = vec!["--conf".to_owned(), "/run/x \"quoted\" ü".to_owned()];
    spec.program.env = BTreeMap::from([("HOME".to_owned(), "/data".to_owned())]);
    spec.program.listen = Listen::Single;
    spec.files = BTreeMap::from([(
        "a.conf".to_owned(),
        "a=⟦service/relay/seed#1:plain⟧\n".to_owned(),
    )]);
    spec.secrets = BTreeMap::from([("seed".to_owned(), secret("service/relay/seed", 1))]);
    spec.volumes = BTreeMap::from([(
        name("data"),
        VolumeSpec {
            path: PathBuf::from("/data/volumes/relay/data"),
            root: "data".to_owned(),
            class: DataClass::Critical,
            needs_mib: 10,
        },
    )]);
    spec.listeners = BTreeMap::from([(
        name("http"),
        Listener {
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 4421,
            public: true,
        },
    )]);
    spec.edges = ["bitcoind", "other"]
        .map(|provider| EdgeSpec {
            id: edge("relay", provider),
            on_loss: OnLoss::RidesOut,
            waits_for: WaitsFor::Ready,
            optional: false,
            allow: vec!["getblock".to_owned()],
            credential: Some(secret("edge/relay/rpc/bitcoind", 3)),
        })
        .to_vec();
    spec.consumers = ["electrs", "lnd"]
        .map(|consumer| ConsumerSpec {
            id: edge(consumer, "relay"),
            kind: Some(CredentialKind::Token),
            allow: vec!["read".to_owned()],
            credential: Some(secret("edge/electrs/rpc/relay", 1)),
        })
        .to_vec();
    spec
}

#[test]
fn golden_hashes_never_change() {
    let node = Node::new();
    let hashes = [bare(), full(), node.spec("chain"), node.spec("index")].map(|s| spec_hash(&s).0);
    assert_eq!(hashes, [BARE, FULL, FIXTURE_CHAIN, FIXTURE_INDEX]);
}

/// Changes one field of the full specification.
fn but(change: impl FnOnce(&mut ServiceSpec)) -> ServiceSpec {
    let mut spec = full();
    change(&mut spec);
    spec
}

#[test]
fn what_a_running_service_does_not_notice_does_not_change_the_hash() {
    let unnoticed = [
        ("manifest", but(|s| s.manifest = manifest_id("renamed"))),
        (
            "needs_mib",
            but(|s| s.volumes.get_mut(&name("data")).unwrap().needs_mib = 99),
        ),
        (
            "root",
            but(|s| s.volumes.get_mut(&name("data")).unwrap().root = "big".to_owned()),
        ),
        (
            "class",
            but(|s| s.volumes.get_mut(&name("data")).unwrap().class = DataClass::Secret),
        ),
        ("on_loss", but(|s| s.edges[0].on_loss = OnLoss::Exits)),
        (
            "waits_for",
            but(|s| s.edges[0].waits_for = WaitsFor::Synced),
        ),
        ("edge allow", but(|s| s.edges[0].allow.clear())),
        ("consumer allow", but(|s| s.consumers[0].allow.clear())),
        (
            "consumer credential",
            but(|s| s.consumers[0].credential = Some(secret("x", 9))),
        ),
        ("stop", but(|s| s.stop.grace_seconds = 900)),
        ("order of edges", but(|s| s.edges.reverse())),
        ("order of consumers", but(|s| s.consumers.reverse())),
    ];
    for (field, spec) in unnoticed {
        assert_eq!(spec_hash(&spec), spec_hash(&full()), "{field}");
    }
}

#[test]
fn what_only_a_restart_can_change_changes_the_hash() {
    let noticed = [
        ("command", but(|s| s.program.command = "other".to_owned())),
        ("image", but(|s| s.program.image = None)),
        ("order of arguments", but(|s| s.program.args.reverse())),
        ("environment", but(|s| s.program.env.clear())),
        ("listen", but(|s| s.program.listen = Listen::PerEdge)),
        (
            "file",
            but(|s| s.files.get_mut("a.conf").unwrap().push('x')),
        ),
        (
            "generation in a file",
            but(|s| {
                s.files.insert(
                    "a.conf".to_owned(),
                    "a=⟦service/relay/seed#2:plain⟧\n".to_owned(),
                );
            }),
        ),
        (
            "secret file's generation",
            but(|s| {
                s.secrets
                    .insert("seed".to_owned(), secret("service/relay/seed", 2));
            }),
        ),
        (
            "volume path",
            but(|s| s.volumes.get_mut(&name("data")).unwrap().path.push("x")),
        ),
        (
            "port",
            but(|s| s.listeners.get_mut(&name("http")).unwrap().port = 1),
        ),
        (
            "public",
            but(|s| s.listeners.get_mut(&name("http")).unwrap().public = false),
        ),
        (
            "edge's credential",
            but(|s| s.edges[0].credential = Some(secret("edge/relay/rpc/bitcoind", 4))),
        ),
        ("edge gone", but(|s| drop(s.edges.pop()))),
        ("consumer gone", but(|s| drop(s.consumers.pop()))),
        ("memory", but(|s| s.limits.memory_mib = 1)),
        ("processes", but(|s| s.limits.pids = 1)),
    ];
    for (field, spec) in noticed {
        assert_ne!(spec_hash(&spec), spec_hash(&full()), "{field}");
    }
}

#[test]
fn a_consumer_without_a_credential_does_not_restart_its_provider() {
    let mut spec = full();
    spec.consumers.push(ConsumerSpec {
        id: edge("wallet", "relay"),
        kind: None,
        allow: Vec::new(),
        credential: None,
    });
    assert_eq!(spec_hash(&spec), spec_hash(&full()));
}

#[test]
fn canonical_json_sorts_keys_and_has_no_spaces() {
    let value = serde_json::json!({ "b": [1, { "z": null, "a": "ü\n" }], "a": true });
    assert_eq!(
        canonical(&value),
        r#"{"a":true,"b":[1,{"a":"ü\n","z":null}]}"#
    );
}
