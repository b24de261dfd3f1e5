//! Owns the three ways down: asking a program to stop, killing its session, forgetting it.
//!
//! It never waits for a program's end, and never removes a volume or a log.

use std::io;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;

use super::lock;
use super::observe::Observation;
use super::observe::Standing;
use super::observe::observe;
use super::record::Slot;
use super::session;
use super::start::PATIENCE;
use crate::manifest::schema::StopSignal;
use crate::runtime::RuntimeError;
use crate::runtime::layout;

/// How long a supervisor whose program has ended may take to end too.
const LEAVING: Duration = Duration::from_secs(3);

/// Asks the program of `slot` to stop. A start that is still on its way is called off.
pub(super) fn ask(slot: &Slot, signal: StopSignal) -> Result<(), RuntimeError> {
    let signal = match signal {
        StopSignal::Term => Signal::TERM,
        StopSignal::Int => Signal::INT,
        StopSignal::Quit => Signal::QUIT,
        StopSignal::Usr1 => Signal::USR1,
    };
    decide(slot, |seen| match seen.running() {
        Some(child) => child.process.signal(signal).map(|_| ()),
        None => call_off(slot, seen),
    })
}

/// Kills the program of `slot` and all that belongs to its session.
pub(super) fn kill(slot: &Slot) -> Result<(), RuntimeError> {
    decide(slot, |seen| {
        let Some(child) = &seen.child else {
            return call_off(slot, seen);
        };
        if seen.running().is_none() {
            call_off(slot, seen)?;
        }
        session::kill(&child.process)?;
        if let Some(unit) = &seen.unit {
            session::sweep_by_log(&child.process, &unit.log)?;
        }
        Ok(())
    })
}

/// Removes the records of `slot` and the rendered `files`. Errors: something of it still runs.
pub(super) fn clean(slot: &Slot, files: &Path) -> Result<(), RuntimeError> {
    let fault = |error| slot.fault("removing its records", error);
    if slot.job().dir().exists() {
        forget(&slot.job())?;
    }
    if slot.dir().exists() {
        forget(slot)?;
    }
    layout::remove_files(files).map_err(fault)
}

fn forget(slot: &Slot) -> Result<(), RuntimeError> {
    let fault = |error| slot.fault("removing its records", error);
    let runs = || RuntimeError::StillRuns {
        service: slot.service().clone(),
    };
    // Where the program lives there is no need to wait for its supervisor.
    let seen = observe(slot).map_err(fault)?;
    if seen.running().is_some() {
        return Err(runs());
    }
    let _held = lock::take_within(&slot.lock(), LEAVING)
        .map_err(fault)?
        .ok_or_else(runs)?;
    let _decided = lock::take_within(&slot.start_lock(), LEAVING)
        .map_err(fault)?
        .ok_or_else(runs)?;
    let seen = observe(slot).map_err(fault)?;
    if seen.running().is_some() {
        return Err(runs());
    }
    if let (Some(child), Some(unit)) = (&seen.child, &seen.unit) {
        session::sweep_by_log(&child.process, &unit.log).map_err(fault)?;
    }
    slot.remove().map_err(fault)
}

/// Looks at the slot and acts while no start can be decided: a process that is about to become the program has
/// become it, so that a signal reaches the program and not its beginnings.
fn decide(
    slot: &Slot,
    act: impl FnOnce(&Observation) -> io::Result<()>,
) -> Result<(), RuntimeError> {
    let fault = |error| slot.fault("stopping it", error);
    if !slot.dir().exists() {
        return Ok(());
    }
    let _decided = lock::take_within(&slot.start_lock(), PATIENCE)
        .map_err(fault)?
        .ok_or_else(|| RuntimeError::Timeout {
            service: slot.service().clone(),
            seconds: u32::try_from(PATIENCE.as_secs()).unwrap_or(u32::MAX),
        })?;
    let seen = observe(slot).map_err(fault)?;
    act(&seen).map_err(fault)
}

fn call_off(slot: &Slot, seen: &Observation) -> io::Result<()> {
    match &seen.unit {
        Some(unit) if seen.standing == Standing::Prepared && unit.nonce.is_some() => {
            let mut unit = unit.clone();
            unit.nonce = None;
            slot.write_unit(&unit)
        }
        _ => Ok(()),
    }
}
