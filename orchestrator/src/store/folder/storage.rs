//! Owns storage roots: the folders, maybe on other disks, in which services keep their data, and their mark.
//!
//! It does not know which services use them.

use std::path::Path;

use serde::Deserialize;
use serde::Serialize;

use super::error::FolderError;
use crate::clock::UnixMillis;
use crate::id::NodeId;
use crate::store::durable;
use crate::store::error::StoreError;

/// The file that marks a storage root. A mount point without its disk does not carry it.
pub const MARKER: &str = "flash-node-storage.toml";

/// Space on a file system. Units: bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// What the node may still write.
    pub free: u64,
    /// All of it.
    pub total: u64,
}

/// Shape: `flash-node-storage.toml`.
#[derive(Serialize, Deserialize)]
struct Mark {
    node: NodeId,
    created_at: UnixMillis,
}

/// Marks a folder as this node's storage root, when the operator first names it.
///
/// Errors: [`FolderError::StorageMissing`] where the folder itself is not there, [`FolderError::StorageOther`].
pub fn accept_storage_root(path: &Path, node: &NodeId, at: UnixMillis) -> Result<(), FolderError> {
    if path.join(MARKER).symlink_metadata().is_ok() {
        return check_storage_root(path, node);
    }
    if !path.is_dir() {
        return Err(FolderError::StorageMissing {
            path: path.to_owned(),
        });
    }
    let mark = Mark {
        node: node.clone(),
        created_at: at,
    };
    let text = format!(
        "# Marks this folder as storage of a Flash Node. Without this file the node takes the disk for not mounted\n\
         # and does not start what keeps its data here.\n{}",
        toml::to_string(&mark).expect("a mark becomes TOML")
    );
    durable::write(&path.join(MARKER), text.as_bytes(), 0o644)?;
    crate::fail::point("storage.marked");
    Ok(())
}

/// Checks that a storage root accepted once is still there and this node's.
///
/// Errors: [`FolderError::StorageMissing`], [`FolderError::StorageOther`], [`FolderError::StorageDamaged`].
pub fn check_storage_root(path: &Path, node: &NodeId) -> Result<(), FolderError> {
    let damaged = || FolderError::StorageDamaged {
        path: path.to_owned(),
    };
    let bytes = match durable::read(&path.join(MARKER)) {
        Ok(bytes) => bytes,
        Err(StoreError::Missing { .. }) => {
            return Err(FolderError::StorageMissing {
                path: path.to_owned(),
            });
        }
        Err(StoreError::Empty { .. }) => return Err(damaged()),
        Err(error) => return Err(error.into()),
    };
    let text = std::str::from_utf8(&bytes).map_err(|_| damaged())?;
    let mark: Mark = toml::from_str(text).map_err(|_| damaged())?;
    if mark.node == *node {
        return Ok(());
    }
    Err(FolderError::StorageOther {
        path: path.to_owned(),
        node: mark.node.to_string(),
    })
}

/// Returns the space on the file system of `path`.
pub fn free_space(path: &Path) -> Result<Space, StoreError> {
    let found = rustix::fs::statvfs(path)
        .map_err(|errno| StoreError::io(path, "measuring the space of", errno.into()))?;
    Ok(Space {
        free: found.f_bavail.saturating_mul(found.f_frsize),
        total: found.f_blocks.saturating_mul(found.f_frsize),
    })
}
