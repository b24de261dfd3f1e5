//! Owns the HTTP probe: one request on a connection of its own, over TLS where a certificate is pinned.

use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::BodyExt;
use http_body_util::Full;
use hyper::Method;
use hyper::body::Bytes;
use hyper::body::Incoming;
use hyper::header::AUTHORIZATION;
use hyper::header::CONNECTION;
use hyper::header::HOST;
use hyper::header::HeaderName;
use hyper::header::HeaderValue;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use zeroize::Zeroizing;

use super::Answer;
use super::Credential;
use super::MAX_TEXT;
use super::PinnedCertificate;
use super::ProbeError;
use super::connection;
use super::tls;
use crate::secret::SecretBytes;

/// One request, before it meets hyper.
pub(super) struct Request<'a> {
    pub(super) post: bool,
    pub(super) path: &'a SecretBytes,
    pub(super) headers: &'a [(String, SecretBytes)],
    pub(super) body: Option<&'a SecretBytes>,
    pub(super) credential: Option<&'a Credential>,
}

pub(super) async fn ask(
    address: SocketAddr,
    request: &Request<'_>,
    pinned: Option<&PinnedCertificate>,
) -> Result<Answer, ProbeError> {
    let request = build(address, request)?;
    let connection = connection::connect(address).await?;
    match pinned {
        Some(pinned) => {
            let connection = tls::connect(address, connection, pinned).await?;
            exchange(connection, request).await
        }
        None => exchange(connection, request).await,
    }
}

fn build(
    address: SocketAddr,
    request: &Request<'_>,
) -> Result<hyper::Request<Full<Bytes>>, ProbeError> {
    let path = request
        .path
        .expose_text()
        .filter(|path| path.starts_with('/'))
        .ok_or(ProbeError::Question)?;
    let method = if request.post {
        Method::POST
    } else {
        Method::GET
    };
    let body = request.body.map(SecretBytes::expose).unwrap_or_default();
    let mut built = hyper::Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, address.to_string())
        .header(CONNECTION, "close")
        .body(Full::new(Bytes::copy_from_slice(body)))
        .map_err(|_| ProbeError::Question)?;
    if let Some(credential) = request.credential {
        built
            .headers_mut()
            .insert(AUTHORIZATION, basic(credential)?);
    }
    for (name, value) in request.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| ProbeError::Question)?;
        built.headers_mut().insert(name, sensitive(value.expose())?);
    }
    Ok(built)
}

fn basic(credential: &Credential) -> Result<HeaderValue, ProbeError> {
    let mut pair = Zeroizing::new(credential.user.clone().into_bytes());
    pair.push(b':');
    pair.extend_from_slice(credential.password.expose());
    let value = Zeroizing::new(format!("Basic {}", STANDARD.encode(&*pair)));
    sensitive(value.as_bytes())
}

fn sensitive(value: &[u8]) -> Result<HeaderValue, ProbeError> {
    let mut value = HeaderValue::from_bytes(value).map_err(|_| ProbeError::Question)?;
    value.set_sensitive(true);
    Ok(value)
}

async fn exchange<S>(stream: S, request: hyper::Request<Full<Bytes>>) -> Result<Answer, ProbeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut sender, driver) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| http_error(&error))?;
    let answer = async move {
        let response = sender
            .send_request(request)
            .await
            .map_err(|error| http_error(&error))?;
        read(response).await
    };
    connection::driven(answer, driver).await
}

async fn read(response: hyper::Response<Incoming>) -> Result<Answer, ProbeError> {
    let status = Some(response.status().as_u16());
    let mut body = response.into_body();
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| http_error(&error))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        bytes.extend_from_slice(&data);
        if bytes.len() > MAX_TEXT {
            bytes.truncate(MAX_TEXT);
            return Ok(Answer::cut(status, &bytes, ProbeError::TooLong));
        }
    }
    Ok(Answer::whole(status, &bytes))
}

fn http_error(error: &hyper::Error) -> ProbeError {
    let cause =
        std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<std::io::Error>());
    if let Some(cause) = cause {
        connection::io_error(cause)
    } else if error.is_closed() || error.is_incomplete_message() || error.is_canceled() {
        ProbeError::Closed
    } else if error.is_timeout() {
        ProbeError::Timeout
    } else {
        ProbeError::Malformed
    }
}
