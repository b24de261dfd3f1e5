//! Owns what can be wrong with a data folder or a storage root, each with what to do next.

use std::path::PathBuf;

use crate::manifest::profile::ProfileName;
use crate::runtime::RuntimeKind;
use crate::store::error::StoreError;

/// Why a data folder or a storage root is refused. Nothing was changed in it.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Nothing of a node lies there.
    #[error("{path} is not the data folder of a node")]
    NotANode {
        /// The folder.
        path: PathBuf,
    },
    /// It is a file.
    #[error("{path} is not a folder")]
    NotAFolder {
        /// The file.
        path: PathBuf,
    },
    /// Something else lies there.
    #[error("{path} holds something that is not a node's ({name})")]
    NotEmpty {
        /// The folder.
        path: PathBuf,
        /// What was found first.
        name: String,
    },
    /// The folder belongs to another user.
    #[error("{path} belongs to the user with id {owner}")]
    NotOurs {
        /// The folder.
        path: PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// Another orchestrator uses the folder.
    #[error("another orchestrator runs on this data folder{}", process(*pid))]
    AlreadyRunning {
        /// Its process id, where it wrote one.
        pid: Option<u32>,
    },
    /// The folder was copied or moved.
    #[error("the data folder was made at {from} and lies at {to} now")]
    Moved {
        /// Where it was made.
        from: PathBuf,
        /// Where it lies.
        to: PathBuf,
    },
    /// The folder is a copy of one that still exists.
    #[error("the data folder is a copy, and the original still lies at {path}")]
    OriginalExists {
        /// The original.
        path: PathBuf,
    },
    /// Data of a node lie there without its identity card.
    #[error("{path} is missing although {beside} is there")]
    IdentityMissing {
        /// Where it should be.
        path: PathBuf,
        /// What was found.
        beside: String,
    },
    /// The identity card is damaged.
    #[error("{path} is damaged: {detail}")]
    IdentityDamaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// The identity card is a newer release's.
    #[error("the data folder has schema {found}; this release knows schema {known}")]
    IdentityNewer {
        /// The schema found.
        found: u64,
        /// The newest one this release knows.
        known: u32,
    },
    /// The folder was made with another profile.
    #[error("the data folder was made for the profile {found}, not {asked}")]
    OtherProfile {
        /// Its profile.
        found: ProfileName,
        /// The profile asked for.
        asked: ProfileName,
    },
    /// The folder was made with another runtime.
    #[error("the data folder was made for the runtime {}, not {}", word(*found), word(*asked))]
    OtherRuntime {
        /// Its runtime.
        found: RuntimeKind,
        /// The runtime asked for.
        asked: RuntimeKind,
    },
    /// A storage root is not there: its disk is not mounted, or it was emptied.
    #[error("the storage {path} is missing: it does not carry this node's mark")]
    StorageMissing {
        /// The root.
        path: PathBuf,
    },
    /// A storage root belongs to another node.
    #[error("the storage {path} belongs to node {node}")]
    StorageOther {
        /// The root.
        path: PathBuf,
        /// The node.
        node: String,
    },
    /// A storage root's mark cannot be read.
    #[error("the mark of the storage {path} is damaged")]
    StorageDamaged {
        /// The root.
        path: PathBuf,
    },
    /// A file could not be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn process(pid: Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" (process {pid})"))
}

/// Returns a runtime's name as it is typed.
fn word(runtime: RuntimeKind) -> &'static str {
    match runtime {
        RuntimeKind::Process => "process",
        RuntimeKind::Docker => "docker",
        RuntimeKind::Fake => "fake",
    }
}

impl FolderError {
    /// Returns the machine code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotANode { .. } => "folder_not_a_node",
            Self::NotAFolder { .. } => "not_a_folder",
            Self::NotEmpty { .. } => "folder_not_empty",
            Self::NotOurs { .. } => "folder_not_ours",
            Self::AlreadyRunning { .. } => "already_running",
            Self::Moved { .. } => "folder_moved",
            Self::OriginalExists { .. } => "folder_original_exists",
            Self::IdentityMissing { .. } => "identity_missing",
            Self::IdentityDamaged { .. } => "identity_damaged",
            Self::IdentityNewer { .. } => "identity_newer",
            Self::OtherProfile { .. } => "other_profile",
            Self::OtherRuntime { .. } => "other_runtime",
            Self::StorageMissing { .. } => "storage_missing",
            Self::StorageOther { .. } => "storage_other",
            Self::StorageDamaged { .. } => "storage_damaged",
            Self::Store(error) => error.code(),
        }
    }

    /// Returns what to do next, in one sentence.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotANode { .. } => {
                "start a node there with `flash-node up`, or name its folder with --data"
            }
            Self::NotAFolder { .. } => "name a folder with --data DIR",
            Self::NotEmpty { .. } => "choose an empty folder",
            Self::NotOurs { .. } => "run flash-node as that user, or choose another folder",
            Self::AlreadyRunning { .. } => {
                "look at it with `flash-node status`, or stop it with `flash-node down` first"
            }
            Self::Moved { .. } => {
                "if you moved it, say so with `flash-node up --moved`; if it is a copy, do not start it: two nodes with one identity lose money"
            }
            Self::OriginalExists { .. } => {
                "remove or rename the original for good before the copy takes its place"
            }
            Self::IdentityMissing { .. } | Self::IdentityDamaged { .. } => {
                "put node.json back from a backup of the data folder; it is never made anew beside a node's data"
            }
            Self::IdentityNewer { .. } => "start the release that wrote it, or a newer one",
            Self::OtherProfile { .. } | Self::OtherRuntime { .. } => {
                "choose another data folder with --data; a folder keeps its profile and its runtime"
            }
            Self::StorageMissing { .. } => {
                "mount the disk and try again; services are never started on an empty folder in its place"
            }
            Self::StorageOther { .. } => "look which disk belongs to this node",
            Self::StorageDamaged { .. } => {
                "check the disk, then put flash-node-storage.toml back from a backup"
            }
            Self::Store(error) => error.hint(),
        }
    }
}
