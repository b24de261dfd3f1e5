//! What the mint owes, and whether it can be true.
//!
//! Owns the health answer. Deliberately knows nothing of HTTP.

use cdk::{Amount, mint::Mint};
use serde::Serialize;

use crate::{
    config::{Network, Unit},
    issuer::{self, Unresolved},
};

/// Whether the mint does its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It does.
    Ready,
    /// It does, and an operator should look at something.
    Degraded,
    /// It does not, or its books cannot be true.
    Failed,
}

/// The health answer. Shape: JSON of `/health`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Health {
    /// Whether the mint does its work.
    pub status: Status,
    /// The reason, for programs.
    pub code: &'static str,
    /// The reason, for people.
    pub text: String,
    /// The currency unit.
    pub unit: Unit,
    /// The network whose money is behind the ecash.
    pub network: Network,
    /// How many keysets there are.
    pub keysets: usize,
    /// Ever issued. Units: satoshis.
    pub issued_sat: u64,
    /// Ever taken back. Units: satoshis.
    pub redeemed_sat: u64,
    /// What is owed. Units: satoshis.
    pub outstanding_sat: u64,
    /// Swaps that recovery at start could not end and that are still open.
    pub unresolved_swaps: usize,
    /// Melts whose end is not known since the start.
    pub unresolved_melts: usize,
}

/// What strangers are told of it: nothing that is counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outline<'a> {
    /// Whether the mint does its work.
    pub status: Status,
    /// The reason, for programs.
    pub code: &'static str,
    /// The reason, for people.
    pub text: &'a str,
}

impl Health {
    /// Returns what everybody may know.
    #[must_use]
    pub fn outline(&self) -> Outline<'_> {
        Outline {
            status: self.status,
            code: self.code,
            text: &self.text,
        }
    }
}

/// The totals of one keyset. Units: satoshis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeysetTotals {
    /// Ever issued.
    pub issued_sat: u64,
    /// Ever taken back.
    pub redeemed_sat: u64,
}

/// Asks the mint and its database how they are.
pub async fn ask(mint: &Mint, network: Network, unit: Unit, left_open: &Unresolved) -> Health {
    match read(mint, left_open).await {
        Ok((totals, still_open)) => judge(network, unit, &totals, &still_open),
        Err(error) => {
            tracing::error!(error = %error, "the database did not answer the health check");
            Health {
                status: Status::Failed,
                code: "database_silent",
                text: "the database does not answer".to_owned(),
                ..blank(network, unit)
            }
        }
    }
}

async fn read(
    mint: &Mint,
    left_open: &Unresolved,
) -> Result<(Vec<KeysetTotals>, Unresolved), cdk::Error> {
    // Redeemed is read first: both only grow, so a swap in between cannot make it look larger than issued.
    let redeemed = mint.total_redeemed().await?;
    let issued = mint.total_issued().await?;
    let amount = |amount: Option<&Amount>| amount.map_or(0, |amount| u64::from(*amount));
    let totals = issued
        .iter()
        .map(|(id, total)| KeysetTotals {
            issued_sat: amount(Some(total)),
            redeemed_sat: amount(redeemed.get(id)),
        })
        .chain(
            redeemed
                .iter()
                .filter(|(id, _)| !issued.contains_key(*id))
                .map(|(_, total)| KeysetTotals {
                    issued_sat: 0,
                    redeemed_sat: amount(Some(total)),
                }),
        )
        .collect();
    let mut still_open = Unresolved::default();
    if *left_open != Unresolved::default() {
        let open = issuer::list_open(mint)
            .await
            .map_err(|error| cdk::Error::Custom(error.to_string()))?;
        still_open.swaps = open
            .swaps
            .into_iter()
            .filter(|id| left_open.swaps.contains(id))
            .collect();
        still_open.melts = open
            .melts
            .into_iter()
            .filter(|id| left_open.melts.contains(id))
            .collect();
    }
    Ok((totals, still_open))
}

fn blank(network: Network, unit: Unit) -> Health {
    Health {
        status: Status::Ready,
        code: "ready",
        text: "the mint answers and its books add up".to_owned(),
        unit,
        network,
        keysets: 0,
        issued_sat: 0,
        redeemed_sat: 0,
        outstanding_sat: 0,
        unresolved_swaps: 0,
        unresolved_melts: 0,
    }
}

/// Judges totals and open operations: a keyset of which more came back than was ever issued means forged or restored
/// money, and nothing outranks that.
#[must_use]
pub fn judge(network: Network, unit: Unit, totals: &[KeysetTotals], open: &Unresolved) -> Health {
    let sum =
        |of: fn(&KeysetTotals) -> u64| totals.iter().map(of).try_fold(0_u64, u64::checked_add);
    let (Some(issued_sat), Some(redeemed_sat)) = (sum(|t| t.issued_sat), sum(|t| t.redeemed_sat))
    else {
        return Health {
            status: Status::Failed,
            code: "totals_overflow",
            text: "the totals are beyond any amount of money".to_owned(),
            ..blank(network, unit)
        };
    };
    let mut health = Health {
        keysets: totals.len(),
        issued_sat,
        redeemed_sat,
        outstanding_sat: issued_sat.saturating_sub(redeemed_sat),
        unresolved_swaps: open.swaps.len(),
        unresolved_melts: open.melts.len(),
        ..blank(network, unit)
    };
    if totals.is_empty() {
        health.status = Status::Failed;
        health.code = "no_keyset";
        health.text = "there is no keyset to issue from".to_owned();
    } else if totals.iter().any(|t| t.redeemed_sat > t.issued_sat) {
        health.status = Status::Failed;
        health.code = "redeemed_exceeds_issued";
        health.text =
            "more ecash of a keyset came back than was ever issued: stop the mint and look"
                .to_owned();
    } else if !open.swaps.is_empty() {
        health.status = Status::Degraded;
        health.code = "swaps_unresolved";
        health.text = "recovery could not end a swap that a crash interrupted".to_owned();
    } else if !open.melts.is_empty() {
        health.status = Status::Degraded;
        health.code = "melts_unresolved";
        health.text = "the end of a payment that a crash interrupted is not known".to_owned();
    }
    health
}

/// Writes `health` as Prometheus text.
#[must_use]
pub fn metrics(health: &Health) -> String {
    let ready = u8::from(health.status == Status::Ready);
    let lines = [
        (
            "up",
            "gauge",
            "Whether the mint is ready.",
            u64::from(ready),
        ),
        (
            "keysets",
            "gauge",
            "Keysets, active or not.",
            health.keysets as u64,
        ),
        (
            "issued_sat",
            "counter",
            "Ecash ever issued, in satoshis.",
            health.issued_sat,
        ),
        (
            "redeemed_sat",
            "counter",
            "Ecash ever taken back, in satoshis.",
            health.redeemed_sat,
        ),
        (
            "outstanding_sat",
            "gauge",
            "Ecash that the mint owes, in satoshis.",
            health.outstanding_sat,
        ),
        (
            "unresolved_swaps",
            "gauge",
            "Swaps left open by recovery.",
            health.unresolved_swaps as u64,
        ),
        (
            "unresolved_melts",
            "gauge",
            "Melts left open by recovery.",
            health.unresolved_melts as u64,
        ),
    ];
    lines
        .map(|(name, kind, help, value)| {
            format!("# HELP flash_mint_{name} {help}\n# TYPE flash_mint_{name} {kind}\nflash_mint_{name} {value}\n")
        })
        .concat()
}

#[cfg(test)]
mod tests;
