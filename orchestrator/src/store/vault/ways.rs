//! Owns the ways to open the vault: trying one, adding one, and taking the old ones away.
//!
//! It does not know what the master key opens.

use std::path::Path;

use zeroize::Zeroizing;

use super::Vault;
use super::attempts::Attempts;
use super::cipher::Kdf;
use super::cipher::Key;
use super::config::SHORTEST_PASSPHRASE;
use super::config::VaultConfig;
use super::error::VaultError;
use super::key_file;
use super::recovery;
use super::recovery::RecoveryKey;
use super::slots;
use super::slots::SlotKind;
use super::slots::Slots;
use crate::entropy::random_bytes;
use crate::fail;
use crate::node::Unlock;
use crate::secret::SecretBytes;
use crate::store::durable;
use crate::store::error::StoreError;

impl Vault {
    /// Returns the master key that `with` opens, which is tried `from` some place.
    pub(super) fn try_opener(
        &self,
        attempts: &mut Attempts,
        with: &Unlock,
        from: &str,
    ) -> Result<Key, VaultError> {
        let slots = self.inner().slots.clone();
        let needed = |kind| {
            if slots.has(kind) {
                Ok(())
            } else {
                Err(VaultError::NoSlot { kind })
            }
        };
        match with {
            Unlock::Passphrase(passphrase) => {
                needed(SlotKind::Passphrase)?;
                attempts.begin(from, self.shared.config.clock.wall())?;
                let master = slots
                    .open(SlotKind::Passphrase, passphrase.expose())
                    .ok_or(VaultError::WrongPassphrase)?;
                attempts.succeed(from);
                Ok(master)
            }
            Unlock::RecoveryKey(text) => {
                let key = recovery::decode(text)?;
                needed(SlotKind::Recovery)?;
                slots
                    .open(SlotKind::Recovery, key.as_slice())
                    .ok_or(VaultError::WrongRecoveryKey)
            }
            Unlock::KeyFile(content) => {
                let key = key_file::decode(content, slots.vault_id())?;
                needed(SlotKind::KeyFile)?;
                slots
                    .open(SlotKind::KeyFile, key.as_slice())
                    .ok_or(VaultError::WrongKeyFile)
            }
        }
    }

    /// Returns the master key by the key that lies beside the vault.
    pub(super) fn own_master(&self) -> Result<Key, VaultError> {
        let config = &self.shared.config;
        if !config.unseals_itself {
            return Err(VaultError::NotItself);
        }
        let kind = SlotKind::Itself;
        if !self.has(kind) {
            return Err(VaultError::NoSlot { kind });
        }
        let path = config.self_key();
        let damaged = || StoreError::Corrupt {
            path: path.clone(),
            detail: "it does not hold the key that the vault opens itself by".to_owned(),
        };
        let text = Zeroizing::new(durable::read(&path)?);
        let mut key = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text.trim_ascii(), key.as_mut_slice()).map_err(|_| damaged())?;
        let slots = self.inner().slots.clone();
        Ok(slots.open(kind, key.as_slice()).ok_or_else(damaged)?)
    }
}

pub(super) fn check_passphrase(passphrase: &SecretBytes) -> Result<(), VaultError> {
    let least = SHORTEST_PASSPHRASE;
    let characters = passphrase
        .expose_text()
        .map_or(passphrase.expose().len(), |text| text.chars().count());
    if characters < least {
        return Err(VaultError::PassphraseTooShort { least });
    }
    Ok(())
}

pub(super) fn add_recovery(config: &VaultConfig, slots: &mut Slots, master: &Key) -> RecoveryKey {
    let key = Zeroizing::new(random_bytes::<32>(&*config.entropy));
    let making = config.making(Kdf::HmacSha256);
    slots.add(SlotKind::Recovery, key.as_slice(), master, &making);
    RecoveryKey::encode(&key)
}

/// Takes away what the slots no longer name: the key beside the vault, and old ways in the second copy. A crash or
/// a full disk may have kept an earlier change from doing so; the vault opens all the same, so that it only warns.
pub(super) fn finish_change(config: &VaultConfig, slots: &Slots) {
    let key = config.self_key();
    let finish = || -> Result<(), StoreError> {
        if !slots.has(SlotKind::Itself) && key.exists() {
            durable::remove(&key)?;
            fail::point("vault.passphrase.self_key_removed");
        }
        slots::settle(&config.slots(), slots)
    };
    if let Err(error) = finish() {
        tracing::warn!(
            %error,
            "an old way to open the vault could not be taken away; the next start tries again"
        );
    }
}

pub(super) fn refuse_inside(path: &Path, dir: &Path) -> Result<(), VaultError> {
    if path.symlink_metadata().is_ok() {
        return Err(VaultError::KeyFileExists {
            path: path.to_owned(),
        });
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let folder = folder
        .canonicalize()
        .map_err(|source| VaultError::KeyFileFolder {
            folder: folder.to_owned(),
            source,
        })?;
    let dir = dir
        .canonicalize()
        .map_err(|source| StoreError::io(dir, "finding", source))?;
    if folder.starts_with(dir) {
        return Err(VaultError::KeyFileInside);
    }
    Ok(())
}
