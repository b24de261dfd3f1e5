//! Measures a node in containers beside docker-compose, which starts the same images on the same networks.

use std::collections::BTreeMap;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::Table;
use crate::daemon::free;
use crate::node::PATIENCE;
use crate::node::TestNode;
use crate::node::program;
use crate::node::skip;

/// Even, so that each goes first as often as the other.
const ROUNDS: usize = 6;
const LOOK: Duration = Duration::from_millis(5);
/// How long the passes of an idle node are watched.
const IDLE: Duration = Duration::from_secs(40);
const PASSPHRASE: &str = "a passphrase of the bench alone";
/// Services of the stack that this machine may not have, and for which relays stand in.
const STAND_INS: usize = 7;

/// Time to all nine healthy, re-adoption, and a pass with nothing to do.
pub fn all(table: &mut Table) {
    let engine = Command::new("docker").arg("version").output();
    if !rustix::process::geteuid().is_root() || !engine.is_ok_and(|found| found.status.success()) {
        skip("no container engine answers to root here: containers were not measured");
        return;
    }
    let mut nine = Nine::new();
    nine.up();
    nine.wait_ready();
    nine.passes(table);
    nine.readoption(table);
    let Some(_) = program("docker-compose") else {
        skip("docker-compose is not installed: it was not measured beside the node");
        return;
    };
    let rival = Compose::like(&nine);
    nine.down();
    let (mut ours, mut told, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        // Each goes first as often as the other, so that neither always finds warm files.
        for turn in 0..2 {
            let begun = Instant::now();
            if (round + turn) % 2 == 0 {
                nine.up();
                nine.wait_healthy();
                ours.push(begun.elapsed().as_secs_f64());
                nine.wait_ready();
                told.push(begun.elapsed().as_secs_f64());
                nine.down();
            } else {
                rival.run(&["up", "-d"]);
                nine.wait_healthy();
                theirs.push(begun.elapsed().as_secs_f64());
                rival.run(&["down"]);
            }
        }
    }
    table.add_beside(
        "containers_start_to_nine_healthy_7_relays_stand_in_vs_docker_compose",
        median(&mut ours),
        "s",
        Some(median(&mut theirs)),
        "≤ 1.1×",
    );
    table.add(
        "containers_start_to_status_saying_nine_ready_7_relays_stand_in",
        median(&mut told),
        "s",
        "reported",
    );
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A node of nine containers: relay, mint, and relays in the place of the others.
struct Nine {
    node: TestNode,
    ids: Vec<String>,
    ports: BTreeMap<String, SocketAddr>,
    key: std::path::PathBuf,
    _folder: tempfile::TempDir,
}

impl Nine {
    fn new() -> Self {
        let node = TestNode::in_containers();
        let mut text = String::new();
        for service in [
            "bitcoind",
            "btcpay",
            "electrs",
            "lnd",
            "nbxplorer",
            "postgres",
            "tor",
        ] {
            text.push_str(&format!("[services.{service}]\nenabled = false\n"));
        }
        let stand_ins = (1..=STAND_INS).map(|number| format!("stand-in-{number}"));
        let ids: Vec<String> = ["relay".to_owned(), "mint".to_owned()]
            .into_iter()
            .chain(stand_ins)
            .collect();
        let mut ports = BTreeMap::new();
        for id in &ids {
            let address = free();
            let manifest = if id == "mint" { "mint" } else { "relay" };
            text.push_str(&format!(
                "[services.{id}]\nmanifest = \"{manifest}\"\nports = {{ http = {} }}\n",
                address.port()
            ));
            ports.insert(id.clone(), address);
        }
        node.file("node.toml", &text);
        let folder = tempfile::tempdir().unwrap();
        let mut nine = Self {
            node,
            ids,
            ports,
            key: folder.path().join("key"),
            _folder: folder,
        };
        // A pass says how long it took where that is asked for.
        nine.node
            .env("FLASH_NODE_LOG", Some("info,flash_node::reconcile=debug"));
        nine.node.up();
        let typed = format!("{PASSPHRASE}\n{PASSPHRASE}\n");
        let made = nine.node.cli_with_input(&["passphrase", "change"], &typed);
        assert!(made.status.success());
        nine.node
            .ok(&["key-file", "add", &nine.key.display().to_string()]);
        nine.wait_ready();
        nine.down();
        nine
    }

    /// Starts the daemon and opens its vault, as an operator with a key file would.
    fn up(&mut self) {
        self.node.up();
        self.node
            .ok(&["unlock", "--key-file", &self.key.display().to_string()]);
    }

    fn down(&mut self) {
        self.node.ok(&["down"]);
        assert_eq!(self.node.wait_for_end(), Some(0));
    }

    fn wait_ready(&self) {
        for id in &self.ids {
            self.node.wait_ready(id);
        }
    }

    /// Waits until every service says at its published port that it is healthy, which the manifests' probes ask as well.
    fn wait_healthy(&self) {
        let begun = Instant::now();
        for (id, address) in &self.ports {
            while !answers(*address, "/health") {
                assert!(begun.elapsed() < PATIENCE, "{id} is not healthy");
                std::thread::sleep(LOOK);
            }
        }
    }

    fn started(&self) -> Vec<Value> {
        let of = |id: &String| self.node.service(id)["started_at"].clone();
        self.ids.iter().map(of).collect()
    }

    fn readoption(&mut self, table: &mut Table) {
        let before = self.started();
        let mut times = Vec::new();
        for _ in 0..ROUNDS {
            self.node.kill_daemon();
            let begun = Instant::now();
            self.up();
            loop {
                let status = self.node.try_status().unwrap_or_default();
                let services = status["services"].as_array();
                if services.is_some_and(|all| {
                    all.len() == self.ids.len() && all.iter().all(|one| one["ready"]["ok"] == true)
                }) {
                    break;
                }
                assert!(begun.elapsed() < PATIENCE, "{status:#}");
                std::thread::sleep(LOOK);
            }
            times.push(begun.elapsed().as_secs_f64());
        }
        assert_eq!(before, self.started(), "no service was restarted");
        table.add(
            "containers_readoption_of_nine_7_relays_stand_in",
            median(&mut times),
            "s",
            "≤ 2",
        );
    }

    /// What the passes of an idle node took, by its own log.
    fn passes(&self, table: &mut Table) {
        let log = self.node.data().join("logs/flash-node.log");
        let before = std::fs::read_to_string(&log).unwrap_or_default().len();
        std::thread::sleep(IDLE);
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        let mut took: Vec<f64> = text
            .get(before..)
            .unwrap_or_default()
            .lines()
            .filter(|line| line.contains("a pass is over") && line.contains("steps=0"))
            .filter_map(|line| line.split("took.us=").nth(1)?.split_whitespace().next())
            .filter_map(|number| number.parse::<f64>().ok())
            .map(|micros| micros / 1000.0)
            .collect();
        assert!(!took.is_empty(), "no pass was logged\n{text}");
        table.add(
            "containers_pass_with_nothing_to_do_nine_services_7_relays_stand_in",
            median(&mut took),
            "ms",
            "≤ 50",
        );
    }
}

fn answers(address: SocketAddr, path: &str) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

/// The same containers, networks and files, described for docker-compose.
struct Compose {
    folder: tempfile::TempDir,
}

impl Compose {
    /// Describes what runs of `nine`, with copies of its files and data.
    fn like(nine: &Nine) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let filter = format!("label=flash.node={}", node_id(nine));
        let mut services = Map::new();
        for id in docker(&["ps", "-q", "--filter", &filter]).lines() {
            let found = inspect(&["inspect", id]);
            let name = found["Config"]["Labels"]["flash.service"].as_str().unwrap();
            services.insert(name.to_owned(), service(name, &found, folder.path()));
        }
        let mut networks = Map::new();
        for id in docker(&["network", "ls", "-q", "--filter", &filter]).lines() {
            let found = inspect(&["network", "inspect", id]);
            let config = &found["IPAM"]["Config"][0];
            let mut options = found["Options"].as_object().cloned().unwrap_or_default();
            options.remove("com.docker.network.bridge.name");
            networks.insert(
                found["Name"].as_str().unwrap().to_owned(),
                json!({
                    "driver": "bridge",
                    "internal": found["Internal"],
                    "driver_opts": options,
                    "ipam": { "config": [{ "subnet": config["Subnet"], "gateway": config["Gateway"] }] },
                }),
            );
        }
        // JSON is YAML.
        let text = json!({ "version": "2.4", "services": services, "networks": networks });
        let file = folder.path().join("docker-compose.yml");
        std::fs::write(file, serde_json::to_string_pretty(&text).unwrap()).unwrap();
        Self { folder }
    }

    fn run(&self, args: &[&str]) {
        let output = Command::new("docker-compose")
            .args(["-p", "flashbench"])
            .args(args)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "docker-compose {args:?}: {said}");
    }
}

fn service(name: &str, found: &Value, folder: &Path) -> Value {
    let (config, host) = (&found["Config"], &found["HostConfig"]);
    let mut volumes = Vec::new();
    for (number, mount) in found["Mounts"].as_array().unwrap().iter().enumerate() {
        let copy = folder.join(name).join(number.to_string());
        std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
        let source = mount["Source"].as_str().unwrap();
        let copied = Command::new("cp")
            .args(["-a", "--sparse=always", source])
            .arg(&copy)
            .status()
            .unwrap();
        assert!(copied.success(), "{source}");
        volumes.push(json!({
            "type": "bind",
            "source": copy,
            "target": mount["Destination"],
            "read_only": mount["RW"] == json!(false),
        }));
    }
    let attached = found["NetworkSettings"]["Networks"].as_object().unwrap();
    let networks: Map<String, Value> = attached
        .iter()
        .map(|(name, on)| {
            let on = json!({ "ipv4_address": on["IPAMConfig"]["IPv4Address"] });
            (name.clone(), on)
        })
        .collect();
    let bound = host["PortBindings"].as_object().cloned();
    let ports: Vec<String> = bound
        .unwrap_or_default()
        .iter()
        .flat_map(|(inside, on)| {
            let on = on.as_array().cloned().unwrap_or_default();
            let inside = inside.clone();
            on.into_iter().map(move |one| {
                let text = |key: &str| one[key].as_str().unwrap().to_owned();
                format!("{}:{}:{inside}", text("HostIp"), text("HostPort"))
            })
        })
        .collect();
    let environment: Vec<Value> = config["Env"].as_array().cloned().unwrap_or_default();
    let environment: Vec<Value> = environment
        .into_iter()
        .filter(|one| one.as_str().is_some_and(|text| text.contains('=')))
        .collect();
    json!({
        "image": found["Image"],
        "entrypoint": config["Entrypoint"],
        "command": config["Cmd"],
        "user": config["User"],
        "environment": environment,
        "working_dir": config["WorkingDir"],
        "read_only": host["ReadonlyRootfs"],
        "cap_drop": host["CapDrop"],
        "security_opt": host["SecurityOpt"],
        "tmpfs": ["/tmp:size=64m,mode=1777"],
        "pids_limit": host["PidsLimit"],
        "mem_limit": host["Memory"],
        "memswap_limit": host["MemorySwap"],
        "shm_size": host["ShmSize"],
        "init": host["Init"],
        "extra_hosts": host["ExtraHosts"].as_array().cloned().unwrap_or_default(),
        "dns": host["Dns"].as_array().cloned().unwrap_or_default(),
        "networks": networks,
        "ports": ports,
        "volumes": volumes,
        "stop_signal": config["StopSignal"],
        "restart": "no",
    })
}

fn node_id(nine: &Nine) -> String {
    let text = std::fs::read_to_string(nine.node.data().join("node.json")).unwrap();
    let card: Value = serde_json::from_str(&text).unwrap();
    card["node_id"].as_str().unwrap().to_owned()
}

fn docker(args: &[&str]) -> String {
    let output = Command::new("docker").args(args).output().unwrap();
    assert!(output.status.success(), "docker {args:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn inspect(args: &[&str]) -> Value {
    let all: Value = serde_json::from_str(&docker(args)).unwrap();
    all[0].clone()
}
