//! Who is answered while strangers take every place.

use serde_json::Value;

use super::*;

const FEW: Limits = Limits {
    connections: 16,
    // Nobody is helped by others being cut off for their slowness alone.
    header_timeout: Duration::from_secs(3600),
};

/// Sends `request` and reads the head of the answer, on a connection that is kept.
async fn ask_again(stream: &mut TcpStream, request: &str) -> std::io::Result<String> {
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    let mut bytes = [0; 4096];
    loop {
        let read = stream.read(&mut bytes).await?;
        answer.extend_from_slice(&bytes[..read]);
        let text = String::from_utf8_lossy(&answer).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            if read == 0 {
                return Ok(text);
            }
            continue;
        };
        let length = head.to_lowercase();
        let length = length.split("content-length: ").nth(1);
        let length = length.and_then(|rest| rest.lines().next()?.parse().ok());
        if read == 0 || length.is_some_and(|length: usize| body.len() >= length) {
            return Ok(text);
        }
    }
}

async fn is_answered(server: &Tcp) {
    for _ in 0..5 {
        let asked = server.get("/api/v1/session", &[]);
        let answered = tokio::time::timeout(DEADLINE, asked).await;
        let (status, _, _) = answered.expect("it is answered");
        assert_eq!(status, StatusCode::OK);
    }
}

#[tokio::test]
async fn whoever_is_new_is_answered_while_others_ask_without_end() {
    let server = tcp_within(FEW).await;
    let (address, over) = (server.address, CancellationToken::new());
    let mut crowd = JoinSet::new();
    for _ in 0..8 * FEW.connections {
        let over = over.clone();
        crowd.spawn(async move {
            // Each keeps its connection as long as it may, and comes back at once.
            let request = format!("GET / HTTP/1.1\r\nHost: {address}\r\n\r\n");
            let mut answers = 0;
            let flood = async {
                loop {
                    let Ok(mut stream) = TcpStream::connect(address).await else {
                        continue;
                    };
                    while let Ok(answer) = ask_again(&mut stream, &request).await
                        && answer.starts_with("HTTP/1.1 ")
                    {
                        answers += 1;
                    }
                }
            };
            tokio::select! {
                () = over.cancelled() => {}
                () = flood => {}
            }
            answers
        });
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    is_answered(&server).await;
    over.cancel();
    let mut answers = 0;
    while let Some(one) = crowd.join_next().await {
        answers += one.unwrap();
    }
    assert!(answers > 0, "the crowd is served too");
}

#[tokio::test]
async fn whoever_is_new_is_answered_while_others_take_every_place_and_say_nothing() {
    let server = tcp_within(FEW).await;
    let mut silent = Vec::new();
    for number in 0..3 * FEW.connections {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        if number % 2 == 0 {
            stream.write_all(b"GET / HTTP/1.1\r\nHo").await.unwrap();
        }
        silent.push(stream);
    }
    is_answered(&server).await;
    // Those who came first gave way.
    let ended = tokio::time::timeout(DEADLINE, silent[0].read(&mut [0; 8])).await;
    assert!(matches!(ended, Ok(Ok(0) | Err(_))), "{ended:?}");
}

#[tokio::test]
async fn who_is_signed_in_keeps_the_connection_while_strangers_come_and_go() {
    let server = tcp_within(FEW).await;
    let entered = server.set_up().await;
    let head = |path: &str, cookies: &str| {
        format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nCookie: {cookies}\r\n\r\n",
            server.address
        )
    };
    let (owner, stranger) = (head("/api/v1/status", &entered.cookies()), head("/", "a=b"));
    let mut own = TcpStream::connect(server.address).await.unwrap();
    let first = ask_again(&mut own, &owner).await.unwrap();
    assert!(first.starts_with("HTTP/1.1 200"), "{first}");
    let mut theirs = TcpStream::connect(server.address).await.unwrap();
    let page = ask_again(&mut theirs, &stranger).await.unwrap();
    assert!(page.starts_with("HTTP/1.1 "), "{page}");
    let mut events = server
        .open("GET", "/api/v1/events", &[("cookie", &entered.cookies())])
        .await;
    events.until("event: status").await;
    let mut crowd = Vec::new();
    for _ in 0..3 * FEW.connections {
        crowd.push(TcpStream::connect(server.address).await.unwrap());
    }
    is_answered(&server).await;
    let again = ask_again(&mut own, &owner).await.unwrap();
    assert!(again.starts_with("HTTP/1.1 200"), "{again}");
    // The stranger's is closed between two requests, with nothing half said.
    let ended = ask_again(&mut theirs, &stranger).await.unwrap_or_default();
    assert_eq!(ended, "");
    server
        .node
        .change(|status| status.services[0].ready.ok = Some(false));
    events.until("event: status").await;
}

#[tokio::test]
async fn an_answer_that_is_under_way_is_not_cut_off() {
    let server = tcp_within(FEW).await;
    // While nobody owns the node, anybody on this machine may read: nobody is known on this stream.
    let mut events = server.open("GET", "/api/v1/events", &[]).await;
    events.until("event: status").await;
    let mut crowd = Vec::new();
    for _ in 0..3 * FEW.connections {
        crowd.push(TcpStream::connect(server.address).await.unwrap());
    }
    is_answered(&server).await;
    server
        .node
        .change(|status| status.services[0].ready.ok = Some(false));
    events.until("event: status").await;
}

#[tokio::test]
async fn who_is_known_and_asks_without_end_is_told_to_wait_and_nobody_else_notices() {
    let server = tcp().await;
    server.people();
    let (till, owner) = (server.cookie("cashier"), server.cookie("owner"));
    let mut answers: std::collections::BTreeMap<u16, u32> = std::collections::BTreeMap::new();
    let refused = loop {
        let answer = server.ask("GET", "/api/v1/shop", &till, &Value::Null).await;
        *answers.entry(answer.status.as_u16()).or_default() += 1;
        if answer.status != StatusCode::OK {
            break answer;
        }
        assert!(answers[&200] < 10_000, "it is never told to wait");
    };
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.code(), "too_many_requests");
    assert_eq!(refused.headers["retry-after"], "1");
    assert!(
        answers[&200] >= 90,
        "{answers:?}: a till may ask much at once"
    );
    let other = server
        .ask("GET", "/api/v1/status", &owner, &Value::Null)
        .await;
    assert_eq!(other.status, StatusCode::OK);
    // What everybody may see is not counted to anybody.
    let page = server.ask("GET", "/api/v1/session", "", &Value::Null).await;
    assert_eq!(page.status, StatusCode::OK);
}
