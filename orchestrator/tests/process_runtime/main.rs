//! The process runtime with the real program as supervisor, and real programs under it.

#![expect(
    clippy::unwrap_used,
    reason = "a test may fail anywhere, also in what its tests share"
)]

mod bench;
mod confinement;
mod crash;
mod death;
mod suite;
