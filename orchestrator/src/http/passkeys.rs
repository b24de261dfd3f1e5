//! Owns passkeys over HTTP: one's own list, adding and deleting, signing in by one, and being asked again by one.
//!
//! Each is a begin, whose answer the browser passes on to an authenticator, and an end with what that answered. It does not
//! know what authenticators say (`account`), nor how a session's cookie is set (`session`).

#![allow(
    unused_qualifications,
    reason = "utoipa's macros write out the path of each type"
)]

use axum::extract::FromRequestParts;
use axum::extract::Path;
use axum::extract::State;
use axum::extract::rejection::PathRejection;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::access::Person;
use super::body::Form;
use super::error::ApiError;
use super::error::ErrorBody;
use super::json::Json;
use super::read;
use super::router::Face;
use super::session;
use super::session::From;
use super::session::blocking;
use crate::account::AccountError;
use crate::account::Ceremony;
use crate::account::NewPasskey;
use crate::account::Passkey;
use crate::account::Site;

/// The name of the node by which a request came, for a handler that needs one.
pub(super) struct Named(pub(super) Site);

impl FromRequestParts<Face> for Named {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Face) -> Result<Self, ApiError> {
        let site = parts.extensions.get::<Site>().cloned();
        site.map(Self)
            .ok_or_else(|| ApiError::from(AccountError::NoName))
    }
}

/// What was begun with an authenticator.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct CeremonyView {
    /// Sent back when it is finished; good once, for five minutes.
    ceremony: String,
    /// What `PublicKeyCredential.parseCreationOptionsFromJSON` or `parseRequestOptionsFromJSON` takes.
    #[schema(value_type = Object)]
    options: Value,
}

impl std::convert::From<Ceremony> for CeremonyView {
    fn from(begun: Ceremony) -> Self {
        Self {
            ceremony: begun.id,
            options: begun.options,
        }
    }
}

/// What an authenticator answered.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PasskeyBody {
    /// What the begin named.
    ceremony: String,
    /// What `PublicKeyCredential.toJSON` gives.
    #[schema(value_type = Object)]
    credential: Value,
}

/// A list of passkeys.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct Passkeys {
    items: Vec<Passkey>,
}

/// Lists one's own passkeys, oldest first.
#[utoipa::path(get, path = "/api/v1/account/passkeys", tag = "people", responses(
    (status = 200, description = "The passkeys, for every name of the node", body = Passkeys)))]
pub(super) async fn passkeys(
    State(face): State<Face>,
    Person(person): Person,
) -> Result<Json<Passkeys>, ApiError> {
    let items = blocking(&face, move |accounts| accounts.passkeys(&person)).await?;
    Ok(Json(Passkeys { items }))
}

/// Begins to add a passkey for the name by which the node was asked.
#[utoipa::path(post, path = "/api/v1/account/passkeys/begin", tag = "people", responses(
    (status = 200, description = "What the authenticator is asked", body = CeremonyView),
    (status = 403, description = "The password must be shown again", body = ErrorBody),
    (status = 409, description = "The node was asked by no name that can have passkeys, or there are enough of them", body = ErrorBody)))]
pub(super) async fn begin_passkey(
    State(face): State<Face>,
    Person(person): Person,
    Named(site): Named,
) -> Result<Json<CeremonyView>, ApiError> {
    let begun = blocking(&face, move |accounts| {
        accounts.begin_passkey(&person, &site)
    });
    Ok(Json(begun.await?.into()))
}

/// A passkey that an authenticator made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPasskeyBody {
    /// What the begin named.
    ceremony: String,
    /// What it is to be called, 1 to 64 characters.
    label: String,
    /// What `PublicKeyCredential.toJSON` gives.
    #[schema(value_type = Object)]
    credential: Value,
}

/// Adds the passkey that an authenticator made.
#[utoipa::path(post, path = "/api/v1/account/passkeys", tag = "people", request_body = NewPasskeyBody, responses(
    (status = 201, description = "The passkey", body = Passkey),
    (status = 403, description = "The password must be shown again", body = ErrorBody),
    (status = 409, description = "It was not begun here, is known, or there are enough of them", body = ErrorBody),
    (status = 422, description = "It is no passkey for this name, or is called by nothing", body = ErrorBody)))]
pub(super) async fn add_passkey(
    State(face): State<Face>,
    Person(person): Person,
    Named(site): Named,
    Form(body): Form<NewPasskeyBody>,
) -> Result<(StatusCode, Json<Passkey>), ApiError> {
    let new = NewPasskey {
        ceremony: body.ceremony,
        label: body.label,
        credential: body.credential,
    };
    let added = blocking(&face, move |accounts| {
        accounts.add_passkey(&person, &site, new)
    });
    Ok((StatusCode::CREATED, Json(added.await?)))
}

/// Deletes one of one's own passkeys.
#[utoipa::path(delete, path = "/api/v1/account/passkeys/{id}", tag = "people",
    params(("id" = String, Path, description = "The passkey")), responses(
    (status = 204, description = "It opens nothing any more"),
    (status = 403, description = "The password must be shown again", body = ErrorBody),
    (status = 404, description = "There is no such passkey", body = ErrorBody)))]
pub(super) async fn drop_passkey(
    State(face): State<Face>,
    Person(person): Person,
    id: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, ApiError> {
    let Path(id) = id.map_err(|_| read::unknown_path())?;
    blocking(&face, move |accounts| accounts.drop_passkey(&person, &id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Begins to sign somebody in by a passkey; no name is typed.
#[utoipa::path(post, path = "/api/v1/session/passkey/begin", tag = "people", responses(
    (status = 200, description = "What the authenticator is asked", body = CeremonyView),
    (status = 409, description = "The node was asked by no name that can have passkeys", body = ErrorBody),
    (status = 423, description = "The vault is sealed", body = ErrorBody)))]
pub(super) async fn begin_passkey_sign_in(
    State(face): State<Face>,
    Named(site): Named,
    From(origin): From,
) -> Result<Json<CeremonyView>, ApiError> {
    let begun = blocking(&face, move |accounts| {
        accounts.begin_passkey_sign_in(&site, &origin)
    });
    Ok(Json(begun.await?.into()))
}

/// Signs in whoever the passkey belongs to; it is both factors.
#[utoipa::path(post, path = "/api/v1/session/passkey", tag = "people", request_body = PasskeyBody, responses(
    (status = 200, description = "The person is signed in", body = session::SessionView),
    (status = 401, description = "The passkey was not accepted", body = ErrorBody),
    (status = 409, description = "It was not begun here, is finished, or the node was asked by no name that can have passkeys", body = ErrorBody),
    (status = 423, description = "The vault is sealed", body = ErrorBody),
    (status = 429, description = "Too many attempts", body = ErrorBody)))]
pub(super) async fn sign_in_by_passkey(
    State(face): State<Face>,
    Named(site): Named,
    From(origin): From,
    Form(body): Form<PasskeyBody>,
) -> Result<Response, ApiError> {
    let named = site.clone();
    let done = blocking(&face, move |accounts| {
        accounts.sign_in_by_passkey(&site, &body.ceremony, body.credential, &origin)
    });
    let done = done.await?;
    Ok(session::entered(&face, StatusCode::OK, &done, Some(&named)))
}

/// Begins to ask a person again by a passkey.
#[utoipa::path(post, path = "/api/v1/session/confirm/passkey/begin", tag = "people", responses(
    (status = 200, description = "What the authenticator is asked", body = CeremonyView),
    (status = 409, description = "The node was asked by no name that can have passkeys, or there is no passkey for this name", body = ErrorBody)))]
pub(super) async fn begin_passkey_confirmation(
    State(face): State<Face>,
    Person(person): Person,
    Named(site): Named,
) -> Result<Json<CeremonyView>, ApiError> {
    let begun = blocking(&face, move |accounts| {
        accounts.begin_passkey_confirmation(&person, &site)
    });
    Ok(Json(begun.await?.into()))
}

/// Asks a person again by a passkey; for five minutes what matters may be done.
#[utoipa::path(post, path = "/api/v1/session/confirm/passkey", tag = "people", request_body = PasskeyBody, responses(
    (status = 200, description = "It is the same person", body = session::SessionView),
    (status = 401, description = "The passkey was not accepted", body = ErrorBody),
    (status = 409, description = "It was not begun here, is finished, or the node was asked by no name that can have passkeys", body = ErrorBody),
    (status = 429, description = "Too many attempts", body = ErrorBody)))]
pub(super) async fn confirm_by_passkey(
    State(face): State<Face>,
    Person(person): Person,
    Named(site): Named,
    Form(body): Form<PasskeyBody>,
) -> Result<Response, ApiError> {
    let named = site.clone();
    let done = blocking(&face, move |accounts| {
        accounts.confirm_by_passkey(&person, &site, &body.ceremony, body.credential)
    });
    let done = done.await?;
    Ok(session::entered(&face, StatusCode::OK, &done, Some(&named)))
}
