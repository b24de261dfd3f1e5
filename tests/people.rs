//! A node and its people: the first owner, a way back in, and a log that tells.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a whole-program test starts programs, and the summary collects what it prints"
)]

mod node;

use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::process::Output;

use node::PATIENCE;
use node::TestNode;
use serde_json::Value;
use serde_json::json;

const PASSWORD: &str = "four plain old words";

/// A browser, or a program: it keeps the cookies that it is given.
struct Browser {
    address: String,
    cookies: Vec<(String, String)>,
    /// The token that it shows, where it is a program.
    bearer: Option<String>,
}

impl Browser {
    fn new(node: &TestNode) -> Self {
        let url = node.status()["api"]
            .as_str()
            .expect("an address")
            .to_owned();
        Self {
            address: url.trim_start_matches("http://").to_owned(),
            cookies: Vec::new(),
            bearer: None,
        }
    }

    fn ask(&mut self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let mut request = format!(
            "{method} /api/v1/{path} HTTP/1.1\r\nhost: {0}\r\norigin: http://{0}\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {1}\r\n",
            self.address,
            body.len()
        );
        if !self.cookies.is_empty() {
            let pairs: Vec<String> = self
                .cookies
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            request.push_str(&format!("cookie: {}\r\n", pairs.join("; ")));
        }
        if let Some(token) = &self.bearer {
            request.push_str(&format!("authorization: Bearer {token}\r\n"));
        }
        request.push_str("\r\n");
        request.push_str(&body);
        let mut stream = TcpStream::connect(&self.address).expect("the API listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream
            .write_all(request.as_bytes())
            .expect("the request is sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        for line in head.lines() {
            let Some(cookie) = line.strip_prefix("set-cookie: ") else {
                continue;
            };
            let (name, value) = cookie
                .split(';')
                .next()
                .and_then(|pair| pair.split_once('='))
                .expect("a cookie");
            self.cookies.retain(|(known, _)| known != name);
            if !value.is_empty() {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok())
            .expect("a status");
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
    }
}

/// Asks for the set-up code, at the machine.
fn code_of(node: &TestNode) -> String {
    node.ok(&["setup-code"]).trim().to_owned()
}

fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_node_gets_an_owner_who_always_finds_a_way_back_in() {
    let mut node = TestNode::started("demo");
    node.wait_ready("mint");
    let mut browser = Browser::new(&node);
    let (_, view) = browser.ask("GET", "session", &Value::Null);
    assert_eq!(view["stage"], "set_up");
    let code = code_of(&node);
    assert_eq!(code.len(), 14, "{code}");
    assert_eq!(code_of(&node), code, "it is shown again");

    let owner = json!({"code": code, "name": "olga", "password": PASSWORD, "language": "nl"});
    let (status, view) = browser.ask("POST", "set-up", &owner);
    assert_eq!(
        (status, view["account"]["role"].as_str()),
        (201, Some("owner")),
        "{view}"
    );
    let spent = node.cli(&["setup-code"]);
    assert!(!spent.status.success());
    assert!(complaint(&spent).contains("set up already"));

    // The owner changes the node from a browser, and the log tells who did.
    let (status, plan) = browser.ask(
        "POST",
        "services/relay/settings/name",
        &json!({"value": "Olga's", "dry_run": true}),
    );
    assert_eq!(status, 200, "{plan}");
    assert!(
        plan["text"].as_str().expect("a plan").contains("relay"),
        "{plan}"
    );
    let (status, done) = browser.ask(
        "POST",
        "services/relay/settings/name",
        &json!({"value": "Olga's"}),
    );
    assert_eq!(status, 200, "{done}");
    let (_, log) = browser.ask("GET", "audit-log?limit=1", &Value::Null);
    assert_eq!(log["items"][0]["actor"], "olga", "{log}");
    assert_eq!(log["items"][0]["action"], "set");

    // A session outlives the daemon.
    node.kill_daemon();
    node.spawn();
    node.wait_ready("relay");
    let (status, _) = browser.ask("GET", "status", &Value::Null);
    assert_eq!(status, 200);

    // Whoever stands at the machine lets the owner in again; every old way is over.
    let listed = node.ok(&["account", "list"]);
    assert!(
        listed.contains("olga") && listed.contains("owner"),
        "{listed}"
    );
    let unknown = node.cli_with_input(&["account", "reset", "nina"], "another set of words\n");
    assert!(!unknown.status.success());
    let reset = node.cli_with_input(&["account", "reset", "olga"], "another set of words\n");
    assert!(reset.status.success(), "{}", complaint(&reset));
    let (status, _) = browser.ask("GET", "status", &Value::Null);
    assert_eq!(status, 401);
    let (status, _) = browser.ask(
        "POST",
        "session",
        &json!({"name": "olga", "password": PASSWORD}),
    );
    assert_eq!(status, 401);
    let (status, view) = browser.ask(
        "POST",
        "session",
        &json!({"name": "olga", "password": "another set of words"}),
    );
    assert_eq!(status, 200, "{view}");
    let verified = node.ok(&["audit", "verify"]);
    assert!(verified.contains("the audit log is intact"), "{verified}");
}

#[test]
fn people_and_programs_are_let_in_and_out_by_commands() {
    let node = TestNode::started("demo");
    node.wait_ready("mint");
    node.wait_ready("relay");
    assert!(node.ok(&["shop"]).starts_with("open: "));
    let machine = node.ok(&["machine"]);
    assert!(machine.contains("disk data"), "{machine}");
    let early = node.cli(&["token", "add", "metrics", "--role", "auditor"]);
    assert!(
        complaint(&early).contains("this node is not set up yet"),
        "{early:?}"
    );

    let mut olga = Browser::new(&node);
    let owner =
        json!({"code": code_of(&node), "name": "olga", "password": PASSWORD, "language": "nl"});
    assert_eq!(olga.ask("POST", "set-up", &owner).0, 201);
    let tasks = node.ok(&["tasks"]);
    assert!(
        tasks.contains("no passphrase guards the node's keys"),
        "{tasks}"
    );

    let add = [
        "account",
        "add",
        "mia",
        "--role",
        "manager",
        "--language",
        "es",
    ];
    let added = node.cli_with_input(&add, "short\n");
    assert!(complaint(&added).contains("at least 10"), "{added:?}");
    let added = node.cli_with_input(&add, "another set of words\n");
    assert!(added.status.success(), "{added:?}");
    let mut mia = Browser::new(&node);
    let names = json!({"name": "mia", "password": "another set of words"});
    let (status, view) = mia.ask("POST", "session", &names);
    assert_eq!(
        (status, view["account"]["language"].as_str()),
        (200, Some("es")),
        "{view}"
    );
    assert_eq!(mia.ask("GET", "status", &Value::Null).0, 200);
    let places = node.ok(&["account", "sessions", "mia"]);
    assert!(
        places.lines().count() == 1 && places.contains("from 127.0.0.1"),
        "{places}"
    );
    node.ok(&["account", "sign-out", "mia"]);
    assert_eq!(mia.ask("GET", "status", &Value::Null).0, 401);
    assert_eq!(olga.ask("GET", "status", &Value::Null).0, 200);
    assert_eq!(mia.ask("POST", "session", &names).0, 200);
    node.ok(&["account", "role", "MIA", "cashier"]);
    assert_eq!(mia.ask("GET", "status", &Value::Null).0, 403);
    let last = node.cli(&["account", "role", "olga", "cashier"]);
    assert!(complaint(&last).contains("owner"), "{last:?}");

    let value = node.ok(&[
        "token", "add", "metrics", "--role", "auditor", "--days", "1",
    ]);
    let mut program = Browser::new(&node);
    program.bearer = Some(value.trim().to_owned());
    assert_eq!(program.ask("GET", "status", &Value::Null).0, 200);
    assert_eq!(program.ask("GET", "accounts", &Value::Null).0, 403);
    let listed = node.ok(&["token", "list"]);
    assert!(
        listed.contains("metrics") && !listed.contains(value.trim()),
        "{listed}"
    );
    let id = listed.split_whitespace().next().expect("an ID");
    node.ok(&["token", "revoke", id]);
    assert_eq!(program.ask("GET", "status", &Value::Null).0, 401);
    assert!(!node.cli(&["token", "revoke", id]).status.success());

    node.ok(&["account", "remove", "mia"]);
    assert_eq!(
        mia.ask("GET", "session", &Value::Null).1["stage"],
        "sign_in"
    );
    let log = node.ok(&["audit", "list", "-n", "8"]);
    let acts: Vec<&str> = log
        .lines()
        .filter_map(|line| line.split_once("  machine: "))
        .map(|(_, act)| act)
        .collect();
    assert_eq!(acts.len(), 6, "{log}");
    assert!(
        acts[0].starts_with("mia was added as manager") && acts[5].starts_with("mia was deleted"),
        "{log}"
    );
    assert!(node.ok(&["audit", "verify"]).contains("is intact"));
}

#[test]
fn what_is_applied_is_what_was_read() {
    let node = TestNode::started("demo");
    node.wait_ready("mint");
    let mut olga = Browser::new(&node);
    let owner =
        json!({"code": code_of(&node), "name": "olga", "password": PASSWORD, "language": "en"});
    assert_eq!(olga.ask("POST", "set-up", &owner).0, 201);
    let choose = |name: &str| {
        let text = format!("[services.relay.settings]\nname = \"{name}\"\n");
        node.file("node.toml", &text);
    };
    choose("first");
    let (status, plan) = olga.ask("POST", "plan", &Value::Null);
    assert_eq!((status, &plan["changed"]), (200, &json!(true)), "{plan}");
    // Somebody goes on writing while the plan is read.
    choose("second");
    let read = json!({"plan": plan["plan"]});
    let (status, refused) = olga.ask("POST", "apply", &read);
    assert_eq!(
        (status, &refused["code"]),
        (409, &json!("changed_meanwhile")),
        "{refused}"
    );
    let name = |olga: &mut Browser| {
        let (_, all) = olga.ask("GET", "settings", &Value::Null);
        let services = all["services"].as_array().cloned().unwrap_or_default();
        let relay = services.into_iter().find(|one| one["id"] == "relay");
        let settings = relay.expect("the relay")["settings"].clone();
        let mut settings = settings.as_array().into_iter().flatten();
        let name = settings.find(|one| one["name"] == "name");
        name.expect("a name")["value"].clone()
    };
    assert_eq!(
        name(&mut olga),
        "Flash Node demo relay",
        "nothing was applied"
    );
    let (_, plan) = olga.ask("POST", "plan", &Value::Null);
    let (status, applied) = olga.ask("POST", "apply", &json!({"plan": plan["plan"]}));
    assert_eq!(
        (status, &applied["changed"]),
        (200, &json!(true)),
        "{applied}"
    );
    assert_eq!(name(&mut olga), "second");
}

#[test]
fn a_sealed_node_knows_nobody_until_it_is_unlocked() {
    let node = TestNode::started("demo");
    node.wait_ready("mint");
    let mut browser = Browser::new(&node);
    let code = code_of(&node);
    let owner = json!({"code": code, "name": "olga", "password": PASSWORD, "language": "en"});
    assert_eq!(browser.ask("POST", "set-up", &owner).0, 201);
    let started = node.service("mint")["started_at"].clone();
    let (status, body) = browser.ask(
        "POST",
        "vault/passphrase",
        &json!({"current": null, "new": "open sesame now"}),
    );
    assert_eq!(status, 200, "{body}");
    assert_eq!(browser.ask("POST", "vault/seal", &Value::Null).0, 200);
    let (_, view) = browser.ask("GET", "session", &Value::Null);
    assert_eq!(view["stage"], "sealed", "{view}");
    let (status, body) = browser.ask("GET", "status", &Value::Null);
    assert_eq!((status, body["code"].as_str()), (423, Some("vault_sealed")));
    let (status, _) = browser.ask(
        "POST",
        "vault/unlock",
        &json!({"passphrase": "not this one"}),
    );
    assert_eq!(status, 403);
    let (status, body) = browser.ask(
        "POST",
        "vault/unlock",
        &json!({"passphrase": "open sesame now"}),
    );
    assert_eq!(status, 200, "{body}");
    // The session is known again, and services never noticed.
    let (status, body) = browser.ask("GET", "status", &Value::Null);
    assert_eq!(status, 200, "{body}");
    assert_eq!(node.service("mint")["started_at"], started);

    // A stranger has nothing to try at a node that is open, and by guessing at one that is sealed keeps nobody waiting who
    // is at the machine.
    let mut stranger = Browser::new(&node);
    let guess = json!({"passphrase": "not this one"});
    let (status, body) = stranger.ask("POST", "vault/unlock", &guess);
    assert_eq!((status, body["code"].as_str()), (401, Some("signed_out")));
    assert_eq!(browser.ask("POST", "vault/seal", &Value::Null).0, 200);
    let mut guessed = || stranger.ask("POST", "vault/unlock", &guess).0;
    let answers: Vec<u16> = (0..5).map(|_| guessed()).collect();
    assert_eq!(answers, [403, 403, 403, 429, 429]);
    let opened = node.cli_with_input(&["unlock"], "open sesame now\n");
    assert!(opened.status.success(), "{opened:?}");
    let events = node.ok(&["events", "-n", "50"]);
    let refused = events.matches("(unlock_refused)").count();
    assert_eq!(
        refused, 4,
        "what was not looked at fills no history: {events}"
    );
}
