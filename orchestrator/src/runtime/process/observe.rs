//! Owns the reading of a slot: what its records and /proc say together.
//!
//! It writes nothing and takes no lock.

use std::io;
use std::time::Duration;

use super::identity::ProcessIdentity;
use super::lock::PAUSE;
use super::record::ChildRecord;
use super::record::Slot;
use super::record::UnitRecord;
use crate::runtime::Exit;

/// How long a supervisor that lives may take to record an end that /proc shows already.
const RECORDING: Duration = Duration::from_secs(2);

/// What is known of one slot.
#[derive(Debug)]
pub(crate) struct Observation {
    /// What is to run.
    pub(crate) unit: Option<UnitRecord>,
    /// What was started last.
    pub(crate) child: Option<ChildRecord>,
    /// Where that stands.
    pub(crate) standing: Standing,
    /// The supervisor, where one lives.
    pub(crate) supervisor: Option<ProcessIdentity>,
}

/// Where a slot stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing is recorded.
    Absent,
    /// The wanted start was not carried out.
    Prepared,
    /// The program lives.
    Running,
    /// The wanted start was carried out and the program has ended; nothing inside where nobody saw how.
    Ended(Option<Exit>),
    /// A program lives and what it should be is gone from disk.
    Damaged,
}

impl Observation {
    /// Returns what runs.
    pub(crate) fn running(&self) -> Option<&ChildRecord> {
        match self.standing {
            Standing::Running | Standing::Damaged => self.child.as_ref(),
            Standing::Absent | Standing::Prepared | Standing::Ended(_) => None,
        }
    }
}

/// Reads `slot`. Errors: a record is damaged (`InvalidData`), or something could not be read; then nothing may
/// be concluded about what runs.
pub(crate) fn observe(slot: &Slot) -> io::Result<Observation> {
    let unit = slot.unit()?;
    let child = slot.child()?;
    let standing = match (&unit, &child) {
        (None, None) => Standing::Absent,
        (Some(_), None) => Standing::Prepared,
        (Some(_), Some(child)) if child.process.lives()? => Standing::Running,
        (None, Some(child)) if child.process.lives()? => Standing::Damaged,
        (None, Some(_)) => Standing::Absent,
        (Some(unit), Some(child)) if unit.nonce.as_ref() == Some(&child.nonce) => {
            Standing::Ended(ended(slot, child)?)
        }
        (Some(_), Some(_)) => Standing::Prepared,
    };
    let supervisor = match slot.supervisor() {
        Some(process) if process.lives()? => Some(process),
        _ => None,
    };
    Ok(Observation {
        unit,
        child,
        standing,
        supervisor,
    })
}

/// Returns how `child` ended, giving a supervisor that lives a moment to write it down.
fn ended(slot: &Slot, child: &ChildRecord) -> io::Result<Option<Exit>> {
    let rounds = RECORDING.as_millis() / PAUSE.as_millis();
    for _ in 0..rounds {
        // The supervisor is looked for first: once it is gone, nothing will be written any more.
        let supervised = match slot.supervisor() {
            Some(process) => process.lives()?,
            None => false,
        };
        let exit = slot.exit(&child.nonce);
        if exit.is_some() || !supervised {
            return Ok(exit);
        }
        std::thread::sleep(PAUSE);
    }
    Ok(None)
}
