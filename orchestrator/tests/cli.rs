//! The real program without a daemon: what a new user meets first. Every failure names its exit code and what to
//! do next.

#![expect(clippy::unwrap_used, reason = "this is a test: it may panic")]

use std::path::Path;
use std::process::Output;

struct Place {
    home: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self {
            home: tempfile::tempdir().unwrap(),
        }
    }

    fn data(&self) -> std::path::PathBuf {
        self.home.path().join("data")
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the test starts the program under test"
    )]
    fn run(&self, words: &[&str]) -> Output {
        std::process::Command::new(env!("CARGO_BIN_EXE_flash-node"))
            .args(words)
            .env_clear()
            .env("HOME", self.home.path())
            .env("FLASH_NODE_DATA", self.data())
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap()
    }

    /// Runs the program, checks its exit code, and returns what it printed to standard error.
    #[track_caller]
    fn fails(&self, code: i32, words: &[&str]) -> String {
        let output = self.run(words);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{words:?}: {text}");
        text
    }
}

#[test]
fn every_command_without_a_daemon_says_how_to_start_one() {
    let place = Place::new();
    for words in [
        &["down"][..],
        &["plan"],
        &["apply"],
        &["status"],
        &["status", "--json"],
        &["status", "--wait=1"],
        &["logs", "relay"],
        &["set", "relay.name", "x"],
        &["remove", "relay"],
        &["purge", "relay"],
        &["purge", "relay", "--confirm", "relay"],
        &["retry", "relay"],
        &["events"],
        &["unlock"],
        &["unlock", "--key-file", "/nowhere"],
        &["passphrase", "change"],
        &["key-file", "add", "/nowhere/key"],
        &["seal"],
    ] {
        let text = place.fails(69, words);
        assert!(
            text.contains("error: there is no node in"),
            "{words:?}: {text}"
        );
        assert!(
            text.contains("\nnext: ") && text.contains("flash-node up"),
            "{words:?}: {text}"
        );
    }
    assert!(!place.data().exists(), "asking made a data folder");
}

fn card_at(data: &Path) -> String {
    serde_json::json!({
        "node_id": "abcdef00000000000000000000000000",
        "profile": "demo",
        "canonical_path": data.canonicalize().unwrap(),
    })
    .to_string()
}

#[test]
fn a_node_that_does_not_run_is_told_from_one_that_was_never_made() {
    let place = Place::new();
    std::fs::create_dir_all(place.data()).unwrap();
    let card = place.data().join("node.json");
    std::fs::write(&card, card_at(&place.data())).unwrap();
    let text = place.fails(69, &["status"]);
    assert!(text.contains("is not running"), "{text}");
    place.fails(69, &["status", "--profile", "demo"]);
    let text = place.fails(73, &["--profile", "regtest", "down"]);
    assert!(text.contains("is of profile demo, not regtest"), "{text}");
    std::fs::write(&card, "{").unwrap();
    let text = place.fails(73, &["status"]);
    assert!(text.contains("node.json cannot be read"), "{text}");
}

#[test]
fn a_hint_names_the_folder_that_was_named() {
    let place = Place::new();
    let other = place.home.path().join("other");
    let other = other.to_str().unwrap();
    let text = place.fails(69, &["--data", other, "status"]);
    assert!(text.contains(&format!("up --data {other}`")), "{text}");
    let text = place.fails(69, &["status"]);
    assert!(text.contains("flash-node up`"), "{text}");
    let file = place.home.path().join("file");
    std::fs::write(&file, "").unwrap();
    for command in ["up", "status"] {
        let text = place.fails(73, &["--data", file.to_str().unwrap(), command]);
        assert!(
            text.contains("next: name a folder with --data DIR"),
            "{text}"
        );
    }
}

#[test]
fn mainnet_names_no_way_that_is_refused_next() {
    let place = Place::new();
    for words in [
        &["up", "--profile", "mainnet"][..],
        &["up", "--profile", "mainnet", "--runtime", "docker"],
    ] {
        let text = place.fails(79, words);
        assert!(text.contains("mainnet is not open yet"), "{text}");
        assert!(text.contains("next: signet runs"), "{text}");
    }
    let text = place.fails(78, &["up", "--profile", "mainnet", "--runtime", "process"]);
    assert!(text.contains("next: signet runs"), "{text}");
}

#[test]
fn doctor_says_who_may_not_read_the_card_and_looks_on() {
    let place = Place::new();
    std::fs::create_dir_all(place.data().join("node.json")).unwrap();
    let output = place.run(&["doctor"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("bad   the identity card"), "{text}");
    assert!(text.contains("MiB are free"), "{text}");
}

#[test]
fn a_wrong_command_line_exits_with_2_and_suggests() {
    let place = Place::new();
    let text = place.fails(2, &["statsu"]);
    assert!(text.contains("status"), "{text}");
    let text = place.fails(2, &["up", "--profile", "regtset"]);
    assert!(text.contains("regtest"), "{text}");
    let text = place.fails(2, &["up", "--listen", "localhost"]);
    assert!(text.contains("--listen"), "{text}");
    let text = place.fails(2, &["set", "relay", "x"]);
    assert!(text.contains("SERVICE.SETTING"), "{text}");
    let text = place.fails(2, &["set", "relay.Bad-Name", "x"]);
    assert!(text.contains("Bad-Name"), "{text}");
}

#[test]
fn mainnet_is_not_open_yet_and_says_so_with_its_own_code() {
    let place = Place::new();
    let text = place.fails(79, &["up", "--profile", "mainnet", "--runtime", "docker"]);
    assert!(
        text.contains("not built yet") && text.contains("signet"),
        "{text}"
    );
    assert!(!place.data().join("state.db").exists());
}

#[test]
fn an_address_that_others_can_reach_is_refused() {
    let place = Place::new();
    let text = place.fails(78, &["up", "--listen", "0.0.0.0:4420"]);
    assert!(
        text.contains("loopback") && text.contains("next: use --listen 127.0.0.1:PORT"),
        "{text}"
    );
    assert!(!place.data().exists());
}

#[test]
fn check_reads_files_and_folders_and_names_each_mistake() {
    let place = Place::new();
    let folder = place.home.path().join("manifests");
    std::fs::create_dir(&folder).unwrap();
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let text = place.fails(2, &["check", folder.to_str().unwrap()]);
    assert!(text.contains("holds no TOML files"), "{text}");
    let text = place.fails(2, &["check", &path("missing.toml")]);
    assert!(text.contains("cannot be read"), "{text}");

    std::fs::write(path("a.toml"), "[services.relay]\nenabled = true\n").unwrap();
    let output = place.run(&["check", folder.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0));
    assert!(
        String::from_utf8(output.stdout)
            .unwrap()
            .contains("a.toml: syntax ok")
    );

    std::fs::write(
        path("b.toml"),
        "manifest = 1\nid = \"x\"\nnonsense = true\n",
    )
    .unwrap();
    std::fs::write(path("c.toml"), "profile = [\n").unwrap();
    let output = place.run(&["check", folder.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(65));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("a.toml: syntax ok"), "{text}");
    assert!(
        text.contains("b.toml:") && text.contains("nonsense"),
        "{text}"
    );
    assert!(text.contains("c.toml:1:"), "{text}");
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("mistakes were found in 2 files")
    );
}

#[test]
fn check_takes_the_manifests_and_profiles_of_this_release() {
    let place = Place::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests");
    for folder in ["services", "profiles"] {
        let output = place.run(&["check", root.join(folder).to_str().unwrap()]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0), "{text}");
        assert!(text.lines().count() >= 4, "{text}");
    }
}

#[test]
fn check_sees_a_manifest_that_is_there_twice() {
    let place = Place::new();
    let relay = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/services/relay.toml");
    for name in ["one.toml", "two.toml"] {
        std::fs::copy(&relay, place.home.path().join(name)).unwrap();
    }
    let output = place.run(&["check", place.home.path().to_str().unwrap()]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(65), "{text}");
    assert!(text.contains("two.toml:"), "{text}");
}

#[test]
fn help_version_and_openapi_need_nothing() {
    let place = Place::new();
    for words in [
        &["--help"][..],
        &["--version"],
        &["up", "--help"],
        &["openapi"],
    ] {
        let output = place.run(words);
        assert_eq!(output.status.code(), Some(0), "{words:?}");
        assert!(
            !output.stdout.is_empty() && output.stderr.is_empty(),
            "{words:?}"
        );
    }
    let kept = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json")).unwrap();
    assert_eq!(place.run(&["openapi"]).stdout, kept);
}

#[test]
fn doctor_works_without_a_node_and_changes_nothing() {
    let place = Place::new();
    let output = place.run(&["doctor"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("does not exist yet") && text.contains("no node was started here yet"),
        "{text}"
    );
    // Without a search path the services' programs lie at best beside the program itself.
    let beside = Path::new(env!("CARGO_BIN_EXE_flash-node"))
        .with_file_name("flash-relay")
        .exists();
    assert_eq!(
        text.contains("bad   not beside flash-node"),
        !beside,
        "{text}"
    );
    assert_eq!(
        output.status.code(),
        Some(i32::from(text.contains("\nbad "))),
        "{text}"
    );
    assert!(!place.data().exists());
}

#[test]
fn the_manual_page_lists_every_command_and_exit_code() {
    let manual = include_str!("../../docs/cli.md");
    let place = Place::new();
    let help = String::from_utf8(place.run(&["--help"]).stdout).unwrap();
    let commands = help
        .split("Commands:")
        .nth(1)
        .unwrap()
        .split("Options:")
        .next()
        .unwrap();
    for line in commands
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("    "))
    {
        let name = line.split_whitespace().next().unwrap();
        assert!(
            name == "help" || manual.contains(&format!("flash-node {name}")),
            "{name}"
        );
    }
    for line in flash_node::cli::EXIT_HELP.lines().skip(1) {
        let code = line.split_whitespace().next().unwrap();
        assert!(manual.contains(&format!("| {code} |")), "{code}");
    }
}
