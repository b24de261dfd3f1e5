//! Owns what makes a process the one that was recorded: boot, number and start time together.
//!
//! Process numbers are reused, so that a number alone is never believed, and a signal goes through a pidfd whose
//! process was checked after it was opened.

use std::io;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::process::Pid;
use rustix::process::PidfdFlags;
use rustix::process::Signal;
use rustix::process::pidfd_open;
use rustix::process::pidfd_send_signal;
use serde::Deserialize;
use serde::Serialize;

/// Names one process of one boot for good.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct ProcessIdentity {
    /// The boot in which it ran.
    pub(crate) boot_id: String,
    /// Its number.
    pub(crate) pid: u32,
    /// When it began, in clock ticks since the boot.
    pub(crate) start_ticks: u64,
}

/// What the kernel says of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProcessStat {
    /// Its number.
    pub(crate) pid: u32,
    /// Whether it has ended and only waits for its parent to look.
    pub(crate) ended: bool,
    /// Its parent.
    pub(crate) parent: u32,
    /// Its session.
    pub(crate) session: u32,
    /// When it began, in clock ticks since the boot.
    pub(crate) start_ticks: u64,
}

impl ProcessIdentity {
    /// Returns the identity of the calling process.
    pub(crate) fn own() -> io::Result<Self> {
        let pid = std::process::id();
        Self::of(pid)?.ok_or_else(|| io::Error::other("/proc does not show this process"))
    }

    /// Returns the identity of the process that has the number `pid` now.
    pub(crate) fn of(pid: u32) -> io::Result<Option<Self>> {
        Ok(match stat(pid)? {
            Some(stat) => Some(Self {
                boot_id: boot_id()?,
                pid,
                start_ticks: stat.start_ticks,
            }),
            None => None,
        })
    }

    /// Whether this very process runs. Errors: /proc could not be read; then nothing may be concluded.
    pub(crate) fn lives(&self) -> io::Result<bool> {
        if self.boot_id != boot_id()? {
            return Ok(false);
        }
        Ok(stat(self.pid)?.is_some_and(|stat| stat.start_ticks == self.start_ticks && !stat.ended))
    }

    /// Opens this very process, or nothing where it has ended.
    pub(crate) fn open(&self) -> io::Result<Option<OwnedFd>> {
        let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) else {
            return Ok(None);
        };
        let opened = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(opened) => opened,
            Err(Errno::SRCH) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        // The number may have changed hands before it was opened, but no longer afterwards.
        Ok(self.lives()?.then_some(opened))
    }

    /// Sends `signal` to this very process; says whether it was there.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<bool> {
        let Some(opened) = self.open()? else {
            return Ok(false);
        };
        match pidfd_send_signal(&opened, signal) {
            Ok(()) => Ok(true),
            Err(Errno::SRCH) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// Returns the kernel's name for this boot.
pub(crate) fn boot_id() -> io::Result<String> {
    Ok(std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?
        .trim()
        .to_owned())
}

/// Returns what the kernel says of the process `pid`, or nothing where there is none.
pub(crate) fn stat(pid: u32) -> io::Result<Option<ProcessStat>> {
    match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(text) => parse_stat(&text)
            .map(Some)
            .ok_or_else(|| io::Error::other("/proc/PID/stat has an unknown shape")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.raw_os_error() == Some(Errno::SRCH.raw_os_error()) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns every process that has not ended.
pub(crate) fn processes() -> io::Result<Vec<ProcessStat>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        if let Some(stat) = stat(pid)?
            && !stat.ended
        {
            found.push(stat);
        }
    }
    Ok(found)
}

/// Reads a line of /proc/PID/stat. Source: proc_pid_stat(5); the program's name may hold spaces and parentheses,
/// so that the fields are counted from the last one.
fn parse_stat(text: &str) -> Option<ProcessStat> {
    let (pid, rest) = text.split_once(' ')?;
    let (_, fields) = rest.rsplit_once(") ")?;
    let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
    Some(ProcessStat {
        pid: pid.parse().ok()?,
        ended: matches!(*fields.first()?, "Z" | "X" | "x"),
        parent: fields.get(1)?.parse().ok()?,
        session: fields.get(3)?.parse().ok()?,
        start_ticks: fields.get(19)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests;
