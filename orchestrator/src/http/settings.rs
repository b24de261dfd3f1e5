//! Owns the settings as they are listed and changed over HTTP.
//!
//! It does not know what a setting means; the manifests' types decide how a value is read.

#![allow(
    unused_qualifications,
    reason = "utoipa's macros write out the path of each type"
)]

use axum::extract::Path;
use axum::extract::State;
use axum::extract::rejection::PathRejection;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::access::Acting;
use super::body::Form;
use super::control::Answer;
use super::control::carry_out;
use super::control::service;
use super::error::ApiError;
use super::error::ErrorBody;
use super::json::Json;
use super::read;
use super::router::Face;
use crate::id::Name;
use crate::node::Change;
use crate::node::Command;
use crate::node::Reply;
use crate::view::Settings;

/// Lists what can be set of each service, with the values that were accepted.
#[utoipa::path(get, path = "/api/v1/settings", operation_id = "list_settings", tag = "read", responses(
    (status = 200, description = "Every setting", body = Settings),
))]
pub(super) async fn list(State(face): State<Face>) -> Json<Settings> {
    Json(face.node.settings())
}

/// A new value of a setting.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SetBody {
    /// The value as typed; the setting's type decides how it is read.
    value: String,
    /// Whether only the plan is wanted.
    #[serde(default)]
    dry_run: bool,
}

/// Writes one setting and accepts it.
#[utoipa::path(post, path = "/api/v1/services/{id}/settings/{name}", tag = "change",
    params(("id" = String, Path, description = "The service"), ("name" = String, Path, description = "The setting")),
    request_body = SetBody,
    responses(
        (status = 200, description = "What is done now", body = Reply),
        (status = 404, description = "There is no such service or setting", body = ErrorBody),
        (status = 422, description = "The value is not allowed", body = ErrorBody)))]
pub(super) async fn set(
    State(face): State<Face>,
    by: Acting,
    path: Result<Path<(String, String)>, PathRejection>,
    Form(body): Form<SetBody>,
) -> Answer {
    let Path((id, name)) = path.map_err(|_| read::unknown_path())?;
    let change = change(&face, id, name, body.value)?;
    let command = Command::Set {
        changes: vec![change],
        dry_run: body.dry_run,
    };
    carry_out(&face, by, command).await
}

/// New values of several settings.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SetManyBody {
    /// Which; at least one.
    #[schema(min_items = 1)]
    changes: Vec<ChangeBody>,
    /// Whether only the plan is wanted.
    #[serde(default)]
    dry_run: bool,
}

/// A new value of one setting.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeBody {
    /// The service.
    service: String,
    /// The setting.
    setting: String,
    /// The value as typed; the setting's type decides how it is read.
    value: String,
}

/// Writes several settings and accepts them with one plan, all or none.
#[utoipa::path(post, path = "/api/v1/settings", tag = "change", request_body = SetManyBody,
    responses(
        (status = 200, description = "What is done now", body = Reply),
        (status = 404, description = "There is no such service or setting", body = ErrorBody),
        (status = 422, description = "A value is not allowed, or nothing is named", body = ErrorBody)))]
pub(super) async fn set_many(
    State(face): State<Face>,
    by: Acting,
    Form(body): Form<SetManyBody>,
) -> Answer {
    if body.changes.is_empty() {
        return Err(ApiError::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "nothing_named",
            "no setting is named; nothing was changed",
            "name at least one in `changes`",
        ));
    }
    let changes = body.changes.into_iter();
    let changes: Result<Vec<Change>, ApiError> = changes
        .map(|one| change(&face, one.service, one.setting, one.value))
        .collect();
    let command = Command::Set {
        changes: changes?,
        dry_run: body.dry_run,
    };
    carry_out(&face, by, command).await
}

fn change(face: &Face, id: String, name: String, value: String) -> Result<Change, ApiError> {
    let service = service(face, Ok(Path(id)))?;
    let setting = Name::new(name).map_err(|error| {
        ApiError::new(
            StatusCode::NOT_FOUND,
            "unknown_setting",
            error.to_string(),
            "GET /api/v1/settings lists every setting",
        )
    })?;
    Ok(Change {
        service,
        setting,
        value,
    })
}
