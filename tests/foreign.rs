//! Programs that share no code with ours, against the demo: nostr-tools, cashu-ts and Nutshell's wallet.

#![allow(clippy::disallowed_methods, reason = "it runs the clients")]

#[path = "node/foreign.rs"]
mod client;
mod node;

use std::process::Command;

use client::SET_UP;
use client::foreign;
use client::installed;
use client::passes;
use node::TestNode;
use node::skip;

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
    if !installed(
        ".venv/cashu-py/requirements.done",
        list,
        &[".venv/cashu-py/bin/cashu"],
    ) {
        return skip(&format!("the wallet `cashu` is not installed: {SET_UP}"));
    }
    let mut demo = TestNode::started("demo");
    demo.wait_ready("mint");
    let url = demo.endpoint("mint", "cashu");
    passes(
        Command::new(foreign().join("cashu-py/wallet.sh"))
            .arg(url)
            .env("VENV", foreign().join(".venv/cashu-py")),
        6,
    );
    demo.ok(&["down"]);
    assert_eq!(demo.wait_for_end(), Some(0));
}
