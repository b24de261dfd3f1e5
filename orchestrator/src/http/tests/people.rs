//! What people may do over TCP, and what strangers may not.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;
use serde_json::json;

use axum::response::IntoResponse;

use super::*;
use crate::account::AccountError;
use crate::account::CONFIRMED;
use crate::account::Credentials;
use crate::account::NewAccount;
use crate::account::NewOwner;
use crate::account::NewToken;
use crate::account::Origin;
use crate::account::Principal;
use crate::account::Role;
use crate::account::Wanted;
use crate::account::fixture::fail_writes;
use crate::http::error::ApiError;
use crate::secret::SecretBytes;
use crate::store::StoreError;

const PASSWORD: &str = "four plain old words";

fn secret(text: &str) -> SecretBytes {
    SecretBytes::from(text.to_owned())
}

/// One answer.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl From<(StatusCode, HeaderMap, String)> for Answer {
    fn from((status, headers, text): (StatusCode, HeaderMap, String)) -> Self {
        Self {
            status,
            headers,
            text,
        }
    }
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    pub(super) fn code(&self) -> String {
        error(&self.text).code
    }

    /// The cookies that a browser would send back.
    pub(super) fn cookies(&self) -> String {
        let all: Vec<&str> = self
            .headers
            .get_all("set-cookie")
            .iter()
            .map(|line| line.to_str().unwrap().split(';').next().unwrap())
            .collect();
        all.join("; ")
    }
}

impl Tcp {
    pub(super) async fn ask(
        &self,
        method: &str,
        path: &str,
        cookies: &str,
        body: &Value,
    ) -> Answer {
        let host = self.address.to_string();
        self.ask_as(method, path, &[("host", host.as_str())], cookies, body)
            .await
    }

    /// Asks with these headers beside those that every request with cookies and a body of JSON carries.
    pub(super) async fn ask_as(
        &self,
        method: &str,
        path: &str,
        who: &[(&str, &str)],
        cookies: &str,
        body: &Value,
    ) -> Answer {
        let mut headers = who.to_vec();
        headers.push(("content-type", "application/json"));
        if !cookies.is_empty() {
            headers.push(("cookie", cookies));
        }
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        self.ask_with(method, path, &headers, &body).await
    }

    pub(super) async fn ask_with(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let opened = send(stream, method, path, headers, body).await;
        Answer::from(opened.text().await)
    }

    pub(super) async fn set_up(&self) -> Answer {
        let code = self.accounts.set_up_code().unwrap();
        let body = json!({"code": code, "name": "olga", "password": PASSWORD, "language": "en"});
        self.ask("POST", "/api/v1/set-up", "", &body).await
    }

    async fn sign_in(&self, name: &str, password: &str, cookies: &str) -> Answer {
        let body = json!({"name": name, "password": password});
        self.ask("POST", "/api/v1/session", cookies, &body).await
    }

    /// Makes an owner and one person of every other role, each called by it.
    pub(super) fn people(&self) {
        let code = self.accounts.set_up_code().unwrap();
        let owner = NewOwner {
            code: secret(&code),
            name: "owner".to_owned(),
            password: secret(PASSWORD),
            language: "en".to_owned(),
        };
        let entered = self.accounts.set_up(owner, &Origin::default()).unwrap();
        let by = Principal::Person(entered.signed_in);
        for role in [Role::Manager, Role::Cashier, Role::Auditor] {
            let new = NewAccount {
                name: role.as_str().to_owned(),
                role,
                password: secret(PASSWORD),
                language: "en".to_owned(),
            };
            self.accounts.add_account(&by, new).unwrap();
        }
    }

    /// Signs somebody in, and returns the cookie.
    pub(super) fn cookie(&self, name: &str) -> String {
        let with = Credentials {
            name: name.to_owned(),
            password: secret(PASSWORD),
            second_factor: None,
        };
        let entered = self.accounts.sign_in(&with, &Origin::default()).unwrap();
        let value = entered.value.expose_text().unwrap();
        format!("flash_session_{}={value}", self.address.port())
    }
}

/// A body that a route understands, where what it does matters: refused only for who asks.
fn body_for(path: &str) -> Value {
    let image = format!("sha256:{}", "0".repeat(64));
    match path {
        "/api/v1/access" => json!({"lan": false}),
        "/api/v1/advisories" => json!({"text": "", "signature": ""}),
        "/api/v1/rotate" => json!({"edges": []}),
        "/api/v1/services/{id}/image" => json!({"image": image}),
        "/api/v1/services/{id}/settings/{name}" => json!({"value": "shop"}),
        "/api/v1/settings" => {
            json!({"changes": [{"service": "mint", "setting": "name", "value": "shop"}]})
        }
        "/api/v1/services/{id}/purge" => json!({"confirm": "nobody"}),
        "/api/v1/vault/passphrase" => json!({"current": null, "new": "a new passphrase"}),
        _ => json!({}),
    }
}

/// What a principal is told at a route.
fn verdict(answer: &Answer) -> &'static str {
    match answer.status {
        StatusCode::UNAUTHORIZED => "sign in",
        StatusCode::FORBIDDEN => match answer.code().as_str() {
            "confirm_needed" => "confirm",
            "not_allowed" => "-",
            _ => "yes",
        },
        _ => "yes",
    }
}

#[tokio::test]
async fn each_role_may_what_the_table_says() {
    let server = tcp().await;
    server.people();
    let mut table = format!(
        "{:<7}{:<45}{:<9}{:<9}{:<9}{:<9}{:<9}{}\n",
        "", "", "nobody", "owner", "manager", "cashier", "auditor", "program (owner's)"
    );
    let token = NewToken {
        name: "app".to_owned(),
        role: Role::Owner,
        days: 300,
    };
    let owner = server
        .accounts
        .person(server.cookie("owner").split_once('=').unwrap().1)
        .unwrap()
        .expect("the owner is signed in");
    let (value, _) = server.accounts.add_token(&owner, &token).unwrap();
    let bearer = format!("Bearer {}", value.expose_text().unwrap());
    let host = server.address.to_string();
    for (method, path, access) in access::TABLE {
        // What ends the stream, or the server, at once.
        let asked = path.replace("{id}", "nobody").replace("{name}", "name");
        let asked = match asked.as_str() {
            "/api/v1/events" => format!("{asked}?follow=false"),
            _ => asked,
        };
        let mut row = format!("{method:<7}{path:<45}");
        for name in ["", "owner", "manager", "cashier", "auditor"] {
            let cookie = match name {
                "" => String::new(),
                name => server.cookie(name),
            };
            // Nobody has just shown the password: what matters is refused, and nothing of it is done.
            server.hands.pass(CONFIRMED);
            let answer = server.ask(method, &asked, &cookie, &body_for(path)).await;
            assert_ne!(
                answer.status,
                StatusCode::METHOD_NOT_ALLOWED,
                "{method} {path}"
            );
            assert!(
                !answer.status.is_server_error(),
                "{method} {path}: {}",
                answer.text
            );
            write!(row, "{:<9}", verdict(&answer)).unwrap();
        }
        let headers = [
            ("host", host.as_str()),
            ("content-type", "application/json"),
            ("authorization", bearer.as_str()),
        ];
        let body = body_for(path).to_string();
        let program = server.ask_with(method, &asked, &headers, &body).await;
        writeln!(table, "{row}{}", verdict(&program)).unwrap();

        // Where only the plan is wanted, neither is asked for a password.
        if matches!(access, access::Access::ConfirmedUnlessDry(_)) {
            let mut body = body_for(path);
            body["dry_run"] = json!(true);
            let owners = server
                .ask(method, &asked, &server.cookie("owner"), &body)
                .await;
            assert_eq!(verdict(&owners), "yes", "{method} {path}: {}", owners.text);
            let body = body.to_string();
            let program = server.ask_with(method, &asked, &headers, &body).await;
            assert_eq!(
                verdict(&program),
                "yes",
                "{method} {path}: {}",
                program.text
            );
        }
    }
    insta::with_settings!({ snapshot_path => "../snapshots", prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("roles", table);
    });
}

#[test]
fn every_route_of_the_document_stands_in_the_table_and_every_line_in_the_document() {
    let document: Value = serde_json::from_str(&super::super::openapi_document()).unwrap();
    let mut documented = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            if operation["tags"] != json!(["local-only"]) {
                documented.push(format!("{} {path}", method.to_uppercase()));
            }
        }
    }
    let mut listed: Vec<String> = access::TABLE
        .iter()
        .filter(|(_, path, _)| *path != "/")
        .map(|(method, path, _)| format!("{method} {path}"))
        .collect();
    documented.sort();
    listed.sort();
    assert_eq!(documented, listed);
}

/// The router cannot be asked for its routes: they are read from where they are written.
#[test]
fn every_path_of_the_router_stands_in_the_table_or_belongs_to_the_machine_alone() {
    let written = include_str!("../router.rs");
    let mut paths: Vec<&str> = written
        .split(".route(")
        .skip(1)
        .map(|rest| rest.split('"').nth(1).expect("a path"))
        .collect();
    assert!(paths.len() > 50, "{paths:?}");
    let document: Value = serde_json::from_str(&super::super::openapi_document()).unwrap();
    let local = |path: &str| {
        let mut operations = document["paths"][path].as_object().into_iter().flatten();
        operations.all(|(_, operation)| operation["tags"] == json!(["local-only"]))
            && document["paths"][path].is_object()
    };
    paths.retain(|path| !local(path));
    let paths: BTreeSet<&str> = paths.into_iter().collect();
    let listed: BTreeSet<&str> = access::TABLE.iter().map(|(_, path, _)| *path).collect();
    assert_eq!(paths, listed);
}

#[tokio::test]
async fn a_new_owner_is_signed_in_by_a_cookie_that_scripts_and_other_sites_never_see() {
    let server = tcp().await;
    let before = server.ask("GET", "/api/v1/session", "", &Value::Null).await;
    assert_eq!(before.json()["stage"], "set_up");
    let made = server.set_up().await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    assert_eq!(made.json()["stage"], "signed_in");
    for line in made.headers.get_all("set-cookie") {
        let line = line.to_str().unwrap();
        assert!(line.contains("; HttpOnly; SameSite=Strict; "), "{line}");
    }
    let cookies = made.cookies();
    let view = server
        .ask("GET", "/api/v1/session", &cookies, &Value::Null)
        .await;
    assert_eq!(view.json()["account"]["name"], "olga");
    // From now on nobody reads without signing in.
    let read = server.ask("GET", "/api/v1/status", "", &Value::Null).await;
    assert_eq!(
        (read.status, read.code().as_str()),
        (StatusCode::UNAUTHORIZED, "signed_out")
    );
    let read = server
        .ask("GET", "/api/v1/status", &cookies, &Value::Null)
        .await;
    assert_eq!(read.status, StatusCode::OK);
    let out = server
        .ask("DELETE", "/api/v1/session", &cookies, &Value::Null)
        .await;
    assert_eq!(out.status, StatusCode::NO_CONTENT);
    let read = server
        .ask("GET", "/api/v1/status", &cookies, &Value::Null)
        .await;
    assert_eq!(read.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_stranger_who_races_the_set_up_is_refused() {
    let server = Arc::new(tcp().await);
    let code = server.accounts.set_up_code().unwrap();
    let mut tries = JoinSet::new();
    // As many as one place has before it waits: each is looked at.
    for number in 0..4 {
        let (server, code) = (Arc::clone(&server), code.clone());
        tries.spawn(async move {
            let code = if number % 2 == 0 {
                code
            } else {
                "0000-0000-0000".to_owned()
            };
            let name = format!("owner {number}");
            let body = json!({"code": code, "name": name, "password": PASSWORD, "language": "en"});
            let answer = server.ask("POST", "/api/v1/set-up", "", &body).await;
            let told = (answer.status != StatusCode::CREATED).then(|| answer.code());
            (number, told)
        });
    }
    let mut made = Vec::new();
    while let Some(ended) = tries.join_next().await {
        match ended.unwrap() {
            (number, None) => made.push(number),
            // The code is spent with the first: who comes second may be told either.
            (_, Some(code)) => assert!(
                ["already_set_up", "wrong_setup_code"].contains(&code.as_str()),
                "{code}"
            ),
        }
    }
    assert_eq!(made.len(), 1, "{made:?} own the node");
    assert_eq!(made[0] % 2, 0, "a stranger owns the node");
    let known = server.accounts.accounts(&Wanted::default()).unwrap().items;
    assert_eq!(known.len(), 1);
    assert_eq!(known[0].name, format!("owner {}", made[0]));
}

#[tokio::test]
async fn brute_force_is_told_to_wait_and_the_owners_browser_is_not() {
    let server = tcp().await;
    let known = server.set_up().await.cookies();
    let mut codes = Vec::new();
    for _ in 0..12 {
        let answer = server.sign_in("olga", "not the password", "").await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            let wait = answer.headers["retry-after"].to_str().unwrap();
            assert!(wait.parse::<u64>().unwrap() >= 1);
        }
        codes.push(answer.code());
    }
    assert_eq!(codes[..4], ["wrong_credentials"; 4]);
    assert!(
        codes[4..].iter().all(|code| code == "too_many_attempts"),
        "{codes:?}"
    );
    let stranger = server.sign_in("olga", PASSWORD, "").await;
    assert_eq!(stranger.status, StatusCode::TOO_MANY_REQUESTS);
    let owner = server.sign_in("olga", PASSWORD, &known).await;
    assert_eq!(owner.status, StatusCode::OK, "{}", owner.text);
}

#[tokio::test]
async fn a_session_that_somebody_fixed_beforehand_is_never_taken() {
    let server = tcp().await;
    server.set_up().await;
    let name = format!("flash_session_{}", server.address.port());
    let fixed = format!("{name}={}", "ab".repeat(32));
    let answer = server.sign_in("olga", PASSWORD, &fixed).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(
        !answer.cookies().contains(&"ab".repeat(32)),
        "the value was taken over"
    );
    let read = server
        .ask("GET", "/api/v1/status", &fixed, &Value::Null)
        .await;
    assert_eq!(read.status, StatusCode::UNAUTHORIZED);
    // Nor is one that somebody else really has: it stays theirs.
    let new = NewAccount {
        name: "mia".to_owned(),
        role: Role::Manager,
        password: secret(PASSWORD),
        language: "en".to_owned(),
    };
    server
        .accounts
        .add_account(&Principal::Machine, new)
        .unwrap();
    let mias = server.cookie("mia");
    let beside = server.sign_in("olga", PASSWORD, &mias).await;
    assert_eq!(beside.status, StatusCode::OK);
    assert!(!beside.cookies().contains(&mias), "her session was taken");
    for (cookies, name) in [(mias, "mia"), (beside.cookies(), "olga")] {
        let view = server
            .ask("GET", "/api/v1/session", &cookies, &Value::Null)
            .await;
        assert_eq!(view.json()["account"]["name"], name);
    }
    // Signing in again, and confirming, give another value each time.
    let mut seen = vec![answer.cookies()];
    let again = server.sign_in("olga", PASSWORD, &answer.cookies()).await;
    seen.push(again.cookies());
    let body = json!({"password": PASSWORD});
    let renewed = server
        .ask("POST", "/api/v1/session/confirm", &again.cookies(), &body)
        .await;
    assert_eq!(renewed.status, StatusCode::OK, "{}", renewed.text);
    seen.push(renewed.cookies());
    let old = server
        .ask("GET", "/api/v1/status", &again.cookies(), &Value::Null)
        .await;
    assert_eq!(
        old.status,
        StatusCode::UNAUTHORIZED,
        "the value before the confirmation"
    );
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 3);
}

#[tokio::test]
async fn what_a_foreign_page_sends_with_the_cookie_is_refused() {
    let server = tcp().await;
    let cookies = server.set_up().await.cookies();
    let host = server.address.to_string();
    let own = format!("http://{host}");
    let form = "application/x-www-form-urlencoded";
    for (origin, site, kind, host, code) in [
        (
            Some("http://evil.example"),
            None,
            "application/json",
            &*host,
            "origin",
        ),
        (Some("null"), None, "application/json", &*host, "origin"),
        (
            Some(&*own),
            Some("cross-site"),
            "application/json",
            &*host,
            "cross_site",
        ),
        (
            Some(&*own),
            Some("same-site"),
            "application/json",
            &*host,
            "cross_site",
        ),
        // DNS rebinding: the page's own name leads here.
        (
            Some("http://evil.example:80"),
            Some("same-origin"),
            "application/json",
            "evil.example:80",
            "host",
        ),
        // A form needs no permission of another origin, and is never understood.
        (None, None, form, &*host, "not_json"),
        (None, None, "text/plain", &*host, "not_json"),
    ] {
        let mut headers = vec![
            ("host", host),
            ("content-type", kind),
            ("cookie", cookies.as_str()),
        ];
        headers.extend(origin.map(|origin| ("origin", origin)));
        headers.extend(site.map(|site| ("sec-fetch-site", site)));
        let path = "/api/v1/services/relay/settings/name";
        let body = json!({"value": "taken over"}).to_string();
        let answer = server.ask_with("POST", path, &headers, &body).await;
        assert!(answer.status.is_client_error());
        assert_eq!(answer.code(), code, "{origin:?} {site:?} {kind}");
    }
    assert_eq!(server.node.setting("relay", "name"), None);
}

#[tokio::test]
async fn forwarded_headers_of_strangers_change_nothing() {
    let server = tcp().await;
    server.set_up().await;
    let host = server.address.to_string();
    let body = json!({"name": "olga", "password": "not the password"}).to_string();
    let mut codes = Vec::new();
    for number in 0..8 {
        // Each pretends to come from somewhere else, to have a lane of its own.
        let from = format!("203.0.113.{number}");
        let forwarded = format!("for={from}");
        let headers = [
            ("host", host.as_str()),
            ("content-type", "application/json"),
            ("x-forwarded-for", from.as_str()),
            ("x-real-ip", from.as_str()),
            ("forwarded", forwarded.as_str()),
            ("x-forwarded-host", "evil.example"),
        ];
        codes.push(
            server
                .ask_with("POST", "/api/v1/session", &headers, &body)
                .await
                .code(),
        );
    }
    assert_eq!(codes[7], "too_many_attempts", "{codes:?}");
    let rows = server.accounts.audit_log(None, 100).unwrap();
    assert!(
        rows.iter().all(|row| !row.text.contains("203.0.113")),
        "{rows:?}"
    );
}

#[tokio::test]
async fn a_cashier_sees_whether_the_shop_is_open_and_nothing_else_of_the_node() {
    let server = tcp().await;
    server.people();
    let cookie = server.cookie("cashier");
    let shop = server
        .ask("GET", "/api/v1/shop", &cookie, &Value::Null)
        .await;
    assert_eq!(shop.json()["open"], true);
    for path in [
        "/api/v1/status",
        "/api/v1/services/relay/logs",
        "/api/v1/accounts",
        "/metrics",
        "/api/v1/audit-log",
    ] {
        let answer = server.ask("GET", path, &cookie, &Value::Null).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (StatusCode::FORBIDDEN, "not_allowed"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn who_is_not_signed_in_has_nothing_to_try_at_an_open_vault_whoever_owns_the_node() {
    let server = tcp().await;
    let guess = json!({"passphrase": "a guess"});
    let path = "/api/v1/vault/unlock";
    let refused = server.ask("POST", path, "", &guess).await;
    assert_eq!(refused.code(), "not_set_up", "{}", refused.text);
    server.people();
    let refused = server.ask("POST", path, "", &guess).await;
    assert_eq!(refused.code(), "signed_out", "{}", refused.text);
}

#[tokio::test]
async fn a_till_with_a_key_of_its_own_sees_whether_the_shop_is_open_and_no_more_than_a_cashier() {
    let server = tcp().await;
    server.people();
    let cookie = server.cookie("owner");
    let body = json!({"name": "till", "role": "cashier", "expires_in_days": 30});
    let made = server.ask("POST", "/api/v1/tokens", &cookie, &body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let made = made.json();
    let bearer = format!("Bearer {}", made["value"].as_str().unwrap());
    let host = server.address.to_string();
    let headers = [("host", host.as_str()), ("authorization", bearer.as_str())];
    let shop = server.ask_with("GET", "/api/v1/shop", &headers, "").await;
    assert_eq!(shop.json()["open"], true, "{}", shop.text);
    for path in [
        "/api/v1/status",
        "/api/v1/sessions",
        "/api/v1/tokens",
        "/metrics",
    ] {
        let answer = server.ask_with("GET", path, &headers, "").await;
        assert_eq!(answer.code(), "not_allowed", "{path}");
    }
}

#[tokio::test]
async fn what_matters_asks_for_the_password_again_and_stands_in_the_audit_log() {
    let server = tcp().await;
    server.people();
    let cookie = server.cookie("manager");
    server.hands.pass(CONFIRMED);
    let refused = server
        .ask("POST", "/api/v1/services/relay/remove", &cookie, &json!({}))
        .await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (StatusCode::FORBIDDEN, "confirm_needed")
    );
    // What only shows a plan does not.
    let body = json!({"value": "shop", "dry_run": true});
    let shown = server
        .ask(
            "POST",
            "/api/v1/services/relay/settings/name",
            &cookie,
            &body,
        )
        .await;
    assert_eq!(shown.status, StatusCode::OK, "{}", shown.text);
    let body = json!({"password": PASSWORD});
    let renewed = server
        .ask("POST", "/api/v1/session/confirm", &cookie, &body)
        .await;
    let done = server
        .ask(
            "POST",
            "/api/v1/services/relay/remove",
            &renewed.cookies(),
            &json!({}),
        )
        .await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.text);
    let log = server
        .ask(
            "GET",
            "/api/v1/audit-log?limit=1",
            &server.cookie("auditor"),
            &Value::Null,
        )
        .await;
    // The auditor's own sign-in is the newest row.
    assert_eq!(log.json()["items"][0]["action"], "signed_in");
    let next = log.json()["next"].clone();
    let log = server
        .ask(
            "GET",
            &format!("/api/v1/audit-log?limit=1&before={next}"),
            &server.cookie("auditor"),
            &Value::Null,
        )
        .await;
    let row = &log.json()["items"][0];
    assert_eq!(
        (row["actor"].as_str(), row["action"].as_str()),
        (Some("manager"), Some("remove"))
    );
    let verdict = server
        .ask(
            "POST",
            "/api/v1/audit-log/verify",
            &server.cookie("auditor"),
            &json!({}),
        )
        .await;
    assert_eq!(verdict.json()["intact"], true);
}

#[tokio::test]
async fn a_disk_that_takes_nothing_refuses_changes_and_lets_people_look_stop_and_seal() {
    let server = tcp().await;
    server.people();
    let cookie = server.cookie("owner");
    let body = json!({"new": PASSWORD});
    let path = "/api/v1/vault/passphrase";
    let set = server.ask("POST", path, &cookie, &body).await;
    assert_eq!(set.status, StatusCode::OK, "{}", set.text);
    // Long enough for its use to be written down again.
    server.hands.pass(CONFIRMED / 2);
    fail_writes(&server.accounts, true);
    let status = server
        .ask("GET", "/api/v1/status", &cookie, &Value::Null)
        .await;
    assert_eq!(status.status, StatusCode::OK, "{}", status.text);
    let body = json!({"value": "shop"});
    let path = "/api/v1/services/relay/settings/name";
    let refused = server.ask("POST", path, &cookie, &body).await;
    assert_eq!(refused.code(), "internal");
    assert_eq!(server.node.setting("relay", "name"), None);
    let unlock = json!({"passphrase": PASSWORD});
    for (path, body) in [
        ("/api/v1/vault/unlock", unlock),
        ("/api/v1/vault/seal", json!({})),
        ("/api/v1/down", json!({})),
    ] {
        let done = server.ask("POST", path, &cookie, &body).await;
        assert_eq!(done.status, StatusCode::OK, "{path}: {}", done.text);
    }
}

#[tokio::test]
async fn a_full_disk_is_named_without_its_path() {
    let path = PathBuf::from("/somewhere/vault.db");
    let full = AccountError::Store(StoreError::DiskFull { path });
    let answer = ApiError::from(full).into_response();
    assert_eq!(answer.status(), StatusCode::CONFLICT);
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8(body.to_vec()).unwrap();
    assert_eq!(error(&text).code, "disk_full");
    assert!(
        text.contains("no space is left") && !text.contains("/somewhere"),
        "{text}"
    );
}

#[tokio::test]
async fn a_token_is_shown_once_and_is_no_person() {
    let server = tcp().await;
    server.people();
    let cookie = server.cookie("owner");
    let body = json!({"name": "grafana", "role": "auditor", "expires_in_days": 30});
    let made = server.ask("POST", "/api/v1/tokens", &cookie, &body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let value = made.json()["value"].as_str().unwrap().to_owned();
    let list = server
        .ask("GET", "/api/v1/tokens", &cookie, &Value::Null)
        .await;
    assert!(!list.text.contains(&value) && list.text.contains("grafana"));
    let host = server.address.to_string();
    let bearer = format!("Bearer {value}");
    let headers = [("host", host.as_str()), ("authorization", bearer.as_str())];
    let metrics = server.ask_with("GET", "/metrics", &headers, "").await;
    assert_eq!(metrics.status, StatusCode::OK);
    let own = server
        .ask_with("GET", "/api/v1/sessions", &headers, "")
        .await;
    assert_eq!(own.status, StatusCode::FORBIDDEN);
    let id = made.json()["token"]["id"].as_str().unwrap().to_owned();
    server
        .ask(
            "DELETE",
            &format!("/api/v1/tokens/{id}"),
            &cookie,
            &Value::Null,
        )
        .await;
    let gone = server.ask_with("GET", "/metrics", &headers, "").await;
    assert_eq!(gone.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn oversized_bodies_and_long_passwords_cost_nothing() {
    let server = tcp().await;
    server.set_up().await;
    let large = json!({"name": "olga", "password": "x".repeat(guard::BODY_LIMIT)});
    let answer = server.ask("POST", "/api/v1/session", "", &large).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    let long = server.sign_in("olga", &"x".repeat(10_000), "").await;
    assert_eq!(long.code(), "wrong_credentials");
}

#[tokio::test]
async fn a_cashiers_stream_carries_the_sign_of_the_shop_alone() {
    let server = tcp().await;
    server.people();
    let cookie = server.cookie("cashier");
    let mut stream = server
        .open("GET", "/api/v1/events", &[("cookie", &cookie)])
        .await;
    let first = stream.until("\n\n").await;
    assert!(first.starts_with("event: shop\n"), "{first}");
    assert!(first.contains(r#""open":true"#), "{first}");
    // What is no news of the shop is none for a till: the owner's stream shows when it was told.
    let owner = server.cookie("owner");
    let mut all = server
        .open("GET", "/api/v1/events", &[("cookie", &owner)])
        .await;
    all.until("event: status").await;
    server
        .node
        .change(|status| status.version.push_str("-next"));
    all.until("-next").await;
    server
        .node
        .change(|status| status.services[0].ready.ok = Some(false));
    let closed = stream.until(r#""open":false"#).await;
    assert_eq!(closed.matches("event: ").count(), 1, "{closed}");
    assert!(!closed.contains("version"), "{closed}");
    let once = server
        .ask("GET", "/api/v1/events?follow=false", &cookie, &Value::Null)
        .await;
    assert_eq!(once.text.matches("event: shop").count(), 1, "{}", once.text);
}

#[tokio::test]
async fn a_stream_ends_with_the_session_that_opened_it() {
    let server = tcp().await;
    let cookies = server.set_up().await.cookies();
    for path in ["/api/v1/events", "/api/v1/services/relay/logs?follow=true"] {
        let entered = server.sign_in("olga", PASSWORD, &cookies).await.cookies();
        let host = server.address.to_string();
        let headers = [("host", host.as_str()), ("cookie", entered.as_str())];
        let stream = TcpStream::connect(server.address).await.unwrap();
        let opened = send(stream, "GET", path, &headers, "").await;
        assert_eq!(opened.response.status(), StatusCode::OK);
        let out = server
            .ask("DELETE", "/api/v1/session", &entered, &Value::Null)
            .await;
        assert_eq!(out.status, StatusCode::NO_CONTENT);
        tokio::time::timeout(DEADLINE, opened.text())
            .await
            .expect("the stream ends");
    }
}
