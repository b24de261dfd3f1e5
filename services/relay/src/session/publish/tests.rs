use super::*;

#[test]
fn the_answer_to_a_private_event_is_the_same_when_it_was_there_before() {
    assert_eq!(answer(Fate::Duplicate, true), answer(Fate::Saved, true));
    assert_ne!(answer(Fate::Duplicate, false), answer(Fate::Saved, false));
}

#[test]
fn only_what_is_on_disk_is_acknowledged_and_every_refusal_has_a_prefix() {
    let fates = [Fate::Replaced, Fate::Deleted, Fate::Betrays, Fate::Failed];
    for (fate, private) in fates
        .into_iter()
        .flat_map(|fate| [(fate, true), (fate, false)])
    {
        let (accepted, text) = answer(fate, private);
        let prefix = text.split_once(": ").expect("a prefix").0;
        assert!(
            !accepted && ["blocked", "invalid", "error"].contains(&prefix),
            "{text}"
        );
    }
}
