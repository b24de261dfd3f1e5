//! What one client may ask for, and what it is told when that is exceeded.

use std::time::Duration;

use futures_util::SinkExt;
use nostr::key::Keys;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::support::Client;
use crate::support::Program;
use crate::support::event;
use crate::support::sign;
use crate::support::start;

#[tokio::test]
async fn events_by_one_key_are_limited_per_minute() {
    let relay = start("[limits]\nevents_per_minute_per_key = 3").await;
    let (busy, other) = (Keys::generate(), Keys::generate());
    let mut client = Client::connect(&relay.url).await;
    for number in 0..3 {
        assert!(
            client
                .publish(&event(&busy, 1, &number.to_string(), &[]))
                .await
                .0
        );
    }
    let (accepted, text) = client.publish(&event(&busy, 1, "four", &[])).await;
    assert!(!accepted && text.starts_with("rate-limited: "), "{text}");
    assert!(client.publish(&event(&other, 1, "", &[])).await.0);
}

#[tokio::test]
async fn messages_to_one_recipient_are_limited_per_minute() {
    let relay = start("[limits]\nprivate_events_per_minute_per_recipient = 2").await;
    let [busy, other] = [0, 1].map(|_| Keys::generate().public_key().to_hex());
    let mut client = Client::connect(&relay.url).await;
    let wrap = |p: &str| event(&Keys::generate(), 1059, "", &[&["p", p]]);
    assert!(client.publish(&wrap(&busy)).await.0);
    assert!(client.publish(&wrap(&busy)).await.0);
    let (accepted, text) = client.publish(&wrap(&busy)).await;
    assert!(!accepted && text.starts_with("rate-limited: "), "{text}");
    // A refused message to both has used up nothing of the other's.
    for _ in 0..3 {
        let both = event(
            &Keys::generate(),
            1059,
            "",
            &[&["p", &other], &["p", &busy]],
        );
        assert!(!client.publish(&both).await.0);
    }
    assert!(client.publish(&wrap(&other)).await.0);
    assert!(client.publish(&wrap(&other)).await.0);
}

#[tokio::test]
async fn one_message_counts_once_for_a_recipient_however_often_it_names_it() {
    let relay = start(
        "[limits]\nprivate_events_per_minute_per_recipient = 2\nrecipients_per_private_event = 2",
    )
    .await;
    let keys: [String; 3] = [0; 3].map(|_| Keys::generate().public_key().to_hex());
    let p = keys.each_ref().map(|key| ["p", key.as_str()]);
    let mut client = Client::connect(&relay.url).await;
    let repeated = vec![&p[0][..]; 50];
    assert!(
        client
            .publish(&event(&Keys::generate(), 1059, "", &repeated))
            .await
            .0
    );
    assert!(
        client
            .publish(&event(&Keys::generate(), 1059, "", &[&p[0]]))
            .await
            .0
    );
    let many = event(&Keys::generate(), 1059, "", &[&p[0], &p[1], &p[2]]);
    let (_, text) = client.publish(&many).await;
    assert_eq!(text, "invalid: a private message has too many recipients");
}

/// The inbox of a recipient stays open to others when one address has sent it too much.
#[tokio::test]
async fn one_address_does_not_shut_an_inbox_for_another() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = crate::support::config_text(
        folder.path(),
        "[limits]\nprivate_events_per_minute_per_recipient = 1",
    );
    let config = toml::from_str(&text.replace("127.0.0.1:0", "0.0.0.0:0")).expect("TOML");
    let relay = flash_relay::Relay::start(config).await.expect("a start");
    let port = relay.address().port();
    let recipient = Keys::generate().public_key().to_hex();
    let wrap = || event(&Keys::generate(), 1059, "", &[&["p", &recipient]]);
    let mut first = Client::connect(&format!("ws://127.0.0.1:{port}")).await;
    assert!(first.publish(&wrap()).await.0);
    assert!(!first.publish(&wrap()).await.0);
    let mut second = Client::connect_from("127.0.0.2:0", &format!("ws://127.0.0.1:{port}")).await;
    assert!(second.publish(&wrap()).await.0);
    assert!(!second.publish(&wrap()).await.0);
}

/// Whoever sends somebody's old events again does not silence their author.
#[tokio::test]
async fn events_that_are_not_new_do_not_count_for_their_author() {
    let relay = start("[limits]\nevents_per_minute_per_key = 3").await;
    let author = Keys::generate();
    let mut client = Client::connect(&relay.url).await;
    let at = |second: u64| nostr::types::Timestamp::from_secs(1_700_000_000 + second);
    let old = sign(&author, 0, "old", &[], at(0));
    let new = sign(&author, 0, "new", &[], at(1));
    for profile in [&old, &new] {
        assert!(client.publish(profile).await.0);
    }
    for _ in 0..5 {
        let (accepted, text) = client.publish(&new).await;
        assert!(accepted && text.starts_with("duplicate: "), "{text}");
        let (accepted, text) = client.publish(&old).await;
        assert!(!accepted && text.starts_with("blocked: "), "{text}");
    }
    assert!(client.publish(&event(&author, 1, "three", &[])).await.0);
    let (_, text) = client.publish(&event(&author, 1, "four", &[])).await;
    assert!(text.starts_with("rate-limited: "), "{text}");
}

#[tokio::test]
async fn an_addresses_events_queries_and_proofs_are_limited_per_minute() {
    let limits = "[limits]\nevents_per_minute_per_address = 2\nrequests_per_minute_per_address = 2\nauths_per_minute_per_address = 2";
    let relay = start(limits).await;
    let mut first = Client::connect(&relay.url).await;
    let mut second = Client::connect(&relay.url).await;
    for _ in 0..2 {
        assert!(first.publish(&event(&Keys::generate(), 1, "", &[])).await.0);
        assert!(first.ids(json!({})).await.is_ok());
        assert!(first.authenticate(&Keys::generate()).await.0);
    }
    let (_, text) = second.publish(&event(&Keys::generate(), 1, "", &[])).await;
    assert!(text.starts_with("rate-limited: "), "{text}");
    let (_, text) = second.authenticate(&Keys::generate()).await;
    assert!(text.starts_with("rate-limited: "), "{text}");
    for text in [
        second.ids(json!({})).await.expect_err("a refusal"),
        second.count(json!({})).await.expect_err("a refusal"),
        second
            .reconcile(json!({}), &[])
            .await
            .expect_err("a refusal"),
    ] {
        assert!(text.starts_with("rate-limited: "), "{text}");
    }
}

#[tokio::test]
async fn messages_of_any_kind_are_limited_per_minute() {
    let relay = start("[limits]\nmessages_per_minute_per_address = 2").await;
    let mut client = Client::connect(&relay.url).await;
    for _ in 0..3 {
        client.send(json!(["CLOSE", "x"])).await;
    }
    let answer = client.receive().await;
    assert!(
        answer[1]
            .as_str()
            .expect("a text")
            .starts_with("rate-limited: "),
        "{answer}"
    );
}

#[tokio::test]
async fn subscriptions_filters_and_values_are_bounded() {
    let limits = "[limits]\nsubscriptions_per_connection = 2\nfilters_per_request = 2\nfilter_values = 5\nfilter_combinations = 4\nmax_limit = 3";
    let relay = start(limits).await;
    let keys = Keys::generate();
    let mut client = Client::connect(&relay.url).await;
    for number in 0..5 {
        client
            .publish(&event(&keys, 1, &number.to_string(), &[]))
            .await;
    }
    assert_eq!(
        client
            .ids(json!({"limit": 1000}))
            .await
            .expect("an answer")
            .len(),
        3
    );
    let refusal = client
        .query(&[json!({}), json!({}), json!({})])
        .await
        .expect_err("a refusal");
    assert_eq!(refusal, "blocked: too many filters");
    let refusal = client
        .ids(json!({"kinds": [1, 2, 3, 4, 5, 6]}))
        .await
        .expect_err("a refusal");
    assert_eq!(refusal, "blocked: the filter has too many values");
    let wide = json!({"kinds": [1, 2, 3], "#t": ["a", "b"]});
    let refusal = client.ids(wide).await.expect_err("a refusal");
    assert_eq!(
        refusal,
        "blocked: the filter has too many combinations of values"
    );
    for _ in 0..2 {
        let name = client.subscribe(&[json!({})]).await;
        client.stored(&name).await.expect("a subscription");
    }
    let refusal = client.ids(json!({})).await.expect_err("a refusal");
    assert_eq!(refusal, "blocked: too many open subscriptions");
}

#[tokio::test]
async fn the_filters_of_open_subscriptions_are_bounded_in_bytes() {
    let relay = start("[limits]\nsubscription_bytes_per_connection = 20000").await;
    let mut client = Client::connect(&relay.url).await;
    let values = |letter: &str| -> Vec<String> {
        (0..100)
            .map(|n| format!("{}{n}", letter.repeat(40)))
            .collect()
    };
    let first = client.subscribe(&[json!({"#t": values("a")})]).await;
    client.stored(&first).await.expect("a subscription");
    let refusal = client
        .ids(json!({"#t": values("b"), "#r": values("b")}))
        .await;
    let refusal = refusal.expect_err("a refusal");
    assert!(
        refusal.starts_with("blocked: the filters of your subscriptions"),
        "{refusal}"
    );
    let refusal = client.ids(json!({"#t": ["x".repeat(2000)]})).await;
    assert_eq!(
        refusal.expect_err("a refusal"),
        "blocked: the filter has too long a value"
    );
    client.send(json!(["CLOSE", first])).await;
    let roomy = json!({"#t": values("b"), "#r": values("b")});
    assert_eq!(client.ids(roomy).await, Ok(Vec::new()));
}

/// A key that is thrown away does not stand for the one that asks.
#[tokio::test]
async fn queries_are_limited_for_every_proved_key() {
    let relay = start("[limits]\nrequests_per_minute_per_key = 3").await;
    let mut keys = [0; 3].map(|_| Keys::generate());
    keys.sort_by_key(|keys| keys.public_key());
    let [smallest, busy, largest] = keys;
    let mut client = Client::connect_as(&relay.url, &busy).await;
    for _ in 0..3 {
        assert!(client.count(json!({})).await.is_ok());
    }
    for other in [smallest, largest] {
        let mut client = Client::connect_as(&relay.url, &busy).await;
        assert!(client.authenticate(&other).await.0);
        let refusal = client.count(json!({})).await.expect_err("a refusal");
        assert!(refusal.starts_with("rate-limited: "), "{refusal}");
    }
    assert!(
        Client::connect(&relay.url)
            .await
            .count(json!({}))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn a_query_that_looks_at_too_much_is_refused_and_not_cut_short() {
    let relay = start("[limits]\nscan_events = 20\ncount_events = 20").await;
    let author = Keys::generate();
    let mut client = Client::connect(&relay.url).await;
    for number in 0..40 {
        client
            .publish(&event(&author, 1, &number.to_string(), &[&["t", "x"]]))
            .await;
    }
    // Authors, kinds and tags together: the kinds are looked for among all that match the rest.
    let rare = json!({"authors": [author.public_key().to_hex()], "kinds": [7], "#t": ["x"]});
    let refusal = client.ids(rare).await.expect_err("a refusal");
    assert!(refusal.starts_with("blocked: "), "{refusal}");
    let refusal = client.count(json!({})).await.expect_err("a refusal");
    assert!(refusal.starts_with("blocked: "), "{refusal}");
}

#[tokio::test]
async fn large_events_and_messages_are_answered_and_absurd_ones_end_the_connection() {
    let relay =
        start("[limits]\nmax_event_bytes = 1000\nmax_message_bytes = 2000\nmax_event_tags = 3")
            .await;
    let keys = Keys::generate();
    let mut client = Client::connect(&relay.url).await;
    let (_, text) = client
        .publish(&event(&keys, 1, &"x".repeat(1000), &[]))
        .await;
    assert_eq!(text, "invalid: the event is too large");
    let tags: [&[&str]; 4] = [&["t", "a"], &["t", "b"], &["t", "c"], &["t", "d"]];
    let (_, text) = client.publish(&event(&keys, 1, "", &tags)).await;
    assert_eq!(text, "invalid: the event has too many tags");
    client.send_text(&"x".repeat(2500)).await;
    assert_eq!(
        client.receive().await,
        json!(["NOTICE", "invalid: the message is too large"])
    );
    client
        .socket
        .send(Message::binary(vec![1, 2, 3]))
        .await
        .expect("sent");
    assert_eq!(
        client.receive().await,
        json!(["NOTICE", "invalid: messages are text"])
    );
    let _ = client.socket.send(Message::text("x".repeat(100_000))).await;
    assert_eq!(client.try_receive().await, None);
}

#[tokio::test]
async fn connections_are_counted_per_address_until_they_end() {
    let relay = start("[limits]\nconnections_per_address = 2").await;
    let first = Client::connect(&relay.url).await;
    let _second = Client::connect(&relay.url).await;
    let refused = tokio_tungstenite::connect_async(relay.url.as_str()).await;
    let text = refused.expect_err("a refusal").to_string();
    assert!(text.contains("429"), "{text}");
    drop(first);
    let again = async {
        while tokio_tungstenite::connect_async(relay.url.as_str())
            .await
            .is_err()
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(crate::support::DEADLINE, again)
        .await
        .expect("room for another");
}

/// Whoever only opens connections is held to a number as well, and leaves room for the probes of this machine.
#[tokio::test]
async fn plain_connections_are_counted_too_and_leave_room_for_probes() {
    let relay = start("[limits]\nmax_connections = 2\nconnections_per_address = 2").await;
    let _sockets = [
        Client::connect(&relay.url).await,
        Client::connect(&relay.url).await,
    ];
    let health = crate::basics::get(&relay, "/health", "*/*").await;
    assert!(health.starts_with("HTTP/1.1 200"), "{health}");
    let address = relay.relay.address();
    let mut idle = Vec::new();
    let refused = async {
        loop {
            let mut stream = tokio::net::TcpStream::connect(address)
                .await
                .expect("a port");
            let mut byte = [0; 1];
            let quiet = Duration::from_millis(200);
            let read = tokio::io::AsyncReadExt::read(&mut stream, &mut byte);
            // A refused connection ends at once; an accepted one waits for a request.
            if tokio::time::timeout(quiet, read).await.is_ok() {
                return idle.len();
            }
            idle.push(stream);
        }
    };
    let accepted = tokio::time::timeout(crate::support::DEADLINE, refused).await;
    assert!(accepted.expect("a refusal") <= 16);
}

/// A reader that never reads is given up, and does not hold up the others' feed.
#[tokio::test]
async fn a_reader_that_does_not_read_is_given_up() {
    let limits = "[limits]\noutgoing_bytes = 65536\nslow_reader_secs = 5\nevents_per_minute_per_key = 100000\nevents_per_minute_per_address = 100000\nmessages_per_minute_per_address = 100000";
    let relay = start(limits).await;
    let keys = Keys::generate();
    let mut slow = Client::connect(&relay.url).await;
    let mut quick = Client::connect(&relay.url).await;
    for client in [&mut slow, &mut quick] {
        let name = client.subscribe(&[json!({"kinds": [20_001]})]).await;
        client.stored(&name).await.expect("a subscription");
    }
    let mut publisher = Client::connect(&relay.url).await;
    let content = "x".repeat(60_000);
    for _ in 0..400 {
        let passing = event(&keys, 20_001, &content, &[]);
        publisher.publish(&passing).await;
        assert_eq!(quick.receive().await[2]["id"], passing.id.to_hex());
    }
    let ended = async {
        // What the system had buffered still arrives; then the connection is over.
        while slow.try_receive().await.is_some() {}
    };
    tokio::time::timeout(crate::support::DEADLINE, ended)
        .await
        .expect("an end");
}

/// A query's answer waits for its reader instead: nothing is lost while the reader goes on reading.
#[tokio::test]
async fn a_long_answer_waits_for_its_reader() {
    let limits =
        "[limits]\noutgoing_bytes = 65536\nmax_limit = 1000\nevents_per_minute_per_key = 100000";
    let relay = start(limits).await;
    let keys = Keys::generate();
    let mut client = Client::connect(&relay.url).await;
    let content = "x".repeat(30_000);
    for number in 0..200 {
        assert!(
            client
                .publish(&event(&keys, 1, &format!("{number}{content}"), &[]))
                .await
                .0
        );
    }
    let name = client.subscribe(&[json!({})]).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(client.stored(&name).await.expect("an answer").len(), 200);
}

/// Large answers, asked for and not read, wait on disk and not in memory.
#[tokio::test]
async fn readers_that_do_not_read_cost_a_bounded_amount_of_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    let limits = "[limits]\noutgoing_bytes = 1048576\nslow_reader_secs = 60";
    let program = Program::start(folder.path(), limits);
    let keys = Keys::generate();
    let mut publisher = Client::connect(&program.url).await;
    let content = "x".repeat(100_000);
    let mut ids = Vec::new();
    for number in 0..250 {
        let note = event(&keys, 1, &format!("{number}{content}"), &[]);
        assert!(publisher.publish(&note).await.0);
        ids.push(note.id.to_hex());
    }
    // Pages that were read from the file belong to the system: only what the relay itself keeps is counted.
    let before = memory_kib(&program, "RssAnon:");
    let mut readers = Vec::new();
    for number in 0..20 {
        let mut client = Client::connect(&program.url).await;
        let question = if number % 2 == 0 {
            json!({})
        } else {
            json!({"ids": ids})
        };
        client.subscribe(&[question]).await;
        readers.push(client);
    }
    let mut most = before;
    for _ in 0..60 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        most = most.max(memory_kib(&program, "RssAnon:"));
    }
    let kib = most - before;
    println!("20 readers that do not read: {kib} KiB");
    assert!(kib < 150 * 1024, "{kib} KiB");
    // Whoever reads after all gets everything.
    let mut late = readers.pop().expect("a reader");
    assert_eq!(late.stored("q1").await.expect("an answer").len(), 250);
}

/// Returns one of the sizes that the system states of a process.
fn memory_kib(program: &Program, line: &str) -> u64 {
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", program.id())).expect("a process");
    let size = status.lines().find_map(|l| l.strip_prefix(line));
    let size = size.expect("a size").trim().trim_end_matches(" kB");
    size.parse().expect("a number")
}

#[tokio::test]
async fn a_thousand_idle_subscriptions_take_less_than_100_mib() {
    let folder = tempfile::tempdir().expect("a folder");
    let limits =
        "[limits]\nconnections_per_address = 2000\nrequests_per_minute_per_address = 100000";
    let program = Program::start(folder.path(), limits);
    let mut clients = Vec::new();
    for _ in 0..1000 {
        let mut client = Client::connect(&program.url).await;
        let name = client
            .subscribe(&[json!({"kinds": [1], "#t": ["x"]})])
            .await;
        client.stored(&name).await.expect("a subscription");
        clients.push(client);
    }
    let kib = memory_kib(&program, "VmRSS:");
    println!("1000 idle subscriptions: {kib} KiB resident");
    assert!(kib < 100 * 1024, "{kib} KiB");
}
