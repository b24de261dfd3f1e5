//! How the process ends when it is asked to.

use std::{fs, io::Write, net::TcpStream};

use rustix::process::Signal;

use crate::{process::Home, wallet::Wallet};

#[tokio::test]
async fn sigterm_and_sigint_end_with_0_and_leave_no_log_file() {
    for signal in [Signal::TERM, Signal::INT] {
        let home = Home::new();
        let mint = home.start();
        let wallet = Wallet::connect(&mint.url).await;
        wallet.mint(&[8]).await;
        let status = mint.stop(signal);
        assert_eq!(status.code(), Some(0), "{signal:?}");
        let log =
            fs::metadata(home.data().join("mint.sqlite-wal")).map_or(0, |metadata| metadata.len());
        assert_eq!(
            log, 0,
            "the write-ahead log is copied into the database at the stop"
        );
    }
}

#[tokio::test]
async fn stop_waits_for_no_idle_and_no_silent_client() {
    let home = Home::new();
    home.write_config("demo", "shutdown_seconds = 2");
    let mint = home.start();
    let wallet = Wallet::connect(&mint.url).await;
    wallet.mint(&[8]).await;
    let address = mint.url.trim_start_matches("http://").to_owned();
    let mut half = TcpStream::connect(&address).unwrap();
    write!(
        half,
        "POST /v1/swap HTTP/1.1\r\nhost: {address}\r\ncontent-length: 100\r\n\r\nunfinished"
    )
    .unwrap();
    assert_eq!(mint.stop(Signal::TERM).code(), Some(0));
}

#[tokio::test]
async fn money_survives_a_stop_and_a_start() {
    let home = Home::new();
    let mint = home.start();
    let proofs = Wallet::connect(&mint.url).await.mint(&[8, 4]).await;
    assert_eq!(mint.stop(Signal::TERM).code(), Some(0));
    let mint = home.start();
    let wallet = Wallet::connect(&mint.url).await;
    assert_eq!(wallet.states(&proofs).await, ["UNSPENT", "UNSPENT"]);
    let answer = wallet
        .swap(&proofs, &wallet.outputs(&[4, 8]))
        .await
        .unwrap();
    assert_eq!(answer.status, 200, "{:?}", answer.body);
}
