use nostr::event::EventBuilder;
use nostr::event::FinalizeEvent;
use nostr::event::Tag;
use nostr::key::Keys;
use proptest::prelude::*;

use super::*;

fn event(keys: &Keys, kind: u16, tags: &[Vec<String>]) -> Event {
    EventBuilder::new(Kind::from_u16(kind), "")
        .tags(tags.iter().map(|tag| Tag::parse(tag).expect("a tag")))
        .finalize(keys)
        .expect("a signature")
}

fn p(key: &str) -> Vec<String> {
    vec!["p".to_owned(), key.to_owned()]
}

fn readers(keys: &[&Keys]) -> Readers {
    keys.iter().map(|keys| keys.public_key()).collect()
}

#[test]
fn a_wrap_is_read_by_its_recipients_and_not_by_its_author() {
    let [author, first, second, stranger] = [0; 4].map(|_| Keys::generate());
    let tags = [
        p(&first.public_key().to_hex()),
        p(&second.public_key().to_hex()),
    ];
    for kind in [1059, 1060, 21059] {
        let wrap = event(&author, kind, &tags);
        assert!(visible(&wrap, &readers(&[&first])));
        assert!(visible(&wrap, &readers(&[&stranger, &second])));
        assert!(!visible(&wrap, &readers(&[&author, &stranger])));
        assert!(!visible(&wrap, &Readers::default()));
    }
}

#[test]
fn another_spelling_of_a_recipient_names_nobody() {
    let [author, recipient] = [0; 2].map(|_| Keys::generate());
    let hex = recipient.public_key().to_hex();
    for tag in [
        p(&hex.to_uppercase()),
        p(&format!(" {hex}")),
        p(&hex[..62]),
        vec!["P".to_owned(), hex.clone()],
    ] {
        assert!(!visible(
            &event(&author, 1059, &[tag]),
            &readers(&[&recipient])
        ));
    }
    assert!(!visible(
        &event(&author, 1059, &[vec!["p".to_owned()]]),
        &readers(&[&recipient])
    ));
}

#[test]
fn a_filter_asks_only_for_private_when_all_its_kinds_are() {
    let kinds = |kinds: &[u16]| Filter::new().kinds(kinds.iter().map(|k| Kind::from_u16(*k)));
    assert!(asks_only_for_private(&kinds(&[1059])));
    assert!(asks_only_for_private(&kinds(&[4, 1059, 1060])));
    assert!(!asks_only_for_private(&kinds(&[1, 1059])));
    assert!(!asks_only_for_private(&kinds(&[])));
    assert!(!asks_only_for_private(&Filter::new()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever the event and whoever reads: a private one is shown only to a party named in it, and a
    /// proved key never takes away what was visible without it.
    #[test]
    fn private_events_are_shown_to_their_parties_alone(
        kind in prop_oneof![Just(1_u16), Just(4), Just(5), Just(1059), Just(1060), Just(21059), any::<u16>()],
        tagged in proptest::collection::vec(0_usize..4, 0..4),
        k in proptest::option::of(prop_oneof![Just("4"), Just("1059"), Just("1"), Just("x")]),
        proved in proptest::collection::vec(0_usize..4, 0..3),
    ) {
        let keys: [Keys; 4] = std::array::from_fn(|_| Keys::generate());
        let mut tags: Vec<_> = tagged.iter().map(|n| p(&keys[*n].public_key().to_hex())).collect();
        tags.extend(k.map(|k| vec!["k".to_owned(), k.to_owned()]));
        let event = event(&keys[0], kind, &tags);
        let readers: Readers = proved.iter().map(|n| keys[*n].public_key()).collect();
        let recipient = tagged.iter().any(|n| proved.contains(n));
        let expected = match kind {
            1059 | 1060 | 21059 => recipient,
            4 => recipient || proved.contains(&0),
            5 if matches!(k, Some("4" | "1059")) => recipient || proved.contains(&0),
            _ => true,
        };
        prop_assert_eq!(visible(&event, &readers), expected);
        prop_assert!(!private(&event) || !visible(&event, &Readers::default()));
        prop_assert!(private(&event) || visible(&event, &Readers::default()));
    }
}

#[test]
fn a_narrowed_filter_still_matches_all_that_is_visible() {
    let (reader, other) = (Keys::generate(), Keys::generate());
    let key = reader.public_key().to_hex();
    let events = [1, 4, 1059, 1060].map(|kind| event(&other, kind, &[p(&key)]));
    let anonymous = Readers::default();
    let known = readers(&[&reader]);
    for json in [
        r#"{}"#,
        r#"{"kinds":[1059]}"#,
        r#"{"kinds":[1,1059]}"#,
        r#"{"kinds":[1059,1060]}"#,
        r#"{"kinds":[4,1059]}"#,
        r##"{"kinds":[1059],"#t":["x"]}"##,
    ] {
        let filter = Filter::from_json(json).expect("a filter");
        for readers in [&anonymous, &known] {
            let narrowed = narrow(filter.clone(), readers);
            for event in events.iter().filter(|event| visible(event, readers)) {
                let options = nostr::filter::MatchEventOptions::new();
                assert_eq!(
                    narrowed.match_event(event, options),
                    filter.match_event(event, options),
                    "{json}"
                );
            }
        }
    }
    let mixed = Filter::from_json(r#"{"kinds":[1,4,1059]}"#).expect("a filter");
    let public = Filter::from_json(r#"{"kinds":[1]}"#).expect("a filter");
    assert_eq!(narrow(mixed, &anonymous), public);
}
