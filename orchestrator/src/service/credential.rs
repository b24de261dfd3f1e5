//! Owns how credentials and secrets come into being: their names, their users, their making.
//!
//! It does not know where they are kept (`store::vault`) nor when one is rotated.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::Hmac;
use hmac::KeyInit as _;
use hmac::Mac as _;
use sha2::Sha256;

use crate::entropy::Entropy;
use crate::entropy::random_bytes;
use crate::id::EdgeId;
use crate::id::Name;
use crate::id::ServiceId;
use crate::manifest::Catalog;
use crate::manifest::choices::Choices;
use crate::manifest::schema::CredentialKind;
use crate::manifest::schema::SecretMake;
use crate::secret::SecretBytes;
use crate::secret::SecretKey;
use crate::service::desired::Desired;
use crate::service::desired::Wanted;

/// Length of [`SecretMake::Password`]. Units: characters.
const PASSWORD_LENGTH: usize = 32;
const LETTERS_AND_DIGITS: &[u8; 62] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Names a secret of a service's own.
#[must_use]
pub fn own_key(service: &ServiceId, secret: &Name) -> SecretKey {
    SecretKey(format!("service/{service}/{secret}"))
}

/// Names the credential of an edge.
#[must_use]
pub fn edge_key(edge: &EdgeId) -> SecretKey {
    SecretKey(format!("edge/{edge}"))
}

/// Names the operator's password for an interface of an external server; all consumers share it.
#[must_use]
pub fn external_key(provider: &ServiceId, interface: &Name) -> SecretKey {
    SecretKey(format!("external/{provider}/{interface}"))
}

/// Returns the user's name under which `consumer` calls a provider: its id with `_`, legal in every protocol.
#[must_use]
pub fn user(consumer: &ServiceId) -> String {
    consumer.as_str().replace('-', "_")
}

/// How the credential of an edge is made. Nothing: the kind has no secret, or only the provider can make it.
#[must_use]
pub fn edge_make(kind: CredentialKind) -> Option<SecretMake> {
    match kind {
        CredentialKind::Rpcauth
        | CredentialKind::PostgresRole
        | CredentialKind::TorPassword
        | CredentialKind::Token => Some(SecretMake::Hex32),
        CredentialKind::LndMacaroon => Some(SecretMake::Captured),
        CredentialKind::TlsPair | CredentialKind::ProviderFile => None,
    }
}

/// Whether the node itself makes credentials of this kind, and so can replace one.
pub(crate) fn made_here(kind: CredentialKind) -> bool {
    edge_make(kind).is_some_and(|make| make != SecretMake::Captured)
}

/// A secret that must be in the vault before services start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretNeed {
    /// Which secret.
    pub key: SecretKey,
    /// Where its first value comes from.
    pub origin: SecretOrigin,
}

/// Where the first value of a secret comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretOrigin {
    /// Made by [`make`].
    Made(SecretMake),
    /// Read once from the operator's file.
    ReadFrom(PathBuf),
}

/// Lists every secret that the services of `desired` need and that the node can make or read, sorted by key.
///
/// Secrets of services that are held back are left out; so are captured ones, which only a service can give.
#[must_use]
pub fn needed_secrets(desired: &Desired, catalog: &Catalog, choices: &Choices) -> Vec<SecretNeed> {
    let mut needs = Vec::new();
    for (service, wanted) in &desired.services {
        let Some(manifest) = catalog.get(&wanted.manifest) else {
            continue;
        };
        match &wanted.wanted {
            Wanted::HeldBack { .. } => {}
            Wanted::External => {
                let external = choices
                    .services
                    .get(service)
                    .and_then(|c| c.external.as_ref());
                for (interface, credential) in external.iter().flat_map(|e| &e.credentials) {
                    needs.push(SecretNeed {
                        key: external_key(service, interface),
                        origin: SecretOrigin::ReadFrom(credential.password_file.clone()),
                    });
                }
            }
            Wanted::Run { spec, .. } => {
                for (name, secret) in &manifest.secrets {
                    push_made(&mut needs, own_key(service, name), Some(secret.make));
                }
                for consumer in &spec.consumers {
                    if consumer.credential.is_some() {
                        let make = consumer.kind.and_then(edge_make);
                        push_made(&mut needs, edge_key(&consumer.id), make);
                    }
                }
            }
        }
    }
    needs.sort_by(|a, b| a.key.cmp(&b.key));
    needs.dedup();
    needs
}

fn push_made(needs: &mut Vec<SecretNeed>, key: SecretKey, make: Option<SecretMake>) {
    if let Some(make) = make
        && make != SecretMake::Captured
    {
        needs.push(SecretNeed {
            key,
            origin: SecretOrigin::Made(make),
        });
    }
}

/// Makes a secret. Nothing for [`SecretMake::Captured`], which only a service can give.
#[must_use]
pub fn make(make: SecretMake, entropy: &dyn Entropy) -> Option<SecretBytes> {
    let text = match make {
        SecretMake::Hex32 => hex::encode(random_bytes::<32>(entropy)),
        SecretMake::Hex64 => hex::encode(random_bytes::<64>(entropy)),
        SecretMake::Base64 => STANDARD.encode(random_bytes::<32>(entropy)),
        SecretMake::Password => password(entropy),
        SecretMake::Captured => return None,
    };
    Some(SecretBytes::from(text))
}

/// Draws letters and digits; bytes that would favour some of them are thrown away.
fn password(entropy: &dyn Entropy) -> String {
    let fair = u8::try_from(256 / LETTERS_AND_DIGITS.len() * LETTERS_AND_DIGITS.len())
        .expect("four alphabets are below 256");
    let mut password = String::with_capacity(PASSWORD_LENGTH);
    while password.len() < PASSWORD_LENGTH {
        for byte in random_bytes::<64>(entropy) {
            if byte < fair && password.len() < PASSWORD_LENGTH {
                let index = usize::from(byte) % LETTERS_AND_DIGITS.len();
                password.push(char::from(LETTERS_AND_DIGITS[index]));
            }
        }
    }
    password
}

/// Returns `salt$hmac` for a line `rpcauth=user:salt$hmac`.
///
/// The salt is not random but derived from the password (the first 16 bytes of an HMAC under it), so that rendering
/// the same file twice gives the same bytes; it is as unique as the password and tells nothing about it.
/// Source: bitcoin/bitcoin `share/rpcauth/rpcauth.py`: the key is the salt as hex text, the message the password.
#[must_use]
pub fn rpcauth(password: &SecretBytes) -> String {
    let salt = hex::encode(&keyed(password.expose(), b"flash-node rpcauth salt v1")[..16]);
    let proof = hex::encode(keyed(salt.as_bytes(), password.expose()));
    format!("{salt}${proof}")
}

fn keyed(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests;
