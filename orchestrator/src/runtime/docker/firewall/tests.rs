use super::*;
use crate::id::EdgeId;
use crate::service::spec::Subnet;

fn names() -> Names {
    Names::new(NodeId::try_from("abc123abc123abc123abc123abc123ab".to_owned()).unwrap())
}

fn bridges(all: &[(&str, NetworkKind, &str, &[&str])]) -> BTreeMap<String, Attachment> {
    all.iter()
        .map(|(edge, kind, first, reach)| {
            let subnet = Subnet::new(first.parse().unwrap()).unwrap();
            let one = Attachment {
                edge: EdgeId::try_from((*edge).to_owned()).unwrap(),
                kind: *kind,
                subnet,
                address: subnet.consumer(),
                may_reach: reach.iter().map(|one| one.parse().unwrap()).collect(),
            };
            (names().bridge(subnet), one)
        })
        .collect()
}

#[test]
fn what_is_not_declared_is_dropped() {
    let rules = write(
        &names(),
        &bridges(&[
            ("lnd/rpc/bitcoind", NetworkKind::Edge, "10.213.0.0", &[]),
            (
                "mint/payments/node",
                NetworkKind::Edge,
                "10.213.0.16",
                &["10.213.0.17:4430"],
            ),
            (
                "bitcoind/internet/internet",
                NetworkKind::WayOut,
                "10.213.0.32",
                &[],
            ),
            (
                "electrs/rpc/bitcoind",
                NetworkKind::WayOut,
                "10.213.0.48",
                &["192.168.1.5:8332"],
            ),
            (
                "internet/published/relay",
                NetworkKind::WayIn,
                "10.213.0.64",
                &[],
            ),
        ]),
    );
    let expected = "\
-A FLASH-ABC123 -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN
-A FLASH-ABC123 -i fnabc123001 -d 10.213.0.17/32 -p tcp -m tcp --dport 4430 -j RETURN
-A FLASH-ABC123 -i fnabc123003 -d 192.168.1.5/32 -p tcp -m tcp --dport 8332 -j RETURN
-A FLASH-ABC123 -j DROP
-A FLASHF-ABC123 -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN
-A FLASHF-ABC123 -i fnabc123000 -o fnabc123000 -j RETURN
-A FLASHF-ABC123 -i fnabc123001 -o fnabc123001 -j RETURN
-A FLASHF-ABC123 -i fnabc123002 -o fnabc123002 -j RETURN
-A FLASHF-ABC123 -i fnabc123002 -j RETURN
-A FLASHF-ABC123 -i fnabc123003 -o fnabc123003 -j RETURN
-A FLASHF-ABC123 -i fnabc123003 -d 192.168.1.5/32 -p tcp -m tcp --dport 8332 -j RETURN
-A FLASHF-ABC123 -i fnabc123004 -o fnabc123004 -j RETURN
-A FLASHF-ABC123 -j DROP
-A FLASHT-ABC123 -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN
-A FLASHT-ABC123 -i fnabc123+ -j RETURN
-A FLASHT-ABC123 -m conntrack --ctstate DNAT -j RETURN
-A FLASHT-ABC123 -j DROP
COMMIT
";
    assert!(rules.text.ends_with(expected), "{}", rules.text);
    assert!(rules.text6.contains("-A FLASH-ABC123 -j DROP"));
    assert_eq!(rules.bridges, "fnabc123+");
}

#[test]
fn another_rule_is_another_hash() {
    let one = write(
        &names(),
        &bridges(&[("a/b/c", NetworkKind::Edge, "10.213.0.0", &[])]),
    );
    let same = write(
        &names(),
        &bridges(&[("a/b/c", NetworkKind::Edge, "10.213.0.0", &[])]),
    );
    let other = write(
        &names(),
        &bridges(&[("a/b/c", NetworkKind::WayOut, "10.213.0.0", &[])]),
    );
    assert_eq!(one, same);
    assert_ne!(one.hash, other.hash);
}

/// Runs `act` in a network namespace of its own, with the kernel's real tables; nothing where this machine has none to
/// give.
#[expect(
    clippy::disallowed_methods,
    reason = "a test makes its own namespace, and the summary collects why it did not"
)]
fn in_a_namespace(act: impl FnOnce() + Send + 'static) {
    let name = format!("flash-walls-{}", std::process::id());
    let ip = |args: &[&str]| {
        let done = Command::new("ip").args(args).output();
        done.is_ok_and(|done| done.status.success())
    };
    if !rustix::process::geteuid().is_root() || !ip(&["netns", "add", &name]) {
        println!("SKIPPED: the firewall needs root and network namespaces");
        return;
    }
    let place = std::fs::File::open(format!("/run/netns/{name}")).unwrap();
    let acted = std::thread::spawn(move || {
        let network = Some(rustix::thread::LinkNameSpaceType::Network);
        rustix::thread::move_into_link_name_space(std::os::fd::AsFd::as_fd(&place), network)
            .unwrap();
        act();
    });
    let acted = acted.join();
    ip(&["netns", "del", &name]);
    if let Err(panic) = acted {
        std::panic::resume_unwind(panic);
    }
}

#[test]
fn the_rules_are_in_force_or_it_is_said_that_they_are_not() {
    in_a_namespace(|| {
        let rules = write(
            &names(),
            &bridges(&[(
                "lnd/rpc/bitcoind",
                NetworkKind::Edge,
                "10.213.0.0",
                &["192.168.1.20:8332"],
            )]),
        );
        // Without the engine's chain what is forwarded is not held back, and nobody may think that it is.
        let refused = apply(&rules).unwrap_err();
        assert!(
            matches!(refused.why, FirewallError::NoEngineChain),
            "{refused:?}"
        );
        assert!(refused.ways && !refused.host_ports, "{refused:?}");
        assert!(!in_force(&rules).unwrap());
        run("iptables", &["-N", "DOCKER-USER"]).unwrap();
        run("iptables", &["-A", "INPUT", "-i", "lo", "-j", "ACCEPT"]).unwrap();
        apply(&rules).unwrap();
        assert!(in_force(&rules).unwrap());
        // Twice is once.
        apply(&rules).unwrap();
        let jumps = |from: &str| {
            let listed = run("iptables", &["-S", from]).unwrap();
            listed.matches("-j FLASH").count()
        };
        assert_eq!((jumps("INPUT"), jumps("DOCKER-USER")), (1, 2));
        // Somebody takes them away: that is seen, and made good.
        run("iptables", &["-F", "DOCKER-USER"]).unwrap();
        assert!(!in_force(&rules).unwrap());
        apply(&rules).unwrap();
        assert!(in_force(&rules).unwrap());
        for chain in [&rules.forward, &rules.input, &rules.inward] {
            run("iptables", &["-F", chain]).unwrap();
            assert!(!in_force(&rules).unwrap(), "{chain}");
            apply(&rules).unwrap();
            assert!(in_force(&rules).unwrap(), "{chain}");
        }
        let listed = run("iptables", &["-S", &rules.input]).unwrap();
        assert!(
            listed.contains("-d 192.168.1.20/32") && listed.trim_end().ends_with("-j DROP"),
            "{listed}"
        );
        // What is of others stays.
        remove(&rules).unwrap();
        let left = run("iptables", &["-S"]).unwrap();
        assert!(!left.contains("FLASH"), "{left}");
        assert!(
            left.contains("-A INPUT -i lo -j ACCEPT") && left.contains("-N DOCKER-USER"),
            "{left}"
        );
        remove(&rules).unwrap();
    });
}

#[test]
fn what_serves_on_with_an_older_specification_keeps_its_peers() {
    use crate::service::resolve::fixture;

    let node = NodeId::try_from("abc123abc123abc123abc123abc123ab".to_owned()).unwrap();
    let wanted = fixture::Node::contained();
    let desired = wanted.desired();
    let specs: Vec<ServiceSpec> = desired
        .services
        .values()
        .filter_map(|service| match &service.wanted {
            Wanted::Run { spec, .. } => Some((**spec).clone()),
            _ => None,
        })
        .collect();
    assert!(
        specs
            .iter()
            .any(|spec| !spec.network.attachments.is_empty())
    );
    let nothing = Desired {
        network: desired.network,
        services: BTreeMap::new(),
    };
    // Nothing is wanted any more, and all of it runs on: the rules are those of what runs.
    let all = rules(&node, &desired, &[]);
    assert_eq!(rules(&node, &nothing, &specs), all);
    assert_ne!(rules(&node, &nothing, &[]), all);
    // What runs as it is wanted adds nothing.
    assert_eq!(rules(&node, &desired, &specs), all);
    // A network that belongs to another edge by now opens nothing for the one before.
    let mut older = specs;
    for attachment in older
        .iter_mut()
        .flat_map(|spec| &mut spec.network.attachments)
    {
        attachment.edge = EdgeId::try_from("some/other/edge".to_owned()).unwrap();
        attachment.kind = NetworkKind::WayOut;
        attachment.may_reach = Vec::new();
    }
    assert_eq!(rules(&node, &desired, &older), all);
}
