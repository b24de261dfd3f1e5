//! Owns a machine in a network of its own, for what must not be opened to the one around the tests.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each target that holds it uses a part of it"
)]

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::node::TestNode;
use crate::node::program;
use crate::node::skip;

/// Its address in a private network.
pub const ADDRESS: &str = "192.168.77.5";
/// Its address in a network of the world.
pub const PUBLIC: &str = "203.0.113.9";

/// Lets the node run there, after `more` was done in a shell. Nothing where that cannot be had.
pub fn apart(node: &mut TestNode, more: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    for needed in ["unshare", "nsenter", "ip", "curl"] {
        if !root || program(needed).is_none() {
            skip(&format!("a network of its own needs root, and {needed}"));
            return false;
        }
    }
    let set_up = format!(
        "ip link set lo up; ip link add lan0 type veth peer name lan1; ip link set lan1 up; ip link set lan0 up; \
        ip addr add {ADDRESS}/24 dev lan0; ip addr add {PUBLIC}/24 dev lan0; {more} exec \"$@\""
    );
    let words = [
        "unshare", "--net", "--mount", "--uts", "sh", "-ec", &set_up, "sh",
    ];
    node.within(words.map(str::to_owned).to_vec());
    true
}

/// Builds a command that runs where the node does.
pub fn command(node: &TestNode, program: &str) -> Command {
    let mut command = Command::new("nsenter");
    command
        .args(["--net", "--target", &node.daemon_pid().to_string(), "--"])
        .arg(program);
    command
}

/// Runs a program where the node does; returns whether it ended well, and what it said.
pub fn there(node: &TestNode, words: &[&str]) -> (bool, String) {
    let (program, rest) = words.split_first().expect("a program");
    said(command(node, program).args(rest))
}

/// Runs a program to its end; returns whether it ended well, and what it said.
pub fn said(command: &mut Command) -> (bool, String) {
    let output = command.output().expect("it starts");
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    (output.status.success(), text)
}

/// An authority of the world, and what it issued for `name`: files `ca.pem`, `cert.pem`, `key.pem`. In `hosts` that name and
/// `others` lead to the machine.
pub fn certificates(folder: &Path, name: &str, others: &[&str]) {
    let mut of_authority = rcgen::CertificateParams::new([]).expect("no names");
    of_authority
        .distinguished_name
        .push(rcgen::DnType::CommonName, "An authority of the world");
    of_authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_key = rcgen::KeyPair::generate().expect("a key");
    let authority = of_authority
        .self_signed(&authority_key)
        .expect("a certificate");
    let key = rcgen::KeyPair::generate().expect("a key");
    let issuer = rcgen::Issuer::new(of_authority, authority_key);
    let issued = rcgen::CertificateParams::new([name.to_owned()]).expect("a name");
    let issued = issued.signed_by(&key, &issuer).expect("a certificate");
    let names = [&[name], others].concat().join(" ");
    for (file, text) in [
        ("ca.pem", authority.pem()),
        ("cert.pem", issued.pem()),
        ("key.pem", key.serialize_pem()),
        ("hosts", format!("127.0.0.1 localhost\n{PUBLIC} {names}\n")),
    ] {
        std::fs::write(folder.join(file), text).expect("a file");
    }
}

/// What the API says at the machine itself of the ways in.
pub fn access(node: &TestNode) -> Option<Value> {
    let api = node.try_status()?["api"].as_str()?.to_owned();
    let (well, text) = there(node, &["curl", "-s", &format!("{api}/api/v1/access")]);
    well.then(|| serde_json::from_str(&text).ok()).flatten()
}

/// How the way in by a name in the internet is.
pub fn named(node: &TestNode) -> Option<Value> {
    access(node)?["entrances"].get(2).cloned()
}

/// Looks whether that way in is as `code` says.
pub fn named_is(code: &'static str) -> impl Fn(&TestNode) -> Option<Value> {
    move |node| named(node).filter(|one| one["code"] == code)
}
