//! Owns failpoints: named places where a test may kill the process, as a power cut would.
//!
//! It does not know what happens there. Without the feature `test-util` nothing of it is compiled in.

/// Whether a test raised the limits of how much may be asked and tried, so that it can ask more than people do.
#[must_use]
pub fn limits_raised() -> bool {
    #[cfg(feature = "test-util")]
    let raised = std::env::var_os(LIMITS_RAISED).is_some();
    #[cfg(not(feature = "test-util"))]
    let raised = false;
    raised
}

/// What says that the limits are raised.
#[cfg(feature = "test-util")]
const LIMITS_RAISED: &str = "FLASH_NODE_TEST_LIMITS_RAISED";

/// Every failpoint. Whoever adds a call of [`point`] adds its name here, so that kill tests can loop over all.
pub const POINTS: &[&str] = &[
    "state.before_commit",
    "state.after_commit",
    "migrate.copied",
    "migrate.before_commit",
    "migrate.after_commit",
    "folder.identity_written",
    "folder.moved",
    "storage.marked",
    "vault.create.database_built",
    "vault.create.self_key_written",
    "vault.create.slots_written",
    "vault.slots.before_previous",
    "vault.slots.before_rename",
    "vault.passphrase.slots_written",
    "vault.passphrase.self_key_removed",
    "vault.key_file.file_written",
    "vault.key_file.slots_written",
    "account.before_commit",
    "account.after_commit",
    "vault.secret.before_commit",
    "vault.secret.after_commit",
    "layout.folder_made",
    "start.begin",
    "start.intended",
    "start.filled",
    "start.prepared",
    "start.ensured",
    "start.noted",
    "failure.noted",
    "supervise.begin",
    "supervise.ensured",
    "stop.begin",
    "stop.intended",
    "stop.asked",
    "stop.noted",
    "kill.begin",
    "kill.killed",
    "clean.begin",
    "clean.intended",
    "clean.cleaned",
    "clean.noted",
    "observe.begin",
    "observe.noted",
    "secret.made",
    "secret.promised",
    "capture.stored",
    "capture.promised",
    "job.begun",
    "apply.accepted",
    "set.written",
    "retry.noted",
    "rotate.made",
    "rotate.noted",
    "rotate.told",
    "purge.begin",
    "purge.intended",
    "purge.volume",
    "purge.deleted",
    "image.told",
    "image.kept",
    "docker.network_made",
    "docker.created",
    "docker.joined",
    "docker.started",
    "docker.drained",
    "docker.removed",
    "docker.network_removed",
    "docker.job_started",
    "docker.job_ended",
    "app.initialised",
    "app.folder",
    "app.state_created",
    "app.vault_created",
    "app.accepted",
    "app.run_path_written",
    "app.api_port_kept",
    "app.ports_kept",
];

/// Kills the process here, where the environment asks for it: `FLASH_FAILPOINT=name`, or `name:N` for the Nth
/// time. With `FLASH_FAILPOINT_TRACE=file` each point that is passed is added to that file, a name a line, before it may
/// kill. Panics where `name` is not in [`POINTS`].
#[cfg(any(test, feature = "test-util"))]
pub fn point(name: &'static str) {
    armed::hit(name);
}

/// Compiled to nothing.
#[cfg(not(any(test, feature = "test-util")))]
#[inline(always)]
pub fn point(_name: &'static str) {}

#[cfg(any(test, feature = "test-util"))]
mod armed {
    use std::fs::File;
    use std::io::Write as _;
    use std::sync::OnceLock;
    use std::sync::atomic::AtomicU64;
    use std::sync::atomic::Ordering;

    use super::POINTS;

    /// The failpoint that the environment asked for.
    #[derive(Debug, PartialEq, Eq)]
    pub(super) struct Armed {
        pub(super) name: String,
        pub(super) at: u64,
    }

    pub(super) fn parse(text: &str) -> Armed {
        let (name, at) = match text.split_once(':') {
            Some((name, at)) => (name, at.parse().expect("FLASH_FAILPOINT is name or name:N")),
            None => (text, 1),
        };
        assert!(POINTS.contains(&name), "unknown failpoint `{name}`");
        Armed {
            name: name.to_owned(),
            at,
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a kill test arms the process from outside; release builds hold none of this"
    )]
    fn read() -> Option<Armed> {
        std::env::var("FLASH_FAILPOINT")
            .ok()
            .map(|text| parse(&text))
    }

    /// A kill test asks from outside which steps there are.
    fn open_trace() -> Option<File> {
        let path = std::env::var_os("FLASH_FAILPOINT_TRACE")?;
        let file = File::options().create(true).append(true).open(path);
        Some(file.expect("FLASH_FAILPOINT_TRACE is a file that can be written"))
    }

    pub(super) fn hit(name: &'static str) {
        static ARMED: OnceLock<Option<Armed>> = OnceLock::new();
        static TRACE: OnceLock<Option<File>> = OnceLock::new();
        static HITS: AtomicU64 = AtomicU64::new(0);
        assert!(POINTS.contains(&name), "unknown failpoint `{name}`");
        if let Some(mut trace) = TRACE.get_or_init(open_trace).as_ref() {
            // One write: several threads pass points at once.
            let line = format!("{name}\n");
            trace
                .write_all(line.as_bytes())
                .expect("the trace is written");
        }
        let Some(armed) = ARMED.get_or_init(read) else {
            return;
        };
        if armed.name == name && HITS.fetch_add(1, Ordering::SeqCst) + 1 == armed.at {
            let killed = rustix::process::kill_process(
                rustix::process::getpid(),
                rustix::process::Signal::KILL,
            );
            panic!("the process outlived its own kill: {killed:?}");
        }
    }
}

#[cfg(test)]
mod tests;
