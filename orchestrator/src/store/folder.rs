//! Owns the data folder: its identity card, its lock, and the roots that lie outside it.
//!
//! It does not know what the databases in it hold.

use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;

use crate::clock::UnixMillis;
use crate::id::NodeId;
use crate::manifest::profile::ProfileName;
use crate::runtime::RuntimeKind;

/// Says whose folder it is. Shape: `node.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeIdentity {
    /// The node.
    pub node_id: NodeId,
    /// Where the folder lay when it was made or last moved knowingly.
    pub canonical_path: PathBuf,
    /// The profile.
    pub profile: ProfileName,
    /// The runtime; chosen once.
    pub runtime: RuntimeKind,
    /// When it was made.
    pub created_at: UnixMillis,
}
