//! Owns kills at moments that nobody chose: containers and the engine itself, while the node starts, changes, replaces a
//! credential or rests. Whatever was acknowledged is in force afterwards, and nothing is doubled.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::OUR_ENGINE;
use crate::end_the_engine;
use crate::engine::Node;
use crate::engine::PASSPHRASE;
use crate::engine::docker;
use crate::engine::have_engine;
use crate::engine::packed_postgres;
use crate::engine::run;
use crate::inspect::http_get;
use crate::kill_the_engine;
use crate::leak;
use crate::node::skip;
use crate::start_the_engine;

/// How many kills make one run.
const ROUNDS: usize = 9;
/// In which rounds the engine is killed and not a container: once in each kind of work.
const OF_ENGINE: [usize; 3] = [1, 3, 8];
/// Units: milliseconds.
const LATEST: u64 = 2500;
/// Another sample is taken with another number.
pub(crate) const SEED: &str = "FLASH_KILL_SEED";

/// The edge whose credential is replaced.
const EDGE: &str = "node/sql/postgres";

/// What goes on while something is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    Starting,
    Changing,
    Rotating,
}

#[test]
fn kills_of_containers_and_of_the_engine_at_any_moment_are_made_good() {
    if !have_engine() {
        return;
    }
    let seed = std::env::var(SEED).ok().and_then(|text| text.parse().ok());
    let mut random = fastrand::Rng::with_seed(seed.unwrap_or(0x0f1a_5400));
    let postgres = packed_postgres();
    let mut services = vec!["relay", "mint"];
    let mut wanted = vec![("relay", None), ("mint", None)];
    if let Some(image) = postgres {
        services.push("postgres");
        wanted.push(("postgres", Some(image)));
    }
    let mut node = Node::new(&wanted, "");
    node.up();
    for service in &services {
        node.node.wait_ready(service);
    }
    let mint = node.node.endpoint("mint", "cashu");
    let keys = http_get(&mint, "/v1/keysets");
    let mut name = String::new();
    let mut done: BTreeMap<String, usize> = BTreeMap::new();
    let mut restarts = 0;
    let (hits, engines) = (Cell::new(0), Cell::new(0));
    let mut acknowledged: BTreeMap<String, usize> = BTreeMap::new();
    for round in 0..ROUNDS {
        let work = [Work::Starting, Work::Changing, Work::Rotating][round % 3];
        let work = match work {
            Work::Rotating if !services.contains(&"postgres") => Work::Changing,
            work => work,
        };
        let victim = services[random.usize(..services.len())];
        let after = Duration::from_millis(random.u64(..LATEST));
        let of_engine = OF_ENGINE.contains(&round);
        let what = if of_engine { "the engine" } else { victim };
        let scene = format!("round {round}, {work:?}: {what} is killed after {after:?}");
        if work == Work::Starting {
            node.node.ok(&["down"]);
            assert_eq!(node.node.wait_for_end(), Some(0), "{scene}");
            node.node.up();
        }
        // Who ends eight times within minutes is left to the operator, and so is whoever is killed as often.
        for service in &services {
            node.node.cli(&["retry", service]);
        }
        let generation = generation(&node, EDGE);
        let kept = std::thread::scope(|scope| {
            let working = scope.spawn(|| match work {
                Work::Starting => {
                    node.unlock();
                    None
                }
                Work::Changing => {
                    let value = format!("relay.name=round {round}");
                    let (key, value) = value.split_once('=').expect("a pair");
                    let set = node.node.cli(&["set", key, value]);
                    set.status.success().then(|| value.to_owned())
                }
                Work::Rotating => {
                    let rotate = ["rotate", EDGE, "--timeout", "60"];
                    let rotated = node.node.cli(&rotate);
                    rotated.status.success().then(|| "rotated".to_owned())
                }
            });
            std::thread::sleep(after);
            if of_engine {
                if kill_the_engine() {
                    engines.set(engines.get() + 1);
                    start_the_engine();
                } else {
                    skip(&format!(
                        "{OUR_ENGINE} names no engine: it was not killed while it worked"
                    ));
                }
            } else {
                // It may not be there yet, or not any more.
                let kill = ["kill", "--signal", "KILL", &node.container(victim)];
                hits.set(hits.get() + usize::from(run("docker", &kill).0));
            }
            working.join().expect("the work does not panic")
        });
        restarts += usize::from(engine_is_restarted(&node, &services));
        for service in &services {
            node.node.wait_ready(service);
        }
        *done.entry(format!("{work:?}")).or_default() += 1;
        if let Some(value) = kept {
            *acknowledged.entry(format!("{work:?}")).or_default() += 1;
            match work {
                Work::Changing => name = value,
                Work::Rotating => {
                    assert_eq!(self::generation(&node, EDGE), generation + 1, "{scene}");
                }
                Work::Starting => {}
            }
        }
        let conf = node.node.rendered("relay", "relay.toml");
        assert!(conf.contains(&name), "{scene}: {conf}");
        assert_eq!(
            http_get(&mint, "/v1/keysets"),
            keys,
            "{scene}: the same money"
        );
        settled(&node, &scene);
        let found = node.all("container");
        assert_eq!(
            found.len(),
            services.len(),
            "{scene}: none is doubled, none is left"
        );
        for id in found {
            let one: Value = serde_json::from_str(&docker(&["inspect", &id])).expect("JSON");
            assert_eq!(one[0]["State"]["Running"], true, "{scene}");
        }
        if services.contains(&"postgres") {
            opens(&node, &scene);
        }
    }
    // A kill that hit nothing, or work that was never acknowledged, would prove nothing.
    assert!(
        hits.get() >= 2,
        "{} kills of containers hit one",
        hits.get()
    );
    assert!(acknowledged.contains_key("Changing"), "{acknowledged:?}");
    println!(
        "{} kills of containers and {} of the engine at seeded moments were made good: {done:?}, acknowledged {acknowledged:?}; the engine came back broken and had to be restarted {restarts} times, as the node said",
        hits.get(),
        engines.get()
    );
}

/// Does what an operator does where the engine came back broken and the node says so, because it keeps the port of a
/// container that is gone or refuses each start with an error of its own: restarts it. Returns whether that was needed.
fn engine_is_restarted(node: &Node, services: &[&str]) -> bool {
    let broken = node
        .node
        .wait_for("everything, or an engine that came back broken", |one| {
            let status = one.try_status()?;
            let all: Vec<&Value> = status["services"].as_array()?.iter().collect();
            let says = |one: &&Value| {
                let next = one["next"].as_str().unwrap_or_default();
                let text = one["alive"]["text"].as_str().unwrap_or_default();
                let refuses =
                    text.contains("its container failed for") && text.contains("failed 5 times");
                // These the node mends by itself.
                let ours = ["already exists", "file exists"].map(|why| text.contains(why));
                assert!(!refuses || !ours.contains(&true), "{text}");
                refuses
                    || next.contains("is held by the container engine")
                        && next.contains("restart it")
            };
            if all.iter().any(says) {
                return Some(true);
            }
            let ready = all.iter().filter(|one| one["ready"]["ok"] == true).count();
            (ready == services.len()).then_some(false)
        });
    if broken && end_the_engine("-TERM") {
        start_the_engine();
        for service in services {
            node.node.cli(&["retry", service]);
        }
    }
    broken
}

/// Which generation of the credential of `edge` is in force; 1 where the provider is not there.
pub(crate) fn generation(node: &Node, edge: &str) -> u32 {
    let edges = node.node.ok(&["edges"]);
    let (consumer, provider) = (edge.split('/').next(), edge.split('/').nth(2));
    let row = edges.lines().find(|line| {
        let mut words = line.split_whitespace();
        words.next() == consumer && words.next() == provider
    });
    let number = row.and_then(|row| row.split("generation ").nth(1)?.split_whitespace().next());
    number.map_or(1, |number| number.parse().expect("a number"))
}

/// Waits until nothing is to be done: a rotation that was cut short goes on by itself.
pub(crate) fn settled(node: &Node, scene: &str) {
    node.node
        .wait(&format!("nothing to do after {scene}"), |one| {
            one.cli(&["plan"]).stdout.starts_with(b"nothing to do")
        });
}

/// A password that the vault holds opens Postgres: the newest, or the one before where nobody was told of that yet.
pub(crate) fn opens(node: &Node, scene: &str) {
    let address = node.address("postgres", EDGE);
    node.node
        .wait(&format!("a role of the vault after {scene}"), |_| {
            let kept = leak::kept(&node.node, PASSPHRASE).into_iter();
            let passwords = kept.filter(|(key, _)| key.contains(EDGE));
            let mut opened = passwords.map(|(_, password)| {
                let login =
                    format!("host={address} port=5432 user=node dbname=node password={password}");
                run("psql", &["-XAtc", "SELECT 21", &login]).1 == "21"
            });
            opened.any(|opened| opened)
        });
}
