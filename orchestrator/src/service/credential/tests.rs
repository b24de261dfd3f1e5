use std::collections::BTreeSet;

use super::SecretOrigin;
use super::make;
use super::needed_secrets;
use super::rpcauth;
use super::user;
use crate::entropy::Entropy;
use crate::entropy::SystemEntropy;
use crate::manifest::schema::SecretMake;
use crate::secret::SecretBytes;
use crate::service::resolve::fixture::Node;
use crate::service::resolve::fixture::id;

/// Entropy that counts.
struct Counting(std::sync::atomic::AtomicU8);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    }
}

fn text(secret: &SecretBytes) -> &str {
    secret.expose_text().unwrap()
}

#[test]
fn rpcauth_is_what_bitcoin_core_computes_from_salt_and_password() {
    // Computed apart with Python's hmac, as share/rpcauth/rpcauth.py does, for the salt that is derived here.
    let password = SecretBytes::from("correct horse battery staple".to_owned());
    assert_eq!(
        rpcauth(&password),
        "51aa2a4615d90fdce14db804f58c2c51$ee3ca34aeac42904303b8d1f46db4a559ab913719fe566b1bdc6a20c5648277c"
    );
}

#[test]
fn rpcauth_of_another_password_has_another_salt() {
    let salt = |password: &str| {
        let proof = rpcauth(&SecretBytes::from(password.to_owned()));
        proof.split_once('$').unwrap().0.to_owned()
    };
    assert_ne!(salt("a"), salt("b"));
    assert_eq!(salt("a"), salt("a"));
}

#[test]
fn each_way_of_making_gives_its_shape() {
    let entropy = SystemEntropy;
    let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    let made = |way| make(way, &entropy).unwrap();
    let hex32 = made(SecretMake::Hex32);
    assert!(text(&hex32).len() == 64 && text(&hex32).chars().all(hex));
    let hex64 = made(SecretMake::Hex64);
    assert!(text(&hex64).len() == 128 && text(&hex64).chars().all(hex));
    assert_eq!(text(&made(SecretMake::Base64)).len(), 44);
    let password = made(SecretMake::Password);
    assert!(
        text(&password).len() == 32 && text(&password).chars().all(|c| c.is_ascii_alphanumeric())
    );
    assert_ne!(password, made(SecretMake::Password));
    assert_eq!(make(SecretMake::Captured, &entropy), None);
}

#[test]
fn a_password_favours_no_letter() {
    // 248 bytes are four alphabets of 62; the eight that remain would favour the first letters.
    let from_the_remainder = Counting(248.into());
    let from_the_first = Counting(0.into());
    let password = make(SecretMake::Password, &from_the_remainder).unwrap();
    assert_eq!(
        password,
        make(SecretMake::Password, &from_the_first).unwrap()
    );
    assert_eq!(text(&password), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef");
}

#[test]
fn a_users_name_is_legal_everywhere() {
    assert_eq!(user(&id("my-own-lnd")), "my_own_lnd");
}

#[test]
fn needed_secrets_are_those_of_edges_the_nodes_own_and_the_services_own() {
    let node = Node::new();
    let needs = needed_secrets(&node.desired(), &node.catalog, &node.choices);
    let listed: Vec<(&str, &SecretOrigin)> = needs
        .iter()
        .map(|need| (need.key.0.as_str(), &need.origin))
        .collect();
    let made = SecretOrigin::Made(SecretMake::Hex32);
    assert_eq!(
        listed,
        [
            ("edge/index/rpc/chain", &made),
            ("edge/node/rpc/chain", &made),
            ("service/index/cookie", &made),
        ]
    );
}

#[test]
fn an_external_servers_password_is_read_from_the_operators_file() {
    let node = Node::new().choosing(
        "[services.chain.external.addresses]\nrpc = \"10.0.0.1:8332\"\nzmq = \"10.0.0.1:28332\"\n\
         [services.chain.external.credentials.rpc]\nuser = \"me\"\npassword_file = \"/etc/p\"\n",
    );
    let needs = needed_secrets(&node.desired(), &node.catalog, &node.choices);
    let keys: BTreeSet<&str> = needs.iter().map(|need| need.key.0.as_str()).collect();
    assert_eq!(
        keys,
        BTreeSet::from(["external/chain/rpc", "service/index/cookie"])
    );
    assert_eq!(needs[0].origin, SecretOrigin::ReadFrom("/etc/p".into()));
}

#[test]
fn a_service_that_is_held_back_needs_no_secret() {
    let node = Node::new().choosing("[services.chain.settings]\nprune_mib = 1000\n");
    let needs = needed_secrets(&node.desired(), &node.catalog, &node.choices);
    let keys: Vec<&str> = needs.iter().map(|need| need.key.0.as_str()).collect();
    assert_eq!(keys, ["edge/node/rpc/chain"]);
}
