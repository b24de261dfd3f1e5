//! What a mint says about itself.

use std::{
    collections::BTreeSet,
    io::{Read, Write},
    net::TcpStream,
};

use crate::{process::Home, wallet::Wallet};

#[tokio::test]
async fn mint_advertises_exactly_the_nuts_it_serves() {
    let home = Home::new();
    let mint = home.start();
    let info = Wallet::connect(&mint.url)
        .await
        .get("/v1/info")
        .await
        .unwrap()
        .body;
    let nuts: BTreeSet<&str> = info["nuts"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let expected = [
        "4", "5", "7", "8", "9", "10", "11", "12", "14", "15", "17", "19", "20", "29",
    ];
    assert_eq!(nuts, BTreeSet::from(expected), "{info:#}");

    for boolean in ["7", "8", "9", "10", "11", "12", "14", "20"] {
        assert_eq!(info["nuts"][boolean]["supported"], true, "NUT-{boolean}");
    }
    for (nut, name) in [
        ("4", "methods"),
        ("5", "methods"),
        ("15", "methods"),
        ("17", "supported"),
    ] {
        let method = &info["nuts"][nut][name][0];
        assert_eq!(
            (&method["method"], &method["unit"]),
            (&"bolt11".into(), &"sat".into()),
            "NUT-{nut}"
        );
    }
    let commands: BTreeSet<&str> = info["nuts"]["17"]["supported"][0]["commands"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|c| c.as_str())
        .collect();
    assert_eq!(
        commands,
        BTreeSet::from(["bolt11_mint_quote", "bolt11_melt_quote", "proof_state"])
    );
    assert_eq!(info["nuts"]["19"]["ttl"], 60);
    let cached: BTreeSet<&str> = info["nuts"]["19"]["cached_endpoints"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|e| e["path"].as_str())
        .collect();
    assert_eq!(
        cached,
        BTreeSet::from(["/v1/swap", "/v1/mint/bolt11", "/v1/melt/bolt11"])
    );
    assert_eq!(info["nuts"]["29"]["methods"][0], "bolt11", "{info:#}");
    assert_eq!(info["version"], "flash-mint/0.1.0");
}

#[tokio::test]
async fn demo_mint_says_play_money_whatever_its_configuration_says() {
    let home = Home::new();
    home.write_config("demo", "motd = \"Solid as gold\"");
    let mint = home.start();
    let info = Wallet::connect(&mint.url)
        .await
        .get("/v1/info")
        .await
        .unwrap()
        .body;
    assert_eq!(info["name"], "Corner shop <b> (play money)");
    assert_eq!(
        info["motd"],
        "This eCash is play money: nothing is behind it. Solid as gold"
    );
}

#[tokio::test]
async fn changed_name_reaches_wallets_at_the_next_start() {
    let home = Home::new();
    drop(home.start());
    let text = std::fs::read_to_string(home.config())
        .unwrap()
        .replace("Corner shop <b>", "New name");
    std::fs::write(home.config(), text).unwrap();
    let mint = home.start();
    let info = Wallet::connect(&mint.url)
        .await
        .get("/v1/info")
        .await
        .unwrap()
        .body;
    assert_eq!(info["name"], "New name (play money)");
}

#[tokio::test]
async fn page_says_play_money_and_escapes_the_name() {
    let home = Home::new();
    let mint = home.start();
    let page = Wallet::connect(&mint.url)
        .await
        .get("/")
        .await
        .unwrap()
        .text;
    assert!(page.contains("<strong>Play money.</strong>"), "{page}");
    assert!(
        page.contains("<h1>Corner shop &lt;b&gt; (play money)</h1>"),
        "{page}"
    );
    assert!(
        page.contains("<code>http://127.0.0.1:3338</code>"),
        "{page}"
    );
}

#[tokio::test]
async fn health_and_metrics_follow_the_books() {
    let home = Home::new();
    let mint = home.start();
    let wallet = Wallet::connect(&mint.url).await;
    let before = wallet.get("/health").await.unwrap();
    assert_eq!(
        (before.status, &before.body["status"], &before.body["code"]),
        (200, &"ready".into(), &"ready".into())
    );
    assert_eq!(
        (&before.body["keysets"], &before.body["issued_sat"]),
        (&1.into(), &0.into())
    );

    let proofs = wallet.mint(&[32, 16, 8]).await;
    let answer = wallet
        .swap(&proofs[..1], &wallet.outputs(&[16, 16]))
        .await
        .unwrap();
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    let after = wallet.get("/health").await.unwrap().body;
    assert_eq!(after["issued_sat"], 88);
    assert_eq!(after["redeemed_sat"], 32);
    assert_eq!(after["outstanding_sat"], 56);
    let metrics = wallet.get("/metrics").await.unwrap().text;
    assert!(
        metrics.contains("\nflash_mint_outstanding_sat 56\n"),
        "{metrics}"
    );
    assert!(metrics.contains("\nflash_mint_up 1\n"), "{metrics}");
}

#[tokio::test]
async fn books_are_shown_to_readers_alone() {
    let home = Home::new();
    let text = std::fs::read_to_string(home.config()).unwrap();
    let readers = "[[readers]]\nname = \"node\"\npassword = \"0123456789abcdef\"\n";
    std::fs::write(home.config(), format!("{text}{readers}")).unwrap();
    let mint = home.start();
    // "node:0123456789abcdef" and "node:0123456789abcdeg" in base 64.
    let (right, wrong) = (
        "bm9kZTowMTIzNDU2Nzg5YWJjZGVm",
        "bm9kZTowMTIzNDU2Nzg5YWJjZGVn",
    );
    for (path, unknown) in [("/health", 200), ("/metrics", 401)] {
        for (shown, status) in [(Some(right), 200), (Some(wrong), 401), (None, unknown)] {
            let answer = ask_as(&mint.url, path, shown);
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status} ")),
                "{path} {shown:?}: {answer}"
            );
            let told = answer.contains("outstanding_sat");
            assert_eq!(told, shown == Some(right), "{path} {shown:?}: {answer}");
            let asked = answer.contains("www-authenticate: Basic ");
            assert_eq!(asked, status == 401, "{path} {shown:?}: {answer}");
        }
    }
    let outline = ask_as(&mint.url, "/health", None);
    let outline = outline.split("\r\n\r\n").nth(1).unwrap();
    let outline: serde_json::Value = serde_json::from_str(outline).unwrap();
    let keys: Vec<&String> = outline.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["code", "status", "text"], "{outline}");
}

/// Asks with HTTP Basic, and returns the whole answer.
fn ask_as(url: &str, path: &str, basic: Option<&str>) -> String {
    let address = url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).expect("the mint listens");
    let shown = basic.map_or_else(String::new, |pair| {
        format!("authorization: Basic {pair}\r\n")
    });
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{shown}\r\n"
    )
    .expect("the request is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

#[tokio::test]
async fn limit_answers_429_to_wallets_and_still_answers_probes() {
    let home = Home::new();
    let text = std::fs::read_to_string(home.config()).unwrap();
    std::fs::write(
        home.config(),
        text.replace(
            "requests_per_minute = 0",
            "requests_per_minute = 1\nburst = 3",
        ),
    )
    .unwrap();
    let mint = home.start();
    let wallet = Wallet::connect(&mint.url).await;
    let statuses = [
        wallet.get("/v1/info").await.unwrap().status,
        wallet.get("/v1/info").await.unwrap().status,
        wallet.get("/v1/info").await.unwrap().status,
    ];
    assert_eq!(statuses, [200, 200, 429]);
    let refused = wallet.get("/v1/info").await.unwrap();
    assert_eq!(refused.headers["access-control-allow-origin"], "*");
    assert!(refused.headers.contains_key("retry-after"));
    assert_eq!(wallet.get("/health").await.unwrap().status, 200);
}

#[tokio::test]
async fn client_that_stalls_holds_up_nobody_else() {
    let home = Home::new();
    let text = std::fs::read_to_string(home.config()).unwrap();
    std::fs::write(home.config(), format!("{text}in_flight = 1\n")).unwrap();
    let mint = home.start();
    let address = mint.url.trim_start_matches("http://").to_owned();
    let mut stalled = Vec::new();
    for _ in 0..5 {
        let mut stream = TcpStream::connect(&address).unwrap();
        write!(
            stream,
            "POST /v1/swap HTTP/1.1\r\nhost: {address}\r\ncontent-length: 100\r\n\r\nunfinished"
        )
        .unwrap();
        stalled.push(stream);
    }
    let wallet = Wallet::connect(&mint.url).await;
    assert_eq!(wallet.mint(&[8]).await.len(), 1);
    let huge = serde_json::json!({ "inputs": "x".repeat(2 << 20) });
    assert_eq!(
        wallet
            .post("/v1/swap", &huge)
            .await
            .map(|answer| answer.status)
            .unwrap_or(413),
        413
    );
}
