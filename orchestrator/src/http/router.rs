//! Owns which path leads to which handler, for each of the two listeners.
//!
//! It does not know sockets (`server`).

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware;
use axum::routing::get;
use axum::routing::post;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::control;
use super::error::ApiError;
use super::events;
use super::guard;
use super::index;
use super::logs;
use super::metrics::Metrics;
use super::read;
use crate::node::Node;
use crate::status::NodeStatus;

/// How many streams (events, logs) one listener keeps open at once; plain requests always find a place beside them.
pub(super) const STREAM_LIMIT: usize = 48;

/// What every handler is given.
#[derive(Clone)]
pub(super) struct Face {
    /// Who answers.
    pub(super) node: Arc<dyn Node>,
    /// Cancelled when the node stops; ends the streams.
    pub(super) token: CancellationToken,
    /// What is counted here.
    pub(super) metrics: Arc<Metrics>,
    /// Places for streams.
    pub(super) streams: Arc<Semaphore>,
}

impl Face {
    /// Builds the state of one listener.
    pub(super) fn new(node: Arc<dyn Node>, token: CancellationToken) -> Self {
        Self {
            node,
            token,
            metrics: Arc::default(),
            streams: Arc::new(Semaphore::new(STREAM_LIMIT)),
        }
    }

    /// Returns the status as it is now.
    pub(super) fn status(&self) -> NodeStatus {
        self.node.status().borrow().clone()
    }

    /// Takes a place for a stream. Errors: 503 where all are taken.
    pub(super) fn stream_place(&self) -> Result<tokio::sync::OwnedSemaphorePermit, ApiError> {
        Arc::clone(&self.streams).try_acquire_owned().map_err(|_| {
            ApiError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "too_many_streams",
                format!("{STREAM_LIMIT} streams are open already"),
                "close one, then try again",
            )
        })
    }
}

/// Builds the read-only router of the TCP listener.
pub(super) fn tcp(face: Face, names: guard::Names) -> Router {
    let routes = reading()
        .route("/", get(index::page))
        .route("/api/v1/services/{id}/logs", get(local_only));
    finish(routes, face, |router| {
        router.layer(middleware::from_fn_with_state(Arc::new(names), guard::tcp))
    })
}

/// Builds the router of the owner's unix socket: everything that can be read, and every change.
pub(super) fn unix(face: Face) -> Router {
    let routes = reading()
        .route("/api/v1/plan", post(control::plan))
        .route("/api/v1/apply", post(control::apply))
        .route("/api/v1/services/{id}/settings/{name}", post(control::set))
        .route("/api/v1/services/{id}/remove", post(control::remove))
        .route("/api/v1/services/{id}/purge", post(control::purge))
        .route("/api/v1/services/{id}/retry", post(control::retry))
        .route("/api/v1/services/{id}/logs", get(logs::logs))
        .route("/api/v1/edges", post(control::edges))
        .route("/api/v1/audit", post(control::audit))
        .route("/api/v1/images", post(control::images))
        .route("/api/v1/services/{id}/image", post(control::set_image))
        .route("/api/v1/rotate", post(control::rotate))
        .route("/api/v1/down", post(control::down))
        .route("/api/v1/vault/unlock", post(control::unlock))
        .route("/api/v1/vault/seal", post(control::seal))
        .route("/api/v1/vault/passphrase", post(control::change_passphrase))
        .route("/api/v1/vault/key-file", post(control::add_key_file));
    finish(routes, face, |router| router)
}

fn reading() -> Router<Face> {
    Router::new()
        .route("/api/v1/status", get(read::status))
        .route("/api/v1/services", get(read::services))
        .route("/api/v1/services/{id}", get(read::service))
        .route("/api/v1/events", get(events::events))
        .route("/api/v1/openapi.json", get(read::openapi))
        .route("/metrics", get(read::metrics))
}

fn finish(routes: Router<Face>, face: Face, guard: impl FnOnce(Router) -> Router) -> Router {
    let router = routes
        .fallback(async || read::unknown_path())
        .method_not_allowed_fallback(async || {
            ApiError::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "this path does not answer to this method",
                "/api/v1/openapi.json lists every path with its methods",
            )
        })
        .with_state(face);
    guard(router)
        .layer(DefaultBodyLimit::max(guard::BODY_LIMIT))
        .layer(middleware::from_fn(guard::every))
}

async fn local_only() -> ApiError {
    ApiError::new(
        StatusCode::FORBIDDEN,
        "local_only",
        "logs are read over the owner's unix socket only",
        "use `flash-node logs SERVICE`",
    )
}
