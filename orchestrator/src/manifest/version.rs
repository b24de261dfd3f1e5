//! Owns the order of versions, and which of them must never start.
//!
//! It does not know programs; it reads what they print. Versions of Bitcoin programs are numbers with dots, and a local
//! build adds a suffix (`30.99.0-dirty`, `0.21.99-beta`): numbers are compared, the suffix is not.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use super::schema;

/// A version as a list of numbers. A missing component counts as zero, so 30.0 equals 30.0.0.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Version(Vec<u64>);

/// A text is not a version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a version; write numbers with dots, such as 30.2 or 0.21.4-beta")]
pub struct VersionError(pub String);

impl FromStr for Version {
    type Err = VersionError;

    /// Reads `v31.1`, `0.21.99-beta` or `2.4.4+7f3a`: a leading `v` is dropped, and whatever follows the numbers is
    /// ignored. Errors: [`VersionError`] where no number stands first, or one is empty or does not fit.
    fn from_str(text: &str) -> Result<Self, VersionError> {
        let refuse = || VersionError(text.to_owned());
        let numbers = text.strip_prefix('v').unwrap_or(text);
        let end = numbers
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(numbers.len());
        let components = numbers[..end]
            .split('.')
            .map(str::parse)
            .collect::<Result<Vec<u64>, _>>()
            .map_err(|_| refuse())?;
        Ok(Self::new(components))
    }
}

impl Version {
    /// Builds a version from its components; zeros at the end say nothing and are dropped.
    #[must_use]
    pub fn new(mut components: Vec<u64>) -> Self {
        while components.last() == Some(&0) {
            components.pop();
        }
        Self(components)
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        // Zeros at the end are gone, so that the order of lists is the order of versions.
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.len().max(2);
        for index in 0..shown {
            if index > 0 {
                f.write_str(".")?;
            }
            write!(f, "{}", self.0.get(index).unwrap_or(&0))?;
        }
        Ok(())
    }
}

/// Compares two versions as texts. Errors: [`VersionError`] where one is none.
pub fn compare(a: &str, b: &str) -> Result<Ordering, VersionError> {
    Ok(a.parse::<Version>()?.cmp(&b.parse()?))
}

/// Finds the version in what a program printed.
///
/// The first number with a dot behind the word `version`, else behind a `v`, else the first one at all.
#[must_use]
pub fn extract(printed: &str) -> Option<Version> {
    let lower = printed.to_ascii_lowercase();
    if let Some(at) = lower.find("version")
        && let Some(version) = first_number(&lower[at..])
    {
        return Some(version);
    }
    for (at, _) in lower.match_indices('v') {
        let begins = !lower[..at].ends_with(|c: char| c.is_ascii_alphanumeric());
        let rest = lower[at + 1..].trim_start_matches('=');
        if begins
            && rest.starts_with(|c: char| c.is_ascii_digit())
            && let Some(version) = number_at(rest)
        {
            return Some(version);
        }
    }
    first_number(&lower)
}

/// The first number with at least one dot.
fn first_number(text: &str) -> Option<Version> {
    let mut inside = false;
    for (at, c) in text.char_indices() {
        if c.is_ascii_digit()
            && !inside
            && let Some(version) = number_at(&text[at..])
        {
            return Some(version);
        }
        inside = c.is_ascii_digit() || c == '.';
    }
    None
}

fn number_at(text: &str) -> Option<Version> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let number = text[..end].trim_end_matches('.');
    if number.contains('.') {
        number.parse().ok()
    } else {
        None
    }
}

/// Why a version must not start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnsafeVersion {
    /// It is older than the oldest safe one.
    #[error(
        "version {found} is older than {minimum}, the oldest that may start{}",
        because(reason)
    )]
    TooOld {
        /// The version found.
        found: Version,
        /// The oldest that may start.
        minimum: Version,
        /// Why.
        reason: Option<String>,
    },
    /// It is refused by name.
    #[error("version {found} must not start{}", because(reason))]
    Refused {
        /// The version found.
        found: Version,
        /// Why.
        reason: Option<String>,
    },
    /// The manifest's own bound cannot be read; the manifest's rules exclude this.
    #[error(transparent)]
    Unreadable(#[from] VersionError),
}

fn because(reason: &Option<String>) -> String {
    reason
        .as_ref()
        .map(|reason| format!(": {reason}"))
        .unwrap_or_default()
}

impl schema::Version {
    /// Refuses a version that must not start.
    ///
    /// An entry of `refused` covers the version whose first numbers are equal and whose further ones are zero: `30.0`
    /// covers 30.0 and 30.0.0, neither 30.0.1 nor 30.99.0. Errors: [`UnsafeVersion`].
    pub fn check(&self, found: &Version) -> Result<(), UnsafeVersion> {
        for refused in &self.refused {
            if refused.parse::<Version>()? == *found {
                return Err(UnsafeVersion::Refused {
                    found: found.clone(),
                    reason: self.reason.clone(),
                });
            }
        }
        let Some(minimum) = &self.minimum_safe else {
            return Ok(());
        };
        let minimum: Version = minimum.parse()?;
        if *found < minimum {
            return Err(UnsafeVersion::TooOld {
                found: found.clone(),
                minimum,
                reason: self.reason.clone(),
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
