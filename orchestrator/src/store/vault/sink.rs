//! Owns the vault's part in init jobs: it keeps what a service made.

use super::Vault;
use super::VaultError;
use crate::secret::SecretBytes;
use crate::secret::SecretKey;
use crate::secret::SecretRef;
use crate::secret::SecretUnavailable;
use crate::service::init::SecretSink;

impl SecretSink for Vault {
    fn existing(&self, key: &SecretKey) -> Result<Option<SecretRef>, SecretUnavailable> {
        let entries = self.list().map_err(unavailable)?;
        let generations = entries.into_iter().filter(|entry| entry.key == *key);
        Ok(generations
            .map(|entry| entry.generation)
            .max()
            .map(|generation| SecretRef {
                key: key.clone(),
                generation,
            }))
    }

    fn store(&self, key: &SecretKey, value: SecretBytes) -> Result<SecretRef, SecretUnavailable> {
        self.store_captured(key, &value).map_err(unavailable)
    }
}

fn unavailable(error: VaultError) -> SecretUnavailable {
    match error {
        VaultError::Sealed => SecretUnavailable::Sealed,
        other => SecretUnavailable::Unreadable(other.to_string()),
    }
}
