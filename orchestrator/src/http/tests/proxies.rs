//! Behind a reverse proxy: who is trusted is believed, and nobody else.

use std::net::IpAddr;

use serde_json::Value;
use serde_json::json;

use super::people::Answer;
use super::*;
use crate::http::PROBE;
use crate::http::Proxies;
use crate::http::Public;
use crate::http::Shown;

const NAME: &str = "shop.example";
const VISITOR: &str = "203.0.113.9";
/// As nginx sends them.
const PASSED_ON: [(&str, &str); 3] = [
    ("host", NAME),
    ("x-forwarded-for", VISITOR),
    ("x-forwarded-proto", "https"),
];

/// A node whose proxy is at `proxy`; the tests themselves are at 127.0.0.1.
async fn behind(proxy: &str) -> (Tcp, Arc<Proxies>) {
    let mut tcp = tcp().await;
    let listener = bind_tcp("127.0.0.1:0".parse().unwrap()).await.unwrap();
    tcp.address = listener.local_addr().unwrap();
    let api = Api::new(
        Arc::clone(&tcp.node) as Arc<dyn Node>,
        Arc::clone(&tcp.accounts),
    );
    let proxies = api.proxies();
    proxies.trust(Some(Public {
        name: NAME.to_owned(),
        trusted: vec![proxy.parse::<IpAddr>().unwrap().into()],
    }));
    tcp.tasks.spawn(api.serve_tcp(listener, tcp.token.clone()));
    (tcp, proxies)
}

/// Asks with these headers, of which a later one takes the place of an earlier one.
async fn ask(tcp: &Tcp, method: &str, path: &str, more: &[(&str, &str)], body: &Value) -> Answer {
    let mut headers = vec![("content-type", "application/json")];
    for (name, value) in PASSED_ON.iter().chain(more) {
        headers.retain(|(had, _)| had != name);
        if !value.is_empty() {
            headers.push((name, value));
        }
    }
    let stream = TcpStream::connect(tcp.address).await.unwrap();
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    Answer::from(
        send(stream, method, path, &headers, &body)
            .await
            .text()
            .await,
    )
}

fn wrong() -> Value {
    json!({"name": "olga", "password": "not the password"})
}

#[tokio::test]
async fn a_visitor_is_told_apart_by_what_the_proxy_says_and_keeps_an_encrypted_session() {
    let (tcp, _) = behind("127.0.0.1").await;
    // As long as nobody owns the node, it is read at the machine alone.
    let early = ask(&tcp, "GET", "/api/v1/status", &[], &Value::Null).await;
    assert_eq!(
        (early.status, early.code().as_str()),
        (StatusCode::CONFLICT, "not_set_up")
    );
    let own = tcp.ask("GET", "/api/v1/status", "", &Value::Null).await;
    assert_eq!(own.status, StatusCode::OK);

    let origin = format!("https://{NAME}");
    let body = json!({
        "code": tcp.accounts.set_up_code().unwrap(), "name": "olga",
        "password": "four plain old words", "language": "en",
    });
    let entered = ask(
        &tcp,
        "POST",
        "/api/v1/set-up",
        &[("origin", &origin)],
        &body,
    )
    .await;
    assert_eq!(entered.status, StatusCode::CREATED, "{}", entered.text);
    for cookie in entered.headers.get_all("set-cookie") {
        assert!(cookie.to_str().unwrap().ends_with("; Secure"), "{cookie:?}");
    }
    let cookies = entered.cookies();
    let mine = [("cookie", cookies.as_str())];
    let sessions = ask(&tcp, "GET", "/api/v1/sessions", &mine, &Value::Null).await;
    assert_eq!(
        sessions.json()["items"][0]["from"],
        VISITOR,
        "{}",
        sessions.text
    );

    // Somebody who guesses is held up, whatever they write before what the proxy adds; another visitor is not.
    let mut last = String::new();
    for number in 0..8 {
        let list = format!("198.51.100.{number}, 203.0.113.66");
        let guess = [("x-forwarded-for", list.as_str())];
        last = ask(&tcp, "POST", "/api/v1/session", &guess, &wrong())
            .await
            .code();
    }
    assert_eq!(last, "too_many_attempts");
    let elsewhere = [("x-forwarded-for", "203.0.113.67")];
    let other = ask(&tcp, "POST", "/api/v1/session", &elsewhere, &wrong()).await;
    assert_eq!(other.code(), "wrong_credentials");
}

#[tokio::test]
async fn what_comes_unencrypted_under_another_name_or_from_another_page_is_refused() {
    let (tcp, _) = behind("127.0.0.1").await;
    for proto in ["http", "", "https, http"] {
        let answer = ask(
            &tcp,
            "GET",
            "/services",
            &[("x-forwarded-proto", proto)],
            &Value::Null,
        )
        .await;
        assert_eq!(answer.status, StatusCode::PERMANENT_REDIRECT, "{proto}");
        assert_eq!(answer.headers["location"], format!("https://{NAME}/"));
        assert_eq!(answer.text, "");
    }
    let evil = format!("http://{NAME}");
    for (name, value, code) in [
        ("host", "evil.example", "host"),
        ("x-forwarded-host", "evil.example", "host"),
        // The machine's own names are not the proxy's.
        ("host", "127.0.0.1", "host"),
        ("origin", "https://evil.example", "origin"),
        ("origin", &evil, "origin"),
        ("sec-fetch-site", "cross-site", "cross_site"),
    ] {
        let answer = ask(
            &tcp,
            "GET",
            "/api/v1/session",
            &[(name, value)],
            &Value::Null,
        )
        .await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (StatusCode::FORBIDDEN, code),
            "{name}: {value}"
        );
    }
    // A proxy that writes its own name over `Host` says which one was asked for.
    let own = tcp.address.to_string();
    let told = [("host", own.as_str()), ("x-forwarded-host", NAME)];
    let answer = ask(&tcp, "GET", "/api/v1/session", &told, &Value::Null).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
}

#[tokio::test]
async fn whoever_is_not_trusted_is_not_believed_and_not_taken_for_a_neighbour() {
    let (tcp, _) = behind("10.9.9.9").await;
    let own = tcp.address.to_string();
    let at_home = [("host", own.as_str())];
    let named = ask(&tcp, "GET", "/api/v1/session", &[], &Value::Null).await;
    assert_eq!(named.code(), "host");
    for one in [
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-forwarded-host",
        "forwarded",
    ] {
        let mut headers = vec![
            at_home[0],
            ("x-forwarded-for", ""),
            ("x-forwarded-proto", ""),
        ];
        headers.push((one, "for=127.0.0.1"));
        let answer = ask(&tcp, "GET", "/api/v1/status", &headers, &Value::Null).await;
        assert_eq!(answer.code(), "not_set_up", "{one}");
    }
    tcp.set_up().await;
    let mut codes = Vec::new();
    for number in 0..8 {
        let from = format!("203.0.113.{number}");
        let headers = [at_home[0], ("x-forwarded-for", from.as_str())];
        codes.push(
            ask(&tcp, "POST", "/api/v1/session", &headers, &wrong())
                .await
                .code(),
        );
    }
    assert_eq!(codes[7], "too_many_attempts", "{codes:?}");
}

#[tokio::test]
async fn a_try_of_the_nodes_own_shows_what_a_proxy_lacks() {
    let own = |tcp: &Tcp| tcp.address.to_string();
    for (proxy, more, shown) in [
        ("127.0.0.1", vec![], Some(Shown::Well)),
        (
            "127.0.0.1",
            vec![("x-forwarded-proto", "http")],
            Some(Shown::NotEncrypted),
        ),
        ("127.0.0.1", vec![("host", "OWN")], Some(Shown::OtherName)),
        (
            "127.0.0.1",
            vec![("host", "OWN"), ("x-forwarded-for", "")],
            Some(Shown::Unmarked),
        ),
        (
            "10.9.9.9",
            vec![],
            Some(Shown::NotTrusted("127.0.0.1".parse().unwrap())),
        ),
        (
            "10.9.9.9",
            vec![("x-forwarded-for", ""), ("x-forwarded-proto", "")],
            Some(Shown::Unmarked),
        ),
        ("127.0.0.1", vec![(PROBE, "another")], None),
    ] {
        let (tcp, proxies) = behind(proxy).await;
        proxies.probe("secret".to_owned());
        let host = own(&tcp);
        let mut headers = vec![(PROBE, "secret")];
        headers.extend(
            more.iter()
                .map(|(name, value)| (*name, value.replace("OWN", &host)))
                .map(|(name, value)| (name, &*value.leak())),
        );
        ask(&tcp, "GET", "/api/v1/session", &headers, &Value::Null).await;
        assert_eq!(proxies.shown(), shown, "{proxy} {more:?}");
        assert_eq!(proxies.came().is_some(), shown.is_none(), "{more:?}");
        // Another name forgets what was seen.
        proxies.trust(None);
        assert_eq!((proxies.shown(), proxies.came()), (None, None));
    }
}

#[tokio::test]
async fn what_follows_is_not_gathered_by_a_proxy_before_it_is_passed_on() {
    let (tcp, _) = behind("127.0.0.1").await;
    let entered = tcp.set_up().await;
    let cookies = entered.cookies();
    for path in [
        "/api/v1/events?tail=1&follow=false",
        "/api/v1/services/relay/logs?tail=1",
    ] {
        let answer = ask(&tcp, "GET", path, &[("cookie", &cookies)], &Value::Null).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        assert_eq!(answer.headers["x-accel-buffering"], "no", "{path}");
    }
}
