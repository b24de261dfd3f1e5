//! Owns the addresses under which clients know this relay, and when two of them are the same.
//!
//! Deliberately does not know what authentication is: it only answers "is this one of ours?".

use nostr::types::url::Url;
use thiserror::Error;

/// An address of a relay in a form in which equal relays compare equal.
///
/// Source: NIP-42 ("URL normalization techniques can be applied").
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PublicUrl(String);

/// Says why a text is not the address of a relay.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum PublicUrlError {
    /// The text is not a URL at all.
    #[error("`{0}` is not a URL")]
    Malformed(String),
    /// The URL does not begin with ws:// or wss://.
    #[error("`{0}` must begin with ws:// or wss://")]
    Scheme(String),
}

impl PublicUrl {
    /// Reads an address: case of the host, the default port, a closing slash and a fragment do not matter.
    ///
    /// Errors: the text is no URL, or its scheme is neither `ws` nor `wss`.
    pub fn parse(text: &str) -> Result<Self, PublicUrlError> {
        let url =
            Url::parse(text.trim()).map_err(|_| PublicUrlError::Malformed(text.to_owned()))?;
        let host = url.host_str().unwrap_or_default();
        if host.is_empty() {
            return Err(PublicUrlError::Malformed(text.to_owned()));
        }
        if !matches!(url.scheme(), "ws" | "wss") {
            return Err(PublicUrlError::Scheme(text.to_owned()));
        }
        let port = url
            .port()
            .map(|port| format!(":{port}"))
            .unwrap_or_default();
        let path = url.path().trim_end_matches('/');
        let query = url
            .query()
            .map(|query| format!("?{query}"))
            .unwrap_or_default();
        let host = host.trim_end_matches('.');
        Ok(Self(format!(
            "{}://{host}{port}{path}{query}",
            url.scheme()
        )))
    }

    /// Returns the normalised text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests;
