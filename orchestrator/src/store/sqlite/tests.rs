use std::os::unix::process::ExitStatusExt;

use tempfile::TempDir;

use super::*;
use crate::clock::UnixMillis;
use crate::id::ServiceId;
use crate::store::state::Accepted;
use crate::store::state::ServiceRecord;
use crate::store::state::StateDb;
use crate::store::surgery;
use crate::store::surgery::identity;

mod migrations;

/// Returns a closed `state.db` with enough in it to have many pages.
fn filled() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let state = StateDb::create(&path, &identity(7)).unwrap();
    for n in 0..100 {
        let mut record = ServiceRecord::new(service(n));
        record.cause = Some("x".repeat(500));
        state.put_record(&record).unwrap();
    }
    (folder, path)
}

fn service(n: u32) -> ServiceId {
    ServiceId::new(format!("s{n}")).unwrap()
}

fn accepted(revision: u64, bytes: usize) -> Accepted {
    Accepted {
        revision,
        at: UnixMillis(revision),
        choices: "#".repeat(bytes),
        manifests: std::collections::BTreeMap::new(),
        release: String::new(),
    }
}

fn open_error(path: &Path) -> StoreError {
    StateDb::open(path).unwrap_err()
}

#[test]
fn a_missing_empty_or_foreign_file_is_an_error_of_its_own_and_is_never_made_anew() {
    let (folder, path) = filled();
    let absent = folder.path().join("absent.db");
    assert!(matches!(open_error(&absent), StoreError::Missing { .. }));
    assert!(!absent.exists());

    surgery::truncate(&path, 0);
    assert!(matches!(open_error(&path), StoreError::Empty { .. }));
    assert_eq!(path.metadata().unwrap().len(), 0);

    std::fs::write(&path, "a text that is no database at all\n".repeat(300)).unwrap();
    assert!(matches!(open_error(&path), StoreError::NotADatabase { .. }));
    assert!(matches!(
        open_error(folder.path()),
        StoreError::NotADatabase { .. }
    ));
}

#[test]
fn a_truncated_file_is_damage_and_is_left_as_it_was() {
    let (_folder, path) = filled();
    let whole = std::fs::read(&path).unwrap();
    assert!(whole.len() > 40_000, "{} bytes", whole.len());
    for length in [
        1,
        50,
        511,
        4096,
        10_000,
        whole.len() - 4096,
        whole.len() - 1,
    ] {
        std::fs::write(&path, &whole[..length]).unwrap();
        let error = open_error(&path);
        assert!(error.damaged(), "{length} bytes: {error}");
        assert_eq!(
            std::fs::read(&path).unwrap(),
            whole[..length],
            "{length} bytes"
        );
    }
    std::fs::write(&path, &whole).unwrap();
    assert_eq!(StateDb::open(&path).unwrap().records().unwrap().len(), 100);
}

#[test]
fn a_damaged_page_is_found_and_the_file_is_left_as_it_was() {
    let (_folder, path) = filled();
    let whole = std::fs::read(&path).unwrap();
    let pages = u64::try_from(whole.len()).unwrap() / 4096;
    let mut found = 0;
    for page in 0..pages {
        std::fs::write(&path, &whole).unwrap();
        surgery::flip(&path, page * 4096, 100);
        let damaged = std::fs::read(&path).unwrap();
        if let Err(error) = StateDb::open(&path) {
            assert!(error.damaged(), "page {page}: {error}");
            assert_eq!(std::fs::read(&path).unwrap(), damaged);
            found += 1;
        }
    }
    assert_eq!(found, pages, "every page's beginning is checked");
}

#[test]
fn one_flipped_bit_inside_a_text_is_found_when_it_is_read() {
    let (_folder, path) = filled();
    let whole = std::fs::read(&path).unwrap();
    let at = whole
        .windows(50)
        .position(|window| window == [b'x'; 50])
        .unwrap();
    surgery::flip(&path, u64::try_from(at).unwrap() + 20, 1);
    assert_ne!(std::fs::read(&path).unwrap(), whole);
    let outcome = StateDb::open(&path).and_then(|state| state.records());
    let error = outcome.unwrap_err();
    assert!(error.damaged(), "{error}");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let state = StateDb::create(&path, &identity(7)).unwrap();
    state.accept(&accepted(1, 100)).unwrap();
    drop(state);
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch("UPDATE accepted SET choices = 'x'")
        .unwrap();
    drop(connection);
    let error = StateDb::open(&path).unwrap().accepted().unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
}

#[test]
fn a_newer_schema_and_another_application_are_refused_and_left_as_they_were() {
    let (folder, path) = filled();
    let alter = |path: &Path, statement: &str| {
        let connection = Connection::open(path).unwrap();
        connection.execute_batch(statement).unwrap();
    };
    alter(&path, "PRAGMA user_version = 99");
    let before = std::fs::read(&path).unwrap();
    let error = open_error(&path);
    assert!(
        matches!(
            error,
            StoreError::NewerSchema {
                found: 99,
                known: 2,
                ..
            }
        ),
        "{error}"
    );
    assert!(error.hint().contains("release"));
    assert_eq!(std::fs::read(&path).unwrap(), before);

    let foreign = folder.path().join("foreign.db");
    alter(&foreign, "CREATE TABLE photo (name TEXT)");
    let error = open_error(&foreign);
    assert!(
        matches!(error, StoreError::WrongApplication { found: 0, .. }),
        "{error}"
    );
}

#[test]
fn a_database_in_use_is_told_so() {
    let (_folder, path) = filled();
    let first = StateDb::open(&path).unwrap();
    let error = open_error(&path);
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    assert_eq!(first.records().unwrap().len(), 100);
}

#[test]
fn the_opening_discipline_holds_on_the_connection_itself() {
    let (folder, path) = filled();
    let schema = Schema {
        application_id: 0x464c_5373,
        migrations: &["", ""],
    };
    let database = Database::open(&path, &schema, None).unwrap();
    let connection = database.lock();
    for (pragma, expected) in [
        ("journal_mode", "wal"),
        ("locking_mode", "exclusive"),
        ("synchronous", "2"),
        ("foreign_keys", "1"),
        ("trusted_schema", "0"),
        ("cell_size_check", "1"),
        ("secure_delete", "1"),
        ("wal_autocheckpoint", "1000"),
    ] {
        let found: String = connection
            .query_row(
                &format!("SELECT CAST({pragma} AS TEXT) FROM pragma_{pragma}"),
                [],
                |row| row.get(0),
            )
            .or_else(|_| {
                connection.pragma_query_value(None, pragma, |row| {
                    row.get::<_, rusqlite::types::Value>(0)
                        .map(|value| match value {
                            rusqlite::types::Value::Text(text) => text,
                            rusqlite::types::Value::Integer(number) => number.to_string(),
                            other => format!("{other:?}"),
                        })
                })
            })
            .unwrap();
        assert_eq!(found, expected, "{pragma}");
    }
    assert!(!folder.path().join("state.db-shm").exists());
    let mode = std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}

/// What the child of the kill tests does; its parent arms it.
#[test]
fn child() {
    let Some((act, path)) = surgery::child_task("state") else {
        return;
    };
    match act.as_str() {
        "create" => drop(StateDb::create(&path, &identity(7)).unwrap()),
        "write" => {
            let state = StateDb::open(&path).unwrap();
            for n in 0..5 {
                state.put_record(&ServiceRecord::new(service(n))).unwrap();
            }
        }
        "migrate" => drop(migrations::open_newer(&path).unwrap()),
        other => panic!("{other} is no task"),
    }
}

fn killed(act: &str, path: &Path, point: &str) {
    let status = surgery::run_child("store::sqlite::tests::child", "state", act, path, point);
    assert_eq!(
        status.signal(),
        Some(9),
        "{act} was not killed at {point}: {status}"
    );
}

#[test]
fn a_kill_around_a_commit_loses_nothing_that_was_acknowledged() {
    for (point, kept) in [
        ("state.before_commit", 0),
        ("state.after_commit", 1),
        ("state.before_commit:5", 4),
        ("state.after_commit:5", 5),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        drop(StateDb::create(&path, &identity(7)).unwrap());
        killed("write", &path, point);
        let state = StateDb::open(&path).unwrap();
        assert_eq!(state.records().unwrap().len(), kept, "{point}");
        state.put_record(&ServiceRecord::new(service(99))).unwrap();
    }
}

#[test]
fn a_kill_during_creation_leaves_nothing_that_could_pass_for_a_database() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    killed("create", &path, "migrate.before_commit");
    assert!(matches!(open_error(&path), StoreError::Missing { .. }));
    drop(StateDb::create(&path, &identity(7)).unwrap());
    StateDb::open(&path).unwrap();
}

#[test]
fn a_log_cut_in_its_middle_gives_an_earlier_whole_state() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    drop(StateDb::create(&path, &identity(7)).unwrap());
    killed("write", &path, "state.after_commit:5");
    let log = folder.path().join("state.db-wal");
    let length = log.metadata().unwrap().len();
    surgery::truncate(&log, length - 100);
    let state = StateDb::open(&path).unwrap();
    assert_eq!(state.records().unwrap().len(), 4);
}

/// A file system of 2 MiB, unmounted when dropped.
struct Tiny(PathBuf);

impl Tiny {
    #[expect(clippy::disallowed_methods, reason = "mounting is a program's work")]
    fn mount(path: PathBuf) -> Result<Self, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("mounting needs root".to_owned());
        }
        std::fs::create_dir(&path).unwrap();
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"])
            .arg(&path)
            .output();
        match mounted {
            Ok(output) if output.status.success() => Ok(Self(path)),
            other => Err(format!("mount refused: {other:?}")),
        }
    }
}

impl Drop for Tiny {
    #[expect(clippy::disallowed_methods, reason = "unmounting is a program's work")]
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_refuses_the_change_and_keeps_everything_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let tiny = match Tiny::mount(folder.path().join("tiny")) {
        Ok(tiny) => tiny,
        Err(reason) => {
            println!("SKIPPED: no file system of 2 MiB ({reason})");
            return;
        }
    };
    let path = tiny.0.join("state.db");
    let reserve = tiny.0.join("reserve");
    std::fs::write(&reserve, vec![0; 600 * 1024]).unwrap();
    let state = StateDb::create(&path, &identity(7)).unwrap();
    let mut last = 0;
    let error = loop {
        match state.accept(&accepted(last + 1, 50_000)) {
            Ok(()) => last += 1,
            Err(error) => break error,
        }
        assert!(last < 1000, "the disk never filled");
    };
    assert!(matches!(error, StoreError::DiskFull { .. }), "{error}");
    assert!(last > 3, "{last}");
    assert_eq!(state.accepted().unwrap().unwrap().revision, last);
    let outcome = state.transaction(|tx| tx.accept(&accepted(last + 1, 1_000_000)));
    assert!(
        matches!(outcome, Err(StoreError::DiskFull { .. })),
        "{outcome:?}"
    );

    std::fs::remove_file(&reserve).unwrap();
    state.accept(&accepted(last + 1, 1000)).unwrap();
    drop(state);
    let state = StateDb::open(&path).unwrap();
    assert_eq!(state.accepted().unwrap().unwrap().revision, last + 1);
}
