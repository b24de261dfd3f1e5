use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

use super::MaterialiseError;
use super::unit;
use crate::runtime::Mount;
use crate::secret::SecretBytes;
use crate::secret::SecretKey;
use crate::secret::SecretRef;
use crate::secret::SecretSource;
use crate::secret::SecretUnavailable;
use crate::service::hash::spec_hash;
use crate::service::programs::Programs;
use crate::service::resolve::fixture::Node;
use crate::service::resolve::fixture::name;

type Vault = BTreeMap<SecretRef, SecretBytes>;

fn secret(key: &str) -> SecretRef {
    SecretRef {
        key: SecretKey(key.to_owned()),
        generation: 1,
    }
}

fn vault() -> Vault {
    [
        ("edge/index/rpc/chain", "p4ss"),
        ("edge/node/rpc/chain", "0ther"),
        ("service/index/cookie", "crumbs"),
    ]
    .into_iter()
    .map(|(key, value)| (secret(key), SecretBytes::from(value.to_owned())))
    .collect()
}

fn text<'a>(unit: &'a crate::runtime::Unit, file: &str) -> &'a str {
    unit.files[file].expose_text().unwrap()
}

#[test]
fn a_unit_has_every_secret_and_only_absolute_paths() {
    let node = Node::new();
    let spec = node.spec("index");
    let made = unit(&spec, &vault(), &node.programs, Some(70_001), &node.places).unwrap();
    assert_eq!(
        text(&made, "index.toml"),
        "auth = \"index:p4ss\"\ndaemon = \"127.0.0.1:18443\"\nzmq = 28332\nbasic = \"Y3J1bWJz\"\n"
    );
    assert_eq!(text(&made, "edge-chain"), "p4ss");
    assert_eq!(text(&made, "cookie"), "crumbs");
    assert_eq!(made.program, Path::new("/opt/indexd"));
    let folder = PathBuf::from("/data/volumes/index/db");
    let mount = Mount {
        on_host: folder.clone(),
        inside: folder,
    };
    assert_eq!(made.volumes, [mount]);
    assert_eq!(
        made.addresses[&name("electrum")].to_string(),
        "127.0.0.1:50001"
    );
    assert_eq!(made.spec_hash, spec_hash(&spec));
    assert_eq!(made.uid, Some(70_001));
}

#[test]
fn no_marker_is_left_in_a_unit() {
    let node = Node::new();
    for service in ["chain", "index"] {
        let made = unit(
            &node.spec(service),
            &vault(),
            &node.programs,
            None,
            &node.places,
        )
        .unwrap();
        for (file, bytes) in &made.files {
            assert!(
                !bytes.expose_text().unwrap().contains(['⟦', '⟧']),
                "{service} {file}"
            );
        }
    }
}

#[test]
fn a_provider_gets_the_proof_and_never_the_password() {
    let node = Node::new();
    let made = unit(
        &node.spec("chain"),
        &vault(),
        &node.programs,
        None,
        &node.places,
    )
    .unwrap();
    let conf = text(&made, "chain.conf");
    let line = conf
        .lines()
        .find(|line| line.starts_with("rpcauth=index:"))
        .unwrap();
    let (salt, proof) = line["rpcauth=index:".len()..].split_once('$').unwrap();
    assert_eq!((salt.len(), proof.len()), (32, 64));
    assert!(!conf.contains("p4ss"));
    let again = unit(
        &node.spec("chain"),
        &vault(),
        &node.programs,
        None,
        &node.places,
    )
    .unwrap();
    assert_eq!(
        text(&again, "chain.conf"),
        conf,
        "rendering again changes nothing"
    );
}

#[test]
fn a_missing_secret_is_named() {
    let node = Node::new();
    let mut vault = vault();
    vault.remove(&secret("service/index/cookie"));
    let error = unit(
        &node.spec("index"),
        &vault,
        &node.programs,
        None,
        &node.places,
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "index cannot start: the vault does not hold service/index/cookie in generation 1"
    );
}

#[test]
fn a_sealed_vault_is_another_error_than_a_missing_secret() {
    struct Sealed;
    impl SecretSource for Sealed {
        fn secret(&self, _: &SecretRef) -> Result<SecretBytes, SecretUnavailable> {
            Err(SecretUnavailable::Sealed)
        }
    }
    let node = Node::new();
    let error = unit(
        &node.spec("index"),
        &Sealed,
        &node.programs,
        None,
        &node.places,
    )
    .unwrap_err();
    assert!(matches!(error, MaterialiseError::Sealed { .. }), "{error}");
}

#[test]
fn a_secret_with_a_second_line_is_refused_in_a_text_file() {
    let node = Node::new();
    let mut vault = vault();
    let evil = SecretBytes::from("p\nrpcallowip=0.0.0.0/0".to_owned());
    vault.insert(secret("edge/index/rpc/chain"), evil);
    let error = unit(
        &node.spec("index"),
        &vault,
        &node.programs,
        None,
        &node.places,
    )
    .unwrap_err();
    assert_eq!(
        error,
        MaterialiseError::UnfitSecret {
            service: node.spec("index").id,
            secret: SecretKey("edge/index/rpc/chain".to_owned()),
            file: "index.toml".to_owned(),
        }
    );
    assert!(
        !error.to_string().contains("rpcallowip"),
        "a message never holds a value"
    );
}

#[test]
fn a_marker_in_an_argument_or_a_broken_one_in_a_file_is_refused() {
    let node = Node::new();
    let mut spec = node.spec("index");
    spec.program
        .args
        .push("⟦service/index/cookie#1:plain⟧".to_owned());
    let error = unit(&spec, &vault(), &node.programs, None, &node.places).unwrap_err();
    assert!(matches!(error, MaterialiseError::Marker { .. }), "{error}");
    let mut spec = node.spec("index");
    spec.files
        .insert("x".to_owned(), "⟦service/index/cookie".to_owned());
    let error = unit(&spec, &vault(), &node.programs, None, &node.places).unwrap_err();
    assert!(matches!(error, MaterialiseError::Marker { .. }), "{error}");
}

#[test]
fn a_program_that_is_gone_is_named() {
    let node = Node::new();
    let error = unit(
        &node.spec("index"),
        &vault(),
        &Programs::default(),
        None,
        &node.places,
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "index cannot start: its program `indexd` is not installed"
    );
}
