//! Owns a person's passkeys: adding, listing and deleting them, and what an authenticator is asked for a new one.
//!
//! What an authenticator answers is checked by `webauthn-rs`, here and in `enter` alone. It does not know HTTP, nor how it
//! was found out by which name of the node somebody came (`http::guard`).
//!
//! Source: Web Authentication Level 3, sections 7.1 and 7.2.

#[cfg(test)]
pub(crate) mod authenticator;
mod ceremony;
mod enter;
mod repo;
mod site;

use std::sync::Mutex;

use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use serde_json::json;
use sha2::Digest;
use sha2::Sha256;
use utoipa::ToSchema;
use webauthn_rs::prelude::DiscoverableAuthentication;
use webauthn_rs::prelude::PasskeyRegistration;
use webauthn_rs::prelude::RegisterPublicKeyCredential;
use webauthn_rs::prelude::Uuid;
use webauthn_rs::prelude::WebauthnError;

use self::ceremony::Bound;
use self::ceremony::Ceremonies;
use self::ceremony::LIVES;
use self::ceremony::Place;
use self::repo::KeptPasskey;
use super::Accounts;
use super::SignedIn;
use super::code;
use super::error::AccountError;
use super::lock;
use super::people;
use super::repo as accounts;

pub use self::site::Site;

pub(super) use self::repo::drop_passkeys_of_in_tx;
pub(super) use self::repo::sites_in_tx;

/// How many passkeys an account may have.
pub(super) const MOST: usize = 16;

/// A passkey, as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Passkey {
    /// Names it in paths. Shape: 16 hexadecimal digits.
    pub id: String,
    /// What its owner calls it.
    pub label: String,
    /// The name of the node that it is for, without a port; it opens nothing by another.
    pub site: String,
    /// Units: milliseconds since the Unix epoch.
    pub created_at: u64,
    /// Units: milliseconds since the Unix epoch; null where it was never used.
    pub used_at: Option<u64>,
}

/// What was begun with an authenticator.
#[derive(Debug, Clone)]
pub struct Ceremony {
    /// Names it when it is finished; nobody guesses it. Shape: 64 hexadecimal digits.
    pub id: String,
    /// What the browser passes on to the authenticator.
    ///
    /// Source: Web Authentication Level 3, `PublicKeyCredentialCreationOptionsJSON` and `…RequestOptionsJSON`.
    pub options: Value,
}

/// A passkey that is being added.
#[derive(Debug, Clone)]
pub struct NewPasskey {
    /// The ceremony's id.
    pub ceremony: String,
    /// What it is to be called.
    pub label: String,
    /// What the browser answered. Source: Web Authentication Level 3, `RegistrationResponseJSON`.
    pub credential: Value,
}

/// What was begun and not finished yet.
#[derive(Default)]
pub(super) struct Unfinished {
    adding: Mutex<Ceremonies<PasskeyRegistration>>,
    entering: Mutex<Ceremonies<DiscoverableAuthentication>>,
}

impl Accounts {
    /// Lists a person's own passkeys, oldest first.
    pub fn passkeys(&self, person: &SignedIn) -> Result<Vec<Passkey>, AccountError> {
        let kept = self.read(|tx| repo::passkeys_in_tx(tx, &person.account.id))?;
        Ok(kept.into_iter().map(shown).collect())
    }

    /// Begins to add a passkey for the name by which the person came.
    ///
    /// Errors: [`AccountError::TooManyPasskeys`].
    pub fn begin_passkey(&self, person: &SignedIn, site: &Site) -> Result<Ceremony, AccountError> {
        let mine = self.read(|tx| repo::passkeys_in_tx(tx, &person.account.id))?;
        if mine.len() >= MOST {
            return Err(AccountError::TooManyPasskeys);
        }
        let there = mine.into_iter().filter(|one| one.site == site.name());
        let there = there.map(|one| one.handle).collect();
        let account = &person.account;
        let (options, state) = site
            .checker(LIVES)
            .and_then(|checker| {
                let name = &account.name;
                checker.start_passkey_registration(
                    user_handle(&account.id),
                    name,
                    name,
                    Some(there),
                )
            })
            .map_err(|error| not_begun(&error))?;
        let mut options = json!(options.public_key);
        // Without it nobody could sign in without typing a name.
        options["authenticatorSelection"]["residentKey"] = json!("required");
        options["authenticatorSelection"]["requireResidentKey"] = json!(true);
        let id = self.new_ceremony();
        lock(&self.unfinished.adding).begin(
            id.clone(),
            state,
            bound(Some(person), site),
            of_account(person),
            self.clock.monotonic(),
        );
        Ok(Ceremony { id, options })
    }

    /// Adds the passkey that an authenticator made.
    ///
    /// Errors: [`AccountError::CeremonyOver`], [`AccountError::BadPasskey`], [`AccountError::PasskeyKnown`],
    /// [`AccountError::TooManyPasskeys`], [`AccountError::SignedOut`], [`AccountError::BadLabel`]; after the last the ceremony
    /// goes on.
    pub fn add_passkey(
        &self,
        person: &SignedIn,
        site: &Site,
        new: NewPasskey,
    ) -> Result<Passkey, AccountError> {
        let opened = self.opened()?;
        if people::check_name(&new.label).is_err() {
            return Err(AccountError::BadLabel);
        }
        let state = lock(&self.unfinished.adding).take(
            &new.ceremony,
            &bound(Some(person), site),
            self.clock.monotonic(),
        );
        let state = state.ok_or(AccountError::CeremonyOver)?;
        let credential = read_new(new.credential).ok_or(AccountError::BadPasskey)?;
        let made = site
            .checker(LIVES)
            .and_then(|checker| checker.finish_passkey_registration(&credential, &state))
            .map_err(|error| {
                tracing::warn!(%error, "a new passkey was refused");
                AccountError::BadPasskey
            })?;
        let kept = KeptPasskey {
            id: code::id(&*self.entropy),
            account: person.account.id.clone(),
            label: new.label,
            site: site.name().to_owned(),
            handle: made.cred_id().to_vec(),
            credential: serde_json::to_string(&made).map_err(|_| AccountError::BadPasskey)?,
            created_at: self.now(),
            used_at: None,
        };
        self.write_in(&opened, |tx| {
            let sql = |e| opened.sql(e);
            // It may have been ended while the answer came: a reset leaves nobody a way back.
            if !accounts::session_in_tx(tx, &kept.account, &person.session).map_err(sql)? {
                return Err(AccountError::SignedOut);
            }
            // Two windows may have begun while there was room for one.
            let mine = repo::passkeys_in_tx(tx, &kept.account).map_err(sql)?;
            if mine.len() >= MOST {
                return Err(AccountError::TooManyPasskeys);
            }
            let known = repo::passkey_of_handle_in_tx(tx, &kept.site, &kept.handle).map_err(sql)?;
            if known.is_some() {
                return Err(AccountError::PasskeyKnown);
            }
            repo::add_passkey_in_tx(tx, &kept).map_err(sql)?;
            let name = &person.account.name;
            let text = format!("{name} added the passkey {} for {}", kept.label, kept.site);
            self.note_in_tx(tx, &opened, (name, "passkey_added", &text))
        })?;
        Ok(shown(kept))
    }

    /// Deletes one of a person's own passkeys.
    pub fn drop_passkey(&self, person: &SignedIn, id: &str) -> Result<(), AccountError> {
        let opened = self.opened()?;
        self.write_in(&opened, |tx| {
            let label = repo::drop_passkey_in_tx(tx, &person.account.id, id)
                .map_err(|e| opened.sql(e))?
                .ok_or_else(|| AccountError::Unknown {
                    what: "passkey",
                    id: id.to_owned(),
                })?;
            let name = &person.account.name;
            let text = format!("{name} deleted the passkey {label}");
            self.note_in_tx(tx, &opened, (name, "passkey_dropped", &text))
        })
    }

    /// Makes a ceremony's name.
    fn new_ceremony(&self) -> String {
        let value = code::value(&*self.entropy);
        value.expose_text().unwrap_or_default().to_owned()
    }
}

fn shown(kept: KeptPasskey) -> Passkey {
    Passkey {
        id: kept.id,
        label: kept.label,
        site: kept.site,
        created_at: kept.created_at.0,
        used_at: kept.used_at.map(|at| at.0),
    }
}

fn bound(person: Option<&SignedIn>, site: &Site) -> Bound {
    Bound {
        session: person.map(|person| person.session.clone()),
        site: site.clone(),
    }
}

fn of_account(person: &SignedIn) -> Place {
    Place {
        known: true,
        name: format!("account {}", person.account.id),
    }
}

/// By what authenticators know an account: the same for all its passkeys, and nothing that tells who it is.
fn user_handle(account: &str) -> Uuid {
    let mut hash = Sha256::new();
    hash.update(b"flash-node passkey user v1");
    hash.update(account.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    Uuid::from_bytes(bytes)
}

fn read_new(credential: Value) -> Option<RegisterPublicKeyCredential> {
    serde_json::from_value(credential).ok()
}

/// What cannot be begun at a name is not for passkeys.
fn not_begun(error: &WebauthnError) -> AccountError {
    tracing::error!(%error, "a passkey could not be asked for");
    AccountError::NoName
}
