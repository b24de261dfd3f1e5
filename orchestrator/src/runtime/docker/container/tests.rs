use std::collections::BTreeMap;

use super::*;
use crate::id::EdgeId;
use crate::id::NodeId;
use crate::id::ServiceId;
use crate::runtime::ImageId;
use crate::service::spec::LimitSpec;
use crate::service::spec::Publish;
use crate::service::spec::SpecHash;
use crate::service::spec::StopSpec;
use crate::service::spec::Subnet;

fn attachment(edge: &str, kind: NetworkKind, first: &str) -> Attachment {
    let subnet = Subnet::new(first.parse().unwrap()).unwrap();
    Attachment {
        edge: EdgeId::try_from(edge.to_owned()).unwrap(),
        kind,
        subnet,
        address: subnet.provider(),
        may_reach: Vec::new(),
    }
}

fn unit(attachments: Vec<Attachment>) -> Unit {
    Unit {
        service: ServiceId::new("relay").unwrap(),
        spec_hash: SpecHash("v1:one".to_owned()),
        program: PathBuf::from("flash-relay"),
        image: Some(ImageId(format!("sha256:{}", "0".repeat(64)))),
        folder: None,
        args: vec!["--config".to_owned()],
        env: BTreeMap::from([("GIVEN".to_owned(), "yes".to_owned())]),
        files: BTreeMap::new(),
        volumes: vec![crate::runtime::Mount {
            on_host: PathBuf::from("/data/volumes/relay/data"),
            inside: PathBuf::from("/volumes/data"),
        }],
        addresses: BTreeMap::new(),
        network: NetworkSpec {
            attachments,
            hosts: BTreeMap::from([("tor".to_owned(), "10.213.0.18".parse().unwrap())]),
            publish: vec![Publish {
                port: "http".parse().unwrap(),
                on: "127.0.0.1:4421".parse().unwrap(),
                number: 4421,
            }],
        },
        stop: StopSpec {
            signal: StopSignal::Int,
            grace_seconds: 900,
        },
        limits: LimitSpec {
            memory_mib: 64,
            pids: 32,
        },
        uid: Some(200_007),
    }
}

fn body(unit: &Unit) -> ContainerCreateBody {
    let names =
        Names::new(NodeId::try_from("abc123abc123abc123abc123abc123ab".to_owned()).unwrap());
    let around = Around {
        names: &names,
        files: PathBuf::from("/run/files/relay"),
        identity: PathBuf::from("/run/files/.identity/relay"),
        image_env: vec!["PATH=/opt/bin".to_owned(), "SECRET_OF_IMAGE=x".to_owned()],
    };
    of_service(unit, &around, &order(&unit.network))
}

#[test]
fn every_container_is_confined() {
    let made = body(&unit(vec![attachment(
        "node/nostr/relay",
        NetworkKind::Edge,
        "10.213.0.0",
    )]));
    assert_eq!(made.user.as_deref(), Some("200007:200007"));
    assert_eq!(made.stop_signal.as_deref(), Some("SIGINT"));
    assert_eq!(made.stop_timeout, Some(900));
    let host = made.host_config.unwrap();
    assert_eq!(host.cap_drop, Some(vec!["ALL".to_owned()]));
    assert_eq!(host.cap_add, None);
    assert_eq!(host.readonly_rootfs, Some(true));
    assert_eq!(
        host.security_opt,
        Some(vec!["no-new-privileges:true".to_owned()])
    );
    assert_eq!(host.pids_limit, Some(32));
    assert_eq!(
        (host.memory, host.memory_swap),
        (Some(67_108_864), Some(67_108_864))
    );
    assert_eq!(
        host.restart_policy.unwrap().name,
        Some(RestartPolicyNameEnum::NO)
    );
    assert_eq!(
        (host.privileged, host.pid_mode, host.binds),
        (Some(false), None, None)
    );
    assert_eq!(
        host.network_mode.as_deref(),
        Some("flash-abc123-node.nostr.relay")
    );
    // No way out: names have none either.
    assert_eq!(host.dns, Some(vec!["127.0.0.1".to_owned()]));
    let sources: Vec<_> = host
        .mounts
        .unwrap()
        .into_iter()
        .filter_map(|m| m.source)
        .collect();
    assert!(
        sources.iter().all(|source| !source.ends_with(".sock")),
        "{sources:?}"
    );
}

#[test]
fn the_way_out_decides_the_default_route_and_opens_names() {
    let edge = attachment("a/rpc/relay", NetworkKind::Edge, "10.213.0.0");
    let out = attachment(
        "relay/internet/internet",
        NetworkKind::WayOut,
        "10.213.0.16",
    );
    let made = body(&unit(vec![edge, out]));
    let host = made.host_config.unwrap();
    assert_eq!(
        host.network_mode.as_deref(),
        Some("flash-abc123-relay.internet.internet")
    );
    assert_eq!(host.dns, None);
}

#[test]
fn a_member_of_no_network_has_none() {
    let made = body(&unit(Vec::new()));
    assert_eq!(
        made.host_config.unwrap().network_mode.as_deref(),
        Some("none")
    );
}

#[test]
fn the_environment_is_ours_alone_but_for_the_path_of_the_image() {
    let made = body(&unit(Vec::new()));
    let env = made.env.unwrap();
    let given: Vec<_> = env.iter().filter(|one| one.contains('=')).collect();
    assert_eq!(
        given,
        [
            "GIVEN=yes",
            "HOME=/volumes/data",
            "LANG=C.UTF-8",
            "PATH=/opt/bin"
        ]
    );
    let taken: Vec<_> = env.iter().filter(|one| !one.contains('=')).collect();
    assert_eq!(taken, ["HOSTNAME", "SECRET_OF_IMAGE"]);
}

#[test]
fn bridges_of_two_networks_have_two_names() {
    let names =
        Names::new(NodeId::try_from("abc123abc123abc123abc123abc123ab".to_owned()).unwrap());
    let of = |first: &str| names.bridge(Subnet::new(first.parse().unwrap()).unwrap());
    assert_eq!(of("10.213.0.0"), "fnabc123000");
    assert_eq!(of("10.213.0.16"), "fnabc123001");
    assert_eq!(of("10.213.15.240"), "fnabc1230ff");
    assert_eq!(of("10.213.16.0").len(), 11);
}
