//! Owns how an image is named: by what it holds, never by a tag alone.

use std::fmt;

use serde::Deserialize;
use serde::Serialize;

/// Which image a program runs in.
///
/// Shape: `repository@sha256:…` (pulled and checked), `sha256:…` (one of this machine, by its ID), or
/// `self:PROGRAM@sha256:…` (packed from a program of this machine with that content).
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(into = "String", try_from = "String")]
#[schemars(with = "String")]
pub enum ImageReference {
    /// Pulled from a registry, and refused where its digest is another one.
    Pulled {
        /// Registry, path and name, without a tag.
        repository: String,
        /// The manifest's digest: `sha256:` and 64 hex digits.
        digest: String,
    },
    /// An image that is on this machine.
    Local {
        /// Its ID: `sha256:` and 64 hex digits.
        id: String,
    },
    /// A program of this machine with its libraries.
    Packed {
        /// The program's file name.
        program: String,
        /// The digest of its content.
        digest: String,
    },
}

/// Why a text names no image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` names no image by what it holds; write repository@sha256:… with 64 hex digits, or sha256:… for an image of this machine: a tag alone can change its content"
)]
pub struct ImageReferenceError(pub String);

impl ImageReference {
    /// Reads `text`. Errors: [`ImageReferenceError`].
    pub fn parse(text: &str) -> Result<Self, ImageReferenceError> {
        let wrong = || ImageReferenceError(text.to_owned());
        if digest(text) {
            return Ok(Self::Local {
                id: text.to_owned(),
            });
        }
        let (name, found) = text.split_once('@').ok_or_else(wrong)?;
        if !digest(found) || name.is_empty() {
            return Err(wrong());
        }
        let legal = |c: char| c.is_ascii_alphanumeric() || "._-/:".contains(c);
        if !name.chars().all(legal) {
            return Err(wrong());
        }
        Ok(match name.strip_prefix("self:") {
            Some(program) if !program.is_empty() && !program.contains([':', '/']) => Self::Packed {
                program: program.to_owned(),
                digest: found.to_owned(),
            },
            Some(_) => return Err(wrong()),
            None => Self::Pulled {
                repository: name.to_owned(),
                digest: found.to_owned(),
            },
        })
    }
}

/// Whether `text` is `sha256:` and 64 lower-case hex digits.
fn digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|hex| {
        hex.len() == 64 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    })
}

impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pulled { repository, digest } => write!(f, "{repository}@{digest}"),
            Self::Local { id } => f.write_str(id),
            Self::Packed { program, digest } => write!(f, "self:{program}@{digest}"),
        }
    }
}

impl From<ImageReference> for String {
    fn from(reference: ImageReference) -> Self {
        reference.to_string()
    }
}

impl TryFrom<String> for ImageReference {
    type Error = ImageReferenceError;

    fn try_from(text: String) -> Result<Self, ImageReferenceError> {
        Self::parse(&text)
    }
}

#[cfg(test)]
mod tests;
