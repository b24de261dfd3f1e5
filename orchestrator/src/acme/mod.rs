//! Owns how the node comes to a certificate for its name in the internet: it asks an authority (ACME, RFC 8555), and proves
//! on the name's own port 443 that the name leads here (RFC 8737).
//!
//! It does not know who listens there, nor where anything is kept.

mod client;

use std::time::Duration;

use instant_acme::Account;
use instant_acme::AccountCredentials;
use instant_acme::AuthorizationStatus;
use instant_acme::ChallengeType;
use instant_acme::Error;
use instant_acme::Identifier;
use instant_acme::NewAccount;
use instant_acme::NewOrder;
use instant_acme::Order;
use instant_acme::OrderStatus;
use instant_acme::Problem;
use instant_acme::RetryPolicy;
use rcgen::CertificateParams;
use rcgen::CustomExtension;
use rcgen::KeyPair;
use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde::Deserialize;
use serde::Serialize;

use crate::clock::UnixMillis;

/// How long an authority may take to look, and to issue.
const PATIENCE: Duration = Duration::from_secs(90);

/// How an authority says that it knows no such account. Source: RFC 8555, 6.7.
const FORGOTTEN: &str = "urn:ietf:params:acme:error:accountDoesNotExist";

/// Why there is no certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AcmeError {
    /// The authority was not reached, or did not answer as it should.
    #[error("{0}")]
    Unreachable(String),
    /// The authority says no; in its own words.
    #[error("{0}")]
    Refused(String),
    /// The authority looked, and did not find that the name leads here; in its own words.
    #[error("{0}")]
    NotProved(String),
    /// The authority does not know the account, or does not any more.
    #[error("it does not know the node's account")]
    Forgotten,
}

/// A certificate for a name, with its key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issued {
    /// The certificate, and those that vouch for it, as PEM.
    pub certificate: String,
    /// Its key, as PEM.
    pub key: String,
    /// From when it holds. Units: milliseconds since the Unix epoch.
    pub starts_at: u64,
    /// Until when. Units: as above.
    pub ends_at: u64,
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issued")
            .field("ends_at", &self.ends_at)
            .finish_non_exhaustive()
    }
}

impl Issued {
    /// From when a fresh one should be had: once two thirds of its time are over.
    #[must_use]
    pub fn renew_from(&self) -> UnixMillis {
        let lasts = self.ends_at.saturating_sub(self.starts_at);
        UnixMillis(self.ends_at.saturating_sub(lasts / 3))
    }

    /// Whether it holds at `now`.
    #[must_use]
    pub fn holds(&self, now: UnixMillis) -> bool {
        now.0 < self.ends_at
    }
}

/// Shows an authority that looks a certificate with its key, both as PEM; nothing any more without.
pub trait Prove: Send + Sync {
    /// Shows it. Errors: in a few words.
    fn prove(&self, certificate: Option<(&str, &str)>) -> Result<(), String>;
}

/// Makes an account at the authority of `directory`, whose terms are agreed to; returns it as text, which holds its key.
/// Errors: [`AcmeError`].
pub async fn join(
    directory: &str,
    contact: Option<&str>,
    roots: RootCertStore,
) -> Result<String, AcmeError> {
    let contact = contact.map(|address| format!("mailto:{address}"));
    let contact: Vec<&str> = contact.iter().map(String::as_str).collect();
    let account = NewAccount {
        contact: &contact,
        terms_of_service_agreed: true,
        only_return_existing: false,
    };
    let builder = Account::builder_with_http(client::build(roots).map_err(unreachable)?);
    let made = builder.create(&account, directory.to_owned(), None).await;
    let (_, credentials) = made.map_err(told)?;
    serde_json::to_string(&credentials).map_err(unreachable)
}

/// Has a certificate issued for `name`, by the account that [`join`] returned. Errors: [`AcmeError`].
pub async fn certify(
    account: &str,
    name: &str,
    roots: RootCertStore,
    prover: &dyn Prove,
) -> Result<Issued, AcmeError> {
    let credentials: AccountCredentials = serde_json::from_str(account).map_err(unreachable)?;
    let builder = Account::builder_with_http(client::build(roots).map_err(unreachable)?);
    let account = builder.from_credentials(credentials).await.map_err(told)?;
    let names = [Identifier::Dns(name.to_owned())];
    let mut order = account
        .new_order(&NewOrder::new(&names))
        .await
        .map_err(told)?;
    let proved = prove(&mut order, name, prover).await;
    // What is shown proves nothing to anybody else; all the same it is not left standing.
    let _ = prover.prove(None);
    proved?;
    let key = order.finalize().await.map_err(told)?;
    let patience = RetryPolicy::new().timeout(PATIENCE);
    let certificate = order.poll_certificate(&patience).await.map_err(told)?;
    let (starts_at, ends_at) = lasts(&certificate)?;
    Ok(Issued {
        certificate,
        key,
        starts_at,
        ends_at,
    })
}

async fn prove(order: &mut Order, name: &str, prover: &dyn Prove) -> Result<(), AcmeError> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization.map_err(told)?;
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let challenge = authorization.challenge(ChallengeType::TlsAlpn01);
        let mut challenge = challenge.ok_or_else(|| {
            let words = "it does not look at port 443 (tls-alpn-01), which is the one way that this node proves";
            AcmeError::Refused(words.to_owned())
        })?;
        let digest = challenge.key_authorization().digest();
        let (certificate, key) = proof(name, digest.as_ref()).map_err(unreachable)?;
        prover
            .prove(Some((&certificate, &key)))
            .map_err(unreachable)?;
        challenge.set_ready().await.map_err(told)?;
    }
    let patience = RetryPolicy::new().timeout(PATIENCE);
    match order.poll_ready(&patience).await {
        Ok(OrderStatus::Ready) => Ok(()),
        Ok(_) => Err(why_not(order).await),
        Err(Error::Api(problem)) => Err(AcmeError::NotProved(words(&problem))),
        Err(error) => Err(told(error)),
    }
}

/// Returns what the authority found where it looked.
async fn why_not(order: &mut Order) -> AcmeError {
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        if let Ok(state) = authorization.refresh().await {
            let problems = state.challenges.iter();
            let mut problem = problems.filter_map(|challenge| challenge.error.as_ref());
            if let Some(problem) = problem.next_back() {
                return AcmeError::NotProved(words(problem));
            }
        }
    }
    AcmeError::NotProved("it gives no reason".to_owned())
}

/// Makes the certificate that proves who has the name. Source: RFC 8737, 3.
fn proof(name: &str, digest: &[u8]) -> Result<(String, String), rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new([name.to_owned()])?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    Ok((params.self_signed(&key)?.pem(), key.serialize_pem()))
}

/// Reads from when to when the first of some certificates holds.
fn lasts(chain: &str) -> Result<(u64, u64), AcmeError> {
    let read = || {
        let der = CertificateDer::from_pem_slice(chain.as_bytes()).ok()?;
        let (_, certificate) = x509_parser::parse_x509_certificate(&der).ok()?;
        let held = certificate.validity();
        let millis = |at: i64| u64::try_from(at).ok()?.checked_mul(1000);
        Some((
            millis(held.not_before.timestamp())?,
            millis(held.not_after.timestamp())?,
        ))
    };
    read().ok_or_else(|| AcmeError::Unreachable("what it issued is no certificate".to_owned()))
}

fn unreachable(error: impl ToString) -> AcmeError {
    AcmeError::Unreachable(error.to_string())
}

fn told(error: Error) -> AcmeError {
    match error {
        Error::Api(problem) if problem.r#type.as_deref() == Some(FORGOTTEN) => AcmeError::Forgotten,
        Error::Api(problem) => AcmeError::Refused(words(&problem)),
        Error::Timeout(_) => AcmeError::Unreachable("it took too long".to_owned()),
        Error::Json(_) => AcmeError::Unreachable("what answers there is no ACME server".to_owned()),
        other => AcmeError::Unreachable(other.to_string()),
    }
}

/// Returns an authority's own words, on one line and of a bearable length.
fn words(problem: &Problem) -> String {
    let text = problem.detail.clone().or_else(|| problem.r#type.clone());
    let text = text.unwrap_or_else(|| "it gives no reason".to_owned());
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    plain.take(300).collect()
}

#[cfg(test)]
mod tests;
