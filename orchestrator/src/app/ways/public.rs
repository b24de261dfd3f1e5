//! Owns the way in by a name in the internet, through a proxy of the operator's: who is trusted, and whether it works.
//!
//! The node opens nothing for it: the proxy comes to the machine's own way in.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::TRY_EVERY;
use super::TRY_TIME;
use super::blocking;
use super::greet;
use crate::entropy::Entropy;
use crate::entropy::SystemEntropy;
use crate::http::PROBE;
use crate::http::Proxies;
use crate::http::Public;
use crate::http::Shown;
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
        if self.wanted.as_ref() != wanted {
            self.wanted = wanted.cloned();
            self.tried = None;
            self.proxies.trust(wanted.map(|wanted| Public {
                name: wanted.name.as_str().to_owned(),
                trusted: wanted.trusted_proxies.clone(),
            }));
        }
        let Some(wanted) = wanted else {
            return entrance(
                None,
                "off",
                "No name in the internet leads here. [access.public] in node.toml sets one up, with a reverse proxy of yours.",
                Vec::new(),
            );
        };
        let name = wanted.name.as_str();
        let url = vec![format!("https://{name}")];
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
        self.told(name, url)
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
    let found = blocking(rustls_native_certs::load_native_certs).await;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.map(|found| found.certs).unwrap_or_default());
    if roots.is_empty() {
        return Err(io::Error::other(
            "this machine trusts nobody: install ca-certificates",
        ));
    }
    let stream = TcpStream::connect((name, 443)).await?;
    let server = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
    let line = format!("{PROBE}: {probe}\r\n");
    greet(roots, stream, server, name, &line).await.map(drop)
}
