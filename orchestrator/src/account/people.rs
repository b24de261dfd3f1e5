//! Owns the accounts themselves: adding, changing and deleting people, and what each changes of their own.

use rusqlite::Transaction;

use super::Account;
use super::Accounts;
use super::Opened;
use super::Principal;
use super::SignedIn;
use super::code;
use super::error::AccountError;
use super::page::Page;
use super::page::Wanted;
use super::passkey;
use super::password;
use super::repo;
use super::repo::Kept;
use super::role::Role;
use super::shown_in_tx;
use crate::secret::SecretBytes;

/// The longest name. Units: characters.
const LONGEST_NAME: usize = 64;

/// A person to be added.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// What the person signs in by.
    pub name: String,
    /// What the person may do.
    pub role: Role,
    /// The password, to be changed by the person.
    pub password: SecretBytes,
    /// The language tag.
    pub language: String,
}

/// What is changed of an account; nothing where a field is empty.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// Another role.
    pub role: Option<Role>,
    /// Another password; it ends every session, token and passkey of the account.
    pub password: Option<SecretBytes>,
}

impl Accounts {
    /// Lists accounts, oldest first.
    pub fn accounts(&self, wanted: &Wanted) -> Result<Page<Account>, AccountError> {
        self.read(|tx| {
            let kept = repo::accounts_in_tx(tx, wanted)?;
            kept.map(|one| shown_in_tx(tx, &one))
        })
    }

    /// Adds a person. Errors: [`AccountError::NameTaken`] and what is wrong with name or password.
    pub fn add_account(&self, by: &Principal, new: NewAccount) -> Result<Account, AccountError> {
        let opened = self.opened()?;
        let kept = self.new_account(new)?;
        self.write_in(&opened, |tx| {
            let text = format!("{} was added as {}", kept.name, kept.role.as_str());
            self.note_in_tx(tx, &opened, (&by.actor(), "account_added", &text))?;
            add_in_tx(tx, &opened, &kept)?;
            Ok(shown_in_tx(tx, &kept).map_err(|e| opened.sql(e))?)
        })
    }

    /// Changes another's role or password.
    ///
    /// Errors: [`AccountError::LastOwner`] where nobody would own the node.
    pub fn change_account(
        &self,
        by: &Principal,
        id: &str,
        changes: &Changes,
    ) -> Result<Account, AccountError> {
        let opened = self.opened()?;
        let before = self
            .read_in(&opened, |tx| repo::account_in_tx(tx, id))?
            .ok_or_else(|| unknown(id))?;
        let hash = match &changes.password {
            None => None,
            Some(new) => {
                password::check(new, &before.name)?;
                Some(self.cost().hash(new, &*self.entropy))
            }
        };
        self.write_in(&opened, |tx| {
            let sql = |e| opened.sql(e);
            let mut kept = repo::account_in_tx(tx, id)
                .map_err(sql)?
                .ok_or_else(|| unknown(id))?;
            if let Some(role) = changes.role.filter(|role| *role != kept.role) {
                if kept.role == Role::Owner && repo::owners_in_tx(tx).map_err(sql)? == 1 {
                    return Err(AccountError::LastOwner);
                }
                let text = format!("{} became {}", kept.name, role.as_str());
                self.note_in_tx(tx, &opened, (&by.actor(), "role_changed", &text))?;
                if !role.covers(kept.role) {
                    // A token made while its owner could do more must not outlive that.
                    repo::drop_tokens_of_in_tx(tx, id).map_err(sql)?;
                }
                kept.role = role;
            }
            if let Some(hash) = hash {
                kept.password = hash;
                repo::drop_other_sessions_in_tx(tx, id, None).map_err(sql)?;
                repo::drop_tokens_of_in_tx(tx, id).map_err(sql)?;
                passkey::drop_passkeys_of_in_tx(tx, id).map_err(sql)?;
                let text = format!("the password of {} was replaced", kept.name);
                self.note_in_tx(tx, &opened, (&by.actor(), "password_replaced", &text))?;
            }
            repo::keep_account_in_tx(tx, &kept).map_err(sql)?;
            Ok(shown_in_tx(tx, &kept).map_err(sql)?)
        })
    }

    /// Deletes a person, with every session, token and passkey. Errors: [`AccountError::LastOwner`].
    pub fn drop_account(&self, by: &Principal, id: &str) -> Result<(), AccountError> {
        let opened = self.opened()?;
        self.write_in(&opened, |tx| {
            let sql = |e| opened.sql(e);
            let kept = repo::account_in_tx(tx, id)
                .map_err(sql)?
                .ok_or_else(|| unknown(id))?;
            if kept.role == Role::Owner && repo::owners_in_tx(tx).map_err(sql)? == 1 {
                return Err(AccountError::LastOwner);
            }
            repo::drop_account_in_tx(tx, id).map_err(sql)?;
            let text = format!("{} was deleted", kept.name);
            self.note_in_tx(tx, &opened, (&by.actor(), "account_deleted", &text))
        })
    }

    /// Gives an account a new password and takes its second factor, passkeys, sessions and tokens away: for whoever stands
    /// at the machine and cannot sign in any more.
    pub fn reset(&self, name: &str, new: &SecretBytes) -> Result<Account, AccountError> {
        let opened = self.opened()?;
        let found = self.read_in(&opened, |tx| repo::account_named_in_tx(tx, name))?;
        let found = found.ok_or_else(|| unknown(name))?;
        password::check(new, &found.name)?;
        let hash = self.cost().hash(new, &*self.entropy);
        self.write_in(&opened, |tx| {
            let sql = |e| opened.sql(e);
            let mut kept = repo::account_in_tx(tx, &found.id)
                .map_err(sql)?
                .ok_or_else(|| unknown(name))?;
            kept.password = hash;
            kept.factor = None;
            kept.factor_new = None;
            repo::keep_account_in_tx(tx, &kept).map_err(sql)?;
            repo::replace_codes_in_tx(tx, &kept.id, &[]).map_err(sql)?;
            repo::drop_other_sessions_in_tx(tx, &kept.id, None).map_err(sql)?;
            repo::drop_tokens_of_in_tx(tx, &kept.id).map_err(sql)?;
            passkey::drop_passkeys_of_in_tx(tx, &kept.id).map_err(sql)?;
            let text = format!("{} was reset at the machine", kept.name);
            self.note_in_tx(tx, &opened, ("machine", "account_reset", &text))?;
            Ok(shown_in_tx(tx, &kept).map_err(sql)?)
        })
    }

    /// Changes one's own password, and ends every other session and every token of the account. Passkeys stay.
    ///
    /// Errors: [`AccountError::WrongCredentials`] where `current` is another.
    pub fn change_password(
        &self,
        person: &SignedIn,
        current: &SecretBytes,
        new: &SecretBytes,
    ) -> Result<(), AccountError> {
        let opened = self.opened()?;
        let id = &person.account.id;
        let lane = (id.clone(), person.session.clone());
        self.lanes()
            .begin(&lane, self.clock.monotonic())
            .map_err(|wait| AccountError::TooManyAttempts { wait })?;
        let kept = self.read_in(&opened, |tx| repo::account_in_tx(tx, id))?;
        let looked_at = self
            .look(kept, current, true)?
            .ok_or(AccountError::WrongCredentials)?;
        password::check(new, &looked_at.name)?;
        let hash = self.cost().hash(new, &*self.entropy);
        self.write_in(&opened, |tx| {
            let sql = |e| opened.sql(e);
            let mut kept = repo::account_in_tx(tx, id)
                .map_err(sql)?
                .filter(|kept| kept.password == looked_at.password)
                .ok_or(AccountError::WrongCredentials)?;
            kept.password = hash;
            repo::keep_account_in_tx(tx, &kept).map_err(sql)?;
            repo::drop_other_sessions_in_tx(tx, id, Some(&person.session)).map_err(sql)?;
            // Whoever knew the old one may have made them.
            repo::drop_tokens_of_in_tx(tx, id).map_err(sql)?;
            let text = format!("{} changed the password", kept.name);
            self.note_in_tx(tx, &opened, (&kept.name, "password_changed", &text))
        })?;
        self.lanes().succeed(&lane);
        Ok(())
    }

    /// Chooses one's own language.
    pub fn set_language(&self, person: &SignedIn, language: &str) -> Result<(), AccountError> {
        check_language(language)?;
        let opened = self.opened()?;
        let id = &person.account.id;
        self.write_in(&opened, |tx| {
            let sql = |e| opened.sql(e);
            let mut kept = repo::account_in_tx(tx, id)
                .map_err(sql)?
                .ok_or_else(|| unknown(id))?;
            language.clone_into(&mut kept.language);
            Ok(repo::keep_account_in_tx(tx, &kept).map_err(sql)?)
        })
    }

    /// Checks what a new account is made of, and hashes its password.
    pub(super) fn new_account(&self, new: NewAccount) -> Result<Kept, AccountError> {
        check_name(&new.name)?;
        check_language(&new.language)?;
        password::check(&new.password, &new.name)?;
        Ok(Kept {
            id: code::id(&*self.entropy),
            name: new.name,
            role: new.role,
            language: new.language,
            password: self.cost().hash(&new.password, &*self.entropy),
            factor: None,
            factor_new: None,
            factor_step: 0,
            created_at: self.now(),
            signed_in_at: None,
        })
    }
}

/// Adds an account whose name is nobody's.
pub(super) fn add_in_tx(
    tx: &Transaction<'_>,
    opened: &Opened,
    kept: &Kept,
) -> Result<(), AccountError> {
    if repo::account_named_in_tx(tx, &kept.name)
        .map_err(|e| opened.sql(e))?
        .is_some()
    {
        return Err(AccountError::NameTaken(kept.name.clone()));
    }
    Ok(repo::keep_account_in_tx(tx, kept).map_err(|e| opened.sql(e))?)
}

pub(super) fn unknown(id: &str) -> AccountError {
    AccountError::Unknown {
        what: "account",
        id: id.to_owned(),
    }
}

/// A name is shown in lists and logs: nothing in it may pass for something else.
pub(super) fn check_name(name: &str) -> Result<(), AccountError> {
    let length = name.chars().count();
    let fits = (1..=LONGEST_NAME).contains(&length);
    // In the audit log these name no person, or begin what names a program or an address.
    let plain = name.to_lowercase();
    let reserved = ["machine", "nobody"].contains(&plain.as_str())
        || ["token ", "somebody at "]
            .iter()
            .any(|head| plain.starts_with(head));
    if fits && !reserved && name.trim() == name && !name.chars().any(char::is_control) {
        return Ok(());
    }
    Err(AccountError::BadName)
}

/// Source: BCP 47, as far as a page needs it.
fn check_language(language: &str) -> Result<(), AccountError> {
    let fits = (2..=16).contains(&language.len())
        && language
            .split('-')
            .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric()));
    if fits {
        return Ok(());
    }
    Err(AccountError::BadLanguage(
        language.chars().take(16).collect(),
    ))
}
