//! NIP-77 beyond the leak table: sets of thousands, and the ends of a session.

use nostr::event::Event;
use nostr::key::Keys;
use nostr::types::Timestamp;
use serde_json::json;

use crate::support::Client;
use crate::support::sign;
use crate::support::start;

const GENEROUS: &str = "[limits]\nevents_per_minute_per_address = 100000\nevents_per_minute_per_key = 100000\nmessages_per_minute_per_address = 100000\nnegentropy_sessions_per_connection = 1";

async fn publish_all(client: &mut Client, events: &[Event]) {
    for chunk in events.chunks(200) {
        for event in chunk {
            client.send(json!(["EVENT", event])).await;
        }
        for event in chunk {
            assert!(client.fate(&event.id.to_hex()).await.0);
        }
    }
}

#[tokio::test]
async fn two_sets_of_thousands_find_their_difference() {
    let relay = start(GENEROUS).await;
    let keys = Keys::generate();
    let events: Vec<Event> = (0..3000)
        .map(|n| {
            sign(
                &keys,
                1,
                &n.to_string(),
                &[],
                Timestamp::from_secs(1_700_000_000 + n / 3),
            )
        })
        .collect();
    let mut client = Client::connect(&relay.url).await;
    publish_all(&mut client, &events).await;
    let have: Vec<&Event> = events
        .iter()
        .enumerate()
        .filter(|(n, _)| n % 10 != 0)
        .map(|(_, e)| e)
        .collect();
    let missing = client
        .reconcile(json!({"kinds": [1]}), &have)
        .await
        .expect("an answer");
    let expected = events
        .iter()
        .step_by(10)
        .map(|event| event.id.to_hex())
        .collect();
    assert_eq!(missing, expected);
    let everything: Vec<&Event> = events.iter().collect();
    assert!(
        client
            .reconcile(json!({"kinds": [1]}), &everything)
            .await
            .expect("an answer")
            .is_empty()
    );
}

#[tokio::test]
async fn an_idle_session_ends() {
    let relay = start("[limits]\nnegentropy_idle_secs = 1").await;
    let mut client = Client::connect(&relay.url).await;
    client.send(json!(["NEG-OPEN", "n", {}, "61000002"])).await;
    assert_eq!(client.receive().await[0], "NEG-MSG");
    let end = client.receive().await;
    assert_eq!((&end[0], &end[1]), (&json!("NEG-ERR"), &json!("n")));
    let text = end[2].as_str().expect("a text");
    assert!(text.starts_with("closed: "), "{text}");
}

#[tokio::test]
async fn a_session_ends_with_a_reason() {
    let relay = start(&format!("{GENEROUS}\nnegentropy_events = 5")).await;
    let keys = Keys::generate();
    let mut client = Client::connect(&relay.url).await;
    client.send(json!(["NEG-MSG", "n", "61"])).await;
    assert_eq!(
        client.receive().await[2],
        "closed: no such negentropy session"
    );
    client.send(json!(["NEG-OPEN", "n", {}, "zz"])).await;
    assert_eq!(client.receive().await[0], "NEG-ERR");
    client.send(json!(["NEG-OPEN", "n", {}, "ff"])).await;
    assert_eq!(client.receive().await[0], "NEG-ERR");
    client.send(json!(["NEG-OPEN", "n", {}, "62"])).await;
    let answer = client.receive().await;
    // An unknown protocol version is answered with the version that the relay speaks (NIP-77).
    assert_eq!(answer, json!(["NEG-MSG", "n", "61"]));
    client
        .send(json!(["NEG-OPEN", "other", {}, "61000002"]))
        .await;
    assert!(
        client.receive().await[2]
            .as_str()
            .expect("a text")
            .starts_with("blocked: too many open")
    );
    client.send(json!(["NEG-CLOSE", "n"])).await;
    let events: Vec<Event> = (0..6)
        .map(|n| sign(&keys, 1, &n.to_string(), &[], Timestamp::now()))
        .collect();
    publish_all(&mut client, &events).await;
    let refusal = client
        .reconcile(json!({}), &[])
        .await
        .expect_err("a refusal");
    assert!(refusal.starts_with("blocked: "), "{refusal}");
}
