//! Owns whether the way in by a name in the internet works, and who is trusted to pass its visitors on.
//!
//! For a proxy of the operator's the node opens nothing: it comes to the machine's own way in. Without one, visitors come to
//! the node itself (`acme`).

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::TRY_EVERY;
use super::TRY_TIME;
use super::acme::State;
use super::greet;
use super::world;
use crate::entropy::Entropy;
use crate::entropy::SystemEntropy;
use crate::http::PROBE;
use crate::http::Proxies;
use crate::http::Public;
use crate::http::Shown;
use crate::manifest::choices::AcmeChoice;
use crate::manifest::choices::PublicChoice;
use crate::view::Entrance;
use crate::view::EntranceKind;

/// How often a name is tried that does not lead here.
const TRY_AGAIN: Duration = Duration::from_secs(10);
/// So long after somebody came in by the name, it works: a machine cannot always reach its own name.
const CAME: Duration = Duration::from_secs(60 * 60);

/// The way in by a name, and what the last try came to.
pub(super) struct Named {
    proxies: Arc<Proxies>,
    /// Where the proxy should come to.
    to: Option<SocketAddr>,
    wanted: Option<PublicChoice>,
    tried: Option<(Instant, Result<(), String>)>,
}

impl Named {
    pub(super) fn new(proxies: Arc<Proxies>, to: Option<SocketAddr>) -> Self {
        Self {
            proxies,
            to,
            wanted: None,
            tried: None,
        }
    }

    /// Trusts who is wanted, tries the name from time to time, and says how it is.
    pub(super) async fn look(&mut self, wanted: Option<&PublicChoice>) -> Entrance {
        self.follow(wanted);
        let Some(wanted) = wanted else {
            return entrance(
                None,
                "off",
                "No name in the internet leads here. [access.public] in node.toml sets one up, with a reverse proxy of yours or a certificate of the node's own.",
                Vec::new(),
            );
        };
        let name = wanted.name.as_str();
        self.try_it(name).await;
        self.told(name, url(name))
    }

    /// Tries a name whose visitors come to the node itself, and says how it is.
    pub(super) async fn look_own(
        &mut self,
        wanted: &PublicChoice,
        acme: &AcmeChoice,
        state: State,
    ) -> Entrance {
        self.follow(Some(wanted));
        let name = wanted.name.as_str();
        match state {
            State::Trouble(code, text) => entrance(Some(false), code, &text, url(name)),
            State::NotRenewed(text) => entrance(Some(false), "not_renewed", &text, url(name)),
            State::Open => {
                self.try_it(name).await;
                self.told_own(name, acme.port())
            }
        }
    }

    /// Trusts who is wanted; nothing is known of another name.
    fn follow(&mut self, wanted: Option<&PublicChoice>) {
        if self.wanted.as_ref() != wanted {
            self.wanted = wanted.cloned();
            self.tried = None;
            self.proxies.trust(wanted.map(|wanted| Public {
                name: wanted.name.as_str().to_owned(),
                trusted: wanted.trusted_proxies.clone(),
            }));
        }
    }

    /// Asks by the name, where it is time to.
    async fn try_it(&mut self, name: &str) {
        let every = if self.proxies.shown() == Some(Shown::Well) {
            TRY_EVERY
        } else {
            TRY_AGAIN
        };
        let due = |(tried, _): &(Instant, _)| tried.elapsed() >= every;
        if self.tried.as_ref().is_none_or(due) {
            let mut random = [0; 16];
            SystemEntropy.fill(&mut random);
            let probe = hex::encode(random);
            self.proxies.probe(probe.clone());
            let answered = tokio::time::timeout(TRY_TIME, ask(name, &probe)).await;
            let answered = match answered {
                Ok(answered) => answered.map_err(|error| error.to_string()),
                Err(_) => Err(format!("nothing within {} s", TRY_TIME.as_secs())),
            };
            self.tried = Some((Instant::now(), answered));
        }
    }

    fn told_own(&self, name: &str, port: u16) -> Entrance {
        let came = self.proxies.came();
        let came = came.is_some_and(|came| came.elapsed() < CAME);
        let (code, text) = match (self.proxies.shown(), &self.tried) {
            (Some(Shown::Well), _) => return open_own(name),
            (None, _) if came => return open_own(name),
            (Some(_), _) => (
                "passed_on",
                format!(
                    "{name} leads here through a proxy: let it pass connections on as they come, or write `trusted_proxies` in place of `acme` under [access.public] in node.toml."
                ),
            ),
            (None, Some((_, Ok(())))) => (
                "elsewhere",
                format!(
                    "{name} answers, and it is not this node: let the name lead to your network, and the router pass port 443 to port {port} of this machine."
                ),
            ),
            (None, Some((_, Err(why)))) => (
                "no_answer",
                format!(
                    "{name} does not answer this machine ({why}). Does the router pass port 443 to port {port} of this machine? Some let nobody inside use the name: then open it from outside once."
                ),
            ),
            (None, None) => ("no_answer", format!("{name} was not tried yet.")),
        };
        entrance(Some(false), code, &text, url(name))
    }

    fn told(&self, name: &str, url: Vec<String>) -> Entrance {
        let to = self
            .to
            .map_or_else(String::new, |to| format!(" http://{to}"));
        let came = self.proxies.came();
        let came = came.is_some_and(|came| came.elapsed() < CAME);
        let (code, text) = match (self.proxies.shown(), &self.tried) {
            (Some(Shown::Well), _) => return open(url),
            (None, _) if came => return open(url),
            (Some(Shown::NotTrusted(proxy)), _) => (
                "not_trusted",
                format!(
                    "{name} leads here through {proxy}, which is not trusted: add it to `trusted_proxies` under [access.public] in node.toml."
                ),
            ),
            (Some(Shown::Unmarked), _) => (
                "unmarked",
                format!(
                    "{name} leads here, and the proxy does not say who its visitors are: let it send `X-Forwarded-For`, or strangers pass for this machine's own users."
                ),
            ),
            (Some(Shown::NotEncrypted), _) => (
                "not_encrypted",
                format!(
                    "{name} leads here, and the proxy does not say that visitors come encrypted: let it send `X-Forwarded-Proto`."
                ),
            ),
            (Some(Shown::OtherName), _) => (
                "other_name",
                format!(
                    "{name} leads here, and the proxy asks for another name: let it pass `Host` on as it came, or send `X-Forwarded-Host`."
                ),
            ),
            (None, Some((_, Ok(())))) => (
                "elsewhere",
                format!(
                    "{name} answers, and it is not this node: let the proxy pass its visitors on to{to}."
                ),
            ),
            (None, Some((_, Err(why)))) => (
                "no_answer",
                format!(
                    "{name} does not answer this machine ({why}). Is its address right, and does the proxy run? Some routers let nobody inside use the name: then open it from outside once."
                ),
            ),
            (None, None) => ("no_answer", format!("{name} was not tried yet.")),
        };
        entrance(Some(false), code, &text, url)
    }
}

fn url(name: &str) -> Vec<String> {
    vec![format!("https://{name}")]
}

fn open_own(name: &str) -> Entrance {
    let text = "Open to the internet by its name, with a certificate of its own that the node renews by itself.";
    entrance(Some(true), "certified", text, url(name))
}

fn open(url: Vec<String>) -> Entrance {
    let text = "Open to the internet by its name, through a proxy that you trust.";
    entrance(Some(true), "open", text, url)
}

fn entrance(ok: Option<bool>, code: &str, text: &str, urls: Vec<String>) -> Entrance {
    Entrance {
        kind: EntranceKind::Public,
        urls,
        ok,
        code: code.to_owned(),
        text: text.to_owned(),
    }
}

/// Asks as any visitor would, who trusts whom this machine trusts.
async fn ask(name: &str, probe: &str) -> io::Result<()> {
    let roots = world().await?;
    let stream = TcpStream::connect((name, 443)).await?;
    let server = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
    let line = format!("{PROBE}: {probe}\r\n");
    greet(roots, stream, server, name, &line).await.map(drop)
}
