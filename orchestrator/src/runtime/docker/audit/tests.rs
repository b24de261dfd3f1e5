use std::collections::HashMap;

use bollard::models::ContainerConfig;
use bollard::models::EndpointSettings;
use bollard::models::MountPoint;
use bollard::models::NetworkSettings;

use super::*;

fn networks() -> BTreeSet<String> {
    BTreeSet::from(["flash-a1b2c3-node.nostr.relay".to_owned()])
}

fn confined() -> ContainerInspectResponse {
    let on = HashMap::from([(
        "flash-a1b2c3-node.nostr.relay".to_owned(),
        EndpointSettings::default(),
    )]);
    ContainerInspectResponse {
        host_config: Some(HostConfig {
            cap_drop: Some(vec!["ALL".to_owned()]),
            security_opt: Some(vec!["no-new-privileges:true".to_owned()]),
            readonly_rootfs: Some(true),
            pids_limit: Some(64),
            memory: Some(1 << 28),
            ..HostConfig::default()
        }),
        config: Some(ContainerConfig {
            user: Some("231001:231001".to_owned()),
            ..ContainerConfig::default()
        }),
        network_settings: Some(NetworkSettings {
            networks: Some(on),
            ..NetworkSettings::default()
        }),
        ..ContainerInspectResponse::default()
    }
}

#[test]
fn a_container_as_the_node_makes_it_differs_in_nothing() {
    assert_eq!(differs(&confined(), &networks()), Vec::<String>::new());
}

#[test]
fn each_way_out_of_confinement_is_named() {
    let host = |change: fn(&mut HostConfig)| {
        let mut found = confined();
        change(found.host_config.get_or_insert_default());
        differs(&found, &networks()).join("; ")
    };
    assert_eq!(
        host(|host| host.cap_add = Some(vec!["NET_ADMIN".to_owned()])),
        "it has capabilities"
    );
    assert_eq!(host(|host| host.cap_drop = None), "it has capabilities");
    assert_eq!(
        host(|host| host.security_opt = None),
        "its programs may gain privileges"
    );
    assert_eq!(
        host(|host| host.readonly_rootfs = Some(false)),
        "its root can be written to"
    );
    assert_eq!(
        host(|host| host.privileged = Some(true)),
        "it is privileged"
    );
    assert_eq!(
        host(|host| host.pids_limit = Some(0)),
        "its processes have no limit"
    );
    assert_eq!(
        host(|host| host.memory = Some(0)),
        "its memory has no limit"
    );
    assert_eq!(
        host(|host| host.pid_mode = Some("host".to_owned())),
        "it shares a namespace of the machine"
    );

    let mut root = confined();
    root.config.get_or_insert_default().user = Some("0:0".to_owned());
    assert_eq!(
        differs(&root, &networks()),
        ["its user is not a number of its own"]
    );
    let mut socket = confined();
    socket.mounts = Some(vec![MountPoint {
        source: Some("/var/run/docker.sock".to_owned()),
        ..MountPoint::default()
    }]);
    assert_eq!(
        differs(&socket, &networks()),
        ["it sees a socket of the machine"]
    );
    assert_eq!(
        differs(&confined(), &BTreeSet::new()),
        ["it stands on the network flash-a1b2c3-node.nostr.relay, which is no edge's"]
    );
}

#[test]
fn a_network_or_an_address_that_no_edge_gives_is_named() {
    use bollard::models::ContainerState;

    use crate::service::resolve::fixture;

    let node = crate::id::NodeId::try_from("a1b2c3a1b2c3a1b2c3a1b2c3a1b2c3a1".to_owned()).unwrap();
    let names = Names::new(node);
    let spec = fixture::Node::contained().spec("relay");
    let standing = |change: fn(&mut HashMap<String, EndpointSettings>)| {
        let mut on: HashMap<String, EndpointSettings> = spec
            .network
            .attachments
            .iter()
            .map(|one| {
                let end = EndpointSettings {
                    ip_address: Some(one.address.to_string()),
                    ..EndpointSettings::default()
                };
                (names.network(&one.edge), end)
            })
            .collect();
        change(&mut on);
        let found = ContainerInspectResponse {
            state: Some(ContainerState {
                running: Some(true),
                ..ContainerState::default()
            }),
            network_settings: Some(NetworkSettings {
                networks: Some(on),
                ..NetworkSettings::default()
            }),
            ..ContainerInspectResponse::default()
        };
        beside_edges(&found, &names, &spec)
    };
    assert!(!spec.network.attachments.is_empty());
    assert_eq!(standing(|_| {}), Vec::<String>::new());
    let more = standing(|on| {
        on.insert("flash-a1b2c3-lnd".to_owned(), EndpointSettings::default());
    });
    assert_eq!(
        more,
        ["it stands on the network flash-a1b2c3-lnd, which none of its edges gives it"]
    );
    let moved = standing(|on| {
        for end in on.values_mut() {
            end.ip_address = Some("10.9.9.9".to_owned());
        }
    });
    assert!(
        moved[0].contains("it has the address 10.9.9.9"),
        "{moved:?}"
    );
    let gone = standing(HashMap::clear);
    assert!(
        gone[0].starts_with("it is missing on the network"),
        "{gone:?}"
    );
}
