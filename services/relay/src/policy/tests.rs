use nostr::event::EventBuilder;
use nostr::event::FinalizeEvent;
use nostr::event::Kind;
use nostr::event::Tag;
use nostr::key::Keys;

use super::*;
use crate::clock::Clock;

const NOW: u64 = 1_800_000_000;

fn make(keys: &Keys, kind: u16, tags: &[&[&str]], at: u64) -> Event {
    EventBuilder::new(Kind::from_u16(kind), "")
        .tags(
            tags.iter()
                .map(|tag| Tag::parse(tag.iter().copied()).expect("a tag")),
        )
        .custom_created_at(Timestamp::from_secs(at))
        .finalize(keys)
        .expect("a signature")
}

fn verdict(event: &Event, sender: &Readers) -> Result<(), Refusal> {
    let now = Clock::Fixed(NOW).now();
    admit(event, 100, &Limits::default(), now, sender)
}

fn refused(event: &Event, start: &str) {
    let refusal = verdict(event, &Readers::default()).expect_err(start);
    assert!(refusal.0.starts_with(start), "{}", refusal.0);
}

#[test]
fn the_date_may_be_old_and_somewhat_ahead() {
    let keys = Keys::generate();
    for at in [0, NOW, NOW + 900] {
        assert_eq!(
            verdict(&make(&keys, 1, &[], at), &Readers::default()),
            Ok(())
        );
    }
    refused(
        &make(&keys, 1, &[], NOW + 901),
        "invalid: the event is dated",
    );
    refused(
        &make(&keys, 1, &[], u64::MAX),
        "invalid: the event is dated",
    );
}

#[test]
fn what_has_expired_is_refused_and_what_will_is_taken() {
    let keys = Keys::generate();
    refused(
        &make(&keys, 1, &[&["expiration", &(NOW - 1).to_string()]], NOW),
        "blocked: the event is expired",
    );
    let later = make(&keys, 1, &[&["expiration", &(NOW + 1).to_string()]], NOW);
    assert_eq!(verdict(&later, &Readers::default()), Ok(()));
}

#[test]
fn a_wrap_without_a_recipient_is_refused() {
    let keys = Keys::generate();
    refused(
        &make(&keys, 1059, &[], NOW),
        "invalid: a wrapped message names",
    );
    refused(
        &make(&keys, 1060, &[&["p", "nobody"]], NOW),
        "invalid: a wrapped message names",
    );
}

#[test]
fn requests_that_would_not_be_carried_out_are_refused() {
    let keys = Keys::generate();
    refused(
        &make(&keys, 62, &[&["relay", "ALL_RELAYS"]], NOW),
        "blocked: ",
    );
    refused(&make(&keys, 22242, &[], NOW), "invalid: ");
}

#[test]
fn a_protected_event_needs_its_author() {
    let (author, other) = (Keys::generate(), Keys::generate());
    let event = make(&author, 1, &[&["-"]], NOW);
    let sender = |keys: &Keys| -> Readers { [keys.public_key()].into_iter().collect() };
    refused(&event, "auth-required: ");
    assert!(verdict(&event, &sender(&other)).is_err_and(|r| r.0.starts_with("restricted: ")));
    assert_eq!(verdict(&event, &sender(&author)), Ok(()));
}

#[test]
fn a_deletion_does_not_expire() {
    let keys = Keys::generate();
    let later = (NOW + 1000).to_string();
    refused(
        &make(
            &keys,
            5,
            &[&["e", &"0".repeat(64)], &["expiration", &later]],
            NOW,
        ),
        "invalid: a deletion that expires",
    );
}

#[test]
fn a_protected_event_is_not_reposted_in_parts_either() {
    let keys = Keys::generate();
    let mut reposted = serde_json::to_value(make(&keys, 1, &[&["-"]], NOW)).expect("JSON");
    for key in ["sig", "id", "pubkey", "created_at"] {
        reposted.as_object_mut().expect("an object").remove(key);
        for kind in [6, 16] {
            let repost = EventBuilder::new(Kind::from_u16(kind), reposted.to_string())
                .custom_created_at(Timestamp::from_secs(NOW))
                .finalize(&keys)
                .expect("a signature");
            refused(&repost, "blocked: the author of the reposted event");
        }
    }
    for content in ["", "hello", "[]", r#"{"tags":[["t","-"],[],"-"]}"#] {
        let repost = EventBuilder::new(Kind::from_u16(6), content)
            .custom_created_at(Timestamp::from_secs(NOW))
            .finalize(&keys)
            .expect("a signature");
        assert_eq!(verdict(&repost, &Readers::default()), Ok(()), "{content}");
    }
}
