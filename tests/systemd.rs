//! The units that `service show` prints: systemd takes them, and a node works with no more than they allow.

#![allow(
    clippy::disallowed_methods,
    reason = "a whole-program test starts programs"
)]

#[path = "node/declared.rs"]
mod declared;
#[path = "node/engine.rs"]
mod engine;
mod inspect;
mod leak;
mod node;
mod timeline;

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use crate::engine::Node;
use crate::engine::have_engine;
use crate::node::TestNode;
use crate::node::program;
use crate::node::skip;

const PASSPHRASE: &str = "a passphrase of the tests alone";

/// The two units of a node, written as files.
struct Units {
    folder: tempfile::TempDir,
    daemon: String,
    names: Vec<String>,
}

fn units(node: &TestNode) -> Units {
    let folder = tempfile::tempdir().expect("a folder");
    let shown = node.ok(&["service", "show"]);
    let mut names: Vec<String> = Vec::new();
    let mut text = String::new();
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).expect("a unit");
    };
    for line in shown.lines() {
        match line.strip_prefix("# flash-node-") {
            Some(rest) if rest.ends_with(".service") => {
                if let Some(last) = names.last() {
                    write(last, &text);
                }
                text.clear();
                names.push(format!("flash-node-{rest}"));
            }
            _ => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    write(names.last().expect("units"), &text);
    let daemon = std::fs::read_to_string(folder.path().join(&names[0])).expect("the daemon's");
    Units {
        folder,
        daemon,
        names,
    }
}

fn value<'a>(unit: &'a str, key: &str) -> Option<&'a str> {
    unit.lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
}

#[test]
fn systemd_takes_both_units() {
    let node = TestNode::started("demo");
    let units = units(&node);
    assert_eq!(units.names.len(), 2, "{:?}", units.names);
    assert_eq!(value(&units.daemon, "KillMode"), Some("process"));
    verify(&units);
}

#[test]
fn systemd_takes_the_units_of_a_node_in_containers() {
    if !have_engine() {
        return;
    }
    let mut node = Node::new(&[("relay", None)], "");
    node.up();
    let units = units(&node.node);
    assert_eq!(value(&units.daemon, "KillMode"), Some("process"));
    // The engine is there before it, and the node goes on where it is not.
    let after: Vec<&str> = units
        .daemon
        .lines()
        .filter_map(|line| line.strip_prefix("After="))
        .flat_map(str::split_whitespace)
        .collect();
    assert!(after.contains(&"docker.service"), "{}", units.daemon);
    verify(&units);
}

/// What systemd itself finds in the units.
fn verify(units: &Units) {
    if program("systemd-analyze").is_none() {
        skip("systemd-analyze is not installed: the units were not verified");
        return;
    }
    let verified = Command::new("systemd-analyze")
        .arg("verify")
        .args(
            units
                .names
                .iter()
                .map(|name| units.folder.path().join(name)),
        )
        .output()
        .expect("systemd-analyze");
    let said = String::from_utf8_lossy(&verified.stderr);
    assert!(
        verified.status.success() && said.trim().is_empty(),
        "{said}"
    );
}

#[test]
fn without_systemd_nothing_is_written_and_the_way_out_is_named() {
    if Path::new("/run/systemd/system").exists() {
        skip("systemd runs this machine: a refusal to install was not tried");
        return;
    }
    let node = TestNode::started("demo");
    let refused = node.cli(&["service", "install"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(78), "{said}");
    assert!(said.contains("flash-node service show"), "{said}");
    let removed = node.ok(&["service", "remove"]);
    assert!(removed.is_empty(), "{removed}");
}

#[test]
fn a_unit_is_for_a_node_that_was_started_once() {
    let node = TestNode::new("demo");
    let refused = node.cli(&["service", "show"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(69), "{said}");
    assert!(said.contains("start it once"), "{said}");
}

/// Puts a command into what a unit allows: its capabilities, its mask, no new privileges, and a system that can be
/// written only where the unit says. systemd itself does more; what is tried here is what could stop a node.
fn within(unit: &str) -> Vec<String> {
    let written: Vec<PathBuf> = value(unit, "ReadWritePaths")
        .expect("folders")
        .split("\" \"")
        .map(|word| PathBuf::from(word.trim_matches('"').trim_start_matches('-')))
        .collect();
    let capabilities = value(unit, "CapabilityBoundingSet")
        .expect("capabilities")
        .split(' ')
        .map(|name| format!("+{}", name.trim_start_matches("CAP_").to_lowercase()));
    let bounding = format!("-all,{}", capabilities.collect::<Vec<_>>().join(","));
    let mut script = String::from("set -e\nmount --make-rprivate /\n");
    for path in &written {
        let path = path.display();
        script.push_str(&format!(
            "[ -e '{path}' ] && mount --bind '{path}' '{path}'\n"
        ));
    }
    script.push_str("mount -o remount,bind,ro /\n");
    // What cargo builds in may be a mount of its own.
    script.push_str(&format!(
        "umask {}\n",
        value(unit, "UMask").expect("a mask")
    ));
    script.push_str(&format!(
        "exec setpriv --no-new-privs --bounding-set {bounding} --inh-caps {bounding} \"$@\"\n"
    ));
    ["unshare", "--mount", "sh", "-c", &script, "sh"]
        .map(str::to_owned)
        .to_vec()
}

fn works_within_its_unit(mut node: TestNode, passphrase: Option<&str>) {
    for service in ["relay", "mint"] {
        node.wait_ready(service);
    }
    let units = units(&node);
    let before = ["relay", "mint"].map(|id| node.service(id)["started_at"].clone());
    node.kill_daemon();
    node.within(within(&units.daemon));
    node.up();
    if let Some(passphrase) = passphrase {
        let opened = node.cli_with_input(&["unlock"], &format!("{passphrase}\n"));
        assert!(opened.status.success(), "{opened:?}");
    }
    for service in ["relay", "mint"] {
        node.wait_ready(service);
    }
    let after = ["relay", "mint"].map(|id| node.service(id)["started_at"].clone());
    assert_eq!(before, after, "services go on");
    // What has to be done with a service is allowed as well.
    node.ok(&["set", "relay.name", "another name"]);
    node.wait("the relay to be made anew", |node| {
        node.service("relay")["started_at"] != before[0]
    });
    node.wait_ready("relay");
    node.ok(&["down"]);
    assert_eq!(node.wait_for_end(), Some(0));
}

fn can_confine() -> bool {
    if !rustix::process::geteuid().is_root() {
        skip("only root has a system unit: a node within its unit was not tried");
        return false;
    }
    true
}

#[test]
fn a_node_of_processes_works_within_its_unit() {
    if can_confine() {
        works_within_its_unit(TestNode::started("demo"), None);
    }
}

#[test]
fn a_node_in_containers_works_within_its_unit() {
    if !can_confine() {
        return;
    }
    let engine = Command::new("docker").arg("version").output();
    if !engine.is_ok_and(|output| output.status.success()) {
        skip("no container engine answers: a node in containers within its unit was not tried");
        return;
    }
    let node = TestNode::in_containers();
    let mut choices = String::new();
    for service in [
        "bitcoind",
        "btcpay",
        "electrs",
        "lnd",
        "nbxplorer",
        "postgres",
        "tor",
    ] {
        choices.push_str(&format!("[services.{service}]\nenabled = false\n"));
    }
    for service in ["relay", "mint"] {
        let port = inspect::free_port();
        choices.push_str(&format!(
            "[services.{service}]\nports = {{ http = {port} }}\n"
        ));
    }
    node.file("node.toml", &choices);
    let mut node = node;
    node.up();
    let typed = format!("{PASSPHRASE}\n{PASSPHRASE}\n");
    assert!(
        node.cli_with_input(&["passphrase", "change"], &typed)
            .status
            .success()
    );
    works_within_its_unit(node, Some(PASSPHRASE));
}
