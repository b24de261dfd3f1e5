//! Owns the tries of credentials: each user in its own place, and each stolen one elsewhere.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde_json::Value;
use serde_json::json;

use crate::declared::Declared;
use crate::engine::Node;
use crate::engine::ask;
use crate::engine::run;
use crate::intruder::networks_of;

/// Who shows what to bitcoind, from where.
pub(crate) struct Caller<'a> {
    pub(crate) place: &'a str,
    pub(crate) user: &'a str,
    pub(crate) password: &'a str,
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
    pub(crate) fn call(&self, node: &Node, method: &str, params: &Value) -> (u16, Value) {
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

/// The logins of bitcoind, by user.
type Logins = BTreeMap<String, String>;

/// Everyone who has a login of bitcoind: its consumers and the node.
fn logins(node: &Node, consumers: &[&str]) -> Logins {
    let kept = node.kept();
    let of = |consumer: &str| {
        let key = format!("edge/{consumer}/rpc/bitcoind");
        let found = kept.iter().find(|(name, _)| name.starts_with(&key));
        found
            .unwrap_or_else(|| panic!("{key} is not kept"))
            .1
            .clone()
    };
    consumers
        .iter()
        .chain(&["node"])
        .map(|consumer| ((*consumer).to_owned(), of(consumer)))
        .collect()
}

/// What each user may call, by the manifests, which bitcoind was told word for word.
fn lists(node: &Node, logins: &Logins) -> BTreeMap<String, BTreeSet<String>> {
    let declared = Declared::of(&node.node);
    let conf = node.node.rendered("bitcoind", "bitcoin.conf");
    let of = |user: &String| -> BTreeSet<String> {
        let wanted = declared.allow(user, "rpc", "bitcoind");
        let start = format!("rpcwhitelist={user}:");
        let line = conf.lines().find_map(|line| line.strip_prefix(&start));
        let names = line.expect("a list").split(',');
        let told: BTreeSet<String> = names.map(|name| name.trim().to_owned()).collect();
        assert_eq!(told, wanted, "{user}");
        wanted
    };
    logins.keys().map(|user| (user.clone(), of(user))).collect()
}

/// Each user may do what is on its list and nothing else, among everything that `help` lists.
pub(crate) fn core_users(node: &Node, consumers: &[&str]) {
    let logins = logins(node, consumers);
    let lists = lists(node, &logins);
    let as_miner = Caller {
        place: "miner",
        user: "miner",
        password: &logins["miner"],
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
    let (mut outside, mut inside) = (0, 0);
    let at = node.address("bitcoind", "node/rpc/bitcoind");
    for (user, password) in &logins {
        let answers = if user == "node" {
            // It asks from this machine.
            let url = format!("http://node:{password}@{at}:18443/");
            let asks = methods.iter().map(|method| {
                let body = json!({ "method": method, "params": [] });
                (method.clone(), ask(&url, &[], Some(&body)).0)
            });
            asks.collect()
        } else {
            let caller = Caller {
                place: user,
                user,
                password,
            };
            caller.call_all(node, &methods)
        };
        for method in &methods {
            let status = answers.get(method).copied().unwrap_or_default();
            if lists[user].contains(method) {
                // Without parameters some are errors of their own; none is forbidden.
                assert!(matches!(status, 200 | 500), "{user} {method}: {status}");
                inside += 1;
            } else {
                assert_eq!(status, 403, "{user} {method}");
                outside += 1;
            }
        }
    }
    println!(
        "{} users × {} methods: {inside} inside their lists answered, {outside} outside refused with 403",
        logins.len(),
        methods.len()
    );
    // A password of another user, and one that nobody has.
    for password in [logins["miner"].as_str(), "0123456789abcdef"] {
        let caller = Caller {
            place: "lnd",
            user: "lnd",
            password,
        };
        assert_eq!(caller.call(node, "getblockcount", &json!([])).0, 401);
    }
}

/// Each login of bitcoind in each place that is not its own. Where no edge leads to bitcoind nobody answers. Where one does,
/// bitcoind cannot tell by whom a login is shown: it is worth its own list there, and not a call more, whatever the place
/// itself may call.
pub(crate) fn stolen_from_core(node: &Node, consumers: &[&str], all: &[&str]) {
    let logins = logins(node, consumers);
    let lists = lists(node, &logins);
    let addresses: Vec<String> = networks_of(node, "bitcoind")
        .into_values()
        .map(|(address, _)| address)
        .collect();
    let (mut silent, mut held) = (0, 0);
    for place in all.iter().filter(|place| **place != "bitcoind") {
        let callers: Vec<Caller<'_>> = logins
            .iter()
            .filter(|(user, _)| user != place)
            .map(|(user, password)| Caller {
                place,
                user,
                password,
            })
            .collect();
        if !consumers.contains(place) {
            let asks: String = callers
                .iter()
                .flat_map(|caller| addresses.iter().map(|address| (caller.login(), address)))
                .map(|(login, address)| format!("ask {address} {login} getblockcount [] & "))
                .collect();
            let script = format!("{ASK}{asks} sleep 2; kill $(jobs -p) 2>/dev/null; echo tried");
            let (_, said) = node.in_place_of(place, &script);
            assert!(
                said.contains("tried") && !said.contains("HTTP/1.1"),
                "{place}: {said}"
            );
            silent += callers.len() * addresses.len();
            continue;
        }
        for caller in callers {
            let own = &lists[caller.user];
            // All that the place could add to it, and something that it may do itself.
            let more: Vec<String> = lists[*place].difference(own).cloned().collect();
            let answers = caller.call_all(node, &more);
            assert_eq!(answers.len(), more.len(), "{place} as {}", caller.user);
            for (method, status) in answers {
                assert_eq!(status, 403, "{place} as {}: {method}", caller.user);
                held += 1;
            }
            let (status, _) = caller.call(node, "getblockcount", &json!([]));
            let listed = own.contains("getblockcount");
            let wanted = if listed { 200 } else { 403 };
            assert_eq!(status, wanted, "{place} as {}", caller.user);
        }
    }
    println!(
        "{} stolen logins of bitcoind in {} places: {silent} tries without an edge found nobody, {held} calls beyond the login's own list were refused with 403 where an edge leads",
        logins.len(),
        all.len() - 1
    );
}

/// Each role of Postgres in each place: it opens its own database from its own edge, and nothing from elsewhere.
pub(crate) fn stolen_from_postgres(node: &Node, image: &str, all: &[&str]) {
    let roles = ["books", "node"].map(|role| {
        let password = node.secret(&format!("edge/{role}/sql/postgres"));
        (role, password)
    });
    let addresses: BTreeSet<(String, String)> = networks_of(node, "postgres")
        .into_iter()
        .map(|(edge, (address, _))| (edge, address))
        .collect();
    let (mut refused, mut silent) = (0, 0);
    for place in all.iter().filter(|place| **place != "postgres") {
        let mut script = String::new();
        for (edge, address) in &addresses {
            for (role, password) in &roles {
                let login = format!(
                    "host={address} port=5432 user={role} dbname={role} password={password} connect_timeout=3"
                );
                script.push_str(&format!(
                    "(echo {edge} {role} $(psql -XAtc 'SELECT 21' '{login}' 2>&1)) &\n"
                ));
            }
        }
        let (_, said) = node.in_place_with(place, image, &format!("{script}wait"));
        assert_eq!(
            said.lines().count(),
            addresses.len() * roles.len(),
            "{said}"
        );
        for line in said.lines() {
            let mut words = line.splitn(3, ' ');
            let (edge, role) = (
                words.next().expect("an edge"),
                words.next().expect("a role"),
            );
            let answer = words.next().unwrap_or_default();
            if *place == "books" && edge == "books.sql.postgres" {
                let opened = answer == "21";
                assert_eq!(opened, role == "books", "{place}: {line}");
                assert!(opened || answer.contains("no pg_hba.conf entry"), "{line}");
                refused += usize::from(!opened);
            } else {
                let nobody = ["timeout expired", "No route", "unreachable", "refused"];
                assert!(
                    nobody.iter().any(|why| answer.contains(why)),
                    "{place}: {line}"
                );
                silent += 1;
            }
        }
    }
    // From this machine, by the node's own edge: its role alone.
    let at = node.address("postgres", "node/sql/postgres");
    for (role, password) in &roles {
        let login = format!("host={at} port=5432 user={role} dbname={role} password={password}");
        let (well, said) = run("psql", &["-XAtc", "SELECT 21", &login]);
        assert_eq!(well, *role == "node", "{role}: {said}");
        assert!(well || said.contains("no pg_hba.conf entry"), "{said}");
        refused += usize::from(!well);
    }
    println!(
        "{} stolen roles of Postgres in {} places: {refused} were refused at another's edge, {silent} tries without an edge found nobody",
        roles.len(),
        all.len()
    );
}

/// LND's macaroons and Tor's cookie: nobody but the node has an edge to what takes them, and no other LND takes one.
pub(crate) fn stolen_from_lnd_and_tor(node: &Node, curl: &str, all: &[&str]) {
    let macaroon = |service: &str| {
        let text = node.secret(&format!("service/{service}/admin_macaroon"));
        use base64::Engine as _;
        let raw = base64::engine::general_purpose::STANDARD.decode(text.trim());
        hex::encode(raw.expect("base64"))
    };
    let mut silent = 0;
    for (owner, other) in [("lnd", "peer"), ("peer", "lnd")] {
        let header = format!("Grpc-Metadata-macaroon: {}", macaroon(owner));
        let at = |service: &str| {
            let address = node.address(service, &format!("node/rest/{service}"));
            format!("https://{address}:8080/v1/getinfo")
        };
        assert_eq!(ask(&at(owner), &[&header], None).0, 200);
        let (status, said) = ask(&at(other), &[&header], None);
        assert!(
            status >= 400,
            "{other} takes the macaroon of {owner}: {said}"
        );
        for place in all.iter().filter(|place| **place != owner) {
            let mut script = String::new();
            let addresses = networks_of(node, owner);
            for (address, _) in addresses.values() {
                script.push_str(&format!(
                    "(curl -sk -m 3 -o /dev/null -w '%{{http_code}}\n' -H '{header}' https://{address}:8080/v1/getinfo) &\n"
                ));
            }
            let (_, said) = node.in_place_with(place, curl, &format!("{script}wait"));
            let codes: Vec<&str> = said.lines().collect();
            assert_eq!(
                codes,
                vec!["000"; addresses.len()],
                "{place} with the macaroon of {owner}"
            );
            silent += addresses.len();
        }
    }
    if all.contains(&"tor") {
        let cookie = node
            .node
            .data()
            .join("volumes/tor/data/control_auth_cookie");
        let cookie = hex::encode(std::fs::read(&cookie).expect("a cookie"));
        let says = |address: &str, word: &str| {
            format!("printf 'AUTHENTICATE {word}\r\nQUIT\r\n' | nc -w 3 {address} 9051")
        };
        let at = node.address("tor", "node/control/tor");
        let here = |word: &str| run("/bin/busybox", &["sh", "-c", &says(&at, word)]).1;
        assert!(here(&cookie).starts_with("250"), "the node's own edge");
        assert!(here(&"00".repeat(32)).starts_with("515"), "another cookie");
        for place in all.iter().filter(|place| **place != "tor") {
            let addresses = networks_of(node, "tor");
            let asks: String = addresses
                .values()
                .map(|(address, _)| format!("({}) &\n", says(address, &cookie)))
                .collect();
            let (_, said) = node.in_place_of(place, &format!("{asks}wait; echo tried"));
            let answered = said.lines().any(|line| line.starts_with("250"));
            assert!(said.contains("tried") && !answered, "{place}: {said}");
            silent += addresses.len();
        }
    }
    println!(
        "stolen macaroons of LND and the cookie of Tor: {silent} tries in {} places found nobody, and no LND takes another's",
        all.len()
    );
}
