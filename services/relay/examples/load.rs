//! Measures a relay: `load <ws-url> <connections> <window> <events>` publishes signed events, at most
//! `window` unanswered per connection, then asks for events, and prints one line of JSON.
//!
//! The relay's limits must allow the load; a refused event ends the measurement with an error.

use std::collections::HashMap;
use std::error::Error;
use std::time::Duration;

use futures_util::SinkExt;
use futures_util::StreamExt;
use nostr::event::Event;
use nostr::event::EventBuilder;
use nostr::event::FinalizeEvent;
use nostr::event::Kind;
use nostr::event::Tag;
use nostr::key::Keys;
use serde_json::Value;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_tungstenite::MaybeTlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

type Failure = Box<dyn Error + Send + Sync>;
type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

const QUERIES: usize = 500;
const EVENTS_PER_QUERY: usize = 20;
const USAGE: &str = "usage: load <ws-url> <connections> <window> <events>";

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, connections, window, events] = arguments.as_slice() else {
        return Err(USAGE.into());
    };
    let (connections, window): (usize, usize) = (connections.parse()?, window.parse()?);
    let events: usize = events.parse()?;
    let keys = Keys::generate();
    let batches = prepare(&keys, connections.max(1), events)?;
    let total: usize = batches.iter().map(Vec::len).sum();

    let mut sockets = Vec::new();
    for _ in &batches {
        sockets.push(connect(url).await?);
    }
    let started = Instant::now();
    let mut publishers = JoinSet::new();
    for (socket, batch) in sockets.into_iter().zip(batches) {
        publishers.spawn(publish(socket, batch, window.max(1)));
    }
    let mut answers = Vec::with_capacity(total);
    while let Some(result) = publishers.join_next().await {
        answers.extend(result??);
    }
    let seconds = started.elapsed().as_secs_f64();
    let mut queries = query(connect(url).await?, &keys).await?;
    report(&json!({
        "ingest_per_s": (total as f64 / seconds).round(),
        "ok_p50_ms": percentile(&mut answers, 50),
        "ok_p99_ms": percentile(&mut answers, 99),
        "req_p50_ms": percentile(&mut queries, 50),
        "req_p99_ms": percentile(&mut queries, 99),
        "events": total,
    }));
    Ok(())
}

/// Signs everything beforehand, so that only the relay's work is measured.
fn prepare(
    keys: &Keys,
    connections: usize,
    events: usize,
) -> Result<Vec<Vec<(String, String)>>, Failure> {
    let mut batches = vec![Vec::new(); connections];
    for number in 0..events {
        let event: Event = EventBuilder::new(Kind::TextNote, format!("event number {number}"))
            .tag(Tag::parse(["t", "load"])?)
            .finalize(keys)?;
        let id = event.id.to_hex();
        batches[number % connections].push((id, json!(["EVENT", event]).to_string()));
    }
    Ok(batches)
}

async fn connect(url: &str) -> Result<Socket, Failure> {
    let (mut socket, _) = tokio_tungstenite::connect_async_with_config(url, None, true).await?;
    // The relay greets with its challenge.
    receive(&mut socket).await?;
    Ok(socket)
}

async fn receive(socket: &mut Socket) -> Result<Value, Failure> {
    loop {
        match socket
            .next()
            .await
            .ok_or("the relay ended the connection")??
        {
            Message::Text(text) => return Ok(serde_json::from_str(text.as_str())?),
            Message::Close(_) => return Err("the relay ended the connection".into()),
            _ => {}
        }
    }
}

async fn publish(
    mut socket: Socket,
    batch: Vec<(String, String)>,
    window: usize,
) -> Result<Vec<Duration>, Failure> {
    let total = batch.len();
    let mut waiting = HashMap::with_capacity(window);
    let mut answers = Vec::with_capacity(total);
    let mut unsent = batch.into_iter();
    while answers.len() < total {
        let room = window - waiting.len();
        for (id, text) in unsent.by_ref().take(room) {
            waiting.insert(id, Instant::now());
            socket.feed(Message::text(text)).await?;
        }
        socket.flush().await?;
        let message = receive(&mut socket).await?;
        if message[0] != "OK" || message[2] != true {
            return Err(format!("the relay answered {message}").into());
        }
        let id = message[1].as_str().unwrap_or_default();
        let sent = waiting.remove(id).ok_or("the relay answered twice")?;
        answers.push(sent.elapsed());
    }
    Ok(answers)
}

async fn query(mut socket: Socket, keys: &Keys) -> Result<Vec<Duration>, Failure> {
    let author = keys.public_key().to_hex();
    let mut answers = Vec::with_capacity(QUERIES);
    for number in 0..QUERIES {
        let name = format!("q{number}");
        let filter = json!({"authors": [author], "kinds": [1], "limit": EVENTS_PER_QUERY});
        let request = json!(["REQ", name, filter]).to_string();
        let started = Instant::now();
        socket.send(Message::text(request)).await?;
        loop {
            let message = receive(&mut socket).await?;
            if message[0] == "EOSE" {
                break;
            }
            if message[0] != "EVENT" {
                return Err(format!("the relay answered {message}").into());
            }
        }
        answers.push(started.elapsed());
        socket
            .send(Message::text(json!(["CLOSE", name]).to_string()))
            .await?;
    }
    Ok(answers)
}

/// Returns the time within which `percent` of the answers came. Units: milliseconds.
fn percentile(answers: &mut [Duration], percent: usize) -> f64 {
    answers.sort_unstable();
    let at = (answers.len() * percent / 100).min(answers.len().saturating_sub(1));
    let time = answers.get(at).copied().unwrap_or_default();
    (time.as_secs_f64() * 1_000_000.0).round() / 1000.0
}

#[expect(
    clippy::print_stdout,
    reason = "the measurement is the program's output"
)]
fn report(line: &Value) {
    println!("{line}");
}
