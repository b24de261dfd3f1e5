//! Passkeys over HTTP: only by a name, bound to the session, and never a session that was there before.

use serde_json::Value;
use serde_json::json;

use super::people::Answer;
use super::*;
use crate::account::Authenticator;
use crate::account::CONFIRMED;

impl Tcp {
    /// Asks by the node's name, as a page at that name does.
    async fn by_name(&self, method: &str, path: &str, cookies: &str, body: &Value) -> Answer {
        let host = format!("localhost:{}", self.address.port());
        let origin = format!("http://{host}");
        let page = [("host", host.as_str()), ("origin", origin.as_str())];
        self.ask_as(method, path, &page, cookies, body).await
    }

    fn authenticator(&self) -> Authenticator {
        let origin = format!("http://localhost:{}", self.address.port());
        Authenticator::at(&origin, "localhost")
    }

    async fn add(&self, cookies: &str, with: &mut Authenticator) -> Answer {
        let path = "/api/v1/account/passkeys";
        let begin = format!("{path}/begin");
        let begun = self.by_name("POST", &begin, cookies, &Value::Null).await;
        assert_eq!(begun.status, StatusCode::OK, "{}", begun.text);
        let begun = begun.json();
        let body = json!({
            "ceremony": begun["ceremony"], "label": "my phone",
            "credential": with.create(&begun["options"]),
        });
        self.by_name("POST", path, cookies, &body).await
    }

    /// Shows a passkey where it is asked for, at `path`.
    async fn show(&self, path: &str, cookies: &str, with: &mut Authenticator) -> Answer {
        let begin = format!("{path}/begin");
        let begun = self.by_name("POST", &begin, cookies, &Value::Null).await;
        assert_eq!(begun.status, StatusCode::OK, "{}", begun.text);
        let begun = begun.json();
        let body = json!({
            "ceremony": begun["ceremony"], "credential": with.get(&begun["options"]),
        });
        self.by_name("POST", path, cookies, &body).await
    }
}

#[tokio::test]
async fn by_the_nodes_name_a_passkey_is_added_signs_in_and_confirms() {
    let server = tcp().await;
    let cookies = server.set_up().await.cookies();
    let mut mine = server.authenticator();
    let added = server.add(&cookies, &mut mine).await;
    assert_eq!(added.status, StatusCode::CREATED, "{}", added.text);
    assert_eq!(added.json()["site"], "localhost");
    let out = server.by_name("DELETE", "/api/v1/session", &cookies, &Value::Null);
    assert_eq!(out.await.status, StatusCode::NO_CONTENT);

    // A session that somebody fixed beforehand is never taken.
    let name = format!("flash_session_{}", server.address.port());
    let fixed = format!("{name}={}", "ab".repeat(32));
    let entered = server
        .show("/api/v1/session/passkey", &fixed, &mut mine)
        .await;
    assert_eq!(entered.status, StatusCode::OK, "{}", entered.text);
    let view = entered.json();
    assert_eq!(view["stage"], "signed_in");
    assert_eq!(view["passkey_name"], "localhost");
    assert_eq!(view["account"]["passkey_names"], json!(["localhost"]));
    let cookies = entered.cookies();
    assert!(!cookies.contains(&"ab".repeat(32)));

    server.hands.pass(CONFIRMED);
    let list = server.by_name("GET", "/api/v1/account/passkeys", &cookies, &Value::Null);
    let id = list.await.json()["items"][0]["id"].clone();
    let one = format!("/api/v1/account/passkeys/{}", id.as_str().unwrap());
    let late = server.by_name("DELETE", &one, &cookies, &Value::Null).await;
    assert_eq!(late.code(), "confirm_needed");
    let begin = "/api/v1/account/passkeys/begin";
    let late = server.by_name("POST", begin, &cookies, &Value::Null).await;
    assert_eq!(late.code(), "confirm_needed");
    let confirmed = server
        .show("/api/v1/session/confirm/passkey", &cookies, &mut mine)
        .await;
    assert_eq!(confirmed.status, StatusCode::OK, "{}", confirmed.text);
    let renewed = confirmed.cookies();
    let old = server.by_name("DELETE", &one, &cookies, &Value::Null).await;
    assert_eq!(old.code(), "signed_out");
    let gone = server.by_name("DELETE", &one, &renewed, &Value::Null).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT, "{}", gone.text);
    let entered = server.show("/api/v1/session/passkey", "", &mut mine).await;
    assert_eq!(
        (entered.status, entered.code().as_str()),
        (StatusCode::UNAUTHORIZED, "wrong_passkey")
    );
}

#[tokio::test]
async fn by_an_address_everything_about_passkeys_is_refused_and_the_page_is_told_so() {
    let server = tcp().await;
    let cookies = server.set_up().await.cookies();
    let view = server
        .ask("GET", "/api/v1/session", &cookies, &Value::Null)
        .await;
    assert_eq!(view.json()["passkey_name"], Value::Null);
    let empty = json!({"ceremony": "", "label": "", "credential": {}});
    let shown = json!({"ceremony": "", "credential": {}});
    for (path, body) in [
        ("account/passkeys/begin", &Value::Null),
        ("account/passkeys", &empty),
        ("session/passkey/begin", &Value::Null),
        ("session/passkey", &shown),
        ("session/confirm/passkey/begin", &Value::Null),
        ("session/confirm/passkey", &shown),
    ] {
        let path = format!("/api/v1/{path}");
        let answer = server.ask("POST", &path, &cookies, body).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (StatusCode::CONFLICT, "no_name"),
            "{path}"
        );
    }
    // What is there is listed and deleted all the same.
    let mut mine = server.authenticator();
    let added = server.add(&cookies, &mut mine).await.json();
    let path = format!("/api/v1/account/passkeys/{}", added["id"].as_str().unwrap());
    let gone = server.ask("DELETE", &path, &cookies, &Value::Null).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT, "{}", gone.text);
}

#[tokio::test]
async fn whoever_claims_to_be_passed_on_and_is_not_believed_has_no_name() {
    let server = tcp().await;
    server.set_up().await;
    let host = format!("localhost:{}", server.address.port());
    let headers = [("host", host.as_str()), ("x-forwarded-proto", "https")];
    let answer = server
        .ask_with("POST", "/api/v1/session/passkey/begin", &headers, "")
        .await;
    assert_eq!(answer.code(), "no_name");
}
