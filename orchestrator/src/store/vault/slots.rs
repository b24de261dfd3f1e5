//! Owns `vault.slots`: the ways to open the vault, each holding the same master key wrapped under its own key.
//!
//! It does not know what the master key opens. The file is of use to a thief only together with a passphrase, a
//! recovery key or a key file; losing it loses the vault, so that a second copy lies in `vault.slots.old`.

use std::fmt;
use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;
use sha2::Digest;
use sha2::Sha256;

use super::cipher;
use super::cipher::Kdf;
use super::cipher::Key;
use super::error::VaultError;
use crate::clock::UnixMillis;
use crate::entropy::Entropy;
use crate::entropy::random_bytes;
use crate::fail;
use crate::store::durable;
use crate::store::error::StoreError;

/// The version of the slots file.
const VERSION: u32 = 1;

/// What opens a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SlotKind {
    /// What the operator remembers.
    Passphrase,
    /// What the operator printed.
    Recovery,
    /// What lies on a stick.
    KeyFile,
    /// What lies beside the vault: it opens itself, and protects nothing.
    #[serde(rename = "self")]
    Itself,
}

impl SlotKind {
    /// The word that is authenticated with a slot; it never changes.
    fn word(self) -> &'static str {
        match self {
            Self::Passphrase => "passphrase",
            Self::Recovery => "recovery",
            Self::KeyFile => "keyfile",
            Self::Itself => "self",
        }
    }
}

impl fmt::Display for SlotKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Passphrase => "passphrase",
            Self::Recovery => "recovery key",
            Self::KeyFile => "key file",
            Self::Itself => "key of its own",
        })
    }
}

/// One way to open the vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Slot {
    id: u32,
    kind: SlotKind,
    created_at: UnixMillis,
    kdf: Kdf,
    #[serde(with = "hex_text")]
    salt: [u8; 32],
    #[serde(with = "hex_text")]
    nonce: [u8; 24],
    #[serde(with = "hex_text")]
    wrapped: Vec<u8>,
}

/// Bytes as hex digits in JSON.
mod hex_text {
    use serde::Deserialize;
    use serde::Deserializer;
    use serde::Serializer;
    use serde::de::Error;

    pub(super) fn serialize<S: Serializer>(
        bytes: impl AsRef<[u8]>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>, T: hex::FromHex>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        let text = String::deserialize(deserializer)?;
        T::from_hex(text).map_err(|_| D::Error::custom("these are not the right hex digits"))
    }
}

/// Every way to open the vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Slots {
    vault_id: String,
    next_id: u32,
    /// Whether the operator has seen the recovery key; until then the next change of passphrase makes a new one.
    pub(super) recovery_shown: bool,
    slots: Vec<Slot>,
}

/// The file: the sum tells a damaged slot from a wrong passphrase.
#[derive(Serialize, Deserialize)]
struct SlotsFile {
    version: u32,
    sha256: String,
    vault: serde_json::Value,
}

/// What a slot is made with.
pub(super) struct Making<'a> {
    pub(super) kdf: Kdf,
    pub(super) at: UnixMillis,
    pub(super) entropy: &'a dyn Entropy,
}

impl Slots {
    pub(super) fn new(entropy: &dyn Entropy) -> Self {
        Self {
            vault_id: hex::encode(random_bytes::<16>(entropy)),
            next_id: 1,
            recovery_shown: false,
            slots: Vec::new(),
        }
    }

    pub(super) fn vault_id(&self) -> &str {
        &self.vault_id
    }

    pub(super) fn has(&self, kind: SlotKind) -> bool {
        self.slots.iter().any(|slot| slot.kind == kind)
    }

    /// Adds a way to open the vault.
    pub(super) fn add(&mut self, kind: SlotKind, opener: &[u8], master: &Key, making: &Making<'_>) {
        let id = self.next_id;
        self.next_id += 1;
        let salt = random_bytes::<32>(making.entropy);
        let nonce = random_bytes::<24>(making.entropy);
        let key = making.kdf.key(opener, &salt);
        let wrapped = cipher::wrap(&key, &nonce, &self.about(id, kind), master);
        self.slots.push(Slot {
            id,
            kind,
            created_at: making.at,
            kdf: making.kdf,
            salt,
            nonce,
            wrapped,
        });
    }

    /// Takes every way of one kind away.
    pub(super) fn remove(&mut self, kind: SlotKind) {
        self.slots.retain(|slot| slot.kind != kind);
    }

    /// Returns the master key, or nothing where `opener` opens no slot of that kind.
    pub(super) fn open(&self, kind: SlotKind, opener: &[u8]) -> Option<Key> {
        self.slots
            .iter()
            .filter(|slot| slot.kind == kind)
            .find_map(|slot| {
                let key = slot.kdf.key(opener, &slot.salt);
                let about = self.about(slot.id, kind);
                cipher::unwrap(&key, &slot.nonce, &about, &slot.wrapped)
            })
    }

    /// A slot cannot be carried to another vault, nor pass for one of another kind.
    fn about(&self, id: u32, kind: SlotKind) -> Vec<u8> {
        format!("{}/{id}/{}", self.vault_id, kind.word()).into_bytes()
    }

    fn to_bytes(&self) -> Vec<u8> {
        let vault = serde_json::to_value(self).expect("slots become JSON");
        let file = SlotsFile {
            version: VERSION,
            sha256: sum(&vault),
            vault,
        };
        let mut text = serde_json::to_string_pretty(&file).expect("slots become JSON");
        text.push('\n');
        text.into_bytes()
    }

    fn from_bytes(bytes: &[u8], path: &Path) -> Result<Self, VaultError> {
        let damaged = |detail: String| VaultError::SlotsCorrupt {
            path: path.to_owned(),
            detail,
        };
        let file: SlotsFile =
            serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()))?;
        if file.version > VERSION {
            return Err(VaultError::SlotsNewer {
                found: file.version,
                known: VERSION,
            });
        }
        if sum(&file.vault) != file.sha256 {
            return Err(damaged("its checksum does not fit".to_owned()));
        }
        let slots: Self =
            serde_json::from_value(file.vault).map_err(|error| damaged(error.to_string()))?;
        if slots.slots.is_empty() || !slots.slots.iter().all(|slot| slot.kdf.sane()) {
            return Err(damaged("it holds no usable slot".to_owned()));
        }
        Ok(slots)
    }
}

pub(super) fn sum(vault: &serde_json::Value) -> String {
    let text = serde_json::to_string(vault).expect("JSON is text");
    hex::encode(Sha256::digest(text.as_bytes()))
}

/// The slots as found on the disk.
pub(super) struct Found {
    pub(super) slots: Slots,
    /// Why the second copy had to be used.
    pub(super) warning: Option<String>,
}

/// Reads the slots, from their second copy where the first is damaged or gone.
pub(super) fn read(path: &Path) -> Result<Found, VaultError> {
    let first = match read_one(path) {
        Ok(slots) => {
            return Ok(Found {
                slots,
                warning: None,
            });
        }
        Err(newer @ VaultError::SlotsNewer { .. }) => return Err(newer),
        Err(error) => error,
    };
    match read_one(&second(path)) {
        Ok(slots) => Ok(Found {
            slots,
            warning: Some(format!(
                "{first}; the second copy was used ({}); keep a backup of it now",
                second(path).display()
            )),
        }),
        Err(_) => Err(match first {
            VaultError::Store(StoreError::Missing { path }) => VaultError::SlotsMissing { path },
            VaultError::Store(StoreError::Empty { path }) => VaultError::SlotsCorrupt {
                path,
                detail: "it is empty".to_owned(),
            },
            other => other,
        }),
    }
}

fn read_one(path: &Path) -> Result<Slots, VaultError> {
    Slots::from_bytes(&durable::read(path)?, path)
}

/// Writes the slots: the second copy takes what holds today, then the first what shall hold. Whenever the power
/// goes, one of them is whole.
pub(super) fn write(path: &Path, before: Option<&Slots>, after: &Slots) -> Result<(), StoreError> {
    fail::point("vault.slots.before_previous");
    if let Some(before) = before {
        durable::write(&second(path), &before.to_bytes(), 0o600)?;
    }
    fail::point("vault.slots.before_rename");
    durable::write(path, &after.to_bytes(), 0o600)
}

/// Makes the second copy equal to the first, so that a way that was taken away is gone from both.
pub(super) fn settle(path: &Path, slots: &Slots) -> Result<(), StoreError> {
    if read_one(&second(path)).is_ok_and(|copy| copy == *slots) {
        return Ok(());
    }
    durable::write(&second(path), &slots.to_bytes(), 0o600)
}

/// Returns where the second copy lies.
pub(super) fn second(path: &Path) -> PathBuf {
    durable::beside(path, ".old")
}
