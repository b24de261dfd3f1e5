//! Owns the metrics: the status as gauges, restarts as they are seen, and what the daemon itself uses.
//!
//! The registry is made anew for each scrape, so a removed service leaves nothing behind.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::status::NodeStatus;
use crate::status::ServiceStatus;
use crate::status::Signal;

type Labels = Vec<(&'static str, String)>;
type Flags = Family<Labels, Gauge>;
type Reals = Family<Labels, Gauge<f64, AtomicU64>>;
type Counts = Family<Labels, prometheus_client::metrics::counter::Counter>;

/// What is counted between two scrapes.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    starts: Mutex<BTreeMap<String, Starts>>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Starts {
    started_at: Option<u64>,
    restarts: u64,
}

impl Metrics {
    /// Notes each service that was started again since it was last looked at.
    pub(super) fn observe(&self, status: &NodeStatus) {
        let mut starts = self.starts.lock().unwrap_or_else(PoisonError::into_inner);
        for service in &status.services {
            let known = starts.entry(service.id.clone()).or_default();
            if let Some(at) = service.started_at {
                if known.started_at.is_some_and(|before| before != at) {
                    known.restarts += 1;
                }
                known.started_at = Some(at);
            }
        }
    }

    /// Writes every metric as text. `events` is the cursor of the newest event.
    pub(super) fn encode(
        &self,
        status: &NodeStatus,
        events: u64,
    ) -> Result<String, std::fmt::Error> {
        self.observe(status);
        let mut registry = Registry::default();
        register_node(&mut registry, status, events);
        self.register_services(&mut registry, status);
        register_process(&mut registry);
        let mut text = String::new();
        encode(&mut text, &registry)?;
        Ok(text)
    }

    fn register_services(&self, registry: &mut Registry, status: &NodeStatus) {
        let (signals, states) = (Flags::default(), Flags::default());
        let (started, restarts) = (Reals::default(), Counts::default());
        let starts = self.starts.lock().unwrap_or_else(PoisonError::into_inner);
        for service in &status.services {
            for (name, signal) in signals_of(service) {
                set_signal(&signals, &service.id, name, signal);
            }
            let labels = vec![
                ("service", service.id.clone()),
                ("state", service.state.clone()),
            ];
            states.get_or_create(&labels).set(1);
            let labels = vec![("service", service.id.clone())];
            if let Some(at) = service.started_at {
                started.get_or_create(&labels).set(seconds(at));
            }
            let count = starts.get(&service.id).map_or(0, |known| known.restarts);
            restarts.get_or_create(&labels).inc_by(count);
        }
        registry.register(
            "flash_node_service_signal",
            "Each signal of each service: 1 at the state it has, 0 at the others",
            signals,
        );
        registry.register(
            "flash_node_service_state",
            "The reconciler's state of each service",
            states,
        );
        registry.register(
            "flash_node_service_start_time_seconds",
            "When the running program was started, since the Unix epoch",
            started,
        );
        registry.register(
            "flash_node_service_restarts",
            "Starts seen since the daemon started, beyond the first",
            restarts,
        );
    }
}

fn signals_of(service: &ServiceStatus) -> [(&'static str, &Signal); 3] {
    [
        ("alive", &service.alive),
        ("ready", &service.ready),
        ("synced", &service.synced),
    ]
}

fn set_signal(family: &Flags, service: &str, name: &str, signal: &Signal) {
    let has = match signal.ok {
        Some(true) => "true",
        Some(false) => "false",
        None => "unknown",
    };
    for state in ["true", "false", "unknown"] {
        let labels = vec![
            ("service", service.to_owned()),
            ("signal", name.to_owned()),
            ("state", state.to_owned()),
        ];
        family.get_or_create(&labels).set(i64::from(state == has));
    }
}

fn register_node(registry: &mut Registry, status: &NodeStatus, events: u64) {
    let build = vec![
        ("version", status.version.clone()),
        ("profile", status.profile.clone()),
        ("network", status.network.clone()),
    ];
    registry.register("flash_node_build", "The running version", Info::new(build));
    let vault = Flags::default();
    for state in ["open", "sealed", "self_unsealing"] {
        vault
            .get_or_create(&vec![("state", state.to_owned())])
            .set(i64::from(state == status.vault.state));
    }
    registry.register("flash_node_vault", "The state of the vault", vault);
    registry.register(
        "flash_node_events",
        "Events in the node's history, counted since its first start",
        ConstCounter::new(events),
    );
    registry.register(
        "flash_node_play_money",
        "1 where nothing on this node is worth anything",
        ConstGauge::new(i64::from(status.play_money)),
    );
}

fn register_process(registry: &mut Registry) {
    let usage = Usage::read();
    if let Some(bytes) = usage.resident_bytes {
        registry.register(
            "process_resident_memory_bytes",
            "Memory of the daemon that lies in RAM",
            ConstGauge::new(i64::try_from(bytes).unwrap_or(i64::MAX)),
        );
    }
    if let Some(seconds) = usage.cpu_seconds {
        registry.register(
            "process_cpu_seconds",
            "CPU time that the daemon used",
            ConstCounter::new(seconds),
        );
    }
    if let Some(count) = usage.open_files {
        registry.register(
            "process_open_fds",
            "Files and sockets that the daemon holds open",
            ConstGauge::new(i64::try_from(count).unwrap_or(i64::MAX)),
        );
    }
}

/// What the daemon's own process uses, as Linux tells it; a figure that cannot be read is left out.
#[derive(Debug)]
struct Usage {
    resident_bytes: Option<u64>,
    cpu_seconds: Option<f64>,
    open_files: Option<usize>,
}

impl Usage {
    fn read() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").ok();
        let stat = std::fs::read_to_string("/proc/self/stat").ok();
        Self {
            resident_bytes: status.as_deref().and_then(resident_bytes),
            cpu_seconds: stat.as_deref().and_then(cpu_seconds),
            open_files: std::fs::read_dir("/proc/self/fd").ok().map(Iterator::count),
        }
    }
}

/// Source: proc_pid_status(5), `VmRSS`, in units of 1024 bytes.
pub(super) fn resident_bytes(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// Source: proc_pid_stat(5), fields 14 (utime) and 15 (stime), in ticks of 1/100 s: `USER_HZ` is 100 on every
/// architecture that this project builds for.
pub(super) fn cpu_seconds(stat: &str) -> Option<f64> {
    // The second field is the program's name in brackets and may hold anything: count from its end.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    Some((f64::from(user) + f64::from(system)) / 100.0)
}

/// Turns milliseconds into the seconds that Prometheus counts in.
fn seconds(millis: u64) -> f64 {
    let span = std::time::Duration::from_millis(millis);
    span.as_secs_f64()
}
