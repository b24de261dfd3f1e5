//! Owns which path leads to which handler, for each of the two listeners.
//!
//! It does not know sockets (`server`).

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware;
use axum::routing::delete;
use axum::routing::get;
use axum::routing::patch;
use axum::routing::post;
use tokio_util::sync::CancellationToken;

use super::access;
use super::control;
use super::error::ApiError;
use super::events;
use super::guard;
use super::lanes::Lanes;
use super::logs;
use super::metrics::Metrics;
use super::once;
use super::once::Answers;
use super::onion;
use super::pages;
use super::passkeys;
use super::people;
use super::read;
use super::server::Api;
use super::session;
use super::session::Cookies;
use super::settings;
use super::shop;
use super::tasks;
use super::tokens;
use super::vault;
use crate::account::Accounts;
use crate::node::Node;
use crate::status::NodeStatus;

/// What every handler is given.
#[derive(Clone)]
pub(super) struct Face {
    /// Who answers.
    pub(super) node: Arc<dyn Node>,
    /// Who may ask.
    pub(super) accounts: Arc<Accounts>,
    /// The cookies of this listener.
    pub(super) cookies: Arc<Cookies>,
    /// Cancelled when the node stops; ends the streams.
    pub(super) token: CancellationToken,
    /// What is counted here.
    pub(super) metrics: Arc<Metrics>,
    /// How much each may ask, and places for streams.
    pub(super) lanes: Arc<Lanes>,
    /// What was answered to requests with a key.
    pub(super) answers: Arc<Answers>,
}

impl Face {
    /// Builds the state of one listener; `port` is 0 where it has none.
    pub(super) fn new(api: Api, token: CancellationToken, port: u16) -> Self {
        Self {
            node: api.node,
            accounts: api.accounts,
            cookies: Arc::new(Cookies::of(port)),
            token,
            metrics: api.metrics,
            lanes: api.lanes,
            answers: api.answers,
        }
    }

    /// Returns the status as it is now.
    pub(super) fn status(&self) -> NodeStatus {
        self.node.status().borrow().clone()
    }
}

/// Builds the router of the TCP listener: everything for who may, by the table of `access`.
pub(super) fn tcp(face: Face, door: guard::Door) -> Router {
    guarded(face, door, |router| router)
}

/// Builds the router of the listener for visitors of the Tor network: the same, and few change something at once.
pub(super) fn onion(face: Face, door: guard::Door, desk: onion::Desk) -> Router {
    guarded(face, door, |router| {
        router.layer(middleware::from_fn_with_state(desk, onion::desk))
    })
}

fn guarded(face: Face, door: guard::Door, within: impl FnOnce(Router) -> Router) -> Router {
    let routes = reading()
        .merge(changing())
        .merge(people())
        .route("/", get(pages::any))
        .route(
            "/api/v1/session",
            post(session::sign_in).delete(session::sign_out),
        )
        .route("/api/v1/session/confirm", post(session::confirm))
        .route("/api/v1/set-up", post(session::set_up))
        .route(
            "/api/v1/sessions",
            get(session::sessions).delete(session::drop_other_sessions),
        )
        .route("/api/v1/sessions/{id}", delete(session::drop_session))
        .route("/api/v1/account/password", post(people::change_password))
        .route("/api/v1/account/language", post(people::set_language))
        .route(
            "/api/v1/account/second-factor",
            post(people::begin_factor).delete(people::drop_factor),
        )
        .route(
            "/api/v1/account/second-factor/confirm",
            post(people::confirm_factor),
        )
        .route(
            "/api/v1/account/recovery-codes",
            post(people::recovery_codes),
        )
        .merge(own_passkeys())
        .route_layer(middleware::from_fn_with_state(face.clone(), once::once))
        .route_layer(middleware::from_fn_with_state(
            face.clone(),
            access::enforce,
        ));
    // What no route has is a page or a file of one, and those are anybody's.
    finish(routes.fallback(pages::any), face, |router| {
        within(router).layer(middleware::from_fn_with_state(door, guard::tcp))
    })
}

/// Builds the router of the owner's unix socket: everything that can be read, and every change.
pub(super) fn unix(face: Face) -> Router {
    let routes = reading()
        .merge(changing())
        .merge(people())
        .route("/api/v1/setup-code", post(session::set_up_code))
        .route("/api/v1/accounts/reset", post(people::reset))
        .route("/api/v1/vault/key-file", post(vault::add_key_file))
        .route_layer(middleware::from_fn_with_state(face.clone(), once::once))
        .route_layer(middleware::from_fn(access::machine))
        .fallback(async || read::unknown_path());
    finish(routes, face, |router| router)
}

/// They are a person's: the machine's own socket has none.
fn own_passkeys() -> Router<Face> {
    Router::new()
        .route(
            "/api/v1/account/passkeys",
            get(passkeys::passkeys).post(passkeys::add_passkey),
        )
        .route(
            "/api/v1/account/passkeys/begin",
            post(passkeys::begin_passkey),
        )
        .route(
            "/api/v1/account/passkeys/{id}",
            delete(passkeys::drop_passkey),
        )
        .route(
            "/api/v1/session/passkey",
            post(passkeys::sign_in_by_passkey),
        )
        .route(
            "/api/v1/session/passkey/begin",
            post(passkeys::begin_passkey_sign_in),
        )
        .route(
            "/api/v1/session/confirm/passkey",
            post(passkeys::confirm_by_passkey),
        )
        .route(
            "/api/v1/session/confirm/passkey/begin",
            post(passkeys::begin_passkey_confirmation),
        )
}

fn changing() -> Router<Face> {
    Router::new()
        .route("/api/v1/plan", post(control::plan))
        .route("/api/v1/apply", post(control::apply))
        .route(
            "/api/v1/settings",
            get(settings::list).post(settings::set_many),
        )
        .route("/api/v1/services/{id}/settings/{name}", post(settings::set))
        .route("/api/v1/services/{id}/remove", post(control::remove))
        .route("/api/v1/services/{id}/purge", post(control::purge))
        .route("/api/v1/services/{id}/retry", post(control::retry))
        .route("/api/v1/services/{id}/logs", get(logs::logs))
        .route(
            "/api/v1/access",
            get(read::access).post(control::set_access),
        )
        .route("/api/v1/edges", get(read::edges).post(control::edges))
        .route(
            "/api/v1/advisories",
            get(read::advisories).post(control::import_advisories),
        )
        .route("/api/v1/audit", post(control::audit))
        .route("/api/v1/images", get(read::images).post(control::images))
        .route("/api/v1/services/{id}/image", post(control::set_image))
        .route("/api/v1/rotate", post(control::rotate))
        .route("/api/v1/down", post(control::down))
        .route("/api/v1/vault/unlock", post(vault::unlock))
        .route("/api/v1/vault/seal", post(vault::seal))
        .route("/api/v1/vault/passphrase", post(vault::change_passphrase))
}

fn people() -> Router<Face> {
    Router::new()
        .route("/api/v1/session", get(session::session))
        .route("/api/v1/shop", get(shop::shop))
        .route(
            "/api/v1/accounts",
            get(people::accounts).post(people::add_account),
        )
        .route(
            "/api/v1/accounts/{id}",
            patch(people::change_account).delete(people::drop_account),
        )
        .route(
            "/api/v1/accounts/{id}/sessions",
            get(people::sessions_of).delete(people::drop_sessions_of),
        )
        .route(
            "/api/v1/tokens",
            get(tokens::tokens).post(tokens::add_token),
        )
        .route("/api/v1/tokens/{id}", delete(tokens::drop_token))
        .route("/api/v1/audit-log", get(people::audit_log))
        .route("/api/v1/audit-log/verify", post(people::verify_audit_log))
}

fn reading() -> Router<Face> {
    Router::new()
        .route("/api/v1/status", get(read::status))
        .route("/api/v1/services", get(read::services))
        .route("/api/v1/services/{id}", get(read::service))
        .route("/api/v1/machine", get(read::machine))
        .route("/api/v1/removed", get(read::removed))
        .route("/authority.crt", get(read::authority))
        .route("/api/v1/tasks", get(tasks::tasks))
        .route("/api/v1/events", get(events::events))
        .route("/api/v1/openapi.json", get(read::openapi))
        .route("/metrics", get(read::metrics))
}

fn finish(routes: Router<Face>, face: Face, guard: impl FnOnce(Router) -> Router) -> Router {
    let router = routes
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
