//! The docker runtime with a real engine, and real programs under it.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may fail anywhere, also in what its tests share, and says what it did not do"
)]

mod bench;
mod confinement;
mod faults;
mod suite;
