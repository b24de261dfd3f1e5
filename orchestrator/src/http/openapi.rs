//! Owns the OpenAPI document: generated from the handlers, kept in `orchestrator/openapi.json`.
//!
//! A test fails when the kept copy is stale; `flash-node openapi` prints the fresh one.

use utoipa::OpenApi;

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
        super::control::rotate,
        super::control::down,
        super::control::unlock,
        super::control::seal,
        super::control::change_passphrase,
        super::control::add_key_file,
        super::session::session,
        super::session::set_up,
        super::session::sign_in,
        super::session::sign_out,
        super::session::confirm,
        super::session::sessions,
        super::session::drop_session,
        super::session::drop_other_sessions,
        super::session::set_up_code,
        super::people::accounts,
        super::people::add_account,
        super::people::change_account,
        super::people::drop_account,
        super::people::reset,
        super::people::change_password,
        super::people::set_language,
        super::people::begin_factor,
        super::people::confirm_factor,
        super::people::drop_factor,
        super::people::recovery_codes,
        super::people::tokens,
        super::people::add_token,
        super::people::drop_token,
        super::people::audit_log,
        super::people::verify_audit_log,
        super::people::shop,
    ),
    components(schemas(super::events::Gap, crate::status::NodeStatus)),
)]
struct Document;

/// Returns the document as JSON text, ended by a line feed.
#[must_use]
pub fn document() -> String {
    let mut text = Document::openapi()
        .to_pretty_json()
        .expect("the document is JSON");
    text.push('\n');
    text
}
