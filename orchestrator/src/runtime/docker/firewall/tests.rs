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
