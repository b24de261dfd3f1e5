//! Owns another machine of the network that a node is in, which knows of it what a phone does: how it is called.

#![allow(
    unreachable_pub,
    reason = "a test target has no crate to be reached from"
)]

use std::io::BufRead;
use std::io::BufReader;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use serde_json::Value;

use crate::apart::PUBLIC;
use crate::apart::command;
use crate::apart::said;
use crate::client::SET_UP;
use crate::client::foreign;
use crate::client::installed;
use crate::node::TestNode;
use crate::node::send;
use crate::node::skip;

/// Its own address.
pub const ADDRESS: &str = "192.168.77.9";
const VENV: &str = ".venv/mdns";

/// Whether what it asks by is there.
pub fn have_zeroconf() -> bool {
    let mark = format!("{VENV}/requirements.done");
    let python = format!("{VENV}/bin/python");
    let have = installed(&mark, "mdns/requirements.txt", &[&python]);
    if !have {
        skip(&format!("zeroconf is not installed: {SET_UP}"));
    }
    have
}

/// The machine; gone when it is dropped.
pub struct Phone {
    /// Whose network it is in.
    keeper: Child,
}

impl Phone {
    /// Puts it at the other end of the network that `node` is in.
    pub fn join(node: &TestNode) -> Self {
        let sleeping = Command::new("unshare")
            .args(["--net", "sleep", "infinity"])
            .spawn();
        let phone = Self {
            keeper: sleeping.expect("it starts"),
        };
        let pid = phone.keeper.id().to_string();
        let network = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/net")).ok();
        node.wait("a network of its own", |_| {
            network(&pid).is_some_and(|own| Some(own) != network("self"))
        });
        let given = command(node, "ip")
            .args(["link", "set", "lan1", "netns", &pid])
            .status();
        assert!(given.expect("it starts").success());
        // The node asks by multicast from any of its addresses, and is answered there.
        let set_up = format!(
            "ip link set lo up; ip addr add {ADDRESS}/24 dev lan1; ip link set lan1 up; ip route add {PUBLIC} dev lan1"
        );
        let (well, said) = phone.run(&["sh", "-ec", &set_up]);
        assert!(well, "{said}");
        phone
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args(["--net", "--target", &self.keeper.id().to_string(), "--"])
            .arg(program)
            .env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }

    fn python(&self, script: &str, name: &str) -> Command {
        let python = foreign().join(VENV).join("bin/python");
        let mut command = self.command(&python.display().to_string());
        command.arg(foreign().join("mdns").join(script));
        command.args([ADDRESS, name]);
        command
    }

    /// Runs a program on it; returns whether it ended well, and what it said.
    pub fn run(&self, words: &[&str]) -> (bool, String) {
        let (program, rest) = words.split_first().expect("a program");
        said(self.command(program).args(rest))
    }

    /// Asks its network who answers by `name`, and where pages are.
    pub fn find(&self, name: &str) -> Value {
        let output = self.python("find.py", name).output().expect("it starts");
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
    }

    /// Has `name` itself, until what is returned is dropped.
    pub fn hold(&self, name: &str) -> Holder {
        let holding = self
            .python("hold.py", name)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut holder = Holder(holding.expect("it starts"));
        let mut line = String::new();
        let said = holder.0.stdout.as_mut().expect("its output");
        BufReader::new(said).read_line(&mut line).expect("a line");
        assert_eq!(line, "held\n");
        holder
    }
}

impl Drop for Phone {
    fn drop(&mut self) {
        send(self.keeper.id(), "-KILL");
        let _ = self.keeper.wait();
    }
}

/// What has a name.
pub struct Holder(Child);

impl Drop for Holder {
    fn drop(&mut self) {
        // At the end of its input it takes leave.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
