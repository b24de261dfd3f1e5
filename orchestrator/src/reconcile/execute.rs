//! Owns the carrying out of one step: the intent on disk first, then the runtime, then the note that it is done.
//!
//! It makes no choice. Where the orchestrator dies between two lines, the next pass finds a named state and goes on.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::fail;
use crate::id::ServiceId;
use crate::reconcile::backoff::Patience;
use crate::reconcile::observe;
use crate::reconcile::observed::Obstacle;
use crate::reconcile::services::Services;
use crate::reconcile::step::Action;
use crate::reconcile::step::Step;
use crate::runtime::DropStage;
use crate::runtime::Runtime;
use crate::runtime::RuntimeError;
use crate::runtime::Unit;
use crate::service::desired::Desired;
use crate::service::desired::DesiredService;
use crate::service::desired::Wanted;
use crate::service::spec::ServiceSpec;
use crate::service::spec::SpecHash;
use crate::service::spec::StopSpec;
use crate::store::StoreError;
use crate::store::state::Applied;
use crate::store::state::Intent;
use crate::store::state::IntentKind;
use crate::store::state::ServiceRecord;
use crate::store::state::StateDb;

/// What the executor works with.
#[derive(Clone)]
pub(super) struct Hands {
    pub(super) runtime: Arc<dyn Runtime>,
    pub(super) state: Arc<StateDb>,
    pub(super) services: Arc<dyn Services>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) patience: Patience,
    pub(super) boot_id: String,
    /// What is wanted now: a start takes its time, and what it was begun for may be over.
    pub(super) desired: watch::Receiver<Arc<Desired>>,
    /// Cancelled when the orchestrator ends: what only waits is dropped then.
    pub(super) ending: CancellationToken,
}

/// How a step ended.
#[derive(Debug)]
pub(super) enum Done {
    /// It was carried out.
    Well,
    /// The program was asked to stop; it is killed after so long.
    Asked(Duration),
    /// The program was killed; whether it is gone is seen by the next pass.
    Killed,
    /// It was given up half-way: it is no longer wanted, or the orchestrator ends.
    GivenUp,
    /// A start failed, and that was counted.
    Failed,
    /// Another step failed, and that was noted.
    Troubled,
    /// Nothing could be written down, so nothing was done.
    NotWritten(StoreError),
}

impl Hands {
    /// Carries `step` out. `service` is the desired service, where it is wanted.
    /// `again`: this orchestrator killed the program before, and told so.
    pub(super) async fn execute(
        &self,
        step: &Step,
        service: Option<&DesiredService>,
        again: bool,
    ) -> Done {
        let ended = match &step.action {
            Action::Start { hash } => self.start(service, hash).await,
            Action::Supervise { hash } => self.supervise(&step.service, hash).await,
            Action::Remove { stop } | Action::Restart { stop } | Action::AskAgain { stop } => {
                self.ask_to_stop(&step.service, *stop, &step.because).await
            }
            Action::Kill { stop } => self.kill(&step.service, *stop, again).await,
            Action::Clean => self.clean(&step.service).await,
        };
        match ended {
            Ok(done) => done,
            Err(Failure::Store(error)) => Done::NotWritten(error),
            Err(Failure::Step(obstacle)) if matches!(step.action, Action::Start { .. }) => {
                self.note_failure(&step.service, &obstacle)
            }
            Err(Failure::Step(obstacle) | Failure::Waits(obstacle)) => {
                self.note_trouble(&step.service, &obstacle)
            }
        }
    }

    /// Changes a record, and writes an event, in one transaction: between reading and writing nobody else writes.
    fn update(
        &self,
        service: &ServiceId,
        event: Option<(&str, &str)>,
        change: impl FnOnce(&mut ServiceRecord),
    ) -> Result<ServiceRecord, StoreError> {
        self.state.transaction(|tx| {
            let record = tx.update_record(service, change)?;
            if let Some((code, text)) = event {
                tx.append_event(Some(service), code, text, self.clock.wall())?;
            }
            Ok(record)
        })
    }

    /// Writes an intent down, and whatever else `change` says, before anything is done.
    fn intend(
        &self,
        service: &ServiceId,
        kind: IntentKind,
        change: impl FnOnce(&mut ServiceRecord),
    ) -> Result<ServiceRecord, StoreError> {
        let begun_at = self.clock.wall();
        self.state.transaction(|tx| {
            let id = tx.next_id()?;
            tx.update_record(service, |record| {
                change(record);
                record.intent = Some(Intent { id, kind, begun_at });
            })
        })
    }

    /// Notes which volumes hold data: from then on the service is not started without them.
    pub(super) fn note_data(&self, record: &mut ServiceRecord) {
        if let Some(applied) = &record.applied {
            record
                .held_data
                .extend(self.services.data_in(&applied.spec));
        }
    }

    /// Whether this very specification is still wanted.
    fn wants(&self, service: &ServiceId, hash: &SpecHash) -> bool {
        let desired = self.desired.borrow();
        let wanted = desired.services.get(service).map(|one| &one.wanted);
        matches!(wanted, Some(Wanted::Run { hash: now, .. }) if now == hash)
    }

    async fn start(
        &self,
        service: Option<&DesiredService>,
        hash: &SpecHash,
    ) -> Result<Done, Failure> {
        let Some(DesiredService {
            wanted: Wanted::Run { spec, .. },
            settings,
            ..
        }) = service
        else {
            return Ok(Done::Well);
        };
        // It may have waited for its turn, and what was wanted then may be over.
        if !self.wants(&spec.id, hash) {
            return Ok(Done::GivenUp);
        }
        fail::point("start.begin");
        let intent = IntentKind::Start { hash: hash.clone() };
        let record = self.intend(&spec.id, intent, |record| {
            let old = record.applied.as_ref().map(|applied| &applied.hash);
            if old.is_some_and(|old| old != hash) {
                // Another specification is another try: what failed before says nothing of it.
                forget_failures(record);
            }
            record.removed = false;
            record.applied = Some(Applied {
                hash: hash.clone(),
                spec: (**spec).clone(),
                settings: settings.clone(),
            });
            self.note_data(record);
        })?;
        fail::point("start.intended");
        let getting_ready = async {
            let unit = self.services.unit(spec, hash).await?;
            fail::point("start.filled");
            let done = self
                .services
                .before_start(spec, &unit, &record.jobs_done)
                .await?;
            Ok::<_, Obstacle>((unit, done))
        };
        // A job may take minutes; the next orchestrator finds the intent and begins the job again.
        let Some(ready) = self.ending.run_until_cancelled(getting_ready).await else {
            return Ok(Done::GivenUp);
        };
        let (unit, done) = ready?;
        self.update(&spec.id, None, |record| record.note_done(done))?;
        fail::point("start.prepared");
        if !self.wants(&spec.id, hash) {
            self.update(&spec.id, None, |record| record.intent = None)?;
            return Ok(Done::GivenUp);
        }
        self.runtime.ensure(&unit).await.map_err(failed_start)?;
        fail::point("start.ensured");
        self.update(&spec.id, Some(("started", "started")), |record| {
            record.intent = None;
        })?;
        fail::point("start.noted");
        Ok(Done::Well)
    }

    /// The program runs already: its files and secrets are not touched, so a sealed vault does not matter.
    async fn supervise(&self, id: &ServiceId, hash: &SpecHash) -> Result<Done, Failure> {
        let records = self.state.records()?;
        let applied = records.get(id).and_then(|record| record.applied.as_ref());
        let Some(applied) = applied else {
            let text = format!("{id} runs, but nothing is remembered of how it was started");
            return Err(Failure::Step(Obstacle {
                code: "unremembered".to_owned(),
                text,
            }));
        };
        fail::point("supervise.begin");
        self.runtime
            .ensure(&bare_unit(&applied.spec, hash))
            .await
            .map_err(failed_supervise)?;
        fail::point("supervise.ensured");
        let text = "got a new supervisor; it was not restarted";
        self.state
            .append_event(Some(id), "supervised", text, self.clock.wall())?;
        Ok(Done::Well)
    }

    async fn ask_to_stop(
        &self,
        id: &ServiceId,
        stop: StopSpec,
        because: &[String],
    ) -> Result<Done, Failure> {
        fail::point("stop.begin");
        let grace = Duration::from_secs(u64::from(stop.grace_seconds));
        let kind = IntentKind::Stop {
            reason: because.join("; "),
            deadline_at: Some(self.clock.wall().plus(grace)),
            boot_id: self.boot_id.clone(),
            asked: true,
        };
        self.intend(id, kind, |record| self.note_data(record))?;
        fail::point("stop.intended");
        self.runtime
            .as_ref()
            .drop(id, stop, DropStage::Ask)
            .await
            .map_err(failed_stop)?;
        fail::point("stop.asked");
        let text = format!("asked to stop: {}", because.join("; "));
        self.state
            .append_event(Some(id), "stopping", &text, self.clock.wall())?;
        fail::point("stop.noted");
        Ok(Done::Asked(grace))
    }

    async fn kill(&self, id: &ServiceId, stop: StopSpec, again: bool) -> Result<Done, Failure> {
        fail::point("kill.begin");
        self.runtime
            .as_ref()
            .drop(id, stop, DropStage::Kill)
            .await
            .map_err(failed_stop)?;
        fail::point("kill.killed");
        if !again {
            let text = format!("killed: it did not stop within {} s", stop.grace_seconds);
            self.state
                .append_event(Some(id), "killed", &text, self.clock.wall())?;
        }
        Ok(Done::Killed)
    }

    async fn clean(&self, id: &ServiceId) -> Result<Done, Failure> {
        fail::point("clean.begin");
        self.intend(id, IntentKind::Clean, |_| {})?;
        fail::point("clean.intended");
        let stop = StopSpec {
            signal: crate::manifest::schema::StopSignal::Term,
            grace_seconds: 0,
        };
        self.runtime
            .as_ref()
            .drop(id, stop, DropStage::Clean)
            .await
            .map_err(failed_stop)?;
        fail::point("clean.cleaned");
        let event = ("cleaned", "cleared away; its data stay");
        self.update(id, Some(event), |record| record.intent = None)?;
        fail::point("clean.noted");
        Ok(Done::Well)
    }

    fn note_failure(&self, id: &ServiceId, obstacle: &Obstacle) -> Done {
        let now = self.clock.wall();
        let noted = self.state.transaction(|tx| {
            let mut told = None;
            let record = tx.update_record(id, |record| {
                record.intent = None;
                told = Some(observe::fail(record, obstacle.text.clone(), now, self.patience));
            })?;
            let text = told.map_or_else(|| obstacle.text.clone(), |found| found.text);
            tracing::warn!(service.id = %id, code = obstacle.code, "a step failed for {id}: {text}");
            let code = if record.needs_you { "needs_you" } else { obstacle.code.as_str() };
            tx.append_event(Some(id), code, &text, now)?;
            Ok::<(), StoreError>(())
        });
        fail::point("failure.noted");
        match noted {
            Ok(()) => Done::Failed,
            Err(error) => Done::NotWritten(error),
        }
    }
}

impl Hands {
    /// A stop, a clearing or a new supervisor that failed is no failure of the service, and neither is a start that waits
    /// for an end: its intent stays, and it is tried again after a while.
    fn note_trouble(&self, id: &ServiceId, obstacle: &Obstacle) -> Done {
        tracing::warn!(service.id = %id, code = obstacle.code, "a step failed for {id}: {}", obstacle.text);
        let at = self.clock.wall();
        match self
            .state
            .append_event(Some(id), &obstacle.code, &obstacle.text, at)
        {
            Ok(_) => Done::Troubled,
            Err(error) => Done::NotWritten(error),
        }
    }
}

/// Forgets what failed, as after a try that went well.
pub(super) fn forget_failures(record: &mut ServiceRecord) {
    record.failures = 0;
    record.needs_you = false;
    record.retry_at = None;
    record.cause = None;
}

/// A unit that names a running program without anything to lay out. It has no program file, so that no runtime can
/// start it where the program ended meanwhile: without its files and its identity that would be another service.
fn bare_unit(spec: &ServiceSpec, hash: &SpecHash) -> Unit {
    Unit {
        service: spec.id.clone(),
        spec_hash: hash.clone(),
        program: std::path::PathBuf::new(),
        args: spec.program.args.clone(),
        env: spec.program.env.clone(),
        files: std::collections::BTreeMap::new(),
        image: None,
        folder: None,
        volumes: Vec::new(),
        network: crate::service::spec::NetworkSpec::default(),
        addresses: std::collections::BTreeMap::new(),
        stop: spec.stop,
        limits: spec.limits,
        uid: None,
    }
}

enum Failure {
    Store(StoreError),
    Step(Obstacle),
    /// Not yet: something else has to end first, and nobody need do anything about it.
    Waits(Obstacle),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Obstacle> for Failure {
    fn from(obstacle: Obstacle) -> Self {
        Self::Step(obstacle)
    }
}

/// Writes an error with its causes in one sentence: it is what the operator reads.
fn sentence(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "used as a function in map_err"
)]
fn failed_start(error: RuntimeError) -> Failure {
    if matches!(error, RuntimeError::StillRuns { .. }) {
        return Failure::Waits(Obstacle {
            code: "waits_for_end".to_owned(),
            text: "what ran before still runs: it was asked to end, and is waited for".to_owned(),
        });
    }
    Failure::Step(Obstacle {
        code: "start_failed".to_owned(),
        text: sentence(&error),
    })
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "used as a function in map_err"
)]
fn failed_supervise(error: RuntimeError) -> Failure {
    Failure::Step(Obstacle {
        code: "supervise_failed".to_owned(),
        text: sentence(&error),
    })
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "used as a function in map_err"
)]
fn failed_stop(error: RuntimeError) -> Failure {
    Failure::Step(Obstacle {
        code: "stop_failed".to_owned(),
        text: sentence(&error),
    })
}
