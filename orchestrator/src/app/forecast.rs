//! Owns the foretelling of when a service will have caught up: from how far it got in the last hour, and in plain steps.
//!
//! It says nothing before it has seen enough, and starts over where a service falls back. It does not know what is caught
//! up with.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::time::Duration;

use crate::clock::UnixMillis;
use crate::id::ServiceId;

/// From how long before now the pace is taken.
const WINDOW: Duration = Duration::from_secs(3600);
/// How much must have been seen before anything is foretold.
const ENOUGH: Duration = Duration::from_secs(300);
/// The least time between two notes that are kept.
const APART: Duration = Duration::from_secs(20);
/// What lies further ahead is not foretold: at such a pace it will be another.
const FURTHEST: Duration = Duration::from_secs(60 * 24 * 3600);
/// All of it. Units: millionths.
const WHOLE: u32 = 1_000_000;

const MINUTE: u64 = 60_000;

/// How far services were, and when.
#[derive(Debug, Default)]
pub(super) struct Forecast {
    seen: BTreeMap<ServiceId, VecDeque<(Duration, u32)>>,
}

impl Forecast {
    /// Takes note of how far each service is that catches up now. Units: millionths. Others are forgotten.
    pub(super) fn note(&mut self, shares: BTreeMap<ServiceId, u32>, now: Duration) {
        self.seen.retain(|service, _| shares.contains_key(service));
        for (service, share) in shares {
            let seen = self.seen.entry(service).or_default();
            if seen.back().is_some_and(|(_, last)| share < *last) {
                seen.clear();
            }
            let soon = |at: Duration| now.saturating_sub(at) < APART;
            if seen.back().is_none_or(|(at, _)| !soon(*at)) {
                seen.push_back((now, share));
            }
            while seen
                .front()
                .is_some_and(|(at, _)| now.saturating_sub(*at) > WINDOW)
            {
                seen.pop_front();
            }
        }
    }

    /// Says when each will be done, where that can be told.
    pub(super) fn foresee(
        &self,
        now: Duration,
        wall: UnixMillis,
    ) -> BTreeMap<ServiceId, UnixMillis> {
        let told = self.seen.iter().filter_map(|(service, seen)| {
            let left = left(seen, now)?;
            Some((service.clone(), rounded(wall, left)))
        });
        told.collect()
    }
}

/// How long it will take from `now` at the pace that was seen.
fn left(seen: &VecDeque<(Duration, u32)>, now: Duration) -> Option<Duration> {
    let ((begun, from), (ended, to)) = (seen.front()?, seen.back()?);
    let took = ended.saturating_sub(*begun);
    let got = to.checked_sub(*from).filter(|got| *got > 0)?;
    if took < ENOUGH {
        return None;
    }
    let pace = f64::from(got) / took.as_secs_f64();
    let seconds = f64::from(WHOLE.saturating_sub(*to)) / pace;
    let left = Duration::try_from_secs_f64(seconds).ok()?;
    let left = left.saturating_sub(now.saturating_sub(*ended));
    (left <= FURTHEST).then_some(left)
}

/// Rounds up to a step that fits how far ahead it lies: a moment that moved with each look would flood whoever listens, and
/// say more than anybody knows.
fn rounded(wall: UnixMillis, left: Duration) -> UnixMillis {
    let step = match left.as_secs() / 60 {
        0..=59 => 5 * MINUTE,
        60..=719 => 30 * MINUTE,
        720..=2879 => 120 * MINUTE,
        _ => 720 * MINUTE,
    };
    UnixMillis(wall.plus(left).0.div_ceil(step) * step)
}

#[cfg(test)]
mod tests;
