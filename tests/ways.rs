//! The way in from the node's own network, on a machine in a network of its own: what a phone sees that trusts it, and one
//! that does not.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a whole-program test starts programs, and the summary collects what it prints"
)]

#[path = "node/apart.rs"]
mod apart;
mod node;

use apart::ADDRESS;
use apart::PUBLIC;
use apart::apart;
use apart::there;
use node::TestNode;
use serde_json::Value;

const OPEN: &str = "[access]\nlan = true\nlan_port = 4443\n";

fn lan(node: &TestNode) -> Option<Value> {
    let access = access(node)?;
    access["entrances"].get(1).cloned()
}

/// What the API says at the machine itself.
fn access(node: &TestNode) -> Option<Value> {
    let api = node.try_status()?["api"].as_str()?.to_owned();
    let (well, text) = there(node, &["curl", "-s", &format!("{api}/api/v1/access")]);
    well.then(|| serde_json::from_str(&text).ok()).flatten()
}

#[test]
fn the_network_gets_in_by_https_once_that_is_accepted_and_no_sooner() {
    let mut node = TestNode::new("demo");
    if !apart(&mut node, "") {
        return;
    }
    node.up();
    for service in ["relay", "mint"] {
        node.wait_ready(service);
    }
    node.wait("it to be closed", |one| {
        lan(one).is_some_and(|lan| lan["code"] == "off")
    });
    let url = format!("https://{ADDRESS}:4443");
    let https = ["curl", "-sk", "-m", "5", &url];
    assert!(!there(&node, &https).0, "nobody asked for it");
    let choices = std::fs::read_to_string(node.data().join("node.toml")).expect("choices");
    node.file("node.toml", &format!("{choices}\n{OPEN}"));
    assert!(!there(&node, &https).0, "it is not accepted yet");
    node.ok(&["apply"]);
    let open = node.wait_for("it to be open, and tried", |one| {
        lan(one).filter(|lan| lan["code"] == "open")
    });
    assert_eq!(open["ok"], true);
    let urls: Vec<&str> = open["urls"]
        .as_array()
        .expect("urls")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert!(urls.contains(&url.as_str()), "{urls:?}");
    assert!(urls.iter().all(|url| !url.contains(PUBLIC)), "{urls:?}");
    let (_, listens) = there(&node, &["sh", "-c", "cat /proc/net/tcp"]);
    let port = format!("{:04X}", 4443);
    let at: Vec<&str> = listens
        .lines()
        .filter(|line| line.contains(&format!(":{port} 00000000")))
        .collect();
    assert_eq!(at.len(), 1, "at the private address alone: {listens}");

    // The command at the machine says how, and by what the certificate is known.
    let said = String::from_utf8_lossy(&node.cli(&["access"]).stdout).into_owned();
    let access = access(&node).expect("an answer");
    let fingerprint = access["authority"]["fingerprint"]
        .as_str()
        .expect("a fingerprint");
    assert!(said.contains(fingerprint) && said.contains(&url), "{said}");
    // A device that was told to trust it does; another one does not.
    let authority = node.data().with_file_name("authority.crt");
    let path = authority.display().to_string();
    let (well, said) = there(
        &node,
        &["curl", "-sk", "-o", &path, &format!("{url}/authority.crt")],
    );
    assert!(well, "{said}");
    let got = std::fs::read_to_string(&authority).expect("a certificate");
    assert_eq!(access["authority"]["certificate"], got.as_str());
    let session = format!("{url}/api/v1/session");
    let (well, said) = there(&node, &["curl", "-s", "--cacert", &path, &session]);
    assert!(well && said.contains("\"stage\""), "{said}");
    let (well, said) = there(&node, &["curl", "-s", "-S", &session]);
    assert!(!well && said.contains("certificate"), "{said}");
    let plain = format!("http://{ADDRESS}:4443/api/v1/status");
    let (_, said) = there(&node, &["curl", "-s", "-i", &plain]);
    assert!(
        said.starts_with("HTTP/1.1 308") && !said.contains("relay"),
        "{said}"
    );
    // As long as nobody owns the node, it is read at the machine alone.
    let (_, said) = there(&node, &["curl", "-sk", &format!("{url}/api/v1/status")]);
    assert!(said.contains("not_set_up"), "{said}");

    // The authority's key is in the vault alone, the machine's own beside it, readable for nobody else.
    let kept = std::fs::read_to_string(node.data().join("tls.json")).expect("a certificate");
    assert_eq!(
        kept.matches("PRIVATE KEY").count(),
        2,
        "one key, between two marks"
    );
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(node.data().join("tls.json"))
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);

    // A restart serves with the same certificate, and closing it closes it.
    node.kill_daemon();
    node.up();
    node.wait("it to be open again", |one| {
        lan(one).is_some_and(|lan| lan["code"] == "open")
    });
    let (well, said) = there(&node, &["curl", "-s", "--cacert", &path, &session]);
    assert!(well, "{said}");
    assert_eq!(
        std::fs::read_to_string(node.data().join("tls.json")).expect("a certificate"),
        kept
    );
    let told = node.ok(&["access", "--lan", "off"]);
    assert!(
        told.contains("nobody but this machine reaches the node"),
        "{told}"
    );
    node.wait("it to be closed", |one| {
        lan(one).is_some_and(|lan| lan["code"] == "off")
    });
    node.wait("nobody to answer", |one| !there(one, &https).0);
    let events = node.ok(&["events", "-n", "50"]);
    assert!(
        events.contains("(lan_open)") && events.contains("(lan_off)"),
        "{events}"
    );
}

#[test]
fn a_port_that_is_taken_is_told_with_what_to_do_and_is_had_once_it_is_free() {
    let mut node = TestNode::new("demo");
    let held = "python3 -c 'import socket,time; s=socket.create_server((\"0.0.0.0\",4443)); time.sleep(1000)' & \
        echo $! > \"$HELD\"; sleep 1;";
    if !apart(&mut node, held) {
        return;
    }
    let file = node.data().with_file_name("held");
    node.env("HELD", Some(&file.display().to_string()));
    node.file("node.toml", OPEN);
    node.up();
    let told = node.wait_for("the port to be missed", |one| {
        lan(one).filter(|lan| lan["code"] == "not_listening")
    });
    let text = told["text"].as_str().expect("a text");
    assert!(
        text.contains("192.168.77.5:4443") && text.contains("lan_port"),
        "{text}"
    );
    let said = node.cli(&["access"]);
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    let pid = std::fs::read_to_string(&file)
        .expect("a process")
        .trim()
        .to_owned();
    node::send(pid.parse().expect("a number"), "-KILL");
    node.wait("it to be open", |one| {
        lan(one).is_some_and(|lan| lan["code"] == "open")
    });
}
