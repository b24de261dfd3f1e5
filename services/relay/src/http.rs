//! Owns the port: accepts connections, answers HTTP and hands WebSockets to sessions. axum and hyper live here.
//!
//! Deliberately does not know Nostr messages. One path carries three faces: the NIP-11 document, a page for
//! people and the WebSocket.

use std::net::IpAddr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::FromRequestParts;
use axum::extract::Request;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use axum::routing::get;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tracing::debug;
use tracing::warn;

use crate::admission::Ticket;
use crate::config::OperatorAccess;
use crate::information;
use crate::relay::Shared;
use crate::session;

/// Time a client has to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause after the system could not accept, for example because no file handle was left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// One idle connection keeps these, so they are small.
const READ_BUFFER_BYTES: usize = 8 * 1024;
const WRITE_BUFFER_BYTES: usize = 16 * 1024;
const NIP_11: &str = "application/nostr+json";

/// Accepts connections until the relay stops.
pub(crate) async fn serve(shared: Arc<Shared>, listener: TcpListener) {
    let router = Router::new()
        .route("/health", get(health))
        .route("/metrics", get(metrics))
        .fallback(root)
        .with_state(Arc::clone(&shared));
    loop {
        let accepted = tokio::select! {
            // Accepting is cancel-safe: an unaccepted connection stays with the system.
            accepted = listener.accept() => accepted,
            () = shared.stopping.cancelled() => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                // Closed without a word: an answer would need what has run out.
                let Ok(ticket) = shared.sockets.admit(peer.ip()) else {
                    shared.metrics.connections_refused.add();
                    continue;
                };
                // Without this a small frame waits some 40 ms for the reader's delayed acknowledgement.
                if let Err(failure) = stream.set_nodelay(true) {
                    debug!(error = %failure, "a connection ended before it began");
                    continue;
                }
                shared.tasks.spawn(
                    "http",
                    converse(
                        router.clone(),
                        Arc::clone(&shared),
                        stream,
                        Peer {
                            address: peer,
                            _ticket: Arc::new(ticket),
                        },
                    ),
                );
            }
            Err(failure) => {
                warn!(error = %failure, "could not accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn converse(router: Router, shared: Arc<Shared>, stream: TcpStream, peer: Peer) {
    let service = tower_service(router, peer);
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(READ_BUFFER_BYTES * 2);
    let connection = builder
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = shared.stopping.cancelled() => {
            // An answer on its way is finished; an idle connection ends at once.
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(failure) = result {
        debug!(error = %failure, "an HTTP connection ended early");
    }
}

/// Wraps the router so that handlers find the peer's address among the request's extensions.
fn tower_service(
    router: Router,
    peer: Peer,
) -> TowerToHyperService<
    impl tower::Service<
        axum::http::Request<hyper::body::Incoming>,
        Response = Response,
        Error = std::convert::Infallible,
        Future: Send,
    > + Clone,
> {
    TowerToHyperService::new(tower::service_fn(
        move |request: axum::http::Request<hyper::body::Incoming>| {
            let mut request = request.map(axum::body::Body::new);
            request.extensions_mut().insert(peer.clone());
            tower::ServiceExt::oneshot(router.clone(), request)
        },
    ))
}

/// The other end of a connection, and the right to it while the connection lasts.
#[derive(Debug, Clone)]
struct Peer {
    address: SocketAddr,
    _ticket: Arc<Ticket>,
}

async fn root(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (mut parts, _body) = request.into_parts();
    let Some(peer) = parts.extensions.get::<Peer>().cloned() else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    if parts.headers.contains_key(header::UPGRADE) {
        return match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
            Ok(upgrade) => open(shared, upgrade, peer),
            Err(rejection) => rejection.into_response(),
        };
    }
    if parts.method == axum::http::Method::OPTIONS {
        return information::cors(StatusCode::NO_CONTENT.into_response());
    }
    if parts.uri.path() != "/" {
        return (StatusCode::NOT_FOUND, "nothing here; the relay is at /\n").into_response();
    }
    let accept = parts
        .headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok());
    if accept.is_some_and(|accept| accept.contains(NIP_11)) {
        return information::document(&shared);
    }
    information::page(&shared)
}

fn open(shared: Arc<Shared>, upgrade: WebSocketUpgrade, peer: Peer) -> Response {
    let address = peer.address.ip();
    if shared.stopping.is_cancelled() {
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            "error: the relay is stopping\n",
        )
            .into_response();
    }
    let ticket = match shared.admission.admit(address) {
        Ok(ticket) => ticket,
        Err(text) => {
            shared.metrics.connections_refused.add();
            return (StatusCode::TOO_MANY_REQUESTS, text).into_response();
        }
    };
    shared.metrics.connections_accepted.add();
    // A message somewhat too large is answered; one that is absurdly large ends the connection.
    let hard_limit = shared.limits.max_message_bytes.saturating_mul(2);
    upgrade
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_message_size(hard_limit)
        .max_frame_size(hard_limit)
        .on_upgrade(move |socket| {
            let (done, ended) = tokio::sync::oneshot::channel();
            let tasks = shared.tasks.clone();
            tasks.spawn("session", async move {
                session::run(shared, socket, address).await;
                drop((ticket, peer));
                let _ = done.send(());
            });
            async {
                let _ = ended.await;
            }
        })
}

async fn health(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let mut report = shared.health.report(&shared.store).await;
    if !operator(&shared, &request) {
        report.events = None;
    }
    let status = if report.status == "ready" {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let body = serde_json::to_string(&report).expect("a report is plain data");
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

async fn metrics(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    if !operator(&shared, &request) {
        return (
            StatusCode::FORBIDDEN,
            "the numbers are for the operator (operator_access)\n",
        )
            .into_response();
    }
    let (connections, subscriptions) = shared.hub.size();
    let events = shared.store.total().await.ok();
    let text = shared.metrics.text(connections, subscriptions, events);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}

/// Tells whether a request may see numbers that include private messages.
fn operator(shared: &Shared, request: &Request) -> bool {
    let peer = request
        .extensions()
        .get::<Peer>()
        .map(|peer| peer.address.ip());
    peer.is_some_and(|peer| permitted(shared.config.operator_access, peer, request.headers()))
}

fn permitted(access: OperatorAccess, peer: IpAddr, headers: &HeaderMap) -> bool {
    let forwarded = ["forwarded", "x-forwarded-for", "x-real-ip", "via"]
        .iter()
        .any(|name| headers.contains_key(*name));
    match access {
        OperatorAccess::Any => true,
        OperatorAccess::Loopback => peer.is_loopback() && !forwarded,
        OperatorAccess::Private => private_network(peer) && !forwarded,
    }
}

fn private_network(peer: IpAddr) -> bool {
    match peer {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => private_network(IpAddr::V4(v4)),
            None => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
        },
    }
}

#[cfg(test)]
mod tests;
