//! Owns what the command line asks of the daemon's builder (`app`), as data.
//!
//! It does not know how a node is put together; `main.rs` hands the builder in.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::sync::oneshot;
use tokio::sync::watch;

use super::exit::Failure;
use crate::config::STOPPED_NOTE;
use crate::manifest::profile::ProfileName;
use crate::node::Node;
use crate::runtime::RuntimeKind;

/// How far a stop goes. It only ever grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    /// Nobody asked.
    No,
    /// Every service is stopped, each with its grace, then the daemon ends.
    Services,
    /// The daemon ends at once and leaves the services as they are; what was asked to stop goes on stopping.
    DaemonOnly,
}

/// What a daemon is started with.
pub struct Launch {
    /// The data folder; it may not exist yet.
    pub data: PathBuf,
    /// The profile, where the operator names one.
    pub profile: Option<ProfileName>,
    /// The runtime, where the operator names one.
    pub runtime: Option<RuntimeKind>,
    /// Where the API listens, where the operator names it.
    pub listen: Option<SocketAddr>,
    /// Whether the operator says that the data folder was moved.
    pub moved: bool,
    /// Everything that was read from the environment: run folders, search path, user.
    pub surroundings: crate::config::Surroundings,
    /// Told when the daemon should stop.
    pub stop: watch::Receiver<Stop>,
    /// Told once the node answers at both listeners. Services may still be starting.
    pub started: oneshot::Sender<Arc<dyn Node>>,
}

impl fmt::Debug for Launch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Launch")
            .field("data", &self.data)
            .field("profile", &self.profile)
            .finish_non_exhaustive()
    }
}

/// How a daemon ended without a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Every service was stopped.
    ServicesStopped,
    /// The services go on.
    ServicesGoOn,
}

/// The parts of the program that lie above or beside the command line.
#[derive(Debug, Clone, Copy)]
pub struct Parts {
    /// Builds and runs the node until it ends.
    pub launch: fn(Launch) -> BoxFuture<'static, Result<Ended, Failure>>,
}

/// Forgets what an earlier daemon of the data folder said at its end.
pub(super) fn forget_word(data: &Path) {
    let _ = std::fs::remove_file(data.join(STOPPED_NOTE));
}

/// Leaves word, in the data folder, that every service was stopped: whoever waits for the end of a daemon cannot tell
/// otherwise whether they go on without it.
pub(super) fn leave_word(data: &Path, ended: &Result<Ended, Failure>) {
    if !matches!(ended, Ok(Ended::ServicesStopped)) {
        return;
    }
    let note = data.join(STOPPED_NOTE);
    if let Err(error) = std::fs::write(note, std::process::id().to_string()) {
        tracing::warn!(%error, "the note of the stop could not be written");
    }
}

/// Whether the daemon with process id `pid`, which has ended, left word that it had stopped every service.
pub(super) fn stopped_by(data: &Path, pid: u32) -> bool {
    std::fs::read_to_string(data.join(STOPPED_NOTE)).is_ok_and(|text| text == pid.to_string())
}
