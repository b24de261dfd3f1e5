//! The seed: the one secret of a mint.
//!
//! Owns reading it from its file and forgetting it again. Deliberately knows nothing of keys; `identity` and cdk derive them.

use std::{
    fmt, fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use zeroize::{Zeroize, Zeroizing};

/// The number of bytes of a seed: what BIP-39 makes of a mnemonic, so that a seed can move between mint programs.
pub const SEED_BYTES: usize = 64;

/// A mint's seed. It is wiped from memory when dropped and never printed.
pub struct Seed(Zeroizing<[u8; SEED_BYTES]>);

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed([redacted])")
    }
}

/// Why a seed file was not accepted. No variant carries what the file holds.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// The file could not be read.
    #[error("{}: the seed file could not be read", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Others than its owner and group may read it, or others than its owner may write it.
    #[error("{}: the seed file has mode {mode:03o}, so that strangers could read or replace it; run chmod 600 on it", file.display())]
    Exposed {
        /// The file.
        file: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The content is not 128 hexadecimal digits.
    #[error("{}: the seed file must hold exactly 128 hexadecimal digits (64 bytes) and at most one newline after them", file.display())]
    Malformed {
        /// The file.
        file: PathBuf,
    },
    /// All bytes are the same: no chance made this.
    #[error("{}: the seed is one byte repeated, which nobody drew by chance; make a new one", file.display())]
    Degenerate {
        /// The file.
        file: PathBuf,
    },
}

impl Seed {
    /// Reads the seed in `file`.
    ///
    /// Errors: the mode grants strangers something, or the content is not a seed.
    /// Shape: 128 hexadecimal digits, then at most one newline.
    pub fn read(file: &Path) -> Result<Self, SeedError> {
        let unreadable = |source| SeedError::Unreadable {
            file: file.to_owned(),
            source,
        };
        let mode = fs::metadata(file).map_err(unreadable)?.permissions().mode() & 0o777;
        if mode & 0o027 != 0 {
            return Err(SeedError::Exposed {
                file: file.to_owned(),
                mode,
            });
        }
        let content = Zeroizing::new(fs::read(file).map_err(unreadable)?);
        let seed = Self::decode(&content).ok_or_else(|| SeedError::Malformed {
            file: file.to_owned(),
        })?;
        if seed.0.iter().all(|byte| *byte == seed.0[0]) {
            return Err(SeedError::Degenerate {
                file: file.to_owned(),
            });
        }
        Ok(seed)
    }

    fn decode(content: &[u8]) -> Option<Self> {
        let digits = content.strip_suffix(b"\n").unwrap_or(content);
        if digits.len() != 2 * SEED_BYTES {
            return None;
        }
        let mut bytes = Zeroizing::new([0_u8; SEED_BYTES]);
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let mut high = nibble(pair[0])?;
            *byte = (high << 4) | nibble(pair[1])?;
            high.zeroize();
        }
        Some(Self(bytes))
    }

    /// The seed itself, for deriving keys from it.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.0.as_slice()
    }
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
