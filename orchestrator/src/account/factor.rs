//! Owns setting up and taking away a person's second factor, and the recovery codes that stand in for it.

use super::Accounts;
use super::SignedIn;
use super::error::AccountError;
use super::people::unknown;
use super::recovery_codes;
use super::repo;
use super::second_factor;
use super::second_factor::NewFactor;

impl Accounts {
    /// Makes a key for a second factor; it counts only once a first code of it was typed.
    pub fn begin_factor(&self, person: &SignedIn) -> Result<NewFactor, AccountError> {
        let opened = self.opened()?;
        let key = second_factor::make(&*self.entropy);
        let id = &person.account.id;
        self.write_in(&opened, |tx| {
            let sql = |e| opened.sql(e);
            let mut kept = repo::account_in_tx(tx, id)
                .map_err(sql)?
                .ok_or_else(|| unknown(id))?;
            kept.factor_new = Some(key.to_vec());
            repo::keep_account_in_tx(tx, &kept).map_err(sql)?;
            Ok(second_factor::show(&key, &kept.name))
        })
    }

    /// Takes the new key into use, and returns new recovery codes, which are shown once.
    ///
    /// Errors: [`AccountError::NoSecondFactorBegun`], [`AccountError::WrongSecondFactor`].
    pub fn confirm_factor(
        &self,
        person: &SignedIn,
        code: &str,
    ) -> Result<Vec<String>, AccountError> {
        let opened = self.opened()?;
        let id = &person.account.id;
        let now = self.now();
        self.write_in(&opened, |tx| {
            let sql = |e| opened.sql(e);
            let mut kept = repo::account_in_tx(tx, id)
                .map_err(sql)?
                .ok_or_else(|| unknown(id))?;
            let key = kept
                .factor_new
                .take()
                .ok_or(AccountError::NoSecondFactorBegun)?;
            let step = second_factor::step(&key, code.trim(), now)
                .ok_or(AccountError::WrongSecondFactor)?;
            kept.factor = Some(key);
            kept.factor_step = step;
            repo::keep_account_in_tx(tx, &kept).map_err(sql)?;
            let (codes, hashes) = recovery_codes(&*self.entropy);
            repo::replace_codes_in_tx(tx, id, &hashes).map_err(sql)?;
            let text = format!("{} set up a second factor", kept.name);
            self.note_in_tx(tx, &opened, (&kept.name, "second_factor_set", &text))?;
            Ok(codes)
        })
    }

    /// Takes the second factor away. Errors: [`AccountError::NoSecondFactor`].
    pub fn drop_factor(&self, person: &SignedIn) -> Result<(), AccountError> {
        let opened = self.opened()?;
        let id = &person.account.id;
        self.write_in(&opened, |tx| {
            let sql = |e| opened.sql(e);
            let mut kept = repo::account_in_tx(tx, id)
                .map_err(sql)?
                .ok_or_else(|| unknown(id))?;
            if kept.factor.take().is_none() {
                return Err(AccountError::NoSecondFactor);
            }
            kept.factor_new = None;
            repo::keep_account_in_tx(tx, &kept).map_err(sql)?;
            repo::replace_codes_in_tx(tx, id, &[]).map_err(sql)?;
            let text = format!("{} took the second factor away", kept.name);
            self.note_in_tx(tx, &opened, (&kept.name, "second_factor_dropped", &text))
        })
    }

    /// Makes new recovery codes, which are shown once; the old ones are worth nothing from then on.
    ///
    /// Errors: [`AccountError::NoSecondFactor`].
    pub fn replace_recovery_codes(&self, person: &SignedIn) -> Result<Vec<String>, AccountError> {
        let opened = self.opened()?;
        let id = &person.account.id;
        self.write_in(&opened, |tx| {
            let sql = |e| opened.sql(e);
            let kept = repo::account_in_tx(tx, id)
                .map_err(sql)?
                .ok_or_else(|| unknown(id))?;
            if kept.factor.is_none() {
                return Err(AccountError::NoSecondFactor);
            }
            let (codes, hashes) = recovery_codes(&*self.entropy);
            repo::replace_codes_in_tx(tx, id, &hashes).map_err(sql)?;
            let text = format!("{} made new recovery codes", kept.name);
            self.note_in_tx(tx, &opened, (&kept.name, "recovery_codes_replaced", &text))?;
            Ok(codes)
        })
    }
}
