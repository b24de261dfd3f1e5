//! Owns what tests do to files: damage them as disks, people and power cuts do.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::clock::UnixMillis;
use crate::id::NodeId;
use crate::manifest::profile::ProfileName;
use crate::runtime::RuntimeKind;
use crate::store::folder::NodeIdentity;

/// Flips every bit of `length` bytes at `offset`.
pub(crate) fn flip(path: &Path, offset: u64, length: usize) {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, offset).unwrap();
    for byte in &mut bytes {
        *byte = !*byte;
    }
    file.write_all_at(&bytes, offset).unwrap();
}

/// Cuts a file to `length` bytes.
pub(crate) fn truncate(path: &Path, length: u64) {
    OpenOptions::new()
        .write(true)
        .open(path)
        .unwrap()
        .set_len(length)
        .unwrap();
}

/// Returns every file below `folder` with its content.
pub(crate) fn contents(folder: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else {
            let bytes = std::fs::read(&path).unwrap();
            found.push((path, bytes));
        }
    }
    found.sort();
    found
}

/// Whether any file below `folder` holds `needle` as it is.
pub(crate) fn holds(folder: &Path, needle: &[u8]) -> bool {
    contents(folder)
        .iter()
        .any(|(_, bytes)| bytes.windows(needle.len()).any(|window| window == needle))
}

/// Returns the identity of a node for tests.
pub(crate) fn identity(byte: u8) -> NodeIdentity {
    NodeIdentity {
        node_id: NodeId::from_bytes([byte; 16]),
        canonical_path: "/somewhere".into(),
        profile: ProfileName::Demo,
        runtime: RuntimeKind::Fake,
        created_at: UnixMillis(1_700_000_000_000),
    }
}
