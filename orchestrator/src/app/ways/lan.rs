//! Owns the way in from the machine's own network, by HTTPS: where it listens, with which certificate, under which names, and
//! whether it works.
//!
//! The authority lies in the vault; what it issued for this machine lies beside it, so that a sealed node is reached too.

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::ServerName;
use rustls_pki_types::pem::PemObject as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::TRY_EVERY;
use super::TRY_TIME;
use super::blocking;
use super::greet;
use super::well;
use crate::app::services::RealServices;
use crate::app::vault::VaultSeat;
use crate::clock::UnixMillis;
use crate::http::Api;
use crate::http::Certificate;
use crate::http::Https;
use crate::lan::authority::Authority;
use crate::lan::authority::Leaf;
use crate::lan::authority::fingerprint;
use crate::lan::machine;
use crate::lan::machine::Found;
use crate::lan::responder::Held;
use crate::lan::responder::Name;
use crate::lan::responder::Responder;
use crate::manifest::choices::AccessChoice;
use crate::secret::SecretBytes;
use crate::secret::SecretKey;
use crate::secret::SecretSource as _;
use crate::store::durable;
use crate::store::vault::VaultError;
use crate::view;
use crate::view::Entrance;
use crate::view::EntranceKind;

/// Where the vault keeps the authority.
const AUTHORITY: &str = "node/authority";
/// Where the certificate of this machine lies, below the data folder: it serves the page on which a vault is opened.
const LEAF_FILE: &str = "tls.json";

/// The way in from the machine's own network.
pub(super) struct Lan {
    services: Arc<RealServices>,
    api: Api,
    data: PathBuf,
    open: Option<Open>,
    /// What serves visitors, at each address.
    serving: JoinSet<()>,
}

/// What listens now.
struct Open {
    leaf: Leaf,
    port: u16,
    /// Where it listens, each with what closes it there.
    at: BTreeMap<Ipv4Addr, CancellationToken>,
    /// Why it does not elsewhere.
    refused: BTreeMap<Ipv4Addr, String>,
    tried: Option<Instant>,
    /// What the last try came to.
    answered: Option<bool>,
    responder: Responder,
    /// Whose the machine's `.local` name is.
    held: Held,
}

impl Lan {
    pub(super) fn new(services: Arc<RealServices>, api: Api, data: PathBuf) -> Self {
        Self {
            services,
            api,
            data,
            open: None,
            serving: JoinSet::new(),
        }
    }

    /// Opens or closes it as it is wanted, tries it from time to time, and says how it is.
    pub(super) async fn look(
        &mut self,
        wanted: &AccessChoice,
        token: &CancellationToken,
    ) -> Entrance {
        if !wanted.lan {
            self.close();
            return closed(
                None,
                "off",
                "Closed: nobody of your network reaches the node. `flash-node access --lan on` opens it.",
            );
        }
        let found = blocking(machine::look).await.unwrap_or_default();
        if found.addresses.is_empty() {
            self.close();
            return closed(
                Some(false),
                "no_network",
                "This machine has no address in a private network: join it to one.",
            );
        }
        let leaf = match self.leaf(&found).await {
            Ok(leaf) => leaf,
            Err((code, text)) => {
                self.close();
                return closed(Some(false), code, &text);
            }
        };
        let port = wanted.lan_port();
        let stays = |open: &Open| open.leaf == leaf && open.port == port;
        if !self.open.as_ref().is_some_and(stays) {
            // An address is had again once whoever held it is gone.
            self.shut().await;
        }
        let open = self.open.get_or_insert_with(|| Open::new(leaf, port));
        open.listen(&found, &self.api, &mut self.serving, token)
            .await;
        if open.tried.is_none_or(|tried| tried.elapsed() >= TRY_EVERY) && !open.at.is_empty() {
            open.tried = Some(Instant::now());
            open.answered = Some(answers(open).await);
        }
        open.held = open.responder.look(open.name());
        // What has ended is not kept.
        while self.serving.try_join_next().is_some() {}
        open.entrance()
    }

    /// Returns what devices of the network are told to trust, once there is one.
    pub(super) fn authority(&self) -> Option<view::Authority> {
        let authority = &self.open.as_ref()?.leaf.authority;
        Some(view::Authority {
            fingerprint: fingerprint(authority)?,
            certificate: authority.clone(),
        })
    }

    /// Lets nobody in any more, and waits until what was begun is answered.
    pub(super) async fn shut(&mut self) {
        self.close();
        while self.serving.join_next().await.is_some() {}
    }

    fn close(&mut self) {
        if let Some(open) = self.open.take() {
            open.at.values().for_each(CancellationToken::cancel);
        }
    }

    /// Returns a certificate for what was found. Errors: a code and a sentence.
    async fn leaf(&self, found: &Found) -> Result<Leaf, (&'static str, String)> {
        let path = self.data.join(LEAF_FILE);
        let now = self.services.clock.wall();
        let (read, kept) = (path.clone(), blocking(move || kept(&path)).await.flatten());
        if let Some(kept) = kept.as_ref().filter(|kept| kept.fits(found, now)) {
            return Ok(kept.clone());
        }
        let (vault, node) = (
            self.services.vault.clone(),
            self.services.ground.node_id.clone(),
        );
        let found = found.clone();
        let issued = blocking(move || {
            let short: String = node.as_str().chars().take(6).collect();
            let authority = authority(&vault, &short, &found, now)?;
            let leaf = authority
                .issue(&short, &found, now)
                .map_err(|error| error.to_string())?;
            let text = serde_json::to_vec(&leaf).map_err(|error| error.to_string())?;
            durable::write(&read, &text, 0o600).map_err(|error| error.to_string())?;
            Ok::<Leaf, String>(leaf)
        })
        .await;
        match (issued, kept) {
            (Some(Ok(leaf)), _) => Ok(leaf),
            // What is there serves until somebody opens the vault, so that this can be done from a phone.
            (_, Some(kept)) if now.0 < kept.ends_at => Ok(kept),
            (Some(Err(why)), _) => Err((
                "no_certificate",
                format!(
                    "There is no certificate for this machine yet ({why}): open the vault once."
                ),
            )),
            (None, _) => Err((
                "no_certificate",
                "The certificate could not be made.".to_owned(),
            )),
        }
    }
}

impl Open {
    fn new(leaf: Leaf, port: u16) -> Self {
        Self {
            leaf,
            port,
            at: BTreeMap::new(),
            refused: BTreeMap::new(),
            tried: None,
            answered: None,
            responder: Responder::default(),
            held: Held::default(),
        }
    }

    /// Listens wherever the machine is found and nowhere else; where it does already, nobody is disturbed.
    async fn listen(
        &mut self,
        found: &Found,
        api: &Api,
        serving: &mut JoinSet<()>,
        token: &CancellationToken,
    ) {
        self.refused.clear();
        self.at.retain(|address, close| {
            let stays = found.addresses.contains(address);
            if !stays {
                close.cancel();
            }
            stays
        });
        let certificate = Certificate {
            certificate: &self.leaf.certificate,
            key: &self.leaf.key,
        };
        // Each for itself: what the machine has beyond its private networks is not listened at.
        for address in &found.addresses {
            if self.at.contains_key(address) {
                continue;
            }
            let hosts = found.names.iter().cloned().rev();
            let hosts = hosts.chain([address.to_string()]);
            let socket = SocketAddr::from((*address, self.port));
            match Https::bind(socket, &certificate, hosts).await {
                Ok(https) => {
                    let close = token.child_token();
                    serving.spawn(api.clone().serve_https(https, close.clone()));
                    self.at.insert(*address, close);
                    self.tried = None;
                }
                Err(error) => {
                    self.refused.insert(*address, error.to_string());
                }
            }
        }
    }

    /// By what name the network finds the addresses at which it is listened, where there is one.
    fn name(&self) -> Option<Name> {
        let mut names = self.leaf.names.iter();
        let host = names.find(|name| is_local(name)).cloned()?;
        let addresses = self.at.keys().copied().collect();
        let port = self.port;
        (!self.at.is_empty()).then_some(Name {
            host,
            addresses,
            port,
        })
    }

    fn sockets(&self) -> impl Iterator<Item = SocketAddr> {
        let addresses = self.at.keys();
        addresses.map(|address| SocketAddr::from((*address, self.port)))
    }

    fn entrance(&self) -> Entrance {
        let mut urls: Vec<String> = Vec::new();
        if !self.at.is_empty() {
            let known = |name: &&String| !is_local(name) || self.held == Held::Ours;
            let names = self.leaf.names.iter().rev().filter(known);
            urls.extend(names.map(|name| format!("https://{name}:{}", self.port)));
            urls.extend(self.sockets().map(|at| format!("https://{at}")));
        }
        let (ok, code, text) = match (self.refused.first_key_value(), self.answered) {
            (Some((address, why)), _) => (
                false,
                "not_listening",
                format!(
                    "{address}:{} cannot be listened at ({why}): end what uses the port, or name another one with `lan_port` under [access] in node.toml.",
                    self.port
                ),
            ),
            (None, Some(false)) => (
                false,
                "no_answer",
                "It is open, and does not answer this machine itself: a firewall may be in the way.".to_owned(),
            ),
            (None, _) if self.held == Held::Taken => (
                true,
                "name_taken",
                "Open to your own network by address, encrypted. Another device there has this machine's `.local` name: rename one of the two.".to_owned(),
            ),
            (None, _) => (
                true,
                "open",
                "Open to your own network, encrypted. Each device must trust the node's certificate once.".to_owned(),
            ),
        };
        Entrance {
            kind: EntranceKind::Network,
            urls,
            ok: Some(ok),
            code: code.to_owned(),
            text,
        }
    }
}

/// Whether a name is one that the network itself answers for. Source: RFC 6762, 3.
fn is_local(name: &str) -> bool {
    name.ends_with(".local")
}

fn closed(ok: Option<bool>, code: &str, text: &str) -> Entrance {
    Entrance {
        kind: EntranceKind::Network,
        urls: Vec::new(),
        ok,
        code: code.to_owned(),
        text: text.to_owned(),
    }
}

/// Reads the certificate that is kept; one that cannot be read is made anew.
fn kept(path: &Path) -> Option<Leaf> {
    let bytes = std::fs::read(path).ok()?;
    serde_json::from_slice(&bytes)
        .inspect_err(|_| {
            tracing::warn!("the certificate of this machine cannot be read: it is made anew");
        })
        .ok()
}

/// Returns the node's authority, made where there is none. Errors: why not, in a few words.
fn authority(
    vault: &VaultSeat,
    node: &str,
    found: &Found,
    now: UnixMillis,
) -> Result<Authority, String> {
    let name = found.names.first().cloned().unwrap_or_default();
    let made = Authority::make(node, &name, now).map_err(|error| error.to_string())?;
    let made = serde_json::to_vec(&made).map_err(|error| error.to_string())?;
    let key = SecretKey(AUTHORITY.to_owned());
    let held = vault.ensure(&key, None, || SecretBytes::new(made));
    let held = held.map_err(|error| match error {
        VaultError::Sealed => "the vault is sealed".to_owned(),
        other => other.to_string(),
    })?;
    let kept = vault.secret(&held).map_err(|error| error.to_string())?;
    serde_json::from_slice(kept.expose()).map_err(|_| "its authority cannot be read".to_owned())
}

/// Whether each address answers as a phone would ask that trusts the authority.
async fn answers(open: &Open) -> bool {
    for at in open.sockets() {
        let asked = tokio::time::timeout(TRY_TIME, ask(&open.leaf.authority, at)).await;
        match asked {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(%at, %error, "the way in from the network does not answer");
                return false;
            }
            Err(_) => {
                tracing::warn!(%at, "the way in from the network does not answer in time");
                return false;
            }
        }
    }
    true
}

async fn ask(authority: &str, at: SocketAddr) -> io::Result<()> {
    let root = CertificateDer::from_pem_slice(authority.as_bytes());
    let mut roots = RootCertStore::empty();
    roots
        .add(root.map_err(io::Error::other)?)
        .map_err(io::Error::other)?;
    let stream = TcpStream::connect(at).await?;
    let name = ServerName::IpAddress(at.ip().into());
    well(greet(roots, stream, name, &at.to_string(), "").await?)
}
