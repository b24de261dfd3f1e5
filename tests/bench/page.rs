//! Measures the dashboard as a new visitor meets it: Debian's Chromium with an empty cache, until the overview is there.

use std::path::Path;
use std::process::Command;

use crate::Table;
use crate::api::own;
use crate::api::percentile;
use crate::daemon::free;
use crate::daemon::node;
use crate::daemon::ready;
use crate::daemon::up;
use crate::node::skip;

const TIMES: usize = 9;

/// How long a new visitor waits who is signed in; the slowest and the median of some.
pub fn first_load(table: &mut Table) {
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../web-admin");
    let browser = std::env::var("CHROMIUM").unwrap_or_else(|_| "/usr/bin/chromium".to_owned());
    if !Path::new(&browser).exists() || !pages.join("node_modules").exists() {
        skip(
            "the first load of the dashboard: it needs Debian's chromium, and what scripts/web installs",
        );
        return;
    }
    let address = free();
    let mut demo = node(address);
    up(&mut demo, address);
    ready(address, 2);
    let cookie = own(&demo, address);
    let measured = Command::new("npm")
        .args(["run", "--silent", "first-load", "--"])
        .args([&format!("http://{address}"), &cookie, &TIMES.to_string()])
        .current_dir(&pages)
        .output()
        .unwrap();
    let text = String::from_utf8(measured.stdout).unwrap();
    let mut times: Vec<std::time::Duration> = text
        .lines()
        .map(|line| std::time::Duration::from_secs_f64(line.parse::<f64>().unwrap() / 1000.0))
        .collect();
    let why = String::from_utf8_lossy(&measured.stderr);
    assert_eq!(times.len(), TIMES, "{why}");
    for (name, share) in [("median", 0.5), ("slowest_of_9", 1.0)] {
        table.add(
            &format!("page_first_load_of_the_overview_{name}"),
            percentile(&mut times, share),
            "ms",
            "≤ 1000",
        );
    }
    demo.ok(&["down"]);
    demo.wait_for_end();
}
