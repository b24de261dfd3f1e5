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

use super::guard::Names;
use super::places::Leaving;
use super::places::Place;
use super::places::Places;
use super::router;
use super::router::Face;
use super::socket::ControlSocket;
use crate::account::Accounts;
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
/// The longest head of a request. Units: bytes.
const HEADER_LIMIT: usize = 16 * 1024;
/// How long answers under way may take once the node stops.
const DRAIN: Duration = Duration::from_secs(5);
/// How long the last bytes of an answer may take where somebody waits for the place.
const GENTLY: Duration = Duration::from_millis(100);
/// How long accepting rests when the system has no more files.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// Serves the API over TCP, to who may, until `token` is cancelled and the last answer is given.
///
/// Bind `listener` with [`bind_tcp`](super::bind_tcp), which keeps it on loopback.
pub async fn serve_tcp(
    listener: TcpListener,
    node: Arc<dyn Node>,
    accounts: Arc<Accounts>,
    token: CancellationToken,
) {
    serve_tcp_within(listener, node, accounts, token, LIMITS).await;
}

/// Serves as [`serve_tcp`] does, with other limits.
pub(super) async fn serve_tcp_within(
    listener: TcpListener,
    node: Arc<dyn Node>,
    accounts: Arc<Accounts>,
    token: CancellationToken,
    limits: Limits,
) {
    let (names, port) = match listener.local_addr() {
        Ok(address) => (Names::of(address), address.port()),
        Err(error) => {
            tracing::error!(%error, "the TCP listener has no address; the API is not served");
            return;
        }
    };
    let face = Face::new(Arc::clone(&node), accounts, token.clone(), port);
    let metrics = Arc::clone(&face.metrics);
    let watch_starts = async {
        let mut status = node.status();
        loop {
            metrics.observe(&status.borrow_and_update());
            if status.changed().await.is_err() {
                break std::future::pending::<()>().await;
            }
        }
    };
    // Both only wait for signals; the watcher has nothing to finish when serving ends.
    tokio::select! {
        () = serve(listener, router::tcp(face, names), token.clone(), limits) => {}
        () = watch_starts => {}
    }
}

/// Serves everything over the owner's unix socket until `token` is cancelled and the last answer is given.
///
/// A peer that is neither `owner_uid` nor root is closed without an answer.
pub async fn serve_unix(
    socket: ControlSocket,
    node: Arc<dyn Node>,
    accounts: Arc<Accounts>,
    token: CancellationToken,
    owner_uid: u32,
) {
    let face = Face::new(node, accounts, token.clone(), 0);
    let owned = Owned { socket, owner_uid };
    serve(owned, router::unix(face), token, LIMITS).await;
}

/// Says whether a peer may speak over the unix socket.
pub(super) fn peer_allowed(peer_uid: u32, owner_uid: u32) -> bool {
    peer_uid == owner_uid || peer_uid == 0
}

/// A connection, and the address it came from where it has one.
type Accepted<S> = (S, Option<SocketAddr>);

/// Gives connections; nothing for a peer that was refused.
trait Accept: Send {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    fn next(&self) -> impl Future<Output = io::Result<Option<Accepted<Self::Stream>>>> + Send;
}

impl Accept for TcpListener {
    type Stream = TcpStream;

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
    type Stream = UnixStream;

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
            Ok(Some(stream)) => {
                // The rest wait in the kernel's queue meanwhile.
                let place = tokio::select! {
                    () = token.cancelled() => break,
                    place = places.take() => place,
                };
                let header_timeout = limits.header_timeout;
                connections.spawn(connection(
                    stream,
                    router.clone(),
                    place,
                    token.clone(),
                    header_timeout,
                ));
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
