//! A real flash-mint process in a folder of its own.
//!
//! Owns the configuration file, the child and its log. Deliberately knows nothing of ecash.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// How long a start or a stop may take on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);
const STEP: Duration = Duration::from_millis(20);

/// A seed that is only good for tests.
pub(crate) const SEED: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f";
/// Another one.
pub(crate) const OTHER_SEED: &str = "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f";

/// A folder with a seed, a configuration and room for data.
pub(crate) struct Home {
    folder: TempDir,
}

impl Home {
    /// Makes a folder for a demo mint.
    pub(crate) fn new() -> Self {
        let home = Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
        };
        home.write_seed(SEED);
        home.write_config("demo", "");
        home
    }

    /// Writes `digits` as the seed, readable by the owner alone.
    pub(crate) fn write_seed(&self, digits: &str) {
        let file = self.path("seed");
        fs::write(&file, digits).expect("the seed is written");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("the mode is set");
    }

    /// Writes the configuration for `network`, with `extra` lines before its tables.
    pub(crate) fn write_config(&self, network: &str, extra: &str) {
        let text = format!(
            "listen = \"127.0.0.1:0\"\ndata_dir = \"{}\"\nseed_file = \"{}\"\nnetwork = \"{network}\"\nname = \"Corner shop <b>\"\n\
             url = \"http://127.0.0.1:3338\"\nmelt_answer_seconds = 2\nlog_format = \"json\"\nlog_level = \"trace\"\n{extra}\n\
             [backend]\nkind = \"fake\"\n[limits]\nrequests_per_minute = 0\n",
            self.path("data").display(),
            self.path("seed").display(),
        );
        fs::write(self.config(), text).expect("the configuration is written");
    }

    /// The configuration file.
    pub(crate) fn config(&self) -> PathBuf {
        self.path("mint.toml")
    }

    /// The data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// A path inside the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts the mint and waits until it listens.
    pub(crate) fn start(&self) -> Running {
        let log = self.path("log");
        let file = fs::File::create(&log).expect("the log is made");
        let child = command(&self.config())
            .stderr(file)
            .spawn()
            .expect("flash-mint starts");
        let mut running = Running {
            child,
            log,
            url: String::new(),
        };
        running.url = running.wait_until_listening();
        running
    }

    /// Runs the mint to its end, which should be a refusal.
    pub(crate) fn run(&self) -> Output {
        command(&self.config()).output().expect("flash-mint runs")
    }
}

/// The program with its configuration.
pub(crate) fn command(config: &Path) -> Command {
    #[expect(clippy::disallowed_methods, reason = "the test runs the real program")]
    let mut command = Command::new(env!("CARGO_BIN_EXE_flash-mint"));
    command
        .arg("--config")
        .arg(config)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
}

/// A running mint; dropping it kills it.
pub(crate) struct Running {
    child: Child,
    log: PathBuf,
    /// Its address.
    pub(crate) url: String,
}

impl Running {
    fn wait_until_listening(&mut self) -> String {
        let mut waited = Duration::ZERO;
        loop {
            let log = self.log();
            let found = log
                .lines()
                .filter_map(|line| serde_json::from_str::<Value>(line).ok())
                .find_map(|line| {
                    let fields = &line["fields"];
                    (fields["message"] == "listening")
                        .then(|| fields["address"].as_str().map(str::to_owned))
                        .flatten()
                });
            if let Some(address) = found {
                return format!("http://{address}");
            }
            if let Some(status) = self.child.try_wait().expect("the child can be asked") {
                panic!("flash-mint ended with {status}: {log}");
            }
            assert!(waited < PATIENCE, "flash-mint does not listen: {log}");
            thread::sleep(STEP);
            waited += STEP;
        }
    }

    /// What it logged so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Sends `signal` and waits for the end.
    pub(crate) fn stop(mut self, signal: Signal) -> ExitStatus {
        self.signal(signal);
        let mut waited = Duration::ZERO;
        loop {
            if let Some(status) = self.child.try_wait().expect("the child can be asked") {
                return status;
            }
            assert!(
                waited < PATIENCE,
                "flash-mint does not stop: {}",
                self.log()
            );
            thread::sleep(STEP);
            waited += STEP;
        }
    }

    /// Sends `signal`.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id())
            .ok()
            .and_then(Pid::from_raw)
            .expect("a child has a process id");
        kill_process(pid, signal).expect("the signal is sent");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
