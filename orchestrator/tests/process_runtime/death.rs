//! What happens when a supervisor, a program, or both are killed, and when records no longer tell the truth.

use flash_node::runtime::DropStage;
use flash_node::runtime::InstanceState;
use flash_node::runtime::Job;
use flash_node::runtime::LogQuery;
use flash_node::runtime::Runtime;
use flash_node::runtime::RuntimeError;
use flash_node::runtime::Unit;
use futures::StreamExt;

use crate::bench::Machine;
use crate::bench::PATIENCE;
use crate::bench::append;
use crate::bench::kill;
use crate::bench::processes_naming;
use crate::bench::runs;
use crate::bench::start_ticks;
use crate::bench::until;

const SLEEPS: &str = "exec sleep 100000";

async fn exited(machine: &Machine, unit: &Unit) -> (Option<i32>, Option<i32>) {
    let mut changes = machine.runtime.watch();
    let waited = tokio::time::timeout(PATIENCE, async {
        loop {
            if let InstanceState::Exited(exit) = machine.instance(&unit.service).await.state {
                return (exit.code, exit.signal);
            }
            changes.changed().await.unwrap();
        }
    });
    waited.await.expect("it never ended")
}

#[tokio::test]
async fn program_outlives_its_supervisor_and_is_adopted_without_a_restart() {
    let machine = Machine::new();
    let unit = machine.shell("alpha", SLEEPS);
    machine.runtime.ensure(&unit).await.unwrap();
    let before = machine.instance(&unit.service).await;
    let supervisor = machine.supervisor(&unit.service);
    let mut changes = machine.runtime.watch();
    kill(supervisor);
    until(|| !runs(supervisor));
    // The loss moves the counter, so that somebody looks.
    tokio::time::timeout(PATIENCE, changes.changed())
        .await
        .unwrap()
        .unwrap();
    let orphaned = machine.instance(&unit.service).await;
    assert!(!orphaned.supervised);
    assert_eq!(orphaned.state, before.state);

    machine.runtime.ensure(&unit).await.unwrap();
    assert_eq!(machine.instance(&unit.service).await, before);
    assert_ne!(machine.supervisor(&unit.service), supervisor);

    // The adopter sees the end, though nobody can tell its code any more.
    machine.drop(&unit.service, DropStage::Ask).await;
    assert_eq!(exited(&machine, &unit).await, (None, None));
    let adopter = machine.supervisor(&unit.service);
    until(|| !runs(adopter));
    assert_eq!(
        machine.record(&unit.service, "exit.json")["exit"]["code"],
        serde_json::Value::Null
    );
    machine.go_down(&unit.service).await;
}

#[tokio::test]
async fn signal_that_kills_a_program_from_outside_is_reported() {
    let machine = Machine::new();
    let unit = machine.shell("alpha", SLEEPS);
    machine.runtime.ensure(&unit).await.unwrap();
    kill(machine.pid(&unit.service).await);
    assert_eq!(exited(&machine, &unit).await, (None, Some(9)));
    machine.runtime.ensure(&unit).await.unwrap();
    machine.pid(&unit.service).await;
    machine.go_down(&unit.service).await;
}

#[tokio::test]
async fn program_and_supervisor_killed_together_are_one_unseen_end() {
    let machine = Machine::new();
    let unit = machine.shell("alpha", SLEEPS);
    machine.runtime.ensure(&unit).await.unwrap();
    let pid = machine.pid(&unit.service).await;
    let supervisor = machine.supervisor(&unit.service);
    kill(supervisor);
    kill(pid);
    until(|| !runs(pid) && !runs(supervisor));
    assert_eq!(exited(&machine, &unit).await, (None, None));
    let first = machine.instance(&unit.service).await;
    assert!(!first.supervised);
    // However often it is looked at, the end was noticed once.
    assert_eq!(machine.instance(&unit.service).await, first);
    machine.runtime.ensure(&unit).await.unwrap();
    assert_ne!(machine.pid(&unit.service).await, pid);
    machine.go_down(&unit.service).await;
}

#[tokio::test]
async fn children_that_a_killed_program_left_behind_end_before_it_starts_again() {
    let machine = Machine::new();
    let unit = machine.shell("alpha", "sleep 100000 & echo $! > $HOME/child; wait");
    machine.runtime.ensure(&unit).await.unwrap();
    let note = machine.volume(&unit.service).join("child");
    let child = || -> Option<u32> { std::fs::read_to_string(&note).ok()?.trim().parse().ok() };
    until(|| child().is_some());
    let child = child().unwrap();
    let supervisor = machine.supervisor(&unit.service);
    let pid = machine.pid(&unit.service).await;
    kill(supervisor);
    until(|| !runs(supervisor));
    kill(pid);
    until(|| !runs(pid));
    assert!(runs(child));
    machine.runtime.ensure(&unit).await.unwrap();
    assert!(!runs(child));
    machine.go_down(&unit.service).await;
}

#[tokio::test]
async fn kill_ends_grandchildren_even_in_sessions_of_their_own() {
    let machine = Machine::new();
    let script = "(sleep 100000 & echo $! > $HOME/one); \
                  setsid sh -c 'echo $$ > $HOME/two; exec sleep 100000' & exec sleep 100000";
    let unit = machine.shell("alpha", script);
    machine.runtime.ensure(&unit).await.unwrap();
    let note = |name: &str| -> Option<u32> {
        let text = std::fs::read_to_string(machine.volume(&unit.service).join(name)).ok()?;
        text.trim().parse().ok()
    };
    until(|| note("one").is_some() && note("two").is_some());
    let (one, two) = (note("one").unwrap(), note("two").unwrap());
    assert!(runs(one) && runs(two));
    machine.drop(&unit.service, DropStage::Kill).await;
    assert_eq!(exited(&machine, &unit).await, (None, Some(9)));
    assert!(!runs(one) && !runs(two));
    machine.go_down(&unit.service).await;
}

#[tokio::test]
async fn children_left_behind_at_a_normal_end_go_too() {
    let machine = Machine::new();
    let unit = machine.shell("alpha", "sleep 100000 & echo $! > $HOME/child; exit 0");
    machine.runtime.ensure(&unit).await.unwrap();
    assert_eq!(exited(&machine, &unit).await, (Some(0), None));
    let note = std::fs::read_to_string(machine.volume(&unit.service).join("child")).unwrap();
    assert!(!runs(note.trim().parse().unwrap()));
    machine.go_down(&unit.service).await;
}

/// Ends program and supervisor, and lets the record name a stranger that really runs.
async fn with_record_of_a_stranger(
    change: impl Fn(&mut serde_json::Value, u32),
) -> (Machine, Unit, Unit, u32) {
    let machine = Machine::new();
    let unit = machine.shell("alpha", SLEEPS);
    let other = machine.shell("stranger", SLEEPS);
    machine.runtime.ensure(&other).await.unwrap();
    let stranger = machine.pid(&other.service).await;
    machine.runtime.ensure(&unit).await.unwrap();
    let pid = machine.pid(&unit.service).await;
    let supervisor = machine.supervisor(&unit.service);
    kill(supervisor);
    kill(pid);
    until(|| !runs(pid) && !runs(supervisor));
    let mut record = machine.record(&unit.service, "child.json");
    change(&mut record, stranger);
    std::fs::write(
        machine.dir(&unit.service).join("child.json"),
        record.to_string(),
    )
    .unwrap();
    (machine, unit, other, stranger)
}

async fn stranger_is_left_alone(machine: Machine, unit: Unit, other: Unit, stranger: u32) {
    let instance = machine.instance(&unit.service).await;
    assert!(
        matches!(instance.state, InstanceState::Exited(exit) if exit.code.is_none()),
        "{instance:?}"
    );
    machine.drop(&unit.service, DropStage::Ask).await;
    machine.drop(&unit.service, DropStage::Kill).await;
    machine.runtime.ensure(&unit).await.unwrap();
    assert_ne!(machine.pid(&unit.service).await, stranger);
    assert!(runs(stranger));
    machine.go_down(&unit.service).await;
    machine.go_down(&other.service).await;
}

#[tokio::test]
async fn process_that_reuses_the_number_is_neither_adopted_nor_signalled() {
    let (machine, unit, other, stranger) = with_record_of_a_stranger(|record, stranger| {
        record["process"]["pid"] = stranger.into();
    })
    .await;
    stranger_is_left_alone(machine, unit, other, stranger).await;
}

#[tokio::test]
async fn record_of_an_earlier_boot_names_nothing_that_runs() {
    let (machine, unit, other, stranger) = with_record_of_a_stranger(|record, stranger| {
        record["process"]["pid"] = stranger.into();
        record["process"]["start_ticks"] = start_ticks(stranger).unwrap().into();
        record["process"]["boot_id"] = "00000000-0000-0000-0000-000000000000".into();
    })
    .await;
    stranger_is_left_alone(machine, unit, other, stranger).await;
}

#[tokio::test]
async fn damaged_record_stops_its_service_alone_and_nothing_is_started_over_it() {
    for name in ["unit.json", "child.json"] {
        let machine = Machine::new();
        let unit = machine.shell("alpha", SLEEPS);
        let other = machine.shell("beta", SLEEPS);
        machine.runtime.ensure(&unit).await.unwrap();
        machine.runtime.ensure(&other).await.unwrap();
        let pid = machine.pid(&unit.service).await;
        let path = machine.dir(&unit.service).join(name);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();

        let seen = machine.seen(&unit.service).await.unwrap();
        assert!(matches!(seen, Err(RuntimeError::Record { .. })), "{seen:?}");
        machine.pid(&other.service).await;
        let refused = machine.runtime.ensure(&unit).await;
        assert!(
            matches!(refused, Err(RuntimeError::Record { .. })),
            "{refused:?}"
        );
        assert!(runs(pid));

        std::fs::write(&path, &whole).unwrap();
        assert_eq!(machine.pid(&unit.service).await, pid);
        machine.go_down(&unit.service).await;
        machine.go_down(&other.service).await;
    }
}

#[tokio::test]
async fn program_whose_unit_record_is_gone_is_reported_and_can_be_killed() {
    let machine = Machine::new();
    let unit = machine.shell("alpha", SLEEPS);
    machine.runtime.ensure(&unit).await.unwrap();
    let pid = machine.pid(&unit.service).await;
    std::fs::remove_file(machine.dir(&unit.service).join("unit.json")).unwrap();
    let seen = machine.seen(&unit.service).await.unwrap();
    assert!(matches!(seen, Err(RuntimeError::Record { .. })), "{seen:?}");
    let refused = machine.runtime.ensure(&unit).await;
    assert!(
        matches!(refused, Err(RuntimeError::Record { .. })),
        "{refused:?}"
    );
    assert!(runs(pid));
    machine.drop(&unit.service, DropStage::Kill).await;
    until(|| !runs(pid));
    machine.go_down(&unit.service).await;
}

#[tokio::test]
async fn missing_program_is_named_and_nothing_is_recorded() {
    let machine = Machine::new();
    let mut unit = machine.shell("alpha", SLEEPS);
    unit.program = "/nonexistent/program".into();
    let refused = machine.runtime.ensure(&unit).await;
    assert!(
        matches!(refused, Err(RuntimeError::NoProgram { .. })),
        "{refused:?}"
    );
    assert!(machine.seen(&unit.service).await.is_none());
}

#[tokio::test]
async fn program_that_the_kernel_refuses_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let machine = Machine::new();
    let mut unit = machine.shell("alpha", SLEEPS);
    unit.program = machine.root().join("broken");
    std::fs::write(&unit.program, b"#!/nonexistent/interpreter\n").unwrap();
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&unit.program, mode).unwrap();
    let refused = machine.runtime.ensure(&unit).await;
    let Err(RuntimeError::NoProgram { source, .. }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(source.kind(), std::io::ErrorKind::NotFound);
    machine.go_down(&unit.service).await;
}

#[tokio::test]
async fn log_is_turned_over_while_the_program_writes_to_it() {
    let machine = Machine::new();
    let unit = machine.shell(
        "alpha",
        "echo begun; while :; do sleep 0.05; echo tick; done",
    );
    machine.runtime.ensure(&unit).await.unwrap();
    let log = machine.log(&unit.service);
    // At once: pieces that straddle the limit could be turned over between the last two, with a whole one left.
    append(&log, &format!("{}\n", "x".repeat(1023)).repeat(11 * 1024));
    let few = 2 * 1024 * 1024;
    let old = log.with_file_name("current.log.1");
    until(|| old.exists() && std::fs::metadata(&log).unwrap().len() < few);
    // The program goes on writing, at the new end.
    let query = LogQuery {
        tail: 0,
        follow: true,
    };
    let mut lines = machine.runtime.logs(&unit.service, query).await.unwrap();
    let line = tokio::time::timeout(PATIENCE, lines.next()).await.unwrap();
    assert_eq!(line.unwrap().text, "tick");
    assert!(std::fs::metadata(&log).unwrap().len() < few);
    machine.go_down(&unit.service).await;
}

#[tokio::test]
async fn job_of_an_earlier_node_is_waited_for_and_never_runs_beside_itself() {
    let mut machine = Machine::new();
    let unit = machine.shell("alpha", SLEEPS);
    let script =
        "echo $$ >> $HOME/runs; while [ ! -e $HOME/go ]; do sleep 0.02; done; echo over; exit 4";
    let job = Job {
        name: flash_node::id::Name::new("init").unwrap(),
        program: "/bin/sh".into(),
        args: vec!["-c".to_owned(), script.to_owned()],
        timeout_seconds: 60,
        // It works in this very folder.
        clears: Some(machine.volume(&unit.service)),
    };
    let runs_noted = machine.volume(&unit.service).join("runs");
    {
        let first = machine.runtime.run_job(&unit, &job);
        let begun = async {
            while !runs_noted.exists() {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        // The node dies while the job runs: its future is dropped.
        tokio::select! {
            outcome = first => panic!("{outcome:?}"),
            done = tokio::time::timeout(PATIENCE, begun) => done.unwrap(),
        }
    }
    machine.restart_node();
    let again = machine.runtime.run_job(&unit, &job);
    let go = async {
        std::fs::write(machine.volume(&unit.service).join("go"), "").unwrap();
    };
    let (outcome, ()) = tokio::join!(again, go);
    let outcome = outcome.unwrap();
    assert_eq!(outcome.exit.code, Some(4));
    assert_eq!(outcome.tail, "over\n");
    let noted = std::fs::read_to_string(&runs_noted).unwrap();
    assert_eq!(noted.lines().count(), 1);
    machine.go_down(&unit.service).await;
    assert!(processes_naming(machine.root()).is_empty());
}

#[tokio::test]
async fn start_that_is_called_off_is_never_carried_out() {
    let machine = Machine::new();
    let unit = machine.shell("alpha", SLEEPS);
    machine.arm(&unit.service, "shim_decided");
    machine.runtime.ensure(&unit).await.unwrap_err();
    machine.drop(&unit.service, DropStage::Ask).await;
    assert_eq!(
        machine.record(&unit.service, "unit.json")["nonce"],
        serde_json::Value::Null
    );
    let instance = machine.instance(&unit.service).await;
    assert_eq!(instance.state, InstanceState::Prepared);
    machine.go_down(&unit.service).await;
    assert!(!machine.dir(&unit.service).join("unit.json").exists());
}

#[tokio::test]
async fn redis_runs_is_adopted_and_stops_cleanly() {
    let program = std::path::PathBuf::from("/usr/bin/redis-server");
    assert!(
        program.exists(),
        "this test runs Debian's redis-server; install it"
    );
    let mut machine = Machine::new();
    let shell = machine.shell("cache", "");
    let socket = machine.memory().join("redis.sock");
    let unit = Unit {
        program,
        args: [
            "--port",
            "0",
            "--daemonize",
            "no",
            "--unixsocket",
            socket.to_str().unwrap(),
        ]
        .map(str::to_owned)
        .to_vec(),
        ..shell
    };
    machine.runtime.ensure(&unit).await.unwrap();
    let ping = || {
        use std::io::Read;
        use std::io::Write;
        let mut answer = [0; 7];
        let asked = std::os::unix::net::UnixStream::connect(&socket).and_then(|mut stream| {
            stream.write_all(b"PING\r\n")?;
            stream.read_exact(&mut answer)
        });
        asked.is_ok() && &answer == b"+PONG\r\n"
    };
    until(ping);
    let before = machine.instance(&unit.service).await;
    machine.restart_node();
    machine.runtime.ensure(&unit).await.unwrap();
    assert_eq!(machine.instance(&unit.service).await, before);
    assert!(ping());
    machine.drop(&unit.service, DropStage::Ask).await;
    assert_eq!(exited(&machine, &unit).await, (Some(0), None));
    machine.go_down(&unit.service).await;
}
