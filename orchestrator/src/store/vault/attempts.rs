//! Owns the counts of wrong passphrases, in `vault.attempts` beside the vault, and the waits that grow with them.
//!
//! Each place from where it is tried has its own, and whoever owns the machine has one in any case: whoever guesses
//! elsewhere does not keep the owner waiting.
//!
//! Only passphrases wait: a recovery key or a key file is not guessed, so that its owner is never locked out. Who
//! can write the data folder can reset the count; the cost of each guess (Argon2id) stays.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use super::error::VaultError;
use crate::clock::UnixMillis;
use crate::node::MACHINE;
use crate::store::durable;

/// Wrong passphrases that cost no wait.
const FREE: u32 = 3;
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(300);
/// How many places are told apart; where more are tried from at a time, the others wait for each other.
const PLACES: usize = 64;
/// Where the others are counted.
const OTHERS: &str = "others";

/// How often the passphrase was wrong from one place since it was last right from there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Count {
    failed: u32,
    last_at: UnixMillis,
}

/// The counts and where they are kept.
#[derive(Debug)]
pub(super) struct Attempts {
    path: PathBuf,
    counts: BTreeMap<String, Count>,
}

impl Attempts {
    /// Reads the counts; what cannot be read counts as none, since locking the owner out helps nobody.
    pub(super) fn read(path: PathBuf) -> Self {
        let counts = durable::read(&path)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        Self { path, counts }
    }

    /// Counts an attempt as failed before it is made, so that a kill in its middle does not make it free.
    ///
    /// Errors: [`VaultError::TooSoon`]; then nothing was counted.
    pub(super) fn begin(&mut self, from: &str, now: UnixMillis) -> Result<(), VaultError> {
        let place = self.place(from, now);
        let mut count = self.counts.get(&place).copied().unwrap_or_default();
        // Where the clock went back, the wait is armed anew from now, never until the old time comes again.
        let went_back = now < count.last_at;
        count.last_at = count.last_at.min(now);
        let wait = pause(count.failed).saturating_sub(now.since(count.last_at));
        if !wait.is_zero() {
            if went_back {
                self.counts.insert(place, count);
                self.keep();
            }
            let failed = count.failed;
            return Err(VaultError::TooSoon { failed, wait });
        }
        count.failed = count.failed.saturating_add(1);
        count.last_at = now;
        self.counts.insert(place, count);
        self.keep();
        Ok(())
    }

    /// Forgets the count: the passphrase was right.
    pub(super) fn succeed(&mut self, from: &str) {
        if self.counts.remove(from).is_none() {
            self.counts.remove(OTHERS);
        }
        self.keep();
    }

    /// Finds where `from` is counted; the machine's own is there in any case. A place whose longest wait is over makes room for another one.
    fn place(&mut self, from: &str, now: UnixMillis) -> String {
        if from == MACHINE || self.counts.contains_key(from) {
            return from.to_owned();
        }
        if self.counts.len() >= PLACES {
            self.counts
                .retain(|_, count| now.since(count.last_at) <= LONGEST);
        }
        let place = if self.counts.len() >= PLACES {
            OTHERS
        } else {
            from
        };
        place.to_owned()
    }

    /// Keeps the counts in memory even where the disk takes nothing: a full disk must not keep the owner out.
    fn keep(&self) {
        let bytes = serde_json::to_vec(&self.counts).expect("counts become JSON");
        if let Err(error) = durable::write(&self.path, &bytes, 0o600) {
            tracing::warn!(%error, "the counts of wrong passphrases could not be written");
        }
    }
}

fn pause(failed: u32) -> Duration {
    match failed.checked_sub(FREE) {
        None => Duration::ZERO,
        Some(over) => Duration::from_secs(1 << over.min(16)).min(LONGEST),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1000;

    fn attempts(folder: &tempfile::TempDir) -> Attempts {
        Attempts::read(folder.path().join("vault.attempts"))
    }

    #[test]
    fn whoever_guesses_keeps_nobody_elsewhere_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let mut attempts = attempts(&folder);
        let now = UnixMillis(1_700_000_000_000);
        for _ in 0..FREE {
            attempts.begin("Tor", now).unwrap();
        }
        attempts.begin("Tor", now).unwrap_err();
        attempts.begin(MACHINE, now).unwrap();
        attempts.begin("192.168.1.7", now).unwrap();
        attempts.succeed(MACHINE);
        attempts.begin("Tor", now).unwrap_err();
    }

    #[test]
    fn many_places_take_no_room_without_bound_and_none_from_who_waits() {
        let folder = tempfile::tempdir().unwrap();
        let mut attempts = attempts(&folder);
        let now = UnixMillis(1_700_000_000_000);
        for _ in 0..FREE {
            attempts.begin("Tor", now).unwrap();
        }
        let free = usize::try_from(FREE).unwrap();
        let begun = (0..2 * PLACES)
            .filter(|number| attempts.begin(&format!("10.0.0.{number}"), now).is_ok());
        assert_eq!(
            begun.count(),
            PLACES - 1 + free,
            "the others wait for each other"
        );
        assert_eq!(attempts.counts.len(), PLACES + 1);
        attempts.begin("Tor", now).unwrap_err();
        attempts.begin(MACHINE, now).unwrap();
        let later = UnixMillis(now.0 + 301 * SECOND);
        attempts.begin("192.168.1.7", later).unwrap();
        assert!(attempts.counts.contains_key("192.168.1.7"));
    }
}
