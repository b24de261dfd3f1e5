use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use blake2::Blake2b512;
use blake2::Digest as _;
use ring::signature::Ed25519KeyPair;
use ring::signature::KeyPair as _;

use super::*;

const TEXT: &str = "serial = 7\nissued = \"2026-12-01\"\n[[advisory]]\nid = \"T-1\"\nservice = \"lnd\"\n\
    versions = [{ below = \"0.20.1\" }, { from = \"0.21.0\", below = \"0.21.4\" }]\nseverity = \"high\"\ntext = \"It leaks.\"\naction = \"Update.\"\n";

/// Signs as minisign does. Source: jedisct1/minisign, "Signature format".
fn sign(seed: u8, text: &str) -> (String, Signed) {
    let key = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
    let line = |parts: &[&[u8]]| STANDARD.encode(parts.concat());
    let id = [seed; 8];
    let hashed = Blake2b512::digest(text.as_bytes());
    let signature = key.sign(&hashed);
    let comment = "timestamp:0";
    let over_all = key.sign(&[signature.as_ref(), comment.as_bytes()].concat());
    let public = line(&[b"Ed", &id, key.public_key().as_ref()]);
    let signature = format!(
        "untrusted comment: a test\n{}\ntrusted comment: {comment}\n{}\n",
        line(&[b"ED", &id, signature.as_ref()]),
        line(&[over_all.as_ref()]),
    );
    let signed = Signed {
        text: text.to_owned(),
        signature,
    };
    (format!("untrusted comment: a key\n{public}"), signed)
}

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

#[test]
fn what_ships_is_signed_and_knows_this_nodes_services() {
    let feed = Signed::shipped().read().unwrap();
    let catalog = crate::manifest::Catalog::load(None).unwrap();
    assert!(!feed.advisories.is_empty());
    for one in &feed.advisories {
        let manifest = catalog.get(&one.service);
        let manifest = manifest.unwrap_or_else(|| panic!("{} is about nothing", one.id));
        // A release does not ship what it warns of.
        let current = version(&manifest.version.current);
        assert!(!one.names(&one.service, &current), "{}", one.id);
        for sentence in [&one.text, &one.action] {
            assert!(
                sentence.ends_with('.') && sentence.len() < 200,
                "{sentence}"
            );
        }
    }
}

#[test]
fn a_range_holds_from_its_first_version_up_to_where_it_is_mended() {
    let (key, signed) = sign(1, TEXT);
    let feed = signed.read_by(&key).unwrap();
    let one = &feed.advisories[0];
    let (lnd, other) = (
        ManifestId::new("lnd").unwrap(),
        ManifestId::new("mint").unwrap(),
    );
    for (text, named) in [
        ("0.1.0", true),
        ("0.20.0-beta", true),
        ("0.20.1", false),
        ("0.20.99", false),
        ("v0.21.0-beta.rc1", true),
        ("0.21.3.9", true),
        ("0.21.4-beta", false),
        ("1.0", false),
    ] {
        assert_eq!(one.names(&lnd, &version(text)), named, "{text}");
    }
    assert!(!one.names(&other, &version("0.1.0")));
}

#[test]
fn nobody_but_the_release_says_what_is_dangerous() {
    let (key, signed) = sign(1, TEXT);
    signed.read_by(&key).unwrap();
    let refused =
        |signed: &Signed| matches!(signed.read_by(&key), Err(AdvisoryError::NotSigned(_)));
    let (_, by_another) = sign(2, TEXT);
    assert!(refused(&by_another));
    let mut changed = signed.clone();
    changed.text = TEXT.replace("high", "low");
    assert!(refused(&changed));
    for wrong in [
        "",
        "nonsense",
        "untrusted comment: x\nAAAA\ntrusted comment: y\nAAAA\n",
    ] {
        let mut broken = signed.clone();
        broken.signature = wrong.to_owned();
        assert!(refused(&broken), "{wrong}");
    }
    // The trusted comment is signed too.
    let mut comment = signed.clone();
    comment.signature = comment.signature.replace("timestamp:0", "timestamp:9");
    assert!(refused(&comment));
    assert!(matches!(signed.read(), Err(AdvisoryError::NotSigned(_))));
}

#[test]
fn what_cannot_be_read_and_what_is_older_is_refused_though_it_is_signed() {
    for (from, to) in [
        ("severity = \"high\"", "severity = \"dreadful\""),
        ("0.20.1", "newest"),
        ("id = \"T-1\"", "name = \"T-1\""),
        (
            "[{ below = \"0.20.1\" }, { from = \"0.21.0\", below = \"0.21.4\" }]",
            "[]",
        ),
    ] {
        let (key, signed) = sign(1, &TEXT.replace(from, to));
        let refused = signed.read_by(&key);
        assert!(
            matches!(refused, Err(AdvisoryError::Shape(_))),
            "{to}: {refused:?}"
        );
    }
    let (key, signed) = sign(1, TEXT);
    let new = signed.read_by(&key).unwrap();
    let old = Signed::shipped().read().unwrap();
    assert_eq!(new.clone().after(&old), Ok(new.clone()));
    assert_eq!(new.clone().after(&new), Ok(new.clone()));
    assert!(matches!(
        old.after(&new),
        Err(AdvisoryError::Old { known: 7, .. })
    ));
}
