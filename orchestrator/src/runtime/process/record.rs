//! Owns the files in which a service's supervisor and the node tell each other what was started.
//!
//! It knows no process: whether a recorded one still lives is for `identity` to say. No record holds a secret.

use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::identity::ProcessIdentity;
use crate::clock::UnixMillis;
use crate::id::Name;
use crate::id::ServiceId;
use crate::runtime::Exit;
use crate::runtime::RuntimeError;
use crate::runtime::layout::absent_is_fine;
use crate::service::spec::LimitSpec;
use crate::service::spec::SpecHash;
use crate::service::spec::StopSpec;

/// What is to run, written before anything starts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct UnitRecord {
    /// The service.
    pub(crate) service: ServiceId,
    /// The specification.
    pub(crate) spec_hash: SpecHash,
    /// Names one start. A start is carried out at most once; nothing here means that none is wanted.
    pub(crate) nonce: Option<String>,
    /// The program.
    pub(crate) program: PathBuf,
    /// Its arguments.
    pub(crate) args: Vec<String>,
    /// Its whole environment.
    pub(crate) env: BTreeMap<String, String>,
    /// Where it starts.
    pub(crate) folder: PathBuf,
    /// The identity it gets, where the node may give one.
    pub(crate) uid: Option<u32>,
    /// How it is stopped.
    pub(crate) stop: StopSpec,
    /// Its limits.
    pub(crate) limits: LimitSpec,
    /// Where it will listen.
    pub(crate) addresses: BTreeMap<Name, SocketAddr>,
    /// Where its output goes.
    pub(crate) log: PathBuf,
    /// The length of `log` before the start. Units: bytes.
    pub(crate) log_from: u64,
    /// After how long its supervisor ends it: set for jobs alone. Units: seconds.
    pub(crate) deadline_seconds: Option<u32>,
}

/// The process of one start, written by the process itself before it becomes the program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ChildRecord {
    /// Which start.
    pub(crate) nonce: String,
    /// Which process.
    pub(crate) process: ProcessIdentity,
    /// The specification it was made from.
    pub(crate) spec_hash: SpecHash,
    /// When.
    pub(crate) started_at: UnixMillis,
}

/// How one start ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ExitRecord {
    /// Which start.
    pub(crate) nonce: String,
    /// How it ended.
    pub(crate) exit: Exit,
}

/// Why one start never became the program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FailureRecord {
    /// Which start.
    pub(crate) nonce: String,
    /// Whether the program itself could not be executed.
    pub(crate) program: bool,
    /// The operating system's error number.
    pub(crate) errno: Option<i32>,
}

/// The supervisor that lives now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SupervisorRecord {
    /// Which process.
    pub(crate) process: ProcessIdentity,
}

/// The folder of records of one service or job.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    service: ServiceId,
    dir: PathBuf,
}

/// No service can be called so.
pub(super) const JOB: &str = "_job";
const UNIT: &str = "unit.json";
const CHILD: &str = "child.json";
const EXIT: &str = "exit.json";
const FAILURE: &str = "failure.json";
const SUPERVISOR: &str = "supervisor.json";
const LOCK: &str = "lock";
const START_LOCK: &str = "start.lock";

impl Slot {
    /// Names the folder `dir` as the one of `service`.
    pub(crate) fn new(service: ServiceId, dir: PathBuf) -> Self {
        Self { service, dir }
    }

    /// Returns the service.
    pub(crate) fn service(&self) -> &ServiceId {
        &self.service
    }

    /// Returns the folder.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns the slot of the service's job.
    pub(crate) fn job(&self) -> Self {
        Self::new(self.service.clone(), self.dir.join(JOB))
    }

    /// Returns the lock that a supervisor holds as long as it lives.
    pub(crate) fn lock(&self) -> PathBuf {
        self.dir.join(LOCK)
    }

    /// Returns the lock under which a start is decided; the starting process carries it until it is the program.
    pub(crate) fn start_lock(&self) -> PathBuf {
        self.dir.join(START_LOCK)
    }

    /// Makes the folder.
    pub(crate) fn create(&self) -> io::Result<()> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.dir)
    }

    /// Reads what is to run.
    pub(crate) fn unit(&self) -> io::Result<Option<UnitRecord>> {
        read(&self.dir.join(UNIT))
    }

    /// Records what is to run.
    pub(crate) fn write_unit(&self, unit: &UnitRecord) -> io::Result<()> {
        write(&self.dir, UNIT, unit)
    }

    /// Reads the process that was started last.
    pub(crate) fn child(&self) -> io::Result<Option<ChildRecord>> {
        read(&self.dir.join(CHILD))
    }

    /// Records the process that is being started.
    pub(crate) fn write_child(&self, child: &ChildRecord) -> io::Result<()> {
        write(&self.dir, CHILD, child)
    }

    /// Reads how the start `nonce` ended. A damaged record says no more than a missing one: the end was not seen.
    pub(crate) fn exit(&self, nonce: &str) -> Option<Exit> {
        let record: ExitRecord = read(&self.dir.join(EXIT)).ok().flatten()?;
        (record.nonce == nonce).then_some(record.exit)
    }

    /// Records how a start ended.
    pub(crate) fn write_exit(&self, exit: &ExitRecord) -> io::Result<()> {
        write(&self.dir, EXIT, exit)
    }

    /// Reads why the start `nonce` failed.
    pub(crate) fn failure(&self, nonce: &str) -> Option<FailureRecord> {
        let record: FailureRecord = read(&self.dir.join(FAILURE)).ok().flatten()?;
        (record.nonce == nonce).then_some(record)
    }

    /// Records why a start failed.
    pub(crate) fn write_failure(&self, failure: &FailureRecord) -> io::Result<()> {
        write(&self.dir, FAILURE, failure)
    }

    /// Reads who supervises. A damaged record counts as nobody: the lock decides, this is for people.
    pub(crate) fn supervisor(&self) -> Option<ProcessIdentity> {
        let record: SupervisorRecord = read(&self.dir.join(SUPERVISOR)).ok().flatten()?;
        Some(record.process)
    }

    /// Records who supervises.
    pub(crate) fn write_supervisor(&self, process: ProcessIdentity) -> io::Result<()> {
        write(&self.dir, SUPERVISOR, &SupervisorRecord { process })
    }

    /// Removes every record. The caller holds both locks. What is to run goes first, so that no start which is
    /// still on its way can be carried out; the locks go last, so that nobody works beside the removal.
    pub(crate) fn remove(&self) -> io::Result<()> {
        for name in [
            UNIT,
            CHILD,
            EXIT,
            FAILURE,
            SUPERVISOR,
            "unit.json.new",
            "child.json.new",
            "exit.json.new",
            "failure.json.new",
            "supervisor.json.new",
            START_LOCK,
            LOCK,
        ] {
            absent_is_fine(std::fs::remove_file(self.dir.join(name)))?;
            if name == UNIT {
                File::open(&self.dir)?.sync_all()?;
            }
        }
        match std::fs::remove_dir(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
            other => absent_is_fine(other),
        }
    }

    /// Returns the runtime's error for `error`: a damaged record is named as such.
    pub(crate) fn fault(&self, action: &'static str, error: io::Error) -> RuntimeError {
        let service = self.service.clone();
        if error.kind() == io::ErrorKind::InvalidData {
            return RuntimeError::Record { service };
        }
        RuntimeError::Io {
            service,
            action,
            source: error,
        }
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Writes a record so that after a crash at any point the old or the new one is there, whole.
fn write<T: Serialize>(dir: &Path, name: &str, record: &T) -> io::Result<()> {
    let bytes = serde_json::to_vec_pretty(record)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let fresh = dir.join(format!("{name}.new"));
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    std::fs::rename(&fresh, dir.join(name))?;
    File::open(dir)?.sync_all()
}
