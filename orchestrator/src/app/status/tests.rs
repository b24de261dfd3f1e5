use super::in_the_way;
use super::leaving_state;
use super::next;
use super::pulled;
use super::vault_status;
use super::with_jobs;
use super::without_answer;
use crate::app::vault::VaultFacts;
use crate::id::Name;
use crate::id::ServiceId;
use crate::manifest::schema::StopSignal;
use crate::reconcile::View;
use crate::reconcile::observed::ObservedService;
use crate::reconcile::observed::Obstacle;
use crate::reconcile::observed::State;
use crate::reconcile::step::Action;
use crate::reconcile::step::Note;
use crate::reconcile::step::Step;
use crate::service::desired::Wanted;
use crate::service::health::Signals;
use crate::service::spec::SpecHash;
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
fn what_only_a_person_takes_out_of_a_services_way_is_said_where_it_keeps_it_back() {
    let id = ServiceId::new("relay").unwrap();
    let mut view = seen(&id);
    let text = "port 127.0.0.1:7447 is taken by another program: stop that program";
    let own = view.observed.services.get_mut(&id).expect("just added");
    own.blocked = Some(Obstacle {
        code: "port_taken".to_owned(),
        text: text.to_owned(),
    });
    for (code, told) in [
        (None, false),
        (Some("blocked"), true),
        (Some("change_blocked"), true),
        // The vault is opened first; the port may be free by then.
        (Some("sealed"), false),
        (Some("waits"), false),
    ] {
        view.plan.notes = code
            .into_iter()
            .map(|code| Note {
                service: id.clone(),
                code: code.to_owned(),
                text: "a phrase".to_owned(),
            })
            .collect();
        let expected = told.then(|| text.to_owned());
        assert_eq!(next(&view, &id, "absent"), expected, "{code:?}");
    }
    for (code, told) in [
        ("not_installed", true),
        ("check_failed", true),
        ("provider_held_back", false),
        ("not_on_this_network", false),
    ] {
        let held = Wanted::HeldBack {
            code: Name::new(code).unwrap(),
            text: "what to do".to_owned(),
        };
        let expected = told.then(|| "what to do".to_owned());
        assert_eq!(in_the_way(&held), expected, "{code}");
    }
    assert_eq!(in_the_way(&Wanted::External), None);
}

#[test]
fn what_nobody_wants_any_more_is_stopping_while_it_is_there() {
    let id = ServiceId::new("bitcoind").unwrap();
    let mut view = seen(&id);
    let mut state = |state| {
        let own = view.observed.services.get_mut(&id).expect("just added");
        own.state = state;
        leaving_state(&view, &id)
    };
    let running = State::Running {
        hash: SpecHash("of an older specification".to_owned()),
        supervised: true,
    };
    assert_eq!(state(running), "stopping");
    assert_eq!(state(State::Absent), "stopping");
    // Whether it is there at all nobody can tell.
    assert_eq!(state(State::Unreadable), "needs_you");
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
