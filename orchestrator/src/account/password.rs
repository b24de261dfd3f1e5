//! Owns passwords: which are taken, and how they are kept so that a thief of the database must guess slowly.
//!
//! Source: RFC 9106 (Argon2id), kept as PHC strings; NIST SP 800-63B (length over composition).

use std::time::Duration;

use argon2::Algorithm;
use argon2::Argon2;
use argon2::Params;
use argon2::PasswordHasher;
use argon2::PasswordVerifier;
use argon2::Version;
use argon2::password_hash::phc::PasswordHash;

use crate::account::error::AccountError;
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::entropy::random_bytes;
use crate::secret::SecretBytes;

/// The fewest characters of a password.
pub(super) const SHORTEST: usize = 10;
/// The most bytes of a password.
pub(super) const LONGEST: usize = 512;

/// How long one look at a password should take.
const AIM: Duration = Duration::from_millis(250);
/// Units: KiB. Small enough that two looks at once hurt no node of 4 GB.
const MEMORY_KIB: u32 = 32 * 1024;
/// However fast a machine is, and however slow.
const PASSES: std::ops::RangeInclusive<u32> = 2..=12;

/// What one look at a password costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    memory_kib: u32,
    passes: u32,
}

impl Cost {
    /// Costs nothing worth naming; for tests.
    #[cfg(any(test, feature = "test-util"))]
    pub const TRIVIAL: Self = Self {
        memory_kib: 8,
        passes: 1,
    };

    /// Measures this machine once, and returns what takes it about a quarter of a second.
    #[must_use]
    pub fn of_this_machine(clock: &dyn Clock) -> Self {
        let one = Self {
            memory_kib: MEMORY_KIB,
            passes: 1,
        };
        let began = clock.monotonic();
        let mut out = [0; 32];
        one.argon2()
            .hash_password_into(b"a measurement", b"and its salt 16b", &mut out)
            .expect("a salt of 16 bytes and an output of 32 are allowed");
        let took = clock.monotonic().saturating_sub(began);
        let passes = AIM.as_nanos() / took.as_nanos().max(1);
        let passes = u32::try_from(passes).unwrap_or(u32::MAX);
        Self {
            memory_kib: MEMORY_KIB,
            passes: passes.clamp(*PASSES.start(), *PASSES.end()),
        }
    }

    fn argon2(self) -> Argon2<'static> {
        let params = Params::new(self.memory_kib, self.passes, 1, Some(32))
            .expect("the parameters are ours");
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
    }

    /// Hashes a password, for keeping. Shape: a PHC string.
    pub(super) fn hash(self, password: &SecretBytes, entropy: &dyn Entropy) -> String {
        let salt = random_bytes::<16>(entropy);
        let hash: PasswordHash = self
            .argon2()
            .hash_password_with_salt(password.expose(), &salt)
            .expect("a salt of 16 bytes is allowed");
        hash.to_string()
    }
}

/// Whether `password` is the one that `kept` was made of. It takes as long as `kept` says.
pub(super) fn matches(password: &SecretBytes, kept: &str) -> bool {
    PasswordHash::new(kept).is_ok_and(|hash| {
        Argon2::default()
            .verify_password(password.expose(), &hash)
            .is_ok()
    })
}

/// Refuses a password that is guessed soon.
pub(super) fn check(password: &SecretBytes, name: &str) -> Result<(), AccountError> {
    let bytes = password.expose();
    if bytes.len() > LONGEST {
        return Err(AccountError::PasswordTooLong);
    }
    let text = password.expose_text().unwrap_or_default();
    let found = text.chars().count();
    if found < SHORTEST {
        return Err(AccountError::PasswordTooShort { found });
    }
    if text.eq_ignore_ascii_case(name) {
        return Err(AccountError::PasswordIsName);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;
    use std::sync::atomic::Ordering;

    use super::*;
    use crate::clock::UnixMillis;

    /// A clock that goes on by as much each time it is looked at.
    struct Steps {
        step: Duration,
        looks: AtomicU32,
    }

    impl Clock for Steps {
        fn wall(&self) -> UnixMillis {
            UnixMillis(0)
        }

        fn monotonic(&self) -> Duration {
            self.step * self.looks.fetch_add(1, Ordering::SeqCst)
        }
    }

    #[test]
    fn a_look_takes_a_quarter_of_a_second_as_far_as_the_machine_allows() {
        for (pass_takes, passes) in [(0, 12), (10, 12), (50, 5), (120, 2), (900, 2)] {
            let clock = Steps {
                step: Duration::from_millis(pass_takes),
                looks: AtomicU32::new(0),
            };
            let cost = Cost::of_this_machine(&clock);
            assert_eq!(
                (cost.passes, cost.memory_kib),
                (passes, MEMORY_KIB),
                "{pass_takes} ms"
            );
        }
    }
}
