//! Owns the OpenAPI document: generated from the handlers, kept in `orchestrator/openapi.json`.
//!
//! A test fails when the kept copy is stale; `flash-node openapi` prints the fresh one.

use axum::http::Method;
use utoipa::Modify;
use utoipa::OpenApi;
use utoipa::openapi::Content;
use utoipa::openapi::Object;
use utoipa::openapi::Ref;
use utoipa::openapi::Required;
use utoipa::openapi::Response;
use utoipa::openapi::ResponseBuilder;
use utoipa::openapi::Schema;
use utoipa::openapi::Type;
use utoipa::openapi::path::Operation;
use utoipa::openapi::path::Parameter;
use utoipa::openapi::path::ParameterBuilder;
use utoipa::openapi::path::ParameterIn;
use utoipa::openapi::path::PathItem;
use utoipa::openapi::security::ApiKey;
use utoipa::openapi::security::ApiKeyValue;
use utoipa::openapi::security::HttpAuthScheme;
use utoipa::openapi::security::HttpBuilder;
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::security::SecurityScheme;

use super::access;
use super::access::Access;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Flash Node",
        description = "The API of one node. Over TCP each path asks for a role, by a session's cookie or by a token (`Authorization: Bearer`); the owner's unix socket answers everything. Paths tagged `local-only` answer on the unix socket only.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    tags(
        (name = "read", description = "How the node is"),
        (name = "change", description = "Changes of the node"),
        (name = "people", description = "Accounts, sessions, tokens, the audit log"),
        (name = "local-only", description = "The owner's unix socket only"),
    ),
    paths(
        super::read::status,
        super::read::services,
        super::read::service,
        super::settings::list,
        super::read::edges,
        super::read::images,
        super::read::machine,
        super::read::removed,
        super::read::advisories,
        super::read::access,
        super::read::authority,
        super::tasks::tasks,
        super::events::events,
        super::read::openapi,
        super::read::metrics,
        super::logs::logs,
        super::control::plan,
        super::control::apply,
        super::settings::set,
        super::settings::set_many,
        super::control::remove,
        super::control::purge,
        super::control::retry,
        super::control::edges,
        super::control::audit,
        super::control::images,
        super::control::set_image,
        super::control::set_access,
        super::control::import_advisories,
        super::control::rotate,
        super::control::down,
        super::vault::unlock,
        super::vault::seal,
        super::vault::change_passphrase,
        super::vault::add_key_file,
        super::session::session,
        super::session::set_up,
        super::session::sign_in,
        super::session::sign_out,
        super::session::confirm,
        super::session::sessions,
        super::session::drop_session,
        super::session::drop_other_sessions,
        super::session::set_up_code,
        super::passkeys::passkeys,
        super::passkeys::begin_passkey,
        super::passkeys::add_passkey,
        super::passkeys::drop_passkey,
        super::passkeys::begin_passkey_sign_in,
        super::passkeys::sign_in_by_passkey,
        super::passkeys::begin_passkey_confirmation,
        super::passkeys::confirm_by_passkey,
        super::people::accounts,
        super::people::add_account,
        super::people::change_account,
        super::people::drop_account,
        super::people::sessions_of,
        super::people::drop_sessions_of,
        super::people::reset,
        super::people::change_password,
        super::people::set_language,
        super::people::begin_factor,
        super::people::confirm_factor,
        super::people::drop_factor,
        super::people::recovery_codes,
        super::tokens::tokens,
        super::tokens::add_token,
        super::tokens::drop_token,
        super::people::audit_log,
        super::people::verify_audit_log,
        super::shop::shop,
    ),
    components(schemas(super::events::Gap, crate::node::Event, crate::status::NodeStatus)),
    modifiers(&Everywhere),
)]
struct Document;

/// Adds what a request may meet wherever it goes: each handler names what is its own.
struct Everywhere;

/// A refusal that many operations share: its status, its name among the document's responses, and what it means.
type Shared = (u16, &'static str, &'static str);

/// Whatever is asked.
const ALWAYS: &[Shared] = &[
    (
        413,
        "TooLarge",
        "The body is larger than any that the API takes",
    ),
    (
        500,
        "Internal",
        "Something failed inside; the node's log tells the cause",
    ),
];
/// Over TCP.
const OVER_TCP: &[Shared] = &[(
    403,
    "Forbidden",
    "The request was caused by a page that is not this node's, or whoever asks may not",
)];
/// Where somebody has to be signed in.
const SIGNED_IN: &[Shared] = &[
    (401, "SignedOut", "Nobody is signed in"),
    (
        409,
        "Conflict",
        "As things stand this cannot be done, or nobody owns the node yet",
    ),
    (423, "Sealed", "The vault is sealed"),
    (
        429,
        "TooOften",
        "Whoever asks does so too often; Retry-After says when to come back",
    ),
];
/// Where a body is read.
const WITH_BODY: &[Shared] = &[
    (400, "BadBody", "The body is not what this path takes"),
    (408, "SlowBody", "The body did not arrive in time"),
    (415, "NotJson", "The body is not announced as JSON"),
];
/// Where a request may have a key.
const ONCE: &[Shared] = &[
    (400, "BadBody", "The body is not what this path takes"),
    (408, "SlowBody", "The body did not arrive in time"),
    (
        409,
        "Conflict",
        "As things stand this cannot be done, or nobody owns the node yet",
    ),
    (422, "Mistake", "A value or a file holds a mistake"),
    (423, "Sealed", "The vault is sealed"),
];
/// Where the node is asked to do something.
const CHANGE: &[Shared] = &[
    (
        409,
        "Conflict",
        "As things stand this cannot be done, or nobody owns the node yet",
    ),
    (422, "Mistake", "A value or a file holds a mistake"),
    (423, "Sealed", "The vault is sealed"),
    (
        503,
        "Away",
        "The node starts or stops, or its disk does not answer",
    ),
];

impl Modify for Everywhere {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        components.add_security_scheme("token", SecurityScheme::Http(bearer));
        let cookie = "A session's cookie, which POST /api/v1/session sets; its name ends with the port of the node";
        let cookie = ApiKeyValue::with_description("flash_session_PORT", cookie);
        let cookie = SecurityScheme::ApiKey(ApiKey::Cookie(cookie));
        components.add_security_scheme("session", cookie);
        for (_, name, why) in [ALWAYS, OVER_TCP, SIGNED_IN, WITH_BODY, ONCE, CHANGE].concat() {
            let response = refusal(why).into();
            components.responses.insert(name.to_owned(), response);
        }
        for (path, item) in &mut document.paths.paths {
            for (method, operation) in operations(item) {
                let access = access::asked(&method, path);
                // Whoever is not known has no keys.
                let once = method != Method::GET && access != Some(Access::Anybody);
                complete(operation, access, once);
            }
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    let all = [
        (Method::GET, item.get.as_mut()),
        (Method::POST, item.post.as_mut()),
        (Method::PATCH, item.patch.as_mut()),
        (Method::DELETE, item.delete.as_mut()),
    ];
    all.into_iter()
        .filter_map(|(method, operation)| Some((method, operation?)))
}

/// Without `access` it answers on the unix socket alone.
fn complete(operation: &mut Operation, access: Option<Access>, once: bool) {
    if once {
        operation
            .parameters
            .get_or_insert_default()
            .push(key_parameter());
    }
    let tags = operation.tags.as_deref().unwrap_or_default();
    let changes = tags.iter().any(|tag| tag == "change");
    let asks = access.filter(|access| *access != Access::Anybody);
    let needs = asks.is_some();
    if let Some(asks) = asks {
        let mut ways = vec![SecurityRequirement::new("session", [""; 0])];
        if asks.is_for_programs() {
            ways.push(SecurityRequirement::new("token", [""; 0]));
        }
        operation.security = Some(ways);
    }
    let body = operation.request_body.is_some();
    let parts = [
        (true, ALWAYS),
        (access.is_some(), OVER_TCP),
        (needs, SIGNED_IN),
        (body, WITH_BODY),
        (once, ONCE),
        (changes, CHANGE),
    ];
    for (status, name, _) in parts.iter().filter(|(is, _)| *is).flat_map(|(_, all)| *all) {
        let all = &mut operation.responses.responses;
        all.entry(status.to_string())
            .or_insert_with(|| Ref::from_response_name(*name).into());
    }
}

fn key_parameter() -> Parameter {
    let text = Object::builder()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(255))
        .pattern(Some("^[!-~]+$"));
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "A fresh random text: the request is carried out once, however often it is sent within a day",
        ))
        .schema(Some(Schema::Object(text.build())))
        .build()
}

fn refusal(why: &str) -> Response {
    let content = Content::new(Some(Ref::from_schema_name("ErrorBody")));
    ResponseBuilder::new()
        .description(why)
        .content("application/json", content)
        .build()
}

/// Returns the document as JSON text, ended by a line feed.
#[must_use]
pub fn document() -> String {
    let mut text = Document::openapi()
        .to_pretty_json()
        .expect("the document is JSON");
    text.push('\n');
    text
}
