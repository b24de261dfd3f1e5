use std::{collections::BTreeSet, net::IpAddr};

use super::{Gate, Lane};
use crate::config::Limits;

fn gate(burst: u32, proxies: &[&str]) -> Gate {
    let trusted_proxies: BTreeSet<IpAddr> =
        proxies.iter().map(|proxy| proxy.parse().unwrap()).collect();
    Gate::new(&Limits {
        requests_per_minute: 1,
        burst,
        in_flight: 1,
        trusted_proxies,
    })
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn address_gets_its_burst_and_then_nothing_while_others_go_on() {
    let gate = gate(2, &[]);
    let seen = [(); 3].map(|()| gate.admit(ip("192.0.2.1"), None, Lane::Wallet));
    assert_eq!(seen, [true, true, false]);
    assert!(gate.admit(ip("192.0.2.2"), None, Lane::Wallet));
    assert!(
        gate.admit(ip("192.0.2.1"), None, Lane::Probe),
        "probes have a lane of their own"
    );
}

#[test]
fn one_slash_64_shares_a_bucket_and_a_mapped_address_is_its_ipv4_self() {
    let gate = gate(1, &[]);
    assert!(gate.admit(ip("2001:db8:1:2::1"), None, Lane::Wallet));
    assert!(!gate.admit(ip("2001:db8:1:2:ffff::9"), None, Lane::Wallet));
    assert!(gate.admit(ip("2001:db8:1:3::1"), None, Lane::Wallet));
    assert!(gate.admit(ip("192.0.2.9"), None, Lane::Wallet));
    assert!(!gate.admit(ip("::ffff:192.0.2.9"), None, Lane::Wallet));
}

#[test]
fn forwarded_address_is_believed_from_a_trusted_proxy_alone() {
    let gate = gate(1, &["10.0.0.1"]);
    assert!(gate.admit(ip("10.0.0.1"), Some("6.6.6.6, 192.0.2.1"), Lane::Wallet));
    assert!(
        !gate.admit(ip("10.0.0.1"), Some("7.7.7.7, 192.0.2.1"), Lane::Wallet),
        "only the last entry counts"
    );
    assert!(gate.admit(ip("10.0.0.1"), Some("192.0.2.2"), Lane::Wallet));
    assert!(gate.admit(ip("192.0.2.50"), Some("1.1.1.1"), Lane::Wallet));
    assert!(
        !gate.admit(ip("192.0.2.50"), Some("2.2.2.2"), Lane::Wallet),
        "a stranger cannot choose its address"
    );
}

#[test]
fn zero_switches_the_limit_off() {
    let gate = Gate::new(&Limits {
        requests_per_minute: 0,
        ..Limits::default()
    });
    assert!((0..10_000).all(|_| gate.admit(ip("192.0.2.1"), None, Lane::Wallet)));
}
