use nostr::event::Kind;
use nostr::filter::SingleLetterTag;
use nostr::key::Keys;

use super::*;

#[test]
fn empty_lists_match_nothing_and_absent_ones_anything() {
    assert!(can_match(&Filter::new()));
    assert!(can_match(&Filter::new().kind(Kind::TextNote)));
    let empty = |json: &str| Filter::from_json(json).expect("a filter");
    for json in [
        r#"{"ids":[]}"#,
        r#"{"authors":[]}"#,
        r#"{"kinds":[]}"#,
        r##"{"#p":[]}"##,
    ] {
        assert!(!can_match(&empty(json)), "{json}");
    }
}

#[test]
fn values_and_their_combinations_are_bounded() {
    let limits = Limits {
        filter_values: 10,
        filter_combinations: 12,
        ..Limits::default()
    };
    let filter = |authors: usize, kinds: u16, tags: usize| {
        Filter::new()
            .authors((0..authors).map(|_| Keys::generate().public_key()))
            .kinds((0..kinds).map(Kind::from_u16))
            .custom_tags(
                SingleLetterTag::LOWERCASE_D,
                (0..tags).map(|n| n.to_string()),
            )
    };
    assert_eq!(check_size(&filter(2, 3, 2), &limits), Ok(()));
    assert!(check_size(&filter(2, 3, 3), &limits).is_err_and(|text| text.contains("combinations")));
    assert!(check_size(&filter(1, 10, 0), &limits).is_err_and(|text| text.contains("values")));
    assert!(check_size(&Filter::new().search("x"), &limits).is_err());
    let long = |bytes| Filter::new().identifier("x".repeat(bytes));
    assert_eq!(check_size(&long(1024), &limits), Ok(()));
    assert!(check_size(&long(1025), &limits).is_err_and(|text| text.contains("too long")));
}
