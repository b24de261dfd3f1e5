//! The way in by an onion address, over a whole Tor network of its own: what a visitor sees who has nothing but the address.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a whole-program test starts programs, and the summary collects what it prints"
)]

#[path = "node/apart.rs"]
mod apart;
#[path = "onion/network.rs"]
mod network;
mod node;

use std::os::unix::fs::FileTypeExt;
use std::os::unix::fs::MetadataExt;

use apart::ADDRESS;
use apart::apart;
use apart::there;
use network::SOCKS;
use network::TorNetwork;
use node::TestNode;
use node::skip;
use serde_json::Value;

const SHIPPED: &str = include_str!("../manifests/services/tor.toml");
const PASSPHRASE: &str = "correct horse battery staple";

/// The shipped manifest, for a Tor that joins the network of the test; who vouches for that one are settings.
fn manifest(authorities: usize) -> String {
    let mut lines = "TestingTorNetwork 1\n".to_owned();
    let mut settings = String::new();
    for number in 1..=authorities {
        lines.push_str(&format!(
            "DirAuthority {{{{ setting.authority_{number} }}}}\n"
        ));
        settings.push_str(&format!(
            "[settings.authority_{number}]\ntype = \"text\"\ndefault = \"\"\nmax_length = 300\nhelp = \"Who vouches for the network.\"\n\n"
        ));
    }
    let id = "id = \"tor\"\n";
    let end = "AvoidDiskWrites 1\n";
    assert!(SHIPPED.contains(id) && SHIPPED.contains(end));
    let text = SHIPPED
        .replace(id, "id = \"tor-apart\"\n")
        .replace(end, &format!("{end}{lines}"));
    format!("{text}\n{settings}")
}

fn choices(network: &TorNetwork) -> String {
    let mut text =
        "[services.tor]\nmanifest = \"tor-apart\"\n\n[services.tor.settings]\n".to_owned();
    for (number, authority) in (1..).zip(&network.authorities) {
        text.push_str(&format!("authority_{number} = \"{authority}\"\n"));
    }
    text
}

fn onion(node: &TestNode) -> Option<Value> {
    let api = node.try_status()?["api"].as_str()?.to_owned();
    let (well, text) = there(node, &["curl", "-s", &format!("{api}/api/v1/access")]);
    let access: Value = well.then(|| serde_json::from_str(&text).ok()).flatten()?;
    let mut entrances = access["entrances"].as_array()?.iter();
    entrances.find(|one| one["kind"] == "onion").cloned()
}

/// What the commands at the machine itself say of it, where nobody reads the API without signing in.
fn said(node: &TestNode) -> String {
    let said = node.cli(&["access"]);
    String::from_utf8_lossy(&said.stdout).into_owned()
}

/// Waits until the node reached itself by its onion address; returns the address as a URL.
fn wait_open(node: &TestNode) -> String {
    node.wait_explained(
        "the onion address to answer",
        |one| {
            let said = said(one);
            said.contains("ok  the Tor network").then(|| {
                let url = said.split("http://").find(|part| part.contains(".onion"));
                let url = url.and_then(|part| part.split_whitespace().next());
                format!("http://{}", url.expect("a URL"))
            })
        },
        || format!("{}\n{}", said(node), node.service_log("tor")),
    )
}

/// Asks as somebody elsewhere would, with further arguments of curl; the head of the answer comes first.
fn visit(node: &TestNode, url: &str, more: &[&str]) -> (bool, String) {
    let mut words = vec!["curl", "-s", "-i", "-m", "60", "--socks5-hostname", SOCKS];
    words.extend(more);
    words.push(url);
    there(node, &words)
}

/// A circuit may fail in any network: who got no answer asks again.
fn visited(node: &TestNode, url: &str, more: &[&str]) -> String {
    node.wait_for("a visitor to be answered", |one| {
        let (well, text) = visit(one, url, more);
        well.then_some(text)
    })
}

#[test]
fn who_knows_the_onion_address_gets_in_through_tor_and_is_no_neighbour() {
    if let Some(program) = network::missing() {
        skip(&format!("a Tor network of its own needs {program}"));
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut network = TorNetwork::prepare(folder.path());
    let mut node = TestNode::new("demo");
    node.file("manifests/tor.toml", &manifest(network.authorities.len()));
    node.file("node.toml", &choices(&network));
    if !apart(&mut node, "") {
        return;
    }
    node.up();
    network.start(&node);
    node.within(network.way_in());

    // It is off until it is asked for, and the plan says what changes for that.
    node.wait_explained(
        "Tor to be in its network",
        |one| (one.service("tor")["ready"]["ok"] == true).then_some(()),
        || node.service_log("tor"),
    );
    node.wait("it to be closed", |one| {
        onion(one).is_some_and(|onion| onion["code"] == "off")
    });
    let volume = node.data().join("volumes/tor/data");
    let socket = volume.join("node.sock");
    let plan = node.ok(&["access", "--onion", "on", "--dry-run"]);
    assert!(
        plan.contains("restart   tor") && plan.contains("would reach"),
        "{plan}"
    );
    assert_eq!(onion(&node).expect("an answer")["code"], "off");
    assert!(!socket.exists() && !volume.join("node").exists());
    node.ok(&["access", "--onion", "on"]);
    let url = wait_open(&node);
    let host = url.strip_prefix("http://").expect("a URL");
    let written = std::fs::read_to_string(volume.join("node/hostname")).expect("an address");
    assert_eq!(written.trim(), host);
    // The socket is Tor's alone.
    let found = std::fs::symlink_metadata(&socket).expect("a socket");
    let owner = std::fs::metadata(&volume).expect("a folder").uid();
    assert!(found.file_type().is_socket());
    assert_eq!((found.uid(), found.mode() & 0o777), (owner, 0o600));

    // A visitor gets the pages, and reads nothing of a node without an owner.
    let page = visited(&node, &format!("{url}/"), &[]);
    assert!(
        page.starts_with("HTTP/1.1 200") && page.contains("<html"),
        "{page}"
    );
    let session = format!("{url}/api/v1/session");
    let status = format!("{url}/api/v1/status");
    assert!(visited(&node, &session, &[]).contains("\"set_up\""));
    for lie in [
        "X-Forwarded-For: 127.0.0.1",
        "X-Forwarded-Proto: https",
        "Forwarded: for=127.0.0.1",
        "X-Nothing: at all",
    ] {
        let answer = visited(&node, &status, &["-H", lie]);
        assert!(answer.contains("\"not_set_up\""), "{lie}: {answer}");
    }
    let api = node.status()["api"]
        .as_str()
        .expect("an address")
        .to_owned();
    let local = api.strip_prefix("http://").expect("a URL");
    for (lie, code) in [
        (format!("Host: {local}"), "host"),
        (format!("Host: other.{host}"), "host"),
        (format!("Origin: http://{local}"), "origin"),
        (format!("Origin: https://{host}"), "origin"),
        ("Sec-Fetch-Site: cross-site".to_owned(), "cross_site"),
    ] {
        let answer = visited(&node, &session, &["-H", &lie]);
        assert!(
            answer.starts_with("HTTP/1.1 403") && answer.contains(&format!("\"{code}\"")),
            "{lie}: {answer}"
        );
    }
    // By its onion name nobody is let in elsewhere.
    let (_, elsewhere) = there(
        &node,
        &[
            "curl",
            "-s",
            "-H",
            &format!("Host: {host}"),
            &format!("{api}/api/v1/session"),
        ],
    );
    assert!(elsewhere.contains("\"host\""), "{elsewhere}");

    // The first owner begins from afar, with the code that only the machine tells.
    let code = node.ok(&["setup-code"]).trim().to_owned();
    let own = format!("Origin: {url}");
    let json = "Content-Type: application/json";
    let owner = serde_json::json!({"code": code, "name": "olga", "password": "a long enough password", "language": "en"}).to_string();
    let set_up = ["-H", &own, "-H", json, "-d", &owner];
    let entered = visited(&node, &format!("{url}/api/v1/set-up"), &set_up);
    assert!(entered.starts_with("HTTP/1.1 201"), "{entered}");
    let cookie = entered
        .lines()
        .find_map(|line| line.strip_prefix("set-cookie: flash_session_80="))
        .expect("a session");
    // A browser keeps no `Secure` cookie that came by HTTP.
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"),
        "{cookie}"
    );
    assert!(!cookie.contains("Secure"), "{cookie}");
    let cookie = cookie.split(';').next().expect("a value");
    let cookie = format!("Cookie: flash_session_80={cookie}");
    let read = visited(&node, &status, &["-H", &cookie]);
    assert!(
        read.starts_with("HTTP/1.1 200") && read.contains("\"tor\""),
        "{read}"
    );
    let sessions = visited(&node, &format!("{url}/api/v1/sessions"), &["-H", &cookie]);
    assert!(sessions.contains("\"Tor\""), "{sessions}");

    // A power cut leaves the socket behind; the address is the same, and is found again.
    let pid = node.service_pid("tor");
    node.kill_daemon();
    node.up();
    assert_eq!(wait_open(&node), url);
    assert_eq!(node.service_pid("tor"), pid, "Tor went on");
    assert!(visited(&node, &session, &[]).contains("\"sign_in\""));

    // Whoever starts the node with a sealed vault unlocks it from afar.
    let changed = node.cli_with_input(&["passphrase", "change"], &format!("{PASSPHRASE}\n"));
    assert!(changed.status.success(), "{changed:?}");
    node.kill_daemon();
    node.up();
    assert_eq!(wait_open(&node), url);
    assert!(visited(&node, &session, &[]).contains("\"sealed\""));
    let open = serde_json::json!({ "passphrase": PASSPHRASE }).to_string();
    let unlock = ["-H", &own, "-H", json, "-d", &open];
    let opened = visited(&node, &format!("{url}/api/v1/vault/unlock"), &unlock);
    assert!(opened.starts_with("HTTP/1.1 200"), "{opened}");
    assert!(visited(&node, &session, &[]).contains("\"sign_in\""));

    // Both ways in live beside each other: what one of them does with its listeners does not hold the other up.
    node.ok(&["access", "--lan", "on"]);
    let lan = |port: u16| format!("https://{ADDRESS}:{port}");
    node.wait("the network to get in", |one| {
        said(one).contains(&lan(4443))
    });
    // Whoever knows the onion address learns nothing of who owns it.
    let authority = visited(&node, &format!("{url}/authority.crt"), &[]);
    assert!(authority.starts_with("HTTP/1.1 404"), "{authority}");
    let choices = std::fs::read_to_string(node.data().join("node.toml")).expect("choices");
    assert!(choices.contains("lan = true"), "{choices}");
    let moved = choices.replace("lan = true", "lan = true\nlan_port = 4555");
    node.file("node.toml", &moved);
    node.ok(&["apply"]);
    node.wait("the network to get in elsewhere", |one| {
        let said = said(one);
        said.contains(&lan(4555)) && !said.contains(&lan(4443))
    });
    assert!(visited(&node, &session, &[]).contains("\"sign_in\""));

    // Closing it closes it, and keeps the address for the next time.
    let told = node.ok(&["access", "--onion", "off"]);
    assert!(
        told.contains("nobody reaches the node through Tor"),
        "{told}"
    );
    node.wait("it to be closed", |one| {
        said(one).contains("-   the Tor network: Closed")
    });
    node.wait("the socket to be gone", |_| !socket.exists());
    node.wait_ready("tor");
    assert!(!node.rendered("tor", "torrc").contains("HiddenService"));
    let (well, text) = visit(&node, &session, &[]);
    assert!(!well, "{text}\n{}", network.visitor_log());
    let events = node.ok(&["events", "-n", "100"]);
    for event in ["(onion_open)", "(onion_off)"] {
        assert!(events.contains(event), "{event} in {events}");
    }
    node.ok(&["access", "--onion", "on"]);
    node.wait("the same address", |one| said(one).contains(&url));
}

#[test]
fn without_a_tor_of_its_own_the_node_says_how_to_get_one() {
    let mut node = TestNode::new("demo");
    node.file("node.toml", "[access]\nonion = true\n");
    node.up();
    let told = node.wait_for("it to be told", |one| {
        let said = said(one);
        said.contains("bad the Tor network").then_some(said)
    });
    assert!(told.contains("[services.tor]"), "{told}");
    assert_eq!(node.cli(&["access"]).status.code(), Some(1));
}
