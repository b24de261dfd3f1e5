//! Migrations: from one schema to the next, with a copy, and never half.

use super::*;

const OLD: Schema = Schema {
    application_id: 0x7465_7374,
    migrations: &["CREATE TABLE coin (name TEXT NOT NULL) STRICT"],
};
const NEWER: Schema = Schema {
    application_id: 0x7465_7374,
    migrations: &[
        OLD.migrations[0],
        "ALTER TABLE coin ADD COLUMN sat INTEGER NOT NULL DEFAULT 0",
        "UPDATE coin SET sat = 21; CREATE INDEX coin_by_sat ON coin (sat)",
    ],
};
const WRONG: Schema = Schema {
    application_id: 0x7465_7374,
    migrations: &[
        OLD.migrations[0],
        "ALTER TABLE coin ADD COLUMN sat INTEGER NOT NULL DEFAULT 0; DROP TABLE no_such_table",
    ],
};

pub(super) fn open_newer(path: &Path) -> Result<Database, StoreError> {
    Database::open(path, &NEWER, None)
}

fn old(key: Option<&RawKey>) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("coins.db");
    build(&path, &OLD, key, |transaction| {
        transaction.execute_batch("INSERT INTO coin (name) VALUES ('first'), ('second')")
    })
    .unwrap();
    (folder, path)
}

fn column(database: &Database, statement: &str) -> Vec<i64> {
    database
        .read(|transaction| {
            let rows = || {
                transaction
                    .prepare(statement)?
                    .query_map([], |row| row.get(0))?
                    .collect()
            };
            let rows: rusqlite::Result<Vec<i64>> = rows();
            rows.map_err(|source| database.sql("reading", source))
        })
        .unwrap()
}

#[test]
fn an_older_database_is_migrated_once_and_its_copy_is_kept() {
    for key in [None, Some(RawKey::new(Zeroizing::new([9; 32])))] {
        let (_folder, path) = old(key.as_ref());
        let database = Database::open(&path, &NEWER, key.as_ref()).unwrap();
        assert_eq!(column(&database, "SELECT sat FROM coin"), [21, 21]);
        assert_eq!(column(&database, "PRAGMA user_version"), [3]);
        drop(database);
        let copy = durable::beside(&path, ".v1");
        let database = Database::open(&copy, &OLD, key.as_ref()).unwrap();
        assert_eq!(column(&database, "SELECT count(*) FROM coin"), [2]);
        drop(database);
        std::fs::remove_file(&copy).unwrap();
        Database::open(&path, &NEWER, key.as_ref()).unwrap();
        assert!(!copy.exists(), "nothing is migrated twice");
        let error = Database::open(&path, &OLD, key.as_ref()).unwrap_err();
        assert!(matches!(error, StoreError::NewerSchema { .. }), "{error}");
    }
}

#[test]
fn a_migration_that_fails_changes_nothing() {
    let (_folder, path) = old(None);
    let error = Database::open(&path, &WRONG, None).unwrap_err();
    assert!(matches!(error, StoreError::Sql { .. }), "{error}");
    let database = Database::open(&path, &OLD, None).unwrap();
    assert_eq!(
        column(&database, "SELECT count(*) FROM pragma_table_info('coin')"),
        [1]
    );
    assert_eq!(column(&database, "SELECT count(*) FROM coin"), [2]);
}

#[test]
fn a_kill_during_a_migration_leaves_the_old_schema_or_the_new_one() {
    for (point, version) in [
        ("migrate.copied", 1),
        ("migrate.before_commit", 1),
        ("migrate.after_commit", 3),
    ] {
        let (_folder, path) = old(None);
        killed("migrate", &path, point);
        let found: i64 = {
            let connection = Connection::open(&path).unwrap();
            connection
                .pragma_query_value(None, "user_version", |row| row.get(0))
                .unwrap()
        };
        assert_eq!(found, version, "{point}");
        let database = open_newer(&path).unwrap();
        assert_eq!(
            column(&database, "SELECT sat FROM coin"),
            [21, 21],
            "{point}"
        );
    }
}

#[test]
fn a_write_error_that_was_swallowed_is_not_reported_as_done() {
    let (_folder, path) = old(None);
    let database = Database::open(&path, &OLD, None).unwrap();
    let points = ("state.before_commit", "state.after_commit");
    let outcome: Result<(), StoreError> = database.write(points, |transaction| {
        // SQLite may end the whole batch by itself, as it does after FULL or IOERR.
        transaction
            .execute_batch("INSERT INTO coin VALUES ('third'); ROLLBACK")
            .unwrap();
        Ok(())
    });
    assert!(outcome.is_err());
    assert_eq!(column(&database, "SELECT count(*) FROM coin"), [2]);
    database
        .write(points, |transaction| {
            transaction
                .execute_batch("INSERT INTO coin VALUES ('third')")
                .map_err(|source| database.sql("writing", source))
        })
        .unwrap();
    assert_eq!(column(&database, "SELECT count(*) FROM coin"), [3]);
}

#[test]
fn after_a_failure_of_the_disk_nothing_more_is_written() {
    let (_folder, path) = old(None);
    let database = Database::open(&path, &OLD, None).unwrap();
    let failure = rusqlite::Error::SqliteFailure(
        rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR_FSYNC),
        None,
    );
    let error = database.sql("committing", failure);
    assert!(matches!(error, StoreError::Io { .. }), "{error}");
    let points = ("state.before_commit", "state.after_commit");
    let outcome: Result<(), StoreError> = database.write(points, |_| Ok(()));
    assert!(matches!(outcome, Err(StoreError::Stopped { .. })));
    assert_eq!(column(&database, "SELECT count(*) FROM coin"), [2]);
}
