//! The demo as a newcomer gets it.

mod node;
#[path = "bench/table.rs"]
mod table;

use std::path::Path;
use std::process::Command;

use node::TestNode;
use serde_json::Value;
use table::Table;

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
fn advisories_of_the_release_are_known_and_a_forged_file_is_refused() {
    let demo = TestNode::started("demo");
    // No version that ships is one to be warned of.
    let told = demo.ok(&["advisories", "list"]);
    assert!(
        told.contains("FLASH-2026-0001") && told.contains("btcpay: no version of this node"),
        "{told}"
    );
    let release = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/advisory");
    let file = demo.data().with_file_name("advisories.toml");
    let signature = demo.data().with_file_name("advisories.toml.minisig");
    let path = file.display().to_string();
    let text = std::fs::read_to_string(release.join("shipped.toml")).expect("a file");
    std::fs::write(&file, &text).expect("a file");
    let refused = |told: &str| {
        let output = demo.cli(&["advisories", "import", &path]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_ne!(output.status.code(), Some(0), "{said}");
        assert!(said.contains(told), "{said}");
    };
    refused(".minisig");
    std::fs::copy(release.join("shipped.toml.minisig"), &signature).expect("a file");
    let told = demo.ok(&["advisories", "import", &path]);
    assert!(told.contains("known already"), "{told}");
    // A warning less, or one more, is not what the release said.
    std::fs::write(&file, text.replace("serial = 1", "serial = 2")).expect("a file");
    refused("not signed by the key of this release");
    let told = demo.ok(&["advisories", "list"]);
    assert!(told.contains("(no. 1, of this release)"), "{told}");
}

#[test]
fn what_a_removed_service_left_is_listed_until_it_is_purged() {
    let demo = TestNode::started("demo");
    demo.wait_ready("relay");
    assert_eq!(demo.ok(&["removed"]), "");
    let title = demo.service("relay")["title"].clone();
    // One that does not hear stays a while: it is called as before.
    let pid = demo.service_pid("relay").expect("it runs");
    node::send(pid, "-STOP");
    demo.ok(&["remove", "relay"]);
    let stopping = demo.wait_service("relay", "to be wanted no more", |relay| {
        relay["wanted"] == false
    });
    assert_eq!(
        (&stopping["title"], &stopping["state"]),
        (&title, &Value::from("stopping"))
    );
    node::send(pid, "-CONT");
    let left = demo.ok(&["removed"]);
    let folder = demo.data().join("volumes/relay");
    assert!(
        left.starts_with("relay  ") && left.contains(&folder.display().to_string()),
        "{left}"
    );
    demo.wait("the relay to be gone", |demo| {
        let services = demo.status()["services"].clone();
        let mut services = services.as_array().into_iter().flatten();
        services.all(|one| one["id"] != "relay")
    });
    demo.ok(&["purge", "relay", "--confirm", "relay"]);
    assert_eq!(demo.ok(&["removed"]), "");
    assert!(!folder.exists());
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

#[test]
fn a_wait_of_a_test_ends_with_the_daemon_and_shows_the_node() {
    let mut node = TestNode::new("mainnet");
    node.spawn();
    let wait = || node.wait("what never comes", |_| false);
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(wait));
    let text = panic.expect_err("it fails").downcast::<String>();
    let text = text.expect("a message");
    for part in [
        "waited for what never comes, but the daemon ended with Some(78)",
        "status: ",
        "processes:",
        "records:",
        "mainnet does not run as processes",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn the_summary_of_all_tests_names_what_failed_and_what_it_said() {
    let log = "test a::fine ... ok\ntest b::broken ... FAILED\n\nsuccesses:\n\n---- a::fine stdout ----\nall is well\n\n\
               failures:\n\n---- b::broken stdout ----\n\nthread 'b::broken' panicked at b.rs:1:2:\nwaited in vain\n\n\
               failures:\n    b::broken\n\ntest result: FAILED. 1 passed; 1 failed; 0 ignored\n";
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), log).expect("written");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let said = |what: &str| {
        #[expect(
            clippy::disallowed_methods,
            reason = "the test runs what scripts/test runs"
        )]
        let output = Command::new(root.join("scripts/failures"))
            .arg(what)
            .arg(file.path())
            .output()
            .expect("the script runs");
        String::from_utf8(output.stdout).expect("text")
    };
    assert_eq!(said("names"), "b::broken\n");
    let texts = said("texts");
    assert!(
        texts.contains("---- b::broken") && texts.contains("waited in vain"),
        "{texts}"
    );
    assert!(!texts.contains("all is well"), "{texts}");
    // Of a long text the begin and the end are shown.
    let long: String = (0..500).map(|number| format!("line {number}\n")).collect();
    std::fs::write(file.path(), log.replace("waited in vain\n", &long)).expect("written");
    let texts = said("texts");
    assert!(
        texts.contains("line 0\n") && texts.contains("line 499\n") && !texts.contains("line 250\n"),
        "{texts}"
    );
    let summary = std::fs::read_to_string(root.join("scripts/test")).expect("there");
    let at = |what: &str| summary.rfind(what).expect("it is printed");
    assert!(
        at("failures texts") < at("Stages ("),
        "the texts come before the table"
    );
    assert!(
        at("Stages (") < at("Failing tests:"),
        "the names come after it"
    );
}

#[test]
fn the_table_of_measurements_keeps_its_form_and_the_rows_of_an_earlier_run() {
    let mut first = Table::default();
    first.add("alone", 1.23456, "ms", "≤ 2");
    first.add_beside("beside", 3.0, "swaps/s", Some(2.0), "");
    let before = first.merged_into("");
    let mut second = Table::default();
    second.add("alone", 1.5, "ms", "≤ 2");
    // A row of a form that says not when it was measured is not kept.
    let before = before.replacen('{', "{\"old\": { \"value\": 1.0 },", 1);
    let mut merged: Value = serde_json::from_str(&second.merged_into(&before)).expect("JSON");
    for (_, row) in merged.as_object_mut().expect("rows") {
        let at = row
            .as_object_mut()
            .and_then(|row| row.remove("measured_at"));
        let at = at.and_then(|at| at.as_u64());
        assert!(at.is_some_and(|at| at > 1_700_000_000), "{at:?}");
    }
    let expected = serde_json::json!({
        "alone": { "value": 1.5, "unit": "ms", "rival": null, "ratio": null, "aim": "≤ 2" },
        "beside": { "value": 3.0, "unit": "swaps/s", "rival": 2.0, "ratio": 1.5, "aim": null },
    });
    assert_eq!(merged, expected);
    let anew: Value = serde_json::from_str(&second.merged_into("half a fi")).expect("JSON");
    assert_eq!(anew.as_object().map(serde_json::Map::len), Some(1));
}

#[test]
fn services_have_identities_of_their_own_below_folders_that_up_made() {
    let demo = TestNode::new("demo");
    let data = demo.data().join("flash-node").join("demo");
    let alone = node::alone();
    let run = |words: &[&str]| {
        #[expect(
            clippy::disallowed_methods,
            reason = "the test names a folder that is not there yet, with its parents"
        )]
        let output = Command::new(env!("CARGO_BIN_EXE_flash-node"))
            .arg("--data")
            .arg(&data)
            .args(words)
            .output()
            .expect("the program runs");
        assert!(output.status.success(), "{words:?}: {output:?}");
        String::from_utf8(output.stdout).expect("text")
    };
    run(&["up", "--detach"]);
    drop(alone);
    let status: Value = serde_json::from_str(&run(&["status", "--json"])).expect("JSON");
    let lacks: Vec<&str> = status["services"][0]["not_enforced"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|code| code.as_str())
        .collect();
    // The owner of the process says who runs the services: only root can give them identities of their own.
    let owner = std::os::unix::fs::MetadataExt::uid(
        &std::fs::metadata("/proc/self").expect("this process"),
    );
    assert_eq!(lacks.contains(&"own_uid"), owner != 0, "{lacks:?}");
    run(&["down"]);
    assert_eq!(demo.processes(), Vec::new(), "nothing stays running");
}
