//! The full stack on a private chain, with the real programs where they stand on the PATH.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a whole-program test starts programs, and the summary collects what it prints"
)]

mod chain;
mod inspect;
mod leak;
#[path = "stack/lists.rs"]
mod lists;
mod node;
mod timeline;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use serde_json::json;

use crate::chain::Core;
use crate::chain::electrs_height;
use crate::inspect::free_port;
use crate::node::TestNode;
use crate::node::files_under;
use crate::node::program;
use crate::node::send;
use crate::node::skip;
use crate::timeline::Timeline;

const PASSPHRASE: &str = "a passphrase of the tests alone";
/// So many blocks that electrs is seen building its index on most machines: it answers between batches of 2,000.
const LONG_CHAIN: u64 = 8000;
/// How often the chain is doubled where a machine was too fast for that.
const DOUBLINGS: u32 = 3;

/// A consumer of bitcoind that may mine: no service of the regtest profile that runs here may.
const MINER: &str = r#"
manifest = 1
id = "miner"
title = "Miner"
summary = "Has a user at bitcoind that may mine."

[version]
current = "1.0"

[program]
command = "tail"
args = ["-n", "0", "-f", "{{ file.conf.path }}"]
stop_signal = "TERM"
stop_grace_seconds = 5

[edges.chain]
to = "bitcoind"
interface = "rpc"
allow = ["generatetodescriptor", "getblockcount", "gettxoutsetinfo"]
on_loss = "rides_out"
waits_for = "ready"

[files.conf]
name = "miner.conf"
template = "{{ edge.chain.host }}:{{ edge.chain.port }} {{ edge.chain.user }} {{ edge.chain.password }}\n"

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

/// One stack at a time: the programs take what a small machine has.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether every program is there; the summary names each one that is not.
fn have(programs: &[&str], what: &str) -> bool {
    let missing: Vec<&&str> = programs
        .iter()
        .filter(|name| program(name).is_none())
        .collect();
    for name in &missing {
        skip(&format!("{name} is not on the PATH: {what}"));
    }
    missing.is_empty()
}

/// Starts a regtest node with only `wanted` and the miner, and gives it a passphrase.
fn regtest(wanted: &[&str]) -> (TestNode, Timeline) {
    let mut node = TestNode::new("regtest");
    node.file("manifests/miner.toml", MINER);
    node.file("node.toml", &choices(wanted));
    node.up();
    let timeline = Timeline::begin(node.status()["api"].as_str().expect("an address"));
    let typed = node.cli_with_input(
        &["passphrase", "change"],
        &format!("{PASSPHRASE}\n{PASSPHRASE}\n"),
    );
    assert!(
        typed.status.success(),
        "{}",
        String::from_utf8_lossy(&typed.stderr)
    );
    (node, timeline)
}

fn choices(wanted: &[&str]) -> String {
    let all = [
        "bitcoind",
        "electrs",
        "lnd",
        "relay",
        "mint",
        "postgres",
        "nbxplorer",
        "btcpay",
        "tor",
    ];
    let mut text = "[services.miner]\nmanifest = \"miner\"\n".to_owned();
    for name in all.iter().filter(|name| !wanted.contains(*name)) {
        text.push_str(&format!("[services.{name}]\nenabled = false\n"));
    }
    text
}

fn unlock(node: &TestNode) {
    let typed = node.cli_with_input(&["unlock"], &format!("{PASSPHRASE}\n"));
    assert!(
        typed.status.success(),
        "{}",
        String::from_utf8_lossy(&typed.stderr)
    );
}

fn miner(node: &TestNode) -> Core {
    let text = node.rendered("miner", "miner.conf");
    let words: Vec<String> = text.split_whitespace().map(ToOwned::to_owned).collect();
    Core {
        address: words[0].clone(),
        user: words[1].clone(),
        password: words[2].clone(),
    }
}

fn kill_service(node: &TestNode, id: &str) -> u32 {
    let pid = node.service_pid(id).unwrap_or_else(|| panic!("{id} runs"));
    send(pid, "-KILL");
    pid
}

/// Whoever came back is another process than the killed one, and the only one.
fn came_back_once(node: &TestNode, id: &str, killed: u32) {
    let now = node.service_pid(id);
    assert!(now.is_some() && now != Some(killed), "{id}: {now:?}");
    let programs = node.programs_of(id);
    assert_eq!(
        programs,
        Vec::from_iter(now),
        "one program of {id}: {:?}",
        node.processes()
    );
    assert!(node.supervisor_pid(id).is_some());
}

#[test]
fn bitcoind_goes_from_starting_over_syncing_to_ready_and_comes_back_when_it_is_killed() {
    if !have(&["bitcoind"], "its status codes were not seen") {
        return;
    }
    let _alone = alone();
    let (mut node, timeline) = regtest(&["bitcoind"]);
    timeline.reach(0, "bitcoind", &["synced=synced"]);
    timeline.assert_went(
        0,
        "bitcoind",
        &[
            "ready=sealed",
            "ready=starting",
            "ready=syncing",
            "ready=ready",
            "synced=synced",
        ],
    );
    let mark = timeline.mark();
    let killed = kill_service(&node, "bitcoind");
    let back = ["event=failed", "event=started"];
    let codes = ["ready=backing_off", "ready=starting", "ready=ready"];
    timeline.reach(mark, "bitcoind", &codes);
    timeline.assert_went(mark, "bitcoind", &back);
    came_back_once(&node, "bitcoind", killed);
    node.ok(&["down"]);
    assert_eq!(node.wait_for_end(), Some(0));
}

#[test]
fn electrs_goes_from_starting_over_syncing_to_the_tip_and_comes_back_when_it_is_killed() {
    if !have(
        &["bitcoind", "electrs"],
        "the status codes of electrs were not seen",
    ) {
        return;
    }
    let _alone = alone();
    let (mut node, timeline) = regtest(&["bitcoind"]);
    node.wait_ready("miner");
    let core = miner(&node);
    see_electrs_build_its_index(&node, &core, &timeline);
    let url = node.endpoint("electrs", "electrum");
    node.wait("electrs to reach the tip", |_| {
        electrs_height(&url) == Some(core.height())
    });
    let mark = timeline.mark();
    let killed = kill_service(&node, "electrs");
    let codes = ["ready=backing_off", "ready=starting", "ready=ready"];
    timeline.reach(mark, "electrs", &codes);
    timeline.assert_went(mark, "electrs", &["event=failed", "event=started"]);
    came_back_once(&node, "electrs", killed);
    node.wait("electrs to reach the tip again", |_| {
        electrs_height(&url) == Some(core.height())
    });
    node.ok(&["down"]);
    assert_eq!(node.wait_for_end(), Some(0));
}

/// Starts electrs on a long chain until it was seen at every state: it is syncing only while it indexes, which a fast
/// machine does between two questions.
fn see_electrs_build_its_index(node: &TestNode, core: &Core, timeline: &Timeline) {
    let apply = |wanted: &[&str]| {
        node.file("node.toml", &choices(wanted));
        node.ok(&["apply"]);
    };
    let ready = ["ready=starting", "ready=syncing", "ready=ready"];
    let mut missing = LONG_CHAIN;
    for doubling in 0..=DOUBLINGS {
        for _ in 0..missing / 500 {
            core.mine(500);
        }
        missing = core.height();
        let mark = timeline.mark();
        apply(&["bitcoind", "electrs"]);
        timeline.reach(mark, "electrs", &["ready=starting", "ready=ready"]);
        if timeline.went(mark, "electrs", &ready) || doubling == DOUBLINGS {
            timeline.assert_went(mark, "electrs", &ready);
            timeline.reach(mark, "electrs", &["synced=syncing", "synced=synced"]);
            return;
        }
        let knew_electrs = node.service_pid("bitcoind");
        apply(&["bitcoind"]);
        node.wait("electrs to be gone", |node| {
            node.service("electrs").is_null() && node.programs_of("electrs").is_empty()
        });
        // It starts again without that user; until then it may not listen.
        node.wait("bitcoind to start again", |node| {
            let pid = node.service_pid("bitcoind");
            pid.is_some() && pid != knew_electrs
        });
        node.wait_ready("bitcoind");
        node.ok(&["purge", "electrs", "--confirm", "electrs"]);
    }
}

#[test]
fn lnd_gets_a_wallet_becomes_ready_and_is_unlocked_again_when_it_was_killed() {
    if !have(
        &["bitcoind", "lnd"],
        "the status codes of LND were not seen",
    ) {
        return;
    }
    let _alone = alone();
    let (mut node, timeline) = regtest(&["bitcoind", "lnd", "relay", "mint"]);
    // What lies between is shorter than the rhythm of the probes.
    let codes = ["ready=starting", "ready=no_wallet", "ready=ready"];
    timeline.reach(0, "lnd", &codes);
    timeline.assert_went(0, "lnd", &["synced=no_wallet", "synced=synced"]);
    let macaroons: Vec<PathBuf> = files_under(&node.data().join("volumes"))
        .into_iter()
        .filter(|path| path.extension().is_some_and(|kind| kind == "macaroon"))
        .collect();
    assert_eq!(
        macaroons,
        Vec::<PathBuf>::new(),
        "a stateless wallet leaves no macaroon on the disk"
    );
    assert_eq!(lnd_state(&node), Some("SERVER_ACTIVE".to_owned()));

    let mark = timeline.mark();
    let killed = kill_service(&node, "lnd");
    // Its wallet is unlocked because a probe saw it locked.
    let codes = [
        "ready=backing_off",
        "ready=starting",
        "ready=locked",
        "ready=ready",
    ];
    timeline.reach(mark, "lnd", &codes);
    timeline.assert_went(mark, "lnd", &["event=failed", "event=started"]);
    came_back_once(&node, "lnd", killed);
    assert_eq!(lnd_state(&node), Some("SERVER_ACTIVE".to_owned()));

    for id in ["relay", "mint", "miner"] {
        node.wait_ready(id);
    }
    let kept: BTreeMap<String, String> = leak::kept(&node, PASSPHRASE).into_iter().collect();
    lists::the_nodes_own_user_keeps_to_its_list(&miner(&node), &kept);
    let consumers = ["lnd", "miner"];
    lists::each_consumer_has_one_credential(&node, &kept, &consumers);
    lists::no_secret_lies_where_it_does_not_belong(&node, &kept, &consumers);
    node.ok(&["down"]);
    assert_eq!(node.wait_for_end(), Some(0));
}

/// Asks LND for its state by its own client, where that is there.
fn lnd_state(node: &TestNode) -> Option<String> {
    let Some(lncli) = program("lncli") else {
        skip("lncli is not on the PATH: LND's state was read from the node's status alone");
        return Some("SERVER_ACTIVE".to_owned());
    };
    let address = lists::line(&node.rendered("lnd", "lnd.conf"), "rpclisten");
    let certificate = node.data().join("volumes/lnd/data/tls.cert");
    let mut command = Command::new(lncli);
    command
        .arg(format!("--rpcserver={address}"))
        .arg("--tlscertpath")
        .arg(certificate);
    let output = command
        .args(["--no-macaroons", "state"])
        .output()
        .expect("lncli starts");
    let state: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
    Some(state["state"].as_str()?.to_owned())
}

#[test]
fn the_whole_stack_keeps_its_lists_outlives_its_orchestrator_and_stops_in_order() {
    if !have(
        &["bitcoind", "electrs", "lnd"],
        "the whole stack was not started",
    ) {
        return;
    }
    let _alone = alone();
    let wanted = [
        "bitcoind",
        "electrs",
        "lnd",
        "relay",
        "mint",
        "nbxplorer",
        "btcpay",
        "postgres",
        "tor",
    ];
    let (mut node, timeline) = regtest(&wanted);
    for id in ["bitcoind", "electrs", "lnd", "relay", "mint", "miner"] {
        node.wait_ready(id);
    }
    let held: Vec<&str> = ["nbxplorer", "btcpay", "tor", "postgres"]
        .into_iter()
        .filter(|id| node.service(id)["ready"]["code"] == "not_installed")
        .collect();
    println!("held back, because their programs are not installed: {held:?}");

    let core = miner(&node);
    core.mine(10);
    let tip = core.height();
    let url = node.endpoint("electrs", "electrum");
    node.wait("electrs to reach the tip", |_| {
        electrs_height(&url) == Some(tip)
    });
    let at_tip = format!("LND is at the tip, block {tip}.");
    node.wait("LND to reach the tip", |node| {
        node.service("lnd")["synced"]["text"] == at_tip.as_str()
    });
    let kept: BTreeMap<String, String> = leak::kept(&node, PASSPHRASE).into_iter().collect();
    lists::each_user_keeps_to_its_list(&node, &core);
    lists::the_nodes_own_user_keeps_to_its_list(&core, &kept);
    let all = ["electrs", "lnd", "miner"];
    lists::each_consumer_has_one_credential(&node, &kept, &all);
    lists::no_secret_lies_where_it_does_not_belong(&node, &kept, &all);
    a_lost_bitcoind_takes_nobody_with_it_that_rides_it_out(&node, &core, &timeline);
    the_orchestrator_may_die(&mut node);
    core.mine(1);
    node.wait("electrs to go on", |_| {
        electrs_height(&url) == Some(tip + 1)
    });

    let mark = timeline.mark();
    node.ok(&["down"]);
    assert_eq!(node.wait_for_end(), Some(0));
    assert_eq!(node.processes(), Vec::new(), "nothing stays running");
    let stopping = timeline
        .position(mark, "bitcoind", "event=stopping")
        .expect("bitcoind was asked to stop");
    for consumer in ["electrs", "lnd", "miner"] {
        let stopped = timeline.position(mark, consumer, "event=stopped");
        assert!(
            stopped.is_some_and(|at| at < stopping),
            "{consumer} stops before bitcoind: {:#?}",
            timeline.since(mark)
        );
    }
    assert!(
        timeline
            .since(mark)
            .iter()
            .all(|(_, what)| what != "event=killed"),
        "everyone stops within its grace"
    );
}

fn a_lost_bitcoind_takes_nobody_with_it_that_rides_it_out(
    node: &TestNode,
    core: &Core,
    timeline: &Timeline,
) {
    let lnd = node.service_pid("lnd");
    let electrs = node.service_pid("electrs");
    // Core writes its chain rarely, and nobody has a copy of this one: a kill would take the newest blocks with it, and
    // LND would wait for a chain as long as the one that it saw. This call writes.
    core.call("gettxoutsetinfo", &json!([]));
    let mark = timeline.mark();
    kill_service(node, "bitcoind");
    node.wait("the plan to say that LND is degraded", |node| {
        let plan = node.cli(&["plan"]).stdout;
        String::from_utf8_lossy(&plan).contains("lnd: degraded: without bitcoind (rides it out)")
    });
    node.wait("electrs to come back", |_| {
        timeline.went(
            mark,
            "electrs",
            &["event=exited_with_provider", "event=started"],
        ) && timeline.went(mark, "electrs", &["state=running", "ready=ready"])
    });
    assert!(
        !timeline.went(mark, "electrs", &["event=failed"]),
        "no failure of its own is counted"
    );
    assert_ne!(node.service_pid("electrs"), electrs);
    node.wait_ready("bitcoind");
    node.wait_ready("lnd");
    assert_eq!(node.service_pid("lnd"), lnd, "LND rode it out");
}

fn the_orchestrator_may_die(node: &mut TestNode) {
    let ids = ["bitcoind", "electrs", "lnd", "relay", "mint", "miner"];
    let before: Vec<Option<u32>> = ids.iter().map(|id| node.service_pid(id)).collect();
    assert!(before.iter().all(Option::is_some));
    node.kill_daemon();
    node.up();
    unlock(node);
    for id in ids {
        node.wait_ready(id);
    }
    let after: Vec<Option<u32>> = ids.iter().map(|id| node.service_pid(id)).collect();
    assert_eq!(after, before, "whatever ran is adopted as it runs");
}

/// The operator's own bitcoind: nothing of the node's, ended with the test.
struct OwnCore {
    child: std::process::Child,
    folder: tempfile::TempDir,
    rpc: u16,
    p2p: u16,
}

impl OwnCore {
    const LISTED: &'static str = "password-of-the-listed-user";
    const LISTLESS: &'static str = "password-of-the-listless-user";

    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (rpc, p2p) = (free_port(), free_port());
        let allowed = "generatetodescriptor,getblockcount,getblockchaininfo,getnetworkinfo,getblock,getblockhash,getblockheader,\
                       getmempoolinfo,getrawmempool,getrawtransaction,estimatesmartfee,sendrawtransaction,uptime";
        let conf = format!(
            "chain=regtest\nserver=1\nprinttoconsole=0\ndisablewallet=1\nrpcauth={}\nrpcauth={}\nrpcwhitelist=flash:{allowed}\n\
             [regtest]\nrpcport={rpc}\nrpcbind=127.0.0.1\nrpcallowip=127.0.0.1\nbind=127.0.0.1:{p2p}\n",
            rpcauth("flash", Self::LISTED),
            rpcauth("listless", Self::LISTLESS),
        );
        std::fs::write(folder.path().join("bitcoin.conf"), conf).expect("a file");
        let child = Command::new("bitcoind")
            .arg(format!("-datadir={}", folder.path().display()))
            .stdout(Stdio::null())
            .spawn()
            .expect("bitcoind starts");
        Self {
            child,
            folder,
            rpc,
            p2p,
        }
    }

    fn user(&self, user: &str, password: &str) -> Core {
        Core {
            address: format!("127.0.0.1:{}", self.rpc),
            user: user.to_owned(),
            password: password.to_owned(),
        }
    }
}

impl Drop for OwnCore {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Source: Bitcoin Core, share/rpcauth/rpcauth.py.
fn rpcauth(user: &str, password: &str) -> String {
    use hmac::KeyInit;
    use hmac::Mac;
    let salt = "00112233445566778899aabbccddeeff";
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(salt.as_bytes()).expect("any key");
    mac.update(password.as_bytes());
    format!("{user}:{salt}${}", hex::encode(mac.finalize().into_bytes()))
}

#[test]
fn the_operators_own_bitcoind_serves_electrs_and_is_never_stopped() {
    if !have(
        &["bitcoind", "electrs"],
        "an operator's own bitcoind was not tried",
    ) {
        return;
    }
    let _alone = alone();
    let own = OwnCore::start();
    let core = own.user("flash", OwnCore::LISTED);
    let mut node = TestNode::new("regtest");
    node.wait("the operator's bitcoind to answer", |_| {
        std::net::TcpStream::connect(&core.address).is_ok()
            && core.ask("getblockcount", &json!([])).0 == 200
    });
    core.mine(20);
    // A list for one user shuts out whoever has none: that is why every user of ours has one.
    assert_eq!(
        own.user("listless", OwnCore::LISTLESS)
            .ask("getblockcount", &json!([]))
            .0,
        403
    );
    assert_eq!(
        own.user("listless", "wrong")
            .ask("getblockcount", &json!([]))
            .0,
        401
    );

    let password = own.folder.path().join("password");
    std::fs::write(&password, format!("{}\n", OwnCore::LISTED)).expect("a file");
    let mut text =
        choices(&["bitcoind", "electrs"]).replace("[services.miner]\nmanifest = \"miner\"\n", "");
    text.push_str(&format!(
        "[services.bitcoind.external.addresses]\nrpc = \"127.0.0.1:{}\"\np2p_local = \"127.0.0.1:{}\"\n\
         zmq_block = \"127.0.0.1:1\"\nzmq_tx = \"127.0.0.1:1\"\n\
         [services.bitcoind.external.credentials.rpc]\nuser = \"flash\"\npassword_file = \"{}\"\n",
        own.rpc,
        own.p2p,
        password.display()
    ));
    node.file("node.toml", &text);
    node.up();
    let typed = node.cli_with_input(
        &["passphrase", "change"],
        &format!("{PASSPHRASE}\n{PASSPHRASE}\n"),
    );
    assert!(
        typed.status.success(),
        "{}",
        String::from_utf8_lossy(&typed.stderr)
    );
    node.wait_ready("electrs");
    assert_eq!(node.service("bitcoind")["runtime"], "external");
    assert_eq!(node.service("bitcoind")["ready"]["ok"], true);
    let url = node.endpoint("electrs", "electrum");
    core.mine(5);
    node.wait("electrs to reach the tip", |_| {
        electrs_height(&url) == Some(core.height())
    });
    node.ok(&["down"]);
    assert_eq!(node.wait_for_end(), Some(0));
    assert!(core.height() >= 25, "the operator's own bitcoind runs on");
}
