//! Owns a service that the code does not know: Debian's redis-server, as provider and as consumer, from manifests alone.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test target uses a part of it"
)]

use crate::inspect::free_port;
use crate::node::TestNode;

const PROVIDER: &str = include_str!("redis/redis.toml");

const CONSUMER: &str = include_str!("redis/redis-replica.toml");

/// Prepares both manifests and the choice of both instances in the data folder, on ports that no other test uses.
pub fn prepare(node: &mut TestNode) {
    node.file("manifests/redis.toml", PROVIDER);
    node.file("manifests/redis-replica.toml", CONSUMER);
    let mut choices = String::new();
    for id in ["redis", "redis-replica"] {
        let port = free_port();
        choices.push_str(&format!(
            "[services.{id}]\nmanifest = \"{id}\"\n\n[services.{id}.ports]\nredis = {port}\n\n"
        ));
    }
    node.with_own_ports(&choices);
}

/// The password of `user` in the user list that was rendered for `service`.
pub fn password(node: &TestNode, service: &str, user: &str) -> String {
    let conf = node.rendered(service, "redis.conf");
    let line = conf
        .lines()
        .find_map(|line| line.strip_prefix(&format!("user {user} on >")))
        .unwrap_or_else(|| panic!("no user {user} in\n{conf}"));
    line.split(' ').next().expect("a password").to_owned()
}
