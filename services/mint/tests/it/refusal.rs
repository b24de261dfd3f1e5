//! What the program refuses to start on, and how it says so.

use std::{
    fs::{self, OpenOptions},
    io::{Seek, SeekFrom, Write},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    process::Output,
};

use rusqlite::Connection;
use rustix::process::Signal;

use crate::{
    process::{Home, OTHER_SEED, command},
    wallet::Wallet,
};

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn assert_refused(home: &Home, code: i32, words: &str) {
    let output = home.run();
    assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
    assert!(stderr(&output).contains(words), "{}", stderr(&output));
}

/// A home whose mint has issued something and is stopped.
async fn used_home() -> Home {
    let home = Home::new();
    let mint = home.start();
    Wallet::connect(&mint.url).await.mint(&[8, 4, 2]).await;
    assert_eq!(mint.stop(Signal::TERM).code(), Some(0));
    home
}

#[test]
fn signet_and_mainnet_refuse_the_fake_backend_with_this_very_sentence() {
    for network in ["signet", "mainnet"] {
        let home = Home::new();
        home.write_config(network, "");
        let expected = include_str!("refusal.golden").replace("NETWORK", network);
        for output in [
            home.run(),
            command(&home.config()).arg("check").output().unwrap(),
        ] {
            assert_eq!(output.status.code(), Some(78));
            assert_eq!(stderr(&output), expected);
        }
        assert!(!home.data().exists(), "nothing was made");
    }
}

#[test]
fn version_is_printed() {
    let output = command("unused".as_ref())
        .arg("--version")
        .stdout(std::process::Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "flash-mint 0.1.0\n"
    );
}

#[test]
fn check_accepts_a_good_configuration_and_starts_nothing() {
    let home = Home::new();
    let output = command(&home.config()).arg("check").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(!home.data().exists());
}

#[test]
fn unknown_key_is_refused_with_file_line_and_advice() {
    let home = Home::new();
    home.write_config("demo", "nmae = \"typo\"");
    let output = home.run();
    assert_eq!(output.status.code(), Some(78));
    let start = format!(
        "flash-mint: {}:10: unknown field `nmae`",
        home.config().display()
    );
    assert!(stderr(&output).starts_with(&start), "{}", stderr(&output));
    assert!(
        stderr(&output)
            .trim_end()
            .ends_with("remove the key or correct its spelling"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn exposed_or_malformed_seed_is_refused_and_never_printed() {
    let home = Home::new();
    fs::set_permissions(home.path("seed"), fs::Permissions::from_mode(0o644)).unwrap();
    assert_refused(&home, 78, "run chmod 600 on it");
    home.write_seed("abcdef");
    let output = home.run();
    assert_eq!(output.status.code(), Some(78));
    assert!(
        stderr(&output).contains("exactly 128 hexadecimal digits"),
        "{}",
        stderr(&output)
    );
    assert!(!stderr(&output).contains("abcdef"));
    fs::remove_file(home.path("seed")).unwrap();
    assert_refused(&home, 78, "could not be read");
}

#[test]
fn second_process_on_the_same_data_ends_with_75() {
    let home = Home::new();
    let _first = home.start();
    assert_refused(&home, 75, "another flash-mint holds this data folder");
}

#[test]
fn taken_address_ends_with_75_and_makes_no_database() {
    let home = Home::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let text = fs::read_to_string(home.config())
        .unwrap()
        .replace("127.0.0.1:0", &address);
    fs::write(home.config(), text).unwrap();
    assert_refused(&home, 75, "the address is taken");
    assert!(!home.data().join("mint.sqlite").exists());
}

#[tokio::test]
async fn database_refuses_another_seed_and_another_network() {
    let home = used_home().await;
    home.write_seed(OTHER_SEED);
    assert_refused(&home, 78, "the database belongs to mint");
    home.write_seed(crate::process::SEED);
    home.write_config("regtest", "");
    assert_refused(&home, 78, "the database belongs to mint");
    home.write_config("demo", "");
    drop(home.start());
}

#[tokio::test]
async fn empty_volume_is_never_taken_for_a_new_mint() {
    let home = Home::new();
    home.write_config("demo", "expect_existing = true");
    assert_refused(&home, 78, "expect_existing is true");
    assert!(!home.data().join("mint.sqlite").exists());

    let home = used_home().await;
    fs::remove_file(home.data().join("mint.sqlite")).unwrap();
    assert_refused(&home, 78, "mint.identity remembers one");
    fs::write(home.data().join("mint.sqlite"), "").unwrap();
    assert_refused(&home, 78, "mint.identity remembers one");
}

#[tokio::test]
async fn one_damaged_page_ends_with_65_and_changes_nothing() {
    let home = used_home().await;
    let file = home.data().join("mint.sqlite");
    let sound = fs::read(&file).unwrap();
    for table in [
        "blind_signature",
        "mint_quote",
        "keyset_amounts",
        "kv_store",
    ] {
        let page: u64 = Connection::open(&file)
            .unwrap()
            .query_row(
                "SELECT rootpage FROM sqlite_master WHERE name = ?1",
                [table],
                |row| row.get(0),
            )
            .unwrap();
        let mut database = OpenOptions::new().write(true).open(&file).unwrap();
        database.seek(SeekFrom::Start((page - 1) * 4096)).unwrap();
        database.write_all(&[0xa5; 64]).unwrap();
        drop(database);
        let damaged = fs::read(&file).unwrap();
        assert_refused(&home, 65, "the database is damaged");
        assert_eq!(fs::read(&file).unwrap(), damaged, "{table}");
        fs::write(&file, &sound).unwrap();
    }
    drop(home.start());
}

#[tokio::test]
async fn file_that_is_no_database_ends_with_65() {
    let home = used_home().await;
    fs::write(home.data().join("mint.sqlite"), [0x42; 8192]).unwrap();
    assert_refused(&home, 65, "the database is damaged");
}

#[tokio::test]
async fn totals_that_do_not_match_their_rows_end_with_65() {
    let home = used_home().await;
    let database = Connection::open(home.data().join("mint.sqlite")).unwrap();
    database
        .execute(
            "UPDATE keyset_amounts SET total_issued = total_issued + 1",
            [],
        )
        .unwrap();
    drop(database);
    assert_refused(&home, 65, "the books do not add up");
}

#[tokio::test]
async fn database_of_a_newer_cdk_is_refused() {
    let home = used_home().await;
    let database = Connection::open(home.data().join("mint.sqlite")).unwrap();
    let changed = database
        .execute(
            "UPDATE kv_store SET value = CAST('[0,19,0]' AS BLOB) WHERE key = 'cdk_version'",
            [],
        )
        .unwrap();
    assert_eq!(changed, 1);
    drop(database);
    assert_refused(
        &home,
        78,
        "cdk 0.19.0 wrote the database and this program knows only cdk 0.18.3",
    );
}

#[tokio::test]
async fn keysets_without_an_owner_are_refused() {
    let home = used_home().await;
    fs::remove_file(home.data().join("mint.identity")).unwrap();
    let database = Connection::open(home.data().join("mint.sqlite")).unwrap();
    database
        .execute(
            "DELETE FROM kv_store WHERE primary_namespace = 'flash_mint'",
            [],
        )
        .unwrap();
    drop(database);
    assert_refused(&home, 78, "does not say whose");
}
