//! Owns how an authority is asked: by HTTPS, with a bound on time and on what it answers.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::Either;
use http_body_util::BodyExt as _;
use http_body_util::Limited;
use hyper::Request;
use hyper::Uri;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header;
use hyper_util::rt::TokioIo;
use instant_acme::BodyWrapper;
use instant_acme::BytesResponse;
use instant_acme::Error;
use instant_acme::HttpClient;
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// How long one answer may take.
const TIME: Duration = Duration::from_secs(30);
/// The longest answer that is read. Units: bytes.
const MOST: usize = 256 * 1024;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Asks authorities that `roots` vouch for, each time over a connection of its own: there are a dozen requests in a month.
struct Client(TlsConnector);

/// Builds one. Errors: the machine's own cryptography does not work.
pub(super) fn build(roots: RootCertStore) -> Result<Box<dyn HttpClient>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Box::new(Client(TlsConnector::from(Arc::new(config)))))
}

impl HttpClient for Client {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let connector = self.0.clone();
        Box::pin(async move {
            let asked = tokio::time::timeout(TIME, ask(connector, request)).await;
            let late = || -> Failure { format!("no answer within {} s", TIME.as_secs()).into() };
            asked.unwrap_or_else(|_| Err(late())).map_err(Error::Other)
        })
    }
}

async fn ask(
    connector: TlsConnector,
    mut request: Request<BodyWrapper<Bytes>>,
) -> Result<BytesResponse, Failure> {
    let uri = request.uri().clone();
    let authority = uri
        .authority()
        .filter(|_| uri.scheme_str() == Some("https"));
    let authority = authority.ok_or("it names an address that is not by HTTPS")?;
    let host = authority.host().trim_matches(['[', ']']).to_owned();
    let port = authority.port_u16().unwrap_or(443);
    let stream = TcpStream::connect((host.as_str(), port)).await?;
    let name = ServerName::try_from(host).map_err(io::Error::other)?;
    let stream = connector.connect(name, stream).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let named = authority.as_str().parse()?;
    request.headers_mut().insert(header::HOST, named);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = path.parse::<Uri>()?;
    let answering = async {
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = Limited::new(body, MOST).collect().await?.to_bytes();
        Ok::<_, Failure>(BytesResponse {
            parts: head,
            body: Box::new(body),
        })
    };
    // The connection moves the bytes; it may end first, once the whole answer is there.
    let (answering, connection) = (std::pin::pin!(answering), std::pin::pin!(connection));
    match futures::future::select(answering, connection).await {
        Either::Left((answer, _)) => answer,
        Either::Right((_, answering)) => answering.await,
    }
}
