//! Owns the tables of `vault.db` and every statement on them.
//!
//! It does not know how the database is opened, nor what a secret is for.

use std::path::Path;

use rusqlite::OptionalExtension;
use rusqlite::Transaction;
use rusqlite::params;

use super::SecretEntry;
use super::error::VaultError;
use crate::clock::UnixMillis;
use crate::secret::SecretBytes;
use crate::secret::SecretKey;
use crate::store::error::StoreError;
use crate::store::sqlite::Database;
use crate::store::sqlite::Schema;

/// `vault.db`. The application id reads `FLSv`.
pub(super) const SCHEMA: Schema = Schema {
    application_id: 0x464c_5376,
    migrations: &[
        include_str!("schema/1.sql"),
        include_str!("schema/2.sql"),
        include_str!("schema/3.sql"),
        include_str!("schema/4.sql"),
    ],
};

const POINTS: (&str, &str) = ("vault.secret.before_commit", "vault.secret.after_commit");

/// Writes which vault it is into a database that is being built.
pub(super) fn write_identity(
    transaction: &Transaction<'_>,
    vault_id: &str,
) -> rusqlite::Result<()> {
    transaction
        .execute(
            "INSERT INTO meta (name, value) VALUES ('vault', ?1)",
            [vault_id],
        )
        .map(|_| ())
}

/// Returns one value, or nothing.
pub(super) fn value(
    database: &Database,
    key: &SecretKey,
    generation: u32,
) -> Result<Option<SecretBytes>, StoreError> {
    database.read(|transaction| {
        value_in_tx(transaction, key, generation)
            .map_err(|source| database.sql("reading a secret", source))
    })
}

fn value_in_tx(
    transaction: &Transaction<'_>,
    key: &SecretKey,
    generation: u32,
) -> rusqlite::Result<Option<SecretBytes>> {
    transaction
        .query_row(
            "SELECT value FROM secret WHERE key = ?1 AND generation = ?2",
            params![key.0, generation],
            |row| row.get(0).map(SecretBytes::new),
        )
        .optional()
}

fn newest_in_tx(transaction: &Transaction<'_>, key: &SecretKey) -> rusqlite::Result<u32> {
    transaction.query_row(
        "SELECT coalesce(max(generation), 0) FROM secret WHERE key = ?1",
        [&key.0],
        |row| row.get(0),
    )
}

fn insert_in_tx(
    transaction: &Transaction<'_>,
    key: &SecretKey,
    generation: u32,
    value: &SecretBytes,
    at: UnixMillis,
) -> rusqlite::Result<u32> {
    transaction.execute(
        "INSERT INTO secret (key, generation, value, made_at) VALUES (?1, ?2, ?3, ?4)",
        params![
            key.0,
            generation,
            value.expose(),
            i64::try_from(at.0).unwrap_or(i64::MAX)
        ],
    )?;
    Ok(generation)
}

/// Returns the generation to use: the promised one, which must be there, or the newest, or a first one made now.
pub(super) fn ensure(
    database: &Database,
    key: &SecretKey,
    promised: Option<u32>,
    at: UnixMillis,
    make: impl FnOnce() -> SecretBytes,
) -> Result<u32, VaultError> {
    let failed = |source| database.sql("keeping a secret", source);
    if let Some(generation) = promised {
        return match value(database, key, generation)? {
            Some(_) => Ok(generation),
            None => Err(VaultError::Missing(key.clone())),
        };
    }
    database.write(POINTS, |transaction| {
        match newest_in_tx(transaction, key).map_err(failed)? {
            0 => Ok(insert_in_tx(transaction, key, 1, &make(), at).map_err(failed)?),
            newest => Ok(newest),
        }
    })
}

/// Keeps a value that a service made. The newest one again changes nothing; another one is the next generation.
pub(super) fn store(
    database: &Database,
    key: &SecretKey,
    value: &SecretBytes,
    at: UnixMillis,
) -> Result<u32, StoreError> {
    database.write(POINTS, |transaction| {
        let store = || {
            let newest = newest_in_tx(transaction, key)?;
            if newest > 0 && value_in_tx(transaction, key, newest)?.as_ref() == Some(value) {
                return Ok(newest);
            }
            insert_in_tx(transaction, key, newest + 1, value, at)
        };
        store().map_err(|source| database.sql("keeping a secret", source))
    })
}

/// Returns what the vault holds, without values.
pub(super) fn list(database: &Database) -> Result<Vec<SecretEntry>, StoreError> {
    database.read(|transaction| {
        let list = || {
            transaction
                .prepare("SELECT key, generation, made_at FROM secret ORDER BY key, generation")?
                .query_map([], |row| {
                    Ok(SecretEntry {
                        key: SecretKey(row.get(0)?),
                        generation: row.get(1)?,
                        made_at: UnixMillis(row.get::<_, i64>(2)?.cast_unsigned()),
                    })
                })?
                .collect::<rusqlite::Result<Vec<_>>>()
        };
        list().map_err(|source| database.sql("reading the list of secrets", source))
    })
}

/// Refuses a database that another vault's slots could not have opened but somebody put there all the same.
pub(super) fn check_identity(
    database: &Database,
    path: &Path,
    vault_id: &str,
) -> Result<(), StoreError> {
    let found: Option<String> = database.read(|transaction| {
        transaction
            .query_row("SELECT value FROM meta WHERE name = 'vault'", [], |row| {
                row.get(0)
            })
            .optional()
            .map_err(|source| database.sql("reading", source))
    })?;
    if found.as_deref() == Some(vault_id) {
        return Ok(());
    }
    Err(StoreError::Corrupt {
        path: path.to_owned(),
        detail: "it belongs to another vault than its slots".to_owned(),
    })
}
