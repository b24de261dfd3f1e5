//! Owns the node's certificate authority and the certificates that it issues.
//!
//! The authority may vouch for private addresses, `.local` and the machine's own name alone (RFC 5280, 4.2.1.10): whoever
//! stole its key could not pass for a bank to a phone that trusts it. It does not know where keys are kept.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::net::Ipv4Addr;

use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::CidrSubnet;
use rcgen::DistinguishedName;
use rcgen::DnType;
use rcgen::ExtendedKeyUsagePurpose;
use rcgen::GeneralSubtree;
use rcgen::IsCa;
use rcgen::Issuer;
use rcgen::KeyPair;
use rcgen::KeyUsagePurpose;
use rcgen::NameConstraints;
use rcgen::SanType;
use serde::Deserialize;
use serde::Serialize;
use sha2::Digest as _;
use sha2::Sha256;
use time::Duration;
use time::OffsetDateTime;

use super::machine::Found;
use crate::clock::UnixMillis;

/// How long an authority lasts.
const AUTHORITY_DAYS: i64 = 3650;
/// How long a certificate lasts. Source: the longest that browsers of Apple take is 398 days.
const LEAF_DAYS: i64 = 397;
/// So long before its end a certificate is renewed.
const RENEW_DAYS: i64 = 60;
/// Clocks of phones may go after.
const BACKDATED: Duration = Duration::days(1);

/// A key and the certificate that says whose it is. Both as PEM.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authority {
    /// The private key: it belongs into the vault.
    pub key: String,
    /// What phones are told to trust.
    pub certificate: String,
    /// The machine's name at the time, for which it may vouch.
    pub name: String,
}

/// The certificate of this machine, and its key, as they are kept outside of the vault.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaf {
    /// As PEM.
    pub key: String,
    /// As PEM.
    pub certificate: String,
    /// For which names it holds.
    pub names: BTreeSet<String>,
    /// How the machine was called then, which may be more than the authority can vouch for.
    pub called: BTreeSet<String>,
    /// For which addresses it holds.
    pub addresses: BTreeSet<Ipv4Addr>,
    /// Units: milliseconds since the Unix epoch.
    pub ends_at: u64,
    /// The authority's certificate, as PEM.
    pub authority: String,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Leaf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Leaf")
            .field("names", &self.names)
            .field("addresses", &self.addresses)
            .finish_non_exhaustive()
    }
}

impl Authority {
    /// Makes one for a machine called `name`, with the node's id in its own name. Errors: the system gives no randomness.
    pub fn make(node: &str, name: &str, now: UnixMillis) -> Result<Self, rcgen::Error> {
        let key = KeyPair::generate()?;
        let certificate = params_of_authority(node, name, now)?.self_signed(&key)?;
        Ok(Self {
            key: key.serialize_pem(),
            certificate: certificate.pem(),
            name: name.to_owned(),
        })
    }

    /// Issues a certificate for what was found. Errors: the key is damaged.
    pub fn issue(&self, node: &str, found: &Found, now: UnixMillis) -> Result<Leaf, rcgen::Error> {
        let own = KeyPair::from_pem(&self.key)?;
        // Only its name and the kind of its key's name are read of it.
        let issuer = Issuer::new(params_of_authority(node, &self.name, now)?, own);
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        let title = found.names.last().cloned();
        params.distinguished_name = named(&title.unwrap_or_else(|| "Flash Node".to_owned()));
        params.not_before = moment(now) - BACKDATED;
        params.not_after = moment(now) + Duration::days(LEAF_DAYS);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        // A machine that was given another name since is found by `.local` alone.
        let vouched = |name: &&String| **name == self.name || name.ends_with(".local");
        let names: BTreeSet<String> = found.names.iter().filter(vouched).cloned().collect();
        for name in &names {
            params
                .subject_alt_names
                .push(SanType::DnsName(name.as_str().try_into()?));
        }
        for address in &found.addresses {
            params
                .subject_alt_names
                .push(SanType::IpAddress(IpAddr::V4(*address)));
        }
        let ends = now.0 + u64::try_from(LEAF_DAYS).unwrap_or_default() * 24 * 3_600_000;
        Ok(Leaf {
            certificate: params.signed_by(&key, &issuer)?.pem(),
            key: key.serialize_pem(),
            called: found.names.clone(),
            names,
            addresses: found.addresses.clone(),
            ends_at: ends,
            authority: self.certificate.clone(),
        })
    }
}

impl Leaf {
    /// Whether it holds for all that was found, and for long enough.
    #[must_use]
    pub fn fits(&self, found: &Found, now: UnixMillis) -> bool {
        let renew = u64::try_from(RENEW_DAYS).unwrap_or_default() * 24 * 3_600_000;
        self.called == found.names
            && self.addresses.is_superset(&found.addresses)
            && now.0.saturating_add(renew) < self.ends_at
    }
}

/// Returns by what people compare a certificate: SHA-256 of its DER, as pairs of digits. Errors: it is no PEM.
pub fn fingerprint(certificate: &str) -> Option<String> {
    use rustls_pki_types::pem::PemObject as _;
    let der = rustls_pki_types::CertificateDer::from_pem_slice(certificate.as_bytes()).ok()?;
    let pairs: Vec<String> = Sha256::digest(&der)
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    Some(pairs.join(":"))
}

fn params_of_authority(
    node: &str,
    name: &str,
    now: UnixMillis,
) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(&format!("Flash Node {node}"));
    params.not_before = moment(now) - BACKDATED;
    params.not_after = moment(now) + Duration::days(AUTHORITY_DAYS);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let private = [
        ([10, 0, 0, 0], 8),
        ([172, 16, 0, 0], 12),
        ([192, 168, 0, 0], 16),
        ([169, 254, 0, 0], 16),
    ];
    let mut permitted: Vec<GeneralSubtree> = private
        .into_iter()
        .map(|(net, bits)| GeneralSubtree::IpAddress(CidrSubnet::from_v4_prefix(net, bits)))
        .collect();
    permitted.push(GeneralSubtree::DnsName("local".to_owned()));
    if !name.is_empty() {
        permitted.push(GeneralSubtree::DnsName(name.to_owned()));
    }
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: permitted,
        excluded_subtrees: Vec::new(),
    });
    Ok(params)
}

fn named(name: &str) -> DistinguishedName {
    let mut named = DistinguishedName::new();
    named.push(DnType::CommonName, name);
    named
}

fn moment(at: UnixMillis) -> OffsetDateTime {
    let seconds = i64::try_from(at.0 / 1000).unwrap_or_default();
    OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests;
