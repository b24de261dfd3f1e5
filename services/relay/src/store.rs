//! Owns the database: the only file that names nostr-lmdb. One process owns one folder, by a lock.
//!
//! Deliberately does not know who may read what: it answers in pages, and the caller leaves out what a
//! reader may not see and asks for the next page.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::collections::VecDeque;
use std::fs::File;
use std::fs::TryLockError;
use std::io::ErrorKind;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use nostr::event::Event;
use nostr::event::EventId;
use nostr::filter::Filter;
use nostr::filter::MatchEventOptions;
use nostr::types::Timestamp;
use nostr_database::DatabaseEventStatus;
use nostr_database::NostrDatabase;
use nostr_database::SaveEventStatus;
use nostr_lmdb::NostrLmdb;
use thiserror::Error;
use tokio::sync::Semaphore;

/// Reads that run at once; each holds one of the database's reader slots and one blocking thread.
const CONCURRENT_READS: usize = 16;
/// Readings that have gone past this many events share few slots, so that long ones do not hold up short ones.
const DEEP_EVENTS: usize = 100_000;
const CONCURRENT_DEEP_READS: usize = 2;
const MAX_READERS: u32 = 256;
/// Marks a folder in which a database was opened, so that a lost one is not taken for a new one.
const USED: &str = "in-use";
const USED_TEXT: &str = "This folder holds the events of a flash-relay. Remove this file to let the relay start empty.\n";
/// What a disk with room takes.
const PROBE_BYTES: usize = 65_536;
/// What one page keeps in memory at most, the first event apart; later pages are made smaller.
const PAGE_BYTES: usize = 1 << 20;
/// Events that are asked for by their ids at once.
const PAGE_IDS: usize = 32;
/// What an event takes in memory beside its texts, roughly.
const EVENT_BYTES: usize = 256;
/// What a tag takes in memory beside its texts, roughly.
const TAG_BYTES: usize = 96;
/// Pages grow to this size as a reading goes on.
const FULL_PAGE_EVENTS: usize = 512;
/// The most events that one page holds in memory at once.
const MAX_PAGE_EVENTS: usize = 2048;

/// What went wrong between the relay and its database.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Another process has the folder.
    #[error("the database in {0} is in use by another process")]
    Locked(PathBuf),
    /// The folder could not be made or opened.
    #[error("could not open the folder {path}")]
    Folder {
        /// The folder of the configuration.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The database could not be opened.
    #[error("could not open the database in {path}")]
    Open {
        /// The folder of the configuration.
        path: PathBuf,
        /// What the database said.
        #[source]
        source: nostr_database::error::Error,
    },
    /// The folder held a database once and does not hold it now.
    #[error("the database that was in {0} is gone or empty")]
    Missing(PathBuf),
    /// A read failed.
    #[error("could not read the database")]
    Read(#[source] nostr_database::error::Error),
    /// A write failed; nothing of it was kept.
    #[error("could not write the database")]
    Write(#[source] nostr_database::error::Error),
}

/// The events of one relay on disk.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    database: NostrLmdb,
    reads: Semaphore,
    deep_reads: Semaphore,
    folder: PathBuf,
    map_size: usize,
    /// Held for as long as the database is open; the system frees it when the process dies.
    _lock: File,
}

impl Store {
    /// Opens the database in `folder`, which is created when it is missing.
    ///
    /// Units: `map_size` in bytes. Errors: the folder is in use, cannot be made, or holds no sound database.
    pub(crate) async fn open(folder: &Path, map_size: usize) -> Result<Self, StoreError> {
        let lock = lock(folder)?;
        let events = folder.join("events");
        let used = folder.join(USED);
        let size = std::fs::metadata(events.join("data.mdb")).map_or(0, |data| data.len());
        if size == 0 && used.exists() {
            return Err(StoreError::Missing(folder.to_owned()));
        }
        let database = NostrLmdb::builder(events)
            .map_size(map_size)
            .max_readers(MAX_READERS)
            // The relay carries out NIP-09 itself (writer.rs): the database's own rule tells a stranger
            // whether an event exists, and keeps half of a deletion that it reports as refused.
            .process_nip09(false)
            .process_nip62(false)
            .build()
            .await
            .map_err(|source| StoreError::Open {
                path: folder.to_owned(),
                source,
            })?;
        std::fs::write(&used, USED_TEXT)
            .map_err(|source| StoreError::Folder { path: used, source })?;
        Ok(Self {
            inner: Arc::new(Inner {
                database,
                reads: Semaphore::new(CONCURRENT_READS),
                deep_reads: Semaphore::new(CONCURRENT_DEEP_READS),
                folder: folder.to_owned(),
                map_size,
                _lock: lock,
            }),
        })
    }

    /// Saves `event`; when this returns, its fate is on disk.
    ///
    /// Errors: the write failed and nothing was kept.
    pub(crate) async fn save(&self, event: &Event) -> Result<SaveEventStatus, StoreError> {
        self.inner
            .database
            .save_event(event)
            .await
            .map_err(StoreError::Write)
    }

    /// Removes the events that match `filter`; when this returns, they are gone from the disk.
    ///
    /// Errors: the write failed and nothing was removed.
    pub(crate) async fn delete(&self, filter: Filter) -> Result<(), StoreError> {
        self.inner
            .database
            .delete(filter)
            .await
            .map_err(StoreError::Write)
    }

    /// Tells whether the event `id` is stored, whoever may read it.
    ///
    /// Errors: the database could not be read.
    pub(crate) async fn holds(&self, id: EventId) -> Result<bool, StoreError> {
        let _permit = self.inner.reads.acquire().await;
        let status = self.inner.database.check_id(&id).await;
        status
            .map(|status| status == DatabaseEventStatus::Saved)
            .map_err(StoreError::Read)
    }

    /// Counts all stored events, whoever may read them.
    ///
    /// Errors: the database could not be read.
    pub(crate) async fn total(&self) -> Result<usize, StoreError> {
        let _permit = self.inner.reads.acquire().await;
        self.inner
            .database
            .count(Filter::new())
            .await
            .map_err(StoreError::Read)
    }

    /// Begins to read the events that match `filter`, newest first, in pages of about `page_events`.
    pub(crate) fn scan(&self, filter: Filter, page_events: usize) -> Scan {
        Scan::new(self.clone(), filter, page_events)
    }

    /// Says why writes may be failing, as a machine code and a sentence.
    pub(crate) async fn diagnose(&self) -> (&'static str, String) {
        let (folder, map_size) = (self.inner.folder.clone(), self.inner.map_size);
        let diagnosis = tokio::task::spawn_blocking(move || diagnose(&folder, map_size));
        diagnosis
            .await
            .unwrap_or_else(|_| ("write_failed", "the database refused a write".to_owned()))
    }

    /// Reads the events that match `filter` and are not in `known`, newest first: as many as a page holds.
    async fn query(
        &self,
        filter: Filter,
        known: &HashSet<EventId>,
        deep: bool,
    ) -> Result<Found, StoreError> {
        // A reader may be shown few of many events: that must not end the reading, only slow it down.
        let _deep = if deep {
            Some(self.inner.deep_reads.acquire().await)
        } else {
            None
        };
        let _permit = self.inner.reads.acquire().await;
        let events = self
            .inner
            .database
            .query(filter)
            .await
            .map_err(StoreError::Read)?;
        // Cut before others may read: only what is kept waits for a slow reader.
        let mut found = Found {
            looked_at: events.len(),
            ..Found::default()
        };
        let mut bytes = 0;
        for event in events {
            if known.contains(&event.id) {
                continue;
            }
            bytes += weight(&event);
            if bytes > PAGE_BYTES && !found.events.is_empty() {
                found.cut = true;
                break;
            }
            found.events.push(event);
        }
        Ok(found)
    }
}

/// What one look at the database brought.
#[derive(Debug, Default)]
struct Found {
    events: Vec<Event>,
    /// How many matched, known ones and those beyond a cut included.
    looked_at: usize,
    /// There was more than a page holds.
    cut: bool,
}

/// Returns what `event` takes in memory, roughly. Units: bytes.
fn weight(event: &Event) -> usize {
    let tags: usize = event
        .tags
        .iter()
        .map(|tag| {
            let texts = tag.as_slice().iter().map(|text| text.len() + 24);
            TAG_BYTES + texts.sum::<usize>()
        })
        .sum();
    EVENT_BYTES + event.content.len() + tags
}

fn lock(folder: &Path) -> Result<File, StoreError> {
    let failed = |source| StoreError::Folder {
        path: folder.to_owned(),
        source,
    };
    std::fs::create_dir_all(folder).map_err(failed)?;
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join("relay.lock"))
        .map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked(folder.to_owned())),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

fn diagnose(folder: &Path, map_size: usize) -> (&'static str, String) {
    let probe = folder.join("probe.tmp");
    let written = std::fs::write(&probe, vec![0_u8; PROBE_BYTES]);
    let _ = std::fs::remove_file(&probe);
    let shown = folder.display();
    if let Err(failure) = written {
        let code = match failure.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "disk_full",
            _ => "disk_failed",
        };
        return (
            code,
            format!("{shown} takes no more data: {failure}; free space or repair it"),
        );
    }
    let size =
        std::fs::metadata(folder.join("events").join("data.mdb")).map_or(0, |data| data.len());
    if size >= u64::try_from(map_size).unwrap_or(u64::MAX) / 100 * 95 {
        return (
            "map_full",
            "the database has reached map_size_mib; raise it and restart".to_owned(),
        );
    }
    (
        "write_failed",
        format!("the database in {shown} refused a write; the log says why"),
    )
}

/// A reading of all events that match one filter, newest first and then by id, page by page.
///
/// Every page is a read of its own: no database snapshot is held while a page is sent to a slow reader.
#[derive(Debug)]
pub(crate) struct Scan {
    store: Store,
    /// What the reader asked for, without its limit.
    wanted: Filter,
    /// What the database is asked for.
    asked: Filter,
    page_events: usize,
    until: Option<Timestamp>,
    /// Events dated exactly `until` that earlier pages held.
    boundary: HashSet<EventId>,
    looked_at: usize,
    /// The ids asked for, in the order of their events, once that is known.
    listed: Option<VecDeque<EventId>>,
    done: bool,
}

impl Scan {
    fn new(store: Store, filter: Filter, page_events: usize) -> Self {
        let wanted = filter.remove_limit();
        let mut asked = wanted.clone();
        // With authors, kinds and tags together the database walks its matches by id, so that a limit would
        // keep arbitrary events instead of the newest ones. The kinds are checked here instead.
        if asked.authors.is_some() && asked.kinds.is_some() && !asked.generic_tags.is_empty() {
            asked.kinds = None;
        }
        Self {
            store,
            until: wanted.until,
            wanted,
            asked,
            page_events: page_events.clamp(1, MAX_PAGE_EVENTS),
            boundary: HashSet::new(),
            looked_at: 0,
            listed: None,
            done: false,
        }
    }

    /// Reads the next page of events that match; `None` when there is no more. A page may be empty.
    ///
    /// Errors: the database could not be read.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Event>>, StoreError> {
        let mut page = self.read().await?;
        if let Some(page) = &mut page {
            page.retain(|event| self.wants(event));
        }
        Ok(page)
    }

    /// Tells whether `event` matches; the database is sometimes asked for more than that.
    pub(crate) fn wants(&self, event: &Event) -> bool {
        self.wanted.match_event(event, MatchEventOptions::new())
    }

    /// Reads the next page with everything that was looked at; `None` when there is no more.
    ///
    /// Errors: the database could not be read.
    pub(crate) async fn read(&mut self) -> Result<Option<Vec<Event>>, StoreError> {
        if self.done {
            return Ok(None);
        }
        if self.asked.ids.is_some() {
            return self.read_listed().await.map(Some);
        }
        let mut asked = self.asked.clone();
        asked.until = self.until;
        let limit = self.page_events + self.boundary.len();
        asked.limit = Some(limit);
        let deep = self.looked_at > DEEP_EVENTS;
        let found = self.store.query(asked, &self.boundary, deep).await?;
        let fresh = found.events;
        self.done = found.looked_at < limit && !found.cut;
        self.looked_at += fresh.len();
        self.advance(&fresh);
        if found.cut {
            self.page_events = fresh.len();
        } else {
            // Whoever needs another page probably skips much: read more at a time.
            self.page_events = self
                .page_events
                .max((self.page_events * 2).min(FULL_PAGE_EVENTS));
        }
        Ok(Some(fresh))
    }

    /// Reads the next events of those asked for by id. Their order is found out first, without keeping them.
    async fn read_listed(&mut self) -> Result<Vec<Event>, StoreError> {
        let mut listed = match self.listed.take() {
            Some(listed) => listed,
            None => self.list().await?,
        };
        let next: Vec<EventId> = listed.drain(..listed.len().min(PAGE_IDS)).collect();
        if next.is_empty() {
            self.done = true;
            return Ok(Vec::new());
        }
        let mut asked = self.asked.clone();
        asked.ids = Some(next.iter().copied().collect());
        let found = self.store.query(asked, &HashSet::new(), false).await?;
        self.looked_at += found.events.len();
        if let (true, Some(last)) = (found.cut, found.events.last()) {
            let left = next.iter().rev().take_while(|id| **id != last.id);
            left.for_each(|id| listed.push_front(*id));
        }
        self.done = listed.is_empty();
        self.listed = Some(listed);
        Ok(found.events)
    }

    async fn list(&self) -> Result<VecDeque<EventId>, StoreError> {
        let ids: Vec<EventId> = self.asked.ids.iter().flatten().copied().collect();
        let mut found = Vec::new();
        for chunk in ids.chunks(PAGE_IDS) {
            let mut known = HashSet::new();
            loop {
                let mut asked = self.asked.clone();
                asked.ids = Some(chunk.iter().copied().collect());
                let page = self.store.query(asked, &known, false).await?;
                found.extend(page.events.iter().map(|e| (Reverse(e.created_at), e.id)));
                if !page.cut {
                    break;
                }
                known.extend(page.events.iter().map(|event| event.id));
            }
        }
        found.sort_unstable();
        Ok(found.into_iter().map(|(_, id)| id).collect())
    }

    /// Moves on to the moment of the oldest event seen; events of that same moment may still follow.
    fn advance(&mut self, fresh: &[Event]) {
        let Some(oldest) = fresh.last().map(|event| event.created_at) else {
            return;
        };
        if self.until == Some(oldest) {
            // Many events of one moment: larger pages keep the work from growing with its square.
            self.page_events = (self.page_events * 2).min(MAX_PAGE_EVENTS);
        } else {
            self.boundary.clear();
        }
        self.until = Some(oldest);
        self.boundary.extend(
            fresh
                .iter()
                .filter(|e| e.created_at == oldest)
                .map(|e| e.id),
        );
    }
}

#[cfg(test)]
mod tests;
