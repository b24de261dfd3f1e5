//! Owns who may ask for what: one table of every route, and the one place that enforces it.
//!
//! A route that stands in no line of it is refused. It does not know what a route does, nor how people are kept
//! (`account`).

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::extract::MatchedPath;
use axum::extract::Request;
use axum::extract::State;
use axum::http::Extensions;
use axum::http::HeaderMap;
use axum::http::Method;
use axum::http::header;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::IntoResponse;
use axum::response::Response;

use super::error::ApiError;
use super::places::Place;
use super::proxies::Way;
use super::router::Face;
use crate::account::AccountError;
use crate::account::Accounts;
use crate::account::Principal;
use crate::account::Right;
use crate::account::SignedIn;
use crate::account::Stage;

/// How often it is looked whether the reader of a stream may still read it.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// What a route asks of whoever calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Nothing.
    Anybody,
    /// A right.
    Needs(Right),
    /// A right, and a person who has just shown the password.
    Confirmed(Right),
    /// A right; and, but for a dry run, a person who has just shown the password.
    ConfirmedUnlessDry(Right),
    /// A right; and, but for a dry run, of a person the password just shown. A program is trusted as far as its role goes.
    ConfirmedByPeople(Right),
}

impl Access {
    /// Whether a program with a token may ask at all.
    pub(super) fn is_for_programs(self) -> bool {
        match self {
            Self::Anybody | Self::ConfirmedUnlessDry(_) | Self::ConfirmedByPeople(_) => true,
            Self::Needs(right) => right != Self_,
            Self::Confirmed(_) => false,
        }
    }
}

/// One route: its method, its path, and what it asks.
pub(super) type Line = (&'static str, &'static str, Access);

use Access::Anybody;
use Access::Confirmed;
use Access::ConfirmedByPeople;
use Access::ConfirmedUnlessDry;
use Access::Needs;
use Right::Own;
use Right::Read;
use Right::Run;
use Right::Self_;
use Right::Shop;

/// Every route of the TCP listener, sorted by path.
pub(super) const TABLE: &[Line] = &[
    ("GET", "/", Anybody),
    ("GET", "/api/v1/access", Needs(Read)),
    ("POST", "/api/v1/access", ConfirmedUnlessDry(Own)),
    ("DELETE", "/api/v1/account/second-factor", Confirmed(Self_)),
    ("POST", "/api/v1/account/language", Needs(Self_)),
    ("GET", "/api/v1/account/passkeys", Needs(Self_)),
    ("POST", "/api/v1/account/passkeys", Confirmed(Self_)),
    ("POST", "/api/v1/account/passkeys/begin", Confirmed(Self_)),
    ("DELETE", "/api/v1/account/passkeys/{id}", Confirmed(Self_)),
    ("POST", "/api/v1/account/password", Needs(Self_)),
    ("POST", "/api/v1/account/recovery-codes", Confirmed(Self_)),
    ("POST", "/api/v1/account/second-factor", Confirmed(Self_)),
    (
        "POST",
        "/api/v1/account/second-factor/confirm",
        Confirmed(Self_),
    ),
    ("GET", "/api/v1/accounts", Needs(Own)),
    ("POST", "/api/v1/accounts", Confirmed(Own)),
    ("DELETE", "/api/v1/accounts/{id}", Confirmed(Own)),
    ("PATCH", "/api/v1/accounts/{id}", Confirmed(Own)),
    ("DELETE", "/api/v1/accounts/{id}/sessions", Confirmed(Own)),
    ("GET", "/api/v1/accounts/{id}/sessions", Needs(Own)),
    ("GET", "/api/v1/advisories", Needs(Read)),
    ("POST", "/api/v1/advisories", ConfirmedByPeople(Own)),
    ("POST", "/api/v1/apply", Confirmed(Run)),
    ("POST", "/api/v1/audit", Needs(Read)),
    ("GET", "/api/v1/audit-log", Needs(Read)),
    ("POST", "/api/v1/audit-log/verify", Needs(Read)),
    ("POST", "/api/v1/down", Confirmed(Own)),
    ("GET", "/api/v1/edges", Needs(Read)),
    ("POST", "/api/v1/edges", Needs(Read)),
    ("GET", "/api/v1/events", Needs(Shop)),
    ("GET", "/api/v1/images", Needs(Read)),
    ("POST", "/api/v1/images", Needs(Read)),
    ("GET", "/api/v1/machine", Needs(Read)),
    ("GET", "/api/v1/openapi.json", Anybody),
    ("POST", "/api/v1/plan", Needs(Read)),
    ("GET", "/api/v1/removed", Needs(Read)),
    ("POST", "/api/v1/rotate", ConfirmedUnlessDry(Run)),
    ("GET", "/api/v1/services", Needs(Read)),
    ("GET", "/api/v1/services/{id}", Needs(Read)),
    (
        "POST",
        "/api/v1/services/{id}/image",
        ConfirmedUnlessDry(Own),
    ),
    ("GET", "/api/v1/services/{id}/logs", Needs(Run)),
    ("POST", "/api/v1/services/{id}/purge", Confirmed(Own)),
    (
        "POST",
        "/api/v1/services/{id}/remove",
        ConfirmedUnlessDry(Run),
    ),
    ("POST", "/api/v1/services/{id}/retry", Needs(Run)),
    (
        "POST",
        "/api/v1/services/{id}/settings/{name}",
        ConfirmedByPeople(Run),
    ),
    ("DELETE", "/api/v1/session", Needs(Self_)),
    ("GET", "/api/v1/session", Anybody),
    ("POST", "/api/v1/session", Anybody),
    ("POST", "/api/v1/session/confirm", Needs(Self_)),
    ("POST", "/api/v1/session/confirm/passkey", Needs(Self_)),
    (
        "POST",
        "/api/v1/session/confirm/passkey/begin",
        Needs(Self_),
    ),
    ("POST", "/api/v1/session/passkey", Anybody),
    ("POST", "/api/v1/session/passkey/begin", Anybody),
    ("DELETE", "/api/v1/sessions", Needs(Self_)),
    ("GET", "/api/v1/sessions", Needs(Self_)),
    ("DELETE", "/api/v1/sessions/{id}", Needs(Self_)),
    ("POST", "/api/v1/set-up", Anybody),
    ("GET", "/api/v1/settings", Needs(Read)),
    ("POST", "/api/v1/settings", ConfirmedByPeople(Run)),
    ("GET", "/api/v1/shop", Needs(Shop)),
    ("GET", "/api/v1/status", Needs(Read)),
    ("GET", "/api/v1/tasks", Needs(Read)),
    ("GET", "/api/v1/tokens", Needs(Own)),
    ("POST", "/api/v1/tokens", Confirmed(Own)),
    ("DELETE", "/api/v1/tokens/{id}", Confirmed(Own)),
    ("POST", "/api/v1/vault/passphrase", Confirmed(Own)),
    ("POST", "/api/v1/vault/seal", Needs(Own)),
    ("POST", "/api/v1/vault/unlock", Anybody),
    ("GET", "/authority.crt", Anybody),
    ("GET", "/metrics", Needs(Read)),
];

/// Finds what a route asks; nothing where it is not listed.
pub(super) fn asked(method: &Method, path: &str) -> Option<Access> {
    // HEAD is GET without its body.
    let method = if method == Method::HEAD {
        "GET"
    } else {
        method.as_str()
    };
    let line = TABLE
        .iter()
        .find(|(its, path_of, _)| *its == method && *path_of == path);
    line.map(|(_, _, access)| *access)
}

/// Finds who asks, and lets pass who may.
pub(super) async fn enforce(
    State(face): State<Face>,
    path: Option<MatchedPath>,
    mut request: Request,
    next: Next,
) -> Response {
    // Where no route matches, the router says so.
    let Some(path) = path else {
        return next.run(request).await;
    };
    let (method, headers) = (request.method().clone(), request.headers().clone());
    let access = asked(&method, path.as_str());
    let cookie = face.cookies.session.clone();
    // Whoever shows nothing and asks for what everybody may see need not be looked up.
    let shows = bearer(&headers).is_some() || cookie_of(&headers, &cookie).is_some();
    if access == Some(Anybody) && !shows {
        return next.run(request).await;
    }
    let accounts = Arc::clone(&face.accounts);
    let near = near(request.extensions());
    // A look into the database, which may have to wait for a write: it does not hold other tasks up.
    let found = tokio::task::spawn_blocking(move || {
        let who = principal(&accounts, &headers, &cookie)?;
        admit(&accounts, access, (&method, near), who)
    });
    match found.await {
        Ok(Ok(who)) => {
            if let Some(who) = who {
                if let Some(place) = request.extensions().get::<Arc<Place>>() {
                    place.know();
                }
                let _turn = match face.lanes.enter(&who) {
                    Ok(turn) => turn,
                    Err(error) => return error.into_response(),
                };
                request.extensions_mut().insert(who);
                if let Some(access) = access {
                    request.extensions_mut().insert(access);
                }
                return next.run(request).await;
            }
            next.run(request).await
        }
        Ok(Err(error)) => ApiError::from(error).into_response(),
        Err(error) => {
            tracing::error!(%error, "who asks could not be found out");
            ApiError::internal().into_response()
        }
    }
}

/// Lets everybody pass as whoever owns the machine: the unix socket has checked that.
pub(super) async fn machine(mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(Principal::Machine);
    next.run(request).await
}

/// Waits until whoever opened a stream may not read it any more: signed out, taken back, another role, or sealed.
pub(super) async fn over(face: Face, headers: HeaderMap, who: Option<Principal>, right: Right) {
    if matches!(who, Some(Principal::Machine)) {
        return std::future::pending().await;
    }
    loop {
        tokio::time::sleep(LOOK_AGAIN).await;
        let (accounts, headers) = (Arc::clone(&face.accounts), headers.clone());
        let cookie = face.cookies.session.clone();
        let looked = tokio::task::spawn_blocking(move || {
            let who = principal(&accounts, &headers, &cookie)?;
            // As long as nobody owns the node, a stream that was opened may go on.
            admit(&accounts, Some(Needs(right)), (&Method::GET, true), who)
        });
        match looked.await {
            // Who was shown the sign of the shop alone may see more by now: the next stream shows it.
            Ok(Ok(Some(who))) if right == Shop && who.may(Read) => return,
            Ok(Ok(_)) => {}
            _ => return,
        }
    }
}

/// Finds who asks: a person by the session's cookie, a program by its token. While the vault is sealed nobody is known.
fn principal(
    accounts: &Accounts,
    headers: &HeaderMap,
    cookie: &str,
) -> Result<Option<Principal>, AccountError> {
    let found = match (bearer(headers), cookie_of(headers, cookie)) {
        (Some(token), _) => accounts.program(token),
        (None, Some(session)) => accounts.person(session),
        (None, None) => return Ok(None),
    };
    match found {
        Err(AccountError::Sealed) => Ok(None),
        other => other,
    }
}

fn admit(
    accounts: &Accounts,
    access: Option<Access>,
    (method, near): (&Method, bool),
    who: Option<Principal>,
) -> Result<Option<Principal>, AccountError> {
    let (right, confirmed) = match access {
        None => return Err(AccountError::NotAllowed),
        Some(Anybody) => return Ok(who),
        // What is asked of the body's meaning too is asked once it was read ([`Acting::confirm`]).
        Some(Needs(right) | ConfirmedUnlessDry(right) | ConfirmedByPeople(right)) => (right, false),
        Some(Confirmed(right)) => (right, true),
    };
    let Some(who) = who else {
        let open = matches!(right, Read | Shop);
        return match accounts.stage() {
            // Nobody owns the node yet: it is read as by any user of this machine, and nothing more.
            Stage::NoVault | Stage::SetUp if near && open && is_reading(method) => Ok(None),
            Stage::NoVault | Stage::SetUp => Err(AccountError::NotSetUp),
            Stage::Sealed => Err(AccountError::Sealed),
            Stage::SignIn => Err(AccountError::SignedOut),
        };
    };
    if !who.may(right) {
        return Err(AccountError::NotAllowed);
    }
    if confirmed {
        confirm(accounts, &who)?;
    }
    Ok(Some(who))
}

/// Refuses who has not just shown the password. A program cannot, and is not trusted with what asks for it.
fn confirm(accounts: &Accounts, who: &Principal) -> Result<(), AccountError> {
    match who {
        Principal::Machine => Ok(()),
        Principal::Program { .. } => Err(AccountError::NotAllowed),
        Principal::Person(person) if accounts.confirmed(person) => Ok(()),
        Principal::Person(_) => Err(AccountError::ConfirmNeeded),
    }
}

/// Whether only this machine's own users can have sent a request.
fn near(extensions: &Extensions) -> bool {
    extensions.get::<Way>().is_some_and(|way| way.near)
}

fn is_reading(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = text.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Finds a cookie by its name.
pub(super) fn cookie_of<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value)
}

/// Who asks, for a handler. Where nobody is known, it is a program of this machine that only reads.
pub(super) struct Asker(pub(super) Principal);

impl FromRequestParts<Face> for Asker {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Face) -> Result<Self, ApiError> {
        let who = parts.extensions.get::<Principal>().cloned();
        who.map(Self)
            .ok_or_else(|| ApiError::from(AccountError::SignedOut))
    }
}

/// Who asks for a change of the node, and what the route asks of them.
pub(super) struct Acting {
    /// Who.
    pub(super) who: Principal,
    access: Option<Access>,
}

impl Acting {
    /// Refuses who has not just shown the password, where the route wants it of a change that is no dry run.
    pub(super) fn confirm(&self, accounts: &Accounts) -> Result<(), AccountError> {
        match (self.access, &self.who) {
            // The unix socket's routes stand in no table.
            (_, Principal::Machine) => Ok(()),
            (Some(ConfirmedByPeople(_)), Principal::Program { .. }) => Ok(()),
            (Some(ConfirmedUnlessDry(_) | ConfirmedByPeople(_)), who) => confirm(accounts, who),
            // It was asked for already, or it is not.
            (Some(Anybody | Needs(_) | Confirmed(_)), _) => Ok(()),
            (None, _) => Err(AccountError::NotAllowed),
        }
    }
}

impl FromRequestParts<Face> for Acting {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, face: &Face) -> Result<Self, ApiError> {
        let Asker(who) = Asker::from_request_parts(parts, face).await?;
        let access = parts.extensions.get::<Access>().copied();
        Ok(Self { who, access })
    }
}

/// A person who asks, for a handler about that person.
pub(super) struct Person(pub(super) SignedIn);

impl FromRequestParts<Face> for Person {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Face) -> Result<Self, ApiError> {
        match parts.extensions.get::<Principal>() {
            Some(Principal::Person(person)) => Ok(Self(person.clone())),
            Some(_) => Err(ApiError::from(AccountError::NotAllowed)),
            None => Err(ApiError::from(AccountError::SignedOut)),
        }
    }
}
