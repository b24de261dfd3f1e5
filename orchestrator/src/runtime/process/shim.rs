//! Owns the supervisor of one service: `flash-node shim --dir DIR`, synchronous, small, outliving the node.
//!
//! It starts the program of its slot at most once per recorded start, or adopts the one that lives; turns the log
//! over; writes down the end; and ends. It never restarts anything and does not know why the program runs.

use std::fs::File;
use std::io;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::ExitCode;
use std::process::Stdio;
use std::time::Duration;

use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustix::event::Timespec;
use rustix::io::Errno;
use rustix::process::Pid;
use rustix::process::PidfdFlags;
use rustix::process::WaitId;
use rustix::process::WaitIdOptions;

use super::fail;
use super::identity::ProcessIdentity;
use super::lock;
use super::record::ExitRecord;
use super::record::FailureRecord;
use super::record::JOB;
use super::record::Slot;
use super::record::UnitRecord;
use super::session;
use crate::clock::Clock;
use crate::clock::SystemClock;
use crate::id::ServiceId;
use crate::runtime::Exit;
use crate::runtime::log;

/// How often the log's size is looked at.
const ROUND: Duration = Duration::from_secs(2);

/// How long a supervisor tries to become the one of its slot.
const PATIENCE: Duration = Duration::from_secs(2);

/// Starts the supervisor of the slot `dir` in a session of its own and returns; with `detached`, is it.
pub fn main(dir: &Path, detached: bool) -> ExitCode {
    let done = if detached {
        supervise(dir)
    } else {
        detach(dir)
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("the supervisor ended: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Leaves the node's session and process group, so that a terminal's Ctrl-C and hang-up do not reach the service,
/// and lets go of the node, so that nobody has to wait for the supervisor's end.
#[expect(
    clippy::disallowed_methods,
    reason = "the supervisor is this program again; child processes belong here"
)]
fn detach(dir: &Path) -> io::Result<()> {
    rustix::process::setsid()?;
    // Whoever started the node may have left pipes open that were not meant to be inherited, and wait for their end.
    close_fds::set_fds_cloexec(3, &[]);
    Command::new("/proc/self/exe")
        .arg("shim")
        .arg("--dir")
        .arg(dir)
        .arg("--detached")
        .env_clear()
        .current_dir("/")
        .spawn()?;
    fail::point(dir, "shim_begun");
    Ok(())
}

fn supervise(dir: &Path) -> io::Result<()> {
    let Some(slot) = slot_at(dir) else {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the folder is not one of a service",
        ));
    };
    // Whatever the program starts and abandons becomes the supervisor's child, and ends with the service.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let Some(_held) = lock::take_within(&slot.lock(), PATIENCE)? else {
        return Ok(());
    };
    slot.write_supervisor(ProcessIdentity::own()?)?;
    fail::point(dir, "shim_locked");
    let start_lock = lock::take(&slot.start_lock())?;
    let Some(unit) = slot.unit()? else {
        return Ok(());
    };
    let Some(nonce) = unit.nonce.clone() else {
        return Ok(());
    };
    fail::point(dir, "shim_decided");
    match slot.child()? {
        Some(child) if child.nonce == nonce => {
            drop(start_lock);
            adopt(&slot, &unit, &nonce, &child.process)
        }
        // A program of another start lives: two would be worse than none.
        Some(child) if child.process.lives()? => Ok(()),
        _ => start(&slot, &unit, &nonce, start_lock),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the process that becomes the program is this program again; child processes belong here"
)]
fn start(slot: &Slot, unit: &UnitRecord, nonce: &str, start_lock: File) -> io::Result<()> {
    let spawned = log::open(&unit.log).and_then(|output| {
        Command::new("/proc/self/exe")
            .arg("stage")
            .arg("--dir")
            .arg(slot.dir())
            .arg("--start")
            .arg(nonce)
            .env_clear()
            .stdin(Stdio::from(start_lock))
            .stdout(Stdio::from(output.try_clone()?))
            .stderr(Stdio::from(output))
            .spawn()
    });
    let child = match spawned {
        Ok(child) => child,
        Err(error) => {
            slot.write_failure(&FailureRecord {
                nonce: nonce.to_owned(),
                program: false,
                errno: error.raw_os_error(),
            })?;
            return Err(error);
        }
    };
    fail::point(slot.dir(), "shim_spawned");
    let main = own_child(child.id())?;
    let opened = rustix::process::pidfd_open(main, PidfdFlags::empty())?;
    // Free again means: the program is there, or will never be.
    drop(lock::take(&slot.start_lock())?);
    fail::point(slot.dir(), "shim_started");
    report();
    let began = slot.child()?.is_some_and(|child| child.nonce == nonce);
    wait_for_end(unit, &opened, Some((child.id(), main)))?;
    session::sweep_as_parent(child.id())?;
    let status = rustix::process::waitid(WaitId::Pid(main), WaitIdOptions::EXITED)?;
    if !began {
        return Ok(());
    }
    slot.write_exit(&ExitRecord {
        nonce: nonce.to_owned(),
        exit: Exit {
            code: status.as_ref().and_then(|status| status.exit_status()),
            signal: status
                .as_ref()
                .and_then(|status| status.terminating_signal()),
            at: SystemClock::new().wall(),
        },
    })
}

fn adopt(slot: &Slot, unit: &UnitRecord, nonce: &str, main: &ProcessIdentity) -> io::Result<()> {
    let opened = main.open()?;
    report();
    if let Some(opened) = opened {
        wait_for_end(unit, &opened, None)?;
    }
    session::sweep_by_log(main, &unit.log)?;
    if slot.exit(nonce).is_some() {
        return Ok(());
    }
    // Only a parent learns the code, and the parent was killed.
    slot.write_exit(&ExitRecord {
        nonce: nonce.to_owned(),
        exit: Exit {
            code: None,
            signal: None,
            at: SystemClock::new().wall(),
        },
    })
}

/// Returns when the program has ended. Until then turns the log over, looks at orphans, and keeps a job's deadline.
fn wait_for_end(unit: &UnitRecord, opened: &OwnedFd, main: Option<(u32, Pid)>) -> io::Result<()> {
    let clock = SystemClock::new();
    let deadline = unit
        .deadline_seconds
        .map(|seconds| Duration::from_secs(u64::from(seconds)));
    let mut turning_fails = false;
    loop {
        let left = deadline.map(|deadline| deadline.saturating_sub(clock.monotonic()));
        if ended_within(opened, left.map_or(ROUND, |left| left.min(ROUND)))? {
            return Ok(());
        }
        if let Some((_, main)) = main {
            look_at_orphans(main)?;
        }
        if deadline.is_some_and(|deadline| clock.monotonic() >= deadline) {
            end_job(opened, main)?;
        } else if deadline.is_none() {
            turn_over(unit, &mut turning_fails);
        }
    }
}

/// Turns the log over where it is due. A failure is said once, until it has worked again: what is said stands in the
/// same log.
fn turn_over(unit: &UnitRecord, fails: &mut bool) {
    match log::turn_over(&unit.log) {
        Ok(()) => *fails = false,
        Err(error) => {
            if !std::mem::replace(fails, true) {
                say(&format!("the log could not be turned over: {error}"));
            }
        }
    }
}

fn end_job(opened: &OwnedFd, main: Option<(u32, Pid)>) -> io::Result<()> {
    if let Some((pid, _)) = main
        && let Some(identity) = ProcessIdentity::of(pid)?
    {
        session::kill(&identity)?;
    }
    match rustix::process::pidfd_send_signal(opened, rustix::process::Signal::KILL) {
        Ok(()) | Err(Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn ended_within(opened: &OwnedFd, patience: Duration) -> io::Result<bool> {
    let timeout = Timespec {
        tv_sec: i64::try_from(patience.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: patience.subsec_nanos().into(),
    };
    let mut fds = [PollFd::from_borrowed_fd(opened.as_fd(), PollFlags::IN)];
    match rustix::event::poll(&mut fds, Some(&timeout)) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Takes note of ended orphans, but never of the program itself: its end is looked at after its session.
fn look_at_orphans(main: Pid) -> io::Result<()> {
    let own = std::process::id();
    // Where the kernel does not list children, ended orphans wait for the supervisor's own end.
    let children = std::fs::read_to_string(format!("/proc/self/task/{own}/children"));
    for pid in children.unwrap_or_default().split_ascii_whitespace() {
        let Ok(pid) = pid.parse() else { continue };
        let pid = own_child(pid)?;
        if pid != main {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
            match rustix::process::waitid(WaitId::Pid(pid), options) {
                Ok(_) | Err(Errno::CHILD) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

fn own_child(pid: u32) -> io::Result<Pid> {
    i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .ok_or_else(|| io::Error::other("a child has no process number"))
}

/// Tells the node that started the supervisor, where it still listens, that the start is decided.
fn report() {
    let mut node = io::stdout();
    let _ = node.write_all(b".").and_then(|()| node.flush());
}

/// Writes one line where the supervisor's own words go: the service's log.
pub(super) fn say(text: &str) {
    let _ = writeln!(io::stderr(), "flash-node: {text}");
}

/// Returns the slot whose folder is `dir`: `…/SERVICE`, or `…/SERVICE/_job`.
pub(super) fn slot_at(dir: &Path) -> Option<Slot> {
    let name = dir.file_name()?.to_str()?;
    let service = match name {
        JOB => dir.parent()?.file_name()?.to_str()?,
        service => service,
    };
    Some(Slot::new(ServiceId::new(service).ok()?, PathBuf::from(dir)))
}
