//! Owns where the daemon's own log goes: standard error in the foreground, a bounded file under `--detach`.
//!
//! It does not know the services' logs (`runtime`).

use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;

use super::args::Global;
use super::args::LogFormat;
use super::exit::Exit;
use super::exit::Failure;

/// The size at which the log file is put aside; one older file is kept. Units: bytes.
const FILE_LIMIT: u64 = 16 * 1024 * 1024;

/// Starts logging. `file` is given to a daemon in the background; `calm` logs only warnings where the operator
/// asked for nothing, because a person watches progress on the same terminal.
pub(super) fn start(
    global: &Global,
    filter: Option<&str>,
    file: Option<&Path>,
    calm: bool,
) -> Result<(), Failure> {
    let level = match (global.quiet, global.verbose) {
        (true, _) => "error",
        (false, 0) if calm => "warn",
        (false, 0) => "info",
        (false, 1) => "info,flash_node=debug",
        (false, _) => "debug,flash_node=trace",
    };
    let filter = EnvFilter::try_new(filter.unwrap_or(level)).map_err(|error| {
        Failure::new(
            Exit::Config,
            format!("the log filter in FLASH_NODE_LOG is not understood: {error}"),
            "write it like `info,flash_node=debug`, or unset it",
        )
    })?;
    let writer = match file {
        Some(path) => Target::File(RotatingFile::open(path).map_err(|error| {
            Failure::new(
                Exit::DataRefused,
                format!("the log {} cannot be written: {error}", path.display()),
                "make the folder writable for the user who runs the node",
            )
        })?),
        None => Target::Stderr,
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        // What cannot be logged is lost. Told on standard error, which is the same full disk, it would be a panic.
        .log_internal_errors(false)
        .with_writer(Mutex::new(writer));
    let started = match global.log_format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    // Only a second start in one process could fail, and then the first goes on.
    started.map_err(|error| Failure::internal(format!("logging could not be started: {error}")))
}

enum Target {
    Stderr,
    File(RotatingFile),
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stderr => io::stderr().write(bytes),
            Self::File(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stderr => io::stderr().flush(),
            Self::File(file) => file.file.flush(),
        }
    }
}

/// A file that is put aside as `NAME.1` when it grows too large.
#[derive(Debug)]
pub(super) struct RotatingFile {
    path: PathBuf,
    file: File,
    size: u64,
    limit: u64,
}

impl RotatingFile {
    /// Opens a log for appending, mode 0600.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Self::open_with_limit(path, FILE_LIMIT)
    }

    pub(super) fn open_with_limit(path: &Path, limit: u64) -> io::Result<Self> {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(path)?;
        let size = file.metadata()?.len();
        Ok(Self {
            path: path.to_owned(),
            file,
            size,
            limit,
        })
    }

    fn rotate(&mut self) -> io::Result<()> {
        let mut older = self.path.clone().into_os_string();
        older.push(".1");
        std::fs::rename(&self.path, older)?;
        *self = Self::open_with_limit(&self.path, self.limit)?;
        Ok(())
    }
}

impl Write for RotatingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.size >= self.limit {
            // A log that cannot be put aside is written further: losing lines is worse.
            let _ = self.rotate();
        }
        let written = self.file.write(bytes)?;
        self.size += u64::try_from(written).unwrap_or(0);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
