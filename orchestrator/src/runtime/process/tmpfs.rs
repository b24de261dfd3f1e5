//! Owns the choice of the folder, in memory and never on a disk, for sockets and rendered files.

use std::fs::DirBuilder;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;

use super::own_folder;

// Source: statfs(2).
const TMPFS: u64 = 0x0102_1994;
const RAMFS: u64 = 0x8584_58f6;

/// Makes and returns the first of `candidates` that lies on a tmpfs and belongs to this user alone.
///
/// For root it gets mode 0711, so that services reach their own folders in it, else 0700.
/// Errors: `Unsupported` where none is in memory; nothing is then written anywhere.
pub fn choose(candidates: &[PathBuf]) -> io::Result<PathBuf> {
    let mode = if rustix::process::geteuid().is_root() {
        0o711
    } else {
        0o700
    };
    let chosen = candidates.iter().find(|folder| usable(folder, mode));
    chosen.cloned().ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::Unsupported,
            "no folder in memory (tmpfs) was found for rendered secrets",
        )
    })
}

/// Whether `folder`, or the folder above it where it does not exist yet, lies in memory.
#[must_use]
pub fn in_memory(folder: &Path) -> bool {
    let existing = folder.ancestors().find(|folder| folder.exists());
    let Some(existing) = existing else {
        return false;
    };
    rustix::fs::statfs(existing)
        .ok()
        .and_then(|found| u64::try_from(found.f_type).ok())
        .is_some_and(|kind| kind == TMPFS || kind == RAMFS)
}

fn usable(folder: &Path, mode: u32) -> bool {
    if !in_memory(folder) {
        return false;
    }
    let made = match DirBuilder::new().mode(mode).create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    };
    // In a folder that all may write to, such as /dev/shm, somebody else may have been first.
    made.is_ok()
        && own_folder(folder).unwrap_or(false)
        && std::fs::set_permissions(folder, Permissions::from_mode(mode)).is_ok()
}

#[cfg(test)]
mod tests;
