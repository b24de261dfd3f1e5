//! Owns what a node said while a test went on: every change of a service's codes and every event, in order.
//!
//! It reads the live stream, which carries the same document as `status --json` each time it changes, so that a state
//! that lasts half a second is seen too.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test target uses a part of it"
)]
#![allow(
    clippy::print_stdout,
    reason = "the summary of all tests collects these lines"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "a whole-program test starts threads and watches the real clock"
)]

use std::collections::BTreeMap;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::Value;

use crate::node::PATIENCE;

/// One change: a service and what became of it, such as `ready=syncing` or `event=failed`.
pub type Moment = (String, String);

/// What was seen of a node, from the moment the timeline was begun.
pub struct Timeline {
    seen: Arc<Mutex<Vec<Moment>>>,
    over: Arc<AtomicBool>,
    reader: Option<std::thread::JoinHandle<()>>,
}

impl Timeline {
    /// Reads the stream of the node whose API answers at `api`, and goes on when its daemon is started again.
    pub fn begin(api: &str) -> Self {
        let address = api
            .strip_prefix("http://")
            .expect("the API is plain HTTP")
            .to_owned();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let over = Arc::new(AtomicBool::new(false));
        let (into, stop) = (Arc::clone(&seen), Arc::clone(&over));
        let reader = std::thread::spawn(move || {
            let mut last = BTreeMap::new();
            while !stop.load(Ordering::Relaxed) {
                // The daemon may be down: the next try follows at once when it is back.
                let _ = read(&address, &stop, &mut last, &into);
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        Self {
            seen,
            over,
            reader: Some(reader),
        }
    }

    /// Where the timeline stands: what follows later is seen by [`Timeline::since`].
    pub fn mark(&self) -> usize {
        self.seen.lock().expect("no reader panics").len()
    }

    /// Every moment after `mark`.
    pub fn since(&self, mark: usize) -> Vec<Moment> {
        self.seen.lock().expect("no reader panics")[mark..].to_vec()
    }

    /// Whether `service` went through `steps` in this order after `mark`; other moments may lie between.
    pub fn went(&self, mark: usize, service: &str, steps: &[&str]) -> bool {
        let moments = self.since(mark);
        let mut own = moments
            .iter()
            .filter(|(id, _)| id == service)
            .map(|(_, what)| what.as_str());
        steps.iter().all(|step| own.any(|what| what == *step))
    }

    /// Asserts that `service` went through `steps` in this order after `mark`.
    pub fn assert_went(&self, mark: usize, service: &str, steps: &[&str]) {
        let own: Vec<String> = self
            .since(mark)
            .into_iter()
            .filter(|(id, _)| id == service)
            .map(|(_, what)| what)
            .collect();
        assert!(
            self.went(mark, service, steps),
            "{service} did not go through {steps:?}; it went {own:#?}"
        );
        println!("{service}: {}", steps.join(" → "));
    }

    /// Waits until `service` went through `steps` in this order after `mark`, and asserts it.
    pub fn reach(&self, mark: usize, service: &str, steps: &[&str]) {
        let begun = std::time::Instant::now();
        while !self.went(mark, service, steps) && begun.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(50));
        }
        self.assert_went(mark, service, steps);
    }

    /// Where the first such moment lies after `mark`.
    pub fn position(&self, mark: usize, service: &str, what: &str) -> Option<usize> {
        self.since(mark)
            .iter()
            .position(|(id, one)| id == service && one == what)
    }
}

impl Drop for Timeline {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

/// Reads one stream to its end.
fn read(
    address: &str,
    stop: &AtomicBool,
    last: &mut BTreeMap<Moment, String>,
    into: &Mutex<Vec<Moment>>,
) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_millis(200)))?;
    // HTTP/1.0: the body comes as it is, without chunks.
    write!(
        stream,
        "GET /api/v1/events HTTP/1.0\r\nHost: {address}\r\n\r\n"
    )?;
    let mut lines = BufReader::new(stream);
    let (mut line, mut kind) = (Vec::new(), String::new());
    while !stop.load(Ordering::Relaxed) {
        match lines.read_until(b'\n', &mut line) {
            Ok(0) => return Ok(()),
            Ok(_) if line.ends_with(b"\n") => {}
            Ok(_) => continue,
            Err(error)
                if matches!(
                    error.kind(),
                    std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                ) =>
            {
                continue;
            }
            Err(error) => return Err(error),
        }
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        line.clear();
        if let Some(name) = text.strip_prefix("event:") {
            name.trim().clone_into(&mut kind);
        } else if let Some(data) = text.strip_prefix("data:")
            && let Ok(document) = serde_json::from_str::<Value>(data.trim())
        {
            note(&kind, &document, last, into);
        }
    }
    Ok(())
}

fn note(
    kind: &str,
    document: &Value,
    last: &mut BTreeMap<Moment, String>,
    into: &Mutex<Vec<Moment>>,
) {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut seen = into.lock().expect("no reader panics");
    if kind == "event" {
        seen.push((
            word(&document["service"]),
            format!("event={}", word(&document["code"])),
        ));
    }
    if kind != "status" {
        return;
    }
    for service in document["services"].as_array().into_iter().flatten() {
        let id = word(&service["id"]);
        let codes = [
            ("state", word(&service["state"])),
            ("alive", word(&service["alive"]["code"])),
            ("ready", word(&service["ready"]["code"])),
            ("synced", word(&service["synced"]["code"])),
        ];
        for (signal, code) in codes {
            let before = last.insert((id.clone(), signal.to_owned()), code.clone());
            if before.as_ref() != Some(&code) {
                seen.push((id.clone(), format!("{signal}={code}")));
            }
        }
    }
}
