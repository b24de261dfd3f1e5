//! Owns the intruder: who stands in a service's place, and what answers there.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::UdpSocket;

use crate::declared::Declared;
use crate::engine::Node;
use crate::engine::run;

/// An address of a service, and a port on which the service listens somewhere.
type Target = (String, u16);

/// How many tries go on at once in one place.
const AT_ONCE: usize = 200;

/// Stands in each service's place and tries every port on which any other one listens, at every address of that one, and
/// every port of the machine that means something, at every address of the machine: what is reached is what manifests
/// declare, and all of that is reached. Names and datagrams lead nowhere, and nobody has an address of IPv6 to call from.
pub(crate) fn intrude_everywhere(node: &Node, all: &[&str]) {
    let listener = std::net::TcpListener::bind("0.0.0.0:0").expect("a port");
    let open = listener.local_addr().expect("an address").port();
    let datagrams = UdpSocket::bind("0.0.0.0:0").expect("a port");
    let heard = datagrams.local_addr().expect("an address").port();
    let declared = Declared::of(&node.node);
    let networks: BTreeMap<&str, BTreeMap<String, (String, String)>> =
        all.iter().map(|id| (*id, networks_of(node, id))).collect();
    let ports: BTreeMap<&str, BTreeSet<u16>> =
        all.iter().map(|id| (*id, listening(node, id))).collect();
    let api = node.node.status()["api"].as_str().map(port_of);
    let mut of_machine = BTreeSet::from([22, open, api.expect("an API")]);
    of_machine.extend(all.iter().flat_map(|id| declared.published(id)));
    let (_, addresses) = run("hostname", &["-I"]);
    let v4 = |text: &&str| text.parse::<std::net::Ipv4Addr>().is_ok();
    let addresses: BTreeSet<&str> = addresses.split_whitespace().filter(v4).collect();
    let to_all: BTreeSet<u16> = to_all(node, all);
    let (mut tried, mut reached, mut by_single, mut names, mut sent) = (0, 0, 0, 0, 0);
    for place in all {
        let mut targets: BTreeSet<Target> = BTreeSet::new();
        let mut allowed: BTreeSet<Target> = BTreeSet::new();
        for other in all.iter().filter(|other| *other != place) {
            for (address, _) in networks[other].values() {
                let reaches = ports[other].iter().map(|port| (address.clone(), *port));
                targets.extend(reaches);
            }
            for edge in declared.edges(other) {
                let Some((address, _)) = networks[other].get(&edge.network()) else {
                    panic!("{other} is not on {}", edge.network());
                };
                if (&*edge.consumer, &*edge.provider) == (*place, *other) {
                    let meant = declared.ports(other, &edge.interface).into_iter();
                    allowed.extend(meant.map(|port| (address.clone(), port)));
                }
                // Who can bind one address only binds all of its own; whom it calls reaches it there.
                if (&*edge.consumer, &*edge.provider) == (*other, *place)
                    && declared.binds_all(other)
                {
                    let also = ports[other].iter().map(|port| (address.clone(), *port));
                    let before = allowed.len();
                    allowed.extend(also);
                    by_single += allowed.len() - before;
                }
            }
        }
        let out = declared.has_way_out(place);
        let mut machine: BTreeSet<&str> = addresses.clone();
        machine.extend(
            networks[place]
                .values()
                .map(|(_, gateway)| gateway.as_str()),
        );
        for host in &machine {
            targets.extend(of_machine.iter().map(|port| ((*host).to_owned(), *port)));
            // What is published to everyone is reached by who may reach everyone, at the machine's own addresses.
            if out {
                allowed.extend(to_all.iter().map(|port| ((*host).to_owned(), *port)));
            }
        }
        let found = reach(node, place, &targets);
        let strangers: Vec<&Target> = found.difference(&allowed).collect();
        assert!(
            strangers.is_empty(),
            "in the place of {place}: {strangers:?}"
        );
        let missing: Vec<&Target> = allowed
            .difference(&found)
            .filter(|(_, port)| !to_all.contains(port))
            .collect();
        assert!(missing.is_empty(), "{place} does not reach {missing:?}");
        tried += targets.len();
        reached += found.len();
        no_ipv6(node, place);
        names += ask_names(node, place, all, &networks, out);
        sent += send(node, place, &machine, heard);
    }
    assert_eq!(
        by_single > 0,
        all.contains(&"electrs"),
        "it binds one address only"
    );
    datagrams.set_nonblocking(true).expect("it is a socket");
    let mut buffer = [0; 64];
    let got = datagrams.recv_from(&mut buffer);
    assert!(got.is_err(), "a datagram came through: {got:?}");
    // The same socket hears who is not held back, so that the silence means something.
    datagrams.set_nonblocking(false).expect("it is a socket");
    let other = UdpSocket::bind("127.0.0.1:0").expect("a port");
    other
        .send_to(b"x", ("127.0.0.1", heard))
        .expect("it is sent");
    datagrams.recv_from(&mut buffer).expect("it is heard");
    println!(
        "intruders in {} places tried {tried} addresses and ports: {reached} were reached, which manifests declare, no more and no less ({by_single} of them at a neighbour that can bind one address only); {names} names led nowhere, {sent} datagrams reached nobody",
        all.len()
    );
}

fn port_of(url: &str) -> u16 {
    let port = url.rsplit(':').next().expect("a port");
    port.trim_end_matches('/').parse().expect("a number")
}

/// The ports that the engine publishes at every address of the machine.
fn to_all(node: &Node, all: &[&str]) -> BTreeSet<u16> {
    let mut ports = BTreeSet::new();
    for id in all {
        let bound = node.inspected(id)["HostConfig"]["PortBindings"].clone();
        for one in bound.as_object().into_iter().flatten() {
            for on in one.1.as_array().into_iter().flatten() {
                if on["HostIp"] == "0.0.0.0" {
                    ports.insert(
                        on["HostPort"]
                            .as_str()
                            .and_then(|port| port.parse().ok())
                            .expect("a port"),
                    );
                }
            }
        }
    }
    ports
}

/// Which of `targets` take a connection in the place of `place`.
fn reach(node: &Node, place: &str, targets: &BTreeSet<Target>) -> BTreeSet<Target> {
    let mut found = BTreeSet::new();
    let targets: Vec<&Target> = targets.iter().collect();
    for some in targets.chunks(AT_ONCE) {
        let tries: String = some
            .iter()
            .map(|(host, port)| {
                format!(
                    "(nc -w 3 {host} {port} -e /bin/true 2>/dev/null && echo {host} {port}) &\n"
                )
            })
            .collect();
        let (_, said) = node.in_place_of(place, &format!("{tries}wait; echo tried"));
        assert!(said.ends_with("tried"), "{place}: {said}");
        found.extend(said.lines().filter_map(|line| {
            let (host, port) = line.split_once(' ')?;
            Some((host.to_owned(), port.parse().ok()?))
        }));
    }
    found
}

/// Nothing but the loopback of `place` has an address of IPv6, so that no rule for IPv4 can be gone around.
fn no_ipv6(node: &Node, place: &str) {
    let (_, said) = node.in_place_of(place, "cat /proc/net/if_inet6; echo read");
    let mut lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.pop(), Some("read"), "{place}: {said}");
    let beyond = |line: &&str| line.split_whitespace().last() != Some("lo");
    assert_eq!(
        lines.iter().find(|line| beyond(line)),
        None,
        "{place}: {said}"
    );
}

/// Asks for names of services that `place` has nothing to do with, and returns how many. Whoever shares a network with it
/// has a name there, so that the silence of the others means something.
fn ask_names(
    node: &Node,
    place: &str,
    all: &[&str],
    networks: &BTreeMap<&str, BTreeMap<String, (String, String)>>,
    out: bool,
) -> usize {
    let mut strangers: BTreeSet<String> = BTreeSet::new();
    let mut known: BTreeSet<String> = BTreeSet::new();
    for other in all.iter().filter(|other| **other != place) {
        // The engine itself answers for whom it shares a network with.
        let shares = networks[other]
            .keys()
            .any(|name| networks[place].contains_key(name));
        if shares {
            known.insert(node.container(other));
        } else {
            strangers.extend([(*other).to_owned(), node.container(other)]);
        }
    }
    // Whoever has a way out may ask for names outside.
    strangers.extend((!out).then(|| "example.com".to_owned()));
    let asks: String = strangers
        .union(&known)
        .map(|name| {
            format!("(timeout 8 nslookup {name} > /dev/null 2>&1 && echo named {name}) &\n")
        })
        .collect();
    let (_, said) = node.in_place_of(
        place,
        &format!("timeout 1 true || echo no timeout; {asks}wait; echo tried"),
    );
    let mut found: BTreeSet<String> = said.lines().map(str::to_owned).collect();
    assert!(
        found.remove("tried"),
        "names in the place of {place}: {said}"
    );
    let known = known.iter().map(|name| format!("named {name}")).collect();
    assert_eq!(found, known, "names in the place of {place}");
    strangers.len()
}

/// Sends a datagram to each address of the machine, and returns how many: a request for a file is one.
fn send(node: &Node, place: &str, machine: &BTreeSet<&str>, port: u16) -> usize {
    let asks: String = machine
        .iter()
        .map(|host| {
            format!("(timeout 2 tftp -g -l /tmp/x -r x {host} {port} > /dev/null 2>&1) &\n")
        })
        .collect();
    let (_, said) = node.in_place_of(place, &format!("{asks}wait; echo tried"));
    assert_eq!(said, "tried", "datagrams in the place of {place}");
    machine.len()
}

/// A service's networks by the edge of each, with its own address and the gateway.
pub(crate) fn networks_of(node: &Node, service: &str) -> BTreeMap<String, (String, String)> {
    let found = node.inspected(service);
    let on = found["NetworkSettings"]["Networks"].as_object();
    on.expect("networks")
        .iter()
        .map(|(name, one)| {
            let text = |key: &str| one[key].as_str().expect("an address").to_owned();
            let edge = name.splitn(3, '-').nth(2).expect("a name of ours");
            (edge.to_owned(), (text("IPAddress"), text("Gateway")))
        })
        .collect()
}

/// The ports on which a service listens beyond itself, from what its kernel says.
fn listening(node: &Node, service: &str) -> BTreeSet<u16> {
    let (_, text) = node.in_place_of(service, "cat /proc/net/tcp /proc/net/tcp6");
    let listens = text.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (address, port) = words.get(1)?.rsplit_once(':')?;
        let loopback = address.ends_with("7F") || address == "00000000000000000000000001000000";
        (words.get(3) == Some(&"0A") && !loopback).then(|| u16::from_str_radix(port, 16).ok())?
    });
    let ports: BTreeSet<u16> = listens.collect();
    let silent = ["tor", "miner", "books"].contains(&service);
    assert!(silent || !ports.is_empty(), "{service}: {text}");
    ports
}
