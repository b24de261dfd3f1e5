use std::collections::BTreeMap;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::path::PathBuf;

use super::Card;
use super::ConfigError;
use super::Surroundings;
use crate::manifest::profile::ProfileName;

fn surroundings(base: &Path) -> Surroundings {
    Surroundings {
        base: Some(base.join("flash-node")),
        data: None,
        runtime_home: Some(base.join("run")),
        config_home: None,
        programs: Vec::new(),
        no_color: false,
        log_filter: None,
        uid: 4_000_001,
    }
}

/// Lays a node's card out and returns the folder and where its socket would lie.
fn node(base: &Path, profile: &str, id: &str) -> (PathBuf, PathBuf) {
    let data = base.join("flash-node").join(profile);
    std::fs::create_dir_all(&data).unwrap();
    let card = serde_json::json!({
        "node_id": id,
        "profile": profile,
        "canonical_path": data.canonicalize().unwrap(),
    });
    let card = card.to_string();
    std::fs::write(data.join("node.json"), card).unwrap();
    let run = base.join("run").join(format!("flash-node-{}", &id[..6]));
    std::fs::create_dir_all(&run).unwrap();
    (data, run.join("control.sock"))
}

const ONE: &str = "11111100000000000000000000000000";
const TWO: &str = "22222200000000000000000000000000";

#[test]
fn the_default_folder_follows_the_data_home_and_root_has_its_own() {
    let environment = BTreeMap::from([("HOME", "/home/ada"), ("XDG_DATA_HOME", "/d")]);
    let user = Surroundings::read(&environment, 1000, None);
    assert_eq!(
        user.data_for_up(None, None).unwrap(),
        Path::new("/d/flash-node/demo")
    );
    let root = Surroundings::read(&environment, 0, None);
    assert_eq!(
        root.data_for_up(None, Some(ProfileName::Signet)).unwrap(),
        Path::new("/var/lib/flash-node/signet")
    );
    let environment = BTreeMap::from([("HOME", "/home/ada"), ("XDG_DATA_HOME", "relative")]);
    let home = Surroundings::read(&environment, 1000, None);
    assert_eq!(
        home.data_for_up(None, None).unwrap(),
        Path::new("/home/ada/.local/share/flash-node/demo")
    );
}

#[test]
fn without_a_home_the_folder_must_be_named() {
    let nobody = Surroundings::read(&BTreeMap::new(), 1000, None);
    assert!(matches!(
        nobody.data_for_up(None, None),
        Err(ConfigError::NoHome)
    ));
    let named = nobody.data_for_up(Some(Path::new("/d")), None).unwrap();
    assert_eq!(named, Path::new("/d"));
}

#[test]
fn an_argument_wins_over_the_environment_and_both_over_the_default() {
    let environment = BTreeMap::from([("HOME", "/home/ada"), ("FLASH_NODE_DATA", "/from/env")]);
    let read = Surroundings::read(&environment, 1000, None);
    assert_eq!(
        read.data_for_client(None, None).unwrap(),
        Path::new("/from/env")
    );
    let named = read
        .data_for_client(Some(Path::new("/named")), None)
        .unwrap();
    assert_eq!(named, Path::new("/named"));
    let environment = BTreeMap::from([("HOME", "/home/ada"), ("FLASH_NODE_DATA", "")]);
    let empty = Surroundings::read(&environment, 1000, None);
    assert_eq!(empty.data, None);
}

#[test]
fn a_command_speaks_to_the_only_running_node_and_never_guesses_between_two() {
    let base = tempfile::tempdir().unwrap();
    let read = surroundings(base.path());
    let demo = base.path().join("flash-node/demo");
    assert_eq!(read.data_for_client(None, None).unwrap(), demo);

    let (regtest, socket) = node(base.path(), "regtest", ONE);
    assert_eq!(read.data_for_client(None, None).unwrap(), regtest);

    let (signet, other_socket) = node(base.path(), "signet", TWO);
    let error = read.data_for_client(None, None).unwrap_err();
    assert!(
        matches!(&error, ConfigError::SeveralStopped(nodes) if nodes.len() == 2),
        "{error}"
    );

    let running = UnixListener::bind(&socket).unwrap();
    assert_eq!(read.data_for_client(None, None).unwrap(), regtest);

    let other_running = UnixListener::bind(&other_socket).unwrap();
    let error = read.data_for_client(None, None).unwrap_err();
    assert!(
        error.to_string().contains(signet.to_str().unwrap()),
        "{error}"
    );

    // A socket file that nobody answers at is no running node.
    drop(running);
    assert_eq!(read.data_for_client(None, None).unwrap(), signet);
    drop(other_running);
    node(base.path(), "demo", "33333300000000000000000000000000");
    assert_eq!(read.data_for_client(None, None).unwrap(), demo);
}

#[test]
fn a_damaged_card_is_an_error_and_a_missing_one_is_not() {
    let base = tempfile::tempdir().unwrap();
    assert_eq!(Card::read(base.path()).unwrap(), None);
    std::fs::write(base.path().join("node.json"), "{\"node_id\":").unwrap();
    assert!(matches!(
        Card::read(base.path()),
        Err(ConfigError::Card { .. })
    ));
}

#[test]
fn a_copied_folder_never_finds_the_daemon_of_its_original() {
    let base = tempfile::tempdir().unwrap();
    let read = surroundings(base.path());
    let (demo, socket) = node(base.path(), "demo", ONE);
    let copy = base.path().join("copy");
    std::fs::create_dir(&copy).unwrap();
    std::fs::copy(demo.join("node.json"), copy.join("node.json")).unwrap();
    let link = base.path().join("link");
    std::os::unix::fs::symlink(&demo, &link).unwrap();
    let _running = UnixListener::bind(&socket).unwrap();

    assert_eq!(
        read.running_socket(&demo).as_deref(),
        Some(socket.as_path())
    );
    assert_eq!(
        read.running_socket(&link).as_deref(),
        Some(socket.as_path())
    );
    assert_eq!(read.running_socket(&copy), None);
    let card = Card::read(&copy).unwrap().unwrap();
    assert_eq!(
        card.made_elsewhere(&copy),
        Some(demo.canonicalize().unwrap().as_path())
    );
    assert_eq!(card.made_elsewhere(&link), None);
}
