//! Owns how an answer becomes JSON.

use axum::http::HeaderValue;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use serde::Serialize;

/// An answer in JSON.
///
/// It is written into a vector, not into the buffer that axum's own uses: the many small writes of a serializer cost
/// several times as much there where a program is built without optimisation, and long lists then keep others waiting.
pub(super) struct Json<T>(pub(super) T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        let bytes = serde_json::to_vec(&self.0).expect("our own types are JSON");
        let kind = HeaderValue::from_static("application/json");
        ([(header::CONTENT_TYPE, kind)], bytes).into_response()
    }
}
