//! Owns how a part of a list is asked for.
//!
//! It does not know what a list holds.

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use serde::Deserialize;
use utoipa::IntoParams;

use super::error::ApiError;
use crate::account::BadCursor;
use crate::account::Cursor;
use crate::account::Wanted;

/// Which part of a list is wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PageWanted {
    /// Only what comes after: `next` of the page before.
    after: Option<String>,
    /// How many; 100 where nothing is said, at most 500.
    limit: Option<usize>,
}

impl PageWanted {
    /// Reads it. Errors: a query that is none.
    pub(super) fn read(wanted: Result<Query<Self>, QueryRejection>) -> Result<Wanted, ApiError> {
        let misread = |what: String| {
            ApiError::bad_request(
                format!("the query is not understood: {what}"),
                "after is `next` of the page before, limit a number",
            )
        };
        let Query(wanted) = wanted.map_err(|error| misread(error.body_text()))?;
        let after: Option<Cursor> = wanted
            .after
            .map(|text| text.parse())
            .transpose()
            .map_err(|error: BadCursor| misread(error.to_string()))?;
        let limit = wanted.limit.unwrap_or(Wanted::default().limit);
        Ok(Wanted { after, limit })
    }
}
