use nostr::event::EventBuilder;
use nostr::event::FinalizeEvent;
use nostr::event::Kind;
use nostr::key::Keys;

use super::*;

const MAP_BYTES: usize = 64 * 1024 * 1024;

async fn filled(moments: &[u64]) -> (tempfile::TempDir, Store, Vec<EventId>) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(folder.path(), MAP_BYTES)
        .await
        .expect("a database");
    let keys = Keys::generate();
    let mut events: Vec<Event> = moments
        .iter()
        .enumerate()
        .map(|(number, at)| {
            EventBuilder::new(Kind::TextNote, number.to_string())
                .custom_created_at(Timestamp::from_secs(*at))
                .finalize(&keys)
                .expect("a signature")
        })
        .collect();
    futures_util::future::join_all(events.iter().map(|event| store.save(event))).await;
    events.sort();
    let ids = events.iter().map(|event| event.id).collect();
    (folder, store, ids)
}

async fn read_all(store: &Store, filter: Filter, page_events: usize) -> Vec<EventId> {
    let mut scan = store.scan(filter, page_events);
    let mut ids = Vec::new();
    while let Some(page) = scan.next().await.expect("a page") {
        ids.extend(page.iter().map(|event| event.id));
    }
    ids
}

#[tokio::test]
async fn pages_hold_every_event_once_and_in_order_whatever_their_size() {
    let moments: Vec<u64> = (0..120).map(|n| 1000 + n / 17).collect();
    let (_folder, store, ids) = filled(&moments).await;
    for page_events in [1, 2, 16, 17, 18, 119, 120, 121, 5000] {
        assert_eq!(
            read_all(&store, Filter::new(), page_events).await,
            ids,
            "{page_events}"
        );
    }
}

#[tokio::test]
async fn a_single_moment_longer_than_a_page_is_read_to_its_end() {
    let (_folder, store, ids) = filled(&[1000; 90]).await;
    assert_eq!(read_all(&store, Filter::new(), 1).await, ids);
    assert_eq!(
        read_all(&store, Filter::new().kind(Kind::TextNote), 7).await,
        ids
    );
}

#[tokio::test]
async fn one_folder_has_one_owner_until_it_lets_go() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = Store::open(folder.path(), MAP_BYTES)
        .await
        .expect("the first");
    let second = Store::open(folder.path(), MAP_BYTES).await;
    assert!(matches!(second, Err(StoreError::Locked(_))), "{second:?}");
    drop(first);
    Store::open(folder.path(), MAP_BYTES)
        .await
        .expect("the lock is free again");
}

#[tokio::test]
async fn the_diagnosis_names_a_folder_that_takes_no_data() {
    let (folder, store, _) = filled(&[1000]).await;
    assert_eq!(store.diagnose().await.0, "write_failed");
    folder.close().expect("the folder is removed");
    assert_eq!(store.diagnose().await.0, "disk_failed");
}

/// Makes a folder as a relay leaves it, but with `data` in place of its database.
fn left_behind(data: Option<&[u8]>) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join(USED), USED_TEXT).expect("written");
    if let Some(data) = data {
        std::fs::create_dir(folder.path().join("events")).expect("made");
        std::fs::write(folder.path().join("events").join("data.mdb"), data).expect("written");
    }
    folder
}

#[tokio::test]
async fn a_lost_database_is_not_taken_for_a_new_one() {
    for data in [None, Some(&[][..])] {
        let folder = left_behind(data);
        let opened = Store::open(folder.path(), MAP_BYTES).await;
        assert!(matches!(opened, Err(StoreError::Missing(_))), "{opened:?}");
        std::fs::remove_file(folder.path().join(USED)).expect("removed");
        Store::open(folder.path(), MAP_BYTES)
            .await
            .expect("a new database on purpose");
        assert!(folder.path().join(USED).exists());
    }
}

#[tokio::test]
async fn a_damaged_database_is_refused() {
    let folder = left_behind(Some(&[0x5a; 64 * 1024]));
    let opened = Store::open(folder.path(), MAP_BYTES).await;
    assert!(matches!(opened, Err(StoreError::Open { .. })), "{opened:?}");
}

#[tokio::test]
async fn pages_are_bounded_in_bytes_and_hold_every_event_once_and_in_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(folder.path(), MAP_BYTES)
        .await
        .expect("a database");
    let keys = Keys::generate();
    let mut events: Vec<Event> = (0..60)
        .map(|number| {
            EventBuilder::new(Kind::TextNote, number.to_string().repeat(60_000))
                .custom_created_at(Timestamp::from_secs(1000 + number / 20))
                .finalize(&keys)
                .expect("a signature")
        })
        .collect();
    futures_util::future::join_all(events.iter().map(|event| store.save(event))).await;
    events.sort();
    let ids: Vec<EventId> = events.iter().map(|event| event.id).collect();
    for filter in [Filter::new(), Filter::new().ids(ids.clone())] {
        let mut scan = store.scan(filter.clone(), 500);
        while let Some(page) = scan.next().await.expect("a page") {
            let bytes: usize = page.iter().map(|event| event.content.len()).sum();
            assert!(bytes <= PAGE_BYTES, "{bytes}");
        }
        assert_eq!(read_all(&store, filter, 500).await, ids);
    }
}
