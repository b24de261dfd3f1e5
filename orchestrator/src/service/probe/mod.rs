//! Owns the asking: one question from a closed set of protocols, one bounded answer, one deadline.
//!
//! It does not know manifests, signals or the vault: a [`Question`] is fully decided, and an [`Answer`] is not judged.
//! Nothing here logs, and no error carries a text of the question: a question may hold a credential.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use crate::secret::SecretBytes;

mod connection;
mod electrum;
mod http;
mod jsonrpc;
mod sql;
mod tcp;
mod tls;
mod tor_control;
mod websocket;

#[cfg(test)]
mod tests;

pub use tls::BadCertificate;
pub use tls::PinnedCertificate;

/// Longest text of an answer. Units: bytes.
pub const MAX_TEXT: usize = 64 * 1024;

/// Longest time that any question may wait.
pub const MAX_TIMEOUT: Duration = Duration::from_secs(60);

/// A question, fully decided.
#[derive(Debug, Clone)]
pub struct Question {
    /// Who is asked.
    pub address: SocketAddr,
    /// Who asks, where the protocol takes a user and a password.
    pub credential: Option<Credential>,
    /// What is asked.
    pub ask: Asking,
    /// How long everything together may take, connecting included; [`MAX_TIMEOUT`] bounds it.
    pub timeout: Duration,
}

/// A user and its password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// The user's name.
    pub user: String,
    /// The password.
    pub password: SecretBytes,
}

/// What is asked, by protocol. Rendered texts are [`SecretBytes`], since a template may put a secret into each of them.
#[derive(Debug, Clone)]
pub enum Asking {
    /// Opens a connection; may send a text and read the answer.
    Tcp {
        /// What to send.
        send: Option<SecretBytes>,
        /// Ends the answer; absent means that the first packet is the answer.
        until: Option<String>,
    },
    /// One HTTP request.
    Http {
        /// Whether it is a POST; a GET otherwise.
        post: bool,
        /// The path, beginning with `/`.
        path: SecretBytes,
        /// Request headers.
        headers: Vec<(String, SecretBytes)>,
        /// Request body.
        body: Option<SecretBytes>,
        /// HTTPS with exactly this certificate; plain HTTP where absent.
        pinned: Option<PinnedCertificate>,
    },
    /// JSON-RPC over HTTP.
    Jsonrpc {
        /// The method.
        method: String,
        /// Its parameters.
        params: Value,
    },
    /// JSON-RPC over a line-based connection.
    Electrum {
        /// The method.
        method: String,
        /// Its parameters.
        params: Value,
    },
    /// Opens a WebSocket; may send a text message and read the first answer.
    Websocket {
        /// The path, beginning with `/`.
        path: String,
        /// What to send.
        send: Option<SecretBytes>,
    },
    /// Runs one query that returns one row with one column.
    Sql {
        /// The query.
        query: String,
        /// The database.
        database: String,
    },
    /// Asks Tor's control port.
    TorControl {
        /// The keyword.
        getinfo: String,
        /// The content of the control cookie, where that is the credential.
        cookie: Option<SecretBytes>,
    },
}

/// What came back.
///
/// Its `Debug` form leaves the content out, for an answer may hold a secret that an init job captures.
#[derive(Clone, Default, PartialEq)]
pub struct Answer {
    /// Whether an answer came at all: an error of the service is an answer, a silence is not.
    pub reached: bool,
    /// The HTTP status, where there is one.
    pub status: Option<u16>,
    /// The answer as JSON, where it is JSON and came whole.
    pub json: Option<Value>,
    /// The answer as text, at most [`MAX_TEXT`] bytes.
    pub text: String,
    /// What went wrong, where something did.
    pub error: Option<ProbeError>,
}

/// What went wrong with a question, as a closed set: no text of a question or of a library can leak through it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum ProbeError {
    /// Nobody listens there.
    #[error("the connection was refused")]
    Refused,
    /// The network gave another error.
    #[error("the address could not be reached")]
    Unreachable,
    /// No whole answer came in time.
    #[error("no answer came in time")]
    Timeout,
    /// The connection ended before a whole answer came.
    #[error("the connection was closed before the answer was complete")]
    Closed,
    /// The certificate that the service must show cannot be read.
    #[error("the service's certificate could not be read")]
    CertificateMissing,
    /// The file with the credential cannot be read; only the service can make it.
    #[error("the service's credential file could not be read")]
    CredentialMissing,
    /// The service showed another certificate than the pinned one.
    #[error("the service showed another certificate than the pinned one")]
    CertificateRefused,
    /// The TLS handshake failed otherwise.
    #[error("the TLS handshake failed")]
    Tls,
    /// The answer does not follow the protocol.
    #[error("the answer does not follow the protocol")]
    Malformed,
    /// The answer is longer than what is read of it.
    #[error("the answer is too long")]
    TooLong,
    /// The service refused the credential.
    #[error("the service refused the credential")]
    Denied,
    /// The service answered with an error of its own.
    #[error("the service answered with an error")]
    Failed,
    /// The question itself cannot be put, such as a path with a line break in it.
    #[error("the question cannot be asked as the manifest writes it")]
    Question,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("reached", &self.reached)
            .field("status", &self.status)
            .field("error", &self.error)
            .field("bytes", &self.text.len())
            .finish_non_exhaustive()
    }
}

impl Answer {
    /// Builds the absence of an answer.
    #[must_use]
    pub fn missing(error: ProbeError) -> Self {
        Self {
            error: Some(error),
            ..Self::default()
        }
    }

    /// Builds an answer from bytes that came whole.
    fn whole(status: Option<u16>, bytes: &[u8]) -> Self {
        Self {
            reached: true,
            status,
            json: serde_json::from_slice(bytes).ok(),
            text: text(bytes),
            error: None,
        }
    }

    /// Builds an answer of which only the beginning was read.
    fn cut(status: Option<u16>, bytes: &[u8], error: ProbeError) -> Self {
        Self {
            reached: true,
            status,
            json: None,
            text: text(bytes),
            error: Some(error),
        }
    }

    /// Whether the answer says that what was asked for was done: it came whole, with an HTTP status of 2xx where there
    /// is one, and without a JSON-RPC error where `asking` is JSON-RPC.
    #[must_use]
    pub fn succeeded(&self, asking: &Asking) -> bool {
        let whole = self.reached && self.error.is_none();
        let status = self.status.is_none_or(|status| match asking {
            Asking::Websocket { .. } => status == 101,
            _ => (200..300).contains(&status),
        });
        let result = match asking {
            Asking::Jsonrpc { .. } | Asking::Electrum { .. } => {
                self.json.as_ref().is_some_and(|json| {
                    json.get("result").is_some() && json.get("error").is_none_or(Value::is_null)
                })
            }
            _ => true,
        };
        whole && status && result
    }
}

/// Writes bytes as text of at most [`MAX_TEXT`] bytes.
fn text(bytes: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(bytes).into_owned();
    let end = text.floor_char_boundary(MAX_TEXT);
    text.truncate(end);
    text
}

/// Asks one question. It always returns, at the latest after the question's timeout; whatever did not come whole by
/// then did not come.
pub async fn ask(question: &Question) -> Answer {
    let limit = question.timeout.min(MAX_TIMEOUT);
    match tokio::time::timeout(limit, put(question)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => Answer::missing(error),
        Err(_) => Answer::missing(ProbeError::Timeout),
    }
}

async fn put(question: &Question) -> Result<Answer, ProbeError> {
    let address = question.address;
    let credential = question.credential.as_ref();
    match &question.ask {
        Asking::Tcp { send, until } => tcp::ask(address, send.as_ref(), until.as_deref()).await,
        Asking::Http {
            post,
            path,
            headers,
            body,
            pinned,
        } => {
            let request = http::Request {
                post: *post,
                path,
                headers,
                body: body.as_ref(),
                credential,
            };
            http::ask(address, &request, pinned.as_ref()).await
        }
        Asking::Jsonrpc { method, params } => {
            jsonrpc::ask(address, credential, method, params).await
        }
        Asking::Electrum { method, params } => electrum::ask(address, method, params).await,
        Asking::Websocket { path, send } => websocket::ask(address, path, send.as_ref()).await,
        Asking::Sql { query, database } => sql::ask(address, credential, query, database).await,
        Asking::TorControl { getinfo, cookie } => {
            let login = match (cookie, credential) {
                (Some(cookie), _) => tor_control::Login::Cookie(cookie),
                (None, Some(credential)) => tor_control::Login::Password(&credential.password),
                (None, None) => tor_control::Login::Open,
            };
            tor_control::ask(address, &login, getinfo).await
        }
    }
}
