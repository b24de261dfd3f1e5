//! Owns the one error shape of the API and the HTTP status behind each code.
//!
//! It does not know what a code means to a person at a terminal (`cli::exit`).

use std::time::Duration;

use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

use super::json::Json;
use crate::account::AccountError;
use crate::node::Refusal;
use crate::store::StoreError;

/// The one shape of every error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// The machine code, `snake_case`.
    pub code: String,
    /// What was refused and why.
    pub message: String,
    /// What to do next.
    pub hint: String,
}

/// An answer that is an error.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    body: ErrorBody,
    /// When to come back, where there is a moment. Units: seconds.
    retry_after: Option<u64>,
}

impl ApiError {
    /// Builds an error from its parts.
    pub(crate) fn new(
        status: StatusCode,
        code: &str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            status,
            body: ErrorBody {
                code: code.to_owned(),
                message: message.into(),
                hint: hint.into(),
            },
            retry_after: None,
        }
    }

    /// Says that something inside failed, and nothing more; the cause belongs into the log.
    pub(crate) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "the node failed to answer",
            "look into the log of flash-node for the cause",
        )
    }

    /// Says that the request itself is wrong.
    pub(crate) fn bad_request(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message, hint)
    }

    /// Says that the body is larger than any that the API takes.
    pub(crate) fn too_large(limit: usize) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
            format!("the request is larger than {limit} bytes"),
            "send a smaller request",
        )
    }

    /// Says when to come back: the next full second after `wait`.
    pub(crate) fn after(self, wait: Duration) -> Self {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        Self {
            retry_after: Some(seconds.max(1)),
            ..self
        }
    }

    /// Returns the body as it goes into a stream.
    pub(crate) fn into_body(self) -> ErrorBody {
        self.body
    }
}

/// Returns the HTTP status of a refusal's code. A code that is not listed is a conflict with how things stand.
fn status_of(code: &str) -> StatusCode {
    match code {
        "unknown_service" | "unknown_setting" | "unknown_edge" | "not_found" => {
            StatusCode::NOT_FOUND
        }
        "wrong_passphrase" | "wrong_recovery_key" | "wrong_key_file" | "confirm_mismatch"
        | "not_allowed" | "wrong_setup_code" | "confirm_needed" => StatusCode::FORBIDDEN,
        "wrong_credentials"
        | "second_factor_needed"
        | "wrong_second_factor"
        | "wrong_passkey"
        | "passkey_copied"
        | "signed_out" => StatusCode::UNAUTHORIZED,
        "bad_manifest"
        | "bad_choices"
        | "bad_value"
        | "not_a_recovery_key"
        | "not_a_key_file"
        | "passphrase_too_short"
        | "key_file_inside"
        | "key_file_exists"
        | "key_file_folder"
        | "bad_path"
        | "not_signed"
        | "bad_advisories"
        | "bad_name"
        | "bad_language"
        | "bad_passkey"
        | "bad_label"
        | "bad_token"
        | "password_too_short"
        | "password_too_long"
        | "password_is_name" => StatusCode::UNPROCESSABLE_ENTITY,
        "vault_sealed" => StatusCode::LOCKED,
        "too_soon" | "too_many_attempts" => StatusCode::TOO_MANY_REQUESTS,
        "stopping" | "disk_silent" => StatusCode::SERVICE_UNAVAILABLE,
        "internal" => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::CONFLICT,
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let status = status_of(&refusal.code);
        if status.is_server_error() && refusal.code == "internal" {
            tracing::error!(
                code = refusal.code,
                "a request failed inside: {}",
                refusal.message
            );
            return Self::internal();
        }
        Self {
            status,
            body: ErrorBody {
                code: refusal.code,
                message: refusal.message,
                hint: refusal.hint,
            },
            retry_after: None,
        }
    }
}

impl From<AccountError> for ApiError {
    fn from(error: AccountError) -> Self {
        if let AccountError::Store(cause) = &error {
            tracing::error!(error = %cause, "the accounts could not be read or written");
            return match cause {
                // Its own sentence names a path, which is nothing for strangers.
                StoreError::DiskFull { .. } => Self::new(
                    status_of(cause.code()),
                    cause.code(),
                    "no space is left on the node's disk; the change was not made",
                    cause.hint(),
                ),
                _ => Self::internal(),
            };
        }
        let wait = match &error {
            AccountError::TooManyAttempts { wait } => Some(wait.as_secs().max(1)),
            _ => None,
        };
        Self {
            retry_after: wait,
            ..Self::new(
                status_of(error.code()),
                error.code(),
                error.to_string(),
                error.hint(),
            )
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body)).into_response();
        if let Some(seconds) = self.retry_after {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
