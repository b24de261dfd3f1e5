//! Owns the small clients that a test needs to ask Bitcoin Core and electrs itself, past the node.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test target uses a part of it"
)]

use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use base64::Engine;
use serde_json::Value;
use serde_json::json;

/// One of Core's users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Core {
    pub address: String,
    pub user: String,
    pub password: String,
}

impl Core {
    /// The same Core, asked by someone else.
    pub fn by(&self, user: &str, password: &str) -> Self {
        Self {
            address: self.address.clone(),
            user: user.to_owned(),
            password: password.to_owned(),
        }
    }

    /// Asks, and returns the HTTP status and the answer; null where it is no JSON.
    pub fn ask(&self, method: &str, params: &Value) -> (u16, Value) {
        let body = json!({ "id": 1, "method": method, "params": params }).to_string();
        let who = base64::engine::general_purpose::STANDARD
            .encode(format!("{}:{}", self.user, self.password));
        let mut stream = TcpStream::connect(&self.address).expect("Core listens");
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .expect("a timeout");
        let length = body.len();
        write!(
            stream,
            "POST / HTTP/1.1\r\nHost: core\r\nConnection: close\r\nAuthorization: Basic {who}\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let status = answer
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok())
            .expect("a status line");
        let body = answer
            .split_once("\r\n\r\n")
            .map(|(_, body)| body)
            .unwrap_or_default();
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
    }

    /// Asks what must be allowed and succeed.
    pub fn call(&self, method: &str, params: &Value) -> Value {
        let (status, answer) = self.ask(method, params);
        assert_eq!(status, 200, "{} asks {method}: {answer}", self.user);
        answer["result"].clone()
    }

    /// The height of the chain.
    pub fn height(&self) -> u64 {
        self.call("getblockcount", &json!([]))
            .as_u64()
            .expect("a height")
    }

    /// Mines blocks that pay nobody in particular.
    pub fn mine(&self, blocks: u64) {
        self.call("generatetodescriptor", &json!([blocks, "raw(51)"]));
    }
}

/// The height that electrs tells wallets.
pub fn electrs_height(url: &str) -> Option<u64> {
    let mut stream = TcpStream::connect(url.strip_prefix("tcp://")?).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .ok()?;
    stream.write_all(b"{\"id\":1,\"jsonrpc\":\"2.0\",\"method\":\"blockchain.headers.subscribe\",\"params\":[]}\n").ok()?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).ok()?;
    serde_json::from_str::<Value>(&line).ok()?["result"]["height"].as_u64()
}
