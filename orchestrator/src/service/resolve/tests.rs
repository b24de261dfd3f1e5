use std::path::Path;

use super::fixture::Node;
use super::fixture::id;
use super::fixture::manifest_id;
use super::fixture::name;
use crate::service::desired::Wanted;
use crate::service::marker::holds_marker;

const ALSO_A_PROXY: &str = "[services.proxy]\nmanifest = \"proxy\"\n";

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
