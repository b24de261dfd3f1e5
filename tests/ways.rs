//! The way in from the node's own network, on a machine in a network of its own: what a phone sees that trusts it, and one
//! that does not.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a whole-program test starts programs, and the summary collects what it prints"
)]

#[path = "node/apart.rs"]
mod apart;
#[path = "node/foreign.rs"]
mod client;
mod node;
#[path = "ways/phone.rs"]
mod phone;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::time::Duration;
use std::time::Instant;

use apart::ADDRESS;
use apart::PUBLIC;
use apart::access;
use apart::apart;
use apart::certificates;
use apart::command;
use apart::named_is;
use apart::there;
use node::TestNode;
use node::program;
use node::skip;
use phone::Phone;
use phone::have_zeroconf;
use serde_json::Value;
use serde_json::json;

const NAME: &str = "shop.test";
const OPEN: &str = "[access]\nlan = true\nlan_port = 4443\n";

fn lan(node: &TestNode) -> Option<Value> {
    let access = access(node)?;
    access["entrances"].get(1).cloned()
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
    // A browser that kept to HTTPS for an address could not come back once this way in is closed.
    let (_, said) = there(&node, &["curl", "-ski", &format!("{url}/")]);
    assert!(
        said.starts_with("HTTP/1.1 200") && !said.contains("strict-transport"),
        "{said}"
    );
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
    let told = node.ok(&["access", "--lan", "off", "--dry-run"]);
    assert!(told.contains("would reach the node"), "{told}");
    assert_eq!(lan(&node).expect("an answer")["code"], "open");
    let told = node.ok(&["access", "--lan", "off"]);
    assert!(
        told.contains("nobody of your network reaches the node"),
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
fn the_network_finds_the_machine_by_its_local_name() {
    if !have_zeroconf() {
        return;
    }
    let mut node = TestNode::new("demo");
    if !apart(&mut node, "echo shop > /proc/sys/kernel/hostname;") {
        return;
    }
    node.up();
    let phone = Phone::join(&node);
    let nothing = json!({ "addresses": [], "pages": [] });
    assert_eq!(phone.find("shop.local"), nothing);
    node.ok(&["access", "--lan", "on"]);
    let url = "https://shop.local:4443";
    let named = |node: &TestNode| lan(node).is_some_and(|lan| lan["urls"][0] == url);
    node.wait("the name to be answered for", named);
    // Its other address is in no private network, and is told nobody.
    let page = json!({ "name": "Flash Node on shop._https._tcp.local.", "host": "shop.local.", "port": 4443, "addresses": [ADDRESS] });
    let found = json!({ "addresses": [ADDRESS], "pages": [page] });
    assert_eq!(phone.find("shop.local"), found);
    let authority = node.data().with_file_name("phone.crt");
    let path = authority.display().to_string();
    let at = format!("https://{ADDRESS}:4443/authority.crt");
    let (well, said) = phone.run(&["curl", "-sk", "-m", "10", "-o", &path, &at]);
    assert!(well, "{said}");
    let (session, led) = (
        format!("{url}/api/v1/session"),
        format!("shop.local:4443:{ADDRESS}"),
    );
    let ask = [
        "curl",
        "-sS",
        "-m",
        "10",
        "--cacert",
        &path,
        "--resolve",
        &led,
        &session,
    ];
    let (well, said) = phone.run(&ask);
    assert!(well && said.contains("\"stage\""), "{said}");

    node.ok(&["access", "--lan", "off"]);
    node.wait("it to be closed", |one| {
        lan(one).is_some_and(|lan| lan["code"] == "off")
    });
    assert_eq!(phone.find("shop.local"), nothing);

    // What another device has is left to it, and nobody is sent there.
    let printer = phone.hold("shop.local");
    node.ok(&["access", "--lan", "on"]);
    let taken = node.wait_for("it to be told", |one| {
        lan(one).filter(|lan| lan["code"] == "name_taken")
    });
    assert_eq!(taken["ok"], true);
    let urls = taken["urls"].to_string();
    assert!(!urls.contains(".local") && urls.contains(ADDRESS), "{urls}");
    let found = json!({ "addresses": [phone::ADDRESS], "pages": [] });
    assert_eq!(phone.find("shop.local"), found);
    let events = node.ok(&["events", "-n", "50"]);
    assert!(events.contains("(lan_name_taken)"), "{events}");
    drop(printer);
    node.ok(&["access", "--lan", "off"]);
    node.wait("it to be closed again", |one| {
        lan(one).is_some_and(|lan| lan["code"] == "off")
    });
    node.ok(&["access", "--lan", "on"]);
    node.wait("the name to be answered for again", named);
}

/// A proxy of the operator's, at the machine's address in the world; ended when it is dropped.
struct Nginx {
    folder: PathBuf,
    process: Child,
}

impl Nginx {
    /// Writes its configuration, with these lines about whoever it passes on.
    fn write(folder: &Path, lines: &str) {
        let at = folder.display();
        let text = format!(
            "daemon off; worker_processes 1; pid {at}/pid; error_log {at}/error.log;\n\
            events {{}}\n\
            http {{ access_log off; client_body_temp_path {at}/body; proxy_temp_path {at}/proxy; fastcgi_temp_path {at}/f; uwsgi_temp_path {at}/u; scgi_temp_path {at}/s;\n\
            server {{ listen {PUBLIC}:443 ssl; listen {PUBLIC}:80; server_name {NAME}; ssl_certificate {at}/cert.pem; ssl_certificate_key {at}/key.pem;\n\
            location / {{ proxy_pass http://127.0.0.1:4420; {lines} }} }} }}\n"
        );
        std::fs::write(folder.join("nginx.conf"), text).expect("a file");
    }

    fn start(node: &TestNode, folder: &Path) -> Self {
        let conf = folder.join("nginx.conf").display().to_string();
        let process = command(node, "nginx")
            .args(["-c", &conf, "-e", "stderr"])
            .spawn()
            .expect("nginx starts");
        Self {
            folder: folder.to_owned(),
            process,
        }
    }

    fn reload(&self, lines: &str) {
        Self::write(&self.folder, lines);
        // What was started is `nsenter`, which became nginx.
        node::send(self.process.id(), "-HUP");
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        node::send(self.process.id(), "-TERM");
        let _ = self.process.wait();
    }
}

#[test]
fn a_name_leads_in_through_a_proxy_and_what_the_proxy_lacks_is_told() {
    if program("nginx").is_none() {
        skip("the way in by a name needs nginx");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    // nginx's workers are nobody's.
    std::fs::set_permissions(folder, PermissionsExt::from_mode(0o755)).expect("a mode");
    certificates(folder, NAME, &[]);
    let mut node = TestNode::new("demo");
    let hosts = folder.join("hosts");
    let own = format!("mount --bind {} /etc/hosts;", hosts.display());
    if !apart(&mut node, &own) {
        return;
    }
    let trusted = folder.join("ca.pem").display().to_string();
    node.env("SSL_CERT_FILE", Some(&trusted));
    let choice = |proxy: &str| {
        format!("[access.public]\nname = \"{NAME}\"\ntrusted_proxies = [\"{proxy}\"]\n")
    };
    node.file("node.toml", &choice("127.0.0.1"));
    node.up();
    let silent = node.wait_for("nobody to answer", named_is("no_answer"));
    assert!(
        silent["text"]
            .as_str()
            .is_some_and(|text| text.contains(NAME)),
        "{silent}"
    );
    assert_eq!(node.cli(&["access"]).status.code(), Some(1));

    Nginx::write(folder, "return 204;");
    let nginx = Nginx::start(&node, folder);
    node.wait_for("another to answer", named_is("elsewhere"));
    nginx.reload("");
    node.wait_for("the visitor to be missed", named_is("unmarked"));
    let from = "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;";
    nginx.reload(from);
    node.wait_for("the encryption to be missed", named_is("not_encrypted"));
    let from = format!("{from} proxy_set_header X-Forwarded-Proto $scheme;");
    nginx.reload(&from);
    node.wait_for("the name to be missed", named_is("other_name"));
    let whole = format!("{from} proxy_set_header Host $host;");
    nginx.reload(&whole);
    let open = node.wait_for("it to be open", named_is("open"));
    assert_eq!(
        (&open["ok"], &open["urls"][0]),
        (&Value::Bool(true), &Value::from(format!("https://{NAME}")))
    );

    // As a visitor sees it.
    let to = format!("{NAME}:443:{PUBLIC}");
    let visit = |path: &str| {
        let url = format!("https://{NAME}{path}");
        there(
            &node,
            &[
                "curl",
                "-sS",
                "-i",
                "--compressed",
                "--resolve",
                &to,
                "--cacert",
                &trusted,
                &url,
            ],
        )
    };
    let (well, text) = visit("/api/v1/session");
    assert!(well && text.contains("\"stage\""), "{text}");
    let (well, text) = visit("/");
    assert!(well && text.contains("content-security-policy"), "{text}");
    // Nobody owns the node yet.
    assert!(visit("/api/v1/status").1.contains("not_set_up"));
    let plain = format!("{NAME}:80:{PUBLIC}");
    let url = format!("http://{NAME}/services");
    let (_, text) = there(&node, &["curl", "-s", "-i", "--resolve", &plain, &url]);
    assert!(
        text.starts_with("HTTP/1.1 308") && text.contains(&format!("https://{NAME}/")),
        "{text}"
    );
    let told = String::from_utf8_lossy(&node.cli(&["access"]).stdout).into_owned();
    assert!(told.contains(&format!("https://{NAME}")), "{told}");

    // Whoever is not trusted any more is not believed from the next look on.
    node.file("node.toml", &choice("10.9.9.9"));
    node.ok(&["apply"]);
    let distrusted = node.wait_for("the proxy to be distrusted", named_is("not_trusted"));
    assert!(
        distrusted["text"]
            .as_str()
            .is_some_and(|text| text.contains("127.0.0.1")),
        "{distrusted}"
    );
    assert!(visit("/api/v1/session").1.contains("\"host\""));
    let events = node.ok(&["events", "-n", "50"]);
    for event in ["(public_unmarked)", "(public_open)", "(public_not_trusted)"] {
        assert!(events.contains(event), "{event} in {events}");
    }
    node.file(
        "node.toml",
        "[access.public]\nname = \"https://shop.test\"\ntrusted_proxies = []\n",
    );
    let refused = node.cli(&["apply"]);
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(text.contains("is no name in the internet"), "{text}");
}

#[test]
fn a_port_that_is_taken_is_told_with_what_to_do_and_is_had_once_it_is_free() {
    let mut node = TestNode::new("demo");
    let held = "ip addr add 192.168.77.6/24 dev lan0; \
        python3 -c 'import socket,time; s=socket.create_server((\"192.168.77.5\",4443)); time.sleep(1000)' & \
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
    // Nobody at the machine's other addresses notices, however often the one is tried again, or when another one comes.
    let pages = |address: &str| {
        let url = format!("https://{address}:4443/");
        there(&node, &["curl", "-sk", "-m", "5", "-o", "/dev/null", &url]).0
    };
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(6) {
        assert!(pages("192.168.77.6"), "it was closed in between");
    }
    let (well, text) = there(
        &node,
        &["ip", "addr", "add", "192.168.77.7/24", "dev", "lan0"],
    );
    assert!(well, "{text}");
    node.wait("the new address to answer", |_| pages("192.168.77.7"));
    let pid = std::fs::read_to_string(&file)
        .expect("a process")
        .trim()
        .to_owned();
    node::send(pid.parse().expect("a number"), "-KILL");
    node.wait("it to be open", |one| {
        lan(one).is_some_and(|lan| lan["code"] == "open")
    });
}
