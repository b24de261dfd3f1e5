//! Owns the marker that stands for a secret inside a rendered text until the moment of the start.
//!
//! It does not know secret values.

use crate::secret::SecretKey;
use crate::secret::SecretRef;

const OPEN: &str = "\u{27e6}";
const CLOSE: &str = "\u{27e7}";

/// What is done to a secret value where its marker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The value as it is.
    Plain,
    /// Base64 of the value.
    Base64,
    /// The `salt$hmac` of Bitcoin Core's `rpcauth=user:salt$hmac` (`service::credential::rpcauth`).
    Rpcauth,
}

impl Form {
    fn word(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Base64 => "base64",
            Self::Rpcauth => "rpcauth",
        }
    }
}

/// Writes the marker of `secret`.
#[must_use]
pub fn marker(secret: &SecretRef, form: Form) -> String {
    format!(
        "{OPEN}{}#{}:{}{CLOSE}",
        secret.key,
        secret.generation,
        form.word()
    )
}

/// Whether `text` holds a marker, or a piece of one.
#[must_use]
pub fn holds_marker(text: &str) -> bool {
    text.contains(OPEN) || text.contains(CLOSE)
}

/// Replaces each marker of `text` by what `value` returns for it. Errors: the first one of `value`, or
/// [`MarkerError`] where a marker is malformed.
pub fn fill<E: From<MarkerError>>(
    text: &str,
    mut value: impl FnMut(&SecretRef, Form) -> Result<String, E>,
) -> Result<String, E> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(OPEN) {
        let (inside, after) = after.split_once(CLOSE).ok_or(MarkerError)?;
        if before.contains(CLOSE) {
            return Err(MarkerError.into());
        }
        let (secret, form) = parse(inside).ok_or(MarkerError)?;
        filled.push_str(before);
        filled.push_str(&value(&secret, form)?);
        rest = after;
    }
    if rest.contains(CLOSE) {
        return Err(MarkerError.into());
    }
    filled.push_str(rest);
    Ok(filled)
}

fn parse(inside: &str) -> Option<(SecretRef, Form)> {
    let (secret, form) = inside.rsplit_once(':')?;
    let (key, generation) = secret.rsplit_once('#')?;
    let form = match form {
        "plain" => Form::Plain,
        "base64" => Form::Base64,
        "rpcauth" => Form::Rpcauth,
        _ => return None,
    };
    Some((
        SecretRef {
            key: SecretKey(key.to_owned()),
            generation: generation.parse().ok()?,
        },
        form,
    ))
}

/// A marker in a rendered text is malformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a secret's marker in a rendered file is malformed")]
pub struct MarkerError;
