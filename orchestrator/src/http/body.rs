//! Owns how a JSON body is read: bounded in size and time, its buffer wiped, its secrets wrapped while it is parsed.
//!
//! It does not know what any body holds.

use std::fmt;
use std::time::Duration;

use axum::body::Body;
use axum::body::HttpBody;
use axum::extract::FromRequest;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header;
use futures::StreamExt;
use serde::Deserialize;
use serde::Deserializer;
use serde::de::DeserializeOwned;
use serde::de::Visitor;
use utoipa::PartialSchema;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::error::ApiError;
use super::guard::BODY_LIMIT;
use crate::secret::SecretBytes;

/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// A secret in a body: wrapped while it is parsed, never printed.
pub(super) struct SecretText(pub(super) SecretBytes);

impl PartialSchema for SecretText {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        String::schema()
    }
}

impl ToSchema for SecretText {}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Wrap;
        impl Visitor<'_> for Wrap {
            type Value = SecretText;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a secret as text")
            }
            fn visit_str<E>(self, text: &str) -> Result<SecretText, E> {
                Ok(SecretText(SecretBytes::new(text.as_bytes().to_vec())))
            }
            fn visit_string<E>(self, text: String) -> Result<SecretText, E> {
                Ok(SecretText(SecretBytes::from(text)))
            }
        }
        deserializer.deserialize_str(Wrap)
    }
}

/// A JSON body, bounded in size and time; its buffer is wiped, and what it holds is never repeated in an error.
pub(super) struct Form<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Form<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let json = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok())
            .is_some_and(|kind| kind.split(';').next().map(str::trim) == Some("application/json"));
        // No body at all is one that names nothing.
        let none = request.body().size_hint().exact() == Some(0);
        if !json && !none {
            return Err(ApiError::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "not_json",
                "the body is not announced as JSON",
                "send it with content-type: application/json",
            ));
        }
        let body = gather(request.into_body()).await?;
        let said = if none { b"{}" } else { body.as_slice() };
        serde_json::from_slice(said).map(Self).map_err(|error| {
            // serde's message could repeat a secret; its position cannot.
            ApiError::bad_request(
                format!(
                    "the body is not what this path takes (line {}, column {})",
                    error.line(),
                    error.column()
                ),
                "/api/v1/openapi.json describes every body",
            )
        })
    }
}

/// Waits for a whole body. Errors: it is too large, comes too slowly, or breaks off.
pub(super) async fn gather(body: Body) -> Result<Zeroizing<Vec<u8>>, ApiError> {
    gather_within(body, BODY_TIMEOUT).await
}

async fn gather_within(body: Body, longest: Duration) -> Result<Zeroizing<Vec<u8>>, ApiError> {
    tokio::time::timeout(longest, collect(body))
        .await
        .map_err(|_| {
            ApiError::new(
                StatusCode::REQUEST_TIMEOUT,
                "body_timeout",
                "the body did not arrive in time",
                "send it at once",
            )
        })?
}

async fn collect(body: Body) -> Result<Zeroizing<Vec<u8>>, ApiError> {
    // The whole room is taken at once: a buffer that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(BODY_LIMIT));
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk
            .map_err(|_| ApiError::bad_request("the body broke off", "send the request again"))?;
        if bytes.len() + chunk.len() > BODY_LIMIT {
            return Err(ApiError::too_large(BODY_LIMIT));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;
    use futures::stream;

    use super::*;

    #[tokio::test]
    async fn a_body_that_comes_drop_by_drop_is_given_up() {
        let drops = stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            Some((Ok::<_, std::io::Error>("{"), ()))
        });
        // Drops never end, and would fill the room only after minutes.
        let longest = Duration::from_millis(100);
        let refused = gather_within(Body::from_stream(drops), longest).await.err();
        let refused = refused.expect("a refusal").into_response();
        assert_eq!(refused.status(), StatusCode::REQUEST_TIMEOUT);
    }
}
