//! `make bench`: prints a table and writes `bench.json` into the target folder.
//!
//! Shape: `{name: {value, unit, rival, ratio}}`; `rival` is the rival's value in the same unit, `ratio` is value
//! through rival, both null where there is none. The name of a benchmark names its rival and its stand-ins.
//! It proves nothing: a value beside its aim is shown, and fails nothing, for machines differ.

#![allow(unreachable_pub, reason = "the parts of this target share their items")]
#![allow(
    clippy::disallowed_methods,
    reason = "a measurement starts programs and watches the real clock"
)]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the table is the program's output"
)]
#![allow(
    clippy::unwrap_used,
    reason = "a measurement that cannot be made ends with the place that failed"
)]

#[path = "bench/daemon.rs"]
mod daemon;
mod node;
#[path = "bench/plan.rs"]
mod plan;
#[path = "bench/services.rs"]
mod services;

use std::path::PathBuf;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

/// What was measured, as it comes in.
#[derive(Default)]
pub struct Table {
    rows: Map<String, Value>,
}

impl Table {
    /// Adds a row and prints it. `aim` is what the value should reach, in words.
    pub fn add(&mut self, name: &str, value: f64, unit: &str, aim: &str) {
        self.add_beside(name, value, unit, None, aim);
    }

    /// Adds a row with a rival's value in the same unit.
    pub fn add_beside(
        &mut self,
        name: &str,
        value: f64,
        unit: &str,
        rival: Option<f64>,
        aim: &str,
    ) {
        let short = |number: f64| (number * 1000.0).round() / 1000.0;
        let ratio = rival
            .filter(|rival| *rival != 0.0)
            .map(|rival| value / rival);
        let cell = |number: Option<f64>| {
            number.map_or_else(|| "-".to_owned(), |number| short(number).to_string())
        };
        println!(
            "{name:<58} {:>10} {unit:<9} {:>10} {:>7}  {aim}",
            short(value),
            cell(rival),
            cell(ratio)
        );
        self.rows.insert(
            name.to_owned(),
            json!({"value": short(value), "unit": unit, "rival": rival.map(short), "ratio": ratio.map(short)}),
        );
    }
}

fn main() {
    let only: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with("--"))
        .collect();
    let wanted = |name: &str| only.is_empty() || only.iter().any(|one| one == name);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("load average at the start: {}", load.trim());
    println!(
        "{:<58} {:>10} {:<9} {:>10} {:>7}  aim",
        "benchmark", "value", "unit", "rival", "ratio"
    );
    let mut table = Table::default();
    if wanted("plan") {
        for (name, services, runs) in [("10", 10, 101), ("1000", 1000, 11)] {
            let idle = plan::time(services, plan::Question::NothingDue, runs);
            let full = plan::time(services, plan::Question::EverythingChanged, runs);
            table.add(
                &format!("plan_nothing_due_{name}_services"),
                idle.as_secs_f64() * 1000.0,
                "ms",
                "",
            );
            table.add(
                &format!("plan_everything_changed_{name}_services"),
                full.as_secs_f64() * 1000.0,
                "ms",
                "",
            );
        }
    }
    if wanted("start") {
        daemon::start(&mut table);
    }
    if wanted("readoption") {
        daemon::readoption(&mut table);
    }
    if wanted("idle") {
        daemon::idle(&mut table);
    }
    if wanted("relay") {
        services::relay(&mut table);
    }
    if wanted("mint") {
        services::mint(&mut table);
    }
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("load average at the end: {}", load.trim());
    let path = std::env::var_os("FLASH_BENCH_JSON")
        .map_or_else(|| PathBuf::from("bench.json"), PathBuf::from);
    let text = serde_json::to_string_pretty(&Value::Object(table.rows)).unwrap();
    std::fs::write(&path, text + "\n").unwrap();
    println!("written to {}", path.display());
}
