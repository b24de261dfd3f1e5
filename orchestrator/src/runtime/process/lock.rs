//! Owns the locks of a slot: advisory, held by an open file, gone with the last process that holds it.
//!
//! A lock file that was unlinked and made anew is two locks. So whoever has locked a file looks whether it is
//! still the one that the path names, and begins again where it is not.

use std::fs::File;
use std::fs::OpenOptions;
use std::fs::TryLockError;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

/// How long to rest between two attempts.
pub(crate) const PAUSE: Duration = Duration::from_millis(10);

/// Takes the lock at `path`, or returns nothing where somebody holds it. The file is close-on-exec.
pub(crate) fn try_take(path: &Path) -> io::Result<Option<File>> {
    loop {
        let file = open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        if names(path, &file)? {
            return Ok(Some(file));
        }
    }
}

/// Takes the lock at `path`, trying for `patience`.
pub(crate) fn take_within(path: &Path, patience: Duration) -> io::Result<Option<File>> {
    let attempts = patience.as_millis() / PAUSE.as_millis();
    for _ in 0..attempts {
        if let Some(file) = try_take(path)? {
            return Ok(Some(file));
        }
        std::thread::sleep(PAUSE);
    }
    try_take(path)
}

/// Takes the lock at `path`, waiting for as long as it is held.
pub(crate) fn take(path: &Path) -> io::Result<File> {
    loop {
        let file = open(path)?;
        file.lock()?;
        if names(path, &file)? {
            return Ok(file);
        }
    }
}

/// Whether `path` names the very file that `file` has open.
pub(crate) fn names(path: &Path, file: &File) -> io::Result<bool> {
    let opened = file.metadata()?;
    match std::fs::symlink_metadata(path) {
        Ok(named) => Ok(named.dev() == opened.dev() && named.ino() == opened.ino()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}
