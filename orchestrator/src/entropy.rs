//! Owns chance. Everything else takes an [`Entropy`] as an argument.

use rand::TryRng;
use rand::rngs::SysRng;

/// Fills buffers with random bytes fit for keys.
pub trait Entropy: Send + Sync {
    /// Fills `bytes`. Panics where the machine has no entropy: nothing safe can be done then.
    fn fill(&self, bytes: &mut [u8]);
}

/// The operating system's generator.
#[derive(Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        SysRng
            .try_fill_bytes(bytes)
            .expect("the operating system gives entropy");
    }
}

/// Returns `N` random bytes.
pub fn random_bytes<const N: usize>(entropy: &dyn Entropy) -> [u8; N] {
    let mut bytes = [0; N];
    entropy.fill(&mut bytes);
    bytes
}
