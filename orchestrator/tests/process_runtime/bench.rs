//! A machine for one test: folders, a runtime over them, and a view of processes that asks the kernel alone.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use flash_node::clock::SystemClock;
use flash_node::entropy::SystemEntropy;
use flash_node::id::ServiceId;
use flash_node::manifest::schema::StopSignal;
use flash_node::runtime::DropStage;
use flash_node::runtime::Instance;
use flash_node::runtime::InstanceState;
use flash_node::runtime::Mount;
use flash_node::runtime::Runtime;
use flash_node::runtime::RuntimeError;
use flash_node::runtime::Unit;
use flash_node::runtime::process::ProcessConfig;
use flash_node::runtime::process::ProcessRuntime;
use flash_node::service::spec::LimitSpec;
use flash_node::service::spec::NetworkSpec;
use flash_node::service::spec::SpecHash;
use flash_node::service::spec::StopSpec;
use flash_node::task::Tasks;

pub(crate) const STOP: StopSpec = StopSpec {
    signal: StopSignal::Term,
    grace_seconds: 10,
};

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Folders of one machine, and the node's runtime over them.
pub(crate) struct Machine {
    pub(crate) runtime: ProcessRuntime,
    pub(crate) tasks: Tasks,
    root: PathBuf,
    kept: Option<(tempfile::TempDir, tempfile::TempDir)>,
    memory: PathBuf,
}

impl Machine {
    pub(crate) fn new() -> Self {
        let disk = tempfile::tempdir().unwrap();
        let memory = tempfile::tempdir_in("/dev/shm").unwrap();
        let mut machine = Self::at(disk.path(), memory.path());
        machine.kept = Some((disk, memory));
        machine
    }

    /// Returns the runtime of another node over the same folders.
    pub(crate) fn at(root: &Path, memory: &Path) -> Self {
        let tasks = Tasks::new();
        Self {
            runtime: runtime(root, memory, &tasks),
            tasks,
            root: root.to_owned(),
            kept: None,
            memory: memory.to_owned(),
        }
    }

    pub(crate) fn restart_node(&mut self) {
        self.tasks.stop("the test ends the node");
        self.tasks = Tasks::new();
        self.runtime = runtime(&self.root, &self.memory, &self.tasks);
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn memory(&self) -> &Path {
        &self.memory
    }

    pub(crate) fn dir(&self, service: &ServiceId) -> PathBuf {
        self.root.join("run").join(service.as_str())
    }

    pub(crate) fn log(&self, service: &ServiceId) -> PathBuf {
        self.root
            .join("logs")
            .join(service.as_str())
            .join("current.log")
    }

    pub(crate) fn volume(&self, service: &ServiceId) -> PathBuf {
        self.root
            .join("volumes")
            .join(service.as_str())
            .join("data")
    }

    /// Returns a unit that runs `script` in a shell.
    pub(crate) fn shell(&self, name: &str, script: &str) -> Unit {
        let service = ServiceId::new(name).unwrap();
        Unit {
            spec_hash: SpecHash(format!("v1:{name}")),
            program: PathBuf::from("/bin/sh"),
            args: vec!["-c".to_owned(), script.to_owned()],
            env: BTreeMap::new(),
            files: BTreeMap::new(),
            image: None,
            folder: None,
            volumes: vec![mount(self.volume(&service))],
            network: NetworkSpec::default(),
            addresses: BTreeMap::new(),
            stop: STOP,
            limits: LimitSpec {
                memory_mib: 64,
                pids: 64,
            },
            uid: None,
            service,
        }
    }

    /// Asks the file in which a test's failpoint is named to kill whoever reaches `point`.
    pub(crate) fn arm(&self, service: &ServiceId, point: &str) {
        std::fs::create_dir_all(self.dir(service)).unwrap();
        std::fs::write(self.dir(service).join("failpoint"), point).unwrap();
    }

    pub(crate) async fn seen(&self, service: &ServiceId) -> Option<Result<Instance, RuntimeError>> {
        self.runtime.list().await.unwrap().remove(service)
    }

    pub(crate) async fn instance(&self, service: &ServiceId) -> Instance {
        self.seen(service).await.unwrap().unwrap()
    }

    /// Returns the process number of the program, which must run.
    pub(crate) async fn pid(&self, service: &ServiceId) -> u32 {
        match self.instance(service).await.state {
            InstanceState::Running { pid } => pid,
            other => panic!("{service} does not run: {other:?}"),
        }
    }

    pub(crate) fn record(&self, service: &ServiceId, name: &str) -> serde_json::Value {
        let text = std::fs::read(self.dir(service).join(name)).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    pub(crate) fn supervisor(&self, service: &ServiceId) -> u32 {
        let record = self.record(service, "supervisor.json");
        u32::try_from(record["process"]["pid"].as_u64().unwrap()).unwrap()
    }

    pub(crate) async fn drop(&self, service: &ServiceId, stage: DropStage) {
        self.runtime.drop(service, STOP, stage).await.unwrap();
    }

    /// Takes `service` down and forgets it.
    pub(crate) async fn go_down(&self, service: &ServiceId) {
        self.drop(service, DropStage::Kill).await;
        let deadline = SystemClock::new();
        loop {
            match self.runtime.drop(service, STOP, DropStage::Clean).await {
                Ok(()) => return,
                Err(RuntimeError::StillRuns { .. }) => within(&deadline),
                Err(error) => panic!("{error:?}"),
            }
            tokio::task::yield_now().await;
        }
    }
}

impl Drop for Machine {
    /// Whatever a failed test left behind ends with it.
    fn drop(&mut self) {
        if self.kept.is_none() {
            return;
        }
        for pid in processes_naming(&self.root) {
            kill(pid);
        }
        let Ok(services) = std::fs::read_dir(self.root.join("run")) else {
            return;
        };
        for service in services.flatten() {
            let text = std::fs::read(service.path().join("child.json")).unwrap_or_default();
            let record: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
            let pid = record["process"]["pid"].as_u64();
            let started = record["process"]["start_ticks"].as_u64();
            if let (Some(pid), Some(started)) = (pid, started)
                && start_ticks(u32::try_from(pid).unwrap()) == Some(started)
            {
                kill(u32::try_from(pid).unwrap());
            }
        }
    }
}

/// A folder that the program finds where it lies.
pub(crate) fn mount(folder: PathBuf) -> Mount {
    Mount {
        inside: folder.clone(),
        on_host: folder,
    }
}

fn runtime(root: &Path, memory: &Path, tasks: &Tasks) -> ProcessRuntime {
    ProcessRuntime::new(
        ProcessConfig {
            data_run_dir: root.join("run"),
            files_dir: memory.join("files"),
            logs_dir: root.join("logs"),
            exe: PathBuf::from(env!("CARGO_BIN_EXE_flash-node")),
        },
        Arc::new(SystemClock::new()),
        Arc::new(SystemEntropy),
        tasks.clone(),
    )
}

/// Panics where more than [`PATIENCE`] has passed since `since` was made, else rests a moment before the next look.
pub(crate) fn within(since: &SystemClock) {
    use flash_node::clock::Clock;
    assert!(since.monotonic() < PATIENCE, "this never came to pass");
    std::thread::sleep(Duration::from_millis(5));
}

pub(crate) fn until(holds: impl Fn() -> bool) {
    let since = SystemClock::new();
    while !holds() {
        within(&since);
    }
}

/// Whether the process `pid` runs, as the kernel says.
pub(crate) fn runs(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit_once(") ")
        .and_then(|(_, rest)| rest.chars().next());
    state.is_some_and(|state| state != 'Z' && state != 'X')
}

fn field(pid: u32, index: usize) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split_ascii_whitespace().nth(index)?.parse().ok()
}

pub(crate) fn start_ticks(pid: u32) -> Option<u64> {
    field(pid, 19)
}

pub(crate) fn session(pid: u32) -> Option<u64> {
    field(pid, 3)
}

pub(crate) fn kill(pid: u32) {
    let Some(pid) = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()) else {
        return;
    };
    let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
}

/// Returns every process whose command line names `path`: supervisors and starts of a machine.
pub(crate) fn processes_naming(path: &Path) -> Vec<u32> {
    let path = path.to_str().unwrap();
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).into_owned();
            line.contains(path) && (line.contains("\0shim\0") || line.contains("\0stage\0"))
        })
        .filter(|pid| runs(*pid))
        .collect()
}

pub(crate) fn append(path: &Path, text: &str) {
    let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

pub(crate) fn status_of(pid: u32, field: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    line.unwrap().trim_start_matches(':').trim().to_owned()
}

/// Returns which of the signals that programs know are ignored by `pid`. The C library ignores two of its own when
/// it spawns (32 and 33), which no program can name.
pub(crate) fn ignored_signals(pid: u32) -> u64 {
    let ignored = u64::from_str_radix(&status_of(pid, "SigIgn"), 16).unwrap();
    ignored & 0x7fff_ffff
}
