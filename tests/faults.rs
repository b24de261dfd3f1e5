//! One test for each row of docs/faults.md: what the operator sees, and what is preserved.

#![allow(
    clippy::disallowed_methods,
    reason = "a whole-program test copies folders and mounts file systems"
)]

mod inspect;
mod node;

use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use flash_node::clock::UnixMillis;
use flash_node::store::state::ServiceRecord;
use flash_node::store::state::StateDb;
use inspect::free_port;
use inspect::http_get;
use node::TestNode;
use node::files_under;
use node::send;
use node::skip;
use serde_json::Value;

const BOTH: &[&str] = &["relay", "mint"];
const PASSPHRASE: &str = "correct horse battery staple\n";
/// Exit codes of the daemon: `flash-node --help` lists them.
const DATA_REFUSED: Option<i32> = Some(73);
const DATABASE: Option<i32> = Some(74);
const HELD: Option<i32> = Some(75);

/// A demo whose relay and mint are ready.
fn ready() -> TestNode {
    let mut node = TestNode::new("demo");
    node.with_own_ports("");
    node.up();
    node.wait_settled(BOTH);
    node
}

/// What stays the same for a service that was not touched.
fn run(node: &TestNode, id: &str) -> (Option<u32>, Value) {
    (node.service_pid(id), node.service(id)["started_at"].clone())
}

/// Every file directly in the data folder whose content a refused start must leave alone.
fn files(node: &TestNode) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = std::fs::read_dir(node.data())
        .expect("the data folder")
        .flatten();
    let kept = entries.map(|entry| entry.path()).filter(|path| {
        // The lock holds the process id of whoever tried last; a log without content says nothing.
        let name = path.to_string_lossy();
        let empty = path.metadata().is_ok_and(|found| found.len() == 0);
        path.is_file() && !name.contains("lock") && !(empty && name.ends_with("-wal"))
    });
    kept.map(|path| (path.clone(), std::fs::read(&path).expect("readable")))
        .collect()
}

/// Asserts what the operator reads of a service: the code and the sentence of one and the same document.
fn told(service: &Value, code: &str, sentence: &str) {
    assert_eq!(service["ready"]["code"], code, "{service:#}");
    let text = service["ready"]["text"].as_str().unwrap_or_default();
    assert!(text.contains(sentence), "{sentence}\n{service:#}");
}

/// Waits until the history holds `line`: service, sentence and code.
fn happened(node: &TestNode, line: &str) {
    node.wait(&format!("the event `{line}`"), |node| {
        let events = node.ok(&["events"]);
        events
            .lines()
            .any(|one| one.ends_with(&format!("  {line}")))
    });
}

/// Every file of the data folder, with its content.
fn everything_in(node: &TestNode) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = files_under(&node.data()).into_iter();
    files
        .map(|file| (file.clone(), std::fs::read(&file).expect("readable")))
        .collect()
}

/// Ends the daemon alone, in order, so that nothing of the databases lies in a log beside them.
fn leave(node: &mut TestNode) {
    send(node.daemon_pid(), "-TERM");
    assert_eq!(node.wait_for_end(), Some(0), "{}", node.daemon_log());
}

/// Does `damage` to a node whose services run, and expects that it is refused with `code` and `sentence`, that no file
/// changes, that services live on, and that all is well once `mend` undid it.
fn refused(damage: impl Fn(&Path), mend: impl Fn(&Path, &Path), code: Option<i32>, sentence: &str) {
    let mut node = ready();
    let before = [run(&node, "relay"), run(&node, "mint")];
    leave(&mut node);
    let copy = tempfile::tempdir().expect("a folder");
    let copied = Command::new("cp")
        .arg("-a")
        .arg(node.data())
        .arg(copy.path())
        .status()
        .expect("cp runs");
    assert!(copied.success());
    damage(&node.data());
    let damaged = files(&node);
    for _ in 0..2 {
        node.spawn();
        assert_eq!(node.wait_for_end(), code, "{}", node.daemon_log());
        assert!(
            node.daemon_log().contains(sentence),
            "{sentence}\n{}",
            node.daemon_log()
        );
        assert_eq!(
            files(&node),
            damaged,
            "a start that is refused changes nothing"
        );
    }
    let pids = [node.service_pid("relay"), node.service_pid("mint")];
    assert_eq!(pids, [before[0].0, before[1].0], "services live on");
    mend(&copy.path().join("data"), &node.data());
    node.up();
    node.wait_settled(BOTH);
    assert_eq!(
        [run(&node, "relay"), run(&node, "mint")],
        before,
        "services live on"
    );
}

/// Puts one file back from the copy.
fn put_back(name: &'static str) -> impl Fn(&Path, &Path) {
    move |copy, data| {
        std::fs::copy(copy.join(name), data.join(name)).expect("copied");
    }
}

fn cut(path: &Path, to: impl Fn(u64) -> u64) {
    let file = std::fs::File::options()
        .write(true)
        .open(path)
        .expect("there");
    file.set_len(to(file.metadata().expect("there").len()))
        .expect("cut");
}

/// Overwrites the second half of a file with what is no page of a database.
fn scribble(path: &Path) {
    let mut bytes = std::fs::read(path).expect("there");
    let half = bytes.len() / 2;
    bytes[half..].fill(0xA5);
    std::fs::write(path, bytes).expect("written");
}

/// Overwrites the second page of a database with what is none, as a bad sector would.
fn corrupt_a_page(path: &Path) {
    let mut bytes = std::fs::read(path).expect("there");
    // Source: https://www.sqlite.org/fileformat.html, 1.3: the page size stands at offset 16, big-endian.
    let page = usize::from(u16::from_be_bytes([bytes[16], bytes[17]]));
    assert!(
        bytes.len() > 2 * page,
        "there are more pages than the damaged one"
    );
    bytes[page..2 * page].fill(0xA5);
    std::fs::write(path, bytes).expect("written");
}

fn database(path: &Path) -> PathBuf {
    path.join("state.db")
}

/// The keys with which the mint signs: what it issued is worth something as long as they stay.
fn mint_keys(node: &TestNode) -> String {
    http_get(&node.endpoint("mint", "cashu"), "/v1/keys")
}

#[test]
fn a_killed_service_is_started_again_and_others_are_untouched() {
    let node = ready();
    let (relay, keys) = (run(&node, "relay"), mint_keys(&node));
    let pid = node.service_pid("mint").expect("it runs");
    send(pid, "-KILL");
    node.wait("another mint", |node| {
        node.service_pid("mint").is_some_and(|now| now != pid)
    });
    node.wait_settled(BOTH);
    assert_eq!(run(&node, "relay"), relay);
    happened(
        &node,
        "mint: ended by signal 9; tries again in 1 s (failed)",
    );
    assert_eq!(mint_keys(&node), keys, "its data are still there");
}

#[test]
fn a_killed_supervisor_is_replaced_without_a_restart() {
    let node = ready();
    let before = [run(&node, "relay"), run(&node, "mint")];
    let supervisor = node.supervisor_pid("relay").expect("it is supervised");
    send(supervisor, "-KILL");
    node.wait("another supervisor", |node| {
        node.supervisors_of("relay")
            .iter()
            .any(|pid| *pid != supervisor)
    });
    node.wait_settled(BOTH);
    assert_eq!([run(&node, "relay"), run(&node, "mint")], before);
    happened(
        &node,
        "relay: got a new supervisor; it was not restarted (supervised)",
    );
}

#[test]
fn a_service_killed_with_its_supervisor_is_started_again() {
    let node = ready();
    let (relay, keys) = (run(&node, "relay"), mint_keys(&node));
    let pid = node.service_pid("mint").expect("it runs");
    send(
        node.supervisor_pid("mint").expect("it is supervised"),
        "-KILL",
    );
    send(pid, "-KILL");
    node.wait("another mint", |node| {
        node.service_pid("mint").is_some_and(|now| now != pid)
    });
    node.wait_settled(BOTH);
    assert_eq!(run(&node, "relay"), relay);
    let how = node.wait_for("its end in the history", |node| {
        let events = node.ok(&["events"]);
        let mut lines = events.lines();
        let failed = |line: &&str| line.contains("  mint: ") && line.ends_with("(failed)");
        lines.find(failed).map(ToOwned::to_owned)
    });
    let seen = [
        "ended by signal 9; tries again in 1 s",
        "ended unseen; tries again in 1 s",
    ];
    assert!(seen.iter().any(|sentence| how.contains(sentence)), "{how}");
    assert_eq!(mint_keys(&node), keys, "its data are still there");
}

#[test]
fn a_killed_orchestrator_finds_its_services_again() {
    let mut node = ready();
    let before = [run(&node, "relay"), run(&node, "mint")];
    node.kill_daemon();
    node.up();
    node.wait_settled(BOTH);
    assert_eq!([run(&node, "relay"), run(&node, "mint")], before);
}

/// Changes what is remembered of the relay while no orchestrator runs.
fn with_record(node: &TestNode, change: impl FnOnce(&mut ServiceRecord)) {
    let state = StateDb::open(&database(&node.data())).expect("it opens");
    let records = state.records().expect("readable");
    let mut record = records
        .into_values()
        .find(|record| record.service.as_str() == "relay")
        .expect("a record");
    change(&mut record);
    state.put_record(&record).expect("written");
}

#[test]
fn a_service_that_ends_again_and_again_waits_longer_and_then_needs_the_operator() {
    let mut node = ready();
    let mint = run(&node, "mint");
    let volume = node.data().join("volumes/relay");
    let aside = node.data().join("volumes/relay-aside");
    send(node.supervisor_pid("relay").expect("supervised"), "-KILL");
    send(node.service_pid("relay").expect("runs"), "-KILL");
    std::fs::rename(&volume, &aside).expect("moved");
    std::fs::write(&volume, "no folder").expect("written");
    let relay = node.wait_service("relay", "to back off", |relay| {
        relay["state"] == "backing_off"
    });
    told(&relay, "backing_off", "waits before the next try");
    // The operator's patience need not be the test's: six failures more are written down, as if they had been waited for.
    leave(&mut node);
    with_record(&node, |record| {
        (record.failures, record.retry_at) = (7, None);
    });
    node.up();
    let relay = node.wait_service("relay", "to need the operator", |relay| {
        relay["state"] == "needs_you"
    });
    told(&relay, "needs_you", "failed 8 times");
    let next = relay["next"].as_str().unwrap_or_default();
    assert!(next.contains("flash-node retry relay"), "{next}");
    assert_eq!(run(&node, "mint"), mint);
    std::fs::remove_file(&volume).expect("removed");
    std::fs::rename(&aside, &volume).expect("moved back");
    node.ok(&["retry", "relay"]);
    node.wait_settled(BOTH);
    assert_eq!(run(&node, "mint"), mint);
}

/// A file system of its own under a data folder; it goes after the node did.
struct SmallDisk {
    node: Option<TestNode>,
    path: PathBuf,
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        self.node.take();
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
        let _ = std::fs::remove_dir_all(self.path.parent().expect("a folder"));
    }
}

/// Writes to `filler` until its disk has no room for one byte more.
fn fill(filler: &Path) {
    for block in ["bs=64k", "bs=1"] {
        let filled = Command::new("dd")
            .args(["if=/dev/zero", "oflag=append", "conv=notrunc", block])
            .arg(format!("of={}", filler.display()))
            .output();
        assert!(
            filled.is_ok_and(|output| !output.status.success()),
            "the disk is full"
        );
    }
}

#[test]
fn a_full_disk_stops_nothing_and_what_was_refused_works_once_there_is_room() {
    let mut node = TestNode::new("demo");
    node.with_own_ports("");
    let path = node.data();
    let choices = std::fs::read(path.join("node.toml")).expect("just written");
    let mut command = Command::new("mount");
    command
        .args(["-t", "tmpfs", "-o", "size=320m,mode=755", "tmpfs"])
        .arg(&path);
    let mounted = command.output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        return skip("a full disk: mounting a small file system takes root");
    }
    std::fs::write(path.join("node.toml"), choices).expect("written");
    let disk = SmallDisk {
        node: Some(node),
        path,
    };
    let node = disk.node.as_ref().expect("a node");
    // As operators start it: what the daemon logs and what it says on standard error lie on the full disk, too.
    let api = format!("127.0.0.1:{}", free_port());
    node.ok(&[
        "-v",
        "-v",
        "up",
        "--detach",
        "--profile",
        "demo",
        "--listen",
        &api,
    ]);
    node.wait_settled(BOTH);
    let daemon = node.status()["pid"].clone();
    let before = [run(node, "relay"), run(node, "mint")];
    let filler = node.data().join("volumes/filler");
    fill(&filler);
    let log = node.data().join("logs/flash-node.log");
    let mut end = std::fs::File::options()
        .append(true)
        .open(&log)
        .expect("the daemon logs there");
    while end.write_all(b"\n").is_ok() {}
    let refused = node.cli(&["set", "relay.name", "full"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && said.contains("no space is left"),
        "{said}"
    );
    assert_eq!(
        [run(node, "relay"), run(node, "mint")],
        before,
        "nothing was started or stopped"
    );
    send(node.service_pid("mint").expect("it runs"), "-KILL");
    node.wait("the full disk to be named", |node| {
        ["state_unwritable", "disk_full"].contains(&node.code("mint", "ready").as_str())
    });
    assert_eq!(run(node, "relay"), before[0], "what runs goes on");
    assert_eq!(node.status()["pid"], daemon, "the daemon goes on");
    std::fs::remove_file(&filler).expect("removed");
    node.wait_settled(BOTH);
    assert_eq!(run(node, "relay"), before[0]);
    node.ok(&["set", "relay.name", "room"]);
    node.wait("the new name", |node| {
        node.service_pid("relay") != before[0].0
    });
    node.wait_settled(BOTH);
    assert_eq!(node.status()["pid"], daemon, "the daemon goes on");
}

#[test]
fn a_corrupt_page_in_state_db_is_refused_and_left_as_it_is() {
    refused(
        |data| corrupt_a_page(&database(data)),
        put_back("state.db"),
        DATABASE,
        "state.db is damaged",
    );
}

#[test]
fn an_empty_state_db_is_never_taken_for_a_new_one() {
    refused(
        |data| cut(&database(data), |_| 0),
        put_back("state.db"),
        DATABASE,
        "state.db is empty (0 bytes)",
    );
}

#[test]
fn half_a_state_db_is_never_taken_for_a_new_one() {
    refused(
        |data| cut(&database(data), |length| length / 2),
        put_back("state.db"),
        DATABASE,
        "state.db is damaged",
    );
}

#[test]
fn a_missing_state_db_is_never_made_anew() {
    let damage = |data: &Path| std::fs::remove_file(database(data)).expect("removed");
    refused(
        damage,
        put_back("state.db"),
        DATABASE,
        "state.db is missing",
    );
}

#[test]
fn a_cut_node_json_is_refused() {
    let damage = |data: &Path| cut(&data.join("node.json"), |length| length / 2);
    refused(
        damage,
        put_back("node.json"),
        DATA_REFUSED,
        "node.json is damaged",
    );
}

#[test]
fn a_missing_node_json_is_never_made_anew() {
    let damage = |data: &Path| std::fs::remove_file(data.join("node.json")).expect("removed");
    refused(
        damage,
        put_back("node.json"),
        DATA_REFUSED,
        "node.json is missing although",
    );
}

#[test]
fn a_missing_vault_is_never_made_anew() {
    let damage = |data: &Path| std::fs::remove_file(data.join("vault.db")).expect("removed");
    refused(
        damage,
        put_back("vault.db"),
        DATABASE,
        "vault.db is missing",
    );
}

#[test]
fn a_corrupt_vault_stays_shut_while_services_go_on() {
    let mut node = ready();
    let before = [run(&node, "relay"), run(&node, "mint")];
    leave(&mut node);
    let vault = node.data().join("vault.db");
    let sound = std::fs::read(&vault).expect("there");
    scribble(&vault);
    let damaged = std::fs::read(&vault).expect("there");
    node.up();
    node.wait_settled(BOTH);
    assert_eq!([run(&node, "relay"), run(&node, "mint")], before);
    let status = node.status()["vault"].clone();
    assert_eq!(status["state"], "sealed");
    assert!(
        status["text"]
            .as_str()
            .is_some_and(|text| text.contains("vault.db is damaged")),
        "{status}"
    );
    assert_eq!(
        std::fs::read(&vault).expect("there"),
        damaged,
        "it is left as it is"
    );
    leave(&mut node);
    std::fs::write(&vault, sound).expect("written");
    node.up();
    node.wait_settled(BOTH);
    assert_eq!([run(&node, "relay"), run(&node, "mint")], before);
    assert_eq!(node.status()["vault"]["state"], "self_unsealing");
}

#[test]
fn a_missing_secret_is_never_made_anew() {
    let mut node = TestNode::new("demo");
    node.with_own_ports("[services.mint]\nenabled = false\n");
    let text = std::fs::read_to_string(node.data().join("node.toml")).expect("there");
    // One table per service.
    let text = text.replace("[services.mint]\nenabled = false\n", "");
    let without = text.replace(
        "[services.mint.ports]",
        "[services.mint]\nenabled = false\n[services.mint.ports]",
    );
    node.file("node.toml", &without);
    node.up();
    node.wait_settled(&["relay"]);
    leave(&mut node);
    let vault = node.data().join("vault.db");
    let old = std::fs::read(&vault).expect("there");
    node.file("node.toml", &text);
    node.up();
    node.ok(&["apply"]);
    node.wait_settled(BOTH);
    let keys = http_get(&node.endpoint("mint", "cashu"), "/v1/keys");
    let relay = run(&node, "relay");
    leave(&mut node);
    let new = std::fs::read(&vault).expect("there");
    assert_ne!(old, new);
    // An older copy of the vault comes back from somewhere, and the mint has to start.
    std::fs::write(&vault, &old).expect("written");
    send(node.supervisor_pid("mint").expect("supervised"), "-KILL");
    send(node.service_pid("mint").expect("runs"), "-KILL");
    node.up();
    let mint = node.wait_service("mint", "to miss its secret", |mint| {
        mint["ready"]["code"] == "secret_missing"
    });
    told(
        &mint,
        "secret_missing",
        "restore vault.db from a backup: nothing is made in its place",
    );
    assert_eq!(run(&node, "relay"), relay);
    leave(&mut node);
    std::fs::write(&vault, &new).expect("written");
    node.up();
    node.wait_settled(BOTH);
    assert_eq!(
        http_get(&node.endpoint("mint", "cashu"), "/v1/keys"),
        keys,
        "the mint keeps its keys"
    );
}

#[test]
fn a_taken_port_holds_one_service_back_until_it_is_free() {
    let mut node = ready();
    let address = node
        .endpoint("relay", "nostr")
        .trim_start_matches("ws://")
        .to_owned();
    node.ok(&["down"]);
    node.wait_for_end();
    let taken = TcpListener::bind(&address).expect("free now");
    node.up();
    node.wait_ready("mint");
    let relay = node.wait_service("relay", "to name the port", |relay| {
        relay["ready"]["code"] == "port_taken"
    });
    told(&relay, "port_taken", "is taken by another program");
    told(&relay, "port_taken", &address);
    drop(taken);
    node.wait_settled(BOTH);
    assert!(
        node.endpoint("relay", "nostr").ends_with(&address),
        "ports once chosen are kept"
    );
}

#[test]
fn a_clock_that_jumped_back_does_not_keep_a_service_down() {
    let mut node = ready();
    let mint = run(&node, "mint");
    send(node.daemon_pid(), "-TERM");
    node.wait_for_end();
    send(node.supervisor_pid("relay").expect("supervised"), "-KILL");
    send(node.service_pid("relay").expect("runs"), "-KILL");
    // As an orchestrator would have written it a year later.
    let year = 365 * 24 * 3600 * 1000;
    with_record(&node, |record| {
        let now = record.first_ready_at.expect("it was ready");
        (record.failures, record.retry_at) = (3, Some(UnixMillis(now.0 + year)));
    });
    node.up();
    node.wait_settled(BOTH);
    assert_eq!(run(&node, "mint"), mint);
}

#[test]
fn a_clock_that_jumped_ahead_keeps_nothing_down_and_restarts_nothing() {
    let mut node = ready();
    let mint = run(&node, "mint");
    leave(&mut node);
    send(node.supervisor_pid("relay").expect("supervised"), "-KILL");
    send(node.service_pid("relay").expect("runs"), "-KILL");
    // As an orchestrator would have written it whose clock was a year behind the one of today.
    let year = 365 * 24 * 3600 * 1000;
    with_record(&node, |record| {
        let now = record.first_ready_at.expect("it was ready");
        let then = UnixMillis(now.0 - year);
        record.first_ready_at = Some(then);
        (record.failures, record.retry_at) = (3, Some(then));
    });
    node.up();
    node.wait_settled(BOTH);
    assert_eq!(run(&node, "mint"), mint);
}

#[test]
fn a_copied_data_folder_is_refused_until_the_original_is_gone_and_the_operator_says_so() {
    let mut original = ready();
    let keys = http_get(&original.endpoint("mint", "cashu"), "/v1/keys");
    original.ok(&["down"]);
    original.wait_for_end();
    let mut copy = TestNode::new("demo");
    let copied = Command::new("cp")
        .arg("-a")
        .arg(original.data())
        .arg(copy.data())
        .status();
    assert!(copied.is_ok_and(|status| status.success()));
    copy.arg("--listen")
        .arg(&format!("127.0.0.1:{}", free_port()));
    let untouched = everything_in(&original);
    let (from, to) = (original.data(), copy.data());
    copy.spawn();
    assert_eq!(copy.wait_for_end(), DATA_REFUSED);
    let said = copy.daemon_log();
    let sentence = format!(
        "the data folder was made at {} and lies at {} now",
        from.display(),
        to.display()
    );
    assert!(said.contains(&sentence), "{sentence}\n{said}");
    assert!(said.contains("flash-node up --moved"), "{said}");
    copy.arg("--moved");
    copy.spawn();
    assert_eq!(copy.wait_for_end(), DATA_REFUSED);
    let said = copy.daemon_log();
    let sentence = format!(
        "the data folder is a copy, and the original still lies at {}",
        from.display()
    );
    assert!(said.contains(&sentence), "{sentence}\n{said}");
    assert!(
        everything_in(&original) == untouched,
        "the original is as it was, byte for byte"
    );
    assert_eq!(copy.processes(), Vec::new(), "nothing of the copy runs");
    std::fs::remove_dir_all(original.data()).expect("removed");
    copy.up();
    copy.wait_settled(BOTH);
    assert_eq!(http_get(&copy.endpoint("mint", "cashu"), "/v1/keys"), keys);
}

#[test]
fn a_missing_storage_mount_is_never_filled_with_an_empty_folder() {
    let mut node = TestNode::new("demo");
    let disk = node.data().with_file_name("disk");
    let unplugged = node.data().with_file_name("unplugged");
    std::fs::create_dir(&disk).expect("a folder");
    let more =
        format!("[storage.big]\npath = {disk:?}\n\n[services.relay.volumes]\ndata = \"big\"\n");
    node.with_own_ports(&more);
    node.up();
    node.wait_settled(BOTH);
    node.ok(&["down"]);
    node.wait_for_end();
    std::fs::rename(&disk, &unplugged).expect("unplugged");
    std::fs::create_dir(&disk).expect("an empty mount point");
    node.up();
    node.wait_ready("mint");
    let missed = |relay: &Value| relay["ready"]["code"] == "storage_missing";
    let relay = node.wait_service("relay", "to miss its storage", missed);
    told(
        &relay,
        "storage_missing",
        "is missing: it does not carry this node's mark",
    );
    told(&relay, "storage_missing", &disk.display().to_string());
    // Whatever is accepted meanwhile, the mark is not made anew.
    node.ok(&["set", "relay.name", "elsewhere"]);
    assert_eq!(node.service("relay")["ready"]["code"], "storage_missing");
    assert_eq!(
        std::fs::read_dir(&disk).expect("there").count(),
        0,
        "nothing is made in an empty mount point"
    );
    std::fs::remove_dir(&disk).expect("empty");
    std::fs::rename(&unplugged, &disk).expect("plugged in");
    node.wait_settled(BOTH);
}

#[test]
fn a_second_orchestrator_says_who_is_first_and_ends() {
    let node = ready();
    let before = [run(&node, "relay"), run(&node, "mint")];
    let second = node.cli(&["up", "--background-daemon", "--profile", "demo"]);
    assert_eq!(second.status.code(), HELD);
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(
        said.contains(&format!("process {}", node.daemon_pid())),
        "{said}"
    );
    assert_eq!([run(&node, "relay"), run(&node, "mint")], before);
}

#[test]
fn a_sealed_start_adopts_what_runs_and_starts_what_needs_no_secret() {
    let mut node = ready();
    let set = node.cli_with_input(&["passphrase", "change"], PASSPHRASE);
    assert!(set.status.success(), "{set:?}");
    node.kill_daemon();
    for id in BOTH {
        send(node.supervisor_pid(id).expect("supervised"), "-KILL");
    }
    send(node.service_pid("mint").expect("runs"), "-KILL");
    let relay = node.service_pid("relay");
    node.up();
    let mint = node.wait_service("mint", "to wait for the vault", |mint| {
        mint["ready"]["code"] == "sealed"
    });
    told(&mint, "sealed", "needs a secret: unlock the vault");
    node.wait_ready("relay");
    assert_eq!(node.service_pid("relay"), relay, "what runs is adopted");
    send(relay.expect("runs"), "-KILL");
    node.wait("another relay", |node| {
        node.service_pid("relay")
            .is_some_and(|now| Some(now) != relay)
    });
    node.wait_ready("relay");
    let opened = node.cli_with_input(&["unlock"], PASSPHRASE);
    assert!(opened.status.success(), "{opened:?}");
    node.wait_settled(BOTH);
}

#[test]
fn a_damaged_record_of_a_service_keeps_hands_off_it() {
    let mut node = ready();
    let before = [run(&node, "relay"), run(&node, "mint")];
    leave(&mut node);
    let record = node.data().join("run/relay/unit.json");
    let sound = std::fs::read(&record).expect("there");
    cut(&record, |length| length / 2);
    let damaged = std::fs::read(&record).expect("there");
    node.up();
    node.wait_ready("mint");
    let relay = node.wait_service("relay", "to name its record", |relay| {
        relay["state"] == "needs_you"
    });
    told(
        &relay,
        "record_unreadable",
        "its record cannot be read; nothing is started or stopped",
    );
    assert_eq!(
        std::fs::read(&record).expect("there"),
        damaged,
        "the record is left for a look"
    );
    assert_eq!(node.service_pid("relay"), before[0].0, "it lives on");
    assert_eq!(
        node.programs_of("relay").len(),
        1,
        "no second one was started"
    );
    std::fs::write(&record, sound).expect("written");
    node.wait_settled(BOTH);
    assert_eq!([run(&node, "relay"), run(&node, "mint")], before);
}

/// Scribbles over every database file of a service that is down, says what the operator reads then, and asserts that
/// the damaged files stay as they are.
fn own_database_damaged(id: &str, healthy: &str, sentence: &str) {
    let mut node = ready();
    node.ok(&["down"]);
    node.wait_for_end();
    let files = files_under(&node.data().join("volumes").join(id));
    let mut damaged = BTreeMap::new();
    for file in files {
        let name = file.display().to_string();
        // LMDB's lock file is no database: it is made anew by whoever opens it first.
        let database =
            name.ends_with("data.mdb") || name.contains(".sqlite") || name.ends_with(".db");
        if database {
            let length = file.metadata().expect("there").len();
            let bytes = vec![0xA5; usize::try_from(length).expect("small").min(1 << 20)];
            std::fs::write(&file, &bytes).expect("written");
            damaged.insert(file, bytes);
        }
    }
    assert!(!damaged.is_empty(), "{id} keeps a database");
    node.up();
    node.wait_ready(healthy);
    let service = node.wait_service(id, "to end on its database", |service| {
        service["state"] == "backing_off"
    });
    told(&service, "backing_off", sentence);
    told(&service, "backing_off", "waits before the next try");
    for (file, bytes) in &damaged {
        assert!(
            std::fs::read(file).expect("there") == *bytes,
            "{} is left for a repair",
            file.display()
        );
    }
    assert_eq!(node.service(healthy)["ready"]["ok"], true);
}

#[test]
fn a_mint_whose_database_is_damaged_does_not_start_on_it() {
    own_database_damaged(
        "mint",
        "relay",
        "ended with code 65 (its data are not what it expects); failed",
    );
}

#[test]
fn a_relay_whose_database_is_damaged_does_not_start_on_it() {
    own_database_damaged("relay", "mint", "ended with code 1; failed");
}

/// The names in backquotes in a text.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn every_row_of_the_table_names_tests_that_exist_and_every_test_has_a_row() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let read = |name: &str| std::fs::read_to_string(root.join(name)).expect("there");
    let table = read("docs/faults.md");
    let mut own = read("tests/faults.rs") + &read("tests/container_faults.rs");
    for entry in std::fs::read_dir(root.join("tests/container_faults")).expect("parts") {
        let path = entry.expect("a part").path();
        own.push_str(&std::fs::read_to_string(path).expect("a part"));
    }
    let others = read("orchestrator/src/reconcile/tests.rs");
    let is_test = |source: &str, name: &str| {
        source.contains(&format!("#[test]\nfn {name}()"))
            || source.contains(&format!("async fn {name}()"))
    };
    let mut named = Vec::new();
    let rows = table.lines().filter(|line| line.starts_with("| "));
    // Below the headings.
    for row in rows.skip(1) {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
        assert_eq!(
            cells.len(),
            4,
            "fault, code and sentence, what is preserved, test: {row}"
        );
        let tests: Vec<&str> = quoted(cells[3]).collect();
        assert!(!tests.is_empty(), "a row without a test: {row}");
        for test in tests {
            let known = if test.ends_with(".rs") {
                root.join(test).is_file()
            } else {
                is_test(&own, test) || is_test(&others, test)
            };
            assert!(known, "there is no test `{test}`: {row}");
            named.push(test);
        }
    }
    let mut lines = own.lines();
    while let Some(line) = lines.next() {
        if line != "#[test]" {
            continue;
        }
        let name = lines
            .next()
            .and_then(|line| line.strip_prefix("fn "))
            .expect("a test");
        let name = name.split('(').next().expect("a name");
        let this = name.starts_with("every_row_of_the_table");
        assert!(
            this || named.contains(&name),
            "`{name}` has no row in docs/faults.md"
        );
    }
}

#[test]
fn a_node_with_an_unreadable_record_says_so_when_it_is_taken_down() {
    let mut node = ready();
    leave(&mut node);
    let record = node.data().join("run/relay/unit.json");
    let sound = std::fs::read(&record).expect("there");
    cut(&record, |length| length / 2);
    node.up();
    node.wait_ready("mint");
    node.wait("the record to be named", |node| {
        node.code("relay", "ready") == "record_unreadable"
    });
    let down = node.cli(&["down"]);
    let said = String::from_utf8_lossy(&down.stderr).into_owned();
    assert_eq!(down.status.code(), Some(1), "{said}");
    assert!(
        said.contains("the record of relay cannot be read"),
        "{said}"
    );
    assert_eq!(node.wait_for_end(), Some(1), "{}", node.daemon_log());
    let programs = [node.programs_of("relay"), node.programs_of("mint")];
    assert_eq!(programs.map(|found| found.len()), [1, 0]);
    std::fs::write(&record, sound).expect("written");
    node.ok(&["down"]);
    assert_eq!(node.processes(), Vec::new(), "nothing stays running");
}

#[test]
fn a_change_while_services_stop_is_refused_and_they_stay_stopped() {
    let mut node = ready();
    let relay = node.service_pid("relay").expect("it runs");
    // A program that was halted does not notice that it is asked to end.
    send(relay, "-STOP");
    std::thread::scope(|scope| {
        let down = scope.spawn(|| node.cli(&["down"]));
        node.wait("the stop", |node| {
            node.service("relay")["state"] == "stopping"
        });
        for words in [
            &["set", "relay.name", "late"][..],
            &["apply"],
            &["remove", "mint"],
            &["retry", "mint"],
        ] {
            let late = node.cli(words);
            let said = String::from_utf8_lossy(&late.stderr).into_owned();
            assert_eq!(late.status.code(), Some(1), "{words:?}: {said}");
            assert!(said.contains("the node is stopping"), "{words:?}: {said}");
        }
        assert!(node.sentence("relay", "ready").contains("s are left"));
        send(relay, "-CONT");
        let down = down.join().expect("it ends");
        assert_eq!(down.status.code(), Some(0), "{down:?}");
    });
    assert_eq!(node.wait_for_end(), Some(0), "{}", node.daemon_log());
    assert_eq!(node.processes(), Vec::new(), "nothing stays running");
}

#[test]
fn a_node_without_its_daemon_is_stopped_without_starting_anything() {
    let mut node = ready();
    let supervisor = node.supervisor_pid("relay").expect("it is supervised");
    let relay = node.service_pid("relay").expect("it runs");
    node.kill_daemon();
    send(supervisor, "-KILL");
    send(relay, "-KILL");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("bound").port();
    let state = StateDb::open(&database(&node.data())).expect("readable");
    state.keep_api_port(port).expect("written");
    drop(state);
    node.ok(&["down"]);
    assert_eq!(node.processes(), Vec::new(), "nothing stays running");
    let state = StateDb::open(&database(&node.data())).expect("readable");
    let events = state.events_after(0, 10_000).expect("readable").events;
    let starts = events
        .iter()
        .filter(|event| event.code == "started" && event.service.as_deref() == Some("relay"));
    assert_eq!(starts.count(), 1, "it was not started to be stopped");
}

#[test]
fn a_mint_whose_volume_is_empty_is_not_started_on_new_data() {
    let mut node = ready();
    let keys = http_get(&node.endpoint("mint", "cashu"), "/v1/keys");
    node.ok(&["down"]);
    node.wait_for_end();
    let volumes = node.data().join("volumes/mint");
    let kept = node.data().with_file_name("kept");
    std::fs::rename(&volumes, &kept).expect("moved");
    std::fs::create_dir(&volumes).expect("a folder");
    node.up();
    node.wait_ready("relay");
    node.wait("the loss to be named", |node| {
        node.code("mint", "ready") == "volume_empty"
    });
    assert_eq!(node.programs_of("mint").len(), 0);
    assert_eq!(
        std::fs::read_dir(&volumes).expect("there").count(),
        0,
        "nothing is made in its place"
    );
    std::fs::remove_dir(&volumes).expect("empty");
    std::fs::rename(&kept, &volumes).expect("moved back");
    node.wait_settled(BOTH);
    assert_eq!(http_get(&node.endpoint("mint", "cashu"), "/v1/keys"), keys);
}
