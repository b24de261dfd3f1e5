//! The way in from the network: HTTPS, and nothing but a hint for whoever does not speak it.

use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::ServerName;
use rustls_pki_types::pem::PemObject as _;
use serde_json::json;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;
use crate::clock::SystemClock;
use crate::http::Certificate;
use crate::http::Https;
use crate::lan::authority::Authority;
use crate::lan::machine::Found;

struct Lan {
    address: SocketAddr,
    accounts: Arc<Accounts>,
    trusted: String,
    token: CancellationToken,
    tasks: JoinSet<()>,
    _folder: tempfile::TempDir,
}

/// A machine is `till` and at a private address; the test asks it over loopback by that name.
async fn lan() -> Lan {
    let now = SystemClock::new().wall();
    let found = Found {
        names: crate::lan::machine::names("till"),
        addresses: std::collections::BTreeSet::new(),
    };
    let authority = Authority::make("abc123", "till", now).unwrap();
    let leaf = authority.issue("abc123", &found, now).unwrap();
    let certificate = Certificate {
        certificate: &leaf.certificate,
        key: &leaf.key,
    };
    let hosts = leaf.names.iter().cloned();
    let https = Https::bind("127.0.0.1:0".parse().unwrap(), &certificate, hosts);
    let https = https.await.unwrap();
    let address = https.address().unwrap();
    let token = CancellationToken::new();
    let node = FixtureNode::new(token.clone());
    let folder = tempfile::tempdir().unwrap();
    let accounts = accounts(folder.path(), Arc::new(Hands::default()));
    let mut tasks = JoinSet::new();
    let api = Api::new(node, Arc::clone(&accounts));
    tasks.spawn(api.serve_https(https, token.clone()));
    Lan {
        address,
        accounts,
        trusted: leaf.authority,
        token,
        tasks,
        _folder: folder,
    }
}

impl Lan {
    async fn enter(&self, name: &str) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(self.trusted.as_bytes()).unwrap();
        roots.add(root).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
    }

    async fn ask(
        &self,
        method: &str,
        path: &str,
        more: &[(&str, &str)],
        body: &str,
    ) -> (StatusCode, HeaderMap, String) {
        let stream = self.enter("till.local").await.unwrap();
        let host = format!("till.local:{}", self.address.port());
        let mut headers = vec![
            ("host", host.as_str()),
            ("content-type", "application/json"),
        ];
        headers.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
        headers.extend_from_slice(more);
        send(stream, method, path, &headers, body)
            .await
            .text()
            .await
    }

    /// Sends words without TLS, and returns what comes.
    async fn plain(&self, words: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(words.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let read = stream.read_to_string(&mut answer);
        tokio::time::timeout(DEADLINE, read).await.unwrap().unwrap();
        answer
    }
}

#[tokio::test]
async fn a_device_that_trusts_the_node_is_served_and_its_session_stays_encrypted() {
    let lan = lan().await;
    let (status, _, text) = lan.ask("GET", "/api/v1/session", &[], "").await;
    assert_eq!(status, StatusCode::OK, "{text}");
    // As long as nobody owns the node, it is read at the machine alone.
    for path in ["/api/v1/status", "/api/v1/events", "/metrics"] {
        let (status, _, text) = lan.ask("GET", path, &[], "").await;
        let told = (status, error(&text).code);
        assert_eq!(
            told,
            (StatusCode::CONFLICT, "not_set_up".to_owned()),
            "{path}"
        );
    }
    let body = json!({
        "code": lan.accounts.set_up_code().unwrap(),
        "name": "olga",
        "password": "four plain old words",
        "language": "en",
    });
    let origin = format!("https://till.local:{}", lan.address.port());
    let own = [("origin", origin.as_str())];
    let (status, headers, text) = lan
        .ask("POST", "/api/v1/set-up", &own, &body.to_string())
        .await;
    assert_eq!(status, StatusCode::CREATED, "{text}");
    for cookie in headers.get_all("set-cookie") {
        let cookie = cookie.to_str().unwrap();
        assert!(
            cookie.contains("; HttpOnly; SameSite=Strict; ") && cookie.ends_with("; Secure"),
            "{cookie}"
        );
    }
    let (status, headers, text) = lan.ask("GET", "/authority.crt", &[], "").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(headers["content-type"], "application/x-x509-ca-cert");
    assert!(text.starts_with("-----BEGIN CERTIFICATE-----"));
}

#[tokio::test]
async fn another_host_and_another_origin_are_refused_there_too() {
    let lan = lan().await;
    let port = lan.address.port();
    let loopback = format!("127.0.0.1:{port}");
    for host in ["till.local", "evil.example", &loopback] {
        let (status, _, text) = lan
            .ask("GET", "/api/v1/session", &[("host", host)], "")
            .await;
        assert_eq!(
            (status, error(&text).code.as_str()),
            (StatusCode::FORBIDDEN, "host"),
            "{host}"
        );
    }
    let unencrypted = format!("http://till.local:{port}");
    for origin in [unencrypted.as_str(), "https://evil.example"] {
        let (status, _, text) = lan
            .ask("GET", "/api/v1/session", &[("origin", origin)], "")
            .await;
        assert_eq!(
            (status, error(&text).code.as_str()),
            (StatusCode::FORBIDDEN, "origin"),
            "{origin}"
        );
    }
    lan.enter("other.local").await.unwrap_err();
}

#[tokio::test]
async fn whoever_does_not_encrypt_is_sent_to_https_and_told_nothing() {
    let lan = lan().await;
    let port = lan.address.port();
    for host in [format!("till:{port}"), format!("TILL.local:{port}")] {
        let asked = format!("GET /api/v1/status HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let answer = lan.plain(&asked).await;
        assert!(answer.starts_with("HTTP/1.1 308 "), "{answer}");
        assert!(
            answer.contains(&format!("\r\nLocation: https://{host}/\r\n")),
            "{answer}"
        );
        assert!(
            answer.ends_with("\r\n\r\n") && !answer.contains("service"),
            "{answer}"
        );
    }
    // A name that is not the node's is not repeated: the page it would lead to is somebody else's.
    let answer = lan
        .plain("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n")
        .await;
    assert!(
        answer.contains("Location: https://till") && !answer.contains("evil"),
        "{answer}"
    );
}

#[tokio::test]
async fn who_comes_in_slowly_keeps_nobody_waiting_and_an_end_closes_everything() {
    let mut lan = lan().await;
    let mut slow = Vec::new();
    for number in 0..8 {
        let mut stream = TcpStream::connect(lan.address).await.unwrap();
        if number % 2 == 0 {
            stream.write_all(&[22, 3, 1]).await.unwrap();
        }
        slow.push(stream);
    }
    let asked = lan.ask("GET", "/api/v1/session", &[], "");
    let (status, _, _) = tokio::time::timeout(DEADLINE, asked)
        .await
        .expect("it is answered");
    assert_eq!(status, StatusCode::OK);
    lan.token.cancel();
    let ended = tokio::time::timeout(DEADLINE, lan.tasks.join_next()).await;
    ended.expect("serving ends").unwrap().unwrap();
    assert!(TcpStream::connect(lan.address).await.is_err());
}
