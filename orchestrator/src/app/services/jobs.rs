//! Owns what init jobs leave behind: that one was begun, and the secrets that it captured.
//!
//! It does not know what a job does (`service::init`).

use std::collections::BTreeSet;

use crate::app::services::RealServices;
use crate::id::Name;
use crate::id::ServiceId;
use crate::secret::SecretBytes;
use crate::secret::SecretKey;
use crate::secret::SecretRef;
use crate::secret::SecretUnavailable;
use crate::service::init::JobNotes;
use crate::service::init::NotNoted;
use crate::service::init::SecretSink;
use crate::store::StoreError;
use crate::store::state::StateDb;
use crate::store::vault::VaultError;

/// Keeps in the record of a service which of its jobs were begun.
pub(super) struct Notes<'a> {
    pub(super) state: &'a StateDb,
    pub(super) service: &'a ServiceId,
}

impl JobNotes for Notes<'_> {
    fn begun(&self, job: &Name) -> Result<bool, NotNoted> {
        let records = self.state.records()?;
        let own = records.get(self.service);
        Ok(own.is_some_and(|record| record.jobs_begun.contains(job)))
    }

    fn begin(&self, job: &Name) -> Result<(), NotNoted> {
        self.change(|begun| {
            begun.insert(job.clone());
        })?;
        crate::fail::point("job.begun");
        Ok(())
    }

    fn end(&self, job: &Name) -> Result<(), NotNoted> {
        self.change(|begun| {
            begun.remove(job);
        })
    }
}

impl Notes<'_> {
    fn change(&self, change: impl FnOnce(&mut BTreeSet<Name>)) -> Result<(), NotNoted> {
        let noted = self.state.transaction(|tx| {
            tx.update_record(self.service, |record| change(&mut record.jobs_begun))?;
            Ok::<(), StoreError>(())
        });
        Ok(noted?)
    }
}

/// Keeps captured secrets in the vault.
pub(super) struct Sink<'a> {
    pub(super) services: &'a RealServices,
}

impl SecretSink for Sink<'_> {
    fn existing(&self, key: &SecretKey) -> Result<Option<SecretRef>, SecretUnavailable> {
        let state = &self.services.ground.state;
        let generations = state
            .generations()
            .map_err(|error| SecretUnavailable::Unreadable(error.to_string()))?;
        let Some(generation) = generations.get(key).copied() else {
            // The vault may hold what the orchestrator died too early to promise.
            let entries = self
                .services
                .vault
                .list()
                .map_err(|error| unavailable(key, &error))?;
            let newest = entries
                .into_iter()
                .filter(|entry| entry.key == *key)
                .map(|entry| entry.generation)
                .max();
            let Some(generation) = newest else {
                return Ok(None);
            };
            state
                .keep_generation(key, generation)
                .map_err(|error| SecretUnavailable::Unreadable(error.to_string()))?;
            return Ok(Some(SecretRef {
                key: key.clone(),
                generation,
            }));
        };
        Ok(Some(SecretRef {
            key: key.clone(),
            generation,
        }))
    }

    fn store(&self, key: &SecretKey, value: SecretBytes) -> Result<SecretRef, SecretUnavailable> {
        let kept = self
            .services
            .vault
            .store_captured(key, &value)
            .map_err(|error| unavailable(key, &error))?;
        crate::fail::point("capture.stored");
        let state = &self.services.ground.state;
        state
            .keep_generation(key, kept.generation)
            .map_err(|error| SecretUnavailable::Unreadable(error.to_string()))?;
        crate::fail::point("capture.promised");
        Ok(kept)
    }
}

fn unavailable(key: &SecretKey, error: &VaultError) -> SecretUnavailable {
    match error {
        VaultError::Sealed => SecretUnavailable::Sealed,
        VaultError::Missing { .. } => SecretUnavailable::Missing(key.clone()),
        _ => SecretUnavailable::Unreadable(error.to_string()),
    }
}
