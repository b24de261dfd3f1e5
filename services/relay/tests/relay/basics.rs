//! NIP-01, 11, 40 and 45 as clients rely on them; the check-list is that of relay-tester 0.2.0.

use std::time::Duration;

use nostr::event::Event;
use nostr::key::Keys;
use nostr::types::Timestamp;
use serde_json::Value;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;

use crate::support::Client;
use crate::support::TestRelay;
use crate::support::event;
use crate::support::sign;
use crate::support::start;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_secs(seconds)
}

fn id(event: &Event) -> String {
    event.id.to_hex()
}

async fn published(client: &mut Client, events: &[&Event]) {
    for event in events {
        assert_eq!(client.publish(event).await, (true, String::new()));
    }
}

#[tokio::test]
async fn stored_events_come_newest_first_and_both_ends_of_a_span_count() {
    let relay = start("").await;
    let keys = Keys::generate();
    let mut client = Client::connect(&relay.url).await;
    let events: Vec<Event> = (0..5)
        .map(|n| sign(&keys, 1, "", &[&["n", &n.to_string()]], at(1000 + n)))
        .collect();
    published(&mut client, &events.iter().collect::<Vec<_>>()).await;
    let newest_first: Vec<String> = events.iter().rev().map(id).collect();
    assert_eq!(
        client.ids(json!({"kinds": [1]})).await,
        Ok(newest_first.clone())
    );
    let span = client.ids(json!({"since": 1001, "until": 1003})).await;
    assert_eq!(span, Ok(newest_first[1..4].to_vec()));
    let moment = client.ids(json!({"since": 1002, "until": 1002})).await;
    assert_eq!(moment, Ok(vec![id(&events[2])]));
    assert_eq!(
        client.ids(json!({"since": 1003, "until": 1001})).await,
        Ok(vec![])
    );
    assert_eq!(
        client.ids(json!({"limit": 2})).await,
        Ok(newest_first[..2].to_vec())
    );
    assert_eq!(client.ids(json!({"limit": 0})).await, Ok(vec![]));
    assert_eq!(client.count(json!({"kinds": [1]})).await, Ok(5));
    assert_eq!(client.count(json!({"kinds": [7]})).await, Ok(0));
}

#[tokio::test]
async fn events_of_one_moment_come_by_id_and_all_of_them() {
    let relay =
        start("[limits]\nevents_per_minute_per_key = 1000\nevents_per_minute_per_address = 5000")
            .await;
    let keys = Keys::generate();
    let mut client = Client::connect(&relay.url).await;
    let mut ids = Vec::new();
    for n in 0..400 {
        let event = sign(&keys, 1, &n.to_string(), &[], at(1000));
        client.send(json!(["EVENT", event])).await;
        ids.push(id(&event));
    }
    for id in &ids {
        assert!(client.fate(id).await.0);
    }
    ids.sort();
    assert_eq!(client.ids(json!({})).await, Ok(ids.clone()));
    assert_eq!(
        client.ids(json!({"limit": 150})).await,
        Ok(ids[..150].to_vec())
    );
    assert_eq!(client.count(json!({})).await, Ok(400));
}

#[tokio::test]
async fn a_limit_keeps_the_newest_events_whatever_the_filter() {
    let relay = start("").await;
    let keys = Keys::generate();
    let mut client = Client::connect(&relay.url).await;
    let events: Vec<Event> = (0..30)
        .map(|n| {
            sign(
                &keys,
                1 + u16::try_from(n % 2).expect("small"),
                &n.to_string(),
                &[&["t", "x"]],
                at(1000 + n),
            )
        })
        .collect();
    published(&mut client, &events.iter().collect::<Vec<_>>()).await;
    let newest: Vec<String> = events.iter().rev().take(7).map(id).collect();
    let author = keys.public_key().to_hex();
    let all: Vec<String> = events.iter().map(id).collect();
    for mut filter in [
        json!({}),
        json!({"ids": all}),
        json!({"authors": [author]}),
        json!({"kinds": [1, 2]}),
        json!({"#t": ["x"]}),
        json!({"authors": [author], "kinds": [1, 2]}),
        json!({"authors": [author], "#t": ["x"]}),
        json!({"kinds": [1, 2], "#t": ["x", "y"]}),
        json!({"authors": [author], "kinds": [1, 2], "#t": ["x", "y"]}),
    ] {
        filter["limit"] = json!(7);
        assert_eq!(
            client.ids(filter.clone()).await,
            Ok(newest.clone()),
            "{filter}"
        );
    }
}

#[tokio::test]
async fn several_filters_are_alternatives_and_send_each_event_once() {
    let relay = start("").await;
    let keys = Keys::generate();
    let mut client = Client::connect(&relay.url).await;
    let (note, reaction) = (event(&keys, 1, "", &[]), event(&keys, 7, "+", &[]));
    published(&mut client, &[&note, &reaction]).await;
    let filters = [
        json!({"kinds": [1]}),
        json!({"kinds": [1, 7]}),
        json!({"ids": [id(&note)]}),
    ];
    let found = client.query(&filters).await.expect("an answer");
    assert_eq!(found.len(), 2);
    client
        .send(json!(["COUNT", "c", filters[0], filters[1], filters[2]]))
        .await;
    assert_eq!(client.receive().await, json!(["COUNT", "c", {"count": 2}]));
}

#[tokio::test]
async fn an_empty_list_matches_nothing_stored_or_new() {
    let relay = start("").await;
    let keys = Keys::generate();
    let mut client = Client::connect(&relay.url).await;
    published(&mut client, &[&event(&keys, 1, "", &[])]).await;
    for filter in [
        json!({"ids": []}),
        json!({"authors": []}),
        json!({"kinds": []}),
        json!({"#p": []}),
    ] {
        assert_eq!(client.ids(filter.clone()).await, Ok(vec![]), "{filter}");
        assert_eq!(client.count(filter.clone()).await, Ok(0), "{filter}");
        let name = client.subscribe(&[filter]).await;
        client.stored(&name).await.expect("a subscription");
    }
    // The next message is the OK: none of the four subscriptions saw the event.
    let next = event(&keys, 1, "next", &[]);
    client.send(json!(["EVENT", next])).await;
    assert_eq!(client.receive().await[0], "OK");
}

#[tokio::test]
async fn the_newest_replaceable_event_wins_and_then_the_lowest_id() {
    let relay = start("").await;
    let keys = Keys::generate();
    let mut client = Client::connect(&relay.url).await;
    let (old, new) = (
        sign(&keys, 0, "old", &[], at(1000)),
        sign(&keys, 0, "new", &[], at(1001)),
    );
    published(&mut client, &[&old, &new]).await;
    assert_eq!(client.ids(json!({"kinds": [0]})).await, Ok(vec![id(&new)]));
    let (accepted, text) = client.publish(&old).await;
    assert!(!accepted && text.starts_with("blocked: "), "{text}");
    let mut same: Vec<Event> = (0..4)
        .map(|n| sign(&keys, 10002, &n.to_string(), &[], at(1000)))
        .collect();
    same.sort_by_key(|event| event.id);
    for event in [&same[2], &same[1], &same[3], &same[0]] {
        client.publish(event).await;
    }
    assert_eq!(
        client.ids(json!({"kinds": [10002]})).await,
        Ok(vec![id(&same[0])])
    );
}

#[tokio::test]
async fn addressable_events_are_told_apart_by_their_d_tag() {
    let relay = start("").await;
    let keys = Keys::generate();
    let mut client = Client::connect(&relay.url).await;
    let make = |d: &str, second| sign(&keys, 30023, d, &[&["d", d]], at(second));
    let long = "x".repeat(181);
    let (a, b) = (
        make(&format!("{long}a"), 1000),
        make(&format!("{long}b"), 1000),
    );
    let (empty, first, second) = (make("", 1000), make("one", 1000), make("one", 1001));
    published(&mut client, &[&a, &b, &empty, &first, &second]).await;
    let mut found = client
        .ids(json!({"kinds": [30023]}))
        .await
        .expect("an answer");
    let mut expected: Vec<String> = [&a, &b, &empty, &second].map(id).to_vec();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    for tags in [vec![], vec![["d", "a"], ["d", "b"]]] {
        let tags: Vec<&[&str]> = tags.iter().map(|tag: &[&str; 2]| &tag[..]).collect();
        let (accepted, text) = client.publish(&event(&keys, 30023, "", &tags)).await;
        assert!(!accepted && text.starts_with("invalid: "), "{text}");
    }
    for d in ["x".repeat(183), "one\0".to_owned()] {
        assert!(
            !client
                .publish(&event(&keys, 30023, "", &[&["d", &d]]))
                .await
                .0
        );
    }
}

#[tokio::test]
async fn any_text_survives_the_way_there_and_back() {
    let relay = start("").await;
    let keys = Keys::generate();
    let mut client = Client::connect(&relay.url).await;
    for content in [
        "\"\\/\u{8}\u{c}\n\r\t",
        "\u{1}\u{1f}\u{7f}\u{2028}",
        "💜 ꙮ é e\u{301}",
        "</script>",
        "\0",
    ] {
        let sent = event(&keys, 1, content, &[&["t", content]]);
        published(&mut client, &[&sent]).await;
        let found = client
            .query(&[json!({"#t": [content]})])
            .await
            .expect("an answer");
        assert_eq!(found, vec![sent], "{content:?}");
    }
}

#[tokio::test]
async fn what_is_not_an_event_is_refused_with_a_reason() {
    let relay = start("").await;
    let keys = Keys::generate();
    let mut client = Client::connect(&relay.url).await;
    let good = serde_json::to_value(event(&keys, 1, "text", &[])).expect("JSON");
    let change = |key: &str, value: Value| {
        let mut event = good.clone();
        event[key] = value;
        event
    };
    for bad in [
        change("kind", json!(65_536)),
        change("kind", json!(-1)),
        change("kind", json!(70_000_000_000_u64)),
        change("created_at", json!("now")),
        change("content", json!(7)),
        change("content", json!("other")),
        change("tags", json!([[]])),
        change("tags", json!([["t", 7]])),
        change("pubkey", json!("00")),
        change("sig", json!("00".repeat(64))),
        change("created_at", json!(Timestamp::now().as_secs() + 3600)),
    ] {
        client.send(json!(["EVENT", bad])).await;
        let (accepted, text) = client.fate(good["id"].as_str().expect("an id")).await;
        assert!(!accepted && text.starts_with("invalid: "), "{bad}: {text}");
    }
    assert_eq!(client.count(json!({})).await, Ok(0));
}

#[tokio::test]
async fn what_cannot_be_understood_is_answered_and_the_connection_stays() {
    let relay = start("").await;
    let mut client = Client::connect(&relay.url).await;
    let long = "x".repeat(65);
    for text in [
        "",
        "nonsense",
        "{",
        "{}",
        "[]",
        "null",
        "[1]",
        "[\"HELLO\"]",
        "[\"EVENT\"]",
        "[\"EVENT\",7]",
        "[\"REQ\"]",
        "[\"REQ\",7,{}]",
        "[\"REQ\",\"\",{}]",
        "[\"CLOSE\"]",
        "[\"AUTH\",\"x\"]",
        "[\"NEG-OPEN\"]",
        "[\"REQ\",\"\\ud800\",{}]",
        &format!("[\"REQ\",\"{long}\",{{}}]"),
        &"[".repeat(5000),
    ] {
        client.send_text(text).await;
        let answer = client.receive().await;
        assert_eq!(answer[0], "NOTICE", "{text}: {answer}");
    }
    for filter in [
        json!(7),
        json!([]),
        json!({"ids": ["zz"]}),
        json!({"kinds": ["1"]}),
        json!({"kinds": [65_536]}),
        json!({"limit": -1}),
        json!({"since": "x"}),
        json!({"unknown": 1}),
        json!({"#ab": ["x"]}),
        json!({"search": "x"}),
    ] {
        let answer = client.ids(filter.clone()).await.expect_err("a refusal");
        assert!(
            answer.starts_with("invalid: ") || answer.starts_with("unsupported: "),
            "{filter}: {answer}"
        );
    }
    client.send(json!(["REQ", "none"])).await;
    assert_eq!(client.receive().await[0], "CLOSED");
    assert_eq!(client.ids(json!({})).await, Ok(vec![]));
}

#[tokio::test]
async fn a_subscription_sees_new_events_until_it_is_closed_or_replaced() {
    let relay = start("").await;
    let keys = Keys::generate();
    let mut publisher = Client::connect(&relay.url).await;
    let mut client = Client::connect(&relay.url).await;
    client.send(json!(["REQ", "s", {"kinds": [1]}])).await;
    client.stored("s").await.expect("a subscription");
    let first = event(&keys, 1, "first", &[]);
    publisher.publish(&first).await;
    assert_eq!(client.receive().await, json!(["EVENT", "s", first]));
    client
        .send(json!(["REQ", "s", {"kinds": [7], "limit": 0}]))
        .await;
    client.stored("s").await.expect("a subscription");
    publisher.publish(&event(&keys, 1, "second", &[])).await;
    let third = event(&keys, 7, "+", &[]);
    publisher.publish(&third).await;
    assert_eq!(client.receive().await, json!(["EVENT", "s", third]));
    client.send(json!(["CLOSE", "s"])).await;
    assert_eq!(client.count(json!({"kinds": [7]})).await, Ok(1));
    publisher.publish(&event(&keys, 7, "-", &[])).await;
    client.send(json!(["COUNT", "c", {"kinds": [7]}])).await;
    assert_eq!(client.receive().await, json!(["COUNT", "c", {"count": 2}]));
}

#[tokio::test]
async fn ephemeral_events_are_passed_on_and_never_stored() {
    let relay = start("").await;
    let keys = Keys::generate();
    let mut client = Client::connect(&relay.url).await;
    let name = client.subscribe(&[json!({"kinds": [20_001]})]).await;
    client.stored(&name).await.expect("a subscription");
    let mut publisher = Client::connect(&relay.url).await;
    let passing = event(&keys, 20_001, "now", &[]);
    assert_eq!(publisher.publish(&passing).await, (true, String::new()));
    assert_eq!(client.receive().await, json!(["EVENT", name, passing]));
    assert_eq!(client.ids(json!({"kinds": [20_001]})).await, Ok(vec![]));
    assert_eq!(client.count(json!({})).await, Ok(0));
}

#[tokio::test]
async fn expired_events_are_refused_not_served_and_removed() {
    // One relay leaves what has expired on disk, the other removes it at once.
    let lazy = start("[limits]\npurge_secs = 3600").await;
    let eager = start("[limits]\npurge_secs = 1").await;
    let keys = Keys::generate();
    let mut client = Client::connect(&lazy.url).await;
    let now = Timestamp::now().as_secs();
    let expires =
        |content: &str, at: u64| event(&keys, 1, content, &[&["expiration", &at.to_string()]]);
    let (accepted, text) = client.publish(&expires("past", now - 10)).await;
    assert!(!accepted && text.starts_with("blocked: "), "{text}");
    // Both publications have this long, and end before it however busy the machine is.
    let (soon, later) = (expires("soon", now + 8), expires("later", now + 3600));
    published(&mut client, &[&soon, &later]).await;
    published(&mut Client::connect(&eager.url).await, &[&soon, &later]).await;
    assert_eq!(client.count(json!({})).await, Ok(2));
    let deadline = tokio::time::Instant::now() + 2 * crate::support::DEADLINE;
    let in_time = || assert!(tokio::time::Instant::now() < deadline, "nothing expires");
    while client.count(json!({})).await != Ok(1) {
        in_time();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(client.ids(json!({})).await, Ok(vec![id(&later)]));
    assert_eq!(
        client.ids(json!({"ids": [id(&soon)]})).await,
        Ok(Vec::new())
    );
    let answer = client.reconcile(json!({}), &[]).await;
    assert_eq!(answer, Ok([id(&later)].into()));
    assert_eq!(stored(&lazy).await, 2);
    while stored(&eager).await != 1 {
        in_time();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub(crate) async fn get(relay: &TestRelay, path: &str, accept: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(relay.relay.address())
        .await
        .expect("a connection");
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    answer
}

fn body(answer: &str) -> Value {
    let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
    serde_json::from_str(body).expect("JSON")
}

async fn stored(relay: &TestRelay) -> u64 {
    body(&get(relay, "/health", "*/*").await)["events"]
        .as_u64()
        .expect("a number")
}

#[tokio::test]
async fn one_port_has_a_document_a_page_and_a_health_report() {
    let relay = start("name = \"Shop <1>\"\ncontact = \"mailto:shop@example.com\"").await;
    let document = get(&relay, "/", "application/nostr+json").await;
    assert!(document.starts_with("HTTP/1.1 200"), "{document}");
    assert!(
        document
            .to_lowercase()
            .contains("access-control-allow-origin: *"),
        "{document}"
    );
    let document = body(&document);
    assert_eq!(document["name"], "Shop <1>");
    assert_eq!(
        document["supported_nips"],
        json!([1, 9, 11, 40, 42, 45, 59, 70, 77])
    );
    assert_eq!(document["limitation"]["max_limit"], 500);
    let page = get(&relay, "/", "text/html").await;
    assert!(
        page.contains("<h1>Shop &lt;1&gt;</h1>") && page.contains(&relay.url),
        "{page}"
    );
    assert!(
        get(&relay, "/nothing", "*/*")
            .await
            .starts_with("HTTP/1.1 404")
    );
    let health = body(&get(&relay, "/health", "*/*").await);
    assert_eq!(
        health,
        json!({"status": "ready", "code": "ready", "text": "takes and serves events", "events": 0})
    );
}

#[tokio::test]
async fn stored_events_outlive_a_restart() {
    let first = start("").await;
    let keys = Keys::generate();
    let mut client = Client::connect(&first.url).await;
    let note = event(&keys, 1, "kept", &[]);
    published(&mut client, &[&note]).await;
    drop(client);
    let TestRelay { relay, folder, .. } = first;
    relay.stop().await;
    let text = crate::support::config_text(folder.path(), "");
    let config = toml::from_str(&text).expect("a configuration");
    let second = flash_relay::Relay::start(config)
        .await
        .expect("a second start");
    let mut client = Client::connect(&format!("ws://{}", second.address())).await;
    assert_eq!(client.ids(json!({})).await, Ok(vec![id(&note)]));
}
