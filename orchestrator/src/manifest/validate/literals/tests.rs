use super::host;
use super::path;
use super::port;

#[test]
fn literal_addresses_are_found() {
    for (text, literal) in [
        ("--listen=0.0.0.0:9735", "0.0.0.0"),
        ("rpcbind=127.0.0.1", "127.0.0.1"),
        ("server=localhost", "localhost"),
        ("bind = \"[::]:8080\"", "[::]:8080"),
        ("listen ::1", "::1"),
        ("url=https://example.com/x", "example.com"),
    ] {
        assert_eq!(host(text), Some(literal), "{text}");
    }
    for text in [
        "tcp://{{ edge.chain.host }}:{{ edge.chain.port }}",
        "[Application Options]",
        "[{{ network }}]",
        "allow = [\"offchain:read\"]",
        "version 31.1",
        "rpcauth=user:salt$hmac",
        "*:*:*:postgres:x",
    ] {
        assert_eq!(host(text), None, "{text}");
    }
}

#[test]
fn literal_ports_are_found() {
    for (text, literal) in [
        ("tcp://{{ edge.chain.host }}:28332", "28332"),
        ("--port=8333", "8333"),
        ("port = 5432", "5432"),
        ("rpcport: 8332", "8332"),
        ("SocksPort 9050", "9050"),
    ] {
        assert_eq!(port(text), Some(literal), "{text}");
    }
    for text in [
        "port={{ port.rpc }}",
        "{\"root_key_id\":100}",
        "{\"params\": [1]}",
        "deadline 12:30",
        "dbcache=450",
    ] {
        assert_eq!(port(text), None, "{text}");
    }
}

#[test]
fn literal_paths_are_found() {
    for (text, literal) in [
        ("-datadir=/data", "/data"),
        ("/var/lib/x y", "/var/lib/x"),
        ("dir \"/home/a\"", "/home/a"),
        ("key ~/.lnd", "/.lnd"),
    ] {
        assert_eq!(path(text), Some(literal), "{text}");
    }
    for text in [
        "{{ volume.data.path }}/plugins",
        "http://{{ host }}/",
        "rootpath=/",
        "a/b",
        "info:read",
    ] {
        assert_eq!(path(text), None, "{text}");
    }
}
