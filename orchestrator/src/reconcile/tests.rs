//! The whole loop over a machine in memory: a real `state.db`, a fake runtime, services that answer from a table.
//!
//! Wall and monotonic time are the test's; only the loop's own rests are real, and they are short.

mod machine;

use std::time::Duration;

use machine::Machine;
use machine::edge;
use machine::id;

use crate::clock::UnixMillis;
use crate::manifest::schema::OnLoss;
use crate::manifest::schema::WaitsFor;
use crate::reconcile::View;
use crate::runtime::fake::Behaviour;
use crate::runtime::fake::Fault;
use crate::runtime::fake::OnAsk;
use crate::runtime::fake::OnStart;
use crate::runtime::fake::Verb;
use crate::store::state::Intent;
use crate::store::state::IntentKind;
use crate::store::state::ServiceRecord;

const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

fn chain() -> Machine {
    let machine = Machine::new(4);
    machine.want("chain", "1", Vec::new());
    machine.want(
        "index",
        "1",
        vec![edge("index", "chain", OnLoss::RidesOut, WaitsFor::Ready)],
    );
    machine.want(
        "wallet",
        "1",
        vec![edge("wallet", "index", OnLoss::Exits, WaitsFor::Synced)],
    );
    machine
}

#[tokio::test]
async fn the_first_start_waits_for_each_provider_and_a_later_one_only_for_an_answer() {
    let machine = chain();
    machine.answers("chain", false, false);
    let mut run = machine.start();
    run.until("the chain runs", |view| {
        view.instances.contains_key(&id("chain"))
    })
    .await;
    run.until("the index waits", |view| {
        machine::note(view, "index") == Some("waits for chain to be ready")
    })
    .await;
    assert_eq!(machine.runtime.starts(&id("index")), 0);
    machine.answers("chain", true, true);
    machine.answers("index", true, false);
    run.until("the wallet waits", |view| {
        machine::note(view, "wallet") == Some("waits for index to catch up")
    })
    .await;
    machine.answers("index", true, true);
    run.until("all run", |view| view.instances.len() == 3).await;
    run.until("the index was ready", |view| {
        view.records[&id("index")].first_ready_at.is_some()
    })
    .await;
    // Once it has been ready, a provider that merely answers is enough.
    machine.answers("chain", false, false);
    run.until("the chain is not ready", |view| {
        !view.observed.services[&id("chain")].ready
    })
    .await;
    machine.runtime.end(&id("index"), Some(1), None);
    run.until("it backs off", |view| {
        machine::code(view, "index") == Some("backing_off")
    })
    .await;
    machine.clock.pass(Duration::from_secs(2));
    run.until_now("the index is back", || {
        machine.runtime.starts(&id("index")) == 2
    })
    .await;
    run.stop().await;
}

#[tokio::test]
async fn a_view_follows_a_wish_or_a_nudge_only_where_it_looked_after_it() {
    let machine = Machine::new(4);
    machine.want("chain", "1", Vec::new());
    let mut run = machine.start();
    run.until("the chain runs", |view| view.instances.len() == 1)
        .await;
    run.handle.nudge();
    assert!(!run.handle.is_followed_by(&run.view()));
    let mut view = run.handle.view();
    let follows = view.wait_for(|view| run.handle.is_followed_by(view)).await;
    drop(follows.unwrap());
    run.want_nothing();
    assert!(!run.handle.is_followed_by(&run.view()));
    let follows = view.wait_for(|view| run.handle.is_followed_by(view)).await;
    drop(follows.unwrap());
    run.stop().await;
}

#[tokio::test]
async fn a_stop_goes_from_the_consumers_down_to_their_providers() {
    let machine = chain();
    let mut run = machine.start();
    run.until("all are ready", |view| {
        view.observed
            .services
            .values()
            .filter(|one| one.ready)
            .count()
            == 3
    })
    .await;
    machine.runtime.behave(
        &id("wallet"),
        Behaviour {
            on_ask: OnAsk::Ignores,
            ..Behaviour::default()
        },
    );
    run.want_nothing();
    run.until_now("the wallet is asked", || {
        machine.runtime.asks(&id("wallet")) == 1
    })
    .await;
    run.until("the others wait", |view| {
        machine::note(view, "index") == Some("stops after wallet")
    })
    .await;
    assert_eq!(
        machine.runtime.asks(&id("index")) + machine.runtime.asks(&id("chain")),
        0
    );
    machine.runtime.end(&id("wallet"), Some(0), None);
    run.until("all are gone", |view| view.all_down()).await;
    let order = machine.events("stopping");
    assert_eq!(order, ["wallet", "index", "chain"]);
    run.stop().await;
}

#[tokio::test]
async fn a_service_that_fails_waits_longer_each_time_and_then_needs_the_operator() {
    let machine = Machine::new(4);
    machine.want("chain", "1", Vec::new());
    machine.runtime.behave(
        &id("chain"),
        Behaviour {
            on_start: OnStart::Exits(3),
            ..Behaviour::default()
        },
    );
    let mut run = machine.start();
    for failures in 1..8 {
        run.until("the failure is counted", |view| {
            view.records
                .get(&id("chain"))
                .is_some_and(|record| record.failures == failures)
        })
        .await;
        let wait = Duration::from_secs(1 << (failures - 1)).min(Duration::from_secs(60));
        let record = machine.record("chain");
        assert_eq!(record.retry_at, Some(machine.clock.now().plus(wait)));
        run.until("it backs off", |view| {
            machine::code(view, "chain") == Some("backing_off")
        })
        .await;
        assert_eq!(machine.runtime.starts(&id("chain")), failures);
        machine.clock.pass(wait);
    }
    run.until("it needs the operator", |view| {
        machine::code(view, "chain") == Some("needs_you")
    })
    .await;
    machine.clock.pass(YEAR);
    run.passes(3).await;
    assert_eq!(
        machine.runtime.starts(&id("chain")),
        8,
        "nothing is tried until the operator says so"
    );
    assert_eq!(
        machine.record("chain").cause.as_deref(),
        Some("ended with code 3")
    );
    run.stop().await;
}

#[tokio::test]
async fn a_service_that_ends_with_its_provider_did_not_fail() {
    let machine = chain();
    let mut run = machine.start();
    run.until("all are ready", |view| {
        view.observed
            .services
            .values()
            .filter(|one| one.ready)
            .count()
            == 3
    })
    .await;
    machine.silent("index");
    run.until("the index does not answer", |view| {
        !view.observed.services[&id("index")].alive
    })
    .await;
    machine.runtime.end(&id("wallet"), Some(1), None);
    run.until("the end is noted", |view| {
        view.records[&id("wallet")].seen_exit.is_some()
    })
    .await;
    assert_eq!(machine.record("wallet").failures, 0);
    assert_eq!(machine.events("exited_with_provider"), ["wallet"]);
    machine.answers("index", true, true);
    run.until_now("the wallet is back", || {
        machine.runtime.starts(&id("wallet")) == 2
    })
    .await;
    run.stop().await;
}

#[tokio::test]
async fn a_program_whose_grace_is_over_is_killed() {
    let machine = Machine::new(4);
    machine.want("chain", "1", Vec::new());
    machine.runtime.behave(
        &id("chain"),
        Behaviour {
            on_ask: OnAsk::Ignores,
            ..Behaviour::default()
        },
    );
    let mut run = machine.start();
    run.until("it is ready", |view| {
        machine::code(view, "chain") == Some("keep")
    })
    .await;
    run.want_nothing();
    run.until("it was asked", |view| {
        machine::code(view, "chain") == Some("stopping")
    })
    .await;
    machine.clock.pass(Duration::from_secs(59));
    run.passes(3).await;
    assert_eq!(
        machine.events("killed"),
        Vec::<String>::new(),
        "it has a second left"
    );
    machine.clock.pass(Duration::from_secs(2));
    run.until("it is gone", |view| view.all_down()).await;
    assert_eq!(machine.events("killed"), ["chain"]);
    assert_eq!(machine.runtime.asks(&id("chain")), 1);
    run.stop().await;
}

#[tokio::test]
async fn a_start_that_was_left_behind_is_finished_once() {
    let machine = Machine::new(4);
    machine.want("chain", "1", Vec::new());
    let hash = machine.hash("chain");
    machine.remember("chain", IntentKind::Start { hash });
    machine.runtime.prepare(&machine.unit("chain"));
    let mut run = machine.start();
    run.until("it is ready", |view| {
        machine::code(view, "chain") == Some("keep")
    })
    .await;
    assert_eq!(machine.runtime.starts(&id("chain")), 1);
    assert_eq!(machine.record("chain").intent, None);
    run.stop().await;
}

#[tokio::test]
async fn a_start_whose_note_is_missing_is_not_done_again() {
    let machine = Machine::new(4);
    machine.want("chain", "1", Vec::new());
    machine.run_already("chain").await;
    let hash = machine.hash("chain");
    machine.remember("chain", IntentKind::Start { hash });
    let mut run = machine.start();
    run.until("it is ready", |view| {
        machine::code(view, "chain") == Some("keep")
    })
    .await;
    run.passes(3).await;
    assert_eq!(machine.runtime.starts(&id("chain")), 1);
    assert_eq!(machine.record("chain").intent, None);
    run.stop().await;
}

#[tokio::test]
async fn a_stop_that_was_left_behind_is_asked_again() {
    let machine = Machine::new(4);
    machine.want("chain", "1", Vec::new());
    machine.run_already("chain").await;
    let stop = IntentKind::Stop {
        reason: "test".to_owned(),
        deadline_at: None,
        boot_id: "another boot".to_owned(),
        asked: true,
    };
    machine.remember("chain", stop);
    let mut run = machine.start();
    run.until_now("it is asked and started again", || {
        machine.runtime.starts(&id("chain")) == 2
    })
    .await;
    assert_eq!(machine.runtime.asks(&id("chain")), 1);
    assert_eq!(machine.record("chain").failures, 0);
    run.stop().await;
}

#[tokio::test]
async fn never_more_services_start_at_once_than_allowed() {
    let machine = Machine::new(2);
    for name in ["a", "b", "c", "d", "e"] {
        machine.want(name, "1", Vec::new());
    }
    machine.hold_starts();
    let mut run = machine.start();
    run.until_now("two are starting", || machine.starting().0 == 2)
        .await;
    run.passes(3).await;
    assert_eq!(machine.starting(), (2, 2));
    machine.let_starts_go();
    run.until("all run", |view| view.instances.len() == 5).await;
    assert_eq!(machine.starting().1, 2, "the most at once");
    run.stop().await;
}

#[tokio::test]
async fn nothing_is_started_or_stopped_while_nothing_can_be_written_and_the_loop_does_not_spin() {
    let machine = Machine::new(4);
    machine.want("chain", "1", Vec::new());
    let mut run = machine.start();
    run.until("it is ready", |view| {
        machine::code(view, "chain") == Some("keep")
    })
    .await;
    run.until("it was ready", |view| {
        view.records[&id("chain")].first_ready_at.is_some()
    })
    .await;
    machine.let_nothing_be_written(true);
    machine.want("index", "1", Vec::new());
    machine.want("chain", "2", Vec::new());
    run.want_now();
    run.until("the problem is named", |view| {
        view.problem
            .as_ref()
            .is_some_and(|problem| problem.code == "state_unwritable")
    })
    .await;
    let before = run.view().passes;
    tokio::time::sleep(Duration::from_millis(1200)).await;
    let passes = run.view().passes - before;
    assert!(passes < 20, "{passes} passes in about a second");
    assert_eq!(machine.runtime.starts(&id("index")), 0);
    assert_eq!(machine.runtime.asks(&id("chain")), 0);
    assert!(machine.runs("chain").await);
    machine.let_nothing_be_written(false);
    machine.clock.pass(Duration::from_secs(1));
    run.until_now("it goes on by itself", || {
        machine.runtime.starts(&id("index")) == 1 && machine.runtime.starts(&id("chain")) == 2
    })
    .await;
    run.stop().await;
}

#[tokio::test]
async fn a_supervisor_that_cannot_be_given_is_no_failure_of_the_service_and_is_tried_again() {
    let machine = Machine::new(4);
    machine.want("chain", "1", Vec::new());
    let mut run = machine.start();
    run.until("it is ready", |view| {
        machine::code(view, "chain") == Some("keep")
    })
    .await;
    for _ in 0..2 {
        machine
            .runtime
            .fail_next(&id("chain"), Verb::Ensure, Fault::DiskFull);
    }
    machine.runtime.unsupervise(&id("chain"));
    run.until_now("the failure is told", || {
        machine.events("supervise_failed").len() == 1
    })
    .await;
    run.passes(3).await;
    assert_eq!(
        machine.events("supervise_failed").len(),
        1,
        "it is not tried as fast as the machine can"
    );
    machine.clock.pass(Duration::from_secs(2));
    run.until_now("it is tried again", || {
        machine.events("supervise_failed").len() == 2
    })
    .await;
    machine.clock.pass(Duration::from_secs(3));
    run.until_now("it is supervised", || {
        machine.events("supervised").len() == 1
    })
    .await;
    assert_eq!(machine.record("chain").failures, 0);
    assert_eq!(machine.runtime.starts(&id("chain")), 1);
    run.stop().await;
}

#[tokio::test]
async fn a_start_that_waits_for_an_end_is_no_failure_however_long_that_takes() {
    const LOOKS: usize = 20;
    let machine = Machine::new(4);
    machine.want("chain", "1", Vec::new());
    for _ in 0..LOOKS {
        machine
            .runtime
            .fail_next(&id("chain"), Verb::Ensure, Fault::StillRuns);
    }
    let mut run = machine.start();
    for looks in 1..=LOOKS {
        run.until_now("it waits", || {
            machine.events("waits_for_end").len() == looks
        })
        .await;
        run.passes(3).await;
        assert_eq!(machine.events("waits_for_end").len(), looks, "not sooner");
        machine.clock.pass(Duration::from_secs(33));
    }
    run.until("it is ready", |view| {
        machine::code(view, "chain") == Some("keep")
    })
    .await;
    let record = machine.record("chain");
    assert_eq!((record.failures, record.needs_you), (0, false));
    assert_eq!(machine.runtime.starts(&id("chain")), 1);
    run.stop().await;
}

#[tokio::test]
async fn a_clock_that_goes_back_keeps_nothing_down() {
    let machine = Machine::new(4);
    machine.want("chain", "1", Vec::new());
    machine.clock.set_wall(UnixMillis(2_000_000_000_000));
    let mut run = machine.start();
    run.until("it is ready", |view| {
        machine::code(view, "chain") == Some("keep")
    })
    .await;
    machine.runtime.end(&id("chain"), Some(1), None);
    run.until("it backs off", |view| {
        machine::code(view, "chain") == Some("backing_off")
    })
    .await;
    machine.clock.set_wall(UnixMillis(1_000_000_000_000));
    run.until_now("it is started again", || {
        machine.runtime.starts(&id("chain")) == 2
    })
    .await;
    run.until("it is ready", |view| {
        machine::code(view, "chain") == Some("keep")
    })
    .await;
    run.stop().await;
}

#[tokio::test]
async fn a_grace_does_not_depend_on_the_wall_clock() {
    let machine = Machine::new(4);
    machine.want("chain", "1", Vec::new());
    machine.runtime.behave(
        &id("chain"),
        Behaviour {
            on_ask: OnAsk::Ignores,
            ..Behaviour::default()
        },
    );
    let mut run = machine.start();
    run.until("it is ready", |view| {
        machine::code(view, "chain") == Some("keep")
    })
    .await;
    run.want_nothing();
    run.until("it was asked", |view| {
        machine::code(view, "chain") == Some("stopping")
    })
    .await;
    let now = machine.clock.now();
    machine.clock.set_wall(now.plus(YEAR));
    run.passes(3).await;
    assert!(
        machine.runs("chain").await,
        "a jump of the wall clock kills nothing"
    );
    machine.clock.set_wall(UnixMillis(1));
    machine.clock.pass(Duration::from_secs(61));
    run.until("it is gone", |view| view.all_down()).await;
    run.stop().await;
}

#[tokio::test]
async fn a_program_that_outlives_its_kill_is_killed_less_and_less_often_and_told_once() {
    let machine = Machine::new(4);
    machine.want("chain", "1", Vec::new());
    let stubborn = Behaviour {
        on_ask: OnAsk::Ignores,
        survives_kill: true,
        ..Behaviour::default()
    };
    machine.runtime.behave(&id("chain"), stubborn);
    let mut run = machine.start();
    run.until("it is ready", |view| {
        machine::code(view, "chain") == Some("keep")
    })
    .await;
    run.want_nothing();
    run.until("it was asked", |view| {
        machine::code(view, "chain") == Some("stopping")
    })
    .await;
    machine.clock.pass(Duration::from_secs(61));
    let mut kills = 0;
    for wait in [1, 2, 4] {
        kills += 1;
        run.until_now("it is killed", || {
            machine.runtime.kills(&id("chain")) == kills
        })
        .await;
        machine.clock.pass(Duration::from_millis(wait * 1000 - 1));
        run.passes(5).await;
        assert_eq!(machine.runtime.kills(&id("chain")), kills);
        machine.clock.pass(Duration::from_millis(1));
    }
    assert_eq!(machine.events("killed"), ["chain"]);
    run.stop().await;
}

#[tokio::test]
async fn a_service_that_is_removed_while_its_first_job_runs_is_not_started() {
    let machine = Machine::new(4);
    machine.want("chain", "1", Vec::new());
    machine.hold_starts();
    let mut run = machine.start();
    run.until("its job runs", |view| {
        view.busy.contains(&id("chain")) && machine.starting().0 == 1
    })
    .await;
    run.want_nothing();
    run.passes(3).await;
    assert!(
        !run.view().all_down(),
        "what is being worked on is not down yet"
    );
    machine.let_starts_go();
    run.until("it is gone", |view| view.all_down()).await;
    run.passes(3).await;
    assert_eq!(machine.runtime.starts(&id("chain")), 0);
    assert_eq!(machine.record("chain").intent, None);
    run.stop().await;
}

#[tokio::test]
async fn a_changed_specification_is_another_try_for_a_service_that_needs_the_operator() {
    let machine = Machine::new(4);
    machine.want("chain", "1", Vec::new());
    let ends = Behaviour {
        on_start: OnStart::Exits(3),
        ..Behaviour::default()
    };
    machine.runtime.behave(&id("chain"), ends);
    let mut run = machine.start();
    run.until("it needs the operator", |view| {
        machine.clock.pass(Duration::from_secs(60));
        machine::code(view, "chain") == Some("needs_you")
    })
    .await;
    machine.runtime.behave(&id("chain"), Behaviour::default());
    machine.want("chain", "2", Vec::new());
    run.want_now();
    run.until("it is ready", |view| {
        machine::code(view, "chain") == Some("keep")
    })
    .await;
    let record = machine.record("chain");
    assert_eq!(
        (record.failures, record.needs_you, record.cause),
        (0, false, None)
    );
    run.stop().await;
}

#[tokio::test]
async fn a_changed_specification_that_fails_before_it_runs_backs_off_too() {
    let machine = Machine::new(4);
    machine.want("chain", "1", Vec::new());
    let mut run = machine.start();
    run.until("it is ready", |view| {
        machine::code(view, "chain") == Some("keep")
    })
    .await;
    machine.jobs_fail();
    machine.want("chain", "2", Vec::new());
    run.want_now();
    run.until("it backs off", |view| {
        machine::code(view, "chain") == Some("backing_off")
    })
    .await;
    run.passes(5).await;
    assert_eq!(machine.record("chain").failures, 1);
    run.stop().await;
}

#[tokio::test]
async fn a_service_that_starts_slowly_and_then_ends_needs_the_operator_in_the_end() {
    let machine = Machine::new(4);
    machine.want("chain", "1", Vec::new());
    let mut run = machine.start();
    for failures in 1..=8 {
        machine.answers("chain", false, false);
        run.until("it runs", |view| {
            machine::code(view, "chain") == Some("starting")
        })
        .await;
        machine.clock.pass(Duration::from_secs(120));
        machine.answers("chain", true, true);
        run.until("it is ready", |view| {
            machine::code(view, "chain") == Some("keep")
        })
        .await;
        machine.clock.pass(Duration::from_secs(59));
        run.passes(3).await;
        machine.runtime.end(&id("chain"), Some(1), None);
        run.until("the failure is counted", |view| {
            view.records[&id("chain")].failures == failures
        })
        .await;
        machine.clock.pass(Duration::from_secs(60));
    }
    run.until("it needs the operator", |view| {
        machine::code(view, "chain") == Some("needs_you")
    })
    .await;
    run.stop().await;
}

#[tokio::test]
async fn an_end_before_the_orchestrators_start_is_not_blamed_on_a_provider_that_runs() {
    let machine = chain();
    let mut run = machine.start();
    run.until("all are ready", |view| {
        view.observed
            .services
            .values()
            .filter(|one| one.ready)
            .count()
            == 3
    })
    .await;
    run.stop().await;
    machine.runtime.end(&id("wallet"), Some(1), None);
    machine.clock.pass(Duration::from_secs(60));
    let mut run = machine.start();
    run.until("the end is counted", |view| {
        let record = view.records.get(&id("wallet"));
        record.is_some_and(|record| record.failures == 1)
    })
    .await;
    assert_eq!(machine.events("exited_with_provider"), Vec::<String>::new());
    run.stop().await;
}

#[tokio::test]
async fn what_was_done_for_a_start_is_not_done_again_by_the_next_orchestrator() {
    let machine = Machine::new(4);
    machine.want("chain", "1", Vec::new());
    machine.has_a_job_of_every_start();
    for _ in 0..2 {
        let mut run = machine.start();
        run.until("it is ready", |view| {
            machine::code(view, "chain") == Some("keep")
        })
        .await;
        run.passes(3).await;
        run.stop().await;
    }
    assert_eq!(machine.jobs_run(), 1);
    machine.runtime.end(&id("chain"), Some(1), None);
    machine.clock.pass(Duration::from_secs(1));
    let mut run = machine.start();
    run.until_now("it is done for the next start", || {
        machine.clock.pass(Duration::from_secs(1));
        machine.jobs_run() == 2
    })
    .await;
    run.stop().await;
}

#[tokio::test]
async fn an_orchestrator_that_ends_waits_for_no_job_and_the_next_one_begins_it_again() {
    let machine = Machine::new(2);
    for name in ["a", "b", "c"] {
        machine.want(name, "1", Vec::new());
    }
    machine.hold_starts();
    let mut run = machine.start();
    run.until_now("two are starting", || machine.starting().0 == 2)
        .await;
    let ended = tokio::time::timeout(Duration::from_secs(10), run.stop()).await;
    assert!(ended.is_ok(), "it waits for jobs");
    assert_eq!(machine.starting().0, 0);
    machine.let_starts_go();
    let mut run = machine.start();
    run.until("all run", |view| view.instances.len() == 3).await;
    run.stop().await;
}

#[tokio::test]
async fn a_start_keeps_what_was_written_meanwhile() {
    let machine = Machine::new(4);
    machine.want("chain", "1", Vec::new());
    machine.hold_starts();
    let mut run = machine.start();
    run.until_now("it is starting", || machine.starting().0 == 1)
        .await;
    let change = |record: &mut ServiceRecord| record.cause = Some("meanwhile".to_owned());
    machine
        .state
        .transaction(|tx| tx.update_record(&id("chain"), change))
        .expect("written");
    machine.let_starts_go();
    run.until_now("it runs", || machine.events("started") == ["chain"])
        .await;
    assert_eq!(machine.record("chain").cause.as_deref(), Some("meanwhile"));
    run.stop().await;
}

#[tokio::test]
async fn the_ports_of_a_service_that_is_being_started_are_left_alone() {
    let machine = Machine::new(4);
    machine.want("chain", "1", Vec::new());
    machine.hold_starts();
    let mut run = machine.start();
    run.until_now("it is starting", || machine.starting().0 == 1)
        .await;
    run.passes(5).await;
    assert_eq!(machine.disturbed(), 0);
    machine.let_starts_go();
    run.until("it is ready", |view| {
        machine::code(view, "chain") == Some("keep")
    })
    .await;
    run.stop().await;
}

#[tokio::test]
async fn a_service_whose_record_cannot_be_read_is_not_down_and_keeps_its_provider() {
    let machine = Machine::new(4);
    machine.want("chain", "1", Vec::new());
    machine.want(
        "index",
        "1",
        vec![edge("index", "chain", OnLoss::RidesOut, WaitsFor::Ready)],
    );
    machine.want("wallet", "1", Vec::new());
    let mut run = machine.start();
    run.until("all are ready", |view| {
        view.observed
            .services
            .values()
            .filter(|one| one.ready)
            .count()
            == 3
    })
    .await;
    machine.runtime.damage(&id("index"), true);
    run.want_nothing();
    run.until("nothing else is left", View::only_unreadable_left)
        .await;
    let view = run.view();
    assert!(!view.all_down());
    assert_eq!(view.unreadable(), [&id("index")]);
    assert_eq!(machine::note(&view, "chain"), Some("stops after index"));
    assert_eq!(machine.runtime.asks(&id("wallet")), 1);
    assert_eq!(machine.runtime.asks(&id("chain")), 0);
    run.stop().await;
}

#[tokio::test]
async fn a_service_whose_data_are_gone_is_not_started_anew() {
    let machine = Machine::new(4);
    machine.want("chain", "1", Vec::new());
    let mut run = machine.start();
    machine.data_there(true);
    run.until("it was ready", |view| {
        let record = view.records.get(&id("chain"));
        record.is_some_and(|record| record.first_ready_at.is_some())
    })
    .await;
    run.want_nothing();
    run.until("it is gone", |view| view.all_down()).await;
    machine.data_there(false);
    run.want_now();
    run.until("it is blocked", |view| {
        machine::code(view, "chain") == Some("blocked")
    })
    .await;
    let view = run.view();
    let blocked = view.observed.services[&id("chain")].blocked.clone();
    let blocked = blocked.expect("an obstacle");
    assert_eq!(blocked.code, "volume_empty");
    assert!(
        blocked
            .text
            .starts_with("/nowhere/chain held data of chain"),
        "{}",
        blocked.text
    );
    run.passes(3).await;
    assert_eq!(machine.runtime.starts(&id("chain")), 1);
    machine.data_there(true);
    run.until_now("it starts on its data", || {
        machine.runtime.starts(&id("chain")) == 2
    })
    .await;
    run.stop().await;
}

impl Machine {
    fn remember(&self, service: &str, kind: IntentKind) {
        let mut record = ServiceRecord::new(id(service));
        record.intent = Some(Intent {
            id: self.state.next_id().expect("written"),
            kind,
            begun_at: self.clock.now(),
        });
        self.state.put_record(&record).expect("written");
    }
}
