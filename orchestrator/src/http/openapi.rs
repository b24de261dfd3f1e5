//! Owns the OpenAPI document: generated from the handlers, kept in `orchestrator/openapi.json`.
//!
//! A test fails when the kept copy is stale; `flash-node openapi` prints the fresh one.

use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Flash Node",
        description = "The API of one node. Paths tagged `read` answer on loopback TCP and on the owner's unix socket; paths tagged `local-only` change the node and answer on the unix socket only.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    tags(
        (name = "read", description = "Reading; loopback TCP and the unix socket"),
        (name = "local-only", description = "The owner's unix socket only"),
    ),
    paths(
        super::read::status,
        super::read::services,
        super::read::service,
        super::events::events,
        super::read::openapi,
        super::read::metrics,
        super::logs::logs,
        super::control::plan,
        super::control::apply,
        super::control::set,
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
