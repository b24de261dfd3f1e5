//! Owns which requests with a key of their asker's were begun and carried out, so that none is carried out twice.
//!
//! What was answered is not kept here: answers may hold what is shown once. It does not know HTTP.

mod repo;

use std::time::Duration;

use super::Accounts;
use super::Principal;
use super::error::AccountError;

/// How long a request is remembered.
pub const REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);
/// How many of one asker are remembered: the newest.
pub(super) const NEWEST: u32 = 10_000;

/// What is known of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    /// Nothing was: it is noted as begun from now on.
    Now,
    /// It was begun, and nobody wrote down how it ended.
    Before,
    /// It was carried out, and answered with this status.
    Done(u16),
}

impl Principal {
    /// Returns what keys of this principal are kept apart by.
    #[must_use]
    pub fn asker(&self) -> String {
        match self {
            Self::Machine => "machine".to_owned(),
            Self::Person(person) => format!("account {}", person.account.id),
            Self::Program { token, .. } => format!("token {token}"),
        }
    }
}

impl Accounts {
    /// Notes that `asker` began what it calls `key`, or says what is known of it.
    ///
    /// Errors: [`AccountError::Sealed`]: then nothing can be promised.
    pub fn begin_request(&self, asker: &str, key: &str) -> Result<Begun, AccountError> {
        let opened = self.opened()?;
        let now = self.now();
        self.write_in(&opened, |tx| {
            repo::forget_requests_in_tx(tx, asker, now.minus(REMEMBERED), NEWEST)
                .map_err(|e| opened.sql(e))?;
            let found = repo::request_in_tx(tx, asker, key).map_err(|e| opened.sql(e))?;
            Ok(match found {
                Some(Some(status)) => Begun::Done(status),
                Some(None) => Begun::Before,
                None => {
                    repo::begin_request_in_tx(tx, asker, key, now).map_err(|e| opened.sql(e))?;
                    Begun::Now
                }
            })
        })
    }

    /// Notes how a request ended: carried out with a status, or refused, so that it may be asked again.
    pub fn end_request(
        &self,
        asker: &str,
        key: &str,
        status: Option<u16>,
    ) -> Result<(), AccountError> {
        let opened = self.opened()?;
        self.write_in(&opened, |tx| {
            match status {
                Some(status) => repo::end_request_in_tx(tx, asker, key, status),
                None => repo::drop_request_in_tx(tx, asker, key),
            }
            .map_err(|e| opened.sql(e))?;
            Ok(())
        })
    }
}
