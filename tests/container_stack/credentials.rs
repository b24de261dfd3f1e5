//! Owns the tries of credentials: each user in its own place, and each stolen one elsewhere.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde_json::Value;
use serde_json::json;

use crate::engine::Node;
use crate::engine::ask;
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

/// Each user may do what is on its list and nothing else; what was stolen in one place opens nothing where no edge leads.
pub(crate) fn core_users(node: &Node, consumers: &[&str], places: &[&str]) {
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
