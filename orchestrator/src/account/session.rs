//! Owns entering and leaving: the first set-up, signing in and out, being asked again, and the list of sessions.

use std::sync::atomic::Ordering;
use std::time::Duration;

use rusqlite::Transaction;
use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

use super::Accounts;
use super::CONFIRMED;
use super::IDLE;
use super::LONGEST_SESSION;
use super::Opened;
use super::Principal;
use super::SEEN_EVERY;
use super::SignedIn;
use super::attempt::Lane;
use super::code;
use super::error::AccountError;
use super::lock;
use super::origin::Origin;
use super::password;
use super::people;
use super::people::NewAccount;
use super::repo;
use super::repo::Kept;
use super::repo::KeptSession;
use super::role::Role;
use super::second_factor;
use super::shown_in_tx;
use super::used::Used;
use crate::clock::UnixMillis;
use crate::secret::SecretBytes;

/// How many looks at a password wait at once; beyond them strangers are sent away.
const QUEUE: usize = 8;
/// How many sessions an account has at most; a further one ends the one that was not used for longest.
pub(super) const SESSIONS: usize = 100;
/// How much is kept of what a browser says it is. Units: characters.
const AGENT: usize = 200;

/// What somebody signs in with.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The account's name.
    pub name: String,
    /// The password.
    pub password: SecretBytes,
    /// A code of the app, or a recovery code.
    pub second_factor: Option<SecretBytes>,
}

/// The first owner.
#[derive(Debug, Clone)]
pub struct NewOwner {
    /// The code that the machine printed.
    pub code: SecretBytes,
    /// The account's name.
    pub name: String,
    /// The password.
    pub password: SecretBytes,
    /// The language tag.
    pub language: String,
}

/// A session that was just opened or renewed.
#[derive(Debug, Clone)]
pub struct Entered {
    /// The session's value, for the cookie; it is shown once.
    pub value: SecretBytes,
    /// The browser's mark, for a cookie of its own.
    pub mark: String,
    /// Who is signed in.
    pub signed_in: SignedIn,
}

/// One session, as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// Names it in paths. Shape: 16 hexadecimal digits.
    pub id: String,
    /// Whether it is the one that asks.
    pub current: bool,
    /// Units: milliseconds since the Unix epoch.
    pub created_at: u64,
    /// Units: milliseconds since the Unix epoch, to the minute.
    pub seen_at: u64,
    /// The address it was opened from.
    pub from: String,
    /// What the browser said it is.
    pub agent: String,
}

impl Accounts {
    /// Makes the first owner and signs them in.
    ///
    /// Errors: [`AccountError::WrongSetUpCode`], [`AccountError::AlreadySetUp`]; who comes second is told so.
    pub fn set_up(&self, owner: NewOwner, origin: &Origin) -> Result<Entered, AccountError> {
        let opened = self.opened()?;
        if self.read_in(&opened, repo::owners_in_tx)? > 0 {
            return Err(AccountError::AlreadySetUp);
        }
        let lane = ("set-up".to_owned(), origin.place());
        self.begin(&lane)?;
        let expected = lock(&self.set_up_code).clone();
        let right = expected.is_some_and(|expected| {
            code::same(
                &code::hash_typed(owner.code.expose()),
                &code::hash_typed(expected.as_bytes()),
            )
        });
        if !right {
            return Err(AccountError::WrongSetUpCode);
        }
        let account = NewAccount {
            name: owner.name,
            role: Role::Owner,
            password: owner.password,
            language: owner.language,
        };
        let kept = self.new_account(account)?;
        let entered = self.write_in(&opened, |tx| {
            if repo::owners_in_tx(tx).map_err(|e| opened.sql(e))? > 0 {
                return Err(AccountError::AlreadySetUp);
            }
            let text = format!("{} set the node up and owns it", kept.name);
            self.note_in_tx(tx, &opened, (&kept.name, "set_up", &text))?;
            people::add_in_tx(tx, &opened, &kept)?;
            self.enter_in_tx(tx, &opened, kept, origin)
        })?;
        // Spent: a second owner is made by the first.
        *lock(&self.set_up_code) = None;
        self.lanes().succeed(&lane);
        Ok(entered)
    }

    /// Signs somebody in. A wrong name takes as long as a wrong password.
    ///
    /// Errors: [`AccountError::WrongCredentials`], [`AccountError::SecondFactorNeeded`],
    /// [`AccountError::WrongSecondFactor`], [`AccountError::TooManyAttempts`].
    pub fn sign_in(&self, with: &Credentials, origin: &Origin) -> Result<Entered, AccountError> {
        let opened = self.opened()?;
        let kept = self.read_in(&opened, |tx| repo::account_named_in_tx(tx, &with.name))?;
        let marked = kept
            .as_ref()
            .zip(origin.mark.as_deref())
            .filter(|(kept, mark)| opened.marked(&kept.id, mark))
            .map(|(_, mark)| format!("mark {mark}"));
        let lanes = self.begin_sign_in(&with.name, origin, marked.as_deref())?;
        let kept = self.look(kept, &with.password, marked.is_some())?;
        let Some(kept) = kept else {
            self.note_refused(&opened, &with.name, origin);
            return Err(AccountError::WrongCredentials);
        };
        if kept.factor.is_some() && with.second_factor.is_none() {
            return Err(AccountError::SecondFactorNeeded);
        }
        let factor_lane = (kept.id.clone(), "second factor".to_owned());
        if kept.factor.is_some() && marked.is_none() {
            // Who knows the password guesses codes from many addresses: those share one lane.
            self.begin(&factor_lane)?;
        }
        let entered = self.write_in(&opened, |tx| {
            let kept = self.second_look_in_tx(tx, &opened, &kept, with.second_factor.as_ref())?;
            let text = format!("{} signed in from {}", kept.name, origin.address);
            self.note_in_tx(tx, &opened, (&kept.name, "signed_in", &text))?;
            self.enter_in_tx(tx, &opened, kept, origin)
        });
        if matches!(entered, Err(AccountError::WrongSecondFactor)) {
            self.note_refused(&opened, &with.name, origin);
        }
        let entered = entered?;
        let mut all = self.lanes();
        for lane in lanes.iter().chain([&factor_lane]) {
            all.succeed(lane);
        }
        Ok(entered)
    }

    /// Finds who holds a session; nothing where it is over or was never one.
    pub fn person(&self, value: &str) -> Result<Option<Principal>, AccountError> {
        let opened = self.opened()?;
        let hash = code::hash(value.as_bytes());
        let now = self.now();
        let found = self.read_in(&opened, |tx| {
            let Some(session) = repo::session_by_hash_in_tx(tx, &hash)? else {
                return Ok(None);
            };
            let Some(kept) = repo::account_in_tx(tx, &session.account)? else {
                return Ok(None);
            };
            Ok(Some((session, shown_in_tx(tx, &kept)?)))
        })?;
        let Some((session, account)) = found else {
            return Ok(None);
        };
        if now.since(session.created_at) > LONGEST_SESSION || now.since(session.seen_at) > IDLE {
            return Ok(None);
        }
        if now.since(session.seen_at) > SEEN_EVERY {
            self.note_use(&opened, Used::Session(session.id.clone()));
        }
        Ok(Some(Principal::Person(SignedIn {
            session: session.id,
            account,
            confirmed_until: session.confirmed_at.plus(CONFIRMED),
        })))
    }

    /// Whether a person has just shown the password.
    #[must_use]
    pub fn confirmed(&self, person: &SignedIn) -> bool {
        self.now() < person.confirmed_until
    }

    /// Asks a person again, and renews the session's value.
    ///
    /// Errors: those of [`Accounts::sign_in`].
    pub fn confirm(
        &self,
        person: &SignedIn,
        password: &SecretBytes,
        second_factor: Option<&SecretBytes>,
    ) -> Result<Entered, AccountError> {
        let opened = self.opened()?;
        let lane = (person.account.id.clone(), person.session.clone());
        self.begin(&lane)?;
        let kept = self.read_in(&opened, |tx| repo::account_in_tx(tx, &person.account.id))?;
        let kept = self
            .look(kept, password, true)?
            .ok_or(AccountError::WrongCredentials)?;
        if kept.factor.is_some() && second_factor.is_none() {
            return Err(AccountError::SecondFactorNeeded);
        }
        let entered = self.write_in(&opened, |tx| {
            let kept = self.second_look_in_tx(tx, &opened, &kept, second_factor)?;
            repo::keep_account_in_tx(tx, &kept).map_err(|e| opened.sql(e))?;
            self.renew_in_tx(tx, &opened, &person.session, &kept)
        })?;
        self.lanes().succeed(&lane);
        Ok(entered)
    }

    /// Ends a session.
    pub fn sign_out(&self, person: &SignedIn) -> Result<(), AccountError> {
        self.drop_session(person, &person.session)
    }

    /// Lists one's own sessions, newest use first.
    pub fn sessions(&self, person: &SignedIn) -> Result<Vec<Session>, AccountError> {
        let kept = self.read(|tx| repo::sessions_in_tx(tx, &person.account.id))?;
        Ok(self.living(kept, Some(&person.session)))
    }

    /// Lists the sessions of an account, newest use first. Errors: [`AccountError::Unknown`].
    pub fn sessions_of(&self, by: &Principal, id: &str) -> Result<Vec<Session>, AccountError> {
        let opened = self.opened()?;
        let found = self.read_in(&opened, |tx| {
            let known = repo::account_in_tx(tx, id)?.is_some();
            Ok(known.then_some(repo::sessions_in_tx(tx, id)?))
        })?;
        let kept = found.ok_or_else(|| people::unknown(id))?;
        Ok(self.living(kept, by.session()))
    }

    /// Ends every session of an account but the one that asks, and says how many there were.
    ///
    /// Errors: [`AccountError::Unknown`].
    pub fn drop_sessions_of(&self, by: &Principal, id: &str) -> Result<usize, AccountError> {
        let opened = self.opened()?;
        self.write_in(&opened, |tx| {
            let sql = |e| opened.sql(e);
            let kept = repo::account_in_tx(tx, id).map_err(sql)?;
            let kept = kept.ok_or_else(|| people::unknown(id))?;
            let gone = repo::drop_other_sessions_in_tx(tx, id, by.session()).map_err(sql)?;
            let text = format!("{} was signed out everywhere ({gone})", kept.name);
            self.note_in_tx(tx, &opened, (&by.actor(), "sessions_ended", &text))?;
            Ok(gone)
        })
    }

    fn living(&self, kept: Vec<KeptSession>, current: Option<&str>) -> Vec<Session> {
        let now = self.now();
        let living = kept.into_iter().filter(|one| {
            now.since(one.created_at) <= LONGEST_SESSION && now.since(one.seen_at) <= IDLE
        });
        living
            .map(|one| Session {
                current: current == Some(one.id.as_str()),
                id: one.id,
                created_at: one.created_at.0,
                seen_at: one.seen_at.0,
                from: one.came_from,
                agent: one.agent,
            })
            .collect()
    }

    /// Ends one of a person's own sessions.
    pub fn drop_session(&self, person: &SignedIn, id: &str) -> Result<(), AccountError> {
        let opened = self.opened()?;
        self.write_in(&opened, |tx| {
            let gone =
                repo::drop_session_in_tx(tx, &person.account.id, id).map_err(|e| opened.sql(e))?;
            if !gone {
                return Err(AccountError::Unknown {
                    what: "session",
                    id: id.to_owned(),
                });
            }
            let name = &person.account.name;
            let text = format!("{name} ended session {id}");
            self.note_in_tx(tx, &opened, (name, "signed_out", &text))
        })
    }

    /// Ends every session of a person but the one that asks.
    pub fn drop_other_sessions(&self, person: &SignedIn) -> Result<(), AccountError> {
        let opened = self.opened()?;
        self.write_in(&opened, |tx| {
            let but = Some(person.session.as_str());
            let gone = repo::drop_other_sessions_in_tx(tx, &person.account.id, but)
                .map_err(|e| opened.sql(e))?;
            let name = &person.account.name;
            let text = format!("{name} ended {gone} other sessions");
            self.note_in_tx(tx, &opened, (name, "signed_out_elsewhere", &text))
        })
    }

    /// Compares a password, one look at a time; nothing where it is wrong. Who is `known` may always wait.
    pub(super) fn look(
        &self,
        kept: Option<Kept>,
        given: &SecretBytes,
        known: bool,
    ) -> Result<Option<Kept>, AccountError> {
        let waiting = self.waiting.fetch_add(1, Ordering::SeqCst);
        let turn = (known || waiting < QUEUE).then(|| lock(&self.looking));
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        let Some(_turn) = turn else {
            return Err(AccountError::TooManyAttempts {
                wait: Duration::from_secs(1),
            });
        };
        if given.expose().len() > password::LONGEST {
            return Ok(None);
        }
        match kept {
            Some(kept) if password::matches(given, &kept.password) => Ok(Some(kept)),
            Some(_) => Ok(None),
            None => {
                let nobody = self.nobody.get_or_init(|| {
                    let made = code::value(&*self.entropy);
                    self.cost().hash(&made, &*self.entropy)
                });
                // Only for the time that it takes.
                let _ = password::matches(given, nobody);
                Ok(None)
            }
        }
    }

    /// Looks at the second factor where there is one, and at whether the account is still what it was.
    fn second_look_in_tx(
        &self,
        tx: &Transaction<'_>,
        opened: &Opened,
        looked_at: &Kept,
        given: Option<&SecretBytes>,
    ) -> Result<Kept, AccountError> {
        let kept = repo::account_in_tx(tx, &looked_at.id).map_err(|e| opened.sql(e))?;
        let Some(mut kept) = kept.filter(|kept| kept.password == looked_at.password) else {
            return Err(AccountError::WrongCredentials);
        };
        let Some(key) = &kept.factor else {
            return Ok(kept);
        };
        let given = given.ok_or(AccountError::SecondFactorNeeded)?;
        let text = given.expose_text().unwrap_or_default().trim();
        if text.len() == 6 && text.bytes().all(|digit| digit.is_ascii_digit()) {
            let step = second_factor::step(key, text, self.now())
                .filter(|step| *step > kept.factor_step)
                .ok_or(AccountError::WrongSecondFactor)?;
            kept.factor_step = step;
            return Ok(kept);
        }
        let hash = code::hash_typed(text.as_bytes());
        if repo::use_code_in_tx(tx, &kept.id, &hash).map_err(|e| opened.sql(e))? {
            let text = format!("{} used a recovery code", kept.name);
            self.note_in_tx(tx, opened, (&kept.name, "recovery_code_used", &text))?;
            return Ok(kept);
        }
        Err(AccountError::WrongSecondFactor)
    }

    /// Gives the session of a person who was just asked again a new value.
    pub(super) fn renew_in_tx(
        &self,
        tx: &Transaction<'_>,
        opened: &Opened,
        session: &str,
        kept: &Kept,
    ) -> Result<Entered, AccountError> {
        let value = code::value(&*self.entropy);
        let now = self.now();
        repo::renew_session_in_tx(tx, session, &code::hash(value.expose()), now)
            .map_err(|e| opened.sql(e))?;
        Ok(Entered {
            value,
            mark: self.new_mark(opened, &kept.id),
            signed_in: SignedIn {
                session: session.to_owned(),
                account: shown_in_tx(tx, kept).map_err(|e| opened.sql(e))?,
                confirmed_until: now.plus(CONFIRMED),
            },
        })
    }

    /// Opens a session for somebody who showed who they are.
    pub(super) fn enter_in_tx(
        &self,
        tx: &Transaction<'_>,
        opened: &Opened,
        mut kept: Kept,
        origin: &Origin,
    ) -> Result<Entered, AccountError> {
        let now = self.now();
        let before = |span: Duration| {
            UnixMillis(
                now.0
                    .saturating_sub(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)),
            )
        };
        repo::drop_expired_in_tx(tx, before(LONGEST_SESSION), before(IDLE))
            .map_err(|e| opened.sql(e))?;
        repo::drop_idlest_in_tx(tx, &kept.id, SESSIONS - 1).map_err(|e| opened.sql(e))?;
        kept.signed_in_at = Some(now);
        repo::keep_account_in_tx(tx, &kept).map_err(|e| opened.sql(e))?;
        let value = code::value(&*self.entropy);
        let session = KeptSession {
            id: code::id(&*self.entropy),
            account: kept.id.clone(),
            created_at: now,
            seen_at: now,
            confirmed_at: now,
            came_from: origin.address.clone(),
            agent: origin.agent.chars().take(AGENT).collect(),
        };
        repo::add_session_in_tx(tx, &session, &code::hash(value.expose()))
            .map_err(|e| opened.sql(e))?;
        Ok(Entered {
            value,
            mark: self.new_mark(opened, &kept.id),
            signed_in: SignedIn {
                session: session.id,
                account: shown_in_tx(tx, &kept).map_err(|e| opened.sql(e))?,
                confirmed_until: now.plus(CONFIRMED),
            },
        })
    }

    /// Counts an attempt in a lane.
    pub(super) fn begin(&self, lane: &Lane) -> Result<(), AccountError> {
        self.lanes()
            .begin(lane, self.clock.monotonic())
            .map_err(|wait| AccountError::TooManyAttempts { wait })
    }

    /// Counts an attempt in the lane of its name and place. A marked browser has a lane of its own.
    fn begin_sign_in(
        &self,
        name: &str,
        origin: &Origin,
        marked: Option<&str>,
    ) -> Result<Vec<Lane>, AccountError> {
        let place = marked.map_or_else(|| origin.place(), ToOwned::to_owned);
        let lane = (name.to_lowercase(), place);
        self.begin(&lane)?;
        Ok(vec![lane])
    }

    /// A failed attempt is written down; where the disk takes nothing, the log of the daemon has it.
    fn note_refused(&self, opened: &Opened, name: &str, origin: &Origin) {
        let name: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
        let text = format!(
            "somebody at {} tried to sign in as {name} and was refused",
            origin.address
        );
        let noted = self.write_in(opened, |tx| {
            self.note_in_tx(tx, opened, ("nobody", "sign_in_refused", &text))
        });
        if let Err(error) = noted {
            tracing::warn!(%error, "{text}; the audit log took nothing");
        }
    }
}
