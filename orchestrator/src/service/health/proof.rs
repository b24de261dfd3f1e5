//! Owns the question whether a provider still takes a credential.
//!
//! It does not know why one should be refused (`app::rotate`), and takes no silence for a refusal.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::HealthTarget;
use super::NodeCredential;
use super::Prober;
use super::judge::Asked;
use crate::id::Name;
use crate::manifest::schema::Manifest;
use crate::secret::SecretBytes;
use crate::secret::SecretRef;
use crate::secret::SecretSource;
use crate::secret::SecretUnavailable;
use crate::service::probe::Answer;

/// What a provider says to a credential that was replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// It takes the new one and does not know the old one any more. Holds how that was said.
    Refused(String),
    /// It still takes the old one, or anything.
    StillTaken,
    /// No probe of the provider shows such a credential, so that neither can be tried.
    NoProbe,
    /// Nothing can be concluded now.
    NotYet,
}

/// Who asks, and with what.
#[derive(Debug, Clone)]
pub struct Replaced {
    /// The consumer's name at the provider.
    pub user: String,
    /// The credential that must be taken.
    pub new: SecretRef,
    /// The one that must be refused.
    pub old: SecretRef,
    /// One that was never given to anybody: what the provider says to it is what a refusal sounds like.
    pub guess: SecretBytes,
}

/// What refuses a password at Postgres. Source: PostgreSQL, appendix A, `invalid_password`.
const INVALID_PASSWORD: &str = "28P01";

/// The generation under which the guess is asked for; no vault counts that far.
const GUESS: u32 = u32::MAX;

/// A vault that also knows a guess.
struct WithGuess<'a> {
    vault: &'a dyn SecretSource,
    guess: &'a SecretBytes,
}

impl SecretSource for WithGuess<'_> {
    fn secret(&self, secret: &SecretRef) -> Result<SecretBytes, SecretUnavailable> {
        if secret.generation == GUESS {
            return Ok(self.guess.clone());
        }
        self.vault.secret(secret)
    }
}

impl Prober {
    /// Tries the credentials of `replaced` and a guess at `interface` of `target`, by the first of its probes that shows one.
    ///
    /// HTTP says 401 to whom it does not know and 403 to whom it knows and denies; Postgres says 28P01. What another
    /// protocol says to a stranger is learned from its answer to the guess.
    pub async fn prove(
        &self,
        target: &HealthTarget<'_>,
        interface: &Name,
        replaced: &Replaced,
        secrets: &dyn SecretSource,
    ) -> Proof {
        let Some(probe) = asks_with(target.manifest, interface) else {
            return Proof::NoProbe;
        };
        let secrets = WithGuess {
            vault: secrets,
            guess: &replaced.guess,
        };
        let guess = SecretRef {
            generation: GUESS,
            ..replaced.new.clone()
        };
        let mut answers = Vec::new();
        // The guess and the new one are shown again at the end: a provider that went or came back in between says
        // something else then, and what it said meanwhile counts for nothing.
        for secret in [&guess, &replaced.new, &replaced.old, &guess, &replaced.new] {
            let credential = NodeCredential {
                user: replaced.user.clone(),
                secret: secret.clone(),
            };
            let as_it = HealthTarget {
                node_credentials: BTreeMap::from([(interface.clone(), credential)]),
                ..target.clone()
            };
            let names = BTreeSet::from([probe.clone()]);
            let mut asked = self.ask(&as_it, &target.secrets, &names, &secrets).await;
            match asked.remove(probe) {
                Some(Asked::Answer(answer)) => answers.push(answer),
                _ => return Proof::NotYet,
            }
        }
        match answers.as_slice() {
            [guess, new, old, guess_again, new_again] => {
                conclude([guess, guess_again], [new, new_again], old)
            }
            _ => Proof::NotYet,
        }
    }
}

/// Says what the answers to a guess (twice), to the new credential (twice) and to the old one show together.
fn conclude(guess: [&Answer; 2], new: [&Answer; 2], old: &Answer) -> Proof {
    let [before, after] = guess;
    match (stance(before, after), stance(after, before)) {
        (Stance::Refused(_), Stance::Refused(_)) => {}
        // It asks nobody who they are.
        (Stance::Taken, Stance::Taken) => return Proof::StillTaken,
        _ => return Proof::NotYet,
    }
    // Only a provider that takes the new one is the one whose answer to the old one counts.
    if new.iter().any(|one| stance(one, after) != Stance::Taken) {
        return Proof::NotYet;
    }
    match stance(old, after) {
        Stance::Refused(how) => Proof::Refused(how),
        Stance::Taken => Proof::StillTaken,
        Stance::Unknown => Proof::NotYet,
    }
}

/// What one answer says of the credential that was shown.
#[derive(Debug, PartialEq, Eq)]
enum Stance {
    Taken,
    Refused(String),
    Unknown,
}

/// Finds the probe of the service's own port that shows the credential of `interface`.
fn asks_with<'a>(manifest: &'a Manifest, interface: &Name) -> Option<&'a Name> {
    let own = manifest
        .probes
        .iter()
        .find(|(_, probe)| probe.port.is_some() && probe.credential.as_ref() == Some(interface));
    own.map(|(name, _)| name)
}

fn stance(answer: &Answer, guess: &Answer) -> Stance {
    if !answer.reached || !guess.reached {
        return Stance::Unknown;
    }
    let sqlstate = answer
        .json
        .as_ref()
        .and_then(|json| json.pointer("/sqlstate"))
        .and_then(|state| state.as_str());
    match (answer.status, sqlstate) {
        (Some(401), _) => Stance::Refused("401".to_owned()),
        (Some(status), _) if status >= 500 && answer.json.is_none() => Stance::Unknown,
        (Some(_), _) => Stance::Taken,
        (None, Some(INVALID_PASSWORD)) => Stance::Refused(INVALID_PASSWORD.to_owned()),
        // No rule for this user, or still starting: neither says anything of the password.
        (None, Some(_)) => Stance::Unknown,
        // A connection that ended without a word.
        (None, None) if answer.json.is_none() && answer.text.is_empty() => Stance::Unknown,
        (None, None) if answer.text == guess.text && answer.json == guess.json => {
            Stance::Refused("it gets the answer of a stranger".to_owned())
        }
        (None, None) => Stance::Taken,
    }
}

#[cfg(test)]
mod tests;
