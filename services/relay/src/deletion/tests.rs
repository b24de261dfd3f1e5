use nostr::event::EventBuilder;
use nostr::event::FinalizeEvent;
use nostr::event::Tag;
use nostr::key::Keys;

use super::*;

fn request(keys: &Keys, tags: &[[&str; 2]]) -> Event {
    EventBuilder::new(DELETION, "")
        .tags(tags.iter().map(|tag| Tag::parse(*tag).expect("a tag")))
        .finalize(keys)
        .expect("a signature")
}

#[test]
fn only_own_addresses_of_replaceable_kinds_count() {
    let keys = Keys::generate();
    let own = keys.public_key().to_hex();
    let other = Keys::generate().public_key().to_hex();
    let found = |text: &str| own_coordinates(&request(&keys, &[["a", text]])).count();
    assert_eq!(found(&format!("30023:{own}:article")), 1);
    assert_eq!(found(&format!("30023:{own}:")), 1);
    assert_eq!(found(&format!("10002:{own}:")), 1);
    assert_eq!(found(&format!("10002:{own}")), 1);
    assert_eq!(found(&format!("30023:{other}:article")), 0);
    assert_eq!(found(&format!("1:{own}:article")), 0);
    assert_eq!(found(&format!("030023:{own}:article")), 0);
    assert_eq!(found(&format!("30023:{own}")), 0);
    assert_eq!(found(&format!("10002:{own}:x")), 0);
    assert_eq!(found("30023"), 0);
}

#[test]
fn an_identifier_may_hold_colons() {
    let keys = Keys::generate();
    let text = format!("30023:{}:a:b:", keys.public_key().to_hex());
    let request = request(&keys, &[["a", &text]]);
    let found: Vec<_> = own_coordinates(&request)
        .map(|found| found.identifier)
        .collect();
    assert_eq!(found, ["a:b:"]);
}

#[tokio::test]
async fn tombstones_know_what_was_named_and_by_whom() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(folder.path(), 64 << 20)
        .await
        .expect("a database");
    let (author, other) = (Keys::generate(), Keys::generate());
    let note = |keys: &Keys, text: &str| {
        EventBuilder::new(Kind::TextNote, text)
            .finalize(keys)
            .expect("a signature")
    };
    let (named, by_other) = (note(&author, "one"), note(&author, "two"));
    let requests = [
        request(&author, &[["e", &named.id.to_hex()]]),
        request(&other, &[["e", &by_other.id.to_hex()]]),
    ];
    for request in &requests {
        store.save(request).await.expect("saved");
    }
    let tombstones = Tombstones::load(&store).await.expect("a reading");
    assert!(tombstones.names(&named, &store).await.expect("a reading"));
    assert!(
        !tombstones
            .names(&by_other, &store)
            .await
            .expect("a reading")
    );
    assert!(
        !tombstones
            .names(&note(&other, "three"), &store)
            .await
            .expect("a reading")
    );
}
