//! Owns the probe of Tor's control port: log in by password or cookie, ask one keyword.
//!
//! The answer's JSON holds `value` and, for a status event such as `status/bootstrap-phase`, each of its `KEY=value`
//! pairs (`PROGRESS` as a number, `SUMMARY` without its quotes). Source: torproject/torspec control-spec 3.5 and 3.9.

use std::net::SocketAddr;

use serde_json::Map;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use zeroize::Zeroizing;

use super::Answer;
use super::MAX_TEXT;
use super::ProbeError;
use super::connection;
use super::connection::Connection;
use crate::secret::SecretBytes;

/// How the node logs in.
pub(super) enum Login<'a> {
    /// By password.
    Password(&'a SecretBytes),
    /// By the cookie file's content.
    Cookie(&'a SecretBytes),
    /// Without any secret.
    Open,
}

pub(super) async fn ask(
    address: SocketAddr,
    login: &Login<'_>,
    getinfo: &str,
) -> Result<Answer, ProbeError> {
    if getinfo.is_empty() || !getinfo.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(ProbeError::Question);
    }
    let mut lines = Lines {
        connection: connection::connect(address).await?,
        read: Vec::new(),
    };
    lines.send(authenticate(login)?.as_bytes()).await?;
    let reply = lines.next().await?;
    if !reply.starts_with("250") {
        // 515 is a wrong password, 514 none at all.
        let kind = if reply.starts_with("51") {
            ProbeError::Denied
        } else {
            ProbeError::Failed
        };
        return Ok(Answer::cut(None, reply.as_bytes(), kind));
    }
    lines
        .send(format!("GETINFO {getinfo}\r\n").as_bytes())
        .await?;
    let value = match read_value(&mut lines, getinfo).await? {
        Reply::Value(value) => value,
        Reply::Error(line) => return Ok(Answer::cut(None, line.as_bytes(), ProbeError::Failed)),
    };
    Ok(Answer {
        reached: true,
        status: None,
        json: Some(Value::Object(pairs(&value))),
        text: super::text(value.as_bytes()),
        error: None,
    })
}

fn authenticate(login: &Login<'_>) -> Result<Zeroizing<String>, ProbeError> {
    let password = match login {
        Login::Password(password) => password,
        Login::Cookie(cookie) => {
            let digits = Zeroizing::new(hex::encode(cookie.expose()));
            return Ok(Zeroizing::new(format!("AUTHENTICATE {}\r\n", *digits)));
        }
        Login::Open => return Ok(Zeroizing::new("AUTHENTICATE\r\n".to_owned())),
    };
    let password = password
        .expose_text()
        .filter(|password| !password.contains(['\r', '\n']))
        .ok_or(ProbeError::Question)?;
    let mut line = Zeroizing::new(String::with_capacity(password.len() * 2 + 32));
    line.push_str("AUTHENTICATE \"");
    for character in password.chars() {
        if matches!(character, '"' | '\\') {
            line.push('\\');
        }
        line.push(character);
    }
    line.push_str("\"\r\n");
    Ok(line)
}

enum Reply {
    Value(String),
    Error(String),
}

/// Reads `250-key=value` or `250+key=` with its lines up to a lone dot, then `250 OK`.
async fn read_value(lines: &mut Lines, key: &str) -> Result<Reply, ProbeError> {
    let mut value = None;
    loop {
        let line = lines.next().await?;
        if let Some(rest) = line.strip_prefix("250-") {
            if let Some((name, text)) = rest.split_once('=')
                && name == key
            {
                value = Some(text.to_owned());
            }
        } else if line.starts_with("250+") {
            value = Some(lines.until_dot().await?);
        } else if line.starts_with("250 ") {
            return value.map(Reply::Value).ok_or(ProbeError::Malformed);
        } else if line.starts_with("650") {
            // An event that nobody asked for.
        } else {
            return Ok(Reply::Error(line));
        }
    }
}

struct Lines {
    connection: Connection,
    read: Vec<u8>,
}

impl Lines {
    async fn send(&mut self, bytes: &[u8]) -> Result<(), ProbeError> {
        self.connection
            .write_all(bytes)
            .await
            .map_err(|error| connection::io_error(&error))
    }

    async fn next(&mut self) -> Result<String, ProbeError> {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let rest = self.read.split_off(end + 1);
                let line = std::mem::replace(&mut self.read, rest);
                let line = String::from_utf8_lossy(&line);
                return Ok(line.trim_end_matches(['\r', '\n']).to_owned());
            }
            if self.read.len() > MAX_TEXT {
                return Err(ProbeError::TooLong);
            }
            if connection::read_some(&mut self.connection, &mut self.read).await? == 0 {
                return Err(ProbeError::Closed);
            }
        }
    }

    async fn until_dot(&mut self) -> Result<String, ProbeError> {
        let mut text = String::new();
        loop {
            let line = self.next().await?;
            if line == "." {
                return Ok(text);
            }
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&line);
        }
    }
}

/// Parses `WORD KEY=value KEY="some text"`; words without `=` are left out.
fn pairs(value: &str) -> Map<String, Value> {
    let mut map = Map::new();
    map.insert("value".to_owned(), Value::from(value));
    let mut rest = value.trim_start();
    while !rest.is_empty() {
        let end = rest.find([' ', '=']).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let Some(after) = after.strip_prefix('=') else {
            rest = after.trim_start();
            continue;
        };
        let (text, after) = match after.strip_prefix('"') {
            Some(quoted) => unquote(quoted),
            None => {
                let end = after.find(' ').unwrap_or(after.len());
                (after[..end].to_owned(), &after[end..])
            }
        };
        let parsed = text
            .parse::<u64>()
            .map_or_else(|_| Value::from(text.as_str()), Value::from);
        map.insert(word.to_owned(), parsed);
        rest = after.trim_start();
    }
    map
}

fn unquote(quoted: &str) -> (String, &str) {
    let mut text = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (text, &quoted[at + 1..]),
            '\\' => {
                if let Some((_, escaped)) = characters.next() {
                    text.push(escaped);
                }
            }
            other => text.push(other),
        }
    }
    (text, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bootstrap_phase_becomes_keys() {
        let parsed = pairs(
            r#"NOTICE BOOTSTRAP PROGRESS=80 TAG=ap_conn SUMMARY="Connecting to a \"relay\" now""#,
        );
        assert_eq!(parsed["PROGRESS"], 80);
        assert_eq!(parsed["TAG"], "ap_conn");
        assert_eq!(parsed["SUMMARY"], r#"Connecting to a "relay" now"#);
    }
}
