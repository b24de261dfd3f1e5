//! Properties of the planner over arbitrary situations.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use proptest::prelude::*;

use super::script;
use crate::clock::UnixMillis;
use crate::id::ServiceId;
use crate::manifest::schema::Network;
use crate::manifest::schema::OnLoss;
use crate::manifest::schema::WaitsFor;
use crate::reconcile::observed::Observed;
use crate::reconcile::observed::ObservedService;
use crate::reconcile::observed::Recovery;
use crate::reconcile::observed::State;
use crate::reconcile::observed::StopStage;
use crate::reconcile::plan::Action;
use crate::reconcile::plan::Plan;
use crate::reconcile::plan::plan;
use crate::runtime::Exit;
use crate::service::desired::Desired;
use crate::service::desired::Wanted;
use crate::service::spec::EdgeSpec;
use crate::service::spec::SpecHash;

const NAMES: [&str; 6] = ["alpha", "bravo", "charlie", "delta", "echo", "foxtrot"];

type Picks = Vec<(bool, bool, u8)>;
type DesiredPick = (u8, u8, Picks, bool);
type ObservedPick = (u8, u8, Picks, bool, u8);

/// Edges go from a later name to an earlier one only: validation refuses cycles.
fn edges_of(index: usize, picks: &Picks) -> Vec<EdgeSpec> {
    let there = picks
        .iter()
        .take(index)
        .enumerate()
        .filter(|(_, pick)| pick.0);
    there
        .map(|(provider, (_, exits, waits))| {
            let on_loss = if *exits {
                OnLoss::Exits
            } else {
                OnLoss::RidesOut
            };
            let waits =
                [WaitsFor::Alive, WaitsFor::Ready, WaitsFor::Synced][usize::from(waits % 3)];
            script::edge(NAMES[index], NAMES[provider], on_loss, waits)
        })
        .collect()
}

fn edge_picks() -> impl Strategy<Value = Picks> {
    prop::collection::vec((any::<bool>(), any::<bool>(), 0u8..3), 6)
}

fn desired_picks() -> impl Strategy<Value = Vec<DesiredPick>> {
    prop::collection::vec((0u8..10, 1u8..3, edge_picks(), any::<bool>()), 6)
}

fn observed_picks() -> impl Strategy<Value = Vec<ObservedPick>> {
    prop::collection::vec((0u8..12, 1u8..3, edge_picks(), any::<bool>(), 0u8..16), 6)
}

fn desired_from(picks: &[DesiredPick]) -> Desired {
    let mut services: BTreeMap<ServiceId, crate::service::desired::DesiredService> =
        BTreeMap::new();
    for (index, (kind, version, edges, secret)) in picks.iter().enumerate() {
        let id = NAMES[index];
        let wanted = match kind {
            0 => continue,
            1 => Wanted::HeldBack {
                code: "not_installed".parse().expect("a code"),
                text: "no program".to_owned(),
            },
            2 => Wanted::External,
            _ => Wanted::Run {
                spec: Box::new(script::spec(
                    id,
                    &format!("v{version}"),
                    edges_of(index, edges),
                    *secret,
                )),
                hash: SpecHash(format!("v{version}")),
            },
        };
        services.insert(id.parse().expect("a service"), script::service(id, wanted));
    }
    // Resolving refuses an edge to a service that nobody wants.
    let names: BTreeSet<ServiceId> = services.keys().cloned().collect();
    for service in services.values_mut() {
        if let Wanted::Run { spec, .. } = &mut service.wanted {
            spec.edges.retain(|edge| names.contains(&edge.id.provider));
        }
    }
    Desired {
        network: Network::Regtest,
        services,
    }
}

fn ended(asked: bool, hash: SpecHash) -> State {
    State::Exited {
        hash,
        exit: Exit {
            code: Some(1),
            signal: None,
            at: UnixMillis(1),
        },
        asked,
    }
}

fn observed_from(picks: &[ObservedPick], sealed: bool) -> Observed {
    let mut services = BTreeMap::new();
    for (index, (kind, version, edges, secret, bits)) in picks.iter().enumerate() {
        let id = NAMES[index];
        let hash = SpecHash(format!("v{version}"));
        let applied_hash = Some(hash.clone());
        let (state, recovery) = match kind {
            0 | 1 => (State::Absent, Recovery::Free),
            2 => (State::Prepared { hash }, Recovery::Free),
            3 => (ended(bits & 8 != 0, hash), Recovery::Free),
            4 => (ended(false, hash), Recovery::BackingOff),
            5 => (ended(false, hash), Recovery::NeedsYou),
            6 => (
                State::Stopping {
                    hash,
                    stage: StopStage::Intended,
                },
                Recovery::Free,
            ),
            7 => (
                State::Stopping {
                    hash,
                    stage: StopStage::Asked,
                },
                Recovery::Free,
            ),
            8 => (
                State::Stopping {
                    hash,
                    stage: StopStage::Overdue,
                },
                Recovery::Free,
            ),
            9 => (
                State::Running {
                    hash,
                    supervised: false,
                },
                Recovery::Free,
            ),
            _ => (
                State::Running {
                    hash,
                    supervised: true,
                },
                Recovery::Free,
            ),
        };
        let runs = matches!(state, State::Running { .. });
        let service = ObservedService {
            applied: Some(script::spec(
                id,
                &format!("v{version}"),
                edges_of(index, edges),
                *secret,
            )),
            applied_hash,
            applied_settings: BTreeMap::new(),
            alive: runs && bits & 1 != 0,
            ready: runs && bits & 3 == 3,
            synced: runs && bits & 7 == 7,
            ready_before: bits & 2 != 0,
            failures: 0,
            recovery,
            blocked: None,
            state,
        };
        services.insert(id.parse().expect("a service"), service);
    }
    Observed {
        services,
        sealed,
        foreign: Vec::new(),
    }
}

prop_compose! {
    fn situation()(desired in desired_picks(), observed in observed_picks(), sealed in any::<bool>()) -> (Desired, Observed) {
        let desired = desired_from(&desired);
        let mut observed = observed_from(&observed, sealed);
        // Equal hashes mean equal specifications: that is what a hash is for.
        for (id, service) in &mut observed.services {
            if let Some(Wanted::Run { spec, hash }) = desired.services.get(id).map(|one| &one.wanted)
                && service.state.hash() == Some(hash)
            {
                service.applied = Some((**spec).clone());
            }
        }
        (desired, observed)
    }
}

/// What the machine looks like after every step went well, and every program that runs became healthy.
fn carry_out(plan: &Plan, desired: &Desired, observed: &Observed) -> Observed {
    let mut next = observed.clone();
    for step in &plan.steps {
        let service = next.services.entry(step.service.clone()).or_default();
        let hash = service.state.hash().cloned();
        service.state = match (&step.action, hash) {
            (Action::Start { hash }, _) => {
                if let Some(Wanted::Run { spec, .. }) =
                    desired.services.get(&step.service).map(|one| &one.wanted)
                {
                    service.applied = Some((**spec).clone());
                    service.applied_hash = Some(hash.clone());
                }
                State::Running {
                    hash: hash.clone(),
                    supervised: true,
                }
            }
            (Action::Supervise { .. }, Some(hash)) => State::Running {
                hash,
                supervised: true,
            },
            (Action::Clean, _) | (_, None) => State::Absent,
            (_, Some(hash)) => ended(true, hash),
        };
    }
    for service in next.services.values_mut() {
        // A program that was asked to stop does stop.
        if let State::Stopping {
            hash,
            stage: StopStage::Asked,
        } = &service.state
        {
            service.state = ended(true, hash.clone());
        }
        let runs = matches!(service.state, State::Running { .. });
        (service.alive, service.ready, service.synced) = (runs, runs, runs);
        service.ready_before |= runs;
    }
    for (id, service) in &desired.services {
        let there = next.services.entry(id.clone()).or_default();
        if service.wanted == Wanted::External && there.state == State::Absent {
            (there.alive, there.ready, there.synced) = (true, true, true);
        }
    }
    next
}

fn converge(desired: &Desired, observed: &Observed) -> Option<Observed> {
    let mut now = observed.clone();
    for _ in 0..64 {
        let due = plan(desired, &now);
        let next = carry_out(&due, desired, &now);
        if due.nothing_due() && next == now {
            return Some(now);
        }
        now = next;
    }
    None
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn planning_the_result_of_a_plan_ends_in_nothing_to_do((desired, observed) in situation()) {
        let end = converge(&desired, &observed);
        prop_assert!(end.is_some_and(|end| plan(&desired, &end).nothing_due()));
    }

    #[test]
    fn what_is_wanted_runs_in_the_end_or_a_note_says_why_not((desired, observed) in situation()) {
        let end = converge(&desired, &observed).expect("converges");
        let due = plan(&desired, &end);
        // Where nothing is held back, sealed or given up, no reason is left.
        let held = desired.services.values().any(|one| matches!(one.wanted, Wanted::HeldBack { .. }));
        let given_up = end.services.values().any(|one| one.recovery != Recovery::Free);
        let free = !held && !end.sealed && !given_up;
        for (id, service) in &desired.services {
            let Wanted::Run { spec, hash } = &service.wanted else { continue };
            let there = end.services.get(id);
            let wanted = State::Running { hash: hash.clone(), supervised: true };
            let runs = there.is_some_and(|there| there.state == wanted);
            let lonely = spec.edges.iter().any(|edge| !desired.services.contains_key(&edge.id.provider))
                || spec.edges.iter().any(|edge| due.notes.iter().any(|note| note.service == edge.id.provider && note.code == "waits"));
            prop_assert!(runs || lonely || !free, "{id} should run: {there:?}");
            let code = due.notes.iter().find(|note| note.service == *id).map(|note| note.code.as_str());
            prop_assert!(runs || !matches!(code, None | Some("keep" | "starting" | "degraded")), "{id}: {code:?}");
        }
    }

    #[test]
    fn no_plan_stops_a_service_whose_specification_did_not_change((desired, observed) in situation()) {
        for step in plan(&desired, &observed).steps {
            let wanted = desired.services.get(&step.service).map(|one| &one.wanted);
            let state = observed.services.get(&step.service).map(|one| &one.state);
            if let (Some(Wanted::Run { hash, .. }), Some(State::Running { hash: running, .. })) = (wanted, state) {
                prop_assert!(hash != running || matches!(step.action, Action::Supervise { .. }), "{step:?}");
            }
        }
    }

    #[test]
    fn nothing_is_started_that_could_run_twice((desired, observed) in situation()) {
        for step in plan(&desired, &observed).steps {
            let occupied = observed.services.get(&step.service).is_some_and(|one| one.state.occupied());
            prop_assert!(!(occupied && matches!(step.action, Action::Start { .. })), "{step:?}");
        }
    }

    #[test]
    fn a_provider_is_not_stopped_in_the_same_pass_as_its_consumer((desired, observed) in situation()) {
        let due = plan(&desired, &observed);
        let down = |step: &&crate::reconcile::plan::Step| {
            matches!(step.action, Action::Remove { .. } | Action::Restart { .. })
        };
        let stops: BTreeSet<&ServiceId> = due.steps.iter().filter(down).map(|step| &step.service).collect();
        for consumer in &stops {
            let applied = observed.services.get(*consumer).and_then(|one| one.applied.as_ref());
            for edge in applied.map(|spec| spec.edges.as_slice()).unwrap_or_default() {
                prop_assert!(!stops.contains(&edge.id.provider), "{consumer} and {}", edge.id.provider);
            }
        }
    }

    #[test]
    fn every_service_has_exactly_one_step_or_note((desired, observed) in situation()) {
        let due = plan(&desired, &observed);
        let mut seen = BTreeSet::new();
        for id in due.steps.iter().map(|step| &step.service).chain(due.notes.iter().map(|note| &note.service)) {
            prop_assert!(seen.insert(id.clone()), "{id} appears twice");
        }
        for id in desired.services.keys() {
            prop_assert!(seen.contains(id), "{id} is passed over in silence");
        }
    }

    #[test]
    fn removals_stand_before_creations((desired, observed) in situation()) {
        let due = plan(&desired, &observed);
        let creates = |action: &Action| matches!(action, Action::Start { .. });
        let first = due.steps.iter().position(|step| creates(&step.action)).unwrap_or(usize::MAX);
        let last = due.steps.iter().rposition(|step| !creates(&step.action)).unwrap_or(0);
        prop_assert!(last <= first);
    }

    #[test]
    fn the_order_of_inputs_never_matters((desired, observed) in situation()) {
        let mut mirrored = desired.clone();
        for service in mirrored.services.values_mut() {
            if let Wanted::Run { spec, .. } = &mut service.wanted {
                spec.edges.reverse();
            }
        }
        let mut mixed = observed.clone();
        for spec in mixed.services.values_mut().filter_map(|service| service.applied.as_mut()) {
            spec.edges.reverse();
        }
        prop_assert_eq!(plan(&desired, &observed).to_string(), plan(&mirrored, &mixed).to_string());
    }
}
