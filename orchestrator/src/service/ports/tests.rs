use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::net::TcpListener;

use proptest::prelude::*;

use super::LOOPBACK;
use super::PortRequest;
use super::PortTable;
use super::assign;
use super::bindable;
use super::requests;
use crate::service::resolve::fixture::Node;
use crate::service::resolve::fixture::id;
use crate::service::resolve::fixture::name;

fn request(service: &str, port: &str, number: u16) -> PortRequest {
    PortRequest {
        service: id(service),
        name: name(port),
        number,
        public: false,
        fixed: false,
        on_host: true,
    }
}

fn table(entries: &[(&str, &str, u16)]) -> PortTable {
    let mut table = PortTable::default();
    for (service, port, number) in entries {
        table.insert(id(service), name(port), *number);
    }
    table
}

fn free(_: SocketAddr) -> bool {
    true
}

fn taken(numbers: &'static [u16]) -> impl Fn(SocketAddr) -> bool {
    move |address| !numbers.contains(&address.port())
}

#[test]
fn requests_carry_the_number_of_the_network() {
    let node = Node::new().choosing("[services.index.ports]\nelectrum = 60000\n");
    let listed: Vec<(String, u16, bool, bool)> = requests(
        &node.profile,
        &node.choices,
        &node.catalog,
        node.places.kind,
    )
    .into_iter()
    .map(|r| {
        (
            format!("{}.{}", r.service, r.name),
            r.number,
            r.public,
            r.fixed,
        )
    })
    .collect();
    let expected = [
        ("chain.p2p", 18444, true, false),
        ("chain.rpc", 18443, false, false),
        ("chain.zmq", 28332, false, false),
        ("index.electrum", 60000, false, true),
    ];
    assert_eq!(
        listed,
        expected.map(|(port, n, p, f)| (port.to_owned(), n, p, f))
    );
}

#[test]
fn a_service_that_is_switched_off_or_external_asks_for_no_port() {
    let node = Node::new().choosing(
        "[services.index]\nenabled = false\n\
         [services.chain.external.addresses]\nrpc = \"10.0.0.1:8332\"\nzmq = \"10.0.0.1:28332\"\n\
         [services.chain.external.credentials.rpc]\nuser = \"me\"\npassword_file = \"/p\"\n",
    );
    let listed = requests(
        &node.profile,
        &node.choices,
        &node.catalog,
        node.places.kind,
    );
    assert_eq!(listed, []);
}

#[test]
fn a_free_number_is_taken_as_wished() {
    let got = assign(
        &[request("a", "rpc", 5000)],
        &PortTable::default(),
        false,
        &free,
    );
    assert_eq!(got, Ok(table(&[("a", "rpc", 5000)])));
}

#[test]
fn a_kept_number_stays_although_something_listens_there() {
    let kept = table(&[("a", "rpc", 5001)]);
    let got = assign(&[request("a", "rpc", 5000)], &kept, false, &|_| false);
    assert_eq!(got, Ok(kept));
}

#[test]
fn where_allowed_the_next_free_number_is_taken_that_nobody_wishes_or_keeps() {
    let kept = table(&[("gone", "rpc", 5003)]);
    let wishes = [
        request("a", "rpc", 5000),
        request("b", "rpc", 5000),
        request("c", "rpc", 5002),
    ];
    let got = assign(&wishes, &kept, true, &taken(&[5001])).unwrap();
    assert_eq!(
        got,
        table(&[
            ("a", "rpc", 5000),
            ("b", "rpc", 5004),
            ("c", "rpc", 5002),
            ("gone", "rpc", 5003)
        ])
    );
}

#[test]
fn a_taken_port_is_an_error_that_says_what_to_do() {
    let error = assign(
        &[request("lnd", "rest", 8080)],
        &PortTable::default(),
        false,
        &taken(&[8080]),
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "port 8080 (lnd, rest) is taken by another program on this machine; stop what holds it, \
         or choose another in node.toml: [services.lnd.ports] rest = NUMBER"
    );
}

#[test]
fn a_public_or_fixed_port_is_never_chosen_anew() {
    let public = PortRequest {
        public: true,
        ..request("lnd", "p2p", 9735)
    };
    let fixed = PortRequest {
        fixed: true,
        ..request("mint", "http", 4000)
    };
    let error = assign(
        &[public, fixed],
        &PortTable::default(),
        true,
        &taken(&[9735, 4000]),
    )
    .unwrap_err();
    let refused: Vec<u16> = error.ports.iter().map(|port| port.request.number).collect();
    assert_eq!(refused, [4000, 9735], "both are named at once");
}

#[test]
fn the_operators_number_wins_over_a_kept_one() {
    let fixed = PortRequest {
        fixed: true,
        ..request("a", "rpc", 6000)
    };
    let got = assign(&[fixed], &table(&[("a", "rpc", 5000)]), false, &free);
    assert_eq!(got, Ok(table(&[("a", "rpc", 6000)])));
}

#[test]
fn two_services_with_one_number_are_refused_by_name() {
    let fixed = |service| PortRequest {
        fixed: true,
        ..request(service, "rpc", 6000)
    };
    let error = assign(
        &[fixed("a"), fixed("b")],
        &PortTable::default(),
        true,
        &free,
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "port 6000 (b, rpc) is taken by a (rpc) of this node; change it in node.toml under [services.b.ports]"
    );
}

#[test]
fn a_service_that_is_gone_loses_its_number_to_one_that_asks_for_it() {
    let got = assign(
        &[request("new", "rpc", 5000)],
        &table(&[("gone", "rpc", 5000), ("gone", "zmq", 5001)]),
        false,
        &free,
    );
    assert_eq!(
        got,
        Ok(table(&[("gone", "zmq", 5001), ("new", "rpc", 5000)]))
    );
}

#[test]
fn two_data_folders_never_get_the_same_port() {
    // The first node listens on what it got; the second probes by binding.
    let begin = TcpListener::bind((LOOPBACK, 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let wish = [request("relay", "http", begin)];
    let first = assign(&wish, &PortTable::default(), true, &bindable).unwrap();
    let number = first.get(&id("relay"), &name("http")).unwrap();
    let _listener = TcpListener::bind((LOOPBACK, number)).unwrap();
    let second = assign(&wish, &PortTable::default(), true, &bindable).unwrap();
    assert_ne!(second.get(&id("relay"), &name("http")), Some(number));
}

fn port_of(listener: &TcpListener) -> u16 {
    listener.local_addr().unwrap().port()
}

fn any() -> TcpListener {
    TcpListener::bind((LOOPBACK, 0)).unwrap()
}

#[test]
fn whoever_listens_holds_the_port_on_this_address_or_on_all() {
    let listener = any();
    let address = listener.local_addr().unwrap();
    assert!(!bindable(address));
    drop(listener);
    assert!(bindable(address));
    let everywhere = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    assert!(!bindable(SocketAddr::new(LOOPBACK, port_of(&everywhere))));
}

/// What a probe that listened would break: the service's own start, and its connections.
#[tokio::test]
async fn a_service_binds_listens_and_answers_while_its_port_is_looked_at() {
    let address = any().local_addr().unwrap();
    let held = super::probe(address).unwrap();
    let listener = TcpListener::bind(address).unwrap();
    let caller = std::net::TcpStream::connect(address).unwrap();
    let (accepted, from) = listener.accept().unwrap();
    assert_eq!(from, caller.local_addr().unwrap());
    assert!(super::probe(address).is_err());
    drop((held, listener, caller, accepted));

    let address = any().local_addr().unwrap();
    let held = super::probe(address).unwrap();
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    assert!(!bindable(address));
    drop((held, listener));
}

#[test]
fn a_service_between_bind_and_listen_is_not_kept_from_listening() {
    let address = any().local_addr().unwrap();
    let service = super::probe(address).unwrap();
    let held = super::probe(address).unwrap();
    rustix::net::listen(&service, 16).unwrap();
    drop(held);
    assert!(!bindable(address));
}

proptest! {
    #[test]
    fn no_two_ports_of_a_node_are_ever_equal_and_order_never_matters(
        wishes in prop::collection::vec((0..5_u8, 0..4_u8, 5000..5020_u16), 0..12),
        kept in prop::collection::vec((0..5_u8, 0..4_u8, 5000..5020_u16), 0..6),
        blocked in prop::collection::btree_set(5000..5020_u16, 0..10),
    ) {
        let service = |n: u8| ["a", "b", "c", "d", "e"][usize::from(n)];
        let port = |n: u8| ["p", "q", "r", "s"][usize::from(n)];
        let mut seen = BTreeSet::new();
        let requests: Vec<PortRequest> = wishes
            .iter()
            .filter(|(s, p, _)| seen.insert((*s, *p)))
            .map(|(s, p, number)| request(service(*s), port(*p), *number))
            .collect();
        let mut kept_table = PortTable::default();
        let mut numbers = BTreeSet::new();
        for (s, p, number) in kept {
            if numbers.insert(number) {
                kept_table.insert(id(service(s)), name(port(p)), number);
            }
        }
        let is_free = |address: SocketAddr| !blocked.contains(&address.port());
        let got = assign(&requests, &kept_table, true, &is_free).unwrap();
        let mut numbers = BTreeSet::new();
        for (service, port, number) in got.iter() {
            prop_assert!(numbers.insert(number), "{service} {port} has {number} too");
            let known = kept_table.get(service, port);
            prop_assert!(known == Some(number) || (known.is_none() && !blocked.contains(&number)));
        }
        for request in &requests {
            prop_assert!(got.get(&request.service, &request.name).is_some());
        }
        let mut reversed = requests.clone();
        reversed.reverse();
        prop_assert_eq!(&assign(&reversed, &kept_table, true, &is_free).unwrap(), &got);
        // Assigning again changes nothing, though now everything is taken.
        prop_assert_eq!(assign(&requests, &got, true, &|_| false).unwrap(), got);
    }
}

#[test]
fn a_port_inside_a_container_meets_no_other() {
    let inside = |service: &str| PortRequest {
        on_host: false,
        ..request(service, "rpc", 8332)
    };
    let asked = [inside("one"), inside("two"), request("three", "p2p", 8332)];
    let table = assign(&asked, &PortTable::default(), false, &|_| true).unwrap();
    for (service, port) in [("one", "rpc"), ("two", "rpc"), ("three", "p2p")] {
        assert_eq!(table.get(&id(service), &name(port)), Some(8332));
    }
}
