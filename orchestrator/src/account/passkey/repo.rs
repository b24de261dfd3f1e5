//! Owns every statement on the table of passkeys.

use rusqlite::OptionalExtension;
use rusqlite::Row;
use rusqlite::Transaction;
use rusqlite::params;

use crate::account::repo::Done;
use crate::account::repo::at;
use crate::account::repo::maybe_at;
use crate::account::repo::millis;
use crate::clock::UnixMillis;

/// A passkey as it is kept.
#[derive(Debug, Clone)]
pub(super) struct KeptPasskey {
    pub(super) id: String,
    pub(super) account: String,
    pub(super) label: String,
    pub(super) site: String,
    pub(super) handle: Vec<u8>,
    pub(super) credential: String,
    pub(super) created_at: UnixMillis,
    pub(super) used_at: Option<UnixMillis>,
}

fn passkey(row: &Row<'_>) -> Done<KeptPasskey> {
    Ok(KeptPasskey {
        id: row.get("id")?,
        account: row.get("account")?,
        label: row.get("label")?,
        site: row.get("site")?,
        handle: row.get("handle")?,
        credential: row.get("credential")?,
        created_at: at(row, "created_at")?,
        used_at: maybe_at(row, "used_at")?,
    })
}

pub(super) fn passkeys_in_tx(tx: &Transaction<'_>, account: &str) -> Done<Vec<KeptPasskey>> {
    tx.prepare("SELECT * FROM passkey WHERE account = ?1 ORDER BY created_at, id")?
        .query_map([account], passkey)?
        .collect()
}

/// Finds what an authenticator names so at one name of the node.
pub(super) fn passkey_of_handle_in_tx(
    tx: &Transaction<'_>,
    site: &str,
    handle: &[u8],
) -> Done<Option<KeptPasskey>> {
    tx.prepare("SELECT * FROM passkey WHERE site = ?1 AND handle = ?2")?
        .query_row(params![site, handle], passkey)
        .optional()
}

pub(super) fn add_passkey_in_tx(tx: &Transaction<'_>, kept: &KeptPasskey) -> Done<()> {
    let KeptPasskey {
        id,
        account,
        label,
        site,
        handle,
        credential,
        created_at,
        used_at,
    } = kept;
    tx.execute(
        "INSERT INTO passkey (id, account, label, site, handle, credential, created_at, used_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            id,
            account,
            label,
            site,
            handle,
            credential,
            millis(*created_at),
            used_at.map(millis)
        ],
    )
    .map(|_| ())
}

/// Keeps what a use changed, and says whether the passkey was still what was looked at.
pub(super) fn use_passkey_in_tx(
    tx: &Transaction<'_>,
    looked_at: &KeptPasskey,
    credential: &str,
    now: UnixMillis,
) -> Done<bool> {
    let changed = tx.execute(
        "UPDATE passkey SET credential = ?3, used_at = ?4 WHERE id = ?1 AND credential = ?2",
        params![looked_at.id, looked_at.credential, credential, millis(now)],
    )?;
    Ok(changed > 0)
}

/// Deletes one of an account's own, and returns what it was called.
pub(super) fn drop_passkey_in_tx(
    tx: &Transaction<'_>,
    account: &str,
    id: &str,
) -> Done<Option<String>> {
    tx.prepare("DELETE FROM passkey WHERE id = ?1 AND account = ?2 RETURNING label")?
        .query_row([id, account], |row| row.get(0))
        .optional()
}

pub(in crate::account) fn drop_passkeys_of_in_tx(
    tx: &Transaction<'_>,
    account: &str,
) -> Done<usize> {
    tx.execute("DELETE FROM passkey WHERE account = ?1", [account])
}

/// Lists the names of the node for which an account has a passkey.
pub(in crate::account) fn sites_in_tx(tx: &Transaction<'_>, account: &str) -> Done<Vec<String>> {
    tx.prepare("SELECT DISTINCT site FROM passkey WHERE account = ?1 ORDER BY site")?
        .query_map([account], |row| row.get(0))?
        .collect()
}
