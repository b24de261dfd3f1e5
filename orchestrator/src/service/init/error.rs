//! Owns the reasons why an init job fails.

use crate::id::Name;
use crate::runtime::Exit;
use crate::runtime::RuntimeError;
use crate::secret::SecretBytes;
use crate::secret::SecretUnavailable;
use crate::service::health::Withheld;
use crate::service::probe::ProbeError;

/// Why a job failed. Nothing of an answer, a secret or a program's output is in the message.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// Whether the job is needed could not be found out.
    #[error("whether init job {job} is needed could not be found out: {reason}")]
    Undecided {
        /// The job.
        job: Name,
        /// Why.
        reason: ProbeError,
    },
    /// A credential or secret could not be had.
    #[error("init job {job} could not get a secret that it needs")]
    Secret {
        /// The job.
        job: Name,
        /// Why.
        why: Withheld,
    },
    /// Its guard file could not be looked for.
    #[error("init job {job} could not look for the file that says whether it was done")]
    Guard {
        /// The job.
        job: Name,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// That it was begun could not be noted, so that it was not.
    #[error("that init job {job} is begun could not be noted")]
    NotNoted {
        /// The job.
        job: Name,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It failed, and what it left could not be removed.
    #[error("init job {job} failed, and what it left could not be removed")]
    Half {
        /// The job.
        job: Name,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A template, a volume or a program of the job does not resolve.
    #[error("init job {job} cannot run as the manifest writes it: {what}")]
    Manifest {
        /// The job.
        job: Name,
        /// What does not resolve.
        what: &'static str,
    },
    /// The program of a step is not on the machine.
    #[error("init job {job} needs the program {program}, which is not installed")]
    NoProgram {
        /// The job.
        job: Name,
        /// The program.
        program: String,
    },
    /// The runtime could not run the program of a step.
    #[error("step {step} of init job {job} could not be run")]
    Run {
        /// The job.
        job: Name,
        /// Counts from 1.
        step: usize,
        /// Why.
        #[source]
        source: RuntimeError,
    },
    /// The program of a step ended with a failure.
    #[error("step {step} of init job {job} failed: {program} ended with {}", describe(.exit))]
    Failed {
        /// The job.
        job: Name,
        /// Counts from 1.
        step: usize,
        /// The program.
        program: String,
        /// How it ended.
        exit: Exit,
        /// The last lines it printed, for the service's own log only: they may hold what the program was given.
        tail: SecretBytes,
    },
    /// A step got no answer, or one that is not a success.
    #[error("step {step} of init job {job} was not carried out: {}", describe_answer(*.status, *.error))]
    Refused {
        /// The job.
        job: Name,
        /// Counts from 1.
        step: usize,
        /// The HTTP status, where one came.
        status: Option<u16>,
        /// What went wrong, where it has a name.
        error: Option<ProbeError>,
    },
    /// The answer of a step lacks what is to be captured from it.
    #[error("the answer to step {step} of init job {job} lacks the secret {secret}")]
    NotCaptured {
        /// The job.
        job: Name,
        /// Counts from 1.
        step: usize,
        /// The secret.
        secret: Name,
    },
    /// A captured secret could not be kept, so that the next step was not begun.
    #[error("the secret {secret}, captured by init job {job}, could not be stored")]
    NotStored {
        /// The job.
        job: Name,
        /// The secret.
        secret: Name,
        /// Why.
        #[source]
        source: SecretUnavailable,
    },
    /// Everything that the job would capture is in the vault, and yet its condition holds: the service has lost what
    /// the vault remembers, and only a person may decide what is true.
    #[error("init job {job} is needed again although its secrets are in the vault already")]
    CapturedBefore {
        /// The job.
        job: Name,
    },
}

fn describe(exit: &Exit) -> String {
    match (exit.code, exit.signal) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "an end that nobody saw".to_owned(),
    }
}

fn describe_answer(status: Option<u16>, error: Option<ProbeError>) -> String {
    match (status, error) {
        (Some(status), Some(error)) => format!("HTTP status {status}, {error}"),
        (Some(status), None) => format!("HTTP status {status}"),
        (None, Some(error)) => error.to_string(),
        (None, None) => "the service answered with an error".to_owned(),
    }
}
