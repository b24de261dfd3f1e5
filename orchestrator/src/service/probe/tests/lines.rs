//! TCP, Electrum and Tor's control port.

use serde_json::json;

use super::*;

fn tcp(send: Option<&str>, until: Option<&str>) -> Asking {
    Asking::Tcp {
        send: send.map(|send| SecretBytes::from(send.to_owned())),
        until: until.map(str::to_owned),
    }
}

#[tokio::test]
async fn tcp_without_a_text_asks_only_for_the_connection() {
    let server = silent().await;
    let answer = ask(&question(server.address, tcp(None, None))).await;
    assert!(answer.reached && answer.error.is_none());
}

#[tokio::test]
async fn tcp_reads_up_to_the_end_that_was_asked_for() {
    let server = serve(|mut stream| async move {
        let asked = read_until(&mut stream, "\r\n").await;
        assert_eq!(asked, "PING\r\n");
        send(&mut stream, b"+PO").await;
        tokio::task::yield_now().await;
        send(&mut stream, b"NG\r\n").await;
        std::future::pending::<()>().await;
    })
    .await;
    let answer = ask(&question(
        server.address,
        tcp(Some("PING\r\n"), Some("\r\n")),
    ))
    .await;
    assert!(answer.reached);
    assert_eq!(answer.text, "+PONG\r\n");
}

#[tokio::test]
async fn tcp_takes_the_first_packet_where_no_end_is_given() {
    let server = serve(|mut stream| async move {
        read_until(&mut stream, "?").await;
        send(&mut stream, br#"{"ok": true}"#).await;
        std::future::pending::<()>().await;
    })
    .await;
    let answer = ask(&question(server.address, tcp(Some("?"), None))).await;
    assert_eq!(answer.json, Some(json!({"ok": true})));
}

#[tokio::test]
async fn tcp_keeps_what_came_before_an_early_close_but_calls_it_no_success() {
    let server = serve(|mut stream| async move {
        read_until(&mut stream, "?").await;
        send(&mut stream, b"-ERR go away").await;
    })
    .await;
    let question = question(server.address, tcp(Some("?"), Some("\r\n")));
    let answer = ask(&question).await;
    assert_eq!(answer.text, "-ERR go away");
    assert_eq!(answer.error, Some(ProbeError::Closed));
    assert!(!answer.succeeded(&question.ask));
}

#[tokio::test]
async fn tcp_reads_no_more_than_its_bound() {
    let server = serve(|mut stream| async move {
        read_until(&mut stream, "?").await;
        while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
    })
    .await;
    let answer = ask(&question(server.address, tcp(Some("?"), Some("\r\n")))).await;
    assert_eq!(answer.error, Some(ProbeError::TooLong));
    assert_eq!(answer.text.len(), 4096);
}

fn banner() -> Asking {
    Asking::Electrum {
        method: "server.banner".to_owned(),
        params: json!([]),
    }
}

/// Answers each connection's first line with what `reply` makes of the request.
async fn electrum(reply: fn(Value) -> Vec<String>) -> Server {
    serve(move |mut stream| async move {
        let line = read_until(&mut stream, "\n").await;
        for line in reply(serde_json::from_str(&line).unwrap()) {
            send(&mut stream, format!("{line}\n").as_bytes()).await;
        }
        std::future::pending::<()>().await;
    })
    .await
}

#[tokio::test]
async fn electrum_reads_the_result_and_overlooks_notifications() {
    let server = electrum(|request| {
        assert_eq!(request["method"], "server.banner");
        vec![
            json!({"jsonrpc": "2.0", "method": "blockchain.headers.subscribe", "params": []})
                .to_string(),
            json!({"jsonrpc": "2.0", "id": request["id"], "result": "Welcome"}).to_string(),
        ]
    })
    .await;
    let question = question(server.address, banner());
    let answer = ask(&question).await;
    assert!(answer.succeeded(&question.ask));
    assert_eq!(answer.json.unwrap()["result"], "Welcome");
}

#[tokio::test]
async fn electrum_takes_an_error_for_an_answer_and_not_for_a_success() {
    let server = electrum(|request| {
        let error = json!({"code": -32603, "message": "unavailable index"});
        vec![json!({"jsonrpc": "2.0", "id": request["id"], "error": error}).to_string()]
    })
    .await;
    let question = question(server.address, banner());
    let answer = ask(&question).await;
    assert!(answer.reached);
    assert!(!answer.succeeded(&question.ask));
    assert_eq!(answer.json.unwrap()["error"]["code"], -32603);
}

#[tokio::test]
async fn electrum_reads_no_endless_line() {
    let server = serve(|mut stream| async move {
        read_until(&mut stream, "\n").await;
        while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
    })
    .await;
    let answer = ask(&question(server.address, banner())).await;
    assert_eq!(answer.error, Some(ProbeError::TooLong));
    assert!(answer.json.is_none());
}

/// A control port that knows one password, as Tor answers.
async fn tor() -> Server {
    serve(|mut stream| async move {
        let login = read_until(&mut stream, "\r\n").await;
        let known = ["AUTHENTICATE \"pass\\\"word\"\r\n", "AUTHENTICATE 00ff10\r\n"];
        if !known.contains(&login.as_str()) {
            let refusal: &[u8] =
                b"515 Authentication failed: Password did not match HashedControlPassword\r\n";
            send(&mut stream, refusal).await;
            return;
        }
        send(&mut stream, b"250 OK\r\n").await;
        let asked = read_until(&mut stream, "\r\n").await;
        let reply: &[u8] = match asked.as_str() {
            "GETINFO status/bootstrap-phase\r\n" => {
                b"250-status/bootstrap-phase=NOTICE BOOTSTRAP PROGRESS=100 TAG=done SUMMARY=\"Done\"\r\n250 OK\r\n"
            }
            "GETINFO config-text\r\n" => b"250+config-text=\r\nA 1\r\nB 2\r\n.\r\n250 OK\r\n",
            _ => b"552 Unrecognized key\r\n",
        };
        send(&mut stream, reply).await;
        std::future::pending::<()>().await;
    })
    .await
}

fn getinfo(server: &Server, key: &str, password: &str) -> Question {
    Question {
        credential: credential("", password),
        ..question(
            server.address,
            Asking::TorControl {
                getinfo: key.to_owned(),
                cookie: None,
            },
        )
    }
}

#[tokio::test]
async fn tor_tells_its_progress() {
    let server = tor().await;
    let question = getinfo(&server, "status/bootstrap-phase", "pass\"word");
    let answer = ask(&question).await;
    assert!(answer.succeeded(&question.ask));
    let json = answer.json.unwrap();
    assert_eq!(json["PROGRESS"], 100);
    assert_eq!(json["SUMMARY"], "Done");
}

#[tokio::test]
async fn tor_takes_its_cookie_as_hex_digits() {
    let server = tor().await;
    let mut question = getinfo(&server, "status/bootstrap-phase", "wrong");
    for (bytes, right) in [(&[0x00, 0xff, 0x10], true), (&[0x00, 0xff, 0x11], false)] {
        let Asking::TorControl { cookie, .. } = &mut question.ask else {
            unreachable!()
        };
        *cookie = Some(SecretBytes::new(bytes.to_vec()));
        let answer = ask(&question).await;
        assert_eq!(answer.succeeded(&question.ask), right);
    }
}

#[tokio::test]
async fn tor_gives_values_of_several_lines() {
    let server = tor().await;
    let answer = ask(&getinfo(&server, "config-text", "pass\"word")).await;
    assert_eq!(answer.text, "A 1\nB 2");
}

#[tokio::test]
async fn tor_refuses_a_wrong_password_and_an_unknown_key_in_different_words() {
    let server = tor().await;
    let denied = ask(&getinfo(&server, "status/bootstrap-phase", "wrong")).await;
    assert_eq!(denied.error, Some(ProbeError::Denied));
    let unknown = ask(&getinfo(&server, "no-such-key", "pass\"word")).await;
    assert_eq!(unknown.error, Some(ProbeError::Failed));
    assert!(unknown.reached && unknown.text.starts_with("552"));
}

#[tokio::test]
async fn tor_is_never_sent_a_second_command_inside_a_keyword_or_password() {
    let server = tor().await;
    let injected = ask(&getinfo(&server, "version\r\nSIGNAL HALT", "pass\"word")).await;
    assert_eq!(injected.error, Some(ProbeError::Question));
    let injected = ask(&getinfo(&server, "version", "x\"\r\nSIGNAL HALT")).await;
    assert_eq!(injected.error, Some(ProbeError::Question));
}
