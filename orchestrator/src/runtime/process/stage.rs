//! Owns the last moments before a process becomes the service's program: `flash-node stage --dir DIR --start NONCE`.
//!
//! Its standard input is the start lock, handed over by the supervisor and held until the program is there. Under
//! it the start is checked once more and the process recorded, so that whoever takes the lock afterwards sees
//! either no process, or one that will be or is the program.

use std::convert::Infallible;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::ExitCode;
use std::process::Stdio;

use rustix::fs::Mode;
use rustix::process::Resource;
use rustix::process::Rlimit;
use tokio::signal::unix::SignalKind;

use super::fail;
use super::identity::ProcessIdentity;
use super::lock;
use super::record::ChildRecord;
use super::record::FailureRecord;
use super::record::Slot;
use super::record::UnitRecord;
use super::shim;
use crate::clock::Clock;
use crate::clock::SystemClock;
use crate::runtime::layout;

/// More open files than this no service needs. Units: files.
const OPEN_FILES: u64 = 1 << 20;

/// How willing the kernel shall be to end a service, rather than the node, when memory runs out.
const OOM_SCORE: &str = "100";

/// Becomes the program of the slot `dir`, or returns.
pub fn main(dir: &Path, nonce: &str) -> ExitCode {
    let Some(slot) = shim::slot_at(dir) else {
        return ExitCode::from(2);
    };
    match start(&slot, nonce) {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(never)) => match never {},
        Err(failure) => {
            let record = FailureRecord {
                nonce: nonce.to_owned(),
                program: failure.program,
                errno: failure.source.raw_os_error(),
            };
            let recorded = slot.write_failure(&record);
            shim::say(&format!("the program was not started: {}", failure.source));
            if let Err(error) = recorded {
                shim::say(&format!("and that could not be recorded: {error}"));
            }
            ExitCode::from(127)
        }
    }
}

struct Failure {
    program: bool,
    source: io::Error,
}

impl From<io::Error> for Failure {
    fn from(source: io::Error) -> Self {
        Self {
            program: false,
            source,
        }
    }
}

fn start(slot: &Slot, nonce: &str) -> Result<Option<Infallible>, Failure> {
    // The duplicate is close-on-exec: the lock goes at the very moment at which the program is there.
    let held = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    if !lock::names(&slot.start_lock(), &held)? {
        return Ok(None);
    }
    fail::point(slot.dir(), "stage_begun");
    let Some(unit) = slot.unit()? else {
        return Ok(None);
    };
    let started = slot.child()?;
    let carried_out = started.is_some_and(|child| child.nonce == nonce);
    if unit.nonce.as_deref() != Some(nonce) || carried_out {
        return Ok(None);
    }
    fail::point(slot.dir(), "stage_checked");
    rustix::process::setsid().map_err(io::Error::from)?;
    hear_all_signals()?;
    let (program, opened) = reachable(&unit)?;
    confine(&unit)?;
    slot.write_child(&ChildRecord {
        nonce: nonce.to_owned(),
        process: ProcessIdentity::own()?,
        spec_hash: unit.spec_hash.clone(),
        started_at: SystemClock::new().wall(),
    })?;
    fail::point(slot.dir(), "stage_recorded");
    let source = become_program(&unit, &program);
    drop(opened);
    // The lock is still held here, so that the failure is on disk before anybody can look.
    let failure = Failure {
        program: true,
        source,
    };
    record_failure(slot, nonce, &failure)?;
    drop(held);
    Err(failure)
}

fn record_failure(slot: &Slot, nonce: &str, failure: &Failure) -> io::Result<()> {
    slot.write_failure(&FailureRecord {
        nonce: nonce.to_owned(),
        program: failure.program,
        errno: failure.source.raw_os_error(),
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "this process becomes the program; child processes belong here"
)]
fn become_program(unit: &UnitRecord, program: &Path) -> io::Error {
    let mut command = Command::new(program);
    command
        .arg0(&unit.program)
        .args(&unit.args)
        .env_clear()
        .envs(&unit.env)
        .current_dir(&unit.folder)
        .stdin(Stdio::null());
    if let Some(uid) = unit.uid {
        command.uid(uid).gid(uid);
    }
    command.exec()
}

/// Returns a path under which the service's identity can execute the program: where a folder above is closed to
/// it, the program is opened now and executed through its descriptor.
fn reachable(unit: &UnitRecord) -> Result<(PathBuf, Option<File>), Failure> {
    let Some(uid) = unit.uid else {
        return Ok((unit.program.clone(), None));
    };
    if layout::closed_above(&unit.program, uid)?.is_none() {
        return Ok((unit.program.clone(), None));
    }
    let opened = File::open(&unit.program).map_err(|source| Failure {
        program: true,
        source,
    })?;
    let path = PathBuf::from(format!("/proc/self/fd/{}", opened.as_raw_fd()));
    Ok((path, Some(opened)))
}

fn confine(unit: &UnitRecord) -> io::Result<()> {
    rustix::process::umask(Mode::from_raw_mode(0o077));
    let most = rustix::process::getrlimit(Resource::Nofile).maximum;
    rustix::process::setrlimit(
        Resource::Nofile,
        Rlimit {
            current: Some(most.map_or(OPEN_FILES, |most| most.min(OPEN_FILES))),
            maximum: most,
        },
    )?;
    // A core holds keys.
    rustix::process::setrlimit(
        Resource::Core,
        Rlimit {
            current: Some(0),
            maximum: Some(0),
        },
    )?;
    if unit.uid.is_some() {
        // The kernel counts this limit by identity, so it means the service only where that is its own.
        let most = Some(u64::from(unit.limits.pids));
        rustix::process::setrlimit(
            Resource::Nproc,
            Rlimit {
                current: most,
                maximum: most,
            },
        )?;
    }
    // Some containers forbid it; a service does not depend on it.
    let _ = std::fs::write("/proc/self/oom_score_adj", OOM_SCORE);
    rustix::thread::set_no_new_privs(true)?;
    Ok(())
}

/// Undoes the ignoring of signals that a shell's `&` or `nohup` left behind: an ignored signal stays ignored
/// across `exec`, and a service that is asked to stop by SIGINT would never hear it. A signal that has a handler
/// returns to its default at `exec`, so each ignored one is given a handler.
fn hear_all_signals() -> io::Result<()> {
    let ignored = ignored_signals()?;
    let kinds = [
        SignalKind::interrupt(),
        SignalKind::quit(),
        SignalKind::terminate(),
        SignalKind::hangup(),
        SignalKind::user_defined1(),
        SignalKind::user_defined2(),
        SignalKind::child(),
    ];
    let deaf: Vec<SignalKind> = kinds
        .into_iter()
        .filter(|kind| ignored & (1 << (kind.as_raw_value() - 1)) != 0)
        .collect();
    if deaf.is_empty() {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let _entered = runtime.enter();
    for kind in deaf {
        let _ = tokio::signal::unix::signal(kind)?;
    }
    Ok(())
}

fn ignored_signals() -> io::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .ok_or_else(|| io::Error::other("/proc/self/status has an unknown shape"))
}
