//! Mint, swap and melt, and that nothing is created or lost on the way.

use std::{io::Write, net::TcpStream, time::Duration};

use cdk_common::nuts::{MeltQuoteState, MintRequest, Proof, SecretKey};
use cdk_fake_wallet::{FakeInvoiceDescription, create_fake_invoice};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::{process::Home, wallet::Wallet};

const ALREADY_SPENT: u64 = 11_001;
const PENDING: u64 = 11_002;

fn sum(proofs: &[Proof]) -> u64 {
    proofs.iter().map(|proof| u64::from(proof.amount)).sum()
}

async fn melt_quote(wallet: &Wallet, amount_sat: u64, description: String) -> Value {
    let invoice = create_fake_invoice(amount_sat * 1_000, description).to_string();
    let answer = wallet
        .post(
            "/v1/melt/quote/bolt11",
            &json!({ "request": invoice, "unit": "sat" }),
        )
        .await
        .expect("the mint answers");
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    answer.body
}

async fn outstanding(wallet: &Wallet) -> u64 {
    let health = wallet.get("/health").await.expect("the mint answers").body;
    assert_eq!(health["status"], "ready", "{health}");
    health["outstanding_sat"]
        .as_u64()
        .expect("the mint answers")
}

#[tokio::test]
async fn ecash_is_minted_swapped_and_melted_and_the_books_add_up() {
    let home = Home::new();
    let mint = home.start();
    let wallet = Wallet::connect(&mint.url).await;
    let minted = wallet.mint(&[64, 32, 4]).await;
    assert_eq!(outstanding(&wallet).await, 100);

    let outputs = wallet.outputs(&[32, 32]);
    let answer = wallet.swap(&minted[..1], &outputs).await.unwrap();
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    let swapped = wallet.open(&outputs, &answer.body["signatures"]);
    assert_eq!(outstanding(&wallet).await, 100);

    let quote = melt_quote(&wallet, 31, String::new()).await;
    assert_eq!(
        (&quote["amount"], &quote["fee_reserve"]),
        (&31.into(), &1.into()),
        "{quote}"
    );
    let paid = wallet
        .post(
            "/v1/melt/bolt11",
            &json!({ "quote": quote["quote"], "inputs": &swapped[..1] }),
        )
        .await
        .unwrap();
    assert_eq!(paid.body["state"], "PAID", "{:?}", paid.body);

    let kept: Vec<Proof> = minted[1..].iter().chain(&swapped[1..]).cloned().collect();
    assert_eq!(sum(&kept), 68);
    assert_eq!(outstanding(&wallet).await, 68);
    assert!(
        wallet
            .states(&kept)
            .await
            .iter()
            .all(|state| state == "UNSPENT")
    );
    assert_eq!(wallet.states(&swapped[..1]).await, ["SPENT"]);
}

#[tokio::test]
async fn overpaid_melt_gives_change_and_failed_melt_gives_the_proofs_back() {
    let home = Home::new();
    let mint = home.start();
    let wallet = Wallet::connect(&mint.url).await;
    let minted = wallet.mint(&[64, 8]).await;

    let failing = FakeInvoiceDescription {
        pay_invoice_state: MeltQuoteState::Failed,
        check_payment_state: MeltQuoteState::Failed,
        ..FakeInvoiceDescription::default()
    };
    let quote = melt_quote(&wallet, 7, json!(failing).to_string()).await;
    let failed = wallet
        .post(
            "/v1/melt/bolt11",
            &json!({ "quote": quote["quote"], "inputs": &minted[1..] }),
        )
        .await
        .unwrap();
    assert_ne!(failed.body["state"], "PAID", "{:?}", failed.body);
    assert_eq!(wallet.states(&minted).await, ["UNSPENT", "UNSPENT"]);

    let quote = melt_quote(&wallet, 31, String::new()).await;
    // Blank outputs (NUT-08): the mint chooses the amounts of the change.
    let blanks = wallet.outputs(&[1; 6]);
    let body =
        json!({ "quote": quote["quote"], "inputs": &minted[..1], "outputs": blanks.messages });
    let paid = wallet.post("/v1/melt/bolt11", &body).await.unwrap();
    assert_eq!(paid.body["state"], "PAID", "{:?}", paid.body);
    let change: u64 = paid.body["change"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|c| c["amount"].as_u64())
        .sum();
    assert_eq!(change, 32);
    assert_eq!(outstanding(&wallet).await, 8 + 32);
}

#[tokio::test]
async fn payment_that_hangs_is_answered_stops_with_the_mint_and_is_reported_after_it() {
    let home = Home::new();
    home.write_config("demo", "shutdown_seconds = 2");
    let mint = home.start();
    let wallet = Wallet::connect(&mint.url).await;
    let minted = wallet.mint(&[8, 4]).await;
    let hanging = FakeInvoiceDescription {
        pay_invoice_state: MeltQuoteState::Pending,
        check_payment_state: MeltQuoteState::Pending,
        ..FakeInvoiceDescription::default()
    };
    let quote = melt_quote(&wallet, 7, json!(hanging).to_string()).await;
    let body = json!({ "quote": quote["quote"], "inputs": &minted[..1] });
    let answer = wallet.post("/v1/melt/bolt11", &body).await.unwrap();
    assert_eq!(answer.status, 504, "{:?}", answer.body);
    assert_eq!(wallet.states(&minted).await, ["PENDING", "UNSPENT"]);
    assert_eq!(mint.stop(Signal::TERM).code(), Some(0));

    let mint = home.start();
    let wallet = Wallet::connect(&mint.url).await;
    let health = wallet.get("/health").await.unwrap();
    assert_eq!(
        (health.status, &health.body["status"]),
        (200, &"degraded".into()),
        "{:?}",
        health.body
    );
    assert_eq!(
        (&health.body["code"], &health.body["unresolved_melts"]),
        (&"melts_unresolved".into(), &1.into())
    );
    assert_eq!(
        wallet.states(&minted).await,
        ["PENDING", "UNSPENT"],
        "nobody knows whether it was paid"
    );
    let again = wallet
        .swap(&minted[..1], &wallet.outputs(&[8]))
        .await
        .unwrap();
    assert_eq!(again.code(), Some(PENDING), "{:?}", again.body);

    assert_eq!(mint.stop(Signal::TERM).code(), Some(0));
    home.write_config("demo", "input_fee_ppk = 100");
    let refused = home.run();
    assert_eq!(refused.status.code(), Some(78));
    let sentence = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        sentence.contains("while the end of 1 payments is not known"),
        "{sentence}"
    );
}

#[tokio::test]
async fn new_keyset_takes_over_and_old_ecash_stays_good() {
    let home = Home::new();
    let mint = home.start();
    let old = Wallet::connect(&mint.url).await.mint(&[8, 4]).await;
    assert_eq!(mint.stop(Signal::TERM).code(), Some(0));

    home.write_config("demo", "use_keyset_v2 = false\ninput_fee_ppk = 1000");
    let mint = home.start();
    let wallet = Wallet::connect(&mint.url).await;
    let health = wallet.get("/health").await.unwrap().body;
    assert_eq!(
        (&health["keysets"], &health["outstanding_sat"]),
        (&2.into(), &12.into()),
        "{health}"
    );
    let outputs = wallet.outputs(&[8, 4]);
    assert!(
        outputs.messages[0].keyset_id.to_string().starts_with("00"),
        "new ids are of version 1"
    );
    let answer = wallet.swap(&old, &outputs).await.unwrap();
    assert_eq!(
        answer.status, 200,
        "old proofs pay the old fee, none: {:?}",
        answer.body
    );
    let new = wallet.open(&outputs, &answer.body["signatures"]);
    let free = wallet.swap(&new[..1], &wallet.outputs(&[8])).await.unwrap();
    assert_ne!(free.status, 200, "one input costs 1 sat now");
    let paid = wallet
        .swap(&new[..1], &wallet.outputs(&[4, 2, 1]))
        .await
        .unwrap();
    assert_eq!(paid.status, 200, "{:?}", paid.body);
    assert_eq!(outstanding(&wallet).await, 11);
}

#[tokio::test]
async fn same_proof_in_parallel_swaps_is_spent_exactly_once() {
    let home = Home::new();
    let mint = home.start();
    let wallet = Wallet::connect(&mint.url).await;
    let proofs = wallet.mint(&[8; 10]).await;
    for proof in &proofs {
        let mut attempts = tokio::task::JoinSet::new();
        for _ in 0..12 {
            let (wallet, proof) = (wallet.clone(), proof.clone());
            attempts.spawn(async move {
                let outputs = wallet.outputs(&[4, 4]);
                wallet.swap(&[proof], &outputs).await.unwrap()
            });
        }
        let answers = attempts.join_all().await;
        let accepted = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!(accepted, 1, "{answers:?}");
        let codes: Vec<_> = answers
            .iter()
            .filter_map(crate::wallet::Answer::code)
            .collect();
        assert_eq!(codes.len(), 11);
        assert!(
            codes
                .iter()
                .all(|code| [ALREADY_SPENT, PENDING].contains(code)),
            "{codes:?}"
        );
    }
    assert_eq!(outstanding(&wallet).await, 80);
}

#[tokio::test]
async fn unbalanced_swap_and_forged_proof_are_refused() {
    let home = Home::new();
    let mint = home.start();
    let wallet = Wallet::connect(&mint.url).await;
    let proofs = wallet.mint(&[8, 8]).await;
    let greedy = wallet
        .swap(&proofs[..1], &wallet.outputs(&[16]))
        .await
        .unwrap();
    assert_ne!(greedy.status, 200, "{:?}", greedy.body);
    let mut forged = proofs[0].clone();
    forged.c = proofs[1].c;
    let refused = wallet.swap(&[forged], &wallet.outputs(&[8])).await.unwrap();
    assert_eq!(refused.code(), Some(10_001), "{:?}", refused.body);
    assert_eq!(wallet.states(&proofs).await, ["UNSPENT", "UNSPENT"]);
    assert_eq!(outstanding(&wallet).await, 16);
}

#[tokio::test]
async fn repeated_swap_gets_the_first_answer_again() {
    let home = Home::new();
    let mint = home.start();
    let wallet = Wallet::connect(&mint.url).await;
    let proofs = wallet.mint(&[8]).await;
    let outputs = wallet.outputs(&[4, 4]);
    let first = wallet.swap(&proofs, &outputs).await.unwrap();
    let second = wallet.swap(&proofs, &outputs).await.unwrap();
    assert_eq!(
        (first.status, second.status),
        (200, 200),
        "{:?}",
        second.body
    );
    assert_eq!(first.body, second.body);
    assert_eq!(outstanding(&wallet).await, 8);
}

#[tokio::test]
async fn locked_quote_is_minted_with_its_key_alone() {
    let home = Home::new();
    let mint = home.start();
    let wallet = Wallet::connect(&mint.url).await;
    let (owner, thief) = (SecretKey::generate(), SecretKey::generate());
    let quote = wallet.paid_quote(8, Some(&owner.public_key())).await;
    let outputs = wallet.outputs(&[8]);
    let mut request = MintRequest {
        quote: quote.clone(),
        outputs: outputs.messages.clone(),
        signature: None,
    };
    let unsigned = wallet
        .post("/v1/mint/bolt11", &json!(request))
        .await
        .unwrap();
    assert_eq!(unsigned.code(), Some(20_008), "{:?}", unsigned.body);
    request.sign(&thief).unwrap();
    let stolen = wallet
        .post("/v1/mint/bolt11", &json!(request))
        .await
        .unwrap();
    assert_eq!(stolen.code(), Some(20_008), "{:?}", stolen.body);
    request.sign(&owner).unwrap();
    let minted = wallet
        .post("/v1/mint/bolt11", &json!(request))
        .await
        .unwrap();
    assert_eq!(minted.status, 200, "{:?}", minted.body);
}

#[tokio::test]
async fn two_paid_quotes_are_minted_in_one_batch() {
    let home = Home::new();
    let mint = home.start();
    let wallet = Wallet::connect(&mint.url).await;
    let quotes = [
        wallet.paid_quote(4, None).await,
        wallet.paid_quote(8, None).await,
    ];
    let outputs = wallet.outputs(&[4, 8]);
    let body = json!({ "quotes": quotes, "quote_amounts": [4, 8], "outputs": outputs.messages });
    let answer = wallet.post("/v1/mint/bolt11/batch", &body).await.unwrap();
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    assert_eq!(sum(&wallet.open(&outputs, &answer.body["signatures"])), 12);
}

#[tokio::test]
async fn client_that_hangs_up_leaves_no_proof_pending() {
    let home = Home::new();
    let mint = home.start();
    let wallet = Wallet::connect(&mint.url).await;
    let proofs = wallet.mint(&[2; 60]).await;
    let address = mint.url.trim_start_matches("http://").to_owned();
    for (index, proof) in proofs.iter().enumerate() {
        let body =
            Wallet::swap_body(std::slice::from_ref(proof), &wallet.outputs(&[1, 1])).to_string();
        let mut stream = TcpStream::connect(&address).unwrap();
        write!(
            stream,
            "POST /v1/swap HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        // The moment of hanging up wanders through the request; it is what is tested, not a synchronisation.
        std::thread::sleep(Duration::from_micros(500 * (index as u64 % 30)));
        drop(stream);
    }
    let settled = async {
        loop {
            let states = wallet.states(&proofs).await;
            if !states.iter().any(|state| state == "PENDING") {
                return states;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let states = tokio::time::timeout(Duration::from_secs(20), settled)
        .await
        .expect("no proof stays pending");
    assert!(
        states.iter().any(|state| state == "SPENT"),
        "at least one request got through: {states:?}"
    );
    assert_eq!(outstanding(&wallet).await, 120);
}

#[tokio::test]
async fn no_secret_and_no_token_reaches_the_log() {
    let home = Home::new();
    let mint = home.start();
    let wallet = Wallet::connect(&mint.url).await;
    let proofs = wallet.mint(&[8]).await;
    for _ in 0..2 {
        let _ = wallet.swap(&proofs, &wallet.outputs(&[8])).await.unwrap();
    }
    let log = mint.log();
    assert!(log.contains("listening"), "{log}");
    for secret in [
        proofs[0].secret.to_string(),
        proofs[0].c.to_string(),
        crate::process::SEED.to_owned(),
    ] {
        assert!(!log.contains(&secret), "the log holds {secret}: {log}");
    }
}
