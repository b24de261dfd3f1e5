use proptest::prelude::*;

use super::fixture::CHAIN;
use super::fixture::INDEX;
use super::fixture::Node;
use super::fixture::PROXY;
use super::fixture::id;
use super::fixture::name;
use crate::runtime::RuntimeKind;
use crate::secret::SecretKey;
use crate::service::desired::Wanted;
use crate::service::hash::spec_hash;
use crate::service::marker::holds_marker;
use crate::service::programs::Programs;
use crate::service::spec::ServiceSpec;

mod golden;

const ALSO_A_PROXY: &str = "[services.proxy]\nmanifest = \"proxy\"\n";
const EXTERNAL_CHAIN: &str = "[services.chain.external.addresses]\n\
    rpc = \"10.0.0.1:8332\"\nzmq = \"10.0.0.1:28332\"\n\
    [services.chain.external.credentials.rpc]\nuser = \"shop\"\npassword_file = \"/etc/p\"\n";

#[test]
fn a_provider_writes_one_user_for_each_consumer_and_one_for_the_node() {
    let spec = Node::new().spec("chain");
    assert_eq!(
        spec.files["chain.conf"],
        "server=1\n\
         dbcache=450\n\
         prune=0\n\
         zmq=tcp://127.0.0.1:28332\n\
         rpcbind=127.0.0.1:18443\n\
         rpcauth=index:⟦edge/index/rpc/chain#1:rpcauth⟧\n\
         rpcwhitelist=index:getblock,getblockcount\n\
         rpcallowip=127.0.0.1/32\n\
         rpcauth=node:⟦edge/node/rpc/chain#1:rpcauth⟧\n\
         rpcwhitelist=node:getblockchaininfo\n\
         rpcallowip=127.0.0.1/32\n"
    );
}

#[test]
fn a_consumer_gets_address_user_and_password_of_its_provider() {
    let spec = Node::new().spec("index");
    assert_eq!(
        spec.files["index.toml"],
        "auth = \"index:⟦edge/index/rpc/chain#1:plain⟧\"\n\
         daemon = \"127.0.0.1:18443\"\n\
         zmq = 28332\n\
         basic = \"⟦service/index/cookie#1:base64⟧\"\n"
    );
    assert_eq!(
        spec.program.args,
        [
            "--conf",
            "/run/flash-node-abc123/files/index/index.toml",
            "--auth-file=/run/flash-node-abc123/files/index/edge-chain",
        ]
    );
    let files: Vec<&str> = spec.secrets.keys().map(String::as_str).collect();
    assert_eq!(files, ["cookie", "edge-chain"]);
}

#[test]
fn no_argument_and_no_variable_ever_holds_a_marker() {
    let node = Node::new().choosing(ALSO_A_PROXY);
    for (service, desired) in node.desired().services {
        let Wanted::Run { spec, .. } = desired.wanted else {
            panic!("{service} does not run");
        };
        for text in spec.program.args.iter().chain(spec.program.env.values()) {
            assert!(!holds_marker(text), "{service}: {text}");
        }
    }
}

#[test]
fn an_optional_edge_is_there_when_its_provider_is() {
    let without = Node::new().spec("index");
    assert!(!without.files["index.toml"].contains("proxy"));
    let with = Node::new().choosing(ALSO_A_PROXY).spec("index");
    assert!(with.files["index.toml"].ends_with(
        "proxy = \"127.0.0.1:9051\"\ncookie = \"/data/volumes/proxy/data/regtest/cookie\"\n"
    ));
    let edges: Vec<String> = with.edges.iter().map(|edge| edge.id.to_string()).collect();
    assert_eq!(
        edges,
        [
            "index/control/proxy",
            "index/out/internet",
            "index/rpc/chain"
        ]
    );
}

#[test]
fn a_circle_over_an_optional_edge_is_none_and_what_is_optional_restarts_nothing() {
    let back = "[edges.index]\nto = \"index\"\ninterface = \"electrum\"\n\n[edges.out]";
    let proxy: &'static str = PROXY.replace("[edges.out]", back).leak();
    let manifests = [
        ("chain.toml", CHAIN),
        ("index.toml", INDEX),
        ("proxy.toml", proxy),
    ];
    let services = [("chain", "chain"), ("index", "index")];
    let node = Node::of(&manifests, "regtest", &services).choosing(ALSO_A_PROXY);
    let index = node.spec("index");
    let optional = |spec: &ServiceSpec| -> Vec<String> {
        let edges = spec.edges.iter().filter(|edge| edge.optional);
        edges.map(|edge| edge.id.to_string()).collect()
    };
    assert_eq!(optional(&index), ["index/control/proxy"]);
    assert_eq!(optional(&node.spec("proxy")), Vec::<String>::new());
    let mut needing = index.clone();
    needing
        .edges
        .iter_mut()
        .for_each(|edge| edge.optional = false);
    assert_eq!(spec_hash(&needing), spec_hash(&index));
}

#[test]
fn an_optional_edge_to_a_provider_that_is_held_back_is_absent() {
    let mut node = Node::new().choosing(ALSO_A_PROXY);
    node.programs = Programs::default()
        .with(
            &super::fixture::manifest_id("chain"),
            "chaind",
            "/opt/chaind".into(),
        )
        .with(
            &super::fixture::manifest_id("index"),
            "indexd",
            "/opt/indexd".into(),
        );
    assert_eq!(node.held("proxy").0, "not_installed");
    assert_eq!(node.spec("index"), Node::new().spec("index"));
}

#[test]
fn dependants_of_a_missing_program_are_held_back_and_name_the_root() {
    let mut node = Node::of(
        &[
            ("chain.toml", CHAIN),
            ("index.toml", INDEX),
            ("proxy.toml", PROXY),
            ("wallet.toml", WALLET),
        ],
        "regtest",
        &[("chain", "chain"), ("index", "index"), ("wallet", "wallet")],
    );
    node.programs = Programs::default()
        .with(
            &super::fixture::manifest_id("index"),
            "indexd",
            "/opt/indexd".into(),
        )
        .with(
            &super::fixture::manifest_id("wallet"),
            "walletd",
            "/opt/walletd".into(),
        );
    let cause = "no program was looked for `chain`";
    assert_eq!(
        node.held("chain"),
        ("not_installed".to_owned(), cause.to_owned())
    );
    assert_eq!(
        node.held("index"),
        (
            "provider_held_back".to_owned(),
            format!("needs chain, which is held back: {cause}")
        )
    );
    assert_eq!(
        node.held("wallet"),
        (
            "provider_held_back".to_owned(),
            format!("needs index, which waits for chain: {cause}")
        )
    );
}

/// A third link of the chain of dependants.
const WALLET: &str = include_str!("fixture/wallet.toml");

#[test]
fn a_provider_that_is_held_back_gives_no_credential_to_its_consumers() {
    let mut node = Node::new();
    node.programs =
        Programs::default().with(&super::fixture::manifest_id("chain"), "chaind", "/c".into());
    let spec = node.spec("chain");
    assert!(
        !spec.files["chain.conf"].contains("index"),
        "a consumer that does not run has no user"
    );
    assert_eq!(spec.consumers.len(), 1);
}

#[test]
fn a_failed_check_holds_back_with_the_authors_message() {
    let node = Node::new().choosing("[services.chain.settings]\nprune_mib = 1000\n");
    let message = "an index needs an unpruned chain; set chain.prune_mib to 0";
    assert_eq!(
        node.held("index"),
        ("check_failed".to_owned(), message.to_owned())
    );
    node.spec("chain");
}

#[test]
fn the_fake_runtime_needs_no_program() {
    let mut node = Node::new();
    node.places.kind = RuntimeKind::Fake;
    node.programs = Programs::default();
    node.spec("index");
}

#[test]
fn settings_of_the_operator_win_over_the_profile_and_that_over_the_manifest() {
    let mut node = Node::new();
    let value = |node: &Node| node.service("chain").settings[&name("dbcache_mib")].clone();
    assert_eq!(value(&node), 450);
    let instance = node.profile.services.get_mut(&id("chain")).unwrap();
    instance.settings.insert(name("dbcache_mib"), 600.into());
    assert_eq!(value(&node), 600);
    assert_eq!(
        value(&node.choosing("[services.chain.settings]\ndbcache_mib = 700\n")),
        700
    );
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let node = Node::new().choosing(
        "[services.chain.settings]\ndbcache_mib = 1\nlabel = \"a\\nb\"\ncolour = 3\n\
         [services.chain.volumes]\ndata = \"elsewhere\"\n\
         [services.index.settings]\nlevel = \"loud\"\n\
         [services.index.ports]\nhttp = 80\n\
         [services.stray.settings]\n\
         [services.other]\nmanifest = \"nothing\"\n\
         [services.node]\nmanifest = \"chain\"\n\
         [storage.rel]\npath = \"disk\"\n",
    );
    assert_eq!(
        node.errors(),
        [
            "chain: it has no setting `colour`; it has `dbcache_mib`, `label`, `prune_mib`",
            "chain: setting `dbcache_mib` is 1, but must be a whole number from 4 to 16000 MiB",
            "chain: setting `label` is \"a\\nb\", but must be a text of at most 20 characters without control characters",
            "chain: volume `data` lies in the storage root `elsewhere`, which [storage] does not name",
            "index: node.toml names the port `http`, which it does not have; it has `electrum`",
            "index: setting `level` is \"loud\", but must be one of info, debug",
            "node: [storage] `rel` is not an absolute path",
            "node: this name is reserved; call the service something else",
            "other: there is no manifest `nothing`; known are `chain`, `index`, `proxy`",
            "stray: the profile has no such service; say which manifest it is an instance of: `manifest = \"…\"`",
        ]
    );
}

#[test]
fn a_setting_cannot_smuggle_in_a_marker() {
    let node = Node::new().choosing("[services.chain.settings]\nlabel = \"⟦a#1:plain⟧\"\n");
    assert_eq!(node.errors().len(), 1);
}

#[test]
fn an_edge_without_a_provider_is_an_error() {
    let node = Node::new().choosing("[services.chain]\nenabled = false\n");
    assert_eq!(
        node.errors(),
        [
            "index: it needs `chain` (edge `chain`), and this node has no such service; add one, or name your own server as external"
        ]
    );
}

#[test]
fn with_two_instances_the_operator_chooses() {
    let second = "[services.second]\nmanifest = \"chain\"\n[services.second.ports]\nrpc = 1\nzmq = 2\np2p = 3\n";
    let node = Node::new().choosing(second);
    assert_eq!(
        node.errors(),
        [
            "index: `chain`, `second` could each be its `chain`; choose in node.toml: [services.NAME.edges] chain = \"…\""
        ]
    );
    let node = Node::new().choosing(&format!(
        "{second}[services.index.edges]\nchain = \"second\"\n"
    ));
    assert!(node.spec("index").files["index.toml"].contains("daemon = \"127.0.0.1:1\"\n"));
    assert!(!node.spec("chain").files["chain.conf"].contains("index"));
    assert!(node.spec("second").files["chain.conf"].contains("⟦edge/index/rpc/second#1:rpcauth⟧"));
    let node = Node::new().choosing("[services.index.edges]\nchain = \"index\"\n");
    assert_eq!(
        node.errors(),
        ["index: `index` cannot be its `chain`: that takes an instance of `chain` on this node"]
    );
}

#[test]
fn an_external_server_is_called_with_the_operators_user_and_never_started() {
    let node = Node::new().choosing(EXTERNAL_CHAIN);
    let chain = node.service("chain");
    assert_eq!(chain.wanted, Wanted::External);
    assert_eq!(chain.addresses[&name("rpc")].to_string(), "10.0.0.1:8332");
    assert_eq!(chain.node_users[&name("rpc")], "shop");
    assert_eq!(
        chain.node_credentials[&name("rpc")].key.0,
        "external/chain/rpc"
    );
    assert!(node.spec("index").files["index.toml"].starts_with(
        "auth = \"shop:⟦external/chain/rpc#1:plain⟧\"\ndaemon = \"10.0.0.1:8332\"\nzmq = 28332\n"
    ));
}

#[test]
fn an_external_server_needs_the_addresses_and_the_credential_that_are_used() {
    let node =
        Node::new().choosing("[services.chain.external.addresses]\nrpc = \"10.0.0.1:8332\"\n");
    assert_eq!(
        node.errors(),
        [
            "chain: it is external, and index calls its port `zmq`; give its address in node.toml under external.addresses"
        ]
    );
    let node = Node::new().choosing(
        "[services.chain.external.addresses]\nrpc = \"10.0.0.1:8332\"\nzmq = \"10.0.0.1:1\"\n",
    );
    assert_eq!(
        node.errors(),
        [
            "chain: it is external, and index calls `rpc`; give user and password_file in node.toml under external.credentials"
        ]
    );
}

#[test]
fn a_storage_root_holds_the_volume_that_was_put_there() {
    let node = Node::new()
        .choosing("[storage.big]\npath = \"/mnt/big\"\n[services.chain.volumes]\ndata = \"big\"\n");
    let spec = node.spec("chain");
    let volume = &spec.volumes[&name("data")];
    assert_eq!(volume.path.to_str(), Some("/mnt/big/volumes/chain/data"));
    assert_eq!((volume.root.as_str(), volume.needs_mib), ("big", 100));
    assert!(
        spec.program
            .args
            .contains(&"-datadir=/mnt/big/volumes/chain/data".to_owned())
    );
}

#[test]
fn a_rotation_changes_the_two_ends_of_the_edge_and_nobody_else() {
    let before = Node::new().choosing(ALSO_A_PROXY);
    let mut after = before.clone();
    after
        .generations
        .insert(SecretKey("edge/index/rpc/chain".to_owned()), 2);
    let changed = changed(&before, &after);
    assert_eq!(changed, ["chain", "index"]);
}

/// The services whose hash differs between two nodes.
fn changed(before: &Node, after: &Node) -> Vec<String> {
    let (before, after) = (before.desired(), after.desired());
    let hash = |wanted: &Wanted| match wanted {
        Wanted::Run { hash, .. } => Some(hash.clone()),
        _ => None,
    };
    before
        .services
        .iter()
        .filter(|(service, old)| hash(&old.wanted) != hash(&after.services[*service].wanted))
        .map(|(service, _)| service.to_string())
        .collect()
}

#[test]
fn a_setting_that_no_template_reads_changes_no_hash() {
    let before = Node::new();
    let after = before
        .clone()
        .choosing("[services.chain.settings]\nlabel = \"mine\"\n");
    assert_eq!(changed(&before, &after), Vec::<String>::new());
}

#[test]
fn variables_for_probes_are_those_of_the_templates() {
    let resolved = Node::new().resolved();
    let variables = &resolved.scopes[&id("index")];
    assert_eq!(
        variables.render("{{ edge.chain.port }}").as_deref(),
        Ok("18443")
    );
    assert_eq!(
        variables.variables()["url"]["electrum"],
        "tcp://127.0.0.1:50001"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_setting_changes_only_the_services_that_render_it(
        dbcache_mib in 4..16_000_i64,
        label in "[a-z ]{0,20}",
        debug in any::<bool>(),
    ) {
        let before = Node::new().choosing(ALSO_A_PROXY);
        let level = if debug { "debug" } else { "info" };
        let after = before.clone().choosing(&format!(
            "{ALSO_A_PROXY}[services.chain.settings]\ndbcache_mib = {dbcache_mib}\nlabel = \"{label}\"\n\
             [services.index.settings]\nlevel = \"{level}\"\n"
        ));
        let mut expected = Vec::new();
        if dbcache_mib != 450 {
            expected.push("chain");
        }
        if debug {
            expected.push("index");
        }
        prop_assert_eq!(changed(&before, &after), expected);
    }

    #[test]
    fn the_order_of_inputs_never_matters(seed in prop::collection::vec(0..6_usize, 6)) {
        let mut parts = [
            "[services.chain.settings]\ndbcache_mib = 500\n",
            "[services.second]\nmanifest = \"index\"\n",
            "[services.second.ports]\nelectrum = 7000\n",
            "[services.proxy]\nmanifest = \"proxy\"\n",
            "[storage.big]\npath = \"/mnt/big\"\n",
            "[services.chain.volumes]\ndata = \"big\"\n",
        ];
        let straight = Node::new().choosing(&parts.concat());
        for (from, to) in seed.into_iter().enumerate() {
            parts.swap(from, to);
        }
        let manifests = [("proxy.toml", PROXY), ("index.toml", INDEX), ("chain.toml", CHAIN)];
        let services = [("index", "index"), ("chain", "chain")];
        let shuffled = Node::of(&manifests, "regtest", &services).choosing(&parts.concat());
        prop_assert_eq!(straight.resolved(), shuffled.resolved());
    }
}
