//! Who may read the books: names and passwords for HTTP Basic.
//!
//! Owns the comparison. Deliberately knows nothing of what the books say, and keeps no password, only its hash.

use axum::http::{HeaderMap, header};
use base64::{Engine, engine::general_purpose::STANDARD};
use bitcoin::hashes::{Hash, sha256};
use serde::Deserialize;
use zeroize::Zeroizing;

/// The fewest characters of a password: nobody types it, so that it can be beyond guessing.
const PASSWORD_MIN: usize = 16;

/// Somebody who may read the books.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reader {
    /// The user name.
    pub name: String,
    password: Password,
}

/// A password, as its SHA-256: it is long and random, so that no slow hash is needed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "toml::Value")]
struct Password(sha256::Hash);

// By way of a value of any kind: what serde says of a wrong kind repeats the value.
impl TryFrom<toml::Value> for Password {
    type Error = String;

    fn try_from(value: toml::Value) -> Result<Self, String> {
        let toml::Value::String(text) = value else {
            return Err("a reader's password is text: put it in quotes".to_owned());
        };
        let text = Zeroizing::new(text);
        if text.chars().count() < PASSWORD_MIN {
            return Err(format!(
                "a reader's password needs at least {PASSWORD_MIN} characters"
            ));
        }
        Ok(Self(sha256::Hash::hash(text.as_bytes())))
    }
}

/// The rule that `readers` break: each has a name of its own that HTTP Basic can carry (RFC 7617: no colon).
#[must_use]
pub(crate) fn broken(readers: &[Reader]) -> bool {
    let bad = |name: &str| name.is_empty() || name.chars().any(|c| c == ':' || c.is_control());
    readers.iter().enumerate().any(|(index, reader)| {
        bad(&reader.name) || readers[..index].iter().any(|one| one.name == reader.name)
    })
}

/// Whether a request with `headers` comes from one of `readers`; from anybody where there is none.
#[must_use]
pub(crate) fn may_read(readers: &[Reader], headers: &HeaderMap) -> bool {
    readers.is_empty()
        || shown(headers).is_some_and(|(name, password)| {
            readers
                .iter()
                .any(|reader| reader.name == name && reader.password.0 == password)
        })
}

/// Reads what a request shows: a name, and the hash of a password. Source: RFC 7617.
fn shown(headers: &HeaderMap) -> Option<(String, sha256::Hash)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, pair) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = Zeroizing::new(STANDARD.decode(pair.trim()).ok()?);
    let (name, password) = std::str::from_utf8(&pair).ok()?.split_once(':')?;
    Some((name.to_owned(), sha256::Hash::hash(password.as_bytes())))
}

#[cfg(test)]
mod tests;
