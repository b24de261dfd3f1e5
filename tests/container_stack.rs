//! The stack in containers, with real programs: chain, channel and invoice, every Core user, every place an intruder can take.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a whole-program test starts programs, and the summary collects what it prints"
)]

mod chain;
#[path = "container_stack/credentials.rs"]
mod credentials;
#[path = "node/declared.rs"]
mod declared;
#[path = "node/engine.rs"]
mod engine;
mod inspect;
#[path = "container_stack/intruder.rs"]
mod intruder;
mod leak;
mod node;
mod timeline;

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde_json::Value;
use serde_json::json;

use crate::credentials::Caller;
use crate::credentials::core_users;
use crate::credentials::stolen_from_core;
use crate::credentials::stolen_from_lnd_and_tor;
use crate::credentials::stolen_from_postgres;
use crate::declared::Declared;
use crate::engine::Node;
use crate::engine::ask;
use crate::engine::check_confined;
use crate::engine::have_engine;
use crate::engine::packed;
use crate::engine::packed_by_name;
use crate::engine::packed_postgres;
use crate::engine::run;
use crate::engine::tools;
use crate::inspect::free_port;
use crate::intruder::intrude_everywhere;
use crate::timeline::Timeline;

#[test]
fn the_stack_runs_in_containers() {
    if !have_engine() {
        return;
    }
    let (Some(bitcoind), Some(lnd)) = (packed_by_name("bitcoind"), packed_by_name("lnd")) else {
        return;
    };
    let mut wanted = vec![
        ("bitcoind", Some(bitcoind)),
        ("lnd", Some(lnd.clone())),
        ("relay", None),
        ("mint", None),
    ];
    wanted.extend(packed_by_name("electrs").map(|image| ("electrs", Some(image))));
    let postgres = packed_postgres();
    wanted.extend(postgres.clone().map(|image| ("postgres", Some(image))));
    wanted.extend(packed_by_name("tor").map(|image| ("tor", Some(image))));
    let has = |name: &str| wanted.iter().any(|(service, _)| *service == name);
    let mut more = format!(
        "[services.peer]\nmanifest = \"lnd-peer\"\nimage = \"{lnd}\"\nports = {{ p2p = {} }}\n[services.miner]\nmanifest = \"miner\"\nimage = \"{}\"\n",
        free_port(),
        tools()
    );
    if has("postgres") {
        let tools = tools();
        more.push_str(&format!(
            "[services.books]\nmanifest = \"books\"\nimage = \"{tools}\"\n"
        ));
    }
    let mut node = Node::new(&wanted, &more);
    // One that everyone may reach, so that it is seen who does.
    node.choose("relay", "publish = { http = \"0.0.0.0\" }");
    node.node.file("manifests/lnd-peer.toml", &peer());
    node.node.file("manifests/miner.toml", MINER);
    node.node.file("manifests/books.toml", BOOKS);
    let all: Vec<String> = Declared::of(&node.node)
        .services()
        .into_iter()
        .map(str::to_owned)
        .collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let timeline = node.up();
    timeline.reach(
        0,
        "bitcoind",
        &[
            "alive=sealed",
            "ready=sealed",
            "ready=starting",
            "ready=ready",
        ],
    );
    // Signals are told apart: a short chain is whole before the rest is ready, or after.
    let synced = ["alive=sealed", "synced=starting", "synced=synced"];
    timeline.reach(0, "bitcoind", &synced);
    timeline.reach(0, "lnd", &["ready=no_wallet", "ready=ready"]);
    timeline.reach(0, "peer", &["ready=no_wallet", "ready=ready"]);
    if has("electrs") {
        timeline.reach(0, "electrs", &["alive=starting", "ready=ready"]);
        timeline.reach(0, "electrs", &["synced=synced"]);
    }
    if has("postgres") {
        node.node.wait_ready("postgres");
        use_postgres(&node);
    }
    if has("tor") {
        let tor = node
            .node
            .wait_service("tor", "its way to the network", |one| {
                one["ready"]["code"] == "connecting"
            });
        assert_eq!(
            (&tor["alive"]["ok"], &tor["ready"]["ok"]),
            (&json!(true), &json!(false))
        );
        // How far it is, and at what it stands: no network is there to connect to.
        let said = tor["ready"]["text"].as_str().expect("a text");
        println!("tor: {said}");
        let (progress, why) = said.split_once(" %, ").expect("a percentage and a reason");
        let progress = progress
            .rsplit(' ')
            .next()
            .and_then(|text| text.parse().ok());
        assert!(progress.is_some_and(|percent: u8| percent < 100), "{tor}");
        assert!(!why.trim_matches(['.', ' ']).is_empty(), "{tor}");
    }
    node.node.wait_ready("miner");
    for service in &all {
        check_confined(&node, service);
    }
    let mut consumers = vec!["lnd", "miner", "peer"];
    if has("electrs") {
        consumers.push("electrs");
    }
    core_users(&node, &consumers);
    intrude_everywhere(&node, &all);
    stolen_from_core(&node, &consumers, &all);
    if let Some(image) = &postgres {
        stolen_from_postgres(&node, image, &all);
    }
    let curl = packed(&["/usr/bin/curl"], &["/bin/sh"]);
    stolen_from_lnd_and_tor(&node, &curl, &all);
    pay(&node);
    if has("electrs") {
        let url = node.node.endpoint("electrs", "electrum");
        node.node.wait("electrs to reach the tip", |_| {
            chain::electrs_height(&url) == Some(117)
        });
        println!("electrs is at the tip, block 117");
    }
    rotate(&node, &timeline, &consumers);
    rotate_all(&node, postgres.as_deref());
    comes_back(&mut node, &all);
}

/// Another LND, with an edge to the first one.
fn peer() -> String {
    let text = include_str!("../manifests/services/lnd.toml");
    let text = text.replacen("id = \"lnd\"", "id = \"lnd-peer\"", 1);
    text.replacen(
        "[edges.internet]",
        "[edges.peer]\nto = \"lnd\"\ninterface = \"p2p\"\n\n[edges.internet]",
        1,
    )
}

/// A consumer of bitcoind that may mine.
const MINER: &str = include_str!("container_stack/miner.toml");

/// A consumer of Postgres that does nothing with it.
const BOOKS: &str = include_str!("container_stack/books.toml");

/// The role of the node is used, and no other password is taken.
fn use_postgres(node: &Node) {
    let address = node.address("postgres", "node/sql/postgres");
    let password = node.secret("edge/node/sql/postgres");
    let url = |password: &str| {
        format!("host={address} port=5432 user=node dbname=node password={password}")
    };
    let (well, said) = run(
        "psql",
        &[
            "-XAtc",
            "CREATE TABLE coin (sat BIGINT); INSERT INTO coin VALUES (21); SELECT sat FROM coin",
            &url(&password),
        ],
    );
    assert!(well && said.ends_with("21"), "{said}");
    let sum = |password: &str| {
        run(
            "psql",
            &["-XAtc", "SELECT sum(sat) FROM coin", &url(password)],
        )
    };
    let (well, said) = sum("wrong");
    assert!(
        !well && said.contains("password authentication failed"),
        "{said}"
    );
    let plan = node.node.ok(&["rotate", "node/sql/postgres", "--dry-run"]);
    let before = node.started();
    let told = node
        .node
        .ok(&["rotate", "node/sql/postgres", "--timeout", "120"]);
    assert!(told.contains("refuses generation 1 (28P01)"), "{told}");
    node.node.wait_ready("postgres");
    assert_eq!(blipped(node, &before), named(&plan), "{plan}");
    let (well, said) = sum(&password);
    assert!(
        !well && said.contains("password authentication failed"),
        "{said}"
    );
    assert_eq!(
        sum(&node.secret("edge/node/sql/postgres")),
        (true, "21".to_owned())
    );
}

/// Asks an LND over REST with everything that it allows.
fn rest(node: &Node, service: &str, path: &str, body: Option<&Value>) -> Value {
    let macaroon = node.secret(&format!("service/{service}/admin_macaroon"));
    use base64::Engine as _;
    let raw = base64::engine::general_purpose::STANDARD
        .decode(macaroon.trim())
        .expect("base64");
    let header = format!("Grpc-Metadata-macaroon: {}", hex::encode(raw));
    let address = node.address(service, &format!("node/rest/{service}"));
    let (status, answer) = ask(&format!("https://{address}:8080{path}"), &[&header], body);
    assert_eq!(status, 200, "{service} {path}: {answer}");
    answer
}

/// A channel between two LNDs, and an invoice paid over it.
fn pay(node: &Node) {
    let rest = |service: &str, path: &str, body: Option<&Value>| rest(node, service, path, body);
    let mine = |blocks: u32, address: &str| {
        let caller = Caller {
            place: "miner",
            user: "miner",
            password: &node.secret("edge/miner/rpc/bitcoind"),
        };
        let (status, said) = caller.call(node, "generatetoaddress", &json!([blocks, address]));
        assert_eq!(status, 200, "{said}");
    };
    let address = rest("peer", "/v1/newaddress", None)["address"]
        .as_str()
        .expect("an address")
        .to_owned();
    mine(110, &address);
    node.node.wait("the coins to be spendable", |_| {
        rest("peer", "/v1/balance/blockchain", None)["confirmed_balance"]
            .as_str()
            .is_some_and(|sat| sat != "0")
    });
    let key = rest("lnd", "/v1/getinfo", None)["identity_pubkey"]
        .as_str()
        .expect("a key")
        .to_owned();
    let at = node.address("lnd", "peer/p2p/lnd");
    let host = format!("{at}:{}", port(node, "lnd"));
    rest(
        "peer",
        "/v1/peers",
        Some(&json!({ "addr": { "pubkey": key, "host": host }, "timeout": "20" })),
    );
    node.node.wait("both to have caught up", |_| {
        ["lnd", "peer"]
            .iter()
            .all(|one| rest(one, "/v1/getinfo", None)["synced_to_chain"] == json!(true))
    });
    rest(
        "peer",
        "/v1/channels",
        Some(&json!({ "node_pubkey_string": key, "local_funding_amount": "1000000" })),
    );
    mine(6, &address);
    node.node.wait("the channel to be active", |_| {
        rest("peer", "/v1/channels", None)["channels"]
            .as_array()
            .is_some_and(|all| all.iter().any(|one| one["active"] == json!(true)))
    });
    let invoice = rest("lnd", "/v1/invoices", Some(&json!({ "value": "2100" })));
    let request = invoice["payment_request"].as_str().expect("an invoice");
    // A channel counts as active a moment before its owner finds a route over it.
    node.node.wait("the invoice to be paid", |_| {
        let payment = json!({
            "payment_request": request,
            "timeout_seconds": 30,
            "fee_limit_sat": "100",
            "no_inflight_updates": true,
        });
        let paid = rest("peer", "/v2/router/send", Some(&payment));
        paid["result"]["status"] == "SUCCEEDED"
    });
    let hash = invoice["r_hash"]
        .as_str()
        .expect("a hash")
        .replace('+', "-")
        .replace('/', "_");
    let settled = rest(
        "lnd",
        &format!("/v2/invoices/lookup?payment_hash={hash}"),
        None,
    );
    assert_eq!(settled["state"], "SETTLED", "{settled}");
    println!("an invoice of 2,100 sat was paid between two LNDs in containers");
}

/// After a rotation the old password is refused in every place, and only the plan's services were without service.
fn rotate(node: &Node, timeline: &Timeline, consumers: &[&str]) {
    let mark = timeline.mark();
    let old = node.secret("edge/miner/rpc/bitcoind");
    let plan = node.node.ok(&["rotate", "miner/rpc/bitcoind", "--dry-run"]);
    let before = node.started();
    let told = node
        .node
        .ok(&["rotate", "miner/rpc/bitcoind", "--timeout", "120"]);
    assert!(told.contains("refuses generation 1 (401)"), "{told}");
    for service in ["bitcoind", "lnd", "peer", "miner"] {
        node.node.wait_ready(service);
    }
    // Whoever did not serve for a moment, as anybody could see who watched.
    let moments = timeline.since(mark);
    let unserved: BTreeSet<String> = moments
        .into_iter()
        .filter(|(_, what)| what.starts_with("ready=") && what != "ready=ready")
        .map(|(service, _)| service)
        .collect();
    for place in consumers {
        let caller = Caller {
            place,
            user: "miner",
            password: &old,
        };
        let (status, _) = caller.call(node, "getblockcount", &json!([]));
        assert_eq!(status, 401, "{place} with the old password");
    }
    let blipped = blipped(node, &before);
    let named = named(&plan);
    assert_eq!(
        blipped, named,
        "no more and no less than the plan says\n{plan}"
    );
    assert!(
        unserved.is_subset(&named) && !unserved.is_empty(),
        "{unserved:?} did not serve; the plan names {named:?}"
    );
    assert!(
        !named.contains("lnd") && !named.contains("relay"),
        "{named:?}"
    );
}

/// After a break-in one command makes every credential worthless that the node can replace, and names the others.
/// The first port that a service publishes, at which it listens inside as well.
fn port(node: &Node, service: &str) -> String {
    let found = node.inspected(service);
    let ports = found["HostConfig"]["PortBindings"].as_object();
    let port = ports.and_then(|ports| ports.keys().next());
    port.expect("a port").trim_end_matches("/tcp").to_owned()
}

fn rotate_all(node: &Node, postgres: Option<&str>) {
    let of_edges = |node: &Node| -> Vec<(String, String)> {
        let kept = node.kept().into_iter();
        kept.filter(|(key, _)| key.starts_with("edge/")).collect()
    };
    let old = of_edges(node);
    let plan = node.node.ok(&["rotate", "--all", "--dry-run"]);
    let before = node.started();
    let told = node.node.ok(&["rotate", "--all", "--timeout", "240"]);
    for (service, edge) in [("lnd", "node/rest/lnd"), ("tor", "node/control/tor")] {
        let runs = before.contains_key(service);
        assert_eq!(
            told.contains(edge),
            runs,
            "{edge} is not replaced here\n{told}"
        );
    }
    for service in before.keys().filter(|service| *service != "tor") {
        node.node.wait_ready(service);
    }
    let blipped = blipped(node, &before);
    assert_eq!(
        blipped,
        named(&plan),
        "no more and no less than the plan says\n{plan}"
    );
    let new = node.kept();
    let mut refused = 0;
    for (key, password) in &old {
        assert!(
            !new.values().any(|value| value == password),
            "{key} is as it was"
        );
        let edge = key.strip_prefix("edge/").expect("an edge");
        let parts: Vec<&str> = edge.split(['/', '#', '@']).collect();
        let (user, provider) = (parts[0], parts[2]);
        if provider == "bitcoind" && user == "node" {
            let at = node.address("bitcoind", "node/rpc/bitcoind");
            let body = json!({ "method": "getblockcount", "params": [] });
            let (status, _) = ask(
                &format!("http://node:{password}@{at}:18443/"),
                &[],
                Some(&body),
            );
            assert_eq!(status, 401, "{key}");
            refused += 1;
        } else if provider == "bitcoind" {
            let caller = Caller {
                place: user,
                user,
                password,
            };
            assert_eq!(
                caller.call(node, "getblockcount", &json!([])).0,
                401,
                "{key}"
            );
            refused += 1;
        } else if let ("postgres", Some(image)) = (provider, postgres) {
            let at = node.address("postgres", &format!("{user}/sql/postgres"));
            let login =
                format!("host={at} port=5432 user={user} dbname={user} password={password}");
            let said = if user == "node" {
                run("psql", &["-XAtc", "SELECT 1", &login]).1
            } else {
                let script = format!("psql -XAtc 'SELECT 1' '{login}'");
                node.in_place_with(user, image, &script).1
            };
            assert!(
                said.contains("password authentication failed"),
                "{key}: {said}"
            );
            refused += 1;
        } else if provider == "mint" {
            let at = node.address("mint", &format!("{user}/books/mint"));
            let port = port(node, "mint");
            let books = |password: &str| {
                let url = format!("http://{user}:{password}@{at}:{port}/health");
                ask(&url, &[], None).0
            };
            assert_eq!(books(password), 401, "{key}");
            let now = new.iter().find(|(key, _)| key.contains("/books/mint"));
            let (_, now) = now.expect("the node reads the mint's books");
            assert_eq!(books(now), 200, "{key}");
            refused += 1;
        } else {
            panic!("{key} was replaced and not tried again");
        }
    }
    assert!(refused > 4, "{old:?}");
    println!(
        "rotate --all: {refused} old credentials were tried again and refused; {} services were restarted, as the plan named them",
        blipped.len()
    );
}

/// Who was started again since.
fn blipped(node: &Node, before: &BTreeMap<String, Value>) -> BTreeSet<String> {
    let after = node.started();
    let again = before.iter().filter(|(id, at)| after.get(*id) != Some(at));
    again.map(|(id, _)| id.clone()).collect()
}

/// The daemon ends and nothing else does; then the power is cut, and everything comes back with the unlock.
fn comes_back(node: &mut Node, all: &[&str]) {
    let seen = |node: &Node| -> Vec<(Value, Value)> {
        let of = |service: &&str| {
            let found = node.inspected(service);
            (found["Id"].clone(), found["State"]["StartedAt"].clone())
        };
        all.iter().map(of).collect()
    };
    let ready = |node: &Node| {
        for service in all.iter().filter(|service| **service != "tor") {
            node.node.wait_ready(service);
        }
    };
    let before = seen(node);
    node::send(node.node.daemon_pid(), "-TERM");
    assert_eq!(node.node.wait_for_end(), Some(0));
    assert_eq!(seen(node), before, "no service ended with the daemon");
    node.up_again();
    ready(node);
    assert_eq!(seen(node), before, "each was found again as it was");

    node.node.kill_daemon();
    let rules = node.rules();
    assert!(rules.len() > all.len(), "{rules:#?}");
    for service in all {
        run("docker", &["kill", &node.container(service)]);
    }
    node.take_rules();
    assert_eq!(node.rules(), [""; 0]);
    for folder in node.node.run_folders() {
        std::fs::remove_dir_all(&folder).expect("it is removed");
    }
    node.node.up();
    let sealed = node.node.wait_service("bitcoind", "the vault", |one| {
        one["ready"]["code"] == "sealed" || one["alive"]["code"] == "sealed"
    });
    assert_ne!(sealed["ready"]["ok"], true, "{sealed}");
    node.unlock();
    ready(node);
    assert_eq!(node.rules(), rules, "the firewall is as it was");
    node.node.wait("the channel to be active again", |_| {
        let channels = rest(node, "peer", "/v1/channels", None);
        let mut all = channels["channels"].as_array().expect("channels").iter();
        all.any(|one| one["active"] == json!(true))
    });
    println!(
        "{} services outlived the daemon, and came back after a power cut with the unlock, and so did {} rules of the firewall; the channel is active again",
        all.len(),
        rules.len()
    );
}

/// The services that a plan restarts, now or once others have stopped.
fn named(plan: &str) -> BTreeSet<String> {
    let now = plan
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("restart"))
        .filter_map(|rest| rest.split_whitespace().next());
    let later = plan
        .lines()
        .filter(|line| line.contains(": restarts after "))
        .filter_map(|line| line.trim_start_matches(['-', ' ']).split(':').next());
    // Whoever ends with its provider is named in the line of the provider.
    let exits = plan.split([':', ';']).filter_map(|phrase| {
        let (name, _) = phrase.split_once(" will exit and is started again")?;
        name.split_whitespace().last()
    });
    now.chain(later).chain(exits).map(str::to_owned).collect()
}
