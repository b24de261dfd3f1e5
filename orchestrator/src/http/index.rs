//! Owns the one page that stands at `/` until the dashboard exists: what this is and where its parts answer.
//!
//! No script, nothing from elsewhere; it reads without a style sheet too.

use std::fmt::Write;

use axum::extract::State;
use axum::http::header;
use axum::response::Html;
use axum::response::IntoResponse;
use base64::Engine;
use sha2::Digest;
use sha2::Sha256;

use super::router::Face;
use crate::status::NodeStatus;
use crate::status::Signal;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem}\
table{border-collapse:collapse}td,th{padding:.2rem 1rem .2rem 0;text-align:left}.play{font-weight:bold}\
@media(prefers-color-scheme:dark){body{background:#111;color:#eee}a{color:#9cf}}";

/// Answers with the page; its policy allows the page's own style and nothing else.
pub(super) async fn page(State(face): State<Face>) -> impl IntoResponse {
    let hash = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!("default-src 'none'; frame-ancestors 'none'; style-src 'sha256-{hash}'");
    (
        [(header::CONTENT_SECURITY_POLICY, policy)],
        Html(render(&face.status())),
    )
}

/// Renders the page.
pub(super) fn render(status: &NodeStatus) -> String {
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>Flash Node</title>\
         <style>{STYLE}</style><h1>Flash Node</h1>\
         <p>This is a Flash Node {}, profile {}, on {}. It has no dashboard yet: \
         <code>flash-node status</code> on this machine tells more.</p>",
        escape(&status.version),
        escape(&status.profile),
        escape(&status.network),
    );
    if status.play_money {
        page.push_str("<p class=\"play\">Play money: nothing on this node is worth anything.</p>");
    }
    page.push_str("<table><tr><th>Service<th>Alive<th>Ready<th>Synced<th>Address</tr>");
    for service in &status.services {
        let addresses: Vec<String> = service
            .endpoints
            .iter()
            .map(|endpoint| {
                format!(
                    "{} <code>{}</code>",
                    escape(&endpoint.name),
                    escape(&endpoint.url)
                )
            })
            .collect();
        write!(
            page,
            "<tr><td>{}<td>{}<td>{}<td>{}<td>{}</tr>",
            escape(&service.title),
            word(&service.alive),
            word(&service.ready),
            word(&service.synced),
            addresses.join("<br>"),
        )
        .expect("a string takes everything");
    }
    page.push_str(
        "</table><p><a href=\"/api/v1/status\">status</a> · <a href=\"/api/v1/events\">events</a> · \
         <a href=\"/api/v1/openapi.json\">OpenAPI</a> · <a href=\"/metrics\">metrics</a></p></html>",
    );
    page
}

fn word(signal: &Signal) -> String {
    match signal.ok {
        Some(true) => "yes".to_owned(),
        Some(false) => format!("no: {}", escape(&signal.text)),
        None if signal.code == "not_applicable" => "-".to_owned(),
        None => format!("not known: {}", escape(&signal.text)),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}
