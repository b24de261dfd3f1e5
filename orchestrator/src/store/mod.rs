//! Owns everything that the node keeps on disk: the data folder, `state.db` and the vault.
//!
//! It does not know what should run (`manifest`, `service`) nor what runs (`runtime`). SQL is written here and in
//! each noun's own `repo.rs` (`account`).

pub(crate) mod durable;
pub mod error;
pub mod folder;
pub(crate) mod sqlite;
pub mod state;
pub mod vault;

pub use error::StoreError;

#[cfg(test)]
pub(crate) mod surgery;
