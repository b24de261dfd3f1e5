//! NIP-42 and NIP-70: what proves a key, and what a proved key alone may do.

use nostr::key::Keys;
use nostr::types::Timestamp;
use serde_json::json;

use crate::support::Client;
use crate::support::event;
use crate::support::proof;
use crate::support::sign;
use crate::support::start;

async fn attempt(client: &mut Client, event: &nostr::event::Event, expected: &str) {
    let (accepted, text) = client.authenticate_with(event).await;
    assert!(!accepted, "accepted: {event:?}");
    assert!(text.starts_with(expected), "{text}");
}

#[tokio::test]
async fn a_proof_made_for_another_relay_is_refused() {
    let relay = start("").await;
    let keys = Keys::generate();
    let mut client = Client::connect(&relay.url).await;
    let challenge = client.challenge.clone();
    for url in [
        "ws://127.0.0.1:1",
        "wss://relay.example.com",
        "",
        "ws://127.0.0.1.example.com",
    ] {
        let made = proof(&keys, url, &challenge, Timestamp::now());
        attempt(
            &mut client,
            &made,
            "invalid: the AUTH event was made for another relay",
        )
        .await;
    }
    let both = sign(
        &keys,
        22242,
        "",
        &[
            &["relay", "ws://127.0.0.1:1"],
            &["relay", &relay.url],
            &["challenge", &challenge],
        ],
        Timestamp::now(),
    );
    attempt(
        &mut client,
        &both,
        "invalid: the AUTH event was made for another relay",
    )
    .await;
    assert!(client.authenticate(&keys).await.0);
}

#[tokio::test]
async fn a_proof_counts_for_one_connection_and_ten_minutes() {
    let relay = start("").await;
    let keys = Keys::generate();
    let mut first = Client::connect(&relay.url).await;
    let mut second = Client::connect(&relay.url).await;
    assert_ne!(first.challenge, second.challenge);
    let now = Timestamp::now().as_secs();
    let made = proof(
        &keys,
        &relay.url,
        &first.challenge,
        Timestamp::from_secs(now),
    );
    attempt(
        &mut second,
        &made,
        "invalid: the AUTH event does not answer",
    )
    .await;
    assert!(first.authenticate_with(&made).await.0);
    for at in [now - 660, now + 660] {
        let made = proof(
            &keys,
            &relay.url,
            &second.challenge,
            Timestamp::from_secs(at),
        );
        attempt(&mut second, &made, "invalid: the AUTH event is not dated").await;
    }
    for at in [now - 540, now + 540] {
        let made = proof(
            &keys,
            &relay.url,
            &second.challenge,
            Timestamp::from_secs(at),
        );
        assert!(second.authenticate_with(&made).await.0);
    }
}

#[tokio::test]
async fn a_proof_of_another_kind_or_with_a_forged_signature_is_refused() {
    let relay = start("").await;
    let keys = Keys::generate();
    let mut client = Client::connect(&relay.url).await;
    let challenge = client.challenge.clone();
    let tags: [&[&str]; 2] = [&["relay", &relay.url], &["challenge", &challenge]];
    attempt(
        &mut client,
        &event(&keys, 1, "", &tags),
        "invalid: AUTH takes an event of kind",
    )
    .await;
    let mut forged = proof(&keys, &relay.url, &challenge, Timestamp::now());
    forged.pubkey = Keys::generate().public_key();
    attempt(&mut client, &forged, "invalid: the id or the signature").await;
    assert!(client.ids(json!({"kinds": [1059]})).await.is_err());
}

#[tokio::test]
async fn a_trailing_slash_and_a_configured_name_are_the_same_relay() {
    let relay =
        start("public_urls = [\"wss://Relay.Example.com\", \"ws://other.example:80/\"]").await;
    let keys = Keys::generate();
    for url in [
        "wss://relay.example.com/",
        "wss://relay.example.com:443",
        "ws://other.example",
    ] {
        let mut client = Client::connect(&relay.url).await;
        let made = proof(&keys, url, &client.challenge.clone(), Timestamp::now());
        assert_eq!(
            client.authenticate_with(&made).await,
            (true, String::new()),
            "{url}"
        );
    }
    let mut client = Client::connect(&relay.url).await;
    let made = proof(
        &keys,
        "wss://another.example.com",
        &client.challenge.clone(),
        Timestamp::now(),
    );
    attempt(
        &mut client,
        &made,
        "invalid: the AUTH event was made for another relay",
    )
    .await;
}

#[tokio::test]
async fn the_address_it_listens_on_counts_beside_the_configured_ones_and_is_not_shown() {
    let relay = start("public_urls = [\"wss://relay.example.com\"]").await;
    let port = relay.relay.address().port();
    for url in [
        format!("ws://127.0.0.1:{port}"),
        format!("ws://localhost:{port}"),
    ] {
        let mut client = Client::connect(&relay.url).await;
        let made = proof(
            &Keys::generate(),
            &url,
            &client.challenge.clone(),
            Timestamp::now(),
        );
        assert_eq!(
            client.authenticate_with(&made).await,
            (true, String::new()),
            "{url}"
        );
    }
    let page = crate::basics::get(&relay, "/", "text/html").await;
    assert!(
        page.contains("wss://relay.example.com") && !page.contains("ws://127"),
        "{page}"
    );
}

#[tokio::test]
async fn several_keys_may_authenticate_on_one_connection() {
    let relay = start("[limits]\nkeys_per_connection = 2").await;
    let (first, second) = (Keys::generate(), Keys::generate());
    let mut client = Client::connect(&relay.url).await;
    assert!(client.authenticate(&first).await.0);
    assert!(client.authenticate(&second).await.0);
    for keys in [&first, &second] {
        let wrap = event(
            &Keys::generate(),
            1059,
            "",
            &[&["p", &keys.public_key().to_hex()]],
        );
        client.publish(&wrap).await;
    }
    assert_eq!(
        client
            .ids(json!({"kinds": [1059]}))
            .await
            .expect("an answer")
            .len(),
        2
    );
    let (accepted, text) = client.authenticate(&Keys::generate()).await;
    assert!(!accepted && text.starts_with("blocked: "), "{text}");
}

#[tokio::test]
async fn a_proof_is_never_passed_on_as_an_event() {
    let relay = start("").await;
    let mut client = Client::connect(&relay.url).await;
    let made = proof(
        &Keys::generate(),
        &relay.url,
        &client.challenge.clone(),
        Timestamp::now(),
    );
    let (accepted, text) = client.publish(&made).await;
    assert!(!accepted && text.starts_with("invalid: "), "{text}");
}

#[tokio::test]
async fn a_protected_event_is_taken_from_its_authenticated_author_alone() {
    let relay = start("").await;
    let author = Keys::generate();
    let protected = event(&author, 1, "mine", &[&["-"]]);
    let mut client = Client::connect(&relay.url).await;
    let (accepted, text) = client.publish(&protected).await;
    assert!(!accepted && text.starts_with("auth-required: "), "{text}");
    client.authenticate(&Keys::generate()).await;
    let (accepted, text) = client.publish(&protected).await;
    assert!(!accepted && text.starts_with("restricted: "), "{text}");
    client.authenticate(&author).await;
    assert_eq!(client.publish(&protected).await, (true, String::new()));
    let repost = event(
        &Keys::generate(),
        6,
        &serde_json::to_string(&protected).expect("JSON"),
        &[],
    );
    let (accepted, text) = client.publish(&repost).await;
    assert!(!accepted && text.starts_with("blocked: "), "{text}");
}
