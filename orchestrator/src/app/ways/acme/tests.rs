use std::time::Duration;

use super::Kept;
use super::Kind;
use super::LONGEST;
use super::Open;
use super::State;
use super::Trouble;
use super::WAITS;
use crate::acme::Issued;
use crate::clock::UnixMillis;
use crate::manifest::choices::AcmeChoice;

const DAY: u64 = 24 * 60 * 60 * 1000;

fn kept(name: &str) -> Kept {
    Kept::new(name, &AcmeChoice::default())
}

fn failed(name: &str) -> Kept {
    Kept {
        account: Some("account".to_owned()),
        issued: Some(Issued {
            certificate: String::new(),
            key: String::new(),
            starts_at: 0,
            ends_at: 90 * DAY,
        }),
        failures: 3,
        again_at: 70 * DAY,
        trouble: Some(Trouble {
            kind: Kind::NotProved,
            text: "no address found for shop.example.".to_owned(),
        }),
        ..kept(name)
    }
}

#[test]
fn a_restart_goes_on_waiting_and_another_choice_does_not() {
    let before = failed("shop.example");
    let same = kept("shop.example").after(Some(before.clone()), false);
    assert!(same == before);
    let again = kept("shop.example").after(Some(before.clone()), true);
    assert_eq!((again.failures, again.again_at), (0, 0));
    assert!(again.account == before.account && again.issued == before.issued);
    // The account is the authority's, the certificate the name's.
    let renamed = kept("other.example").after(Some(before.clone()), false);
    assert!(renamed.account == before.account && renamed.issued.is_none());
    assert_eq!(renamed.again_at, 0);
    let elsewhere = Kept {
        directory: "https://ca.example/dir".to_owned(),
        ..kept("shop.example")
    };
    let elsewhere = elsewhere.after(Some(before.clone()), false);
    assert!(elsewhere.account.is_none() && elsewhere.issued == before.issued);
}

#[tokio::test]
async fn what_is_the_matter_is_told_with_what_to_do_and_when_it_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let choice = AcmeChoice::default();
    let path = folder.path().join("acme.json");
    let mut open = Open::new("shop.example", &choice, &path, false).await;
    let now = UnixMillis(69 * DAY);
    let told = |open: &Open| match open.state(now) {
        State::Open => ("open", String::new()),
        State::NotRenewed(text) => ("not_renewed", text),
        State::Trouble(code, text) => (code, text),
    };
    let (code, text) = told(&open);
    assert_eq!(code, "asking");
    assert!(text.contains("acme-v02.api.letsencrypt.org"), "{text}");
    open.kept = failed("shop.example");
    let (code, text) = told(&open);
    assert_eq!(code, "not_renewed");
    for part in [
        "no address found",
        "It ends in 21 days",
        "again in 25 h",
        "port 443",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    open.kept.issued = None;
    open.kept.again_at = now.plus(Duration::from_secs(90)).0;
    let (code, text) = told(&open);
    assert_eq!(code, "not_proved");
    assert!(text.contains("does not find this node"), "{text}");
    assert!(text.ends_with("The node asks again in 2 min."), "{text}");
    for (kind, code, next) in [
        (Kind::Unreachable, "no_authority", "a way to the internet?"),
        (
            Kind::Refused,
            "refused",
            "(no address found for shop.example). The node",
        ),
    ] {
        if let Some(trouble) = &mut open.kept.trouble {
            trouble.kind = kind;
        }
        let (told, text) = told(&open);
        assert_eq!(told, code);
        assert!(text.contains(next), "{text}");
    }
    open.refused = Some("Permission denied".to_owned());
    let (code, text) = told(&open);
    assert_eq!(code, "not_listening");
    assert!(text.contains("Port 443") && text.contains("Permission denied"));
    assert!(WAITS.is_sorted() && WAITS.iter().all(|wait| *wait < LONGEST));
}

#[tokio::test]
async fn what_cannot_be_read_or_shown_is_asked_for_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("acme.json");
    for bytes in [
        b"{".to_vec(),
        serde_json::to_vec(&failed("shop.example")).unwrap(),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let open = Open::new("shop.example", &AcmeChoice::default(), &path, false).await;
        assert!(open.kept.issued.is_none());
    }
}

#[test]
fn the_dashboard_has_words_for_each_code() {
    let words = include_str!("../../../../../web-admin/messages/en.json");
    let words: serde_json::Value = serde_json::from_str(words).unwrap();
    let kinds = [Kind::Unreachable, Kind::Refused, Kind::NotProved];
    let codes = kinds.map(Kind::code).into_iter();
    let others = [
        "certified",
        "asking",
        "not_listening",
        "not_renewed",
        "passed_on",
    ];
    for code in codes.chain(others) {
        let key = format!("access.public.{code}");
        assert!(words[&key].is_string(), "{key}");
    }
}
