//! Owns the vault's cryptography: keys from passphrases, keys from keys, and the wrapping of the master key.
//!
//! It knows no files. Source: RFC 9106 (Argon2id), RFC 5869 (HKDF, expand with one block), XChaCha20-Poly1305.

use argon2::Algorithm;
use argon2::Argon2;
use argon2::Params;
use argon2::Version;
use chacha20poly1305::KeyInit;
use chacha20poly1305::XChaCha20Poly1305;
use chacha20poly1305::aead::Aead;
use chacha20poly1305::aead::Payload;
use hmac::Hmac;
use hmac::Mac;
use serde::Deserialize;
use serde::Serialize;
use sha2::Sha256;
use zeroize::Zeroizing;

/// A key of 256 bits, wiped when dropped.
pub(super) type Key = Zeroizing<[u8; 32]>;

/// How a slot's key is made from what opens it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Kdf {
    /// For what people remember: slow on purpose.
    Argon2id {
        /// Units: KiB.
        memory_kib: u32,
        /// How often the memory is passed over.
        passes: u32,
        /// Lanes.
        lanes: u32,
    },
    /// For 256 random bits, which nobody guesses.
    HmacSha256,
}

impl Kdf {
    /// What a passphrase costs: 64 MiB, so that a node of 4 GB opens its vault while services run.
    pub const PASSPHRASE: Self = Self::Argon2id {
        memory_kib: 64 * 1024,
        passes: 3,
        lanes: 1,
    };

    /// Whether a slots file may ask for it: a damaged or forged one must not take all memory or a day.
    pub(super) fn sane(self) -> bool {
        match self {
            Self::Argon2id {
                memory_kib,
                passes,
                lanes,
            } => {
                (8..=2 * 1024 * 1024).contains(&memory_kib)
                    && (1..=64).contains(&passes)
                    && (1..=16).contains(&lanes)
                    && memory_kib >= 8 * lanes
            }
            Self::HmacSha256 => true,
        }
    }

    /// Makes a slot's key from what opens it. `self` is sane.
    pub(super) fn key(self, opener: &[u8], salt: &[u8]) -> Key {
        let mut key = Zeroizing::new([0; 32]);
        match self {
            Self::Argon2id {
                memory_kib,
                passes,
                lanes,
            } => {
                let params = Params::new(memory_kib, passes, lanes, Some(32))
                    .expect("the parameters were found sane");
                Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
                    .hash_password_into(opener, salt, key.as_mut_slice())
                    .expect("a salt of 32 bytes and an output of 32 are allowed");
            }
            Self::HmacSha256 => return expand(opener, &[b"flash-node slot v1", salt]),
        }
        key
    }
}

/// Derives a key from a random one, for the purpose that `labels` name.
pub(super) fn expand(key: &[u8], labels: &[&[u8]]) -> Key {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for label in labels {
        mac.update(label);
    }
    mac.update(&[1]);
    Zeroizing::new(mac.finalize().into_bytes().into())
}

/// Wraps the master key. `about` is authenticated along: which vault, which slot, of which kind.
pub(super) fn wrap(key: &Key, nonce: &[u8; 24], about: &[u8], master: &Key) -> Vec<u8> {
    XChaCha20Poly1305::new((&**key).into())
        .encrypt(
            nonce.into(),
            Payload {
                msg: master.as_slice(),
                aad: about,
            },
        )
        .expect("32 bytes are not too many")
}

/// Unwraps the master key, or returns nothing where the key is another.
pub(super) fn unwrap(key: &Key, nonce: &[u8; 24], about: &[u8], wrapped: &[u8]) -> Option<Key> {
    let opened = XChaCha20Poly1305::new((&**key).into())
        .decrypt(
            nonce.into(),
            Payload {
                msg: wrapped,
                aad: about,
            },
        )
        .map(Zeroizing::new)
        .ok()?;
    let mut master = Zeroizing::new([0; 32]);
    (opened.len() == master.len()).then(|| {
        master.copy_from_slice(&opened);
        master
    })
}
