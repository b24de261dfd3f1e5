//! Measures the planner alone, on a node of any size.

use std::collections::BTreeMap;
use std::time::Duration;
use std::time::Instant;

use flash_node::id::EdgeId;
use flash_node::id::Name;
use flash_node::id::ServiceId;
use flash_node::manifest::schema::Listen;
use flash_node::manifest::schema::Network;
use flash_node::manifest::schema::OnLoss;
use flash_node::manifest::schema::StopSignal;
use flash_node::manifest::schema::WaitsFor;
use flash_node::reconcile::observed::Observed;
use flash_node::reconcile::observed::ObservedService;
use flash_node::reconcile::observed::State;
use flash_node::reconcile::plan::plan;
use flash_node::service::desired::Desired;
use flash_node::service::desired::DesiredService;
use flash_node::service::desired::Wanted;
use flash_node::service::spec::EdgeSpec;
use flash_node::service::spec::LimitSpec;
use flash_node::service::spec::ProgramSpec;
use flash_node::service::spec::ServiceSpec;
use flash_node::service::spec::SpecHash;
use flash_node::service::spec::StopSpec;

/// What the planner is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// Everything runs as wanted: what the daemon asks itself all day.
    NothingDue,
    /// Every service has a new specification: the most that a plan can hold.
    EverythingChanged,
}

/// How long one plan takes for `services` services, the median of `runs`.
pub fn time(services: usize, question: Question, runs: usize) -> Duration {
    let (desired, observed) = node(services, question);
    let mut times: Vec<Duration> = (0..runs)
        .map(|_| {
            let begun = Instant::now();
            let due = plan(&desired, &observed);
            let took = begun.elapsed();
            assert_eq!(due.nothing_due(), question == Question::NothingDue, "{due}");
            assert_eq!(due.steps.len() + due.notes.len(), services);
            took
        })
        .collect();
    times.sort_unstable();
    times[times.len() / 2]
}

/// A node in groups of ten, each built like the full stack: one service without providers, and nine that each
/// call up to three before them.
fn node(services: usize, question: Question) -> (Desired, Observed) {
    let mut desired = Desired {
        network: Network::Regtest,
        services: BTreeMap::new(),
    };
    let mut observed = Observed::default();
    for number in 0..services {
        let spec = specification(number);
        let hash = |text: &str| SpecHash(format!("v1:{text}{number}"));
        let running = match question {
            Question::NothingDue => "new",
            Question::EverythingChanged => "old",
        };
        observed.services.insert(
            spec.id.clone(),
            ObservedService {
                state: State::Running {
                    hash: hash(running),
                    supervised: true,
                },
                applied: Some(spec.clone()),
                alive: true,
                ready: true,
                synced: true,
                ready_before: true,
                ..ObservedService::default()
            },
        );
        desired.services.insert(
            spec.id.clone(),
            DesiredService {
                manifest: spec.manifest.clone(),
                title: "A service".to_owned(),
                wanted: Wanted::Run {
                    spec: Box::new(spec),
                    hash: hash("new"),
                },
                endpoints: Vec::new(),
                addresses: BTreeMap::new(),
                node_credentials: BTreeMap::new(),
                node_users: BTreeMap::new(),
                settings: BTreeMap::new(),
            },
        );
    }
    (desired, observed)
}

fn service(number: usize) -> ServiceId {
    ServiceId::new(format!("service-{number}")).expect("a name")
}

fn specification(number: usize) -> ServiceSpec {
    let within = number % 10;
    let edges = (1..=within.min(3))
        .map(|back| EdgeSpec {
            id: EdgeId {
                consumer: service(number),
                interface: Name::new("rpc").expect("a name"),
                provider: service(number - back),
            },
            on_loss: OnLoss::RidesOut,
            waits_for: WaitsFor::Ready,
            optional: false,
            allow: Vec::new(),
            credential: None,
        })
        .collect();
    ServiceSpec {
        id: service(number),
        manifest: "stand-in".parse().expect("a name"),
        program: ProgramSpec {
            command: "stand-in".to_owned(),
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
        network: flash_node::service::spec::NetworkSpec::default(),
        edges,
        consumers: Vec::new(),
        stop: StopSpec {
            signal: StopSignal::Term,
            grace_seconds: 10,
        },
        limits: LimitSpec {
            memory_mib: 64,
            pids: 16,
        },
    }
}
