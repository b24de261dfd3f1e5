//! Owns the data folder: its identity card (`node.json`), its lock and its modes.
//!
//! It does not know what the databases in it hold, nor where services keep their data (`storage`).

mod error;
mod storage;

use std::fs::File;
use std::fs::OpenOptions;
use std::io::Read;
use std::io::Seek;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use rustix::fs::FlockOperation;
use serde::Deserialize;
use serde::Serialize;

use crate::clock::UnixMillis;
use crate::entropy::Entropy;
use crate::entropy::random_bytes;
use crate::fail;
use crate::id::NodeId;
use crate::manifest::profile::ProfileName;
use crate::runtime::RuntimeKind;
use crate::store::durable;
use crate::store::error::StoreError;

pub use self::error::FolderError;
pub use self::storage::MARKER;
pub use self::storage::Space;
pub use self::storage::accept_storage_root;
pub use self::storage::check_storage_root;
pub use self::storage::free_space;

/// The version of `node.json`.
const SCHEMA: u32 = 1;
/// What may lie in a folder before it becomes a node's: what the operator prepares, and remains of a first start
/// that was cut short.
const HARMLESS: &[&str] = &[
    "node.toml",
    "manifests",
    "lock",
    "volumes",
    "logs",
    "run",
    "node.json.new",
    "lost+found",
];

/// How long the lock of an orchestrator that is dead may be held: a child that it was about to start when it was
/// killed has the descriptor until it becomes its program.
const LEAVING: Duration = Duration::from_secs(2);
/// How often such a lock is tried.
const LOOK: Duration = Duration::from_millis(20);

/// Says whose folder it is. Shape: `node.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeIdentity {
    /// The node.
    pub node_id: NodeId,
    /// Where the folder lay when it was made or last moved knowingly.
    pub canonical_path: PathBuf,
    /// The profile.
    pub profile: ProfileName,
    /// The runtime; chosen once.
    pub runtime: RuntimeKind,
    /// When it was made.
    pub created_at: UnixMillis,
}

/// What a new node's folder is made with.
#[derive(Clone, Copy)]
pub struct NewNode<'a> {
    /// The profile.
    pub profile: ProfileName,
    /// The runtime.
    pub runtime: RuntimeKind,
    /// When.
    pub at: UnixMillis,
    /// Where its id comes from.
    pub entropy: &'a dyn Entropy,
}

#[derive(Serialize, Deserialize)]
struct IdentityFile {
    schema: u32,
    /// Whether the first start was completed: from then on a missing database is an error.
    initialised: bool,
    #[serde(flatten)]
    identity: NodeIdentity,
}

/// A data folder, locked for this process for as long as the value lives.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    identity: NodeIdentity,
    initialised: bool,
    _lock: File,
}

impl DataFolder {
    /// Opens the folder at `path`, or makes it where nothing lies there yet.
    pub fn open_or_create(path: &Path, new: NewNode<'_>) -> Result<Self, FolderError> {
        match Self::open(path) {
            Err(FolderError::NotANode { .. }) => Self::create(path, new),
            other => other,
        }
    }

    /// Makes a new node's folder. What the operator prepared (`node.toml`, `manifests`) stays.
    ///
    /// Errors: [`FolderError::IdentityMissing`] where data of a node lie there, [`FolderError::NotEmpty`] where
    /// anything else does, [`FolderError::AlreadyRunning`].
    pub fn create(path: &Path, new: NewNode<'_>) -> Result<Self, FolderError> {
        make_folder(path, folder_mode())?;
        let path = canonical(path)?;
        if path.join("node.json").exists() {
            return Err(FolderError::Store(StoreError::Exists {
                path: path.join("node.json"),
            }));
        }
        refuse_foreign(&path)?;
        set_mode(&path)?;
        let lock = lock(&path)?;
        for (name, mode) in [
            ("volumes", folder_mode()),
            ("run", folder_mode()),
            ("logs", 0o700),
            ("manifests", 0o700),
        ] {
            make_folder(&path.join(name), mode)?;
        }
        let identity = NodeIdentity {
            node_id: NodeId::from_bytes(random_bytes(new.entropy)),
            canonical_path: path.clone(),
            profile: new.profile,
            runtime: new.runtime,
            created_at: new.at,
        };
        // No service has ever run here, so that a mark of an attempt that was cut short may go.
        durable::remove(&path.join("volumes").join(MARKER))?;
        accept_storage_root(&path.join("volumes"), &identity.node_id, new.at)?;
        write_identity(&path, &identity, false)?;
        fail::point("folder.identity_written");
        Ok(Self {
            path,
            identity,
            initialised: false,
            _lock: lock,
        })
    }

    /// Opens the folder of an existing node.
    ///
    /// Errors: [`FolderError::NotANode`] where nothing of a node lies there, [`FolderError::AlreadyRunning`],
    /// [`FolderError::Moved`], and everything that is missing or damaged: nothing is made in its place.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        let not_a_node = || FolderError::NotANode {
            path: path.to_owned(),
        };
        if !path.exists() {
            return Err(not_a_node());
        }
        let path = canonical(path)?;
        if !path.is_dir() {
            return Err(FolderError::NotAFolder { path });
        }
        if !path.join("node.json").exists() {
            refuse_foreign(&path)?;
            return Err(not_a_node());
        }
        set_mode(&path)?;
        let lock = lock(&path)?;
        let IdentityFile {
            schema: _,
            initialised,
            identity,
        } = read_identity(&path)?;
        if identity.canonical_path != path {
            return Err(FolderError::Moved {
                from: identity.canonical_path,
                to: path,
            });
        }
        check_storage_root(&path.join("volumes"), &identity.node_id)?;
        Ok(Self {
            path,
            identity,
            initialised,
            _lock: lock,
        })
    }

    /// Takes note that the operator moved the folder to `path`; only then it opens there.
    ///
    /// Errors: [`FolderError::OriginalExists`] while the folder it was copied from still lies there: two nodes with
    /// one identity would spend each other's money.
    pub fn accept_move(path: &Path) -> Result<NodeIdentity, FolderError> {
        let path = canonical(path)?;
        let _lock = lock(&path)?;
        let found = read_identity(&path)?;
        let from = &found.identity.canonical_path;
        if *from != path
            && read_identity(from)
                .is_ok_and(|original| original.identity.node_id == found.identity.node_id)
        {
            return Err(FolderError::OriginalExists { path: from.clone() });
        }
        let identity = NodeIdentity {
            canonical_path: path.clone(),
            ..found.identity
        };
        write_identity(&path, &identity, found.initialised)?;
        fail::point("folder.moved");
        Ok(identity)
    }

    /// Refuses another profile or runtime than the folder was made with.
    pub fn expect(&self, profile: ProfileName, runtime: RuntimeKind) -> Result<(), FolderError> {
        if profile != self.identity.profile {
            return Err(FolderError::OtherProfile {
                found: self.identity.profile,
                asked: profile,
            });
        }
        if runtime != self.identity.runtime {
            return Err(FolderError::OtherRuntime {
                found: self.identity.runtime,
                asked: runtime,
            });
        }
        Ok(())
    }

    /// Returns where the folder lies, canonical.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns whose folder it is.
    #[must_use]
    pub fn identity(&self) -> &NodeIdentity {
        &self.identity
    }

    /// Returns where `state.db` lies.
    #[must_use]
    pub fn state_db(&self) -> PathBuf {
        self.path.join("state.db")
    }

    /// Whether the first start was completed. Before, databases are created; afterwards a missing one is an error.
    #[must_use]
    pub fn initialised(&self) -> bool {
        self.initialised
    }

    /// Removes what a first start that was cut short left: databases that never held anything acknowledged.
    ///
    /// Errors: [`FolderError::Store`] with [`StoreError::Exists`] once the first start was completed.
    pub fn clear_unfinished(&self) -> Result<(), FolderError> {
        if self.initialised {
            return Err(StoreError::Exists {
                path: self.path.clone(),
            }
            .into());
        }
        for name in [
            "state.db",
            "vault.slots",
            "vault.slots.old",
            "vault.selfkey",
            "vault.attempts",
            "vault.db",
        ] {
            for ending in [
                "",
                "-wal",
                "-shm",
                "-journal",
                ".new",
                ".new-wal",
                ".new-journal",
            ] {
                let file = self.path.join(format!("{name}{ending}"));
                if file.symlink_metadata().is_ok() {
                    durable::remove(&file)?;
                }
            }
        }
        Ok(())
    }

    /// Notes that the first start is complete: everything that must exist does.
    pub fn mark_initialised(&mut self) -> Result<(), FolderError> {
        write_identity(&self.path, &self.identity, true)?;
        self.initialised = true;
        Ok(())
    }
}

/// A service's own user must pass through to its volumes where the node is root; nobody else passes otherwise.
fn folder_mode() -> u32 {
    if rustix::process::geteuid().is_root() {
        0o711
    } else {
        0o700
    }
}

/// Makes the folder of logs of a data folder that may not be there yet, and what is missing above both. Where services
/// have identities of their own they must be able to pass all but the logs.
///
/// Errors: [`StoreError::Io`].
pub fn make_log_folder(data: &Path) -> Result<PathBuf, StoreError> {
    make_folder(data, folder_mode())?;
    let logs = data.join("logs");
    make_folder(&logs, 0o700)?;
    Ok(logs)
}

fn make_folder(path: &Path, mode: u32) -> Result<(), StoreError> {
    let failed = |source| StoreError::io(path, "making the folder", source);
    if path.is_dir() {
        return Ok(());
    }
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)
        .map_err(failed)?;
    durable::sync_folder_of(path)
}

/// Refuses a folder that is somebody else's, and takes away what others may do in it.
fn set_mode(path: &Path) -> Result<(), FolderError> {
    let failed = |source| StoreError::io(path, "looking at", source);
    let metadata = path.metadata().map_err(failed)?;
    let owner = metadata.uid();
    if owner != rustix::process::geteuid().as_raw() {
        return Err(FolderError::NotOurs {
            path: path.to_owned(),
            owner,
        });
    }
    if metadata.mode() & 0o777 == folder_mode() {
        return Ok(());
    }
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(folder_mode()))
        .map_err(|source| StoreError::io(path, "changing the mode of", source).into())
}

fn canonical(path: &Path) -> Result<PathBuf, StoreError> {
    path.canonicalize()
        .map_err(|source| StoreError::io(path, "finding", source))
}

/// Refuses to take a folder without `node.json` for a new one where anything worth keeping lies in it.
/// Says whether [`DataFolder::create`] would take the folder: it holds nothing but what an operator prepares, or
/// the remains of a first start that was cut short.
#[must_use]
pub fn may_become_a_node(path: &Path) -> bool {
    refuse_foreign(path).is_ok()
}

fn refuse_foreign(path: &Path) -> Result<(), FolderError> {
    let failed = |source| StoreError::io(path, "reading the folder", source);
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("state.db") || name.starts_with("vault.") {
            return Err(FolderError::IdentityMissing {
                path: path.join("node.json"),
                beside: name.into_owned(),
            });
        }
        if !HARMLESS.contains(&&*name) {
            return Err(FolderError::NotEmpty {
                path: path.to_owned(),
                name: name.into_owned(),
            });
        }
    }
    let volumes = path.join("volumes");
    let Ok(entries) = std::fs::read_dir(&volumes) else {
        return Ok(());
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if name.to_str() != Some(MARKER) {
            return Err(FolderError::IdentityMissing {
                path: path.join("node.json"),
                beside: format!("volumes/{}", name.to_string_lossy()),
            });
        }
    }
    Ok(())
}

/// Takes the lock and writes our process id into it, for the one who finds it taken.
fn lock(path: &Path) -> Result<File, FolderError> {
    let path = path.join("lock");
    let failed = |source| StoreError::io(&path, "locking", source);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(failed)?;
    let mut looks = LEAVING.as_millis() / LOOK.as_millis();
    loop {
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => break,
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let pid = holder(&mut file);
                if looks == 0 || pid.is_none_or(lives) {
                    return Err(FolderError::AlreadyRunning { pid });
                }
                looks -= 1;
                std::thread::sleep(LOOK);
            }
            Err(errno) => return Err(failed(errno.into()).into()),
        }
    }
    // The process id is for people: a full disk must not keep the node from starting.
    let _ = file
        .set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "{}", std::process::id()));
    Ok(file)
}

/// Reads who wrote down that it holds the lock.
fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// Whether the process `pid` goes on. One that has ended and was not looked at by its parent does not; what cannot be
/// told does.
fn lives(pid: u32) -> bool {
    match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        // The name stands in brackets and may hold anything; the state follows it.
        Ok(stat) => !stat
            .rsplit(')')
            .next()
            .is_some_and(|rest| rest.trim_start().starts_with(['Z', 'X'])),
        Err(error) => error.kind() != std::io::ErrorKind::NotFound,
    }
}

fn write_identity(
    path: &Path,
    identity: &NodeIdentity,
    initialised: bool,
) -> Result<(), StoreError> {
    let file = IdentityFile {
        schema: SCHEMA,
        initialised,
        identity: identity.clone(),
    };
    let mut text = serde_json::to_string_pretty(&file).expect("an identity becomes JSON");
    text.push('\n');
    durable::write(&path.join("node.json"), text.as_bytes(), 0o600)
}

fn read_identity(path: &Path) -> Result<IdentityFile, FolderError> {
    let path = path.join("node.json");
    let damaged = |detail: String| FolderError::IdentityDamaged {
        path: path.clone(),
        detail,
    };
    let bytes = match durable::read(&path) {
        Err(StoreError::Empty { .. }) => return Err(damaged("it is empty".to_owned())),
        other => other?,
    };
    let value: serde_json::Value =
        serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
    match value.get("schema").and_then(serde_json::Value::as_u64) {
        Some(found) if found > u64::from(SCHEMA) => Err(FolderError::IdentityNewer {
            found,
            known: SCHEMA,
        }),
        _ => serde_json::from_value(value).map_err(|error| damaged(error.to_string())),
    }
}

#[cfg(test)]
mod tests;
