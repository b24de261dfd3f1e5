//! Owns the wait that grows with failed attempts, in lanes: one for each name and place it came from.
//!
//! Nobody can lock another out: attempts from elsewhere run in lanes of their own, and a browser that signed in before
//! brings a mark that gives it one too. The lanes are in memory; what each guess costs (Argon2id) stays after a restart.

use std::collections::HashMap;
use std::time::Duration;

/// Failures that cost no wait.
const FREE: u32 = 4;
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// A lane without a failure for so long is forgotten.
const FORGOTTEN: Duration = Duration::from_secs(60 * 60);
/// How many lanes there are at most; beyond them the oldest of the fewest failures goes.
const LANES: usize = 4096;

/// A lane: whose name was tried, from where.
pub(super) type Lane = (String, String);

#[derive(Debug, Clone, Copy)]
struct Count {
    failed: u32,
    last: Duration,
}

/// The failed attempts of the last hour.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    counts: HashMap<Lane, Count>,
}

impl Lanes {
    /// Counts an attempt as failed before it is made, so that many at once are not free. `now` is monotonic.
    ///
    /// Errors: how long to wait; then nothing was counted.
    pub(super) fn begin(&mut self, lane: &Lane, now: Duration) -> Result<(), Duration> {
        let count = self.counts.get(lane).copied().unwrap_or(Count {
            failed: 0,
            last: now,
        });
        let since = now.saturating_sub(count.last);
        let wait = pause(count.failed).saturating_sub(since);
        if !wait.is_zero() && !crate::fail::limits_raised() {
            return Err(wait);
        }
        let failed = if since > FORGOTTEN { 0 } else { count.failed };
        if self.counts.len() >= LANES && !self.counts.contains_key(lane) {
            self.make_room(now);
        }
        let failed = failed.saturating_add(1);
        self.counts
            .insert(lane.clone(), Count { failed, last: now });
        Ok(())
    }

    /// Forgets the lane: the attempt was right.
    pub(super) fn succeed(&mut self, lane: &Lane) {
        self.counts.remove(lane);
    }

    fn make_room(&mut self, now: Duration) {
        self.counts
            .retain(|_, count| now.saturating_sub(count.last) <= FORGOTTEN);
        if self.counts.len() < LANES {
            return;
        }
        // Whoever fills them with lanes of one failure each frees no lane that waits.
        let oldest = self
            .counts
            .iter()
            .min_by_key(|(_, count)| (count.failed, count.last))
            .map(|(lane, _)| lane.clone());
        if let Some(oldest) = oldest {
            self.counts.remove(&oldest);
        }
    }
}

fn pause(failed: u32) -> Duration {
    match failed.checked_sub(FREE) {
        None => Duration::ZERO,
        Some(over) => Duration::from_secs(1 << over.min(16)).min(LONGEST),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(name: &str, from: &str) -> Lane {
        (name.to_owned(), from.to_owned())
    }

    #[test]
    fn wait_grows_in_one_lane_and_leaves_another_alone() {
        let mut lanes = Lanes::default();
        let (thief, owner) = (lane("ada", "10.0.0.9"), lane("ada", "10.0.0.2"));
        let now = Duration::from_secs(1000);
        for _ in 0..FREE {
            lanes.begin(&thief, now).unwrap();
        }
        assert_eq!(lanes.begin(&thief, now), Err(Duration::from_secs(1)));
        lanes.begin(&thief, now + Duration::from_secs(1)).unwrap();
        let wait = lanes.begin(&thief, now + Duration::from_secs(1));
        assert_eq!(wait, Err(Duration::from_secs(2)));
        lanes.begin(&owner, now + Duration::from_secs(1)).unwrap();
    }

    #[test]
    fn wait_ends_and_a_success_forgets() {
        let mut lanes = Lanes::default();
        let lane = lane("ada", "10.0.0.9");
        let mut now = Duration::from_secs(1000);
        for _ in 0..40 {
            now += LONGEST;
            lanes.begin(&lane, now).unwrap();
        }
        assert!(lanes.begin(&lane, now).unwrap_err() <= LONGEST);
        lanes.succeed(&lane);
        lanes.begin(&lane, now).unwrap();
    }

    #[test]
    fn a_lane_that_waits_is_not_pushed_out_by_lanes_of_one_failure() {
        let mut lanes = Lanes::default();
        let guessed = lane("ada", "second factor");
        for _ in 0..=FREE {
            let _ = lanes.begin(&guessed, Duration::ZERO);
        }
        for number in 0..=LANES {
            let now = Duration::from_millis(1 + u64::try_from(number).unwrap() / 8);
            lanes.begin(&lane(&number.to_string(), "x"), now).unwrap();
        }
        assert!(lanes.begin(&guessed, Duration::from_millis(900)).is_err());
    }

    #[test]
    fn lanes_never_grow_without_bound() {
        let mut lanes = Lanes::default();
        for number in 0..(LANES + 100) {
            let now = Duration::from_millis(u64::try_from(number).unwrap());
            lanes.begin(&lane(&number.to_string(), "x"), now).unwrap();
        }
        assert_eq!(lanes.counts.len(), LANES);
    }
}
