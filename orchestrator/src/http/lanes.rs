//! Owns how much each who is known may ask at once and after each other, and that tills have a lane of their own.
//!
//! A program that asks without end is told to wait; nobody else notices, and a till least of all. Whoever is not known is
//! not counted here: many share an address, and the owner may be one of them (`places`, `account`).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use axum::http::StatusCode;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::error::ApiError;
use crate::account::Principal;
use crate::account::Role;

/// What one lane bears.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lane {
    /// Requests a second that each may ask in the long run.
    pub(super) rate: f64,
    /// Requests that each may ask at once after a rest.
    pub(super) burst: f64,
    /// Requests that are worked on at once, of all together.
    pub(super) at_once: usize,
    /// Streams that are open at once, of all together.
    pub(super) streams: usize,
}

impl Lane {
    /// Bears more than any test asks.
    fn raised(self) -> Self {
        Self {
            rate: self.rate * 1000.0,
            burst: self.burst * 1000.0,
            ..self
        }
    }
}

/// A till asks little, and must never wait.
const TILL: Lane = Lane {
    rate: 30.0,
    burst: 90.0,
    at_once: 32,
    streams: 48,
};
/// A dashboard asks a dozen things when it is opened, and then listens.
pub(super) const STAFF: Lane = Lane {
    rate: 100.0,
    burst: 300.0,
    at_once: 64,
    streams: 48,
};
/// How many are remembered before those at rest are forgotten.
const REMEMBERED: usize = 1024;
/// Each may open no more than one part in so many of the streams of a lane.
const PART: usize = 2;

/// The lanes of one listener.
pub(super) struct Lanes {
    till: Kept,
    staff: Kept,
    /// By who asks.
    asked: Mutex<BTreeMap<Asker, Bucket>>,
    /// The streams that each may still open.
    reading: Mutex<BTreeMap<Asker, Arc<Semaphore>>>,
}

/// Whether it is a token, and its id or the account's: an id of one is none of the other.
type Asker = (bool, String);

/// A place for a stream, until it is dropped.
#[derive(Debug)]
pub(super) struct StreamPlace {
    _of_all: OwnedSemaphorePermit,
    _own: Option<OwnedSemaphorePermit>,
}

struct Kept {
    lane: Lane,
    working: Arc<Semaphore>,
    streams: Arc<Semaphore>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Lanes {
    pub(super) fn new() -> Self {
        if crate::fail::limits_raised() {
            return Self::of(TILL.raised(), STAFF.raised());
        }
        Self::of(TILL, STAFF)
    }

    pub(super) fn of(till: Lane, staff: Lane) -> Self {
        let kept = |lane: Lane| Kept {
            lane,
            working: Arc::new(Semaphore::new(lane.at_once)),
            streams: Arc::new(Semaphore::new(lane.streams)),
        };
        Self {
            till: kept(till),
            staff: kept(staff),
            asked: Mutex::default(),
            reading: Mutex::default(),
        }
    }

    /// Lets a request in until what is returned is dropped; nothing is counted of the machine's own user.
    /// Errors: 429, with the seconds after which it may come again.
    pub(super) fn enter(&self, who: &Principal) -> Result<Option<OwnedSemaphorePermit>, ApiError> {
        let Some(key) = asker(who) else {
            return Ok(None);
        };
        let kept = self.lane_of(Some(who));
        self.count(key, kept.lane, Instant::now())
            .map_err(too_many)?;
        Arc::clone(&kept.working)
            .try_acquire_owned()
            .map(Some)
            .map_err(|_| too_many(Duration::from_secs(1)))
    }

    /// Takes a place for a stream of `who`; whoever reads while nobody owns the node counts as staff.
    /// Errors: 503 where all of the lane are taken, or half of them by this account or token.
    pub(super) fn stream(&self, who: Option<&Principal>) -> Result<StreamPlace, ApiError> {
        let kept = self.lane_of(who);
        let full = |open: usize| {
            ApiError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "too_many_streams",
                format!("{open} streams are open already"),
                "close one, then try again",
            )
        };
        let each = kept.lane.streams.div_ceil(PART);
        let own = who
            .and_then(asker)
            .map(|key| self.own(key, each).try_acquire_owned())
            .transpose()
            .map_err(|_| full(each))?;
        let of_all = Arc::clone(&kept.streams).try_acquire_owned();
        Ok(StreamPlace {
            _of_all: of_all.map_err(|_| full(kept.lane.streams))?,
            _own: own,
        })
    }

    /// Returns the places of one who reads.
    fn own(&self, key: Asker, each: usize) -> Arc<Semaphore> {
        let mut reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        if reading.len() >= REMEMBERED {
            // Whoever reads nothing now has every place again.
            reading.retain(|_, places| Arc::strong_count(places) > 1);
        }
        Arc::clone(
            reading
                .entry(key)
                .or_insert_with(|| Arc::new(Semaphore::new(each))),
        )
    }

    fn lane_of(&self, who: Option<&Principal>) -> &Kept {
        match who.and_then(Principal::role) {
            Some(Role::Cashier) => &self.till,
            _ => &self.staff,
        }
    }

    /// Counts one request. Errors: how long until the next one may come.
    fn count(&self, key: Asker, lane: Lane, now: Instant) -> Result<(), Duration> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.len() >= REMEMBERED {
            asked.retain(|_, bucket| bucket.filled(lane, now) < lane.burst);
        }
        let bucket = asked.entry(key).or_insert(Bucket {
            left: lane.burst,
            at: now,
        });
        bucket.left = bucket.filled(lane, now);
        bucket.at = now;
        if bucket.left < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - bucket.left) / lane.rate));
        }
        bucket.left -= 1.0;
        Ok(())
    }
}

impl Bucket {
    fn filled(&self, lane: Lane, now: Instant) -> f64 {
        let rested = now.saturating_duration_since(self.at).as_secs_f64();
        (self.left + rested * lane.rate).min(lane.burst)
    }
}

/// Names who asks; nobody where it is the machine's own user.
fn asker(who: &Principal) -> Option<Asker> {
    match who {
        Principal::Machine => None,
        Principal::Person(person) => Some((false, person.account.id.clone())),
        Principal::Program { token, .. } => Some((true, token.clone())),
    }
}

fn too_many(wait: Duration) -> ApiError {
    ApiError::new(
        StatusCode::TOO_MANY_REQUESTS,
        "too_many_requests",
        "you ask more than this node answers to one at a time",
        "wait as long as Retry-After says; give each program a token of its own",
    )
    .after(wait)
}

#[cfg(test)]
mod tests;
