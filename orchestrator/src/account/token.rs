//! Owns tokens: what programs use the node with. Each has a role of its own, an end, and is shown once.

use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

use super::Accounts;
use super::Principal;
use super::SEEN_EVERY;
use super::code;
use super::error::AccountError;
use super::page::Page;
use super::page::Wanted;
use super::people;
use super::repo;
use super::repo::KeptToken;
use super::role::Role;
use super::used::Used;
use crate::secret::SecretBytes;

/// How many days a token lives.
const DAYS: std::ops::RangeInclusive<u64> = 1..=365;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// What every token begins with, so that one that leaked is recognised.
const PREFIX: &str = "flash_";

/// A token to be made.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// What it is called in lists and in the audit log.
    pub name: String,
    /// What it may do; never more than who makes it.
    pub role: Role,
    /// How long it lives. Units: days, 1 to 365.
    pub days: u64,
}

/// A token, as the API shows it: without its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Token {
    /// Names it in paths. Shape: 16 hexadecimal digits.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Units: milliseconds since the Unix epoch.
    pub created_at: u64,
    /// Units: milliseconds since the Unix epoch.
    pub expires_at: u64,
    /// Units: milliseconds since the Unix epoch, to the minute; null where it was never used.
    pub used_at: Option<u64>,
}

impl Accounts {
    /// Makes a token and returns its value, which is shown once. It ends with its maker's account, role or password; one
    /// that is made at the machine with the oldest owner's.
    ///
    /// Errors: [`AccountError::BadToken`]; [`AccountError::NotAllowed`] where it could do more than its maker, or where a
    /// program makes it; [`AccountError::NotSetUp`] where nobody owns the node.
    pub fn add_token(
        &self,
        by: &Principal,
        new: &NewToken,
    ) -> Result<(SecretBytes, Token), AccountError> {
        let opened = self.opened()?;
        if !DAYS.contains(&new.days) || people::check_name(&new.name).is_err() {
            return Err(AccountError::BadToken);
        }
        let account = match by {
            Principal::Machine => {
                let owner = self.read_in(&opened, repo::oldest_owner_in_tx)?;
                owner.ok_or(AccountError::NotSetUp)?
            }
            Principal::Person(person) if person.account.role.covers(new.role) => {
                person.account.id.clone()
            }
            Principal::Person(_) | Principal::Program { .. } => {
                return Err(AccountError::NotAllowed);
            }
        };
        let random = code::value(&*self.entropy);
        let value = SecretBytes::from(format!(
            "{PREFIX}{}",
            random.expose_text().unwrap_or_default()
        ));
        let now = self.now();
        let lives = DAY.saturating_mul(u32::try_from(new.days).unwrap_or(u32::MAX));
        let kept = KeptToken {
            id: code::id(&*self.entropy),
            account,
            name: new.name.clone(),
            role: new.role,
            created_at: now,
            expires_at: now.plus(lives),
            used_at: None,
        };
        self.write_in(&opened, |tx| {
            repo::add_token_in_tx(tx, &kept, &code::hash(value.expose()))
                .map_err(|e| opened.sql(e))?;
            let days = if new.days == 1 { "day" } else { "days" };
            let text = format!(
                "token {} was made for {} {days}, as {}",
                new.name,
                new.days,
                new.role.as_str()
            );
            self.note_in_tx(tx, &opened, (&by.actor(), "token_made", &text))
        })?;
        Ok((value, shown(kept)))
    }

    /// Lists tokens, oldest first.
    pub fn tokens(&self, wanted: &Wanted) -> Result<Page<Token>, AccountError> {
        let kept = self.read(|tx| repo::tokens_in_tx(tx, wanted))?;
        kept.map(|one| Ok(shown(one)))
    }

    /// Takes a token back.
    pub fn drop_token(&self, by: &Principal, id: &str) -> Result<(), AccountError> {
        let opened = self.opened()?;
        self.write_in(&opened, |tx| {
            if !repo::drop_token_in_tx(tx, id).map_err(|e| opened.sql(e))? {
                return Err(AccountError::Unknown {
                    what: "token",
                    id: id.to_owned(),
                });
            }
            let text = format!("token {id} was taken back");
            self.note_in_tx(tx, &opened, (&by.actor(), "token_dropped", &text))
        })
    }

    /// Finds the program that holds a token; nothing where it is over or was never one.
    pub fn program(&self, value: &str) -> Result<Option<Principal>, AccountError> {
        let opened = self.opened()?;
        if !value.starts_with(PREFIX) {
            return Ok(None);
        }
        let hash = code::hash(value.as_bytes());
        let now = self.now();
        let found = self.read_in(&opened, |tx| repo::token_by_hash_in_tx(tx, &hash))?;
        let Some(kept) = found.filter(|kept| now < kept.expires_at) else {
            return Ok(None);
        };
        if kept.used_at.is_none_or(|used| now.since(used) > SEEN_EVERY) {
            self.note_use(&opened, Used::Token(kept.id.clone()));
        }
        Ok(Some(Principal::Program {
            token: kept.id,
            name: kept.name,
            role: kept.role,
        }))
    }
}

fn shown(kept: KeptToken) -> Token {
    Token {
        id: kept.id,
        name: kept.name,
        role: kept.role,
        created_at: kept.created_at.0,
        expires_at: kept.expires_at.0,
        used_at: kept.used_at.map(|at| at.0),
    }
}
