//! `make bench`: prints a table and writes `bench.json` into the target folder.
//!
//! Shape: `{name: {value, unit, rival, ratio, aim, measured_at}}`; `rival` is the rival's value in the same unit, `ratio`
//! is value through rival, both null where there is none; `aim` is in words, null where there is none; `measured_at` in
//! seconds since 1970. The name of a benchmark names its rival and its stand-ins.
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

#[path = "bench/api.rs"]
mod api;
#[path = "bench/containers.rs"]
mod containers;
#[path = "bench/daemon.rs"]
mod daemon;
mod node;
#[path = "bench/page.rs"]
mod page;
#[path = "bench/plan.rs"]
mod plan;
#[path = "bench/services.rs"]
mod services;
#[path = "bench/table.rs"]
mod table;

use std::path::PathBuf;

pub use table::Table;

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
    if wanted("api") {
        api::all(&mut table);
    }
    if wanted("page") {
        page::first_load(&mut table);
    }
    if wanted("containers") {
        containers::all(&mut table);
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
    // What was not measured this time stays as it was measured last, unless all of it was.
    let before = if only.is_empty() {
        String::new()
    } else {
        std::fs::read_to_string(&path).unwrap_or_default()
    };
    std::fs::write(&path, table.merged_into(&before)).unwrap();
    println!("written to {}", path.display());
}
