//! Owns what the relay says about itself: the NIP-11 document and a page for people.
//!
//! Deliberately says nothing that is not so: limits come from the configuration, NIPs from one list.

use axum::http::HeaderValue;
use axum::http::header;
use axum::response::Html;
use axum::response::IntoResponse;
use axum::response::Response;
use serde_json::json;

use crate::message::MAX_SUBSCRIPTION_ID_CHARS;
use crate::relay::Shared;

/// The NIPs that the relay carries out. Source: services/relay/README.md lists what each means here.
const NIPS: [u16; 9] = [1, 9, 11, 40, 42, 45, 59, 70, 77];
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Answers with the relay information document of NIP-11.
pub(crate) fn document(shared: &Shared) -> Response {
    let (config, limits) = (&shared.config, &shared.limits);
    let mut document = json!({
        "name": config.name,
        "description": config.description,
        "supported_nips": NIPS,
        "software": "flash-relay",
        "version": VERSION,
        "limitation": {
            "max_message_length": limits.max_message_bytes,
            "max_subscriptions": limits.subscriptions_per_connection,
            "max_filters": limits.filters_per_request,
            "max_limit": limits.max_limit,
            "default_limit": limits.max_limit,
            "max_subid_length": MAX_SUBSCRIPTION_ID_CHARS,
            "max_event_tags": limits.max_event_tags,
            "max_content_length": limits.max_event_bytes,
            "min_pow_difficulty": 0,
            "auth_required": false,
            "payment_required": false,
            "restricted_writes": false,
            "created_at_upper_limit": limits.created_at_future_secs,
        },
    });
    if let Some(contact) = &config.contact {
        document["contact"] = json!(contact);
    }
    let body = document.to_string();
    cors(([(header::CONTENT_TYPE, "application/nostr+json")], body).into_response())
}

/// Answers with a page that says what this is and where clients connect.
pub(crate) fn page(shared: &Shared) -> Response {
    let config = &shared.config;
    // Where there are public addresses, the one that the relay listens on is nobody's business.
    let shown = match config.public_urls.len() {
        0 => shared.urls.len(),
        configured => configured,
    };
    let addresses: String = shared
        .urls
        .iter()
        .take(shown)
        .map(|url| format!("<li><code>{}</code></li>", escape(url.as_str())))
        .collect();
    let nips = NIPS.map(|nip| nip.to_string()).join(", ");
    let contact = config
        .contact
        .as_ref()
        .map(|contact| format!("<p>Contact: {}</p>", escape(contact)))
        .unwrap_or_default();
    let (name, description) = (escape(&config.name), escape(&config.description));
    Html(format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{name}</title>\
         <style>body{{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem;\
         color-scheme:light dark}}</style>\
         <h1>{name}</h1><p>{description}</p>\
         <p>This is a Nostr relay. It speaks WebSocket; point a Nostr client at:</p><ul>{addresses}</ul>\
         <p>Private messages are served to those who may read them and to nobody else, after they \
         authenticate.</p><p>NIPs: {nips}</p>{contact}<p><small>flash-relay {VERSION}</small></p></html>"
    ))
    .into_response()
}

/// Lets a web page of any origin read `response`, as NIP-11 asks for.
pub(crate) fn cors(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        HeaderValue::from_static("*"),
    );
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("*"),
    );
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, OPTIONS"),
    );
    response
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
