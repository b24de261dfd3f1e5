//! The API against its own description: schemathesis asks whatever it allows and forbids, and each operation is carried out.

#![allow(
    clippy::disallowed_methods,
    reason = "a whole-program test starts programs and watches the real clock"
)]

#[path = "node/apart.rs"]
mod apart;
#[path = "node/foreign.rs"]
mod client;
#[path = "node/declared.rs"]
mod declared;
#[path = "node/engine.rs"]
mod engine;
mod inspect;
mod leak;
mod node;
mod timeline;

use std::process::Command;

use crate::client::SET_UP;
use crate::client::foreign;
use crate::client::installed;
use crate::client::passes;
use crate::engine::Node;
use crate::engine::PASSPHRASE;
use crate::engine::have_engine;
use crate::engine::packed_postgres;
use crate::engine::tools;
use crate::node::TestNode;
use crate::node::skip;

const VENV: &str = ".venv/schemathesis";

fn have_schemathesis() -> bool {
    let list = "schemathesis/requirements.txt";
    let have = installed(
        &format!("{VENV}/requirements.done"),
        list,
        &[&format!("{VENV}/bin/st")],
    );
    if !have {
        skip(&format!("schemathesis is not installed: {SET_UP}"));
    }
    have
}

/// The code with which whoever is at the machine makes the owner.
fn code(node: &TestNode) -> String {
    let shown = node.ok(&["setup-code"]);
    shown.split_whitespace().next().expect("a code").to_owned()
}

#[test]
fn whatever_is_asked_is_answered_as_the_description_says() {
    if !have_schemathesis() {
        return;
    }
    // Its network is its own: what is asked may open the node to it.
    let mut demo = TestNode::new("demo");
    if !apart::apart(&mut demo, "") {
        return;
    }
    demo.file("node.toml", "[access]\nlan = true\n");
    // It asks more, and guesses more, than a person does.
    demo.env("FLASH_NODE_TEST_LIMITS_RAISED", Some("1"));
    demo.up();
    for service in ["relay", "mint"] {
        demo.wait_ready(service);
    }
    let url = demo.status()["api"].as_str().expect("an API").to_owned();
    let code = code(&demo);
    let fuzz = foreign().join("schemathesis/fuzz.sh");
    let fuzz = fuzz.display().to_string();
    // The owner first: as long as there is none, whoever is on this machine may read.
    for who in ["owner", "nobody"] {
        passes(
            apart::command(&demo, &fuzz)
                .args([&url, who])
                .env("FLASH_CODE", &code)
                .env("VENV", foreign().join(VENV)),
            1,
        );
    }
    demo.ok(&["down"]);
    assert_eq!(demo.wait_for_end(), Some(0));
}

#[test]
fn every_operation_is_carried_out_for_the_owner() {
    if !have_schemathesis() || !have_engine() {
        return;
    }
    let Some(image) = packed_postgres() else {
        return;
    };
    let wanted = [("relay", None), ("mint", None), ("postgres", Some(image))];
    let mut node = Node::new(&wanted, "");
    node.up();
    for (service, _) in &wanted {
        node.node.wait_ready(service);
    }
    let url = node.node.status()["api"]
        .as_str()
        .expect("an API")
        .to_owned();
    let folders = node.node.run_folders();
    let mut sockets = folders.iter().map(|folder| folder.join("control.sock"));
    let socket = sockets.find(|path| path.exists());
    let python = foreign().join(VENV).join("bin/python");
    passes(
        Command::new(python)
            .arg("walk.py")
            .arg(&url)
            .arg(socket.expect("a control socket"))
            .args(["node/sql/postgres", &tools()])
            .env("FLASH_PASSPHRASE", PASSPHRASE)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .current_dir(foreign().join("schemathesis")),
        70,
    );
    assert_eq!(node.node.wait_for_end(), Some(0));
}
