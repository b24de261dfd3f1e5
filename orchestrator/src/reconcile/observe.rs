//! Owns the way from instances, records and answers to one observed state, and what is remembered on the way:
//! ends that nobody asked for, first readiness, intents whose act is done.
//!
//! It changes records in memory only; the caller writes them before anything else happens.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

use crate::clock::UnixMillis;
use crate::id::ServiceId;
use crate::manifest::schema::OnLoss;
use crate::reconcile::backoff::Patience;
use crate::reconcile::execute::forget_failures;
use crate::reconcile::observed::ObservedService;
use crate::reconcile::observed::Recovery;
use crate::reconcile::observed::State;
use crate::reconcile::observed::StopStage;
use crate::reconcile::signals::Board;
use crate::runtime::Exit;
use crate::runtime::Instance;
use crate::runtime::InstanceState;
use crate::service::spec::EdgeSpec;
use crate::store::state::IntentKind;
use crate::store::state::SeenExit;
use crate::store::state::ServiceRecord;

/// Something worth telling the operator, found while observing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) service: ServiceId,
    pub(super) code: &'static str,
    pub(super) text: String,
}

/// What one look at the machine gave.
pub(super) struct Look<'a> {
    pub(super) instances: &'a BTreeMap<ServiceId, Instance>,
    pub(super) unreadable: &'a [ServiceId],
    /// The operator's own services, which have no instance.
    pub(super) external: &'a BTreeSet<ServiceId>,
    pub(super) board: &'a Board,
    /// When each stop that this orchestrator asked for runs out, in monotonic time.
    pub(super) deadlines: &'a BTreeMap<ServiceId, Duration>,
    /// Since when each service is ready without a break, in monotonic time, with the start of its run.
    pub(super) ready_since: &'a BTreeMap<ServiceId, (Option<UnixMillis>, Duration)>,
    /// When this orchestrator began to look, in monotonic time.
    pub(super) began_at: Duration,
    pub(super) monotonic: Duration,
    pub(super) now: UnixMillis,
    pub(super) patience: Patience,
}

impl Look<'_> {
    /// Whether the newest answer of this very run says yes. What has ended says nothing any more, even where its last
    /// answer is still on the board.
    fn says(
        &self,
        service: &ServiceId,
        signal: impl Fn(&crate::service::health::Signals) -> Option<bool>,
    ) -> bool {
        let instance = self.instances.get(service);
        if instance.is_some_and(|one| !matches!(one.state, InstanceState::Running { .. })) {
            return false;
        }
        let since = instance.and_then(|instance| instance.started_at);
        self.board
            .get(service)
            .is_some_and(|(of, signals)| *of == since && signal(signals) == Some(true))
    }

    /// Brings a record up to date with what was seen. Returns what is worth telling; an empty list and an unchanged
    /// record mean that nothing happened.
    pub(super) fn settle(&self, record: &mut ServiceRecord) -> Vec<Found> {
        let service = record.service.clone();
        let mut found = Vec::new();
        match self
            .instances
            .get(&service)
            .map(|instance| (instance, instance.state))
        {
            Some((_, InstanceState::Exited(exit))) => self.settle_exit(record, exit, &mut found),
            Some((instance, InstanceState::Running { .. })) => {
                // The orchestrator died between the start and its note: the start is done.
                let start = record.intent.as_ref().map(|intent| &intent.kind);
                if matches!(start, Some(IntentKind::Start { hash }) if *hash == instance.spec_hash)
                {
                    record.intent = None;
                }
                self.settle_running(record, &mut found);
            }
            Some((_, InstanceState::Prepared)) | None => {
                let stop = matches!(&record.intent, Some(intent) if matches!(intent.kind, IntentKind::Stop { .. }));
                if stop && !self.unreadable.contains(&service) {
                    record.intent = None;
                    found.push(Found {
                        service,
                        code: "stopped",
                        text: "stopped".to_owned(),
                    });
                }
            }
        }
        found
    }

    fn settle_running(&self, record: &mut ServiceRecord, found: &mut Vec<Found>) {
        let service = record.service.clone();
        if !self.says(&service, |signals| signals.ready.ok) {
            return;
        }
        let ready_for = self
            .ready_since
            .get(&service)
            .map_or(Duration::ZERO, |(_, since)| {
                self.monotonic.saturating_sub(*since)
            });
        if record.first_ready_at.is_none() {
            record.first_ready_at = Some(self.now);
            found.push(Found {
                service,
                code: "first_ready",
                text: "is ready for the first time".to_owned(),
            });
        }
        // The time that it took to become ready proves nothing: a service may start slowly and then crash.
        if (record.failures > 0 || record.needs_you) && ready_for >= self.patience.settled {
            forget_failures(record);
        }
    }

    fn settle_exit(&self, record: &mut ServiceRecord, exit: Exit, found: &mut Vec<Found>) {
        let seen = record.seen_exit.is_some_and(|seen| seen.at == exit.at);
        let asked = matches!(&record.intent, Some(intent) if matches!(intent.kind, IntentKind::Stop { .. }));
        if asked {
            record.intent = None;
            record.seen_exit = Some(SeenExit {
                at: exit.at,
                asked: true,
            });
            let text = format!("stopped ({})", ending(exit));
            found.push(Found {
                service: record.service.clone(),
                code: "stopped",
                text,
            });
            return;
        }
        if seen {
            return;
        }
        let lost = self.lost_provider(record);
        if lost.is_none() && self.undecided(record, exit) {
            return;
        }
        record.seen_exit = Some(SeenExit {
            at: exit.at,
            asked: false,
        });
        if let Some(provider) = lost {
            let text = format!(
                "{} because {provider} went away; it is started again when {provider} is back",
                ending(exit)
            );
            found.push(Found {
                service: record.service.clone(),
                code: "exited_with_provider",
                text,
            });
            return;
        }
        found.push(fail(record, ending(exit), self.now, self.patience));
    }

    /// Whether it may still come to light that a provider went away first.
    fn undecided(&self, record: &ServiceRecord, exit: Exit) -> bool {
        self.loss_may_follow(record, exit) || self.answer_may_follow(record, exit)
    }

    /// Whether the end is so fresh that the loss of a provider, which would explain it, may not have been seen yet: the
    /// two ends are reported by two supervisors, in any order.
    fn loss_may_follow(&self, record: &ServiceRecord, exit: Exit) -> bool {
        explaining(record).next().is_some()
            && exit.at <= self.now
            && self.now.since(exit.at) < LOSS_SEEN_WITHIN
    }

    /// Whether a provider that runs has not answered yet, as after the orchestrator's own start. Nobody waits for ever:
    /// a provider that hangs answers no probe, and the probe's own time is over by then.
    fn answer_may_follow(&self, record: &ServiceRecord, exit: Exit) -> bool {
        let fresh = exit.at <= self.now && self.now.since(exit.at) < ANSWERED_WITHIN
            || self.monotonic.saturating_sub(self.began_at) < ANSWERED_WITHIN;
        fresh && explaining(record).any(|provider| self.standing(provider) == Standing::Unknown)
    }

    /// The provider whose loss explains an end: one that this service exits with, and that is gone or says so.
    fn lost_provider(&self, record: &ServiceRecord) -> Option<ServiceId> {
        explaining(record)
            .find(|provider| self.standing(provider) == Standing::Lost)
            .cloned()
    }

    /// What is known of a provider. The board is empty when an orchestrator begins: that says nothing against anyone.
    fn standing(&self, provider: &ServiceId) -> Standing {
        let since = match self.instances.get(provider) {
            Some(one) if matches!(one.state, InstanceState::Running { .. }) => one.started_at,
            None if self.external.contains(provider) => None,
            Some(_) | None => return Standing::Lost,
        };
        let answer = self.board.get(provider).filter(|(of, _)| *of == since);
        match answer.and_then(|(_, signals)| signals.alive.ok) {
            Some(true) => Standing::There,
            Some(false) => Standing::Lost,
            None => Standing::Unknown,
        }
    }

    /// Puts one service into the snapshot.
    pub(super) fn observe(
        &self,
        service: &ServiceId,
        record: Option<&ServiceRecord>,
        jobs_pending: bool,
    ) -> ObservedService {
        let state = self.state(service, record);
        let recovery = match record {
            Some(record) if record.needs_you => Recovery::NeedsYou,
            // A wait longer than the longest one comes from a clock that jumped: it is over.
            Some(record)
                if record.retry_at.is_some_and(|at| {
                    at > self.now && at.since(self.now) <= self.patience.longest
                }) =>
            {
                Recovery::BackingOff
            }
            // An end that is not explained yet.
            Some(record) if self.unsettled(service, record) => Recovery::BackingOff,
            _ => Recovery::Free,
        };
        ObservedService {
            applied: record
                .and_then(|record| record.applied.as_ref())
                .map(|applied| applied.spec.clone()),
            applied_hash: record
                .and_then(|record| record.applied.as_ref())
                .map(|applied| applied.hash.clone()),
            applied_settings: record
                .and_then(|record| record.applied.as_ref())
                .map(|applied| applied.settings.clone())
                .unwrap_or_default(),
            alive: self.says(service, |signals| signals.alive.ok),
            ready: !jobs_pending && self.says(service, |signals| signals.ready.ok),
            synced: !jobs_pending && self.says(service, |signals| signals.synced.ok),
            ready_before: record.is_some_and(|record| record.first_ready_at.is_some()),
            failures: record.map_or(0, |record| record.failures),
            recovery,
            blocked: None,
            state,
        }
    }

    /// Whether the service ended and [`Look::settle`] has not decided why.
    fn unsettled(&self, service: &ServiceId, record: &ServiceRecord) -> bool {
        match self.instances.get(service).map(|instance| instance.state) {
            Some(InstanceState::Exited(exit)) => {
                record.seen_exit.is_none_or(|seen| seen.at != exit.at)
                    && self.undecided(record, exit)
            }
            _ => false,
        }
    }

    fn state(&self, service: &ServiceId, record: Option<&ServiceRecord>) -> State {
        if self.unreadable.contains(service) {
            return State::Unreadable;
        }
        let Some(instance) = self.instances.get(service) else {
            return State::Absent;
        };
        let hash = instance.spec_hash.clone();
        match instance.state {
            InstanceState::Prepared => State::Prepared { hash },
            InstanceState::Exited(exit) => {
                let asked = record
                    .and_then(|record| record.seen_exit)
                    .is_some_and(|seen| seen.at == exit.at && seen.asked);
                State::Exited { hash, exit, asked }
            }
            InstanceState::Running { .. } => {
                let intent = record
                    .and_then(|record| record.intent.as_ref())
                    .map(|intent| &intent.kind);
                if !matches!(intent, Some(IntentKind::Stop { .. })) {
                    return State::Running {
                        hash,
                        supervised: instance.supervised,
                    };
                }
                let stage = match self.deadlines.get(service) {
                    None => StopStage::Intended,
                    Some(deadline) if *deadline <= self.monotonic => StopStage::Overdue,
                    Some(_) => StopStage::Asked,
                };
                State::Stopping { hash, stage }
            }
        }
    }
}

/// How long after the end of a consumer the end of its provider may come to light.
const LOSS_SEEN_WITHIN: Duration = Duration::from_secs(2);

/// How long a provider that runs may take for its first answer.
const ANSWERED_WITHIN: Duration = Duration::from_secs(15);

/// What is known of a provider when its consumer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It answers.
    There,
    /// It runs, or is the operator's own, and has not answered yet.
    Unknown,
    /// It does not run, or its answer was no.
    Lost,
}

/// The providers whose loss would explain the end of a service.
fn explaining(record: &ServiceRecord) -> impl Iterator<Item = &ServiceId> {
    let edges = record
        .applied
        .as_ref()
        .map(|applied| applied.spec.edges.as_slice())
        .unwrap_or_default();
    edges
        .iter()
        .filter(|edge| may_explain_an_end(edge))
        .map(|edge| &edge.id.provider)
}

fn may_explain_an_end(edge: &EdgeSpec) -> bool {
    edge.on_loss == OnLoss::Exits && !crate::reconcile::plan::is_no_service(&edge.id.provider)
}

/// Counts one more failure and decides what follows.
pub(super) fn fail(
    record: &mut ServiceRecord,
    cause: String,
    now: UnixMillis,
    patience: Patience,
) -> Found {
    record.failures = record.failures.saturating_add(1);
    record.cause = Some(cause.clone());
    let service = record.service.clone();
    match patience.wait(record.failures) {
        Some(wait) => {
            record.retry_at = Some(now.plus(wait));
            let text = format!("{cause}; tries again in {} s", wait.as_secs_f32());
            Found {
                service,
                code: "failed",
                text,
            }
        }
        None => {
            record.needs_you = true;
            record.retry_at = None;
            let text = format!(
                "{cause}; failed {} times in a row and needs you",
                record.failures
            );
            Found {
                service,
                code: "needs_you",
                text,
            }
        }
    }
}

/// Says in words how a program ended.
pub(super) fn ending(exit: Exit) -> String {
    match (exit.code, exit.signal) {
        (Some(code), _) => match meaning(code) {
            Some(meaning) => format!("ended with code {code} ({meaning})"),
            None => format!("ended with code {code}"),
        },
        (None, Some(signal)) => format!("ended by signal {signal}"),
        (None, None) => "ended unseen".to_owned(),
    }
}

/// What an exit code means by convention. Source: sysexits.h; 126 and 127: POSIX, sh.
fn meaning(code: i32) -> Option<&'static str> {
    match code {
        65 => Some("its data are not what it expects"),
        66 => Some("a file that it needs is missing or cannot be read"),
        69 => Some("something that it needs does not answer"),
        70 => Some("a mistake in the program"),
        71 => Some("the operating system refused something"),
        73 => Some("it could not create a file"),
        74 => Some("reading or writing failed: check the disk"),
        75 => Some("another process has what it needs"),
        77 => Some("it lacks a permission"),
        78 => Some("its configuration is wrong"),
        126 | 127 => Some("its program could not be executed"),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
