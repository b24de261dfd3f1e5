//! The real program: nothing acknowledged is lost, whatever ends it, and its exit says why.

use std::collections::BTreeSet;
use std::process::Output;

use nostr::key::Keys;
use serde_json::json;
use tokio::net::TcpListener;

use crate::support::Client;
use crate::support::Program;
use crate::support::command;
use crate::support::config_text;
use crate::support::event;

const GENEROUS: &str = "[limits]\nevents_per_minute_per_address = 1000000\nevents_per_minute_per_key = 1000000\nmessages_per_minute_per_address = 1000000\nrequests_per_minute_per_address = 1000000\nmax_limit = 100000";

/// Publishes without waiting until the connection ends; returns what was acknowledged.
async fn publish_until_the_end(mut client: Client) -> BTreeSet<String> {
    let keys = Keys::generate();
    let mut acknowledged = BTreeSet::new();
    let mut number = 0;
    loop {
        for _ in 0..32 {
            number += 1;
            let note = event(&keys, 1, &number.to_string(), &[]);
            use futures_util::SinkExt;
            let text = json!(["EVENT", note]).to_string();
            if client
                .socket
                .send(tokio_tungstenite::tungstenite::Message::text(text))
                .await
                .is_err()
            {
                break;
            }
        }
        for _ in 0..32 {
            let Some(message) = client.try_receive().await else {
                return acknowledged;
            };
            if message[0] == "OK" && message[2] == true {
                acknowledged.insert(message[1].as_str().expect("an id").to_owned());
            }
        }
    }
}

async fn stored(url: &str) -> BTreeSet<String> {
    let mut client = Client::connect(url).await;
    client
        .ids(json!({"kinds": [1]}))
        .await
        .expect("an answer")
        .into_iter()
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_loses_nothing_that_was_acknowledged() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut acknowledged = BTreeSet::new();
    for round in 0..3 {
        let mut program = Program::start(folder.path(), GENEROUS);
        let mut publishers = tokio::task::JoinSet::new();
        for _ in 0..4 {
            publishers.spawn(publish_until_the_end(Client::connect(&program.url).await));
        }
        let mut witness = Client::connect(&program.url).await;
        let name = witness
            .subscribe(&[json!({"kinds": [1], "limit": 0})])
            .await;
        witness.stored(&name).await.expect("a subscription");
        for _ in 0..200 + 100 * round {
            witness.receive().await;
        }
        program.kill();
        let before = acknowledged.len();
        while let Some(result) = publishers.join_next().await {
            acknowledged.extend(result.expect("a publisher"));
        }
        assert!(
            acknowledged.len() > before,
            "nothing was acknowledged before the kill"
        );
    }
    let program = Program::start(folder.path(), GENEROUS);
    let kept = stored(&program.url).await;
    let lost: Vec<_> = acknowledged.difference(&kept).collect();
    assert!(
        lost.is_empty(),
        "{} of {} acknowledged events are lost",
        lost.len(),
        acknowledged.len()
    );
}

/// A kill leaves what the system has taken over; a power cut leaves only what was synced. So count the syncs.
#[expect(
    clippy::disallowed_methods,
    reason = "a test looks at the real program"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_ok_comes_after_a_sync() {
    const EVENTS: usize = 10;
    let folder = tempfile::tempdir().expect("a folder");
    let program = Program::start(folder.path(), "");
    let mut client = Client::connect(&program.url).await;
    let trace = folder.path().join("trace");
    let watching = std::process::Command::new("strace")
        .args(["-f", "-e", "trace=fsync,fdatasync,msync", "-o"])
        .arg(&trace)
        .args(["-p", &program.id().to_string()])
        .stderr(std::process::Stdio::piped())
        .spawn();
    let Ok(mut watcher) = watching else {
        println!("SKIPPED: strace");
        return;
    };
    let mut said = std::io::BufReader::new(watcher.stderr.take().expect("piped"));
    let mut line = String::new();
    std::io::BufRead::read_line(&mut said, &mut line).expect("a line");
    if !line.contains("attached") {
        let _ = watcher.wait();
        println!("SKIPPED: the right to trace a process");
        return;
    }
    let syncs = || {
        let text = std::fs::read_to_string(&trace).unwrap_or_default();
        // A call that another thread's interrupts has two lines, of which the second says "resumed".
        text.lines()
            .filter(|line| line.contains("sync") && !line.contains("resumed"))
            .count()
    };
    let keys = Keys::generate();
    let mut before = syncs();
    for number in 0..EVENTS {
        let note = event(&keys, 1, &number.to_string(), &[]);
        assert!(client.publish(&note).await.0);
        // The trace is written before the traced call goes on.
        let after = syncs();
        assert!(
            after > before,
            "event {number} was acknowledged without a sync"
        );
        before = after;
    }
    let _ = watcher.kill();
    let _ = watcher.wait();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_signal_saves_what_was_taken_says_goodbye_and_exits_with_0() {
    for signal in ["TERM", "INT"] {
        let folder = tempfile::tempdir().expect("a folder");
        let mut program = Program::start(folder.path(), GENEROUS);
        let mut idle = Client::connect(&program.url).await;
        let mut publishers = tokio::task::JoinSet::new();
        for _ in 0..4 {
            publishers.spawn(publish_until_the_end(Client::connect(&program.url).await));
        }
        let mut witness = Client::connect(&program.url).await;
        let name = witness
            .subscribe(&[json!({"kinds": [1], "limit": 0})])
            .await;
        witness.stored(&name).await.expect("a subscription");
        for _ in 0..300 {
            witness.receive().await;
        }
        program.signal(signal);
        assert_eq!(goodbye(&mut idle).await, 1001);
        let mut acknowledged = BTreeSet::new();
        while let Some(result) = publishers.join_next().await {
            acknowledged.extend(result.expect("a publisher"));
        }
        assert_eq!(program.wait().await.code(), Some(0), "{signal}");
        let again = Program::start(folder.path(), GENEROUS);
        let kept = stored(&again.url).await;
        assert!(
            acknowledged.is_subset(&kept),
            "{signal}: an acknowledged event is lost"
        );
        // What was saved was also acknowledged: a drain that loses OKs makes clients publish again.
        assert_eq!(
            kept.difference(&acknowledged).count(),
            0,
            "{signal}: an OK was not sent"
        );
    }
}

async fn goodbye(client: &mut Client) -> u16 {
    use futures_util::StreamExt;
    use tokio_tungstenite::tungstenite::Message;
    loop {
        let next = tokio::time::timeout(crate::support::DEADLINE, client.socket.next());
        let frame = next.await.expect("a goodbye in time").expect("a goodbye");
        if let Message::Close(Some(frame)) = frame.expect("a frame") {
            return frame.code.into();
        }
    }
}

fn run(file: &std::path::Path, arguments: &[&str]) -> Output {
    command()
        .arg("--config")
        .arg(file)
        .args(arguments)
        .output()
        .expect("the program runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn a_wrong_configuration_exits_with_78_and_names_the_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("relay.toml");
    let good = config_text(folder.path(), "");
    for (extra, expected) in [
        ("colour = \"red\"", "colour"),
        ("[limits]\nmax_limits = 5", "max_limits"),
        ("[limits]\nmax_limit = 0", "limits.max_limit"),
        (
            "public_urls = [\"https://example.com\"]",
            "must begin with ws:// or wss://",
        ),
        ("log_format = \"xml\"", "xml"),
    ] {
        std::fs::write(&file, format!("{good}\n{extra}\n")).expect("written");
        for arguments in [&[][..], &["check"][..]] {
            let output = run(&file, arguments);
            assert_eq!(output.status.code(), Some(78), "{extra}: {}", said(&output));
            assert!(
                said(&output).contains(expected),
                "{extra}: {}",
                said(&output)
            );
        }
    }
    assert_eq!(
        run(&folder.path().join("missing.toml"), &[]).status.code(),
        Some(78)
    );
    std::fs::write(&file, good).expect("written");
    assert_eq!(run(&file, &["check"]).status.code(), Some(0));
    let version = command()
        .arg("--version")
        .output()
        .expect("the program runs");
    assert_eq!(
        String::from_utf8_lossy(&version.stdout),
        "flash-relay 0.1.0\n"
    );
}

#[tokio::test]
async fn a_taken_port_or_database_exits_with_75_and_says_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let holder = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = holder.local_addr().expect("an address").to_string();
    let file = folder.path().join("taken.toml");
    let text = config_text(folder.path(), "").replace("127.0.0.1:0", &address);
    std::fs::write(&file, text).expect("written");
    let output = run(&file, &[]);
    assert_eq!(output.status.code(), Some(75), "{}", said(&output));
    assert!(
        said(&output).contains(&address) && said(&output).contains("hint: "),
        "{}",
        said(&output)
    );
    let _running = Program::start(folder.path(), "");
    let output = run(&folder.path().join("relay.toml"), &[]);
    assert_eq!(output.status.code(), Some(75), "{}", said(&output));
    assert!(
        said(&output).contains("in use by another process"),
        "{}",
        said(&output)
    );
}

#[tokio::test]
async fn a_full_database_refuses_events_and_health_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = format!("{GENEROUS}\n");
    let text = config_text(folder.path(), &file).replace("map_size_mib = 64", "map_size_mib = 16");
    let config = toml::from_str(&text).expect("TOML");
    let relay = flash_relay::Relay::start(config).await.expect("a start");
    let mut client = Client::connect(&format!("ws://{}", relay.address())).await;
    let (keys, content) = (Keys::generate(), "x".repeat(100_000));
    let mut acknowledged = BTreeSet::new();
    let refusal = loop {
        assert!(
            acknowledged.len() < 1000,
            "16 MiB hold no more than 160 such events"
        );
        let note = event(&keys, 1, &format!("{}{content}", acknowledged.len()), &[]);
        let (accepted, text) = client.publish(&note).await;
        if !accepted {
            break text;
        }
        acknowledged.insert(note.id.to_hex());
    };
    assert!(refusal.starts_with("error: "), "{refusal}");
    let health = health(relay.address()).await;
    assert!(
        health.starts_with("HTTP/1.1 503") && health.contains("map_full"),
        "{health}"
    );
    let kept: BTreeSet<String> = client
        .ids(json!({"kinds": [1]}))
        .await
        .expect("an answer")
        .into_iter()
        .collect();
    assert_eq!(kept, acknowledged);
}

async fn health(address: std::net::SocketAddr) -> String {
    use tokio::io::AsyncReadExt;
    use tokio::io::AsyncWriteExt;
    let mut stream = tokio::net::TcpStream::connect(address)
        .await
        .expect("a connection");
    stream
        .write_all(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .await
        .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    answer
}

/// What `/health` says reaches the operator through the manifest, which must know each of its codes.
#[test]
fn the_manifest_has_a_rule_for_every_code_of_the_health_report() {
    let text = include_str!("../../../../manifests/services/relay.toml");
    let manifest: toml::Table = toml::from_str(text).expect("TOML");
    assert_eq!(
        manifest["probes"]["report"]["path"].as_str(),
        Some("/health")
    );
    let rules = manifest["health"]["ready"].as_array().expect("rules");
    for code in [
        "disk_full",
        "disk_failed",
        "map_full",
        "write_failed",
        "read_failed",
        "draining",
    ] {
        let rule = rules
            .iter()
            .find(|rule| rule["code"].as_str() == Some(code))
            .expect(code);
        let asked = &rule["when"][0];
        assert_eq!(asked["probe"].as_str(), Some("report"), "{code}");
        assert_eq!(asked["equals"].as_str(), Some(code), "{code}");
        assert_eq!(rule["ok"].as_bool(), Some(false), "{code}");
    }
}
