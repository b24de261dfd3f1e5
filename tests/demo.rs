//! The demo as a newcomer gets it.

mod node;

use node::TestNode;

#[test]
fn the_demo_comes_up_with_relay_and_mint_ready_and_goes_down_without_a_trace() {
    let mut demo = TestNode::started("demo");
    let relay = demo.wait_ready("relay");
    let mint = demo.wait_ready("mint");
    assert!(
        relay["endpoints"][0]["url"]
            .as_str()
            .is_some_and(|url| url.starts_with("ws://127.0.0.1:"))
    );
    assert!(
        mint["endpoints"][0]["url"]
            .as_str()
            .is_some_and(|url| url.starts_with("http://127.0.0.1:"))
    );
    assert_eq!(demo.status()["play_money"], true);
    demo.ok(&["down"]);
    assert_eq!(demo.wait_for_end(), Some(0));
    assert_eq!(demo.processes(), Vec::new(), "nothing stays running");
}
