//! Owns what a test of faults looks at in a node: its processes one by one, its ports, its answers over HTTP.

#![allow(dead_code, reason = "each test target uses a part of it")]

use std::io::Read;
use std::io::Write;
use std::net::Ipv4Addr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::atomic::AtomicU16;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::node::TestNode;

/// Returns a port on which nobody listens, below those that the system gives to clients, so that no connection of
/// another test takes it in between.
pub(crate) fn free_port() -> u16 {
    static TRIED: AtomicU16 = AtomicU16::new(0);
    loop {
        let tried = TRIED.fetch_add(1, Ordering::SeqCst);
        let begin = u16::try_from(std::process::id() % 199).expect("small") * 100;
        let port = 12_000 + (begin + tried) % 20_000;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

/// Asks for `path` and returns the body, without following anything. `base` is `http://HOST:PORT`.
pub(crate) fn http_get(base: &str, path: &str) -> String {
    try_http_get(base, path).unwrap_or_else(|error| panic!("{base}{path}: {error}"))
}

/// Asks for `path` of a service that may be restarting.
pub(crate) fn try_http_get(base: &str, path: &str) -> std::io::Result<String> {
    let host = base.trim_start_matches("http://").trim_end_matches('/');
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let accept = "application/nostr+json, application/json";
    let request = format!("GET {path} HTTP/1.0\r\nHost: {host}\r\nAccept: {accept}\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let body = answer
        .split_once("\r\n\r\n")
        .map(|(_, body)| body.to_owned());
    body.ok_or_else(|| std::io::Error::other("no head and body"))
}

impl TestNode {
    /// Gives relay, mint and the API ports that no other test uses, and puts `more` into `node.toml`.
    pub(crate) fn with_own_ports(&mut self, more: &str) {
        self.with_own_service_ports(more);
        self.arg("--listen")
            .arg(&format!("127.0.0.1:{}", free_port()));
    }

    /// As [`TestNode::with_own_ports`], but the node chooses the port of its API.
    pub(crate) fn with_own_service_ports(&self, more: &str) {
        let (relay, mint) = (free_port(), free_port());
        let text = format!(
            "[services.relay.ports]\nhttp = {relay}\n\n[services.mint.ports]\nhttp = {mint}\n\n{more}"
        );
        self.file("node.toml", &text);
    }

    /// The processes that run the program of `id`, from the command lines of all processes.
    pub(crate) fn programs_of(&self, id: &str) -> Vec<u32> {
        let config = format!("/files/{id}/");
        let all = self.processes().into_iter();
        all.filter(|(_, line)| line.contains(&config) && !is_supervisor(line))
            .map(|(pid, _)| pid)
            .collect()
    }

    /// The supervisors of `id`.
    pub(crate) fn supervisors_of(&self, id: &str) -> Vec<u32> {
        let slot = self.data().join("run").join(id).display().to_string();
        let all = self.processes().into_iter();
        all.filter(|(_, line)| is_supervisor(line) && line.split(' ').any(|word| word == slot))
            .map(|(pid, _)| pid)
            .collect()
    }

    /// The one supervisor of `id`.
    pub(crate) fn supervisor_pid(&self, id: &str) -> Option<u32> {
        let found = self.supervisors_of(id);
        assert!(
            found.len() < 2,
            "{id} has two supervisors: {:?}",
            self.processes()
        );
        found.first().copied()
    }

    /// Waits until every service in `ids` is ready with one program and one supervisor, and nothing else of the
    /// node runs but its daemon.
    pub(crate) fn wait_settled(&self, ids: &[&str]) {
        for id in ids {
            self.wait_ready(id);
        }
        let last = std::cell::RefCell::new(String::new());
        let settled = || {
            let each: Vec<_> = ids
                .iter()
                .map(|id| {
                    let recorded = self.service_pid(id);
                    (*id, self.programs_of(id), recorded, self.supervisors_of(id))
                })
                .collect();
            let all = self.processes();
            *last.borrow_mut() =
                format!("(id, programs, recorded, supervisors): {each:?}; {all:?}");
            let once = each.iter().all(|(_, programs, recorded, supervisors)| {
                programs.len() == 1
                    && *recorded == programs.first().copied()
                    && supervisors.len() == 1
            });
            once && all.len() == 2 * ids.len() + 1
        };
        self.wait_explained(
            "one program and one supervisor for each service",
            |_| settled().then_some(()),
            || last.borrow().clone(),
        );
    }

    /// Takes a service's signal as its machine code.
    pub(crate) fn code(&self, id: &str, signal: &str) -> String {
        self.service(id)[signal]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// Takes a service's signal as its sentence.
    pub(crate) fn sentence(&self, id: &str, signal: &str) -> String {
        self.service(id)[signal]["text"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }
}

/// Whether a command line is a supervisor's. Its program is named by `/proc/self/exe`.
fn is_supervisor(line: &str) -> bool {
    line.contains(" shim --dir ")
}
