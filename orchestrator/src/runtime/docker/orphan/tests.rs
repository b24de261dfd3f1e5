//! What runs of a container without the engine's knowledge, with real processes in real control groups.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "the test starts the processes that it looks for, and the summary collects what it prints"
)]

use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use super::*;

fn service() -> ServiceId {
    ServiceId::new("relay").unwrap()
}

/// A control group that is called as systemd calls a container's.
struct Group {
    id: String,
    path: PathBuf,
}

impl Group {
    fn new(id: &str) -> Option<Self> {
        let id = format!("{id}{}", std::process::id());
        for root in ["/sys/fs/cgroup", "/sys/fs/cgroup/pids"] {
            let path = Path::new(root).join(format!("docker-{id}.scope"));
            if std::fs::create_dir(&path).is_ok() {
                if path.join("cgroup.procs").exists() {
                    return Some(Self { id, path });
                }
                let _ = std::fs::remove_dir(&path);
            }
        }
        println!(
            "SKIPPED: no control group can be made here: nothing was ended that an engine forgot"
        );
        None
    }

    /// Runs a script in it.
    fn run(&self, script: &str) -> Child {
        let join = format!("echo $$ > {}/cgroup.procs; {script}", self.path.display());
        let child = Command::new("/bin/sh")
            .args(["-c", &join])
            .stdin(Stdio::null())
            .spawn()
            .expect("a shell");
        while !of(&self.id)
            .expect("it is looked at")
            .iter()
            .any(|held| held.pid.as_raw_nonzero().get().unsigned_abs() == child.id())
        {
            std::thread::sleep(BETWEEN);
        }
        child
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for held in of(&self.id).unwrap_or_default() {
            let _ = pidfd_send_signal(&held.by, Signal::KILL);
        }
        for _ in 0..LOOKS {
            if std::fs::remove_dir(&self.path).is_ok() {
                return;
            }
            std::thread::sleep(BETWEEN);
        }
    }
}

/// Buries a process when it ends: a dead one that nobody buries stays in its group.
fn bury(mut child: Child) -> std::thread::JoinHandle<Option<i32>> {
    use std::os::unix::process::ExitStatusExt as _;
    std::thread::spawn(move || child.wait().expect("it ends").signal())
}

#[tokio::test]
async fn what_runs_is_asked_by_the_containers_own_signal_and_is_gone_afterwards() {
    let Some(group) = Group::new("a") else { return };
    let (ended, other) = (bury(group.run("exec sleep 1000")), Group::new("b").unwrap());
    let mut stranger = other.run("exec sleep 1000");
    let ran = end_within(&service(), &group.id, Signal::USR1, ENGINES_GRACE).await;
    assert!(ran.unwrap());
    assert_eq!(ended.join().unwrap(), Some(10), "SIGUSR1");
    assert!(stranger.try_wait().unwrap().is_none(), "another's runs on");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
    let again = end_within(&service(), &group.id, Signal::USR1, ENGINES_GRACE).await;
    assert!(!again.unwrap(), "nothing is left");
}

#[tokio::test]
async fn what_does_not_end_keeps_its_service_from_starting_until_its_grace_is_over() {
    let Some(group) = Group::new("c") else { return };
    let script = "trap '' TERM; while :; do sleep 0.1; done";
    let ended = bury(group.run(script));
    let grace = Duration::from_secs(3);
    let first = end_within(&service(), &group.id, Signal::TERM, grace).await;
    assert!(
        matches!(first, Err(RuntimeError::StillRuns { .. })),
        "{first:?}"
    );
    assert!(!ended.is_finished(), "nobody kills it before");
    // One look takes longer than the grace.
    let second = end_within(&service(), &group.id, Signal::TERM, grace).await;
    assert!(second.unwrap());
    assert_eq!(ended.join().unwrap(), Some(9));
}

#[test]
fn a_group_is_the_containers_by_its_whole_id() {
    let id = "0b4b4972934a8a597d9486b78748b1ff";
    for groups in [
        format!("12:pids:/docker/{id}\n0::/system.slice/x"),
        format!("0::/system.slice/docker-{id}.scope"),
        format!("0::/docker/{id}/inner"),
    ] {
        assert!(within(&groups, id), "{groups}");
        assert!(!within(&groups, &id[..12]), "{groups}");
        assert!(!within(&groups, ""), "{groups}");
    }
    assert!(!within("0::/docker/another\n", id));
    assert!(!within("", id));
}
