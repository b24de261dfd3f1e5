//! The real relay, spoken to over WebSocket.

mod authentication;
mod basics;
mod deletion;
mod durability;
mod leaks;
mod limits;
mod negentropy;
mod support;
