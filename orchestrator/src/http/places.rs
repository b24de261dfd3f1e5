//! Owns the places of connections: how many a listener keeps, and who gives way where somebody new comes and all are taken.
//!
//! A connection on which nothing is asked keeps its place only as long as nobody else wants it, and so does one that takes
//! its answer too slowly; one whose requests came with a session or a token gives way last, and never while it is answered.
//! It does not know what is asked, nor how a connection is closed (`server`).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long whom nobody knows may take an answer where others wait: a page on the slowest of telephones.
const SLOWEST: Duration = Duration::from_secs(30);

/// The places of one listener.
pub(super) struct Places {
    limit: usize,
    taken: Mutex<Taken>,
    /// One was given back, or one that is taken has nothing to answer any more.
    changed: Notify,
}

#[derive(Default)]
struct Taken {
    /// How many were ever given.
    given: u64,
    by: BTreeMap<u64, Holder>,
}

struct Holder {
    /// Requests that are being answered.
    answering: u32,
    /// Since when that is so, or since when none is.
    since: Instant,
    /// Whether anything was ever asked.
    asked: bool,
    known: bool,
    /// Cancelled where somebody else is to have the place.
    leave: CancellationToken,
}

impl Holder {
    /// Says in which order it gives way to others; nothing where it does not.
    fn order(&self, now: Instant) -> Option<(u8, Instant)> {
        let rank = match (self.known, self.answering > 0) {
            (false, false) => 0,
            (false, true) if now - self.since >= SLOWEST => 1,
            (true, false) => 2,
            (_, true) => return None,
        };
        Some((rank, self.since))
    }
}

/// How a connection is to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaving {
    /// The last answer may not have gone out yet.
    Gently,
    /// Nothing is lost that anybody waits for.
    AtOnce,
}

/// A place that is taken until this is dropped.
pub(super) struct Place {
    places: Arc<Places>,
    number: u64,
    leave: CancellationToken,
}

/// A request that is being answered, until this is dropped.
pub(super) struct Answering {
    place: Arc<Place>,
}

impl Places {
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            limit,
            taken: Mutex::new(Taken::default()),
            changed: Notify::new(),
        })
    }

    /// Takes a place, or waits for one. Where all are taken, one is asked to leave: whoever has been idle the longest of
    /// those that nobody knows, then who takes longest over an answer, then who is known and idle. Where all are being
    /// answered, the first that is done gives way.
    ///
    /// One may wait at a time. Cancel-safe: nothing is taken when it is dropped before it is done.
    pub(super) async fn take(self: &Arc<Self>) -> Arc<Place> {
        loop {
            if let Some(place) = self.try_take() {
                return place;
            }
            // A change between the look and this wait is kept for it.
            self.changed.notified().await;
        }
    }

    fn try_take(self: &Arc<Self>) -> Option<Arc<Place>> {
        let mut taken = self.taken();
        if taken.by.len() >= self.limit {
            let leaving = taken.by.values().any(|one| one.leave.is_cancelled());
            let now = Instant::now();
            let may = taken
                .by
                .values()
                .filter_map(|one| Some((one.order(now)?, one)));
            let first = may.min_by_key(|(order, _)| *order);
            if let (false, Some((_, one))) = (leaving, first) {
                one.leave.cancel();
            }
            return None;
        }
        let number = taken.given;
        taken.given += 1;
        let leave = CancellationToken::new();
        let holder = Holder {
            answering: 0,
            since: Instant::now(),
            asked: false,
            known: false,
            leave: leave.clone(),
        };
        taken.by.insert(number, holder);
        drop(taken);
        Some(Arc::new(Place {
            places: Arc::clone(self),
            number,
            leave,
        }))
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Waits until somebody else is to have the place, and says how to give it back.
    pub(super) async fn left(&self) -> Leaving {
        self.leave.cancelled().await;
        let taken = self.places.taken();
        match taken.by.get(&self.number) {
            // It may have begun to ask in this moment.
            Some(one)
                if one.asked && one.order(Instant::now()).is_none_or(|(rank, _)| rank != 1) =>
            {
                Leaving::Gently
            }
            _ => Leaving::AtOnce,
        }
    }

    /// Notes that a request came with a session or a token that is in force.
    pub(super) fn know(&self) {
        self.change(|one| one.known = true);
    }

    /// Begins to answer a request.
    pub(super) fn begin(self: Arc<Self>) -> Answering {
        self.change(|one| {
            if one.answering == 0 {
                one.since = Instant::now();
            }
            one.answering += 1;
            one.asked = true;
        });
        Answering { place: self }
    }

    fn change(&self, change: impl FnOnce(&mut Holder)) {
        if let Some(own) = self.places.taken().by.get_mut(&self.number) {
            change(own);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.taken().by.remove(&self.number);
        self.places.changed.notify_one();
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.place.change(|one| {
            one.answering = one.answering.saturating_sub(1);
            one.since = Instant::now();
        });
        self.place.places.changed.notify_one();
    }
}

#[cfg(test)]
mod tests;
