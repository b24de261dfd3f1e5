//! `load MINT_URL PARALLEL SWAPS`: how many 4→4 swaps a mint does, with all client work done beforehand.
//!
//! Prints one JSON object. Works against any Cashu mint whose invoices pay themselves.

use std::{
    env,
    io::{self, Write},
    process::ExitCode,
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{task::JoinSet, time::Instant};

#[path = "../tests/support/wallet.rs"]
#[expect(dead_code, reason = "the tests use the rest of the wallet")]
mod wallet;

use wallet::Wallet;

/// Proofs in, and proofs out, of one swap.
const WIDTH: usize = 4;
/// Swaps whose proofs one mint request makes: 800 outputs, below the common limit of 1000.
const SWAPS_PER_MINT: usize = 200;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [url, parallel, swaps] = arguments.as_slice() else {
        return usage();
    };
    let (Ok(parallel), Ok(swaps)) = (parallel.parse::<usize>(), swaps.parse::<usize>()) else {
        return usage();
    };
    if parallel == 0 || swaps == 0 {
        return usage();
    }
    let wallet = Wallet::connect(url.trim_end_matches('/')).await;
    let bodies = prepare(&wallet, swaps).await;
    let report = drive(&wallet, bodies, parallel).await;
    let _ = writeln!(io::stdout(), "{report}");
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    let _ = writeln!(io::stderr(), "usage: load MINT_URL PARALLEL SWAPS");
    ExitCode::from(2)
}

/// Mints the proofs and writes the body of every swap.
async fn prepare(wallet: &Wallet, swaps: usize) -> Vec<Value> {
    let mut bodies = Vec::with_capacity(swaps);
    while bodies.len() < swaps {
        let now = SWAPS_PER_MINT.min(swaps - bodies.len());
        let proofs = wallet.mint(&vec![1; WIDTH * now]).await;
        bodies.extend(
            proofs
                .chunks(WIDTH)
                .map(|inputs| Wallet::swap_body(inputs, &wallet.outputs(&[1; WIDTH]))),
        );
    }
    bodies
}

/// Sends every body, `parallel` at a time, and sums up.
async fn drive(wallet: &Wallet, bodies: Vec<Value>, parallel: usize) -> Value {
    let total = bodies.len();
    let mut shares: Vec<Vec<Value>> = vec![Vec::new(); parallel];
    for (index, body) in bodies.into_iter().enumerate() {
        shares[index % parallel].push(body);
    }
    let begun = Instant::now();
    let mut workers = JoinSet::new();
    for share in shares {
        let wallet = wallet.clone();
        workers.spawn(async move {
            let mut times = Vec::with_capacity(share.len());
            let mut errors = 0_usize;
            for body in share {
                let sent = Instant::now();
                match wallet.post("/v1/swap", &body).await {
                    Ok(answer) if answer.status == 200 => times.push(sent.elapsed()),
                    Ok(_) | Err(_) => errors += 1,
                }
            }
            (times, errors)
        });
    }
    let shares = workers.join_all().await;
    let elapsed = begun.elapsed();
    let errors: usize = shares.iter().map(|(_, errors)| errors).sum();
    let mut times: Vec<Duration> = shares.into_iter().flat_map(|(times, _)| times).collect();
    times.sort_unstable();
    json!({
        "swaps_per_s": round(per_second(total - errors, elapsed)),
        "p50_ms": round(millis(&times, 50)),
        "p99_ms": round(millis(&times, 99)),
        "errors": errors,
    })
}

fn per_second(done: usize, elapsed: Duration) -> f64 {
    u32::try_from(done).map_or(f64::INFINITY, f64::from) / elapsed.as_secs_f64()
}

fn millis(sorted: &[Duration], percent: usize) -> f64 {
    let index = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted
        .get(index)
        .map_or(0.0, |time| time.as_secs_f64() * 1_000.0)
}

fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
