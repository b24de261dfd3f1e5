//! What an acknowledged swap is worth when the process dies.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use cdk_common::nuts::Proof;
use rustix::process::Signal;
use tokio::task::JoinSet;

use crate::{
    process::Home,
    wallet::{Outputs, Wallet},
};

struct Attempt {
    inputs: Vec<Proof>,
    outputs: Outputs,
    acknowledged: Option<Vec<Proof>>,
}

/// Swaps `batches` in parallel until the mint dies under them.
async fn swap_until_killed(
    wallet: &Wallet,
    batches: Vec<Vec<Proof>>,
    acknowledged: Arc<AtomicUsize>,
) -> Vec<Attempt> {
    let mut swaps = JoinSet::new();
    let room = Arc::new(tokio::sync::Semaphore::new(16));
    for inputs in batches {
        let (wallet, room, acknowledged) = (wallet.clone(), room.clone(), acknowledged.clone());
        swaps.spawn(async move {
            let _place = room.acquire().await.expect("the semaphore is never closed");
            let outputs = wallet.outputs(&[2, 2]);
            let proofs = match wallet.swap(&inputs, &outputs).await {
                Ok(answer) if answer.status == 200 => {
                    Some(wallet.open(&outputs, &answer.body["signatures"]))
                }
                Ok(_) | Err(_) => None,
            };
            if proofs.is_some() {
                acknowledged.fetch_add(1, Ordering::SeqCst);
            }
            Attempt {
                inputs,
                outputs,
                acknowledged: proofs,
            }
        });
    }
    swaps.join_all().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_under_parallel_swaps_loses_nothing_acknowledged() {
    interrupt_and_settle(Signal::KILL, None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_under_parallel_swaps_finishes_them_and_ends_with_0() {
    interrupt_and_settle(Signal::TERM, Some(0)).await;
}

/// Three times: swaps in parallel, sends `signal` in their midst, expects the exit code, starts again and counts.
async fn interrupt_and_settle(signal: Signal, code: Option<i32>) {
    let home = Home::new();
    let mut total = 0;
    let mut purse: Vec<Proof> = Vec::new();
    for round in 0..3_usize {
        let mint = home.start();
        let wallet = Wallet::connect(&mint.url).await;
        let fresh = wallet.mint(&[1; 480]).await;
        total += 480;
        let batches: Vec<Vec<Proof>> = fresh.chunks(4).map(<[Proof]>::to_vec).collect();
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let swapping = swap_until_killed(&wallet, batches, acknowledged.clone());
        let killing = async {
            while acknowledged.load(Ordering::SeqCst) < 10 + 15 * round {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            tokio::task::spawn_blocking(move || mint.stop(signal))
                .await
                .expect("the mint ends")
        };
        let (attempts, status) = tokio::join!(swapping, killing);
        assert_eq!(status.code(), code);
        assert!(
            attempts
                .iter()
                .any(|attempt| attempt.acknowledged.is_none()),
            "the signal came too late to test anything"
        );

        let mint = home.start();
        let wallet = Wallet::connect(&mint.url).await;
        for attempt in &attempts {
            purse.extend(settle(&wallet, attempt).await);
        }
        let held: u64 = purse.iter().map(|proof| u64::from(proof.amount)).sum();
        assert_eq!(held, total, "no satoshi was lost or made in round {round}");
        let health = wallet.get("/health").await.expect("the mint answers").body;
        assert_eq!(health["status"], "ready", "{health}");
        assert_eq!(health["outstanding_sat"], total, "{health}");
        assert_eq!(health["unresolved_swaps"], 0, "{health}");
    }
}

/// The live proofs of one attempt after the restart.
async fn settle(wallet: &Wallet, attempt: &Attempt) -> Vec<Proof> {
    let states = wallet.states(&attempt.inputs).await;
    assert!(
        states.iter().all(|state| *state == states[0]),
        "a swap spends all its inputs or none: {states:?}"
    );
    let restored = wallet.restore(&attempt.outputs).await;
    match (states[0].as_str(), &attempt.acknowledged, restored) {
        ("SPENT", Some(proofs), Some(_)) => {
            assert!(
                wallet
                    .states(proofs)
                    .await
                    .iter()
                    .all(|state| state == "UNSPENT")
            );
            proofs.clone()
        }
        ("SPENT", None, Some(proofs)) => proofs,
        ("UNSPENT", None, None) => attempt.inputs.clone(),
        (state, acknowledged, restored) => panic!(
            "inputs {state}, acknowledged {}, signatures kept {}",
            acknowledged.is_some(),
            restored.is_some()
        ),
    }
}
