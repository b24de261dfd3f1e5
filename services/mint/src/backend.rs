//! What pays and is paid.
//!
//! Owns the construction of payment back ends. Deliberately does not decide which one a network allows: `policy` does.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use cdk::nuts::CurrencyUnit;
use cdk_common::{common::FeeReserve, payment::DynMintPayment};
use cdk_fake_wallet::FakeWallet;

use crate::config::Backend;

/// Makes the configured back end.
#[must_use]
pub fn make(backend: &Backend) -> DynMintPayment {
    match backend {
        Backend::Fake {
            delay_seconds,
            fee_reserve_min_sat,
            fee_reserve_ppm,
        } => {
            // cdk takes the rate as a fraction in single precision; only its fake wallet ever multiplies with it.
            #[expect(
                clippy::cast_precision_loss,
                reason = "parts per million below 2^24 are exact in an f32"
            )]
            let percent_fee_reserve = *fee_reserve_ppm as f32 / 1_000_000.0;
            let reserve = FeeReserve {
                min_fee_reserve: (*fee_reserve_min_sat).into(),
                percent_fee_reserve,
            };
            Arc::new(FakeWallet::new(
                reserve,
                HashMap::new(),
                HashSet::new(),
                *delay_seconds,
                CurrencyUnit::Sat,
            ))
        }
    }
}
