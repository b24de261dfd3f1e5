//! A request with a key is carried out once, however often it is sent, over whichever listener.

use std::collections::BTreeSet;

use serde_json::Value;
use serde_json::json;

use super::people::Answer;
use super::*;
use crate::account::REQUESTS_REMEMBERED;
use crate::account::Wanted;
use crate::http::once::KEY;
use crate::http::once::REPLAYED;

/// Whoever asks, with cookies.
struct Owner {
    tcp: Tcp,
    cookies: String,
}

async fn owner() -> Owner {
    let tcp = tcp().await;
    let cookies = tcp.set_up().await.cookies();
    Owner { tcp, cookies }
}

fn token(name: &str) -> Value {
    json!({"name": name, "role": "auditor", "expires_in_days": 1})
}

impl Owner {
    async fn ask(&self, path: &str, key: &str, body: &Value) -> Answer {
        self.ask_at(self.tcp.address, path, key, body).await
    }

    async fn ask_at(&self, at: SocketAddr, path: &str, key: &str, body: &Value) -> Answer {
        let host = at.to_string();
        // The cookie is named by the port that set it.
        let cookies = self
            .cookies
            .replace(&self.tcp.address.port().to_string(), &at.port().to_string());
        let headers = [
            ("host", host.as_str()),
            ("content-type", "application/json"),
            ("cookie", cookies.as_str()),
            (KEY, key),
        ];
        let stream = TcpStream::connect(at).await.unwrap();
        let opened = send(stream, "POST", path, &headers, &body.to_string()).await;
        Answer::from(opened.text().await)
    }

    /// The names of all tokens there are.
    fn tokens(&self) -> Vec<String> {
        let all = self.tcp.accounts.tokens(&Wanted::default()).unwrap().items;
        all.into_iter().map(|token| token.name).collect()
    }

    /// Serves the same node anew, as after a restart.
    async fn again(&mut self) -> SocketAddr {
        let listener = bind_tcp("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let node = Arc::clone(&self.tcp.node) as Arc<dyn Node>;
        let api = Api::new(node, Arc::clone(&self.tcp.accounts));
        let token = self.tcp.token.clone();
        self.tcp.tasks.spawn(api.serve_tcp(listener, token));
        address
    }
}

#[tokio::test]
async fn what_is_sent_again_is_answered_the_same_and_done_once() {
    let owner = owner().await;
    let first = owner.ask("/api/v1/tokens", "a-1", &token("till")).await;
    assert_eq!(first.status, StatusCode::CREATED, "{}", first.text);
    assert!(!first.headers.contains_key(REPLAYED));
    // Bare or quoted, it is the same key.
    for key in ["a-1", "\"a-1\""] {
        let again = owner.ask("/api/v1/tokens", key, &token("till")).await;
        assert_eq!((again.status, &again.text), (first.status, &first.text));
        assert_eq!(again.headers[REPLAYED], "true");
        assert_eq!(again.headers["content-type"], first.headers["content-type"]);
    }
    assert_eq!(owner.tokens(), ["till"]);
    // What differs, in its body or its path, is another request.
    for (path, body) in [
        ("/api/v1/tokens", token("other")),
        ("/api/v1/vault/seal", token("till")),
    ] {
        let other = owner.ask(path, "a-1", &body).await;
        assert_eq!(
            (other.status, other.code().as_str()),
            (StatusCode::UNPROCESSABLE_ENTITY, "key_reused"),
            "{path}"
        );
    }
    assert_eq!(owner.tokens(), ["till"]);
    let fresh = owner.ask("/api/v1/tokens", "a-2", &token("till")).await;
    assert_eq!(fresh.status, StatusCode::CREATED);
    assert_ne!(fresh.text, first.text);
    assert_eq!(owner.tokens(), ["till", "till"]);
    for key in ["a b", &"k".repeat(256)] {
        let bad = owner.ask("/api/v1/tokens", key, &token("till")).await;
        assert_eq!(
            (bad.status, bad.code().as_str()),
            (StatusCode::BAD_REQUEST, "bad_request")
        );
    }
    assert_eq!(owner.tokens().len(), 2);
}

#[tokio::test]
async fn many_at_once_are_one_and_whoever_went_away_finds_it_done() {
    let owner = owner().await;
    let body = token("till");
    let asked = (0..8).map(|_| owner.ask("/api/v1/tokens", "k", &body));
    let answers = futures::future::join_all(asked).await;
    let texts: BTreeSet<&str> = answers.iter().map(|one| one.text.as_str()).collect();
    assert_eq!(texts.len(), 1, "{texts:?}");
    let replayed = answers
        .iter()
        .filter(|one| one.headers.contains_key(REPLAYED));
    assert_eq!(replayed.count(), 7);
    assert_eq!(owner.tokens(), ["till"]);

    for number in 0..20 {
        let (key, body) = (format!("gone-{number}"), token(&format!("till {number}")));
        let mut stream = TcpStream::connect(owner.tcp.address).await.unwrap();
        let text = body.to_string();
        let request = format!(
            "POST /api/v1/tokens HTTP/1.1\r\nHost: {}\r\nCookie: {}\r\nContent-Type: application/json\r\n{KEY}: {key}\r\nContent-Length: {}\r\n\r\n{text}",
            owner.tcp.address,
            owner.cookies,
            text.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        // Sooner or later in its work.
        tokio::time::sleep(Duration::from_micros(150 * number)).await;
        drop(stream);
        let again = owner.ask("/api/v1/tokens", &key, &body).await;
        assert_eq!(
            again.status,
            StatusCode::CREATED,
            "{number}: {}",
            again.text
        );
    }
    assert_eq!(owner.tokens().len(), 21);
}

#[tokio::test]
async fn what_was_refused_may_be_asked_again_with_the_same_key() {
    let owner = owner().await;
    let cashier = |name: &str| json!({"name": name, "role": "cashier", "password": "a till of my own", "language": "nl"});
    let made = owner.ask("/api/v1/accounts", "k-1", &cashier("kees")).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let taken = owner.ask("/api/v1/accounts", "k-2", &cashier("kees")).await;
    assert_eq!(
        (taken.status, taken.code().as_str()),
        (StatusCode::CONFLICT, "name_taken")
    );
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let gone = owner
        .tcp
        .ask(
            "DELETE",
            &format!("/api/v1/accounts/{id}"),
            &owner.cookies,
            &Value::Null,
        )
        .await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    let now = owner.ask("/api/v1/accounts", "k-2", &cashier("kees")).await;
    assert_eq!(now.status, StatusCode::CREATED, "{}", now.text);
    assert!(!now.headers.contains_key(REPLAYED));
}

#[tokio::test]
async fn after_a_restart_nothing_is_done_twice_and_what_is_uncertain_is_said_to_be() {
    let mut owner = owner().await;
    let body = token("till");
    let first = owner.ask("/api/v1/tokens", "k", &body).await;
    assert_eq!(first.status, StatusCode::CREATED);
    let value = first.json()["value"].as_str().unwrap().to_owned();
    let me = owner.tcp.accounts.tokens(&Wanted::default()).unwrap().items;
    assert_eq!(me.len(), 1);
    let at = owner.again().await;
    let again = owner.ask_at(at, "/api/v1/tokens", "k", &body).await;
    assert_eq!(
        (again.status, again.code().as_str()),
        (StatusCode::CONFLICT, "carried_out")
    );
    // What is shown once is not kept.
    assert!(!again.text.contains(&value));
    // A node that died in between.
    let who = owner
        .tcp
        .ask("GET", "/api/v1/session", &owner.cookies, &Value::Null)
        .await;
    let id = who.json()["account"]["id"].as_str().unwrap().to_owned();
    let begun = owner
        .tcp
        .accounts
        .begin_request(&format!("account {id}"), "died")
        .unwrap();
    assert_eq!(begun, crate::account::Begun::Now);
    let unknown = owner.ask_at(at, "/api/v1/tokens", "died", &body).await;
    assert_eq!(
        (unknown.status, unknown.code().as_str()),
        (StatusCode::CONFLICT, "outcome_unknown")
    );
    assert_eq!(owner.tokens(), ["till"]);
    // A day later it is forgotten.
    owner
        .tcp
        .hands
        .pass(REQUESTS_REMEMBERED + Duration::from_secs(1));
    let forgotten = owner
        .tcp
        .accounts
        .begin_request(&format!("account {id}"), "k")
        .unwrap();
    assert_eq!(forgotten, crate::account::Begun::Now);
}

#[tokio::test]
async fn keys_are_kept_apart_by_who_asks() {
    let tcp = tcp().await;
    tcp.people();
    let owner = tcp.cookie("owner");
    let manager = tcp.cookie("manager");
    let mut said = Vec::new();
    for (cookie, name) in [
        (&owner, "relay of the owner"),
        (&manager, "relay of the manager"),
    ] {
        let host = tcp.address.to_string();
        let headers = [
            ("host", host.as_str()),
            ("content-type", "application/json"),
            ("cookie", cookie.as_str()),
            (KEY, "same"),
        ];
        let body = json!({"language": if name.contains("owner") { "nl" } else { "es" }});
        let stream = TcpStream::connect(tcp.address).await.unwrap();
        let path = "/api/v1/account/language";
        let opened = send(stream, "POST", path, &headers, &body.to_string()).await;
        said.push(Answer::from(opened.text().await));
    }
    assert!(
        said.iter().all(|one| one.status.is_success()),
        "{}",
        said[1].text
    );
}

#[tokio::test]
async fn the_machines_own_keys_hold_too_and_nothing_is_promised_where_nothing_can_be_kept() {
    let unix = unix().await;
    let ask = async |key: &str, language: &str| {
        let stream = UnixStream::connect(&unix.path).await.unwrap();
        let body = json!({"name": "kees", "role": "cashier", "password": "a till of my own", "language": language});
        let headers = [
            ("host", "localhost"),
            ("content-type", "application/json"),
            (KEY, key),
        ];
        let opened = send(
            stream,
            "POST",
            "/api/v1/accounts",
            &headers,
            &body.to_string(),
        )
        .await;
        Answer::from(opened.text().await)
    };
    let first = ask("k", "nl").await;
    assert_eq!(first.status, StatusCode::CREATED, "{}", first.text);
    let again = ask("k", "nl").await;
    assert_eq!((again.status, &again.text), (first.status, &first.text));
    assert_eq!(again.headers[REPLAYED], "true");
    assert_eq!(ask("k", "es").await.code(), "key_reused");
    crate::account::fixture::fail_writes(&unix.accounts, true);
    let refused = ask("fresh", "nl").await;
    assert_eq!(
        refused.status,
        StatusCode::INTERNAL_SERVER_ERROR,
        "{}",
        refused.text
    );
    crate::account::fixture::fail_writes(&unix.accounts, false);
    assert_eq!(ask("fresh", "nl").await.code(), "name_taken");
}
