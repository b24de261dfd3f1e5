use bollard::models::ContainerState;

use super::*;

fn ended(code: i64) -> ContainerInspectResponse {
    ContainerInspectResponse {
        state: Some(ContainerState {
            status: Some(ContainerStateStatusEnum::EXITED),
            exit_code: Some(code),
            finished_at: Some("2026-11-26T11:42:00.573040344Z".to_owned()),
            ..ContainerState::default()
        }),
        ..ContainerInspectResponse::default()
    }
}

#[test]
fn a_signal_is_told_from_a_code() {
    for (code, expected) in [
        (0, (Some(0), None)),
        (7, (Some(7), None)),
        (128, (Some(128), None)),
        (137, (None, Some(9))),
        (143, (None, Some(15))),
        (255, (Some(255), None)),
    ] {
        let exit = exit(&ended(code)).unwrap();
        assert_eq!((exit.code, exit.signal), expected, "{code}");
        assert_eq!(exit.at, UnixMillis(1_795_693_320_573));
    }
}

#[test]
fn what_cannot_be_understood_is_an_error_and_no_absence() {
    let service = ServiceId::new("relay").unwrap();
    // Without its labels nobody knows what it was made from.
    assert!(matches!(
        instance(&service, &ended(0)),
        Err(RuntimeError::Record { .. })
    ));
    assert_eq!(millis("0001-01-01T00:00:00Z"), None);
}

#[test]
fn a_port_that_the_engine_left_out_is_another_specification() {
    use std::collections::HashMap;

    use bollard::models::ContainerConfig;
    use bollard::models::HostConfig;
    use bollard::models::NetworkSettings;
    use bollard::models::PortBinding;

    let ports = |number: &str| {
        let binding = PortBinding {
            host_ip: Some("127.0.0.1".to_owned()),
            host_port: Some(number.to_owned()),
        };
        Some(HashMap::from([(
            "4421/tcp".to_owned(),
            Some(vec![binding]),
        )]))
    };
    let running = |bound| ContainerInspectResponse {
        state: Some(ContainerState {
            status: Some(ContainerStateStatusEnum::RUNNING),
            pid: Some(42),
            ..ContainerState::default()
        }),
        config: Some(ContainerConfig {
            labels: Some(HashMap::from([
                (label::SPEC_HASH.to_owned(), "1:abc".to_owned()),
                (label::ADDRESSES.to_owned(), "{}".to_owned()),
            ])),
            ..ContainerConfig::default()
        }),
        host_config: Some(HostConfig {
            port_bindings: ports("4421"),
            ..HostConfig::default()
        }),
        network_settings: Some(NetworkSettings {
            ports: bound,
            ..NetworkSettings::default()
        }),
        ..ContainerInspectResponse::default()
    };
    let service = ServiceId::new("relay").unwrap();
    let hash = |bound| instance(&service, &running(bound)).unwrap().spec_hash.0;
    assert_eq!(hash(ports("4421")), "1:abc");
    assert_ne!(hash(ports("4422")), "1:abc");
    assert_ne!(hash(Some(HashMap::new())), "1:abc");
    assert_ne!(hash(None), "1:abc");
}
