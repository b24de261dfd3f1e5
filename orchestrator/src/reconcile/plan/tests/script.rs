//! Reads the situation part of a script.
//!
//! ```text
//! sealed                                     the vault is sealed
//! want lnd v1 [on bitcoind rides_out|exits [waits alive|ready|synced]] [secret]
//! held electrs not_installed no program
//! external bitcoind
//! have lnd STATE v1 [alive] [ready] [synced] [before] [failed N] [on bitcoind rides_out|exits]
//! blocked lnd CODE text
//! ```
//! STATE: absent prepared running unsupervised intended stopping overdue exited stopped backing_off needs_you unreadable.

use std::collections::BTreeMap;

use crate::clock::UnixMillis;
use crate::id::EdgeId;
use crate::id::Name;
use crate::id::ServiceId;
use crate::manifest::schema::Listen;
use crate::manifest::schema::Network;
use crate::manifest::schema::OnLoss;
use crate::manifest::schema::StopSignal;
use crate::manifest::schema::WaitsFor;
use crate::reconcile::observed::Observed;
use crate::reconcile::observed::ObservedService;
use crate::reconcile::observed::Obstacle;
use crate::reconcile::observed::Recovery;
use crate::reconcile::observed::State;
use crate::reconcile::observed::StopStage;
use crate::runtime::Exit;
use crate::secret::SecretKey;
use crate::secret::SecretRef;
use crate::service::desired::Desired;
use crate::service::desired::DesiredService;
use crate::service::desired::Wanted;
use crate::service::spec::EdgeSpec;
use crate::service::spec::LimitSpec;
use crate::service::spec::ProgramSpec;
use crate::service::spec::ServiceSpec;
use crate::service::spec::SpecHash;
use crate::service::spec::StopSpec;

/// The rows of the table in docs/ARCHITECTURE.md.
pub(super) const STATES: &[&str] = &[
    "absent",
    "prepared",
    "starting",
    "ready",
    "degraded",
    "unsupervised",
    "intended",
    "stopping",
    "overdue",
    "exited",
    "backing_off",
    "needs_you",
    "unreadable",
];
/// Its columns.
pub(super) const EVENTS: &[&str] = &[
    "unchanged",
    "changed",
    "unwanted",
    "held_back",
    "external",
    "provider_gone",
    "sealed",
    "blocked",
];
/// Scripts that are no cell: several services in one situation.
pub(super) const SCENES: usize = 19;

pub(super) fn spec(id: &str, version: &str, edges: Vec<EdgeSpec>, secret: bool) -> ServiceSpec {
    let mut secrets = BTreeMap::new();
    if secret {
        let key = SecretKey(format!("service/{id}/seed"));
        secrets.insert("seed".to_owned(), SecretRef { key, generation: 1 });
    }
    ServiceSpec {
        id: id.parse().expect("a service"),
        manifest: id.parse().expect("a manifest"),
        program: ProgramSpec {
            command: id.to_owned(),
            image: None,
            args: vec![format!("--version={version}")],
            env: BTreeMap::new(),
            listen: Listen::PerEdge,
            folder: None,
        },
        files: BTreeMap::new(),
        secrets,
        volumes: BTreeMap::new(),
        listeners: BTreeMap::new(),
        provided: BTreeMap::new(),
        network: crate::service::spec::NetworkSpec::default(),
        edges,
        consumers: Vec::new(),
        stop: StopSpec {
            signal: StopSignal::Term,
            grace_seconds: 60,
        },
        limits: LimitSpec {
            memory_mib: 64,
            pids: 64,
        },
    }
}

pub(super) fn edge(
    consumer: &str,
    provider: &str,
    on_loss: OnLoss,
    waits_for: WaitsFor,
) -> EdgeSpec {
    EdgeSpec {
        id: EdgeId {
            consumer: consumer.parse().expect("a service"),
            interface: Name::new("rpc").expect("a name"),
            provider: provider.parse().expect("a service"),
        },
        on_loss,
        waits_for,
        optional: false,
        allow: Vec::new(),
        credential: None,
    }
}

pub(super) fn service(id: &str, wanted: Wanted) -> DesiredService {
    DesiredService {
        manifest: id.parse().expect("a manifest"),
        title: id.to_owned(),
        wanted,
        endpoints: Vec::new(),
        addresses: BTreeMap::new(),
        node_credentials: BTreeMap::new(),
        node_users: BTreeMap::new(),
        settings: BTreeMap::new(),
    }
}

pub(super) fn read(situation: &str) -> (Desired, Observed) {
    let mut desired = Desired {
        network: Network::Regtest,
        services: BTreeMap::new(),
    };
    let mut observed = Observed::default();
    for line in situation
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
    {
        let words: Vec<&str> = line.split_whitespace().collect();
        let service_id = |id: &str| -> ServiceId { id.parse().expect("a service") };
        match words.as_slice() {
            ["sealed"] => observed.sealed = true,
            ["want", id, version, rest @ ..] => {
                let spec = spec(id, version, edges(id, rest), rest.contains(&"secret"));
                let wanted = Wanted::Run {
                    spec: Box::new(spec),
                    hash: SpecHash((*version).to_owned()),
                };
                desired.services.insert(service_id(id), service(id, wanted));
            }
            ["held", id, code, text @ ..] => {
                let code = code.parse().expect("a code");
                let wanted = Wanted::HeldBack {
                    code,
                    text: text.join(" "),
                };
                desired.services.insert(service_id(id), service(id, wanted));
            }
            ["external", id] => {
                desired
                    .services
                    .insert(service_id(id), service(id, Wanted::External));
            }
            ["have", id, state, version, rest @ ..] => {
                observed
                    .services
                    .insert(service_id(id), have(id, state, version, rest));
            }
            ["blocked", id, code, text @ ..] => {
                let there = observed.services.entry(service_id(id)).or_default();
                there.blocked = Some(Obstacle {
                    code: (*code).to_owned(),
                    text: text.join(" "),
                });
            }
            _ => panic!("a script does not know the line `{line}`"),
        }
    }
    (desired, observed)
}

fn edges(consumer: &str, words: &[&str]) -> Vec<EdgeSpec> {
    let starts = words
        .iter()
        .enumerate()
        .filter(|(_, word)| **word == "on")
        .map(|(at, _)| at);
    starts
        .map(|at| one_edge(consumer, &words[at + 1..]))
        .collect()
}

fn one_edge(consumer: &str, words: &[&str]) -> EdgeSpec {
    let [provider, on_loss, rest @ ..] = words else {
        panic!("`on` is followed by a provider and rides_out or exits, not {words:?}");
    };
    let on_loss = match *on_loss {
        "exits" => OnLoss::Exits,
        "rides_out" => OnLoss::RidesOut,
        other => panic!("`on {provider}` is followed by rides_out or exits, not {other}"),
    };
    let waits_for = match rest {
        ["waits", "alive", ..] => WaitsFor::Alive,
        ["waits", "synced", ..] => WaitsFor::Synced,
        _ => WaitsFor::Ready,
    };
    let own = rest.split(|word| *word == "on").next().unwrap_or_default();
    EdgeSpec {
        optional: own.contains(&"optional"),
        ..edge(consumer, provider, on_loss, waits_for)
    }
}

fn have(id: &str, state: &str, version: &str, rest: &[&str]) -> ObservedService {
    let hash = SpecHash(version.to_owned());
    let applied_hash = Some(hash.clone());
    let exit = Exit {
        code: Some(1),
        signal: None,
        at: UnixMillis(1),
    };
    let failed = rest
        .iter()
        .position(|word| *word == "failed")
        .and_then(|at| rest.get(at + 1));
    let (state, recovery) = match state {
        "absent" => (State::Absent, Recovery::Free),
        "prepared" => (State::Prepared { hash }, Recovery::Free),
        "running" => (
            State::Running {
                hash,
                supervised: true,
            },
            Recovery::Free,
        ),
        "unsupervised" => (
            State::Running {
                hash,
                supervised: false,
            },
            Recovery::Free,
        ),
        "intended" => (
            State::Stopping {
                hash,
                stage: StopStage::Intended,
            },
            Recovery::Free,
        ),
        "stopping" => (
            State::Stopping {
                hash,
                stage: StopStage::Asked,
            },
            Recovery::Free,
        ),
        "overdue" => (
            State::Stopping {
                hash,
                stage: StopStage::Overdue,
            },
            Recovery::Free,
        ),
        "exited" => (
            State::Exited {
                hash,
                exit,
                asked: false,
            },
            Recovery::Free,
        ),
        "stopped" => (
            State::Exited {
                hash,
                exit,
                asked: true,
            },
            Recovery::Free,
        ),
        "backing_off" => (
            State::Exited {
                hash,
                exit,
                asked: false,
            },
            Recovery::BackingOff,
        ),
        "needs_you" => (
            State::Exited {
                hash,
                exit,
                asked: false,
            },
            Recovery::NeedsYou,
        ),
        "unreadable" => (State::Unreadable, Recovery::Free),
        other => panic!("a script does not know the state `{other}`"),
    };
    let has = |word: &str| rest.contains(&word);
    ObservedService {
        state,
        applied: Some(spec(id, version, edges(id, rest), has("secret"))),
        applied_hash,
        applied_settings: BTreeMap::new(),
        alive: has("alive") || has("ready") || has("synced"),
        ready: has("ready") || has("synced"),
        synced: has("synced"),
        ready_before: has("before") || has("ready"),
        failures: failed.map_or(0, |count| count.parse().expect("a count")),
        recovery,
        blocked: None,
    }
}
