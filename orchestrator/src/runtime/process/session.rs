//! Owns the end of everything that a program started: its session, and what its supervisor inherited.
//!
//! It decides nothing: whoever calls it has decided that the service ends.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::process::Signal;

use super::identity;
use super::identity::ProcessIdentity;
use super::identity::ProcessStat;
use super::lock::PAUSE;

/// How often a session is searched before what is left of it is given up (a process inside the kernel stays).
const ROUNDS: u32 = 200;

/// Kills the whole session of `main`, itself last, while it verifiably lives. Says whether it did.
pub(crate) fn kill(main: &ProcessIdentity) -> io::Result<bool> {
    let Some(_held) = main.open()? else {
        return Ok(false);
    };
    // While the leader lives, its number names this session and no other.
    for stat in members(main.pid)? {
        if stat.pid != main.pid && main.lives()? {
            end(&stat)?;
        }
    }
    main.signal(Signal::KILL)
}

/// Kills what the program `main` left behind when it ended, as seen by its parent before it looked at the end:
/// until then nobody else can have the session's number. Children that left the session were inherited by
/// the calling supervisor and end too.
pub(crate) fn sweep_as_parent(main: u32) -> io::Result<()> {
    let own = std::process::id();
    for _ in 0..ROUNDS {
        let left: Vec<ProcessStat> = identity::processes()?
            .into_iter()
            .filter(|stat| stat.pid != main && (stat.session == main || stat.parent == own))
            .collect();
        if left.is_empty() {
            return Ok(());
        }
        for stat in left {
            end(&stat)?;
        }
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

/// Kills what an ended program left behind when nobody was its parent any more. A session's number may have
/// been given away since, so that only processes that write to the service's own log are touched.
pub(crate) fn sweep_by_log(main: &ProcessIdentity, log: &Path) -> io::Result<()> {
    if main.boot_id != identity::boot_id()? {
        return Ok(());
    }
    for _ in 0..ROUNDS {
        if identity::stat(main.pid)?.is_some_and(|stat| !stat.ended) {
            return Ok(());
        }
        let mut found = false;
        for stat in members(main.pid)? {
            if stat.start_ticks >= main.start_ticks && writes_to(stat.pid, log) {
                found = true;
                end(&stat)?;
            }
        }
        if !found {
            return Ok(());
        }
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

fn members(session: u32) -> io::Result<Vec<ProcessStat>> {
    let mut all = identity::processes()?;
    all.retain(|stat| stat.session == session);
    Ok(all)
}

fn end(stat: &ProcessStat) -> io::Result<()> {
    let process = ProcessIdentity {
        boot_id: identity::boot_id()?,
        pid: stat.pid,
        start_ticks: stat.start_ticks,
    };
    process.signal(Signal::KILL).map(|_| ())
}

fn writes_to(pid: u32, log: &Path) -> bool {
    let Ok(log) = std::fs::metadata(log) else {
        return false;
    };
    ["1", "2"].iter().any(|output| {
        std::fs::metadata(format!("/proc/{pid}/fd/{output}"))
            .is_ok_and(|opened| opened.dev() == log.dev() && opened.ino() == log.ino())
    })
}
