//! Owns entering and leaving over HTTP: the first set-up, signing in and out, being asked again, the list of sessions.
//!
//! Cookies are made and read here and nowhere else. It does not know how a person is kept (`account`).

#![allow(
    unused_qualifications,
    reason = "utoipa's macros write out the path of each type"
)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::extract::FromRequestParts;
use axum::extract::Path;
use axum::extract::State;
use axum::extract::rejection::PathRejection;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header;
use axum::http::request::Parts;
use axum::response::AppendHeaders;
use axum::response::IntoResponse;
use axum::response::Response;
use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

use super::access;
use super::access::Asker;
use super::access::Person;
use super::body::Form;
use super::body::SecretText;
use super::error::ApiError;
use super::error::ErrorBody;
use super::json::Json;
use super::proxies::Way;
use super::read;
use super::router::Face;
use crate::account::Account;
use crate::account::AccountError;
use crate::account::Accounts;
use crate::account::Credentials;
use crate::account::Entered;
use crate::account::LONGEST_SESSION;
use crate::account::NewOwner;
use crate::account::Origin;
use crate::account::Principal;
use crate::account::Session;
use crate::account::Site;
use crate::account::Stage;

/// How long a browser is known after the last sign-in.
const MARK: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Where visitors of the Tor network come from, all of them.
const BY_TOR: &str = "Tor";

/// The names of the cookies of one listener. Cookies know no ports: two nodes on one machine must not share a name.
#[derive(Debug)]
pub(super) struct Cookies {
    pub(super) session: String,
    pub(super) mark: String,
}

impl Cookies {
    pub(super) fn of(port: u16) -> Self {
        Self {
            session: format!("flash_session_{port}"),
            mark: format!("flash_mark_{port}"),
        }
    }

    /// Sets both for a session that was just opened or renewed.
    fn enter(&self, entered: &Entered) -> AppendHeaders<[(header::HeaderName, HeaderValue); 2]> {
        let value = entered.value.expose_text().unwrap_or_default();
        AppendHeaders([
            set(&self.session, value, LONGEST_SESSION),
            set(&self.mark, &entered.mark, MARK),
        ])
    }

    /// Takes the session's away; the browser stays known.
    fn leave(&self) -> AppendHeaders<[(header::HeaderName, HeaderValue); 1]> {
        AppendHeaders([set(&self.session, "", Duration::ZERO)])
    }
}

fn set(name: &str, value: &str, lives: Duration) -> (header::HeaderName, HeaderValue) {
    let text = format!(
        "{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={}",
        lives.as_secs()
    );
    let mut value = HeaderValue::from_str(&text).expect("hexadecimal digits fit into a header");
    value.set_sensitive(true);
    (header::SET_COOKIE, value)
}

/// Where a request came from, as far as signing in looks at it.
pub(super) struct From(pub(super) Origin);

impl FromRequestParts<Face> for From {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, face: &Face) -> Result<Self, Self::Rejection> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let way = parts.extensions.get::<Way>();
        let visitor = way.and_then(|way| way.from);
        let agent = parts.headers.get(header::USER_AGENT);
        Ok(Self(Origin {
            address: visitor
                .or_else(|| peer.map(|peer| peer.0.ip()))
                .map_or_else(
                    // Of the listeners with a guard only the one for Tor has peers without an address.
                    || way.map_or_else(String::new, |_| BY_TOR.to_owned()),
                    |address| address.to_string(),
                ),
            agent: agent
                .and_then(|agent| agent.to_str().ok())
                .unwrap_or_default()
                .to_owned(),
            mark: access::cookie_of(&parts.headers, &face.cookies.mark).map(ToOwned::to_owned),
        }))
    }
}

/// How far the node is with whoever looks at its pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum PageStage {
    /// There is no vault yet; a passphrase makes it.
    NoVault,
    /// Nobody owns the node yet.
    SetUp,
    /// The vault is sealed: nobody can sign in.
    Sealed,
    /// Nobody is signed in here.
    SignIn,
    /// Somebody is.
    SignedIn,
}

/// What every page begins with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(super) struct SessionView {
    pub(super) stage: PageStage,
    /// The Bitcoin network.
    pub(super) network: String,
    /// Whether nothing here is worth anything.
    pub(super) play_money: bool,
    /// `flash-node`'s version.
    pub(super) version: String,
    /// Whether a passphrase opens the vault.
    pub(super) passphrase_set: bool,
    /// The name for which there can be passkeys here; null where there can be none: by an address, an onion address
    /// among them, and by a name without HTTPS.
    pub(super) passkey_name: Option<String>,
    /// Who is signed in.
    pub(super) account: Option<Account>,
    /// Until when the person counts as having just shown the password. Units: milliseconds since the Unix epoch.
    pub(super) confirmed_until: Option<u64>,
}

fn view(face: &Face, stage: Stage, who: Option<&Principal>, site: Option<&Site>) -> SessionView {
    let status = face.status();
    let person = match who {
        Some(Principal::Person(person)) => Some(person),
        _ => None,
    };
    let stage = match (stage, person) {
        (_, Some(_)) => PageStage::SignedIn,
        (Stage::NoVault, None) => PageStage::NoVault,
        (Stage::SetUp, None) => PageStage::SetUp,
        (Stage::Sealed, None) => PageStage::Sealed,
        (Stage::SignIn, None) => PageStage::SignIn,
    };
    SessionView {
        stage,
        network: status.network,
        play_money: status.play_money,
        version: status.version,
        passphrase_set: status.vault.passphrase_set,
        passkey_name: site.map(|site| site.name().to_owned()),
        account: person.map(|person| person.account.clone()),
        confirmed_until: person.map(|person| person.confirmed_until.0),
    }
}

/// Answers with the cookies of a session that was just opened or renewed.
pub(super) fn entered(
    face: &Face,
    status: StatusCode,
    entered: &Entered,
    site: Option<&Site>,
) -> Response {
    let who = Principal::Person(entered.signed_in.clone());
    let view = view(face, Stage::SignIn, Some(&who), site);
    (status, face.cookies.enter(entered), Json(view)).into_response()
}

/// Does something with people where blocking is allowed.
pub(super) async fn blocking<T: Send + 'static>(
    face: &Face,
    act: impl FnOnce(&Accounts) -> Result<T, AccountError> + Send + 'static,
) -> Result<T, ApiError> {
    let accounts = Arc::clone(&face.accounts);
    let done = tokio::task::spawn_blocking(move || act(&accounts)).await;
    done.map_err(|error| {
        tracing::error!(%error, "an account's request panicked");
        ApiError::internal()
    })?
    .map_err(ApiError::from)
}

/// Tells how far the node is, and who is signed in.
#[utoipa::path(get, path = "/api/v1/session", tag = "people", responses(
    (status = 200, description = "What every page begins with", body = SessionView)))]
pub(super) async fn session(
    State(face): State<Face>,
    who: Option<axum::Extension<Principal>>,
    site: Option<axum::Extension<Site>>,
) -> Result<Json<SessionView>, ApiError> {
    let stage = blocking(&face, |accounts| Ok(accounts.stage())).await?;
    Ok(Json(view(&face, stage, who.as_deref(), site.as_deref())))
}

/// The first owner.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SetUpBody {
    /// The code that `flash-node up` and `flash-node setup-code` print.
    code: SecretText,
    /// What the owner signs in by.
    name: String,
    /// The password, at least 10 characters.
    password: SecretText,
    /// The language tag, such as `nl`.
    language: String,
}

/// Makes the first owner and signs them in.
#[utoipa::path(post, path = "/api/v1/set-up", tag = "people", request_body = SetUpBody, responses(
    (status = 201, description = "The owner is signed in", body = SessionView),
    (status = 403, description = "The code is another", body = ErrorBody),
    (status = 409, description = "The node has an owner, or the name is taken", body = ErrorBody),
    (status = 422, description = "Name, password or language is not allowed", body = ErrorBody),
    (status = 423, description = "There is no open vault", body = ErrorBody),
    (status = 429, description = "Too many attempts", body = ErrorBody)))]
pub(super) async fn set_up(
    State(face): State<Face>,
    From(origin): From,
    site: Option<axum::Extension<Site>>,
    Form(body): Form<SetUpBody>,
) -> Result<Response, ApiError> {
    let owner = NewOwner {
        code: body.code.0,
        name: body.name,
        password: body.password.0,
        language: body.language,
    };
    let done = blocking(&face, move |accounts| accounts.set_up(owner, &origin)).await?;
    Ok(entered(&face, StatusCode::CREATED, &done, site.as_deref()))
}

/// What somebody signs in with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SignInBody {
    /// The account's name.
    name: String,
    /// The password.
    password: SecretText,
    /// Six digits of the app, or a recovery code.
    second_factor: Option<SecretText>,
}

/// Signs somebody in.
#[utoipa::path(post, path = "/api/v1/session", tag = "people", request_body = SignInBody, responses(
    (status = 200, description = "The person is signed in", body = SessionView),
    (status = 401, description = "Name, password or code is wrong, or a code is needed", body = ErrorBody),
    (status = 423, description = "The vault is sealed", body = ErrorBody),
    (status = 429, description = "Too many attempts", body = ErrorBody)))]
pub(super) async fn sign_in(
    State(face): State<Face>,
    From(origin): From,
    site: Option<axum::Extension<Site>>,
    Form(body): Form<SignInBody>,
) -> Result<Response, ApiError> {
    let with = Credentials {
        name: body.name,
        password: body.password.0,
        second_factor: body.second_factor.map(|code| code.0),
    };
    let done = blocking(&face, move |accounts| accounts.sign_in(&with, &origin)).await?;
    Ok(entered(&face, StatusCode::OK, &done, site.as_deref()))
}

/// Ends the session.
#[utoipa::path(delete, path = "/api/v1/session", tag = "people", responses(
    (status = 204, description = "Nobody is signed in here any more"),
    (status = 401, description = "Nobody was", body = ErrorBody)))]
pub(super) async fn sign_out(
    State(face): State<Face>,
    Person(person): Person,
) -> Result<Response, ApiError> {
    blocking(&face, move |accounts| accounts.sign_out(&person)).await?;
    Ok((StatusCode::NO_CONTENT, face.cookies.leave()).into_response())
}

/// The password, shown again.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ConfirmBody {
    /// The password.
    password: SecretText,
    /// Six digits of the app, or a recovery code.
    second_factor: Option<SecretText>,
}

/// Asks a person again; for five minutes what matters may be done.
#[utoipa::path(post, path = "/api/v1/session/confirm", tag = "people", request_body = ConfirmBody, responses(
    (status = 200, description = "It is the same person", body = SessionView),
    (status = 401, description = "The password or the code is wrong", body = ErrorBody),
    (status = 429, description = "Too many attempts", body = ErrorBody)))]
pub(super) async fn confirm(
    State(face): State<Face>,
    Person(person): Person,
    site: Option<axum::Extension<Site>>,
    Form(body): Form<ConfirmBody>,
) -> Result<Response, ApiError> {
    let done = blocking(&face, move |accounts| {
        let code = body.second_factor.map(|code| code.0);
        accounts.confirm(&person, &body.password.0, code.as_ref())
    });
    Ok(entered(
        &face,
        StatusCode::OK,
        &done.await?,
        site.as_deref(),
    ))
}

/// A list of sessions.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct Sessions {
    /// At most 100: a further one ends the one that was not used for longest.
    pub(super) items: Vec<Session>,
}

/// Lists one's own sessions, newest use first.
#[utoipa::path(get, path = "/api/v1/sessions", tag = "people", responses(
    (status = 200, description = "The sessions", body = Sessions),
    (status = 401, description = "Nobody is signed in", body = ErrorBody)))]
pub(super) async fn sessions(
    State(face): State<Face>,
    Person(person): Person,
) -> Result<Json<Sessions>, ApiError> {
    let items = blocking(&face, move |accounts| accounts.sessions(&person)).await?;
    Ok(Json(Sessions { items }))
}

/// Ends one of one's own sessions.
#[utoipa::path(delete, path = "/api/v1/sessions/{id}", tag = "people",
    params(("id" = String, Path, description = "The session")), responses(
    (status = 204, description = "It is over"),
    (status = 404, description = "There is no such session", body = ErrorBody)))]
pub(super) async fn drop_session(
    State(face): State<Face>,
    Person(person): Person,
    id: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, ApiError> {
    let Path(id) = id.map_err(|_| read::unknown_path())?;
    blocking(&face, move |accounts| accounts.drop_session(&person, &id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends every session of one's own but this one.
#[utoipa::path(delete, path = "/api/v1/sessions", tag = "people", responses(
    (status = 204, description = "They are over"),
    (status = 401, description = "Nobody is signed in", body = ErrorBody)))]
pub(super) async fn drop_other_sessions(
    State(face): State<Face>,
    Person(person): Person,
) -> Result<StatusCode, ApiError> {
    blocking(&face, move |accounts| accounts.drop_other_sessions(&person)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The set-up code.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct SetUpCode {
    /// What the first owner types.
    code: String,
}

/// Returns the code that the first owner types; on the unix socket only.
#[utoipa::path(post, path = "/api/v1/setup-code", tag = "local-only", responses(
    (status = 200, description = "The code", body = SetUpCode),
    (status = 409, description = "The node has an owner", body = ErrorBody),
    (status = 423, description = "The vault is sealed", body = ErrorBody)))]
pub(super) async fn set_up_code(
    State(face): State<Face>,
    Asker(_): Asker,
) -> Result<Json<SetUpCode>, ApiError> {
    let code = blocking(&face, Accounts::set_up_code).await?;
    Ok(Json(SetUpCode { code }))
}
