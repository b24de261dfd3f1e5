use serde_json::json;

use super::*;
use crate::service::probe::ProbeError;

fn answer(status: Option<u16>, json: Option<serde_json::Value>, text: &str) -> Answer {
    Answer {
        reached: true,
        status,
        json,
        text: text.to_owned(),
        error: None,
    }
}

#[test]
fn unknown_to_http_is_refused_and_denied_by_it_is_not() {
    let guess = answer(Some(401), None, "");
    let says = |status, json| stance(&answer(Some(status), json, ""), &guess);
    assert_eq!(says(401, None), Stance::Refused("401".to_owned()));
    // Bitcoin Core: the user is known, and the method is not on its list.
    assert_eq!(says(403, None), Stance::Taken);
    assert_eq!(says(200, Some(json!({"result": 1}))), Stance::Taken);
    // JSON-RPC errors come with 500 and a body.
    assert_eq!(
        says(500, Some(json!({"error": {"code": -28}}))),
        Stance::Taken
    );
    assert_eq!(says(502, None), Stance::Unknown);
}

#[test]
fn postgres_refuses_by_its_own_code_and_no_other() {
    let says = |state: &str| {
        let said = answer(None, Some(json!({"sqlstate": state})), state);
        stance(&said, &said)
    };
    assert_eq!(says("28P01"), Stance::Refused("28P01".to_owned()));
    for state in ["28000", "57P03"] {
        assert_eq!(says(state), Stance::Unknown, "{state}");
    }
}

#[test]
fn another_protocol_is_judged_by_what_it_says_to_a_stranger() {
    let guess = answer(None, None, "-WRONGPASS");
    assert!(matches!(
        stance(&answer(None, None, "-WRONGPASS"), &guess),
        Stance::Refused(_)
    ));
    assert_eq!(
        stance(&answer(None, None, "+OK -NOPERM"), &guess),
        Stance::Taken
    );
}

#[test]
fn silence_is_never_a_refusal() {
    let spoken = answer(None, None, "-WRONGPASS");
    for error in [ProbeError::Refused, ProbeError::Timeout, ProbeError::Closed] {
        let silent = Answer {
            reached: false,
            error: Some(error),
            ..answer(None, None, "")
        };
        assert_eq!(stance(&silent, &spoken), Stance::Unknown, "{error}");
        assert_eq!(stance(&spoken, &silent), Stance::Unknown, "{error}");
    }
}
