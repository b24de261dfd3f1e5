use std::time::Duration;

use rustls_pki_types::pem::PemObject as _;

use super::AcmeError;
use super::Issued;
use super::join;
use super::lasts;
use super::proof;
use super::words;
use crate::clock::UnixMillis;

const DAY: u64 = 24 * 60 * 60 * 1000;

fn issued(days: u64) -> Issued {
    Issued {
        certificate: String::new(),
        key: "SECRET".to_owned(),
        starts_at: DAY,
        ends_at: DAY + days * DAY,
    }
}

#[test]
fn a_certificate_is_renewed_when_a_third_of_its_time_is_left() {
    let quarter = issued(90);
    assert_eq!(quarter.renew_from(), UnixMillis(61 * DAY));
    assert_eq!(issued(6).renew_from(), UnixMillis(5 * DAY));
    assert!(quarter.holds(UnixMillis(91 * DAY - 1)));
    assert!(!quarter.holds(UnixMillis(91 * DAY)));
    assert!(!format!("{quarter:?}").contains("SECRET"));
}

#[test]
fn what_proves_a_name_holds_the_authoritys_digest_and_says_how_long() {
    let digest = [7; 32];
    let (certificate, key) = proof("shop.example", &digest).unwrap();
    assert!(key.contains("PRIVATE KEY"));
    let der = rustls_pki_types::CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
    let (_, read) = x509_parser::parse_x509_certificate(&der).unwrap();
    // id-pe-acmeIdentifier, which whoever looks must find critical. Source: RFC 8737, 3.
    let extension = read
        .extensions()
        .iter()
        .find(|one| one.oid.to_id_string() == "1.3.6.1.5.5.7.1.31")
        .unwrap();
    assert!(extension.critical);
    assert_eq!(extension.value, [&[4, 32], &digest[..]].concat());
    let names: Vec<_> = read
        .subject_alternative_name()
        .unwrap()
        .unwrap()
        .value
        .general_names
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(names, ["DNSName(shop.example)"]);
    let (starts, ends) = lasts(&certificate).unwrap();
    assert!(starts < ends);
    assert!(lasts("nothing").is_err());
}

#[test]
fn an_authoritys_words_are_told_on_one_line() {
    let problem = |json: &str| serde_json::from_str(json).unwrap();
    let told = words(&problem(
        r#"{"type":"x:y","detail":"no\naddress\u001b[0m found"}"#,
    ));
    assert_eq!(told, "no address [0m found");
    assert_eq!(words(&problem(r#"{"type":"x:y"}"#)), "x:y");
    let long = format!(r#"{{"detail":"{}"}}"#, "é".repeat(1000));
    assert_eq!(words(&problem(&long)).chars().count(), 300);
}

#[tokio::test]
async fn an_authority_that_nobody_vouches_for_or_that_is_not_there_is_not_reached() {
    // Nobody listens at the port of a listener that is gone.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = free.local_addr().unwrap();
    drop(free);
    let directory = format!("https://{gone}/dir");
    let asked = join(&directory, None, rustls::RootCertStore::empty());
    let asked = tokio::time::timeout(Duration::from_secs(20), asked).await;
    let AcmeError::Unreachable(why) = asked.unwrap().unwrap_err() else {
        panic!("nobody was there to refuse anything");
    };
    assert!(why.contains("refused"), "{why}");
    let nobody = rustls::RootCertStore::empty();
    let plain = join("http://127.0.0.1:1/dir", None, nobody).await;
    assert!(plain.unwrap_err().to_string().contains("not by HTTPS"));
}
