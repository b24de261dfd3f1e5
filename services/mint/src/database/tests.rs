use super::{CDK_VERSION, Found, examine, open, remember, validate_owner};
use crate::{
    config::{Network, Unit},
    identity::Identity,
};

fn identity(pubkey: &str) -> Identity {
    Identity {
        pubkey: pubkey.to_owned(),
        network: Network::Demo,
        unit: Unit::Sat,
    }
}

#[test]
fn empty_folder_is_a_new_mint_only_when_nothing_says_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(examine(folder.path(), false).unwrap(), Found::Nothing);
    assert_eq!(examine(folder.path(), true).unwrap_err().exit_code(), 78);
    std::fs::write(folder.path().join("mint.sqlite-wal"), "x").unwrap();
    assert!(
        examine(folder.path(), false)
            .unwrap_err()
            .to_string()
            .contains("write-ahead log")
    );
    remember(folder.path(), &identity("02")).unwrap();
    assert_eq!(examine(folder.path(), false).unwrap_err().exit_code(), 78);
}

#[tokio::test]
async fn database_without_keysets_and_owner_is_unclaimed() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()).await.unwrap());
    assert_eq!(examine(folder.path(), false).unwrap(), Found::Unclaimed);
    assert_eq!(examine(folder.path(), true).unwrap_err().exit_code(), 78);
}

#[test]
fn owner_must_be_the_configured_mint() {
    let found = Found::Claimed(identity("02aa"));
    let folder = std::path::Path::new("/data");
    assert!(validate_owner(folder, &found, &identity("02aa")).is_ok());
    assert_eq!(
        validate_owner(folder, &found, &identity("02bb"))
            .unwrap_err()
            .exit_code(),
        78
    );
    let elsewhere = Identity {
        network: Network::Mainnet,
        ..identity("02aa")
    };
    assert_eq!(
        validate_owner(folder, &found, &elsewhere)
            .unwrap_err()
            .exit_code(),
        78
    );
}

#[tokio::test]
async fn pool_never_opens_a_second_connection() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(folder.path()).await.unwrap();
    let held = cdk_common::database::MintDatabase::begin_transaction(&database)
        .await
        .unwrap();
    let second = cdk_common::database::MintDatabase::begin_transaction(&database);
    let waited = tokio::time::timeout(std::time::Duration::from_millis(300), second).await;
    assert!(
        waited.is_err(),
        "the second transaction waits for the one connection"
    );
    drop(held);
}

#[test]
fn known_version_is_the_one_in_the_lock_file() {
    let version = CDK_VERSION.map(|number| number.to_string()).join(".");
    let lock = include_str!("../../Cargo.lock");
    for name in ["cdk", "cdk-common", "cdk-sql-common", "cdk-sqlite"] {
        assert!(
            lock.contains(&format!("name = \"{name}\"\nversion = \"{version}\"\n")),
            "{name}"
        );
    }
}
