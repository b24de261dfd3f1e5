//! Owns how long a failed service waits before the next try, and when it needs the operator instead.

use std::time::Duration;

/// How patient the reconciler is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// The wait after the first failure; each further one doubles it.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
    /// After so many failures in a row the operator is asked.
    pub failures: u32,
    /// A service that was ready for so long has its failures forgotten.
    pub settled: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            longest: Duration::from_secs(60),
            failures: 8,
            settled: Duration::from_secs(60),
        }
    }
}

impl Patience {
    /// Returns the wait after `failures` in a row, or nothing where the operator is asked.
    #[must_use]
    pub fn wait(&self, failures: u32) -> Option<Duration> {
        if failures >= self.failures {
            return None;
        }
        let doublings = failures.saturating_sub(1).min(16);
        Some(self.first.saturating_mul(1 << doublings).min(self.longest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_then_the_operator_is_asked() {
        let patience = Patience::default();
        let waits: Vec<Option<u64>> = (1..=9)
            .map(|failures| patience.wait(failures).map(|wait| wait.as_secs()))
            .collect();
        let expected = [
            Some(1),
            Some(2),
            Some(4),
            Some(8),
            Some(16),
            Some(32),
            Some(60),
            None,
            None,
        ];
        assert_eq!(waits, expected);
    }
}
