//! Owns every statement on the audit log: its rows, and its end, which is kept apart.
//!
//! It does not know what a mark is made of.

use rusqlite::OptionalExtension;
use rusqlite::Row;
use rusqlite::Transaction;
use rusqlite::params;

use super::AuditRow;
use super::BEGIN;
use super::Check;
use super::Mark;
use super::NOTHING;
use super::Verdict;
use super::end;
use super::mark;
use crate::account::repo::Done;
use crate::account::repo::at;
use crate::account::repo::millis;
use crate::account::repo::owners_in_tx;
use crate::clock::UnixMillis;

/// The row of `meta` that keeps the end of the log apart. Shape: `SEQ:HEX`.
const END: &str = "audit";

fn end_in_tx(tx: &Transaction<'_>) -> Done<Option<(u64, Vec<u8>)>> {
    let kept: Option<String> = tx
        .query_row("SELECT value FROM meta WHERE name = ?1", [END], |row| {
            row.get(0)
        })
        .optional()?;
    Ok(kept.map(|kept| {
        let (seq, mark) = kept.split_once(':').unwrap_or_default();
        // What cannot be read matches no row, and so shows.
        (
            seq.parse().unwrap_or(u64::MAX),
            hex::decode(mark).unwrap_or_default(),
        )
    }))
}

/// Returns the number and the mark of the newest row, as the next one follows it. Where the end is not what was kept,
/// the next row follows nothing, so that it shows for ever: what is added must not make a log that was cut look whole.
fn newest_in_tx(tx: &Transaction<'_>, key: &[u8; 32]) -> Done<(u64, Mark)> {
    let last: Option<(i64, Vec<u8>)> = tx
        .query_row(
            "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    let last = last.map(|(seq, hash)| (seq.cast_unsigned(), Mark::try_from(hash)));
    let kept = end_in_tx(tx)?;
    Ok(match (last, kept) {
        // The row that tells of the first owner is written before the owner.
        (None, None) if owners_in_tx(tx)? == 0 => (0, BEGIN),
        (Some((seq, Ok(mark))), Some(kept)) if kept == (seq, end(key, seq, &mark).to_vec()) => {
            (seq, mark)
        }
        (last, kept) => {
            let kept = kept.map(|(seq, _)| seq).filter(|seq| *seq < u64::MAX);
            let last = last.map(|(seq, _)| seq);
            (last.max(kept).unwrap_or_default(), NOTHING)
        }
    })
}

/// Adds a row to the end of the chain.
pub(in crate::account) fn append_audit_in_tx(
    tx: &Transaction<'_>,
    key: &[u8; 32],
    now: UnixMillis,
    (actor, action, text): (&str, &str, &str),
) -> Done<u64> {
    let (last, before) = newest_in_tx(tx, key)?;
    let row = AuditRow {
        seq: last.wrapping_add(1),
        at: now.0,
        actor: actor.to_owned(),
        action: action.to_owned(),
        text: text.to_owned(),
    };
    let its = mark(key, &before, &row);
    tx.execute(
        "INSERT INTO audit (seq, at, actor, action, text, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![row.seq.cast_signed(), millis(now), actor, action, text, its],
    )?;
    let sealed = hex::encode(end(key, row.seq, &its));
    tx.execute(
        "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2",
        params![END, format!("{}:{sealed}", row.seq)],
    )?;
    Ok(row.seq)
}

fn audit_row(row: &Row<'_>) -> Done<AuditRow> {
    Ok(AuditRow {
        seq: row.get::<_, i64>("seq")?.cast_unsigned(),
        at: at(row, "at")?.0,
        actor: row.get("actor")?,
        action: row.get("action")?,
        text: row.get("text")?,
    })
}

/// Returns up to `limit` rows before `before`, newest first.
pub(in crate::account) fn audit_in_tx(
    tx: &Transaction<'_>,
    before: Option<u64>,
    limit: usize,
) -> Done<Vec<AuditRow>> {
    let before = before.map_or(i64::MAX, |before| i64::try_from(before).unwrap_or(i64::MAX));
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    tx.prepare("SELECT * FROM audit WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2")?
        .query_map(params![before, limit], audit_row)?
        .collect()
}

/// Looks at the whole chain.
pub(in crate::account) fn verify_audit_in_tx(
    tx: &Transaction<'_>,
    key: &[u8; 32],
) -> Done<Verdict> {
    let mut check = Check::new(key);
    let mut rows = tx.prepare("SELECT * FROM audit ORDER BY seq")?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        check.row(&audit_row(row)?, &row.get::<_, Vec<u8>>("hash")?);
    }
    Ok(check.end(end_in_tx(tx)?, owners_in_tx(tx)? > 0))
}
