//! Why the mint did not run, and the exit code that says so to a supervisor.

use std::{io, net::SocketAddr};

use crate::{
    config::ConfigError, database::DatabaseError, issuer::IssuerError, lock::LockError,
    policy::PolicyError, seed::SeedError,
};

/// Why the mint did not start, or did not stop well.
#[derive(Debug, thiserror::Error)]
pub enum MintError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The seed file.
    #[error(transparent)]
    Seed(#[from] SeedError),
    /// A rule about money.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The data folder.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// cdk's mint.
    #[error(transparent)]
    Issuer(#[from] IssuerError),
    /// The listening address.
    #[error(
        "{listen}: the address is taken; stop the program that listens there or choose another `listen`"
    )]
    AddressTaken {
        /// The address.
        listen: SocketAddr,
    },
    /// The system refused to listen.
    #[error("{listen}: the system refused to listen")]
    Listen {
        /// The address.
        listen: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The async runtime, the signal handlers or the server broke.
    #[error("the server stopped unexpectedly")]
    Server {
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl MintError {
    /// The exit code. Source: sysexits.h, whose numbers service managers know.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) | Self::Seed(_) | Self::Policy(_) => 78,
            Self::Lock(LockError::Taken { .. }) | Self::AddressTaken { .. } => 75,
            Self::Lock(LockError::Failed { .. }) | Self::Listen { .. } => 74,
            Self::Database(error) => error.exit_code(),
            Self::Issuer(_) | Self::Server { .. } => 70,
        }
    }
}
