//! Owns the vault: one master key in several slots (`vault.slots`), and the database that it opens (`vault.db`).
//!
//! It does not know what a secret is for, nor prints one. While it is sealed it gives nothing.

mod attempts;
mod cipher;
mod config;
mod error;
mod key_file;
mod recovery;
mod sink;
mod slots;
mod tables;
mod ways;

use std::fmt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use zeroize::Zeroizing;

use self::attempts::Attempts;
use self::cipher::Key;
use self::slots::Slots;
use self::ways::add_recovery;
use self::ways::check_passphrase;
use self::ways::finish_change;
use self::ways::refuse_inside;
use crate::entropy::random_bytes;
use crate::fail;
use crate::node::Unlock;
use crate::secret::SecretBytes;
use crate::secret::SecretKey;
use crate::secret::SecretRef;
use crate::secret::SecretSource;
use crate::secret::SecretUnavailable;
use crate::store::durable;
use crate::store::error::StoreError;
use crate::store::sqlite;
use crate::store::sqlite::Database;
use crate::store::sqlite::RawKey;

pub use self::cipher::Kdf;
pub use self::config::First;
pub use self::config::Purpose;
pub use self::config::SHORTEST_PASSPHRASE;
pub use self::config::SecretEntry;
pub use self::config::VaultConfig;
pub use self::config::VaultState;
pub use self::error::VaultError;
pub use self::recovery::RecoveryKey;
pub use self::slots::SlotKind;

/// A handle on the vault; every clone is the same vault.
#[derive(Clone)]
pub struct Vault {
    shared: Arc<Shared>,
}

struct Shared {
    config: VaultConfig,
    /// Held while a way to open is tried or changed: Argon2id takes its memory once at a time, and readers of
    /// secrets do not wait for it.
    attempts: Mutex<Attempts>,
    inner: Mutex<Inner>,
    warning: Option<String>,
}

struct Inner {
    slots: Slots,
    open: Option<Opened>,
}

struct Opened {
    master: Key,
    database: Arc<Database>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault")
            .field("dir", &self.shared.config.dir)
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

impl Vault {
    /// Makes a new vault and leaves it open. Its recovery key is returned once, to be printed; a vault that opens
    /// itself has none until a passphrase is set.
    ///
    /// Errors: [`StoreError::Exists`] where a vault lies there already, in whatever condition.
    pub fn create(
        config: VaultConfig,
        first: First,
    ) -> Result<(Self, Option<RecoveryKey>), VaultError> {
        for path in [config.slots(), slots::second(&config.slots())] {
            if path.symlink_metadata().is_ok() {
                return Err(StoreError::Exists { path }.into());
            }
        }
        sqlite::refuse_existing(&config.database())?;
        let master = Zeroizing::new(random_bytes::<32>(&*config.entropy));
        let mut slots = Slots::new(&*config.entropy);
        let recovery = match first {
            First::SelfUnsealing if !config.unseals_itself => return Err(VaultError::NotItself),
            First::SelfUnsealing => {
                let key = Zeroizing::new(random_bytes::<32>(&*config.entropy));
                let making = config.making(Kdf::HmacSha256);
                slots.add(SlotKind::Itself, key.as_slice(), &master, &making);
                let digits = Zeroizing::new(format!("{}\n", hex::encode(key.as_slice())));
                durable::write(&config.self_key(), digits.as_bytes(), 0o600)?;
                fail::point("vault.create.self_key_written");
                None
            }
            First::Passphrase(passphrase) => {
                check_passphrase(&passphrase)?;
                let making = config.making(config.kdf);
                slots.add(SlotKind::Passphrase, passphrase.expose(), &master, &making);
                Some(add_recovery(&config, &mut slots, &master))
            }
        };
        let unfinished = unfinished(&config);
        sqlite::build(
            &unfinished,
            &tables::SCHEMA,
            Some(&database_key(&master)),
            |transaction| tables::write_identity(transaction, slots.vault_id()),
        )?;
        fail::point("vault.create.database_built");
        // From here on the vault exists: `attach` finishes what follows.
        slots::write(&config.slots(), None, &slots)?;
        fail::point("vault.create.slots_written");
        slots::settle(&config.slots(), &slots)?;
        let vault = Self::attach(config)?;
        vault.open_with(master)?;
        Ok((vault, recovery))
    }

    /// Finds the vault, and leaves it sealed.
    ///
    /// Errors: [`VaultError::NotCreated`] where none was ever made; everything else that is missing or damaged is
    /// an error of its own, and nothing is made in its place.
    pub fn attach(config: VaultConfig) -> Result<Self, VaultError> {
        let path = config.slots();
        let database = config.database();
        let found = match slots::read(&path) {
            Err(VaultError::SlotsMissing { .. }) if !database.exists() => {
                return Err(VaultError::NotCreated { dir: config.dir });
            }
            other => other?,
        };
        let unfinished = unfinished(&config);
        if !database.exists() && unfinished.exists() {
            durable::rename(&unfinished, &database)?;
        }
        if !database.exists() {
            return Err(StoreError::Missing { path: database }.into());
        }
        if found.warning.is_none() {
            finish_change(&config, &found.slots);
        }
        if let Some(warning) = &found.warning {
            tracing::warn!("{warning}");
        }
        let attempts = Attempts::read(config.attempts());
        Ok(Self {
            shared: Arc::new(Shared {
                config,
                attempts: Mutex::new(attempts),
                inner: Mutex::new(Inner {
                    slots: found.slots,
                    open: None,
                }),
                warning: found.warning,
            }),
        })
    }

    /// Returns what the operator should know of the vault's files, where something is amiss.
    #[must_use]
    pub fn warning(&self) -> Option<&str> {
        self.shared.warning.as_deref()
    }

    /// Returns where the vault stands.
    #[must_use]
    pub fn state(&self) -> VaultState {
        let inner = self.inner();
        match inner.open {
            None => VaultState::Sealed,
            Some(_) if inner.slots.has(SlotKind::Itself) => VaultState::SelfUnsealing,
            Some(_) => VaultState::Open,
        }
    }

    /// Whether the vault has a way to open of this kind.
    #[must_use]
    pub fn has(&self, kind: SlotKind) -> bool {
        self.inner().slots.has(kind)
    }

    /// Opens the vault by the key that lies beside it.
    ///
    /// Errors: [`VaultError::NotItself`] where the profile forbids it, [`VaultError::NoSlot`] once a passphrase is
    /// set.
    pub fn unseal_itself(&self) -> Result<(), VaultError> {
        let _one_at_a_time = self.attempts();
        let master = self.own_master()?;
        self.open_with(master)
    }

    /// Opens the vault. An open vault stays open, whether `with` is right or wrong. Wrong passphrases wait by the place `from`
    /// which they were tried.
    pub fn unlock(&self, with: &Unlock, from: &str) -> Result<(), VaultError> {
        let mut attempts = self.attempts();
        let master = self.try_opener(&mut attempts, with, from)?;
        self.open_with(master)
    }

    /// Closes the vault and wipes its key. Who holds a value keeps it.
    pub fn seal(&self) {
        let opened = self.inner().open.take();
        drop(opened);
    }

    /// Sets or changes the passphrase. The first one takes away the key that the vault opened itself by, and
    /// brings a recovery key, which is returned to be printed until [`Vault::recovery_key_shown`] was called.
    ///
    /// Errors: [`VaultError::UnlockNeeded`] where `with` is missing although a passphrase is set.
    pub fn change_passphrase(
        &self,
        with: Option<&Unlock>,
        new: &SecretBytes,
        from: &str,
    ) -> Result<Option<RecoveryKey>, VaultError> {
        check_passphrase(new)?;
        let mut attempts = self.attempts();
        let config = &self.shared.config;
        let master = match with {
            Some(with) => self.try_opener(&mut attempts, with, from)?,
            None if self.has(SlotKind::Itself) => self.own_master()?,
            None => return Err(VaultError::UnlockNeeded),
        };
        let before = self.inner().slots.clone();
        let mut after = before.clone();
        after.remove(SlotKind::Itself);
        after.remove(SlotKind::Passphrase);
        let making = config.making(config.kdf);
        after.add(SlotKind::Passphrase, new.expose(), &master, &making);
        let recovery = if after.recovery_shown && after.has(SlotKind::Recovery) {
            None
        } else {
            after.recovery_shown = false;
            after.remove(SlotKind::Recovery);
            Some(add_recovery(config, &mut after, &master))
        };
        self.replace_slots(&before, after)?;
        fail::point("vault.passphrase.slots_written");
        // Only now, with the new passphrase on the disk, may the old ways go.
        finish_change(config, &self.inner().slots.clone());
        Ok(recovery)
    }

    /// Notes that the operator has seen the recovery key; from then on a change of passphrase keeps it.
    pub fn recovery_key_shown(&self) -> Result<(), VaultError> {
        let _one_at_a_time = self.attempts();
        let before = self.inner().slots.clone();
        let mut after = before.clone();
        after.recovery_shown = true;
        self.replace_slots(&before, after)
    }

    /// Writes a key file as a further way to open the vault, which must be open.
    ///
    /// Errors: [`VaultError::KeyFileExists`], [`VaultError::KeyFileFolder`], [`VaultError::KeyFileInside`],
    /// [`VaultError::Sealed`].
    pub fn add_key_file(&self, path: &Path) -> Result<(), VaultError> {
        let _one_at_a_time = self.attempts();
        let config = &self.shared.config;
        let (master, before) = {
            let inner = self.inner();
            let open = inner.open.as_ref().ok_or(VaultError::Sealed)?;
            (open.master.clone(), inner.slots.clone())
        };
        refuse_inside(path, &config.dir)?;
        let key = Zeroizing::new(random_bytes::<32>(&*config.entropy));
        let mut after = before.clone();
        let making = config.making(Kdf::HmacSha256);
        after.add(SlotKind::KeyFile, key.as_slice(), &master, &making);
        // The file first: without its slot it opens nothing, and a slot without its file helps nobody.
        let content = key_file::encode(before.vault_id(), &key);
        durable::write(path, content.expose(), 0o600)?;
        fail::point("vault.key_file.file_written");
        self.replace_slots(&before, after)?;
        fail::point("vault.key_file.slots_written");
        Ok(())
    }

    /// Returns the secret to use, and makes it with `make` where it never was. `promised` is the generation that
    /// `state.db` keeps for it: then it must be there.
    ///
    /// Errors: [`VaultError::Missing`] where a promised one is not there; nothing is made in its place.
    pub fn ensure(
        &self,
        key: &SecretKey,
        promised: Option<u32>,
        make: impl FnOnce() -> SecretBytes,
    ) -> Result<SecretRef, VaultError> {
        let database = self.database().ok_or(VaultError::Sealed)?;
        let at = self.shared.config.clock.wall();
        let generation = tables::ensure(&database, key, promised, at, make)?;
        Ok(SecretRef {
            key: key.clone(),
            generation,
        })
    }

    /// Keeps a value that a service made. The newest one again changes nothing; another is the next generation.
    pub fn store_captured(
        &self,
        key: &SecretKey,
        value: &SecretBytes,
    ) -> Result<SecretRef, VaultError> {
        let database = self.database().ok_or(VaultError::Sealed)?;
        let at = self.shared.config.clock.wall();
        let generation = tables::store(&database, key, value, at)?;
        Ok(SecretRef {
            key: key.clone(),
            generation,
        })
    }

    /// Returns what the vault holds, without values, sorted.
    pub fn list(&self) -> Result<Vec<SecretEntry>, VaultError> {
        let database = self.database().ok_or(VaultError::Sealed)?;
        Ok(tables::list(&database)?)
    }

    /// Derives a key for a purpose of its own. Errors: [`VaultError::Sealed`].
    pub fn subkey(&self, purpose: Purpose) -> Result<Zeroizing<[u8; 32]>, VaultError> {
        let inner = self.inner();
        let open = inner.open.as_ref().ok_or(VaultError::Sealed)?;
        Ok(cipher::expand(open.master.as_slice(), &[purpose.label()]))
    }

    fn open_with(&self, master: Key) -> Result<(), VaultError> {
        if self.inner().open.is_some() {
            return Ok(());
        }
        let path = self.shared.config.database();
        let database = Database::open(&path, &tables::SCHEMA, Some(&database_key(&master)))?;
        let mut inner = self.inner();
        tables::check_identity(&database, &path, inner.slots.vault_id())?;
        inner.open = Some(Opened {
            master,
            database: Arc::new(database),
        });
        Ok(())
    }

    fn replace_slots(&self, before: &Slots, after: Slots) -> Result<(), VaultError> {
        slots::write(&self.shared.config.slots(), Some(before), &after)?;
        self.inner().slots = after;
        Ok(())
    }

    /// Returns the open database, for the tables of people; nothing while the vault is sealed.
    pub(crate) fn database(&self) -> Option<Arc<Database>> {
        let inner = self.inner();
        inner.open.as_ref().map(|open| Arc::clone(&open.database))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.shared
            .inner
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn attempts(&self) -> MutexGuard<'_, Attempts> {
        self.shared
            .attempts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl SecretSource for Vault {
    fn secret(&self, secret: &SecretRef) -> Result<SecretBytes, SecretUnavailable> {
        let database = self.database().ok_or(SecretUnavailable::Sealed)?;
        tables::value(&database, &secret.key, secret.generation)
            .map_err(|error| SecretUnavailable::Unreadable(error.to_string()))?
            .ok_or_else(|| SecretUnavailable::Missing(secret.key.clone()))
    }
}

fn unfinished(config: &VaultConfig) -> PathBuf {
    durable::beside(&config.database(), ".new")
}

fn database_key(master: &Key) -> RawKey {
    RawKey::new(cipher::expand(
        master.as_slice(),
        &[Purpose::Database.label()],
    ))
}

#[cfg(test)]
mod tests;
