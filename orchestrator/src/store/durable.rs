//! Owns writing small files so that they survive a power cut: the old content or the new one, never a mixture.
//!
//! It does not know what is in them.

use std::fs::File;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;

use super::error::StoreError;

/// Writes `path` through a neighbour, flushed and renamed. `mode` holds whatever the umask says.
pub(crate) fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), StoreError> {
    let neighbour = beside(path, ".new");
    write_in_place(&neighbour, bytes, mode)?;
    rename(&neighbour, path)
}

/// Writes and flushes `path` itself; a crash may leave it half-written.
pub(crate) fn write_in_place(path: &Path, bytes: &[u8], mode: u32) -> Result<(), StoreError> {
    let failed = |source| StoreError::io(path, "writing", source);
    remove(path)?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .map_err(failed)?;
    let written = file
        .set_permissions(std::fs::Permissions::from_mode(mode))
        .and_then(|()| file.write_all(bytes))
        .and_then(|()| file.sync_all());
    if let Err(source) = written {
        // A half-written neighbour helps nobody and holds space that the disk may need.
        let _ = std::fs::remove_file(path);
        return Err(failed(source));
    }
    Ok(())
}

/// Renames `from` to `to`, and flushes the folder.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), StoreError> {
    std::fs::rename(from, to).map_err(|source| StoreError::io(to, "renaming to", source))?;
    sync_folder_of(to)
}

/// Removes a file if it is there, and flushes the folder.
pub(crate) fn remove(path: &Path) -> Result<(), StoreError> {
    match std::fs::remove_file(path) {
        Ok(()) => sync_folder_of(path),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(StoreError::io(path, "removing", source)),
    }
}

/// Flushes a file's content.
pub(crate) fn sync(path: &Path) -> Result<(), StoreError> {
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(|source| StoreError::io(path, "flushing", source))
}

/// Flushes the folder that holds `path`.
pub(crate) fn sync_folder_of(path: &Path) -> Result<(), StoreError> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => sync(folder),
        _ => sync(Path::new(".")),
    }
}

/// Reads a whole file. Errors: [`StoreError::Missing`], [`StoreError::Empty`], [`StoreError::Io`].
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, StoreError> {
    let bytes = std::fs::read(path).map_err(|source| StoreError::io(path, "reading", source))?;
    if bytes.is_empty() {
        return Err(StoreError::Empty {
            path: path.to_owned(),
        });
    }
    Ok(bytes)
}

/// Returns `path` with `ending` added to its name.
pub(crate) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}
