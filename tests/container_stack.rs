//! The stack in containers, with real programs: chain, channel and invoice, every Core user, every place an intruder can take.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a whole-program test starts programs, and the summary collects what it prints"
)]

mod chain;
#[path = "node/engine.rs"]
mod engine;
mod inspect;
mod leak;
mod node;
mod timeline;

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde_json::Value;
use serde_json::json;

use crate::engine::Node;
use crate::engine::ask;
use crate::engine::check_confined;
use crate::engine::have_engine;
use crate::engine::packed_by_name;
use crate::engine::packed_postgres;
use crate::engine::run;
use crate::engine::tools;
use crate::inspect::free_port;

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
    wanted.extend(packed_postgres().map(|image| ("postgres", Some(image))));
    wanted.extend(packed_by_name("tor").map(|image| ("tor", Some(image))));
    let more = format!(
        "[services.peer]\nmanifest = \"lnd-peer\"\nimage = \"{lnd}\"\nports = {{ p2p = {} }}\n[services.miner]\nmanifest = \"miner\"\nimage = \"{}\"\n",
        free_port(),
        tools()
    );
    let mut node = Node::new(&wanted, &more);
    node.node.file("manifests/lnd-peer.toml", &peer());
    node.node.file("manifests/miner.toml", MINER);
    let timeline = node.up();
    timeline.reach(
        0,
        "bitcoind",
        &[
            "alive=sealed",
            "ready=starting",
            "ready=ready",
            "synced=synced",
        ],
    );
    timeline.reach(0, "lnd", &["ready=no_wallet", "ready=ready"]);
    timeline.reach(0, "peer", &["ready=no_wallet", "ready=ready"]);
    let has = |name: &str| wanted.iter().any(|(service, _)| *service == name);
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
        assert!(
            tor["ready"]["text"].as_str().expect("a text").contains('%'),
            "{tor}"
        );
    }
    node.node.wait_ready("miner");
    for service in wanted
        .iter()
        .map(|(service, _)| *service)
        .chain(["peer", "miner"])
    {
        check_confined(&node, service);
    }
    let mut consumers = vec!["lnd", "miner", "peer"];
    if has("electrs") {
        consumers.push("electrs");
    }
    let places: Vec<&str> = ["relay", "mint", "postgres"]
        .into_iter()
        .filter(|place| has(place))
        .collect();
    core_users(&node, &consumers, &places);
    let all: Vec<&str> = wanted
        .iter()
        .map(|(service, _)| *service)
        .chain(["peer", "miner"])
        .collect();
    intrude_everywhere(&node, &all);
    pay(&node);
    if has("electrs") {
        let url = node.node.endpoint("electrs", "electrum");
        node.node.wait("electrs to reach the tip", |_| {
            chain::electrs_height(&url) == Some(117)
        });
        println!("electrs is at the tip, block 117");
    }
    rotate(&node);
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
const MINER: &str = r#"
manifest = 1
id = "miner"
title = "Miner"
summary = "Has a user at bitcoind that may mine."

[version]
current = "1.0"

[program]
command = "sleep"
args = ["1000000"]
stop_signal = "TERM"
stop_grace_seconds = 5

[edges.chain]
to = "bitcoind"
interface = "rpc"
allow = ["generatetoaddress", "getblockcount", "help"]
on_loss = "rides_out"
waits_for = "ready"

[probes.blocks]
kind = "jsonrpc"
edge = "chain"
credential = "rpc"
method = "getblockcount"

[[health.alive]]
when = [{ probe = "blocks", answered = true }]
ok = true
code = "alive"
text = "Its chain answers."

[[health.alive]]
ok = false
code = "no_answer"
text = "Its chain does not answer."

[[health.ready]]
when = [{ probe = "blocks", pointer = "/result", exists = true }]
ok = true
code = "ready"
text = "It may mine."

[[health.ready]]
ok = false
code = "starting"
text = "Its chain does not answer yet."

[limits]
memory_mib = { small = 64, medium = 64, large = 64 }
pids = 16
"#;

/// Who shows what to bitcoind, from where.
struct Caller<'a> {
    place: &'a str,
    user: &'a str,
    password: &'a str,
}

/// A shell function that asks bitcoind at `$1` with the login `$2` for the method `$3` with the parameters `$4`.
const ASK: &str = r#"ask() {
    body="{\"method\":\"$3\",\"params\":$4}"
    printf 'POST / HTTP/1.1\r\nHost: x\r\nAuthorization: Basic %s\r\nContent-Length: %s\r\nConnection: close\r\n\r\n%s' \
        "$2" ${#body} "$body" | nc -w 30 $1 18443
}
"#;

impl Caller<'_> {
    fn login(&self) -> String {
        use base64::Engine as _;
        let text = format!("{}:{}", self.user, self.password);
        base64::engine::general_purpose::STANDARD.encode(text)
    }

    /// Calls one method and returns the status and the answer; 0 where nobody listens.
    fn call(&self, node: &Node, method: &str, params: &Value) -> (u16, Value) {
        let address = node.address("bitcoind", &format!("{}/rpc/bitcoind", self.place));
        let script = format!("{ASK}ask {address} {} {method} '{params}'", self.login());
        let (_, said) = node.in_place_of(self.place, &script);
        let (head, body) = said.split_once("\r\n\r\n").unwrap_or((&said, ""));
        let answer = serde_json::from_str(body).unwrap_or(Value::Null);
        (status_of(head), answer)
    }

    /// Calls each of `methods` without parameters and returns the status of each.
    fn call_all(&self, node: &Node, methods: &[String]) -> BTreeMap<String, u16> {
        let address = node.address("bitcoind", &format!("{}/rpc/bitcoind", self.place));
        let script = format!(
            "{ASK}for m in {}; do echo \"$m $(ask {address} {} $m [] | {{ read a; echo $a; }})\"; done",
            methods.join(" "),
            self.login()
        );
        let (_, said) = node.in_place_of(self.place, &script);
        let lines = said.lines().filter_map(|line| line.split_once(' '));
        lines
            .map(|(method, head)| (method.to_owned(), status_of(head)))
            .collect()
    }
}

fn status_of(head: &str) -> u16 {
    let number = head.split_whitespace().nth(1);
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Each user may do what is on its list and nothing else; what was stolen in one place opens nothing where no edge leads.
fn core_users(node: &Node, consumers: &[&str], places: &[&str]) {
    let kept = node.kept();
    let password = |consumer: &str| {
        let key = format!("edge/{consumer}/rpc/bitcoind");
        let found = kept.iter().find(|(name, _)| name.starts_with(&key));
        found
            .unwrap_or_else(|| panic!("{key} is not kept"))
            .1
            .clone()
    };
    let miner = password("miner");
    let as_miner = Caller {
        place: "miner",
        user: "miner",
        password: &miner,
    };
    let (status, help) = as_miner.call(node, "help", &json!([]));
    assert_eq!(status, 200, "{help}");
    let methods: Vec<String> = help["result"]
        .as_str()
        .expect("text")
        .lines()
        .filter(|line| !line.starts_with("==") && !line.is_empty())
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .collect();
    assert!(methods.len() > 80, "{}", methods.len());
    let conf = node.node.rendered("bitcoind", "bitcoin.conf");
    let (mut outside, mut inside) = (0, 0);
    for consumer in consumers {
        let line = conf
            .lines()
            .find_map(|line| line.strip_prefix(&format!("rpcwhitelist={consumer}:")));
        let list: BTreeSet<&str> = line.expect("a list").split(',').map(str::trim).collect();
        let own = password(consumer);
        let caller = Caller {
            place: consumer,
            user: consumer,
            password: &own,
        };
        let answers = caller.call_all(node, &methods);
        for method in &methods {
            let status = answers.get(method).copied().unwrap_or_default();
            if list.contains(method.as_str()) {
                // Without parameters some are errors of their own; none is forbidden.
                assert!(matches!(status, 200 | 500), "{consumer} {method}: {status}");
                inside += 1;
            } else {
                assert_eq!(status, 403, "{consumer} {method}");
                outside += 1;
            }
        }
    }
    println!(
        "{} users × {} methods: {inside} inside their lists answered, {outside} outside refused with 403",
        consumers.len(),
        methods.len()
    );
    // A password of another user, and one that nobody has.
    for password in [miner.as_str(), "0123456789abcdef"] {
        let caller = Caller {
            place: "lnd",
            user: "lnd",
            password,
        };
        assert_eq!(caller.call(node, "getblockcount", &json!([])).0, 401);
    }
    // The node's own user asks from this machine.
    let own = password("node");
    let at = node.address("bitcoind", "node/rpc/bitcoind");
    let line = conf
        .lines()
        .find_map(|line| line.strip_prefix("rpcwhitelist=node:"));
    let list: BTreeSet<&str> = line.expect("a list").split(',').map(str::trim).collect();
    for method in &methods {
        let body = json!({ "method": method, "params": [] });
        let (status, _) = ask(&format!("http://node:{own}@{at}:18443/"), &[], Some(&body));
        let allowed = list.contains(method.as_str());
        assert_eq!(status != 403, allowed, "node {method}: {status}");
    }
    // No credential opens anything in a place that has no edge to bitcoind: nobody listens there.
    let addresses: Vec<String> = networks_of(node, "bitcoind")
        .into_values()
        .map(|(address, _)| address)
        .collect();
    let mut tried = 0;
    for place in places {
        for user in consumers {
            let login = Caller {
                place,
                user,
                password: &password(user),
            }
            .login();
            let asks: String = addresses
                .iter()
                .map(|address| format!("ask {address} {login} getblockcount [] & "))
                .collect();
            let script = format!("{ASK}{asks} sleep 2; kill $(jobs -p) 2>/dev/null; echo tried");
            let (_, said) = node.in_place_of(place, &script);
            assert!(
                said.contains("tried") && !said.contains("HTTP/1.1"),
                "{place} as {user}: {said}"
            );
            tried += addresses.len();
        }
    }
    println!(
        "the credentials of {} users were tried {tried} times from {} places without an edge: nobody answered",
        consumers.len(),
        places.len()
    );
}

/// An address of a service, and a port on which the service listens somewhere.
type Target = (String, u16);

/// Stands in each service's place and tries every port on which any other one listens, at every address of that one, and
/// the machine behind every gateway: what is reached is what an edge declares, and all of that is reached.
fn intrude_everywhere(node: &Node, all: &[&str]) {
    let listener = std::net::TcpListener::bind("0.0.0.0:0").expect("a port");
    let open = listener.local_addr().expect("an address").port();
    let networks: BTreeMap<&str, BTreeMap<String, (String, String)>> =
        all.iter().map(|id| (*id, networks_of(node, id))).collect();
    let ports: BTreeMap<&str, BTreeSet<u16>> =
        all.iter().map(|id| (*id, listening(node, id))).collect();
    let told = node.node.ok(&["edges"]);
    let lets_in = |service: &str, other: &str| {
        format!(
            "{service} binds every address of its own, because it can bind one only: {other} can"
        )
    };
    if all.contains(&"electrs") {
        assert!(told.contains(&lets_in("electrs", "bitcoind")), "{told}");
    }
    let (mut tried, mut reached, mut names) = (0, 0, 0);
    for place in all {
        let mut targets: BTreeSet<Target> = BTreeSet::new();
        let mut declared: BTreeSet<Target> = BTreeSet::new();
        for other in all.iter().filter(|other| *other != place) {
            for (edge, (address, _)) in &networks[other] {
                let reaches = ports[other].iter().map(|port| (address.clone(), *port));
                targets.extend(reaches);
                let [consumer, interface, provider] = parties(edge);
                // Who can bind one address only binds all of its own; `edges` says whom that lets in.
                if (consumer, provider) == (*other, *place) && told.contains(&lets_in(other, place))
                {
                    declared.extend(ports[other].iter().map(|port| (address.clone(), *port)));
                }
                if (consumer, provider) == (*place, *other) {
                    let meant = meant(node, other, interface);
                    declared.extend(meant.into_iter().map(|port| (address.clone(), port)));
                }
            }
        }
        for (_, gateway) in networks[place].values() {
            targets.extend([22, 4420, open].map(|port| (gateway.clone(), port)));
        }
        let tries: String = targets
            .iter()
            .map(|(host, port)| {
                format!(
                    "(nc -w 3 {host} {port} -e /bin/true 2>/dev/null && echo {host} {port}) &\n"
                )
            })
            .collect();
        let (_, said) = node.in_place_of(place, &format!("{tries}wait; echo tried"));
        assert!(said.ends_with("tried"), "{place}: {said}");
        let found: BTreeSet<Target> = said
            .lines()
            .filter_map(|line| {
                let (host, port) = line.split_once(' ')?;
                Some((host.to_owned(), port.parse().ok()?))
            })
            .collect();
        assert_eq!(found, declared, "in the place of {place}");
        tried += targets.len();
        reached += found.len();
        let open = networks[place]
            .keys()
            .any(|name| parties(name)[2] == "internet");
        let mut strangers: BTreeSet<String> = BTreeSet::new();
        for other in all.iter().filter(|other| *other != place) {
            // The engine itself answers for whom it shares a network with.
            let shares = networks[other]
                .keys()
                .any(|name| networks[place].contains_key(name));
            if !shares {
                strangers.extend([(*other).to_owned(), node.container(other)]);
            }
        }
        // Whoever has a way out may ask for names outside.
        strangers.extend((!open).then(|| "example.com".to_owned()));
        let asks: String = strangers
            .iter()
            .map(|name| {
                format!("(timeout 8 nslookup {name} > /dev/null 2>&1 && echo named {name}) &\n")
            })
            .collect();
        let (_, said) = node.in_place_of(
            place,
            &format!("timeout 1 true || echo no timeout; {asks}wait; echo tried"),
        );
        assert_eq!(said, "tried", "names in the place of {place}");
        names += strangers.len();
    }
    println!(
        "intruders in {} places tried {tried} addresses and ports: {reached} were reached, which edges declare, no more and no less; {names} names led nowhere",
        all.len()
    );
}

/// A service's networks, each with its own address and the gateway.
fn networks_of(node: &Node, service: &str) -> BTreeMap<String, (String, String)> {
    let found = node.inspected(service);
    let on = found["NetworkSettings"]["Networks"].as_object();
    on.expect("networks")
        .iter()
        .map(|(name, one)| {
            let text = |key: &str| one[key].as_str().expect("an address").to_owned();
            (name.clone(), (text("IPAddress"), text("Gateway")))
        })
        .collect()
}

/// The parties of an edge, from the name of its network: consumer, interface, provider.
fn parties(network: &str) -> [&str; 3] {
    let edge = network.splitn(3, '-').nth(2).expect("a name of ours");
    let parts: Vec<&str> = edge.split('.').collect();
    parts.try_into().expect("three parties")
}

/// The ports on which a service listens beyond itself, from what its kernel says.
fn listening(node: &Node, service: &str) -> BTreeSet<u16> {
    let (_, text) = node.in_place_of(service, "cat /proc/net/tcp /proc/net/tcp6");
    let listens = text.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (address, port) = words.get(1)?.rsplit_once(':')?;
        let loopback = address.ends_with("7F") || address == "00000000000000000000000001000000";
        (words.get(3) == Some(&"0A") && !loopback).then(|| u16::from_str_radix(port, 16).ok())?
    });
    let ports: BTreeSet<u16> = listens.collect();
    let silent = ["tor", "miner"].contains(&service);
    assert!(silent || !ports.is_empty(), "{service}: {text}");
    ports
}

/// The ports that an interface means, from the provider's manifest and the node's own choices.
fn meant(node: &Node, provider: &str, interface: &str) -> Vec<u16> {
    let manifest = match provider {
        "peer" => "lnd",
        other => other,
    };
    let file = format!("../manifests/services/{manifest}.toml");
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let read = |path: &std::path::Path| -> toml::Table {
        let text = std::fs::read_to_string(path).expect("a file");
        toml::from_str(&text).expect("TOML")
    };
    let (manifest, choices) = (read(&path), read(&node.node.data().join("node.toml")));
    let interface = &manifest["interfaces"][interface];
    let also = interface.get("also").and_then(toml::Value::as_array);
    let also = also.into_iter().flatten();
    std::iter::once(&interface["port"])
        .chain(also)
        .map(|port| {
            let port = port.as_str().expect("a port's name");
            let chosen = choices["services"]
                .get(provider)
                .and_then(|one| one.get("ports")?.get(port));
            let number = chosen.unwrap_or(&manifest["ports"][port]["number"]["default"]);
            let number = number.as_integer().expect("a number");
            u16::try_from(number).expect("a port")
        })
        .collect()
}

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
    let before = node.started();
    let told = node
        .node
        .ok(&["rotate", "node/sql/postgres", "--timeout", "120"]);
    assert!(told.contains("refuses generation 1 (28P01)"), "{told}");
    node.node.wait_ready("postgres");
    let after = node.started();
    let blipped = before.iter().filter(|(id, at)| after.get(*id) != Some(at));
    let blipped: BTreeSet<&str> = blipped.map(|(id, _)| id.as_str()).collect();
    assert_eq!(blipped, named(&told), "{told}");
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

/// A channel between two LNDs, and an invoice paid over it.
fn pay(node: &Node) {
    let rest = |service: &str, path: &str, body: Option<&Value>| {
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
    };
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
    let port = node.inspected("lnd")["HostConfig"]["PortBindings"]
        .as_object()
        .and_then(|ports| ports.keys().next().cloned())
        .expect("a port");
    let host = format!("{at}:{}", port.trim_end_matches("/tcp"));
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

/// After a rotation the old password is refused in its own place, and only the plan's services were without service.
fn rotate(node: &Node) {
    let old = node.secret("edge/miner/rpc/bitcoind");
    let before = node.started();
    let told = node
        .node
        .ok(&["rotate", "miner/rpc/bitcoind", "--timeout", "120"]);
    assert!(told.contains("refuses generation 1 (401)"), "{told}");
    for service in ["bitcoind", "lnd", "peer", "miner"] {
        node.node.wait_ready(service);
    }
    let caller = Caller {
        place: "miner",
        user: "miner",
        password: &old,
    };
    assert_eq!(caller.call(node, "getblockcount", &json!([])).0, 401);
    let after = node.started();
    let blipped: BTreeSet<&str> = before
        .iter()
        .filter(|(id, at)| after.get(*id) != Some(at))
        .map(|(id, _)| id.as_str())
        .collect();
    assert_eq!(
        blipped,
        named(&told),
        "no more and no less than the plan says\n{told}"
    );
    assert!(
        !blipped.contains("lnd") && !blipped.contains("relay"),
        "{blipped:?}"
    );
}

/// The services that a plan restarts, now or once others have stopped.
fn named(plan: &str) -> BTreeSet<&str> {
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
    now.chain(later).chain(exits).collect()
}
