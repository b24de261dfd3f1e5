use super::*;

fn asks(access: OperatorAccess, peer: &str, header: Option<&'static str>) -> bool {
    let mut headers = HeaderMap::new();
    if let Some(name) = header {
        headers.insert(name, "203.0.113.7".parse().expect("a value"));
    }
    permitted(access, peer.parse().expect("an address"), &headers)
}

#[test]
fn numbers_are_for_the_networks_that_the_operator_chose() {
    use OperatorAccess::{Any, Loopback, Private};
    for (access, peer, expected) in [
        (Loopback, "127.0.0.1", true),
        (Loopback, "::1", true),
        (Loopback, "10.0.0.7", false),
        (Private, "127.0.0.1", true),
        (Private, "172.18.0.3", true),
        (Private, "::ffff:192.168.1.2", true),
        (Private, "fd00::1", true),
        (Private, "203.0.113.7", false),
        (Private, "2001:db8::1", false),
        (Any, "203.0.113.7", true),
    ] {
        assert_eq!(asks(access, peer, None), expected, "{access:?} {peer}");
    }
}

#[test]
fn a_forwarded_request_is_not_the_operators() {
    for header in ["forwarded", "x-forwarded-for", "x-real-ip", "via"] {
        assert!(!asks(OperatorAccess::Private, "127.0.0.1", Some(header)));
        assert!(!asks(OperatorAccess::Loopback, "127.0.0.1", Some(header)));
        assert!(asks(OperatorAccess::Any, "127.0.0.1", Some(header)));
    }
}
