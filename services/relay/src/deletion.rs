//! Owns deletion requests (NIP-09): what one names, and the memory that keeps what was deleted from coming back.
//!
//! Deliberately does not write anything: the writer carries a deletion out. A request that names events of
//! others is stored like any other and touches nothing of theirs, so that its answer tells a stranger nothing.

use std::collections::HashSet;
use std::hash::BuildHasher;
use std::hash::RandomState;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use nostr::event::Event;
use nostr::event::EventId;
use nostr::event::Kind;
use nostr::filter::Filter;
use nostr::filter::SingleLetterTag;
use nostr::key::PublicKey;
use nostr::nips::nip01::Coordinate;

use crate::store::Store;
use crate::store::StoreError;
use crate::visibility;

/// The kind of a deletion request.
pub(crate) const DELETION: Kind = Kind::EventDeletion;

const PAGE_EVENTS: usize = 500;

/// Remembers, as hashes, what stored deletion requests name, so that most events need no look at the disk.
#[derive(Debug, Default)]
pub(crate) struct Tombstones {
    hashes: RwLock<HashSet<u64>>,
    hasher: RandomState,
    /// Counts the deletion requests taken since the start: a check made before the last one is out of date.
    generation: AtomicU64,
}

impl Tombstones {
    /// Reads all stored deletion requests.
    ///
    /// Errors: the database could not be read.
    pub(crate) async fn load(store: &Store) -> Result<Self, StoreError> {
        let tombstones = Self::default();
        let mut scan = store.scan(Filter::new().kind(DELETION), PAGE_EVENTS);
        while let Some(page) = scan.next().await? {
            for request in &page {
                tombstones.remember(request);
            }
        }
        Ok(tombstones)
    }

    /// Notes what `request` names; to be called before the request is carried out.
    pub(crate) fn remember(&self, request: &Event) {
        let mut hashes = self.hashes.write().unwrap_or_else(PoisonError::into_inner);
        for id in request.tags.event_ids() {
            hashes.insert(self.hash(&request.pubkey, Some(&id), None));
        }
        for coordinate in own_coordinates(request) {
            hashes.insert(self.hash(&request.pubkey, None, Some(&coordinate)));
        }
        drop(hashes);
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    /// Returns the number of deletion requests taken since the start.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    /// Tells whether the author of `event` has asked for its deletion.
    ///
    /// Errors: the database could not be read.
    pub(crate) async fn names(&self, event: &Event, store: &Store) -> Result<bool, StoreError> {
        if event.kind == DELETION || !self.may_name(event) {
            return Ok(false);
        }
        let by_id = Filter::new().author(event.pubkey).event(event.id);
        if find(store, by_id, |_| true).await? {
            return Ok(true);
        }
        let Some(coordinate) = coordinate(event) else {
            return Ok(false);
        };
        let spellings = spellings(&coordinate);
        let by_coordinate = Filter::new()
            .author(event.pubkey)
            .custom_tags(SingleLetterTag::LOWERCASE_A, spellings);
        find(store, by_coordinate, |request| {
            request.created_at >= event.created_at
        })
        .await
    }

    fn may_name(&self, event: &Event) -> bool {
        let hashes = self.hashes.read().unwrap_or_else(PoisonError::into_inner);
        !hashes.is_empty()
            && (hashes.contains(&self.hash(&event.pubkey, Some(&event.id), None))
                || coordinate(event).is_some_and(|coordinate| {
                    hashes.contains(&self.hash(&event.pubkey, None, Some(&coordinate)))
                }))
    }

    fn hash(
        &self,
        author: &PublicKey,
        id: Option<&EventId>,
        coordinate: Option<&Coordinate>,
    ) -> u64 {
        self.hasher.hash_one((author, id, coordinate))
    }
}

async fn find(
    store: &Store,
    filter: Filter,
    accepts: impl Fn(&Event) -> bool,
) -> Result<bool, StoreError> {
    let mut scan = store.scan(filter.kind(DELETION), PAGE_EVENTS);
    while let Some(page) = scan.next().await? {
        if page.iter().any(&accepts) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What carrying out one deletion request comes to.
#[derive(Debug, Default)]
pub(crate) struct Deletion {
    /// What the database is to remove.
    pub(crate) remove: Vec<Filter>,
    /// The request names private messages without saying so in a `k` tag, and would tell of them.
    pub(crate) betrays: bool,
}

impl Deletion {
    /// Works out what `request` removes: stored events of the same author that are no deletion requests.
    ///
    /// Errors: the database could not be read.
    pub(crate) async fn plan(request: &Event, store: &Store) -> Result<Self, StoreError> {
        let mut deletion = Self::default();
        let ids: Vec<EventId> = request.tags.event_ids().collect();
        if !ids.is_empty() {
            let mut own = Vec::new();
            let mut scan = store.scan(Filter::new().ids(ids).author(request.pubkey), PAGE_EVENTS);
            while let Some(page) = scan.next().await? {
                for target in page.iter().filter(|target| target.kind != DELETION) {
                    deletion.betrays |=
                        visibility::private(target) && !visibility::private(request);
                    own.push(target.id);
                }
            }
            if !own.is_empty() {
                deletion.remove.push(Filter::new().ids(own));
            }
        }
        for coordinate in own_coordinates(request) {
            let filter = Filter::new()
                .author(request.pubkey)
                .kind(coordinate.kind)
                .until(request.created_at);
            deletion.remove.push(if coordinate.kind.is_addressable() {
                filter.identifier(coordinate.identifier)
            } else {
                filter
            });
        }
        Ok(deletion)
    }
}

/// Lists the addresses of replaceable and addressable events in `request` that belong to its author.
fn own_coordinates(request: &Event) -> impl Iterator<Item = Coordinate> + '_ {
    request.tags.iter().filter_map(|tag| {
        let tag = tag.as_slice();
        let text = tag.get(1).filter(|_| tag[0] == "a")?;
        read_coordinate(text).filter(|coordinate| coordinate.public_key == request.pubkey)
    })
}

/// Reads an address as an `a` tag spells it.
///
/// The library's own reading ends the identifier at its first colon and would delete another event.
fn read_coordinate(text: &str) -> Option<Coordinate> {
    let mut parts = text.splitn(3, ':');
    let kind = Kind::from_u16(parts.next()?.parse().ok()?);
    let public_key = PublicKey::from_hex(parts.next()?).ok()?;
    let identifier = parts.next().unwrap_or_default().to_owned();
    let named = kind.is_addressable() || (kind.is_replaceable() && identifier.is_empty());
    let coordinate = Coordinate {
        kind,
        public_key,
        identifier,
    };
    (named
        && spellings(&coordinate)
            .iter()
            .any(|spelling| spelling == text))
    .then_some(coordinate)
}

/// Returns the address of a replaceable or addressable event; only the latter has an identifier.
fn coordinate(event: &Event) -> Option<Coordinate> {
    let mut coordinate = event.coordinate()?;
    if event.kind.is_replaceable() {
        coordinate.identifier.clear();
    }
    Some(coordinate)
}

/// Returns the ways in which an `a` tag may spell `coordinate`; a replaceable event has no identifier and
/// is written with or without the closing colon.
fn spellings(coordinate: &Coordinate) -> Vec<String> {
    let Coordinate {
        kind,
        public_key,
        identifier,
    } = coordinate;
    let short = format!("{}:{}", kind.as_u16(), public_key.to_hex());
    let full = format!("{short}:{identifier}");
    if kind.is_replaceable() {
        vec![short, full]
    } else {
        vec![full]
    }
}

#[cfg(test)]
mod tests;
