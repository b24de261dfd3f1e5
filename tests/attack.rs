//! Who is not the owner changes nothing and learns nothing; two nodes never touch each other.

mod node;

use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::fs::PermissionsExt;

use node::PATIENCE;
use node::TestNode;
use serde_json::Value;

/// Where the API answers, as `host:port`.
fn api(node: &TestNode) -> String {
    let url = node.status()["api"]
        .as_str()
        .expect("an address")
        .to_owned();
    url.trim_start_matches("http://")
        .trim_end_matches('/')
        .to_owned()
}

/// Sends one request as it stands and returns the status and the body.
fn ask(address: &str, method: &str, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
    ask_with_body(address, method, path, headers, "")
}

/// Sends one request with a body, whose length `headers` tell.
fn ask_with_body(
    address: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> (u16, String) {
    let mut stream = TcpStream::connect(address).expect("the API listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let mut request = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    request.push_str(body);
    stream
        .write_all(request.as_bytes())
        .expect("the request is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    (status.expect("a status"), body.to_owned())
}

fn code_of(body: &str) -> String {
    let error: Value = serde_json::from_str(body).expect("an error as JSON");
    error["code"].as_str().expect("a code").to_owned()
}

fn text(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn requests_that_a_foreign_page_could_send_are_refused() {
    let demo = TestNode::started("demo");
    let address = api(&demo);
    let port = address.rsplit(':').next().expect("a port").to_owned();
    let paths = [
        "/api/v1/status",
        "/api/v1/services",
        "/api/v1/events",
        "/api/v1/openapi.json",
        "/metrics",
        "/",
    ];
    for path in paths {
        for host in [
            "rebound.example",
            &format!("rebound.example:{port}"),
            "127.0.0.1:1",
            "",
        ] {
            let (status, body) = ask(&address, "GET", path, &[("host", host)]);
            assert_eq!(status, 403, "{path} with the host {host:?}: {body}");
            assert_eq!(code_of(&body), "host", "{path}");
        }
        for origin in [
            "http://rebound.example",
            "null",
            &format!("https://{address}"),
            "http://127.0.0.1:1",
        ] {
            let (status, body) = ask(
                &address,
                "GET",
                path,
                &[("host", &address), ("origin", origin)],
            );
            assert_eq!(status, 403, "{path} from the origin {origin}: {body}");
            assert_eq!(code_of(&body), "origin", "{path}");
        }
        for site in ["cross-site", "same-site"] {
            let (status, body) = ask(
                &address,
                "GET",
                path,
                &[("host", &address), ("sec-fetch-site", site)],
            );
            assert_eq!(status, 403, "{path} from {site}: {body}");
            assert_eq!(code_of(&body), "cross_site", "{path}");
        }
    }
    // A link in somebody's mail opens a page, which holds nothing of the node. It opens nothing else, and no frame.
    let link = [
        ("host", address.as_str()),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-mode", "navigate"),
    ];
    for (method, path, dest, expected) in [
        ("GET", "/", "document", 200),
        ("GET", "/people", "document", 200),
        ("GET", "/", "iframe", 403),
        ("GET", "/", "", 403),
        ("GET", "/api/v1/status", "document", 403),
        ("GET", "/metrics", "document", 403),
        ("POST", "/", "document", 403),
        ("POST", "/api/v1/session", "document", 403),
    ] {
        let dest = ("sec-fetch-dest", dest);
        let (status, body) = ask(&address, method, path, &[&link[..], &[dest]].concat());
        assert_eq!(status, expected, "{method} {path} for {dest:?}: {body}");
    }
    let (status, _) = ask(
        &address,
        "GET",
        "/api/v1/status",
        &[("host", &address), ("host", "rebound.example")],
    );
    assert!(status == 403 || status == 400, "two hosts: {status}");
    let own = format!("http://{address}");
    let (status, body) = ask(
        &address,
        "GET",
        "/api/v1/status",
        &[
            ("host", &address),
            ("origin", &own),
            ("sec-fetch-site", "same-origin"),
        ],
    );
    assert_eq!(status, 200, "its own page may ask: {body}");
}

#[test]
fn nothing_is_changed_over_tcp_before_the_node_has_an_owner() {
    let demo = TestNode::started("demo");
    demo.wait_ready("mint");
    let address = api(&demo);
    let before = demo.service("mint");
    let changes = [
        "down",
        "apply",
        "plan",
        "vault/seal",
        "vault/passphrase",
        "services/mint/remove",
        "accounts",
        "tokens",
    ];
    let headers = [
        ("host", &*address),
        ("content-type", "application/json"),
        ("content-length", "0"),
    ];
    for change in changes {
        let path = format!("/api/v1/{change}");
        // Nobody owns the node yet, so that nobody may change it.
        let (status, body) = ask(&address, "POST", &path, &headers);
        assert_eq!(
            (status, code_of(&body).as_str()),
            (409, "not_set_up"),
            "{change}"
        );
        let (status, body) = ask(&address, "PUT", &path, &headers);
        assert_eq!(
            (status, code_of(&body).as_str()),
            (405, "method_not_allowed"),
            "{change}"
        );
    }
    // The way in asks for the code that only the machine shows.
    let guess =
        r#"{"code":"0000-0000-0000","name":"thief","password":"a long password","language":"en"}"#;
    let length = guess.len().to_string();
    let headers = [
        ("host", &*address),
        ("content-type", "application/json"),
        ("content-length", &*length),
    ];
    let mut told = Vec::new();
    for _ in 0..8 {
        let (status, body) = ask_with_body(&address, "POST", "/api/v1/set-up", &headers, guess);
        told.push((status, code_of(&body)));
    }
    assert_eq!(told[0], (403, "wrong_setup_code".to_owned()));
    assert_eq!(told[7], (429, "too_many_attempts".to_owned()), "{told:?}");
    let after = demo.service("mint");
    assert_eq!(after["started_at"], before["started_at"]);
    assert_eq!(after["ready"]["ok"], true);
}

#[test]
fn addresses_that_others_could_reach_are_refused() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:4420"] {
        let mut demo = TestNode::new("demo");
        demo.arg("--listen").arg(address);
        demo.spawn();
        assert_eq!(
            demo.wait_for_end(),
            Some(78),
            "{address}\n{}",
            demo.daemon_log()
        );
        let log = demo.daemon_log();
        assert!(log.contains("can be reached from other machines"), "{log}");
        assert!(log.contains("next:"), "{log}");
        assert!(demo.processes().is_empty(), "nothing runs");
    }
}

#[test]
fn the_control_socket_is_the_owners_alone() {
    let demo = TestNode::started("demo");
    let folders = demo.run_folders();
    let sockets: Vec<_> = folders
        .iter()
        .map(|folder| folder.join("control.sock"))
        .filter(|socket| socket.exists())
        .collect();
    let [socket] = sockets.as_slice() else {
        panic!("one control socket, not {sockets:?} in {folders:?}");
    };
    let meta = std::fs::symlink_metadata(socket).expect("a socket");
    assert!(meta.file_type().is_socket());
    assert_eq!(meta.permissions().mode() & 0o7777, 0o600);
}

#[test]
fn a_second_orchestrator_on_one_data_folder_names_the_first_and_exits() {
    let demo = TestNode::started("demo");
    demo.wait_ready("mint");
    let before = demo.service("mint");
    let second = demo.cli(&["up", "--background-daemon", "--profile", "demo"]);
    let said = text(&second);
    assert_eq!(second.status.code(), Some(75), "{said}");
    let pid = demo.daemon_pid().to_string();
    let names = said
        .split(|c: char| !c.is_ascii_digit())
        .any(|word| word == pid);
    assert!(names, "names the process {pid}: {said}");
    assert_eq!(
        demo.service("mint")["started_at"],
        before["started_at"],
        "nothing was touched"
    );
    assert_eq!(
        demo.status()["pid"].as_u64(),
        Some(u64::from(demo.daemon_pid()))
    );
}

#[test]
fn two_nodes_on_one_machine_do_not_collide() {
    let first = TestNode::started("demo");
    let second = TestNode::started("demo");
    for (service, endpoint) in [("relay", "nostr"), ("mint", "cashu")] {
        first.wait_ready(service);
        second.wait_ready(service);
        assert_ne!(
            first.endpoint(service, endpoint),
            second.endpoint(service, endpoint)
        );
        assert_ne!(first.service_pid(service), second.service_pid(service));
    }
    assert_ne!(api(&first), api(&second));
    let both = first.run_folders();
    assert!(
        second
            .run_folders()
            .iter()
            .all(|folder| !both.contains(folder))
    );
    let kept = (
        first.service("mint")["started_at"].clone(),
        first.service_pid("mint"),
    );
    second.ok(&["down"]);
    assert_eq!(
        first.service("mint")["started_at"],
        kept.0,
        "the other node goes on"
    );
    assert_eq!(first.service_pid("mint"), kept.1);
    assert_eq!(first.wait_ready("relay")["ready"]["ok"], true);
}

#[test]
fn a_real_network_refuses_a_mint_that_nothing_is_behind() {
    let adding = format!("{NOTHING_RUNS}\n[services.mint]\nmanifest = \"mint\"\n");
    let mut bare = TestNode::new("signet");
    bare.arg("--listen").arg("127.0.0.1:0");
    bare.file("node.toml", NOTHING_RUNS);
    bare.up();
    assert!(bare.service("mint").is_null(), "signet has no mint");
    bare.file("node.toml", &adding);
    let refused = bare.cli(&["apply"]);
    let said = text(&refused);
    assert_eq!(refused.status.code(), Some(65), "{said}");
    assert!(said.contains("`mint` must not run on signet"), "{said}");
    assert!(said.contains("fake one"), "{said}");
    assert!(bare.service("mint").is_null(), "nothing was accepted");

    let mut new = TestNode::new("signet");
    new.arg("--listen").arg("127.0.0.1:0");
    new.file("node.toml", &adding);
    new.spawn();
    assert_eq!(new.wait_for_end(), Some(65), "{}", new.daemon_log());
    let log = new.daemon_log();
    assert!(log.contains("`mint` must not run on signet"), "{log}");
    assert!(new.processes().is_empty(), "nothing runs");
}

#[test]
fn mainnet_starts_nothing_as_processes_of_this_machine() {
    let mut real = TestNode::new("mainnet");
    real.arg("--listen").arg("127.0.0.1:0");
    real.file(
        "node.toml",
        &format!("{NOTHING_RUNS}\n[services.mint]\nmanifest = \"mint\"\n"),
    );
    real.spawn();
    assert_eq!(real.wait_for_end(), Some(78), "{}", real.daemon_log());
    let log = real.daemon_log();
    assert!(log.contains("mainnet does not run as processes"), "{log}");
    assert!(real.processes().is_empty(), "nothing runs");
}

/// A node on a public network that does not begin to download its chain in a test, and takes no fixed port.
const NOTHING_RUNS: &str = "
[services.bitcoind]
enabled = false
[services.btcpay]
enabled = false
[services.electrs]
enabled = false
[services.lnd]
enabled = false
[services.nbxplorer]
enabled = false
[services.postgres]
enabled = false
[services.relay]
enabled = false
[services.tor]
enabled = false
";
