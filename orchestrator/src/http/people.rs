//! Owns people over HTTP: the owner's list of accounts, the audit log, and what each changes of their own.
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
use utoipa::IntoParams;
use utoipa::ToSchema;

use super::access::Asker;
use super::access::Person;
use super::body::Form;
use super::body::SecretText;
use super::error::ApiError;
use super::error::ErrorBody;
use super::json::Json;
use super::page::PageWanted;
use super::read;
use super::router::Face;
use super::session::Sessions;
use super::session::blocking;
use crate::account::Account;
use crate::account::Accounts;
use crate::account::AuditRow;
use crate::account::Changes;
use crate::account::NewAccount;
use crate::account::Role;
use crate::account::Verdict;

/// How many rows of the audit log are given where the reader names no number.
const ROWS: usize = 50;
/// The most that one request may ask for.
const ROWS_LIMIT: usize = 500;

type Id = Result<Path<String>, PathRejection>;

/// A page of the list of accounts.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct AccountList {
    /// Oldest first.
    items: Vec<Account>,
    /// What to ask for as `after` to read on; null at the end.
    next: Option<String>,
}

/// Lists accounts, oldest first.
#[utoipa::path(get, path = "/api/v1/accounts", tag = "people", params(PageWanted), responses(
    (status = 200, description = "A page", body = AccountList),
    (status = 400, description = "The query is not understood", body = ErrorBody),
    (status = 403, description = "The role does not allow it", body = ErrorBody)))]
pub(super) async fn accounts(
    State(face): State<Face>,
    wanted: Result<Query<PageWanted>, QueryRejection>,
) -> Result<Json<AccountList>, ApiError> {
    let wanted = PageWanted::read(wanted)?;
    let page = blocking(&face, move |accounts| accounts.accounts(&wanted)).await?;
    Ok(Json(AccountList {
        items: page.items,
        next: page.next.map(|next| next.to_string()),
    }))
}

/// A person to be added.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewAccountBody {
    /// What the person signs in by.
    name: String,
    role: Role,
    /// A first password, at least 10 characters.
    password: SecretText,
    /// The language tag, such as `nl`.
    language: String,
}

/// Adds a person.
#[utoipa::path(post, path = "/api/v1/accounts", tag = "people", request_body = NewAccountBody, responses(
    (status = 201, description = "The account", body = Account),
    (status = 403, description = "The role does not allow it, or the password must be shown again", body = ErrorBody),
    (status = 409, description = "The name is taken", body = ErrorBody),
    (status = 422, description = "Name, password or language is not allowed", body = ErrorBody)))]
pub(super) async fn add_account(
    State(face): State<Face>,
    Asker(by): Asker,
    Form(body): Form<NewAccountBody>,
) -> Result<(StatusCode, Json<Account>), ApiError> {
    let new = NewAccount {
        name: body.name,
        role: body.role,
        password: body.password.0,
        language: body.language,
    };
    let added = blocking(&face, move |accounts| accounts.add_account(&by, new)).await?;
    Ok((StatusCode::CREATED, Json(added)))
}

/// What is changed of an account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangesBody {
    /// Another role.
    role: Option<Role>,
    /// Another password; it ends every session, token and passkey of the account.
    password: Option<SecretText>,
}

/// Changes another's role or password.
#[utoipa::path(patch, path = "/api/v1/accounts/{id}", tag = "people",
    params(("id" = String, Path, description = "The account")), request_body = ChangesBody, responses(
    (status = 200, description = "The account", body = Account),
    (status = 403, description = "The role does not allow it, or the password must be shown again", body = ErrorBody),
    (status = 404, description = "There is no such account", body = ErrorBody),
    (status = 409, description = "It is the last owner", body = ErrorBody),
    (status = 422, description = "The password is not allowed", body = ErrorBody)))]
pub(super) async fn change_account(
    State(face): State<Face>,
    Asker(by): Asker,
    id: Id,
    Form(body): Form<ChangesBody>,
) -> Result<Json<Account>, ApiError> {
    let Path(id) = id.map_err(|_| read::unknown_path())?;
    let changes = Changes {
        role: body.role,
        password: body.password.map(|text| text.0),
    };
    let changed = blocking(&face, move |accounts| {
        accounts.change_account(&by, &id, &changes)
    });
    Ok(Json(changed.await?))
}

/// Deletes a person.
#[utoipa::path(delete, path = "/api/v1/accounts/{id}", tag = "people",
    params(("id" = String, Path, description = "The account")), responses(
    (status = 204, description = "The account is gone, with its sessions, tokens and passkeys"),
    (status = 403, description = "The role does not allow it, or the password must be shown again", body = ErrorBody),
    (status = 404, description = "There is no such account", body = ErrorBody),
    (status = 409, description = "It is the last owner", body = ErrorBody)))]
pub(super) async fn drop_account(
    State(face): State<Face>,
    Asker(by): Asker,
    id: Id,
) -> Result<StatusCode, ApiError> {
    let Path(id) = id.map_err(|_| read::unknown_path())?;
    blocking(&face, move |accounts| accounts.drop_account(&by, &id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists where somebody is signed in, newest use first.
#[utoipa::path(get, path = "/api/v1/accounts/{id}/sessions", tag = "people",
    params(("id" = String, Path, description = "The account")), responses(
    (status = 200, description = "The sessions, at most 100", body = Sessions),
    (status = 403, description = "The role does not allow it", body = ErrorBody),
    (status = 404, description = "There is no such account", body = ErrorBody)))]
pub(super) async fn sessions_of(
    State(face): State<Face>,
    Asker(by): Asker,
    id: Id,
) -> Result<Json<Sessions>, ApiError> {
    let Path(id) = id.map_err(|_| read::unknown_path())?;
    let items = blocking(&face, move |accounts| accounts.sessions_of(&by, &id)).await?;
    Ok(Json(Sessions { items }))
}

/// How many sessions ended.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct Ended {
    /// How many.
    ended: usize,
}

/// Signs somebody out everywhere, but for the session that asks.
#[utoipa::path(delete, path = "/api/v1/accounts/{id}/sessions", tag = "people",
    params(("id" = String, Path, description = "The account")), responses(
    (status = 200, description = "They are over", body = Ended),
    (status = 403, description = "The role does not allow it, or the password must be shown again", body = ErrorBody),
    (status = 404, description = "There is no such account", body = ErrorBody)))]
pub(super) async fn drop_sessions_of(
    State(face): State<Face>,
    Asker(by): Asker,
    id: Id,
) -> Result<Json<Ended>, ApiError> {
    let Path(id) = id.map_err(|_| read::unknown_path())?;
    let ended = blocking(&face, move |accounts| accounts.drop_sessions_of(&by, &id)).await?;
    Ok(Json(Ended { ended }))
}

/// An account that nobody can sign in to any more.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ResetBody {
    /// The account's name.
    name: String,
    /// Its new password.
    password: SecretText,
}

/// Gives an account a new password and takes its second factor away; on the unix socket only.
#[utoipa::path(post, path = "/api/v1/accounts/reset", tag = "local-only", request_body = ResetBody, responses(
    (status = 200, description = "The account", body = Account),
    (status = 404, description = "There is no such account", body = ErrorBody),
    (status = 422, description = "The password is not allowed", body = ErrorBody)))]
pub(super) async fn reset(
    State(face): State<Face>,
    Form(body): Form<ResetBody>,
) -> Result<Json<Account>, ApiError> {
    let done = blocking(&face, move |accounts| {
        accounts.reset(&body.name, &body.password.0)
    });
    Ok(Json(done.await?))
}

/// One's own new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OwnPasswordBody {
    /// The password of today.
    current: SecretText,
    /// The new one, at least 10 characters.
    new: SecretText,
}

/// Changes one's own password, and ends every other session and every token that one made.
#[utoipa::path(post, path = "/api/v1/account/password", tag = "people", request_body = OwnPasswordBody, responses(
    (status = 204, description = "It is changed"),
    (status = 401, description = "The password of today is another", body = ErrorBody),
    (status = 422, description = "The new one is not allowed", body = ErrorBody),
    (status = 429, description = "Too many attempts", body = ErrorBody)))]
pub(super) async fn change_password(
    State(face): State<Face>,
    Person(person): Person,
    Form(body): Form<OwnPasswordBody>,
) -> Result<StatusCode, ApiError> {
    let done = blocking(&face, move |accounts| {
        accounts.change_password(&person, &body.current.0, &body.new.0)
    });
    done.await?;
    Ok(StatusCode::NO_CONTENT)
}

/// One's own language.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LanguageBody {
    /// The language tag, such as `nl`.
    language: String,
}

/// Chooses one's own language.
#[utoipa::path(post, path = "/api/v1/account/language", tag = "people", request_body = LanguageBody, responses(
    (status = 204, description = "It is chosen"),
    (status = 422, description = "It is no language tag", body = ErrorBody)))]
pub(super) async fn set_language(
    State(face): State<Face>,
    Person(person): Person,
    Form(body): Form<LanguageBody>,
) -> Result<StatusCode, ApiError> {
    let done = blocking(&face, move |accounts| {
        accounts.set_language(&person, &body.language)
    });
    done.await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A new second factor, to be put into an app.
#[derive(Serialize, ToSchema)]
pub(super) struct NewFactorView {
    /// The key in base 32, for typing.
    secret: String,
    /// The key as a link. Shape: `otpauth://totp/…`.
    uri: String,
    /// The link as a QR code, an SVG picture.
    qr_svg: String,
}

/// Makes a key for a second factor; it counts once a first code of it was typed.
#[utoipa::path(post, path = "/api/v1/account/second-factor", tag = "people", responses(
    (status = 200, description = "The key, shown once", body = NewFactorView),
    (status = 403, description = "The password must be shown again", body = ErrorBody)))]
pub(super) async fn begin_factor(
    State(face): State<Face>,
    Person(person): Person,
) -> Result<Json<NewFactorView>, ApiError> {
    let made = blocking(&face, move |accounts| accounts.begin_factor(&person)).await?;
    let text =
        |secret: &crate::secret::SecretBytes| secret.expose_text().unwrap_or_default().to_owned();
    Ok(Json(NewFactorView {
        secret: text(&made.secret),
        uri: text(&made.uri),
        qr_svg: text(&made.qr_svg),
    }))
}

/// The first code of a new key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FirstCodeBody {
    /// Six digits.
    code: SecretText,
}

/// Recovery codes.
#[derive(Serialize, ToSchema)]
pub(super) struct RecoveryCodes {
    /// Each stands in for the second factor once. They are shown once.
    recovery_codes: Vec<String>,
}

/// Takes the new key into use.
#[utoipa::path(post, path = "/api/v1/account/second-factor/confirm", tag = "people", request_body = FirstCodeBody, responses(
    (status = 200, description = "Recovery codes, shown once", body = RecoveryCodes),
    (status = 401, description = "The code is wrong", body = ErrorBody),
    (status = 409, description = "No second factor is being set up", body = ErrorBody)))]
pub(super) async fn confirm_factor(
    State(face): State<Face>,
    Person(person): Person,
    Form(body): Form<FirstCodeBody>,
) -> Result<Json<RecoveryCodes>, ApiError> {
    let done = blocking(&face, move |accounts| {
        accounts.confirm_factor(&person, body.code.0.expose_text().unwrap_or_default())
    });
    Ok(Json(RecoveryCodes {
        recovery_codes: done.await?,
    }))
}

/// Takes the second factor away.
#[utoipa::path(delete, path = "/api/v1/account/second-factor", tag = "people", responses(
    (status = 204, description = "It is gone"),
    (status = 403, description = "The password must be shown again", body = ErrorBody),
    (status = 409, description = "There was none", body = ErrorBody)))]
pub(super) async fn drop_factor(
    State(face): State<Face>,
    Person(person): Person,
) -> Result<StatusCode, ApiError> {
    blocking(&face, move |accounts| accounts.drop_factor(&person)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes new recovery codes; the old ones are worth nothing from then on.
#[utoipa::path(post, path = "/api/v1/account/recovery-codes", tag = "people", responses(
    (status = 200, description = "The codes, shown once", body = RecoveryCodes),
    (status = 403, description = "The password must be shown again", body = ErrorBody),
    (status = 409, description = "There is no second factor", body = ErrorBody)))]
pub(super) async fn recovery_codes(
    State(face): State<Face>,
    Person(person): Person,
) -> Result<Json<RecoveryCodes>, ApiError> {
    let done = blocking(&face, move |accounts| {
        accounts.replace_recovery_codes(&person)
    });
    Ok(Json(RecoveryCodes {
        recovery_codes: done.await?,
    }))
}

/// Which rows of the audit log are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AuditWanted {
    /// Only rows before this one.
    before: Option<u64>,
    /// How many; 50 where nothing is said, at most 500.
    limit: Option<usize>,
}

/// A page of the audit log.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct AuditPage {
    /// Newest first.
    items: Vec<AuditRow>,
    /// What to ask for as `before` to read on; null at the oldest row.
    next: Option<u64>,
}

/// Returns a page of the audit log, newest first.
#[utoipa::path(get, path = "/api/v1/audit-log", tag = "people", params(AuditWanted), responses(
    (status = 200, description = "A page", body = AuditPage),
    (status = 400, description = "The query is not understood", body = ErrorBody),
    (status = 403, description = "The role does not allow it", body = ErrorBody)))]
pub(super) async fn audit_log(
    State(face): State<Face>,
    wanted: Result<Query<AuditWanted>, QueryRejection>,
) -> Result<Json<AuditPage>, ApiError> {
    let Query(wanted) = wanted.map_err(|error| {
        ApiError::bad_request(
            format!("the query is not understood: {}", error.body_text()),
            "before and limit are numbers",
        )
    })?;
    let limit = wanted.limit.unwrap_or(ROWS).clamp(1, ROWS_LIMIT);
    let items = blocking(&face, move |accounts| {
        accounts.audit_log(wanted.before, limit)
    });
    let items = items.await?;
    let next = items.last().map(|row| row.seq).filter(|seq| *seq > 1);
    Ok(Json(AuditPage { items, next }))
}

/// Looks at the whole audit log, and names the first row that is not as it was written.
#[utoipa::path(post, path = "/api/v1/audit-log/verify", tag = "people", responses(
    (status = 200, description = "What was found", body = Verdict),
    (status = 403, description = "The role does not allow it", body = ErrorBody)))]
pub(super) async fn verify_audit_log(State(face): State<Face>) -> Result<Json<Verdict>, ApiError> {
    Ok(Json(blocking(&face, Accounts::verify_audit_log).await?))
}
