use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn cidr(text: &str) -> Cidr {
    Cidr::parse(text).unwrap()
}

fn edge(number: u32) -> EdgeId {
    EdgeId::try_from(format!("c{number}/rpc/bitcoind")).unwrap()
}

fn edges(numbers: impl IntoIterator<Item = u32>) -> BTreeSet<EdgeId> {
    numbers.into_iter().map(edge).collect()
}

fn route(to: &str, interface: &str) -> Route {
    Route {
        to: cidr(to),
        interface: interface.to_owned(),
    }
}

#[test]
fn a_network_that_begins_elsewhere_is_refused_with_its_first_address() {
    let refused = Cidr::parse("10.213.0.5/20").unwrap_err();
    assert_eq!(
        refused.to_string(),
        "`10.213.0.5/20` begins inside a network; its first address is 10.213.0.0"
    );
    for text in ["10.213.0.0", "10.213.0.0/33", "10.213/20", "fd00::/20", ""] {
        assert!(
            matches!(Cidr::parse(text), Err(CidrError::Shape(_))),
            "{text}"
        );
    }
}

#[test]
fn routes_are_read_as_the_kernel_writes_them() {
    // Little-endian, as on every machine that this node is built for.
    let text = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n\
                eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
                eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n\
                fnabc123010\t1000D50A\t00000000\t0001\t0\t0\t0\tF0FFFFFF\t0\t0\t0\n\
                tun0\t0000D50A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n\
                broken\n";
    let found = routes(text, |interface| interface.starts_with("fnabc123"));
    assert_eq!(
        found,
        [
            route("192.0.2.0/24", "eth0"),
            route("10.213.0.0/16", "tun0")
        ]
    );
}

#[test]
fn the_first_pool_that_no_route_overlaps_is_chosen() {
    assert_eq!(choose_pool(None, None, &[]), Ok(cidr("10.213.0.0/20")));
    let taken = [
        route("10.213.4.0/28", "fnother"),
        route("10.213.16.0/24", "tun0"),
    ];
    assert_eq!(choose_pool(None, None, &taken), Ok(cidr("10.213.32.0/20")));
    let all = [route("10.0.0.0/8", "tun0")];
    assert_eq!(choose_pool(None, None, &all), Err(SubnetError::NoPool));
}

#[test]
fn a_new_pool_that_a_route_overlaps_is_refused_and_a_kept_one_goes_on() {
    let lan = [route("10.213.0.0/24", "wlan0")];
    let kept = cidr("10.213.0.0/20");
    let refused = choose_pool(Some(kept), None, &lan).unwrap_err();
    // Services run in it: whatever came later, they are looked after.
    assert_eq!(choose_pool(None, Some(kept), &lan), Ok(kept));
    assert_eq!(choose_pool(Some(kept), Some(kept), &lan), Ok(kept));
    assert_eq!(overlapping(kept, &lan), Some(&lan[0]));
    // A VPN that halves the default route takes nobody's neighbours.
    let vpn = [route("0.0.0.0/1", "tun0"), route("128.0.0.0/1", "tun0")];
    assert_eq!(choose_pool(Some(kept), None, &vpn), Ok(kept));
    assert_eq!(
        refused.to_string(),
        "the address pool 10.213.0.0/20 overlaps 10.213.0.0/24, which this machine reaches over wlan0: name another one in node.toml, [network] pool = \"10.214.0.0/20\""
    );
    let named = Some(cidr("10.99.0.0/24"));
    assert_eq!(
        choose_pool(named, Some(cidr("10.213.0.0/20")), &lan),
        Ok(cidr("10.99.0.0/24"))
    );
}

#[test]
fn a_pool_that_is_too_small_says_how_many_networks_are_needed() {
    let refused = assign(&edges(0..3), None, cidr("10.99.0.0/27")).unwrap_err();
    assert_eq!(
        refused,
        SubnetError::Exhausted {
            pool: cidr("10.99.0.0/27"),
            room: 2,
            needed: 3
        }
    );
    assert!(assign(&edges(0..1), None, cidr("10.99.0.0/30")).is_err());
}

#[test]
fn members_have_the_first_addresses_of_their_network() {
    let table = assign(&edges([7]), None, cidr("10.213.0.0/20")).unwrap();
    let net = table.get(&edge(7)).unwrap();
    assert_eq!(net.to_string(), "10.213.0.0/28");
    let addresses = [net.gateway(), net.provider(), net.consumer()].map(|a| a.to_string());
    assert_eq!(addresses, ["10.213.0.1", "10.213.0.2", "10.213.0.3"]);
}

#[test]
fn another_pool_is_another_plan() {
    let first = assign(&edges(0..3), None, cidr("10.213.0.0/20")).unwrap();
    let second = assign(&edges(0..3), Some(&first), cidr("10.99.0.0/24")).unwrap();
    assert!(
        second
            .iter()
            .all(|(edge, _)| { cidr("10.99.0.0/24").overlaps(second.get(edge).unwrap().into()) })
    );
}

proptest! {
    /// Whatever comes and goes, an edge that stays keeps its network, and no two edges share one.
    #[test]
    fn an_edge_keeps_its_network(rounds in proptest::collection::vec(proptest::collection::btree_set(0u32..24, 0..16), 1..12)) {
        let pool = cidr("10.213.0.0/24");
        let mut kept: Option<SubnetTable> = None;
        for wanted in rounds {
            let wanted = edges(wanted);
            let table = assign(&wanted, kept.as_ref(), pool).unwrap();
            let mut seen = BTreeSet::new();
            for edge in &wanted {
                let net = table.get(edge).unwrap();
                prop_assert!(pool.overlaps(net.into()));
                prop_assert!(seen.insert(net));
                if let Some(before) = kept.as_ref().and_then(|kept| kept.get(edge)) {
                    prop_assert_eq!(before, net);
                }
            }
            kept = Some(table);
        }
    }
}
