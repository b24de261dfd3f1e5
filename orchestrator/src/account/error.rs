//! Owns why an account's request was refused, each with what to do next.
//!
//! It does not know HTTP; `http::error` gives each code its status.

use std::time::Duration;

use crate::account::passkey::MOST;
use crate::account::password::LONGEST;
use crate::account::password::SHORTEST;
use crate::store::StoreError;

/// Why something was refused. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The vault, which holds every account, is sealed or was never made.
    #[error("the node is locked, so nobody can sign in")]
    Sealed,
    /// There is an owner already.
    #[error("this node is set up already")]
    AlreadySetUp,
    /// Nobody set it up yet.
    #[error("this node is not set up yet")]
    NotSetUp,
    /// The one-time code is another.
    #[error("this is not the set-up code")]
    WrongSetUpCode,
    /// A name that nobody can be told apart by.
    #[error(
        "a name has 1 to 64 characters, begins and ends with none that is blank, and holds no control characters"
    )]
    BadName,
    /// Somebody is called so.
    #[error("somebody is called {0} already")]
    NameTaken(String),
    /// No message file speaks it.
    #[error("`{0}` is no language tag such as en, nl or es")]
    BadLanguage(String),
    /// A password that is guessed soon.
    #[error("the password has {found} characters; at least {SHORTEST} are needed")]
    PasswordTooShort {
        /// How many it has.
        found: usize,
    },
    /// A password longer than any person's.
    #[error("the password is longer than {LONGEST} bytes")]
    PasswordTooLong,
    /// A password that everybody would try first.
    #[error("the password is the account's name")]
    PasswordIsName,
    /// Name or password is wrong; which one is not said.
    #[error("the name or the password is wrong")]
    WrongCredentials,
    /// The password is right, and a code is needed too.
    #[error("a code of the second factor is needed")]
    SecondFactorNeeded,
    /// The code is wrong, too old, or was used before.
    #[error("this code is wrong, too old or was used already")]
    WrongSecondFactor,
    /// No new key is waiting for its first code.
    #[error("no second factor is being set up")]
    NoSecondFactorBegun,
    /// It has none.
    #[error("this account has no second factor")]
    NoSecondFactor,
    /// It came by an address, or by a name that browsers do not trust.
    #[error("passkeys work by a name of the node alone, and this is none that can have any")]
    NoName,
    /// What an authenticator made is none for this name.
    #[error("this is no new passkey for this name of the node")]
    BadPasskey,
    /// It is somebody's already.
    #[error("this passkey is known already")]
    PasskeyKnown,
    /// There is no room for another.
    #[error("an account has at most {MOST} passkeys")]
    TooManyPasskeys,
    /// Its owner must tell it apart.
    #[error("a passkey is called by 1 to 64 characters without control characters")]
    BadLabel,
    /// It is nobody's, or what it signed is not what was asked.
    #[error("this passkey was not accepted")]
    WrongPasskey,
    /// Its counter did not go up.
    #[error("this passkey was not accepted: there may be a copy of it")]
    PasskeyCopied,
    /// There is none to be asked for.
    #[error("you have no passkey for this name of the node")]
    NoPasskey,
    /// It was never begun here, was finished before, or took too long.
    #[error("this was not begun here, is finished already, or took longer than five minutes")]
    CeremonyOver,
    /// Too many failed attempts from there.
    #[error("too many attempts failed; the next one is looked at in {} s", .wait.as_secs().max(1))]
    TooManyAttempts {
        /// How long to wait.
        wait: Duration,
    },
    /// Nobody is signed in.
    #[error("nobody is signed in")]
    SignedOut,
    /// The role does not allow it.
    #[error("your role does not allow this")]
    NotAllowed,
    /// It was not shown lately that it is still the same person.
    #[error("this needs your password again")]
    ConfirmNeeded,
    /// There is no such account, session, token or passkey.
    #[error("there is no {what} `{id}`")]
    Unknown {
        /// What was looked for.
        what: &'static str,
        /// Its id.
        id: String,
    },
    /// Nobody would be left who may do everything.
    #[error("this is the last owner; somebody must own the node")]
    LastOwner,
    /// A token may not outlive this, nor be over before it begins.
    #[error("a token lives 1 to 365 days, and is called by 1 to 64 characters")]
    BadToken,
    /// The database refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl AccountError {
    /// Returns the machine code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Sealed => "vault_sealed",
            Self::AlreadySetUp => "already_set_up",
            Self::NotSetUp => "not_set_up",
            Self::WrongSetUpCode => "wrong_setup_code",
            Self::BadName => "bad_name",
            Self::NameTaken(_) => "name_taken",
            Self::BadLanguage(_) => "bad_language",
            Self::PasswordTooShort { .. } => "password_too_short",
            Self::PasswordTooLong => "password_too_long",
            Self::PasswordIsName => "password_is_name",
            Self::WrongCredentials => "wrong_credentials",
            Self::SecondFactorNeeded => "second_factor_needed",
            Self::WrongSecondFactor => "wrong_second_factor",
            Self::NoSecondFactorBegun => "second_factor_not_begun",
            Self::NoSecondFactor => "no_second_factor",
            Self::NoName => "no_name",
            Self::BadPasskey => "bad_passkey",
            Self::PasskeyKnown => "passkey_known",
            Self::TooManyPasskeys => "too_many_passkeys",
            Self::BadLabel => "bad_label",
            Self::WrongPasskey => "wrong_passkey",
            Self::PasskeyCopied => "passkey_copied",
            Self::NoPasskey => "no_passkey",
            Self::CeremonyOver => "ceremony_over",
            Self::TooManyAttempts { .. } => "too_many_attempts",
            Self::SignedOut => "signed_out",
            Self::NotAllowed => "not_allowed",
            Self::ConfirmNeeded => "confirm_needed",
            Self::Unknown { .. } => "not_found",
            Self::LastOwner => "last_owner",
            Self::BadToken => "bad_token",
            Self::Store(_) => "database",
        }
    }

    /// Returns what to do next.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Sealed => {
                "the owner unlocks it with the passphrase, here or by `flash-node unlock`"
            }
            Self::AlreadySetUp => {
                "sign in; `flash-node account reset` at the machine helps who forgot how"
            }
            Self::NotSetUp => {
                "`flash-node setup-code` at the machine prints the code to begin with"
            }
            Self::WrongSetUpCode => "`flash-node setup-code` at the machine prints it again",
            Self::BadName => "choose another name; nothing was changed",
            Self::NameTaken(_) => "choose another name; capitals make no difference",
            Self::BadLanguage(_) => "choose one of the languages that the page offers",
            Self::PasswordTooShort { .. } => "a few words in a row are long and easy to remember",
            Self::PasswordTooLong => "choose a shorter one",
            Self::PasswordIsName => "choose another password",
            Self::WrongCredentials => {
                "try again; who forgot the password asks the owner, and the owner uses `flash-node account reset`"
            }
            Self::SecondFactorNeeded => "send the six digits of your app, or a recovery code",
            Self::WrongSecondFactor => {
                "wait for the next code; the clocks of phone and node must agree"
            }
            Self::NoSecondFactorBegun => "begin again",
            Self::NoSecondFactor => "set one up first",
            Self::NoName => {
                "open the node by its name, such as localhost or the name of your shop; here the password works"
            }
            Self::BadPasskey | Self::CeremonyOver => "begin again",
            Self::PasskeyKnown => "use it to sign in, or choose another device",
            Self::TooManyPasskeys => "delete one that you do not use",
            Self::BadLabel => "choose another name",
            Self::WrongPasskey => "try again, or sign in with your password",
            Self::PasskeyCopied => {
                "sign in with your password, delete this passkey, and add a new one"
            }
            Self::NoPasskey => "confirm with your password",
            Self::TooManyAttempts { .. } => {
                "wait, then try again; somebody else's attempts do not lock a browser out that you signed in with before"
            }
            Self::SignedOut => "sign in first",
            Self::NotAllowed => "ask the owner",
            Self::ConfirmNeeded => "type your password (and code) again, then repeat what you did",
            Self::Unknown { .. } => "the list may have changed; look again",
            Self::LastOwner => "make somebody else an owner first",
            Self::BadToken => "choose another name or time",
            Self::Store(error) => error.hint(),
        }
    }
}
