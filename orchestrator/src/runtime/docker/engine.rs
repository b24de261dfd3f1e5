//! Owns the connection to the container engine and what its errors mean.
//!
//! It does not know services.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error;
use tokio::sync::Mutex;

use crate::runtime::RuntimeError;

/// How long one call may take until its answer begins. Units: seconds. Stopping is never waited for by a call.
const CALL_SECONDS: u64 = 60;
/// How long the engine may take to tell its version.
const GREETING: Duration = Duration::from_secs(10);

/// The engine behind a unix socket, spoken to in a version of its API that both know.
pub(crate) struct Engine {
    socket: PathBuf,
    connected: Mutex<Option<Docker>>,
}

impl Engine {
    /// Names the engine; nothing is connected.
    pub(crate) fn new(socket: PathBuf) -> Self {
        Self {
            socket,
            connected: Mutex::new(None),
        }
    }

    /// Returns the connection. Errors: as [`connect`].
    pub(crate) async fn docker(&self) -> Result<Docker, RuntimeError> {
        let mut connected = self.connected.lock().await;
        if let Some(docker) = connected.as_ref() {
            return Ok(docker.clone());
        }
        let docker = connect(&self.socket).await?;
        *connected = Some(docker.clone());
        Ok(docker)
    }
}

/// Connects to the engine at `socket`. Errors: [`RuntimeError::EngineGone`], [`RuntimeError::EngineUnfit`].
pub(crate) async fn connect(socket: &std::path::Path) -> Result<Docker, RuntimeError> {
    let gone = |why: String| RuntimeError::EngineGone { why };
    let path = socket.to_string_lossy();
    let docker = Docker::connect_with_unix(&path, CALL_SECONDS, bollard::API_DEFAULT_VERSION)
        .map_err(|error| gone(error.to_string()))?;
    match tokio::time::timeout(GREETING, docker.negotiate_version()).await {
        Ok(Ok(docker)) => fit(docker).await,
        Ok(Err(error)) => Err(gone(error.to_string())),
        Err(_) => Err(gone(format!(
            "no answer at {} within {} s",
            socket.display(),
            GREETING.as_secs()
        ))),
    }
}

/// Why Podman is refused although it speaks the API.
const NO_WALLS: &str = "it forwards between networks past the firewall chain that holds services back; install Docker (Debian: docker.io)";

/// Refuses an engine that would not confine. Errors: [`RuntimeError::EngineUnfit`].
async fn fit(docker: Docker) -> Result<Docker, RuntimeError> {
    let gone = |error: Error| RuntimeError::EngineGone { why: said(&error) };
    let version = docker.version().await.map_err(gone)?;
    let parts = version.components.unwrap_or_default();
    match parts.into_iter().find(|part| part.name.contains("Podman")) {
        None => Ok(docker),
        Some(part) => Err(RuntimeError::EngineUnfit {
            engine: format!("{} {}", part.name, part.version),
            why: NO_WALLS,
        }),
    }
}

/// What an engine is like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineFacts {
    /// Its version.
    pub version: String,
    /// The newest version of its API. Shape: `1.41`.
    pub api: String,
    /// Whether containers go on while it is stopped.
    pub live_restore: bool,
}

/// Asks the engine at `socket` what it is like. Errors: as [`connect`].
pub async fn facts(socket: &std::path::Path) -> Result<EngineFacts, RuntimeError> {
    let docker = connect(socket).await?;
    let gone = |error: Error| RuntimeError::EngineGone { why: said(&error) };
    let version = docker.version().await.map_err(gone)?;
    let info = docker.info().await.map_err(gone)?;
    Ok(EngineFacts {
        version: version.version.unwrap_or_default(),
        api: version.api_version.unwrap_or_default(),
        live_restore: info.live_restore_enabled.unwrap_or_default(),
    })
}

/// Whether the engine said that what was named is not there.
pub(crate) fn absent(error: &Error) -> bool {
    status(error) == Some(404)
}

/// Whether the engine said that nothing was to be done, or that something is in the way.
pub(crate) fn conflict(error: &Error) -> bool {
    status(error) == Some(409)
}

/// Returns the HTTP status of an answer of the engine; nothing where there was none.
pub(crate) fn status(error: &Error) -> Option<u16> {
    match error {
        Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// Whether the engine did not answer at all.
pub(crate) fn silent(error: &Error) -> bool {
    matches!(
        error,
        Error::HyperResponseError { .. }
            | Error::HyperLegacyError { .. }
            | Error::IOError { .. }
            | Error::RequestTimeoutError
            | Error::SocketNotFoundError(_)
    )
}

/// Returns what the engine said, in its own words.
pub(crate) fn said(error: &Error) -> String {
    match error {
        Error::DockerResponseServerError { message, .. } => message.clone(),
        // Whatever the layers below call it: nobody listens there, or who listened went away.
        Error::HyperLegacyError { .. } | Error::SocketNotFoundError(_) => {
            "nobody listens at its socket".to_owned()
        }
        Error::HyperResponseError { .. } | Error::IOError { .. } => {
            "it broke the connection off".to_owned()
        }
        Error::RequestTimeoutError => "no answer in time".to_owned(),
        other => other.to_string(),
    }
}

/// Makes the engine's filter for objects that carry all of `labels`.
pub(crate) fn labelled(labels: &[(&str, &str)]) -> HashMap<String, Vec<String>> {
    let labels = labels.iter().map(|(name, value)| format!("{name}={value}"));
    HashMap::from([("label".to_owned(), labels.collect())])
}

#[cfg(test)]
mod tests;
