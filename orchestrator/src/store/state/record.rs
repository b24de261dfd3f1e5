//! Owns the data that `state.db` keeps, as the reconciler sees them.
//!
//! It does not know in which tables they lie. Nothing in it is a secret value.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde::Deserialize;
use serde::Serialize;

use crate::clock::UnixMillis;
use crate::id::Name;
use crate::id::ServiceId;
use crate::node::Event;
use crate::service::spec::ServiceSpec;
use crate::service::spec::SpecHash;

/// What the operator accepted as the desired state, word for word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// Counts from 1; each acceptance adds one.
    pub revision: u64,
    /// When it was accepted.
    pub at: UnixMillis,
    /// The text of `node.toml`.
    pub choices: String,
    /// The operator's own manifests, text by file name.
    pub manifests: BTreeMap<String, String>,
    /// The hash of the manifests that the release carries.
    pub release: String,
}

/// What the reconciler remembers of one service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceRecord {
    /// The service.
    pub service: ServiceId,
    /// What was last brought to a running program.
    #[serde(default)]
    pub applied: Option<Applied>,
    /// What is being done; it was written before the runtime was called.
    #[serde(default)]
    pub intent: Option<Intent>,
    /// When it was ready for the first time: start order counts until then only.
    #[serde(default)]
    pub first_ready_at: Option<UnixMillis>,
    /// Failures in a row.
    #[serde(default)]
    pub failures: u32,
    /// Before this nothing is tried again.
    #[serde(default)]
    pub retry_at: Option<UnixMillis>,
    /// Why the last attempt failed, in one sentence.
    #[serde(default)]
    pub cause: Option<String>,
    /// Whether nothing is tried until the operator says so.
    #[serde(default)]
    pub needs_you: bool,
    /// Whether the operator removed it; its data stay until they are purged.
    #[serde(default)]
    pub removed: bool,
    /// Init jobs that were done once for all.
    #[serde(default)]
    pub jobs_done: BTreeSet<Name>,
    /// Init jobs that were begun on an empty volume and were not seen to be done: what lies there now is theirs alone.
    #[serde(default)]
    pub jobs_begun: BTreeSet<Name>,
    /// The start of the run for which the jobs of every start were done.
    #[serde(default)]
    pub alive_epoch: Option<UnixMillis>,
    /// The jobs that were done for that start.
    #[serde(default)]
    pub epoch_jobs: BTreeSet<Name>,
    /// The guarded volumes that were seen to hold data: without them it is not started.
    #[serde(default)]
    pub held_data: BTreeSet<Name>,
    /// The newest end of its program that was taken note of: no end is counted twice.
    #[serde(default)]
    pub seen_exit: Option<SeenExit>,
}

/// An end of a program that was taken note of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenExit {
    /// When it ended.
    pub at: UnixMillis,
    /// Whether the reconciler had asked for it.
    pub asked: bool,
}

impl ServiceRecord {
    /// Notes jobs that were done once for all.
    pub fn note_done(&mut self, jobs: BTreeSet<Name>) {
        self.jobs_begun.retain(|job| !jobs.contains(job));
        self.jobs_done.extend(jobs);
    }

    /// Begins the record of a service of which nothing is known yet.
    #[must_use]
    pub fn new(service: ServiceId) -> Self {
        Self {
            service,
            applied: None,
            intent: None,
            first_ready_at: None,
            failures: 0,
            retry_at: None,
            cause: None,
            needs_you: false,
            removed: false,
            jobs_done: BTreeSet::new(),
            jobs_begun: BTreeSet::new(),
            alive_epoch: None,
            epoch_jobs: BTreeSet::new(),
            held_data: BTreeSet::new(),
            seen_exit: None,
        }
    }
}

/// What was last brought to a running program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Applied {
    /// The hash of `spec`.
    pub hash: SpecHash,
    /// The specification.
    pub spec: ServiceSpec,
    /// The effective settings it came from, for `plan` to name what changed.
    pub settings: BTreeMap<Name, serde_json::Value>,
}

/// One act on a service that was begun and has not been seen to end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// From [`super::Tx::next_id`]; never used twice.
    pub id: u64,
    /// Which act.
    pub kind: IntentKind,
    /// When it was begun.
    pub begun_at: UnixMillis,
}

/// What is being done to a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntentKind {
    /// It is being started.
    Start {
        /// With which specification.
        hash: SpecHash,
    },
    /// It is being stopped.
    Stop {
        /// Why, in one sentence.
        reason: String,
        /// When it will be killed. Counts only while the machine runs with `boot_id`; after another boot the
        /// deadline is armed anew.
        deadline_at: Option<UnixMillis>,
        /// The boot during which the deadline was set.
        boot_id: String,
        /// Whether the stop signal was sent.
        asked: bool,
    },
    /// Its rendered files and records are being removed.
    Clean,
    /// Its data are being deleted.
    Purge,
}

/// A stretch of the node's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Events {
    /// Oldest first.
    pub events: Vec<Event>,
    /// The oldest cursor still kept; 0 where there is none. A reader whose cursor lies before `oldest - 1` has
    /// missed some.
    pub oldest: u64,
    /// The newest cursor; 0 where there is none.
    pub newest: u64,
}
