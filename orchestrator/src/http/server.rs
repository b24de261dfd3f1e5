//! Owns connections: how many there are, how long they may dawdle, who may open one, and how they end.
//!
//! It does not know a single path (`router`).

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use hyper_util::service::TowerToHyperService;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::net::UnixStream;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::guard::Door;
use super::guard::Names;
use super::lanes::Lanes;
use super::metrics::Metrics;
use super::once::Answers;
use super::onion::Desk;
use super::onion::OnionSocket;
use super::places::Leaving;
use super::places::Place;
use super::places::Places;
use super::proxies::Proxies;
use super::proxies::Way;
use super::router;
use super::router::Face;
use super::socket::ControlSocket;
use super::tls::Https;
use crate::account::Accounts;
use crate::manifest::schema::ONION_PORT;
use crate::node::Node;

/// What a listener bears.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// How many connections it keeps; whoever comes then takes the place of one that is idle.
    pub(super) connections: usize,
    /// How long the head of a request may take, and how long an idle connection is kept.
    pub(super) header_timeout: Duration,
}

/// Half of the files that a process may have open where nobody said otherwise.
pub(super) const LIMITS: Limits = Limits {
    connections: 512,
    header_timeout: Duration::from_secs(10),
};
/// How many connections of visitors of the Tor network are kept: they share what files the node may open with all others.
const ONION_CONNECTIONS: usize = 128;
/// The longest head of a request. Units: bytes.
const HEADER_LIMIT: usize = 16 * 1024;
/// How long answers under way may take once the node stops.
const DRAIN: Duration = Duration::from_secs(5);
/// How long the last bytes of an answer may take where somebody waits for the place.
const GENTLY: Duration = Duration::from_millis(100);
/// How long accepting rests when the system has no more files.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// The API of one node, on every listener that it is given: what each asker may is counted over all of them.
#[derive(Clone)]
pub struct Api {
    pub(super) node: Arc<dyn Node>,
    pub(super) accounts: Arc<Accounts>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) lanes: Arc<Lanes>,
    pub(super) answers: Arc<Answers>,
    pub(super) proxies: Arc<Proxies>,
    pub(super) limits: Limits,
}

impl Api {
    /// Builds the API of `node`, for those whom `accounts` knows.
    #[must_use]
    pub fn new(node: Arc<dyn Node>, accounts: Arc<Accounts>) -> Self {
        Self {
            node,
            accounts,
            metrics: Arc::default(),
            lanes: Arc::new(Lanes::new()),
            answers: Arc::default(),
            proxies: Arc::default(),
            limits: LIMITS,
        }
    }

    /// Returns who may pass visitors on; nobody at first.
    #[must_use]
    pub fn proxies(&self) -> Arc<Proxies> {
        Arc::clone(&self.proxies)
    }

    /// Returns whose API it is.
    #[must_use]
    pub fn node(&self) -> &dyn Node {
        &*self.node
    }

    fn door(&self, names: Arc<Names>, encrypted: bool) -> Door {
        Door {
            names,
            named: false,
            way: Way {
                near: !encrypted,
                within: true,
                secure: encrypted,
                from: None,
            },
            proxies: Arc::clone(&self.proxies),
        }
    }

    /// Serves over TCP, to who may, until `token` is cancelled and the last answer is given.
    ///
    /// Bind `listener` with [`bind_tcp`](super::bind_tcp), which keeps it on loopback.
    pub async fn serve_tcp(self, listener: TcpListener, token: CancellationToken) {
        let (names, port) = match listener.local_addr() {
            Ok(address) => (Names::of(address), address.port()),
            Err(error) => {
                tracing::error!(%error, "the TCP listener has no address; the API is not served");
                return;
            }
        };
        let (metrics, mut status) = (Arc::clone(&self.metrics), self.node.status());
        let watch_starts = async {
            loop {
                metrics.observe(&status.borrow_and_update());
                if status.changed().await.is_err() {
                    break std::future::pending::<()>().await;
                }
            }
        };
        let limits = self.limits;
        let door = self.door(Arc::new(names), false);
        let face = Face::new(self, token.clone(), port);
        // Both only wait for signals; the watcher has nothing to finish when serving ends.
        tokio::select! {
            () = serve(listener, router::tcp(face, door), token.clone(), limits) => {}
            () = watch_starts => {}
        }
    }

    /// Serves over HTTPS, to who may, until `token` is cancelled and the last answer is given.
    pub async fn serve_https(self, https: Https, token: CancellationToken) {
        let (port, limits) = (https.port(), self.limits);
        let mut door = self.door(https.names(), true);
        door.named = https.named();
        let routes = router::tcp(Face::new(self, token.clone(), port), door);
        serve(https, routes, token, limits).await;
    }

    /// Serves visitors of the Tor network, who may, until `token` is cancelled and the last answer is given. None of them is
    /// taken for a user of this machine, and none of them comes encrypted further than to Tor.
    pub async fn serve_onion(self, socket: Arc<OnionSocket>, token: CancellationToken) {
        let limits = Limits {
            connections: self.limits.connections.min(ONION_CONNECTIONS),
            ..self.limits
        };
        let door = Door {
            names: socket.names(),
            named: false,
            way: Way {
                near: false,
                within: false,
                secure: false,
                from: None,
            },
            proxies: Arc::clone(&self.proxies),
        };
        let desk = Desk::of(socket.tries());
        let routes = router::onion(Face::new(self, token.clone(), ONION_PORT), door, desk);
        serve(socket, routes, token, limits).await;
    }

    /// Serves everything over the owner's unix socket until `token` is cancelled and the last answer is given.
    ///
    /// A peer that is neither `owner_uid` nor root is closed without an answer.
    pub async fn serve_unix(self, socket: ControlSocket, token: CancellationToken, owner_uid: u32) {
        let limits = self.limits;
        let face = Face::new(self, token.clone(), 0);
        let owned = Owned { socket, owner_uid };
        serve(owned, router::unix(face), token, limits).await;
    }
}

/// Says whether a peer may speak over the unix socket.
pub(super) fn peer_allowed(peer_uid: u32, owner_uid: u32) -> bool {
    peer_uid == owner_uid || peer_uid == 0
}

/// A connection, and the address it came from where it has one.
type Accepted<R> = (R, Option<SocketAddr>);

/// Gives connections; nothing for a peer that was refused.
pub(super) trait Accept: Send {
    /// A connection as it comes.
    type Raw: Send + 'static;
    /// A connection on which HTTP is spoken.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    fn next(&self) -> impl Future<Output = io::Result<Option<Accepted<Self::Raw>>>> + Send;

    /// Brings a connection to where HTTP is spoken; nothing where it was answered otherwise.
    fn enter(
        &self,
        raw: Self::Raw,
    ) -> impl Future<Output = io::Result<Option<Self::Stream>>> + Send + 'static;
}

impl Accept for TcpListener {
    type Raw = TcpStream;
    type Stream = TcpStream;

    fn enter(
        &self,
        raw: TcpStream,
    ) -> impl Future<Output = io::Result<Option<TcpStream>>> + Send + 'static {
        std::future::ready(Ok(Some(raw)))
    }

    async fn next(&self) -> io::Result<Option<Accepted<TcpStream>>> {
        let (stream, peer) = self.accept().await?;
        // Events go out at once; a failure costs only speed.
        let _ = stream.set_nodelay(true);
        Ok(Some((stream, Some(peer))))
    }
}

struct Owned {
    socket: ControlSocket,
    owner_uid: u32,
}

impl Accept for Owned {
    type Raw = UnixStream;
    type Stream = UnixStream;

    fn enter(
        &self,
        raw: UnixStream,
    ) -> impl Future<Output = io::Result<Option<UnixStream>>> + Send + 'static {
        std::future::ready(Ok(Some(raw)))
    }

    async fn next(&self) -> io::Result<Option<Accepted<UnixStream>>> {
        let (stream, _) = self.socket.listener.accept().await?;
        let peer = stream.peer_cred()?.uid();
        if !peer_allowed(peer, self.owner_uid) {
            tracing::warn!(
                peer.uid = peer,
                "user {peer} may not use the control socket"
            );
            return Ok(None);
        }
        Ok(Some((stream, None)))
    }
}

async fn serve<A: Accept>(accept: A, router: Router, token: CancellationToken, limits: Limits) {
    let places = Places::new(limits.connections);
    // A set, not the node's task group: connections belong to this listener and end with it.
    let mut connections = JoinSet::new();
    loop {
        // Cancel-safe: accepting and joining lose nothing when dropped before they are done.
        let stream = tokio::select! {
            () = token.cancelled() => break,
            Some(ended) = connections.join_next() => {
                report(ended);
                continue;
            }
            stream = accept.next() => stream,
        };
        match stream {
            Ok(Some((raw, peer))) => {
                // The rest wait in the kernel's queue meanwhile.
                let place = tokio::select! {
                    () = token.cancelled() => break,
                    place = places.take() => place,
                };
                let header_timeout = limits.header_timeout;
                // Who comes in slowly keeps nobody else waiting.
                let entering = tokio::time::timeout(header_timeout, accept.enter(raw));
                let (router, token) = (router.clone(), token.clone());
                connections.spawn(async move {
                    let entered = tokio::select! {
                        () = token.cancelled() => return,
                        _ = place.left() => return,
                        entered = entering => entered,
                    };
                    match entered {
                        Ok(Ok(Some(stream))) => {
                            connection((stream, peer), router, place, token, header_timeout).await;
                        }
                        Ok(Ok(None)) => {}
                        // A peer that does not trust us yet, or went away, is no failure of ours.
                        Ok(Err(error)) => tracing::debug!(%error, "nobody came in"),
                        Err(_) => tracing::debug!("somebody came in too slowly"),
                    }
                });
            }
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_REST).await;
            }
        }
    }
    // The socket's name goes first, so that nobody new finds a node that is leaving.
    drop(accept);
    while let Some(ended) = connections.join_next().await {
        report(ended);
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a connection's task failed");
    }
}

async fn connection<S>(
    (stream, peer): Accepted<S>,
    router: Router,
    place: Arc<Place>,
    token: CancellationToken,
    header_timeout: Duration,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let routes = TowerToHyperService::new(router);
    let own = Arc::clone(&place);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        let answering = Arc::clone(&own).begin();
        request.extensions_mut().insert(Arc::clone(&own));
        if let Some(peer) = peer {
            request.extensions_mut().insert(ConnectInfo(peer));
        }
        let answer = routes.call(request);
        async move {
            let answer = answer.await?;
            // A stream of events is being answered as long as it lasts.
            Ok::<_, std::convert::Infallible>(answer.map(|body| {
                Body::new(body.map_frame(move |frame| {
                    let _ = &answering;
                    frame
                }))
            }))
        }
    });
    let mut served = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(header_timeout)
            .max_buf_size(HEADER_LIMIT)
            .serve_connection(TokioIo::new(stream), service)
    );
    // The connection is polled again below; nothing is lost when the first wait is dropped.
    let time = tokio::select! {
        ended = served.as_mut() => Err(ended),
        () = token.cancelled() => Ok(DRAIN),
        leaving = place.left() => match leaving {
            Leaving::Gently => Ok(GENTLY),
            Leaving::AtOnce => return,
        },
    };
    let ended = match time {
        Ok(time) => {
            served.as_mut().graceful_shutdown();
            tokio::time::timeout(time, served).await.unwrap_or(Ok(()))
        }
        Err(ended) => ended,
    };
    if let Err(error) = ended {
        // A peer that went away is no failure of ours.
        tracing::debug!(%error, "a connection ended early");
    }
}
