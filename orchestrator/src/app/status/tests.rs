use super::next;
use super::vault_status;
use super::with_jobs;
use crate::app::vault::VaultFacts;
use crate::id::ServiceId;
use crate::manifest::schema::StopSignal;
use crate::reconcile::View;
use crate::reconcile::observed::ObservedService;
use crate::reconcile::plan::Action;
use crate::reconcile::plan::Step;
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
