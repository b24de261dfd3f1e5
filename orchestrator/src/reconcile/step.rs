//! Owns what a plan is made of, and how it prints: command line, API and tests show that text.
//!
//! It does not know how a step is decided (`plan`) or done (`execute`).

use std::fmt;

use crate::id::ServiceId;
use crate::service::spec::SpecHash;
use crate::service::spec::StopSpec;
use crate::view::PlannedAction;
use crate::view::PlannedStep;

/// What is due now, and what is not and why.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// Steps in the order in which they are begun: removals first.
    pub steps: Vec<Step>,
    /// Every service without a step, with the reason.
    pub notes: Vec<Note>,
}

impl Plan {
    /// Whether nothing is due.
    #[must_use]
    pub fn nothing_due(&self) -> bool {
        self.steps.is_empty()
    }
}

/// One step on one service.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The service.
    pub service: ServiceId,
    /// What is done.
    pub action: Action,
    /// Why, one phrase each.
    pub because: Vec<String>,
}

impl Step {
    /// Returns it as it is shown.
    #[must_use]
    pub fn planned(&self) -> PlannedStep {
        let (action, stop) = match &self.action {
            Action::Remove { stop } => (PlannedAction::Remove, Some(stop)),
            Action::AskAgain { .. } => (PlannedAction::Stop, None),
            Action::Kill { .. } => (PlannedAction::Kill, None),
            Action::Clean => (PlannedAction::Clean, None),
            Action::Supervise { .. } => (PlannedAction::Supervise, None),
            Action::Restart { stop } => (PlannedAction::Restart, Some(stop)),
            Action::Start { .. } => (PlannedAction::Start, None),
        };
        PlannedStep {
            service: self.service.to_string(),
            action,
            stop_seconds: stop.map(|stop| stop.grace_seconds),
        }
    }
}

/// What is done to a service.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Asks the program to stop, and clears away what remains. Data stay.
    Remove {
        /// How it is stopped.
        stop: StopSpec,
    },
    /// Asks a program to stop whose stop was begun before; asking twice is harmless.
    AskAgain {
        /// How it is stopped.
        stop: StopSpec,
    },
    /// Ends a program whose grace is over.
    Kill {
        /// How it was to stop.
        stop: StopSpec,
    },
    /// Clears away the remains of a program that ended. Data stay.
    Clean,
    /// Gives a running program a new supervisor. The program is not touched.
    Supervise {
        /// The specification that it runs with.
        hash: SpecHash,
    },
    /// Stops the program; the next passes start it with the new specification.
    Restart {
        /// How it is stopped.
        stop: StopSpec,
    },
    /// Starts the program.
    Start {
        /// With which specification.
        hash: SpecHash,
    },
}

/// Why a service has no step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The service.
    pub service: ServiceId,
    /// The machine code.
    pub code: String,
    /// One phrase.
    pub text: String,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.steps.len() {
            0 => writeln!(f, "nothing to do")?,
            1 => writeln!(f, "1 step")?,
            count => writeln!(f, "{count} steps")?,
        }
        for step in &self.steps {
            let planned = step.planned();
            write!(f, "  {:<9} {}", planned.action.as_str(), step.service)?;
            if let Some(seconds) = planned.stop_seconds {
                write!(f, " (up to {seconds} s to stop)")?;
            }
            writeln!(f, ": {}", step.because.join("; "))?;
        }
        for note in &self.notes {
            writeln!(f, "  -         {}: {}", note.service, note.text)?;
        }
        Ok(())
    }
}
