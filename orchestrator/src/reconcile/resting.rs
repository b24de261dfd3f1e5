//! Owns what is not tried again yet: a failure is not repeated as fast as the machine can.
//!
//! It decides nothing else about a step; a start that failed has its own patience (`backoff`).

use std::collections::BTreeMap;
use std::time::Duration;

use crate::id::ServiceId;
use crate::reconcile::SOON;
use crate::reconcile::execute::Done;

/// What is not tried again before a moment of monotonic time: a failure is not repeated as fast as the machine can.
#[derive(Default)]
pub(super) struct Resting {
    /// Everything, after an intent could not be written.
    all: Option<Duration>,
    /// One service, after a step other than a start failed; with how often it did so in a row.
    services: BTreeMap<ServiceId, (u32, Duration)>,
}

impl Resting {
    pub(super) fn rests(&self, service: &ServiceId, now: Duration) -> bool {
        let one = self.services.get(service);
        self.all.is_some_and(|until| until > now) || one.is_some_and(|(_, until)| *until > now)
    }

    pub(super) fn note(&mut self, service: &ServiceId, done: &Done, now: Duration) {
        match done {
            Done::Well | Done::Asked(_) | Done::Killed | Done::GivenUp | Done::Failed => {
                self.all = None;
                self.services.remove(service);
            }
            Done::Troubled => {
                self.all = None;
                let failures = self
                    .services
                    .get(service)
                    .map_or(0, |(failures, _)| *failures);
                let wait = Duration::from_secs(1 << failures.min(5));
                self.services
                    .insert(service.clone(), (failures.saturating_add(1), now + wait));
            }
            Done::NotWritten(_) => self.all = Some(now + SOON),
        }
    }
}
