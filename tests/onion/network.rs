//! Owns a Tor network of its own for a test: three authorities that are relays too, four relays, and a visitor's client.
//!
//! All of it are Debian's real programs, where the node runs. Which options such a network needs: tor(1), "TESTING NETWORK
//! OPTIONS", and what chutney of the Tor Project sets.

#![allow(
    unreachable_pub,
    reason = "a test target has no crate to be reached from"
)]

use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use crate::apart::command;
use crate::node::TestNode;
use crate::node::program;
use crate::node::send;

/// Where the visitor's own Tor listens.
pub const SOCKS: &str = "127.0.0.1:9150";
const AUTHORITIES: std::ops::RangeInclusive<u8> = 1..=3;
const RELAYS: std::ops::RangeInclusive<u8> = 4..=7;

/// The network; ended when it is dropped.
pub struct TorNetwork {
    folder: PathBuf,
    /// Who vouches for the network, as `DirAuthority` takes them.
    pub authorities: Vec<String>,
    running: Vec<Child>,
}

/// Names what is missing for it.
pub fn missing() -> Option<&'static str> {
    ["tor", "tor-gencert"]
        .into_iter()
        .find(|name| program(name).is_none())
}

impl TorNetwork {
    /// Makes keys and certificates below `folder`; nothing is started.
    pub fn prepare(folder: &Path) -> Self {
        // Without it tor reads the machine's own configuration.
        std::fs::write(folder.join("empty"), "").expect("a file");
        let authorities = AUTHORITIES.map(|number| authority(folder, number));
        Self {
            folder: folder.to_owned(),
            authorities: authorities.collect(),
            running: Vec::new(),
        }
    }

    /// Starts all of it where `node` runs.
    pub fn start(&mut self, node: &TestNode) {
        for number in AUTHORITIES {
            let lines = format!(
                "{}DirPort 127.0.0.{number}:7000\nAuthoritativeDirectory 1\nV3AuthoritativeDirectory 1\nContactInfo test@test.test\n\
                TestingV3AuthInitialVotingInterval 5\nTestingV3AuthInitialVoteDelay 2\nTestingV3AuthInitialDistDelay 2\n\
                V3AuthVotingInterval 20\nV3AuthVoteDelay 4\nV3AuthDistDelay 4\n\
                TestingDirAuthVoteGuard *\nTestingDirAuthVoteHSDir *\nTestingMinExitFlagThreshold 0\n",
                relay(number)
            );
            self.run(node, &format!("relay{number}"), &lines);
        }
        for number in RELAYS {
            self.run(node, &format!("relay{number}"), &relay(number));
        }
        self.run(node, "visitor", &format!("SocksPort {SOCKS}\n"));
    }

    fn run(&mut self, node: &TestNode, name: &str, lines: &str) {
        let folder = own(&self.folder, name);
        let mut text = format!(
            "DataDirectory {}\nTestingTorNetwork 1\nAssumeReachable 1\nPathsNeededToBuildCircuits 0.67\nLog notice stdout\n{lines}",
            folder.display()
        );
        for authority in &self.authorities {
            text.push_str(&format!("DirAuthority {authority}\n"));
        }
        let torrc = folder.join("torrc");
        std::fs::write(&torrc, text).expect("a file");
        let log = std::fs::File::create(folder.join("log")).expect("a log");
        let running = command(node, "tor")
            .arg("-f")
            .arg(torrc)
            .arg("--defaults-torrc")
            .arg(self.folder.join("empty"))
            .stdout(log)
            .spawn();
        self.running.push(running.expect("tor starts"));
    }

    /// What brings a command to where the network is: a node that starts again finds it, and its own services, there.
    pub fn way_in(&self) -> Vec<String> {
        let one = self.running.first().expect("it was started");
        let words = ["nsenter", "--net", "--target", &one.id().to_string(), "--"];
        words.map(str::to_owned).to_vec()
    }

    /// What the visitor's own Tor said last.
    pub fn visitor_log(&self) -> String {
        std::fs::read_to_string(self.folder.join("visitor/log")).unwrap_or_default()
    }
}

impl Drop for TorNetwork {
    fn drop(&mut self) {
        for one in &self.running {
            send(one.id(), "-KILL");
        }
        for one in &mut self.running {
            let _ = one.wait();
        }
    }
}

fn relay(number: u8) -> String {
    format!(
        "Nickname relay{number}\nAddress 127.0.0.{number}\nORPort 127.0.0.{number}:5000\nSocksPort 0\nExitPolicy reject *:*\n"
    )
}

/// A folder that is open to nobody else, as tor wants it.
fn own(folder: &Path, name: &str) -> PathBuf {
    use std::os::unix::fs::DirBuilderExt;
    let folder = folder.join(name);
    let made = std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder);
    made.expect("a folder");
    folder
}

/// Makes an authority's keys, and returns its line.
fn authority(folder: &Path, number: u8) -> String {
    let data = own(folder, &format!("relay{number}"));
    let keys = own(&data, "keys");
    // It asks twice for a passphrase of the key that signs nothing here.
    let asked = folder.join("passphrase");
    std::fs::write(&asked, "test\n").expect("a file");
    let certified = Command::new("tor-gencert")
        .args(["--create-identity-key", "--passphrase-fd", "0", "-m", "12"])
        .args(["-a", &format!("127.0.0.{number}:7000")])
        .arg("-i")
        .arg(keys.join("authority_identity_key"))
        .arg("-s")
        .arg(keys.join("authority_signing_key"))
        .arg("-c")
        .arg(keys.join("authority_certificate"))
        .stdin(std::fs::File::open(&asked).expect("a file"))
        .stderr(Stdio::null())
        .status();
    assert!(certified.expect("tor-gencert starts").success());
    let certificate = std::fs::read_to_string(keys.join("authority_certificate")).expect("text");
    let identity = certificate
        .lines()
        .find_map(|line| line.strip_prefix("fingerprint "))
        .expect("a fingerprint")
        .to_owned();
    let empty = folder.join("empty");
    let listed = Command::new("tor")
        .args(["--list-fingerprint", "--quiet", "--Nickname"])
        .arg(format!("relay{number}"))
        .args(["--ORPort", &format!("127.0.0.{number}:5000")])
        .arg("--DataDirectory")
        .arg(&data)
        .arg("-f")
        .arg(&empty)
        .arg("--defaults-torrc")
        .arg(&empty)
        .output()
        .expect("tor starts");
    let listed = String::from_utf8(listed.stdout).expect("text");
    let relay: String = listed.split_whitespace().skip(1).collect();
    assert_eq!(relay.len(), 40, "{listed}");
    format!("authority{number} orport=5000 no-v2 v3ident={identity} 127.0.0.{number}:7000 {relay}")
}
