//! HTTP, HTTPS with a pinned certificate, and JSON-RPC.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::routing::get;
use axum::routing::post;
use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::IsCa;
use rcgen::KeyPair;
use rustls::ServerConfig;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::PrivatePkcs8KeyDer;
use serde_json::json;
use tokio_rustls::TlsAcceptor;

use super::*;

async fn app(router: Router) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
    Server {
        address,
        _tasks: tasks,
    }
}

fn get_path(path: &str) -> Asking {
    Asking::Http {
        post: false,
        path: SecretBytes::from(path.to_owned()),
        headers: Vec::new(),
        body: None,
        pinned: None,
    }
}

fn rpc(method: &str) -> Asking {
    Asking::Jsonrpc {
        method: method.to_owned(),
        params: json!([]),
    }
}

#[tokio::test]
async fn an_answer_holds_status_json_and_text() {
    let router = Router::new()
        .route("/ok", get(|| async { r#"{"synchronized":true}"# }))
        .route(
            "/busy",
            get(|| async { (StatusCode::SERVICE_UNAVAILABLE, "not yet") }),
        );
    let server = app(router).await;
    let asked = question(server.address, get_path("/ok"));
    let answer = ask(&asked).await;
    assert!(answer.succeeded(&asked.ask));
    assert_eq!(answer.status, Some(200));
    assert_eq!(answer.json, Some(json!({"synchronized": true})));

    let asked = question(server.address, get_path("/busy"));
    let answer = ask(&asked).await;
    assert!(answer.reached && !answer.succeeded(&asked.ask));
    assert_eq!(
        (answer.status, answer.text.as_str()),
        (Some(503), "not yet")
    );
}

#[tokio::test]
async fn headers_body_and_credential_arrive() {
    let echo = |headers: HeaderMap, body: String| async move {
        let header = |name: &str| headers[name].to_str().unwrap().to_owned();
        json!({"macaroon": header("grpc-metadata-macaroon"), "login": header("authorization"), "body": body})
            .to_string()
    };
    let server = app(Router::new().route("/v1/thing", post(echo))).await;
    let question = Question {
        credential: credential("node", "secret"),
        ..question(
            server.address,
            Asking::Http {
                post: true,
                path: SecretBytes::from("/v1/thing".to_owned()),
                headers: vec![(
                    "Grpc-Metadata-macaroon".to_owned(),
                    SecretBytes::from("0201".to_owned()),
                )],
                body: Some(SecretBytes::from("hello".to_owned())),
                pinned: None,
            },
        )
    };
    let json = ask(&question).await.json.unwrap();
    assert_eq!(json["macaroon"], "0201");
    assert_eq!(json["login"], "Basic bm9kZTpzZWNyZXQ=");
    assert_eq!(json["body"], "hello");
}

#[tokio::test]
async fn a_huge_answer_is_cut_and_never_taken_for_json() {
    let huge = || async { Body::from(format!("\"{}\"", "x".repeat(10 * 1024 * 1024))) };
    let server = app(Router::new().route("/", get(huge))).await;
    let asked = question(server.address, get_path("/"));
    let answer = ask(&asked).await;
    assert!(answer.reached && answer.json.is_none());
    assert_eq!(answer.text.len(), MAX_TEXT);
    assert_eq!(answer.error, Some(ProbeError::TooLong));
    assert!(!answer.succeeded(&asked.ask));
}

#[tokio::test]
async fn endless_headers_are_no_answer() {
    let server = serve(|mut stream| async move {
        read_until(&mut stream, "\r\n\r\n").await;
        send(&mut stream, b"HTTP/1.1 200 OK\r\n").await;
        while stream.write_all(b"x-more: and more\r\n").await.is_ok() {}
    })
    .await;
    let answer = ask(&question(server.address, get_path("/"))).await;
    assert!(!answer.reached && answer.error.is_some());
}

#[tokio::test]
async fn half_an_answer_is_no_answer() {
    let promised = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"ready\":true}";
    let closing = serve(move |mut stream| async move {
        read_until(&mut stream, "\r\n\r\n").await;
        send(&mut stream, promised.as_bytes()).await;
    })
    .await;
    let answer = ask(&question(closing.address, get_path("/"))).await;
    assert!(!answer.reached && answer.json.is_none());
    assert_eq!(answer.error, Some(ProbeError::Closed));

    let hanging = serve(move |mut stream| async move {
        read_until(&mut stream, "\r\n\r\n").await;
        send(&mut stream, promised.as_bytes()).await;
        std::future::pending::<()>().await;
    })
    .await;
    let brief = Question {
        timeout: BRIEF,
        ..question(hanging.address, get_path("/"))
    };
    let answer = ask(&brief).await;
    assert!(!answer.reached && answer.json.is_none());
    assert_eq!(answer.error, Some(ProbeError::Timeout));
}

#[tokio::test]
async fn a_path_or_header_with_a_line_break_is_never_sent() {
    let address = nobody().await;
    for path in ["no-slash", "/a b\r\nx: y", ""] {
        let answer = ask(&question(address, get_path(path))).await;
        assert_eq!(answer.error, Some(ProbeError::Question), "{path:?}");
    }
    let Asking::Http { path, .. } = get_path("/") else {
        unreachable!()
    };
    let headers = vec![("x".to_owned(), SecretBytes::from("a\r\ny: b".to_owned()))];
    let ask_it = Asking::Http {
        post: false,
        path,
        headers,
        body: None,
        pinned: None,
    };
    let answer = ask(&question(address, ask_it)).await;
    assert_eq!(answer.error, Some(ProbeError::Question));
}

#[tokio::test]
async fn errors_of_bitcoin_core_are_answers() {
    let warming =
        r#"{"result":null,"error":{"code":-28,"message":"Verifying blocks…"},"id":"flash-node"}"#;
    let router = Router::new().route(
        "/",
        post(move |body: String| async move {
            let request: Value = serde_json::from_str(&body).unwrap();
            match request["method"].as_str().unwrap() {
                "warming" => (StatusCode::INTERNAL_SERVER_ERROR, warming),
                "unauthorised" => (StatusCode::UNAUTHORIZED, ""),
                "forbidden" => (StatusCode::FORBIDDEN, ""),
                _ => (
                    StatusCode::OK,
                    r#"{"result":7,"error":null,"id":"flash-node"}"#,
                ),
            }
        }),
    );
    let server = app(router).await;

    let good = question(server.address, rpc("uptime"));
    let answer = ask(&good).await;
    assert!(answer.succeeded(&good.ask));

    let asked = question(server.address, rpc("warming"));
    let answer = ask(&asked).await;
    assert!(answer.reached && !answer.succeeded(&asked.ask));
    assert_eq!(answer.status, Some(500));
    assert_eq!(answer.json.unwrap()["error"]["code"], -28);

    for (method, status) in [("unauthorised", 401), ("forbidden", 403)] {
        let asked = question(server.address, rpc(method));
        let answer = ask(&asked).await;
        assert!(answer.reached && !answer.succeeded(&asked.ask), "{method}");
        assert_eq!(answer.status, Some(status));
        assert_eq!(answer.error, Some(ProbeError::Denied));
    }
}

/// A self-signed certificate like LND's, which says `CA:TRUE`, and the pin of it.
pub(super) fn certificate() -> (Arc<ServerConfig>, PinnedCertificate) {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let pin = PinnedCertificate::read(certificate.pem().as_bytes()).unwrap();
    let der = PinnedCertificate::read(certificate.der()).unwrap();
    assert_eq!(pin, der);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .unwrap();
    (Arc::new(config), pin)
}

async fn https(config: Arc<ServerConfig>) -> Server {
    let acceptor = TlsAcceptor::from(config);
    serve(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                return;
            };
            let mut chunk = [0; 4096];
            let _ = stream.read(&mut chunk).await;
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 15\r\n\r\n{\"state\":\"LOCK\"}";
            let _ = stream.write_all(answer).await;
            let _ = stream.shutdown().await;
        }
    })
    .await
}

fn pinned(address: SocketAddr, pin: PinnedCertificate) -> Question {
    question(
        address,
        Asking::Http {
            post: false,
            path: SecretBytes::from("/v1/state".to_owned()),
            headers: Vec::new(),
            body: None,
            pinned: Some(pin),
        },
    )
}

#[tokio::test]
async fn the_pinned_certificate_is_accepted_although_it_calls_itself_an_authority() {
    let (config, pin) = certificate();
    let server = https(config).await;
    let answer = ask(&pinned(server.address, pin)).await;
    assert_eq!(answer.status, Some(200), "{answer:?}");
    assert_eq!(answer.text, "{\"state\":\"LOCK\"");
}

#[tokio::test]
async fn any_other_certificate_is_refused() {
    let (config, _) = certificate();
    let (_, other) = certificate();
    let server = https(config).await;
    let answer = ask(&pinned(server.address, other)).await;
    assert!(!answer.reached && answer.status.is_none());
    assert_eq!(answer.error, Some(ProbeError::CertificateRefused));
}

#[tokio::test]
async fn the_pinned_certificate_without_its_key_is_refused() {
    // The server shows the right certificate and signs with another key, as someone could who copied the public file.
    let (_, pin) = certificate();
    let key = KeyPair::generate().unwrap();
    let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let signer = provider.key_provider.load_private_key(private).unwrap();
    let shown = rustls::sign::CertifiedKey::new(vec![pin.der().clone()], signer);
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(shown)));
    let server = https(Arc::new(config)).await;
    let answer = ask(&pinned(server.address, pin)).await;
    assert!(!answer.reached);
    assert!(
        matches!(
            answer.error,
            Some(ProbeError::CertificateRefused | ProbeError::Tls)
        ),
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_server_without_tls_is_not_spoken_to_in_clear() {
    let server = serve(|mut stream| async move {
        let mut chunk = [0; 4096];
        let count = stream.read(&mut chunk).await.unwrap();
        // The first byte of a TLS handshake; never "GET".
        assert_eq!(chunk[..count][0], 0x16);
        send(&mut stream, b"HTTP/1.1 200 OK\r\n\r\n{\"ready\":true}").await;
    })
    .await;
    let answer = ask(&pinned(server.address, certificate().1)).await;
    assert!(!answer.reached);
    assert_eq!(answer.error, Some(ProbeError::Tls));
}

#[test]
fn a_file_without_a_certificate_is_no_pin() {
    assert_eq!(PinnedCertificate::read(b""), Err(BadCertificate));
    assert_eq!(PinnedCertificate::read(b"hello"), Err(BadCertificate));
}
