//! Owns the one rule of who may read an event. REQ, COUNT, NEG and the live feed all ask here.
//!
//! Deliberately does not know about connections, storage or filters' results: plain functions of an event
//! (or a filter) and the keys that a reader has proved to hold.

use std::collections::BTreeSet;

use nostr::event::Event;
use nostr::event::Kind;
use nostr::filter::Filter;
use nostr::key::PublicKey;

/// NIP-04 direct message: read by its author and by the recipients in its `p` tags.
const DIRECT_MESSAGE: u16 = 4;
/// NIP-09 deletion request.
const DELETION: u16 = 5;
/// Wraps of private messages: read only by the recipients in their `p` tags (NIP-59; 21059 is its ephemeral form).
const WRAPS: [u16; 3] = [1059, 1060, 21059];

/// The public keys that the reader of one connection has authenticated as (NIP-42).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Readers(BTreeSet<PublicKey>);

impl Readers {
    /// Adds a key that the reader has just proved to hold.
    pub(crate) fn insert(&mut self, key: PublicKey) {
        self.0.insert(key);
    }

    /// Tells whether the reader has proved to hold `key`.
    pub(crate) fn contains(&self, key: &PublicKey) -> bool {
        self.0.contains(key)
    }

    /// Tells whether the reader has proved nothing yet.
    pub(crate) fn anonymous(&self) -> bool {
        self.0.is_empty()
    }

    /// Counts the proved keys.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// Lists the proved keys.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &PublicKey> {
        self.0.iter()
    }
}

impl FromIterator<PublicKey> for Readers {
    fn from_iter<I: IntoIterator<Item = PublicKey>>(keys: I) -> Self {
        Self(keys.into_iter().collect())
    }
}

/// Tells whether events of `kind` are wraps that only their recipients may read.
pub(crate) fn wrap(kind: Kind) -> bool {
    WRAPS.contains(&kind.as_u16())
}

/// Tells whether every event of `kind` is private.
pub(crate) fn private_kind(kind: Kind) -> bool {
    wrap(kind) || kind.as_u16() == DIRECT_MESSAGE
}

/// Tells whether someone may not read `event`.
pub(crate) fn private(event: &Event) -> bool {
    private_kind(event.kind) || deletes_private(event)
}

/// Decides whether a reader who holds `readers` may learn that `event` exists.
///
/// A recipient is named by the 64 lower-case hexadecimal digits of its key in a `p` tag, letter by letter:
/// what another spelling may mean is not certain and so is not served.
pub(crate) fn visible(event: &Event, readers: &Readers) -> bool {
    if wrap(event.kind) {
        return addressed_to(event, readers);
    }
    if event.kind.as_u16() == DIRECT_MESSAGE || deletes_private(event) {
        return readers.contains(&event.pubkey) || addressed_to(event, readers);
    }
    true
}

/// Tells whether `filter` asks for private kinds only, so that a stranger's question has no public answer.
pub(crate) fn asks_only_for_private(filter: &Filter) -> bool {
    filter
        .kinds
        .as_ref()
        .is_some_and(|kinds| !kinds.is_empty() && kinds.iter().copied().all(private_kind))
}

/// Takes out of `filter` what a reader who holds `readers` cannot see, so that reading it costs less.
///
/// Every event that matches `filter` and is visible still matches.
pub(crate) fn narrow(mut filter: Filter, readers: &Readers) -> Filter {
    let Some(kinds) = &mut filter.kinds else {
        return filter;
    };
    if readers.anonymous() {
        // An empty list would mean every kind.
        if kinds.iter().copied().any(|kind| !private_kind(kind)) {
            kinds.retain(|kind| !private_kind(*kind));
        }
        return filter;
    }
    let wraps_alone = !kinds.is_empty() && kinds.iter().copied().all(wrap);
    let by_date = filter.ids.is_none() && filter.authors.is_none();
    if wraps_alone && by_date && filter.generic_tags.is_empty() {
        return filter.pubkeys(readers.keys().copied());
    }
    filter
}

/// A deletion request that says in a `k` tag that it names private messages tells of their existence.
fn deletes_private(event: &Event) -> bool {
    event.kind.as_u16() == DELETION
        && event.tags.iter().any(|tag| {
            let tag = tag.as_slice();
            tag.first().is_some_and(|name| name == "k")
                && tag
                    .get(1)
                    .and_then(|kind| kind.parse().ok())
                    .is_some_and(|kind: u16| private_kind(Kind::from_u16(kind)))
        })
}

fn addressed_to(event: &Event, readers: &Readers) -> bool {
    !readers.anonymous() && recipients(event).any(|key| readers.contains(&key))
}

/// Lists the keys in the `p` tags of `event`.
pub(crate) fn recipients(event: &Event) -> impl Iterator<Item = PublicKey> + '_ {
    event.tags.iter().filter_map(|tag| {
        let tag = tag.as_slice();
        let value = tag.get(1).filter(|_| tag[0] == "p")?;
        let lower = value
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if lower {
            PublicKey::from_hex(value).ok()
        } else {
            None
        }
    })
}

#[cfg(test)]
mod tests;
