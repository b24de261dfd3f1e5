use nostr::event::EventBuilder;
use nostr::event::FinalizeEvent;
use nostr::event::Kind;
use nostr::event::Tag;
use nostr::key::Keys;

use super::*;

fn event(keys: &Keys, expires_at: Option<u64>) -> Event {
    let tags = expires_at.map(|at| Tag::expiration(Timestamp::from_secs(at)));
    EventBuilder::new(Kind::TextNote, format!("{expires_at:?}"))
        .tags(tags)
        .finalize(keys)
        .expect("a signature")
}

#[tokio::test]
async fn what_was_stored_before_the_start_is_found_and_removed_when_it_is_due() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(folder.path(), 64 << 20)
        .await
        .expect("a database");
    let keys = Keys::generate();
    for expires_at in [Some(100), Some(200), Some(300), None] {
        store.save(&event(&keys, expires_at)).await.expect("saved");
    }
    let expiry = Expiry::default();
    expiry.load(&store).await.expect("a reading");
    let purge = |now| expiry.purge(&store, Timestamp::from_secs(now));
    assert_eq!(purge(100).await.expect("a write"), 0);
    assert_eq!(purge(201).await.expect("a write"), 2);
    assert_eq!(store.total().await.expect("a reading"), 2);
    assert_eq!(purge(1000).await.expect("a write"), 1);
    assert_eq!(store.total().await.expect("a reading"), 1);
}

#[tokio::test]
async fn a_deletion_is_not_removed() {
    let deletion = EventBuilder::new(Kind::EventDeletion, "")
        .tags([Tag::expiration(Timestamp::from_secs(100))])
        .finalize(&Keys::generate())
        .expect("a signature");
    let expiry = Expiry::default();
    expiry.note(&deletion);
    assert!(expiry.lock().is_empty());
}
