//! Whole nodes in containers: every container confined, every edge the only one there is, a kill at every step.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a whole-program test starts programs, and the summary collects what it prints"
)]

mod chain;
#[path = "node/declared.rs"]
mod declared;
#[path = "node/engine.rs"]
mod engine;
mod inspect;
mod leak;
mod node;
mod timeline;

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::engine::Node;
use crate::engine::PASSPHRASE;
use crate::engine::check_confined;
use crate::engine::check_job;
use crate::engine::have_engine;
use crate::engine::packed_postgres;
use crate::engine::run;
use crate::engine::tools;

#[test]
fn every_container_is_confined_and_nothing_is_left_behind() {
    if !have_engine() {
        return;
    }
    let mut node = Node::new(&[("relay", None), ("mint", None)], "");
    node.up();
    for service in ["relay", "mint"] {
        node.node.wait_ready(service);
        check_confined(&node, service);
    }
    assert!(
        node.node
            .ok(&["images", "list"])
            .contains("self:flash-relay@sha256:")
    );
    let edges = node.node.ok(&["edges"]);
    assert!(edges.contains("node          relay  nostr"), "{edges}");
    audit(&node);
    assert!(
        node.node.status()["services"][0]["not_enforced"]
            .as_array()
            .is_none_or(Vec::is_empty)
    );
    node.node.ok(&["down"]);
    assert_eq!(node.node.wait_for_end(), Some(0));
    assert_eq!(
        (node.all("container").len(), node.all("network").len()),
        (0, 0)
    );
    let (_, rules) = run("iptables", &["-S"]);
    assert!(
        !rules.contains(&format!("-{}", node.id()[..6].to_uppercase())),
        "{rules}"
    );
}

/// The node finds by itself what `docker inspect` shows, and what was changed behind its back.
fn audit(node: &Node) {
    let look = || {
        let output = node.node.cli(&["doctor", "--audit"]);
        String::from_utf8(output.stdout).expect("text")
    };
    let well = look();
    for service in ["relay", "mint"] {
        assert!(
            well.contains(&format!("ok    {service}: confined")),
            "{well}"
        );
    }
    assert!(
        well.contains("everything that confines services is in force"),
        "{well}"
    );
    assert!(well.contains("service/mint/seed: generation 1"), "{well}");
    assert!(
        !well.contains("bad   relay") && !well.contains("stranger"),
        "{well}"
    );
    for value in node.kept().values().filter(|value| value.len() >= 12) {
        assert!(!well.contains(value), "a secret is shown");
    }
    let on = node.inspected("relay")["NetworkSettings"]["Networks"].clone();
    let (network, _) = on
        .as_object()
        .and_then(|on| on.iter().next())
        .expect("a network");
    let name = format!("stranger-{}", std::process::id());
    let made = [
        "run",
        "-d",
        "--rm",
        "--name",
        &name,
        "--network",
        network,
        &tools(),
    ];
    let (stays, _) = run("docker", &[&made[..], &["/bin/sleep", "1000"]].concat());
    assert!(stays);
    let found = look();
    run("docker", &["rm", "-f", &name]);
    assert!(
        found.contains(&format!(
            "bad   {name}: it is not this node's, and stands on its network"
        )),
        "{found}"
    );
    // A network of the node's own, and no edge of this service's.
    let (joined, said) = run(
        "docker",
        &["network", "connect", network, &node.container("mint")],
    );
    assert!(joined, "{said}");
    let found = look();
    run(
        "docker",
        &["network", "disconnect", network, &node.container("mint")],
    );
    assert!(
        found.contains(&format!(
            "bad   mint: it stands on the network {network}, which none of its edges gives it"
        )) && !found.contains("ok    mint: confined"),
        "{found}"
    );
    assert!(look().contains("ok    mint: confined"));
}

/// Another machine on the network: a namespace with a link to this one and a route to every container.
struct Neighbour {
    name: String,
}

impl Neighbour {
    fn new() -> Self {
        let name = format!("lan{}", std::process::id());
        let peer = format!("{name}p");
        for args in [
            &["netns", "add", &name][..],
            &["link", "add", &name, "type", "veth", "peer", "name", &peer],
            &["link", "set", &peer, "netns", &name],
            &["addr", "add", "10.214.99.1/24", "dev", &name],
            &["link", "set", &name, "up"],
            &["-n", &name, "addr", "add", "10.214.99.2/24", "dev", &peer],
            &["-n", &name, "link", "set", &peer, "up"],
            &["-n", &name, "route", "add", "default", "via", "10.214.99.1"],
        ] {
            let (well, said) = run("ip", args);
            assert!(well, "{args:?}: {said}");
        }
        Self { name }
    }

    fn reaches(&self, address: &str, port: &str) -> bool {
        let script = format!("exec 3<>/dev/tcp/{address}/{port}");
        let within = [
            "netns", "exec", &self.name, "timeout", "3", "bash", "-c", &script,
        ];
        run("ip", &within).0
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        run("ip", &["netns", "del", &self.name]);
        run("ip", &["link", "del", &self.name]);
    }
}

#[test]
fn a_neighbour_on_the_network_reaches_no_port_that_is_published_on_loopback() {
    if !have_engine() {
        return;
    }
    let mut node = Node::new(&[("relay", None)], "");
    node.up();
    node.node.wait_ready("relay");
    let settings = &node.inspected("relay")["NetworkSettings"];
    let published = settings["Ports"].as_object().expect("ports");
    let (port, _) = published
        .iter()
        .find(|(_, bound)| !bound.is_null())
        .expect("a published port");
    let port = port.trim_end_matches("/tcp");
    let neighbour = Neighbour::new();
    let addresses: Vec<String> = settings["Networks"]
        .as_object()
        .expect("networks")
        .values()
        .map(|on| on["IPAddress"].as_str().expect("an address").to_owned())
        .collect();
    let reached = || {
        addresses
            .iter()
            .any(|address| neighbour.reaches(address, port))
    };
    assert!(!reached(), "a neighbour reaches {addresses:?}");
    // Without that rule it would: the engine lets everybody in who asks a container's own address.
    let short = node.id()[..6].to_owned();
    let bridges = format!("fn{short}+");
    let chain = format!("FLASHT-{}", short.to_uppercase());
    let rule = ["DOCKER-USER", "-o", &bridges, "-j", &chain];
    let (taken, said) = run("iptables", &[&["-w", "10", "-D"], &rule[..]].concat());
    assert!(taken, "{said}");
    assert!(reached(), "the rule is not what keeps the neighbour out");
    // Somebody took it away: it is put back.
    node.node.wait("the rule to be back", |_| {
        run("iptables", &[&["-w", "10", "-C"], &rule[..]].concat()).0
    });
    assert!(!reached(), "a neighbour reaches {addresses:?} again");
}

#[test]
fn an_intruder_reaches_what_an_edge_declares_and_nothing_else() {
    if !have_engine() {
        return;
    }
    // Two services without an edge between them, and one of the machine's own that listens everywhere.
    let mut node = Node::new(&[("relay", None), ("mint", None)], "");
    node.up();
    for service in ["relay", "mint"] {
        node.node.wait_ready(service);
    }
    let listener = std::net::TcpListener::bind("0.0.0.0:0").expect("a port");
    let open = listener.local_addr().expect("an address").port();
    let api = node.node.status()["api"]
        .as_str()
        .expect("an API")
        .rsplit(':')
        .next()
        .expect("a port")
        .to_owned();
    let own = |service: &str, interface: &str| {
        node.address(service, &format!("node/{interface}/{service}"))
    };
    let ports = BTreeMap::from([("relay", "nostr"), ("mint", "cashu")].map(
        |(service, interface)| {
            let url = node.node.endpoint(service, interface);
            (service, url.rsplit(':').next().expect("a port").to_owned())
        },
    ));
    let gateways = |service: &str| {
        let found = node.inspected(service);
        let networks = found["NetworkSettings"]["Networks"]
            .as_object()
            .expect("networks")
            .clone();
        networks
            .values()
            .map(|one| one["Gateway"].as_str().unwrap_or_default().to_owned())
            .collect::<BTreeSet<_>>()
    };
    let (_, addresses) = run("hostname", &["-I"]);
    let machine: BTreeSet<String> = addresses.split_whitespace().map(str::to_owned).collect();
    for (service, other, interface) in [("relay", "mint", "cashu"), ("mint", "relay", "nostr")] {
        let mut targets: Vec<(String, String)> =
            vec![(own(other, interface), ports[other].clone())];
        for host in gateways(service).iter().chain(&machine) {
            for port in [&open.to_string(), &api, &"22".to_owned(), &ports[other]] {
                targets.push((host.clone(), port.clone()));
            }
        }
        let script: String = targets
            .iter()
            .map(|(host, port)| {
                format!(
                    "nc -w 1 {host} {port} -e /bin/true 2>/dev/null && echo reached {host} {port}; "
                )
            })
            .collect();
        let (_, said) = node.in_place_of(service, &format!("{script} echo tried"));
        assert!(
            said.ends_with("tried") && !said.contains("reached"),
            "in the place of {service}: {said}"
        );
        for name in ["example.com", other, &node.container(other)] {
            let (found, said) = node.in_place_of(service, &format!("timeout 6 nslookup {name}"));
            assert!(
                !found,
                "in the place of {service} {name} has an address: {said}"
            );
        }
    }
    // The same listener answers who is not held back, so that the silence above means something.
    assert!(std::net::TcpStream::connect(("127.0.0.1", open)).is_ok());
}

#[test]
fn a_kill_at_any_step_of_a_container_is_made_good_by_the_next_start() {
    if !have_engine() {
        return;
    }
    let mut node = Node::new(&[("relay", None)], "");
    // Points of a first start, and points of a restart after a change.
    let starting = [
        "image.kept",
        "docker.network_made",
        "docker.created",
        "docker.joined",
        "docker.started",
    ];
    for point in starting {
        node.node.env("FLASH_FAILPOINT", Some(point));
        node.node.spawn();
        assert_eq!(
            node.node.wait_for_end(),
            None,
            "it died by its failpoint {point}"
        );
    }
    node.node.env("FLASH_FAILPOINT", None);
    node.node.up();
    node.node.wait_ready("relay");
    assert_eq!(node.all("container").len(), 1, "no duplicate");
    for (round, point) in ["docker.drained", "docker.removed"].into_iter().enumerate() {
        node.node.kill_daemon();
        node.node.env("FLASH_FAILPOINT", Some(point));
        node.node.spawn();
        node.node.wait_ready("relay");
        // Its answer may come, or the daemon may be gone before.
        node.node
            .cli(&["set", "relay.name", &format!("after {round}")]);
        assert_eq!(
            node.node.wait_for_end(),
            None,
            "it died by its failpoint {point}"
        );
        node.node.env("FLASH_FAILPOINT", None);
        node.node.up();
        node.node.wait("the changed relay", |node| {
            node.rendered("relay", "relay.toml")
                .contains(&format!("after {round}"))
        });
        node.node.wait_ready("relay");
        assert_eq!(node.all("container").len(), 1, "no duplicate after {point}");
    }
    // A daemon that dies leaves what is well as it is.
    let before = node.started();
    node.node.kill_daemon();
    node.node.up();
    node.node.wait_ready("relay");
    assert_eq!(node.started(), before);

    node.node.env("FLASH_FAILPOINT", None);
    node.node.kill_daemon();
    node.node
        .env("FLASH_FAILPOINT", Some("docker.network_removed"));
    node.node.spawn();
    node.node.wait_ready("relay");
    node.node.cli(&["remove", "relay"]);
    assert_eq!(
        node.node.wait_for_end(),
        None,
        "it died while networks were removed"
    );
    node.node.env("FLASH_FAILPOINT", None);
    node.node.up();
    node.node.wait("nothing to be left", |_| {
        node.all("container").is_empty() && node.all("network").is_empty()
    });
    kill_in_a_job(node);
}

/// The points of jobs and of pulls, with a database whose cluster a job makes, and a registry that is not there.
fn kill_in_a_job(node: Node) {
    drop(node);
    let more = format!(
        "[images]\n\"docker.io/library/postgres@sha256:{0}\" = \"127.0.0.1:1/none@sha256:{0}\"\n",
        "5a5a84b19854a9ffaa54082c166ff4ec27473a361e496e5ea167f298f2da9722"
    );
    let mut node = Node::new(&[("postgres", None)], &more);
    node.up();
    node.node.kill_daemon();
    node.node.env("FLASH_FAILPOINT", Some("image.told"));
    node.node.spawn();
    node.node.wait("the vault to be asked for", |node| {
        node.try_status().is_some()
    });
    node.node
        .cli_with_input(&["unlock"], &format!("{PASSPHRASE}\n"));
    assert_eq!(
        node.node.wait_for_end(),
        None,
        "it died while it told of a pull"
    );
    node.node.env("FLASH_FAILPOINT", None);
    node.node.up();
    node.node
        .cli_with_input(&["unlock"], &format!("{PASSPHRASE}\n"));
    let told = node.node.wait_service("postgres", "no registry", |one| {
        one["alive"]["text"]
            .as_str()
            .is_some_and(|text| text.contains("cannot be reached"))
    });
    assert!(
        told["alive"]["text"]
            .as_str()
            .expect("a text")
            .contains("names a mirror"),
        "{told}"
    );

    let Some(image) = packed_postgres() else {
        return;
    };
    for point in ["docker.job_started", "docker.job_ended"] {
        node.node.kill_daemon();
        node.node.env("FLASH_FAILPOINT", Some(point));
        node.node.spawn();
        node.node
            .wait("an answer", |node| node.try_status().is_some());
        node.node
            .cli_with_input(&["unlock"], &format!("{PASSPHRASE}\n"));
        node.node.cli(&["images", "set", "postgres", &image]);
        assert_eq!(
            node.node.wait_for_end(),
            None,
            "it died by its failpoint {point}"
        );
        // A job's container is held like a service's: it is on no network but its service's own.
        let jobs = node.all("container");
        assert!(point != "docker.job_started" || jobs.len() == 1, "{jobs:?}");
        for job in jobs {
            check_job(&node, "postgres", &job);
        }
    }
    node.node.env("FLASH_FAILPOINT", None);
    node.node.up();
    node.node
        .cli_with_input(&["unlock"], &format!("{PASSPHRASE}\n"));
    node.node.cli(&["retry", "postgres"]);
    node.node.wait_ready("postgres");
    assert_eq!(node.all("container").len(), 1, "no job is left");
}
