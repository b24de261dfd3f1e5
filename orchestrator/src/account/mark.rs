//! Owns the mark of a browser: by it somebody who signed in there before is told from a stranger who guesses.
//!
//! It opens nothing by itself.

use hmac::Hmac;
use hmac::KeyInit;
use hmac::Mac;
use sha2::Sha256;

use super::Accounts;
use super::Opened;
use super::code;

impl Accounts {
    /// Makes the mark that a browser keeps. Shape: 16 random hexadecimal digits, a dot, 64 that prove them.
    pub(super) fn new_mark(&self, opened: &Opened, account: &str) -> String {
        let random = code::id(&*self.entropy);
        let proof = proof(opened, account, &random);
        format!("{random}.{}", hex::encode(proof))
    }
}

impl Opened {
    /// Whether somebody signed in as `account` with the browser that shows this mark.
    pub(super) fn marked(&self, account: &str, mark: &str) -> bool {
        let Some((random, shown)) = mark.split_once('.') else {
            return false;
        };
        let mut found = [0; 32];
        // Written otherwise it would be another place, and whoever has one would have as many as there are spellings.
        let written = !shown.bytes().any(|byte| byte.is_ascii_uppercase());
        written
            && hex::decode_to_slice(shown, &mut found).is_ok()
            && code::same(&found, &proof(self, account, random))
    }
}

fn proof(opened: &Opened, account: &str, random: &str) -> code::Hash {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(&*opened.audit_key).expect("HMAC takes keys of any length");
    mac.update(b"flash-node browser mark v1");
    mac.update(account.as_bytes());
    mac.update(b".");
    mac.update(random.as_bytes());
    mac.finalize().into_bytes().into()
}
