//! Owns kills of the orchestrator at its persisted steps, while it starts, changes, replaces a credential and removes
//! containers. Which steps there are is seen in a rehearsal of each work; of these a seeded sample is killed at.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;

use serde_json::Value;

use crate::engine::Node;
use crate::engine::PASSPHRASE;
use crate::engine::docker;
use crate::engine::have_engine;
use crate::engine::packed_by_name;
use crate::engine::packed_postgres;
use crate::inspect::http_get;
use crate::kills::SEED;
use crate::kills::generation;
use crate::kills::opens;
use crate::kills::settled;
use crate::node::TestNode;

/// At how many steps of each work the orchestrator is killed: all of them, each once, where there are fewer.
const EACH: &str = "FLASH_KILL_EACH";
/// What the sample takes where that says nothing.
const FEW: usize = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Work {
    FirstStart,
    Starting,
    Changing,
    Rotating,
    Removing,
}

use Work::Changing;
use Work::FirstStart;
use Work::Removing;
use Work::Rotating;
use Work::Starting;

/// The steps of one work: the numbers under which each point is passed, counted from the start of the daemon.
type Steps = BTreeMap<String, Vec<u64>>;

/// What is true of a node that nothing is done to.
#[derive(Debug, PartialEq, Eq)]
struct Whole {
    /// The money of the mint.
    keys: String,
    /// Every network by name.
    networks: BTreeSet<String>,
    /// Every container by name, with its start.
    containers: BTreeMap<String, String>,
}

#[test]
fn a_kill_of_the_orchestrator_at_a_sample_of_all_steps_is_made_good_by_the_next_start() {
    if !have_engine() {
        return;
    }
    let seed = std::env::var(SEED).ok().and_then(|text| text.parse().ok());
    let mut random = fastrand::Rng::with_seed(seed.unwrap_or(0x0f1a_5401));
    let mut wanted = vec![("relay", None), ("mint", None)];
    wanted.extend(packed_postgres().map(|image| ("postgres", Some(image))));
    wanted.extend(packed_by_name("bitcoind").map(|image| ("bitcoind", Some(image))));
    let mut killed: BTreeMap<Work, Vec<String>> = BTreeMap::new();
    let mut known = 0;

    let mut first = Bench::new(&wanted);
    let steps = first.rehearse(FirstStart);
    drop(first);
    known += steps.len();
    for armed in sample(&steps, &mut random) {
        let mut bench = Bench::new(&wanted);
        if bench.kill_at(FirstStart, &armed) {
            killed.entry(FirstStart).or_default().push(armed);
        }
    }

    let mut bench = Bench::new(&wanted);
    bench.node.up();
    bench.wait_whole(FirstStart);
    for work in [Starting, Changing, Rotating, Removing] {
        if work == Rotating && bench.edges().is_empty() {
            continue;
        }
        let steps = bench.rehearse(work);
        known += steps.len();
        for armed in sample(&steps, &mut random) {
            if bench.kill_at(work, &armed) {
                killed.entry(work).or_default().push(armed);
            }
        }
    }
    let total: usize = killed.values().map(Vec::len).sum();
    println!(
        "{total} kills of the orchestrator in containers were made good, of {known} steps that the rehearsals passed: {killed:?}"
    );
    // What is passed once may be passed in another order the next time, so that a number can be missed, but not most.
    for (work, all) in &killed {
        assert!(!all.is_empty(), "{work:?}");
    }
    assert!(total >= FEW * killed.len() - killed.len(), "{killed:?}");
    assert!(killed.len() >= 4, "{killed:?}");
}

/// Draws steps, each of another point.
fn sample(steps: &Steps, random: &mut fastrand::Rng) -> Vec<String> {
    let each = std::env::var(EACH).ok().and_then(|text| text.parse().ok());
    let mut points: Vec<&String> = steps.keys().collect();
    random.shuffle(&mut points);
    points.truncate(each.unwrap_or(FEW));
    points
        .into_iter()
        .map(|point| {
            let numbers = &steps[point];
            format!("{point}:{}", numbers[random.usize(..numbers.len())])
        })
        .collect()
}

/// A node on which work is rehearsed and cut short.
struct Bench {
    node: Node,
    services: Vec<&'static str>,
    /// What node.toml said before a service was removed.
    choices: String,
    /// How often something was done: names and edges change with it.
    turn: usize,
    /// The name that the relay was given last.
    name: String,
}

impl Bench {
    fn new(wanted: &[(&'static str, Option<String>)]) -> Self {
        let node = Node::new(wanted, "");
        Self {
            services: wanted.iter().map(|(name, _)| *name).collect(),
            choices: String::new(),
            node,
            turn: 0,
            name: String::new(),
        }
    }

    /// The edges whose credential is replaced.
    fn edges(&self) -> Vec<&'static str> {
        let of = |service, edge| self.services.contains(&service).then_some(edge);
        let all = [
            of("postgres", "node/sql/postgres"),
            of("bitcoind", "node/rpc/bitcoind"),
        ];
        all.into_iter().flatten().collect()
    }

    fn all_ready(&self) -> bool {
        let Some(status) = self.node.node.try_status() else {
            return false;
        };
        let all = status["services"].as_array().expect("services");
        let ready = all.iter().filter(|one| one["ready"]["ok"] == true);
        ready.count() == self.services.len()
    }

    fn nothing_to_do(&self) -> bool {
        let plan = self.node.node.cli(&["plan"]);
        plan.stdout.starts_with(b"nothing to do")
    }

    /// Waits until every service is ready and nothing is to be done, and looks.
    fn wait_whole(&self, after: impl std::fmt::Debug) -> Whole {
        for service in &self.services {
            self.node.node.wait_ready(service);
        }
        settled(&self.node, &format!("{after:?}"));
        self.look()
    }

    fn look(&self) -> Whole {
        let filter = format!("label=flash.node={}", self.node.id());
        let list = [
            "network",
            "ls",
            "--format",
            "{{.Name}}",
            "--filter",
            &filter,
        ];
        let names = docker(&list);
        let mut containers = BTreeMap::new();
        for id in self.node.all("container") {
            let found: Value = serde_json::from_str(&docker(&["inspect", &id])).expect("JSON");
            let state = &found[0]["State"];
            assert_eq!(state["Running"], true, "{}", found[0]["Name"]);
            let text = |value: &Value| value.as_str().expect("a text").to_owned();
            containers.insert(text(&found[0]["Name"]), text(&state["StartedAt"]));
        }
        Whole {
            keys: http_get(&self.node.node.endpoint("mint", "cashu"), "/v1/keysets"),
            networks: names.lines().map(str::to_owned).collect(),
            containers,
        }
    }

    /// Brings the node to where `work` begins, without a daemon.
    fn prepare(&mut self, work: Work) {
        match work {
            FirstStart => {}
            Starting => {
                self.node.node.ok(&["down"]);
                assert_eq!(self.node.node.wait_for_end(), Some(0));
            }
            Changing | Rotating => self.node.node.kill_daemon(),
            Removing => {
                self.node.node.kill_daemon();
                let choices = std::fs::read_to_string(self.node.node.data().join("node.toml"));
                self.choices = choices.expect("choices");
            }
        }
    }

    /// Starts a daemon and does `work`, or what it can until the daemon is gone. Returns whether it was acknowledged, and
    /// how much of `trace` had been written when it began.
    fn work(&mut self, work: Work, trace: &Path) -> (bool, usize) {
        self.turn += 1;
        let node = &mut self.node.node;
        node.spawn();
        node.wait("an answer, or an end", |one| {
            one.ended() || one.try_status().is_some()
        });
        let unlocked = if work == FirstStart {
            give_passphrase(node)
        } else {
            let unlock = node.cli_with_input(&["unlock"], &format!("{PASSPHRASE}\n"));
            unlock.status.success()
        };
        self.node.node.wait("everything, or an end", |one| {
            one.ended() || self.all_ready()
        });
        let begun = match work {
            FirstStart | Starting => 0,
            Changing | Rotating | Removing => passed(trace).len(),
        };
        let name = format!("turn {}", self.turn);
        let done = match work {
            FirstStart | Starting => unlocked,
            Changing => self.succeeds(&["set", "relay.name", &name]),
            Rotating => self.succeeds(&["rotate", self.edge(), "--timeout", "60"]),
            Removing => self.succeeds(&["remove", "relay"]),
        };
        if work == Changing && done {
            self.name = name;
        }
        self.node.node.wait("nothing to do, or an end", |one| {
            one.ended() || self.nothing_to_do()
        });
        (done, begun)
    }

    fn edge(&self) -> &'static str {
        let edges = self.edges();
        edges[self.turn % edges.len()]
    }

    fn succeeds(&self, words: &[&str]) -> bool {
        self.node.node.cli(words).status.success()
    }

    /// Does `work` and returns what it passes.
    fn rehearse(&mut self, work: Work) -> Steps {
        let trace = self.trace();
        self.prepare(work);
        let path = trace.display().to_string();
        self.node.node.env("FLASH_FAILPOINT_TRACE", Some(&path));
        let (done, begun) = self.work(work, &trace);
        assert!(done && !self.node.node.ended(), "{work:?} is rehearsed");
        self.node.node.kill_daemon();
        self.node.node.env("FLASH_FAILPOINT_TRACE", None);
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        let mut steps = Steps::new();
        for (line, name) in passed(&trace).into_iter().enumerate() {
            let count = counts.entry(name.clone()).or_default();
            *count += 1;
            if line >= begun {
                steps.entry(name).or_default().push(*count);
            }
        }
        std::fs::remove_file(&trace).expect("it is removed");
        assert!(steps.len() > 8, "{work:?}: {steps:?}");
        self.come_back(work);
        steps
    }

    fn trace(&self) -> PathBuf {
        let data = self.node.node.data();
        data.parent().expect("a folder").join("trace")
    }

    /// What was not acknowledged may be in force, or be written and not accepted, or not have happened: asking again works.
    fn ask_again(&mut self, work: Work, scene: &str) {
        if !matches!(work, Changing | Removing) {
            return;
        }
        self.node.up_again();
        if work == Changing {
            self.name = format!("turn {}", self.turn);
            self.node.node.ok(&["set", "relay.name", &self.name]);
        } else {
            let gone = self.node.node.cli(&["remove", "relay"]);
            let said = String::from_utf8_lossy(&gone.stderr).into_owned();
            let before = said.contains("there is no service relay to remove");
            assert!(gone.status.success() || before, "{scene}: {said}");
        }
        settled(&self.node, scene);
        self.node.node.kill_daemon();
    }

    /// Starts the next orchestrator and makes the node whole again.
    fn come_back(&mut self, work: Work) {
        self.node.node.up();
        let typed = format!("{PASSPHRASE}\n");
        let unlocked = self.node.node.cli_with_input(&["unlock"], &typed).status;
        // Cut short, the first start may have left none.
        let given = work == FirstStart && give_passphrase(&self.node.node);
        assert!(unlocked.success() || given, "{work:?}: it is not unlocked");
        if work == Removing {
            self.node.node.file("node.toml", &self.choices);
            self.node.node.ok(&["apply"]);
        }
        self.wait_whole(work);
    }

    /// Does `work` with a daemon that dies at `armed`, and looks at what the next one makes of it. Returns whether it
    /// died: a point may be passed less often than in the rehearsal.
    fn kill_at(&mut self, work: Work, armed: &str) -> bool {
        let scene = format!("{work:?} at {armed}");
        let began = std::time::Instant::now();
        let before = (work != FirstStart).then(|| self.look());
        let of_edges = |bench: &Self| -> BTreeMap<&str, u32> {
            let edges = bench.edges().into_iter();
            edges
                .map(|edge| (edge, generation(&bench.node, edge)))
                .collect()
        };
        let generations = (work == Rotating).then(|| of_edges(self));
        self.prepare(work);
        self.node.node.env("FLASH_FAILPOINT", Some(armed));
        let trace = self.trace();
        let (done, _) = self.work(work, &trace);
        self.node.node.env("FLASH_FAILPOINT", None);
        let died = self.node.node.ended();
        if died {
            assert_eq!(
                self.node.node.wait_for_end(),
                None,
                "{scene}: it dies by its failpoint"
            );
        } else {
            self.node.node.kill_daemon();
        }
        if !done {
            self.ask_again(work, &scene);
        } else if work == Removing {
            self.node.up_again();
            settled(&self.node, &scene);
            let relay = |name: &String| name.contains("relay");
            // Networks go after the last container that was on them.
            self.node
                .node
                .wait(&format!("no network of its own after {scene}"), |_| {
                    !self.look().networks.iter().any(&relay)
                });
            let left = self.look();
            assert_eq!(
                left.containers.keys().find(|name| relay(name)),
                None,
                "{scene}"
            );
            self.node.node.kill_daemon();
        }
        self.come_back(work);
        let after = self.look();
        assert_eq!(
            after.containers.len(),
            self.services.len(),
            "{scene}: {after:?}"
        );
        if let Some(before) = before {
            assert_eq!(after.keys, before.keys, "{scene}: the same money");
            assert_eq!(after.networks, before.networks, "{scene}");
            let own = match work {
                FirstStart | Starting => None,
                Changing | Removing => Some("relay"),
                Rotating => self.edge().rsplit('/').next(),
            };
            for (name, at) in &before.containers {
                let concerned = own.is_none_or(|own| name.ends_with(own));
                assert!(
                    concerned || after.containers[name] == *at,
                    "{scene}: {name}"
                );
            }
        }
        if work == Changing {
            let conf = self.node.node.rendered("relay", "relay.toml");
            assert!(
                conf.contains(&format!("\"{}\"", self.name)),
                "{scene}: {conf}"
            );
        }
        if let Some(generations) = generations {
            for (edge, was) in generations {
                let now = generation(&self.node, edge);
                // A number that was given to what nobody was told of is not given again.
                let right = match (edge == self.edge(), done) {
                    (true, true) => now > was,
                    (true, false) => now >= was,
                    (false, _) => now == was,
                };
                assert!(right, "{scene}, acknowledged {done}: {edge} {was} {now}");
            }
        }
        if self.services.contains(&"postgres") && work != FirstStart {
            opens(&self.node, &scene);
        }
        println!(
            "{scene}: died {died}, acknowledged {done}, {} ms",
            began.elapsed().as_millis()
        );
        died
    }
}

/// Gives it a passphrase. Returns whether it took that: it may have one, or end.
fn give_passphrase(node: &TestNode) -> bool {
    let typed = format!("{PASSPHRASE}\n{PASSPHRASE}\n");
    let given = node.cli_with_input(&["passphrase", "change"], &typed);
    given.status.success()
}

/// Every point that was passed, in order.
fn passed(trace: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(trace).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}
