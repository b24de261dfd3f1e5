//! Owns what is asked of the users of Bitcoin Core: that each has one credential, keeps to its list, and that no secret of
//! the whole stack lies where it does not belong.

use std::collections::BTreeMap;

use serde_json::json;

use crate::PASSPHRASE;
use crate::chain::Core;
use crate::leak;
use crate::leak::Secret;
use crate::node::TestNode;
use crate::node::files_under;

/// The value of `key=value` in a file of lines.
pub(crate) fn line(text: &str, key: &str) -> String {
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(key)?.trim().strip_prefix('='));
    value
        .unwrap_or_else(|| panic!("{key} is not there"))
        .trim()
        .trim_matches('"')
        .to_owned()
}

/// Each of them is allowed what its list names, and refused the rest; so is whoever reads Core's own cookie.
pub(crate) fn each_user_keeps_to_its_list(node: &TestNode, core: &Core) {
    let conf = node.rendered("lnd", "lnd.conf");
    let lnd = core.by(
        &line(&conf, "bitcoind.rpcuser"),
        &line(&conf, "bitcoind.rpcpass"),
    );
    let auth = line(&node.rendered("electrs", "electrs.toml"), "auth");
    let (user, password) = auth.split_once(':').expect("user and password");
    let electrs = core.by(user, password);
    assert!(
        lnd.user != electrs.user && lnd.password != electrs.password,
        "nobody shares a credential"
    );
    assert_eq!(
        lnd.call("getblockchaininfo", &json!([]))["chain"],
        "regtest"
    );
    assert_eq!(
        electrs.call("getblockchaininfo", &json!([]))["chain"],
        "regtest"
    );
    let refused = [
        (&lnd, "stop"),
        (&lnd, "generatetoaddress"),
        (&electrs, "stop"),
        (&electrs, "getzmqnotifications"),
        (core, "stop"),
        (core, "getblockchaininfo"),
    ];
    for (who, method) in refused {
        assert_eq!(
            who.ask(method, &json!([])).0,
            403,
            "{} asks {method}",
            who.user
        );
    }
    assert_eq!(
        lnd.by(&lnd.user, "wrong")
            .ask("getblockchaininfo", &json!([]))
            .0,
        401
    );
    assert_eq!(
        lnd.by("nobody", &lnd.password)
            .ask("getblockchaininfo", &json!([]))
            .0,
        401
    );
    let cookie = files_under(&node.data().join("volumes/bitcoind"))
        .into_iter()
        .find(|path| path.ends_with(".cookie"))
        .expect("Core wrote a cookie");
    let cookie = std::fs::read_to_string(cookie).expect("a cookie");
    let (user, password) = cookie.split_once(':').expect("user and password");
    for method in ["getblockchaininfo", "stop"] {
        assert_eq!(
            core.by(user, password).ask(method, &json!([])).0,
            403,
            "the cookie asks {method}"
        );
    }
}

/// Core knows one user with one list for each consumer and for the node, and a consumer knows its own password alone.
pub(crate) fn each_consumer_has_one_credential(
    node: &TestNode,
    kept: &BTreeMap<String, String>,
    consumers: &[&str],
) {
    let conf = node.rendered("bitcoind", "bitcoin.conf");
    let users = |key: &str| {
        let lines = conf.lines().filter_map(|line| line.strip_prefix(key));
        let names = lines.map(|rest| rest.split(':').next().expect("a name").to_owned());
        let mut users: Vec<String> = names.collect();
        users.sort_unstable();
        users
    };
    let (credentials, lists) = (users("rpcauth="), users("rpcwhitelist="));
    assert_eq!(credentials, lists, "whoever has a credential has one list");
    let mut expected: Vec<&str> = consumers.to_vec();
    expected.push("node");
    // Held back where its program is not installed; its credential may be there all the same.
    if credentials.iter().any(|user| user == "nbxplorer") {
        expected.push("nbxplorer");
    }
    expected.sort_unstable();
    assert_eq!(
        credentials, expected,
        "one user for each consumer, and no other"
    );
    for word in ["rpcuser", "rpcpassword", "rpccookie"] {
        assert!(!conf.contains(word), "{word} in bitcoin.conf");
    }
    for service in consumers {
        let file = match *service {
            "electrs" => "electrs.toml",
            "lnd" => "lnd.conf",
            _ => "miner.conf",
        };
        let text = node.rendered(service, file);
        assert!(
            !text.contains("cookie"),
            "a path to Core's cookie in {file}"
        );
        let own = format!("edge/{service}/rpc/bitcoind");
        let held = kept
            .iter()
            .filter(|(_, value)| text.contains(value.as_str()));
        let held: Vec<&str> = held.map(|(key, _)| key.as_str()).collect();
        assert_eq!(
            held,
            [own.as_str()],
            "{file} holds its own credential alone"
        );
    }
}

/// The node asks Core as a user too, and only what its probes and jobs need.
pub(crate) fn the_nodes_own_user_keeps_to_its_list(core: &Core, kept: &BTreeMap<String, String>) {
    let own = core.by("node", &kept["edge/node/rpc/bitcoind"]);
    assert_eq!(
        own.call("getblockchaininfo", &json!([]))["chain"],
        "regtest"
    );
    for method in ["stop", "generatetoaddress", "getrawmempool", "addnode"] {
        let (status, answer) = own.ask(method, &json!([]));
        assert_eq!(status, 403, "the node asks {method}: {answer}");
    }
}

/// Everything that the vault holds, while all that uses it runs.
pub(crate) fn no_secret_lies_where_it_does_not_belong(
    node: &TestNode,
    kept: &BTreeMap<String, String>,
    consumers: &[&str],
) {
    for key in [
        "edge/node/rpc/bitcoind",
        "service/lnd/wallet_password",
        "service/lnd/macaroon_root_key",
        "service/lnd/seed",
        "service/lnd/admin_macaroon",
        "service/mint/seed",
    ] {
        assert!(kept.contains_key(key), "{key} in {:?}", kept.keys());
    }
    for id in ["bitcoind", "relay", "mint"].iter().chain(consumers) {
        assert!(node.service_pid(id).is_some(), "{id} runs");
    }
    let mut secrets: Vec<Secret> = kept
        .iter()
        .map(|(key, value)| Secret::new(key, value))
        .collect();
    let of_edges = consumers.iter().map(|id| {
        let key = format!("edge/{id}/rpc/bitcoind");
        let value = &kept[&key];
        Secret::new(key, value)
    });
    let of_edges: Vec<Secret> = of_edges.collect();
    leak::assert_rendered(node, &of_edges);
    secrets.push(Secret::new("the passphrase", PASSPHRASE));
    leak::assert_none(node, &secrets);
}
