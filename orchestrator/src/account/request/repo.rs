//! Owns every statement on the table of requests with a key.

use rusqlite::OptionalExtension;
use rusqlite::Transaction;
use rusqlite::params;

use crate::account::repo::Done;
use crate::account::repo::millis;
use crate::clock::UnixMillis;

/// Forgets what was begun before `before`, and what is older than the newest `newest` of `asker`.
pub(super) fn forget_requests_in_tx(
    tx: &Transaction<'_>,
    asker: &str,
    before: UnixMillis,
    newest: u32,
) -> Done<()> {
    tx.execute("DELETE FROM request WHERE begun_at < ?1", [millis(before)])?;
    tx.execute(
        "DELETE FROM request WHERE asker = ?1 AND seq <= \
         (SELECT seq FROM request WHERE asker = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)",
        params![asker, newest],
    )?;
    Ok(())
}

/// Finds a request, and its status where it ended.
pub(super) fn request_in_tx(
    tx: &Transaction<'_>,
    asker: &str,
    key: &str,
) -> Done<Option<Option<u16>>> {
    tx.prepare("SELECT status FROM request WHERE asker = ?1 AND key = ?2")?
        .query_row([asker, key], |row| row.get(0))
        .optional()
}

pub(super) fn begin_request_in_tx(
    tx: &Transaction<'_>,
    asker: &str,
    key: &str,
    now: UnixMillis,
) -> Done<()> {
    tx.execute(
        "INSERT INTO request (asker, key, begun_at) VALUES (?1, ?2, ?3)",
        params![asker, key, millis(now)],
    )?;
    Ok(())
}

pub(super) fn end_request_in_tx(
    tx: &Transaction<'_>,
    asker: &str,
    key: &str,
    status: u16,
) -> Done<()> {
    tx.execute(
        "UPDATE request SET status = ?3 WHERE asker = ?1 AND key = ?2",
        params![asker, key, status],
    )?;
    Ok(())
}

pub(super) fn drop_request_in_tx(tx: &Transaction<'_>, asker: &str, key: &str) -> Done<()> {
    tx.execute(
        "DELETE FROM request WHERE asker = ?1 AND key = ?2",
        [asker, key],
    )?;
    Ok(())
}
