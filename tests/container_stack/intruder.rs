//! Owns the intruder: who stands in a service's place, and what answers there.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::engine::Node;

/// An address of a service, and a port on which the service listens somewhere.
type Target = (String, u16);

/// Stands in each service's place and tries every port on which any other one listens, at every address of that one, and
/// the machine behind every gateway: what is reached is what an edge declares, and all of that is reached.
pub(crate) fn intrude_everywhere(node: &Node, all: &[&str]) {
    let listener = std::net::TcpListener::bind("0.0.0.0:0").expect("a port");
    let open = listener.local_addr().expect("an address").port();
    let networks: BTreeMap<&str, BTreeMap<String, (String, String)>> =
        all.iter().map(|id| (*id, networks_of(node, id))).collect();
    let ports: BTreeMap<&str, BTreeSet<u16>> =
        all.iter().map(|id| (*id, listening(node, id))).collect();
    let told = node.node.ok(&["edges"]);
    let lets_in = |service: &str, other: &str| {
        format!(
            "{service} binds every address of its own, because it can bind one only: {other} can"
        )
    };
    if all.contains(&"electrs") {
        assert!(told.contains(&lets_in("electrs", "bitcoind")), "{told}");
    }
    let (mut tried, mut reached, mut names) = (0, 0, 0);
    for place in all {
        let mut targets: BTreeSet<Target> = BTreeSet::new();
        let mut declared: BTreeSet<Target> = BTreeSet::new();
        for other in all.iter().filter(|other| *other != place) {
            for (edge, (address, _)) in &networks[other] {
                let reaches = ports[other].iter().map(|port| (address.clone(), *port));
                targets.extend(reaches);
                let [consumer, interface, provider] = parties(edge);
                // Who can bind one address only binds all of its own; `edges` says whom that lets in.
                if (consumer, provider) == (*other, *place) && told.contains(&lets_in(other, place))
                {
                    declared.extend(ports[other].iter().map(|port| (address.clone(), *port)));
                }
                if (consumer, provider) == (*place, *other) {
                    let meant = meant(node, other, interface);
                    declared.extend(meant.into_iter().map(|port| (address.clone(), port)));
                }
            }
        }
        for (_, gateway) in networks[place].values() {
            targets.extend([22, 4420, open].map(|port| (gateway.clone(), port)));
        }
        let tries: String = targets
            .iter()
            .map(|(host, port)| {
                format!(
                    "(nc -w 3 {host} {port} -e /bin/true 2>/dev/null && echo {host} {port}) &\n"
                )
            })
            .collect();
        let (_, said) = node.in_place_of(place, &format!("{tries}wait; echo tried"));
        assert!(said.ends_with("tried"), "{place}: {said}");
        let found: BTreeSet<Target> = said
            .lines()
            .filter_map(|line| {
                let (host, port) = line.split_once(' ')?;
                Some((host.to_owned(), port.parse().ok()?))
            })
            .collect();
        assert_eq!(found, declared, "in the place of {place}");
        tried += targets.len();
        reached += found.len();
        let open = networks[place]
            .keys()
            .any(|name| parties(name)[2] == "internet");
        let mut strangers: BTreeSet<String> = BTreeSet::new();
        for other in all.iter().filter(|other| *other != place) {
            // The engine itself answers for whom it shares a network with.
            let shares = networks[other]
                .keys()
                .any(|name| networks[place].contains_key(name));
            if !shares {
                strangers.extend([(*other).to_owned(), node.container(other)]);
            }
        }
        // Whoever has a way out may ask for names outside.
        strangers.extend((!open).then(|| "example.com".to_owned()));
        let asks: String = strangers
            .iter()
            .map(|name| {
                format!("(timeout 8 nslookup {name} > /dev/null 2>&1 && echo named {name}) &\n")
            })
            .collect();
        let (_, said) = node.in_place_of(
            place,
            &format!("timeout 1 true || echo no timeout; {asks}wait; echo tried"),
        );
        assert_eq!(said, "tried", "names in the place of {place}");
        names += strangers.len();
    }
    println!(
        "intruders in {} places tried {tried} addresses and ports: {reached} were reached, which edges declare, no more and no less; {names} names led nowhere",
        all.len()
    );
}

/// A service's networks, each with its own address and the gateway.
pub(crate) fn networks_of(node: &Node, service: &str) -> BTreeMap<String, (String, String)> {
    let found = node.inspected(service);
    let on = found["NetworkSettings"]["Networks"].as_object();
    on.expect("networks")
        .iter()
        .map(|(name, one)| {
            let text = |key: &str| one[key].as_str().expect("an address").to_owned();
            (name.clone(), (text("IPAddress"), text("Gateway")))
        })
        .collect()
}

/// The parties of an edge, from the name of its network: consumer, interface, provider.
fn parties(network: &str) -> [&str; 3] {
    let edge = network.splitn(3, '-').nth(2).expect("a name of ours");
    let parts: Vec<&str> = edge.split('.').collect();
    parts.try_into().expect("three parties")
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
    let silent = ["tor", "miner"].contains(&service);
    assert!(silent || !ports.is_empty(), "{service}: {text}");
    ports
}

/// The ports that an interface means, from the provider's manifest and the node's own choices.
fn meant(node: &Node, provider: &str, interface: &str) -> Vec<u16> {
    let manifest = match provider {
        "peer" => "lnd",
        other => other,
    };
    let file = format!("../manifests/services/{manifest}.toml");
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let read = |path: &std::path::Path| -> toml::Table {
        let text = std::fs::read_to_string(path).expect("a file");
        toml::from_str(&text).expect("TOML")
    };
    let (manifest, choices) = (read(&path), read(&node.node.data().join("node.toml")));
    let interface = &manifest["interfaces"][interface];
    let also = interface.get("also").and_then(toml::Value::as_array);
    let also = also.into_iter().flatten();
    std::iter::once(&interface["port"])
        .chain(also)
        .map(|port| {
            let port = port.as_str().expect("a port's name");
            let chosen = choices["services"]
                .get(provider)
                .and_then(|one| one.get("ports")?.get(port));
            let number = chosen.unwrap_or(&manifest["ports"][port]["number"]["default"]);
            let number = number.as_integer().expect("a number");
            u16::try_from(number).expect("a port")
        })
        .collect()
}
