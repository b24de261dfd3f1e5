//! Measures the API as a dashboard meets it: reads by many at once, and an owner's while strangers ask without end.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use crate::Table;
use crate::daemon::free;
use crate::daemon::node;
use crate::daemon::ready;
use crate::daemon::up;
use crate::node::TestNode;

const SERVICES: usize = 20;
const CLIENTS: usize = 50;
const STRANGERS: usize = 500;
/// How long each load lasts.
const LASTS: Duration = Duration::from_secs(10);
/// What a client waits between two questions.
const PAUSE: Duration = Duration::from_millis(100);
/// How long strangers flood before the owner asks.
const SETTLES: Duration = Duration::from_secs(1);
/// How long an owner is taken to wait.
const IN_TIME: Duration = Duration::from_secs(5);
/// What a dashboard reads.
const READS: [&str; 5] = ["status", "services/relay", "edges", "settings", "tasks"];

/// Reads with 20 services under 50 clients, and an owner's answer under a flood of 500 others.
pub fn all(table: &mut Table) {
    let address = free();
    let mut twenty = node(address);
    let more: String = (3..=SERVICES)
        .map(|number| format!("[services.stand-in-{number}]\nmanifest = \"relay\"\n"))
        .collect();
    twenty.file("node.toml", &more);
    up(&mut twenty, address);
    ready(address, SERVICES);
    let cookie = own(&twenty, address);
    let mut reads = Vec::new();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            // One alone may not ask as much as fifty.
            let token = token(address, &cookie, number);
            std::thread::spawn(move || read(address, &token, number))
        })
        .collect();
    for client in clients {
        reads.extend(client.join().unwrap());
    }
    table.add(
        "api_read_p99_with_20_services_under_50_clients",
        percentile(&mut reads, 0.99),
        "ms",
        "≤ 10",
    );
    table.add(
        "api_read_median_with_20_services_under_50_clients",
        percentile(&mut reads, 0.5),
        "ms",
        "",
    );
    for (name, flood) in [
        ("ask_for_the_page_10_times_a_second", flood as Stranger),
        ("take_connections_and_say_nothing", silent as Stranger),
    ] {
        owner_beside(table, address, &cookie, name, flood);
    }
    twenty.ok(&["down"]);
    twenty.wait_for_end();
}

/// What a stranger does until it is over, and how often it got what it wanted.
type Stranger = fn(SocketAddr, &AtomicBool) -> u32;

/// Asks as the owner while 500 strangers do what they do.
fn owner_beside(
    table: &mut Table,
    address: SocketAddr,
    cookie: &str,
    name: &str,
    stranger: Stranger,
) {
    let over = Arc::new(AtomicBool::new(false));
    let strangers: Vec<_> = (0..STRANGERS)
        .map(|_| {
            let over = Arc::clone(&over);
            std::thread::Builder::new()
                .stack_size(128 * 1024)
                .spawn(move || stranger(address, &over))
                .unwrap()
        })
        .collect();
    std::thread::sleep(SETTLES);
    let (mut owner, mut unanswered) = (Vec::new(), 0_u32);
    let begun = Instant::now();
    while begun.elapsed() < LASTS {
        let asked = Instant::now();
        // A connection of its own each time: the hardest case.
        if asks_anew(address, cookie) {
            owner.push(asked.elapsed());
        } else {
            unanswered += 1;
        }
        std::thread::sleep(PAUSE);
    }
    over.store(true, Ordering::Relaxed);
    let lasted = begun.elapsed() + SETTLES;
    let got: u32 = strangers.into_iter().map(|one| one.join().unwrap()).sum();
    // Strangers whom nobody serves would be no flood.
    table.add(
        &format!("api_strangers_served_while_500_clients_{name}"),
        f64::from(got) / lasted.as_secs_f64(),
        "1/s",
        "",
    );
    if !owner.is_empty() {
        table.add(
            &format!("api_owner_p99_while_500_clients_{name}"),
            percentile(&mut owner, 0.99),
            "ms",
            "",
        );
    }
    let asked = f64::from(unanswered) + f64::from(u32::try_from(owner.len()).unwrap());
    table.add(
        &format!("api_owner_unanswered_within_5_s_while_500_clients_{name}"),
        f64::from(unanswered) / asked * 100.0,
        "% of asked",
        "0",
    );
}

/// Asks once on a new connection, and says whether it was answered in time.
fn asks_anew(address: SocketAddr, cookie: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect_timeout(&address, IN_TIME) else {
        return false;
    };
    stream.set_read_timeout(Some(IN_TIME)).unwrap();
    let request = format!(
        "GET /api/v1/status HTTP/1.1\r\nHost: {address}\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n"
    );
    let mut answer = Vec::new();
    stream.write_all(request.as_bytes()).is_ok()
        && stream.read_to_end(&mut answer).is_ok()
        && answer.starts_with(b"HTTP/1.1 200")
}

/// Makes the owner, and returns the cookie of the session.
pub fn own(node: &TestNode, address: SocketAddr) -> String {
    let shown = node.ok(&["setup-code"]);
    let code = shown.split_whitespace().next().unwrap();
    let body = format!(
        "{{\"code\":\"{code}\",\"name\":\"owner\",\"password\":\"four plain old words\",\"language\":\"en\"}}"
    );
    let answer = post(address, "set-up", "", &body);
    let cookie = answer
        .lines()
        .find_map(|line| line.strip_prefix("set-cookie: "))
        .unwrap_or_else(|| panic!("no session: {answer}"));
    cookie.split(';').next().unwrap().to_owned()
}

/// Makes a token for a program that reads.
fn token(address: SocketAddr, cookie: &str, number: usize) -> String {
    let body =
        format!("{{\"name\":\"reader {number}\",\"role\":\"auditor\",\"expires_in_days\":1}}");
    let answer = post(address, "tokens", cookie, &body);
    let value = answer.split("\"value\":\"").nth(1);
    let value = value.unwrap_or_else(|| panic!("no token: {answer}"));
    value.split('"').next().unwrap().to_owned()
}

/// Posts once on a connection of its own, and returns the whole answer.
fn post(address: SocketAddr, path: &str, cookie: &str, body: &str) -> String {
    let mut stream = connect(address);
    write!(
        stream,
        "POST /api/v1/{path} HTTP/1.1\r\nHost: {address}\r\nCookie: {cookie}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    stream
}

/// Asks for what a dashboard shows, on one connection, and returns how long each answer took.
fn read(address: SocketAddr, token: &str, number: usize) -> Vec<Duration> {
    let mut stream = connect(address);
    let (begun, mut times) = (Instant::now(), Vec::new());
    for path in READS.iter().cycle().skip(number % READS.len()) {
        if begun.elapsed() > LASTS {
            break;
        }
        let asked = Instant::now();
        let answer = ask(&mut stream, address, path, token);
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
        times.push(asked.elapsed());
        std::thread::sleep(PAUSE);
    }
    times
}

/// Asks once and reads the whole answer; returns its head.
fn ask(stream: &mut TcpStream, address: SocketAddr, path: &str, token: &str) -> String {
    write!(
        stream,
        "GET /api/v1/{path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\r\n"
    )
    .unwrap();
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(number) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = number.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    head
}

/// Asks for the page on one connection as long as the node keeps it, then on the next.
fn flood(address: SocketAddr, over: &AtomicBool) -> u32 {
    let mut answers = 0;
    let mut bytes = [0; 16 * 1024];
    let request = format!("GET / HTTP/1.1\r\nHost: {address}\r\n\r\n");
    while !over.load(Ordering::Relaxed) {
        let Ok(mut stream) = TcpStream::connect(address) else {
            continue;
        };
        // One that waits in the queue at the end must not hold the measurement up.
        let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
        while !over.load(Ordering::Relaxed)
            && stream.write_all(request.as_bytes()).is_ok()
            && stream.read(&mut bytes).is_ok_and(|read| read > 0)
        {
            answers += 1;
            // They stand on other machines: here they must not take the processor from whom they ask.
            std::thread::sleep(PAUSE);
        }
    }
    answers
}

/// Opens a connection and says nothing, and the next one as soon as it is closed.
fn silent(address: SocketAddr, over: &AtomicBool) -> u32 {
    let mut places = 0;
    while !over.load(Ordering::Relaxed) {
        let Ok(mut stream) = TcpStream::connect(address) else {
            continue;
        };
        places += 1;
        let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
        let mut bytes = [0; 16];
        // Until it is closed, or two seconds are over and the next look at `over` is due.
        while !over.load(Ordering::Relaxed)
            && stream
                .read(&mut bytes)
                .is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
        {}
        std::thread::sleep(PAUSE);
    }
    places
}

/// Units: milliseconds.
pub fn percentile(times: &mut [Duration], share: f64) -> f64 {
    times.sort_unstable();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a place in a list of some thousands"
    )]
    let at = ((times.len() - 1) as f64 * share).round() as usize;
    times[at].as_secs_f64() * 1000.0
}
