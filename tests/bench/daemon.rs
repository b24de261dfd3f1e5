//! Measures the orchestrator itself: how fast it is there, how fast it finds what runs, what it costs when idle.

use std::collections::BTreeMap;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;

use crate::Table;
use crate::node::PATIENCE;
use crate::node::TestNode;

const STARTS: usize = 10;
const IDLE: Duration = Duration::from_secs(30);
/// How often an answer is looked for: fine enough beside the aims, coarse enough not to slow the daemon.
const LOOK: Duration = Duration::from_millis(5);

/// Start to the first answer of the HTTP API, in an empty folder and in one whose services were stopped.
pub fn start(table: &mut Table) {
    let mut cold = Vec::new();
    let mut existing = Vec::new();
    let address = free();
    let mut kept = node(address);
    up(&mut kept, address);
    for _ in 0..STARTS {
        let address = free();
        let mut fresh = node(address);
        cold.push(up(&mut fresh, address));
    }
    for _ in 0..STARTS {
        kept.ok(&["down"]);
        assert_eq!(kept.wait_for_end(), Some(0));
        existing.push(up(&mut kept, address));
    }
    table.add(
        "start_to_api_cold_folder",
        median(&mut cold).as_secs_f64(),
        "s",
        "≤ 1",
    );
    table.add(
        "start_to_api_existing_folder",
        median(&mut existing).as_secs_f64(),
        "s",
        "≤ 1",
    );
}

/// kill -9 of the daemon, then start to nine services seen ready again, none of them restarted.
pub fn readoption(table: &mut Table) {
    let address = free();
    let mut nine = node(address);
    // Relay and mint are real; seven more relays stand in for the services that this machine may not have.
    let stand_ins: Vec<String> = (1..=7).map(|number| format!("stand-in-{number}")).collect();
    let text: String = stand_ins
        .iter()
        .map(|id| format!("[services.{id}]\nmanifest = \"relay\"\n"))
        .collect();
    nine.file("node.toml", &text);
    up(&mut nine, address);
    ready(address, 9);
    let ids: Vec<String> = stand_ins
        .into_iter()
        .chain(["relay".to_owned(), "mint".to_owned()])
        .collect();
    let pids = |node: &TestNode| -> BTreeMap<String, u32> {
        ids.iter()
            .map(|id| (id.clone(), node.service_pid(id).expect("it runs")))
            .collect()
    };
    let before = pids(&nine);
    let mut times = Vec::new();
    for _ in 0..5 {
        nine.kill_daemon();
        let begun = Instant::now();
        nine.spawn();
        ready(address, 9);
        times.push(begun.elapsed());
        assert_eq!(pids(&nine), before, "no service was restarted");
    }
    let name = "readoption_of_nine_services_seven_flash_relay_stand_ins";
    table.add(
        name,
        median(&mut times).as_secs_f64(),
        "s",
        "≤ 2, none restarted",
    );
    nine.ok(&["down"]);
    nine.wait_for_end();
}

/// What the daemon of a settled demo takes while nobody asks it anything.
pub fn idle(table: &mut Table) {
    let address = free();
    let mut demo = node(address);
    up(&mut demo, address);
    ready(address, 2);
    // The last pass of the start, and what it wrote, are not idleness.
    std::thread::sleep(Duration::from_secs(12));
    let pid = demo.daemon_pid();
    let (begun, before) = (Instant::now(), cpu(pid));
    std::thread::sleep(IDLE);
    let share = (cpu(pid) - before) / begun.elapsed().as_secs_f64() * 100.0;
    table.add(
        "idle_cpu_of_flash_node_in_demo",
        share,
        "% of core",
        "≤ 0.5",
    );
    let mib = |key: &str| {
        let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
        let line = text
            .lines()
            .find(|line| line.starts_with(key))
            .expect("the kernel says so");
        let kib: f64 = line
            .split_whitespace()
            .nth(1)
            .expect("a number")
            .parse()
            .unwrap();
        kib / 1024.0
    };
    table.add("idle_rss_of_flash_node_in_demo", mib("Rss:"), "MiB", "≤ 64");
    table.add("idle_pss_of_flash_node_in_demo", mib("Pss:"), "MiB", "≤ 64");
    demo.ok(&["down"]);
    demo.wait_for_end();
}

pub fn node(address: SocketAddr) -> TestNode {
    let mut node = TestNode::new("demo");
    node.arg("--listen").arg(&address.to_string());
    node
}

/// Starts the daemon. Returns how long the first answer took.
pub fn up(node: &mut TestNode, address: SocketAddr) -> Duration {
    let begun = Instant::now();
    node.spawn();
    while status(address).is_none() {
        assert!(
            begun.elapsed() < PATIENCE,
            "the API does not answer\n{}",
            node.daemon_log()
        );
        std::thread::sleep(LOOK);
    }
    begun.elapsed()
}

/// Waits until `count` services are there and every one is ready.
pub fn ready(address: SocketAddr, count: usize) {
    let begun = Instant::now();
    loop {
        let now = status(address);
        let services = now.as_ref().and_then(|now| now["services"].as_array());
        if services.is_some_and(|all| {
            all.len() == count && all.iter().all(|one| one["ready"]["ok"] == true)
        }) {
            return;
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "not all services are ready: {now:#?}"
        );
        std::thread::sleep(LOOK);
    }
}

/// Asks the HTTP API for the status; nothing where it does not answer with one.
fn status(address: SocketAddr) -> Option<Value> {
    let mut stream = TcpStream::connect(address).ok()?;
    let ask =
        format!("GET /api/v1/status HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(ask.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    if !head.starts_with("HTTP/1.1 200") {
        return None;
    }
    serde_json::from_str(body).ok()
}

/// Processor time of a process so far. Units: seconds; the kernel counts in hundredths.
fn cpu(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, after_name) = stat.rsplit_once(')').expect("the name is in brackets");
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    ticks / 100.0
}

/// An address that nobody uses now.
pub fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
