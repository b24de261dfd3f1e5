use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::http::Uri;
use http_body_util::BodyExt;
use http_body_util::Full;
use hyper::Request;
use hyper::Response;
use hyper::body::Bytes;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::UnixStream;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::BindError;
use super::ErrorBody;
use super::access;
use super::bind_tcp;
use super::bind_unix;
use super::guard;
use super::metrics;
use super::server::Api;
use super::server::LIMITS;
use super::server::Limits;
use super::server::peer_allowed;
use crate::account::Accounts;
use crate::account::Right;
use crate::account::fixture::Hands;
use crate::account::fixture::accounts;
use crate::clock::Clock;
use crate::node::Node;
use crate::node::Reply;
use crate::node::fixture;
use crate::node::fixture::FixtureNode;
use crate::status::NodeStatus;

/// No wait in these tests is longer.
const DEADLINE: Duration = Duration::from_secs(20);

mod flood;
mod once;
mod passkeys;
mod people;
mod proxies;
mod tasks;
mod tls;

struct Tcp {
    address: SocketAddr,
    node: Arc<FixtureNode>,
    accounts: Arc<Accounts>,
    hands: Arc<Hands>,
    token: CancellationToken,
    tasks: JoinSet<()>,
    _folder: tempfile::TempDir,
}

async fn tcp() -> Tcp {
    tcp_within(LIMITS).await
}

async fn tcp_within(limits: Limits) -> Tcp {
    let listener = bind_tcp("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let token = CancellationToken::new();
    let node = FixtureNode::new(token.clone());
    let mut tasks = JoinSet::new();
    let address = listener.local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let hands = Arc::new(Hands::default());
    let accounts = accounts(folder.path(), Arc::clone(&hands) as Arc<dyn Clock>);
    let api = Api {
        limits,
        ..Api::new(Arc::clone(&node) as Arc<dyn Node>, Arc::clone(&accounts))
    };
    tasks.spawn(api.serve_tcp(listener, token.clone()));
    Tcp {
        address,
        node,
        accounts,
        hands,
        token,
        tasks,
        _folder: folder,
    }
}

struct Unix {
    path: PathBuf,
    node: Arc<FixtureNode>,
    accounts: Arc<Accounts>,
    token: CancellationToken,
    tasks: JoinSet<()>,
    _folder: tempfile::TempDir,
}

fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

async fn unix() -> Unix {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run/control.sock");
    let socket = bind_unix(&path).unwrap();
    let token = CancellationToken::new();
    let node = FixtureNode::new(token.clone());
    let mut tasks = JoinSet::new();
    let people = accounts(folder.path(), Arc::new(Hands::default()));
    let api = Api::new(Arc::clone(&node) as Arc<dyn Node>, Arc::clone(&people));
    tasks.spawn(api.serve_unix(socket, token.clone(), own_uid()));
    Unix {
        path,
        node,
        accounts: people,
        token,
        tasks,
        _folder: folder,
    }
}

/// An answer whose body is still to come, with the connection that brings it.
struct Opened {
    response: Response<Incoming>,
    _driver: JoinSet<()>,
}

impl Opened {
    async fn text(mut self) -> (StatusCode, HeaderMap, String) {
        let mut bytes = Vec::new();
        while let Some(frame) = self.response.frame().await {
            if let Ok(data) = frame.unwrap().into_data() {
                bytes.extend_from_slice(&data);
            }
        }
        let headers = self.response.headers().clone();
        (
            self.response.status(),
            headers,
            String::from_utf8(bytes).unwrap(),
        )
    }

    /// Reads until the stream holds `wanted`, and returns everything read.
    async fn until(&mut self, wanted: &str) -> String {
        let mut text = String::new();
        let reading = async {
            while !text.contains(wanted) {
                let frame = self
                    .response
                    .frame()
                    .await
                    .expect("the stream goes on")
                    .unwrap();
                if let Ok(data) = frame.into_data() {
                    text.push_str(std::str::from_utf8(&data).unwrap());
                }
            }
        };
        let done = tokio::time::timeout(DEADLINE, reading).await;
        assert!(done.is_ok(), "`{wanted}` did not come; got: {text}");
        text
    }
}

async fn send<S>(
    stream: S,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Opened
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    let mut driver = JoinSet::new();
    driver.spawn(async move {
        let _ = connection.await;
    });
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request
        .body(Full::new(Bytes::from(body.to_owned())))
        .unwrap();
    Opened {
        response: sender.send_request(request).await.unwrap(),
        _driver: driver,
    }
}

impl Tcp {
    async fn open(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Opened {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let host = self.address.to_string();
        let mut all = headers.to_vec();
        if !headers.iter().any(|(name, _)| *name == "host") {
            all.push(("host", &host));
        }
        send(stream, method, path, &all, "").await
    }

    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> (StatusCode, HeaderMap, String) {
        self.open("GET", path, headers).await.text().await
    }

    async fn refused(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> (StatusCode, String) {
        let (status, _, text) = self.open(method, path, headers).await.text().await;
        (status, error(&text).code)
    }
}

impl Unix {
    async fn post(&self, path: &str, body: &str) -> (StatusCode, String) {
        let stream = UnixStream::connect(&self.path).await.unwrap();
        let headers = [("host", "localhost"), ("content-type", "application/json")];
        let (status, _, text) = send(stream, "POST", path, &headers, body)
            .await
            .text()
            .await;
        (status, text)
    }

    async fn get(&self, path: &str) -> (StatusCode, String) {
        let (status, _, text) = self.open(path).await.text().await;
        (status, text)
    }

    async fn open(&self, path: &str) -> Opened {
        let stream = UnixStream::connect(&self.path).await.unwrap();
        send(stream, "GET", path, &[("host", "localhost")], "").await
    }
}

fn error(text: &str) -> ErrorBody {
    serde_json::from_str(text).unwrap_or_else(|_| panic!("not the one error shape: {text}"))
}

#[tokio::test]
async fn status_over_tcp_is_what_the_node_publishes() {
    let server = tcp().await;
    let (status, headers, text) = server.get("/api/v1/status", &[]).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        serde_json::from_str::<NodeStatus>(&text).unwrap(),
        fixture::status()
    );
    assert_eq!(headers["x-content-type-options"], "nosniff");
    assert_eq!(headers["cross-origin-opener-policy"], "same-origin");
    assert_eq!(headers["cache-control"], "no-store");
    assert!(
        headers["content-security-policy"]
            .to_str()
            .unwrap()
            .starts_with("default-src 'none'")
    );
    server
        .node
        .change(|status| status.services[0].ready.ok = Some(false));
    let (_, _, text) = server.get("/api/v1/services/mint", &[]).await;
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["ready"]["ok"], serde_json::Value::Bool(false));
}

#[tokio::test]
async fn a_forged_host_is_refused_whatever_the_path() {
    let server = tcp().await;
    let port = server.address.port();
    let wrong_port = format!("127.0.0.1:{}", port.wrapping_add(1));
    for host in [
        "evil.example",
        "127.0.0.1",
        "localhost.evil.example",
        &wrong_port,
        "",
    ] {
        for path in [
            "/api/v1/status",
            "/",
            "/metrics",
            "/nowhere",
            "/api/v1/events",
        ] {
            let answer = server.refused("GET", path, &[("host", host)]).await;
            assert_eq!(
                answer,
                (StatusCode::FORBIDDEN, "host".to_owned()),
                "{host} {path}"
            );
        }
    }
    for host in ["localhost", "LOCALHOST", "127.0.0.1", "[::1]"] {
        let host = format!("{host}:{port}");
        let (status, _, _) = server.get("/api/v1/status", &[("host", &host)]).await;
        assert_eq!(status, StatusCode::OK, "{host}");
    }
}

#[tokio::test]
async fn two_hosts_or_a_foreign_absolute_path_are_refused() {
    let server = tcp().await;
    for head in [
        format!(
            "GET /api/v1/status HTTP/1.1\r\nHost: {0}\r\nHost: {0}\r\n",
            server.address
        ),
        format!(
            "GET http://evil.example/api/v1/status HTTP/1.1\r\nHost: {}\r\n",
            server.address
        ),
        "GET /api/v1/status HTTP/1.0\r\n".to_owned(),
    ] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let request = format!("{head}Connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(
            answer.contains(" 403 ") && answer.contains("\"code\":\"host\""),
            "{head}: {answer}"
        );
    }
}

#[tokio::test]
async fn a_foreign_origin_and_cross_site_metadata_are_refused() {
    let server = tcp().await;
    let own = format!("http://{}", server.address);
    let secure = format!("https://{}", server.address);
    for origin in ["http://evil.example", "null", "http://127.0.0.1:1", &secure] {
        let answer = server
            .refused("GET", "/api/v1/status", &[("origin", origin)])
            .await;
        assert_eq!(
            answer,
            (StatusCode::FORBIDDEN, "origin".to_owned()),
            "{origin}"
        );
    }
    for site in ["cross-site", "same-site", "whatever"] {
        let answer = server
            .refused("GET", "/api/v1/status", &[("sec-fetch-site", site)])
            .await;
        assert_eq!(
            answer,
            (StatusCode::FORBIDDEN, "cross_site".to_owned()),
            "{site}"
        );
    }
    let headers = [("origin", own.as_str()), ("sec-fetch-site", "same-origin")];
    let (status, _, _) = server.get("/api/v1/status", &headers).await;
    assert_eq!(status, StatusCode::OK);
}

#[test]
fn names_of_an_odd_loopback_address_hold_that_address_too() {
    let names = guard::Names::of("127.0.0.9:80".parse().unwrap());
    let refused = |host: &str| {
        let headers = HeaderMap::from_iter([(axum::http::header::HOST, host.parse().unwrap())]);
        guard::refuse(
            &names,
            (&axum::http::Method::GET, &Uri::from_static("/")),
            &headers,
        )
        .is_some()
    };
    assert!(!refused("127.0.0.9:80"));
    assert!(!refused("localhost"));
    assert!(refused("127.0.0.8"));
}

#[tokio::test]
async fn nothing_can_be_changed_over_tcp_before_somebody_owns_the_node() {
    let server = tcp().await;
    for (method, path, access) in access::TABLE {
        let open = [Right::Read, Right::Shop].map(access::Access::Needs);
        let reads = open.contains(access) && *method == "GET";
        if reads || *access == access::Access::Anybody {
            continue;
        }
        let path = path.replace("{id}", "relay").replace("{name}", "name");
        let answer = server.refused(method, &path, &[]).await;
        assert_eq!(
            answer,
            (StatusCode::CONFLICT, "not_set_up".to_owned()),
            "{method} {path}"
        );
    }
    assert!(!server.token.is_cancelled());
}

#[tokio::test]
async fn every_error_has_the_one_shape() {
    let server = tcp().await;
    let answer = server.refused("GET", "/api/v1/nowhere", &[]).await;
    assert_eq!(answer, (StatusCode::NOT_FOUND, "not_found".to_owned()));
    let (status, _, text) = server.get("/api/v1/services/rely", &[]).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(error(&text).hint, "its services are: mint, relay");
    let answer = server.refused("GET", "/api/v1/services/%ff", &[]).await;
    assert_eq!(answer.0, StatusCode::NOT_FOUND);
    for path in ["/api/v1/events?after=x", "/api/v1/events?before=1"] {
        let answer = server.refused("GET", path, &[]).await;
        assert_eq!(answer, (StatusCode::BAD_REQUEST, "bad_request".to_owned()));
    }
    let (_, _, text) = server.get("/api/v1/events?bogus=1", &[]).await;
    assert!(error(&text).message.contains("bogus"), "{text}");

    let owner = unix().await;
    for list in ["accounts", "tokens"] {
        for query in ["after=x", "limit=many", "before=1"] {
            let (status, text) = owner.get(&format!("/api/v1/{list}?{query}")).await;
            let code = error(&text).code;
            assert_eq!(
                (status, code.as_str()),
                (StatusCode::BAD_REQUEST, "bad_request"),
                "{query}"
            );
        }
    }
    let (status, text) = owner.post("/api/v1/status", "").await;
    assert_eq!(
        (status, error(&text).code.as_str()),
        (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed")
    );
    let large = format!("{{\"confirm\":\"{}\"}}", "x".repeat(guard::BODY_LIMIT));
    let (status, text) = owner.post("/api/v1/services/mint/purge", &large).await;
    assert_eq!(
        (status, error(&text).code.as_str()),
        (StatusCode::PAYLOAD_TOO_LARGE, "too_large")
    );
    let (status, text) = owner
        .post("/api/v1/services/mint/purge", "{\"confirm\":")
        .await;
    assert_eq!(
        (status, error(&text).code.as_str()),
        (StatusCode::BAD_REQUEST, "bad_request")
    );
}

#[tokio::test]
async fn a_body_without_a_length_is_bounded_too() {
    let owner = unix().await;
    let mut stream = UnixStream::connect(&owner.path).await.unwrap();
    let head = "POST /api/v1/vault/unlock HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                Transfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
    for _ in 0..6 {
        // The server may close as soon as it has seen too much.
        if stream.write_all(chunk.as_bytes()).await.is_err() {
            break;
        }
    }
    let mut answer = [0; 4096];
    let read = stream.read(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..read]);
    assert!(
        answer.contains(" 413 ") && answer.contains("too_large"),
        "{answer}"
    );
}

#[tokio::test]
async fn an_inner_failure_tells_nothing_of_its_cause() {
    let owner = unix().await;
    let (status, text) = owner.post("/api/v1/services/mint/retry", "").await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(error(&text).code, "internal");
    assert!(!text.contains("secret"), "{text}");
}

#[tokio::test]
async fn a_mistake_in_a_body_never_repeats_a_secret() {
    let owner = unix().await;
    let (status, text) = owner
        .post(
            "/api/v1/vault/unlock",
            "{\"passphrase\":\"hunter2\",\"x\":1}",
        )
        .await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(!text.contains("hunter2"), "{text}");
    let (status, text) = owner
        .post("/api/v1/vault/unlock", "{\"hunter2\":\"x\"}")
        .await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(!text.contains("hunter2"), "{text}");
}

#[tokio::test]
async fn events_resume_after_the_cursor_and_go_on_live() {
    let server = tcp().await;
    for number in 1..=5 {
        server.node.push("tick", &format!("number {number}"));
    }
    let mut resumed = server
        .open("GET", "/api/v1/events", &[("last-event-id", "3")])
        .await;
    let text = resumed.until("number 5").await;
    assert!(
        text.contains("event: status\n") && text.contains("id: 4\n"),
        "{text}"
    );
    assert!(
        !text.contains("number 3") && !text.contains("event: gap"),
        "{text}"
    );
    server.node.push("tick", "number 6");
    let text = resumed.until("number 6").await;
    assert!(text.contains("id: 6\n"), "{text}");
    server
        .node
        .change(|status| status.vault.state = "sealed".to_owned());
    let text = resumed.until("\"sealed\"").await;
    assert!(text.contains("event: status\n"), "{text}");

    let mut asked = server.open("GET", "/api/v1/events?after=4", &[]).await;
    let text = asked.until("number 6").await;
    assert!(
        text.contains("number 5") && !text.contains("number 4"),
        "{text}"
    );
}

#[tokio::test]
async fn events_that_are_no_longer_kept_are_announced_as_a_gap() {
    let server = tcp().await;
    for number in 1..=9 {
        server.node.push("tick", &format!("number {number}"));
    }
    server.node.prune(7);
    let (_, _, text) = server.get("/api/v1/events?after=2&follow=false", &[]).await;
    assert!(
        text.contains("event: gap\ndata: {\"after\":2,\"first\":7}"),
        "{text}"
    );
    assert!(
        text.contains("number 7") && text.contains("number 9"),
        "{text}"
    );
    let (_, _, text) = server
        .get("/api/v1/events?after=90&follow=false", &[])
        .await;
    assert!(
        text.contains("event: gap") && text.contains("number 9"),
        "{text}"
    );
}

#[tokio::test]
async fn a_stream_without_follow_ends_with_the_newest_event_over_many_pages() {
    let server = tcp().await;
    for number in 1..=600 {
        server.node.push("tick", &format!("number {number};"));
    }
    let (_, _, text) = server.get("/api/v1/events?after=0&follow=false", &[]).await;
    assert_eq!(text.matches("event: event").count(), 600);
    let (_, _, text) = server.get("/api/v1/events?tail=2&follow=false", &[]).await;
    assert_eq!(text.matches("event: event").count(), 2);
    assert!(text.contains("number 600;"));
}

#[tokio::test]
async fn what_was_before_a_cursor_is_read_backwards_a_page_at_a_time() {
    let server = tcp().await;
    for number in 1..=600 {
        server.node.push("tick", &format!("number {number};"));
    }
    let page = async |before: u64| {
        let path = format!("/api/v1/events?before={before}&tail=300&follow=false");
        let (status, _, text) = server.get(&path, &[]).await;
        assert_eq!(status, StatusCode::OK, "{text}");
        assert!(!text.contains("event: status"), "{text}");
        text
    };
    let text = page(501).await;
    assert_eq!(text.matches("event: event").count(), 300);
    assert!(text.contains("number 201;") && text.contains("number 500;"));
    let text = page(201).await;
    assert_eq!(text.matches("event: event").count(), 200);
    assert!(text.contains("number 1;") && text.contains("number 200;"));
    assert_eq!(page(1).await.matches("event: ").count(), 0);
    assert_eq!(page(9000).await.matches("event: event").count(), 300);
    server.node.prune(150);
    let text = page(201).await;
    assert!(text.contains(r#"{"after":0,"first":150}"#), "{text}");
    assert_eq!(text.matches("event: event").count(), 51);
    for path in ["before=9&tail=3", "before=9&follow=false&after=2"] {
        let path = format!("/api/v1/events?{path}");
        let answer = server.refused("GET", &path, &[]).await;
        assert_eq!(answer, (StatusCode::BAD_REQUEST, "bad_request".to_owned()));
    }
}

#[tokio::test]
async fn streams_are_bounded_and_leave_room_for_questions() {
    let server = tcp().await;
    let mut open = Vec::new();
    for _ in 0..super::lanes::STAFF.streams {
        open.push(server.open("GET", "/api/v1/events", &[]).await);
    }
    let answer = server.refused("GET", "/api/v1/events", &[]).await;
    assert_eq!(
        answer,
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "too_many_streams".to_owned()
        )
    );
    let (status, _, _) = server.get("/api/v1/status", &[]).await;
    assert_eq!(status, StatusCode::OK);
    open.clear();
    let freed = async {
        while server
            .open("GET", "/api/v1/events", &[])
            .await
            .response
            .status()
            != StatusCode::OK
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, freed)
        .await
        .expect("places are given back");
}

#[tokio::test]
async fn metrics_parse_and_follow_the_status() {
    let server = tcp().await;
    server.node.push("tick", "one");
    let (_, headers, _) = server.get("/metrics", &[]).await;
    assert!(
        headers["content-type"]
            .to_str()
            .unwrap()
            .starts_with("application/openmetrics-text")
    );
    server.node.change(|status| {
        status.services[0].ready.ok = Some(false);
        status.services[0].started_at = Some(1_800_000_000_000);
    });
    let (_, _, text) = server.get("/metrics", &[]).await;
    assert!(text.ends_with("# EOF\n"));
    let mut series = std::collections::BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        let value: f64 = value
            .parse()
            .unwrap_or_else(|_| panic!("no number: {line}"));
        assert!(
            series.insert(name.to_owned(), value).is_none(),
            "twice: {line}"
        );
    }
    let value = |name: &str| {
        series
            .get(name)
            .copied()
            .unwrap_or_else(|| panic!("no {name} in {text}"))
    };
    assert!(
        value("flash_node_service_signal{service=\"mint\",signal=\"ready\",state=\"false\"}") > 0.5
    );
    assert!(
        value("flash_node_service_signal{service=\"mint\",signal=\"ready\",state=\"true\"}") < 0.5
    );
    assert!(
        value("flash_node_service_signal{service=\"relay\",signal=\"synced\",state=\"unknown\"}")
            > 0.5
    );
    assert!((value("flash_node_service_restarts_total{service=\"mint\"}") - 1.0).abs() < 0.1);
    assert!((value("flash_node_service_restarts_total{service=\"relay\"}")).abs() < 0.1);
    assert!((value("flash_node_events_total") - 1.0).abs() < 0.1);
    assert!(value("process_resident_memory_bytes") > 1_000_000.0);
    assert!(value("process_cpu_seconds_total") >= 0.0);
    assert!(
        series
            .keys()
            .any(|name| name.starts_with("flash_node_build_info{version=\"0.1.0\""))
    );
}

#[test]
fn figures_of_proc_are_read_as_linux_writes_them() {
    assert_eq!(
        metrics::resident_bytes("Name:\tx\nVmRSS:\t    2048 kB\n"),
        Some(2_097_152)
    );
    let stat = "1 (a ) b) S 0 1 1 0 -1 4194560 1 2 3 4 250 50 7 8 20 0 1 0 5";
    assert!((metrics::cpu_seconds(stat).unwrap() - 3.0).abs() < 0.001);
    assert_eq!(metrics::cpu_seconds("nothing"), None);
}

#[tokio::test]
async fn pages_are_anybodys_and_the_api_keeps_its_own_paths() {
    let server = tcp().await;
    for path in ["/", "/services/relay"] {
        let (status, headers, page) = server.get(path, &[]).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        assert!(page.contains("<title>Flash Node</title>"), "{page}");
        assert_eq!(headers["x-frame-options"], "DENY");
        assert_eq!(headers["cache-control"], "no-store");
    }
    // What a browser may keep: files that change their name with their content, and nothing else.
    let (_, headers, _) = server.get("/api/v1/events?follow=false", &[]).await;
    assert_eq!(headers["cache-control"], "no-store");
    let (_, _, page) = server.get("/", &[]).await;
    if let Some((_, rest)) = page.split_once("/_app/immutable/") {
        let name = rest.split_once(['"', '\'']).unwrap().0;
        let file = format!("/_app/immutable/{name}");
        let (status, headers, _) = server.get(&file, &[]).await;
        assert_eq!(status, StatusCode::OK, "{file}");
        let kept = headers["cache-control"].to_str().unwrap();
        assert!(kept.ends_with("immutable"), "{file}: {kept}");
    }
    for (method, path) in [
        ("GET", "/api/v1/nowhere"),
        ("GET", "/gone.js"),
        ("POST", "/services"),
    ] {
        let answer = server.refused(method, path, &[]).await;
        assert_eq!(answer.0, StatusCode::NOT_FOUND, "{method} {path}");
    }
    let (status, text) = unix().await.post("/services/relay", "{}").await;
    assert_eq!(status, StatusCode::NOT_FOUND, "{text}");
}

#[test]
fn openapi_file_is_fresh() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    #[expect(
        clippy::disallowed_methods,
        reason = "a test has no configuration; the variable only rewrites a golden file"
    )]
    let update = std::env::var("UPDATE_OPENAPI").is_ok();
    if update {
        std::fs::write(&path, super::openapi_document()).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    assert!(
        kept == super::openapi_document(),
        "orchestrator/openapi.json is stale; write it anew with UPDATE_OPENAPI=1"
    );
    let document: serde_json::Value = serde_json::from_str(&kept).unwrap();
    let paths = document["paths"].as_object().unwrap();
    assert_eq!(
        paths["/api/v1/vault/key-file"]["post"]["tags"][0],
        "local-only"
    );
    assert_eq!(paths["/api/v1/status"]["get"]["tags"][0], "read");
}

#[tokio::test]
async fn the_owners_socket_carries_changes() {
    let owner = unix().await;
    let (status, text) = owner
        .post(
            "/api/v1/services/relay/settings/name",
            "{\"value\":\"a shop\"}",
        )
        .await;
    assert_eq!(status, StatusCode::OK, "{text}");
    assert!(serde_json::from_str::<Reply>(&text).unwrap().changed);
    assert_eq!(
        owner.node.setting("relay", "name").as_deref(),
        Some("a shop")
    );
    let body = "{\"value\":\"b\",\"dry_run\":true}";
    let (status, _) = owner
        .post("/api/v1/services/relay/settings/name", body)
        .await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        owner.node.setting("relay", "name").as_deref(),
        Some("a shop")
    );
    let (status, text) = owner
        .post("/api/v1/services/relay/settings/nope", body)
        .await;
    assert_eq!(
        (status, error(&text).code.as_str()),
        (StatusCode::NOT_FOUND, "unknown_setting")
    );
    let (status, text) = owner
        .post("/api/v1/services/mint/purge", "{\"confirm\":\"relay\"}")
        .await;
    assert_eq!(
        (status, error(&text).code.as_str()),
        (StatusCode::FORBIDDEN, "confirm_mismatch")
    );
    let (status, _) = owner.post("/api/v1/services/mint/remove", "").await;
    assert_eq!(status, StatusCode::OK);
    let (status, _) = owner
        .post("/api/v1/services/mint/purge", "{\"confirm\":\"mint\"}")
        .await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn settings_are_listed_and_changed_all_or_none() {
    let owner = unix().await;
    let listed = || async {
        let (status, text) = owner.get("/api/v1/settings").await;
        assert_eq!(status, StatusCode::OK, "{text}");
        let settings: crate::view::Settings = serde_json::from_str(&text).unwrap();
        settings.services[0].settings[0].clone()
    };
    let before = listed().await;
    assert_eq!((before.name.as_str(), before.chosen), ("name", false));
    let two = |second: &str| {
        format!(
            "{{\"changes\":[{{\"service\":\"relay\",\"setting\":\"name\",\"value\":\"a\"}},{{\"service\":\"mint\",\"setting\":\"{second}\",\"value\":\"b\"}}]}}"
        )
    };
    let (status, text) = owner.post("/api/v1/settings", &two("nope")).await;
    assert_eq!(
        (status, error(&text).code.as_str()),
        (StatusCode::NOT_FOUND, "unknown_setting")
    );
    assert_eq!(listed().await, before, "none was changed");
    let (status, text) = owner.post("/api/v1/settings", "{\"changes\":[]}").await;
    assert_eq!(
        (status, error(&text).code.as_str()),
        (StatusCode::UNPROCESSABLE_ENTITY, "nothing_named")
    );
    let (status, text) = owner.post("/api/v1/settings", &two("name")).await;
    assert_eq!(status, StatusCode::OK, "{text}");
    assert_eq!(owner.node.setting("mint", "name").as_deref(), Some("b"));
    let after = listed().await;
    assert!(after.chosen);
    assert_eq!(after.value, crate::view::SettingValue::Text("a".to_owned()));
}

#[tokio::test]
async fn edges_and_images_are_listed_as_data_and_as_text() {
    let owner = unix().await;
    let (status, text) = owner.get("/api/v1/edges").await;
    assert_eq!(status, StatusCode::OK, "{text}");
    let edges: crate::view::Edges = serde_json::from_str(&text).unwrap();
    assert_eq!(edges.edges[0].id.as_deref(), Some("node/nostr/relay"));
    let (status, text) = owner.get("/api/v1/images").await;
    assert_eq!(status, StatusCode::OK, "{text}");
    let images: crate::view::Images = serde_json::from_str(&text).unwrap();
    assert!(!images.in_containers);
    for path in ["/api/v1/edges", "/api/v1/images"] {
        let (status, text) = owner.post(path, "").await;
        assert_eq!(status, StatusCode::OK, "{text}");
        assert!(
            !serde_json::from_str::<Reply>(&text)
                .unwrap()
                .text
                .is_empty()
        );
    }
}

#[tokio::test]
async fn the_vault_opens_by_passphrase_recovery_key_and_key_file() {
    let owner = unix().await;
    let (status, _) = owner
        .post(
            "/api/v1/vault/passphrase",
            "{\"current\":null,\"new\":\"correct horse\"}",
        )
        .await;
    assert_eq!(status, StatusCode::OK);
    let (status, _) = owner.post("/api/v1/vault/seal", "").await;
    assert_eq!(status, StatusCode::OK);
    let (status, text) = owner
        .post("/api/v1/vault/unlock", "{\"passphrase\":\"wrong\"}")
        .await;
    assert_eq!(
        (status, error(&text).code.as_str()),
        (StatusCode::FORBIDDEN, "wrong_passphrase")
    );
    // AGtlef8= is the fixture's key file: 00 "key" ff.
    for body in [
        "{\"passphrase\":\"correct horse\"}",
        "{\"recovery_key\":\"recovery\"}",
        "{\"key_file\":\"AGtlef8=\"}",
    ] {
        let (status, text) = owner.post("/api/v1/vault/unlock", body).await;
        assert_eq!(status, StatusCode::OK, "{body}: {text}");
    }
    let (status, text) = owner
        .post("/api/v1/vault/unlock", "{\"key_file\":\"***\"}")
        .await;
    assert_eq!(
        (status, error(&text).code.as_str()),
        (StatusCode::BAD_REQUEST, "bad_request")
    );
    let (status, text) = owner
        .post("/api/v1/vault/key-file", "{\"path\":\"relative\"}")
        .await;
    assert_eq!(
        (status, error(&text).code.as_str()),
        (StatusCode::UNPROCESSABLE_ENTITY, "bad_path")
    );
}

#[tokio::test]
async fn logs_stream_to_the_owner() {
    let owner = unix().await;
    let (status, _, text) = owner
        .open("/api/v1/services/relay/logs?tail=2")
        .await
        .text()
        .await;
    assert_eq!((status, text.as_str()), (StatusCode::OK, "second\nthird\n"));
    let mut followed = owner.open("/api/v1/services/relay/logs?follow=true").await;
    followed.until("third\n").await;
    let (status, _, text) = owner.open("/api/v1/services/nope/logs").await.text().await;
    assert_eq!(
        (status, error(&text).code.as_str()),
        (StatusCode::NOT_FOUND, "unknown_service")
    );
    // A stream that follows ends when the node stops.
    owner.token.cancel();
    tokio::time::timeout(DEADLINE, followed.text())
        .await
        .expect("the stream ends");
}

#[tokio::test]
async fn the_control_socket_is_private_and_goes_away_with_the_node() {
    let mut owner = unix().await;
    let mode = std::fs::metadata(&owner.path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let folder = owner.path.parent().unwrap();
    let mode = std::fs::metadata(folder).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let error = bind_unix(&owner.path).unwrap_err();
    assert!(matches!(error, BindError::Answered(_)), "{error}");
    assert!(UnixStream::connect(&owner.path).await.is_ok());
    owner.token.cancel();
    let ended = tokio::time::timeout(DEADLINE, owner.tasks.join_next()).await;
    ended.expect("serving ends").unwrap().unwrap();
    assert!(!owner.path.exists());
}

#[tokio::test]
async fn a_stale_socket_is_replaced_and_anything_else_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
    let path = folder.path().join("control.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    drop(bind_unix(&path).unwrap());
    assert!(!path.exists());

    std::fs::write(&path, "mine").unwrap();
    assert!(matches!(
        bind_unix(&path).unwrap_err(),
        BindError::NotASocket(_)
    ));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
    std::fs::remove_file(&path).unwrap();

    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let error = bind_unix(&path).unwrap_err();
    assert!(
        matches!(error, BindError::OpenFolder { mode: 0o755, .. }),
        "{error}"
    );
    assert!(bind_unix(Path::new("/nowhere/at/all/control.sock")).is_err());
}

#[tokio::test]
async fn other_users_are_refused_by_their_credentials() {
    assert!(peer_allowed(1000, 1000));
    assert!(peer_allowed(0, 1000));
    assert!(!peer_allowed(1001, 1000));
    assert!(!peer_allowed(1000, 0));
    if own_uid() == 0 {
        // Root is always let in; the refusal over a real socket needs another user.
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run/control.sock");
    let token = CancellationToken::new();
    let node = FixtureNode::new(token.clone());
    let mut tasks = JoinSet::new();
    let people = accounts(folder.path(), Arc::new(Hands::default()));
    let socket = bind_unix(&path).unwrap();
    tasks.spawn(Api::new(node, people).serve_unix(socket, token, own_uid() + 1));
    let mut stream = UnixStream::connect(&path).await.unwrap();
    let request = b"GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(answer.is_empty());
}

#[tokio::test]
async fn only_loopback_is_listened_on_and_a_taken_port_is_named() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let error = bind_tcp(address.parse().unwrap()).await.unwrap_err();
        assert!(matches!(error, BindError::NotLoopback(_)), "{error}");
    }
    let server = tcp().await;
    let error = bind_tcp(server.address).await.unwrap_err();
    assert!(matches!(error, BindError::Taken(address) if address == server.address));
}

#[tokio::test]
async fn stopping_ends_streams_and_closes_the_listener() {
    let mut server = tcp().await;
    let mut stream = server.open("GET", "/api/v1/events", &[]).await;
    stream.until("event: status").await;
    server.token.cancel();
    tokio::time::timeout(DEADLINE, stream.text())
        .await
        .expect("the stream ends");
    let ended = tokio::time::timeout(DEADLINE, server.tasks.join_next()).await;
    ended.expect("serving ends").unwrap().unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn a_request_that_never_ends_its_head_is_cut_off() {
    let server = tcp_within(Limits {
        header_timeout: Duration::from_millis(200),
        ..LIMITS
    })
    .await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream
        .write_all(b"GET /api/v1/status HTTP/1.1\r\nHost: ")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let reading = stream.read_to_end(&mut answer);
    // The server closes by itself: without its timeout this read would have no end.
    let _ = tokio::time::timeout(DEADLINE, reading)
        .await
        .expect("the connection is closed");
    assert!(!String::from_utf8_lossy(&answer).contains("200 OK"));
}
