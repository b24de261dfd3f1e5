//! Owns lists that are read a part at a time, oldest first.

use std::fmt;
use std::str::FromStr;

use crate::clock::UnixMillis;

/// The most that one page holds.
pub const LONGEST_PAGE: usize = 500;
/// What a page holds where nobody says.
const PAGE: usize = 100;

/// How far a list was read: the newest row that was. It holds its place when that row is deleted.
///
/// Shape as text: milliseconds since the Unix epoch, `-`, the row's ID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    pub(super) at: UnixMillis,
    pub(super) id: String,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.at.0, self.id)
    }
}

/// A text that is no [`Cursor`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no place in a list; take `next` of the page before, as it stands")]
pub struct BadCursor;

impl FromStr for Cursor {
    type Err = BadCursor;

    fn from_str(text: &str) -> Result<Self, BadCursor> {
        let (at, id) = text.split_once('-').ok_or(BadCursor)?;
        let plain = !at.is_empty() && at.bytes().all(|byte| byte.is_ascii_digit());
        let id_of = id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !plain || !id_of {
            return Err(BadCursor);
        }
        let at = at.parse().map_err(|_| BadCursor)?;
        Ok(Self {
            at: UnixMillis(at),
            id: id.to_owned(),
        })
    }
}

/// Which part of a list is wanted.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Only what comes after; from the oldest on where nothing is named.
    pub after: Option<Cursor>,
    /// How many; at least one is given, and at most [`LONGEST_PAGE`].
    pub limit: usize,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            after: None,
            limit: PAGE,
        }
    }
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// What it holds, oldest first.
    pub items: Vec<T>,
    /// Where to read on; nothing at the end.
    pub next: Option<Cursor>,
}

impl Wanted {
    /// Makes a page of rows that come after, oldest first; one more than it holds says that it is not the last.
    pub(super) fn page<T>(
        &self,
        mut rows: Vec<T>,
        place: impl Fn(&T) -> (UnixMillis, &str),
    ) -> Page<T> {
        let more = rows.len() > self.length();
        rows.truncate(self.length());
        let next = rows.last().filter(|_| more).map(|last| {
            let (at, id) = place(last);
            let id = id.to_owned();
            Cursor { at, id }
        });
        Page { items: rows, next }
    }

    /// Returns how many it holds at most.
    pub(super) fn length(&self) -> usize {
        self.limit.clamp(1, LONGEST_PAGE)
    }
}

impl<T> Page<T> {
    /// Shows each row.
    pub(super) fn map<U, E>(self, show: impl FnMut(T) -> Result<U, E>) -> Result<Page<U>, E> {
        Ok(Page {
            items: self.items.into_iter().map(show).collect::<Result<_, _>>()?,
            next: self.next,
        })
    }
}
