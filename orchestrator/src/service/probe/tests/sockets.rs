//! WebSockets.

use futures::SinkExt;
use futures::StreamExt;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::*;

fn websocket(send: Option<&str>) -> Asking {
    Asking::Websocket {
        path: "/".to_owned(),
        send: send.map(|send| SecretBytes::from(send.to_owned())),
    }
}

/// Answers the first message with `reply`.
async fn relay(reply: fn(String) -> Vec<Message>) -> Server {
    serve(move |stream| async move {
        let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
        while let Some(Ok(message)) = socket.next().await {
            if let Message::Text(text) = message {
                for message in reply(text.to_string()) {
                    let _ = socket.send(message).await;
                }
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_handshake_alone_is_an_answer() {
    let server = relay(|_| Vec::new()).await;
    let question = question(server.address, websocket(None));
    let answer = ask(&question).await;
    assert!(answer.succeeded(&question.ask));
    assert_eq!(answer.status, Some(101));
}

#[tokio::test]
async fn the_first_message_is_the_answer_and_a_ping_is_not() {
    let server = relay(|asked| {
        assert_eq!(asked, r#"["REQ","probe",{"limit":0}]"#);
        vec![
            Message::Ping(vec![1].into()),
            Message::text(r#"["EOSE","probe"]"#),
        ]
    })
    .await;
    let asked = websocket(Some(r#"["REQ","probe",{"limit":0}]"#));
    let answer = ask(&question(server.address, asked)).await;
    assert_eq!(answer.json, Some(json!(["EOSE", "probe"])));
}

#[tokio::test]
async fn a_relay_that_accepts_and_says_nothing_times_out() {
    let server = relay(|_| Vec::new()).await;
    let brief = Question {
        timeout: BRIEF,
        ..question(server.address, websocket(Some("hello")))
    };
    let answer = ask(&brief).await;
    assert_eq!(answer.error, Some(ProbeError::Timeout));
    assert!(!answer.reached);
}

#[tokio::test]
async fn a_refused_handshake_tells_its_status() {
    let server = serve(|mut stream| async move {
        read_until(&mut stream, "\r\n\r\n").await;
        let refusal: &[u8] = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n";
        send(&mut stream, refusal).await;
    })
    .await;
    let question = question(server.address, websocket(None));
    let answer = ask(&question).await;
    assert!(answer.reached && !answer.succeeded(&question.ask));
    assert_eq!(answer.status, Some(403));
}

#[tokio::test]
async fn a_huge_message_is_not_read() {
    let server = relay(|_| vec![Message::text("x".repeat(1024 * 1024))]).await;
    let question = question(server.address, websocket(Some("hello")));
    let answer = ask(&question).await;
    assert_eq!(answer.error, Some(ProbeError::TooLong));
    assert!(!answer.succeeded(&question.ask));
}
