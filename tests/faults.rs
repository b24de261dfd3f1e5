//! One test for each row of docs/faults.md: what the operator sees, and what is preserved.

#![allow(
    clippy::disallowed_methods,
    reason = "a whole-program test copies folders and mounts file systems"
)]

mod inspect;
mod node;

use std::collections::BTreeMap;
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

fn database(path: &Path) -> PathBuf {
    path.join("state.db")
}

#[test]
fn a_killed_service_is_started_again_and_others_are_untouched() {
    let node = ready();
    let mint = run(&node, "mint");
    let pid = node.service_pid("relay").expect("it runs");
    send(pid, "-KILL");
    node.wait("another relay", |node| {
        node.service_pid("relay").is_some_and(|now| now != pid)
    });
    node.wait_settled(BOTH);
    assert_eq!(run(&node, "mint"), mint);
    let events = node.ok(&["events"]);
    assert!(
        events.contains("ended by signal 9; tries again in 1 s"),
        "{events}"
    );
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
    node.wait("the event", |node| {
        node.ok(&["events"])
            .contains("got a new supervisor; it was not restarted")
    });
}

#[test]
fn a_service_killed_with_its_supervisor_is_started_again() {
    let node = ready();
    let mint = run(&node, "mint");
    let pid = node.service_pid("relay").expect("it runs");
    send(
        node.supervisor_pid("relay").expect("it is supervised"),
        "-KILL",
    );
    send(pid, "-KILL");
    node.wait("another relay", |node| {
        node.service_pid("relay").is_some_and(|now| now != pid)
    });
    node.wait_settled(BOTH);
    assert_eq!(run(&node, "mint"), mint);
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
    node.wait("the relay to back off", |node| {
        node.service("relay")["state"] == "backing_off"
    });
    assert_eq!(node.code("relay", "ready"), "backing_off");
    assert!(
        node.sentence("relay", "ready")
            .contains("waits before the next try")
    );
    // The operator's patience need not be the test's: six failures more are written down, as if they had been waited for.
    leave(&mut node);
    with_record(&node, |record| {
        (record.failures, record.retry_at) = (7, None);
    });
    node.up();
    node.wait("the relay to need the operator", |node| {
        node.service("relay")["state"] == "needs_you"
    });
    assert_eq!(node.code("relay", "ready"), "needs_you");
    let next = node.service("relay")["next"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
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
    let mut disk = SmallDisk {
        node: Some(node),
        path,
    };
    let node = disk.node.as_mut().expect("a node");
    node.up();
    node.wait_settled(BOTH);
    let before = [run(node, "relay"), run(node, "mint")];
    let filler = node.data().join("volumes/filler");
    let filled = Command::new("dd")
        .args(["if=/dev/zero", "bs=64k"])
        .arg(format!("of={}", filler.display()))
        .output();
    assert!(
        filled.is_ok_and(|output| !output.status.success()),
        "the disk is full"
    );
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
    std::fs::remove_file(&filler).expect("removed");
    node.wait_settled(BOTH);
    assert_eq!(run(node, "relay"), before[0]);
    node.ok(&["set", "relay.name", "room"]);
    node.wait("the new name", |node| {
        node.service_pid("relay") != before[0].0
    });
    node.wait_settled(BOTH);
}

#[test]
fn a_corrupt_page_in_state_db_is_refused_and_left_as_it_is() {
    refused(
        |data| scribble(&database(data)),
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
    node.wait("the secret to be missed", |node| {
        node.code("mint", "ready") == "secret_missing"
    });
    assert!(
        node.sentence("mint", "ready")
            .contains("nothing is made in its place")
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
    node.wait("the port to be named", |node| {
        node.code("relay", "ready") == "port_taken"
    });
    assert!(node.sentence("relay", "ready").contains(&address));
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
    copy.spawn();
    assert_eq!(copy.wait_for_end(), DATA_REFUSED);
    assert!(
        copy.daemon_log().contains("flash-node up --moved"),
        "{}",
        copy.daemon_log()
    );
    copy.arg("--moved");
    copy.spawn();
    assert_eq!(copy.wait_for_end(), DATA_REFUSED);
    assert!(
        copy.daemon_log().contains("the original still lies at"),
        "{}",
        copy.daemon_log()
    );
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
    node.wait("the mount to be missed", |node| {
        node.code("relay", "ready") == "storage_missing"
    });
    // Whatever is accepted meanwhile, the mark is not made anew.
    node.ok(&["set", "relay.name", "elsewhere"]);
    assert_eq!(node.code("relay", "ready"), "storage_missing");
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
    node.wait("the mint to wait for the vault", |node| {
        node.code("mint", "ready") == "sealed"
    });
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
    node.up();
    node.wait_ready("mint");
    node.wait("the record to be named", |node| {
        node.service("relay")["state"] == "needs_you"
    });
    assert_eq!(node.code("relay", "ready"), "record_unreadable");
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

/// Scribbles over every database file of a service that is down and says what the operator reads then.
fn own_database_damaged(id: &str, healthy: &str) {
    let mut node = ready();
    node.ok(&["down"]);
    node.wait_for_end();
    let mut folders = vec![node.data().join("volumes").join(id)];
    let mut scribbled = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(".mdb") || name.contains(".sqlite") || name.ends_with(".db") {
                let length =
                    usize::try_from(entry.metadata().expect("there").len()).expect("small");
                std::fs::write(&path, vec![0xA5; length.min(1 << 20)]).expect("written");
                scribbled += 1;
            }
        }
    }
    assert!(scribbled > 0, "{id} keeps a database");
    node.up();
    node.wait_ready(healthy);
    node.wait("the end to be noted", |node| {
        node.service(id)["state"] == "backing_off"
    });
    let said = node.sentence(id, "ready");
    assert!(said.starts_with("ended with code"), "{said}");
    assert_eq!(node.service(healthy)["ready"]["ok"], true);
}

#[test]
fn a_mint_whose_database_is_damaged_does_not_start_on_it() {
    own_database_damaged("mint", "relay");
}

#[test]
fn a_relay_whose_database_is_damaged_does_not_start_on_it() {
    own_database_damaged("relay", "mint");
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
