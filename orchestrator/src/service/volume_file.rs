//! Owns the reading of files that a service wrote into its volume, as from a stranger: no link is followed, nothing
//! but a regular file is opened, and nothing longer than asked for is read.

use std::fs::File;
use std::io;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::Component;
use std::path::Path;

use rustix::fs::AtFlags;
use rustix::fs::Mode;
use rustix::fs::OFlags;

/// Reads the regular file at `below` under `root`. Errors: not found, not a regular file, a link on the way, or longer
/// than `max` bytes.
pub fn read(root: &Path, below: &str, max: u64) -> io::Result<Vec<u8>> {
    let (folder, name) = walk(root, below)?;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::openat(&folder, name, flags, Mode::empty())?);
    if !file.metadata()?.is_file() {
        return Err(invalid("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max {
        return Err(invalid("it is too long"));
    }
    Ok(bytes)
}

/// Whether something exists at `below` under `root`. Errors: anything that leaves it uncertain.
pub fn exists(root: &Path, below: &str) -> io::Result<bool> {
    let found = walk(root, below).and_then(|(folder, name)| {
        Ok(rustix::fs::statat(
            &folder,
            name,
            AtFlags::SYMLINK_NOFOLLOW,
        )?)
    });
    match found {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Opens the folder that holds the last part of `below`.
fn walk<'a>(root: &Path, below: &'a str) -> io::Result<(OwnedFd, &'a Path)> {
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut folder = rustix::fs::open(root, flags, Mode::empty())?;
    let mut parts = Vec::new();
    for part in Path::new(below).components() {
        match part {
            Component::Normal(name) => parts.push(Path::new(name)),
            Component::CurDir => {}
            _ => return Err(invalid("its path leads out of the volume")),
        }
    }
    let last = parts
        .pop()
        .ok_or_else(|| invalid("its path names nothing"))?;
    for part in parts {
        folder = rustix::fs::openat(&folder, part, flags | OFlags::NOFOLLOW, Mode::empty())?;
    }
    Ok((folder, last))
}

fn invalid(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, reason)
}

#[cfg(test)]
mod tests;
