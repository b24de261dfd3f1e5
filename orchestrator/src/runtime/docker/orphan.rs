//! Owns processes of a container that the engine does not know to run: an engine that is killed while it starts one
//! forgets it, and it serves on. It must end before the service is started again, or two would write the same data.
//!
//! It looks at one container by its ID, and signals through pidfds: a number may be somebody else's a moment later.
//! Source: cgroups(7), pidfd_open(2); seen with engine 20.10.24, which then refuses a start with "task …: already exists".

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use bollard::models::ContainerInspectResponse;
use rustix::io::Errno;
use rustix::process::Pid;
use rustix::process::PidfdFlags;
use rustix::process::Signal;
use rustix::process::pidfd_open;
use rustix::process::pidfd_send_signal;
use tokio::time::Instant;

use crate::id::ServiceId;
use crate::runtime::RuntimeError;

/// How often, and how long after each other, it is looked in one call whether what was asked to end has ended.
const LOOKS: u32 = 50;
const BETWEEN: Duration = Duration::from_millis(100);
/// The grace of a container that says nothing of it: the engine's own.
const ENGINES_GRACE: Duration = Duration::from_secs(10);

/// Since when what the engine forgot was asked to end, by container.
static ASKED: Mutex<BTreeMap<String, Instant>> = Mutex::new(BTreeMap::new());

/// A process of a container.
struct Held {
    pid: Pid,
    by: OwnedFd,
}

/// Ends what runs of a container of which the engine says that it does not run: asks by the container's own signal, and
/// kills after its own grace. Returns whether anything ran; then nothing does any more.
///
/// Errors: [`RuntimeError::StillRuns`] while something does, and where that cannot be known; nothing may be started or
/// removed then.
pub(super) async fn end(
    service: &ServiceId,
    found: &ContainerInspectResponse,
) -> Result<bool, RuntimeError> {
    let Some(id) = found.id.as_deref() else {
        return Ok(false);
    };
    let config = found.config.as_ref();
    let signal = config.and_then(|config| config.stop_signal.as_deref());
    let grace = config.and_then(|config| u64::try_from(config.stop_timeout?).ok());
    let grace = grace.map_or(ENGINES_GRACE, Duration::from_secs);
    end_within(service, id, named(signal.unwrap_or_default()), grace).await
}

async fn end_within(
    service: &ServiceId,
    id: &str,
    signal: Signal,
    grace: Duration,
) -> Result<bool, RuntimeError> {
    let unknown = |error: io::Error| {
        tracing::error!(%error, container = id, "whether something runs of it cannot be known");
        RuntimeError::StillRuns {
            service: service.clone(),
        }
    };
    let held = of(id).map_err(unknown)?;
    if held.is_empty() {
        asked().remove(id);
        return Ok(false);
    }
    let since = asked().get(id).copied();
    let over = since.is_some_and(|since| since.elapsed() >= grace);
    match since {
        _ if over => tell(&held, Signal::KILL),
        Some(_) => {}
        None => {
            let processes = held.len();
            tracing::warn!(%service, container = id, processes, "the engine does not know that it runs: it is asked to end");
            asked().insert(id.to_owned(), Instant::now());
            tell(&roots(held), signal);
        }
    }
    for _ in 0..LOOKS {
        if of(id).map_err(unknown)?.is_empty() {
            asked().remove(id);
            return Ok(true);
        }
        tokio::time::sleep(BETWEEN).await;
    }
    Err(RuntimeError::StillRuns {
        service: service.clone(),
    })
}

fn asked() -> std::sync::MutexGuard<'static, BTreeMap<String, Instant>> {
    ASKED.lock().unwrap_or_else(PoisonError::into_inner)
}

fn tell(held: &[Held], signal: Signal) {
    for one in held {
        // One that ended meanwhile is no fault.
        let _ = pidfd_send_signal(&one.by, signal);
    }
}

/// Keeps those whose parent is none of them: they end the others themselves.
fn roots(held: Vec<Held>) -> Vec<Held> {
    let pids: Vec<Pid> = held.iter().map(|one| one.pid).collect();
    let inner = |one: &Held| parent(one.pid).is_some_and(|parent| pids.contains(&parent));
    held.into_iter().filter(|one| !inner(one)).collect()
}

fn parent(pid: Pid) -> Option<Pid> {
    let path = format!("/proc/{}/status", pid.as_raw_nonzero());
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("PPid:"))?;
    Pid::from_raw(line.trim().parse().ok()?)
}

/// Lists the processes whose control group is that of the container. Errors: where one cannot be looked at.
fn of(id: &str) -> io::Result<Vec<Held>> {
    let mut held = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let entry = entry?;
        let number = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        let Some(pid) = number.and_then(Pid::from_raw) else {
            continue;
        };
        let path = entry.path();
        if !belongs(&path, id)? {
            continue;
        }
        let by = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(by) => by,
            Err(Errno::SRCH) => continue,
            Err(error) => return Err(error.into()),
        };
        // The number may have been given to another one before it was held.
        if belongs(&path, id)? {
            held.push(Held { pid, by });
        }
    }
    Ok(held)
}

fn belongs(process: &Path, id: &str) -> io::Result<bool> {
    match std::fs::read_to_string(process.join("cgroup")) {
        Ok(groups) => Ok(within(&groups, id)),
        // It ended meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) if error.raw_os_error() == Some(Errno::SRCH.raw_os_error()) => Ok(false),
        Err(error) => Err(error),
    }
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

/// The signal of that name; TERM for a name that no manifest can have.
fn named(name: &str) -> Signal {
    match name {
        "SIGINT" => Signal::INT,
        "SIGQUIT" => Signal::QUIT,
        "SIGUSR1" => Signal::USR1,
        "SIGKILL" => Signal::KILL,
        _ => Signal::TERM,
    }
}

#[cfg(test)]
mod tests;
