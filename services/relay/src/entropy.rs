//! Owns randomness: the only place that asks the operating system for it.

/// Makes a challenge that nobody can guess.
///
/// Panics: the operating system has no randomness, without which no key can be proved.
pub(crate) fn challenge() -> String {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).expect("the operating system gives randomness");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
