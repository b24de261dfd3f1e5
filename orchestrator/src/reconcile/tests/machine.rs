//! Owns a machine for the reconciler: time that a test moves, services that answer from a table, a real `state.db`.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::time::Duration;

use async_trait::async_trait;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::clock::UnixMillis;
use crate::id::EdgeId;
use crate::id::Name;
use crate::id::NodeId;
use crate::id::ServiceId;
use crate::manifest::profile::ProfileName;
use crate::manifest::schema::DataClass;
use crate::manifest::schema::Listen;
use crate::manifest::schema::Network;
use crate::manifest::schema::OnLoss;
use crate::manifest::schema::StopSignal;
use crate::manifest::schema::WaitsFor;
use crate::reconcile::Handle;
use crate::reconcile::Parts;
use crate::reconcile::View;
use crate::reconcile::backoff::Patience;
use crate::reconcile::observed::Obstacle;
use crate::reconcile::services::JobsDone;
use crate::reconcile::services::Services;
use crate::reconcile::signals::Rhythm;
use crate::reconcile::start;
use crate::runtime::InstanceState;
use crate::runtime::Runtime;
use crate::runtime::RuntimeKind;
use crate::runtime::Unit;
use crate::runtime::fake::FakeRuntime;
use crate::service::desired::Desired;
use crate::service::desired::DesiredService;
use crate::service::desired::Wanted;
use crate::service::hash::spec_hash;
use crate::service::health::Signals;
use crate::service::spec::EdgeSpec;
use crate::service::spec::LimitSpec;
use crate::service::spec::ProgramSpec;
use crate::service::spec::ServiceSpec;
use crate::service::spec::SpecHash;
use crate::service::spec::StopSpec;
use crate::service::spec::VolumeSpec;
use crate::status::Signal;
use crate::store::folder::NodeIdentity;
use crate::store::state::ServiceRecord;
use crate::store::state::StateDb;

/// How long a test waits for what should follow at once.
const PATIENCE: Duration = Duration::from_secs(30);

/// Time that stands still until a test moves it.
#[derive(Debug)]
pub(super) struct TestClock(Mutex<(UnixMillis, Duration)>);

impl TestClock {
    fn at(&self) -> MutexGuard<'_, (UnixMillis, Duration)> {
        self.0.lock().expect("no panic holds it")
    }

    pub(super) fn now(&self) -> UnixMillis {
        self.at().0
    }

    /// Both clocks go on.
    pub(super) fn pass(&self, span: Duration) {
        let mut at = self.at();
        *at = (at.0.plus(span), at.1 + span);
    }

    /// The wall clock jumps.
    pub(super) fn set_wall(&self, wall: UnixMillis) {
        self.at().0 = wall;
    }
}

impl Clock for TestClock {
    fn wall(&self) -> UnixMillis {
        self.at().0
    }

    fn monotonic(&self) -> Duration {
        self.at().1
    }
}

/// What each service answers: alive, ready, synced.
struct Table {
    answers: Mutex<BTreeMap<ServiceId, (bool, bool, bool)>>,
    held: watch::Sender<bool>,
    /// How many are being prepared for their start now, and the most at once.
    starting: Mutex<(usize, usize)>,
    /// How often it was asked for an obstacle while something was being started.
    disturbed: Mutex<usize>,
    /// The jobs of every start, and how often one of them ran.
    every_start: Mutex<(BTreeSet<Name>, usize)>,
    /// Whether the jobs before a start fail.
    jobs_fail: Mutex<bool>,
    /// The guarded volumes that hold data.
    data: Mutex<BTreeSet<Name>>,
}

#[async_trait]
impl Services for Table {
    fn sealed(&self) -> bool {
        false
    }

    fn obstacle(&self, _spec: &ServiceSpec, _running: bool) -> Option<Obstacle> {
        if self.starting.lock().expect("no panic holds it").0 > 0 {
            *self.disturbed.lock().expect("no panic holds it") += 1;
        }
        None
    }

    fn data_in(&self, _spec: &ServiceSpec) -> BTreeSet<Name> {
        self.data.lock().expect("no panic holds it").clone()
    }

    async fn unit(&self, spec: &ServiceSpec, hash: &SpecHash) -> Result<Unit, Obstacle> {
        Ok(unit(spec, hash))
    }

    async fn before_start(
        &self,
        _spec: &ServiceSpec,
        _unit: &Unit,
        _done: &BTreeSet<Name>,
    ) -> Result<BTreeSet<Name>, Obstacle> {
        {
            let mut starting = self.starting.lock().expect("no panic holds it");
            starting.0 += 1;
            starting.1 = starting.1.max(starting.0);
        }
        let _starting = Starting(&self.starting);
        let mut held = self.held.subscribe();
        held.wait_for(|held| !held).await.expect("the table lives");
        if *self.jobs_fail.lock().expect("no panic holds it") {
            return Err(Obstacle {
                code: "init_failed".to_owned(),
                text: "its job failed".to_owned(),
            });
        }
        Ok(BTreeSet::new())
    }

    async fn after_alive(
        &self,
        _service: &ServiceId,
        _once: &BTreeSet<Name>,
        this_start: &BTreeSet<Name>,
    ) -> Result<JobsDone, Obstacle> {
        let mut jobs = self.every_start.lock().expect("no panic holds it");
        let due: BTreeSet<Name> = jobs.0.difference(this_start).cloned().collect();
        jobs.1 += due.len();
        Ok(JobsDone {
            once: BTreeSet::new(),
            this_start: due,
        })
    }

    async fn signals(&self, service: &ServiceId, _since: Option<UnixMillis>) -> Signals {
        // The table is asked all the time: the loop under test needs the thread, too.
        tokio::time::sleep(Duration::from_millis(5)).await;
        let answers = self.answers.lock().expect("no panic holds it");
        let (alive, ready, synced) = answers.get(service).copied().unwrap_or((true, true, true));
        let signal = |ok| Signal::new(Some(ok), "table", "from the table");
        Signals {
            alive: signal(alive),
            ready: signal(ready),
            synced: signal(synced),
        }
    }
}

/// A start under way; one that is dropped half-way is none any more.
struct Starting<'a>(&'a Mutex<(usize, usize)>);

impl Drop for Starting<'_> {
    fn drop(&mut self) {
        if let Ok(mut starting) = self.0.lock() {
            starting.0 -= 1;
        }
    }
}

fn unit(spec: &ServiceSpec, hash: &SpecHash) -> Unit {
    Unit {
        service: spec.id.clone(),
        spec_hash: hash.clone(),
        program: spec.program.command.clone().into(),
        args: spec.program.args.clone(),
        env: BTreeMap::new(),
        files: BTreeMap::new(),
        image: None,
        folder: None,
        volumes: Vec::new(),
        network: crate::service::spec::NetworkSpec::default(),
        addresses: BTreeMap::new(),
        stop: spec.stop,
        limits: spec.limits,
        uid: None,
    }
}

pub(super) fn id(service: &str) -> ServiceId {
    service.parse().expect("a service")
}

pub(super) fn edge(
    consumer: &str,
    provider: &str,
    on_loss: OnLoss,
    waits_for: WaitsFor,
) -> EdgeSpec {
    EdgeSpec {
        id: EdgeId {
            consumer: id(consumer),
            interface: Name::new("rpc").expect("a name"),
            provider: id(provider),
        },
        on_loss,
        waits_for,
        optional: false,
        allow: Vec::new(),
        credential: None,
    }
}

/// The text beside a service without a step.
pub(super) fn note<'a>(view: &'a View, service: &str) -> Option<&'a str> {
    view.plan
        .notes
        .iter()
        .find(|note| note.service.as_str() == service)
        .map(|note| note.text.as_str())
}

/// The code beside a service without a step.
pub(super) fn code<'a>(view: &'a View, service: &str) -> Option<&'a str> {
    view.plan
        .notes
        .iter()
        .find(|note| note.service.as_str() == service)
        .map(|note| note.code.as_str())
}

/// A machine without a reconciler.
pub(super) struct Machine {
    pub(super) clock: Arc<TestClock>,
    pub(super) runtime: FakeRuntime,
    pub(super) state: Arc<StateDb>,
    table: Arc<Table>,
    desired: Arc<Mutex<Desired>>,
    parallel_starts: usize,
    _folder: TempDir,
}

impl Machine {
    pub(super) fn new(parallel_starts: usize) -> Self {
        let clock = Arc::new(TestClock(Mutex::new((
            UnixMillis(1_700_000_000_000),
            Duration::from_secs(100),
        ))));
        let folder = tempfile::tempdir().expect("a folder");
        let identity = NodeIdentity {
            node_id: NodeId::from_bytes([7; 16]),
            canonical_path: folder.path().to_owned(),
            profile: ProfileName::Demo,
            runtime: RuntimeKind::Fake,
            created_at: clock.now(),
        };
        let state =
            StateDb::create(&folder.path().join("state.db"), &identity).expect("a database");
        let table = Table {
            answers: Mutex::default(),
            held: watch::Sender::new(false),
            starting: Mutex::default(),
            disturbed: Mutex::default(),
            every_start: Mutex::default(),
            jobs_fail: Mutex::default(),
            data: Mutex::default(),
        };
        Self {
            runtime: FakeRuntime::new(Arc::clone(&clock) as Arc<dyn Clock>),
            clock,
            state: Arc::new(state),
            table: Arc::new(table),
            desired: Arc::new(Mutex::new(Desired {
                network: Network::Regtest,
                services: BTreeMap::new(),
            })),
            parallel_starts,
            _folder: folder,
        }
    }

    /// Wants a service, from the next [`Machine::start`] or [`Run::want_now`] on.
    pub(super) fn want(&self, service: &str, version: &str, edges: Vec<EdgeSpec>) {
        let spec = ServiceSpec {
            id: id(service),
            manifest: service.parse().expect("a manifest"),
            program: ProgramSpec {
                command: service.to_owned(),
                image: None,
                args: vec![version.to_owned()],
                env: BTreeMap::new(),
                listen: Listen::PerEdge,
                folder: None,
            },
            files: BTreeMap::new(),
            secrets: BTreeMap::new(),
            volumes: BTreeMap::from([(
                Name::new("main").expect("a name"),
                VolumeSpec {
                    path: format!("/nowhere/{service}").into(),
                    root: "data".to_owned(),
                    class: DataClass::Critical,
                    needs_mib: 0,
                },
            )]),
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
        };
        let hash = spec_hash(&spec);
        let wanted = DesiredService {
            manifest: spec.manifest.clone(),
            title: service.to_owned(),
            wanted: Wanted::Run {
                spec: Box::new(spec),
                hash,
            },
            endpoints: Vec::new(),
            addresses: BTreeMap::new(),
            node_credentials: BTreeMap::new(),
            node_users: BTreeMap::new(),
            settings: BTreeMap::new(),
        };
        self.desired
            .lock()
            .expect("no panic holds it")
            .services
            .insert(id(service), wanted);
    }

    fn wanted(&self, service: &str) -> (ServiceSpec, SpecHash) {
        let desired = self.desired.lock().expect("no panic holds it");
        match &desired.services[&id(service)].wanted {
            Wanted::Run { spec, hash } => ((**spec).clone(), hash.clone()),
            Wanted::External | Wanted::HeldBack { .. } => panic!("{service} runs"),
        }
    }

    pub(super) fn hash(&self, service: &str) -> SpecHash {
        self.wanted(service).1
    }

    pub(super) fn unit(&self, service: &str) -> Unit {
        let (spec, hash) = self.wanted(service);
        unit(&spec, &hash)
    }

    /// Leaves a service running, as an orchestrator before did.
    pub(super) async fn run_already(&self, service: &str) {
        Runtime::ensure(&self.runtime, &self.unit(service))
            .await
            .expect("it starts");
    }

    pub(super) async fn runs(&self, service: &str) -> bool {
        let listed = Runtime::list(&self.runtime).await.expect("it lists");
        let found = listed.into_iter().find(|(one, _)| *one == id(service));
        found.is_some_and(|(_, one)| {
            one.is_ok_and(|one| matches!(one.state, InstanceState::Running { .. }))
        })
    }

    /// The service answers.
    pub(super) fn answers(&self, service: &str, ready: bool, synced: bool) {
        self.table
            .answers
            .lock()
            .expect("no panic holds it")
            .insert(id(service), (true, ready, synced));
    }

    /// The service does not answer.
    pub(super) fn silent(&self, service: &str) {
        self.table
            .answers
            .lock()
            .expect("no panic holds it")
            .insert(id(service), (false, false, false));
    }

    pub(super) fn hold_starts(&self) {
        self.table.held.send_replace(true);
    }

    pub(super) fn let_starts_go(&self) {
        self.table.held.send_replace(false);
    }

    /// How many starts are under way, and the most that ever were at once.
    pub(super) fn starting(&self) -> (usize, usize) {
        *self.table.starting.lock().expect("no panic holds it")
    }

    /// How often an obstacle was looked for while something was being started.
    pub(super) fn disturbed(&self) -> usize {
        *self.table.disturbed.lock().expect("no panic holds it")
    }

    /// Gives every service a job of every start.
    pub(super) fn has_a_job_of_every_start(&self) {
        let mut jobs = self.table.every_start.lock().expect("no panic holds it");
        jobs.0.insert(Name::new("greet").expect("a name"));
    }

    /// From now on the jobs before a start fail.
    pub(super) fn jobs_fail(&self) {
        *self.table.jobs_fail.lock().expect("no panic holds it") = true;
    }

    /// How often jobs of every start ran.
    pub(super) fn jobs_run(&self) -> usize {
        self.table.every_start.lock().expect("no panic holds it").1
    }

    /// Every volume `main` holds data, or none does.
    pub(super) fn data_there(&self, there: bool) {
        let mut data = self.table.data.lock().expect("no panic holds it");
        data.clear();
        if there {
            data.insert(Name::new("main").expect("a name"));
        }
    }

    pub(super) fn record(&self, service: &str) -> ServiceRecord {
        self.state.records().expect("readable")[&id(service)].clone()
    }

    /// The services of all events with `code`, oldest first.
    pub(super) fn events(&self, code: &str) -> Vec<String> {
        let events = self.state.events_after(0, 10_000).expect("readable").events;
        let found = events.into_iter().filter(|event| event.code == code);
        found
            .map(|event| event.service.unwrap_or_default())
            .collect()
    }

    /// Lets every write to `state.db` fail, or not any more.
    pub(super) fn let_nothing_be_written(&self, nothing: bool) {
        self.state.fail_writes(nothing);
    }

    /// Starts a reconciler that asks every few milliseconds.
    pub(super) fn start(&self) -> Run {
        let parts = Parts {
            runtime: Arc::new(self.runtime.clone()),
            state: Arc::clone(&self.state),
            services: Arc::clone(&self.table) as Arc<dyn Services>,
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            patience: Patience::default(),
            // The clock of a test stands still, so that an answer given is due again at once.
            rhythm: Rhythm {
                starting: Duration::ZERO,
                ready: Duration::ZERO,
            },
            parallel_starts: self.parallel_starts,
            boot_id: "this boot".to_owned(),
        };
        let desired = self.desired.lock().expect("no panic holds it").clone();
        let token = CancellationToken::new();
        let (handle, run) = start(parts, desired, token.clone());
        #[expect(
            clippy::disallowed_methods,
            reason = "a test runs the loop beside itself"
        )]
        let task = tokio::spawn(run);
        Run {
            view: handle.view(),
            handle,
            token,
            task,
            desired: Arc::clone(&self.desired),
        }
    }
}

/// A reconciler at work.
pub(super) struct Run {
    pub(super) handle: Handle,
    view: watch::Receiver<Arc<View>>,
    token: CancellationToken,
    task: JoinHandle<()>,
    desired: Arc<Mutex<Desired>>,
}

impl Run {
    pub(super) fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.borrow())
    }

    pub(super) fn want_now(&self) {
        self.handle
            .want(self.desired.lock().expect("no panic holds it").clone());
    }

    pub(super) fn want_nothing(&self) {
        self.handle.want(Desired {
            network: Network::Regtest,
            services: BTreeMap::new(),
        });
    }

    /// Waits for a view in which `holds`.
    pub(super) async fn until(&mut self, what: &str, holds: impl Fn(&View) -> bool) {
        let nudging = self.handle.clone();
        let waiting = async {
            loop {
                if holds(&self.view.borrow_and_update()) {
                    return;
                }
                // The clock stands still, so that nothing but this makes the loop look again soon.
                nudging.nudge();
                let _ = tokio::time::timeout(Duration::from_millis(20), self.view.changed()).await;
            }
        };
        let ended = tokio::time::timeout(PATIENCE, waiting).await;
        assert!(
            ended.is_ok(),
            "waited in vain: {what}\n{:#?}",
            self.view.borrow().plan
        );
    }

    /// Waits until `holds`, whatever the view says.
    pub(super) async fn until_now(&mut self, what: &str, holds: impl Fn() -> bool) {
        self.until(what, |_| holds()).await;
    }

    /// Waits for so many more passes.
    pub(super) async fn passes(&mut self, count: u64) {
        let wanted = self.view.borrow().passes + count;
        self.until("more passes", |view| view.passes >= wanted)
            .await;
    }

    pub(super) async fn stop(self) {
        self.token.cancel();
        self.task.await.expect("the loop ends");
    }
}
