//! Owns the exit codes and the one shape in which a command fails: what happened, and what to do next.
//!
//! It does not know who prints it (`screen`).

use std::process::ExitCode;

use crate::config::ConfigError;
use crate::http::BindError;
use crate::http::ErrorBody;

/// Every exit code. `--help` and docs/cli.md print this table; scripts may rely on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Ok = 0,
    /// It did not succeed, for a reason that was printed.
    Failed = 1,
    /// The command line itself is wrong.
    Usage = 2,
    /// A manifest, a profile or `node.toml` holds a mistake.
    BadData = 65,
    /// The daemon does not run.
    NotRunning = 69,
    /// A mistake of ours.
    Internal = 70,
    /// The data folder was refused.
    DataRefused = 73,
    /// The node's database cannot be read.
    Database = 74,
    /// Another orchestrator holds the data folder.
    Held = 75,
    /// The vault is sealed.
    Sealed = 76,
    /// Refused: not allowed, or not confirmed.
    Refused = 77,
    /// The configuration does not work on this machine.
    Config = 78,
    /// It is not built yet.
    NotBuilt = 79,
}

/// The table that `--help` shows.
pub const EXIT_HELP: &str = "\
Exit codes:
   0  done
   1  failed, for the reason printed
   2  the command line is wrong
  65  a manifest, a profile or node.toml holds a mistake
  69  the daemon is not running
  70  internal error
  73  the data folder was refused
  74  the node's database cannot be read
  75  another orchestrator holds the data folder
  76  the vault is sealed: unlock it
  77  refused: not allowed, or not confirmed
  78  the configuration does not work on this machine
  79  not built yet";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl Exit {
    const ALL: [Self; 13] = [
        Self::Ok,
        Self::Failed,
        Self::Usage,
        Self::BadData,
        Self::NotRunning,
        Self::Internal,
        Self::DataRefused,
        Self::Database,
        Self::Held,
        Self::Sealed,
        Self::Refused,
        Self::Config,
        Self::NotBuilt,
    ];

    /// Returns the exit that a program of ours ended with; a code that is none of them is a failure.
    #[must_use]
    pub fn from_code(code: i32) -> Self {
        let known = Self::ALL
            .into_iter()
            .find(|exit| i32::from(*exit as u8) == code);
        known.unwrap_or(Self::Failed)
    }
}

/// A command that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What happened.
    pub message: String,
    /// What to do next.
    pub next: String,
    /// The API's code, where the daemon refused.
    pub code: Option<String>,
}

impl Failure {
    /// Builds a failure.
    pub fn new(exit: Exit, message: impl Into<String>, next: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            next: next.into(),
            code: None,
        }
    }

    /// Builds a failure that is a mistake of ours.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(
            Exit::Internal,
            message,
            "this is a mistake in flash-node: please report it with the lines above",
        )
    }
}

/// Returns the exit code behind an error of the API.
fn exit_of(code: &str) -> Exit {
    match code {
        "bad_manifest" | "bad_choices" | "bad_value" => Exit::BadData,
        "vault_sealed" => Exit::Sealed,
        "wrong_passphrase"
        | "wrong_recovery_key"
        | "not_a_recovery_key"
        | "wrong_key_file"
        | "not_a_key_file"
        | "too_soon"
        | "passphrase_too_short"
        | "key_file_inside"
        | "key_file_exists"
        | "key_file_folder"
        | "unlock_needed"
        | "vault_opens_itself"
        | "confirm_mismatch"
        | "not_allowed"
        | "not_removed"
        | "pending_changes"
        | "data_not_moved" => Exit::Refused,
        "database" => Exit::Database,
        "internal" => Exit::Internal,
        _ => Exit::Failed,
    }
}

impl From<ErrorBody> for Failure {
    fn from(error: ErrorBody) -> Self {
        Self {
            exit: exit_of(&error.code),
            message: error.message,
            next: error.hint,
            code: Some(error.code),
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let (exit, next) = match &error {
            ConfigError::NoHome => (Exit::Config, "name a data folder with --data DIR"),
            ConfigError::SeveralRunning(_) | ConfigError::SeveralStopped(_) => {
                (Exit::Usage, "say which one you mean with --data DIR")
            }
            ConfigError::Card { source, .. }
                if source.kind() == std::io::ErrorKind::PermissionDenied =>
            {
                (Exit::Refused, "run this as the user who started the node")
            }
            ConfigError::Card { source, .. }
                if source.kind() == std::io::ErrorKind::NotADirectory =>
            {
                (Exit::DataRefused, "name a folder with --data DIR")
            }
            ConfigError::Card { .. } => (
                Exit::DataRefused,
                "restore node.json from a backup, or name another folder with --data DIR",
            ),
        };
        Self::new(exit, chain(&error), next)
    }
}

impl From<BindError> for Failure {
    fn from(error: BindError) -> Self {
        let (exit, next) = match &error {
            BindError::NotLoopback(_) => (Exit::Config, "use --listen 127.0.0.1:PORT"),
            BindError::Taken(_) => (
                Exit::Config,
                "stop that program, or choose another port with --listen 127.0.0.1:PORT",
            ),
            BindError::Answered(_) => (Exit::Held, "`flash-node status` shows what is running"),
            BindError::OpenFolder { .. } | BindError::ForeignFolder(_) => (
                Exit::Refused,
                "remove the folder, or run flash-node as the user to whom it belongs",
            ),
            _ => (Exit::Config, "`flash-node doctor` looks at the machine"),
        };
        Self::new(exit, chain(&error), next)
    }
}

/// Writes an error and its causes as one sentence.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}
