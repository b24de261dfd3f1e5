//! flash-relay: the Nostr relay of Flash Node. Private messages are served to those who may read them and
//! to nobody else, and an `OK` is sent only after the event is on disk.
//!
//! The map: `relay` starts and stops everything; `http` owns the port; `session` talks with one client and
//! asks `policy` (may this be taken?), `visibility` (may this be read?), `writer` (keep it) and `store`
//! (find it); `hub` hands new events to open subscriptions.

mod admission;
mod allowance;
mod clock;
pub mod config;
mod deletion;
mod entropy;
mod expiry;
mod health;
mod http;
mod hub;
mod information;
pub mod limits;
mod message;
mod metrics;
mod outbound;
mod policy;
pub mod public_url;
mod relay;
mod session;
mod store;
mod task;
mod visibility;
mod writer;

pub use relay::Relay;
pub use relay::StartError;
pub use store::StoreError;
