//! Owns what a vault is made of and asked for, as data.
//!
//! It does not know how any of it is done.

use std::path::PathBuf;
use std::sync::Arc;

use super::cipher::Kdf;
use super::slots::Making;
use crate::clock::Clock;
use crate::clock::UnixMillis;
use crate::entropy::Entropy;
use crate::secret::SecretBytes;
use crate::secret::SecretKey;

/// The fewest characters of a passphrase.
pub const SHORTEST_PASSPHRASE: usize = 8;

/// Where the vault lies and what it works with.
#[derive(Clone)]
pub struct VaultConfig {
    /// The data folder.
    pub dir: PathBuf,
    /// What a passphrase costs; [`Kdf::PASSPHRASE`] outside tests.
    pub kdf: Kdf,
    /// Whether the profile lets the vault open itself.
    pub unseals_itself: bool,
    /// Wall time, for the wait after wrong passphrases.
    pub clock: Arc<dyn Clock>,
    /// Chance, for keys.
    pub entropy: Arc<dyn Entropy>,
}

impl VaultConfig {
    pub(super) fn database(&self) -> PathBuf {
        self.dir.join("vault.db")
    }

    pub(super) fn slots(&self) -> PathBuf {
        self.dir.join("vault.slots")
    }

    pub(super) fn self_key(&self) -> PathBuf {
        self.dir.join("vault.selfkey")
    }

    pub(super) fn attempts(&self) -> PathBuf {
        self.dir.join("vault.attempts")
    }

    pub(super) fn making(&self, kdf: Kdf) -> Making<'_> {
        Making {
            kdf,
            at: self.clock.wall(),
            entropy: &*self.entropy,
        }
    }
}

/// The first way to open a new vault.
#[derive(Debug, Clone)]
pub enum First {
    /// By a key that lies beside it: it protects nothing, and says so.
    SelfUnsealing,
    /// By a passphrase.
    Passphrase(SecretBytes),
}

/// Where the vault stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VaultState {
    /// It gives nothing.
    Sealed,
    /// It is open, by something the operator holds.
    Open,
    /// It is open and opens itself at every start: no passphrase is set.
    SelfUnsealing,
}

/// What further keys are for; each has its own, and none leads back to the master key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The vault's database.
    Database,
    /// Backups.
    Backup,
    /// The chain of the audit log.
    Audit,
}

impl Purpose {
    pub(super) fn label(self) -> &'static [u8] {
        match self {
            Self::Database => b"flash-node v1 db",
            Self::Backup => b"flash-node v1 backup",
            Self::Audit => b"flash-node v1 audit",
        }
    }
}

/// A secret that the vault holds, without its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretEntry {
    /// Which secret.
    pub key: SecretKey,
    /// Which generation.
    pub generation: u32,
    /// When it was made.
    pub made_at: UnixMillis,
}
