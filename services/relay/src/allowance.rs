//! Owns allowances per minute that are taken for several keys at once and may be given back.
//!
//! Deliberately does not know what is counted. The library behind limits.rs takes at once and for ever, which
//! would let a refused event use up what belongs to somebody else.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use tokio::time::Instant;

const MINUTE_SECS: f64 = 60.0;

/// One allowance per key: a minute's at once, refilled evenly.
#[derive(Debug)]
pub(crate) struct Allowances<K> {
    per_minute: f64,
    /// What was left of each key's allowance, and when.
    left: Mutex<HashMap<K, (f64, Instant)>>,
}

impl<K: Hash + Eq + Clone> Allowances<K> {
    pub(crate) fn new(per_minute: u32) -> Self {
        Self {
            per_minute: f64::from(per_minute),
            left: Mutex::default(),
        }
    }

    /// Takes one from each of `keys`, which differ; false, and nothing taken, when one of them has none left.
    pub(crate) fn take(&self, keys: &[K], now: Instant) -> bool {
        let mut left = self.lock();
        if keys.iter().any(|key| self.left(&left, key, now) < 1.0) {
            return false;
        }
        for key in keys {
            let rest = self.left(&left, key, now) - 1.0;
            left.insert(key.clone(), (rest, now));
        }
        true
    }

    /// Gives one back.
    pub(crate) fn give_back(&self, key: &K, now: Instant) {
        let mut left = self.lock();
        let rest = self.left(&left, key, now) + 1.0;
        left.insert(key.clone(), (rest.min(self.per_minute), now));
    }

    /// Forgets keys whose allowances are full again.
    pub(crate) fn forget_idle(&self, now: Instant) {
        let mut left = self.lock();
        left.retain(|_, (rest, at)| self.refilled(*rest, *at, now) < self.per_minute);
        left.shrink_to_fit();
    }

    fn left(&self, left: &HashMap<K, (f64, Instant)>, key: &K, now: Instant) -> f64 {
        left.get(key)
            .map_or(self.per_minute, |(rest, at)| self.refilled(*rest, *at, now))
    }

    fn refilled(&self, rest: f64, at: Instant, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(at).as_secs_f64();
        (rest + passed / MINUTE_SECS * self.per_minute).min(self.per_minute)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, (f64, Instant)>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
