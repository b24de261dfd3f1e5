//! Owns the seat of the vault: there may be none yet, on profiles that wait for a passphrase.
//!
//! It does not know slots or ciphers (`store::vault`).

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;

use crate::account::Keeper;
use crate::account::Opened;
use crate::app::sentence::sentence;
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::node::Unlock;
use crate::secret::SecretBytes;
use crate::secret::SecretKey;
use crate::secret::SecretRef;
use crate::secret::SecretSource;
use crate::secret::SecretUnavailable;
use crate::store::vault::First;
use crate::store::vault::Kdf;
use crate::store::vault::Purpose;
use crate::store::vault::RecoveryKey;
use crate::store::vault::SecretEntry;
use crate::store::vault::SlotKind;
use crate::store::vault::Vault;
use crate::store::vault::VaultConfig;
use crate::store::vault::VaultError;
use crate::store::vault::VaultState;

/// A vault, or the place where one will be.
#[derive(Clone)]
pub(super) struct VaultSeat {
    config: VaultConfig,
    vault: Arc<RwLock<Option<Vault>>>,
    /// Why it did not open itself although it should.
    trouble: Arc<RwLock<Option<String>>>,
}

/// What a status says of a vault, without a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct VaultFacts {
    pub(super) state: VaultState,
    /// Whether there is one.
    pub(super) exists: bool,
    pub(super) passphrase_set: bool,
    /// What is amiss.
    pub(super) warning: Option<String>,
}

impl VaultSeat {
    pub(super) fn new(
        data: &Path,
        unseals_itself: bool,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        let dir: PathBuf = data.to_owned();
        let config = VaultConfig {
            dir,
            kdf: Kdf::PASSPHRASE,
            unseals_itself,
            clock,
            entropy,
        };
        Self {
            config,
            vault: Arc::default(),
            trouble: Arc::default(),
        }
    }

    fn seated(&self) -> Option<Vault> {
        self.vault
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn seat(&self, vault: Vault) {
        *self.vault.write().unwrap_or_else(PoisonError::into_inner) = Some(vault);
    }

    fn there(&self) -> Result<Vault, VaultError> {
        self.seated().ok_or_else(|| VaultError::NotCreated {
            dir: self.config.dir.clone(),
        })
    }

    /// Makes a vault that opens itself, for play money.
    pub(super) fn create_self_unsealing(&self) -> Result<(), VaultError> {
        let (vault, _none) = Vault::create(self.config.clone(), First::SelfUnsealing)?;
        self.seat(vault);
        Ok(())
    }

    /// Finds the vault; opens it where it opens itself. A vault that was never made is no error.
    pub(super) fn attach(&self) -> Result<(), VaultError> {
        let vault = match Vault::attach(self.config.clone()) {
            Err(VaultError::NotCreated { .. }) => return Ok(()),
            other => other?,
        };
        match vault.unseal_itself() {
            Ok(()) | Err(VaultError::NoSlot { .. } | VaultError::NotItself) => {}
            Err(error) => {
                let text = format!(
                    "it did not open itself: {}; {}",
                    sentence(&error),
                    error.hint()
                );
                tracing::warn!("the vault stays sealed: {text}");
                *self.trouble.write().unwrap_or_else(PoisonError::into_inner) = Some(text);
            }
        }
        self.seat(vault);
        Ok(())
    }

    pub(super) fn state(&self) -> VaultState {
        self.seated()
            .map_or(VaultState::Sealed, |vault| vault.state())
    }

    /// Returns what a status says of the vault.
    pub(super) fn facts(&self) -> VaultFacts {
        VaultFacts {
            state: self.state(),
            exists: self.seated().is_some(),
            passphrase_set: self
                .seated()
                .is_some_and(|vault| vault.has(SlotKind::Passphrase)),
            warning: self.warning(),
        }
    }

    /// What the operator should know about the vault.
    fn warning(&self) -> Option<String> {
        match self.seated() {
            None => None,
            Some(vault) if vault.state() == VaultState::Sealed => self
                .trouble
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .clone()
                .or_else(|| vault.warning().map(ToOwned::to_owned)),
            Some(vault) => vault.warning().map(ToOwned::to_owned),
        }
    }

    pub(super) fn unlock(&self, with: &Unlock, from: &str) -> Result<(), VaultError> {
        self.there()?.unlock(with, from)
    }

    /// Closes the vault. Errors: [`VaultError::OpensItself`] where its key lies beside it: that protects nothing,
    /// and nothing but a new start would open it again.
    pub(super) fn seal(&self) -> Result<(), VaultError> {
        let vault = self.there()?;
        if vault.has(SlotKind::Itself) {
            return Err(VaultError::OpensItself);
        }
        vault.seal();
        Ok(())
    }

    /// Sets or changes the passphrase, and makes the vault where there is none.
    pub(super) fn change_passphrase(
        &self,
        with: Option<&Unlock>,
        new: &SecretBytes,
        from: &str,
    ) -> Result<Option<RecoveryKey>, VaultError> {
        let Some(vault) = self.seated() else {
            let (vault, recovery) =
                Vault::create(self.config.clone(), First::Passphrase(new.clone()))?;
            self.seat(vault);
            return Ok(recovery);
        };
        vault.change_passphrase(with, new, from)
    }

    pub(super) fn recovery_key_shown(&self) -> Result<(), VaultError> {
        self.there()?.recovery_key_shown()
    }

    pub(super) fn add_key_file(&self, path: &Path) -> Result<(), VaultError> {
        self.there()?.add_key_file(path)
    }

    pub(super) fn ensure(
        &self,
        key: &SecretKey,
        promised: Option<u32>,
        make: impl FnOnce() -> SecretBytes,
    ) -> Result<SecretRef, VaultError> {
        self.seated()
            .ok_or(VaultError::Sealed)?
            .ensure(key, promised, make)
    }

    pub(super) fn store_captured(
        &self,
        key: &SecretKey,
        value: &SecretBytes,
    ) -> Result<SecretRef, VaultError> {
        self.seated()
            .ok_or(VaultError::Sealed)?
            .store_captured(key, value)
    }

    pub(super) fn list(&self) -> Result<Vec<SecretEntry>, VaultError> {
        self.seated().ok_or(VaultError::Sealed)?.list()
    }
}

impl Keeper for VaultSeat {
    fn exists(&self) -> bool {
        self.seated().is_some()
    }

    fn open(&self) -> Option<Opened> {
        let vault = self.seated()?;
        Some(Opened {
            database: vault.database()?,
            audit_key: vault.subkey(Purpose::Audit).ok()?,
        })
    }
}

impl SecretSource for VaultSeat {
    fn secret(&self, secret: &SecretRef) -> Result<SecretBytes, SecretUnavailable> {
        self.seated()
            .ok_or(SecretUnavailable::Sealed)?
            .secret(secret)
    }
}

#[cfg(test)]
mod tests;
