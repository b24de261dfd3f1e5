//! Each protocol against a small real server on a port of its own.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::*;

mod database;
mod http;
mod lines;
mod real;
mod sockets;

/// Long enough for a loaded machine, so that only a true silence runs into it.
const PATIENT: Duration = Duration::from_secs(20);
/// For questions to which no answer must come.
const BRIEF: Duration = Duration::from_millis(300);

fn question(address: SocketAddr, ask: Asking) -> Question {
    Question {
        address,
        credential: None,
        ask,
        timeout: PATIENT,
    }
}

fn credential(user: &str, password: &str) -> Option<Credential> {
    Some(Credential {
        user: user.to_owned(),
        password: SecretBytes::from(password.to_owned()),
    })
}

/// Serves each connection with `serve`; ends when dropped.
struct Server {
    address: SocketAddr,
    _tasks: JoinSet<()>,
}

async fn serve<F, R>(serve: F) -> Server
where
    F: Fn(TcpStream) -> R + Send + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            connections.spawn(serve(stream));
        }
    });
    Server {
        address,
        _tasks: tasks,
    }
}

/// Reads until `end` has come.
async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut read = Vec::new();
    let mut chunk = [0; 1024];
    while !String::from_utf8_lossy(&read).contains(end) {
        let count = stream.read(&mut chunk).await.unwrap();
        if count == 0 {
            break;
        }
        read.extend_from_slice(&chunk[..count]);
    }
    String::from_utf8(read).unwrap()
}

/// Sends without caring whether anyone still reads.
async fn send(stream: &mut TcpStream, bytes: &[u8]) {
    let _ = stream.write_all(bytes).await;
}

/// Accepts and then says nothing, for ever.
async fn silent() -> Server {
    serve(|stream| async move {
        let _kept = stream;
        std::future::pending::<()>().await;
    })
    .await
}

/// An address on which nobody listens.
async fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

fn every_protocol() -> Vec<(&'static str, Asking)> {
    let text = |text: &str| SecretBytes::from(text.to_owned());
    vec![
        (
            "tcp",
            Asking::Tcp {
                send: Some(text("hello")),
                until: None,
            },
        ),
        (
            "http",
            Asking::Http {
                post: false,
                path: text("/"),
                headers: Vec::new(),
                body: None,
                pinned: None,
            },
        ),
        (
            "https",
            Asking::Http {
                post: false,
                path: text("/"),
                headers: Vec::new(),
                body: None,
                pinned: Some(http::certificate().1),
            },
        ),
        (
            "jsonrpc",
            Asking::Jsonrpc {
                method: "uptime".to_owned(),
                params: Value::Array(Vec::new()),
            },
        ),
        (
            "electrum",
            Asking::Electrum {
                method: "server.banner".to_owned(),
                params: Value::Array(Vec::new()),
            },
        ),
        (
            "websocket",
            Asking::Websocket {
                path: "/".to_owned(),
                send: None,
            },
        ),
        (
            "sql",
            Asking::Sql {
                query: "SELECT 1".to_owned(),
                database: "postgres".to_owned(),
            },
        ),
        (
            "tor-control",
            Asking::TorControl {
                getinfo: "version".to_owned(),
                cookie: None,
            },
        ),
    ]
}

#[tokio::test]
async fn a_silence_is_a_timeout_in_every_protocol_and_never_a_success() {
    let server = silent().await;
    for (protocol, ask) in every_protocol() {
        let question = Question {
            credential: credential("node", "password"),
            timeout: BRIEF,
            ..question(server.address, ask)
        };
        let answer = super::ask(&question).await;
        assert!(!answer.reached, "{protocol}");
        assert_eq!(answer.error, Some(ProbeError::Timeout), "{protocol}");
        assert!(!answer.succeeded(&question.ask), "{protocol}");
        assert!(
            answer.json.is_none() && answer.text.is_empty(),
            "{protocol}"
        );
    }
}

#[tokio::test]
async fn an_address_where_nobody_listens_is_refused_in_every_protocol() {
    let address = nobody().await;
    for (protocol, ask) in every_protocol() {
        let question = Question {
            credential: credential("node", "password"),
            ..question(address, ask)
        };
        let answer = super::ask(&question).await;
        assert!(!answer.reached, "{protocol}");
        assert_eq!(answer.error, Some(ProbeError::Refused), "{protocol}");
    }
}

#[tokio::test]
async fn a_connection_that_is_closed_at_once_is_no_answer_in_any_protocol() {
    let server = serve(|mut stream| async move {
        // The first bytes are read, so that closing is an end and not a reset.
        let mut chunk = [0; 4096];
        let _ = stream.read(&mut chunk).await;
    })
    .await;
    for (protocol, ask) in every_protocol() {
        let question = Question {
            credential: credential("node", "password"),
            ..question(server.address, ask)
        };
        let answer = super::ask(&question).await;
        assert!(!answer.reached, "{protocol}: {answer:?}");
        assert_eq!(answer.error, Some(ProbeError::Closed), "{protocol}");
    }
}

#[tokio::test]
async fn garbage_is_no_success_in_any_protocol_but_tcp() {
    let server = serve(|mut stream| async move {
        let mut chunk = [0; 4096];
        let _ = stream.read(&mut chunk).await;
        send(&mut stream, b"\x00\x01 garbage \r\n\r\n and more\r\n").await;
        // Keeps the connection until the client leaves, as a confused server would.
        while stream.read(&mut chunk).await.is_ok_and(|count| count > 0) {}
    })
    .await;
    for (protocol, ask) in every_protocol().into_iter().skip(1) {
        let question = Question {
            credential: credential("node", "password"),
            timeout: Duration::from_secs(2),
            ..question(server.address, ask)
        };
        let answer = super::ask(&question).await;
        assert!(!answer.succeeded(&question.ask), "{protocol}");
        assert!(answer.error.is_some(), "{protocol}: {answer:?}");
        assert!(answer.json.is_none(), "{protocol}");
    }
}

#[test]
fn nothing_that_is_printed_shows_a_secret() {
    let question = Question {
        credential: credential("node", "hunter2"),
        ..question(
            "127.0.0.1:1".parse().unwrap(),
            Asking::Http {
                post: true,
                path: SecretBytes::from("/hunter2".to_owned()),
                headers: vec![("x".to_owned(), SecretBytes::from("hunter2".to_owned()))],
                body: Some(SecretBytes::from("hunter2".to_owned())),
                pinned: None,
            },
        )
    };
    let answer = Answer::whole(Some(200), br#"{"seed": "hunter2"}"#);
    let printed = format!("{question:?} {answer:?}");
    assert!(!printed.contains("hunter2"), "{printed}");
}

#[test]
fn text_is_cut_between_characters() {
    let long = "ä".repeat(MAX_TEXT);
    let cut = text(long.as_bytes());
    assert!(cut.len() <= MAX_TEXT && cut.chars().all(|character| character == 'ä'));
}
