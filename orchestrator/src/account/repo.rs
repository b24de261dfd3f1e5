//! Owns every statement on the tables of people: accounts, sessions, tokens.
//!
//! It does not know who may do what, nor how a password is kept.

use rusqlite::OptionalExtension;
use rusqlite::Row;
use rusqlite::Transaction;
use rusqlite::params;

use super::code::Hash;
use super::page::Page;
use super::page::Wanted;
use super::role::Role;
use crate::clock::UnixMillis;

pub(super) type Done<T> = rusqlite::Result<T>;

/// An account as it is kept.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) language: String,
    pub(super) password: String,
    pub(super) factor: Option<Vec<u8>>,
    pub(super) factor_new: Option<Vec<u8>>,
    pub(super) factor_step: u64,
    pub(super) created_at: UnixMillis,
    pub(super) signed_in_at: Option<UnixMillis>,
}

/// A session as it is kept.
#[derive(Debug, Clone)]
pub(super) struct KeptSession {
    pub(super) id: String,
    pub(super) account: String,
    pub(super) created_at: UnixMillis,
    pub(super) seen_at: UnixMillis,
    pub(super) confirmed_at: UnixMillis,
    pub(super) came_from: String,
    pub(super) agent: String,
}

/// A token as it is kept.
#[derive(Debug, Clone)]
pub(super) struct KeptToken {
    pub(super) id: String,
    pub(super) account: String,
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) created_at: UnixMillis,
    pub(super) expires_at: UnixMillis,
    pub(super) used_at: Option<UnixMillis>,
}

pub(super) fn millis(at: UnixMillis) -> i64 {
    i64::try_from(at.0).unwrap_or(i64::MAX)
}

pub(super) fn at(row: &Row<'_>, column: &str) -> Done<UnixMillis> {
    Ok(UnixMillis(row.get::<_, i64>(column)?.cast_unsigned()))
}

pub(super) fn maybe_at(row: &Row<'_>, column: &str) -> Done<Option<UnixMillis>> {
    let at: Option<i64> = row.get(column)?;
    Ok(at.map(|at| UnixMillis(at.cast_unsigned())))
}

/// A role that this release does not know gives the least.
fn role(row: &Row<'_>) -> Done<Role> {
    let word: String = row.get("role")?;
    Ok(Role::read(&word).unwrap_or(Role::Cashier))
}

fn account(row: &Row<'_>) -> Done<Kept> {
    Ok(Kept {
        id: row.get("id")?,
        name: row.get("name")?,
        role: role(row)?,
        language: row.get("language")?,
        password: row.get("password")?,
        factor: row.get("factor")?,
        factor_new: row.get("factor_new")?,
        factor_step: row.get::<_, i64>("factor_step")?.cast_unsigned(),
        created_at: at(row, "created_at")?,
        signed_in_at: maybe_at(row, "signed_in_at")?,
    })
}

/// Returns after when and after which ID there rows are wanted, and how many: one more than the page holds.
fn bounds(wanted: &Wanted) -> (i64, &str, i64) {
    let (at, id) = match &wanted.after {
        Some(after) => (millis(after.at), after.id.as_str()),
        None => (-1, ""),
    };
    let rows = i64::try_from(wanted.length() + 1).unwrap_or(i64::MAX);
    (at, id, rows)
}

fn session(row: &Row<'_>) -> Done<KeptSession> {
    Ok(KeptSession {
        id: row.get("id")?,
        account: row.get("account")?,
        created_at: at(row, "created_at")?,
        seen_at: at(row, "seen_at")?,
        confirmed_at: at(row, "confirmed_at")?,
        came_from: row.get("came_from")?,
        agent: row.get("agent")?,
    })
}

fn token(row: &Row<'_>) -> Done<KeptToken> {
    Ok(KeptToken {
        id: row.get("id")?,
        account: row.get("account")?,
        name: row.get("name")?,
        role: role(row)?,
        created_at: at(row, "created_at")?,
        expires_at: at(row, "expires_at")?,
        used_at: maybe_at(row, "used_at")?,
    })
}

// === Accounts ===

pub(super) fn accounts_in_tx(tx: &Transaction<'_>, wanted: &Wanted) -> Done<Page<Kept>> {
    let rows: Vec<Kept> = tx
        .prepare("SELECT * FROM account WHERE (created_at, id) > (?1, ?2) ORDER BY created_at, id LIMIT ?3")?
        .query_map(bounds(wanted), account)?
        .collect::<Done<_>>()?;
    Ok(wanted.page(rows, |one| (one.created_at, &one.id)))
}

/// Returns the id of every account, oldest first.
pub(super) fn account_ids_in_tx(tx: &Transaction<'_>) -> Done<Vec<String>> {
    tx.prepare("SELECT id FROM account ORDER BY created_at, id")?
        .query_map([], |row| row.get(0))?
        .collect()
}

/// Returns the id of the owner who is here longest.
pub(super) fn oldest_owner_in_tx(tx: &Transaction<'_>) -> Done<Option<String>> {
    tx.prepare("SELECT id FROM account WHERE role = 'owner' ORDER BY created_at, id LIMIT 1")?
        .query_row([], |row| row.get(0))
        .optional()
}

pub(super) fn account_in_tx(tx: &Transaction<'_>, id: &str) -> Done<Option<Kept>> {
    tx.prepare("SELECT * FROM account WHERE id = ?1")?
        .query_row([id], account)
        .optional()
}

pub(super) fn account_named_in_tx(tx: &Transaction<'_>, name: &str) -> Done<Option<Kept>> {
    tx.prepare("SELECT * FROM account WHERE name = ?1")?
        .query_row([name], account)
        .optional()
}

pub(super) fn owners_in_tx(tx: &Transaction<'_>) -> Done<u64> {
    tx.query_row(
        "SELECT count(*) FROM account WHERE role = 'owner'",
        [],
        |row| row.get::<_, i64>(0).map(i64::cast_unsigned),
    )
}

/// Writes an account, new or changed.
pub(super) fn keep_account_in_tx(tx: &Transaction<'_>, kept: &Kept) -> Done<()> {
    let Kept {
        id,
        name,
        role,
        language,
        password,
        factor,
        factor_new,
        factor_step,
        created_at,
        signed_in_at,
    } = kept;
    tx.execute(
        "INSERT INTO account (id, name, role, language, password, factor, factor_new, factor_step, created_at, signed_in_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT (id) DO UPDATE SET name = ?2, role = ?3, language = ?4, password = ?5, factor = ?6,
             factor_new = ?7, factor_step = ?8, created_at = ?9, signed_in_at = ?10",
        params![
            id,
            name,
            role.as_str(),
            language,
            password,
            factor,
            factor_new,
            factor_step.cast_signed(),
            millis(*created_at),
            signed_in_at.map(millis)
        ],
    )
    .map(|_| ())
}

/// Deletes an account, with its sessions, tokens, codes and passkeys.
pub(super) fn drop_account_in_tx(tx: &Transaction<'_>, id: &str) -> Done<bool> {
    Ok(tx.execute("DELETE FROM account WHERE id = ?1", [id])? > 0)
}

// === Recovery codes ===

pub(super) fn replace_codes_in_tx(tx: &Transaction<'_>, account: &str, codes: &[Hash]) -> Done<()> {
    tx.execute("DELETE FROM recovery_code WHERE account = ?1", [account])?;
    for hash in codes {
        tx.execute(
            "INSERT INTO recovery_code (account, hash) VALUES (?1, ?2)",
            params![account, hash],
        )?;
    }
    Ok(())
}

/// Uses a code up, and says whether there was one.
pub(super) fn use_code_in_tx(tx: &Transaction<'_>, account: &str, hash: &Hash) -> Done<bool> {
    let gone = tx.execute(
        "DELETE FROM recovery_code WHERE account = ?1 AND hash = ?2",
        params![account, hash],
    )?;
    Ok(gone > 0)
}

pub(super) fn codes_left_in_tx(tx: &Transaction<'_>, account: &str) -> Done<u64> {
    tx.query_row(
        "SELECT count(*) FROM recovery_code WHERE account = ?1",
        [account],
        |row| row.get::<_, i64>(0).map(i64::cast_unsigned),
    )
}

// === Sessions ===

pub(super) fn add_session_in_tx(tx: &Transaction<'_>, kept: &KeptSession, hash: &Hash) -> Done<()> {
    let KeptSession {
        id,
        account,
        created_at,
        seen_at,
        confirmed_at,
        came_from,
        agent,
    } = kept;
    tx.execute(
        "INSERT INTO session (id, account, hash, created_at, seen_at, confirmed_at, came_from, agent)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![id, account, hash, millis(*created_at), millis(*seen_at), millis(*confirmed_at), came_from, agent],
    )
    .map(|_| ())
}

pub(super) fn session_by_hash_in_tx(
    tx: &Transaction<'_>,
    hash: &Hash,
) -> Done<Option<KeptSession>> {
    tx.prepare("SELECT * FROM session WHERE hash = ?1")?
        .query_row([hash], session)
        .optional()
}

pub(super) fn sessions_in_tx(tx: &Transaction<'_>, account: &str) -> Done<Vec<KeptSession>> {
    tx.prepare("SELECT * FROM session WHERE account = ?1 ORDER BY seen_at DESC, id")?
        .query_map([account], session)?
        .collect()
}

pub(super) fn see_session_in_tx(tx: &Transaction<'_>, id: &str, now: UnixMillis) -> Done<()> {
    tx.execute(
        "UPDATE session SET seen_at = ?2 WHERE id = ?1",
        params![id, millis(now)],
    )
    .map(|_| ())
}

/// Gives a session a new value, and says that its owner was asked again.
pub(super) fn renew_session_in_tx(
    tx: &Transaction<'_>,
    id: &str,
    hash: &Hash,
    now: UnixMillis,
) -> Done<()> {
    tx.execute(
        "UPDATE session SET hash = ?2, confirmed_at = ?3, seen_at = ?3 WHERE id = ?1",
        params![id, hash, millis(now)],
    )
    .map(|_| ())
}

/// Whether a session of an account is there.
pub(super) fn session_in_tx(tx: &Transaction<'_>, account: &str, id: &str) -> Done<bool> {
    tx.prepare("SELECT 1 FROM session WHERE account = ?1 AND id = ?2")?
        .exists((account, id))
}

pub(super) fn drop_session_in_tx(tx: &Transaction<'_>, account: &str, id: &str) -> Done<bool> {
    let gone = tx.execute(
        "DELETE FROM session WHERE id = ?1 AND account = ?2",
        [id, account],
    )?;
    Ok(gone > 0)
}

/// Deletes every session of an account but one.
pub(super) fn drop_other_sessions_in_tx(
    tx: &Transaction<'_>,
    account: &str,
    but: Option<&str>,
) -> Done<usize> {
    tx.execute(
        "DELETE FROM session WHERE account = ?1 AND id IS NOT ?2",
        params![account, but],
    )
}

/// Deletes the sessions of an account that were not used for longest, so that `keep` stay.
pub(super) fn drop_idlest_in_tx(tx: &Transaction<'_>, account: &str, keep: usize) -> Done<usize> {
    tx.execute(
        "DELETE FROM session WHERE account = ?1 AND id NOT IN
             (SELECT id FROM session WHERE account = ?1 ORDER BY seen_at DESC, id LIMIT ?2)",
        params![account, i64::try_from(keep).unwrap_or(i64::MAX)],
    )
}

/// Deletes what is over, and every session that is older or idler than allowed.
pub(super) fn drop_expired_in_tx(
    tx: &Transaction<'_>,
    created_before: UnixMillis,
    seen_before: UnixMillis,
) -> Done<usize> {
    tx.execute(
        "DELETE FROM session WHERE created_at < ?1 OR seen_at < ?2",
        params![millis(created_before), millis(seen_before)],
    )
}

// === Tokens ===

pub(super) fn add_token_in_tx(tx: &Transaction<'_>, kept: &KeptToken, hash: &Hash) -> Done<()> {
    let KeptToken {
        id,
        account,
        name,
        role,
        created_at,
        expires_at,
        used_at,
    } = kept;
    tx.execute(
        "INSERT INTO token (id, account, name, role, hash, created_at, expires_at, used_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            id,
            account,
            name,
            role.as_str(),
            hash,
            millis(*created_at),
            millis(*expires_at),
            used_at.map(millis)
        ],
    )
    .map(|_| ())
}

pub(super) fn token_by_hash_in_tx(tx: &Transaction<'_>, hash: &Hash) -> Done<Option<KeptToken>> {
    tx.prepare("SELECT * FROM token WHERE hash = ?1")?
        .query_row([hash], token)
        .optional()
}

pub(super) fn tokens_in_tx(tx: &Transaction<'_>, wanted: &Wanted) -> Done<Page<KeptToken>> {
    let rows: Vec<KeptToken> = tx
        .prepare("SELECT * FROM token WHERE (created_at, id) > (?1, ?2) ORDER BY created_at, id LIMIT ?3")?
        .query_map(bounds(wanted), token)?
        .collect::<Done<_>>()?;
    Ok(wanted.page(rows, |one| (one.created_at, &one.id)))
}

pub(super) fn use_token_in_tx(tx: &Transaction<'_>, id: &str, now: UnixMillis) -> Done<()> {
    tx.execute(
        "UPDATE token SET used_at = ?2 WHERE id = ?1",
        params![id, millis(now)],
    )
    .map(|_| ())
}

pub(super) fn drop_token_in_tx(tx: &Transaction<'_>, id: &str) -> Done<bool> {
    Ok(tx.execute("DELETE FROM token WHERE id = ?1", [id])? > 0)
}

pub(super) fn drop_tokens_of_in_tx(tx: &Transaction<'_>, account: &str) -> Done<usize> {
    tx.execute("DELETE FROM token WHERE account = ?1", [account])
}
