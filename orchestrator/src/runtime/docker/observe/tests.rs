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
