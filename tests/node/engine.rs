//! A node in containers for whole-program tests, and the engine's own command line beside it.

#![allow(
    unreachable_pub,
    reason = "each target that holds it uses a part of it"
)]
#![allow(dead_code, reason = "each target that holds it uses a part of it")]

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use serde_json::Value;
use serde_json::json;

use crate::declared::Declared;
use crate::declared::Edge;
use crate::inspect::free_port;
use crate::leak;
use crate::node::TestNode;
use crate::node::program;
use crate::node::skip;
use crate::timeline::Timeline;

pub const PASSPHRASE: &str = "a passphrase of the tests alone";
/// Whoever stands in a service's place: a shell with small programs.
pub const TOOLS: [&str; 8] = [
    "sh", "nc", "nslookup", "sleep", "cat", "tftp", "true", "timeout",
];

/// One node at a time: the programs take what a small machine has.
pub fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

pub fn run(program: &str, args: &[&str]) -> (bool, String) {
    let output = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .output();
    let Ok(output) = output else {
        return (false, format!("{program} could not be started"));
    };
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    (output.status.success(), text.trim().to_owned())
}

pub fn docker(args: &[&str]) -> String {
    let (well, text) = run("docker", args);
    assert!(well, "docker {args:?}: {text}");
    text
}

/// Whether containers can be run here; the summary says why not.
pub fn have_engine() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        skip("the docker runtime needs root");
    } else if !run("docker", &["version"]).0 {
        skip("no container engine answers: start Debian's docker.io");
        return false;
    } else if !Path::new("/bin/busybox").exists() {
        skip("busybox is not installed: apt install busybox-static");
        return false;
    }
    root
}

/// A node in containers, and whatever it left behind goes with it.
pub struct Node {
    pub node: TestNode,
    _turn: MutexGuard<'static, ()>,
}

impl Node {
    /// A node with only `wanted`, each in the image that is given, or in its own. `more` is added to node.toml.
    pub fn new(wanted: &[(&str, Option<String>)], more: &str) -> Self {
        let turn = alone();
        let node = TestNode::in_containers();
        let mut choices = String::new();
        for service in [
            "bitcoind",
            "btcpay",
            "electrs",
            "lnd",
            "mint",
            "nbxplorer",
            "postgres",
            "relay",
            "tor",
        ] {
            match wanted.iter().find(|(name, _)| *name == service) {
                None => choices.push_str(&format!("[services.{service}]\nenabled = false\n")),
                Some((_, image)) => {
                    choices.push_str(&format!("[services.{service}]\n"));
                    if let Some(image) = image {
                        choices.push_str(&format!("image = \"{image}\"\n"));
                    }
                    // Free ones: another node, or a process, may have the usual ones.
                    let port = match service {
                        "bitcoind" | "lnd" => Some("p2p"),
                        "relay" | "mint" => Some("http"),
                        "electrs" => Some("electrum"),
                        _ => None,
                    };
                    if let Some(port) = port {
                        choices.push_str(&format!("ports = {{ {port} = {} }}\n", free_port()));
                    }
                }
            }
        }
        node.file("node.toml", &format!("{choices}{more}"));
        Self { node, _turn: turn }
    }

    /// Adds a line to what node.toml says of `service`.
    pub fn choose(&self, service: &str, line: &str) {
        let path = self.node.data().join("node.toml");
        let text = std::fs::read_to_string(&path).expect("choices");
        let header = format!("[services.{service}]\n");
        assert!(text.contains(&header), "{text}");
        let text = text.replacen(&header, &format!("{header}{line}\n"), 1);
        self.node.file("node.toml", &text);
    }

    /// Starts it and gives it a passphrase.
    pub fn up(&mut self) -> Timeline {
        self.node.up();
        let timeline = Timeline::begin(self.node.status()["api"].as_str().expect("an address"));
        let typed = format!("{PASSPHRASE}\n{PASSPHRASE}\n");
        let changed = self.node.cli_with_input(&["passphrase", "change"], &typed);
        assert!(
            changed.status.success(),
            "{}",
            String::from_utf8_lossy(&changed.stderr)
        );
        timeline
    }

    /// Starts a daemon again and opens its vault.
    pub fn up_again(&mut self) {
        self.node.up();
        self.unlock();
    }

    pub fn unlock(&self) {
        let opened = self
            .node
            .cli_with_input(&["unlock"], &format!("{PASSPHRASE}\n"));
        assert!(
            opened.status.success(),
            "{}",
            String::from_utf8_lossy(&opened.stderr)
        );
    }

    pub fn id(&self) -> String {
        let text =
            std::fs::read_to_string(self.node.data().join("node.json")).expect("an identity");
        let identity: Value = serde_json::from_str(&text).expect("JSON");
        identity["node_id"].as_str().expect("an id").to_owned()
    }

    pub fn container(&self, service: &str) -> String {
        format!("flash-{}-{service}", &self.id()[..6])
    }

    pub fn all(&self, what: &str) -> Vec<String> {
        let filter = format!("label=flash.node={}", self.id());
        let found = match what {
            "network" => docker(&["network", "ls", "-q", "--filter", &filter]),
            _ => docker(&["ps", "-aq", "--filter", &filter]),
        };
        found.lines().map(str::to_owned).collect()
    }

    pub fn inspected(&self, service: &str) -> Value {
        let text = docker(&["inspect", &self.container(service)]);
        let all: Value = serde_json::from_str(&text).expect("JSON");
        all[0].clone()
    }

    /// The address of `service` on the network of `edge`.
    pub fn address(&self, service: &str, edge: &str) -> String {
        let network = format!("flash-{}-{}", &self.id()[..6], edge.replace('/', "."));
        let found = self.inspected(service);
        let address = found["NetworkSettings"]["Networks"][&network]["IPAddress"].as_str();
        address
            .unwrap_or_else(|| panic!("{service} is not on {network}: {found}"))
            .to_owned()
    }

    /// Runs `script` in the place of `service`: on its networks, with none of its files.
    pub fn in_place_of(&self, service: &str, script: &str) -> (bool, String) {
        self.in_place_with(service, &tools(), script)
    }

    /// Runs `script` in the place of `service` with the programs of `image`.
    pub fn in_place_with(&self, service: &str, image: &str, script: &str) -> (bool, String) {
        let place = format!("container:{}", self.container(service));
        run(
            "docker",
            &[
                "run",
                "--rm",
                "--network",
                &place,
                "--user",
                "12345",
                "--cap-drop",
                "ALL",
                image,
                "/bin/sh",
                "-c",
                script,
            ],
        )
    }

    /// What the vault keeps, by key.
    pub fn kept(&self) -> BTreeMap<String, String> {
        leak::kept(&self.node, PASSPHRASE).into_iter().collect()
    }

    pub fn secret(&self, key: &str) -> String {
        let kept = self.kept();
        let mut found = kept.iter().filter(|(name, _)| name.starts_with(key));
        found
            .next_back()
            .unwrap_or_else(|| panic!("{key} is not among {:?}", kept.keys()))
            .1
            .clone()
    }

    pub fn started(&self) -> BTreeMap<String, Value> {
        let status = self.node.status();
        let services = status["services"].as_array().expect("services");
        services
            .iter()
            .map(|one| {
                (
                    one["id"].as_str().expect("an id").to_owned(),
                    one["started_at"].clone(),
                )
            })
            .collect()
    }

    /// Takes the node's rules away from the machine's firewall, as a restart of the machine does.
    pub fn take_rules(&self) {
        let short = self.id()[..6].to_uppercase();
        let bridges = format!("fn{}+", &self.id()[..6]);
        for (program, from, to) in [
            ("iptables", "INPUT", format!("FLASH-{short}")),
            ("iptables", "DOCKER-USER", format!("FLASHF-{short}")),
            ("iptables", "DOCKER-USER", format!("FLASHT-{short}")),
            ("ip6tables", "INPUT", format!("FLASH-{short}")),
        ] {
            for side in ["-i", "-o"] {
                while run(program, &["-D", from, side, &bridges, "-j", &to]).0 {}
            }
            run(program, &["-F", &to]);
            run(program, &["-X", &to]);
        }
    }

    /// The node's rules in the machine's firewall, in their order.
    pub fn rules(&self) -> Vec<String> {
        let chains = ["FLASH", "FLASHF", "FLASHT"]
            .map(|kind| format!("{kind}-{}", self.id()[..6].to_uppercase()));
        let all = ["iptables", "ip6tables"].map(|program| run(program, &["-S"]).1);
        let all = all.iter().flat_map(|text| text.lines());
        let own = all.filter(|rule| chains.iter().any(|chain| rule.contains(chain)));
        own.map(str::to_owned).collect()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if !self.node.data().join("node.json").exists() {
            return;
        }
        // A daemon that lives would make anew what is removed.
        self.node.kill_daemon();
        // Without the engine nothing can be taken away; `.ci/run` finds by its label what is left.
        if !run("docker", &["version"]).0 {
            return;
        }
        for id in self.all("container") {
            run("docker", &["rm", "-f", "-v", &id]);
        }
        for id in self.all("network") {
            run("docker", &["network", "rm", &id]);
        }
        self.take_rules();
    }
}

/// An image with a shell, made once.
pub fn tools() -> String {
    static IMAGE: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    IMAGE
        .get_or_init(|| {
            let root = tempfile::tempdir().expect("a folder");
            let bin = root.path().join("bin");
            std::fs::create_dir_all(&bin).expect("a folder");
            std::fs::copy("/bin/busybox", bin.join("busybox")).expect("a copy");
            for name in TOOLS {
                std::os::unix::fs::symlink("busybox", bin.join(name)).expect("a link");
            }
            let tar = root.path().join("image.tar").display().to_string();
            let (well, text) = run(
                "tar",
                &["-C", &root.path().display().to_string(), "-cf", &tar, "bin"],
            );
            assert!(well, "{text}");
            docker(&["import", &tar])
        })
        .clone()
}

/// Packs a program of the PATH with our own packer.
pub fn packed(programs: &[&str], with: &[&str]) -> String {
    let mut args = vec!["images", "pack"];
    args.extend(programs);
    for path in with {
        args.extend(["--with", path]);
    }
    let (well, text) = run(env!("CARGO_BIN_EXE_flash-node"), &args);
    assert!(well && text.starts_with("sha256:"), "{text}");
    text
}

pub fn packed_by_name(name: &str) -> Option<String> {
    let Some(path) = program(name) else {
        skip(&format!(
            "{name} is not on the PATH: it is not run in a container"
        ));
        return None;
    };
    Some(packed(&[&path.display().to_string()], &[]))
}

pub fn packed_postgres() -> Option<String> {
    let found = std::fs::read_dir("/usr/lib/postgresql")
        .ok()
        .and_then(|all| all.flatten().next());
    let Some(folder) = found else {
        skip("postgres is not installed: it is not run in a container");
        return None;
    };
    let (lib, version) = (
        folder.path(),
        folder.file_name().to_string_lossy().into_owned(),
    );
    let programs =
        ["postgres", "initdb", "psql"].map(|name| lib.join("bin").join(name).display().to_string());
    let programs: Vec<&str> = programs.iter().map(String::as_str).collect();
    let (lib, share) = (
        lib.display().to_string(),
        format!("/usr/share/postgresql/{version}"),
    );
    Some(packed(
        &programs,
        &[&lib, &share, "/usr/share/zoneinfo", "/bin/sh"],
    ))
}

/// Asks over HTTP from this machine, as the node does, and returns the status and the answer.
pub fn ask(url: &str, headers: &[&str], body: Option<&Value>) -> (u16, Value) {
    let mut args = vec!["-sk", "-m", "20", "-w", "\n%{http_code}"];
    for header in headers {
        args.extend(["-H", header]);
    }
    let text = body.map(Value::to_string);
    if let Some(text) = &text {
        args.extend(["-d", text]);
    }
    args.push(url);
    let (_, answer) = run("curl", &args);
    let (body, status) = answer.rsplit_once('\n').unwrap_or(("", &answer));
    (
        status.parse().unwrap_or_default(),
        serde_json::from_str(body).unwrap_or(Value::Null),
    )
}

/// What `docker inspect` says of the container of a service.
pub fn check_confined(node: &Node, service: &str) {
    check_container(node, service, &node.inspected(service));
    check_networks(node, service);
}

/// What `docker inspect` says of any container of a node, be it a service's or that of a job.
pub fn check_container(node: &Node, service: &str, found: &Value) {
    let (host, config) = (&found["HostConfig"], &found["Config"]);
    assert_eq!(host["CapDrop"], json!(["ALL"]), "{service}");
    assert_eq!(host["CapAdd"], Value::Null, "{service}");
    assert_eq!(
        host["SecurityOpt"],
        json!(["no-new-privileges:true"]),
        "{service}"
    );
    assert_eq!(host["ReadonlyRootfs"], json!(true), "{service}");
    assert_eq!(host["Privileged"], json!(false), "{service}");
    let (memory, processes) = Declared::of(&node.node).limits(service);
    assert_eq!(host["PidsLimit"], json!(processes), "{service}");
    assert_eq!(host["Memory"], json!(memory), "{service}");
    assert_eq!(host["MemorySwap"], json!(memory), "{service}: no swap");
    assert_eq!(host["RestartPolicy"]["Name"], "no", "{service}");
    for namespace in ["PidMode", "UTSMode", "UsernsMode"] {
        assert_eq!(host[namespace], "", "{service} {namespace}");
    }
    assert_ne!(host["NetworkMode"], "host", "{service}");
    assert_ne!(host["IpcMode"], "host", "{service}");
    assert!(
        host["Devices"].as_array().is_none_or(Vec::is_empty),
        "{service}"
    );
    let user = config["User"].as_str().expect("a user");
    let (uid, gid) = user.split_once(':').expect("a group");
    assert!(
        uid.parse::<u32>().is_ok_and(|uid| uid >= 200_000) && uid == gid,
        "{service}: {user}"
    );
    let data = node.node.data().display().to_string();
    for mount in found["Mounts"].as_array().expect("mounts") {
        let source = mount["Source"].as_str().unwrap_or_default();
        assert!(!source.ends_with(".sock"), "{service}: {source}");
        let ours = source.starts_with(&data) || source.contains("flash-node");
        assert!(ours, "{service} sees {source}");
        assert!(
            !mount["RW"].as_bool().unwrap_or(true) || source.starts_with(&data),
            "{service} writes {source}"
        );
    }
    // No secret in what everybody may look at who may look at containers.
    let shown = found.to_string();
    for (key, value) in node.kept() {
        assert!(
            value.len() < 12 || !shown.contains(&value),
            "{service} shows {key}"
        );
    }
}

/// What `docker inspect` says of the container of a job of `service`.
pub fn check_job(node: &Node, service: &str, id: &str) {
    let found: Value = serde_json::from_str(&docker(&["inspect", id])).expect("JSON");
    let found = &found[0];
    check_container(node, service, found);
    let on = found["NetworkSettings"]["Networks"].as_object();
    let mut own: BTreeSet<String> = Declared::of(&node.node)
        .edges(service)
        .iter()
        .map(|edge| format!("flash-{}-{}", &node.id()[..6], edge.network()))
        .collect();
    // A job that needs no network has none.
    own.insert("none".to_owned());
    for name in on.expect("networks").keys() {
        assert!(own.contains(name), "a job of {service} is on {name}");
    }
}

/// A service stands on the networks of its edges, each with two members at most, at fixed addresses of the plan.
fn check_networks(node: &Node, service: &str) {
    let declared = Declared::of(&node.node);
    let found = node.inspected(service);
    let prefix = format!("flash-{}-", &node.id()[..6]);
    let wanted: BTreeMap<String, Edge> = declared
        .edges(service)
        .into_iter()
        .map(|edge| (format!("{prefix}{}", edge.network()), edge))
        .collect();
    let on = found["NetworkSettings"]["Networks"]
        .as_object()
        .expect("networks");
    let names: BTreeSet<&String> = on.keys().collect();
    assert_eq!(names, wanted.keys().collect(), "{service}");
    let told = node.node.ok(&["edges"]);
    for (name, network) in on {
        let edge = &wanted[name];
        assert_eq!(network["GlobalIPv6Address"], "", "{service}");
        let address = network["IPAddress"].as_str().expect("an address");
        assert_eq!(
            network["IPAMConfig"]["IPv4Address"], address,
            "{service} has a fixed address on {name}"
        );
        let shown: Value =
            serde_json::from_str(&docker(&["network", "inspect", name])).expect("JSON");
        let shown = &shown[0];
        let subnet = shown["IPAM"]["Config"][0]["Subnet"]
            .as_str()
            .expect("a subnet");
        let (first, size) = subnet.split_once('/').expect("a size");
        assert_eq!(size, "28", "{name}");
        let number = |text: &str| u32::from(text.parse::<std::net::Ipv4Addr>().expect("IPv4"));
        assert_eq!(number(address) & !15, number(first), "{service} on {name}");
        // The plan that people read names the same network.
        let row = told.lines().find(|line| {
            let mut words = line.split_whitespace();
            let ends = (words.next(), words.next());
            let what = words.next().unwrap_or_default();
            ends == (Some(&edge.consumer), Some(&edge.provider))
                && what.trim_end_matches(':') == edge.interface
        });
        if edge.consumer != "internet" {
            let row = row.unwrap_or_else(|| panic!("{} in {told}", edge.network()));
            assert!(row.contains(subnet), "{row}: {subnet}");
        }
        assert_eq!(
            shown["Internal"],
            json!(edge.consumer != "internet" && edge.provider != "internet"),
            "{name}"
        );
        let ends = [&edge.consumer, &edge.provider].map(|end| node.container(end));
        for member in shown["Containers"].as_object().expect("members").values() {
            let member = member["Name"].as_str().expect("a name");
            assert!(
                ends.iter().any(|end| end == member),
                "{member} is on {name}"
            );
        }
    }
}
