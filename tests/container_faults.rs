//! What goes wrong around a node in containers: the engine, images, addresses, names, the power. Each converges or is a
//! clear error, and nothing is touched that is not ours.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a whole-program test starts programs, and the summary collects what it prints"
)]

#[path = "container_faults/cluster.rs"]
mod cluster;
#[path = "node/declared.rs"]
mod declared;
#[path = "node/engine.rs"]
mod engine;
mod inspect;
#[path = "container_faults/kills.rs"]
mod kills;
mod leak;
mod node;
#[path = "container_faults/steps.rs"]
mod steps;
mod timeline;

use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use serde_json::Value;

use crate::engine::Node;
use crate::engine::docker;
use crate::engine::have_engine;
use crate::engine::packed;
use crate::engine::packed_by_name;
use crate::engine::run;
use crate::engine::tools;
use crate::inspect::free_port;
use crate::inspect::http_get;
use crate::node::program;
use crate::node::skip;

/// Where `scripts/engine` notes the engine that it started.
const OUR_ENGINE: &str = "/run/flash-node-engine/pid";
/// Where it notes the containerd that it started.
const CONTAINERD: &str = "/var/run/docker/containerd/containerd.pid";
const NO_IMAGE: &str = "sha256:5a5a84b19854a9ffaa54082c166ff4ec27473a361e496e5ea167f298f2da9722";

fn relay_and_mint(more: &str) -> Node {
    Node::new(&[("relay", None), ("mint", None)], more)
}

fn code(service: &Value) -> (String, String) {
    let text = |key: &str| {
        service["alive"][key]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    (text("code"), text("text"))
}

/// kill -9 of the engine that `scripts/engine` started; another one is nobody's to kill.
fn kill_the_engine() -> bool {
    end_the_engine("-KILL")
}

fn end_the_engine(signal: &str) -> bool {
    let pid = std::fs::read_to_string(OUR_ENGINE).unwrap_or_default();
    let pid = pid.trim();
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    if name.trim() != "dockerd" {
        return false;
    }
    // It takes its containerd with it.
    let containerd = std::fs::read_to_string(CONTAINERD).unwrap_or_default();
    let (well, said) = run("kill", &[signal, pid]);
    assert!(well, "{said}");
    // Until nobody is left to collect: the next engine takes a dead one that was not buried for one that runs.
    let begun = std::time::Instant::now();
    for pid in [pid, containerd.trim()]
        .into_iter()
        .filter(|pid| !pid.is_empty())
    {
        while Path::new(&format!("/proc/{pid}")).exists() {
            assert!(begun.elapsed() < node::PATIENCE, "the engine does not die");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
    true
}

fn start_the_engine() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/engine");
    let (well, said) = run(&script.display().to_string(), &["start"]);
    assert!(well, "{said}");
}

#[test]
fn an_engine_that_is_killed_is_told_and_everything_comes_back_with_it() {
    if !have_engine() {
        return;
    }
    let mut node = relay_and_mint("");
    node.up();
    for service in ["relay", "mint"] {
        node.node.wait_ready(service);
    }
    let port = node.node.endpoint("mint", "cashu");
    let keys = http_get(&port, "/v1/keysets");
    if !kill_the_engine() {
        skip("this machine's engine was not started by scripts/engine: it was not killed");
        return;
    }
    node.node
        .wait_service("mint", "the engine to be missed", |one| {
            code(one).0 == "engine_gone" && one["alive"]["ok"].is_null()
        });
    // Nobody concludes from silence that nothing runs.
    for words in [&["plan"][..], &["set", "relay.name", "never"]] {
        let refused = node.node.cli(words);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success(), "{words:?}: {said}");
        assert!(said.contains("no plan can be made"), "{words:?}: {said}");
    }
    start_the_engine();
    for service in ["relay", "mint"] {
        node.node.wait_ready(service);
    }
    assert_eq!(http_get(&port, "/v1/keysets"), keys, "the same money");
    assert_eq!(node.all("container").len(), 2, "none is doubled");

    // Gone when the node starts: it waits for it, and says so.
    node.node.kill_daemon();
    assert!(kill_the_engine());
    node.node.up();
    let told = node
        .node
        .wait_service("relay", "the engine to be missed", |one| {
            code(one).0 == "engine_gone" && one["state"] == "unknown"
        });
    assert!(
        told.to_string().contains("systemctl start docker"),
        "{told}"
    );
    node.unlock();
    start_the_engine();
    for service in ["relay", "mint"] {
        node.node.wait_ready(service);
    }
    assert_eq!(http_get(&port, "/v1/keysets"), keys);
}

#[test]
fn a_missing_image_holds_one_service_back_and_another_one_mends_it() {
    if !have_engine() {
        return;
    }
    let mut node = Node::new(&[("relay", Some(NO_IMAGE.to_owned())), ("mint", None)], "");
    node.up();
    node.node.wait_ready("mint");
    let told = node.node.wait_service("relay", "its image", |one| {
        code(one).1.contains("is not on this machine")
    });
    assert!(code(&told).1.contains("images set"), "{told}");
    // Whatever is no digest is refused, and nothing is written.
    for bad in [
        "nginx",
        "nginx:latest",
        "docker.io/library/nginx:1",
        "sha256:12",
    ] {
        let refused = node.node.cli(&["images", "set", "relay", bad]);
        assert!(!refused.status.success(), "{bad}");
    }
    let relay = node::programs_folder().join("flash-relay");
    let image = packed(&[&relay.display().to_string()], &[]);
    let mint = node.started()["mint"].clone();
    let dry = node
        .node
        .ok(&["images", "set", "relay", &image, "--dry-run"]);
    assert!(dry.contains(&image) && dry.contains("relay"), "{dry}");
    let plan = node.node.ok(&["images", "set", "relay", &image]);
    // The relay's events are critical: another version may convert them.
    assert!(plan.contains("may change its data for good"), "{plan}");
    node.node.wait_ready("relay");
    assert_eq!(node.inspected("relay")["Image"], image);
    assert_eq!(node.started()["mint"], mint, "nobody else was touched");
}

#[test]
fn a_pool_that_is_too_small_or_taken_is_a_clear_error_and_nothing_is_made() {
    if !have_engine() {
        return;
    }
    let mut node = relay_and_mint("[network]\npool = \"10.214.77.0/28\"\n");
    node.node.spawn();
    assert_eq!(
        node.node.wait_for_end(),
        Some(78),
        "{}",
        node.node.daemon_log()
    );
    let log = node.node.daemon_log();
    assert!(log.contains("10.214.77.0/28 holds 1 networks"), "{log}");
    assert!(log.contains("name a larger one in node.toml"), "{log}");
    drop(node);

    let lan = Interface::new("10.214.78.1/24");
    let mut node = relay_and_mint("[network]\npool = \"10.214.78.0/24\"\n");
    node.node.spawn();
    assert_eq!(
        node.node.wait_for_end(),
        Some(78),
        "{}",
        node.node.daemon_log()
    );
    let log = node.node.daemon_log();
    assert!(
        log.contains("overlaps 10.214.78.0/24") && log.contains(&lan.name),
        "{log}"
    );
    drop(node);
    drop(lan);

    // Full while it runs: what is new has no room, and what serves goes on as it was.
    let mut node = relay_and_mint("[network]\npool = \"10.214.79.0/25\"\n");
    node.up();
    for service in ["relay", "mint"] {
        node.node.wait_ready(service);
    }
    let (before, networks) = (node.started(), node.all("network").len());
    assert_eq!(networks, 5, "three more are left, and two relays need four");
    let choices = node.node.data().join("node.toml");
    let text = std::fs::read_to_string(&choices).expect("choices");
    let relay = |name: &str| {
        let port = free_port();
        format!("[services.{name}]\nmanifest = \"relay\"\nports = {{ http = {port} }}\n")
    };
    let more = format!("{text}{}{}", relay("second"), relay("third"));
    node.node.file("node.toml", &more);
    let refused = node.node.cli(&["apply"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success(), "{said}");
    assert!(
        said.contains("10.214.79.0/25 holds 8 networks") && said.contains("name a larger one"),
        "{said}"
    );
    assert_eq!(node.started(), before, "what serves goes on");
    assert_eq!(node.all("network").len(), networks);
    assert_eq!(node.all("container").len(), 2);
    drop(node);

    // Where nobody names one, a pool beside the machine's own networks is found.
    let _lan = Interface::new("10.213.3.7/20");
    let mut node = relay_and_mint("");
    node.up();
    node.node.wait_ready("relay");
    let edges = node.node.ok(&["edges"]);
    assert!(
        edges.contains("10.213.") && !edges.contains("10.213.3.") && !edges.contains("10.213.0."),
        "{edges}"
    );
}

/// A network of the machine's own, until it goes out of scope.
struct Interface {
    name: String,
}

impl Interface {
    fn new(address: &str) -> Self {
        let name = format!("lan{}", std::process::id());
        for args in [
            &["link", "add", &name, "type", "bridge"][..],
            &["addr", "add", address, "dev", &name],
            &["link", "set", &name, "up"],
        ] {
            let (well, said) = run("ip", args);
            assert!(well, "{said}");
        }
        Self { name }
    }
}

impl Drop for Interface {
    fn drop(&mut self) {
        run("ip", &["link", "del", &self.name]);
    }
}

/// What others made under names of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Theirs {
    Container,
    Network,
    Both,
}

#[test]
fn what_others_made_with_our_names_is_left_alone_and_named() {
    if !have_engine() {
        return;
    }
    let mut node = relay_and_mint("");
    node.up();
    node.node.wait_ready("relay");
    let networks = node.inspected("relay")["NetworkSettings"]["Networks"].clone();
    let network = networks
        .as_object()
        .and_then(|on| on.keys().next().cloned());
    let network = network.expect("a network");
    let name = node.container("relay");
    let with_it = std::fs::read_to_string(node.node.data().join("node.toml")).expect("choices");
    for theirs in [Theirs::Container, Theirs::Network, Theirs::Both] {
        node.node.ok(&["remove", "relay"]);
        node.node.wait("the relay to be gone", |_| {
            !docker(&["ps", "-a", "--format", "{{.Names}}"]).contains(&name)
                && !docker(&["network", "ls", "--format", "{{.Name}}"]).contains(&network)
        });
        let mut made = Vec::new();
        if theirs != Theirs::Network {
            // A first process without a handler of its own would not notice a TERM.
            let waits = "trap 'exit 3' TERM INT; while true; do sleep 1; done";
            let image = tools();
            let run = ["run", "-d", "--name", &name, &image, "/bin/sh", "-c", waits];
            made.push((docker(&run), &name));
        }
        if theirs != Theirs::Container {
            let id = docker(&["network", "create", "--subnet", "10.214.99.0/28", &network]);
            made.push((id, &network));
        }
        node.node.file("node.toml", &with_it);
        node.node.ok(&["apply"]);
        let told = node
            .node
            .wait_service("relay", "the name to be taken", |one| {
                code(one).1.contains("remove or rename it")
            });
        let text = code(&told).1;
        assert!(
            made.iter().any(|(_, name)| text.contains(*name)),
            "{theirs:?}: {told}"
        );
        node.node.wait_ready("mint");
        for (id, name) in &made {
            let found: Value = serde_json::from_str(&docker(&["inspect", name])).expect("JSON");
            assert_eq!(found[0]["Id"], **id, "{theirs:?}: theirs was not touched");
            let runs = &found[0]["State"]["Running"];
            assert!(runs.is_null() || runs == true, "{theirs:?}: theirs runs on");
        }
        if theirs != Theirs::Container {
            docker(&["network", "rm", &network]);
        }
        if theirs != Theirs::Network {
            docker(&["rm", "-f", &name]);
        }
        // It goes on by itself.
        node.node.wait_ready("relay");
    }
}

#[test]
fn a_container_that_is_killed_is_started_again_and_others_are_untouched() {
    if !have_engine() {
        return;
    }
    let mut node = relay_and_mint("");
    node.up();
    for service in ["relay", "mint"] {
        node.node.wait_ready(service);
    }
    let mint = node.inspected("mint")["State"]["StartedAt"].clone();
    let relay = node.started()["relay"].clone();
    docker(&["kill", "--signal", "KILL", &node.container("relay")]);
    node.node.wait("the relay to be another one", |one| {
        one.service("relay")["started_at"] != relay && one.service("relay")["ready"]["ok"] == true
    });
    let events = node.node.ok(&["events", "-n", "100"]);
    assert!(events.contains("ended by signal 9"), "{events}");
    assert_eq!(node.inspected("mint")["State"]["StartedAt"], mint);
    // One that somebody removed is made anew, with the same data and address.
    let address = node.address("relay", "node/nostr/relay");
    docker(&["rm", "-f", &node.container("relay")]);
    node.node.wait("the relay to be made anew", |one| {
        one.service("relay")["ready"]["ok"] == true
            && run("docker", &["inspect", &node.container("relay")]).0
    });
    assert_eq!(node.address("relay", "node/nostr/relay"), address);
    assert_eq!(node.inspected("mint")["State"]["StartedAt"], mint);
}

#[test]
fn a_daemon_that_ends_leaves_every_container_as_it_was() {
    if !have_engine() {
        return;
    }
    let mut node = relay_and_mint("");
    node.up();
    for service in ["relay", "mint"] {
        node.node.wait_ready(service);
    }
    let seen = |node: &Node| {
        ["relay", "mint"].map(|service| {
            let found = node.inspected(service);
            (found["Id"].clone(), found["State"]["StartedAt"].clone())
        })
    };
    let before = seen(&node);
    node::send(node.node.daemon_pid(), "-TERM");
    assert_eq!(node.node.wait_for_end(), Some(0));
    assert_eq!(seen(&node), before);
    node.up_again();
    for service in ["relay", "mint"] {
        node.node.wait_ready(service);
    }
    assert_eq!(seen(&node), before);
    assert!(node.node.ok(&["plan"]).starts_with("nothing to do"));
}

#[test]
fn after_a_power_cut_a_sealed_node_recovers_with_the_unlock() {
    if !have_engine() {
        return;
    }
    let mut node = relay_and_mint("");
    node.up();
    for service in ["relay", "mint"] {
        node.node.wait_ready(service);
    }
    let mint = node.node.endpoint("mint", "cashu");
    let keys = http_get(&mint, "/v1/keysets");
    // The power is cut: everything ends at once, and what lay in memory is gone; what the engine kept is not.
    node.node.kill_daemon();
    for service in ["relay", "mint"] {
        docker(&["kill", &node.container(service)]);
    }
    for folder in node.node.run_folders() {
        std::fs::remove_dir_all(&folder).expect("it is removed");
    }
    node.node.up();
    node.node.wait_ready("relay");
    let waits = node
        .node
        .wait_service("mint", "the vault", |one| one["ready"]["code"] == "sealed");
    assert_eq!(waits["alive"]["ok"], false, "{waits}");
    node.unlock();
    node.node.wait_ready("mint");
    assert_eq!(http_get(&mint, "/v1/keysets"), keys, "the same money");
}

/// A registry on loopback, with a disk of its own.
struct Registry {
    child: Option<Child>,
    port: u16,
    folder: tempfile::TempDir,
}

impl Registry {
    fn start() -> Option<Self> {
        if program("docker-registry").is_none() {
            skip("docker-registry is not installed: no image was pulled");
            return None;
        }
        let mut registry = Self {
            child: None,
            port: free_port(),
            folder: tempfile::tempdir().expect("a folder"),
        };
        registry.run();
        Some(registry)
    }

    fn run(&mut self) {
        let config = self.folder.path().join("config.yml");
        let disk = self.folder.path().join("disk");
        let text = format!(
            "version: 0.1\nlog: {{ level: warn }}\nstorage: {{ filesystem: {{ rootdirectory: {} }} }}\nhttp: {{ addr: \"127.0.0.1:{}\" }}\n",
            disk.display(),
            self.port
        );
        std::fs::write(&config, text).expect("a file");
        let child = Command::new("docker-registry")
            .arg("serve")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a registry");
        self.child = Some(child);
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it runs");
            child.wait().expect("it ends");
        }
    }

    /// Pushes an image and returns by which reference it is pulled.
    fn push(&self, image: &str) -> String {
        let name = format!("127.0.0.1:{}/flash/relay", self.port);
        docker(&["tag", image, &format!("{name}:pushed")]);
        let said = docker(&["push", &format!("{name}:pushed")]);
        docker(&["rmi", &format!("{name}:pushed")]);
        let digest = said
            .split_whitespace()
            .skip_while(|word| *word != "digest:")
            .nth(1);
        format!("{name}@{}", digest.expect("a digest"))
    }

    /// The file in which the blob `digest` lies.
    fn blob(&self, digest: &str) -> PathBuf {
        let hex = digest.rsplit(':').next().expect("a digest");
        let blobs = "disk/docker/registry/v2/blobs/sha256";
        let folder = self.folder.path().join(blobs);
        folder.join(&hex[..2]).join(hex).join("data")
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The engine's clock, in seconds since 1970.
fn now() -> String {
    run("date", &["+%s.%N"]).1
}

/// The images that the engine pulled since then.
fn pulled(since: &str) -> String {
    docker(&[
        "events",
        "--since",
        since,
        "--until",
        &now(),
        "--filter",
        "type=image",
        "--filter",
        "event=pull",
        "--format",
        "{{.ID}}",
    ])
}

#[test]
fn an_image_is_pulled_by_its_digest_and_needs_no_registry_afterwards() {
    if !have_engine() {
        return;
    }
    let Some(mut registry) = Registry::start() else {
        return;
    };
    let relay = node::programs_folder().join("flash-relay");
    // One that the machine does not have otherwise: it holds a file of its own.
    let own = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(own.path(), registry.port.to_string()).expect("a file");
    let id = packed(
        &[&relay.display().to_string()],
        &[&own.path().display().to_string()],
    );
    let reference = registry.push(&id);
    // With its last name the engine may have removed it already.
    run("docker", &["rmi", &id]);
    let digest = reference.split('@').nth(1).expect("a digest").to_owned();

    // Another manifest under that digest: what comes is not what was pinned.
    let blob = registry.blob(&digest);
    let good = std::fs::read(&blob).expect("a manifest");
    let mut bad = good.clone();
    bad.push(b'\n');
    std::fs::write(&blob, &bad).expect("it is written");
    let mut node = Node::new(&[("relay", Some(reference.clone()))], "");
    node.up();
    let told = node.node.wait_service("relay", "the pull to fail", |one| {
        one["state"] != "running" && !code(one).1.is_empty() && code(one).1.contains(&digest)
    });
    assert!(
        code(&told).1.contains("is not what its digest says"),
        "{told}"
    );
    assert_eq!(
        docker(&[
            "ps",
            "-q",
            "--filter",
            &format!("name={}", node.container("relay"))
        ]),
        ""
    );
    std::fs::write(&blob, &good).expect("it is written");
    let since = now();
    node.node.cli(&["retry", "relay"]);
    node.node.wait_ready("relay");
    assert!(
        pulled(&since).contains(&digest),
        "it is pulled by its digest"
    );
    assert_eq!(node.inspected("relay")["Image"], id, "it runs by its ID");
    let events = node.node.ok(&["events", "-n", "200"]);
    assert!(events.contains(&format!("{reference} is {id}")), "{events}");

    // Without the registry nothing is asked of it any more, nor of the engine.
    registry.stop();
    let since = now();
    node.node.ok(&["down"]);
    assert_eq!(node.node.wait_for_end(), Some(0));
    node.up_again();
    node.node.wait_ready("relay");
    assert_eq!(pulled(&since), "");
    // A digest that nobody has, with the registry and without.
    let unknown = format!("127.0.0.1:{}/flash/relay@{NO_IMAGE}", registry.port);
    node.node.ok(&["images", "set", "relay", &unknown]);
    node.node.wait_service("relay", "no registry", |one| {
        code(one).1.contains("cannot be reached") && code(one).1.contains("mirror")
    });
    registry.run();
    node.node.wait_service("relay", "no such digest", |one| {
        code(one).1.contains("does not have")
    });
    node.node.ok(&["images", "set", "relay", &reference]);
    node.node.wait_ready("relay");
    registry.stop();
    drop(node);
    run("docker", &["rmi", "-f", &id]);
}

/// The operator's own bitcoind, on a machine of its own: a network namespace with one address.
struct OwnCore {
    child: Child,
    /// Who notes each signal that it gets.
    watch: Option<Child>,
    namespace: String,
    folder: tempfile::TempDir,
}

const OWN_ADDRESS: &str = "10.98.7.2";
const OWN_PASSWORD: &str = "of-the-operator";

impl OwnCore {
    fn start() -> Option<Self> {
        let core = program("bitcoind")?;
        let namespace = format!("own{}", std::process::id());
        let (here, there) = (format!("oh{}", std::process::id()), "eth0");
        for args in [
            &["netns", "add", &namespace][..],
            &[
                "link", "add", &here, "type", "veth", "peer", "name", there, "netns", &namespace,
            ],
            &["addr", "add", "10.98.7.1/24", "dev", &here],
            &["link", "set", &here, "up"],
            &[
                "-n",
                &namespace,
                "addr",
                "add",
                "10.98.7.2/24",
                "dev",
                there,
            ],
            &["-n", &namespace, "link", "set", there, "up"],
            &["-n", &namespace, "link", "set", "lo", "up"],
            &[
                "-n",
                &namespace,
                "route",
                "add",
                "default",
                "via",
                "10.98.7.1",
            ],
        ] {
            let (well, said) = run("ip", args);
            assert!(well, "ip {args:?}: {said}");
        }
        let folder = tempfile::tempdir().expect("a folder");
        let child = Command::new("ip")
            .args(["netns", "exec", &namespace])
            .arg(core)
            .args([
                "-regtest",
                "-server",
                "-listen=0",
                "-rpcbind=0.0.0.0",
                "-rpcallowip=10.0.0.0/8",
                "-rpcallowip=127.0.0.1",
                "-rpcuser=flash",
                &format!("-rpcpassword={OWN_PASSWORD}"),
                "-fallbackfee=0.0001",
                "-zmqpubrawblock=tcp://0.0.0.0:28332",
                "-zmqpubrawtx=tcp://0.0.0.0:28333",
            ])
            .arg(format!("-datadir={}", folder.path().display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("bitcoind");
        let mut own = Self {
            child,
            watch: None,
            namespace,
            folder,
        };
        own.watch_signals();
        Some(own)
    }

    fn watch_signals(&mut self) {
        if program("strace").is_none() {
            skip(
                "strace is not installed: it was not seen which signals an operator's bitcoind gets",
            );
            return;
        }
        let watch = Command::new("strace")
            .args(["-f", "-e", "trace=none", "-e", "signal=all", "-o"])
            .arg(self.folder.path().join("signals"))
            .args(["-p", &self.child.id().to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("strace");
        self.watch = Some(watch);
    }

    /// The signals that it got, one a line.
    fn signals(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.path().join("signals"));
        let text = text.unwrap_or_default();
        let signals = text.lines().filter(|line| line.contains("--- SIG"));
        signals.map(str::to_owned).collect()
    }

    fn ask(&self, method: &str, params: &Value) -> (u16, Value) {
        let body = serde_json::json!({ "method": method, "params": params });
        let url = format!("http://flash:{OWN_PASSWORD}@{OWN_ADDRESS}:18443/");
        engine::ask(&url, &[], Some(&body))
    }
}

impl Drop for OwnCore {
    fn drop(&mut self) {
        if let Some(watch) = &mut self.watch {
            let _ = watch.kill();
            let _ = watch.wait();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        run("ip", &["netns", "del", &self.namespace]);
    }
}

#[test]
fn an_operators_own_bitcoind_is_used_and_never_touched() {
    if !have_engine() {
        return;
    }
    let Some(lnd) = packed_by_name("lnd") else {
        return;
    };
    let Some(mut own) = OwnCore::start() else {
        skip("bitcoind is not on the PATH: an operator's own one was not tried with containers");
        return;
    };
    let password = own.folder.path().join("password");
    std::fs::write(&password, format!("{OWN_PASSWORD}\n")).expect("a file");
    let mut node = Node::new(
        &[("bitcoind", None), ("lnd", Some(lnd)), ("relay", None)],
        &format!(
            "[services.bitcoind.external.addresses]\nrpc = \"{OWN_ADDRESS}:18443\"\np2p_local = \"{OWN_ADDRESS}:1\"\n\
             zmq_block = \"{OWN_ADDRESS}:28332\"\nzmq_tx = \"{OWN_ADDRESS}:28333\"\n\
             [services.bitcoind.external.credentials.rpc]\nuser = \"flash\"\npassword_file = \"{}\"\n",
            password.display()
        ),
    );
    node.node.wait("the operator's bitcoind to answer", |_| {
        own.ask("getblockcount", &serde_json::json!([])).0 == 200
    });
    let to = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";
    own.ask("generatetoaddress", &serde_json::json!([3, to]));
    node.up();
    node.node.wait_ready("lnd");
    assert_eq!(node.node.service("bitcoind")["runtime"], "external");
    node.node
        .wait_service("lnd", "the chain", |one| one["synced"]["ok"] == true);
    own.ask("generatetoaddress", &serde_json::json!([3, to]));
    // Only who has the edge reaches it; the relay does not.
    let reaches = |place: &str| {
        let script = format!(
            "printf 'GET / HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n' | nc -w 5 {OWN_ADDRESS} 18443"
        );
        node.in_place_of(place, &script).1.contains("HTTP/1.1")
    };
    assert!(reaches("lnd"));
    assert!(!reaches("relay"));
    let refused = node.node.cli(&["rotate", "lnd/rpc/bitcoind"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && said.contains("your own server"),
        "{said}"
    );
    node.node.ok(&["down"]);
    assert_eq!(node.node.wait_for_end(), Some(0));
    assert!(
        own.child.try_wait().expect("a child").is_none(),
        "it runs on"
    );
    let (status, height) = own.ask("getblockcount", &serde_json::json!([]));
    assert_eq!((status, &height["result"]), (200, &serde_json::json!(6)));
    if own.watch.is_some() {
        assert_eq!(
            own.signals(),
            Vec::<String>::new(),
            "it was never signalled"
        );
        // A signal would have been seen.
        node::send(own.child.id(), "-HUP");
        node.node.wait("the signal to be noted", |_| {
            own.signals().iter().any(|line| line.contains("SIGHUP"))
        });
    }
}
