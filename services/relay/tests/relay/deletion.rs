//! NIP-09: an author deletes what is theirs, nobody else does, and the answer tells a stranger nothing.

use nostr::event::Event;
use nostr::key::Keys;
use nostr::types::Timestamp;
use serde_json::json;

use crate::support::Client;
use crate::support::TestRelay;
use crate::support::event;
use crate::support::sign;
use crate::support::start;

fn id(event: &Event) -> String {
    event.id.to_hex()
}

const OK: (bool, String) = (true, String::new());

#[tokio::test]
async fn an_author_deletes_by_id_and_the_event_does_not_come_back() {
    let relay = start("").await;
    let keys = Keys::generate();
    let mut client = Client::connect(&relay.url).await;
    let (gone, kept) = (event(&keys, 1, "gone", &[]), event(&keys, 1, "kept", &[]));
    assert_eq!(client.publish(&gone).await, OK);
    assert_eq!(client.publish(&kept).await, OK);
    let request = event(&keys, 5, "", &[&["e", &id(&gone)], &["k", "1"]]);
    assert_eq!(client.publish(&request).await, OK);
    assert_eq!(client.ids(json!({"kinds": [1]})).await, Ok(vec![id(&kept)]));
    assert_eq!(
        client.ids(json!({"kinds": [5]})).await,
        Ok(vec![id(&request)])
    );
    let (accepted, text) = client.publish(&gone).await;
    assert!(!accepted && text.starts_with("blocked: "), "{text}");
    let (accepted, _) = client.publish(&request).await;
    assert!(accepted);
    let undo = event(&keys, 5, "", &[&["e", &id(&request)]]);
    assert_eq!(client.publish(&undo).await, OK);
    assert!(
        !client.publish(&gone).await.0,
        "a deletion request cannot be deleted"
    );
}

#[tokio::test]
async fn a_request_that_comes_before_its_event_keeps_it_out_also_after_a_restart() {
    let first = start("").await;
    let keys = Keys::generate();
    let late = event(&keys, 1, "late", &[]);
    let mut client = Client::connect(&first.url).await;
    assert_eq!(
        client
            .publish(&event(&keys, 5, "", &[&["e", &id(&late)]]))
            .await,
        OK
    );
    assert!(!client.publish(&late).await.0);
    drop(client);
    let TestRelay { relay, folder, .. } = first;
    relay.stop().await;
    let text = crate::support::config_text(folder.path(), "");
    let relay = flash_relay::Relay::start(toml::from_str(&text).expect("TOML"))
        .await
        .expect("a start");
    let mut client = Client::connect(&format!("ws://{}", relay.address())).await;
    let (accepted, text) = client.publish(&late).await;
    assert!(!accepted && text.starts_with("blocked: "), "{text}");
}

#[tokio::test]
async fn an_author_deletes_by_address_up_to_the_date_of_the_request() {
    let relay = start("").await;
    let keys = Keys::generate();
    let pubkey = keys.public_key().to_hex();
    let mut client = Client::connect(&relay.url).await;
    let at = Timestamp::from_secs;
    let article = |d: &str, second| sign(&keys, 30023, d, &[&["d", d]], at(second));
    let (one, two, list) = (
        article("one", 1000),
        article("two", 1000),
        sign(&keys, 10002, "", &[], at(1000)),
    );
    for event in [&one, &two, &list] {
        assert_eq!(client.publish(event).await, OK);
    }
    let address = format!("30023:{pubkey}:one");
    let relays = format!("10002:{pubkey}:");
    let request = sign(&keys, 5, "", &[&["a", &address], &["a", &relays]], at(1500));
    assert_eq!(client.publish(&request).await, OK);
    assert_eq!(
        client.ids(json!({"kinds": [30023, 10002]})).await,
        Ok(vec![id(&two)])
    );
    assert!(!client.publish(&article("one", 1400)).await.0);
    assert!(
        !client
            .publish(&sign(&keys, 10002, "x", &[], at(1400)))
            .await
            .0
    );
    let newer = article("one", 1600);
    assert_eq!(client.publish(&newer).await, OK);
    // The same request once more leaves the newer version alone.
    assert!(client.publish(&request).await.0);
    assert_eq!(
        client.ids(json!({"kinds": [30023], "since": 1600})).await,
        Ok(vec![id(&newer)])
    );
}

#[tokio::test]
async fn nobody_deletes_what_others_wrote_and_nothing_of_theirs_goes_along() {
    let relay = start("").await;
    let (author, stranger) = (Keys::generate(), Keys::generate());
    let mut client = Client::connect(&relay.url).await;
    let theirs = event(&author, 1, "theirs", &[]);
    let article = event(&author, 30023, "", &[&["d", "x"]]);
    let own = event(&stranger, 1, "own", &[]);
    for event in [&theirs, &article, &own] {
        assert_eq!(client.publish(event).await, OK);
    }
    let address = format!("30023:{}:x", author.public_key().to_hex());
    let request = event(
        &stranger,
        5,
        "",
        &[&["e", &id(&own)], &["e", &id(&theirs)], &["a", &address]],
    );
    assert_eq!(client.publish(&request).await, OK);
    let mut left = client
        .ids(json!({"kinds": [1, 30023]}))
        .await
        .expect("an answer");
    left.sort();
    let mut expected = vec![id(&theirs), id(&article)];
    expected.sort();
    assert_eq!(left, expected);
}

#[tokio::test]
async fn a_strangers_request_is_answered_the_same_whether_a_private_event_exists() {
    let relay = start("").await;
    let (author, stranger) = (Keys::generate(), Keys::generate());
    let p = Keys::generate();
    let mut client = Client::connect(&relay.url).await;
    let wrap = event(&author, 1059, "", &[&["p", &p.public_key().to_hex()]]);
    assert_eq!(client.publish(&wrap).await, OK);
    let nothing = "ab".repeat(32);
    for target in [&id(&wrap), &nothing] {
        for tags in [
            vec![vec!["e", target]],
            vec![vec!["e", target], vec!["k", "1059"]],
        ] {
            let tags: Vec<&[&str]> = tags.iter().map(|tag| &tag[..]).collect();
            assert_eq!(
                client.publish(&event(&stranger, 5, target, &tags)).await,
                OK
            );
        }
    }
    let mut reader = Client::connect_as(&relay.url, &p).await;
    assert_eq!(
        reader.ids(json!({"kinds": [1059]})).await,
        Ok(vec![id(&wrap)])
    );
}

#[tokio::test]
async fn a_deletion_of_private_messages_is_private_as_well() {
    let relay = start("").await;
    let (author, recipient) = (Keys::generate(), Keys::generate());
    let p = recipient.public_key().to_hex();
    let mut client = Client::connect(&relay.url).await;
    let direct = event(&author, 4, "", &[&["p", &p]]);
    assert_eq!(client.publish(&direct).await, OK);
    let loud = event(&author, 5, "", &[&["e", &id(&direct)]]);
    let (accepted, text) = client.publish(&loud).await;
    assert!(
        !accepted && text.starts_with("invalid: ") && text.contains("k tag"),
        "{text}"
    );
    let quiet = event(
        &author,
        5,
        "",
        &[&["e", &id(&direct)], &["k", "4"], &["p", &p]],
    );
    assert_eq!(client.publish(&quiet).await, OK);
    assert_eq!(client.ids(json!({})).await, Ok(vec![]));
    assert_eq!(client.count(json!({"kinds": [5]})).await, Ok(0));
    for keys in [&author, &recipient] {
        let mut reader = Client::connect_as(&relay.url, keys).await;
        assert_eq!(reader.ids(json!({})).await, Ok(vec![id(&quiet)]));
    }
}
