use super::addresses;
use super::names;

const ROUTE: &str = "\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
eth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
fnabc1230\t0000D50A\t00000000\t0001\t0\t0\t0\tF0FFFFFF\t0\t0\t0
wan0\t007100CB\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
";
const TRIE: &str = "\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 127.0.0.0/8 2 0 2
        |-- 127.0.0.1
           /32 host LOCAL
     |-- 172.17.0.1
        /32 host LOCAL
     |-- 10.213.0.1
        /32 host LOCAL
     +-- 192.168.1.0/24 2 0 2
        |-- 192.168.1.0
           /24 link UNICAST
        |-- 192.168.1.7
           /32 host LOCAL
        |-- 192.168.1.255
           /32 link BROADCAST
     |-- 203.0.113.9
        /32 host LOCAL
";

#[test]
fn only_addresses_of_the_shops_own_network_are_found() {
    let found: Vec<String> = addresses(ROUTE, TRIE)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(found, ["192.168.1.7"]);
    assert!(addresses("", TRIE).is_empty() && addresses(ROUTE, "").is_empty());
}

#[test]
fn a_name_is_used_where_browsers_take_it() {
    let all = |own: &str| names(own).into_iter().collect::<Vec<_>>();
    assert_eq!(all("Till-1"), ["till-1", "till-1.local"]);
    assert_eq!(all("box.example.com"), ["box", "box.local"]);
    for odd in ["", "localhost", "-x", "x-", "a b", "ünï", &"x".repeat(64)] {
        assert!(all(odd).is_empty(), "{odd}");
    }
}
