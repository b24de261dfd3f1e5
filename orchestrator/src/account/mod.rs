//! Owns the people and programs that may use the node: accounts, sessions, tokens, and the log of what they did.
//!
//! Everything lies in the vault, so that nobody can sign in while it is sealed. It does not know HTTP, nor which path
//! asks for which right (`http::access`). Its functions block: passwords are slow on purpose, and writes wait for the disk.

mod attempt;
mod audit;
mod code;
mod error;
mod factor;
#[cfg(any(test, feature = "test-util"))]
pub mod fixture;
mod mark;
mod origin;
mod page;
mod passkey;
mod password;
mod people;
mod repo;
mod request;
mod role;
mod second_factor;
mod session;
#[cfg(test)]
mod tests;
mod token;
mod used;

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use rusqlite::Transaction;
use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use self::attempt::Lanes;
use self::code::Hash;
use self::passkey::Unfinished;
use self::repo::Kept;
use self::used::Uses;
use crate::clock::Clock;
use crate::clock::UnixMillis;
use crate::entropy::Entropy;
use crate::store::StoreError;
use crate::store::sqlite::Database;

pub use self::audit::AuditRow;
pub use self::audit::Verdict;
pub use self::error::AccountError;
pub use self::origin::Origin;
pub use self::page::BadCursor;
pub use self::page::Cursor;
pub use self::page::LONGEST_PAGE;
pub use self::page::Page;
pub use self::page::Wanted;
pub use self::passkey::Ceremony;
pub use self::passkey::NewPasskey;
pub use self::passkey::Passkey;
pub use self::passkey::Site;
#[cfg(test)]
pub(crate) use self::passkey::authenticator::Authenticator;
pub use self::password::Cost;
pub use self::people::Changes;
pub use self::people::NewAccount;
pub use self::request::Begun;
pub use self::request::REMEMBERED as REQUESTS_REMEMBERED;
pub use self::role::Right;
pub use self::role::Role;
pub use self::second_factor::NewFactor;
#[cfg(any(test, feature = "test-util"))]
pub use self::second_factor::code_at;
pub use self::session::Credentials;
pub use self::session::Entered;
pub use self::session::NewOwner;
pub use self::session::Session;
pub use self::token::NewToken;
pub use self::token::Token;

/// How long a session lives without being used.
pub const IDLE: Duration = Duration::from_secs(12 * 60 * 60);
/// How long a session lives at most.
pub const LONGEST_SESSION: Duration = Duration::from_secs(14 * 24 * 60 * 60);
/// How long a confirmation holds.
pub const CONFIRMED: Duration = Duration::from_secs(5 * 60);
/// How often it is written down that a session was used.
const SEEN_EVERY: Duration = Duration::from_secs(60);

const POINTS: (&str, &str) = ("account.before_commit", "account.after_commit");

/// Gives what the open vault holds of people.
pub(crate) trait Keeper: Send + Sync {
    /// Whether there is a vault at all.
    fn exists(&self) -> bool;
    /// Returns what is in it while it is open.
    fn open(&self) -> Option<Opened>;
}

/// What an open vault gives.
pub(crate) struct Opened {
    pub(crate) database: Arc<Database>,
    /// The key of the audit log's chain.
    pub(crate) audit_key: Zeroizing<[u8; 32]>,
}

/// How far the node is with its people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// There is no vault yet, so that nobody can be kept.
    NoVault,
    /// The vault is sealed: nobody can sign in, and whoever was is not known.
    Sealed,
    /// Nobody owns the node yet.
    SetUp,
    /// It has an owner: sign in.
    SignIn,
}

/// A person who may use the node, as the API shows them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Account {
    /// Names it in paths. Shape: 16 hexadecimal digits.
    pub id: String,
    /// What the person signs in by.
    pub name: String,
    /// What the person may do.
    pub role: Role,
    /// Which language the pages speak to this person. Shape: a language tag.
    pub language: String,
    /// Whether a code of an app is asked for.
    pub second_factor: bool,
    /// How many recovery codes were not used yet.
    pub recovery_codes_left: u64,
    /// The names of the node for which the person has a passkey.
    pub passkey_names: Vec<String>,
    /// Units: milliseconds since the Unix epoch.
    pub created_at: u64,
    /// Units: milliseconds since the Unix epoch; null where the person never signed in.
    pub signed_in_at: Option<u64>,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// Whoever the operating system lets use the node's own socket.
    Machine,
    /// A person who is signed in.
    Person(SignedIn),
    /// A program with a token.
    Program {
        /// The token's id.
        token: String,
        /// What the token is called.
        name: String,
        /// What it may do.
        role: Role,
    },
}

/// A person who is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// The session's id.
    pub session: String,
    /// Who it is.
    pub account: Account,
    /// Until when this person counts as having just shown the password.
    pub confirmed_until: UnixMillis,
}

impl Principal {
    /// Whether this principal may do `right`.
    #[must_use]
    pub fn may(&self, right: Right) -> bool {
        match self {
            Self::Machine => true,
            Self::Person(person) => person.account.role.may(right),
            // A program has no account of its own to look at or change.
            Self::Program { role, .. } => right != Right::Self_ && role.may(right),
        }
    }

    /// Returns what it may do; nothing for the machine's own user, who may do everything.
    #[must_use]
    pub fn role(&self) -> Option<Role> {
        match self {
            Self::Machine => None,
            Self::Person(person) => Some(person.account.role),
            Self::Program { role, .. } => Some(*role),
        }
    }

    /// Returns the session that asks; nothing for who has none.
    #[must_use]
    pub fn session(&self) -> Option<&str> {
        match self {
            Self::Person(person) => Some(&person.session),
            Self::Machine | Self::Program { .. } => None,
        }
    }

    /// Returns who it is, for the audit log.
    #[must_use]
    pub fn actor(&self) -> String {
        match self {
            Self::Machine => "machine".to_owned(),
            Self::Person(person) => person.account.name.clone(),
            Self::Program { name, .. } => format!("token {name}"),
        }
    }
}

/// The people of a node.
pub struct Accounts {
    keeper: Arc<dyn Keeper>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    cost: OnceLock<Cost>,
    /// What a password is compared with where the name is nobody's.
    nobody: OnceLock<String>,
    set_up_code: Mutex<Option<String>>,
    lanes: Mutex<Lanes>,
    /// One look at a password at a time: Argon2id takes its memory once.
    looking: Mutex<()>,
    waiting: AtomicUsize,
    /// What was begun with an authenticator.
    unfinished: Unfinished,
    uses: Uses,
}

impl std::fmt::Debug for Accounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Accounts")
            .field("stage", &self.stage())
            .finish_non_exhaustive()
    }
}

impl Accounts {
    /// Keeps people in what `keeper` gives. `cost` is measured on this machine where nothing is named.
    pub(crate) fn new(
        keeper: Arc<dyn Keeper>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        cost: Option<Cost>,
    ) -> Self {
        let known = OnceLock::new();
        if let Some(cost) = cost {
            let _ = known.set(cost);
        }
        Self {
            keeper,
            clock,
            entropy,
            cost: known,
            nobody: OnceLock::new(),
            set_up_code: Mutex::default(),
            lanes: Mutex::default(),
            looking: Mutex::default(),
            waiting: AtomicUsize::new(0),
            unfinished: Unfinished::default(),
            uses: Uses::default(),
        }
    }

    /// Says how far the node is with its people. What cannot be read counts as sealed.
    pub fn stage(&self) -> Stage {
        let Some(opened) = self.keeper.open() else {
            return if self.keeper.exists() {
                Stage::Sealed
            } else {
                Stage::NoVault
            };
        };
        match self.read_in(&opened, repo::owners_in_tx) {
            Ok(0) => Stage::SetUp,
            Ok(_) => Stage::SignIn,
            Err(error) => {
                tracing::error!(%error, "the accounts could not be read");
                Stage::Sealed
            }
        }
    }

    /// Returns the code that the first owner types, while there is none.
    ///
    /// Errors: [`AccountError::AlreadySetUp`], [`AccountError::Sealed`].
    pub fn set_up_code(&self) -> Result<String, AccountError> {
        match self.stage() {
            Stage::SignIn => Err(AccountError::AlreadySetUp),
            Stage::Sealed => Err(AccountError::Sealed),
            Stage::NoVault | Stage::SetUp => {
                let mut code = lock(&self.set_up_code);
                Ok(code
                    .get_or_insert_with(|| code::typed::<3>(&*self.entropy))
                    .clone())
            }
        }
    }

    /// Writes into the audit log what somebody asks for. While the vault is sealed there is nowhere to write it.
    ///
    /// Returns whether it was written.
    pub fn record(&self, actor: &str, action: &str, text: &str) -> Result<bool, AccountError> {
        let Some(opened) = self.keeper.open() else {
            return Ok(false);
        };
        self.write_in(&opened, |tx| {
            self.note_in_tx(tx, &opened, (actor, action, text))
        })?;
        Ok(true)
    }

    /// Returns up to `limit` rows of the audit log before row `before`, newest first.
    pub fn audit_log(
        &self,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<AuditRow>, AccountError> {
        self.read(|tx| audit::repo::audit_in_tx(tx, before, limit))
    }

    /// Looks at the whole audit log, and names the first row that is not as it was written.
    pub fn verify_audit_log(&self) -> Result<Verdict, AccountError> {
        let opened = self.opened()?;
        self.read_in(&opened, |tx| {
            audit::repo::verify_audit_in_tx(tx, &opened.audit_key)
        })
    }

    fn cost(&self) -> Cost {
        *self
            .cost
            .get_or_init(|| Cost::of_this_machine(&*self.clock))
    }

    fn now(&self) -> UnixMillis {
        self.clock.wall()
    }

    fn opened(&self) -> Result<Opened, AccountError> {
        self.keeper.open().ok_or(AccountError::Sealed)
    }

    fn read<T>(
        &self,
        read: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, AccountError> {
        self.read_in(&self.opened()?, read)
    }

    fn read_in<T>(
        &self,
        opened: &Opened,
        read: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, AccountError> {
        let database = &opened.database;
        let found =
            database.read(|tx| read(tx).map_err(|source| database.sql("reading accounts", source)));
        Ok(found?)
    }

    fn write_in<T>(
        &self,
        opened: &Opened,
        write: impl FnOnce(&Transaction<'_>) -> Result<T, AccountError>,
    ) -> Result<T, AccountError> {
        opened.database.write(POINTS, write)
    }

    fn note_in_tx(
        &self,
        tx: &Transaction<'_>,
        opened: &Opened,
        row: (&str, &str, &str),
    ) -> Result<(), AccountError> {
        audit::repo::append_audit_in_tx(tx, &opened.audit_key, self.now(), row)
            .map_err(|source| opened.sql(source))?;
        Ok(())
    }

    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        lock(&self.lanes)
    }
}

impl Opened {
    /// Turns what a statement said into an error.
    fn sql(&self, source: rusqlite::Error) -> StoreError {
        self.database.sql("writing accounts", source)
    }
}

/// Shows an account.
fn shown_in_tx(tx: &Transaction<'_>, kept: &Kept) -> rusqlite::Result<Account> {
    Ok(Account {
        id: kept.id.clone(),
        name: kept.name.clone(),
        role: kept.role,
        language: kept.language.clone(),
        second_factor: kept.factor.is_some(),
        recovery_codes_left: repo::codes_left_in_tx(tx, &kept.id)?,
        passkey_names: passkey::sites_in_tx(tx, &kept.id)?,
        created_at: kept.created_at.0,
        signed_in_at: kept.signed_in_at.map(|at| at.0),
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes recovery codes, and their hashes.
fn recovery_codes(entropy: &dyn Entropy) -> (Vec<String>, Vec<Hash>) {
    let codes: Vec<String> = (0..code::RECOVERY_CODES)
        .map(|_| code::typed::<4>(entropy))
        .collect();
    let hashes = codes
        .iter()
        .map(|typed| code::hash_typed(typed.as_bytes()))
        .collect();
    (codes, hashes)
}
