//! Owns the decision: from what is desired and what is observed to the steps that are due now.
//!
//! `plan` is total, pure and deterministic: no clock, no chance, no I/O, no logging. It never restarts a service whose
//! specification did not change, and removals stand before creations.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::id::ServiceId;
use crate::manifest::schema::OnLoss;
use crate::manifest::schema::WaitsFor;
use crate::reconcile::observed::Observed;
use crate::reconcile::observed::ObservedService;
use crate::reconcile::observed::Recovery;
use crate::reconcile::observed::State;
use crate::reconcile::observed::StopStage;
use crate::reconcile::step::Action;
use crate::reconcile::step::Note;
use crate::reconcile::step::Plan;
use crate::reconcile::step::Step;
use crate::service::desired::Desired;
use crate::service::desired::DesiredService;
use crate::service::desired::Wanted;
use crate::service::desired::difference;
use crate::service::spec::EdgeSpec;
use crate::service::spec::ServiceSpec;
use crate::service::spec::SpecHash;
use crate::service::spec::StopSpec;

/// Decides what is due.
#[must_use]
pub fn plan(desired: &Desired, observed: &Observed) -> Plan {
    let view = View::new(desired, observed);
    let ids: BTreeSet<&ServiceId> = desired
        .services
        .keys()
        .chain(observed.services.keys())
        .collect();
    let mut plan = Plan::default();
    for id in ids {
        match view.decide(id) {
            Decision::Due(action, because) => {
                plan.steps.push(Step {
                    service: id.clone(),
                    action,
                    because,
                });
            }
            Decision::Rest(code, text) => {
                plan.notes.push(Note {
                    service: id.clone(),
                    code: code.to_owned(),
                    text,
                });
            }
            Decision::Gone => {}
        }
    }
    if plan.steps.len() < 2 {
        return plan;
    }
    let depth = view.depths();
    plan.steps.sort_by_cached_key(|step| {
        let depth = depth.get(&step.service).copied().unwrap_or(0);
        // Consumers go before their providers on the way down, providers before their consumers on the way up.
        let within = if step.action.goes_down() {
            usize::MAX - depth
        } else {
            depth
        };
        (step.action.rank(), within, step.service.clone())
    });
    plan
}

enum Decision {
    Due(Action, Vec<String>),
    Rest(&'static str, String),
    Gone,
}

impl Action {
    fn rank(&self) -> u8 {
        match self {
            Self::Kill { .. } => 0,
            Self::AskAgain { .. } => 1,
            Self::Remove { .. } => 2,
            Self::Clean => 3,
            Self::Supervise { .. } => 4,
            Self::Restart { .. } => 5,
            Self::Start { .. } => 6,
        }
    }

    fn goes_down(&self) -> bool {
        !matches!(self, Self::Supervise { .. } | Self::Start { .. })
    }
}

struct View<'a> {
    desired: &'a Desired,
    observed: &'a Observed,
    /// Who runs and calls each provider, found once, when first asked: asking every service for each
    /// provider costs the square.
    running_consumers: OnceCell<Consumers<'a>>,
}

/// By provider; whether the consumer cannot do without it stands beside each.
type Consumers<'a> = BTreeMap<&'a ServiceId, BTreeMap<&'a ServiceId, bool>>;

impl<'a> View<'a> {
    fn new(desired: &'a Desired, observed: &'a Observed) -> Self {
        Self {
            desired,
            observed,
            running_consumers: OnceCell::new(),
        }
    }

    fn find_running_consumers(&self) -> Consumers<'a> {
        let mut found = Consumers::new();
        for (id, service) in &self.observed.services {
            // What cannot be seen may run: nothing is taken away from under it.
            let may_run = service.state.occupied() || service.state == State::Unreadable;
            if let Some(applied) = &service.applied
                && may_run
            {
                for edge in &applied.edges {
                    let consumers = found.entry(&edge.id.provider).or_default();
                    *consumers.entry(id).or_default() |= !edge.optional;
                }
            }
        }
        found
    }

    fn decide(&self, id: &ServiceId) -> Decision {
        let absent = ObservedService::default();
        let now = self.observed.services.get(id).unwrap_or(&absent);
        if now.state == State::Unreadable {
            return Decision::Rest(
                "record_unreadable",
                "its record cannot be read; nothing is started or stopped".to_owned(),
            );
        }
        match self.desired.services.get(id).map(|service| &service.wanted) {
            Some(Wanted::Run { spec, hash }) => self.decide_wanted(id, now, spec, hash),
            Some(Wanted::External) if now.state != State::Absent => self.decide_unwanted(id, now),
            Some(Wanted::External) => Decision::Rest(
                "external",
                "the operator's own; probed, never touched".to_owned(),
            ),
            Some(Wanted::HeldBack { code: _, text }) if !now.state.occupied() => {
                Decision::Rest("held_back", text.clone())
            }
            Some(Wanted::HeldBack { code: _, text }) => self.decide_held_while_running(now, text),
            None => self.decide_unwanted(id, now),
        }
    }

    /// A service that runs is not stopped because its program vanished from the PATH: what serves, serves on.
    fn decide_held_while_running(&self, now: &ObservedService, text: &str) -> Decision {
        match &now.state {
            State::Stopping { stage, .. } => decide_stopping(now, *stage),
            _ => Decision::Rest(
                "held_back",
                format!("runs on, but could not be started again: {text}"),
            ),
        }
    }

    fn decide_unwanted(&self, id: &ServiceId, now: &ObservedService) -> Decision {
        match &now.state {
            State::Absent => Decision::Gone,
            State::Stopping { stage, .. } => decide_stopping(now, *stage),
            State::Running { .. } => {
                // A consumer that is held back, or runs as wanted already because the operator's own server stands
                // at the same address, does not stop: it would be waited for in vain.
                let waits: Vec<String> = self
                    .needing_consumers(id)
                    .filter(|consumer| {
                        !self.is_held_back(consumer) && !self.runs_as_wanted(consumer)
                    })
                    .map(ToString::to_string)
                    .collect();
                if waits.is_empty() {
                    let stop = stop_of(now);
                    Decision::Due(
                        Action::Remove { stop },
                        vec!["no longer wanted; data stay".to_owned()],
                    )
                } else {
                    Decision::Rest("waits_to_stop", format!("stops after {}", waits.join(", ")))
                }
            }
            State::Prepared { .. } | State::Exited { .. } => Decision::Due(
                Action::Clean,
                vec!["no longer wanted; data stay".to_owned()],
            ),
            State::Unreadable => Decision::Gone,
        }
    }

    fn decide_wanted(
        &self,
        id: &ServiceId,
        now: &ObservedService,
        spec: &ServiceSpec,
        hash: &SpecHash,
    ) -> Decision {
        match &now.state {
            // Whatever is to become of it: a program without a supervisor ends unseen.
            State::Running {
                hash: running,
                supervised: false,
            } => Decision::Due(
                Action::Supervise {
                    hash: running.clone(),
                },
                vec!["its supervisor is gone".to_owned()],
            ),
            State::Running { hash: running, .. } if running == hash => self.note_running(now, spec),
            State::Running { .. } => self.decide_restart(id, now, spec),
            State::Stopping { stage, .. } => decide_stopping(now, *stage),
            State::Absent | State::Prepared { .. } | State::Exited { .. } => {
                self.decide_start(id, now, spec, hash)
            }
            State::Unreadable => Decision::Gone,
        }
    }

    fn note_running(&self, now: &ObservedService, spec: &ServiceSpec) -> Decision {
        let gone: Vec<String> = sorted(&spec.edges)
            .into_iter()
            .filter(|edge| !self.provider_alive(edge))
            .map(|edge| match edge.on_loss {
                OnLoss::RidesOut => format!("{} (rides it out)", edge.id.provider),
                OnLoss::Exits => format!("{} (may exit, and is started again)", edge.id.provider),
            })
            .collect();
        if !gone.is_empty() {
            return Decision::Rest("degraded", format!("degraded: without {}", gone.join(", ")));
        }
        if now.ready {
            Decision::Rest("keep", "runs as wanted".to_owned())
        } else {
            Decision::Rest("starting", "runs as wanted, not ready yet".to_owned())
        }
    }

    /// Says in words what changed since the service was started.
    fn changes(&self, id: &ServiceId, now: &ObservedService) -> Vec<String> {
        let unnamed = vec!["its specification changed".to_owned()];
        let (Some(applied), Some(new)) = (&now.applied, self.desired.services.get(id)) else {
            return unnamed;
        };
        let known = now.applied_hash.as_ref().or(now.state.hash());
        let Some(hash) = known.cloned() else {
            return unnamed;
        };
        let old = DesiredService {
            wanted: Wanted::Run {
                spec: Box::new(applied.clone()),
                hash,
            },
            settings: now.applied_settings.clone(),
            ..new.clone()
        };
        let changes = difference(&old, new);
        if changes.is_empty() { unnamed } else { changes }
    }

    fn decide_restart(
        &self,
        id: &ServiceId,
        now: &ObservedService,
        spec: &ServiceSpec,
    ) -> Decision {
        let changes = self.changes(id, now);
        // Stopping what could not be started again would turn a change into an outage.
        if self.observed.sealed && spec.needs_secrets() {
            return Decision::Rest(
                "change_waits_for_unlock",
                format!(
                    "keeps the old specification until the vault is unlocked ({})",
                    changes.join("; ")
                ),
            );
        }
        if let Some(obstacle) = &now.blocked {
            return Decision::Rest(
                "change_blocked",
                format!("keeps the old specification: {}", obstacle.text),
            );
        }
        let waits: Vec<String> = self
            .needing_consumers(id)
            .filter(|consumer| self.is_changing(consumer))
            .map(ToString::to_string)
            .collect();
        if !waits.is_empty() {
            let mut phrases = vec![format!("restarts after {} stopped", waits.join(", "))];
            phrases.extend(self.effects(id));
            return Decision::Rest("waits_to_restart", phrases.join("; "));
        }
        let mut because = changes;
        because.extend(self.effects(id));
        Decision::Due(Action::Restart { stop: stop_of(now) }, because)
    }

    /// Says who is without service while `id` restarts, and is not changed itself: whoever exits takes its own consumers
    /// along.
    fn effects(&self, id: &ServiceId) -> Vec<String> {
        let mut said = Vec::new();
        let mut seen = BTreeSet::from([id]);
        let mut gone = vec![id];
        while let Some(provider) = gone.pop() {
            for (consumer, on_loss) in self.unchanged_consumers(provider) {
                if !seen.insert(consumer) {
                    continue;
                }
                match on_loss {
                    OnLoss::RidesOut => said.push(format!("{consumer} rides it out")),
                    OnLoss::Exits => {
                        said.push(format!("{consumer} will exit and is started again"));
                        gone.push(consumer);
                    }
                }
            }
        }
        said
    }

    fn decide_start(
        &self,
        id: &ServiceId,
        now: &ObservedService,
        spec: &ServiceSpec,
        hash: &SpecHash,
    ) -> Decision {
        // What failed with another specification says nothing of this one.
        let other = now.recovery != Recovery::Free
            && now
                .applied_hash
                .as_ref()
                .is_some_and(|applied| applied != hash);
        match now.recovery {
            Recovery::NeedsYou if !other => {
                return Decision::Rest(
                    "needs_you",
                    format!("failed {}; needs you", times(now.failures)),
                );
            }
            Recovery::BackingOff if !other => {
                return Decision::Rest(
                    "backing_off",
                    format!("failed {}; waits before the next try", times(now.failures)),
                );
            }
            Recovery::Free | Recovery::NeedsYou | Recovery::BackingOff => {}
        }
        if self.observed.sealed && spec.needs_secrets() {
            return Decision::Rest("sealed", "needs a secret: unlock the vault".to_owned());
        }
        if let Some(obstacle) = &now.blocked {
            return Decision::Rest("blocked", obstacle.text.clone());
        }
        if let Some((code, text)) = sorted(&spec.edges)
            .into_iter()
            .find_map(|edge| self.gate(edge, now.ready_before))
        {
            return Decision::Rest(code, text);
        }
        if other {
            return Decision::Due(Action::Start { hash: hash.clone() }, self.changes(id, now));
        }
        let why = match &now.state {
            State::Absent if now.applied.is_none() => "new".to_owned(),
            State::Absent => "not running".to_owned(),
            State::Prepared { .. } => "its start was not finished".to_owned(),
            State::Exited { asked: true, .. } => "stopped for its new specification".to_owned(),
            State::Exited { exit, .. } => match (exit.code, exit.signal) {
                (Some(code), _) => format!("ended with code {code}"),
                (None, Some(signal)) => format!("ended by signal {signal}"),
                (None, None) => "ended unseen".to_owned(),
            },
            _ => "not running".to_owned(),
        };
        Decision::Due(Action::Start { hash: hash.clone() }, vec![why])
    }

    /// What one edge holds against a start now. The first start waits for the signal that the manifest names; a
    /// later one only for a provider that answers, and for one that is about to restart.
    fn gate(&self, edge: &EdgeSpec, ready_before: bool) -> Option<(&'static str, String)> {
        // The service can run without it.
        if edge.optional {
            return None;
        }
        let provider = &edge.id.provider;
        match self
            .desired
            .services
            .get(provider)
            .map(|service| &service.wanted)
        {
            None if is_no_service(provider) => return None,
            None => {
                return Some((
                    "waits",
                    format!("waits for {provider}, which is not wanted"),
                ));
            }
            Some(Wanted::HeldBack { .. }) => {
                return Some(("waits", format!("waits for {provider}, which is held back")));
            }
            Some(Wanted::Run { .. }) if self.is_changing(provider) => {
                return Some(("waits", format!("waits for {provider} to restart")));
            }
            Some(Wanted::Run { .. } | Wanted::External) => {}
        }
        let wants = if ready_before && edge.on_loss == OnLoss::RidesOut {
            WaitsFor::Alive
        } else {
            edge.waits_for
        };
        let absent = ObservedService::default();
        let there = self.observed.services.get(provider).unwrap_or(&absent);
        let (holds, word) = match wants {
            WaitsFor::Alive => (there.alive, "answer"),
            WaitsFor::Ready => (there.ready, "be ready"),
            WaitsFor::Synced => (there.synced, "catch up"),
        };
        (!holds).then(|| ("waits", format!("waits for {provider} to {word}")))
    }

    fn provider_alive(&self, edge: &EdgeSpec) -> bool {
        if is_no_service(&edge.id.provider) {
            return true;
        }
        self.observed
            .services
            .get(&edge.id.provider)
            .is_some_and(|provider| provider.alive)
    }

    /// Whether a service runs (or is on its way down) with another specification than the desired one, or unwanted.
    fn is_changing(&self, id: &ServiceId) -> bool {
        let Some(now) = self.observed.services.get(id) else {
            return false;
        };
        let wanted = self.desired.services.get(id).map(|service| &service.wanted);
        match wanted {
            Some(Wanted::Run { hash, spec }) => match &now.state {
                State::Stopping { .. } => true,
                State::Running { hash: running, .. } => {
                    running != hash
                        && now.blocked.is_none()
                        && !(self.observed.sealed && spec.needs_secrets())
                }
                _ => false,
            },
            // What is no longer wanted is on its way down, too.
            None | Some(Wanted::External) => now.state.occupied(),
            Some(Wanted::HeldBack { .. }) => false,
        }
    }

    fn runs_as_wanted(&self, id: &ServiceId) -> bool {
        let wanted = self.desired.services.get(id).map(|one| &one.wanted);
        let state = self.observed.services.get(id).map(|now| &now.state);
        matches!(
            (wanted, state),
            (Some(Wanted::Run { hash, .. }), Some(State::Running { hash: running, .. }))
                if hash == running
        )
    }

    fn is_held_back(&self, id: &ServiceId) -> bool {
        let wanted = self.desired.services.get(id).map(|one| &one.wanted);
        matches!(wanted, Some(Wanted::HeldBack { .. }))
    }

    /// The services that run and call `provider`, in the order of their names, each with whether it needs it.
    fn running_consumers(
        &self,
        provider: &ServiceId,
    ) -> impl Iterator<Item = (&'a ServiceId, bool)> {
        let all = self
            .running_consumers
            .get_or_init(|| self.find_running_consumers());
        let consumers: Vec<(&'a ServiceId, bool)> = all
            .get(provider)
            .into_iter()
            .flatten()
            .map(|(consumer, needs)| (*consumer, *needs))
            .collect();
        consumers.into_iter()
    }

    /// Those that cannot do without it. Over optional edges nobody is waited for: they may form a circle.
    fn needing_consumers(&self, provider: &ServiceId) -> impl Iterator<Item = &'a ServiceId> {
        self.running_consumers(provider)
            .filter(|(_, needs)| *needs)
            .map(|(consumer, _)| consumer)
    }

    fn unchanged_consumers(&self, provider: &ServiceId) -> Vec<(&'a ServiceId, OnLoss)> {
        self.running_consumers(provider)
            .map(|(consumer, _)| consumer)
            .filter(|consumer| !self.is_changing(consumer))
            .filter_map(|consumer| {
                let spec = self.observed.services.get(consumer)?.applied.as_ref()?;
                let edges = spec
                    .edges
                    .iter()
                    .filter(|edge| edge.id.provider == *provider);
                let exits = edges.clone().any(|edge| edge.on_loss == OnLoss::Exits);
                Some((
                    consumer,
                    if exits {
                        OnLoss::Exits
                    } else {
                        OnLoss::RidesOut
                    },
                ))
            })
            .collect()
    }

    /// How far each service stands from a service without providers. A cycle (refused by validation) ends the count.
    fn depths(&self) -> BTreeMap<ServiceId, usize> {
        let mut providers: BTreeMap<&ServiceId, BTreeSet<&ServiceId>> = BTreeMap::new();
        for (id, service) in &self.observed.services {
            if let Some(spec) = &service.applied {
                providers
                    .entry(id)
                    .or_default()
                    .extend(spec.edges.iter().map(|edge| &edge.id.provider));
            }
        }
        for (id, service) in &self.desired.services {
            if let Wanted::Run { spec, .. } = &service.wanted {
                providers
                    .entry(id)
                    .or_default()
                    .extend(spec.edges.iter().map(|edge| &edge.id.provider));
            }
        }
        let mut depths: BTreeMap<ServiceId, usize> =
            providers.keys().map(|id| ((*id).clone(), 0)).collect();
        for _ in 0..providers.len() {
            let mut moved = false;
            for (id, needs) in &providers {
                let below = needs.iter().filter_map(|need| depths.get(*need)).max();
                let depth = below.map_or(0, |below| below + 1);
                if depths.get(*id).is_some_and(|known| *known < depth) {
                    depths.insert((*id).clone(), depth);
                    moved = true;
                }
            }
            if !moved {
                break;
            }
        }
        depths
    }
}

/// The order in which a manifest lists its edges decides nothing.
fn sorted(edges: &[EdgeSpec]) -> Vec<&EdgeSpec> {
    let mut edges: Vec<&EdgeSpec> = edges.iter().collect();
    edges.sort_by(|one, other| one.id.cmp(&other.id));
    edges
}

/// The node itself and the way out are parties to edges, but nothing that is started.
pub(super) fn is_no_service(party: &ServiceId) -> bool {
    *party == crate::id::node_party() || party.as_str() == "internet"
}

fn decide_stopping(now: &ObservedService, stage: StopStage) -> Decision {
    let stop = stop_of(now);
    match stage {
        StopStage::Intended => Decision::Due(
            Action::AskAgain { stop },
            vec!["its stop was not finished".to_owned()],
        ),
        StopStage::Asked => Decision::Rest(
            "stopping",
            format!("stopping; it may take up to {} s", stop.grace_seconds),
        ),
        StopStage::Overdue => Decision::Due(
            Action::Kill { stop },
            vec![format!("did not stop within {} s", stop.grace_seconds)],
        ),
    }
}

/// How a running service is to be stopped: as its own specification says, not as the new one does.
fn stop_of(now: &ObservedService) -> StopSpec {
    let careful = StopSpec {
        signal: crate::manifest::schema::StopSignal::Term,
        grace_seconds: 600,
    };
    now.applied.as_ref().map_or(careful, |spec| spec.stop)
}

/// Writes how often something happened.
fn times(count: u32) -> String {
    match count {
        1 => "once".to_owned(),
        _ => format!("{count} times"),
    }
}

#[cfg(test)]
mod tests;
