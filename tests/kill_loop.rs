//! Kills the orchestrator at every persisted step, as a power cut would, and looks at what the next start makes of it.
//!
//! Whoever adds a failpoint gives it a scenario here, or names the test elsewhere that kills at it.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a whole-program test watches the real clock, and says how long each round took"
)]

mod inspect;
mod node;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Condvar;
use std::sync::Mutex;
use std::time::Instant;

use flash_node::fail::POINTS;
use inspect::free_port;
use inspect::http_get;
use inspect::try_http_get;
use node::TestNode;
use node::send;
use serde_json::Value;

/// What is going on while the orchestrator is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scenario {
    /// The first start of a new node.
    FirstStart,
    /// A setting of the relay is changed, so that it is restarted.
    Set,
    /// The relay is removed, and its data are purged.
    RemoveAndPurge,
    /// A passphrase is set.
    Passphrase,
    /// A key file is made, after a passphrase.
    KeyFile,
    /// The node is taken down.
    Down,
    /// The relay's program dies and its end is noted.
    Crash,
    /// The relay's supervisor dies and it gets another one.
    Supervise,
    /// A program that does not stop is removed, and has to be killed.
    Stubborn,
    /// A job keeps what a program answered as a secret.
    Capture,
}

use Scenario::Capture;
use Scenario::Crash;
use Scenario::Down;
use Scenario::FirstStart;
use Scenario::KeyFile;
use Scenario::Passphrase;
use Scenario::RemoveAndPurge;
use Scenario::Set;
use Scenario::Stubborn;
use Scenario::Supervise;

/// Where each failpoint is reached. A number kills at that passage of the point.
const ROUNDS: &[(Scenario, &[&str])] = &[
    (
        FirstStart,
        &[
            "folder.identity_written",
            "app.folder",
            "migrate.before_commit",
            "app.state_created",
            "vault.create.self_key_written",
            "vault.create.database_built",
            "vault.create.slots_written",
            "app.vault_created",
            "app.accepted",
            "app.initialised",
            "start.begin",
            "start.intended",
            "vault.secret.before_commit",
            "vault.secret.after_commit",
            "secret.made",
            "secret.promised",
            "start.filled",
            "start.prepared",
            "start.ensured",
            "start.noted",
            "start.ensured:2",
            "start.noted:2",
            "state.before_commit",
            "state.before_commit:2",
            "state.before_commit:3",
            "state.before_commit:5",
            "state.before_commit:8",
            "state.before_commit:12",
            "state.after_commit",
            "state.after_commit:4",
            "state.after_commit:6",
            "state.after_commit:10",
        ],
    ),
    (
        Set,
        &[
            "set.written",
            "apply.accepted",
            "stop.begin",
            "stop.intended",
            "stop.asked",
            "stop.noted",
            "observe.begin",
            "observe.noted",
            "start.begin",
            "start.intended",
            "start.filled",
            "start.prepared",
            "start.ensured",
            "start.noted",
        ],
    ),
    (
        RemoveAndPurge,
        &[
            "stop.intended",
            "stop.asked",
            "clean.begin",
            "clean.intended",
            "clean.cleaned",
            "clean.noted",
            "purge.begin",
            "purge.intended",
            "purge.deleted",
        ],
    ),
    (
        Passphrase,
        &[
            "vault.slots.before_previous",
            "vault.slots.before_rename",
            "vault.passphrase.slots_written",
            "vault.passphrase.self_key_removed",
        ],
    ),
    (
        KeyFile,
        &[
            "vault.key_file.file_written",
            "vault.key_file.slots_written",
        ],
    ),
    (
        Down,
        &[
            "stop.begin",
            "stop.asked:2",
            "clean.begin",
            "clean.cleaned",
            "clean.noted:2",
        ],
    ),
    (
        Crash,
        &[
            "observe.begin",
            "observe.noted",
            "start.intended",
            "start.ensured",
        ],
    ),
    (Supervise, &["supervise.begin", "supervise.ensured"]),
    (Stubborn, &["kill.begin", "kill.killed"]),
    (Capture, &["capture.stored", "capture.promised"]),
];

/// Points that no scenario of a whole node reaches, with the test that kills at them.
const ELSEWHERE: &[(&str, &str)] = &[
    (
        "migrate.copied",
        "store::sqlite::tests::migrations: there is one schema so far, so that no node migrates",
    ),
    (
        "migrate.after_commit",
        "store::sqlite::tests::migrations: there is one schema so far, so that no node migrates",
    ),
];

const PASSPHRASE: &str = "correct horse battery staple";

#[test]
fn every_failpoint_is_reached_by_a_scenario_or_named_elsewhere() {
    let mut known: BTreeSet<&str> = ELSEWHERE.iter().map(|(point, _)| *point).collect();
    let rounds = ROUNDS.iter().flat_map(|(_, points)| points.iter());
    known.extend(rounds.map(|armed| armed.split(':').next().expect("a name")));
    let all: BTreeSet<&str> = POINTS.iter().copied().collect();
    assert_eq!(known, all);
}

#[test]
fn a_kill_at_any_step_of_the_first_start_is_made_good_by_the_next_start() {
    kill_in(&[FirstStart]);
}

#[test]
fn a_kill_at_any_step_of_a_change_is_made_good_by_the_next_start() {
    kill_in(&[Set, RemoveAndPurge, Down]);
}

#[test]
fn a_kill_at_any_step_of_the_vault_is_made_good_by_the_next_start() {
    kill_in(&[Passphrase, KeyFile, Capture]);
}

#[test]
fn a_kill_while_a_fault_of_a_service_is_handled_is_made_good_by_the_next_start() {
    kill_in(&[Crash, Supervise, Stubborn]);
}

/// Runs every round of `scenarios`, two at a time, and reports all that failed.
fn kill_in(scenarios: &[Scenario]) {
    let wanted = ROUNDS
        .iter()
        .filter(|(scenario, _)| scenarios.contains(scenario));
    let rounds =
        wanted.flat_map(|(scenario, points)| points.iter().map(|point| (*scenario, *point)));
    let queue: Mutex<Vec<(Scenario, &str)>> = Mutex::new(rounds.collect());
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some((scenario, armed)) = queue.lock().expect("no panic holds it").pop()
                    else {
                        return;
                    };
                    let _turn = Turn::take();
                    let begun = Instant::now();
                    let round = std::panic::AssertUnwindSafe(|| Round::new(scenario, armed).run());
                    let ended = std::panic::catch_unwind(round);
                    println!(
                        "{scenario:?} at {armed}: {} ms",
                        begun.elapsed().as_millis()
                    );
                    if let Err(panic) = ended {
                        let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
                        failed
                            .lock()
                            .expect("no panic holds it")
                            .push(format!("{scenario:?} at {armed}: {text}"));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().expect("every thread ended");
    assert!(
        failed.is_empty(),
        "{} rounds failed:\n{}",
        failed.len(),
        failed.join("\n\n")
    );
}

/// The right to run a node: so many run at once, in all tests together.
struct Turn;

static TAKEN: (Mutex<u32>, Condvar) = (Mutex::new(0), Condvar::new());
const AT_ONCE: u32 = 1;

impl Turn {
    fn take() -> Self {
        let taken = TAKEN.0.lock().expect("no panic holds it");
        let mut taken = TAKEN
            .1
            .wait_while(taken, |taken| *taken >= AT_ONCE)
            .expect("no panic holds it");
        *taken += 1;
        Self
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *TAKEN.0.lock().expect("no panic holds it") -= 1;
        TAKEN.1.notify_one();
    }
}

/// A service that is not concerned keeps both.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Run {
    pid: Option<u32>,
    started_at: Value,
}

struct Round {
    node: TestNode,
    scenario: Scenario,
    armed: &'static str,
    before: BTreeMap<&'static str, Run>,
}

impl Round {
    fn new(scenario: Scenario, armed: &'static str) -> Self {
        let mut node = TestNode::new("demo");
        let twin = format!(
            "[services.twin]\nmanifest = \"twin\"\n\n[services.twin.ports]\nhttp = {}\n",
            free_port()
        );
        node.with_own_ports(if matches!(scenario, Stubborn | Capture) {
            &twin
        } else {
            ""
        });
        Self {
            node,
            scenario,
            armed,
            before: BTreeMap::new(),
        }
    }

    fn run(mut self) {
        match self.scenario {
            FirstStart => self.first_start(),
            Set => self.set(),
            RemoveAndPurge => self.remove_and_purge(),
            Passphrase => self.passphrase(),
            KeyFile => self.key_file(),
            Down => self.down(),
            Crash => self.crash(),
            Supervise => self.supervise(),
            Stubborn => self.stubborn(),
            Capture => self.capture(),
        }
    }

    /// Runs the node to where the scenario begins, then once more with the failpoint armed.
    fn prepare(&mut self) {
        self.node.up();
        let all: &[&str] = if self.scenario == Stubborn {
            &["relay", "mint", "twin"]
        } else {
            &["relay", "mint"]
        };
        self.node.wait_settled(all);
        self.remember();
        self.node.kill_daemon();
        self.arm();
        self.node.up();
        // The relay answers a new orchestrator before anything is asked of it.
        self.node.wait_ready("relay");
    }

    fn remember(&mut self) {
        for id in ["relay", "mint"] {
            self.before.insert(id, self.look(id));
        }
    }

    fn look(&self, id: &str) -> Run {
        Run {
            pid: self.node.service_pid(id),
            started_at: self.node.service(id)["started_at"].clone(),
        }
    }

    fn arm(&mut self) {
        self.node.env("FLASH_FAILPOINT", Some(self.armed));
    }

    /// Waits for the armed orchestrator to die by its failpoint and starts the next one.
    fn die_and_start_again(&mut self) {
        assert_eq!(
            self.node.wait_for_end(),
            None,
            "it died by its failpoint\n{}",
            self.node.daemon_log()
        );
        self.node.env("FLASH_FAILPOINT", None);
        self.node.up();
    }

    /// Every service in `ids` is ready and runs once, nothing else of the node runs, and `kept` were not touched.
    fn converged(&self, ids: &[&str], kept: &[&'static str]) {
        self.node.wait_settled(ids);
        for id in kept {
            assert_eq!(
                Some(&self.look(id)),
                self.before.get(id),
                "{id} was not touched\n{}",
                self.node.daemon_log()
            );
        }
        let plan = self.node.ok(&["plan"]);
        assert!(plan.starts_with("nothing to do"), "{plan}");
    }

    fn first_start(&mut self) {
        self.arm();
        self.node.spawn();
        self.die_and_start_again();
        self.converged(&["relay", "mint"], &[]);
        // Money issued after the accident is worth the same after the next one: the mint keeps its keys.
        let keys = http_get(&self.node.endpoint("mint", "cashu"), "/v1/keys");
        self.remember();
        self.node.kill_daemon();
        self.node.up();
        self.converged(&["relay", "mint"], &["relay", "mint"]);
        assert_eq!(
            http_get(&self.node.endpoint("mint", "cashu"), "/v1/keys"),
            keys
        );
    }

    /// The name that the relay tells clients; nothing while it restarts.
    fn relay_name(&self) -> Option<String> {
        let address = self
            .node
            .endpoint("relay", "nostr")
            .replace("ws://", "http://");
        let document: Value = serde_json::from_str(&try_http_get(&address, "/").ok()?).ok()?;
        Some(document["name"].as_str()?.to_owned())
    }

    fn set(&mut self) {
        self.prepare();
        let acknowledged = self
            .node
            .cli(&["set", "relay.name", "after"])
            .status
            .success();
        self.die_and_start_again();
        if !acknowledged {
            // It may be in effect or not, but asking again must work.
            self.node.wait_settled(&["relay", "mint"]);
            self.node.ok(&["set", "relay.name", "after"]);
        }
        self.node.wait("the new name", |node| {
            node.service("relay")["ready"]["ok"] == true
                && self.relay_name().as_deref() == Some("after")
        });
        self.converged(&["relay", "mint"], &["mint"]);
        let choices =
            std::fs::read_to_string(self.node.data().join("node.toml")).expect("node.toml");
        assert!(choices.contains("after"), "{choices}");
    }

    fn remove_and_purge(&mut self) {
        self.prepare();
        let data = self.node.data().join("volumes/relay");
        assert!(data.exists());
        let mut purged = false;
        let removed = self.node.cli(&["remove", "relay"]).status.success();
        if removed && self.armed.starts_with("purge") {
            self.node.wait("the relay to be gone", |node| {
                node.service("relay").is_null()
            });
            purged = self
                .node
                .cli(&["purge", "relay", "--confirm", "relay"])
                .status
                .success();
        }
        self.die_and_start_again();
        if !removed {
            self.node.wait_settled(&["mint"]);
            let again = self.node.cli(&["remove", "relay"]);
            let gone = self.node.service("relay").is_null();
            assert!(again.status.success() || gone, "{again:?}");
        }
        self.node.wait("the relay to be gone", |node| {
            node.service("relay").is_null()
        });
        self.converged(&["mint"], &["mint"]);
        if !self.armed.starts_with("purge") {
            assert!(data.exists(), "removing keeps the data");
        }
        // A deletion that was begun was finished by the start before.
        if !purged && data.exists() {
            self.node.ok(&["purge", "relay", "--confirm", "relay"]);
        }
        assert!(!data.exists(), "purging deletes the data");
        let again = self.node.cli(&["purge", "relay", "--confirm", "relay"]);
        assert!(!again.status.success(), "nothing is left to purge");
        self.converged(&["mint"], &["mint"]);
    }

    fn passphrase(&mut self) {
        self.prepare();
        let set = self
            .node
            .cli_with_input(&["passphrase", "change"], &format!("{PASSPHRASE}\n"));
        assert!(
            !set.status.success(),
            "the orchestrator died while it was asked"
        );
        self.die_and_start_again();
        self.converged(&["relay", "mint"], &["relay", "mint"]);
        if self.node.status()["vault"]["state"] == "sealed" {
            let opened = self
                .node
                .cli_with_input(&["unlock"], &format!("{PASSPHRASE}\n"));
            assert!(opened.status.success(), "{opened:?}");
        }
        // Whatever the accident left, the vault holds what it held: the mint starts from it.
        let old = if self.node.status()["vault"]["state"] == "open" {
            format!("{PASSPHRASE}\n")
        } else {
            String::new()
        };
        let changed = self.node.cli_with_input(
            &["passphrase", "change"],
            &format!("{old}another {PASSPHRASE}\n"),
        );
        assert!(
            changed.status.success(),
            "{changed:?}\n{}",
            self.node.daemon_log()
        );
        let pid = self.node.service_pid("mint").expect("the mint runs");
        send(pid, "-KILL");
        self.node.wait("another mint", |node| {
            node.service_pid("mint").is_some_and(|now| now != pid)
        });
        self.converged(&["relay", "mint"], &["relay"]);
    }

    fn key_file(&mut self) {
        self.prepare();
        let set = self
            .node
            .cli_with_input(&["passphrase", "change"], &format!("{PASSPHRASE}\n"));
        assert!(set.status.success(), "{set:?}");
        let path = self.node.data().with_file_name("stick.key");
        let path_text = path.display().to_string();
        let added = self.node.cli(&["key-file", "add", &path_text]);
        assert!(
            !added.status.success(),
            "the orchestrator died while it was asked"
        );
        self.die_and_start_again();
        self.converged(&["relay", "mint"], &["relay", "mint"]);
        assert_eq!(self.node.status()["vault"]["state"], "sealed");
        let opened = self
            .node
            .cli_with_input(&["unlock"], &format!("{PASSPHRASE}\n"));
        assert!(opened.status.success(), "{opened:?}");
        let other = self
            .node
            .data()
            .with_file_name("other.key")
            .display()
            .to_string();
        self.node.ok(&["key-file", "add", &other]);
        self.node.ok(&["seal"]);
        self.node.ok(&["unlock", "--key-file", &other]);
        assert_eq!(self.node.status()["vault"]["state"], "open");
    }

    fn down(&mut self) {
        self.prepare();
        let _ = self.node.cli(&["down"]);
        self.die_and_start_again();
        self.converged(&["relay", "mint"], &[]);
        self.node.ok(&["down"]);
        assert_eq!(self.node.wait_for_end(), Some(0));
        assert_eq!(self.node.processes(), Vec::new(), "nothing stays running");
    }

    fn crash(&mut self) {
        self.prepare();
        let pid = self.node.service_pid("relay").expect("it runs");
        send(pid, "-KILL");
        self.die_and_start_again();
        self.converged(&["relay", "mint"], &["mint"]);
        assert_ne!(self.node.service_pid("relay"), Some(pid));
    }

    fn supervise(&mut self) {
        self.prepare();
        let shim = self.node.supervisor_pid("relay").expect("it is supervised");
        send(shim, "-KILL");
        self.die_and_start_again();
        self.converged(&["relay", "mint"], &["relay", "mint"]);
        assert_ne!(self.node.supervisor_pid("relay"), Some(shim));
    }

    fn stubborn(&mut self) {
        self.node
            .file("manifests/twin.toml", &twin("stop_grace_seconds = 1", ""));
        self.prepare();
        self.node.wait_ready("twin");
        // A program that was stopped for good does not notice that it is asked to end.
        send(self.node.service_pid("twin").expect("it runs"), "-STOP");
        self.node.ok(&["remove", "twin"]);
        self.die_and_start_again();
        self.node
            .wait("the twin to be gone", |node| node.service("twin").is_null());
        self.converged(&["relay", "mint"], &["relay", "mint"]);
    }

    fn capture(&mut self) {
        let secret = "[secrets.caught]\nmake = \"captured\"\nholds = \"What the program answered.\"\nfile = false\n";
        let job = "[[init]]\nname = \"catch\"\nwhen = \"alive\"\n\n[[init.steps]]\n\
                   ask = { kind = \"http\", port = \"http\", path = \"/\", headers = { Accept = \"application/nostr+json\" } }\n\
                   capture = [{ pointer = \"/name\", secret = \"caught\" }]\n";
        self.node.file(
            "manifests/twin.toml",
            &twin("stop_grace_seconds = 5", &format!("{secret}\n{job}")),
        );
        self.arm();
        self.node.spawn();
        self.die_and_start_again();
        self.converged(&["relay", "mint", "twin"], &[]);
    }
}

/// A service of the operator's own that runs our relay's program with its own settings.
fn twin(grace: &str, more: &str) -> String {
    let relay = include_str!("../manifests/services/relay.toml");
    let changed = relay
        .replace("id = \"relay\"", "id = \"twin\"")
        .replace("image = \"self\"\n", "")
        .replace("stop_grace_seconds = 30", grace)
        .replace("default = 4421", "default = 4521");
    format!("{changed}\n{more}")
}
