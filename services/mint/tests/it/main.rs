//! The real program, driven over HTTP and signals.

#[path = "../support/process.rs"]
mod process;
#[path = "../support/wallet.rs"]
mod wallet;

mod crash;
mod face;
mod money;
mod refusal;
mod stop;
