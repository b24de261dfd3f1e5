//! Owns what is random and shown once: session and token values, recovery codes, the set-up code.
//!
//! Only their hashes are kept. They hold enough chance that a plain SHA-256 of them is guessed by nobody.

use sha2::Digest;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::entropy::Entropy;
use crate::entropy::random_bytes;
use crate::secret::SecretBytes;

/// How many recovery codes an account gets.
pub(super) const RECOVERY_CODES: usize = 10;
/// No digit or letter that is read as another. Source: Crockford's base 32.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The hash of a value, by which it is found again.
pub(super) type Hash = [u8; 32];

/// Hashes a value that holds at least 80 bits of chance.
pub(super) fn hash(value: &[u8]) -> Hash {
    Sha256::digest(value).into()
}

/// Makes the value of a session or a token. Shape: 64 hexadecimal digits.
pub(super) fn value(entropy: &dyn Entropy) -> SecretBytes {
    let bytes = Zeroizing::new(random_bytes::<32>(entropy));
    SecretBytes::from(hex::encode(bytes.as_slice()))
}

/// Makes an id that names and opens nothing. Shape: 16 hexadecimal digits.
pub(super) fn id(entropy: &dyn Entropy) -> String {
    hex::encode(random_bytes::<8>(entropy))
}

/// Makes a code that people type. Shape: groups of four of `ALPHABET`, 20 bits each.
pub(super) fn typed<const GROUPS: usize>(entropy: &dyn Entropy) -> String {
    let groups: Vec<String> = (0..GROUPS)
        .map(|_| {
            let bytes = random_bytes::<4>(entropy);
            bytes
                .iter()
                // 256 is a multiple of 32: every letter is as likely.
                .map(|byte| char::from(ALPHABET[usize::from(byte % 32)]))
                .collect()
        })
        .collect();
    groups.join("-")
}

/// Reads a code as people type it: blanks and dashes make no difference, nor capitals, nor O and I for 0 and 1.
pub(super) fn read(typed: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut read = Zeroizing::new(Vec::with_capacity(typed.len()));
    for letter in typed {
        match letter.to_ascii_uppercase() {
            b'-' | b' ' => {}
            b'O' => read.push(b'0'),
            b'I' | b'L' => read.push(b'1'),
            other => read.push(other),
        }
    }
    read
}

/// Hashes a code as people type it.
pub(super) fn hash_typed(typed: &[u8]) -> Hash {
    hash(&read(typed))
}

/// Compares in a time that tells nothing.
pub(super) fn same(one: &Hash, other: &Hash) -> bool {
    one.iter()
        .zip(other)
        .fold(0_u8, |differs, (a, b)| differs | (a ^ b))
        == 0
}
