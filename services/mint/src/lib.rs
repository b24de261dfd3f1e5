//! Flash Node's Cashu mint: the cdk crates, run the way a merchant's node needs them.
//!
//! Owns what cdk leaves open: who may start (network and back end, seed and database, one process), limits per address,
//! an honest health answer, and a clean stop. Deliberately knows nothing of the node that runs it: a configuration
//! file and a seed file are all it is given.

pub mod backend;
pub mod books;
pub mod config;
pub mod database;
pub mod error;
pub mod http;
pub mod identity;
pub mod issuer;
pub mod limit;
pub mod lock;
pub mod policy;
pub mod readers;
pub mod run;
pub mod seed;
