//! The node, its supervisors and its starting programs are killed at every point; a program is never there twice.
//!
//! The node that dies is this test program again: it runs the one test [`node_of_another_test`] below.

use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use flash_node::clock::SystemClock;
use flash_node::id::ServiceId;
use flash_node::runtime::InstanceState;
use flash_node::runtime::Runtime;
use flash_node::runtime::process::fail;

use crate::bench::Machine;
use crate::bench::ignored_signals;
use crate::bench::kill;
use crate::bench::processes_naming;
use crate::bench::runs;
use crate::bench::until;
use crate::bench::within;

/// Each start leaves its number: whoever doubles a program is found out.
const NOTES: &str = "echo $$ >> $HOME/starts; exec sleep 100000";

const ROOT: &str = "FLASH_TEST_ROOT";
const MEMORY: &str = "FLASH_TEST_MEMORY";

/// Is the node that another test starts and kills: brings up `alpha` on that test's machine, and waits.
#[tokio::test]
async fn node_of_another_test() {
    let (Some(root), Some(memory)) = (std::env::var_os(ROOT), std::env::var_os(MEMORY)) else {
        return;
    };
    let machine = Machine::at(Path::new(&root), Path::new(&memory));
    let unit = machine.shell("alpha", NOTES);
    // The failpoint may kill a supervisor instead of this node; then the start fails and the node stays.
    let _ = machine.runtime.ensure(&unit).await;
}

#[expect(
    clippy::disallowed_methods,
    reason = "the node that is killed is a process of its own"
)]
fn spawn_node(machine: &Machine) -> Child {
    // As a shell starts what it puts in the background: deaf to the keyboard's signals.
    Command::new("/bin/sh")
        .args(["-c", "trap '' INT QUIT HUP USR1; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "crash::node_of_another_test", "--nocapture"])
        .env(ROOT, machine.root())
        .env(MEMORY, machine.memory())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn alpha() -> ServiceId {
    ServiceId::new("alpha").unwrap()
}

fn started(machine: &Machine) -> Vec<u32> {
    let notes = machine.volume(&alpha()).join("starts");
    std::fs::read_to_string(notes)
        .unwrap_or_default()
        .lines()
        .map(|line| line.parse().unwrap())
        .collect()
}

fn alive(machine: &Machine) -> Vec<u32> {
    let mut started = started(machine);
    started.retain(|pid| runs(*pid));
    started
}

/// Lets a new node converge, and counts.
async fn converges_to_one(machine: &Machine, what: &str) {
    let unit = machine.shell("alpha", NOTES);
    let since = SystemClock::new();
    // Until whatever was on its way has arrived, and one supervisor is left. One that is about to die may still
    // be seen, so that a node looks again, as it does whenever the counter moves.
    while machine.runtime.ensure(&unit).await.is_err()
        || processes_naming(machine.root()).len() != 1
    {
        within(&since);
    }
    until(|| !started(machine).is_empty());
    let instance = machine.instance(&unit.service).await;
    assert!(instance.supervised, "{what}: {instance:?}");
    let InstanceState::Running { pid } = instance.state else {
        panic!("{what}: {instance:?}");
    };
    until(|| alive(machine).contains(&pid));
    assert_eq!(ignored_signals(pid), 0, "{what}");
    assert_eq!(
        alive(machine),
        [pid],
        "{what}: all of {:?}",
        started(machine)
    );
}

#[tokio::test]
async fn kill_at_every_point_of_a_start_never_doubles_a_program() {
    for point in fail::POINTS {
        let machine = Machine::new();
        machine.arm(&alpha(), point);
        let mut node = spawn_node(&machine);
        let status = node.wait().unwrap();
        let armed = machine.dir(&alpha()).join("failpoint");
        assert!(!armed.exists(), "{point} was never reached ({status})");
        assert_eq!(
            status.code().is_none(),
            point.starts_with("ensure"),
            "{point}: {status}"
        );
        converges_to_one(&machine, point).await;
        machine.go_down(&alpha()).await;
    }
}

#[tokio::test]
async fn kill_at_the_last_step_keeps_the_program_that_was_started() {
    // From the record on a program is there, or about to be: it must be the one that stays.
    for point in ["ensure_launched", "shim_started"] {
        let machine = Machine::new();
        machine.arm(&alpha(), point);
        spawn_node(&machine).wait().unwrap();
        until(|| alive(&machine).len() == 1);
        let first = alive(&machine);
        converges_to_one(&machine, point).await;
        assert_eq!(started(&machine), first, "{point}");
        machine.go_down(&alpha()).await;
    }
}

#[tokio::test]
async fn kills_at_any_time_never_double_a_program() {
    for round in 0..16_u64 {
        let machine = Machine::new();
        for turn in 0..3_u64 {
            let mut node = spawn_node(&machine);
            tokio::time::sleep(Duration::from_millis((round * 3 + turn) * 4)).await;
            node.kill().unwrap();
            node.wait().unwrap();
            if (round + turn) % 2 == 0 {
                let killed = processes_naming(machine.root());
                killed.iter().copied().for_each(kill);
                until(|| killed.iter().all(|pid| !runs(*pid)));
            }
            assert!(alive(&machine).len() <= 1, "round {round}, turn {turn}");
        }
        converges_to_one(&machine, &format!("round {round}")).await;
        machine.go_down(&alpha()).await;
    }
}

#[tokio::test]
async fn late_start_of_a_killed_supervisor_never_doubles_a_program() {
    for point in ["stage_begun", "stage_checked", "stage_recorded"] {
        let machine = Machine::new();
        let armed = machine.dir(&alpha()).join("failpoint");
        machine.arm(&alpha(), &format!("pause {point}"));
        let mut node = spawn_node(&machine);
        until(|| !armed.exists());
        // The start has been decided and is held up; all who know of it die, and another node comes.
        node.kill().unwrap();
        node.wait().unwrap();
        let supervisor = machine.supervisor(&alpha());
        kill(supervisor);
        until(|| !runs(supervisor));
        converges_to_one(&machine, point).await;
        assert_eq!(started(&machine).len(), 1, "{point}");
        machine.go_down(&alpha()).await;
    }
}

#[tokio::test]
async fn late_supervisor_never_doubles_a_program() {
    for point in ["shim_begun", "shim_locked", "shim_decided", "shim_spawned"] {
        let machine = Machine::new();
        let armed = machine.dir(&alpha()).join("failpoint");
        machine.arm(&alpha(), &format!("pause {point}"));
        let mut node = spawn_node(&machine);
        until(|| !armed.exists());
        node.kill().unwrap();
        node.wait().unwrap();
        converges_to_one(&machine, point).await;
        assert_eq!(started(&machine).len(), 1, "{point}");
        machine.go_down(&alpha()).await;
    }
}

#[tokio::test]
async fn nodes_that_start_the_same_service_at_once_start_it_once() {
    let machine = Machine::new();
    let mut nodes: Vec<Child> = (0..4).map(|_| spawn_node(&machine)).collect();
    for node in &mut nodes {
        node.wait().unwrap();
    }
    converges_to_one(&machine, "four nodes").await;
    assert_eq!(started(&machine).len(), 1);
    machine.go_down(&alpha()).await;
}

#[tokio::test]
async fn half_removed_records_are_no_service() {
    let machine = Machine::new();
    let unit = machine.shell("alpha", NOTES);
    machine.runtime.ensure(&unit).await.unwrap();
    machine
        .drop(&unit.service, flash_node::runtime::DropStage::Kill)
        .await;
    until(|| processes_naming(machine.root()).is_empty());
    // A node that died while it removed records has removed this one first.
    let record: PathBuf = machine.dir(&unit.service).join("unit.json");
    std::fs::remove_file(record).unwrap();
    assert!(machine.seen(&unit.service).await.is_none());
    converges_to_one(&machine, "half removed").await;
    machine.go_down(&unit.service).await;
    assert!(!machine.dir(&unit.service).exists());
}
