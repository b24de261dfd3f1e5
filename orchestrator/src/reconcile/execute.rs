//! Owns the carrying out of one step: the intent on disk first, then the runtime, then the note that it is done.
//!
//! It makes no choice. Where the orchestrator dies between two lines, the next pass finds a named state and goes on.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::fail;
use crate::id::ServiceId;
use crate::reconcile::backoff::Patience;
use crate::reconcile::observe;
use crate::reconcile::observed::Obstacle;
use crate::reconcile::plan::Action;
use crate::reconcile::plan::Step;
use crate::reconcile::services::Services;
use crate::runtime::DropStage;
use crate::runtime::Runtime;
use crate::runtime::RuntimeError;
use crate::runtime::Unit;
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
}

/// How a step ended.
#[derive(Debug)]
pub(super) enum Done {
    /// It was carried out.
    Well,
    /// The program was asked to stop; it is killed after so long.
    Asked(Duration),
    /// A start failed, and that was counted.
    Failed,
    /// Another step failed, and that was noted.
    Troubled,
    /// Nothing could be written down, so nothing was done.
    NotWritten(StoreError),
}

impl Hands {
    /// Carries `step` out. `service` is the desired service, where it is wanted.
    pub(super) async fn execute(&self, step: &Step, service: Option<&DesiredService>) -> Done {
        let ended = match &step.action {
            Action::Start { hash } => self.start(service, hash).await,
            Action::Supervise { hash } => self.supervise(&step.service, hash).await,
            Action::Remove { stop } | Action::Restart { stop } | Action::AskAgain { stop } => {
                self.ask_to_stop(&step.service, *stop, &step.because).await
            }
            Action::Kill { stop } => self.kill(&step.service, *stop).await,
            Action::Clean => self.clean(&step.service).await,
        };
        match ended {
            Ok(done) => done,
            Err(Failure::Store(error)) => Done::NotWritten(error),
            Err(Failure::Step(obstacle)) if matches!(step.action, Action::Start { .. }) => {
                self.note_failure(&step.service, &obstacle)
            }
            Err(Failure::Step(obstacle)) => self.note_trouble(&step.service, &obstacle),
        }
    }

    fn record(&self, service: &ServiceId) -> Result<ServiceRecord, StoreError> {
        let records = self.state.records()?;
        Ok(records
            .get(service)
            .cloned()
            .unwrap_or_else(|| ServiceRecord::new(service.clone())))
    }

    fn write(&self, record: &ServiceRecord, code: &str, text: &str) -> Result<(), StoreError> {
        self.state.transaction(|tx| {
            tx.put_record(record)?;
            tx.append_event(Some(&record.service), code, text, self.clock.wall())?;
            Ok(())
        })
    }

    fn intend(&self, record: &mut ServiceRecord, kind: IntentKind) -> Result<(), StoreError> {
        record.intent = Some(Intent {
            id: self.state.next_id()?,
            kind,
            begun_at: self.clock.wall(),
        });
        self.state.put_record(record)
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
        fail::point("start.begin");
        let mut record = self.record(&spec.id)?;
        record.removed = false;
        record.applied = Some(Applied {
            hash: hash.clone(),
            spec: (**spec).clone(),
            settings: settings.clone(),
        });
        self.intend(&mut record, IntentKind::Start { hash: hash.clone() })?;
        fail::point("start.intended");
        let unit = self.services.unit(spec, hash).await?;
        fail::point("start.filled");
        let done = self
            .services
            .before_start(spec, &unit, &record.jobs_done)
            .await?;
        record.jobs_done.extend(done);
        self.state.put_record(&record)?;
        fail::point("start.prepared");
        self.runtime.ensure(&unit).await.map_err(failed_start)?;
        fail::point("start.ensured");
        record.intent = None;
        self.write(&record, "started", "started")?;
        fail::point("start.noted");
        Ok(Done::Well)
    }

    /// The program runs already: its files and secrets are not touched, so a sealed vault does not matter.
    async fn supervise(&self, id: &ServiceId, hash: &SpecHash) -> Result<Done, Failure> {
        let record = self.record(id)?;
        let Some(applied) = &record.applied else {
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
        self.write(
            &record,
            "supervised",
            "got a new supervisor; it was not restarted",
        )?;
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
        let mut record = self.record(id)?;
        let kind = IntentKind::Stop {
            reason: because.join("; "),
            deadline_at: Some(self.clock.wall().plus(grace)),
            boot_id: self.boot_id.clone(),
            asked: true,
        };
        self.intend(&mut record, kind)?;
        fail::point("stop.intended");
        self.runtime
            .as_ref()
            .drop(id, stop, DropStage::Ask)
            .await
            .map_err(failed_stop)?;
        fail::point("stop.asked");
        self.write(
            &record,
            "stopping",
            &format!("asked to stop: {}", because.join("; ")),
        )?;
        fail::point("stop.noted");
        Ok(Done::Asked(grace))
    }

    async fn kill(&self, id: &ServiceId, stop: StopSpec) -> Result<Done, Failure> {
        fail::point("kill.begin");
        self.runtime
            .as_ref()
            .drop(id, stop, DropStage::Kill)
            .await
            .map_err(failed_stop)?;
        fail::point("kill.killed");
        let record = self.record(id)?;
        let text = format!("killed: it did not stop within {} s", stop.grace_seconds);
        self.write(&record, "killed", &text)?;
        Ok(Done::Well)
    }

    async fn clean(&self, id: &ServiceId) -> Result<Done, Failure> {
        fail::point("clean.begin");
        let mut record = self.record(id)?;
        self.intend(&mut record, IntentKind::Clean)?;
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
        record.intent = None;
        self.write(&record, "cleaned", "cleared away; its data stay")?;
        fail::point("clean.noted");
        Ok(Done::Well)
    }

    fn note_failure(&self, id: &ServiceId, obstacle: &Obstacle) -> Done {
        let noted = self.record(id).and_then(|mut record| {
            record.intent = None;
            let found = observe::fail(&mut record, obstacle.text.clone(), self.clock.wall(), self.patience);
            tracing::warn!(service.id = %id, code = obstacle.code, "a step failed for {id}: {}", found.text);
            let code = if record.needs_you { "needs_you" } else { obstacle.code.as_str() };
            self.write(&record, code, &found.text)
        });
        fail::point("failure.noted");
        match noted {
            Ok(()) => Done::Failed,
            Err(error) => Done::NotWritten(error),
        }
    }
}

impl Hands {
    /// A stop, a clearing or a new supervisor that failed is no failure of the service: its intent stays, and it is
    /// tried again after a while.
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
        volumes: Vec::new(),
        addresses: std::collections::BTreeMap::new(),
        stop: spec.stop,
        limits: spec.limits,
        uid: None,
    }
}

enum Failure {
    Store(StoreError),
    Step(Obstacle),
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
