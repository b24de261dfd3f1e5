//! Owns the observed state: one snapshot of what runs, what was recorded and what the probes said.
//!
//! It holds no clock and no handle: whatever depends on time was decided when the snapshot was taken, so that
//! the planner stays a plain function.

use std::collections::BTreeMap;

use crate::id::Name;
use crate::id::ServiceId;
use crate::runtime::Exit;
use crate::service::spec::ServiceSpec;
use crate::service::spec::SpecHash;

/// One snapshot of the node.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Observed {
    /// Every service that runs, ran or has a record.
    pub services: BTreeMap<ServiceId, ObservedService>,
    /// Whether the vault is sealed.
    pub sealed: bool,
    /// Things that carry our names but not our marks: reported, never touched.
    pub foreign: Vec<String>,
}

/// One service in a snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct ObservedService {
    /// Where it stands.
    pub state: State,
    /// What was last started, for naming what changed and for the stop order.
    pub applied: Option<ServiceSpec>,
    /// The hash of what was last tried. What is there may be older: a start may fail before it reaches the runtime.
    pub applied_hash: Option<SpecHash>,
    /// The settings that it came from.
    pub applied_settings: BTreeMap<Name, serde_json::Value>,
    /// Whether it answers.
    pub alive: bool,
    /// Whether it serves.
    pub ready: bool,
    /// Whether it has caught up.
    pub synced: bool,
    /// Whether it was ever ready since its data came into being.
    pub ready_before: bool,
    /// How often it failed in a row.
    pub failures: u32,
    /// What it waits out or needs after failures.
    pub recovery: Recovery,
    /// Why it may not start now, found on the machine: a missing mount, too little space, a missing secret.
    pub blocked: Option<Obstacle>,
}

/// Where a service stands. Each half-finished step is a state; its doc says what the next pass does.
#[derive(Debug, Clone, PartialEq)]
pub enum State {
    /// Nothing is there. The next pass starts it.
    Absent,
    /// Files are laid out but no program was seen. The next pass goes on with the start.
    Prepared {
        /// From which specification.
        hash: SpecHash,
    },
    /// The program runs.
    Running {
        /// From which specification.
        hash: SpecHash,
        /// Whether its supervisor lives. The next pass gives it a new one, without a restart.
        supervised: bool,
    },
    /// The program is to stop. The next pass asks (again), waits, or kills it, as `stage` says.
    Stopping {
        /// From which specification.
        hash: SpecHash,
        /// How far the stop is.
        stage: StopStage,
    },
    /// The program ended. The next pass starts it again, or clears it away where it is not wanted.
    Exited {
        /// From which specification.
        hash: SpecHash,
        /// How it ended.
        exit: Exit,
        /// Whether the end was asked for.
        asked: bool,
    },
    /// Its record on the machine cannot be read. Nothing is done until the operator looks.
    Unreadable,
}

/// How far a stop is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopStage {
    /// The intent is on disk, but this orchestrator did not ask yet: asking twice is harmless.
    Intended,
    /// The program was asked and has time left.
    Asked,
    /// Its grace is over.
    Overdue,
}

/// What follows from a service's failures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Recovery {
    /// It may be started.
    #[default]
    Free,
    /// It waits before the next try.
    BackingOff,
    /// It failed too often: the operator decides.
    NeedsYou,
}

/// Why a service may not start now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    /// The machine code.
    pub code: String,
    /// One sentence, with what to do.
    pub text: String,
}

impl Default for ObservedService {
    fn default() -> Self {
        Self {
            state: State::Absent,
            applied: None,
            applied_hash: None,
            applied_settings: BTreeMap::new(),
            alive: false,
            ready: false,
            synced: false,
            ready_before: false,
            failures: 0,
            recovery: Recovery::Free,
            blocked: None,
        }
    }
}

impl State {
    /// Whether a program is there that holds ports and data.
    #[must_use]
    pub fn occupied(&self) -> bool {
        matches!(self, Self::Running { .. } | Self::Stopping { .. })
    }

    /// The specification it was made from, where one is known.
    #[must_use]
    pub fn hash(&self) -> Option<&SpecHash> {
        match self {
            Self::Prepared { hash }
            | Self::Running { hash, .. }
            | Self::Stopping { hash, .. }
            | Self::Exited { hash, .. } => Some(hash),
            Self::Absent | Self::Unreadable => None,
        }
    }
}
