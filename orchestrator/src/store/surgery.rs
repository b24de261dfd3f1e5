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

/// Returns what this process, a child of [`run_child`], was told to do and where; nothing in an ordinary run.
#[expect(
    clippy::disallowed_methods,
    reason = "a child of a kill test is told what to do by its environment"
)]
pub(crate) fn child_task(kind: &str) -> Option<(String, std::path::PathBuf)> {
    let task = std::env::var("FLASH_TEST_TASK").ok()?;
    let act = task.strip_prefix(kind)?.strip_prefix(':')?;
    let dir = std::env::var("FLASH_TEST_DIR").ok()?;
    Some((act.to_owned(), dir.into()))
}

/// Runs one test of this program again in a process of its own, armed to be killed at `point`.
#[expect(
    clippy::disallowed_methods,
    reason = "only a process of its own can be killed without ending the tests"
)]
pub(crate) fn run_child(
    test: &str,
    kind: &str,
    act: &str,
    dir: &Path,
    point: &str,
) -> std::process::ExitStatus {
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", test, "--test-threads=1", "--nocapture"])
        .env("FLASH_TEST_TASK", format!("{kind}:{act}"))
        .env("FLASH_TEST_DIR", dir)
        .stdout(std::process::Stdio::null());
    if point.is_empty() {
        command.env_remove("FLASH_FAILPOINT");
    } else {
        command.env("FLASH_FAILPOINT", point);
    }
    command.status().unwrap()
}
