//! One process per data folder.
//!
//! Owns the folder and its lock file. Deliberately knows nothing of what the folder holds.

use std::{
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// The name of the lock file inside the data folder.
pub const LOCK_FILE: &str = "mint.lock";

/// A held data folder; dropping it lets the next process in.
#[derive(Debug)]
pub struct Held {
    _file: File,
}

/// Why a data folder could not be held.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds it.
    #[error("{}: another flash-mint holds this data folder; stop it first, two processes must never share a mint", folder.display())]
    Taken {
        /// The folder.
        folder: PathBuf,
    },
    /// The folder or its lock file could not be made.
    #[error("{}: the data folder could not be locked", folder.display())]
    Failed {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Makes `folder` where it is missing, and holds it for as long as the result lives.
///
/// Errors: another process holds it, or the file system refused.
pub fn hold(folder: &Path) -> Result<Held, LockError> {
    let failed = |source| LockError::Failed {
        folder: folder.to_owned(),
        source,
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(failed)?;
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(folder.join(LOCK_FILE))
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(Held { _file: file }),
        Err(TryLockError::WouldBlock) => Err(LockError::Taken {
            folder: folder.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}
