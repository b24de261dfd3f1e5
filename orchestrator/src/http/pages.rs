//! Owns the dashboard as files: what `web-admin` was built to, embedded, each with what a browser must know of it.
//!
//! It does not know what a page says. Anybody may read them: they hold nothing of this node.

use std::sync::LazyLock;

use axum::http::HeaderMap;
use axum::http::HeaderValue;
use axum::http::Method;
use axum::http::Uri;
use axum::http::header;
use axum::response::Html;
use axum::response::IntoResponse;
use axum::response::Response;
use include_dir::Dir;
use include_dir::include_dir;

use super::error::ApiError;
use super::guard;
use super::read;

/// Empty but for a placeholder where the pages were not built before the program was.
static PAGES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../web-admin/build");

/// The page that stands at every address; which part of it is shown is decided in the browser.
const PAGE: &str = "index.html";

/// The names of these files change with their content.
const IMMUTABLE: &str = "_app/immutable/";

/// What is answered where the program was built without pages.
const WITHOUT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Flash Node</title>\
    <h1>Flash Node</h1><p>This program was built without its dashboard: <code>make build</code> builds both. \
    <code>flash-node status</code> on this machine tells how the node is.</p>";

/// The policy that the page carries, and what only a header can say.
static POLICY: LazyLock<Option<HeaderValue>> = LazyLock::new(|| {
    let page = PAGES.get_file(PAGE)?.contents_utf8()?;
    let (_, rest) = page.split_once("http-equiv=\"content-security-policy\" content=\"")?;
    let (policy, _) = rest.split_once('"')?;
    HeaderValue::from_str(&format!("{policy}; frame-ancestors 'none'")).ok()
});

/// Answers `/` and every path that no route has: with a file, or with the page. The API's own paths stay unknown.
pub(super) async fn any(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let page = matches!(method, Method::GET | Method::HEAD) && !uri.path().starts_with("/api/");
    if page {
        of(&uri, &headers).into_response()
    } else {
        read::unknown_path().into_response()
    }
}

fn of(uri: &Uri, headers: &HeaderMap) -> Result<Response, ApiError> {
    let path = uri.path().trim_start_matches('/');
    let last = path.rsplit('/').next().unwrap_or_default();
    let extension = last.rsplit_once('.').map(|(_, extension)| extension);
    match extension.and_then(kind) {
        Some(kind) if path != PAGE => file(path, kind, headers).ok_or_else(read::unknown_path),
        // Whatever else has a dot in its last part is no page's address.
        None if extension.is_some() => Err(read::unknown_path()),
        _ => Ok(page(headers)),
    }
}

fn page(headers: &HeaderMap) -> Response {
    let Some(mut response) = file(PAGE, "text/html; charset=utf-8", headers) else {
        return Html(WITHOUT).into_response();
    };
    if let Some(policy) = POLICY.clone() {
        response
            .headers_mut()
            .insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// Returns a file, compressed as the browser likes it; nothing where there is none.
fn file(path: &str, kind: &'static str, headers: &HeaderMap) -> Option<Response> {
    let plain = PAGES.get_file(path)?;
    let packed = [("br", ".br"), ("gzip", ".gz")]
        .into_iter()
        .filter(|(encoding, _)| accepts(headers, encoding))
        .find_map(|(encoding, ending)| {
            Some((encoding, PAGES.get_file(format!("{path}{ending}"))?))
        });
    let (encoding, content) = match packed {
        Some((encoding, file)) => (Some(encoding), file.contents()),
        None => (None, plain.contents()),
    };
    let mut response = content.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Some(encoding) = encoding {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    if path.starts_with(IMMUTABLE) {
        response.extensions_mut().insert(guard::Immutable);
    }
    Some(response)
}

/// Says whether `Accept-Encoding` names `encoding` and does not refuse it. Source: RFC 9110, 12.5.3.
fn accepts(headers: &HeaderMap, encoding: &str) -> bool {
    let lists = headers.get_all(header::ACCEPT_ENCODING).iter();
    let wishes = lists
        .filter_map(|list| list.to_str().ok())
        .flat_map(|list| list.split(','));
    wishes
        .map(|wish| wish.split(';').map(str::trim))
        .filter_map(|mut wish| Some((wish.next()?, wish.next())))
        .any(|(name, weight)| {
            let refused = weight
                .and_then(|weight| weight.strip_prefix("q="))
                .and_then(|weight| weight.parse::<f32>().ok())
                .is_some_and(|weight| weight <= 0.0);
            name.eq_ignore_ascii_case(encoding) && !refused
        })
}

fn kind(extension: &str) -> Option<&'static str> {
    Some(match extension {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
