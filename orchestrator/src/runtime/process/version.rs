//! Owns the asking of a program for its version: a short run whose output is all that matters.

use std::fs::File;
use std::io;
use std::io::Read;
use std::io::pipe;
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustix::event::Timespec;
use rustix::process::Pid;
use rustix::process::PidfdFlags;
use rustix::process::Signal;

use super::LANG;
use super::PATH;
use crate::clock::Clock;
use crate::clock::SystemClock;
use crate::service::programs::ProgramRunner;

/// No version is longer. Units: bytes.
const MOST: usize = 64 * 1024;

/// Asks programs of this machine for their version.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProcessRunner;

impl ProgramRunner for ProcessRunner {
    fn output(&self, program: &Path, args: &[String], timeout: Duration) -> io::Result<String> {
        run_for_output(program, args, timeout)
    }
}

/// Runs `program` and returns what it printed, on either output, until it ended. Blocks.
///
/// Errors: it could not be started; `TimedOut` where it runs longer than `timeout`, when it and its children are
/// killed. A program that ends with a failure has still answered.
pub fn run_for_output(program: &Path, args: &[String], timeout: Duration) -> io::Result<String> {
    let (reader, writer) = pipe()?;
    let mut child = spawn(program, args, writer.into())?;
    let answered = read(&child, File::from(OwnedFd::from(reader)), timeout);
    // Until `wait` the number is the child's own, so that its group can be nobody else's.
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = rustix::process::kill_process_group(group, Signal::KILL);
    }
    child.wait()?;
    answered.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

#[expect(
    clippy::disallowed_methods,
    reason = "a version is asked for here; child processes belong to runtime/process"
)]
fn spawn(program: &Path, args: &[String], output: OwnedFd) -> io::Result<Child> {
    Command::new(program)
        .args(args)
        .env_clear()
        .env("PATH", PATH)
        .env("LANG", LANG)
        .env("HOME", "/nonexistent")
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::from(output.try_clone()?))
        .stderr(Stdio::from(output))
        .spawn()
}

fn read(child: &Child, mut output: File, timeout: Duration) -> io::Result<Vec<u8>> {
    let pid = i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .ok_or_else(|| io::Error::other("a child has no process number"))?;
    let ended = rustix::process::pidfd_open(pid, PidfdFlags::empty())?;
    rustix::io::ioctl_fionbio(&output, true)?;
    let clock = SystemClock::new();
    let mut bytes = Vec::new();
    loop {
        let left = timeout.saturating_sub(clock.monotonic());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let pause = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        let mut fds = [
            PollFd::from_borrowed_fd(output.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(ended.as_fd(), PollFlags::IN),
        ];
        rustix::io::retry_on_intr(|| rustix::event::poll(&mut fds, Some(&pause)))?;
        // The end is looked at before the last read, so that nothing printed before it is missed.
        let over = !fds[1].revents().is_empty();
        let closed = drain(&mut output, &mut bytes)?;
        if over || closed && bytes.len() >= MOST {
            return Ok(bytes);
        }
        if closed {
            // It closed its outputs and goes on: only its end, or the time, is waited for.
            let mut fds = [PollFd::from_borrowed_fd(ended.as_fd(), PollFlags::IN)];
            let ready = rustix::io::retry_on_intr(|| rustix::event::poll(&mut fds, Some(&pause)))?;
            return if ready == 0 {
                Err(io::ErrorKind::TimedOut.into())
            } else {
                Ok(bytes)
            };
        }
    }
}

/// Reads what is there; says whether nothing more will come or be kept.
fn drain(output: &mut File, bytes: &mut Vec<u8>) -> io::Result<bool> {
    let mut piece = [0; 4096];
    while bytes.len() < MOST {
        match output.read(&mut piece) {
            Ok(0) => return Ok(true),
            Ok(read) => bytes.extend_from_slice(&piece[..read]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests;
