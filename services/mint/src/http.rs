//! The mint's address for wallets and probes: cdk's routes behind our gate, plus a page, health and metrics.
//!
//! Owns the order of the layers. Deliberately knows nothing of quotes and proofs, which stay cdk's.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use cdk::mint::Mint;
use cdk_axum::cache::HttpCache;
use serde_json::json;
use tokio::sync::Semaphore;

use crate::{
    books::{self, Health, Status},
    config::Config,
    issuer::{ANSWER_CACHE_SECONDS, Unresolved},
    limit::{Gate, Lane},
    policy, readers,
};

const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
/// The largest request. Source: the limit of axum 0.8, which cdk leaves as it is.
const MOST_BODY_BYTES: usize = 2 << 20;
/// How long a request may take to arrive.
const BODY_WITHIN: Duration = Duration::from_secs(30);
const PAGE: &str = include_str!("page.html");

/// The gate and the count of requests in flight, shared with whoever stops the mint.
#[derive(Debug, Clone)]
pub struct Admission {
    gate: Arc<Gate>,
    in_flight: Arc<Semaphore>,
    slots: u32,
    melt_answer: Duration,
}

impl Admission {
    /// Makes the gate of `config`.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let slots = u32::try_from(config.limits.in_flight).expect("in_flight is at most 10000");
        Self {
            gate: Arc::new(Gate::new(&config.limits)),
            in_flight: Arc::new(Semaphore::new(config.limits.in_flight)),
            slots,
            melt_answer: Duration::from_secs(config.melt_answer_seconds),
        }
    }

    /// Waits until no request is being served.
    pub async fn drained(&self) {
        let _all = self.in_flight.acquire_many(self.slots).await;
    }

    /// Forgets idle addresses once a minute, for ever.
    pub async fn forget_idle(&self) {
        loop {
            tokio::time::sleep(Duration::from_secs(60)).await;
            self.gate.forget_idle();
        }
    }
}

/// What our own routes need.
#[derive(Clone)]
struct Face {
    mint: Arc<Mint>,
    config: Arc<Config>,
    left_open: Arc<Unresolved>,
}

impl Face {
    async fn health(&self) -> Health {
        books::ask(
            &self.mint,
            self.config.network,
            self.config.unit,
            &self.left_open,
        )
        .await
    }
}

/// Makes all routes of `mint`.
///
/// Errors: cdk refused the payment methods, which are constant.
pub async fn router(
    mint: Arc<Mint>,
    config: Arc<Config>,
    left_open: Unresolved,
    admission: Admission,
) -> Result<Router, cdk::Error> {
    let keep = Duration::from_secs(ANSWER_CACHE_SECONDS);
    let cache = HttpCache::new(keep, keep, None);
    let wallets = cdk_axum::create_mint_router_with_custom_cache(
        mint.clone(),
        cache,
        vec!["bolt11".to_owned()],
        false,
    )
    .await
    .map_err(|error| cdk::Error::Custom(error.to_string()))?;
    let face = Face {
        mint,
        config,
        left_open: Arc::new(left_open),
    };
    let ours = Router::new()
        .route("/", get(page))
        .route("/health", get(health))
        .route("/metrics", get(metrics))
        .with_state(face);
    Ok(ours
        .merge(wallets)
        .layer(middleware::from_fn_with_state(admission, admit)))
}

async fn page(State(face): State<Face>) -> Html<String> {
    let introduction = policy::introduce(&face.config);
    let play = if introduction.play_money {
        "<p class=\"play\"><strong>Play money.</strong> Invoices only count as paid; nothing is behind this ecash.</p>"
    } else {
        ""
    };
    let page = PAGE
        .replace("@PLAY@", play)
        .replace("@NETWORK@", face.config.network.as_str())
        .replace("@NAME@", &escape(&introduction.name))
        .replace("@URL@", &escape(&face.config.url))
        .replace("@DESCRIPTION@", &escape(&introduction.description));
    Html(page)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('@', "&#64;")
}

/// Refuses whoever may not read the books: what the mint owes is nobody else's business.
fn unknown() -> Response {
    let status = StatusCode::UNAUTHORIZED;
    let detail =
        "what the mint owes is shown to its readers alone; /health tells everybody how it is";
    (
        status,
        [(header::WWW_AUTHENTICATE, "Basic realm=\"flash-mint\"")],
        Json(json!({ "detail": detail, "code": status.as_u16() })),
    )
        .into_response()
}

/// Tells everybody how the mint is, and readers what it owes. Whoever shows a wrong password is told so.
async fn health(State(face): State<Face>, headers: HeaderMap) -> Response {
    let reads = readers::may_read(&face.config.readers, &headers);
    if !reads && headers.contains_key(header::AUTHORIZATION) {
        return unknown();
    }
    let health = face.health().await;
    let status = match health.status {
        Status::Ready | Status::Degraded => StatusCode::OK,
        Status::Failed => StatusCode::SERVICE_UNAVAILABLE,
    };
    let fresh = [(header::CACHE_CONTROL, "no-store")];
    if reads {
        return (status, fresh, Json(health)).into_response();
    }
    (status, fresh, Json(health.outline())).into_response()
}

async fn metrics(State(face): State<Face>, headers: HeaderMap) -> Response {
    if !readers::may_read(&face.config.readers, &headers) {
        return unknown();
    }
    (
        [(header::CONTENT_TYPE, METRICS_TYPE)],
        books::metrics(&face.health().await),
    )
        .into_response()
}

/// Lets a request in, or says when to come back.
async fn admit(
    State(admission): State<Admission>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let lane = match request.uri().path() {
        "/health" | "/metrics" => Lane::Probe,
        _ => Lane::Wallet,
    };
    // Some proxies append a header of their own instead of an entry; the last one is theirs.
    let forwarded_for = request
        .headers()
        .get_all("x-forwarded-for")
        .iter()
        .next_back()
        .and_then(|value| value.to_str().ok());
    if !admission.gate.admit(peer.ip(), forwarded_for, lane) {
        return come_back(
            StatusCode::TOO_MANY_REQUESTS,
            "too many requests from this address",
            "5",
        );
    }
    let request = match receive(request).await {
        Ok(request) => request,
        Err(refusal) => return refusal,
    };
    let Ok(slot) = admission.in_flight.clone().try_acquire_owned() else {
        return come_back(StatusCode::SERVICE_UNAVAILABLE, "the mint is busy", "1");
    };
    let patience = request
        .uri()
        .path()
        .starts_with("/v1/melt/")
        .then_some(admission.melt_answer);
    finish(async move {
        let response = answer(next.run(request), patience).await;
        drop(slot);
        response
    })
    .await
}

/// Reads the whole body before the request takes a slot, so that a client that stalls holds up nobody but itself.
async fn receive(request: Request) -> Result<Request, Response> {
    let (head, body) = request.into_parts();
    match tokio::time::timeout(BODY_WITHIN, to_bytes(body, MOST_BODY_BYTES)).await {
        Ok(Ok(bytes)) => Ok(Request::from_parts(head, Body::from(bytes))),
        Ok(Err(_)) => Err(come_back(
            StatusCode::PAYLOAD_TOO_LARGE,
            "the request is larger than 2 MiB or broke off",
            "5",
        )),
        Err(_) => Err(come_back(
            StatusCode::REQUEST_TIMEOUT,
            "the request took too long to arrive",
            "5",
        )),
    }
}

/// Waits for `work`, for a melt no longer than `patience`: a payment may hang for days, and cdk carries it to its end in
/// a task of its own, so only the waiting is given up.
async fn answer(work: impl Future<Output = Response>, patience: Option<Duration>) -> Response {
    let Some(patience) = patience else {
        return work.await;
    };
    tokio::time::timeout(patience, work)
        .await
        .unwrap_or_else(|_| {
            come_back(
                StatusCode::GATEWAY_TIMEOUT,
                "the payment is still under way; ask for the state of the quote",
                "10",
            )
        })
}

/// Runs `work` to its end even when the client hangs up.
///
/// The server drops the future of a request whose connection closes. Dropped between its two transactions, a swap would
/// leave its proofs reserved until the next start, so begun work is finished in a task of its own.
async fn finish(work: impl Future<Output = Response> + Send + 'static) -> Response {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that spawns; `Admission::drained` waits for it"
    )]
    let task = tokio::spawn(work);
    task.await.unwrap_or_else(|error| {
        tracing::error!(
            panicked = error.is_panic(),
            "a request did not come to its end"
        );
        come_back(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the mint could not finish the request",
            "1",
        )
    })
}

fn come_back(status: StatusCode, detail: &str, after_seconds: &'static str) -> Response {
    // Browser wallets may read an answer only with this header, which cdk adds to its own answers alone.
    let headers: [(HeaderName, HeaderValue); 2] = [
        (
            header::ACCESS_CONTROL_ALLOW_ORIGIN,
            HeaderValue::from_static("*"),
        ),
        (header::RETRY_AFTER, HeaderValue::from_static(after_seconds)),
    ];
    (
        status,
        headers,
        Json(json!({ "detail": detail, "code": status.as_u16() })),
    )
        .into_response()
}

#[cfg(test)]
mod tests;
