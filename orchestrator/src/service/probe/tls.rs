//! Owns TLS to a service whose certificate is known beforehand: exactly that certificate is accepted, and no other.
//!
//! No authority, name or date is consulted. LND's self-signed certificate says `CA:TRUE`, which chain building refuses
//! for a server; comparing the bytes and checking the handshake's signature proves all that a pin can prove.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::DigitallySignedStruct;
use rustls::SignatureScheme;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::client::danger::ServerCertVerified;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::ServerName;
use rustls_pki_types::UnixTime;
use rustls_pki_types::pem::PemObject;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::ProbeError;
use super::connection::Connection;

/// A certificate that a service must show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinnedCertificate(CertificateDer<'static>);

/// A file does not hold a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the file does not hold a certificate in PEM or DER")]
pub struct BadCertificate;

impl PinnedCertificate {
    /// Returns the certificate itself.
    #[cfg(test)]
    pub(super) fn der(&self) -> &CertificateDer<'static> {
        &self.0
    }

    /// Reads the first certificate of a PEM text, or a DER file. Errors: [`BadCertificate`].
    pub fn read(bytes: &[u8]) -> Result<Self, BadCertificate> {
        let der = if bytes.first() == Some(&0x30) {
            CertificateDer::from(bytes.to_vec())
        } else {
            CertificateDer::from_pem_slice(bytes).map_err(|_| BadCertificate)?
        };
        Ok(Self(der))
    }
}

#[derive(Debug)]
struct ExactCertificate {
    expected: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for ExactCertificate {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if *end_entity == self.expected {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(rustls::CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(
            message,
            cert,
            dss,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            cert,
            dss,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

pub(super) async fn connect(
    address: SocketAddr,
    connection: Connection,
    pinned: &PinnedCertificate,
) -> Result<TlsStream<Connection>, ProbeError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|_| ProbeError::Tls)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(ExactCertificate {
            expected: pinned.0.clone(),
            provider,
        }))
        .with_no_client_auth();
    // LND chooses between gRPC and REST by port, and refuses nothing but a protocol that it does not know.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    TlsConnector::from(Arc::new(config))
        .connect(ServerName::from(address.ip()), connection)
        .await
        .map_err(|error| tls_error(&error))
}

fn tls_error(error: &std::io::Error) -> ProbeError {
    let cause = error
        .get_ref()
        .and_then(|cause| cause.downcast_ref::<rustls::Error>());
    match cause {
        Some(rustls::Error::InvalidCertificate(_)) => ProbeError::CertificateRefused,
        Some(_) => ProbeError::Tls,
        None => super::connection::io_error(error),
    }
}
