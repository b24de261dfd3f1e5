//! A machine for one test: folders, a node id of its own, the node's runtime, and a view of containers that asks the
//! engine's own command line alone.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::Duration;

use flash_node::id::EdgeId;
use flash_node::id::NodeId;
use flash_node::id::ServiceId;
use flash_node::manifest::schema::StopSignal;
use flash_node::runtime::ImageId;
use flash_node::runtime::Mount;
use flash_node::runtime::Unit;
use flash_node::runtime::docker::DockerConfig;
use flash_node::runtime::docker::DockerRuntime;
use flash_node::service::spec::Attachment;
use flash_node::service::spec::LimitSpec;
use flash_node::service::spec::NetworkKind;
use flash_node::service::spec::NetworkSpec;
use flash_node::service::spec::SpecHash;
use flash_node::service::spec::StopSpec;
use flash_node::service::spec::Subnet;
use flash_node::task::Tasks;

pub(crate) const SOCKET: &str = "/var/run/docker.sock";
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
pub(crate) const STOP: StopSpec = StopSpec {
    signal: StopSignal::Term,
    grace_seconds: 10,
};

/// Folders of one machine, and the node's runtime over them.
pub(crate) struct Machine {
    pub(crate) runtime: DockerRuntime,
    pub(crate) tasks: Tasks,
    pub(crate) node: String,
    disk: tempfile::TempDir,
    memory: tempfile::TempDir,
}

/// Says what is missing for these tests, once each; nothing where all is there.
pub(crate) fn missing() -> Option<&'static str> {
    static MISSING: OnceLock<Option<&'static str>> = OnceLock::new();
    *MISSING.get_or_init(|| {
        if !rustix::process::geteuid().is_root() {
            return Some("the docker runtime needs root");
        }
        if !run("docker", &["version"]).0 {
            return Some("no container engine answers: start Debian's docker.io");
        }
        if !Path::new("/bin/busybox").exists() {
            return Some("busybox is not installed: apt install busybox-static");
        }
        None
    })
}

/// Returns a machine, or says what is missing for one.
pub(crate) fn machine() -> Option<Machine> {
    if let Some(why) = missing() {
        println!("SKIPPED: {why}");
        return None;
    }
    Some(Machine::new())
}

/// Runs a program to its end and returns whether it ended well, and what it printed.
#[expect(
    clippy::disallowed_methods,
    reason = "a test looks with the engine's own client"
)]
pub(crate) fn run(program: &str, args: &[&str]) -> (bool, String) {
    let Ok(output) = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .output()
    else {
        return (false, String::new());
    };
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        text.push_str(&String::from_utf8_lossy(&output.stderr));
    }
    (output.status.success(), text.trim().to_owned())
}

pub(crate) fn docker(args: &[&str]) -> String {
    let (well, text) = run("docker", args);
    assert!(well, "docker {args:?}: {text}");
    text
}

/// Packs a shell with its small programs, once for all tests.
pub(crate) fn image() -> ImageId {
    static IMAGE: OnceLock<ImageId> = OnceLock::new();
    IMAGE
        .get_or_init(|| {
            let root = tempfile::tempdir().unwrap();
            let bin = root.path().join("bin");
            std::fs::create_dir_all(&bin).unwrap();
            std::fs::copy("/bin/busybox", bin.join("busybox")).unwrap();
            for name in [
                "sh", "sleep", "cat", "tr", "nc", "nslookup", "id", "ip", "mkdir",
            ] {
                std::os::unix::fs::symlink("busybox", bin.join(name)).unwrap();
            }
            let tar = root.path().join("image.tar");
            let (tar, from) = (tar.to_str().unwrap(), root.path().to_str().unwrap());
            let (well, text) = run("tar", &["-C", from, "-cf", tar, "bin"]);
            assert!(well, "{text}");
            ImageId(docker(&["import", "--change", "ENV OF_THE_IMAGE=yes", tar]))
        })
        .clone()
}

impl Machine {
    fn new() -> Self {
        let disk = tempfile::tempdir().unwrap();
        let memory = tempfile::tempdir_in("/dev/shm").unwrap();
        // Its folder's name is its own, and so is its node.
        let node: String = disk
            .path()
            .to_string_lossy()
            .bytes()
            .map(|b| format!("{b:02x}"))
            .collect();
        let node = format!("{:0>32}", &node[node.len().saturating_sub(32)..]);
        let node = reversed(&node);
        let tasks = Tasks::new();
        Self {
            runtime: runtime(&node, disk.path(), memory.path(), &tasks),
            tasks,
            node,
            disk,
            memory,
        }
    }

    /// Begins a new node where the old one is dead: as with a process, nothing of the old one writes any more.
    pub(crate) fn restart_node(&mut self) {
        self.tasks.stop("the test ends the node");
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(self.tasks.wait());
        });
        self.tasks = Tasks::new();
        self.runtime = runtime(
            &self.node,
            self.disk.path(),
            self.memory.path(),
            &self.tasks,
        );
    }

    /// Returns the runtime of this node over an engine at another socket.
    pub(crate) fn at(&self, socket: &Path) -> DockerRuntime {
        DockerRuntime::new(
            DockerConfig {
                socket: socket.to_owned(),
                ..config(&self.node, self.disk.path(), self.memory.path())
            },
            self.tasks.clone(),
        )
    }

    pub(crate) fn container(&self, service: &str) -> String {
        format!("flash-{}-{service}", &self.node[..6])
    }

    pub(crate) fn network(&self, edge: &str) -> String {
        format!("flash-{}-{}", &self.node[..6], edge.replace('/', "."))
    }

    pub(crate) fn volume(&self, service: &ServiceId) -> PathBuf {
        self.disk
            .path()
            .join("volumes")
            .join(service.as_str())
            .join("data")
    }

    pub(crate) fn files(&self, service: &ServiceId) -> PathBuf {
        self.memory.path().join("files").join(service.as_str())
    }

    pub(crate) fn log(&self, service: &str) -> String {
        let log = self
            .disk
            .path()
            .join("logs")
            .join(service)
            .join("current.log");
        std::fs::read_to_string(log).unwrap_or_default()
    }

    /// Returns a unit that runs `script` in a shell, on the given networks.
    pub(crate) fn shell(&self, name: &str, script: &str, attachments: Vec<Attachment>) -> Unit {
        let service = ServiceId::new(name).unwrap();
        Unit {
            spec_hash: SpecHash(format!("v1:{name}")),
            program: PathBuf::from("/bin/sh"),
            image: Some(image()),
            folder: None,
            args: vec!["-c".to_owned(), script.to_owned()],
            env: BTreeMap::new(),
            files: BTreeMap::new(),
            volumes: vec![Mount {
                on_host: self.volume(&service),
                inside: PathBuf::from("/volumes/data"),
            }],
            addresses: BTreeMap::new(),
            network: NetworkSpec {
                attachments,
                ..NetworkSpec::default()
            },
            stop: STOP,
            limits: LimitSpec {
                memory_mib: 64,
                pids: 64,
            },
            uid: Some(265_000),
            service,
        }
    }
}

impl Drop for Machine {
    /// Whatever a failed test left behind goes with it.
    fn drop(&mut self) {
        self.tasks.stop("the test ends");
        let filter = format!("label=flash.node={}", self.node);
        let (_, found) = run("docker", &["ps", "-aq", "--filter", &filter]);
        for id in found.lines() {
            run("docker", &["rm", "-f", "-v", id]);
        }
        let (_, found) = run("docker", &["network", "ls", "-q", "--filter", &filter]);
        for id in found.lines() {
            run("docker", &["network", "rm", id]);
        }
    }
}

fn reversed(node: &str) -> String {
    node.chars().rev().collect()
}

fn config(node: &str, disk: &Path, memory: &Path) -> DockerConfig {
    DockerConfig {
        socket: PathBuf::from(SOCKET),
        node_id: NodeId::try_from(node.to_owned()).unwrap(),
        files_dir: memory.join("files"),
        logs_dir: disk.join("logs"),
    }
}

fn runtime(node: &str, disk: &Path, memory: &Path, tasks: &Tasks) -> DockerRuntime {
    DockerRuntime::new(config(node, disk, memory), tasks.clone())
}

/// A place on the network of `edge`, as its consumer or its provider. Each test has a third octet of its own.
pub(crate) fn attach(edge: &str, kind: NetworkKind, first: &str, provider: bool) -> Attachment {
    let subnet = Subnet::new(first.parse().unwrap()).unwrap();
    Attachment {
        edge: EdgeId::try_from(edge.to_owned()).unwrap(),
        kind,
        subnet,
        address: if provider {
            subnet.provider()
        } else {
            subnet.consumer()
        },
        may_reach: Vec::new(),
    }
}
