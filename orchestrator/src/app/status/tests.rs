use super::next;
use super::pulled;
use super::vault_status;
use super::with_jobs;
use super::without_answer;
use crate::app::vault::VaultFacts;
use crate::id::ServiceId;
use crate::manifest::schema::StopSignal;
use crate::reconcile::View;
use crate::reconcile::observed::ObservedService;
use crate::reconcile::observed::Obstacle;
use crate::reconcile::step::Action;
use crate::reconcile::step::Step;
use crate::service::desired::Wanted;
use crate::service::health::Signals;
use crate::service::spec::StopSpec;
use crate::status::Signal;
use crate::store::vault::VaultState;

fn seen(id: &ServiceId) -> View {
    let mut view = View::default();
    let service = ObservedService {
        ready: true,
        ..ObservedService::default()
    };
    view.observed.services.insert(id.clone(), service);
    view
}

#[test]
fn a_service_that_answers_with_its_old_specification_is_not_ready() {
    let id = ServiceId::new("relay").unwrap();
    let well = || Signal::new(Some(true), "ready", "it serves");
    let signals = Signals {
        alive: well(),
        ready: well(),
        synced: well(),
    };
    let mut view = seen(&id);
    assert_eq!(with_jobs(&view, &id, signals.clone()), signals);
    view.plan.steps.push(Step {
        service: id.clone(),
        action: Action::Restart {
            stop: StopSpec {
                signal: StopSignal::Term,
                grace_seconds: 10,
            },
        },
        because: Vec::new(),
    });
    let ready = with_jobs(&view, &id, signals).ready;
    assert_eq!((ready.ok, ready.code.as_str()), (Some(false), "restarting"));
}

#[test]
fn a_service_that_fails_points_at_its_log() {
    let id = ServiceId::new("relay").unwrap();
    let view = seen(&id);
    for state in ["backing_off", "needs_you"] {
        let advice = next(&view, &id, state).unwrap();
        assert!(advice.contains("`flash-node logs relay`"), "{advice}");
    }
    assert_eq!(next(&view, &id, "running"), None);
}

#[test]
fn what_cannot_be_seen_is_neither_there_nor_gone() {
    let id = ServiceId::new("mint").unwrap();
    let view = View {
        problem: Some(Obstacle {
            code: "engine_gone".to_owned(),
            text: "the container engine does not answer".to_owned(),
        }),
        ..View::default()
    };
    let held = Wanted::External;
    let signals = without_answer(&view, &id, "unknown", &held);
    for signal in [&signals.alive, &signals.ready, &signals.synced] {
        assert_eq!((signal.ok, signal.code.as_str()), (None, "engine_gone"));
    }
    // Any other problem leaves no doubt: it does not run.
    let view = View {
        problem: Some(Obstacle {
            code: "state_unwritable".to_owned(),
            text: "cannot write".to_owned(),
        }),
        ..View::default()
    };
    let signals = without_answer(&view, &id, "absent", &held);
    assert_eq!(signals.alive.ok, Some(false));
}

#[test]
fn a_service_whose_image_is_on_its_way_says_how_far_it_is() {
    let id = ServiceId::new("bitcoind").unwrap();
    let signals = pulled(
        &id,
        "its image is on its way: 40 % of docker.io/bitcoin/bitcoin",
    );
    assert_eq!(signals.ready.code, "image_pulling");
    assert!(signals.ready.text.contains("40 %"));
    assert_eq!(signals.synced.code, "not_running");
}

#[test]
fn the_vault_says_what_opens_it() {
    let status = |state, exists, passphrase_set| {
        vault_status(&VaultFacts {
            state,
            exists,
            passphrase_set,
            warning: None,
        })
    };
    let none = status(VaultState::Sealed, false, false);
    assert!(none.text.contains("passphrase change") && !none.text.contains("unlock"));
    assert_eq!((none.exists, none.passphrase_set), (false, false));
    let sealed = status(VaultState::Sealed, true, true);
    assert!(sealed.text.contains("`flash-node unlock`"));
    assert!(!sealed.text.starts_with("sealed"), "the state is said once");
    let stuck = status(VaultState::Sealed, true, false);
    assert!(!stuck.text.contains("flash-node unlock"));
}
