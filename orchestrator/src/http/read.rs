//! Owns the questions about the node that need no right beyond reading.
//!
//! It does not know how a status comes about; it hands on what [`Node`](crate::node::Node) publishes.

#![allow(
    unused_qualifications,
    reason = "utoipa's macros write out the path of each type"
)]

use axum::Extension;
use axum::extract::Path;
use axum::extract::State;
use axum::extract::rejection::PathRejection;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;

use super::error::ApiError;
use super::error::ErrorBody;
use super::json::Json;
use super::proxies::Way;
use super::router::Face;
use crate::account::Principal;
use crate::status::NodeStatus;
use crate::status::ServiceStatus;
use crate::view::Access;
use crate::view::Advisories;
use crate::view::Edges;
use crate::view::Images;
use crate::view::Machine;
use crate::view::Removed;

/// Returns the whole status, the same as `flash-node status --json`.
#[utoipa::path(get, path = "/api/v1/status", tag = "read", responses(
    (status = 200, description = "The status of the node and of every service", body = NodeStatus),
    (status = 403, description = "Host, Origin or Sec-Fetch-Site is not this node's", body = ErrorBody),
))]
pub(super) async fn status(State(face): State<Face>) -> Json<NodeStatus> {
    Json(face.status())
}

/// Lists the services, sorted by id.
#[utoipa::path(get, path = "/api/v1/services", tag = "read", responses(
    (status = 200, description = "Every service", body = Vec<ServiceStatus>),
))]
pub(super) async fn services(State(face): State<Face>) -> Json<Vec<ServiceStatus>> {
    Json(face.status().services)
}

/// Returns one service.
#[utoipa::path(get, path = "/api/v1/services/{id}", tag = "read",
    params(("id" = String, Path, description = "The service")),
    responses(
        (status = 200, description = "The service", body = ServiceStatus),
        (status = 404, description = "There is no such service", body = ErrorBody),
    ))]
pub(super) async fn service(
    State(face): State<Face>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<ServiceStatus>, ApiError> {
    let Path(id) = id.map_err(|_| unknown_path())?;
    let services = face.status().services;
    let known: Vec<String> = services.iter().map(|service| service.id.clone()).collect();
    services
        .into_iter()
        .find(|service| service.id == id)
        .map(Json)
        .ok_or_else(|| unknown_service(&id, &known))
}

/// Lists who may reach whom, for what, with which credential.
#[utoipa::path(get, path = "/api/v1/edges", operation_id = "list_edges", tag = "read", responses(
    (status = 200, description = "Every edge", body = Edges),
))]
pub(super) async fn edges(State(face): State<Face>) -> Json<Edges> {
    Json(face.node.edges())
}

/// Lists the image of every service.
#[utoipa::path(get, path = "/api/v1/images", operation_id = "list_images", tag = "read", responses(
    (status = 200, description = "Every image", body = Images),
))]
pub(super) async fn images(State(face): State<Face>) -> Json<Images> {
    Json(face.node.images().await)
}

/// Lists the services that were left out and still have something here; `purge` deletes it.
#[utoipa::path(get, path = "/api/v1/removed", tag = "read", responses(
    (status = 200, description = "Each", body = Removed),
    (status = 503, description = "A disk does not answer", body = ErrorBody),
))]
pub(super) async fn removed(State(face): State<Face>) -> Result<Json<Removed>, ApiError> {
    Ok(Json(face.node.removed().await?))
}

/// Returns what the machine has, and how much of it is used.
#[utoipa::path(get, path = "/api/v1/machine", tag = "read", responses(
    (status = 200, description = "The machine", body = Machine),
    (status = 503, description = "A disk does not answer", body = ErrorBody),
))]
pub(super) async fn machine(State(face): State<Face>) -> Result<Json<Machine>, ApiError> {
    Ok(Json(face.node.machine().await?))
}

/// Lists what is known to be dangerous, and which services of this node it is about.
#[utoipa::path(get, path = "/api/v1/advisories", operation_id = "list_advisories", tag = "read", responses(
    (status = 200, description = "Every advisory, what is here first", body = Advisories),
))]
pub(super) async fn advisories(State(face): State<Face>) -> Result<Json<Advisories>, ApiError> {
    Ok(Json(face.node.advisories().await?))
}

/// Lists the ways into the node's pages and API, each with how it is.
#[utoipa::path(get, path = "/api/v1/access", tag = "read", responses(
    (status = 200, description = "Every way in", body = Access),
))]
pub(super) async fn access(State(face): State<Face>) -> Json<Access> {
    Json(face.node.access())
}

/// Returns the certificate that devices of the network are told to trust. Its fingerprint is shown at the machine
/// (`flash-node access`): compare it before you trust it. Strangers who came by a name or an onion address are not told: it
/// says which node that is.
#[utoipa::path(get, path = "/authority.crt", tag = "read", responses(
    (status = 200, description = "The certificate, as PEM", content_type = "application/x-x509-ca-cert", body = String),
    (status = 404, description = "There is none for whoever asks", body = ErrorBody),
))]
pub(super) async fn authority(
    State(face): State<Face>,
    who: Option<Extension<Principal>>,
    way: Option<Extension<Way>>,
) -> Result<impl IntoResponse, ApiError> {
    let told = who.is_some() || way.is_none_or(|way| way.within);
    let authority = face.node.access().authority.filter(|_| told);
    let authority = authority.ok_or_else(|| {
        ApiError::new(
            StatusCode::NOT_FOUND,
            "not_found",
            "this node has no certificate authority: it is not open to its network",
            "`lan = true` under [access] in node.toml opens it",
        )
    })?;
    let headers = [
        (header::CONTENT_TYPE, "application/x-x509-ca-cert"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"flash-node.crt\"",
        ),
    ];
    Ok((headers, authority.certificate))
}

/// Returns what this document describes, as OpenAPI 3.1.
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "read", responses(
    (status = 200, description = "This document", content_type = "application/json"),
))]
pub(super) async fn openapi() -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "application/json")],
        super::openapi::document(),
    )
}

/// Returns the metrics in the OpenMetrics text format.
#[utoipa::path(get, path = "/metrics", tag = "read", responses(
    (status = 200, description = "Metrics for Prometheus", content_type = "application/openmetrics-text"),
))]
pub(super) async fn metrics(State(face): State<Face>) -> Result<impl IntoResponse, ApiError> {
    let events = *face.node.events_watch().borrow();
    let text = face
        .metrics
        .encode(&face.status(), events)
        .map_err(|error| {
            tracing::error!(%error, "the metrics could not be written");
            ApiError::internal()
        })?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], text))
}

/// Says that nothing answers at this path.
pub(super) fn unknown_path() -> ApiError {
    ApiError::new(
        StatusCode::NOT_FOUND,
        "not_found",
        "nothing answers at this path",
        "/api/v1/openapi.json lists every path",
    )
}

/// Says that the node has no such service, and which ones it has.
pub(super) fn unknown_service(id: &str, known: &[String]) -> ApiError {
    ApiError::new(
        StatusCode::NOT_FOUND,
        "unknown_service",
        format!("there is no service `{id}` on this node"),
        format!("its services are: {}", known.join(", ")),
    )
}
