//! Owns what a key file looks like: it says itself what a thief gains by it.
//!
//! It does not know what the key opens.

use hex::FromHex;
use zeroize::Zeroizing;

use super::cipher::Key;
use super::error::VaultError;
use crate::secret::SecretBytes;

/// Writes a key file's content.
pub(super) fn encode(vault_id: &str, key: &Key) -> SecretBytes {
    let digits = Zeroizing::new(hex::encode(key.as_slice()));
    SecretBytes::from(format!(
        "# Key file of a Flash Node vault.\n\
         # Whoever holds this file AND the node's data folder (its disk or a backup of it) opens the vault without a\n\
         # passphrase: every password and key in it, and with them the money. This file alone opens nothing.\n\
         # Keep it on a stick away from the node. Nobody at the other end of the network can use it.\n\
         vault {vault_id}\n\
         key {}\n",
        *digits
    ))
}

/// Reads a key file's content. Errors: [`VaultError::NotAKeyFile`], and [`VaultError::WrongKeyFile`] where it
/// names another vault.
pub(super) fn decode(content: &SecretBytes, vault_id: &str) -> Result<Key, VaultError> {
    let refused = |detail: &str| VaultError::NotAKeyFile {
        detail: detail.to_owned(),
    };
    let text = content
        .expose_text()
        .ok_or_else(|| refused("it is not text"))?;
    let field = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
            .map(str::trim)
    };
    let vault = field("vault").ok_or_else(|| refused("it names no vault"))?;
    let digits = field("key").ok_or_else(|| refused("it holds no key"))?;
    let key = <[u8; 32]>::from_hex(digits)
        .map(Zeroizing::new)
        .map_err(|_| refused("its key is cut or damaged"))?;
    if vault != vault_id {
        return Err(VaultError::WrongKeyFile);
    }
    Ok(key)
}
