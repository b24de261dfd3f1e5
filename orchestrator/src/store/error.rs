//! Owns what can be wrong with a file of the node, each with what to do next.
//!
//! It does not know who reads it: the command line and the API print `message` and `hint` as they are.

use std::path::Path;
use std::path::PathBuf;

use rusqlite::ErrorCode;

/// Why a database or a file of the data folder could not be used. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It should be there and is not.
    #[error("{path} is missing")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// It has no content, as after a power cut on a disk that lost its writes.
    #[error("{path} is empty (0 bytes)")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// It exists although something new should be made there.
    #[error("{path} exists already")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// It is not an SQLite database, or its first page is damaged.
    #[error("{path} is not a database, or its beginning is damaged")]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// It is damaged.
    #[error("{path} is damaged: {detail}")]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// A newer release wrote it.
    #[error("{path} has schema {found}; this release knows schemas up to {known}")]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// The schema found.
        found: u32,
        /// The newest schema this release knows.
        known: u32,
    },
    /// It is a database of another program, or the other one of ours.
    #[error(
        "{path} is a database of something else (application id {found:#010x}, not {expected:#010x})"
    )]
    WrongApplication {
        /// The file.
        path: PathBuf,
        /// The application id found.
        found: u32,
        /// Ours.
        expected: u32,
    },
    /// It belongs to another node.
    #[error("{path} belongs to node {found}, not to node {expected}")]
    OtherNode {
        /// The file.
        path: PathBuf,
        /// The node it belongs to.
        found: String,
        /// The node of this data folder.
        expected: String,
    },
    /// No space was left; what was being written was rolled back.
    #[error("no space is left to write {path}; the change was not made")]
    DiskFull {
        /// The file.
        path: PathBuf,
    },
    /// Another process uses it.
    #[error("{path} is in use by another process")]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// The operating system refused to read or write it.
    #[error("{action} {path} failed")]
    Io {
        /// The file.
        path: PathBuf,
        /// What was attempted, such as `reading`.
        action: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// An earlier write failed in a way after which nothing more may be written until a restart.
    #[error("{path} takes no more writes since one failed at the disk")]
    Stopped {
        /// The file.
        path: PathBuf,
    },
    /// The database refused a statement; a mistake in the program.
    #[error("{path} refused {action}")]
    Sql {
        /// The file.
        path: PathBuf,
        /// What was attempted.
        action: &'static str,
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
    /// A number that may only grow would have gone back.
    #[error("{what} may not go from {from} to {to}")]
    WentBack {
        /// Which number.
        what: String,
        /// The value kept.
        from: u64,
        /// The value refused.
        to: u64,
    },
    /// Every user id of this node's range was given away; none is used twice.
    #[error("all {count} user ids of this node are taken; none is given twice")]
    UidsExhausted {
        /// How many there are.
        count: u32,
    },
}

impl StoreError {
    /// Returns the machine code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "store_missing",
            Self::Empty { .. } => "store_empty",
            Self::Exists { .. } => "store_exists",
            Self::NotADatabase { .. } => "store_not_a_database",
            Self::Corrupt { .. } => "store_corrupt",
            Self::NewerSchema { .. } => "store_newer_schema",
            Self::WrongApplication { .. } => "store_wrong_application",
            Self::OtherNode { .. } => "store_other_node",
            Self::DiskFull { .. } => "disk_full",
            Self::Locked { .. } => "store_locked",
            Self::Io { .. } => "store_io",
            Self::Stopped { .. } => "store_stopped",
            Self::Sql { .. } => "store_refused",
            Self::WentBack { .. } => "store_went_back",
            Self::UidsExhausted { .. } => "uids_exhausted",
        }
    }

    /// Returns what to do next, in one sentence.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Missing { .. } | Self::Empty { .. } => {
                "put the file back from a backup of the data folder; it is never made anew in a folder that was in use"
            }
            Self::Exists { .. } => "choose an empty folder, or open the existing one",
            Self::NotADatabase { .. } | Self::Corrupt { .. } => {
                "keep a copy of the data folder as it is, check the disk, then put the file back from a backup"
            }
            Self::NewerSchema { .. } => {
                "start the release that wrote it, or a newer one; going back is not possible"
            }
            Self::WrongApplication { .. } | Self::OtherNode { .. } => {
                "look which file belongs here; this one was left untouched"
            }
            Self::DiskFull { .. } => "free some space on that disk and try again",
            Self::Locked { .. } => "stop the other process that has the file open, then try again",
            Self::Io { .. } => "check the disk, the mount and the permissions of the folder",
            Self::Stopped { .. } => {
                "check the disk, then restart the node; services go on meanwhile"
            }
            Self::Sql { .. } | Self::WentBack { .. } => "please report this with the log",
            Self::UidsExhausted { .. } => {
                "start a new data folder for further services; user ids of removed services are not reused"
            }
        }
    }

    /// Whether the file itself is at fault, so that waiting does not help.
    #[must_use]
    pub fn damaged(&self) -> bool {
        matches!(
            self,
            Self::Missing { .. }
                | Self::Empty { .. }
                | Self::NotADatabase { .. }
                | Self::Corrupt { .. }
        )
    }

    /// Turns a failure of the operating system into a sentence about `path`.
    pub(crate) fn io(path: &Path, action: &'static str, source: std::io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                Self::DiskFull { path }
            }
            std::io::ErrorKind::NotFound => Self::Missing { path },
            _ => Self::Io {
                path,
                action,
                source,
            },
        }
    }

    /// Turns a failure of SQLite into a sentence about `path`.
    pub(crate) fn sql(path: &Path, action: &'static str, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        let unreadable = matches!(
            source,
            rusqlite::Error::Utf8Error(..)
                | rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
        );
        if unreadable {
            return Self::Corrupt {
                path,
                detail: format!("a value cannot be read ({action})"),
            };
        }
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt) => Self::Corrupt {
                path,
                detail: source.to_string(),
            },
            Some(ErrorCode::NotADatabase) => Self::NotADatabase { path },
            Some(ErrorCode::DiskFull) => Self::DiskFull { path },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked { path },
            Some(
                ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied,
            ) => Self::Io {
                path,
                action,
                source: std::io::Error::other(source),
            },
            _ => Self::Sql {
                path,
                action,
                source,
            },
        }
    }
}
