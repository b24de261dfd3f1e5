//! The table of docs/decisions/0001-own-relay.md: nobody but those who may read a private event learns of
//! it, whatever the shape of the question.

use std::collections::BTreeSet;

use nostr::event::Event;
use nostr::filter::Filter;
use nostr::filter::MatchEventOptions;
use nostr::key::Keys;
use serde_json::Value;
use serde_json::json;

use crate::support::Client;
use crate::support::TestRelay;
use crate::support::event;
use crate::support::sign;
use crate::support::start;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asker {
    Anonymous,
    Stranger,
    /// The author of the direct message, and a stranger to the wraps.
    Author,
    Recipient,
}

const ASKERS: [Asker; 4] = [
    Asker::Anonymous,
    Asker::Stranger,
    Asker::Author,
    Asker::Recipient,
];

struct World {
    relay: TestRelay,
    author: Keys,
    recipient: Keys,
    wraps: Vec<Event>,
    direct: Event,
    note: Event,
}

impl World {
    async fn new() -> Self {
        let relay = start("").await;
        let (author, recipient) = (Keys::generate(), Keys::generate());
        let p = recipient.public_key().to_hex();
        let wraps = [1059, 1060]
            .map(|kind| {
                event(
                    &Keys::generate(),
                    kind,
                    "sealed",
                    &[&["p", &p], &["t", "topic"]],
                )
            })
            .to_vec();
        let direct = event(&author, 4, "sealed", &[&["p", &p], &["t", "topic"]]);
        let note = event(&author, 1, "hello", &[&["p", &p], &["t", "topic"]]);
        let mut client = Client::connect(&relay.url).await;
        for event in wraps.iter().chain([&direct, &note]) {
            assert_eq!(client.publish(event).await, (true, String::new()));
        }
        Self {
            relay,
            author,
            recipient,
            wraps,
            direct,
            note,
        }
    }

    fn everything(&self) -> impl Iterator<Item = &Event> {
        self.wraps.iter().chain([&self.direct, &self.note])
    }

    async fn client(&self, asker: Asker) -> Client {
        let keys = match asker {
            Asker::Anonymous => return Client::connect(&self.relay.url).await,
            Asker::Stranger => Keys::generate(),
            Asker::Author => self.author.clone(),
            Asker::Recipient => self.recipient.clone(),
        };
        Client::connect_as(&self.relay.url, &keys).await
    }

    /// What `asker` may know of.
    fn readable(&self, asker: Asker, event: &Event) -> bool {
        match event.kind.as_u16() {
            1 => true,
            4 => matches!(asker, Asker::Author | Asker::Recipient),
            _ => asker == Asker::Recipient,
        }
    }

    /// Every shape of a filter, with the kinds of the events that it matches among all of them.
    fn questions(&self) -> Vec<(Value, Vec<u16>)> {
        let p = self.recipient.public_key().to_hex();
        let ids: Vec<String> = self.everything().map(|event| event.id.to_hex()).collect();
        let authors: Vec<String> = self
            .everything()
            .map(|event| event.pubkey.to_hex())
            .collect();
        let all = vec![1059, 1060, 4, 1];
        vec![
            (json!({}), all.clone()),
            (json!({"limit": 100}), all.clone()),
            (json!({"since": 0}), all.clone()),
            (json!({"until": 99_999_999_999_u64}), all.clone()),
            (json!({"#p": [p]}), all.clone()),
            (json!({"#t": ["topic"]}), all.clone()),
            (json!({"#p": [p], "#t": ["topic"]}), all.clone()),
            (json!({"ids": ids}), all.clone()),
            (json!({"ids": [ids[0]]}), vec![1059]),
            (json!({"ids": [ids[2]], "#p": [p]}), vec![4]),
            (json!({"authors": authors}), all.clone()),
            (json!({"authors": [authors[0]]}), vec![1059]),
            (json!({"authors": authors, "#p": [p]}), all.clone()),
            (
                json!({"authors": authors, "kinds": [1, 4, 1059, 1060]}),
                all.clone(),
            ),
            (
                json!({"authors": authors, "kinds": [1, 1059], "#p": [p]}),
                vec![1, 1059],
            ),
            (json!({"kinds": [1, 1059]}), vec![1, 1059]),
            (json!({"kinds": [1, 4, 1059, 1060], "#p": [p]}), all),
            (json!({"kinds": [1059]}), vec![1059]),
            (json!({"kinds": [1060]}), vec![1060]),
            (json!({"kinds": [4]}), vec![4]),
            (json!({"kinds": [1059, 1060, 4]}), vec![1059, 1060, 4]),
            (json!({"kinds": [1059], "#p": [p]}), vec![1059]),
            (json!({"kinds": [4], "authors": authors}), vec![4]),
            (json!({"kinds": [1059], "ids": ids}), vec![1059]),
        ]
    }

    fn expected(&self, asker: Asker, kinds: &[u16]) -> BTreeSet<String> {
        self.everything()
            .filter(|event| kinds.contains(&event.kind.as_u16()) && self.readable(asker, event))
            .map(|event| event.id.to_hex())
            .collect()
    }
}

/// Tells whether a stranger is told to authenticate instead of being answered.
fn refused(asker: Asker, filter: &Value) -> bool {
    let private = filter["kinds"]
        .as_array()
        .is_some_and(|kinds| kinds.iter().all(|kind| kind != 1));
    asker == Asker::Anonymous && private
}

fn assert_refused<T: std::fmt::Debug>(answer: &Result<T, String>, context: &str) {
    let text = answer.as_ref().expect_err(context);
    assert!(text.starts_with("auth-required: "), "{context}: {text}");
}

#[tokio::test]
async fn stored_events_are_shown_to_their_readers_alone() {
    let world = World::new().await;
    for asker in ASKERS {
        let mut client = world.client(asker).await;
        for (filter, kinds) in world.questions() {
            let context = format!("REQ {filter} by {asker:?}");
            let answer = client.ids(filter.clone()).await;
            if refused(asker, &filter) {
                assert_refused(&answer, &context);
                continue;
            }
            let found: BTreeSet<String> = answer.expect(&context).into_iter().collect();
            assert_eq!(found, world.expected(asker, &kinds), "{context}");
        }
    }
}

#[tokio::test]
async fn counts_include_what_the_reader_may_see_alone() {
    let world = World::new().await;
    for asker in ASKERS {
        let mut client = world.client(asker).await;
        for (filter, kinds) in world.questions() {
            let context = format!("COUNT {filter} by {asker:?}");
            let answer = client.count(filter.clone()).await;
            if refused(asker, &filter) {
                assert_refused(&answer, &context);
                continue;
            }
            let expected = world.expected(asker, &kinds).len() as u64;
            assert_eq!(answer.expect(&context), expected, "{context}");
        }
    }
}

#[tokio::test]
async fn negentropy_compares_what_the_reader_may_see_alone() {
    let world = World::new().await;
    for asker in ASKERS {
        let mut client = world.client(asker).await;
        for (filter, kinds) in world.questions() {
            let context = format!("NEG {filter} by {asker:?}");
            let answer = client.reconcile(filter.clone(), &[]).await;
            if refused(asker, &filter) {
                assert_refused(&answer, &context);
                continue;
            }
            assert_eq!(
                answer.expect(&context),
                world.expected(asker, &kinds),
                "{context}"
            );
        }
    }
}

/// Every shape of a filter for events that are still to come.
fn live_questions(p: &str, events: &[Event]) -> Vec<Value> {
    let ids: Vec<String> = events.iter().map(|event| event.id.to_hex()).collect();
    let authors: Vec<String> = events.iter().map(|event| event.pubkey.to_hex()).collect();
    let all = [1, 4, 1059, 1060, 21059];
    vec![
        json!({}),
        json!({"since": 0}),
        json!({"until": 99_999_999_999_u64}),
        json!({"#p": [p]}),
        json!({"#t": ["topic"]}),
        json!({"#p": [p], "#t": ["topic"]}),
        json!({"ids": ids}),
        json!({"ids": [ids[0]]}),
        json!({"ids": ids, "#p": [p]}),
        json!({"authors": authors}),
        json!({"authors": authors, "kinds": all}),
        json!({"authors": authors, "kinds": [1, 1059], "#p": [p]}),
        json!({"kinds": [1, 1059, 21059]}),
        json!({"kinds": all, "#p": [p]}),
        json!({"kinds": [1059]}),
        json!({"kinds": [21059], "#p": [p]}),
        json!({"kinds": [4], "authors": authors}),
    ]
}

#[tokio::test]
async fn new_events_reach_their_readers_alone() {
    let world = World::new().await;
    let p = world.recipient.public_key().to_hex();
    let mut publisher = Client::connect(&world.relay.url).await;
    let marker = Keys::generate();
    let end = json!({"authors": [marker.public_key().to_hex()], "limit": 0});
    for asker in ASKERS {
        let mut client = world.client(asker).await;
        let last = client.subscribe(std::slice::from_ref(&end)).await;
        client.stored(&last).await.expect("a subscription");
        for number in 0..live_questions("", &world.wraps).len() {
            let tags: [&[&str]; 2] = [&["p", &p], &["t", "topic"]];
            let new = |kind, keys: &Keys| {
                event(keys, kind, &Keys::generate().public_key().to_hex(), &tags)
            };
            let wraps = [1059, 1060, 21059].map(|kind| new(kind, &Keys::generate()));
            let mut events = wraps.to_vec();
            events.extend([4, 1].map(|kind| new(kind, &world.author)));
            let mut shape = live_questions(&p, &events).remove(number);
            let filter = Filter::from_json(shape.to_string()).expect("a filter");
            shape["limit"] = json!(0);
            let name = client.subscribe(std::slice::from_ref(&shape)).await;
            let opened = client.stored(&name).await;
            if refused(asker, &shape) {
                assert_refused(&opened, &format!("live {shape} by {asker:?}"));
            } else {
                assert_eq!(opened, Ok(Vec::new()), "live {shape} by {asker:?}");
            }
            for event in &events {
                assert_eq!(publisher.publish(event).await, (true, String::new()));
            }
            // The feed keeps its order: when this note arrives, everything before it has been decided.
            publisher.publish(&new(1, &marker)).await;
            let mut seen = BTreeSet::new();
            loop {
                let message = client.receive().await;
                assert_eq!(message[0], "EVENT", "{asker:?} {shape}: {message}");
                if message[1] == last {
                    break;
                }
                // The marker may match the shape as well.
                if message[2]["pubkey"] != end["authors"][0] {
                    seen.insert(message[2]["id"].as_str().expect("an id").to_owned());
                }
            }
            let expected: BTreeSet<String> = events
                .iter()
                .filter(|event| filter.match_event(event, MatchEventOptions::new()))
                .filter(|event| world.readable(asker, event) && !refused(asker, &shape))
                .map(|event| event.id.to_hex())
                .collect();
            assert_eq!(seen, expected, "live {shape} by {asker:?}");
            client.send(json!(["CLOSE", name])).await;
            // A frame of the marker for the closed subscription may still be on its way: ask for a barrier.
            client
                .count(json!({"ids": ["0".repeat(64)]}))
                .await
                .expect("an answer");
        }
    }
}

#[tokio::test]
async fn a_subscription_shows_wraps_from_the_moment_its_reader_authenticates() {
    let world = World::new().await;
    let p = world.recipient.public_key().to_hex();
    let mut publisher = Client::connect(&world.relay.url).await;
    let mut client = Client::connect(&world.relay.url).await;
    let name = client.subscribe(&[json!({"#p": [p], "limit": 0})]).await;
    client.stored(&name).await.expect("a subscription");
    let before = event(&Keys::generate(), 1059, "one", &[&["p", &p]]);
    publisher.publish(&before).await;
    let note = event(&world.author, 1, "two", &[&["p", &p]]);
    publisher.publish(&note).await;
    assert_eq!(client.receive().await[2]["id"], note.id.to_hex());
    assert!(client.authenticate(&world.recipient).await.0);
    let after = event(&Keys::generate(), 1059, "three", &[&["p", &p]]);
    publisher.publish(&after).await;
    assert_eq!(client.receive().await[2]["id"], after.id.to_hex());
}

#[tokio::test]
async fn hidden_events_do_not_use_up_a_readers_limit() {
    let relay = start("").await;
    let keys = Keys::generate();
    let p = keys.public_key().to_hex();
    let mut client = Client::connect(&relay.url).await;
    let old = nostr::types::Timestamp::from_secs(1_700_000_000);
    let mut notes = Vec::new();
    for number in 0..5 {
        let note = sign(&keys, 1, &number.to_string(), &[], old);
        client.publish(&note).await;
        notes.push(note.id.to_hex());
    }
    for _ in 0..300 {
        let wrap = event(&Keys::generate(), 1059, "", &[&["p", &p]]);
        client.send(json!(["EVENT", wrap])).await;
        client.fate(&wrap.id.to_hex()).await;
    }
    let found = client.ids(json!({"limit": 5})).await.expect("an answer");
    assert_eq!(
        found.into_iter().collect::<BTreeSet<_>>(),
        notes.into_iter().collect()
    );
    assert_eq!(client.count(json!({})).await, Ok(5));
}

/// Whether a question is refused for its size depends on what the asker sees, wherever hidden events lie.
#[tokio::test]
async fn hidden_events_do_not_use_up_the_work_that_a_question_may_cost() {
    let budgets = "[limits]\nscan_events = 20\ncount_events = 20\nnegentropy_events = 20";
    let (author, recipient) = (Keys::generate(), Keys::generate());
    let p = recipient.public_key().to_hex();
    let at = |second: u64| nostr::types::Timestamp::from_secs(1_700_000_000 + second);
    let wrap = |second| {
        sign(
            &Keys::generate(),
            1059,
            "",
            &[&["p", &p], &["t", "x"]],
            at(second),
        )
    };
    let direct = |second| sign(&author, 4, "", &[&["p", &p], &["t", "x"]], at(second));
    for (notes, hidden) in [(20, 0), (20, 30), (21, 0), (21, 30)] {
        let relay = start(budgets).await;
        let mut client = Client::connect(&relay.url).await;
        for number in 0..notes {
            let note = sign(
                &author,
                1,
                &number.to_string(),
                &[&["t", "x"]],
                at(100 + number),
            );
            assert!(client.publish(&note).await.0);
        }
        // Older than every note, newer than every note, and between them.
        for number in 0..hidden {
            for private in [wrap(number), wrap(200 + number), direct(90 + number)] {
                assert!(client.publish(&private).await.0);
            }
        }
        let context = format!("{notes} notes among {hidden} times three hidden events");
        let fits = notes <= 20;
        let authors = [author.public_key().to_hex()];
        let rare = json!({"authors": authors, "kinds": [7], "#t": ["x"]});
        assert_eq!(client.ids(rare).await.is_ok(), fits, "REQ: {context}");
        for shape in [
            json!({}),
            json!({"#t": ["x"]}),
            json!({"authors": authors}),
            json!({"kinds": [1, 4, 1059]}),
        ] {
            let found = client.ids(shape.clone()).await.map(|ids| ids.len() as u64);
            assert_eq!(found.ok(), fits.then_some(notes), "REQ {shape}: {context}");
            let counted = client.count(shape.clone()).await;
            assert_eq!(
                counted.ok(),
                fits.then_some(notes),
                "COUNT {shape}: {context}"
            );
            let missing = client.reconcile(shape.clone(), &[]).await;
            let missing = missing.map(|ids| ids.len() as u64);
            assert_eq!(
                missing.ok(),
                fits.then_some(notes),
                "NEG {shape}: {context}"
            );
        }
    }
}

#[tokio::test]
async fn publishing_a_private_event_again_tells_nothing_about_it() {
    let world = World::new().await;
    let mut client = Client::connect(&world.relay.url).await;
    for private in world.wraps.iter().chain([&world.direct]) {
        assert_eq!(client.publish(private).await, (true, String::new()));
    }
    let (accepted, text) = client.publish(&world.note).await;
    assert!(accepted && text.starts_with("duplicate: "), "{text}");
    // Without the event's signature there is no answer about its id at all.
    let mut forged = serde_json::to_value(&world.wraps[0]).expect("JSON");
    forged["sig"] = json!("00".repeat(64));
    client.send(json!(["EVENT", forged])).await;
    let (accepted, text) = client.fate(&world.wraps[0].id.to_hex()).await;
    assert!(!accepted && text.starts_with("invalid: "), "{text}");
}

#[tokio::test]
async fn the_numbers_are_shown_to_the_operator_alone() {
    let world = World::new().await;
    let ask = |forwarded: bool, path: &'static str| {
        let host = world.relay.relay.address();
        async move {
            use tokio::io::AsyncReadExt;
            use tokio::io::AsyncWriteExt;
            let mut stream = tokio::net::TcpStream::connect(host)
                .await
                .expect("a connection");
            let header = if forwarded {
                "X-Forwarded-For: 203.0.113.7\r\n"
            } else {
                ""
            };
            let request =
                format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{header}\r\n");
            stream.write_all(request.as_bytes()).await.expect("sent");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.expect("an answer");
            answer
        }
    };
    assert!(ask(false, "/health").await.contains("\"events\":4"));
    let outside = ask(true, "/health").await;
    assert!(
        outside.contains("\"status\":\"ready\"") && !outside.contains("events\":"),
        "{outside}"
    );
    assert!(
        ask(false, "/metrics")
            .await
            .contains("flash_relay_events_total{outcome=\"saved\"} 4")
    );
    assert!(ask(true, "/metrics").await.starts_with("HTTP/1.1 403"));
}
