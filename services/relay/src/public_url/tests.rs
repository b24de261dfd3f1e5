use super::*;

fn same(left: &str, right: &str) -> bool {
    PublicUrl::parse(left).expect(left) == PublicUrl::parse(right).expect(right)
}

#[test]
fn addresses_of_one_relay_compare_equal() {
    assert!(same("wss://Relay.Example.com", "wss://relay.example.com/"));
    assert!(same(
        "wss://relay.example.com:443",
        "wss://relay.example.com"
    ));
    assert!(same("ws://relay.example.com:80/", "ws://relay.example.com"));
    assert!(same("ws://[::1]:7777/a/", "ws://[0:0:0:0:0:0:0:1]:7777/a"));
    assert!(same("ws://host/#here", "ws://host"));
    assert!(same("ws://user@host/", "ws://host"));
}

#[test]
fn addresses_of_two_relays_compare_different() {
    assert!(!same("ws://relay.example.com", "wss://relay.example.com"));
    assert!(!same("ws://127.0.0.1:7777", "ws://127.0.0.1:7778"));
    assert!(!same("ws://host/a", "ws://host/b"));
    assert!(!same("ws://host.evil.example", "ws://host"));
    assert!(!same("ws://host/?a", "ws://host/?b"));
}

#[test]
fn what_is_no_relay_address_is_refused() {
    assert!(PublicUrl::parse("http://host").is_err());
    assert!(PublicUrl::parse("host:7777").is_err());
    assert!(PublicUrl::parse("").is_err());
    assert!(PublicUrl::parse("ws://").is_err());
}
