//! The process runtime with the real program as supervisor, and real programs under it.

mod bench;
mod confinement;
mod crash;
mod death;
mod suite;
