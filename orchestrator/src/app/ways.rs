//! Owns the ways into the node's API: the machine's own, the one from its network by HTTPS, the one by a name, through a
//! proxy of the operator's or to the node itself, and the one by an onion address. Each is tried.
//!
//! It opens and closes what the operator accepted; nothing else listens beyond this machine.

mod acme;
mod lan;
mod onion;
mod public;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls_pki_types::ServerName;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

use crate::app::services::RealServices;
use crate::app::ways::acme::Own;
use crate::app::ways::lan::Lan;
use crate::app::ways::onion::Onion;
use crate::app::ways::public::Named;
use crate::http::Api;
use crate::view::Access;
use crate::view::Authority;
use crate::view::Entrance;
use crate::view::EntranceKind;

/// How often it is looked whether all is as it was accepted.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How often the way in is tried.
const TRY_EVERY: Duration = Duration::from_secs(60);
/// How long a try may take.
const TRY_TIME: Duration = Duration::from_secs(5);

/// What the ways in are made of.
pub(super) struct Ways {
    pub(super) services: Arc<RealServices>,
    pub(super) api: Api,
    pub(super) data: PathBuf,
    /// Where the machine's own way in is.
    pub(super) loopback: Option<SocketAddr>,
    pub(super) told: watch::Sender<Access>,
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
            self.answered = Some(matches!(asked.await, Ok(Ok(head)) if well(head).is_ok()));
        }
        own(at, self.answered)
    }
}

impl Ways {
    /// Opens and closes the way in as it was accepted, until `token` is cancelled.
    pub(super) async fn keep(self, token: CancellationToken) {
        let mut loopback = Loopback::default();
        let mut public = Named::new(self.api.proxies(), self.loopback);
        let mut lan = Lan::new(
            Arc::clone(&self.services),
            self.api.clone(),
            self.data.clone(),
        );
        let mut own = Own::new(self.api.clone(), &self.data);
        let mut onion = Onion::new(self.api.clone(), self.services.ground.places.clone());
        loop {
            let world = self.services.world();
            let wanted = world.choices.access.clone();
            let network = lan.look(&wanted, &token).await;
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
            self.tell([machine, network, named, hidden], lan.authority());
            tokio::select! {
                () = token.cancelled() => break,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
        lan.shut().await;
        own.shut().await;
        onion.shut().await;
    }

    /// Tells how each is, and of each that is otherwise than before.
    fn tell(&self, entrances: [Entrance; 4], authority: Option<Authority>) {
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

/// Whether an answer that begins so says how far the node is. Errors: what it says in place of that.
fn well(head: [u8; 12]) -> io::Result<()> {
    if head == *b"HTTP/1.1 200" {
        return Ok(());
    }
    Err(io::Error::other(
        String::from_utf8_lossy(&head).into_owned(),
    ))
}
