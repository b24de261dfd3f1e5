//! Owns the loop that makes the machine what was accepted: snapshot, plan, execute, publish, wait.
//!
//! It does not know manifests' texts, the vault, HTTP or a command line.

mod execute;
mod jobs;
mod observe;
mod resting;

pub mod backoff;
pub mod guard;
pub mod observed;
pub mod plan;
pub mod services;
pub mod signals;
pub mod step;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::sync::Semaphore;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::clock::UnixMillis;
use crate::id::ServiceId;
use crate::reconcile::backoff::Patience;
use crate::reconcile::execute::Done;
use crate::reconcile::execute::Hands;
use crate::reconcile::jobs::Epoch;
use crate::reconcile::observe::Look;
use crate::reconcile::observed::Observed;
use crate::reconcile::observed::Obstacle;
use crate::reconcile::observed::State;
use crate::reconcile::plan::plan;
use crate::reconcile::resting::Resting;
use crate::reconcile::services::JobsDone;
use crate::reconcile::services::Services;
use crate::reconcile::signals::Board;
use crate::reconcile::signals::Rhythm;
use crate::reconcile::signals::Targets;
use crate::reconcile::step::Action;
use crate::reconcile::step::Plan;
use crate::reconcile::step::Step;
use crate::runtime::Instance;
use crate::runtime::InstanceState;
use crate::runtime::Runtime;
use crate::runtime::RuntimeError;
use crate::service::desired::Desired;
use crate::service::desired::Wanted;
use crate::store::StoreError;
use crate::store::state::ServiceRecord;
use crate::store::state::StateDb;

/// What the reconciler is made of.
pub struct Parts {
    /// Runs the services.
    pub runtime: Arc<dyn Runtime>,
    /// Remembers.
    pub state: Arc<StateDb>,
    /// Everything else about services.
    pub services: Arc<dyn Services>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// How patient it is.
    pub patience: Patience,
    /// How often it asks.
    pub rhythm: Rhythm,
    /// How many services may be starting at once.
    pub parallel_starts: usize,
    /// Which boot of the machine this is.
    pub boot_id: String,
}

/// What the reconciler saw and decided last.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// What was wanted.
    pub desired: Option<Arc<Desired>>,
    /// What the runtime listed.
    pub instances: BTreeMap<ServiceId, Instance>,
    /// What is remembered.
    pub records: BTreeMap<ServiceId, ServiceRecord>,
    /// What the services answered.
    pub board: Board,
    /// The snapshot.
    pub observed: Observed,
    /// What followed.
    pub plan: Plan,
    /// Jobs after a start that failed, with why.
    pub jobs: BTreeMap<ServiceId, Obstacle>,
    /// What keeps the whole reconciler from acting.
    pub problem: Option<Obstacle>,
    /// What is being worked on: a step or a job was begun and has not ended.
    pub busy: BTreeSet<ServiceId>,
    /// How long each service that was asked to stop has left.
    pub time_left: BTreeMap<ServiceId, Duration>,
    /// Moves with each event that was written.
    pub passes: u64,
    /// The newest nudge that was heard before it looked.
    pub heard: u64,
}

/// The code of a problem: the engine does not answer.
const ENGINE_GONE: &str = "engine_gone";
/// The code of a problem: the runtime cannot list what it has.
const RUNTIME_UNREADABLE: &str = "runtime_unreadable";

impl View {
    /// Whether nothing of this node is there any more.
    #[must_use]
    pub fn all_down(&self) -> bool {
        self.settled() && self.instances.is_empty() && self.unreadable().is_empty()
    }

    /// Whether nobody can say now what runs.
    #[must_use]
    pub fn unseen(&self) -> bool {
        let codes = [ENGINE_GONE, RUNTIME_UNREADABLE];
        self.problem
            .as_ref()
            .is_some_and(|problem| codes.contains(&problem.code.as_str()))
    }

    /// Whether nothing is left but services whose records cannot be read, and what waits for those to end.
    #[must_use]
    pub fn only_unreadable_left(&self) -> bool {
        let waits = |code: &str| matches!(code, "record_unreadable" | "waits_to_stop");
        self.settled()
            && !self.unreadable().is_empty()
            && self.plan.notes.iter().all(|note| waits(&note.code))
    }

    /// The services whose records cannot be read: whether they run is not known.
    #[must_use]
    pub fn unreadable(&self) -> Vec<&ServiceId> {
        let all = self.observed.services.iter();
        all.filter(|(_, service)| service.state == State::Unreadable)
            .map(|(id, _)| id)
            .collect()
    }

    fn settled(&self) -> bool {
        self.passes > 0 && self.problem.is_none() && self.busy.is_empty() && self.plan.nothing_due()
    }
}

/// A running reconciler, as others see it.
#[derive(Clone)]
pub struct Handle {
    desired: watch::Sender<Arc<Desired>>,
    nudge: watch::Sender<u64>,
    view: watch::Receiver<Arc<View>>,
}

impl Handle {
    /// Gives a new desired state; the next pass follows it.
    pub fn want(&self, desired: Desired) {
        self.desired.send_replace(Arc::new(desired));
    }

    /// Returns what is desired now.
    #[must_use]
    pub fn wanted(&self) -> Arc<Desired> {
        Arc::clone(&self.desired.borrow())
    }

    /// Asks for a pass soon: something outside changed, such as the vault.
    pub fn nudge(&self) {
        self.nudge.send_modify(|count| *count += 1);
    }

    /// Whether `view` was seen after everything that was wanted and nudged for until now.
    #[must_use]
    pub fn is_followed_by(&self, view: &View) -> bool {
        let desired = view.desired.as_ref();
        view.heard >= *self.nudge.borrow()
            && desired.is_some_and(|desired| Arc::ptr_eq(desired, &self.desired.borrow()))
    }

    /// Returns what was seen last, and each later view.
    #[must_use]
    pub fn view(&self) -> watch::Receiver<Arc<View>> {
        self.view.clone()
    }
}

/// Starts a reconciler. The returned future is the loop; it ends when `token` is cancelled and leaves every service
/// as it is.
pub fn start(
    parts: Parts,
    desired: Desired,
    token: CancellationToken,
) -> (Handle, BoxFuture<'static, ()>) {
    let desired = Arc::new(desired);
    // Before the first pass nothing was seen, but what is wanted is known: nobody may take that for "all is well".
    let first = View {
        desired: Some(Arc::clone(&desired)),
        ..View::default()
    };
    let (desired_sender, desired) = watch::channel(desired);
    let (nudge, nudged) = watch::channel(0);
    let (view_sender, view) = watch::channel(Arc::new(first));
    let (targets, targets_receiver) = watch::channel(Targets::new());
    let (board_sender, board) = watch::channel(Board::new());
    let asking = signals::ask_around(
        Arc::clone(&parts.services),
        Arc::clone(&parts.clock),
        parts.rhythm,
        targets_receiver,
        board_sender,
        token.clone(),
    );
    let reconciler = Reconciler {
        began_at: parts.clock.monotonic(),
        hands: Hands {
            runtime: parts.runtime,
            state: parts.state,
            services: parts.services,
            clock: parts.clock,
            patience: parts.patience,
            boot_id: parts.boot_id,
            desired: desired.clone(),
            ending: token.clone(),
        },
        starts: Arc::new(Semaphore::new(parts.parallel_starts)),
        desired,
        nudged,
        targets,
        board,
        view: view_sender,
        deadlines: BTreeMap::new(),
        killed: BTreeMap::new(),
        ready_since: BTreeMap::new(),
        busy: BTreeSet::new(),
        running: FuturesUnordered::new(),
        epochs: BTreeMap::new(),
        passes: 0,
        written: None,
        resting: Resting::default(),
    };
    let handle = Handle {
        desired: desired_sender,
        nudge,
        view,
    };
    let run = async move {
        futures::join!(reconciler.run(token), asking);
    };
    (handle, Box::pin(run))
}

enum Ended {
    Step(Step, Done),
    Jobs(ServiceId, Option<UnixMillis>, Result<JobsDone, Obstacle>),
    /// The jobs were dropped, because the orchestrator ends.
    Dropped(ServiceId),
}

struct Reconciler {
    /// When this orchestrator began, in monotonic time.
    began_at: Duration,
    hands: Hands,
    starts: Arc<Semaphore>,
    desired: watch::Receiver<Arc<Desired>>,
    nudged: watch::Receiver<u64>,
    targets: watch::Sender<Targets>,
    board: watch::Receiver<Board>,
    view: watch::Sender<Arc<View>>,
    deadlines: BTreeMap<ServiceId, Duration>,
    /// Programs that were killed and run on, with how often, and before when it is not tried again.
    killed: BTreeMap<ServiceId, (u32, Duration)>,
    /// Since when each service is ready without a break, in monotonic time, with the start of its run.
    ready_since: BTreeMap<ServiceId, (Option<UnixMillis>, Duration)>,
    busy: BTreeSet<ServiceId>,
    running: FuturesUnordered<BoxFuture<'static, Ended>>,
    epochs: BTreeMap<ServiceId, Epoch>,
    passes: u64,
    written: Option<Obstacle>,
    resting: Resting,
}

/// How long the loop rests where nothing is due: it looks at the machine again even if nobody told it to.
const IDLE: Duration = Duration::from_secs(10);
/// How long it rests while something is waited for.
const SOON: Duration = Duration::from_millis(500);

impl Reconciler {
    async fn run(mut self, token: CancellationToken) {
        let mut changes = self.hands.runtime.watch();
        loop {
            let rest = self.pass().await;
            // Every branch may be dropped half-way without loss: steps stay in `running` until they end.
            tokio::select! {
                () = token.cancelled() => break,
                Some(ended) = self.running.next() => self.note(ended),
                _ = changes.changed() => {}
                changed = self.desired.changed() => if changed.is_err() { break },
                _ = self.nudged.changed() => {}
                changed = self.board.changed() => if changed.is_err() { break },
                () = tokio::time::sleep(rest) => {}
            }
        }
        // What only waits, for its turn or for a job, gives up by itself. A step that is at the runtime is finished:
        // half a start is a state, but a finished one is better.
        while let Some(ended) = self.running.next().await {
            self.note(ended);
        }
    }

    /// Looks, decides and begins what is due. Returns how long to rest.
    async fn pass(&mut self) -> Duration {
        let begun = self.hands.clock.monotonic();
        let desired = Arc::clone(&self.desired.borrow_and_update());
        let mut view = View {
            desired: Some(Arc::clone(&desired)),
            heard: *self.nudged.borrow_and_update(),
            ..View::default()
        };
        let rest = match self.look(&desired, &mut view).await {
            Ok(()) => self.act(&desired, &mut view),
            Err(problem) => {
                view.problem = Some(problem);
                SOON
            }
        };
        if view.problem.is_none() {
            view.problem = self.written.clone();
        }
        self.passes += 1;
        view.passes = self.passes;
        let took = self.hands.clock.monotonic().saturating_sub(begun);
        tracing::debug!(
            steps = view.plan.steps.len(),
            took.us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            "a pass is over"
        );
        self.view.send_replace(Arc::new(view));
        rest
    }

    async fn look(&mut self, desired: &Desired, view: &mut View) -> Result<(), Obstacle> {
        let mut unreadable = Vec::new();
        for (service, instance) in self
            .hands
            .runtime
            .list()
            .await
            .map_err(|error| no_list(&error))?
        {
            match instance {
                Ok(instance) => {
                    view.instances.insert(service, instance);
                }
                Err(error) => {
                    tracing::warn!(service.id = %service, error = %error, "{service} cannot be observed");
                    unreadable.push(service);
                }
            }
        }
        self.aim(desired, &view.instances);
        view.board = self.board.borrow_and_update().clone();
        let mut records = self
            .hands
            .state
            .records()
            .map_err(|error| unwritable(&error))?;
        let runs = |service: &ServiceId| {
            view.instances
                .get(service)
                .is_some_and(|one| matches!(one.state, InstanceState::Running { .. }))
        };
        self.deadlines.retain(|service, _| runs(service));
        self.killed.retain(|service, _| runs(service));
        self.note_ready(view);
        let external = external(desired);
        let look = Look {
            instances: &view.instances,
            unreadable: &unreadable,
            external: &external,
            board: &view.board,
            deadlines: &self.deadlines,
            ready_since: &self.ready_since,
            began_at: self.began_at,
            monotonic: self.hands.clock.monotonic(),
            now: self.hands.clock.wall(),
            patience: self.hands.patience,
        };
        // What a step is working on is that step's to write.
        for record in records
            .values_mut()
            .filter(|record| !self.busy.contains(&record.service))
        {
            let mut settled = record.clone();
            let found = look.settle(&mut settled);
            if *record != settled || !found.is_empty() {
                *record = self
                    .remember(&record.service, &look)
                    .map_err(|error| unwritable(&error))?;
            }
        }
        let mut observed = Observed {
            sealed: self.hands.services.sealed(),
            ..Observed::default()
        };
        let ids: BTreeSet<&ServiceId> = desired
            .services
            .keys()
            .chain(view.instances.keys())
            .chain(records.keys())
            .chain(&unreadable)
            .collect();
        for id in ids {
            let mut service =
                look.observe(id, records.get(id), self.jobs_pending(id, &view.instances));
            if let Some(Wanted::Run { spec, hash }) =
                desired.services.get(id).map(|service| &service.wanted)
                && !matches!(&service.state, State::Running { hash: running, .. } if running == hash)
                // What is being started holds its ports by itself in a moment: asking after them would disturb it.
                && !self.busy.contains(id)
            {
                let running = service.state.occupied();
                let services = &self.hands.services;
                service.blocked = services.obstacle(spec, running).or_else(|| {
                    let held = &records.get(id).filter(|_| !running)?.held_data;
                    guard::lost_data(spec, held, &services.data_in(spec))
                });
            }
            observed.services.insert(id.clone(), service);
        }
        view.observed = observed;
        view.records = records;
        Ok(())
    }

    /// Tells the asking task whom to ask.
    fn aim(&self, desired: &Desired, instances: &BTreeMap<ServiceId, Instance>) {
        let running = instances
            .values()
            .filter(|one| matches!(one.state, InstanceState::Running { .. }));
        let mut targets: Targets = running
            .map(|one| (one.service.clone(), one.started_at))
            .collect();
        targets.extend(external(desired).into_iter().map(|id| (id, None)));
        self.targets.send_if_modified(|now| {
            let differs = *now != targets;
            *now = targets;
            differs
        });
    }

    /// Brings the kept record up to date. It is read anew: since this pass read it, the operator may have asked for
    /// another try.
    fn remember(&self, service: &ServiceId, look: &Look<'_>) -> Result<ServiceRecord, StoreError> {
        crate::fail::point("observe.begin");
        let record = self.hands.state.transaction(|tx| {
            let mut found = Vec::new();
            let record = tx.update_record(service, |record| {
                found = look.settle(record);
                if found.iter().any(|one| one.code == "first_ready") {
                    self.hands.note_data(record);
                }
            })?;
            for one in found {
                tracing::info!(service.id = %one.service, code = one.code, "{}: {}", one.service, one.text);
                tx.append_event(Some(&one.service), one.code, &one.text, self.hands.clock.wall())?;
            }
            Ok::<_, StoreError>(record)
        })?;
        crate::fail::point("observe.noted");
        Ok(record)
    }

    /// Keeps since when each service is ready.
    fn note_ready(&mut self, view: &View) {
        let now = self.hands.clock.monotonic();
        let ready = view.board.iter().filter(|(id, (since, signals))| {
            let instance = view.instances.get(*id);
            signals.ready.ok == Some(true)
                && instance.is_some_and(|one| {
                    matches!(one.state, InstanceState::Running { .. }) && one.started_at == *since
                })
        });
        self.ready_since = ready
            .map(|(id, (run, _))| {
                let known = self.ready_since.get(id).filter(|(known, _)| known == run);
                (id.clone(), (*run, known.map_or(now, |(_, since)| *since)))
            })
            .collect();
    }

    fn act(&mut self, desired: &Arc<Desired>, view: &mut View) -> Duration {
        let due = plan(desired, &view.observed);
        let now = self.hands.clock.monotonic();
        for step in &due.steps {
            let again = self.killed.get(&step.service).copied();
            let kills = matches!(step.action, Action::Kill { .. });
            if self.resting.rests(&step.service, now)
                || kills && again.is_some_and(|(_, until)| until > now)
            {
                continue;
            }
            if self.busy.insert(step.service.clone()) {
                self.begin(step.clone(), desired, again.is_some());
            }
        }
        self.begin_jobs(desired, view);
        view.jobs = self
            .epochs
            .iter()
            .filter_map(|(id, epoch)| {
                epoch
                    .obstacle
                    .clone()
                    .map(|obstacle| (id.clone(), obstacle))
            })
            .collect();
        let waits = due
            .notes
            .iter()
            .any(|note| note.code != "keep" && note.code != "external");
        view.plan = due;
        view.busy.clone_from(&self.busy);
        view.time_left = self
            .deadlines
            .iter()
            .map(|(id, deadline)| (id.clone(), deadline.saturating_sub(now)))
            .collect();
        if waits || !view.plan.steps.is_empty() || !self.busy.is_empty() {
            SOON
        } else {
            IDLE
        }
    }

    fn begin(&self, step: Step, desired: &Arc<Desired>, again: bool) {
        let (hands, starts, desired) = (
            self.hands.clone(),
            Arc::clone(&self.starts),
            Arc::clone(desired),
        );
        tracing::info!(service.id = %step.service, "{}: {}", step.service, step.because.join("; "));
        self.running.push(Box::pin(async move {
            let service = desired.services.get(&step.service);
            let done = if matches!(step.action, Action::Start { .. }) {
                match hands.ending.run_until_cancelled(starts.acquire()).await {
                    Some(turn) => {
                        let _turn = turn.expect("the semaphore is never closed");
                        hands.execute(&step, service, again).await
                    }
                    None => Done::GivenUp,
                }
            } else {
                hands.execute(&step, service, again).await
            };
            Ended::Step(step, done)
        }));
    }

    fn note(&mut self, ended: Ended) {
        match ended {
            Ended::Step(step, done) => {
                self.busy.remove(&step.service);
                self.written = None;
                self.resting
                    .note(&step.service, &done, self.hands.clock.monotonic());
                match done {
                    Done::Well | Done::GivenUp | Done::Failed | Done::Troubled => {}
                    Done::Killed => {
                        let now = self.hands.clock.monotonic();
                        let (times, until) = self.killed.entry(step.service).or_default();
                        *until = now + Duration::from_secs(1 << (*times).min(5));
                        *times = times.saturating_add(1);
                    }
                    Done::Asked(grace) => {
                        let deadline = self.hands.clock.monotonic() + grace;
                        self.deadlines.insert(step.service, deadline);
                    }
                    Done::NotWritten(error) => self.written = Some(unwritable(&error)),
                }
            }
            Ended::Dropped(id) => {
                self.busy.remove(&id);
            }
            Ended::Jobs(id, since, result) => {
                self.busy.remove(&id);
                self.written = self
                    .note_jobs(&id, since, result)
                    .err()
                    .map(|error| unwritable(&error));
            }
        }
    }
}

/// The services that are the operator's own.
fn external(desired: &Desired) -> BTreeSet<ServiceId> {
    let all = desired.services.iter();
    all.filter(|(_, service)| service.wanted == Wanted::External)
        .map(|(id, _)| id.clone())
        .collect()
}

fn no_list(error: &RuntimeError) -> Obstacle {
    if let RuntimeError::EngineGone { why } = error {
        return Obstacle {
            code: ENGINE_GONE.to_owned(),
            text: format!(
                "the container engine does not answer ({why}): start it (systemctl start docker); until then nothing is started or stopped, and nobody knows what runs"
            ),
        };
    }
    Obstacle {
        code: RUNTIME_UNREADABLE.to_owned(),
        text: format!("cannot see what runs: {error}; nothing is started or stopped"),
    }
}

fn unwritable(error: &StoreError) -> Obstacle {
    Obstacle {
        code: "state_unwritable".to_owned(),
        text: format!(
            "cannot write down what is to be done: {error}; nothing is started or stopped, what runs goes on"
        ),
    }
}

#[cfg(test)]
mod tests;
