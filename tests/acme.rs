//! The way in by a name in the internet to the node itself, on a machine in a network of its own: with Pebble in the place of
//! an authority of the world, and a router that is the machine's own firewall.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a whole-program test starts programs, and the summary collects what it prints"
)]

#[path = "node/apart.rs"]
mod apart;
mod node;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use apart::PUBLIC;
use apart::apart;
use apart::certificates;
use apart::named_is;
use apart::there;
use node::TestNode;
use node::program;
use node::skip;
use serde_json::Value;

const NAME: &str = "shop.test";
const AUTHORITY: &str = "ca.test";
/// How long what it issues lasts. Units: seconds.
const LASTS: u32 = 45;

/// The authority; ended when it is dropped. It forgets everything then, its accounts and its own root.
struct Pebble(Child);

impl Pebble {
    fn start(node: &TestNode, folder: &Path) -> Self {
        let at = folder.display();
        let config = format!(
            "{{\"pebble\": {{\"listenAddress\": \"{PUBLIC}:14000\", \"managementListenAddress\": \"{PUBLIC}:15000\", \
            \"certificate\": \"{at}/cert.pem\", \"privateKey\": \"{at}/key.pem\", \"httpPort\": 5002, \"tlsPort\": 8443, \
            \"ocspResponderURL\": \"\", \"externalAccountBindingRequired\": false, \"certificateValidityPeriod\": {LASTS}}}}}"
        );
        let path = folder.join("pebble.json");
        std::fs::write(&path, config).expect("a file");
        let log = std::fs::File::create(folder.join("pebble.log")).expect("a log");
        // It finds names where the node does.
        let process = Command::new("nsenter")
            .args([
                "--net",
                "--mount",
                "--target",
                &node.daemon_pid().to_string(),
            ])
            .args(["--", "pebble", "-config"])
            .arg(path)
            .env("PEBBLE_VA_NOSLEEP", "1")
            .stdout(Stdio::from(log))
            .spawn()
            .expect("pebble starts");
        let pebble = Self(process);
        node.wait("the authority to answer", |node| root(node, folder));
        pebble
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        node::send(self.0.id(), "-TERM");
        let _ = self.0.wait();
    }
}

/// Lets the machine trust what vouches for the authority, and what the authority vouches for.
fn root(node: &TestNode, folder: &Path) -> bool {
    let url = format!("https://{AUTHORITY}:15000/roots/0");
    let to = format!("{AUTHORITY}:15000:{PUBLIC}");
    let ca = folder.join("ca.pem").display().to_string();
    let (well, root) = there(
        node,
        &["curl", "-s", "--cacert", &ca, "--resolve", &to, &url],
    );
    if well {
        let ca = std::fs::read_to_string(ca).expect("a certificate");
        std::fs::write(folder.join("trust.pem"), format!("{ca}{root}")).expect("a file");
    }
    well
}

fn text(entrance: &Value) -> &str {
    entrance["text"].as_str().expect("a text")
}

fn choice(contact: &str) -> String {
    format!(
        "[access.public]\nname = \"{NAME}\"\n\n[access.public.acme]\ndirectory = \"https://{AUTHORITY}:14000/dir\"\n\
        contact = \"{contact}@shop.test\"\nport = 8443\n"
    )
}

#[test]
fn the_node_has_a_certificate_for_its_name_and_renews_it() {
    if program("pebble").is_none() || program("iptables").is_none() {
        skip("a certificate for a name in the internet needs pebble and iptables");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    certificates(folder, AUTHORITY, &[]);
    leads(folder, "192.168.77.77");
    let (ca, trust) = (folder.join("ca.pem"), folder.join("trust.pem"));
    std::fs::copy(&ca, &trust).expect("a copy");
    let mut node = TestNode::new("demo");
    let own = format!(
        "mount --bind {} /etc/hosts;",
        folder.join("hosts").display()
    );
    if !apart(&mut node, &own) {
        return;
    }
    node.env("SSL_CERT_FILE", Some(&trust.display().to_string()));
    node.file("node.toml", &choice("me"));
    node.up();
    let silent = node.wait_for("the authority to be missed", named_is("no_authority"));
    assert!(
        text(&silent).contains("ca.test:14000 is not reached"),
        "{silent}"
    );
    assert_eq!(node.cli(&["access"]).status.code(), Some(1));

    // The name does not lead here yet. Another choice is tried at once.
    let pebble = Pebble::start(&node, folder);
    node.file("node.toml", &choice("you"));
    node.ok(&["apply"]);
    let refused = node.wait_for("the authority to look in vain", named_is("not_proved"));
    for part in [NAME, "port 443 to port 8443", "asks again"] {
        assert!(text(&refused).contains(part), "{part}: {refused}");
    }
    leads(folder, PUBLIC);
    node.file("node.toml", &choice("us"));
    node.ok(&["apply"]);
    // It is proved at port 8443, and the router does not pass port 443 on to it yet.
    let unreached = node.wait_for("the router to be missed", named_is("no_answer"));
    assert!(
        text(&unreached).contains("port 443 to port 8443"),
        "{unreached}"
    );
    let pass =
        "iptables -t nat -A OUTPUT -d 203.0.113.9 -p tcp --dport 443 -j REDIRECT --to-ports 8443";
    let (well, said) = there(&node, &["sh", "-c", pass]);
    assert!(well, "{said}");
    let open = node.wait_for("it to be open", named_is("certified"));
    assert_eq!(
        (&open["ok"], &open["urls"][0]),
        (&Value::Bool(true), &Value::from(format!("https://{NAME}")))
    );

    as_a_visitor_sees_it(&node, &trust);

    // What it has lies beside the vault, for nobody else to read, and a restart asks for nothing.
    let file = node.data().join("acme.json");
    let mode = std::fs::metadata(&file).expect("it is there").permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
    let account = |node: &TestNode| {
        let kept = std::fs::read(node.data().join("acme.json")).expect("it is there");
        let kept: Value = serde_json::from_slice(&kept).expect("JSON");
        (
            kept["account"].clone(),
            kept["issued"]["certificate"].clone(),
        )
    };
    let first = account(&node);
    let renewed = node.wait_for("the certificate to be renewed", |node| {
        let now = account(node);
        (now.1 != first.1).then_some(now)
    });
    assert_eq!(renewed.0, first.0, "by the same account");

    // An authority that forgot the account gets another one.
    drop(pebble);
    let pebble = Pebble::start(&node, folder);
    let anew = node.wait_for("another account", |node| {
        let now = account(node);
        (now.0 != first.0 && now.1 != renewed.1).then_some(now)
    });
    node.wait_for("it to be open again", named_is("certified"));
    drop(pebble);
    let stale = node.wait_for("the renewal to fail", named_is("not_renewed"));
    assert!(
        text(&stale).starts_with("Open, and its certificate is not renewed")
            && stale["ok"] == false,
        "{stale}"
    );
    assert_eq!(account(&node).1, anew.1, "what there is stays");
    node.kill_daemon();
    node.up();
    node.wait_for("its end", named_is("no_authority"));
    let events = node.ok(&["events", "-n", "80"]);
    for event in [
        "(public_not_proved)",
        "(public_certified)",
        "(public_not_renewed)",
    ] {
        assert!(events.contains(event), "{event} in {events}");
    }
    // Switched off, nobody listens any more.
    node.file("node.toml", "");
    node.ok(&["apply"]);
    node.wait_for("it to be off", named_is("off"));
    let knock = ["curl", "-sk", "-m", "5", "https://203.0.113.9:8443/"];
    let (_, said) = there(
        &node,
        &["sh", "-c", &format!("{}; echo $?", knock.join(" "))],
    );
    assert_eq!(said.trim(), "7", "nobody is there to connect to");
}

/// Lets the name lead to `address`.
fn leads(folder: &Path, address: &str) {
    let hosts = format!("127.0.0.1 localhost\n{PUBLIC} {AUTHORITY}\n{address} {NAME}\n");
    std::fs::write(folder.join("hosts"), hosts).expect("a file");
}

fn as_a_visitor_sees_it(node: &TestNode, trust: &Path) {
    let to = format!("{NAME}:443:{PUBLIC}");
    let trust = trust.display().to_string();
    let visit = |path: &str, more: &[&str]| {
        let url = format!("https://{NAME}{path}");
        let mut words = vec!["curl", "-sS", "-i", "--compressed", "--resolve", &to];
        words.extend(["--cacert", &trust]);
        words.extend(more);
        words.push(&url);
        there(node, &words)
    };
    let (well, said) = visit("/", &[]);
    assert!(well && said.contains("content-security-policy"), "{said}");
    assert!(
        said.contains("strict-transport-security: max-age="),
        "{said}"
    );
    assert!(visit("/api/v1/session", &[]).1.contains("\"stage\""));
    // Nobody owns the node yet; what a visitor says of himself makes him no user of this machine.
    for more in [
        &[][..],
        &["-H", "X-Forwarded-For: 127.0.0.1"],
        &["-H", "Forwarded: for=127.0.0.1"],
    ] {
        assert!(visit("/api/v1/status", more).1.contains("not_set_up"));
    }
    assert!(
        visit("/", &["-H", "Host: other.test"])
            .1
            .contains("\"host\"")
    );
    let origin = ["-X", "POST", "-H", "Origin: https://evil.test"];
    assert!(visit("/api/v1/session", &origin).1.contains("\"origin\""));
    // Who speaks plain HTTP is sent to HTTPS; who tries addresses learns no name.
    let (_, said) = there(
        node,
        &["curl", "-s", "-i", "http://203.0.113.9:8443/services"],
    );
    assert!(
        said.starts_with("HTTP/1.1 308") && said.contains(&format!("https://{NAME}/")),
        "{said}"
    );
    let (well, said) = there(node, &["curl", "-skv", "https://203.0.113.9:8443/"]);
    assert!(!well && !said.contains(NAME), "{said}");
}
