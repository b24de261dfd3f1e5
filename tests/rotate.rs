//! Credentials are replaced: the plan names who is without service meanwhile, the old one is refused, nobody else blips.

#![allow(
    clippy::disallowed_methods,
    reason = "a whole-program test watches the real clock"
)]

mod inspect;
mod node;
#[path = "node/redis.rs"]
mod redis;

use std::io::Read;
use std::io::Write;
use std::net::TcpStream;

use node::PATIENCE;
use node::TestNode;
use node::program;
use node::skip;
use serde_json::Value;

const EDGE: &str = "redis-replica/redis/redis";

fn started() -> Option<TestNode> {
    if program("redis-server").is_none() {
        skip("redis-server is not installed: apt install redis-server");
        return None;
    }
    let mut node = TestNode::new("demo");
    redis::prepare(&mut node);
    node.up();
    for service in ["redis", "redis-replica", "relay", "mint"] {
        node.wait_ready(service);
    }
    Some(node)
}

/// What a Redis says to a user who shows a password.
fn says(node: &TestNode, user: &str, password: &str) -> String {
    says_at(node, "redis", user, password)
}

fn says_at(node: &TestNode, service: &str, user: &str, password: &str) -> String {
    let url = node.endpoint(service, "redis");
    let mut stream = TcpStream::connect(url.trim_start_matches("tcp://")).expect("redis listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    write!(stream, "AUTH {user} {password}\r\nQUIT\r\n").expect("it is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

fn identity(node: &TestNode, service: &str) -> (Option<u32>, Value) {
    let since = node.service(service)["started_at"].clone();
    (node.service_pid(service), since)
}

/// The services that the plan in `text` restarts: now, or once their consumers have stopped.
fn restarted(text: &str) -> Vec<String> {
    let now = text
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("restart"))
        .filter_map(|rest| rest.split_whitespace().next());
    let later = text
        .lines()
        .filter(|line| line.contains(": restarts after "))
        .filter_map(|line| line.trim_start_matches(['-', ' ']).split(':').next());
    let mut names: Vec<String> = now.chain(later).map(str::to_owned).collect();
    names.sort();
    names
}

#[test]
fn the_old_password_is_refused_and_only_the_two_ends_blip() {
    let Some(node) = started() else { return };
    let old = redis::password(&node, "redis", "redis_replica");
    let nodes_own = redis::password(&node, "redis", "node");
    let before: Vec<_> = ["redis", "redis-replica", "relay", "mint"]
        .map(|id| identity(&node, id))
        .to_vec();

    let edges = node.ok(&["edges"]);
    let line = edges
        .lines()
        .find(|line| line.starts_with("redis-replica") && line.contains("redis: data"));
    let line = line.unwrap_or_else(|| panic!("{edges}"));
    assert!(line.contains("token, generation 1"), "{line}");

    let plan = node.ok(&["rotate", EDGE, "--dry-run"]);
    assert_eq!(restarted(&plan), ["redis", "redis-replica"], "{plan}");
    assert!(plan.contains("generation 1 → 2"), "{plan}");
    assert!(
        says(&node, "redis_replica", &old).starts_with("+OK"),
        "a dry run does nothing"
    );

    let told = node.ok(&["rotate", EDGE]);
    assert_eq!(restarted(&told), ["redis", "redis-replica"], "{told}");
    assert!(
        told.contains("takes generation 2 and refuses generation 1"),
        "{told}"
    );

    assert!(says(&node, "redis_replica", &old).contains("-WRONGPASS"));
    let new = redis::password(&node, "redis", "redis_replica");
    assert_ne!(new, old);
    assert!(says(&node, "redis_replica", &new).starts_with("+OK"));
    assert_eq!(
        redis::password(&node, "redis", "node"),
        nodes_own,
        "no other one was replaced"
    );
    node.wait_ready("redis-replica");
    let after: Vec<_> = ["redis", "redis-replica", "relay", "mint"]
        .map(|id| identity(&node, id))
        .to_vec();
    for (ends, (was, now)) in before.iter().zip(&after).enumerate() {
        assert_eq!(ends < 2, was != now, "service {ends}: {was:?} {now:?}");
    }
    assert!(node.ok(&["edges"]).contains("token, generation 2"));
    assert!(
        node.ok(&["plan"]).starts_with("nothing to do"),
        "{}",
        node.ok(&["plan"])
    );
}

#[test]
fn after_a_break_in_every_credential_is_replaced() {
    let Some(node) = started() else { return };
    let users = [
        ("redis", "redis_replica"),
        ("redis", "node"),
        ("redis-replica", "node"),
    ];
    let passwords = || users.map(|(service, user)| redis::password(&node, service, user));
    let old = passwords();
    for ((service, user), password) in users.iter().zip(&old) {
        assert!(says_at(&node, service, user, password).starts_with("+OK"));
    }
    // The plan is read before anything happens: it names who will be without service.
    let plan = node.ok(&["rotate", "--all", "--dry-run"]);
    let services = ["mint", "redis", "redis-replica", "relay"];
    let before = services.map(|id| identity(&node, id));
    let told = node.ok(&["rotate", "--all"]);
    assert_eq!(told.matches("refuses generation 1").count(), 4, "{told}");
    assert!(told.contains("mint takes generation 2"), "{told}");
    let new = passwords();
    for (((service, user), old), new) in users.iter().zip(&old).zip(&new) {
        assert!(
            says_at(&node, service, user, old).contains("-WRONGPASS"),
            "{service} takes the old password of {user}"
        );
        assert!(says_at(&node, service, user, new).starts_with("+OK"));
    }
    for service in services {
        node.wait_ready(service);
    }
    let after = services.map(|id| identity(&node, id));
    let ends = services.iter().zip(before.iter().zip(&after));
    let blipped: Vec<&str> = ends
        .filter(|(_, (was, now))| was != now)
        .map(|(id, _)| *id)
        .collect();
    assert_eq!(blipped, restarted(&plan), "{plan}");
}

#[test]
fn what_cannot_be_replaced_is_refused_with_a_reason() {
    let node = TestNode::started("demo");
    for (edge, says) in [
        ("relay/nothing/mint", "there is no edge relay/nothing/mint"),
        ("relay", "write it as consumer/interface/provider"),
        (
            "node/nostr/relay",
            "the node makes no credential for node/nostr/relay",
        ),
    ] {
        let refused = node.cli(&["rotate", edge]);
        assert!(!refused.status.success());
        let error = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(error.contains(says), "{edge}: {error}");
    }
    // Without the mint nobody is known by anything but its place.
    node.ok(&["remove", "mint"]);
    let refused = node.cli(&["rotate", "--all"]);
    let error = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        error.contains("no edge of this node has a credential"),
        "{error}"
    );
}

#[test]
fn a_kill_at_any_step_of_a_rotation_is_made_good_by_the_next_start() {
    for point in ["rotate.made", "rotate.noted", "rotate.told"] {
        let Some(mut node) = started() else { return };
        let old = redis::password(&node, "redis", "redis_replica");
        let others = ["relay", "mint"].map(|id| identity(&node, id));
        node.kill_daemon();
        node.env("FLASH_FAILPOINT", Some(point));
        node.spawn();
        node.wait_ready("redis");
        // Its answer never comes: the daemon dies at the failpoint.
        let asked = node.cli(&["rotate", EDGE, "--timeout", "60"]);
        assert!(!asked.status.success(), "{point}");
        assert_eq!(
            node.wait_for_end(),
            None,
            "it died by its failpoint {point}"
        );
        node.env("FLASH_FAILPOINT", None);
        node.up();
        if point == "rotate.made" {
            // Nobody was told of a new one yet, so that the old one is in force, and another try works.
            node.wait_ready("redis");
            assert!(
                says(&node, "redis_replica", &old).starts_with("+OK"),
                "{point}"
            );
            let told = node.ok(&["rotate", EDGE]);
            assert!(told.contains("refuses generation 1"), "{point}: {told}");
        }
        node.wait(&format!("the proof after {point}"), |node| {
            let events = node.ok(&["events"]);
            events.contains("and refuses generation 1")
        });
        assert!(
            says(&node, "redis_replica", &old).contains("-WRONGPASS"),
            "{point}"
        );
        assert_eq!(
            others,
            ["relay", "mint"].map(|id| identity(&node, id)),
            "{point}"
        );
    }
}

#[test]
fn the_api_lists_as_data_what_the_commands_print() {
    let Some(node) = started() else { return };
    // Until the node has an owner, whoever is on this machine may read.
    let api = node.status()["api"].as_str().expect("an API").to_owned();
    let get = |path: &str| -> Value {
        let text = inspect::http_get(&api, &format!("/api/v1/{path}"));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}: {text}"))
    };
    let edge = || {
        let edges = get("edges");
        let found = edges["edges"].as_array().expect("edges");
        let one = found.iter().find(|one| one["id"] == EDGE);
        one.unwrap_or_else(|| panic!("{edges:#}")).clone()
    };
    let before = edge();
    let credential = serde_json::json!({ "kind": "token", "generation": 1, "rotatable": true });
    assert_eq!(before["credential"], credential);
    assert_eq!(before["allow"], serde_json::json!(["data", "replicate"]));
    node.ok(&["rotate", EDGE]);
    assert_eq!(edge()["credential"]["generation"], 2);

    let setting = || {
        let settings = get("settings");
        let services = settings["services"].as_array().expect("services");
        let relay = services.iter().find(|one| one["id"] == "relay");
        let own = relay.expect("the relay")["settings"].as_array().cloned();
        let name = own.into_iter().flatten().find(|one| one["name"] == "name");
        name.expect("a name")
    };
    assert_eq!(setting()["chosen"], false);
    assert_eq!(setting()["value"], setting()["default"]);
    assert_eq!(setting()["value"], "Flash Node demo relay", "the profile's");
    node.ok(&["set", "relay.name", "the corner shop"]);
    assert_eq!(setting()["chosen"], true);
    assert_eq!(setting()["value"], "the corner shop");
    assert_eq!(get("images")["in_containers"], false);
}
