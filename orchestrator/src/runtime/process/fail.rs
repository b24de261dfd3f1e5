//! Owns the points at which a test kills the process: node, supervisor or starting program.
//!
//! A folder of records that holds a file `failpoint` with a point's name kills whoever reaches that point, once;
//! with `pause` before the name it holds it up for a second instead, so that others can overtake it.
//! Without the feature `test-util` every point is empty.

use std::path::Path;

/// Every point, in the order in which a start passes them.
#[cfg(feature = "test-util")]
pub const POINTS: [&str; 13] = [
    "ensure_locked",
    "ensure_laid_out",
    "ensure_recorded",
    "ensure_unlocked",
    "ensure_launched",
    "shim_begun",
    "shim_locked",
    "shim_decided",
    "shim_spawned",
    "stage_begun",
    "stage_checked",
    "stage_recorded",
    "shim_started",
];

/// Ends the process at once, as kill -9 would, where a test asked for it.
#[cfg(feature = "test-util")]
pub(crate) fn point(dir: &Path, name: &str) {
    let file = dir.join("failpoint");
    let Ok(wanted) = std::fs::read_to_string(&file) else {
        return;
    };
    if wanted == format!("pause {name}") {
        let _ = std::fs::remove_file(&file);
        std::thread::sleep(std::time::Duration::from_secs(1));
    } else if wanted == name {
        let _ = std::fs::remove_file(&file);
        let own = rustix::process::getpid();
        let _ = rustix::process::kill_process(own, rustix::process::Signal::KILL);
    }
}

/// Does nothing outside tests.
#[cfg(not(feature = "test-util"))]
pub(crate) fn point(_dir: &Path, _name: &str) {}
