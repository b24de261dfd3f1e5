//! Owns the streaming of a service's log lines, to who runs the node.
//!
//! It does not know where the lines are kept.

#![allow(
    unused_qualifications,
    reason = "utoipa's macros write out the path of each type"
)]

use std::convert::Infallible;

use axum::body::Body;
use axum::extract::Path;
use axum::extract::Query;
use axum::extract::State;
use axum::extract::rejection::PathRejection;
use axum::extract::rejection::QueryRejection;
use axum::http::HeaderMap;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use futures::StreamExt;
use serde::Deserialize;
use utoipa::IntoParams;

use super::access;
use super::access::Asker;
use super::control;
use super::error::ApiError;
use super::error::ErrorBody;
use super::proxies::UNGATHERED;
use super::router::Face;
use crate::account::Right;
use crate::runtime::LogQuery;

/// How many lines are given where the reader names no number.
const TAIL: usize = 200;
/// The most that one request may ask for.
const TAIL_LIMIT: usize = 100_000;

/// Which lines are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// How many of the newest lines; 200 where nothing is said, at most 100000.
    tail: Option<usize>,
    /// Whether the stream goes on as more lines arrive.
    follow: Option<bool>,
}

/// Streams a service's log lines, oldest first, one per line.
#[utoipa::path(get, path = "/api/v1/services/{id}/logs", tag = "read",
    params(("id" = String, Path, description = "The service"), Wanted),
    responses(
        (status = 200, description = "The lines", content_type = "text/plain", body = String),
        (status = 400, description = "The query is not understood", body = ErrorBody),
        (status = 404, description = "There is no such service", body = ErrorBody),
        (status = 503, description = "Too many streams are open", body = ErrorBody),
    ))]
pub(super) async fn logs(
    State(face): State<Face>,
    Asker(who): Asker,
    headers: HeaderMap,
    id: Result<Path<String>, PathRejection>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Response, ApiError> {
    let service = control::service(&face, id)?;
    let Query(wanted) = wanted.map_err(|error| {
        ApiError::bad_request(
            format!("the query is not understood: {}", error.body_text()),
            "tail is a number, follow is true or false",
        )
    })?;
    let query = LogQuery {
        tail: wanted.tail.unwrap_or(TAIL).min(TAIL_LIMIT),
        follow: wanted.follow.unwrap_or(false),
    };
    let place = face.lanes.stream(Some(&who))?;
    let token = face.token.clone();
    let over = access::over(face.clone(), headers, Some(who), Right::Run);
    let lines = face.node.logs(&service, query).await?;
    let bytes = lines
        .map(move |line| {
            // The place is held for as long as the stream lives.
            let _held = &place;
            Ok::<_, Infallible>(format!("{}\n", line.text))
        })
        .take_until(token.cancelled_owned())
        .take_until(over);
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        UNGATHERED,
    ];
    Ok((headers, Body::from_stream(bytes)).into_response())
}
