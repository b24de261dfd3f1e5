//! Owns signing in by a passkey, and being asked again by one.
//!
//! An authenticator that verified its owner is two factors: no password and no code is asked for after it. Guesses at
//! passwords make nobody wait here; each place has a lane of its own for passkeys that were refused.

use serde_json::Value;
use serde_json::json;
use webauthn_rs::prelude::DiscoverableAuthentication;
use webauthn_rs::prelude::PublicKeyCredential;
use webauthn_rs::prelude::WebauthnError;

use super::Ceremony;
use super::bound;
use super::ceremony::LIVES;
use super::ceremony::Place;
use super::not_begun;
use super::of_account;
use super::repo;
use super::repo::KeptPasskey;
use super::site::Site;
use super::user_handle;
use crate::account::Accounts;
use crate::account::Entered;
use crate::account::Opened;
use crate::account::Origin;
use crate::account::SignedIn;
use crate::account::error::AccountError;
use crate::account::lock;
use crate::account::repo as people;

/// A passkey that was shown and is right.
struct Right {
    passkey: KeptPasskey,
    /// What is kept of it from now on: its counter went up.
    credential: String,
}

impl Accounts {
    /// Begins to sign somebody in, whoever it is: the authenticator says.
    pub fn begin_passkey_sign_in(
        &self,
        site: &Site,
        origin: &Origin,
    ) -> Result<Ceremony, AccountError> {
        let opened = self.opened()?;
        let place = self.place_of(&opened, origin)?;
        let checker = site.checker(LIVES);
        let (options, state) = checker
            .and_then(|checker| checker.start_discoverable_authentication())
            .map_err(|error| not_begun(&error))?;
        let id = self.new_ceremony();
        lock(&self.unfinished.entering).begin(
            id.clone(),
            state,
            bound(None, site),
            place,
            self.clock.monotonic(),
        );
        let options = json!(options.public_key);
        Ok(Ceremony { id, options })
    }

    /// Signs in whoever the passkey belongs to.
    ///
    /// Errors: [`AccountError::CeremonyOver`], [`AccountError::WrongPasskey`], [`AccountError::PasskeyCopied`],
    /// [`AccountError::TooManyAttempts`].
    pub fn sign_in_by_passkey(
        &self,
        site: &Site,
        ceremony: &str,
        credential: Value,
        origin: &Origin,
    ) -> Result<Entered, AccountError> {
        let opened = self.opened()?;
        let place = self.place_of(&opened, origin)?;
        let state = self.take(ceremony, None, site)?;
        // No password is tried from a place that is called so.
        let lane = (String::new(), format!("passkey {}", place.name));
        self.begin(&lane)?;
        // What is nobody's costs whoever shows it nothing: it takes no room in the log either.
        let found = self.find(&opened, site, credential, None)?;
        let entered = self
            .look_at(&opened, site, state, found, None)
            .and_then(|right| {
                self.write_in(&opened, |tx| {
                    let sql = |e| opened.sql(e);
                    self.use_in_tx(tx, &opened, &right)?;
                    let kept = people::account_in_tx(tx, &right.passkey.account)
                        .map_err(sql)?
                        .ok_or(AccountError::WrongPasskey)?;
                    let text = format!(
                        "{} signed in by the passkey {} from {}",
                        kept.name, right.passkey.label, origin.address
                    );
                    self.note_in_tx(tx, &opened, (&kept.name, "signed_in", &text))?;
                    self.enter_in_tx(tx, &opened, kept, origin)
                })
            });
        match &entered {
            Ok(_) => self.lanes().succeed(&lane),
            Err(AccountError::WrongPasskey) => {
                let text = format!(
                    "somebody at {} showed a passkey that was refused",
                    origin.address
                );
                self.note_refused_passkey(&opened, &text);
            }
            Err(_) => {}
        }
        entered
    }

    /// Begins to ask a person again, by one of the passkeys that are for this name.
    ///
    /// Errors: [`AccountError::NoPasskey`].
    pub fn begin_passkey_confirmation(
        &self,
        person: &SignedIn,
        site: &Site,
    ) -> Result<Ceremony, AccountError> {
        let opened = self.opened()?;
        let mine = self.read_in(&opened, |tx| repo::passkeys_in_tx(tx, &person.account.id))?;
        let there = mine.iter().filter(|one| one.site == site.name());
        let there: Vec<_> = there.filter_map(KeptPasskey::read).collect();
        if there.is_empty() {
            return Err(AccountError::NoPasskey);
        }
        let begun = site.checker(LIVES).and_then(|checker| {
            let (mut options, state) = checker.start_discoverable_authentication()?;
            // What is looked at is what is kept then, not now: only the list is taken from here.
            let (listed, _) = checker.start_passkey_authentication(&there)?;
            options.public_key.allow_credentials = listed.public_key.allow_credentials;
            Ok((options, state))
        });
        let (options, state) = begun.map_err(|error| not_begun(&error))?;
        let id = self.new_ceremony();
        lock(&self.unfinished.entering).begin(
            id.clone(),
            state,
            bound(Some(person), site),
            of_account(person),
            self.clock.monotonic(),
        );
        let options = json!(options.public_key);
        Ok(Ceremony { id, options })
    }

    /// Asks a person again by a passkey, and renews the session's value.
    ///
    /// Errors: those of [`Accounts::sign_in_by_passkey`].
    pub fn confirm_by_passkey(
        &self,
        person: &SignedIn,
        site: &Site,
        ceremony: &str,
        credential: Value,
    ) -> Result<Entered, AccountError> {
        let opened = self.opened()?;
        let state = self.take(ceremony, Some(person), site)?;
        let lane = (
            person.account.id.clone(),
            format!("passkey {}", person.session),
        );
        self.begin(&lane)?;
        let whose = Some(person.account.id.as_str());
        let found = self.find(&opened, site, credential, whose)?;
        let right = self.look_at(&opened, site, state, found, whose)?;
        let entered = self.write_in(&opened, |tx| {
            self.use_in_tx(tx, &opened, &right)?;
            let kept = people::account_in_tx(tx, &right.passkey.account)
                .map_err(|e| opened.sql(e))?
                .ok_or(AccountError::WrongPasskey)?;
            self.renew_in_tx(tx, &opened, &person.session, &kept)
        })?;
        self.lanes().succeed(&lane);
        Ok(entered)
    }

    fn take(
        &self,
        ceremony: &str,
        person: Option<&SignedIn>,
        site: &Site,
    ) -> Result<DiscoverableAuthentication, AccountError> {
        let now = self.clock.monotonic();
        lock(&self.unfinished.entering)
            .take(ceremony, &bound(person, site), now)
            .ok_or(AccountError::CeremonyOver)
    }

    /// Finds where somebody is: a browser that somebody signed in with before is known, wherever it is.
    fn place_of(&self, opened: &Opened, origin: &Origin) -> Result<Place, AccountError> {
        if let Some(mark) = &origin.mark {
            let everybody = self.read_in(opened, people::account_ids_in_tx)?;
            if everybody.iter().any(|id| opened.marked(id, mark)) {
                return Ok(Place {
                    known: true,
                    name: format!("mark {mark}"),
                });
            }
        }
        Ok(Place {
            known: false,
            name: origin.place(),
        })
    }

    /// Finds the passkey that an authenticator answered with; `whose` says of whom alone it may be, where that is known.
    fn find(
        &self,
        opened: &Opened,
        site: &Site,
        credential: Value,
        whose: Option<&str>,
    ) -> Result<(PublicKeyCredential, KeptPasskey), AccountError> {
        let shown: PublicKeyCredential =
            serde_json::from_value(credential).map_err(|_| AccountError::WrongPasskey)?;
        let handle = shown.get_credential_id();
        let found = self.read_in(opened, |tx| {
            repo::passkey_of_handle_in_tx(tx, site.name(), handle)
        })?;
        let passkey = found
            .filter(|found| whose.is_none_or(|whose| whose == found.account))
            .ok_or(AccountError::WrongPasskey)?;
        Ok((shown, passkey))
    }

    /// Looks at what an authenticator answered with a passkey that is known.
    fn look_at(
        &self,
        opened: &Opened,
        site: &Site,
        state: DiscoverableAuthentication,
        (shown, passkey): (PublicKeyCredential, KeptPasskey),
        whose: Option<&str>,
    ) -> Result<Right, AccountError> {
        if embedded(&shown.response.client_data_json) {
            return Err(AccountError::WrongPasskey);
        }
        // Who was known before need not be named; whoever is named must be the one.
        let named = shown.get_user_unique_id();
        let expected = user_handle(&passkey.account);
        let fits = named.map_or(whose.is_some(), |named| named == expected.as_bytes());
        let mut kept = passkey.read().filter(|_| fits);
        let kept = kept.as_mut().ok_or(AccountError::WrongPasskey)?;
        let looked = site.checker(LIVES).and_then(|checker| {
            checker.finish_discoverable_authentication_v2(&shown, state, &*kept)
        });
        let looked = match looked {
            Ok(looked) if looked.user_verified() => looked,
            Ok(_) => return Err(AccountError::WrongPasskey),
            Err(WebauthnError::CredentialPossibleCompromise) => {
                return Err(self.copied(opened, &passkey));
            }
            Err(error) => {
                tracing::warn!(%error, passkey.id, "a passkey was refused");
                return Err(AccountError::WrongPasskey);
            }
        };
        kept.update_credential(&looked);
        let credential = serde_json::to_string(kept).map_err(|_| AccountError::WrongPasskey)?;
        Ok(Right {
            passkey,
            credential,
        })
    }

    /// Its counter did not go up: it was used elsewhere, by what has the same key.
    fn copied(&self, opened: &Opened, passkey: &KeptPasskey) -> AccountError {
        let text = format!(
            "the passkey {} for {} was refused: its counter went back, so there may be a copy of it",
            passkey.label, passkey.site
        );
        let text = match self.read_in(opened, |tx| people::account_in_tx(tx, &passkey.account)) {
            Ok(Some(kept)) => format!("{text}; it belongs to {}", kept.name),
            _ => text,
        };
        self.note_refused_passkey(opened, &text);
        AccountError::PasskeyCopied
    }

    /// A refusal is written down; where the disk takes nothing, the log of the daemon has it.
    fn note_refused_passkey(&self, opened: &Opened, text: &str) {
        let noted = self.write_in(opened, |tx| {
            self.note_in_tx(tx, opened, ("nobody", "passkey_refused", text))
        });
        if let Err(error) = noted {
            tracing::warn!(%error, "{text}; the audit log took nothing");
        }
    }

    /// Keeps the counter, and looks whether the passkey is still what was looked at: two uses of one counter are none.
    fn use_in_tx(
        &self,
        tx: &rusqlite::Transaction<'_>,
        opened: &Opened,
        right: &Right,
    ) -> Result<(), AccountError> {
        let used = repo::use_passkey_in_tx(tx, &right.passkey, &right.credential, self.now())
            .map_err(|e| opened.sql(e))?;
        used.then_some(()).ok_or(AccountError::WrongPasskey)
    }
}

impl KeptPasskey {
    /// Reads what `webauthn-rs` keeps of it; nothing where another release wrote what this one cannot read.
    fn read(&self) -> Option<webauthn_rs::prelude::Passkey> {
        serde_json::from_str(&self.credential).ok()
    }
}

/// Whether a page of another site had this page in a frame. `webauthn-rs` looks at it for new passkeys alone.
fn embedded(client_data: &[u8]) -> bool {
    let read: Option<Value> = serde_json::from_slice(client_data).ok();
    read.is_none_or(|read| read["crossOrigin"] == json!(true) || !read["topOrigin"].is_null())
}
