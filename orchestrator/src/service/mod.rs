//! Owns services between the manifest and the runtime: specifications, secret markers, credentials, probes.

pub mod desired;
pub mod marker;
pub mod spec;
