//! The vault of a running node: every way in, a sealed start, and no secret anywhere it does not belong.

mod inspect;
mod leak;
mod node;
#[path = "node/redis.rs"]
mod redis;

use std::process::Output;

use leak::Secret;
use node::TestNode;
use node::program;
use node::send;
use node::skip;
use serde_json::Value;

const FIRST: &str = "correct horse battery staple";
const SECOND: &str = "another long sentence of words";

/// A demo with ports that no other node takes while this one is down for a moment.
fn demo() -> TestNode {
    let mut node = TestNode::new("demo");
    node.with_own_ports("");
    node.up();
    node
}

fn vault(node: &TestNode) -> String {
    let status = node.status();
    status["vault"]["state"]
        .as_str()
        .expect("a state")
        .to_owned()
}

/// Who a service is, beyond doubt: its process, and since when it runs.
fn identity(node: &TestNode, service: &str) -> (u32, Value) {
    let pid = node.service_pid(service).expect("it runs");
    (pid, node.service(service)["started_at"].clone())
}

/// A demo whose vault has a passphrase, and its recovery key.
fn with_passphrase(node: &TestNode) -> String {
    assert_eq!(
        vault(node),
        "self_unsealing",
        "the demo needs no passphrase at first"
    );
    let said = done(&node.cli_with_input(&["passphrase", "change"], &format!("{FIRST}\n")));
    let shown = said.lines().find_map(|line| line.strip_prefix("  "));
    let recovery = shown.unwrap_or_else(|| panic!("no recovery key in\n{said}"));
    node.wait("the vault to be open", |node| vault(node) == "open");
    recovery.to_owned()
}

fn done(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).expect("text")
}

/// Asserts that a way in is refused, and that the vault stays as it was.
fn refused(node: &TestNode, args: &[&str], input: &str) {
    let output = node.cli_with_input(args, input);
    assert_eq!(output.status.code(), Some(77), "{args:?}: {output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("error:") && said.contains("next:"), "{said}");
    assert_eq!(vault(node), "sealed");
}

fn opens(node: &TestNode, args: &[&str], input: &str) {
    done(&node.cli_with_input(args, input));
    node.wait("the vault to be open", |node| vault(node) == "open");
}

fn seal(node: &TestNode) {
    node.ok(&["seal"]);
    node.wait("the vault to be sealed", |node| vault(node) == "sealed");
}

#[test]
fn a_sealed_start_adopts_what_runs_and_starts_only_what_needs_no_secret() {
    let mut demo = demo();
    demo.wait_ready("relay");
    demo.wait_ready("mint");
    with_passphrase(&demo);
    let before = (identity(&demo, "relay"), identity(&demo, "mint"));

    demo.kill_daemon();
    demo.up();
    assert_eq!(vault(&demo), "sealed");
    demo.wait_ready("relay");
    demo.wait_ready("mint");
    let after = (identity(&demo, "relay"), identity(&demo, "mint"));
    assert_eq!(before, after, "what ran is adopted, not restarted");

    send(before.0.0, "-KILL");
    send(before.1.0, "-KILL");
    demo.wait("the mint to wait for its seed", |node| {
        let mint = node.service("mint");
        mint["ready"]["code"] == "sealed" && node.service_pid("mint").is_none()
    });
    demo.wait("the relay, which needs no secret, to be back", |node| {
        node.service_pid("relay")
            .is_some_and(|pid| pid != before.0.0)
    });
    demo.wait_ready("relay");
    assert_eq!(demo.service("mint")["ready"]["code"], "sealed");
    assert_eq!(demo.cli(&["status", "--wait=30"]).status.code(), Some(76));

    refused(&demo, &["unlock"], "correct horse battery stable\n");
    assert!(
        demo.service_pid("mint").is_none(),
        "a wrong passphrase starts nothing"
    );
    opens(&demo, &["unlock"], &format!("{FIRST}\n"));
    demo.wait_ready("mint");
    assert_ne!(identity(&demo, "mint").0, before.1.0);
}

#[test]
fn every_way_in_opens_and_every_wrong_one_is_refused() {
    let demo = demo();
    demo.wait_ready("relay");
    demo.wait_ready("mint");
    let recovery = with_passphrase(&demo);
    let before = (identity(&demo, "relay"), identity(&demo, "mint"));
    let stick = tempfile::tempdir().expect("a folder");
    let key = stick.path().join("flash.key");
    let key_path = key.to_str().expect("a path");

    demo.ok(&["key-file", "add", key_path]);
    seal(&demo);
    refused(&demo, &["unlock"], "not the passphrase at all\n");
    opens(&demo, &["unlock"], &format!("{FIRST}\n"));

    seal(&demo);
    let mut wrong = recovery.clone().into_bytes();
    let at = wrong
        .iter()
        .rposition(u8::is_ascii_alphanumeric)
        .expect("a letter");
    wrong[at] = if wrong[at] == b'A' || wrong[at] == b'a' {
        b'B'
    } else {
        b'A'
    };
    let wrong = String::from_utf8(wrong).expect("text");
    refused(&demo, &["unlock", "--recovery-key"], &format!("{wrong}\n"));
    opens(
        &demo,
        &["unlock", "--recovery-key"],
        &format!("{recovery}\n"),
    );

    seal(&demo);
    let other = stick.path().join("other.key");
    let mut content = std::fs::read(&key).expect("the key file");
    let last = content
        .iter()
        .rposition(u8::is_ascii_alphanumeric)
        .expect("content");
    content[last] = if content[last] == b'0' { b'1' } else { b'0' };
    std::fs::write(&other, content).expect("a file");
    refused(
        &demo,
        &["unlock", "--key-file", other.to_str().expect("a path")],
        "",
    );
    opens(&demo, &["unlock", "--key-file", key_path], "");

    let mistaken = demo.cli_with_input(
        &["passphrase", "change"],
        &format!("wrong wrong wrong wrong\n{SECOND}\n"),
    );
    assert_eq!(mistaken.status.code(), Some(77), "{mistaken:?}");
    done(&demo.cli_with_input(&["passphrase", "change"], &format!("{FIRST}\n{SECOND}\n")));
    seal(&demo);
    refused(&demo, &["unlock"], &format!("{FIRST}\n"));
    opens(&demo, &["unlock"], &format!("{SECOND}\n"));
    seal(&demo);
    opens(
        &demo,
        &["unlock", "--recovery-key"],
        &format!("{recovery}\n"),
    );
    seal(&demo);
    opens(&demo, &["unlock", "--key-file", key_path], "");

    seal(&demo);
    assert_eq!(
        demo.wait_ready("mint")["ready"]["ok"],
        true,
        "services go on"
    );
    assert_eq!(demo.wait_ready("relay")["ready"]["ok"], true);
    let after = (identity(&demo, "relay"), identity(&demo, "mint"));
    assert_eq!(before, after, "nothing was restarted by any of it");
}

#[test]
fn no_secret_lies_where_it_does_not_belong() {
    let mut demo = TestNode::new("demo");
    let with_redis = program("redis-server").is_some();
    if with_redis {
        redis::prepare(&mut demo);
    } else {
        demo.with_own_ports("");
        skip("the secrets of edges: redis-server is not installed: apt install redis-server");
    }
    // All that our own code can be made to log, in one file that is never put aside in a test this short.
    demo.env("FLASH_NODE_LOG", Some("info,flash_node=trace"));
    demo.up();
    demo.wait_ready("relay");
    demo.wait_ready("mint");
    let seed = demo.rendered("mint", "seed");
    assert!(
        hex::decode(seed.trim()).is_ok_and(|raw| raw.len() == 64),
        "a seed of 64 bytes"
    );
    let mut rendered = vec![Secret::new("the mint's seed", &seed)];
    if with_redis {
        demo.wait_ready("redis");
        demo.wait_ready("redis-replica");
        let password = |service, user| redis::password(&demo, service, user);
        rendered.push(Secret::new(
            "the replica's token",
            &password("redis", "redis_replica"),
        ));
        rendered.push(Secret::new("the node's token", &password("redis", "node")));
        rendered.push(Secret::new(
            "the node's other token",
            &password("redis-replica", "node"),
        ));
    }
    leak::assert_rendered(&demo, &rendered);

    let recovery = with_passphrase(&demo);
    let stick = tempfile::tempdir().expect("a folder");
    let key = stick.path().join("flash.key");
    let key_path = key.to_str().expect("a path");
    demo.ok(&["key-file", "add", key_path]);
    seal(&demo);
    opens(
        &demo,
        &["unlock", "--recovery-key"],
        &format!("{recovery}\n"),
    );
    seal(&demo);
    opens(&demo, &["unlock", "--key-file", key_path], "");
    done(&demo.cli_with_input(&["passphrase", "change"], &format!("{FIRST}\n{SECOND}\n")));
    demo.kill_daemon();
    demo.up();
    opens(&demo, &["unlock"], &format!("{SECOND}\n"));
    demo.wait_ready("mint");

    let mut secrets = rendered;
    secrets.push(Secret::new("the first passphrase", FIRST));
    secrets.push(Secret::new("the second passphrase", SECOND));
    secrets.push(Secret::new("the recovery key", &recovery));
    secrets.push(Secret::new(
        "the bare recovery key",
        &recovery.replace('-', ""),
    ));
    let content = std::fs::read_to_string(&key).expect("the key file");
    let digits = content.lines().find_map(|line| line.strip_prefix("key "));
    let digits = digits.expect("the key file holds a key");
    assert!(
        hex::decode(digits).is_ok_and(|raw| raw.len() == 32),
        "a key of 32 bytes"
    );
    secrets.push(Secret::new("the key of the key file", digits));
    // The vault may hold more than what was named above.
    let kept = leak::kept(&demo, SECOND);
    let seeds = kept.iter().filter(|(_, value)| value == seed.trim());
    let seeds: Vec<&str> = seeds.map(|(key, _)| key.as_str()).collect();
    assert_eq!(seeds, ["service/mint/seed"], "the vault is read");
    secrets.extend(kept.iter().map(|(key, value)| Secret::new(key, value)));
    leak::assert_none(&demo, &secrets);
    let log = std::fs::read_to_string(demo.data().join("logs/flash-node.log"));
    let log = log.expect("the daemon logs");
    for service in ["mint", "relay"] {
        let told = |line: &&str| line.contains(service) && line.contains("first_ready");
        let told = log.lines().any(|line| told(&line));
        assert!(
            told,
            "what {service} did was logged, and searched above: {log}"
        );
    }
}
