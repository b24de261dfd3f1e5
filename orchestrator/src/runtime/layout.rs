//! Owns folders and files that a program finds when it starts: volumes, and rendered files on the tmpfs.
//!
//! It never looks at, and never logs, what a file holds.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::DirBuilder;
use std::fs::OpenOptions;
use std::fs::Permissions;
use std::io;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::chown;
use std::os::unix::fs::lchown;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;

use crate::fail;
use crate::runtime::Mount;
use crate::secret::SecretBytes;

/// Lays `files` out in `dir`: folder 0500, files 0400, both of `uid`. Each is replaced in one step, so that a
/// program that runs never sees half of one; files of an earlier start that are not wanted any more go.
pub(crate) fn lay_files(
    dir: &Path,
    files: &BTreeMap<String, SecretBytes>,
    uid: Option<u32>,
) -> io::Result<()> {
    if let Some(parent) = dir.parent() {
        make(parent, if uid.is_some() { 0o711 } else { 0o700 })?;
    }
    make(dir, 0o700)?;
    std::fs::set_permissions(dir, Permissions::from_mode(0o700))?;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let kept = entry
            .file_name()
            .to_str()
            .is_some_and(|name| files.contains_key(name));
        if !kept {
            std::fs::remove_file(entry.path())?;
        }
    }
    for (name, bytes) in files {
        lay_file(dir, name, bytes, uid)?;
    }
    if let Some(uid) = uid {
        chown(dir, Some(uid), Some(uid))?;
    }
    std::fs::set_permissions(dir, Permissions::from_mode(0o500))
}

/// Replaces one file that was laid out in `dir`, in one step; whose it is and who may read it stays.
pub(crate) fn replace_file(dir: &Path, name: &str, bytes: &SecretBytes) -> io::Result<()> {
    let owner = std::fs::metadata(dir.join(name))?.uid();
    let foreign = owner != rustix::process::geteuid().as_raw();
    std::fs::set_permissions(dir, Permissions::from_mode(0o700))?;
    let replaced = lay_file(dir, name, bytes, foreign.then_some(owner));
    std::fs::set_permissions(dir, Permissions::from_mode(0o500))?;
    replaced
}

fn lay_file(dir: &Path, name: &str, bytes: &SecretBytes, uid: Option<u32>) -> io::Result<()> {
    let fresh = dir.join(format!(".{}.new", file_name(name)?));
    absent_is_fine(std::fs::remove_file(&fresh))?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o400)
        .open(&fresh)?;
    file.write_all(bytes.expose())?;
    if let Some(uid) = uid {
        chown(&fresh, Some(uid), Some(uid))?;
    }
    std::fs::rename(&fresh, dir.join(name))
}

/// Removes the rendered files in `dir`.
pub(crate) fn remove_files(dir: &Path) -> io::Result<()> {
    match std::fs::set_permissions(dir, Permissions::from_mode(0o700)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    }
    absent_is_fine(std::fs::remove_dir_all(dir))
}

/// Makes `volumes` where they are missing and gives them to `uid`.
///
/// Errors: `PermissionDenied` where that identity cannot reach one through the folders above it.
pub(crate) fn lay_volumes(volumes: &[Mount], uid: Option<u32>) -> io::Result<()> {
    for volume in volumes.iter().map(|mount| mount.on_host.as_path()) {
        if let Some(parent) = volume.parent() {
            make(parent, if uid.is_some() { 0o711 } else { 0o700 })?;
        }
        make(volume, 0o700)?;
        if let Some(uid) = uid {
            give(volume, uid)?;
            if let Some(closed) = closed_above(volume, uid)? {
                return Err(io::Error::new(
                    io::ErrorKind::PermissionDenied,
                    format!(
                        "the folder {} is closed to the service's own identity",
                        closed.display()
                    ),
                ));
            }
        }
    }
    Ok(())
}

/// Makes `volumes` where they are missing and gives them to `uid`. The folders above stay closed to it: the engine, which
/// is root, binds each into its container.
pub(crate) fn lay_volumes_bound(volumes: &[Mount], uid: Option<u32>) -> io::Result<()> {
    for volume in volumes.iter().map(|mount| mount.on_host.as_path()) {
        if let Some(parent) = volume.parent() {
            make(parent, 0o700)?;
        }
        make(volume, 0o700)?;
        if let Some(uid) = uid {
            give(volume, uid)?;
        }
    }
    Ok(())
}

/// Makes the folder above `dir` so that others can pass through it.
pub(crate) fn make_open(dir: &Path) -> io::Result<()> {
    dir.parent().map_or(Ok(()), |parent| make(parent, 0o711))
}

/// Lays out files that everybody may read and that hold nothing secret. One that is there already as it should be is
/// left as it is: it may be mounted.
pub(crate) fn lay_readable(dir: &Path, files: &[(&str, &str)]) -> io::Result<()> {
    make(dir, 0o755)?;
    for (name, text) in files {
        let path = dir.join(file_name(name)?);
        if std::fs::read_to_string(&path).is_ok_and(|found| found == *text) {
            continue;
        }
        let fresh = dir.join(format!(".{name}.new"));
        absent_is_fine(std::fs::remove_file(&fresh))?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o444)
            .open(&fresh)?;
        file.write_all(text.as_bytes())?;
        std::fs::set_permissions(&fresh, Permissions::from_mode(0o444))?;
        std::fs::rename(&fresh, path)?;
    }
    Ok(())
}

/// Returns the first folder above `path` that `uid` may not pass through; folders that do not exist are open.
pub(crate) fn closed_above(path: &Path, uid: u32) -> io::Result<Option<PathBuf>> {
    let mut above: Vec<&Path> = path.ancestors().skip(1).collect();
    above.reverse();
    for folder in above {
        if folder.as_os_str().is_empty() {
            continue;
        }
        let found = match std::fs::metadata(folder) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let bit = if found.uid() == uid {
            0o100
        } else if found.gid() == uid {
            0o010
        } else {
            0o001
        };
        if found.mode() & bit == 0 {
            return Ok(Some(folder.to_owned()));
        }
    }
    Ok(None)
}

/// Gives `volume` and all in it to `uid`. The folder itself goes last and so records that the rest is done:
/// a chain's files are walked once, not at every start. Links are never followed.
fn give(volume: &Path, uid: u32) -> io::Result<()> {
    if std::fs::symlink_metadata(volume)?.uid() == uid {
        return Ok(());
    }
    let mut folders = vec![volume.to_owned()];
    let mut next = 0;
    while let Some(folder) = folders.get(next).cloned() {
        next += 1;
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else {
                lchown(entry.path(), Some(uid), Some(uid))?;
            }
        }
    }
    folders
        .iter()
        .rev()
        .try_for_each(|folder| lchown(folder, Some(uid), Some(uid)))
}

/// Makes `dir` and the folders above it that are missing, each with `mode` whatever the umask.
///
/// Each appears under its name only once it has its mode: a kill leaves none that is closed to whoever must pass.
pub(crate) fn make(dir: &Path, mode: u32) -> io::Result<()> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    // Starts of several services meet above their own folders.
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let mut missing: Vec<&Path> = dir
        .ancestors()
        .take_while(|folder| !folder.exists())
        .collect();
    missing.reverse();
    for folder in missing {
        let mut name = OsString::from(".");
        name.push(folder.file_name().unwrap_or_default());
        name.push(".new");
        let fresh = folder.with_file_name(name);
        match DirBuilder::new().mode(0o700).create(&fresh) {
            // A kill left it.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => made?,
        }
        fail::point("layout.folder_made");
        std::fs::set_permissions(&fresh, Permissions::from_mode(mode))?;
        std::fs::rename(&fresh, folder)?;
    }
    Ok(())
}

/// Removes everything in `dir`, and no link leads it elsewhere; the folder itself stays. One that is not there is empty.
pub(crate) fn empty(dir: &Path) -> io::Result<()> {
    let entries = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            std::fs::remove_dir_all(entry.path())?;
        } else {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Whether nothing is in `dir`; nothing is in a folder that is not there.
pub(crate) fn is_empty(dir: &Path) -> io::Result<bool> {
    match std::fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        entries => Ok(entries?.next().is_none()),
    }
}

/// Turns the absence of what is to be removed into success.
pub(crate) fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn file_name(name: &str) -> io::Result<&str> {
    let mut parts = Path::new(name).components();
    match (parts.next(), parts.next()) {
        (Some(Component::Normal(part)), None) if part == name => Ok(name),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a rendered file's name is not a plain file name",
        )),
    }
}

#[cfg(test)]
mod tests;
