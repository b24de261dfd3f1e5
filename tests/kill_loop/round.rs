//! Owns one round: a node in a scenario, its death at one point, and what the next start must have made of it.

use std::collections::BTreeMap;

use flash_node::store::state::IntentKind;
use flash_node::store::state::StateDb;
use serde_json::Value;

use crate::inspect::free_port;
use crate::inspect::http_get;
use crate::inspect::try_http_get;
use crate::node::TestNode;
use crate::node::send;

/// What is going on while the orchestrator is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scenario {
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
    /// The relay's data are not a folder, so that it cannot be started.
    Failing,
    /// The operator asks for another try.
    Retry,
    /// The data folder was moved, and the operator says so.
    Moved,
}

use Scenario::Capture;
use Scenario::Crash;
use Scenario::Down;
use Scenario::Failing;
use Scenario::FirstStart;
use Scenario::KeyFile;
use Scenario::Moved;
use Scenario::Passphrase;
use Scenario::RemoveAndPurge;
use Scenario::Retry;
use Scenario::Set;
use Scenario::Stubborn;
use Scenario::Supervise;

/// Reached only where the node chooses the port of its API itself.
pub(crate) const API_PORT_KEPT: &str = "app.api_port_kept";

const PASSPHRASE: &str = "correct horse battery staple";

/// A service that is not concerned keeps both.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Run {
    pid: Option<u32>,
    started_at: Value,
}

/// One node that is killed at one point, from its first start to what must be true at the end.
pub(crate) struct Round {
    node: TestNode,
    scenario: Scenario,
    armed: String,
    /// Whether `armed` counts the commits, so that a round may pass without a death: then the last one was found.
    pub(crate) every_commit: bool,
    survived: bool,
    /// Whether all that the scenario asks for was acknowledged.
    done: bool,
    /// The program that the scenario itself killed.
    killed: Option<u32>,
    before: BTreeMap<&'static str, Run>,
    /// What had been accepted before the scenario changed anything.
    accepted: Option<String>,
    /// The record of each program that ran when the next orchestrator was started, and that nobody wanted to stop.
    alive: BTreeMap<&'static str, Value>,
}

impl Round {
    pub(crate) fn new(scenario: Scenario, armed: &str) -> Self {
        let mut node = TestNode::new("demo");
        let twin = format!(
            "[services.twin]\nmanifest = \"twin\"\n\n[services.twin.ports]\nhttp = {}\n",
            free_port()
        );
        let more = if matches!(scenario, Stubborn | Capture) {
            &twin
        } else {
            ""
        };
        if armed == API_PORT_KEPT {
            node.with_own_service_ports(more);
        } else {
            node.with_own_ports(more);
        }
        Self {
            node,
            scenario,
            armed: armed.to_owned(),
            every_commit: false,
            survived: false,
            done: false,
            killed: None,
            before: BTreeMap::new(),
            accepted: None,
            alive: BTreeMap::new(),
        }
    }

    /// Runs the scenario and returns whether the orchestrator outlived it.
    pub(crate) fn run(mut self) -> bool {
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
            Failing => self.failing(),
            Retry => self.retry(),
            Moved => self.moved(),
        }
        self.survived
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
        self.accepted = self.state().and_then(|state| accepted(&state));
        self.arm();
        self.node.spawn();
        // The relay answers a new orchestrator before anything is asked of it; some die before that.
        self.node.wait("the relay to be seen ready", |node| {
            node.ended() || node.service("relay")["ready"]["ok"] == true
        });
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
        self.node.env("FLASH_FAILPOINT", Some(&self.armed));
    }

    /// Waits until the armed orchestrator dies by its failpoint, and looks at what it leaves. Where commits are
    /// counted it may outlive the scenario, and is killed then.
    fn die(&mut self) {
        let died = self.node.wait_for("the failpoint to kill", |node| {
            let lives = || (self.every_commit && self.settled()).then_some(false);
            if node.ended() { Some(true) } else { lives() }
        });
        if died {
            let ended = self.node.wait_for_end();
            let log = self.node.daemon_log();
            assert_eq!(ended, None, "it died by its failpoint\n{log}");
        } else {
            self.survived = true;
            self.node.kill_daemon();
        }
        self.note_alive();
    }

    fn start_again(&mut self) {
        self.node.env("FLASH_FAILPOINT", None);
        self.node.up();
    }

    fn die_and_start_again(&mut self) {
        self.die();
        self.start_again();
    }

    /// Whether nothing of the scenario is left to be written.
    fn settled(&self) -> bool {
        let said =
            |args: &[&str]| String::from_utf8_lossy(&self.node.cli(args).stdout).into_owned();
        let times = |event: &str| said(&["events"]).matches(event).count();
        let quiet = || said(&["plan"]).starts_with("nothing to do");
        match self.scenario {
            FirstStart => times("(first_ready)") == 2 && quiet(),
            Set => {
                self.done
                    && times("  relay: started (started)") == 2
                    && self.relay_name().as_deref() == Some("after")
                    && quiet()
            }
            RemoveAndPurge => self.done,
            _ => false,
        }
    }

    /// What `state.db` says now, from a copy: the next orchestrator must find the original as it was left.
    fn state(&self) -> Option<StateDb> {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["state.db", "state.db-wal"] {
            // Neither need be there.
            let _ = std::fs::copy(self.node.data().join(name), folder.path().join(name));
        }
        StateDb::open(&folder.path().join("state.db")).ok()
    }

    /// The runtime's own record of a service's program: which process, from which start.
    fn child(&self, id: &str) -> Option<Value> {
        let record =
            std::fs::read(self.node.data().join("run").join(id).join("child.json")).ok()?;
        serde_json::from_slice(&record).ok()
    }

    /// Notes which programs the next orchestrator must leave alone: those that live, that nobody was about to stop,
    /// and whose service was not changed.
    fn note_alive(&mut self) {
        self.alive.clear();
        let Some(state) = self.state() else { return };
        let changed = match self.scenario {
            Set | RemoveAndPurge if accepted(&state) != self.accepted => Some("relay"),
            Stubborn if accepted(&state) != self.accepted => Some("twin"),
            _ => None,
        };
        let records = state.records().expect("readable");
        for id in ["relay", "mint", "twin"] {
            let pid = self.node.service_pid(id);
            if pid.is_none() || pid == self.killed || changed == Some(id) {
                continue;
            }
            let record = records
                .values()
                .find(|record| record.service.as_str() == id);
            let intent = record.and_then(|record| record.intent.as_ref());
            if !matches!(
                intent.map(|intent| &intent.kind),
                Some(IntentKind::Stop { .. })
            ) {
                self.alive.insert(id, self.child(id).expect("it runs"));
            }
        }
        let mint_runs_throughout = !matches!(self.scenario, FirstStart | Capture | Down | Moved);
        assert!(
            !mint_runs_throughout || self.alive.contains_key("mint"),
            "the mint is one of them: {:?}",
            self.alive
        );
    }

    /// What ran when the orchestrator was started again is ready and was not started anew. From here on the scenario
    /// may change it.
    fn untouched(&mut self) {
        for (id, child) in std::mem::take(&mut self.alive) {
            self.node.wait_ready(id);
            let now = self.child(id);
            assert_eq!(
                now.as_ref(),
                Some(&child),
                "{id} ran and nobody wanted to stop it\n{}",
                self.node.scene()
            );
        }
    }

    /// Every service in `ids` is ready and runs once, nothing else of the node runs, and `kept` were not touched.
    fn converged(&mut self, ids: &[&str], kept: &[&'static str]) {
        self.node.wait_settled(ids);
        self.untouched();
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
        let relay = self.node.service("relay");
        let address = relay["endpoints"][0]["url"]
            .as_str()?
            .replace("ws://", "http://");
        let document: Value = serde_json::from_str(&try_http_get(&address, "/").ok()?).ok()?;
        Some(document["name"].as_str()?.to_owned())
    }

    fn set(&mut self) {
        self.prepare();
        let set = self.node.cli(&["set", "relay.name", "after"]);
        self.done = set.status.success();
        self.die_and_start_again();
        if !self.done {
            // It may be in effect or not, but asking again must work.
            self.node.wait_settled(&["relay", "mint"]);
            self.untouched();
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
        let removed = self.node.cli(&["remove", "relay"]).status.success();
        let purging = removed && (self.every_commit || self.armed.starts_with("purge"));
        if purging {
            self.node.wait("the relay to be gone", |node| {
                node.ended() || gone(node, "relay")
            });
            let purged = self.node.cli(&["purge", "relay", "--confirm", "relay"]);
            self.done = purged.status.success();
        }
        self.die_and_start_again();
        if !removed {
            let accepted = !self.alive.contains_key("relay");
            self.node.wait_settled(if accepted {
                &["mint"]
            } else {
                &["relay", "mint"]
            });
            self.untouched();
            let again = self.node.cli(&["remove", "relay"]);
            assert!(
                again.status.success() || gone(&self.node, "relay"),
                "{again:?}"
            );
        }
        self.node
            .wait("the relay to be gone", |node| gone(node, "relay"));
        self.converged(&["mint"], &["mint"]);
        assert!(purging || data.exists(), "removing keeps the data");
        if !self.done {
            let again = self.node.cli(&["purge", "relay", "--confirm", "relay"]);
            let had_happened = purging && !data.exists();
            assert!(again.status.success() || had_happened, "{again:?}");
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
        self.killed = Some(pid);
        send(pid, "-KILL");
        self.die_and_start_again();
        self.converged(&["relay", "mint"], &["mint"]);
        assert_ne!(self.node.service_pid("relay"), Some(pid));
    }

    fn failing(&mut self) {
        self.prepare();
        let volume = self.node.data().join("volumes/relay");
        let aside = self.node.data().join("volumes/relay-aside");
        std::fs::rename(&volume, &aside).expect("moved");
        std::fs::write(&volume, "no folder").expect("written");
        let pid = self.node.service_pid("relay").expect("it runs");
        self.killed = Some(pid);
        send(pid, "-KILL");
        self.die();
        std::fs::remove_file(&volume).expect("removed");
        std::fs::rename(&aside, &volume).expect("moved back");
        self.start_again();
        self.converged(&["relay", "mint"], &["mint"]);
    }

    fn retry(&mut self) {
        self.prepare();
        let asked = self.node.cli(&["retry", "relay"]);
        assert!(
            !asked.status.success(),
            "the orchestrator died while it was asked"
        );
        self.die_and_start_again();
        self.converged(&["relay", "mint"], &["relay", "mint"]);
        self.node.ok(&["retry", "relay"]);
        self.converged(&["relay", "mint"], &["relay", "mint"]);
    }

    fn moved(&mut self) {
        self.node.up();
        self.node.wait_settled(&["relay", "mint"]);
        let keys = http_get(&self.node.endpoint("mint", "cashu"), "/v1/keys");
        self.node.ok(&["down"]);
        assert_eq!(self.node.wait_for_end(), Some(0));
        let mut moved = TestNode::new("demo");
        std::fs::rename(self.node.data(), moved.data()).expect("moved");
        moved
            .arg("--listen")
            .arg(&format!("127.0.0.1:{}", free_port()))
            .arg("--moved");
        self.node = moved;
        self.arm();
        self.node.spawn();
        self.die_and_start_again();
        self.converged(&["relay", "mint"], &[]);
        let kept = http_get(&self.node.endpoint("mint", "cashu"), "/v1/keys");
        assert_eq!(kept, keys, "it is the same mint");
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
            .file("manifests/twin.toml", &twin("stop_grace_seconds = 5", ""));
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

/// The operator's choices that were accepted last.
fn accepted(state: &StateDb) -> Option<String> {
    let accepted = state.accepted().expect("readable");
    accepted.map(|accepted| accepted.choices)
}

/// Whether a daemon answers and knows nothing of a service any more.
fn gone(node: &TestNode, id: &str) -> bool {
    let status = node.try_status().unwrap_or(Value::Null);
    let services = status["services"].as_array();
    services.is_some_and(|services| services.iter().all(|service| service["id"] != id))
}

/// A service of the operator's own that runs our relay's program with its own settings.
fn twin(grace: &str, more: &str) -> String {
    let relay = include_str!("../../manifests/services/relay.toml");
    let changed = relay
        .replace("id = \"relay\"", "id = \"twin\"")
        .replace("image = \"self\"\n", "")
        .replace("stop_grace_seconds = 30", grace)
        .replace("default = 4421", "default = 4521");
    format!("{changed}\n{more}")
}
