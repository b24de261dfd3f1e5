use super::*;
use crate::service::desired::Wanted;
use crate::service::health::Signals;
use crate::service::resolve::fixture::Node;
use crate::service::resolve::fixture::id;
use crate::service::spec::ServiceSpec;
use crate::status::Signal;
use crate::store::state::Applied;

const DIED: UnixMillis = UnixMillis(1_000_000);

fn record(exits: bool) -> ServiceRecord {
    let desired = Node::new().desired();
    let Wanted::Run { spec, hash } = desired.services[&id("index")].wanted.clone() else {
        panic!("index runs");
    };
    let mut spec: ServiceSpec = *spec;
    for edge in &mut spec.edges {
        edge.on_loss = if exits {
            OnLoss::Exits
        } else {
            OnLoss::RidesOut
        };
    }
    let mut record = ServiceRecord::new(id("index"));
    record.applied = Some(Applied {
        hash,
        spec,
        settings: BTreeMap::new(),
    });
    record
}

fn instance(service: &str, state: InstanceState) -> Instance {
    let Some(applied) = record(true).applied else {
        panic!("it was applied")
    };
    Instance {
        service: id(service),
        spec_hash: applied.hash,
        state,
        started_at: Some(UnixMillis(1)),
        addresses: BTreeMap::new(),
        supervised: true,
    }
}

fn ended(service: &str) -> Instance {
    instance(
        service,
        InstanceState::Exited(Exit {
            code: Some(1),
            signal: None,
            at: DIED,
        }),
    )
}

/// Looks at an `index` that ended, `later` after its end, while the last answer of its chain still says yes.
fn look(
    chain: Instance,
    record: &mut ServiceRecord,
    later: Duration,
) -> (Vec<&'static str>, Recovery) {
    let yes = Signal::new(Some(true), "yes", "yes");
    let signals = Signals {
        alive: yes.clone(),
        ready: yes.clone(),
        synced: yes,
    };
    let board = BTreeMap::from([(id("chain"), (Some(UnixMillis(1)), signals))]);
    let instances = BTreeMap::from([(id("chain"), chain), (id("index"), ended("index"))]);
    let look = Look {
        instances: &instances,
        unreadable: &[],
        external: &BTreeSet::new(),
        board: &board,
        deadlines: &BTreeMap::new(),
        ready_since: &BTreeMap::new(),
        began_at: Duration::ZERO,
        monotonic: Duration::ZERO,
        now: DIED.plus(later),
        patience: Patience::default(),
    };
    let found = look
        .settle(record)
        .into_iter()
        .map(|one| one.code)
        .collect();
    (
        found,
        look.observe(&id("index"), Some(record), false).recovery,
    )
}

#[test]
fn an_end_with_the_provider_is_no_failure_even_where_its_last_answer_still_says_yes() {
    let mut record = record(true);
    let (found, recovery) = look(ended("chain"), &mut record, Duration::ZERO);
    assert_eq!(
        (found, recovery),
        (vec!["exited_with_provider"], Recovery::Free)
    );
    assert_eq!(record.failures, 0);
}

#[test]
fn an_end_that_is_seen_before_the_providers_waits_until_the_providers_would_have_been_seen() {
    let running = || instance("chain", InstanceState::Running { pid: 1 });
    let mut first = record(true);
    let (found, recovery) = look(running(), &mut first, Duration::from_millis(10));
    assert_eq!(
        (found, recovery),
        (vec![], Recovery::BackingOff),
        "nothing is decided, nothing is started"
    );
    let (found, _) = look(ended("chain"), &mut first, Duration::from_millis(500));
    assert_eq!((found, first.failures), (vec!["exited_with_provider"], 0));

    let mut second = record(true);
    look(running(), &mut second, Duration::from_millis(10));
    let (found, _) = look(running(), &mut second, LOSS_SEEN_WITHIN);
    assert_eq!(
        (found, second.failures),
        (vec!["failed"], 1),
        "the provider runs: the end is its own"
    );
}

#[test]
fn an_end_of_a_service_that_rides_losses_out_is_its_own_at_once() {
    let mut record = record(false);
    let (found, recovery) = look(ended("chain"), &mut record, Duration::ZERO);
    assert_eq!((found, recovery), (vec!["failed"], Recovery::BackingOff));
}
