//! A service that the code does not know comes up from manifests in the data folder, as provider and as consumer.

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
use node::send;
use node::skip;

/// Sends lines to a Redis and returns everything that it answered until it closed the connection.
fn talk(address: &str, lines: &[&str]) -> String {
    let mut stream = TcpStream::connect(address).expect("redis listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let request = format!("{}\r\nQUIT\r\n", lines.join("\r\n"));
    stream
        .write_all(request.as_bytes())
        .expect("the request is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

fn address(node: &TestNode, service: &str) -> String {
    let url = node.endpoint(service, "redis");
    url.trim_start_matches("tcp://").to_owned()
}

/// Who a process is, beyond doubt: its id, and since when it runs.
fn identity(node: &TestNode, service: &str) -> (Option<u32>, serde_json::Value) {
    (
        node.service_pid(service),
        node.service(service)["started_at"].clone(),
    )
}

fn started() -> Option<TestNode> {
    if program("redis-server").is_none() {
        skip("redis-server is not installed: apt install redis-server");
        return None;
    }
    let mut node = TestNode::new("demo");
    redis::prepare(&mut node);
    node.up();
    node.wait_ready("redis");
    node.wait_ready("redis-replica");
    Some(node)
}

#[test]
fn credentials_are_asked_for_and_data_reach_the_consumer() {
    let Some(node) = started() else { return };
    let primary = address(&node, "redis");
    let replica = address(&node, "redis-replica");
    let secret = redis::password(&node, "redis", "redis_replica");

    assert!(talk(&primary, &["GET greeting"]).contains("-NOAUTH"));
    let wrong = talk(
        &primary,
        &["AUTH redis_replica 0123456789abcdef", "GET greeting"],
    );
    assert!(
        wrong.contains("-WRONGPASS") && wrong.contains("-NOAUTH"),
        "{wrong}"
    );
    let others = redis::password(&node, "redis", "node");
    assert_ne!(others, secret, "each consumer has a credential of its own");
    let crossed = talk(&primary, &[&format!("AUTH redis_replica {others}")]);
    assert!(crossed.contains("-WRONGPASS"), "{crossed}");

    let look_only = talk(
        &primary,
        &[&format!("AUTH node {others}"), "SET greeting no"],
    );
    assert!(
        look_only.starts_with("+OK") && look_only.contains("-NOPERM"),
        "{look_only}"
    );

    let own = format!("AUTH redis_replica {secret}");
    let written = talk(&primary, &[&own, "SET greeting hello"]);
    assert!(written.starts_with("+OK\r\n+OK\r\n"), "{written}");
    let beyond = talk(&primary, &[&own, "CONFIG GET *"]);
    assert!(
        beyond.contains("-NOPERM"),
        "only what its edge allows: {beyond}"
    );

    let reader = redis::password(&node, "redis-replica", "node");
    let question = format!("AUTH node {reader}");
    node.wait("the replica to have the greeting", |_| {
        talk(&replica, &[&question, "GET greeting"]).contains("hello")
    });
    let refused = talk(&replica, &[&question, "SET greeting other"]);
    assert!(
        refused.contains("-NOPERM") || refused.contains("-READONLY"),
        "{refused}"
    );
}

#[test]
fn a_text_probe_is_seen_false_and_then_true() {
    let Some(node) = started() else { return };
    let before = (identity(&node, "redis"), identity(&node, "redis-replica"));
    let pid = node.service_pid("redis").expect("redis runs");
    // A stopped process keeps its connections and answers nothing: only the probes can tell.
    send(pid, "-STOP");
    node.wait("the provider to be seen silent", |node| {
        let redis = node.service("redis");
        redis["alive"]["ok"] == false
            && redis["alive"]["code"] == "no_answer"
            && redis["ready"]["ok"] == false
    });
    node.wait("the replica to say that its link is down", |node| {
        let replica = node.service("redis-replica");
        replica["ready"]["ok"] == false && replica["ready"]["code"] == "link_down"
    });
    assert_eq!(
        node.service("redis-replica")["alive"]["ok"],
        true,
        "it lives without the other one"
    );
    send(pid, "-CONT");
    node.wait_ready("redis");
    let replica = node.wait_ready("redis-replica");
    assert_eq!(replica["ready"]["text"], "The replica follows.");
    let after = (identity(&node, "redis"), identity(&node, "redis-replica"));
    assert_eq!(before, after, "nothing was restarted");
}

#[test]
fn one_setting_is_changed_and_only_its_service_restarts() {
    let Some(node) = started() else { return };
    node.wait_ready("relay");
    node.wait_ready("mint");
    let others = ["redis-replica", "relay", "mint"];
    let before: Vec<_> = others.iter().map(|id| identity(&node, id)).collect();
    let redis_before = identity(&node, "redis");
    let secret = redis::password(&node, "redis", "redis_replica");
    let own = format!("AUTH redis_replica {secret}");
    let primary = address(&node, "redis");
    assert!(talk(&primary, &[&own, "SET kept yes"]).starts_with("+OK\r\n+OK\r\n"));

    let plan = node.ok(&["set", "redis.maxmemory_mib", "64", "--dry-run"]);
    assert!(plan.starts_with("1 step\n"), "{plan}");
    // What rests is listed with a dash.
    let steps = plan.lines().skip(1).map(str::trim_start);
    let steps: Vec<_> = steps.filter(|line| !line.starts_with('-')).collect();
    let [step] = steps.as_slice() else {
        panic!("one step alone, not {steps:?}");
    };
    assert!(
        step.starts_with("restart   redis (up to 30 s to stop): "),
        "{plan}"
    );
    assert!(step.contains("setting maxmemory_mib 32 → 64"), "{plan}");
    assert!(
        !step.contains("databases"),
        "no other setting is named: {plan}"
    );
    for other in others {
        assert!(plan.contains(&format!("{other}: runs as wanted")), "{plan}");
    }
    assert_eq!(
        identity(&node, "redis"),
        redis_before,
        "a dry run does nothing"
    );
    assert!(
        node.rendered("redis", "redis.conf")
            .contains("maxmemory 32mb")
    );

    node.ok(&["set", "redis.maxmemory_mib", "64"]);
    node.wait("redis to have restarted", |node| {
        let (pid, started_at) = identity(node, "redis");
        pid.is_some() && pid != redis_before.0 && started_at != redis_before.1
    });
    node.wait_ready("redis");
    node.wait_ready("redis-replica");
    assert!(
        node.rendered("redis", "redis.conf")
            .contains("maxmemory 64mb")
    );
    assert!(
        talk(&primary, &[&own, "GET kept"]).contains("yes"),
        "its data were kept"
    );
    let after: Vec<_> = others.iter().map(|id| identity(&node, id)).collect();
    assert_eq!(before, after, "nobody else was restarted");
    let again = node.ok(&["plan"]);
    assert!(!again.contains("restart"), "nothing is left to do: {again}");
}

#[test]
fn a_removed_service_keeps_its_data_until_its_name_is_typed() {
    let Some(node) = started() else { return };
    let volume = node.data().join("volumes").join("redis-replica");
    let held = || node::files_under(&volume).len();
    let secret = redis::password(&node, "redis", "redis_replica");
    talk(
        &address(&node, "redis"),
        &[&format!("AUTH redis_replica {secret}"), "SET a b"],
    );
    std::fs::create_dir_all(&volume).expect("the volume");

    let early = node.cli(&["purge", "redis-replica", "--confirm", "redis-replica"]);
    assert_eq!(
        early.status.code(),
        Some(77),
        "what is still there is not purged: {early:?}"
    );
    std::fs::write(volume.join("data").join("precious"), "1").expect("the volume lies there");
    node.ok(&["remove", "redis-replica"]);
    node.wait("the replica to be gone", |node| {
        node.service_pid("redis-replica").is_none()
            && node.service("redis-replica")["alive"]["ok"] != true
    });
    assert!(held() > 0, "its data stay");
    node.wait_ready("redis");

    let unconfirmed = node.cli(&["purge", "redis-replica"]);
    assert_eq!(unconfirmed.status.code(), Some(77), "{unconfirmed:?}");
    let mistyped = node.cli(&["purge", "redis-replica", "--confirm", "redis"]);
    assert_eq!(mistyped.status.code(), Some(77), "{mistyped:?}");
    assert!(held() > 0, "still there");
    node.ok(&["purge", "redis-replica", "--confirm", "redis-replica"]);
    assert!(!volume.join("data").exists(), "now they are gone");
    node.wait_ready("redis");
}
