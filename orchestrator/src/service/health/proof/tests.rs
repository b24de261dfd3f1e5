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

#[test]
fn what_is_said_while_the_provider_goes_or_comes_counts_for_nothing() {
    let said = |text: &str| answer(None, None, text);
    let (taken, refused, gone) = (said("+OK"), said("-WRONGPASS"), said(""));
    let proof = |all: [&Answer; 5]| {
        let [guess, new, old, guess_again, new_again] = all;
        conclude([guess, guess_again], [new, new_again], old)
    };
    let refuses = proof([&refused, &taken, &refused, &refused, &taken]);
    assert!(matches!(refuses, Proof::Refused(_)), "{refuses:?}");
    assert_eq!(
        proof([&refused, &taken, &taken, &refused, &taken]),
        Proof::StillTaken
    );
    // The process that knew only the old one ended while it was asked.
    for all in [
        [&refused, &refused, &taken, &gone, &taken],
        [&gone, &refused, &taken, &refused, &taken],
        [&refused, &taken, &gone, &gone, &taken],
        [&refused, &taken, &refused, &refused, &gone],
        [&gone, &taken, &gone, &gone, &taken],
    ] {
        assert_eq!(proof(all), Proof::NotYet, "{all:?}");
    }
    // A server that asks nobody who they are.
    let open = answer(Some(200), None, "");
    assert_eq!(proof([&open; 5]), Proof::StillTaken);
}
