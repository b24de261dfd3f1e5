//! Owns the trait behind which services run, and the data that crosses it.
//!
//! It does not know manifests, edges or plans: it is handed a finished [`Unit`]. Nothing that only Docker
//! (or only a process) has may appear here.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use async_trait::async_trait;
use futures::stream::BoxStream;
use serde::Deserialize;
use serde::Serialize;
use tokio::sync::watch;

use crate::clock::UnixMillis;
use crate::id::Name;
use crate::id::ServiceId;
use crate::secret::SecretBytes;
use crate::service::spec::LimitSpec;
use crate::service::spec::NetworkSpec;
use crate::service::spec::SpecHash;
use crate::service::spec::StopSpec;

#[cfg(feature = "test-util")]
pub mod conformance;
pub mod docker;
#[cfg(any(test, feature = "test-util"))]
pub mod fake;
pub(crate) mod layout;
pub(crate) mod log;
pub mod process;

/// Which runtime a data folder belongs to; chosen once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RuntimeKind {
    /// Supervised child processes.
    Process,
    /// Containers.
    Docker,
    /// In memory, for tests.
    Fake,
}

/// A service, ready to run: every path absolute, every secret present.
#[derive(Debug, Clone)]
pub struct Unit {
    /// The service.
    pub service: ServiceId,
    /// Says whether what runs is what was asked for.
    pub spec_hash: SpecHash,
    /// The program: an absolute path on this machine, or a name that is looked up inside `image`.
    pub program: PathBuf,
    /// The image that the program runs in; nothing where it is one of the machine's own.
    pub image: Option<ImageId>,
    /// The image's own folder in which the program starts; the first volume where nothing is said.
    pub folder: Option<PathBuf>,
    /// Its arguments, without the program's name.
    pub args: Vec<String>,
    /// Its whole environment; nothing is inherited.
    pub env: BTreeMap<String, String>,
    /// Files that the runtime lays out on its tmpfs, mode 0400, owned by the service: file name → bytes.
    pub files: BTreeMap<String, SecretBytes>,
    /// Folders that must exist and belong to the service.
    pub volumes: Vec<Mount>,
    /// Where it will listen, to be reported by `list`.
    pub addresses: BTreeMap<Name, SocketAddr>,
    /// Networks of its own; a runtime that separates none has no use for it.
    pub network: NetworkSpec,
    /// How it is stopped.
    pub stop: StopSpec,
    /// Memory and process limits.
    pub limits: LimitSpec,
    /// The numeric identity it runs as, from a persisted range; nothing where the node is not root.
    pub uid: Option<u32>,
}

/// A folder that outlives the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Where it lies on the machine.
    pub on_host: PathBuf,
    /// Where the program finds it; the same where it sees the machine's own files.
    pub inside: PathBuf,
}

/// Names the content of an image for good, whatever it is called. Shape: `sha256:` and 64 hex digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ImageId(pub String);

impl fmt::Display for ImageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the runtime knows of one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// The service.
    pub service: ServiceId,
    /// The specification it was made from.
    pub spec_hash: SpecHash,
    /// Where it stands.
    pub state: InstanceState,
    /// When the program was started; the same for as long as it runs.
    pub started_at: Option<UnixMillis>,
    /// Where it listens.
    pub addresses: BTreeMap<Name, SocketAddr>,
    /// Whether its supervisor lives; `false` is mended by the next `ensure`, without a restart.
    pub supervised: bool,
}

/// Where an instance stands. Each half-finished step has a name here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstanceState {
    /// Files are laid out and the specification recorded, but no program was seen; the next `ensure` starts it.
    Prepared,
    /// The program runs.
    Running {
        /// Its process id, for people.
        pid: u32,
    },
    /// The program ended; the next `ensure` starts it again, `drop` with [`DropStage::Clean`] forgets it.
    Exited(Exit),
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// Its exit code, where it ended by itself and somebody saw it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// When it was seen to have ended.
    pub at: UnixMillis,
}

/// How far `drop` goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DropStage {
    /// Sends the stop signal, and returns without waiting.
    Ask,
    /// Ends the program and all its children at once.
    Kill,
    /// Removes rendered files and records of a program that has ended. Data stay.
    Clean,
}

/// One line that a service printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// The line, without its end.
    pub text: String,
}

/// Which lines are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogQuery {
    /// How many of the newest lines.
    pub tail: usize,
    /// Whether to go on as more arrive.
    pub follow: bool,
}

/// A program that runs to its end with the identity, files and volumes of a service.
#[derive(Debug, Clone)]
pub struct Job {
    /// The job's name, for logs.
    pub name: Name,
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// How long it may take. Units: seconds.
    pub timeout_seconds: u32,
    /// A volume's folder that is emptied before the job is begun: what an earlier one left there is half of something.
    /// One that an earlier node began and that is found again is waited for, and nothing is emptied.
    pub clears: Option<PathBuf>,
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobOutcome {
    /// How its program ended.
    pub exit: Exit,
    /// The last lines it printed, at most 4 KiB.
    pub tail: String,
}

/// What a runtime could not do.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// Another specification of the service still runs: drop it first.
    #[error("{service} runs with another specification ({running})")]
    Conflict {
        /// The service.
        service: ServiceId,
        /// The hash of what runs.
        running: SpecHash,
    },
    /// The program does not exist or may not be executed.
    #[error("{service} could not start: {program} is not a program that this machine can run")]
    NoProgram {
        /// The service.
        service: ServiceId,
        /// What was looked for.
        program: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file or folder could not be read or written.
    #[error("{action} failed for {service}")]
    Io {
        /// The service.
        service: ServiceId,
        /// What was attempted, such as `writing rendered files`.
        action: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A record is damaged; nothing was changed.
    #[error("the record of {service} cannot be read; nothing was started or stopped")]
    Record {
        /// The service.
        service: ServiceId,
    },
    /// Something of the service still runs, so that its records stay.
    #[error("{service} still runs; its records were kept")]
    StillRuns {
        /// The service.
        service: ServiceId,
    },
    /// The records of all services could not be listed.
    #[error("the records of services in {path} could not be listed")]
    Folder {
        /// Where they lie.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The engine that runs containers did not answer, or answered with an error.
    #[error("{action} failed for {service}: {why}")]
    Engine {
        /// The service.
        service: ServiceId,
        /// What was attempted, such as `creating its container`.
        action: &'static str,
        /// What the engine said.
        why: String,
    },
    /// The engine that runs containers does not answer at all; nothing may be concluded about what runs.
    #[error("the container engine does not answer: {why}")]
    EngineGone {
        /// Why.
        why: String,
    },
    /// An engine answers that cannot confine services as they must be. Nothing was asked of it.
    #[error("{engine} answers, and it cannot be used: {why}")]
    EngineUnfit {
        /// What calls itself the engine.
        engine: String,
        /// Why not.
        why: &'static str,
    },
    /// Something that this node did not make has a name that this node needs. It was not touched.
    #[error(
        "{what} is called {name}, which {service} needs, and was not made by this node: remove or rename it"
    )]
    NameTaken {
        /// The service.
        service: ServiceId,
        /// `a container` or `a network`.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// The image is not on this machine.
    #[error("{service} could not start: the image {image} is not on this machine")]
    NoImage {
        /// The service.
        service: ServiceId,
        /// Which one.
        image: ImageId,
    },
    /// The engine started the program and left a published port out, or bound another one. The program was ended.
    #[error("{service} was stopped: the engine published {found}, and {wanted} was asked for")]
    Published {
        /// The service.
        service: ServiceId,
        /// What was asked for.
        wanted: String,
        /// What there is.
        found: String,
    },
    /// The supervisor did not report in time.
    #[error("{service} did not come up within {seconds} s of its start")]
    Timeout {
        /// The service.
        service: ServiceId,
        /// How long was waited.
        seconds: u32,
    },
}

/// Runs services. Every verb is idempotent.
#[async_trait]
pub trait Runtime: Send + Sync {
    /// Says which runtime this is.
    fn kind(&self) -> RuntimeKind;

    /// Brings `unit` to a running program, from whatever half-state it is in. A running program with the same
    /// hash is left alone; one with another hash is a [`RuntimeError::Conflict`].
    async fn ensure(&self, unit: &Unit) -> Result<(), RuntimeError>;

    /// Takes a service one stage down and returns at once; the end is seen through `list`.
    async fn drop(
        &self,
        service: &ServiceId,
        stop: StopSpec,
        stage: DropStage,
    ) -> Result<(), RuntimeError>;

    /// Lists everything of this node that the runtime knows. What is wrong with one service stands in its own entry
    /// and hides no other; nothing may be concluded about what runs there.
    async fn list(
        &self,
    ) -> Result<BTreeMap<ServiceId, Result<Instance, RuntimeError>>, RuntimeError>;

    /// Returns a counter that moves whenever `list` may answer differently.
    fn watch(&self) -> watch::Receiver<u64>;

    /// Returns a service's log lines, oldest first.
    async fn logs(
        &self,
        service: &ServiceId,
        query: LogQuery,
    ) -> Result<BoxStream<'static, LogLine>, RuntimeError>;

    /// Runs `job` to its end with the identity, environment, files and volumes of `unit`.
    async fn run_job(&self, unit: &Unit, job: &Job) -> Result<JobOutcome, RuntimeError>;
}
