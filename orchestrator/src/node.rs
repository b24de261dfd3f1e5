//! Owns what can be asked of a running node, as data: the commands behind the unix socket and their answers.
//!
//! It does not know HTTP, nor who carries a command out (`app`).

#[cfg(any(test, feature = "test-util"))]
pub mod fixture;

use async_trait::async_trait;
use futures::stream::BoxStream;
use serde::Deserialize;
use serde::Serialize;
use tokio::sync::watch;
use utoipa::ToSchema;

use crate::advisory::Signed;
use crate::id::EdgeId;
use crate::id::Name;
use crate::id::ServiceId;
use crate::runtime::LogLine;
use crate::runtime::LogQuery;
use crate::secret::SecretBytes;
use crate::status::NodeStatus;
use crate::view::Access;
use crate::view::Advisories;
use crate::view::Edges;
use crate::view::Images;
use crate::view::Machine;
use crate::view::PlannedStep;
use crate::view::Removed;
use crate::view::Settings;

/// One event of the node's history, kept in `state.db`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Grows by one with each event; the cursor from which a reader resumes.
    pub cursor: u64,
    /// Units: milliseconds since the Unix epoch.
    pub at: u64,
    /// The service it is about, if one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The machine code, `snake_case`.
    pub code: String,
    /// One sentence for a person.
    pub text: String,
}

/// A change that only the operating system's owner of the node may ask for.
#[derive(Debug, Clone)]
pub enum Command {
    /// Prints what `apply` would do with the files as they are now.
    Plan,
    /// Accepts `node.toml` and the manifests as the desired state.
    Apply {
        /// What the plan was called that was read; where the files are others by now, nothing is done.
        plan: Option<String>,
    },
    /// Writes settings into `node.toml` and accepts them, all or none.
    Set {
        /// Which, in the order in which they are written.
        changes: Vec<Change>,
        /// Only print the plan.
        dry_run: bool,
    },
    /// Leaves a service out; its data stay.
    Remove {
        /// The service.
        service: ServiceId,
        /// Whether only the plan is wanted.
        dry_run: bool,
    },
    /// Deletes the data of a removed service.
    Purge {
        /// The service.
        service: ServiceId,
        /// Its name, typed again.
        confirm: String,
    },
    /// Tries a service again that needs the operator.
    Retry {
        /// The service.
        service: ServiceId,
    },
    /// Lists who may reach whom, for what.
    Edges,
    /// Compares what runs with what was declared, and tells the age of every credential.
    Audit,
    /// Lists the image of every service, and whether it is on this machine.
    Images,
    /// Writes which image a service runs in into `node.toml` and accepts it.
    SetImage {
        /// The service.
        service: ServiceId,
        /// The image, by what it holds.
        image: String,
        /// Only print the plan.
        dry_run: bool,
    },
    /// Writes into `node.toml` who reaches the node, and accepts it; of what is not said nothing changes.
    Open {
        /// Whether its own network does.
        lan: Option<bool>,
        /// Whether the Tor network does.
        onion: Option<bool>,
        /// Only print the plan.
        dry_run: bool,
    },
    /// Takes a newer file of advisories, where the release's key signed it.
    ImportAdvisories {
        /// The file, and its signature.
        signed: Signed,
    },
    /// Replaces credentials, and ends by proving that the old ones are refused.
    Rotate {
        /// Whose; every one that the node makes where nothing is named.
        edges: Vec<EdgeId>,
        /// Only print the plan.
        dry_run: bool,
    },
    /// Stops every service, then the daemon.
    Down,
    /// Opens the vault.
    Unlock {
        /// How.
        with: Unlock,
        /// From where: wrong passphrases from there wait for each other.
        from: String,
    },
    /// Closes the vault; services go on.
    Seal,
    /// Sets or changes the passphrase. `with` opens the vault once more; nothing where none was set.
    ChangePassphrase {
        /// How the vault opens today.
        with: Option<Unlock>,
        /// The new passphrase.
        new: SecretBytes,
        /// From where it is asked: wrong passphrases from there wait for each other.
        from: String,
    },
    /// Writes a key file as a further way to open the vault.
    AddKeyFile {
        /// Where.
        path: std::path::PathBuf,
    },
}

/// A new value of one setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The service.
    pub service: ServiceId,
    /// The setting.
    pub setting: Name,
    /// The value as typed; the setting's type decides how it is read.
    pub value: String,
}

/// From where whoever owns the machine asks, for [`Command::Unlock`].
pub const MACHINE: &str = "machine";

/// A way to open the vault.
#[derive(Debug, Clone)]
pub enum Unlock {
    /// The passphrase.
    Passphrase(SecretBytes),
    /// The recovery key, as printed.
    RecoveryKey(SecretBytes),
    /// The content of a key file.
    KeyFile(SecretBytes),
}

/// The answer to a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reply {
    /// What happened or would happen, for a person; a plan prints as text.
    pub text: String,
    /// Whether anything changes by it.
    pub changed: bool,
    /// What is done to services, of a plan; empty where none is touched.
    #[serde(default)]
    pub steps: Vec<PlannedStep>,
    /// Names the files that were planned for, so that `apply` takes these and no others. Shape: 64 hexadecimal digits;
    /// of `plan` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
}

impl Reply {
    /// Answers in words alone.
    #[must_use]
    pub fn said(text: impl Into<String>, changed: bool) -> Self {
        Self {
            text: text.into(),
            changed,
            steps: Vec::new(),
            plan: None,
        }
    }
}

/// A command that was refused; nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The machine code, `snake_case`.
    pub code: String,
    /// What was refused and why.
    pub message: String,
    /// What to do next.
    pub hint: String,
}

/// A running node, as its faces see it.
#[async_trait]
pub trait Node: Send + Sync {
    /// Returns the status, and each later one.
    fn status(&self) -> watch::Receiver<NodeStatus>;

    /// Returns up to `limit` events after `cursor`, oldest first, and where the history begins.
    async fn events(&self, cursor: u64, limit: usize) -> Result<Vec<Event>, Refusal>;

    /// Returns a counter that moves with each new event.
    fn events_watch(&self) -> watch::Receiver<u64>;

    /// Returns a service's log lines.
    async fn logs(
        &self,
        service: &ServiceId,
        query: LogQuery,
    ) -> Result<BoxStream<'static, LogLine>, Refusal>;

    /// Returns what can be set, as it was accepted.
    fn settings(&self) -> Settings;

    /// Returns who may reach whom.
    fn edges(&self) -> Edges;

    /// Returns in which image each service runs.
    async fn images(&self) -> Images;

    /// Returns the services that were left out and still have something here.
    async fn removed(&self) -> Result<Removed, Refusal>;

    /// Returns the ways into the node's pages and API.
    fn access(&self) -> Access;

    /// Returns what is known to be dangerous, and what of it is here.
    async fn advisories(&self) -> Result<Advisories, Refusal>;

    /// Returns what the machine has, and how much of it is used.
    async fn machine(&self) -> Result<Machine, Refusal>;

    /// Carries a command out.
    async fn command(&self, command: Command) -> Result<Reply, Refusal>;
}
