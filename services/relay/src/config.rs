//! Owns the operator's choices: the TOML file, its defaults and what is refused in it.
//!
//! Deliberately does not know how a choice is carried out. Unknown keys are refused with their line.

use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;
use thiserror::Error;

use crate::limits::Limits;
use crate::public_url::PublicUrl;
use crate::public_url::PublicUrlError;

/// Everything an operator chooses about one relay.
///
/// Shape: TOML; `listen` and `data_dir` are required, the rest has defaults.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The address and port that HTTP and WebSocket share; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// The folder of the database; created when it is missing.
    pub data_dir: PathBuf,
    /// The addresses by which clients reach this relay, for NIP-42 and the page; `ws://<listen>` always counts for
    /// NIP-42 as well, and stands on the page when this is empty.
    #[serde(default)]
    pub public_urls: Vec<String>,
    /// The name in the NIP-11 document.
    #[serde(default = "default_name")]
    pub name: String,
    /// The description in the NIP-11 document.
    #[serde(default)]
    pub description: String,
    /// How to reach the operator, for the NIP-11 document.
    #[serde(default)]
    pub contact: Option<String>,
    /// The form of the log lines on the standard error stream.
    #[serde(default)]
    pub log_format: LogFormat,
    /// The least level that is logged, in the syntax of tracing's `EnvFilter`.
    #[serde(default = "default_log_level")]
    pub log_level: String,
    /// The largest size the database may grow to. Units: MiB.
    #[serde(default = "default_map_size_mib")]
    pub map_size_mib: usize,
    /// Who is told the numbers of `/metrics` and `/health`.
    #[serde(default)]
    pub operator_access: OperatorAccess,
    /// The bounds on what one client may ask for.
    #[serde(default)]
    pub limits: Limits,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One line of text for people.
    #[default]
    Text,
    /// One JSON object per line for machines.
    Json,
}

/// Who may read `/metrics` and the number of events in `/health`: both count private messages as well.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OperatorAccess {
    /// This machine only.
    Loopback,
    /// This machine and private networks, when the request was not forwarded by a proxy.
    #[default]
    Private,
    /// Everyone.
    Any,
}

/// Says what is wrong with a configuration file.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("could not read the configuration {path}")]
    Read {
        /// The file that was named on the command line.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The file is not TOML of the expected shape; the source names the line.
    #[error("the configuration {path} is not valid")]
    Parse {
        /// The file that was named on the command line.
        path: PathBuf,
        /// What the parser said.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// One value is outside its range.
    #[error("{key} is out of range: {reason}")]
    Range {
        /// The key as it stands in the file.
        key: &'static str,
        /// What is expected.
        reason: String,
    },
    /// A public address is unusable.
    #[error("public_urls holds an unusable address")]
    PublicUrl(#[source] PublicUrlError),
}

impl Config {
    /// Reads and checks the file at `path`.
    ///
    /// Errors: the file cannot be read, is not TOML of this shape, or holds a value out of range.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        let config: Self = toml::from_str(&text).map_err(|source| ConfigError::Parse {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        config.validate()?;
        Ok(config)
    }

    /// Checks what the types alone cannot.
    ///
    /// Errors: the first value that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let range = |key, reason: &str| {
            Err(ConfigError::Range {
                key,
                reason: reason.to_owned(),
            })
        };
        if self.data_dir.as_os_str().is_empty() {
            return range("data_dir", "name a folder");
        }
        if !(16..=1 << 20).contains(&self.map_size_mib) {
            return range("map_size_mib", "between 16 and 1048576");
        }
        if tracing_subscriber::EnvFilter::try_new(&self.log_level).is_err() {
            return range(
                "log_level",
                "one of error, warn, info, debug, trace, or a tracing filter",
            );
        }
        self.public_urls()?;
        self.limits.validate()
    }

    /// Returns the configured public addresses, normalised.
    ///
    /// Errors: an address that is no ws:// or wss:// URL.
    pub fn public_urls(&self) -> Result<Vec<PublicUrl>, ConfigError> {
        self.public_urls
            .iter()
            .map(|url| PublicUrl::parse(url).map_err(ConfigError::PublicUrl))
            .collect()
    }
}

fn default_name() -> String {
    "Flash Node relay".to_owned()
}

fn default_log_level() -> String {
    "info".to_owned()
}

fn default_map_size_mib() -> usize {
    4096
}

#[cfg(test)]
mod tests;
