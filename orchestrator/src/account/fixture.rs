//! Owns people in a vault of their own, for the tests of the node's faces.

use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use super::Accounts;
use super::Cost;
use super::Keeper;
use super::Opened;
use super::lock;
use crate::clock::Clock;
use crate::clock::UnixMillis;
use crate::entropy::SystemEntropy;
use crate::store::vault::First;
use crate::store::vault::Kdf;
use crate::store::vault::Purpose;
use crate::store::vault::Vault;
use crate::store::vault::VaultConfig;

impl Keeper for Vault {
    fn exists(&self) -> bool {
        true
    }

    fn open(&self) -> Option<Opened> {
        Some(Opened {
            database: self.database()?,
            audit_key: self.subkey(Purpose::Audit).ok()?,
        })
    }
}

/// A clock that only moves when it is told to.
#[derive(Debug, Default)]
pub struct Hands(Mutex<Duration>);

impl Hands {
    /// Moves it.
    pub fn pass(&self, span: Duration) {
        *lock(&self.0) += span;
    }
}

impl Clock for Hands {
    fn wall(&self) -> UnixMillis {
        UnixMillis(1_800_000_000_000).plus(*lock(&self.0))
    }

    fn monotonic(&self) -> Duration {
        *lock(&self.0)
    }
}

/// Makes a vault in `dir` that opens itself, and keeps people in it. Panics where the folder cannot be written.
#[must_use]
pub fn accounts(dir: &Path, clock: Arc<dyn Clock>) -> Arc<Accounts> {
    let first = First::SelfUnsealing;
    let (vault, _) = Vault::create(config(dir, &clock), first).expect("a folder of its own");
    kept_in(vault, clock)
}

/// Opens the vault that [`accounts`] made in `dir`. Panics where there is none.
#[must_use]
pub fn accounts_again(dir: &Path, clock: Arc<dyn Clock>) -> Arc<Accounts> {
    let vault = Vault::attach(config(dir, &clock)).expect("the vault was made");
    vault.unseal_itself().expect("it opens itself");
    kept_in(vault, clock)
}

/// Lets every write fail as after an error of the disk, or not any more.
#[cfg(test)]
pub(crate) fn fail_writes(accounts: &Accounts, fail: bool) {
    let opened = accounts.opened().expect("the vault is open");
    opened.database.fail_writes(fail);
}

fn config(dir: &Path, clock: &Arc<dyn Clock>) -> VaultConfig {
    VaultConfig {
        dir: dir.to_owned(),
        kdf: Kdf::HmacSha256,
        unseals_itself: true,
        clock: Arc::clone(clock),
        entropy: Arc::new(SystemEntropy),
    }
}

fn kept_in(vault: Vault, clock: Arc<dyn Clock>) -> Arc<Accounts> {
    let entropy = Arc::new(SystemEntropy);
    let accounts = Accounts::new(Arc::new(vault), clock, entropy, Some(Cost::TRIVIAL));
    Arc::new(accounts)
}
