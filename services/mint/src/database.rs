//! The database file: looking at it before cdk does, and opening it for cdk on one connection.
//!
//! Owns SQLite here. Deliberately knows nothing of quotes and proofs beyond the sums that must agree.
//! docs/decisions/0004-mint-database.md says why there is one connection.

use std::{
    fs, io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use cdk_sql_common::{
    SQLMintDatabase,
    pool::{self, DatabaseConfig, DatabasePool},
};
use cdk_sqlite::SqliteConnectionManager;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension};

use crate::identity::Identity;

/// The name of the database inside the data folder.
pub const DATABASE_FILE: &str = "mint.sqlite";
/// The name of the identity file beside it, which remembers that there was a database.
pub const IDENTITY_FILE: &str = "mint.identity";
/// Where the identity stands in cdk's key-value table.
pub const IDENTITY_KEY: [&str; 3] = ["flash_mint", "identity", "mint"];

/// Where the version of cdk that last wrote stands in cdk's key-value table.
pub const VERSION_KEY: [&str; 3] = ["flash_mint", "identity", "cdk_version"];
/// The version of cdk whose tables this program knows; a unit test holds it against `Cargo.lock`.
pub const CDK_VERSION: [u32; 3] = [0, 18, 3];

/// How long a request waits for the one connection before it fails.
const CONNECTION_WAIT: Duration = Duration::from_secs(30);

type Upstream = SqliteConnectionManager;

/// cdk's mint database on a single connection.
pub type MintDatabase = SQLMintDatabase<OneConnection>;

/// Hands out cdk-sqlite's connections, one at a time.
#[derive(Debug)]
pub struct OneConnection;

/// The path of the database, with a pool size of one.
#[derive(Debug, Clone)]
pub struct OneConnectionConfig(<Upstream as DatabasePool>::Config);

impl DatabaseConfig for OneConnectionConfig {
    fn max_size(&self) -> usize {
        1
    }

    fn default_timeout(&self) -> Duration {
        CONNECTION_WAIT
    }
}

impl DatabasePool for OneConnection {
    type Connection = <Upstream as DatabasePool>::Connection;
    type Config = OneConnectionConfig;
    type Error = <Upstream as DatabasePool>::Error;

    fn new_resource(
        config: &Self::Config,
        stale: Arc<AtomicBool>,
        timeout: Duration,
    ) -> Result<Self::Connection, pool::Error<Self::Error>> {
        Upstream::new_resource(&config.0, stale, timeout)
    }
}

/// What lies in the data folder before the mint opens it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// No database, and no trace of one.
    Nothing,
    /// A database that never issued and has no owner yet: its creation was cut short.
    Unclaimed,
    /// A database and its owner.
    Claimed(Identity),
}

/// Why a database was not opened.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// A page is damaged, or the file is no database.
    #[error("{}: the database is damaged ({finding}); nothing was changed: restore the newest copy of the whole data folder, never an older one while newer exists", file.display())]
    Corrupt {
        /// The database.
        file: PathBuf,
        /// What SQLite found first.
        finding: String,
    },
    /// The sums that cdk keeps do not agree with the rows they sum up.
    #[error("{}: the books do not add up for keyset {keyset} ({finding}); nothing was changed", file.display())]
    BooksDisagree {
        /// The database.
        file: PathBuf,
        /// The keyset.
        keyset: String,
        /// The two numbers.
        finding: String,
    },
    /// There was a database and it is gone.
    #[error("{}: a database is expected here and there is none ({reason}); an empty volume is never taken for a new mint: mount the right volume or restore the data folder", file.display())]
    Missing {
        /// The database.
        file: PathBuf,
        /// What says that there should be one.
        reason: &'static str,
    },
    /// The database belongs to another seed, network or unit.
    #[error("{}: the database belongs to mint {found} and the configuration describes mint {configured}; give it its own seed_file and network, or another data_dir", file.display())]
    Foreign {
        /// The database.
        file: PathBuf,
        /// Its owner.
        found: String,
        /// Who wanted it.
        configured: String,
    },
    /// A newer program wrote it.
    #[error("{}: cdk {found} wrote the database and this program knows only cdk {known}; run the newer flash-mint, there is no way back", file.display())]
    Newer {
        /// The database.
        file: PathBuf,
        /// Who wrote it.
        found: String,
        /// Whose tables are known.
        known: String,
    },
    /// A new keyset would strand payments that are under way.
    #[error("{}: input_fee_ppk or use_keyset_v2 changed while the end of {melts} payments is not known; set them back until /health no longer says melts_unresolved", file.display())]
    KeysetChangeWaits {
        /// The database.
        file: PathBuf,
        /// Payments under way.
        melts: u64,
    },
    /// The database has keysets but no owner.
    #[error("{}: the database holds keysets and does not say whose; flash-mint did not make it and will not use it", file.display())]
    Ownerless {
        /// The database.
        file: PathBuf,
    },
    /// The file system refused.
    #[error("{}: the file could not be used", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// SQLite refused for another reason than damage.
    #[error("{}: SQLite could not read the database", file.display())]
    Sqlite {
        /// The database.
        file: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// cdk could not open or migrate it.
    #[error("{}: cdk could not open the database", file.display())]
    Open {
        /// The database.
        file: PathBuf,
        /// What cdk said.
        #[source]
        source: cdk_common::database::Error,
    },
}

impl DatabaseError {
    /// The exit code. Source: sysexits.h.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Corrupt { .. } | Self::BooksDisagree { .. } => 65,
            Self::Missing { .. }
            | Self::KeysetChangeWaits { .. }
            | Self::Foreign { .. }
            | Self::Newer { .. }
            | Self::Ownerless { .. } => 78,
            Self::Io { .. } | Self::Sqlite { .. } | Self::Open { .. } => 74,
        }
    }
}

/// Looks at the database in `folder` without changing a row, and closes it again.
///
/// Errors: a damaged page, books that do not add up, a database that vanished or belongs to nobody.
pub fn examine(folder: &Path, expect_existing: bool) -> Result<Found, DatabaseError> {
    let file = folder.join(DATABASE_FILE);
    let remembered = folder.join(IDENTITY_FILE).exists();
    let empty = match fs::metadata(&file) {
        Ok(metadata) => metadata.len() == 0,
        Err(error) if error.kind() == io::ErrorKind::NotFound => true,
        Err(source) => return Err(DatabaseError::Io { file, source }),
    };
    let found = if empty {
        Found::Nothing
    } else {
        inspect(&file)?
    };
    match found {
        Found::Nothing | Found::Unclaimed if remembered => Err(DatabaseError::Missing {
            file,
            reason: "mint.identity remembers one",
        }),
        Found::Nothing | Found::Unclaimed if expect_existing => Err(DatabaseError::Missing {
            file,
            reason: "expect_existing is true",
        }),
        Found::Nothing if has_log(&file) => Err(DatabaseError::Missing {
            file,
            reason: "its write-ahead log is still here",
        }),
        found => Ok(found),
    }
}

fn has_log(file: &Path) -> bool {
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    fs::metadata(log).is_ok_and(|metadata| metadata.len() > 0)
}

fn inspect(file: &Path) -> Result<Found, DatabaseError> {
    let explain = |error| explain(file, error);
    let connection =
        Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(explain)?;
    let finding: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(explain)?;
    if finding != "ok" {
        return Err(DatabaseError::Corrupt {
            file: file.to_owned(),
            finding: finding.replace('\n', " "),
        });
    }
    if !has_table(&connection, "keyset").map_err(explain)?
        || !has_table(&connection, "kv_store").map_err(explain)?
    {
        return Ok(Found::Unclaimed);
    }
    let damaged = |finding: &str| DatabaseError::Corrupt {
        file: file.to_owned(),
        finding: finding.to_owned(),
    };
    let keysets: i64 = connection
        .query_row("SELECT count(*) FROM keyset", [], |row| row.get(0))
        .map_err(explain)?;
    let owner = match read_value(&connection, VERSION_KEY)
        .map_err(explain)?
        .map(|json| serde_json::from_slice(&json))
    {
        Some(Ok(found)) if found > CDK_VERSION => {
            let [found, known] = [found, CDK_VERSION]
                .map(|version: [u32; 3]| version.map(|n| n.to_string()).join("."));
            return Err(DatabaseError::Newer {
                file: file.to_owned(),
                found,
                known,
            });
        }
        Some(Err(_)) => return Err(damaged("its version is not readable")),
        Some(Ok(_)) | None => read_value(&connection, IDENTITY_KEY).map_err(explain)?,
    };
    match owner.map(|json| serde_json::from_slice(&json)) {
        Some(Ok(identity)) => {
            recount(file, &connection)?;
            Ok(Found::Claimed(identity))
        }
        Some(Err(_)) => Err(damaged("its identity is not readable")),
        None if keysets > 0 => Err(DatabaseError::Ownerless {
            file: file.to_owned(),
        }),
        None => Ok(Found::Unclaimed),
    }
}

fn read_value(connection: &Connection, key: [&str; 3]) -> rusqlite::Result<Option<Vec<u8>>> {
    connection
        .query_row(
            "SELECT value FROM kv_store WHERE primary_namespace = ?1 AND secondary_namespace = ?2 AND key = ?3",
            key,
            |row| row.get(0),
        )
        .optional()
}

fn has_table(connection: &Connection, table: &str) -> rusqlite::Result<bool> {
    connection.query_row(
        "SELECT count(*) > 0 FROM sqlite_master WHERE type = 'table' AND name = ?1",
        [table],
        |row| row.get(0),
    )
}

/// Sums the signatures and the spent proofs, and compares with the running totals that cdk keeps.
fn recount(file: &Path, connection: &Connection) -> Result<(), DatabaseError> {
    let disagreement = connection
        .query_row(
            "WITH issued AS (SELECT keyset_id, sum(amount) AS total FROM blind_signature WHERE c IS NOT NULL GROUP BY keyset_id),
                  redeemed AS (SELECT keyset_id, sum(amount) AS total FROM proof WHERE state = 'SPENT' GROUP BY keyset_id),
                  books AS (
                    SELECT keyset.id, coalesce(issued.total, 0) AS issued, coalesce(redeemed.total, 0) AS redeemed,
                           coalesce(keyset_amounts.total_issued, 0) AS kept_issued,
                           coalesce(keyset_amounts.total_redeemed, 0) AS kept_redeemed
                    FROM keyset
                    LEFT JOIN issued ON issued.keyset_id = keyset.id
                    LEFT JOIN redeemed ON redeemed.keyset_id = keyset.id
                    LEFT JOIN keyset_amounts ON keyset_amounts.keyset_id = keyset.id)
             SELECT id, issued, kept_issued, redeemed, kept_redeemed FROM books
             WHERE issued <> kept_issued OR redeemed <> kept_redeemed LIMIT 1",
            [],
            |row| {
                let numbers: [i64; 4] = [row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?];
                Ok((row.get::<_, String>(0)?, numbers))
            },
        )
        .optional()
        .map_err(|error| explain(file, error))?;
    match disagreement {
        None => Ok(()),
        Some((keyset, [issued, kept_issued, redeemed, kept_redeemed])) => {
            Err(DatabaseError::BooksDisagree {
                file: file.to_owned(),
                keyset,
                finding: format!(
                    "issued {issued} sat by its signatures and {kept_issued} by its total, redeemed {redeemed} sat by its \
                 proofs and {kept_redeemed} by its total"
                ),
            })
        }
    }
}

fn explain(file: &Path, error: rusqlite::Error) -> DatabaseError {
    let file = file.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => DatabaseError::Corrupt {
            file,
            finding: error.to_string(),
        },
        _ => DatabaseError::Sqlite {
            file,
            source: error,
        },
    }
}

/// Refuses a database that belongs to another mint than `configured`.
///
/// Errors: another seed, network or unit.
pub fn validate_owner(
    folder: &Path,
    found: &Found,
    configured: &Identity,
) -> Result<(), DatabaseError> {
    match found {
        Found::Claimed(identity) if identity != configured => Err(DatabaseError::Foreign {
            file: folder.join(DATABASE_FILE),
            found: describe(identity),
            configured: describe(configured),
        }),
        Found::Claimed(_) | Found::Nothing | Found::Unclaimed => Ok(()),
    }
}

/// Refuses to let cdk make a new keyset while payments are under way: it signs their change with active keysets only, so
/// their recovery would fail for ever (cdk issue 2447, open in 0.18.3).
///
/// Errors: such payments exist and `input_fee_ppk` or `use_v2` differ from the active keyset.
pub fn validate_keyset_change(
    folder: &Path,
    found: &Found,
    input_fee_ppk: u64,
    use_v2: bool,
) -> Result<(), DatabaseError> {
    let Found::Claimed(_) = found else {
        return Ok(());
    };
    let file = folder.join(DATABASE_FILE);
    let explain = |error| explain(&file, error);
    let connection =
        Connection::open_with_flags(&file, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(explain)?;
    let melts: u64 = connection
        .query_row(
            "SELECT count(*) FROM saga_state WHERE operation_kind = 'melt'",
            [],
            |row| row.get(0),
        )
        .map_err(explain)?;
    let unchanged: bool = connection
        .query_row(
            // An id of version 2 begins with 01 (NUT-02).
            "SELECT count(*) = 0 FROM keyset WHERE active AND (input_fee_ppk <> ?1 OR (id LIKE '01%') <> ?2)",
            rusqlite::params![input_fee_ppk, use_v2],
            |row| row.get(0),
        )
        .map_err(explain)?;
    if melts == 0 || unchanged {
        Ok(())
    } else {
        Err(DatabaseError::KeysetChangeWaits { file, melts })
    }
}

fn describe(identity: &Identity) -> String {
    let short = identity.pubkey.get(..16).unwrap_or(&identity.pubkey);
    format!("{short}… on {}", identity.network.as_str())
}

/// Opens the database in `folder` for cdk, creating it where there is none, readable by its owner alone.
///
/// Errors: the file system, or cdk's migrations.
pub async fn open(folder: &Path) -> Result<MintDatabase, DatabaseError> {
    let file = folder.join(DATABASE_FILE);
    // SQLite gives its log files the mode of the database, so it is made before SQLite sees it.
    fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&file)
        .map_err(|source| DatabaseError::Io {
            file: file.clone(),
            source,
        })?;
    MintDatabase::new(OneConnectionConfig((&file).into()))
        .await
        .map_err(|source| DatabaseError::Open { file, source })
}

/// Remembers beside the database that there is one.
///
/// Errors: the file system.
pub fn remember(folder: &Path, identity: &Identity) -> Result<(), DatabaseError> {
    let file = folder.join(IDENTITY_FILE);
    let json = serde_json::to_string(identity).expect("an identity is plain JSON");
    let write = || -> io::Result<()> {
        let unfinished = folder.join("mint.identity.new");
        fs::write(&unfinished, json + "\n")?;
        fs::File::open(&unfinished)?.sync_all()?;
        fs::rename(&unfinished, &file)?;
        fs::File::open(folder)?.sync_all()
    };
    write().map_err(|source| DatabaseError::Io {
        file: file.clone(),
        source,
    })
}

#[cfg(test)]
mod tests;
