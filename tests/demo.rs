//! The demo as a newcomer gets it.

mod node;

use std::path::Path;
use std::process::Command;

use node::TestNode;

#[test]
fn the_demo_comes_up_with_relay_and_mint_ready_and_goes_down_without_a_trace() {
    let mut demo = TestNode::started("demo");
    let relay = demo.wait_ready("relay");
    let mint = demo.wait_ready("mint");
    assert!(
        relay["endpoints"][0]["url"]
            .as_str()
            .is_some_and(|url| url.starts_with("ws://127.0.0.1:"))
    );
    assert!(
        mint["endpoints"][0]["url"]
            .as_str()
            .is_some_and(|url| url.starts_with("http://127.0.0.1:"))
    );
    assert_eq!(demo.status()["play_money"], true);
    demo.ok(&["down"]);
    assert_eq!(demo.wait_for_end(), Some(0));
    assert_eq!(demo.processes(), Vec::new(), "nothing stays running");
}

#[test]
fn what_make_up_starts_make_down_stops() {
    let demo = TestNode::new("demo");
    let alone = node::alone();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let target = node::programs_folder().join("..");
    let script = |name: &str| {
        #[expect(
            clippy::disallowed_methods,
            reason = "the test runs what the Makefile runs"
        )]
        let output = Command::new(root.join("scripts").join(name))
            .arg("demo")
            .env("CARGO_TARGET_DIR", &target)
            .env("FLASH_NODE_DATA", demo.data())
            .output()
            .expect("the script runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{name}: {text}{errors}");
        text
    };
    let told = script("up");
    drop(alone);
    for service in ["relay", "mint"] {
        assert_eq!(demo.service(service)["ready"]["ok"], true, "{told}");
    }
    assert!(
        told.contains("the node is ready") && told.contains("to stop: "),
        "{told}"
    );
    script("down");
    assert_eq!(demo.processes(), Vec::new(), "nothing stays running");
    assert!(
        demo.data().join("state.db").exists(),
        "its data are still there"
    );
}
