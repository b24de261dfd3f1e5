//! Owns jobs: programs that run to their end in the place of a service.
//!
//! A job takes the same way as a service, in a slot of its own below the service's, so that a job which outlives the
//! node is found again and never runs beside itself.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::Inner;
use super::blocking;
use super::end_of;
use super::observe::Observation;
use super::observe::Standing;
use super::observe::observe;
use super::record::Slot;
use super::stop;
use crate::runtime::Job;
use crate::runtime::JobOutcome;
use crate::runtime::RuntimeError;
use crate::runtime::Unit;
use crate::runtime::layout;
use crate::runtime::log;
use crate::service::spec::SpecHash;

/// How much of a job's output is kept for its outcome. Units: bytes.
const TAIL: u64 = 4096;

/// How long a supervisor may take, beyond the job's own time, to end it.
const GRACE: Duration = Duration::from_secs(10);

/// Runs `job` to its end, or waits for the one that an earlier node began.
pub(super) async fn run(
    inner: &Arc<Inner>,
    unit: &Unit,
    job: &Job,
) -> Result<JobOutcome, RuntimeError> {
    let slot = inner.slot(&unit.service).job();
    begin(inner, &slot, unit, job).await?;
    let patience = Duration::from_secs(u64::from(job.timeout_seconds)) + GRACE;
    let waited = tokio::time::timeout(patience, ended(&slot)).await;
    let seen = match waited {
        Ok(seen) => seen?,
        Err(_) => {
            kill(&slot).await?;
            ended(&slot).await?
        }
    };
    outcome(inner, slot, seen).await
}

async fn begin(
    inner: &Arc<Inner>,
    slot: &Slot,
    unit: &Unit,
    job: &Job,
) -> Result<(), RuntimeError> {
    loop {
        let started = {
            let (inner, slot, unit, job) =
                (Arc::clone(inner), slot.clone(), unit.clone(), job.clone());
            blocking(move || {
                if let Some(folder) = &job.clears {
                    clear(&slot, folder, &job)?;
                }
                let mut record = inner.record(&unit);
                record.spec_hash = hash(&unit, &job);
                record.program = job.program;
                record.args = job.args;
                record.log = inner.job_log(&unit.service, &job.name);
                record.deadline_seconds = Some(job.timeout_seconds);
                log::turn_over(&record.log)
                    .map_err(|error| slot.fault("turning over its job's log", error))?;
                inner.start(&slot, &unit, record)
            })
            .await
        };
        match started {
            // Another job of an earlier node: its outcome is lost, and jobs may be repeated.
            Err(RuntimeError::Conflict { .. }) => {
                kill(slot).await?;
                ended(slot).await?;
            }
            other => return other,
        }
    }
}

/// Empties `folder` where no job of an earlier node still works in it.
fn clear(slot: &Slot, folder: &Path, job: &Job) -> Result<(), RuntimeError> {
    let seen = observe(slot).map_err(|error| slot.fault("reading its job's records", error))?;
    if seen.running().is_some() {
        return Ok(());
    }
    tracing::warn!(service = %slot.service(), job = %job.name, "what this job left when it was cut short is removed");
    layout::empty(folder)
        .map_err(|error| slot.fault("removing what its job left when it was cut short", error))
}

/// Names what the job is, so that the same one is waited for and another one is not.
fn hash(unit: &Unit, job: &Job) -> SpecHash {
    SpecHash(format!(
        "{} {} {} {:?}",
        unit.spec_hash,
        job.name,
        job.program.display(),
        job.args
    ))
}

async fn kill(slot: &Slot) -> Result<(), RuntimeError> {
    let slot = slot.clone();
    blocking(move || stop::kill(&slot)).await
}

/// Returns once nothing runs in `slot`.
async fn ended(slot: &Slot) -> Result<Observation, RuntimeError> {
    loop {
        let seen = {
            let slot = slot.clone();
            blocking(move || {
                observe(&slot).map_err(|error| slot.fault("reading its job's records", error))
            })
            .await?
        };
        let Some(child) = seen.running() else {
            return Ok(seen);
        };
        end_of(&child.process)
            .await
            .map_err(|error| slot.fault("waiting for its job", error))?;
    }
}

async fn outcome(
    inner: &Arc<Inner>,
    slot: Slot,
    seen: Observation,
) -> Result<JobOutcome, RuntimeError> {
    let (Standing::Ended(exit), Some(unit), Some(child)) = (seen.standing, seen.unit, seen.child)
    else {
        return Err(RuntimeError::Record {
            service: slot.service().clone(),
        });
    };
    let exit = exit.unwrap_or_else(|| inner.unseen(&child.nonce));
    let tail = blocking(move || {
        log::end_of(&unit.log, unit.log_from, TAIL)
            .map_err(|error| slot.fault("reading its job's log", error))
    })
    .await?;
    Ok(JobOutcome { exit, tail })
}
