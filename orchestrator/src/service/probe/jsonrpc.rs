//! Owns the JSON-RPC probe over HTTP, as Bitcoin Core speaks it.
//!
//! An error is an answer: -28 (warming up) comes with HTTP 500, a wrong password with 401 and no body, a method that
//! the whitelist lacks with 403. The answer's JSON is the whole body: `/result/…`, `/error/code`.
//! Source: bitcoin/bitcoin `src/httprpc.cpp`, `doc/JSON-RPC-interface.md`.

use std::net::SocketAddr;

use serde_json::Value;
use serde_json::json;

use super::Answer;
use super::Credential;
use super::ProbeError;
use super::http;
use crate::secret::SecretBytes;

pub(super) async fn ask(
    address: SocketAddr,
    credential: Option<&Credential>,
    method: &str,
    params: &Value,
) -> Result<Answer, ProbeError> {
    // Version 1.0 is what every supported Bitcoin Core understands.
    let body = json!({"jsonrpc": "1.0", "id": "flash-node", "method": method, "params": params});
    let path = SecretBytes::from("/".to_owned());
    let headers = [(
        "content-type".to_owned(),
        SecretBytes::from("application/json".to_owned()),
    )];
    let request = http::Request {
        post: true,
        path: &path,
        headers: &headers,
        body: Some(&SecretBytes::from(body.to_string())),
        credential,
    };
    let mut answer = http::ask(address, &request, None).await?;
    if matches!(answer.status, Some(401 | 403)) && answer.error.is_none() {
        answer.error = Some(ProbeError::Denied);
    }
    Ok(answer)
}
