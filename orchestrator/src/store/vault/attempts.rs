//! Owns the count of wrong passphrases, in `vault.attempts` beside the vault, and the wait that grows with it.
//!
//! Only passphrases wait: a recovery key or a key file is not guessed, so that its owner is never locked out. Who
//! can write the data folder can reset the count; the cost of each guess (Argon2id) stays.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use super::error::VaultError;
use crate::clock::UnixMillis;
use crate::store::durable;

/// Wrong passphrases that cost no wait.
const FREE: u32 = 3;
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(300);

/// How often the passphrase was wrong since it was last right.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Count {
    failed: u32,
    last_at: UnixMillis,
}

/// The count and where it is kept.
#[derive(Debug)]
pub(super) struct Attempts {
    path: PathBuf,
    count: Count,
}

impl Attempts {
    /// Reads the count; what cannot be read counts as none, since locking the owner out helps nobody.
    pub(super) fn read(path: PathBuf) -> Self {
        let count = durable::read(&path)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        Self { path, count }
    }

    /// Counts an attempt as failed before it is made, so that a kill in its middle does not make it free.
    ///
    /// Errors: [`VaultError::TooSoon`]; then nothing was counted.
    pub(super) fn begin(&mut self, now: UnixMillis) -> Result<(), VaultError> {
        let wait = self.wait(now);
        if !wait.is_zero() {
            return Err(VaultError::TooSoon {
                failed: self.count.failed,
                wait,
            });
        }
        self.keep(Count {
            failed: self.count.failed.saturating_add(1),
            last_at: now,
        });
        Ok(())
    }

    /// Forgets the count: the passphrase was right.
    pub(super) fn succeed(&mut self) {
        self.keep(Count::default());
    }

    fn wait(&mut self, now: UnixMillis) -> Duration {
        if now < self.count.last_at {
            // The clock went back: the wait is armed anew from now, never until the old time comes again.
            self.keep(Count {
                last_at: now,
                ..self.count
            });
        }
        pause(self.count.failed).saturating_sub(now.since(self.count.last_at))
    }

    /// Keeps the count in memory even where the disk takes nothing: a full disk must not keep the owner out.
    fn keep(&mut self, count: Count) {
        self.count = count;
        let bytes = serde_json::to_vec(&count).expect("a count becomes JSON");
        if let Err(error) = durable::write(&self.path, &bytes, 0o600) {
            tracing::warn!(%error, "the count of wrong passphrases could not be written");
        }
    }
}

fn pause(failed: u32) -> Duration {
    match failed.checked_sub(FREE) {
        None => Duration::ZERO,
        Some(over) => Duration::from_secs(1 << over.min(16)).min(LONGEST),
    }
}
