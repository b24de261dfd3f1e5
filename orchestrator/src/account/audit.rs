//! Owns the audit log: who did what, in a chain in which nothing can be changed, left out or added unseen.
//!
//! Each row's mark is an HMAC over the mark before it and its own content, with a key that only an open vault gives.
//! How long the log is and its newest mark are kept apart under a mark of their own, so that cutting the end off shows
//! too. It does not show where that is an older copy of itself, put back by whoever kept one.

pub(super) mod repo;

use hmac::Hmac;
use hmac::KeyInit;
use hmac::Mac;
use serde::Deserialize;
use serde::Serialize;
use sha2::Sha256;
use utoipa::ToSchema;

/// One row of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditRow {
    /// Counts from 1, without a gap.
    pub seq: u64,
    /// Units: milliseconds since the Unix epoch.
    pub at: u64,
    /// Who did it: an account's name, or `machine` for whoever uses the node's own command line.
    pub actor: String,
    /// What, as a machine code, `snake_case`.
    pub action: String,
    /// One sentence for a person.
    pub text: String,
}

/// What a look at the whole log found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Verdict {
    /// Whether every row is as it was written, and none is missing.
    pub intact: bool,
    /// How many rows were looked at.
    pub rows: u64,
    /// The first row that is not as it was written; one past the last where the end was cut off.
    pub first_bad: Option<u64>,
}

/// A row's mark in the chain.
pub(super) type Mark = [u8; 32];

/// The mark before the first row.
pub(super) const BEGIN: Mark = [0; 32];

/// What a row follows where the end before it was not what was kept. No row is marked so.
pub(super) const NOTHING: Mark = [0xff; 32];

/// Marks a row that follows the one marked `before`.
pub(super) fn mark(key: &[u8; 32], before: &Mark, row: &AuditRow) -> Mark {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(before);
    // serde_json writes the fields in their order and escapes what is in them: one row, one text.
    mac.update(&serde_json::to_vec(row).expect("a row becomes JSON"));
    mac.finalize().into_bytes().into()
}

/// Marks the end of the log: its newest row, and that row's mark.
pub(super) fn end(key: &[u8; 32], seq: u64, newest: &Mark) -> Mark {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    // Never what a row is marked by: that is longer.
    mac.update(b"flash-node audit end");
    mac.update(&seq.to_be_bytes());
    mac.update(newest);
    mac.finalize().into_bytes().into()
}

/// Looks at rows one after the other.
pub(super) struct Check<'a> {
    key: &'a [u8; 32],
    before: Mark,
    seen: u64,
    bad: Option<u64>,
}

impl<'a> Check<'a> {
    pub(super) fn new(key: &'a [u8; 32]) -> Self {
        Self {
            key,
            before: BEGIN,
            seen: 0,
            bad: None,
        }
    }

    /// Looks at the next row.
    pub(super) fn row(&mut self, row: &AuditRow, found: &[u8]) {
        let expected = self.seen + 1;
        let mark = mark(self.key, &self.before, row);
        if self.bad.is_none() && (row.seq != expected || found != mark) {
            self.bad = Some(expected);
        }
        self.before = mark;
        self.seen += 1;
    }

    /// Compares with the end, which is kept apart. `begun` says whether something was ever written.
    pub(super) fn end(self, kept: Option<(u64, Vec<u8>)>, begun: bool) -> Verdict {
        let whole = match kept {
            None => self.seen == 0 && !begun,
            Some((seq, mark)) => seq == self.seen && mark == end(self.key, self.seen, &self.before),
        };
        let first_bad = self.bad.or((!whole).then_some(self.seen + 1));
        Verdict {
            intact: first_bad.is_none(),
            rows: self.seen,
            first_bad,
        }
    }
}
