//! Owns the Electrum probe: one JSON-RPC request and the line that answers it.
//!
//! electrs listens long before it is useful: a connection proves nothing, and a silence is never taken for an answer.
//! Source: romanz/electrs `src/server.rs` 0.11.

use std::net::SocketAddr;

use serde_json::Value;
use serde_json::json;
use tokio::io::AsyncWriteExt;

use super::Answer;
use super::MAX_TEXT;
use super::ProbeError;
use super::connection;

const ID: &str = "flash-node";

pub(super) async fn ask(
    address: SocketAddr,
    method: &str,
    params: &Value,
) -> Result<Answer, ProbeError> {
    let mut connection = connection::connect(address).await?;
    let mut line =
        json!({"jsonrpc": "2.0", "id": ID, "method": method, "params": params}).to_string();
    line.push('\n');
    connection
        .write_all(line.as_bytes())
        .await
        .map_err(|error| connection::io_error(&error))?;
    let mut read = Vec::new();
    loop {
        while let Some(end) = read.iter().position(|byte| *byte == b'\n') {
            let rest = read.split_off(end + 1);
            let line = std::mem::replace(&mut read, rest);
            let answer = Answer::whole(None, line.trim_ascii());
            let Some(json) = &answer.json else {
                return Ok(Answer::cut(None, line.trim_ascii(), ProbeError::Malformed));
            };
            // A notification has a method and no id of ours; the answer comes on a later line.
            if json.get("id").and_then(Value::as_str) == Some(ID) || json.get("method").is_none() {
                return Ok(answer);
            }
        }
        if read.len() > MAX_TEXT {
            return Ok(Answer::cut(None, &read, ProbeError::TooLong));
        }
        if connection::read_some(&mut connection, &mut read).await? == 0 {
            return Err(ProbeError::Closed);
        }
    }
}
