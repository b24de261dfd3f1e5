//! Owns the wall clock: the only place that reads the time of day.
//!
//! Deliberately does not know what a moment is used for. Rate limits and time-outs use the monotonic
//! clock of tokio instead.

use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use nostr::types::Timestamp;

/// Tells the time of day, or a fixed one in tests.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) enum Clock {
    /// The operating system's clock.
    #[default]
    System,
    /// A moment chosen by a unit test.
    #[cfg(test)]
    Fixed(u64),
}

impl Clock {
    /// Returns the present moment.
    ///
    /// Units: seconds since 1970; a clock before 1970 reads as zero.
    pub(crate) fn now(self) -> Timestamp {
        match self {
            Self::System => {
                #[expect(
                    clippy::disallowed_methods,
                    reason = "this is the clock the ban points to"
                )]
                let now = SystemTime::now();
                let seconds = now.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
                Timestamp::from_secs(seconds)
            }
            #[cfg(test)]
            Self::Fixed(seconds) => Timestamp::from_secs(seconds),
        }
    }
}
