//! Owns the jobs that follow a start: which are due, what was done of them, and when they are tried again.
//!
//! It does not know what a job does: `Services` does.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::UnixMillis;
use crate::id::Name;
use crate::id::ServiceId;
use crate::reconcile::Ended;
use crate::reconcile::Reconciler;
use crate::reconcile::View;
use crate::reconcile::observed::Obstacle;
use crate::reconcile::services::JobsDone;
use crate::runtime::Instance;
use crate::service::desired::Desired;
use crate::service::desired::Wanted;
use crate::store::StoreError;

/// What is remembered of the jobs that follow one start.
#[derive(Debug, Clone, Default)]
pub(super) struct Epoch {
    since: Option<UnixMillis>,
    done: BTreeSet<Name>,
    /// Whether every job was looked at once without a failure.
    passed: bool,
    retry_at: Option<Duration>,
    failures: u32,
    pub(super) obstacle: Option<Obstacle>,
}

impl Reconciler {
    /// Whether the jobs that follow the running start have not all been looked at.
    pub(super) fn jobs_pending(
        &self,
        service: &ServiceId,
        instances: &BTreeMap<ServiceId, Instance>,
    ) -> bool {
        let Some(instance) = instances.get(service) else {
            return false;
        };
        !self
            .epochs
            .get(service)
            .is_some_and(|epoch| epoch.since == instance.started_at && epoch.passed)
    }

    pub(super) fn begin_jobs(&mut self, desired: &Arc<Desired>, view: &View) {
        let now = self.hands.clock.monotonic();
        for (id, instance) in &view.instances {
            let wanted = desired.services.get(id).map(|service| &service.wanted);
            let current =
                matches!(wanted, Some(Wanted::Run { hash, .. }) if *hash == instance.spec_hash);
            if !current || self.busy.contains(id) {
                continue;
            }
            let epoch = self.epochs.entry(id.clone()).or_default();
            if epoch.since != instance.started_at {
                *epoch = Epoch {
                    since: instance.started_at,
                    // What was done for this very start was done, whichever orchestrator did it.
                    done: view
                        .records
                        .get(id)
                        .filter(|record| record.alive_epoch == instance.started_at)
                        .map(|record| record.epoch_jobs.clone())
                        .unwrap_or_default(),
                    ..Epoch::default()
                };
            }
            let observed = view.observed.services.get(id);
            let alive = observed.is_some_and(|service| service.alive);
            // Conditions of a job (a locked wallet) may come to hold until the service is ready.
            let settled = epoch.passed && observed.is_some_and(|service| service.ready);
            if !alive || settled || epoch.retry_at.is_some_and(|at| at > now) {
                continue;
            }
            let once = view
                .records
                .get(id)
                .map(|record| record.jobs_done.clone())
                .unwrap_or_default();
            let (hands, id, since, done) = (
                self.hands.clone(),
                id.clone(),
                epoch.since,
                epoch.done.clone(),
            );
            self.busy.insert(id.clone());
            self.running.push(Box::pin(async move {
                let jobs = hands.services.after_alive(&id, &once, &done);
                match hands.ending.run_until_cancelled(jobs).await {
                    Some(result) => Ended::Jobs(id, since, result),
                    None => Ended::Dropped(id),
                }
            }));
        }
    }

    pub(super) fn note_jobs(
        &mut self,
        id: &ServiceId,
        since: Option<UnixMillis>,
        result: Result<JobsDone, Obstacle>,
    ) -> Result<(), StoreError> {
        let now = self.hands.clock.monotonic();
        let Some(epoch) = self.epochs.get_mut(id).filter(|epoch| epoch.since == since) else {
            return Ok(());
        };
        match result {
            Ok(done) => {
                let jobs: BTreeSet<Name> = epoch.done.union(&done.this_start).cloned().collect();
                epoch.retry_at = Some(now + Duration::from_secs(1));
                if jobs != epoch.done || !done.once.is_empty() {
                    let (since, jobs) = (epoch.since, jobs.clone());
                    // What is not written down is not done: the jobs are looked at again.
                    self.hands.state.transaction(|tx| {
                        tx.update_record(id, |record| {
                            record.alive_epoch = since;
                            record.epoch_jobs = jobs;
                            record.note_done(done.once);
                        })
                    })?;
                }
                epoch.done = jobs;
                epoch.passed = true;
                epoch.failures = 0;
                epoch.obstacle = None;
            }
            Err(obstacle) => {
                epoch.failures += 1;
                let wait = Duration::from_secs(1 << epoch.failures.min(5));
                epoch.retry_at = Some(now + wait);
                if epoch.obstacle.as_ref() != Some(&obstacle) {
                    tracing::warn!(service.id = %id, code = obstacle.code, "a job of {id} failed: {}", obstacle.text);
                    let at = self.hands.clock.wall();
                    self.hands
                        .state
                        .append_event(Some(id), &obstacle.code, &obstacle.text, at)?;
                }
                epoch.obstacle = Some(obstacle);
            }
        }
        Ok(())
    }
}
