//! Owns what can go wrong with the vault, each with what to do next.
//!
//! No message holds a secret, nor says which part of one was right.

use std::path::PathBuf;
use std::time::Duration;

use super::slots::SlotKind;
use crate::secret::SecretKey;
use crate::store::error::StoreError;

/// Why the vault could not be opened or changed. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// No vault was ever made here.
    #[error("there is no vault in {dir} yet")]
    NotCreated {
        /// The data folder.
        dir: PathBuf,
    },
    /// The vault's database lies there, but nothing that could open it.
    #[error("the vault's slots ({path}) are missing; without them nothing opens the vault")]
    SlotsMissing {
        /// Where they should be.
        path: PathBuf,
    },
    /// The slots are damaged, and so is their second copy.
    #[error("the vault's slots ({path}) are damaged: {detail}")]
    SlotsCorrupt {
        /// The file.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// The slots were written by a newer release.
    #[error("the vault's slots have version {found}; this release knows version {known}")]
    SlotsNewer {
        /// The version found.
        found: u32,
        /// The newest version this release knows.
        known: u32,
    },
    /// A file of the vault could not be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The vault is sealed.
    #[error("the vault is sealed")]
    Sealed,
    /// The passphrase is not the vault's.
    #[error("this is not the passphrase of the vault")]
    WrongPassphrase,
    /// It is a recovery key, but not this vault's.
    #[error("this recovery key is well written but belongs to another vault, or was replaced")]
    WrongRecoveryKey,
    /// It is not a recovery key.
    #[error("this is not a recovery key: {typo}")]
    NotARecoveryKey {
        /// Where it was mistyped, as far as that can be told.
        typo: String,
    },
    /// It is a key file, but not this vault's.
    #[error("this key file belongs to another vault, or was replaced")]
    WrongKeyFile,
    /// It is not a key file.
    #[error("this is not a key file of Flash Node: {detail}")]
    NotAKeyFile {
        /// What is missing.
        detail: String,
    },
    /// The vault has no slot of that kind.
    #[error("the vault cannot be opened with a {kind}: none was set")]
    NoSlot {
        /// The kind.
        kind: SlotKind,
    },
    /// The profile does not allow the vault to open itself.
    #[error("the vault does not open itself under this profile")]
    NotItself,
    /// The vault opens itself, so that closing it would protect nothing.
    #[error(
        "the vault opens itself as long as no passphrase is set: sealing it would protect nothing"
    )]
    OpensItself,
    /// Too many wrong passphrases.
    #[error("{failed} wrong passphrases in a row; the next may be tried in {} s", wait.as_secs().max(1))]
    TooSoon {
        /// How many were wrong.
        failed: u32,
        /// How long to wait.
        wait: Duration,
    },
    /// A passphrase exists, so that changing it needs a way to open the vault.
    #[error(
        "the vault has a passphrase already; changing it needs the old one, the recovery key or a key file"
    )]
    UnlockNeeded,
    /// The new passphrase is too short.
    #[error("a passphrase has at least {least} characters")]
    PassphraseTooShort {
        /// The least number of characters.
        least: usize,
    },
    /// A key file inside the data folder would be stolen together with the vault.
    #[error(
        "a key file may not lie in the data folder: whoever takes the folder would take the key with it"
    )]
    KeyFileInside,
    /// Something lies where a key file should be written.
    #[error("{path} is there already, and a key file is never written over anything")]
    KeyFileExists {
        /// The path.
        path: PathBuf,
    },
    /// The folder of a key file cannot be used.
    #[error("the folder {folder} cannot take a key file")]
    KeyFileFolder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A secret was made once and is not in the vault. Nothing is made in its place.
    #[error("the secret {0} was made once and is missing from the vault")]
    Missing(SecretKey),
}

impl VaultError {
    /// Returns the machine code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotCreated { .. } => "vault_not_created",
            Self::SlotsMissing { .. } => "vault_slots_missing",
            Self::SlotsCorrupt { .. } => "vault_slots_corrupt",
            Self::SlotsNewer { .. } => "vault_slots_newer",
            Self::Store(StoreError::Missing { .. }) => "vault_missing",
            Self::Store(
                StoreError::Corrupt { .. }
                | StoreError::NotADatabase { .. }
                | StoreError::Empty { .. },
            ) => "vault_corrupt",
            Self::Store(error) => error.code(),
            Self::Sealed => "vault_sealed",
            Self::WrongPassphrase => "wrong_passphrase",
            Self::WrongRecoveryKey => "wrong_recovery_key",
            Self::NotARecoveryKey { .. } => "not_a_recovery_key",
            Self::WrongKeyFile => "wrong_key_file",
            Self::NotAKeyFile { .. } => "not_a_key_file",
            Self::NoSlot { .. } => "no_slot",
            Self::NotItself => "vault_not_itself",
            Self::OpensItself => "vault_opens_itself",
            Self::TooSoon { .. } => "too_soon",
            Self::UnlockNeeded => "unlock_needed",
            Self::PassphraseTooShort { .. } => "passphrase_too_short",
            Self::KeyFileInside => "key_file_inside",
            Self::KeyFileExists { .. } => "key_file_exists",
            Self::KeyFileFolder { .. } => "key_file_folder",
            Self::Missing(_) => "secret_missing",
        }
    }

    /// Returns what to do next, in one sentence.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotCreated { .. } => "set a passphrase: `flash-node passphrase change`",
            Self::SlotsMissing { .. } | Self::SlotsCorrupt { .. } => {
                "put vault.slots back from a backup of the data folder, beside the same vault.db"
            }
            Self::SlotsNewer { .. } => "start the release that wrote them, or a newer one",
            Self::Store(error) => error.hint(),
            Self::Sealed => "open it: `flash-node unlock`",
            Self::WrongPassphrase => {
                "check the keyboard layout and caps lock; the recovery key opens the vault too"
            }
            Self::WrongRecoveryKey => "look for the newest printed recovery key of this node",
            Self::NotARecoveryKey { .. } => "type the printed groups again, in their order",
            Self::WrongKeyFile => "use the key file that was written for this node",
            Self::NotAKeyFile { .. } => "choose the file that `flash-node` wrote",
            Self::NoSlot { .. } => "use another way to open the vault",
            Self::NotItself => "open it: `flash-node unlock`",
            Self::OpensItself => "set a passphrase first: `flash-node passphrase change`",
            Self::TooSoon { .. } => "wait, or use the recovery key or a key file: they never wait",
            Self::UnlockNeeded => {
                "`flash-node passphrase change` asks for the old one; --recovery-key or --key-file PATH stand for it"
            }
            Self::PassphraseTooShort { .. } => "choose several words",
            Self::KeyFileInside => "choose a path on a stick that can be taken away",
            Self::KeyFileExists { .. } => "choose a path where nothing lies yet",
            Self::KeyFileFolder { .. } => {
                "choose a path in a folder that exists, such as a mounted stick"
            }
            Self::Missing(_) => {
                "put vault.db back from a backup that is new enough; a new value would lock the service out of its own data"
            }
        }
    }
}
