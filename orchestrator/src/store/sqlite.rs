//! Owns how a database of the node is made, opened, migrated and written: one connection, one writer.
//!
//! It does not know what is in it (`state`, `vault`). The connection holds its file exclusively, so that it alone
//! checkpoints; a second process is told that the file is in use.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::OpenFlags;
use rusqlite::Transaction;
use rusqlite::TransactionBehavior;
use rusqlite::backup::Backup;
use rusqlite::config::DbConfig;
use zeroize::Zeroizing;

use super::durable;
use super::error::StoreError;
use crate::fail;

/// How long a statement waits for another process. Short, since nobody else should have the file open at all.
const BUSY_TIMEOUT: Duration = Duration::from_secs(1);
/// Pages in the write-ahead log before it is folded into the database.
const CHECKPOINT_PAGES: u32 = 1000;
/// What the write-ahead log may keep on disk after that. Units: bytes.
const LOG_LIMIT: u32 = 16 * 1024 * 1024;
/// No database is smaller than one page; SQLite takes a shorter file for a new one. Units: bytes.
const SMALLEST: u64 = 512;

/// The size of a page, SQLite's and SQLCipher's default. Units: bytes.
const PAGE: u64 = 4096;

/// What one kind of database looks like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schema {
    /// Says whose file it is. Source: SQLite `PRAGMA application_id`.
    pub(crate) application_id: u32,
    /// One text of statements per version, oldest first; a released one is never edited.
    pub(crate) migrations: &'static [&'static str],
}

impl Schema {
    fn version(&self) -> u32 {
        u32::try_from(self.migrations.len()).expect("a handful of migrations")
    }
}

/// The key of an encrypted database, wiped when dropped.
#[derive(Clone)]
pub(crate) struct RawKey(Zeroizing<[u8; 32]>);

impl RawKey {
    pub(crate) fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    /// Hands the key to SQLCipher. The statement's text is wiped and never logged.
    fn apply(&self, connection: &Connection, path: &Path) -> Result<(), StoreError> {
        let mut digits = Zeroizing::new([0_u8; 64]);
        hex::encode_to_slice(self.0.as_slice(), digits.as_mut_slice())
            .expect("64 digits hold 32 bytes");
        let mut text = Zeroizing::new(String::with_capacity(96));
        text.push_str("PRAGMA key = \"x'");
        text.push_str(std::str::from_utf8(digits.as_slice()).expect("hex digits are text"));
        text.push_str("'\"");
        connection
            .execute_batch(&text)
            // The error of SQLite could quote the statement, so it is not passed on.
            .map_err(|_| StoreError::NotADatabase {
                path: path.to_owned(),
            })
    }
}

/// An open database.
#[derive(Debug)]
pub(crate) struct Database {
    path: PathBuf,
    connection: Mutex<Connection>,
    stopped: AtomicBool,
}

impl Database {
    /// Opens an existing database, after every check, and migrates it. A missing, empty or damaged one is an
    /// error and is left untouched; it is never made anew.
    pub(crate) fn open(
        path: &Path,
        schema: &Schema,
        key: Option<&RawKey>,
    ) -> Result<Self, StoreError> {
        refuse_unless_filled(path)?;
        let mut connection = connect(path, key)?;
        // Until everything is checked nothing may be folded from the log into the file, not even at close.
        set_checkpoint_at_close(&connection, path, false)?;
        let version = check(&connection, path, schema, key.is_some())?;
        set_up(&connection, path)?;
        set_checkpoint_at_close(&connection, path, true)?;
        if version < schema.version() {
            copy_before_migrating(&connection, path, version, key)?;
            fail::point("migrate.copied");
            migrate(&mut connection, path, schema, version)?;
            fail::point("migrate.after_commit");
        }
        Ok(Self {
            path: path.to_owned(),
            connection: Mutex::new(connection),
            stopped: AtomicBool::new(false),
        })
    }

    /// Reads. `read` sees one state of the database from its first statement to its last.
    pub(crate) fn read<T>(
        &self,
        read: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut connection = self.lock();
        let transaction = connection
            .transaction()
            .map_err(|source| self.sql("reading", source))?;
        let outcome = read(&transaction);
        drop(transaction);
        self.expect_settled(&connection);
        outcome
    }

    /// Writes everything `write` does, or nothing of it. When this returns `Ok` it is on the disk.
    pub(crate) fn write<T, E: From<StoreError>>(
        &self,
        points: (&'static str, &'static str),
        write: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut connection = self.lock();
        if self.stopped.load(Ordering::SeqCst) {
            return Err(E::from(StoreError::Stopped {
                path: self.path.clone(),
            }));
        }
        let outcome = self.write_with(&mut connection, points, write);
        self.expect_settled(&connection);
        outcome
    }

    fn write_with<T, E: From<StoreError>>(
        &self,
        connection: &mut Connection,
        (before, after): (&'static str, &'static str),
        write: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|source| self.sql("beginning a change", source))?;
        let value = write(&transaction)?;
        if transaction.is_autocommit() {
            // FULL, IOERR and NOMEM may have rolled the whole batch back although `write` saw no error.
            return Err(E::from(StoreError::DiskFull {
                path: self.path.clone(),
            }));
        }
        fail::point(before);
        transaction
            .commit()
            .map_err(|source| self.sql("committing", source))?;
        fail::point(after);
        Ok(value)
    }

    /// Lets every write fail as after an error of the disk, or not any more.
    #[cfg(test)]
    pub(crate) fn fail_writes(&self, fail: bool) {
        self.stopped.store(fail, Ordering::SeqCst);
    }

    /// Returns where the database lies.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Turns a failure into a sentence, and stops all writing after one of the disk: what a failed flush left
    /// behind is not known, and trying again could report as written what is not.
    pub(crate) fn sql(&self, action: &'static str, source: rusqlite::Error) -> StoreError {
        if source.sqlite_error_code() == Some(rusqlite::ErrorCode::SystemIoFailure) {
            self.stopped.store(true, Ordering::SeqCst);
        }
        StoreError::sql(&self.path, action, source)
    }

    /// A transaction that is still open here would swallow the next one: nothing more is written then.
    fn expect_settled(&self, connection: &Connection) {
        if !connection.is_autocommit() && connection.execute_batch("ROLLBACK").is_err() {
            self.stopped.store(true, Ordering::SeqCst);
        }
    }

    /// A panic inside a transaction rolled it back, so the connection is fit for use.
    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Builds a new database at `path` and closes it, flushed. The caller renames it to its place when all else is
/// ready; a crash before leaves a neighbour that the next attempt replaces.
pub(crate) fn build(
    path: &Path,
    schema: &Schema,
    key: Option<&RawKey>,
    fill: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()>,
) -> Result<(), StoreError> {
    let failed = |source| StoreError::sql(path, "creating", source);
    for ending in ["-wal", "-shm", "-journal"] {
        durable::remove(&durable::beside(path, ending))?;
    }
    durable::write_in_place(path, &[], 0o600)?;
    let mut connection = connect(path, key)?;
    connection
        .execute_batch(&format!("PRAGMA page_size = {PAGE}"))
        .map_err(failed)?;
    connection
        .pragma_update(None, "application_id", schema.application_id.cast_signed())
        .map_err(failed)?;
    set_up(&connection, path)?;
    migrate(&mut connection, path, schema, 0)?;
    let transaction = connection.transaction().map_err(failed)?;
    fill(&transaction).map_err(failed)?;
    transaction.commit().map_err(failed)?;
    connection.close().map_err(|(_, source)| failed(source))?;
    durable::sync(path)
}

/// Refuses to build where something lies already, be it only a write-ahead log.
pub(crate) fn refuse_existing(path: &Path) -> Result<(), StoreError> {
    for ending in ["", "-wal", "-journal"] {
        let path = durable::beside(path, ending);
        if path.symlink_metadata().is_ok() {
            return Err(StoreError::Exists { path });
        }
    }
    Ok(())
}

fn refuse_unless_filled(path: &Path) -> Result<(), StoreError> {
    let metadata = path
        .metadata()
        .map_err(|source| StoreError::io(path, "opening", source))?;
    if !metadata.is_file() {
        return Err(StoreError::NotADatabase {
            path: path.to_owned(),
        });
    }
    if metadata.len() == 0 {
        return Err(StoreError::Empty {
            path: path.to_owned(),
        });
    }
    if metadata.len() < SMALLEST {
        return Err(StoreError::Corrupt {
            path: path.to_owned(),
            detail: format!("it was cut to {} bytes", metadata.len()),
        });
    }
    Ok(())
}

fn connect(path: &Path, key: Option<&RawKey>) -> Result<Connection, StoreError> {
    let failed = |source| StoreError::sql(path, "opening", source);
    // Without CREATE: a file that went away between the check and here is an error, not a new database.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
    if let Some(key) = key {
        // SQLCipher would write its own lines to the standard error; what it finds comes back as an error anyway.
        connection
            .execute_batch("PRAGMA cipher_log_level = NONE; PRAGMA cipher_memory_security = ON")
            .map_err(failed)?;
        key.apply(&connection, path)?;
    }
    // Exclusive before the first access to a WAL database: its index then lives in memory and not in a shared file.
    connection
        .execute_batch("PRAGMA locking_mode = EXCLUSIVE; PRAGMA temp_store = MEMORY;")
        .map_err(failed)?;
    Ok(connection)
}

fn set_checkpoint_at_close(
    connection: &Connection,
    path: &Path,
    on: bool,
) -> Result<(), StoreError> {
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, !on)
        .map(|_| ())
        .map_err(|source| StoreError::sql(path, "opening", source))
}

/// Says whether the file is sound, ours, and of a schema we know; returns its version.
fn check(
    connection: &Connection,
    path: &Path,
    schema: &Schema,
    encrypted: bool,
) -> Result<u32, StoreError> {
    let failed = |source| StoreError::sql(path, "checking", source);
    let number = |pragma: &str| -> Result<u32, StoreError> {
        connection
            .pragma_query_value(None, pragma, |row| row.get::<_, i32>(0))
            .map(i32::cast_unsigned)
            .map_err(failed)
    };
    // The first read of a page: a file that is no database at all, or another key, is told here.
    connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
        .map_err(failed)?;
    if encrypted {
        sound(connection, path, "cipher_integrity_check", None)?;
    }
    let found = number("application_id")?;
    if found != schema.application_id {
        return Err(StoreError::WrongApplication {
            path: path.to_owned(),
            found,
            expected: schema.application_id,
        });
    }
    let version = number("user_version")?;
    if version > schema.version() {
        return Err(StoreError::NewerSchema {
            path: path.to_owned(),
            found: version,
            known: schema.version(),
        });
    }
    refuse_cut(path)?;
    sound(connection, path, "quick_check", Some("ok"))?;
    Ok(version)
}

/// SQLite fills a last page that was cut with zeros and goes on. Only a checkpoint that was cut short may leave the
/// file so, and then the log still holds that page.
fn refuse_cut(path: &Path) -> Result<(), StoreError> {
    let length = |path: &Path| path.metadata().map_or(0, |metadata| metadata.len());
    let found = length(path);
    if found.is_multiple_of(PAGE) || length(&durable::beside(path, "-wal")) > 0 {
        return Ok(());
    }
    Err(StoreError::Corrupt {
        path: path.to_owned(),
        detail: format!("its last page was cut; it has {found} bytes"),
    })
}

/// Runs a check whose rows say what is wrong. `fine` is the row of a sound file, or nothing where it has none.
fn sound(
    connection: &Connection,
    path: &Path,
    pragma: &str,
    fine: Option<&str>,
) -> Result<(), StoreError> {
    let mut found = Vec::new();
    connection
        .pragma_query(None, pragma, |row| {
            found.push(row.get::<_, String>(0)?);
            Ok(())
        })
        .map_err(|source| StoreError::sql(path, "checking", source))?;
    if fine.is_some_and(|fine| found == [fine]) || (fine.is_none() && found.is_empty()) {
        return Ok(());
    }
    found.truncate(3);
    Err(StoreError::Corrupt {
        path: path.to_owned(),
        detail: found.join("; "),
    })
}

fn set_up(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let failed = |source| StoreError::sql(path, "setting up", source);
    let mode: String = connection
        .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))
        .map_err(failed)?;
    if !mode.eq_ignore_ascii_case("wal") {
        return Err(StoreError::Io {
            path: path.to_owned(),
            action: "switching on the write-ahead log of",
            source: std::io::Error::other(format!("the journal mode stayed {mode}")),
        });
    }
    connection
        .execute_batch(&format!(
            "PRAGMA synchronous = FULL;
             PRAGMA foreign_keys = ON;
             PRAGMA trusted_schema = OFF;
             PRAGMA cell_size_check = ON;
             PRAGMA secure_delete = ON;
             PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES};
             PRAGMA journal_size_limit = {LOG_LIMIT};"
        ))
        .map_err(failed)
}

/// Copies the database beside itself, so that a migration that turns out wrong can be taken back by hand.
fn copy_before_migrating(
    connection: &Connection,
    path: &Path,
    version: u32,
    key: Option<&RawKey>,
) -> Result<(), StoreError> {
    let copy = durable::beside(path, &format!(".v{version}"));
    let unfinished = durable::beside(&copy, ".new");
    let failed = |source| StoreError::sql(&copy, "copying to", source);
    durable::write_in_place(&unfinished, &[], 0o600)?;
    let mut target = connect(&unfinished, key)?;
    Backup::new(connection, &mut target)
        .and_then(|backup| backup.run_to_completion(1024, Duration::ZERO, None))
        .map_err(failed)?;
    target.close().map_err(|(_, source)| failed(source))?;
    durable::sync(&unfinished)?;
    durable::rename(&unfinished, &copy)
}

/// Takes the schema from `version` to the newest in one transaction: a crash leaves the old one or the new one.
fn migrate(
    connection: &mut Connection,
    path: &Path,
    schema: &Schema,
    version: u32,
) -> Result<(), StoreError> {
    let failed = |source| StoreError::sql(path, "migrating", source);
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failed)?;
    let done = usize::try_from(version).expect("a version fits");
    for migration in &schema.migrations[done..] {
        transaction.execute_batch(migration).map_err(failed)?;
    }
    transaction
        .pragma_update(None, "user_version", schema.version())
        .map_err(failed)?;
    fail::point("migrate.before_commit");
    transaction.commit().map_err(failed)
}

#[cfg(test)]
mod tests;
