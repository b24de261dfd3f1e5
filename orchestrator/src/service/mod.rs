//! Owns services between the manifest and the runtime: specifications, secret markers, credentials, probes.

pub mod credential;
pub mod desired;
pub mod hash;
pub mod health;
pub mod init;
pub mod marker;
pub mod materialise;
pub mod places;
pub mod ports;
pub mod probe;
pub mod programs;
pub mod render;
pub mod resolve;
pub mod spec;
pub mod subnets;
pub mod volume_file;
