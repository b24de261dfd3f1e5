//! Owns services as supervised processes of this machine, which outlive the node.
//!
//! Each service has a supervisor of its own (`shim`), a folder of records (`record`), locks (`lock`) and a log. What
//! this runtime cannot confine it names in [`ProcessRuntime::not_enforced`]. It does not know why a service runs.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::HashSet;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use async_trait::async_trait;
use futures::stream::BoxStream;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;

use self::identity::ProcessIdentity;
use self::observe::Observation;
use self::observe::Standing;
use self::record::Slot;
use self::record::UnitRecord;
use self::start::Start;
use super::DropStage;
use super::Exit;
use super::Instance;
use super::InstanceState;
use super::Job;
use super::JobOutcome;
use super::LogLine;
use super::LogQuery;
use super::Runtime;
use super::RuntimeError;
use super::RuntimeKind;
use super::Unit;
use crate::clock::Clock;
use crate::clock::UnixMillis;
use crate::entropy::Entropy;
use crate::entropy::random_bytes;
use crate::id::Name;
use crate::id::ServiceId;
use crate::runtime::layout;
use crate::runtime::log;
use crate::service::spec::StopSpec;
use crate::task::OnExit;
use crate::task::Tasks;

pub mod fail;
mod identity;
mod job;
mod lock;
mod observe;
mod record;
mod session;
pub mod shim;
pub mod stage;
mod start;
mod stop;
pub mod tmpfs;
pub mod version;

/// What a program finds in its environment before its own variables.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";
const LANG: &str = "C.UTF-8";

/// Where the process runtime keeps its things.
#[derive(Debug, Clone)]
pub struct ProcessConfig {
    /// Records, one folder per service; on a disk that survives the boot.
    pub data_run_dir: PathBuf,
    /// Rendered files, one folder per service; on a tmpfs ([`tmpfs::choose`]).
    pub files_dir: PathBuf,
    /// Logs, one folder per service.
    pub logs_dir: PathBuf,
    /// The `flash-node` program, which is also the supervisor.
    pub exe: PathBuf,
}

/// Runs services as processes.
pub struct ProcessRuntime {
    inner: Arc<Inner>,
}

struct Inner {
    config: ProcessConfig,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    tasks: Tasks,
    changes: watch::Sender<u64>,
    /// Processes whose end is waited for already.
    watched: Mutex<HashSet<ProcessIdentity>>,
    /// Held while the folder of all rendered files is made, and while it is looked whether services can pass it.
    shared: Mutex<()>,
    /// When an end that nobody recorded was first noticed, by the name of the start.
    noticed: Mutex<HashMap<String, UnixMillis>>,
}

impl ProcessRuntime {
    /// Builds the runtime; nothing is touched.
    pub fn new(
        config: ProcessConfig,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        tasks: Tasks,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                config,
                clock,
                entropy,
                tasks,
                changes: watch::Sender::new(0),
                watched: Mutex::default(),
                shared: Mutex::default(),
                noticed: Mutex::default(),
            }),
        }
    }

    /// Returns the codes of the confinement that this runtime does not give.
    #[must_use]
    pub fn not_enforced(&self) -> Vec<&'static str> {
        let mut codes = vec!["network_separation", "read_only_root", "memory_limit"];
        if !rustix::process::geteuid().is_root() || self.uid_problem().is_some() {
            codes.extend(["pids_limit", "own_uid"]);
        }
        codes
    }

    /// Says why services cannot have identities of their own although the node is root: a folder above the data or
    /// the rendered files is closed to others. They run as the node's own user then.
    #[must_use]
    pub fn uid_problem(&self) -> Option<String> {
        self.inner.uid_problem()
    }

    /// Returns the folder in which a service finds its rendered files.
    #[must_use]
    pub fn files_dir(&self, service: &ServiceId) -> PathBuf {
        self.inner.files_dir(service)
    }

    /// Returns where lies what the programs of the init job `job` printed.
    #[must_use]
    pub fn job_log(&self, service: &ServiceId, job: &Name) -> PathBuf {
        self.inner.job_log(service, job)
    }
}

impl Inner {
    fn slot(&self, service: &ServiceId) -> Slot {
        Slot::new(
            service.clone(),
            self.config.data_run_dir.join(service.as_str()),
        )
    }

    fn files_dir(&self, service: &ServiceId) -> PathBuf {
        self.config.files_dir.join(service.as_str())
    }

    fn logs_dir(&self, service: &ServiceId) -> PathBuf {
        self.config.logs_dir.join(service.as_str())
    }

    fn job_log(&self, service: &ServiceId, job: &Name) -> PathBuf {
        self.logs_dir(service).join(format!("{job}.log"))
    }

    fn uid_problem(&self) -> Option<String> {
        if !rustix::process::geteuid().is_root() {
            return None;
        }
        let _turn = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        // It is made open before anybody looks: a service that runs as the node's own user makes it closed.
        if let Err(error) = layout::make(&self.config.files_dir, 0o711) {
            tracing::warn!(%error, "the folder {} could not be made", self.config.files_dir.display());
        }
        // No identity of a service owns these folders, so that any that is none of root's stands for all.
        let stranger = u32::MAX - 1;
        let inside = self.config.files_dir.join("service");
        [&self.config.data_run_dir, &inside]
            .into_iter()
            .find_map(|folder| match layout::closed_above(folder, stranger) {
                Ok(None) => None,
                Ok(Some(closed)) => Some(format!(
                    "services run as the node's own user: the folder {} is closed to others",
                    closed.display()
                )),
                Err(error) => Some(format!(
                    "services run as the node's own user: the folders above {} could not be read ({error})",
                    folder.display()
                )),
            })
    }

    fn nonce(&self) -> String {
        hex::encode(random_bytes::<16>(self.entropy.as_ref()))
    }

    fn record(&self, unit: &Unit) -> UnitRecord {
        let root = rustix::process::geteuid().is_root();
        let home = unit.volumes.first().map(|mount| mount.on_host.clone());
        let folder = home.unwrap_or_else(|| PathBuf::from("/"));
        let mut env = BTreeMap::from([
            ("HOME".to_owned(), folder.to_string_lossy().into_owned()),
            ("PATH".to_owned(), PATH.to_owned()),
            ("LANG".to_owned(), LANG.to_owned()),
        ]);
        env.extend(unit.env.clone());
        UnitRecord {
            service: unit.service.clone(),
            spec_hash: unit.spec_hash.clone(),
            nonce: None,
            program: unit.program.clone(),
            args: unit.args.clone(),
            env,
            folder,
            uid: unit.uid.filter(|_| root && self.uid_problem().is_none()),
            stop: unit.stop,
            limits: unit.limits,
            addresses: unit.addresses.clone(),
            log: self.logs_dir(&unit.service).join(log::CURRENT),
            log_from: 0,
            deadline_seconds: None,
        }
    }

    fn start(&self, slot: &Slot, unit: &Unit, record: UnitRecord) -> Result<(), RuntimeError> {
        let files = self.files_dir(&unit.service);
        Start {
            slot,
            unit,
            record,
            files: &files,
            nonce: self.nonce(),
            exe: &self.config.exe,
        }
        .carry_out()
    }

    fn list(&self) -> Result<Vec<(ServiceId, io::Result<Observation>)>, RuntimeError> {
        let fault = |source| RuntimeError::Folder {
            path: self.config.data_run_dir.clone(),
            source,
        };
        let entries = match std::fs::read_dir(&self.config.data_run_dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(fault(error)),
        };
        let mut found = Vec::new();
        for entry in entries {
            let name = entry.map_err(fault)?.file_name();
            match name.to_str().map(ServiceId::new) {
                Some(Ok(service)) => {
                    let seen = observe::observe(&self.slot(&service));
                    found.push((service, seen));
                }
                _ => tracing::warn!(
                    "{} holds something that is no service's record: {}",
                    self.config.data_run_dir.display(),
                    name.display()
                ),
            }
        }
        Ok(found)
    }

    /// Returns how an end looks that nobody saw, always the same for one start.
    fn unseen(&self, nonce: &str) -> Exit {
        let mut noticed = self.noticed.lock().unwrap_or_else(PoisonError::into_inner);
        let at = *noticed
            .entry(nonce.to_owned())
            .or_insert_with(|| self.clock.wall());
        Exit {
            code: None,
            signal: None,
            at,
        }
    }

    /// Forgets the ends of starts that are no longer recorded: others took their place, or they were cleaned away.
    fn forget_all_but(&self, recorded: &HashSet<String>) {
        self.noticed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|nonce, _| recorded.contains(nonce));
    }

    fn instance(&self, service: ServiceId, seen: &Observation) -> Option<Instance> {
        let unit = seen.unit.as_ref()?;
        let child = seen.child.as_ref();
        let (state, spec_hash, started_at) = match (&seen.standing, child) {
            (Standing::Running, Some(child)) => (
                InstanceState::Running {
                    pid: child.process.pid,
                },
                &child.spec_hash,
                Some(child.started_at),
            ),
            (Standing::Ended(exit), Some(child)) => (
                InstanceState::Exited(exit.unwrap_or_else(|| self.unseen(&child.nonce))),
                &child.spec_hash,
                Some(child.started_at),
            ),
            _ => (InstanceState::Prepared, &unit.spec_hash, None),
        };
        Some(Instance {
            service,
            spec_hash: spec_hash.clone(),
            state,
            started_at,
            addresses: unit.addresses.clone(),
            supervised: seen.supervisor.is_some(),
        })
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// Waits, in a task, for the end of what `seen` shows alive, and then moves the counter.
    fn watch_end(self: &Arc<Self>, seen: &Observation) {
        let program = seen.running().map(|child| child.process.clone());
        for process in program.into_iter().chain(seen.supervisor.clone()) {
            let fresh = self
                .watched
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(process.clone());
            if !fresh {
                continue;
            }
            let inner = Arc::clone(self);
            let token = self.tasks.token();
            self.tasks.spawn("process-end", OnExit::Done, async move {
                // Both branches may be dropped at any time: neither holds anything but a descriptor.
                tokio::select! {
                    () = token.cancelled() => {}
                    ended = end_of(&process) => if let Err(error) = ended {
                        tracing::warn!(process.id = process.pid, %error, "the end of process {} cannot be watched", process.pid);
                    }
                }
                inner
                    .watched
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .remove(&process);
                inner.changed();
            });
        }
    }

    async fn refresh(self: &Arc<Self>, slot: Slot) {
        let seen = blocking(move || observe::observe(&slot)).await;
        if let Ok(seen) = seen {
            self.watch_end(&seen);
        }
        self.changed();
    }
}

#[async_trait]
impl Runtime for ProcessRuntime {
    fn kind(&self) -> RuntimeKind {
        RuntimeKind::Process
    }

    async fn ensure(&self, unit: &Unit) -> Result<(), RuntimeError> {
        let inner = Arc::clone(&self.inner);
        let unit = unit.clone();
        let slot = inner.slot(&unit.service);
        let started = {
            let slot = slot.clone();
            blocking(move || {
                let record = inner.record(&unit);
                inner.start(&slot, &unit, record)
            })
            .await
        };
        self.inner.refresh(slot).await;
        started
    }

    async fn drop(
        &self,
        service: &ServiceId,
        stop: StopSpec,
        stage: DropStage,
    ) -> Result<(), RuntimeError> {
        let slot = self.inner.slot(service);
        let files = self.inner.files_dir(service);
        let stopped = {
            let slot = slot.clone();
            blocking(move || match stage {
                DropStage::Ask => stop::ask(&slot, stop.signal),
                DropStage::Kill => stop::kill(&slot),
                DropStage::Clean => stop::clean(&slot, &files),
            })
            .await
        };
        self.inner.refresh(slot).await;
        stopped
    }

    async fn list(
        &self,
    ) -> Result<BTreeMap<ServiceId, Result<Instance, RuntimeError>>, RuntimeError> {
        let inner = Arc::clone(&self.inner);
        let seen = blocking(move || inner.list()).await?;
        let mut instances = BTreeMap::new();
        let children = seen.iter().filter_map(|(_, seen)| seen.as_ref().ok());
        let recorded = children.filter_map(|seen| Some(seen.child.as_ref()?.nonce.clone()));
        self.inner.forget_all_but(&recorded.collect());
        for (service, seen) in seen {
            let slot = self.inner.slot(&service);
            match seen {
                Ok(seen) if seen.standing == Standing::Damaged => {
                    self.inner.watch_end(&seen);
                    let error = RuntimeError::Record {
                        service: service.clone(),
                    };
                    instances.insert(service, Err(error));
                }
                Ok(seen) => {
                    self.inner.watch_end(&seen);
                    if let Some(instance) = self.inner.instance(service.clone(), &seen) {
                        instances.insert(service, Ok(instance));
                    }
                }
                Err(error) => {
                    instances.insert(service, Err(slot.fault("reading its records", error)));
                }
            }
        }
        Ok(instances)
    }

    fn watch(&self) -> watch::Receiver<u64> {
        self.inner.changes.subscribe()
    }

    async fn logs(
        &self,
        service: &ServiceId,
        query: LogQuery,
    ) -> Result<BoxStream<'static, LogLine>, RuntimeError> {
        let slot = self.inner.slot(service);
        let log = self.inner.logs_dir(service).join(log::CURRENT);
        blocking(move || {
            log::read(&log, query).map_err(|error| slot.fault("reading its log", error))
        })
        .await
    }

    async fn run_job(&self, unit: &Unit, job: &Job) -> Result<JobOutcome, RuntimeError> {
        job::run(&self.inner, unit, job).await
    }
}

/// Runs `work`, which waits for disks and processes, where it holds up nobody.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Blocking work is never cancelled once it has begun, only when the whole program ends.
            Err(_) => std::future::pending().await,
        },
    }
}

/// Returns when `process` has ended.
#[expect(
    deprecated,
    reason = "its replacement is unsafe for types whose descriptor may change; an OwnedFd's cannot, and we write no unsafe"
)]
async fn end_of(process: &ProcessIdentity) -> io::Result<()> {
    let Some(opened) = process.open()? else {
        return Ok(());
    };
    let opened = AsyncFd::with_interest(opened, Interest::READABLE)?;
    opened.readable().await.map(|_| ())
}

/// Runs the subcommand `shim` or `stage` of `args`, which are the program's own with its name first; returns
/// nothing where they ask for something else.
#[must_use]
pub fn hidden_command(args: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    let args: Vec<OsString> = args.skip(1).collect();
    let command = args.first()?.to_str()?;
    match (command, &args[1..]) {
        ("shim", [flag, dir, rest @ ..]) if flag == "--dir" => {
            let detached = rest.first().is_some_and(|flag| flag == "--detached");
            Some(shim::main(Path::new(dir), detached))
        }
        ("stage", [flag, dir, start, nonce]) if flag == "--dir" && start == "--start" => {
            Some(stage::main(Path::new(dir), nonce.to_str()?))
        }
        _ => None,
    }
}

/// Whether the folder `dir` may be used by this user alone or was made by it.
fn own_folder(dir: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let found = std::fs::symlink_metadata(dir)?;
    Ok(found.is_dir() && found.uid() == rustix::process::geteuid().as_raw())
}

#[cfg(test)]
mod tests;
