//! Programs that share no code with ours, against the demo: nostr-tools, cashu-ts and Nutshell's wallet.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "it runs the clients and shows what they say"
)]

mod node;

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use node::TestNode;
use node::skip;

const SET_UP: &str = "run tests/foreign/setup";

fn foreign() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package
        .join("../tests/foreign")
        .canonicalize()
        .expect("the folder of the foreign clients")
}

/// What a client needs, or nothing where it was not installed; a mark in the wrong state is no install.
fn installed(mark: &str, list: &str, programs: &[&str]) -> bool {
    let read = |name: &str| std::fs::read(foreign().join(name)).ok();
    let same = read(mark).is_some_and(|done| Some(done) == read(list));
    same && programs.iter().all(|name| foreign().join(name).exists())
}

/// Runs a client to its end; prints what it said and fails where it failed or checked less than it should.
fn passes(command: &mut Command, least_checks: usize) {
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

const NODE: &str = "cashu-ts/node_modules/.bin/node";

#[test]
fn nostr_tools_publishes_authenticates_and_reads_a_private_message() {
    let lock = "nostr/package-lock.json";
    let have = installed(
        "nostr/node_modules/.flash-lock",
        lock,
        &["nostr/node_modules", NODE],
    );
    if !have {
        return skip(&format!("nostr-tools is not installed: {SET_UP}"));
    }
    let mut demo = TestNode::started("demo");
    demo.wait_ready("relay");
    let url = demo.endpoint("relay", "nostr");
    passes(
        Command::new(foreign().join(NODE))
            .arg("relay.mjs")
            .arg(url)
            .current_dir(foreign().join("nostr")),
        13,
    );
    demo.ok(&["down"]);
    assert_eq!(demo.wait_for_end(), Some(0));
}

#[test]
fn cashu_ts_mints_sends_and_receives() {
    let lock = "cashu-ts/package-lock.json";
    if !installed("cashu-ts/node_modules/.flash-lock", lock, &[NODE]) {
        return skip(&format!("cashu-ts is not installed: {SET_UP}"));
    }
    let mut demo = TestNode::started("demo");
    demo.wait_ready("mint");
    let url = demo.endpoint("mint", "cashu");
    passes(
        Command::new(foreign().join(NODE))
            .arg("wallet.mjs")
            .arg(url)
            .current_dir(foreign().join("cashu-ts")),
        9,
    );
    demo.ok(&["down"]);
    assert_eq!(demo.wait_for_end(), Some(0));
}

#[test]
fn the_wallet_of_nutshell_mints_sends_and_receives() {
    let list = "cashu-py/requirements.txt";
    if !installed(".venv/requirements.done", list, &[".venv/bin/cashu"]) {
        return skip(&format!("the wallet `cashu` is not installed: {SET_UP}"));
    }
    let mut demo = TestNode::started("demo");
    demo.wait_ready("mint");
    let url = demo.endpoint("mint", "cashu");
    passes(
        Command::new(foreign().join("cashu-py/wallet.sh"))
            .arg(url)
            .env("VENV", foreign().join(".venv")),
        6,
    );
    demo.ok(&["down"]);
    assert_eq!(demo.wait_for_end(), Some(0));
}
