//! Owns how a recovery key is printed and read: letters that are hard to confuse, in groups, with a check word.
//!
//! It does not know what the key opens.

use sha2::Digest;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::error::VaultError;
use crate::secret::SecretBytes;

/// Crockford's digits: no I, L, O or U. Source: Crockford, Base 32.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Digits of one group.
const GROUP: usize = 4;
/// Digits that carry the 256 bits of the key; the last carries one bit.
const KEY_DIGITS: usize = 52;
/// Digits of the check word: a typo passes for a key once in a million.
const CHECK_DIGITS: usize = 4;
const ALL_DIGITS: usize = KEY_DIGITS + CHECK_DIGITS;

/// A recovery key as it is printed, once: 14 groups of 4 digits, the last of which checks the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveryKey(SecretBytes);

impl RecoveryKey {
    /// Returns the text to print. It belongs on paper, never into a log.
    #[must_use]
    pub fn expose(&self) -> &SecretBytes {
        &self.0
    }

    /// Writes a key as text.
    pub(super) fn encode(key: &[u8; 32]) -> Self {
        let mut digits = Zeroizing::new([0_u8; ALL_DIGITS]);
        write_bits(key, &mut digits[..KEY_DIGITS]);
        write_bits(&check(key), &mut digits[KEY_DIGITS..]);
        // The exact size, so that the text never moves and leaves a copy behind.
        let mut text = Vec::with_capacity(ALL_DIGITS + ALL_DIGITS / GROUP);
        for (n, group) in digits.chunks(GROUP).enumerate() {
            if n > 0 {
                text.push(b'-');
            }
            text.extend(group.iter().map(|digit| DIGITS[usize::from(*digit)]));
        }
        Self(SecretBytes::new(text))
    }
}

/// Reads a typed key. Case, spaces and dashes do not matter; O counts as 0, I and L as 1.
///
/// Errors: [`VaultError::NotARecoveryKey`], which says what is mistyped.
pub(super) fn decode(text: &SecretBytes) -> Result<Zeroizing<[u8; 32]>, VaultError> {
    let refused = |typo: String| Err(VaultError::NotARecoveryKey { typo });
    let text = match text.expose_text() {
        Some(text) => text,
        None => return refused("it is not text".to_owned()),
    };
    let mut digits = Zeroizing::new([0_u8; ALL_DIGITS]);
    let mut count = 0;
    for letter in text.chars().filter(|letter| !skipped(*letter)) {
        let Some(value) = value(letter) else {
            return refused(format!(
                "group {} holds a character that no recovery key has",
                count / GROUP + 1
            ));
        };
        if let Some(digit) = digits.get_mut(count) {
            *digit = value;
        }
        count += 1;
    }
    if count != ALL_DIGITS {
        return refused(format!(
            "it has {count} letters and digits, not {ALL_DIGITS}"
        ));
    }
    let mut key = Zeroizing::new([0_u8; 32]);
    let spare = read_bits(&digits[..KEY_DIGITS], key.as_mut_slice());
    let mut checked = [0_u8; CHECK_DIGITS];
    write_bits(&check(&key), &mut checked);
    if spare != 0 || checked[..] != digits[KEY_DIGITS..] {
        return refused(
            "its last group does not fit the others, so something is mistyped".to_owned(),
        );
    }
    Ok(key)
}

fn skipped(letter: char) -> bool {
    letter.is_whitespace() || letter == '-'
}

fn value(letter: char) -> Option<u8> {
    let letter = match letter.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    DIGITS
        .iter()
        .position(|digit| char::from(*digit) == letter)
        .and_then(|position| u8::try_from(position).ok())
}

fn check(key: &[u8; 32]) -> [u8; 3] {
    let digest = Sha256::new()
        .chain_update(b"flash-node recovery key v1")
        .chain_update(key)
        .finalize();
    [digest[0], digest[1], digest[2]]
}

/// Writes bits from the front, five to a digit; missing bits are zero, surplus ones are left out.
fn write_bits(bytes: &[u8], digits: &mut [u8]) {
    for (n, digit) in digits.iter_mut().enumerate() {
        *digit = (0..5).fold(0, |value, bit| value << 1 | bit_at(bytes, n * 5 + bit));
    }
}

fn bit_at(bytes: &[u8], at: usize) -> u8 {
    bytes.get(at / 8).map_or(0, |byte| byte >> (7 - at % 8) & 1)
}

/// Reads five bits of each digit; returns the bits that no byte had room for.
fn read_bits(digits: &[u8], bytes: &mut [u8]) -> u8 {
    let mut spare = 0;
    for at in 0..digits.len() * 5 {
        let bit = digits[at / 5] >> (4 - at % 5) & 1;
        match bytes.get_mut(at / 8) {
            Some(byte) => *byte |= bit << (7 - at % 8),
            None => spare |= bit,
        }
    }
    spare
}

#[cfg(test)]
mod tests;
