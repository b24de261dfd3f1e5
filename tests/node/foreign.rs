//! Owns how programs of others are run that `tests/foreign/setup` installs.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each target that holds it uses a part of it"
)]
#![allow(clippy::print_stdout, reason = "it shows what the clients say")]

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

pub const SET_UP: &str = "run tests/foreign/setup";

pub fn foreign() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package
        .join("../tests/foreign")
        .canonicalize()
        .expect("the folder of the foreign clients")
}

/// What a client needs, or nothing where it was not installed; a mark in the wrong state is no install.
pub fn installed(mark: &str, list: &str, programs: &[&str]) -> bool {
    let read = |name: &str| std::fs::read(foreign().join(name)).ok();
    let same = read(mark).is_some_and(|done| Some(done) == read(list));
    same && programs.iter().all(|name| foreign().join(name).exists())
}

/// Runs a client to its end; prints what it said and fails where it failed or checked less than it should.
pub fn passes(command: &mut Command, least_checks: usize) {
    let output = command.output().expect("the client starts");
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    assert!(
        output.status.success(),
        "{command:?} failed with {:?}\n{said}\n{}",
        output.status.code(),
        String::from_utf8_lossy(&output.stderr)
    );
    let checks = said.lines().filter(|line| line.starts_with("ok ")).count();
    assert!(checks >= least_checks, "only {checks} checks ran\n{said}");
}
