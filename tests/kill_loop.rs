//! Kills the orchestrator at every persisted step, as a power cut would, and looks at what the next start makes of it.
//!
//! Whoever adds a failpoint gives it a scenario here, or names the test elsewhere that kills at it.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a whole-program test watches the real clock, and says how long each round took"
)]

mod inspect;
mod node;
#[path = "kill_loop/round.rs"]
mod round;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Instant;

use flash_node::fail::POINTS;
use round::API_PORT_KEPT;
use round::Round;
use round::Scenario;

use Scenario::Capture;
use Scenario::Crash;
use Scenario::Down;
use Scenario::Failing;
use Scenario::FirstStart;
use Scenario::KeyFile;
use Scenario::Moved;
use Scenario::Passphrase;
use Scenario::RemoveAndPurge;
use Scenario::Retry;
use Scenario::Set;
use Scenario::Stubborn;
use Scenario::Supervise;

/// Scenarios that are also killed at each of their commits, one after the other until nothing is left to kill, and how
/// many there are at least. After one commit and before the next lie the named points, so that one side does for a
/// change; of the first start both are tried, for it makes what cannot be made again.
const EVERY_COMMIT: &[(Scenario, &str, u64)] = &[
    (FirstStart, "state.before_commit", 10),
    (FirstStart, "state.after_commit", 10),
    (Set, "state.before_commit", 8),
    (RemoveAndPurge, "state.before_commit", 8),
];

/// Where each failpoint is reached. A number kills at that passage of the point.
const ROUNDS: &[(Scenario, &[&str])] = &[
    (
        FirstStart,
        &[
            "folder.identity_written",
            "app.folder",
            "migrate.before_commit",
            "app.state_created",
            "vault.create.self_key_written",
            "vault.create.database_built",
            "vault.create.slots_written",
            "app.vault_created",
            "app.accepted",
            "app.initialised",
            "start.begin",
            "start.intended",
            "vault.secret.before_commit",
            "vault.secret.after_commit",
            "secret.made",
            "secret.promised",
            "start.filled",
            "start.prepared",
            "start.ensured",
            "start.noted",
            "start.ensured:2",
            "start.noted:2",
            "storage.marked",
            "app.run_path_written",
            API_PORT_KEPT,
        ],
    ),
    (
        Set,
        &[
            "app.ports_kept",
            "set.written",
            "apply.accepted",
            "stop.begin",
            "stop.intended",
            "stop.asked",
            "stop.noted",
            "observe.begin",
            "observe.noted",
            "start.begin",
            "start.intended",
            "start.filled",
            "start.prepared",
            "start.ensured",
            "start.noted",
        ],
    ),
    (
        RemoveAndPurge,
        &[
            "stop.intended",
            "stop.asked",
            "clean.begin",
            "clean.intended",
            "clean.cleaned",
            "clean.noted",
            "purge.begin",
            "purge.intended",
            "purge.volume",
            "purge.deleted",
        ],
    ),
    (
        Passphrase,
        &[
            "vault.slots.before_previous",
            "vault.slots.before_rename",
            "vault.passphrase.slots_written",
            "vault.passphrase.self_key_removed",
        ],
    ),
    (
        KeyFile,
        &[
            "vault.key_file.file_written",
            "vault.key_file.slots_written",
        ],
    ),
    (
        Down,
        &[
            "stop.begin",
            "stop.asked:2",
            "clean.begin",
            "clean.cleaned",
            "clean.noted:2",
        ],
    ),
    (
        Crash,
        &[
            "observe.begin",
            "observe.noted",
            "start.intended",
            "start.ensured",
        ],
    ),
    (Supervise, &["supervise.begin", "supervise.ensured"]),
    (Stubborn, &["kill.begin", "kill.killed"]),
    (Capture, &["capture.stored", "capture.promised"]),
    (Failing, &["failure.noted"]),
    (Retry, &["retry.noted"]),
    (Moved, &["folder.moved"]),
];

/// Points that no scenario here reaches, with the file and the test that kills at them.
const ELSEWHERE: &[(&str, &str, &str)] = &[
    ("migrate.copied", MIGRATIONS, KILLED_MIGRATION),
    ("migrate.after_commit", MIGRATIONS, KILLED_MIGRATION),
    ("account.before_commit", PEOPLE, KILLED_PEOPLE),
    ("account.after_commit", PEOPLE, KILLED_PEOPLE),
    ("layout.folder_made", FOLDERS, KILLED_FOLDER),
    ("image.told", CONTAINERS, KILLED_CONTAINER),
    ("image.kept", CONTAINERS, KILLED_CONTAINER),
    ("docker.network_made", CONTAINERS, KILLED_CONTAINER),
    ("docker.created", CONTAINERS, KILLED_CONTAINER),
    ("docker.joined", CONTAINERS, KILLED_CONTAINER),
    ("docker.started", CONTAINERS, KILLED_CONTAINER),
    ("docker.drained", CONTAINERS, KILLED_CONTAINER),
    ("docker.removed", CONTAINERS, KILLED_CONTAINER),
    ("docker.network_removed", CONTAINERS, KILLED_CONTAINER),
    ("docker.job_started", CONTAINERS, KILLED_CONTAINER),
    ("docker.job_ended", CONTAINERS, KILLED_CONTAINER),
    ("job.begun", CLUSTERS, KILLED_CLUSTER),
    ("rotate.made", ROTATIONS, KILLED_ROTATION),
    ("rotate.noted", ROTATIONS, KILLED_ROTATION),
    ("rotate.told", ROTATIONS, KILLED_ROTATION),
];
const CONTAINERS: &str = "tests/containers.rs";
const KILLED_CONTAINER: &str = "a_kill_at_any_step_of_a_container_is_made_good_by_the_next_start";
const CLUSTERS: &str = "tests/container_faults/cluster.rs";
const KILLED_CLUSTER: &str =
    "a_database_that_was_being_made_when_the_node_died_is_waited_for_or_made_anew";
const ROTATIONS: &str = "tests/rotate.rs";
const KILLED_ROTATION: &str = "a_kill_at_any_step_of_a_rotation_is_made_good_by_the_next_start";
const PEOPLE: &str = "orchestrator/src/account/tests/crash.rs";
const KILLED_PEOPLE: &str =
    "a_kill_around_a_commit_leaves_a_person_with_the_row_that_tells_of_it_or_neither";
const FOLDERS: &str = "orchestrator/src/runtime/layout/tests.rs";
const KILLED_FOLDER: &str = "a_kill_while_a_folder_is_made_leaves_none_that_is_closed";
const MIGRATIONS: &str = "orchestrator/src/store/sqlite/tests/migrations.rs";
const KILLED_MIGRATION: &str = "a_kill_during_a_migration_leaves_the_old_schema_or_the_new_one";

#[test]
fn every_failpoint_is_reached_by_a_scenario_or_named_elsewhere() {
    let mut known: BTreeSet<&str> = ELSEWHERE.iter().map(|(point, ..)| *point).collect();
    known.extend(EVERY_COMMIT.iter().map(|(_, point, _)| *point));
    let rounds = ROUNDS.iter().flat_map(|(_, points)| points.iter());
    known.extend(rounds.map(|armed| armed.split(':').next().expect("a name")));
    let all: BTreeSet<&str> = POINTS.iter().copied().collect();
    assert_eq!(known, all);
    for (point, file, test) in ELSEWHERE {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
        let text = std::fs::read_to_string(path).expect("the file exists");
        assert!(
            text.contains(&format!("fn {test}()")),
            "{test} is not in {file}"
        );
        assert!(
            text.contains(&format!("\"{point}\"")),
            "{point} is not in {file}"
        );
    }
}

#[test]
fn a_kill_at_any_step_of_the_first_start_is_made_good_by_the_next_start() {
    kill_in(&[FirstStart]);
}

#[test]
fn a_kill_at_any_step_of_a_change_is_made_good_by_the_next_start() {
    kill_in(&[Set, RemoveAndPurge, Down, Retry, Moved]);
}

#[test]
fn a_kill_at_any_step_of_the_vault_is_made_good_by_the_next_start() {
    kill_in(&[Passphrase, KeyFile, Capture]);
}

#[test]
fn a_kill_while_a_fault_of_a_service_is_handled_is_made_good_by_the_next_start() {
    kill_in(&[Crash, Supervise, Stubborn, Failing]);
}

#[test]
fn a_kill_at_every_commit_is_made_good_by_the_next_start() {
    for (scenario, point, least) in EVERY_COMMIT {
        kill_at_every(*scenario, point, *least);
    }
}

/// Kills at the first passage of `point`, at the second and so on, until the scenario passes without a death.
fn kill_at_every(scenario: Scenario, point: &str, least: u64) {
    let (next, survived) = (AtomicU64::new(1), AtomicU64::new(u64::MAX));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    if number > survived.load(Ordering::SeqCst) {
                        return;
                    }
                    assert!(number < 100, "{scenario:?} never ends");
                    let armed = format!("{point}:{number}");
                    let _turn = Turn::take();
                    let begun = Instant::now();
                    let mut round = Round::new(scenario, &armed);
                    round.every_commit = true;
                    let lived = round.run();
                    let took = begun.elapsed().as_millis();
                    println!("{scenario:?} at {armed}: {took} ms, survived: {lived}");
                    if lived {
                        survived.fetch_min(number, Ordering::SeqCst);
                    }
                }
            });
        }
    });
    let deaths = survived.into_inner() - 1;
    assert!(
        (least..100).contains(&deaths),
        "{scenario:?} died {deaths} times at {point}"
    );
}

/// Runs every round of `scenarios`, two at a time, and reports all that failed.
fn kill_in(scenarios: &[Scenario]) {
    let wanted = ROUNDS
        .iter()
        .filter(|(scenario, _)| scenarios.contains(scenario));
    let rounds =
        wanted.flat_map(|(scenario, points)| points.iter().map(|point| (*scenario, *point)));
    let queue: Mutex<Vec<(Scenario, &'static str)>> = Mutex::new(rounds.collect());
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some((scenario, armed)) = queue.lock().expect("no panic holds it").pop()
                    else {
                        return;
                    };
                    let _turn = Turn::take();
                    let begun = Instant::now();
                    let round = std::panic::AssertUnwindSafe(|| Round::new(scenario, armed).run());
                    let ended = std::panic::catch_unwind(round);
                    println!(
                        "{scenario:?} at {armed}: {} ms",
                        begun.elapsed().as_millis()
                    );
                    if let Err(panic) = ended {
                        let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
                        failed
                            .lock()
                            .expect("no panic holds it")
                            .push(format!("{scenario:?} at {armed}: {text}"));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().expect("every thread ended");
    assert!(
        failed.is_empty(),
        "{} rounds failed:\n{}",
        failed.len(),
        failed.join("\n\n")
    );
}

/// The right to run a node: so many run at once, in all tests together.
struct Turn;

static TAKEN: (Mutex<u32>, Condvar) = (Mutex::new(0), Condvar::new());
const AT_ONCE: u32 = 2;

impl Turn {
    fn take() -> Self {
        let taken = TAKEN.0.lock().expect("no panic holds it");
        let mut taken = TAKEN
            .1
            .wait_while(taken, |taken| *taken >= AT_ONCE)
            .expect("no panic holds it");
        *taken += 1;
        Self
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *TAKEN.0.lock().expect("no panic holds it") -= 1;
        TAKEN.1.notify_one();
    }
}
