//! Owns what every request must pass before a handler sees it, and what every answer carries.
//!
//! A page in a browser can send requests to loopback: a forged `Host` (DNS rebinding), a foreign `Origin` and
//! cross-site fetch metadata are refused from the first day. It does not know any route.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::extract::ConnectInfo;
use axum::extract::Request;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::HeaderName;
use axum::http::HeaderValue;
use axum::http::Method;
use axum::http::StatusCode;
use axum::http::Uri;
use axum::http::header;
use axum::middleware::Next;
use axum::response::IntoResponse;
use axum::response::Redirect;
use axum::response::Response;
use futures::FutureExt;

use super::error::ApiError;
use super::proxies::Passage;
use super::proxies::Proxies;
use super::proxies::Way;
use crate::account::Site;

/// The largest request body that the API takes. Units: bytes.
pub(crate) const BODY_LIMIT: usize = 64 * 1024;

/// The names under which a listener may be addressed, and how: `http` or `https`.
#[derive(Debug)]
pub(crate) struct Names {
    scheme: &'static str,
    hosts: Vec<String>,
}

impl Names {
    /// Lists the names of a loopback listener: by number, by `localhost`, and by the address it is bound to.
    pub(crate) fn of(address: SocketAddr) -> Self {
        let port = address.port();
        let mut hosts = vec![
            "127.0.0.1".to_owned(),
            "localhost".to_owned(),
            "[::1]".to_owned(),
        ];
        let bound = match address {
            SocketAddr::V4(v4) => v4.ip().to_string(),
            SocketAddr::V6(v6) => format!("[{}]", v6.ip()),
        };
        if !hosts.contains(&bound) {
            hosts.push(bound);
        }
        let mut names: Vec<String> = hosts.iter().map(|host| format!("{host}:{port}")).collect();
        // Port 80 is the one that clients leave out.
        if port == 80 {
            names.extend(hosts);
        }
        Self {
            scheme: "http",
            hosts: names,
        }
    }

    /// Lists the names of a listener for HTTPS.
    pub(crate) fn https(hosts: impl IntoIterator<Item = String>, port: u16) -> Self {
        // Port 443 is the one that clients leave out.
        let with_port = |host: String| match port {
            443 => host,
            _ => format!("{host}:{port}"),
        };
        Self {
            scheme: "https",
            hosts: hosts.into_iter().map(with_port).collect(),
        }
    }

    /// Knows the one name under which visitors of the Tor network ask, on the port that clients leave out.
    pub(crate) fn onion(host: &str) -> Self {
        Self {
            scheme: "http",
            hosts: vec![host.to_owned()],
        }
    }

    pub(crate) fn holds(&self, name: &str) -> bool {
        let mut known = self.hosts.iter();
        known.any(|known| known.eq_ignore_ascii_case(name))
    }

    /// Finds by which name the node was asked, where there can be passkeys for it.
    fn site(&self, headers: &HeaderMap) -> Option<Site> {
        let host = headers.get(header::HOST)?.to_str().ok()?;
        Site::of(self.scheme, host)
    }

    pub(crate) fn first(&self) -> Option<&str> {
        self.hosts.first().map(String::as_str)
    }
}

/// Says why a request is not one of ours; nothing where it may pass.
pub(crate) fn refuse(
    names: &Names,
    (method, uri): (&Method, &Uri),
    headers: &HeaderMap,
) -> Option<ApiError> {
    let hosts: Vec<_> = headers.get_all(header::HOST).iter().collect();
    let host_holds = match hosts.as_slice() {
        [host] => host.to_str().is_ok_and(|host| names.holds(host)),
        _ => false,
    };
    let authority_holds = uri
        .authority()
        .is_none_or(|authority| names.holds(authority.as_str()));
    if !host_holds || !authority_holds {
        return Some(forbidden(
            "host",
            "the request names a host that is not this node",
        ));
    }
    let origins_hold = headers.get_all(header::ORIGIN).iter().all(|origin| {
        origin
            .to_str()
            .ok()
            .and_then(|origin| origin.strip_prefix(names.scheme)?.strip_prefix("://"))
            .is_some_and(|origin| names.holds(origin))
    });
    if !origins_hold {
        return Some(forbidden(
            "origin",
            "the request comes from a page of another origin",
        ));
    }
    let sites_hold = headers
        .get_all("sec-fetch-site")
        .iter()
        .all(|site| matches!(site.as_bytes(), b"none" | b"same-origin"));
    if !sites_hold && !follows_a_link(method, uri, headers) {
        return Some(forbidden(
            "cross_site",
            "the request was caused by a page of another site",
        ));
    }
    None
}

/// Whether somebody followed a link to a page. A page holds nothing of the node, whoever led there; what it then asks for
/// it asks as itself, in a window of which nobody else has hold. Source: W3C Fetch Metadata Request Headers.
fn follows_a_link(method: &Method, uri: &Uri, headers: &HeaderMap) -> bool {
    let is = |name: &str, value: &str| {
        let mut all = headers.get_all(name).iter().peekable();
        all.peek().is_some() && all.all(|one| one.as_bytes() == value.as_bytes())
    };
    let a_page = !uri.path().starts_with("/api/") && uri.path() != "/metrics";
    matches!(*method, Method::GET | Method::HEAD)
        && a_page
        && is("sec-fetch-mode", "navigate")
        && is("sec-fetch-dest", "document")
}

fn forbidden(code: &str, message: &str) -> ApiError {
    ApiError::new(
        StatusCode::FORBIDDEN,
        code,
        message,
        "open the address that `flash-node status` prints, on the machine of the node",
    )
}

/// What a listener knows of itself.
#[derive(Clone)]
pub(super) struct Door {
    /// Under which names it is asked.
    pub(super) names: Arc<Names>,
    /// How whoever asks it came, where nobody passed them on.
    pub(super) way: Way,
    /// Who may pass others on.
    pub(super) proxies: Arc<Proxies>,
    /// Whether it is one of a name in the internet, to which nobody passes others on.
    pub(super) named: bool,
}

/// Refuses what a foreign page could have sent, and finds out how a request came in.
pub(super) async fn tcp(State(door): State<Door>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let peer = peer.map(|peer| peer.0.ip());
    let headers = request.headers();
    let passage = if door.named {
        Passage::Itself { forwarded: false }
    } else {
        door.proxies.passage(peer, headers)
    };
    let (way, site, refused) = match passage {
        Passage::Itself { forwarded } => {
            // What says that it was passed on is not taken for one of this machine's own.
            let near = door.way.near && !forwarded;
            let within = door.way.within && !forwarded && !door.named;
            let way = Way {
                near,
                within,
                ..door.way
            };
            // Whose word is not believed has shown no name either.
            let site = door.names.site(headers).filter(|_| !forwarded);
            (
                way,
                site,
                refuse(&door.names, (request.method(), request.uri()), headers),
            )
        }
        Passage::Through { from, names, host } => {
            let way = Way {
                near: false,
                within: false,
                secure: true,
                from: Some(from),
            };
            let mut asked = headers.clone();
            if let Some(host) = host {
                asked.insert(header::HOST, host);
            }
            let site = names.site(&asked);
            (
                way,
                site,
                refuse(&names, (request.method(), request.uri()), &asked),
            )
        }
        Passage::NotEncrypted { name } => {
            let to = format!("https://{name}/");
            return Redirect::permanent(&to).into_response();
        }
    };
    if let Some(error) = refused {
        return error.into_response();
    }
    if door.named {
        door.proxies.came_itself(headers);
    }
    request.extensions_mut().insert(way);
    if let Some(site) = site {
        request.extensions_mut().insert(site);
    }
    let mut response = next.run(request).await;
    if way.secure {
        only_encrypted(response.headers_mut());
    }
    if door.named {
        let headers = response.headers_mut();
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HSTS);
    }
    response
}

/// A browser that was here once comes encrypted for a year, whatever was typed. Source: RFC 6797, 6.1.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Lets a browser send the cookies that are set by HTTPS alone.
fn only_encrypted(headers: &mut HeaderMap) {
    let cookies: Vec<HeaderValue> = headers
        .get_all(header::SET_COOKIE)
        .iter()
        .map(|cookie| {
            let mut text = cookie.as_bytes().to_vec();
            text.extend_from_slice(b"; Secure");
            let mut secure = HeaderValue::from_bytes(&text).unwrap_or_else(|_| cookie.clone());
            secure.set_sensitive(true);
            secure
        })
        .collect();
    headers.remove(header::SET_COOKIE);
    for cookie in cookies {
        headers.append(header::SET_COOKIE, cookie);
    }
}

/// Marks an answer that never changes under its address; a browser may keep it, and nothing else.
#[derive(Debug, Clone, Copy)]
pub(super) struct Immutable;

/// Bounds the body, turns a panic into a plain 500, and adds the headers that every answer carries.
pub(crate) async fn every(request: Request, next: Next) -> Response {
    let announced = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok())
        .and_then(|length| length.parse::<u64>().ok());
    let too_large =
        announced.is_some_and(|length| usize::try_from(length).map_or(true, |l| l > BODY_LIMIT));
    let mut response = if too_large {
        ApiError::too_large(BODY_LIMIT).into_response()
    } else {
        match AssertUnwindSafe(next.run(request)).catch_unwind().await {
            Ok(response) => response,
            Err(_) => {
                tracing::error!("a request handler panicked");
                ApiError::internal().into_response()
            }
        }
    };
    let kept = match response.extensions().get::<Immutable>() {
        Some(Immutable) => "public, max-age=31536000, immutable",
        None => "no-store",
    };
    let headers = response.headers_mut();
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static(
            "default-src 'none'; frame-ancestors 'none'",
        ));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(kept));
    for (name, value) in FIXED {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    response
}

const FIXED: [(&str, &str); 5] = [
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
    ("x-frame-options", "DENY"),
    // Whoever led to a page of ours by a link keeps no hold on its window.
    ("cross-origin-opener-policy", "same-origin"),
];
