//! Owns the listener that speaks HTTPS to the node's own network; whoever speaks plain HTTP to it is sent to HTTPS.
//!
//! It does not know who issued the certificate (`lan`), nor a single path (`router`).

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::guard::Names;
use super::server::Accept;

/// The first byte of TLS: a handshake record. Source: RFC 8446, 5.1.
const HANDSHAKE: u8 = 22;
/// How much of a plain request is read to find the name that was asked for.
const PLAIN_HEAD: usize = 4096;
/// How long a plain request may take.
const PLAIN_TIME: Duration = Duration::from_secs(5);

/// A certificate with its key, both as PEM.
pub struct Certificate<'a> {
    /// The certificate.
    pub certificate: &'a str,
    /// Its key.
    pub key: &'a str,
}

/// A listener for HTTPS at one address.
pub struct Https {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    names: Arc<Names>,
}

impl Https {
    /// Listens at `address` with `certificate`, for requests that name one of `hosts`.
    /// Errors: the address cannot be had, or the certificate is damaged.
    pub async fn bind(
        address: SocketAddr,
        certificate: &Certificate<'_>,
        hosts: impl IntoIterator<Item = String>,
    ) -> io::Result<Self> {
        let config = config(certificate).map_err(io::Error::other)?;
        let listener = TcpListener::bind(address).await?;
        let port = listener.local_addr()?.port();
        Ok(Self {
            listener,
            acceptor: TlsAcceptor::from(Arc::new(config)),
            names: Arc::new(Names::https(hosts, port)),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    pub(super) fn port(&self) -> u16 {
        self.address().map_or(0, |address| address.port())
    }

    pub(super) fn names(&self) -> Arc<Names> {
        Arc::clone(&self.names)
    }
}

fn config(certificate: &Certificate<'_>) -> Result<ServerConfig, rustls::Error> {
    let damaged = |error: rustls_pki_types::pem::Error| rustls::Error::General(error.to_string());
    let chain = CertificateDer::from_pem_slice(certificate.certificate.as_bytes());
    let key = PrivateKeyDer::from_pem_slice(certificate.key.as_bytes());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![chain.map_err(damaged)?], key.map_err(damaged)?)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

impl Accept for Https {
    type Raw = TcpStream;
    type Stream = TlsStream<TcpStream>;

    async fn next(&self) -> io::Result<Option<(TcpStream, Option<SocketAddr>)>> {
        self.listener.next().await
    }

    fn enter(
        &self,
        raw: TcpStream,
    ) -> impl Future<Output = io::Result<Option<TlsStream<TcpStream>>>> + Send + 'static {
        let (acceptor, names) = (self.acceptor.clone(), Arc::clone(&self.names));
        async move {
            let mut first = [0];
            if raw.peek(&mut first).await? == 1 && first[0] != HANDSHAKE {
                redirect(raw, &names).await?;
                return Ok(None);
            }
            acceptor.accept(raw).await.map(Some)
        }
    }
}

/// Sends whoever speaks plain HTTP to the same name by HTTPS; nothing that was asked is looked at or answered.
async fn redirect(mut stream: TcpStream, names: &Names) -> io::Result<()> {
    let mut head = Vec::new();
    let read = async {
        let mut bytes = [0; 1024];
        while head.len() < PLAIN_HEAD && !head.windows(4).any(|four| four == b"\r\n\r\n") {
            let count = stream.read(&mut bytes).await?;
            if count == 0 {
                break;
            }
            head.extend_from_slice(&bytes[..count]);
        }
        Ok::<(), io::Error>(())
    };
    tokio::time::timeout(PLAIN_TIME, read)
        .await
        .map_err(io::Error::from)??;
    let text = String::from_utf8_lossy(&head);
    let host = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let value = value.trim();
        (name.eq_ignore_ascii_case("host") && names.holds(value)).then_some(value)
    });
    let Some(host) = host.or_else(|| names.first()) else {
        return Ok(());
    };
    let answer = format!(
        "HTTP/1.1 308 Permanent Redirect\r\nLocation: https://{host}/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}
