//! Owns services between the manifest and the runtime: specifications, secret markers, credentials, probes.

pub mod desired;
pub mod health;
pub mod init;
pub mod marker;
pub mod probe;
pub mod spec;
pub mod volume_file;
