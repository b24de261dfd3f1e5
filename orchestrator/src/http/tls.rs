//! Owns the listeners that speak HTTPS to the node's own network, and by a name in the internet; whoever speaks plain HTTP
//! to them is sent to HTTPS.
//!
//! It does not know who issued the certificate (`lan`, `acme`), nor a single path (`router`).

use std::future::Future;
use std::io;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ConfigBuilder;
use rustls::ServerConfig;
use rustls::server::WantsServerCert;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::certificates::ACME;
use super::certificates::Certificate;
use super::certificates::Certificates;
use super::guard::Names;
use super::server::Accept;

/// The first byte of TLS: a handshake record. Source: RFC 8446, 5.1.
const HANDSHAKE: u8 = 22;
/// What is spoken. Source: RFC 7301, 6.
const HTTP: &[u8] = b"http/1.1";
/// How much of a plain request is read to find the name that was asked for.
const PLAIN_HEAD: usize = 4096;
/// How long a plain request may take.
const PLAIN_TIME: Duration = Duration::from_secs(5);

/// A listener for HTTPS at one address.
pub struct Https {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    names: Arc<Names>,
    /// Whether it is for one name in the internet.
    named: bool,
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
            named: false,
        })
    }

    /// Listens at all addresses for whoever asks for `name`, with what `certificates` hold at the time. Visitors come to
    /// port 443 of the name, whichever `port` of this machine that is passed on to.
    /// Errors: the port cannot be had.
    pub async fn bind_named(
        port: u16,
        name: &str,
        certificates: Arc<Certificates>,
    ) -> io::Result<Self> {
        let builder = builder().map_err(io::Error::other)?;
        let mut config = builder.with_cert_resolver(certificates);
        config.alpn_protocols = vec![HTTP.to_vec(), ACME.to_vec()];
        let everywhere = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
        let listener = match TcpListener::bind(everywhere).await {
            Ok(listener) => listener,
            // A machine may have no IPv6 at all.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
            Err(_) => TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await?,
        };
        Ok(Self {
            listener,
            acceptor: TlsAcceptor::from(Arc::new(config)),
            names: Arc::new(Names::https([name.to_owned()], 443)),
            named: true,
        })
    }

    pub(super) fn named(&self) -> bool {
        self.named
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
    let (chain, key) = certificate.read()?;
    let mut config = builder()?.with_single_cert(chain, key)?;
    config.alpn_protocols = vec![HTTP.to_vec()];
    Ok(config)
}

fn builder() -> Result<ConfigBuilder<ServerConfig, WantsServerCert>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider);
    Ok(builder
        .with_safe_default_protocol_versions()?
        .with_no_client_auth())
}

impl Accept for Https {
    type Raw = TcpStream;
    type Stream = TlsStream<TcpStream>;

    async fn next(&self) -> io::Result<Option<(TcpStream, Option<SocketAddr>)>> {
        let next = self.listener.next().await?;
        // An IPv4 address is one, whichever listener it comes to.
        let plain = |peer: SocketAddr| SocketAddr::new(peer.ip().to_canonical(), peer.port());
        Ok(next.map(|(stream, peer)| (stream, peer.map(plain))))
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
            let stream = acceptor.accept(raw).await?;
            // Whoever asks whether the name is ours has its answer with the handshake.
            let asked = stream.get_ref().1.alpn_protocol() == Some(ACME);
            Ok((!asked).then_some(stream))
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
