//! Owns the way in by a name in the internet to the node itself: its listener, its certificate, and when that is renewed.
//!
//! What it needs lies beside the vault: a sealed node is reached by its name too, and renews.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use serde::Deserialize;
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::blocking;
use super::world;
use crate::acme;
use crate::acme::AcmeError;
use crate::acme::Issued;
use crate::acme::Prove;
use crate::clock::UnixMillis;
use crate::http::Api;
use crate::http::Certificate;
use crate::http::Certificates;
use crate::http::Https;
use crate::manifest::choices::AcmeChoice;
use crate::manifest::choices::PublicChoice;
use crate::store::durable;

/// Where it lies, below the data folder.
const FILE: &str = "acme.json";
/// How long it waits after a failure, and after one more. Source: Let's Encrypt refuses after five failures in an hour.
const WAITS: [Duration; 4] = [
    Duration::from_secs(60),
    Duration::from_secs(5 * 60),
    Duration::from_secs(20 * 60),
    Duration::from_secs(60 * 60),
];
/// How long from then on.
const LONGEST: Duration = Duration::from_secs(6 * 60 * 60);

/// What is kept: for whom, and what came of it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    directory: String,
    contact: Option<String>,
    name: String,
    /// The account at the authority, with its key.
    account: Option<String>,
    issued: Option<Issued>,
    /// How often in a row it failed, and when it may be tried again. Units: milliseconds since the Unix epoch.
    failures: u32,
    again_at: u64,
    /// What went wrong last.
    trouble: Option<Trouble>,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Trouble {
    kind: Kind,
    text: String,
}

/// What kind of trouble it is: each has a next step of its own.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    /// The authority is not reached.
    Unreachable,
    /// It does not want to.
    Refused,
    /// It did not find that the name leads here.
    NotProved,
}

impl Kind {
    fn code(self) -> &'static str {
        match self {
            Self::Unreachable => "no_authority",
            Self::Refused => "refused",
            Self::NotProved => "not_proved",
        }
    }
}

/// The listener of a name, with its certificate.
pub(super) struct Own {
    api: Api,
    path: PathBuf,
    open: Option<Open>,
    listeners: JoinSet<()>,
    /// Whether it was switched off since the node began: whoever switches it on again wants it tried at once.
    anew: bool,
}

struct Open {
    name: String,
    choice: AcmeChoice,
    certificates: Arc<Certificates>,
    kept: Kept,
    listening: Option<CancellationToken>,
    /// Why it does not listen.
    refused: Option<String>,
    /// The certificate that is being asked for.
    asking: JoinSet<Kept>,
}

/// How the listener and its certificate are; a code and a sentence where something is the matter.
pub(super) enum State {
    /// It has a certificate and shows it.
    Open,
    /// It shows one, and no fresh one is to be had.
    NotRenewed(String),
    /// It shows none.
    Trouble(&'static str, String),
}

impl Own {
    pub(super) fn new(api: Api, data: &Path) -> Self {
        Self {
            api,
            path: data.join(FILE),
            open: None,
            listeners: JoinSet::new(),
            anew: false,
        }
    }

    /// Closes it, and waits for the last answers.
    pub(super) async fn shut(&mut self) {
        self.anew = true;
        if let Some(open) = self.open.take() {
            open.shut();
        }
        // A port is had again once whoever held it is gone.
        while self.listeners.join_next().await.is_some() {}
    }

    /// Brings it to be open, has a certificate issued where one is due, and says how it is.
    pub(super) async fn look(
        &mut self,
        wanted: &PublicChoice,
        choice: &AcmeChoice,
        token: &CancellationToken,
        now: UnixMillis,
    ) -> State {
        let name = wanted.name.as_str();
        let same = |open: &Open| open.name == name && open.choice == *choice;
        if self.open.as_ref().is_some_and(|open| !same(open)) {
            self.shut().await;
        }
        let mut open = match self.open.take() {
            Some(open) => open,
            None => Open::new(name, choice, &self.path, self.anew).await,
        };
        if self.listeners.try_join_next().is_some() {
            open.listening = None;
        }
        open.listen(&self.api, &mut self.listeners, token).await;
        open.settle();
        open.ask(&self.path, now);
        self.open.insert(open).state(now)
    }
}

impl Open {
    async fn new(name: &str, choice: &AcmeChoice, path: &Path, anew: bool) -> Self {
        let read = path.to_owned();
        let kept = blocking(move || kept(&read)).await.flatten();
        let certificates = Arc::new(Certificates::new(name));
        let mut open = Self {
            name: name.to_owned(),
            choice: choice.clone(),
            certificates,
            kept: Kept::new(name, choice).after(kept, anew),
            listening: None,
            refused: None,
            asking: JoinSet::new(),
        };
        open.show();
        open
    }

    fn shut(mut self) {
        self.asking.abort_all();
        if let Some(close) = self.listening.take() {
            close.cancel();
        }
    }

    /// Shows the certificate that is kept; one that cannot be shown is as good as none.
    fn show(&mut self) {
        let Some(issued) = &self.kept.issued else {
            return self.certificates.withdraw();
        };
        let certificate = Certificate {
            certificate: &issued.certificate,
            key: &issued.key,
        };
        if let Err(error) = self.certificates.show(&certificate) {
            tracing::warn!(%error, "the certificate of {} cannot be shown: another one is asked for", self.name);
            self.kept.issued = None;
        }
    }

    async fn listen(&mut self, api: &Api, listeners: &mut JoinSet<()>, token: &CancellationToken) {
        if self.listening.is_some() {
            return;
        }
        let certificates = Arc::clone(&self.certificates);
        match Https::bind_named(self.choice.port(), &self.name, certificates).await {
            Ok(https) => {
                let close = token.child_token();
                listeners.spawn(api.clone().serve_https(https, close.clone()));
                self.listening = Some(close);
                self.refused = None;
            }
            Err(error) => self.refused = Some(error.to_string()),
        }
    }

    /// Takes what came of asking.
    fn settle(&mut self) {
        while let Some(ended) = self.asking.try_join_next() {
            match ended {
                Ok(kept) => {
                    self.kept = kept;
                    self.show();
                }
                Err(error) => tracing::error!(%error, "asking for a certificate failed"),
            }
        }
    }

    /// Asks for a certificate where one is due. Nobody can prove a name at a port that nobody listens at.
    fn ask(&mut self, path: &Path, now: UnixMillis) {
        let due = match &self.kept.issued {
            Some(issued) => issued.renew_from() <= now,
            None => true,
        };
        // A clock that was set back by more than any wait has nothing to wait for.
        let waits = now.0 < self.kept.again_at && self.kept.again_at <= now.plus(LONGEST).0;
        if !due || waits || !self.asking.is_empty() || self.listening.is_none() {
            return;
        }
        let prover = Prover(Arc::clone(&self.certificates));
        let (kept, path) = (self.kept.clone(), path.to_owned());
        self.asking.spawn(kept.renewed(prover, path, now));
    }

    fn state(&self, now: UnixMillis) -> State {
        let (name, port) = (&self.name, self.choice.port());
        if let Some(why) = &self.refused {
            let text = format!(
                "Port {port} cannot be listened at ({why}): end what uses it, or let the router pass port 443 to another one and name that with `acme = {{ port = … }}` under [access.public] in node.toml."
            );
            return State::Trouble("not_listening", text);
        }
        let holds = |issued: &&Issued| issued.holds(now);
        let held = self.kept.issued.as_ref().filter(holds);
        let again = UnixMillis(self.kept.again_at).since(now);
        let again = match again.as_secs() {
            0..=59 => "within a minute".to_owned(),
            60..=3599 => format!("in {} min", again.as_secs() / 60 + 1),
            hours => format!("in {} h", hours / 3600 + 1),
        };
        match (held, &self.kept.trouble) {
            (Some(_), None) => State::Open,
            (Some(issued), Some(trouble)) => {
                let days = UnixMillis(issued.ends_at).since(now).as_secs() / (24 * 60 * 60);
                let why = self.why(trouble);
                State::NotRenewed(format!(
                    "Open, and its certificate is not renewed: {why} It ends in {days} days; the node asks again {again}."
                ))
            }
            (None, Some(trouble)) => {
                let text = format!("{} The node asks again {again}.", self.why(trouble));
                State::Trouble(trouble.kind.code(), text)
            }
            (None, None) => {
                let from = host(self.choice.directory());
                let text = format!("The node asks {from} for a certificate for {name}.");
                State::Trouble("asking", text)
            }
        }
    }

    fn why(&self, trouble: &Trouble) -> String {
        let from = host(self.choice.directory());
        let words = trouble.text.trim_end_matches('.');
        let name = &self.name;
        match trouble.kind {
            Kind::Unreachable => {
                format!("{from} is not reached ({words}). Has this machine a way to the internet?")
            }
            Kind::Refused => format!("{from} gives no certificate for {name} ({words})."),
            Kind::NotProved => format!(
                "{from} does not find this node under {name} ({words}). Does the name lead to your network, and does the router pass port 443 to port {} of this machine?",
                self.choice.port()
            ),
        }
    }
}

impl Kept {
    fn new(name: &str, choice: &AcmeChoice) -> Self {
        Self {
            directory: choice.directory().to_owned(),
            contact: choice.contact.clone(),
            name: name.to_owned(),
            account: None,
            issued: None,
            failures: 0,
            again_at: 0,
            trouble: None,
        }
    }

    /// Goes on with what was kept before, as far as it is about the same; `anew` does not wait for anything.
    fn after(self, before: Option<Self>, anew: bool) -> Self {
        let Some(before) = before else { return self };
        let authority = before.directory == self.directory && before.contact == self.contact;
        if authority && before.name == self.name && !anew {
            return before;
        }
        Self {
            account: before.account.filter(|_| authority),
            issued: before.issued.filter(|_| before.name == self.name),
            ..self
        }
    }

    /// Asks, and writes down what came of it.
    async fn renewed(mut self, prover: Prover, path: PathBuf, now: UnixMillis) -> Self {
        let began = Instant::now();
        match self.certified(&prover, &path).await {
            Ok(issued) => {
                self.issued = Some(issued);
                self.failures = 0;
                self.again_at = 0;
                self.trouble = None;
            }
            Err(error) => {
                let wait = usize::try_from(self.failures).ok();
                let wait = wait.and_then(|failures| WAITS.get(failures)).copied();
                let wait = wait.unwrap_or(LONGEST);
                self.failures = self.failures.saturating_add(1);
                // The authority may have taken longer than the wait is.
                self.again_at = now.plus(began.elapsed()).plus(wait).0;
                tracing::warn!(%error, "no certificate for {}", self.name);
                let kind = match error {
                    AcmeError::Unreachable(_) => Kind::Unreachable,
                    AcmeError::NotProved(_) => Kind::NotProved,
                    AcmeError::Refused(_) | AcmeError::Forgotten => Kind::Refused,
                };
                let text = error.to_string();
                self.trouble = Some(Trouble { kind, text });
            }
        }
        self.write(&path).await;
        self
    }

    async fn certified(&mut self, prover: &Prover, path: &Path) -> Result<Issued, AcmeError> {
        let roots = world()
            .await
            .map_err(|error| AcmeError::Unreachable(error.to_string()))?;
        let account = match &self.account {
            Some(account) => account.clone(),
            None => self.join(roots.clone(), path).await?,
        };
        match acme::certify(&account, &self.name, roots.clone(), prover).await {
            // An authority that forgot the account is asked for another one, once.
            Err(AcmeError::Forgotten) => {
                let account = self.join(roots.clone(), path).await?;
                acme::certify(&account, &self.name, roots, prover).await
            }
            other => other,
        }
    }

    /// Has an account, written down before it is used: authorities count how many one machine makes.
    async fn join(&mut self, roots: RootCertStore, path: &Path) -> Result<String, AcmeError> {
        let contact = self.contact.as_deref();
        let account = acme::join(&self.directory, contact, roots).await?;
        self.account = Some(account.clone());
        self.write(path).await;
        Ok(account)
    }

    /// Errors are told and no more: what could not be written down is asked for again.
    async fn write(&self, path: &Path) {
        let (kept, path) = (self.clone(), path.to_owned());
        let written = blocking(move || {
            let text = serde_json::to_vec(&kept).map_err(|error| error.to_string())?;
            durable::write(&path, &text, 0o600).map_err(|error| error.to_string())
        });
        if let Some(Err(error)) = written.await {
            tracing::warn!(%error, "what the authority gave could not be written");
        }
    }
}

/// Returns the name of whoever is asked.
fn host(url: &str) -> &str {
    let rest = url.trim_start_matches("https://");
    rest.split(['/', '?', '#']).next().unwrap_or(rest)
}

fn kept(path: &Path) -> Option<Kept> {
    let bytes = std::fs::read(path).ok()?;
    serde_json::from_slice(&bytes)
        .inspect_err(|_| tracing::warn!("{FILE} cannot be read: the certificate is asked for anew"))
        .ok()
}

struct Prover(Arc<Certificates>);

impl Prove for Prover {
    fn prove(&self, certificate: Option<(&str, &str)>) -> Result<(), String> {
        let certificate = certificate.map(|(certificate, key)| Certificate { certificate, key });
        let shown = self.0.prove(certificate.as_ref());
        shown.map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests;
