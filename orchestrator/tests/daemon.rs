//! The command line against a running daemon, through real processes: started in the foreground and in the
//! background, asked, stopped, killed.
//!
//! This program is its own daemon: with `FLASH_NODE_TEST_DAEMON` set it is `flash-node` with the in-memory node of
//! `node::fixture` behind real sockets, so that `up --detach` starts it again exactly as it does in earnest.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "this is a test: it may panic and it prints its own report"
)]

use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Child;
use std::process::ExitCode;
use std::process::Output;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use flash_node::account::fixture::accounts;
use flash_node::cli;
use flash_node::cli::Ended;
use flash_node::cli::Exit;
use flash_node::cli::Failure;
use flash_node::cli::Launch;
use flash_node::cli::Stop;
use flash_node::clock::SystemClock;
use flash_node::config::Card;
use flash_node::entropy::SystemEntropy;
use flash_node::entropy::random_bytes;
use flash_node::http;
use flash_node::manifest::profile::ProfileName;
use flash_node::node::Node;
use flash_node::node::fixture::FixtureNode;
use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;

const SWITCH: &str = "FLASH_NODE_TEST_DAEMON";
/// No wait in these tests is longer.
const DEADLINE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);

// === The daemon ===

fn launch(launch: Launch) -> BoxFuture<'static, Result<Ended, Failure>> {
    Box::pin(serve(launch))
}

/// Serves the in-memory node as the real one would be: card, control socket, TCP listener, stop.
async fn serve(mut launch: Launch) -> Result<Ended, Failure> {
    let refused = |error: std::io::Error| {
        Failure::new(Exit::DataRefused, error.to_string(), "name another folder")
    };
    if launch.data.join("poison").exists() {
        return Err(Failure::new(
            Exit::DataRefused,
            "this folder is poisoned",
            "use a clean one",
        ));
    }
    std::fs::create_dir_all(&launch.data).map_err(refused)?;
    let card = launch.data.join("node.json");
    let node_id = match Card::read(&launch.data)? {
        Some(card) => card.node_id,
        None => {
            let id = hex::encode(random_bytes::<16>(&SystemEntropy));
            let here = launch.data.canonicalize().map_err(refused)?;
            let text = serde_json::json!({
                "node_id": id,
                "profile": "demo",
                "canonical_path": here,
            })
            .to_string();
            std::fs::write(&card, text).map_err(refused)?;
            id
        }
    };
    let address = launch
        .listen
        .unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0)));
    let tcp = http::bind_tcp(address).await?;
    let folders = launch.surroundings.run_folders(&node_id);
    let folder = folders.last().expect("there is always /dev/shm");
    let socket = http::bind_unix(&folder.join("control.sock"))?;
    let api = tcp.local_addr().expect("it is bound");
    let token = CancellationToken::new();
    let node = FixtureNode::new(token.clone());
    node.change(|status| {
        status.pid = std::process::id();
        status.api = format!("http://{api}");
    });
    if launch.profile == Some(ProfileName::Regtest) {
        // As outside of demo: there is no vault until a passphrase is set.
        node.change(|status| {
            status.profile = "regtest".to_owned();
            status.vault.state = "sealed".to_owned();
            status.vault.exists = false;
        });
    }
    node.push("started", "the node was started");
    let uid = launch.surroundings.uid;
    let vault = launch.data.join("people");
    let _ = std::fs::remove_dir_all(&vault);
    std::fs::create_dir(&vault).map_err(refused)?;
    let people = accounts(&vault, Arc::new(SystemClock::new()));
    let api = http::Api::new(Arc::clone(&node) as Arc<dyn Node>, people);
    let faces = futures::future::join(
        api.clone().serve_tcp(tcp, token.clone()),
        api.serve_unix(socket, token.clone(), uid),
    );
    let _ = launch.started.send(Arc::clone(&node) as Arc<dyn Node>);
    let stopping = async {
        tokio::select! {
            asked = launch.stop.wait_for(|stop| *stop != Stop::No) => {
                asked.map_or(Stop::DaemonOnly, |stop| *stop)
            }
            () = token.cancelled() => Stop::Services,
        }
    };
    let ((), how) = futures::future::join(
        async {
            faces.await;
        },
        async {
            let how = stopping.await;
            token.cancel();
            how
        },
    )
    .await;
    std::fs::remove_dir_all(folder).map_err(refused)?;
    // Renamed, because whoever waits for the file reads it as soon as it is there.
    let beside = launch.data.join("ended.new");
    std::fs::write(&beside, format!("{how:?}")).map_err(refused)?;
    std::fs::rename(beside, launch.data.join("ended")).map_err(refused)?;
    Ok(match how {
        Stop::DaemonOnly => Ended::ServicesGoOn,
        _ => Ended::ServicesStopped,
    })
}

// === The tests ===

/// A data folder of its own; whatever still runs on it at the end is killed.
struct Place {
    home: tempfile::TempDir,
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(pid) = self.daemon_pid() {
            kill(pid, rustix::process::Signal::KILL);
        }
        if let Ok(Some(card)) = Card::read(&self.data()) {
            let uid = rustix::process::geteuid().as_raw();
            let folder = format!("/dev/shm/flash-node-{uid}-{}", &card.node_id[..6]);
            // Left behind only where a test failed half-way.
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

fn kill(pid: i32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(pid).expect("a process id is not 0");
    // It may have ended meanwhile.
    let _ = rustix::process::kill_process(pid, signal);
}

impl Place {
    fn new() -> Self {
        Self {
            home: tempfile::tempdir().unwrap(),
        }
    }

    fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the test starts the program under test"
    )]
    fn command(&self, words: &[&str]) -> std::process::Command {
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        command
            .args(words)
            .arg("--data")
            .arg(self.data())
            .env_clear()
            .env("HOME", self.home.path())
            .env(SWITCH, "1")
            .stdin(Stdio::null());
        command
    }

    fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    #[track_caller]
    fn ok(&self, words: &[&str]) -> String {
        let output = self.run(words);
        let text = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{words:?}: {text}{errors}");
        text
    }

    #[track_caller]
    fn fails(&self, code: i32, words: &[&str]) -> String {
        let output = self.run(words);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{words:?}: {text}");
        assert!(text.contains("next: "), "{words:?}: {text}");
        text
    }

    /// Gives `input` as standard input.
    fn fed(&self, words: &[&str], input: &str) -> (Option<i32>, String) {
        let mut child = self
            .command(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(input.as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(text).unwrap())
    }

    fn daemon_pid(&self) -> Option<i32> {
        let output = self.run(&["status", "--json"]);
        let status: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
        i32::try_from(status["pid"].as_i64()?).ok()
    }

    /// Waits until the daemon wrote how it was asked to end.
    #[track_caller]
    fn ended(&self) -> String {
        let path = self.data().join("ended");
        wait_for("the daemon's end", || path.exists());
        std::fs::read_to_string(path).unwrap()
    }
}

#[track_caller]
fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let mut waited = Duration::ZERO;
    while !holds() {
        assert!(waited < DEADLINE, "{what} did not come");
        std::thread::sleep(LOOK);
        waited += LOOK;
    }
}

fn detach_starts_a_daemon_that_answers_every_command() {
    let place = Place::new();
    let text = place.ok(&["up", "--detach"]);
    assert!(
        text.contains("PLAY MONEY") && text.contains("the node is ready"),
        "{text}"
    );
    assert!(
        text.contains("ws://127.0.0.1:4447")
            && text.contains("to stop: ")
            && text.contains(" down --data"),
        "{text}"
    );
    let log = std::fs::read_to_string(place.data().join("logs/flash-node.log")).unwrap();
    assert!(!log.contains("panicked"), "{log}");

    let again = place.run(&["up", "--detach"]);
    assert_eq!(again.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&again.stderr).contains("running already"));
    let other = place.fails(75, &["up", "--detach", "--profile", "signet"]);
    assert!(other.contains("profile demo runs"), "{other}");

    assert!(
        place
            .ok(&["status"])
            .contains("relay    running  yes    yes    -       nostr ws://")
    );
    assert!(place.ok(&["status", "--wait=5"]).contains("mint"));
    assert!(place.ok(&["plan"]).contains("nothing to do"));
    assert!(place.ok(&["apply"]).contains("accepted"));
    assert!(
        place
            .ok(&["set", "relay.name", "a shop"])
            .contains("restart relay")
    );
    assert_eq!(place.ok(&["logs", "relay", "-n", "2"]), "second\nthird\n");
    assert!(place.ok(&["retry", "relay"]).contains("tried again"));
    assert!(
        place
            .ok(&["events"])
            .contains("the node was started (started)")
    );
    assert!(
        place
            .run(&["doctor"])
            .stdout
            .starts_with(b"ok    the data folder is")
    );

    let text = place.fails(1, &["logs", "rely"]);
    assert!(text.contains("did you mean `relay`?"), "{text}");
    let text = place.fails(2, &["logs", "Relay"]);
    assert!(text.contains("did you mean `relay`?"), "{text}");
    let text = place.fails(1, &["set", "relay.nmae", "x"]);
    assert!(text.contains("its settings are: name"), "{text}");
    place.fails(70, &["retry", "mint"]);
    place.fails(77, &["purge", "mint"]);
    place.fails(77, &["purge", "mint", "--confirm", "relay"]);
    place.fails(77, &["purge", "mint", "--confirm", "mint"]);
    place.ok(&["remove", "mint"]);
    assert!(
        place
            .ok(&["purge", "mint", "--confirm", "mint"])
            .contains("deleted")
    );

    let text = place.run(&["down"]);
    assert_eq!(
        text.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&text.stderr)
    );
    assert_eq!(place.ended(), "Services");
    place.fails(69, &["status"]);
}

fn status_json_is_what_the_api_answers() {
    let place = Place::new();
    place.ok(&["up", "--detach"]);
    let printed = place.ok(&["status", "--json"]);
    let status: serde_json::Value = serde_json::from_str(&printed).unwrap();
    let address = status["api"]
        .as_str()
        .unwrap()
        .strip_prefix("http://")
        .unwrap();
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET /api/v1/status HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert_eq!(answer.split("\r\n\r\n").nth(1).unwrap(), printed.trim_end());
    place.ok(&["down"]);
}

fn secrets_are_read_from_standard_input_and_a_wrong_one_is_refused() {
    let place = Place::new();
    place.ok(&["up", "--detach"]);
    let key = place.home.path().join("key");
    let key = key.to_str().unwrap();
    let (code, text) = place.fed(&["passphrase", "change"], "");
    assert_eq!(code, Some(77), "{text}");
    let (code, text) = place.fed(&["passphrase", "change"], "correct horse\n");
    assert_eq!(code, Some(0), "{text}");
    place.ok(&["key-file", "add", key]);
    place.ok(&["seal"]);
    let text = place.fails(77, &["unlock"]);
    assert!(text.contains("nothing was typed"), "{text}");
    let (code, text) = place.fed(&["unlock"], "wrong\n");
    assert_eq!(code, Some(77), "{text}");
    assert!(!text.contains("wrong\n"), "{text}");
    for (words, input) in [
        (&["unlock"][..], "correct horse\n"),
        (&["unlock", "--recovery-key"], "recovery"),
        (&["unlock", "--key-file", key], ""),
    ] {
        let (code, text) = place.fed(words, input);
        assert_eq!(code, Some(0), "{words:?}: {text}");
        assert!(text.contains("the vault is open"), "{text}");
    }
    let (code, text) = place.fed(&["passphrase", "change"], "correct horse\nbetter horse\n");
    assert_eq!(code, Some(0), "{text}");
    let (code, text) = place.fed(&["unlock"], "better horse\n");
    assert_eq!(code, Some(0), "{text}");
    place.ok(&["down"]);
}

fn a_detached_daemon_ends_alone_on_sigterm_and_down_stops_what_it_left() {
    let place = Place::new();
    place.ok(&["up", "--detach"]);
    let pid = place.daemon_pid().unwrap();
    // It is the leader of a session of its own: closing the terminal does not reach it.
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let session = stat
        .rsplit_once(')')
        .unwrap()
        .1
        .split_whitespace()
        .nth(3)
        .unwrap();
    assert_eq!(session, pid.to_string());
    kill(pid, rustix::process::Signal::TERM);
    assert_eq!(place.ended(), "DaemonOnly");
    place.fails(69, &["status"]);

    std::fs::remove_file(place.data().join("ended")).unwrap();
    let output = place.run(&["down"]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(
        text.contains("stopping what it left") && text.contains("every service is stopped"),
        "{text}"
    );
    assert_eq!(place.ended(), "Services");
}

fn the_first_passphrase_needs_no_other_and_a_forgotten_one_is_replaced() {
    let place = Place::new();
    let text = place.ok(&["up", "--detach", "--profile", "regtest"]);
    assert!(
        text.contains("next: flash-node passphrase change"),
        "{text}"
    );
    let text = place.ok(&["status"]);
    assert!(!text.contains("flash-node unlock"), "{text}");
    let text = place.fails(1, &["unlock"]);
    assert!(text.contains("there is no vault yet"), "{text}");
    let (code, text) = place.fed(&["passphrase", "change"], "correct horse\n");
    assert_eq!(code, Some(0), "{text}");
    let key = place.home.path().join("key");
    let key = key.to_str().unwrap();
    place.ok(&["key-file", "add", key]);
    for (words, input) in [
        (&["--recovery-key"][..], "recovery\nbetter horse\n"),
        (&["--key-file", key], "best horse\n"),
    ] {
        let words = [&["passphrase", "change"][..], words].concat();
        let (code, text) = place.fed(&words, input);
        assert_eq!(code, Some(0), "{words:?}: {text}");
    }
    let (code, text) = place.fed(&["unlock"], "better horse\n");
    assert_eq!(code, Some(77), "{text}");
    let (code, text) = place.fed(&["unlock"], "best horse\n");
    assert_eq!(code, Some(0), "{text}");
    place.ok(&["down"]);
}

fn a_vault_that_opens_itself_is_not_sealed() {
    let place = Place::new();
    let text = place.ok(&["up", "--detach"]);
    assert!(text.contains("the vault opens itself until"), "{text}");
    let text = place.fails(77, &["seal"]);
    assert!(text.contains("passphrase change"), "{text}");
    place.ok(&["down"]);
}

fn a_command_for_a_copied_folder_never_reaches_the_original() {
    let original = Place::new();
    original.ok(&["up", "--detach"]);
    let pid = original.daemon_pid();
    let copy = Place::new();
    std::fs::create_dir_all(copy.data()).unwrap();
    for entry in ["node.json", "run.path"] {
        let from = original.data().join(entry);
        if from.exists() {
            std::fs::copy(&from, copy.data().join(entry)).unwrap();
        }
    }
    for words in [
        &["status"][..],
        &["plan"],
        &["seal"],
        &["purge", "relay", "--confirm", "relay"],
        &["passphrase", "change"],
        &["down"],
    ] {
        let text = copy.fails(73, words);
        assert!(text.contains("the data folder was made at"), "{text}");
        assert!(text.contains("up --moved"), "{text}");
    }
    let output = copy.run(&["doctor"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("bad   the data folder was made at"), "{text}");
    assert_eq!(original.daemon_pid(), pid, "the original runs on");
    original.ok(&["down"]);
}

fn a_daemon_that_dies_tells_its_parent_why() {
    let place = Place::new();
    std::fs::create_dir_all(place.data()).unwrap();
    std::fs::write(place.data().join("poison"), "").unwrap();
    let text = place.fails(73, &["up", "--detach"]);
    assert_eq!(
        text,
        "error: this folder is poisoned\nnext: use a clean one\n"
    );
    // A folder that holds other things is not written to.
    assert!(!place.data().join("logs").exists());
    let text = place.fails(73, &["up"]);
    assert!(text.contains("error: this folder is poisoned"), "{text}");
}

fn a_taken_port_is_told_through_the_parent() {
    let place = Place::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let text = place.fails(78, &["up", "--detach", "--listen", &address]);
    assert!(text.contains("is taken by another program"), "{text}");
}

/// Starts `up` in the foreground and returns it once it printed that the node is ready.
fn foreground(place: &Place) -> Child {
    let mut child = place
        .command(&["up"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    let stop = lines.find(|line| line.as_ref().unwrap().starts_with("to stop:"));
    assert_eq!(stop.unwrap().unwrap(), "to stop: press Ctrl-C");
    child
}

fn the_foreground_stops_its_services_on_either_signal() {
    for signal in [rustix::process::Signal::INT, rustix::process::Signal::TERM] {
        let place = Place::new();
        let mut child = foreground(&place);
        let pid = i32::try_from(child.id()).unwrap();
        assert_eq!(place.daemon_pid(), Some(pid));
        kill(pid, signal);
        let ended = child.wait().unwrap();
        let mut text = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(ended.code(), Some(0), "{text}");
        assert!(
            text.contains("stopping the services") && text.contains("every service is stopped"),
            "{text}"
        );
        assert_eq!(place.ended(), "Services");
    }
}

fn a_reader_that_goes_away_ends_a_stream() {
    let place = Place::new();
    place.ok(&["up", "--detach"]);
    let mut child = place
        .command(&["logs", "relay", "-f"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert_eq!(line, "first\n");
    // `down` ends the stream of a reader that stays.
    place.ok(&["down"]);
    let ended = child.wait().unwrap();
    assert_eq!(ended.code(), Some(0));
}

/// A test's name and its body.
type Test = (&'static str, fn());

macro_rules! tests {
    ($($name:ident),* $(,)?) => {
        [$((stringify!($name), $name as fn())),*]
    };
}

fn main() -> ExitCode {
    if std::env::var_os(SWITCH).is_some() {
        return cli::main(cli::Parts { launch });
    }
    let all: &[Test] = &tests![
        detach_starts_a_daemon_that_answers_every_command,
        status_json_is_what_the_api_answers,
        secrets_are_read_from_standard_input_and_a_wrong_one_is_refused,
        a_detached_daemon_ends_alone_on_sigterm_and_down_stops_what_it_left,
        the_first_passphrase_needs_no_other_and_a_forgotten_one_is_replaced,
        a_vault_that_opens_itself_is_not_sealed,
        a_command_for_a_copied_folder_never_reaches_the_original,
        a_daemon_that_dies_tells_its_parent_why,
        a_taken_port_is_told_through_the_parent,
        the_foreground_stops_its_services_on_either_signal,
        a_reader_that_goes_away_ends_a_stream,
    ];
    // The harness's own arguments: a word is a filter, an option is not ours.
    let words: Vec<String> = std::env::args().skip(1).collect();
    let filter = words.iter().find(|word| !word.starts_with('-'));
    let chosen = all
        .iter()
        .filter(|(name, _)| filter.is_none_or(|filter| name.contains(filter.as_str())));
    if words.iter().any(|word| word == "--list") {
        chosen.for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let mut passed = 0;
    let mut failed = Vec::new();
    for (name, test) in chosen {
        // The harness's own form, which the summary of all tests reads.
        match std::panic::catch_unwind(test) {
            Ok(()) => {
                println!("test {name} ... ok");
                passed += 1;
            }
            Err(panic) => {
                println!("test {name} ... FAILED");
                failed.push((name, panic));
            }
        }
    }
    if failed.is_empty() {
        println!("\ntest result: ok. {passed} passed; 0 failed");
        return ExitCode::SUCCESS;
    }
    println!("\nfailures:\n");
    for (name, panic) in &failed {
        let literal = panic.downcast_ref::<&str>().map(ToString::to_string);
        let text = literal.or_else(|| panic.downcast_ref::<String>().cloned());
        println!("---- {name} stdout ----\n{}\n", text.unwrap_or_default());
    }
    println!(
        "test result: FAILED. {passed} passed; {} failed",
        failed.len()
    );
    ExitCode::FAILURE
}
