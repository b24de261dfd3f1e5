//! Owns which certificate a listener shows, and that another one can take its place while it listens.
//!
//! It does not know who issued them (`lan`, `acme`).

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use rustls::Error;
use rustls::server::ClientHello;
use rustls::server::ResolvesServerCert;
use rustls::sign::CertifiedKey;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;

/// What an authority speaks that looks whether a name is ours. Source: RFC 8737, 3.
pub(super) const ACME: &[u8] = b"acme-tls/1";

/// A certificate with its key, both as PEM.
pub struct Certificate<'a> {
    /// The certificate, and those that vouch for it.
    pub certificate: &'a str,
    /// Its key.
    pub key: &'a str,
}

type Read = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

impl Certificate<'_> {
    pub(super) fn read(&self) -> Result<Read, Error> {
        let damaged = |error: rustls_pki_types::pem::Error| Error::General(error.to_string());
        let chain = CertificateDer::pem_slice_iter(self.certificate.as_bytes());
        let chain: Result<Vec<_>, _> = chain.collect();
        let chain = chain.map_err(damaged)?;
        if chain.is_empty() {
            return Err(Error::NoCertificatesPresented);
        }
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).map_err(damaged)?;
        Ok((chain, key))
    }

    fn certified(&self) -> Result<Arc<CertifiedKey>, Error> {
        let (chain, key) = self.read()?;
        let key = rustls::crypto::ring::sign::any_supported_type(&key)?;
        Ok(Arc::new(CertifiedKey::new(chain, key)))
    }
}

/// What the listener of one name shows: its certificate, and what an authority looks for.
#[derive(Debug)]
pub struct Certificates {
    name: String,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    shown: Option<Arc<CertifiedKey>>,
    proof: Option<Arc<CertifiedKey>>,
}

impl Certificates {
    /// Builds what shows nothing yet, for `name`.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            held: Mutex::default(),
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows this one from now on. Errors: it is damaged, or the key is another's; nothing changes then.
    pub fn show(&self, certificate: &Certificate<'_>) -> Result<(), Error> {
        let certified = certificate.certified()?;
        certified.keys_match()?;
        self.held().shown = Some(certified);
        Ok(())
    }

    /// Shows nothing any more.
    pub fn withdraw(&self) {
        self.held().shown = None;
    }

    /// Shows this one to an authority that looks; nothing ends that. Source: RFC 8737, 3. Errors: it is damaged.
    pub fn prove(&self, certificate: Option<&Certificate<'_>>) -> Result<(), Error> {
        let proof = certificate.map(Certificate::certified).transpose()?;
        self.held().proof = proof;
        Ok(())
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // Whoever tries addresses one by one does not learn whose this is.
        let asked = hello.server_name()?;
        if !asked.eq_ignore_ascii_case(&self.name) {
            return None;
        }
        let held = self.held();
        let proves = hello
            .alpn()
            .is_some_and(|mut spoken| spoken.all(|protocol| protocol == ACME));
        if proves {
            held.proof.clone()
        } else {
            held.shown.clone()
        }
    }
}
