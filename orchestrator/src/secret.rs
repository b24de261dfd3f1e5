//! Owns secret values in memory: typed, wiped, never printed.
//!
//! It does not know where a secret comes from (`store::vault`) nor who may read it.

use std::fmt;

use serde::Deserialize;
use serde::Serialize;
use zeroize::Zeroizing;

/// A secret value. It prints as `[redacted]` and is wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// Wraps bytes.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Returns the value. Callers hand it to a service or a cipher, never to a log.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Returns the value as text, where it is text.
    #[must_use]
    pub fn expose_text(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl From<String> for SecretBytes {
    fn from(text: String) -> Self {
        Self::new(text.into_bytes())
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Names a secret in the vault.
///
/// Shape: `service/NAME` for a service's own, `edge/CONSUMER/INTERFACE/PROVIDER` for an edge's credential.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretKey(pub String);

impl fmt::Display for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A secret and which of its generations; the value is never part of a specification.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SecretRef {
    /// Which secret.
    pub key: SecretKey,
    /// Counts from 1; rotation adds one.
    pub generation: u32,
}

/// Why a secret cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretUnavailable {
    /// The vault is sealed.
    #[error("the vault is sealed")]
    Sealed,
    /// The vault is open and does not hold it, though it was made once. Nothing is made in its place.
    #[error("the secret {0} is missing from the vault")]
    Missing(SecretKey),
    /// The vault could not be read.
    #[error("the vault could not be read: {0}")]
    Unreadable(String),
}

/// Gives secret values; the vault is one, a map in tests another.
pub trait SecretSource: Send + Sync {
    /// Returns one value. Errors: [`SecretUnavailable`].
    fn secret(&self, secret: &SecretRef) -> Result<SecretBytes, SecretUnavailable>;
}

impl SecretSource for std::collections::BTreeMap<SecretRef, SecretBytes> {
    fn secret(&self, secret: &SecretRef) -> Result<SecretBytes, SecretUnavailable> {
        self.get(secret)
            .cloned()
            .ok_or_else(|| SecretUnavailable::Missing(secret.key.clone()))
    }
}
