//! Owns a real node for a test: the real program, a data folder of its own, and whatever it started.
//!
//! Whatever happens in a test, nothing of its node stays running.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test target uses a part of it"
)]
#![allow(
    clippy::print_stdout,
    reason = "the summary of all tests collects these lines"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "a whole-program test starts programs and watches the real clock"
)]

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;
use tempfile::TempDir;

/// How long a test waits for something that should happen soon, on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Says in the summary that a test, or a part of it, could not run. Whoever calls it returns.
pub fn skip(why: &str) {
    println!("SKIPPED: {why}");
}

/// Looks for a program on the PATH.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// A daemon that is reaped as soon as it ends: whoever asks for its process id must not find a zombie.
struct Daemon {
    pid: u32,
    end: std::thread::JoinHandle<()>,
    /// Its exit code, as soon as it ended; nothing in it where a signal ended it.
    code: Arc<OnceLock<Option<i32>>>,
}

/// A node with a data folder of its own.
pub struct TestNode {
    folder: TempDir,
    profile: String,
    /// Further arguments of `up`.
    up: Vec<String>,
    /// Further environment of the daemon.
    env: BTreeMap<String, String>,
    /// What starts the daemon in its place, with the daemon's own command after it.
    within: Vec<String>,
    daemon: Option<Daemon>,
}

impl TestNode {
    /// Makes an empty data folder; nothing is started.
    pub fn new(profile: &str) -> Self {
        // Services run with identities of their own where the node is root: they must reach the folder.
        let folder = tempfile::Builder::new()
            .prefix("flash-")
            .permissions(std::fs::Permissions::from_mode(0o755))
            .tempdir()
            .expect("a temporary folder");
        let mut up = Vec::new();
        if profile != "demo" {
            up.extend(["--runtime".to_owned(), "process".to_owned()]);
        }
        Self {
            folder,
            profile: profile.to_owned(),
            up,
            env: BTreeMap::new(),
            within: Vec::new(),
            daemon: None,
        }
    }

    /// Makes an empty data folder of a node whose services run in containers; nothing is started.
    pub fn in_containers() -> Self {
        let mut node = Self::new("regtest");
        node.up = vec!["--runtime".to_owned(), "docker".to_owned()];
        node
    }

    /// Makes a node and waits until its API answers.
    pub fn started(profile: &str) -> Self {
        let mut node = Self::new(profile);
        node.up();
        node
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Adds an argument to `up`.
    pub fn arg(&mut self, arg: &str) -> &mut Self {
        self.up.push(arg.to_owned());
        self
    }

    /// Sets a variable in the daemon's environment; `None` takes it away again.
    pub fn env(&mut self, key: &str, value: Option<&str>) -> &mut Self {
        match value {
            Some(value) => self.env.insert(key.to_owned(), value.to_owned()),
            None => self.env.remove(key),
        };
        self
    }

    /// Lets `command` start the daemon from now on; it must become the daemon.
    pub fn within(&mut self, command: Vec<String>) {
        self.within = command;
    }

    /// Prepares a file in the data folder before the first start, such as `manifests/redis.toml`.
    pub fn file(&self, name: &str, text: &str) {
        let path = self.data().join(name);
        std::fs::create_dir_all(path.parent().expect("a file lies in a folder")).expect("folders");
        std::fs::write(path, text).expect("a file");
    }

    /// Starts the daemon in the foreground of this test, without waiting for anything.
    pub fn spawn(&mut self) {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("daemon.log"))
            .expect("a log");
        let program = env!("CARGO_BIN_EXE_flash-node").to_owned();
        let mut words = self.within.iter().cloned().chain([program]);
        let mut command = Command::new(words.next().expect("a program"));
        command.args(words);
        command.arg("--data").arg(self.data()).args([
            "up",
            "--background-daemon",
            "--profile",
            &self.profile,
        ]);
        command.args(&self.up).envs(&self.env);
        command.env("PATH", search_path());
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log);
        let mut child = command.spawn().expect("the program starts");
        let pid = child.id();
        let code = Arc::new(OnceLock::new());
        let into = Arc::clone(&code);
        let end = std::thread::spawn(move || {
            let ended = child.wait().ok().and_then(|status| status.code());
            into.set(ended).expect("a daemon ends once");
        });
        self.daemon = Some(Daemon { pid, end, code });
    }

    /// Starts the daemon and waits until it answers. SIGTERM then ends the daemon alone.
    pub fn up(&mut self) {
        let first = !self.data().join("state.db").exists();
        // Two nodes that look for a free port at the same moment find the same one, and only one gets it.
        let alone = (first && self.profile == "demo").then(alone);
        self.spawn();
        self.wait("the API to answer", |node| node.try_status().is_some());
        if alone.is_some() {
            self.wait_until_bound();
        }
    }

    /// Waits until the services hold their ports: until then another node may find them free and take them.
    fn wait_until_bound(&self) {
        self.wait("every service to hold its ports", |node| {
            let status = node.try_status().unwrap_or(Value::Null);
            let services = status["services"].as_array().cloned().unwrap_or_default();
            !services.is_empty() && services.iter().all(|one| one["alive"]["ok"] == true)
        });
    }

    /// Kills the daemon as a power cut would; services live on.
    pub fn kill_daemon(&mut self) {
        if let Some(daemon) = self.daemon.take() {
            send(daemon.pid, "-KILL");
            daemon.end.join().expect("the daemon ends");
        }
    }

    /// Waits for the daemon to end by itself and returns its exit code; nothing where a signal ended it.
    pub fn wait_for_end(&mut self) -> Option<i32> {
        let begun = Instant::now();
        loop {
            let daemon = self.daemon.take().expect("a daemon was started");
            if let Some(code) = daemon.code.get().copied() {
                daemon.end.join().expect("the daemon ends");
                return code;
            }
            self.daemon = Some(daemon);
            assert!(
                begun.elapsed() < PATIENCE,
                "the daemon does not end\n{}",
                self.daemon_log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Whether the daemon was started and has ended.
    pub fn ended(&self) -> bool {
        self.daemon
            .as_ref()
            .is_some_and(|daemon| daemon.code.get().is_some())
    }

    /// The daemon's process id.
    pub fn daemon_pid(&self) -> u32 {
        self.daemon.as_ref().expect("a daemon was started").pid
    }

    /// Runs a command against this node.
    pub fn cli(&self, args: &[&str]) -> Output {
        self.cli_with_input(args, "")
    }

    /// Runs a command against this node and types `input`.
    pub fn cli_with_input(&self, args: &[&str], input: &str) -> Output {
        use std::io::Write;
        let mut command = Command::new(env!("CARGO_BIN_EXE_flash-node"));
        command
            .arg("--data")
            .arg(self.data())
            .args(args)
            .env("PATH", search_path());
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        // A command that reads nothing may have ended already.
        let _ = child
            .stdin
            .take()
            .expect("piped")
            .write_all(input.as_bytes());
        child.wait_with_output().expect("the command ends")
    }

    /// Runs a command that must succeed and returns what it printed.
    pub fn ok(&self, args: &[&str]) -> String {
        let output = self.cli(args);
        assert!(
            output.status.success(),
            "{args:?} failed with {:?}\n{}{}\n{}",
            output.status.code(),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
            self.daemon_log()
        );
        String::from_utf8(output.stdout).expect("text")
    }

    /// Returns `status --json`, where a daemon answers.
    pub fn try_status(&self) -> Option<Value> {
        let output = self.cli(&["status", "--json"]);
        serde_json::from_slice(&output.stdout).ok()
    }

    /// Returns `status --json`.
    pub fn status(&self) -> Value {
        self.try_status()
            .unwrap_or_else(|| panic!("no status\n{}", self.daemon_log()))
    }

    /// Returns one service of the status; null where there is none.
    pub fn service(&self, id: &str) -> Value {
        self.try_status()
            .and_then(|status| {
                status["services"]
                    .as_array()?
                    .iter()
                    .find(|one| one["id"] == id)
                    .cloned()
            })
            .unwrap_or(Value::Null)
    }

    /// Waits until a service is ready and returns it as it was then.
    pub fn wait_ready(&self, id: &str) -> Value {
        self.wait_service(id, "to be ready", |service| service["ready"]["ok"] == true)
    }

    /// Waits until `holds` of a service's status, and returns the very document of which it held: what a test reads
    /// of it later may be another state already.
    pub fn wait_service(&self, id: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        self.wait_for(&format!("{id} {what}"), |node| {
            Some(node.service(id)).filter(&holds)
        })
    }

    /// Returns an endpoint's URL.
    pub fn endpoint(&self, service: &str, name: &str) -> String {
        let service = self.service(service);
        let endpoints = service["endpoints"].as_array().cloned().unwrap_or_default();
        let found = endpoints
            .iter()
            .find(|one| one["name"] == name)
            .expect("the endpoint exists");
        found["url"].as_str().expect("a URL").to_owned()
    }

    /// Waits until `holds`, looking again and again; fails with all there is to see of the node.
    pub fn wait(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        self.wait_for(what, |node| holds(node).then_some(()));
    }

    /// Waits until `look` finds something and returns it. It does not wait for a daemon that ended by itself.
    pub fn wait_for<T>(&self, what: &str, look: impl Fn(&Self) -> Option<T>) -> T {
        self.wait_explained(what, look, String::new)
    }

    /// As [`TestNode::wait_for`]; `last` says what the last look saw, should it have been in vain.
    pub fn wait_explained<T>(
        &self,
        what: &str,
        look: impl Fn(&Self) -> Option<T>,
        last: impl Fn() -> String,
    ) -> T {
        let begun = Instant::now();
        loop {
            // First, so that the last look comes after the end.
            let ended = self.daemon.as_ref().and_then(|daemon| daemon.code.get());
            if let Some(found) = look(self) {
                return found;
            }
            assert!(
                ended.is_none(),
                "waited for {what}, but the daemon ended with {:?}\n{}\n{}",
                ended.copied().flatten(),
                last(),
                self.scene()
            );
            assert!(
                begun.elapsed() < PATIENCE,
                "waited in vain for {what}\n{}\n{}",
                last(),
                self.scene()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Everything that can be seen of the node: for the message of a test that failed.
    pub fn scene(&self) -> String {
        let mut status = self.try_status().unwrap_or(Value::Null);
        let services = status["services"].take();
        let mut text = format!("status: {status}\n");
        for service in services.as_array().into_iter().flatten() {
            text.push_str(&format!("  {service}\n"));
        }
        text.push_str("processes:\n");
        for (pid, line) in self.processes() {
            text.push_str(&format!("  {pid} {line}\n"));
        }
        text.push_str("records:\n");
        for file in files_under(&self.data().join("run")) {
            if file.extension().is_some_and(|kind| kind == "json") {
                let record =
                    std::fs::read_to_string(&file).unwrap_or_else(|error| error.to_string());
                text.push_str(&format!("  {}: {record}\n", file.display()));
            }
        }
        format!("{text}log:\n{}", self.daemon_log())
    }

    /// Everything that the daemon printed.
    pub fn daemon_log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("daemon.log")).unwrap_or_default()
    }

    /// Everything that a service printed.
    pub fn service_log(&self, id: &str) -> String {
        std::fs::read_to_string(self.data().join("logs").join(id).join("current.log"))
            .unwrap_or_default()
    }

    /// The folders in memory where the runtime keeps what it rendered, secrets too.
    pub fn run_folders(&self) -> Vec<PathBuf> {
        let id = std::fs::read(self.data().join("node.json")).expect("the node has an identity");
        let id: Value = serde_json::from_slice(&id).expect("JSON");
        let short = &id["node_id"].as_str().expect("a node id")[..6];
        let home = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        let roots = [PathBuf::from("/run"), PathBuf::from("/dev/shm")];
        let entries = roots
            .into_iter()
            .chain(home)
            .flat_map(|root| std::fs::read_dir(root).into_iter().flatten().flatten());
        let ours = entries.filter(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            name.starts_with("flash-node-") && name.ends_with(short)
        });
        ours.map(|entry| entry.path()).collect()
    }

    /// The text of a file that was rendered for a service.
    pub fn rendered(&self, service: &str, name: &str) -> String {
        let folders = self.run_folders();
        let mut files = folders.iter().flat_map(|folder| files_under(folder));
        let file = files
            .find(|file| file.ends_with(Path::new(service).join(name)))
            .unwrap_or_else(|| panic!("{name} of {service} is not in {folders:?}"));
        std::fs::read_to_string(file).expect("a text")
    }

    /// The process id of a service, from the runtime's own record; nothing where none runs.
    pub fn service_pid(&self, id: &str) -> Option<u32> {
        let record = std::fs::read(self.data().join("run").join(id).join("child.json")).ok()?;
        let record: Value = serde_json::from_slice(&record).ok()?;
        let pid = u32::try_from(record["process"]["pid"].as_u64()?).ok()?;
        Path::new(&format!("/proc/{pid}")).exists().then_some(pid)
    }

    /// Every process of this node: programs, supervisors, stages. Its command line, environment or working folder
    /// lies in the node's folders; a program such as redis-server rewrites the first, so one alone does not do.
    pub fn processes(&self) -> Vec<(u32, String)> {
        let data = self.data().display().to_string();
        let id = std::fs::read(self.data().join("node.json")).ok();
        let id: Option<Value> = id.and_then(|text| serde_json::from_slice(&text).ok());
        let short = id.and_then(|id| id["node_id"].as_str().map(|id| id[..6].to_owned()));
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc").expect("proc").flatten() {
            let Some(pid) = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse::<u32>().ok())
            else {
                continue;
            };
            let Ok(line) = std::fs::read(entry.path().join("cmdline")) else {
                continue;
            };
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            let names_run = short
                .as_ref()
                .is_some_and(|short| line.contains("flash-node-") && line.contains(short));
            let environ = std::fs::read(entry.path().join("environ")).unwrap_or_default();
            let in_environ = String::from_utf8_lossy(&environ).contains(&data);
            let works_there = std::fs::read_link(entry.path().join("cwd"))
                .is_ok_and(|folder| folder.starts_with(&data));
            if line.contains(&data) || names_run || in_environ || works_there {
                found.push((pid, line));
            }
        }
        found
    }
}

impl Drop for TestNode {
    fn drop(&mut self) {
        self.kill_daemon();
        // Supervisors first, so that none starts anything again; then the programs.
        for _ in 0..20 {
            let left = self.processes();
            if left.is_empty() {
                break;
            }
            for (pid, _) in left {
                send(pid, "-KILL");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let id = std::fs::read(self.data().join("node.json")).ok();
        let id: Option<Value> = id.and_then(|text| serde_json::from_slice(&text).ok());
        if let Some(short) = id
            .as_ref()
            .and_then(|id| id["node_id"].as_str())
            .map(|id| &id[..6])
        {
            for root in ["/run", "/dev/shm"] {
                for entry in std::fs::read_dir(root).into_iter().flatten().flatten() {
                    let name = entry.file_name().to_string_lossy().into_owned();
                    if name.starts_with("flash-node") && name.ends_with(short) {
                        let _ = std::fs::remove_dir_all(entry.path());
                    }
                }
            }
        }
    }
}

/// Holds back every other first start of a node by a test, of this program or another.
pub fn alone() -> std::fs::File {
    let path = std::env::temp_dir().join("flash-node-first-start.lock");
    let file = std::fs::File::create(path).expect("a lock file");
    file.lock().expect("a lock");
    file
}

/// Every regular file under `folder`.
pub fn files_under(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => found.extend(files_under(&entry.path())),
            Ok(kind) if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
    found
}

/// Sends a signal, such as `-TERM`. A process that has ended since is no error.
pub fn send(pid: u32, signal: &str) {
    let _ = Command::new("kill")
        .arg(signal)
        .arg(pid.to_string())
        .stderr(Stdio::null())
        .status();
}

/// The folder of our own programs, then the PATH.
fn search_path() -> std::ffi::OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = vec![programs_folder()];
    folders.extend(std::env::split_paths(&path));
    std::env::join_paths(folders).expect("a search path")
}

/// Where flash-node, flash-relay and flash-mint were built.
pub fn programs_folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_BIN_EXE_flash-node"))
        .parent()
        .expect("a folder")
        .to_owned();
    for name in ["flash-relay", "flash-mint"] {
        assert!(
            folder.join(name).is_file(),
            "{name} is not built: run `make build`, or `make test`"
        );
    }
    folder
}
