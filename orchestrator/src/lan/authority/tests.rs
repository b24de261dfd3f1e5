use std::collections::BTreeSet;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::ServerName;
use rustls_pki_types::UnixTime;
use rustls_pki_types::pem::PemObject as _;

use super::Authority;
use super::Leaf;
use super::fingerprint;
use crate::clock::UnixMillis;
use crate::lan::machine::Found;

const NOW: UnixMillis = UnixMillis(1_800_000_000_000);
const DAY: u64 = 24 * 3_600_000;

fn found() -> Found {
    Found {
        names: crate::lan::machine::names("till-1"),
        addresses: BTreeSet::from(["192.168.1.7".parse().unwrap()]),
    }
}

fn der(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}

/// What a phone says that trusts `authority`, of `leaf` at `name`, so many days later.
fn trusts(authority: &str, leaf: &Leaf, name: &str, days: u64) -> Result<(), rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(der(authority)).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .unwrap();
    let at = std::time::Duration::from_millis(NOW.0 + days * DAY);
    let name = ServerName::try_from(name.to_owned()).unwrap();
    verifier
        .verify_server_cert(
            &der(&leaf.certificate),
            &[],
            &name,
            &[],
            UnixTime::since_unix_epoch(at),
        )
        .map(|_| ())
}

#[test]
fn a_phone_that_trusts_the_authority_trusts_the_machine_and_nobody_else() {
    let authority = Authority::make("abc123", "till-1", NOW).unwrap();
    let leaf = authority.issue("abc123", &found(), NOW).unwrap();
    for name in ["till-1", "till-1.local", "192.168.1.7"] {
        trusts(&authority.certificate, &leaf, name, 0).unwrap();
        trusts(&authority.certificate, &leaf, name, 396).unwrap();
        trusts(&authority.certificate, &leaf, name, 398).unwrap_err();
    }
    trusts(&authority.certificate, &leaf, "192.168.1.8", 0).unwrap_err();
    trusts(&authority.certificate, &leaf, "till-2.local", 0).unwrap_err();
    let other = Authority::make("abc123", "till-1", NOW).unwrap();
    trusts(&other.certificate, &leaf, "till-1", 0).unwrap_err();
    assert_ne!(
        fingerprint(&other.certificate),
        fingerprint(&authority.certificate)
    );
    assert_eq!(
        fingerprint(&authority.certificate).unwrap().len(),
        32 * 3 - 1
    );
}

#[test]
fn a_stolen_authority_cannot_pass_for_anybody_in_the_world() {
    let authority = Authority::make("abc123", "till-1", NOW).unwrap();
    for (names, addresses) in [
        (vec!["bank.example"], vec![]),
        (vec![], vec!["203.0.113.9"]),
    ] {
        let forged = Found {
            names: names.iter().map(ToString::to_string).collect(),
            addresses: addresses
                .iter()
                .map(|one: &&str| one.parse().unwrap())
                .collect(),
        };
        // With its key anybody can sign anything.
        let thief = Authority {
            name: names.first().map_or_else(String::new, ToString::to_string),
            ..authority.clone()
        };
        let leaf = thief.issue("abc123", &forged, NOW).unwrap();
        for name in names.iter().chain(&addresses) {
            let error = trusts(&authority.certificate, &leaf, name, 0).unwrap_err();
            assert!(
                error.to_string().contains("NameConstraintViolation"),
                "{name}: {error}"
            );
        }
    }
}

#[test]
fn a_certificate_is_renewed_in_time_and_where_the_machine_is_found_otherwise() {
    let authority = Authority::make("abc123", "till-1", NOW).unwrap();
    let leaf = authority.issue("abc123", &found(), NOW).unwrap();
    let later = |days: u64| UnixMillis(NOW.0 + days * DAY);
    assert!(leaf.fits(&found(), NOW) && leaf.fits(&found(), later(336)));
    assert!(!leaf.fits(&found(), later(338)));
    let mut moved = found();
    moved.addresses.insert("192.168.1.9".parse().unwrap());
    assert!(!leaf.fits(&moved, NOW));
    // Without a network for a moment nothing is issued anew.
    moved.addresses.clear();
    assert!(leaf.fits(&moved, NOW));
    moved.names = crate::lan::machine::names("till-2");
    assert!(!leaf.fits(&moved, NOW));
    // The same authority goes on after a renewal: nobody has to trust another one.
    let renewed = authority.issue("abc123", &moved, later(338)).unwrap();
    trusts(&authority.certificate, &renewed, "till-2.local", 338).unwrap();
    assert_eq!(renewed.names, BTreeSet::from(["till-2.local".to_owned()]));
    assert!(
        renewed.fits(&moved, later(338)),
        "and is not issued again and again"
    );
}

#[test]
fn neither_shows_its_key() {
    let authority = Authority::make("abc123", "till-1", NOW).unwrap();
    let leaf = authority.issue("abc123", &found(), NOW).unwrap();
    let shown = format!("{authority:?} {leaf:?}");
    assert!(
        !shown.contains("PRIVATE") && !shown.contains("BEGIN"),
        "{shown}"
    );
}
