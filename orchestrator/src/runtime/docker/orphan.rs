//! Owns processes of a container that the engine does not know to run: an engine that is killed while it starts one
//! forgets it, and it serves on. It must end before the service is started again, or two would write the same data.
//!
//! It looks at one container by its ID. Source: cgroups(7); seen with engine 20.10.24, which then refuses a start with
//! "task …: already exists".

use std::time::Duration;

use rustix::process::Pid;
use rustix::process::Signal;

/// How often, and how long after each other, it is looked whether what was asked to end has ended.
const LOOKS: usize = 50;
const BETWEEN: Duration = Duration::from_millis(100);

/// Ends what runs of the container `id`: asks first, then kills. Returns whether anything ran.
///
/// Call it only where the engine says that the container does not run.
pub(super) async fn end(id: &str) -> bool {
    let found = of(id);
    if found.is_empty() {
        return false;
    }
    tracing::warn!(
        container = id,
        processes = found.len(),
        "they run although the engine does not know it: they are ended"
    );
    for signal in [Signal::TERM, Signal::KILL] {
        for pid in of(id) {
            // One that ended meanwhile is no fault.
            let _ = rustix::process::kill_process(pid, signal);
        }
        for _ in 0..LOOKS {
            if of(id).is_empty() {
                return true;
            }
            tokio::time::sleep(BETWEEN).await;
        }
    }
    true
}

/// Lists the processes whose control group is that of the container.
fn of(id: &str) -> Vec<Pid> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let pid = Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)?;
            let groups = std::fs::read_to_string(entry.path().join("cgroup")).ok()?;
            within(&groups, id).then_some(pid)
        })
        .collect()
}

/// Whether one of `groups` is the container's: `…/docker/ID`, or `…/docker-ID.scope` where systemd keeps them.
fn within(groups: &str, id: &str) -> bool {
    let of_systemd = format!("docker-{id}.scope");
    !id.is_empty()
        && groups.lines().any(|line| {
            let path = line.splitn(3, ':').nth(2).unwrap_or_default();
            path.split('/').any(|part| part == id || part == of_systemd)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[tokio::test]
    async fn where_nothing_runs_nothing_is_ended() {
        assert!(!end("a-container-that-is-not-there").await);
    }
}
