//! Owns tokens over HTTP: what programs use the node with.
//!
//! Each handler reads its request and makes one call (`account`).

#![allow(
    unused_qualifications,
    reason = "utoipa's macros write out the path of each type"
)]

use axum::extract::Path;
use axum::extract::Query;
use axum::extract::State;
use axum::extract::rejection::PathRejection;
use axum::extract::rejection::QueryRejection;
use axum::http::StatusCode;
use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

use super::access::Asker;
use super::body::Form;
use super::error::ApiError;
use super::error::ErrorBody;
use super::json::Json;
use super::page::PageWanted;
use super::read;
use super::router::Face;
use super::session::blocking;
use crate::account::NewToken;
use crate::account::Role;
use crate::account::Token;

/// A page of the list of tokens.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct TokenList {
    /// Oldest first.
    items: Vec<Token>,
    /// What to ask for as `after` to read on; null at the end.
    next: Option<String>,
}

/// Lists tokens without their values, oldest first.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "people", params(PageWanted), responses(
    (status = 200, description = "A page", body = TokenList),
    (status = 400, description = "The query is not understood", body = ErrorBody),
    (status = 403, description = "The role does not allow it", body = ErrorBody)))]
pub(super) async fn tokens(
    State(face): State<Face>,
    wanted: Result<Query<PageWanted>, QueryRejection>,
) -> Result<Json<TokenList>, ApiError> {
    let wanted = PageWanted::read(wanted)?;
    let page = blocking(&face, move |accounts| accounts.tokens(&wanted)).await?;
    Ok(Json(TokenList {
        items: page.items,
        next: page.next.map(|next| next.to_string()),
    }))
}

/// A token to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewTokenBody {
    /// What it is called in lists and in the audit log.
    name: String,
    role: Role,
    /// How long it lives. Units: days, 1 to 365.
    expires_in_days: u64,
}

/// A token that was just made.
#[derive(Serialize, ToSchema)]
pub(super) struct MadeToken {
    /// The value, for `Authorization: Bearer`; it is shown once.
    value: String,
    token: Token,
}

/// Makes a token for a program.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "people", request_body = NewTokenBody, responses(
    (status = 201, description = "The token with its value", body = MadeToken),
    (status = 403, description = "It could do more than you, or the password must be shown again", body = ErrorBody),
    (status = 422, description = "Name or time is not allowed", body = ErrorBody)))]
pub(super) async fn add_token(
    State(face): State<Face>,
    Asker(by): Asker,
    Form(body): Form<NewTokenBody>,
) -> Result<(StatusCode, Json<MadeToken>), ApiError> {
    let new = NewToken {
        name: body.name,
        role: body.role,
        days: body.expires_in_days,
    };
    let (value, token) = blocking(&face, move |accounts| accounts.add_token(&by, &new)).await?;
    let made = MadeToken {
        value: value.expose_text().unwrap_or_default().to_owned(),
        token,
    };
    Ok((StatusCode::CREATED, Json(made)))
}

/// Takes a token back.
#[utoipa::path(delete, path = "/api/v1/tokens/{id}", tag = "people",
    params(("id" = String, Path, description = "The token")), responses(
    (status = 204, description = "It is worth nothing any more"),
    (status = 403, description = "The role does not allow it, or the password must be shown again", body = ErrorBody),
    (status = 404, description = "There is no such token", body = ErrorBody)))]
pub(super) async fn drop_token(
    State(face): State<Face>,
    Asker(by): Asker,
    id: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, ApiError> {
    let Path(id) = id.map_err(|_| read::unknown_path())?;
    blocking(&face, move |accounts| accounts.drop_token(&by, &id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
