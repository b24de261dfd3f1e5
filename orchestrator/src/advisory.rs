//! Owns advisories: which versions of which service are dangerous, as a file that the release's key signed.
//!
//! One file ships with each release; a newer one is imported by hand. The signature is minisign's (Ed25519 over BLAKE2b).
//! It does not know what runs (`app::advisories`).

use minisign_verify::PublicKey;
use minisign_verify::Signature;
use serde::Deserialize;
use serde::Serialize;

use crate::id::ManifestId;
use crate::manifest::version::Version;
use crate::view::Severity;

const SHIPPED: &str = include_str!("advisory/shipped.toml");
const SHIPPED_SIGNATURE: &str = include_str!("advisory/shipped.toml.minisig");
/// Who signs: the key of the release.
const RELEASE_KEY: &str = include_str!("advisory/release.pub");

/// A whole file of advisories.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feed {
    /// Grows by one with each file: an older one is not taken in the place of a newer.
    pub serial: u64,
    /// The day of the file. Shape: `YYYY-MM-DD`.
    pub issued: String,
    /// What it tells.
    #[serde(default, rename = "advisory")]
    pub advisories: Vec<Advisory>,
}

/// One danger.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Advisory {
    /// Its name, such as `FLASH-2026-0001`.
    pub id: String,
    /// Which service has it.
    pub service: ManifestId,
    /// In which versions.
    pub versions: Vec<Range>,
    /// How bad it is.
    pub severity: Severity,
    /// One sentence: what may happen.
    pub text: String,
    /// One sentence: what to do.
    pub action: String,
}

/// Versions from one on, up to another.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// The first one that is dangerous; every one before `below` where nothing is said.
    #[serde(default, deserialize_with = "version")]
    pub from: Option<Version>,
    /// The first one that is not any more; none where nothing is said.
    #[serde(default, deserialize_with = "version")]
    pub below: Option<Version>,
}

/// A file with its signature, as it is kept and sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// The file.
    pub text: String,
    /// What minisign wrote beside it.
    pub signature: String,
}

/// Why a file is not taken. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AdvisoryError {
    /// It is not from who may say so.
    #[error("the advisories are not signed by the key of this release: {0}")]
    NotSigned(String),
    /// The signed text is none of this shape.
    #[error("the advisories cannot be read: {0}")]
    Shape(String),
    /// A newer one is known.
    #[error(
        "the advisories are of {issued} (no. {serial}); this node knows newer ones (no. {known})"
    )]
    Old {
        /// The file's day.
        issued: String,
        /// The file's number.
        serial: u64,
        /// The number of what is known.
        known: u64,
    },
}

fn version<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Version>, D::Error> {
    let text = String::deserialize(from)?;
    text.parse().map(Some).map_err(serde::de::Error::custom)
}

impl Signed {
    /// Returns what ships with this release.
    #[must_use]
    pub fn shipped() -> Self {
        Self {
            text: SHIPPED.to_owned(),
            signature: SHIPPED_SIGNATURE.to_owned(),
        }
    }

    /// Reads it, where the key of the release signed it. Errors: [`AdvisoryError::NotSigned`], [`AdvisoryError::Shape`].
    pub fn read(&self) -> Result<Feed, AdvisoryError> {
        self.read_by(RELEASE_KEY)
    }

    fn read_by(&self, key: &str) -> Result<Feed, AdvisoryError> {
        let no = |error: minisign_verify::Error| AdvisoryError::NotSigned(error.to_string());
        let key = PublicKey::decode(key.trim()).map_err(no)?;
        let signature = Signature::decode(self.signature.trim()).map_err(no)?;
        // Not the older kind, which signs without hashing first.
        key.verify(self.text.as_bytes(), &signature, false)
            .map_err(no)?;
        let feed: Feed =
            toml::from_str(&self.text).map_err(|error| AdvisoryError::Shape(error.to_string()))?;
        let empty = feed.advisories.iter().find(|one| one.versions.is_empty());
        match empty {
            Some(one) => Err(AdvisoryError::Shape(format!("{} names no version", one.id))),
            None => Ok(feed),
        }
    }
}

impl Feed {
    /// Refuses itself where `known` is newer. Errors: [`AdvisoryError::Old`].
    pub fn after(self, known: &Self) -> Result<Self, AdvisoryError> {
        if self.serial < known.serial {
            return Err(AdvisoryError::Old {
                issued: self.issued,
                serial: self.serial,
                known: known.serial,
            });
        }
        Ok(self)
    }
}

impl Advisory {
    /// Whether it is about this version of this service.
    #[must_use]
    pub fn names(&self, service: &ManifestId, version: &Version) -> bool {
        self.service == *service && self.versions.iter().any(|range| range.holds(version))
    }
}

impl Range {
    fn holds(&self, version: &Version) -> bool {
        self.from.as_ref().is_none_or(|from| version >= from)
            && self.below.as_ref().is_none_or(|below| version < below)
    }
}

#[cfg(test)]
mod tests;
