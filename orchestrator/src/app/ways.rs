//! Owns the ways into the node's API: the machine's own, the one from its network by HTTPS, the one by a name, through a
//! proxy of the operator's or to the node itself, and the one by an onion address. Each is tried.
//!
//! It opens and closes what the operator accepted; nothing else listens beyond this machine.

mod acme;
mod onion;
mod public;

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::ServerName;
use rustls_pki_types::pem::PemObject as _;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

use crate::app::services::RealServices;
use crate::app::ways::acme::Own;
use crate::app::ways::onion::Onion;
use crate::app::ways::public::Named;
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
use crate::view::Access;
use crate::view::Entrance;
use crate::view::EntranceKind;

/// How often it is looked whether all is as it was accepted.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How often the way in is tried.
const TRY_EVERY: Duration = Duration::from_secs(60);
/// How long a try may take.
const TRY_TIME: Duration = Duration::from_secs(5);
/// Where the vault keeps the authority.
const AUTHORITY: &str = "node/authority";
/// Where the certificate of this machine lies, below the data folder: it serves the page on which a vault is opened.
const LEAF_FILE: &str = "tls.json";

/// What the way in from the network is made of.
pub(super) struct Ways {
    pub(super) services: Arc<RealServices>,
    pub(super) api: Api,
    pub(super) data: PathBuf,
    /// Where the machine's own way in is.
    pub(super) loopback: Option<SocketAddr>,
    pub(super) told: watch::Sender<Access>,
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

/// Says what there is before anything was looked at.
pub(super) fn first(loopback: Option<SocketAddr>) -> Access {
    Access {
        entrances: vec![own(loopback, None)],
        authority: None,
    }
}

/// Tells how the machine's own way in is, by what the last try came to.
fn own(loopback: Option<SocketAddr>, answered: Option<bool>) -> Entrance {
    let (ok, code, text) = match (loopback, answered) {
        (None, _) => (
            None,
            "off",
            "No address: the node is asked by its commands alone.",
        ),
        (Some(_), Some(false)) => (
            Some(false),
            "no_answer",
            "It is open, and does not answer the node itself: a firewall of this machine may refuse its own loopback.",
        ),
        (Some(_), _) => (Some(true), "open", "This machine itself, and nobody else."),
    };
    Entrance {
        kind: EntranceKind::Machine,
        urls: loopback.iter().map(|at| format!("http://{at}")).collect(),
        ok,
        code: code.to_owned(),
        text: text.to_owned(),
    }
}

/// Tries the machine's own way in, from time to time.
#[derive(Default)]
struct Loopback {
    tried: Option<Instant>,
    answered: Option<bool>,
}

impl Loopback {
    async fn look(&mut self, at: Option<SocketAddr>) -> Entrance {
        let due = self.tried.is_none_or(|tried| tried.elapsed() >= TRY_EVERY);
        if let (true, Some(at)) = (due, at) {
            self.tried = Some(Instant::now());
            let asked = tokio::time::timeout(TRY_TIME, async {
                let mut stream = TcpStream::connect(at).await?;
                hello(&mut stream, &at.to_string(), "").await
            });
            self.answered = Some(matches!(asked.await, Ok(Ok(head)) if head == *b"HTTP/1.1 200"));
        }
        own(at, self.answered)
    }
}

impl Ways {
    /// Opens and closes the way in as it was accepted, until `token` is cancelled.
    pub(super) async fn keep(self, token: CancellationToken) {
        let mut listeners = JoinSet::new();
        let mut open: Option<Open> = None;
        let mut loopback = Loopback::default();
        let mut public = Named::new(self.api.proxies(), self.loopback);
        let mut own = Own::new(self.api.clone(), &self.data);
        let mut onion = Onion::new(self.api.clone(), self.services.ground.places.clone());
        loop {
            let world = self.services.world();
            let wanted = world.choices.access.clone();
            let lan = if wanted.lan {
                self.ensure(&wanted, &mut open, &mut listeners, &token)
                    .await
            } else {
                shut(&mut open);
                closed(
                    None,
                    "off",
                    "Closed: nobody of your network reaches the node. `flash-node access --lan on` opens it.",
                )
            };
            let named = match wanted.public.as_ref() {
                Some(choice) if let Some(acme) = &choice.acme => {
                    let now = self.services.clock.wall();
                    let state = own.look(choice, acme, &token, now).await;
                    public.look_own(choice, acme, state).await
                }
                other => {
                    own.shut().await;
                    public.look(other).await
                }
            };
            let now = self.services.clock.wall();
            let hidden = onion.look(&world, now, &token).await;
            let machine = loopback.look(self.loopback).await;
            self.tell([machine, lan, named, hidden], open.as_ref());
            tokio::select! {
                () = token.cancelled() => break,
                Some(_) = listeners.join_next() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
        shut(&mut open);
        own.shut().await;
        onion.shut().await;
        while listeners.join_next().await.is_some() {}
    }

    /// Tells how each is, and of each that is otherwise than before.
    fn tell(&self, entrances: [Entrance; 4], open: Option<&Open>) {
        let authority = open.and_then(|open| {
            Some(crate::view::Authority {
                fingerprint: fingerprint(&open.leaf.authority)?,
                certificate: open.leaf.authority.clone(),
            })
        });
        let fresh = Access {
            entrances: entrances.into(),
            authority,
        };
        let before = self.told.borrow().clone();
        for one in &fresh.entrances {
            let mut last = before.entrances.iter();
            let last = last.find(|last| last.kind == one.kind);
            let same = last.map_or("off", |last| last.code.as_str()) == one.code;
            let name = match one.kind {
                EntranceKind::Machine => "machine",
                EntranceKind::Network => "lan",
                EntranceKind::Public => "public",
                EntranceKind::Onion => "onion",
            };
            if same {
                continue;
            }
            let at = self.services.clock.wall();
            let event = format!("{name}_{}", one.code);
            let state = &self.services.ground.state;
            if let Err(error) = state.append_event(None, &event, &one.text, at) {
                tracing::warn!(%error, "an event could not be written: {}", one.text);
            }
        }
        self.told.send_if_modified(|last| {
            let differs = *last != fresh;
            *last = fresh;
            differs
        });
    }

    /// Brings the way in to be open, tries it from time to time, and says how it is.
    async fn ensure(
        &self,
        wanted: &AccessChoice,
        open: &mut Option<Open>,
        listeners: &mut JoinSet<()>,
        token: &CancellationToken,
    ) -> Entrance {
        let found = blocking(machine::look).await.unwrap_or_default();
        if found.addresses.is_empty() {
            shut(open);
            return closed(
                Some(false),
                "no_network",
                "This machine has no address in a private network: join it to one.",
            );
        }
        let leaf = match self.leaf(&found).await {
            Ok(leaf) => leaf,
            Err((code, text)) => {
                shut(open);
                return closed(Some(false), code, &text);
            }
        };
        let port = wanted.lan_port();
        if open
            .as_ref()
            .is_some_and(|open| open.leaf != leaf || open.port != port)
        {
            shut(open);
            // An address is had again once whoever held it is gone.
            while listeners.join_next().await.is_some() {}
        }
        let open = open.get_or_insert_with(|| Open::new(leaf, port));
        self.open(open, &found, listeners, token).await;
        if open.tried.is_none_or(|tried| tried.elapsed() >= TRY_EVERY) && !open.at.is_empty() {
            open.tried = Some(Instant::now());
            open.answered = Some(answers(open).await);
        }
        open.held = open.responder.look(open.name());
        open.entrance()
    }

    /// Listens wherever the machine is found and nowhere else; where it does already, nobody is disturbed.
    async fn open(
        &self,
        open: &mut Open,
        found: &Found,
        listeners: &mut JoinSet<()>,
        token: &CancellationToken,
    ) {
        open.refused.clear();
        open.at.retain(|address, close| {
            let stays = found.addresses.contains(address);
            if !stays {
                close.cancel();
            }
            stays
        });
        let certificate = Certificate {
            certificate: &open.leaf.certificate,
            key: &open.leaf.key,
        };
        // Each for itself: what the machine has beyond its private networks is not listened at.
        for address in &found.addresses {
            if open.at.contains_key(address) {
                continue;
            }
            let hosts = found.names.iter().cloned().rev();
            let hosts = hosts.chain([address.to_string()]);
            let socket = SocketAddr::from((*address, open.port));
            match Https::bind(socket, &certificate, hosts).await {
                Ok(https) => {
                    let close = token.child_token();
                    listeners.spawn(self.api.clone().serve_https(https, close.clone()));
                    open.at.insert(*address, close);
                    open.tried = None;
                }
                Err(error) => {
                    open.refused.insert(*address, error.to_string());
                }
            }
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

fn shut(open: &mut Option<Open>) {
    if let Some(open) = open.take() {
        open.at.values().for_each(CancellationToken::cancel);
    }
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

/// Returns whom this machine trusts. Errors: nobody.
async fn world() -> io::Result<RootCertStore> {
    let found = blocking(rustls_native_certs::load_native_certs).await;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.map(|found| found.certs).unwrap_or_default());
    if roots.is_empty() {
        let text = "this machine trusts nobody: install ca-certificates";
        return Err(io::Error::other(text));
    }
    Ok(roots)
}

async fn blocking<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(act).await.ok()
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
    vault: &super::vault::VaultSeat,
    node: &str,
    found: &Found,
    now: crate::clock::UnixMillis,
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
    let head = greet(roots, stream, name, &at.to_string(), "").await?;
    if head == *b"HTTP/1.1 200" {
        return Ok(());
    }
    Err(io::Error::other(
        String::from_utf8_lossy(&head).into_owned(),
    ))
}

/// Asks by HTTPS how far the node is, with further header lines, and returns the first words of the answer.
async fn greet(
    roots: RootCertStore,
    stream: TcpStream,
    name: ServerName<'static>,
    host: &str,
    more: &str,
) -> io::Result<[u8; 12]> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut stream = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await?;
    hello(&mut stream, host, more).await
}

/// Asks how far the node is, and returns the first words of the answer.
async fn hello(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    host: &str,
    more: &str,
) -> io::Result<[u8; 12]> {
    let request =
        format!("GET /api/v1/session HTTP/1.1\r\nHost: {host}\r\n{more}Connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut head = [0; 12];
    stream.read_exact(&mut head).await?;
    Ok(head)
}
