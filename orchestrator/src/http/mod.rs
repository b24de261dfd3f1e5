//! Owns the node's HTTP face: a TCP listener on loopback for who is signed in, and the owner's unix socket.
//!
//! It does not know who answers ([`Node`](crate::node::Node) does), nor how a person reads it (`cli`).
//! Every request passes `guard` before it reaches a handler; every error has the one shape of [`ErrorBody`].

mod access;
mod body;
mod certificates;
mod control;
mod error;
mod events;
mod guard;
mod json;
mod lanes;
mod logs;
mod metrics;
mod once;
mod onion;
mod openapi;
mod page;
mod pages;
mod passkeys;
mod people;
mod places;
mod proxies;
mod read;
mod router;
mod server;
mod session;
mod settings;
mod shop;
mod socket;
mod tasks;
#[cfg(test)]
mod tests;
mod tls;
mod tokens;
mod vault;

pub use certificates::Certificate;
pub use certificates::Certificates;
pub use error::ErrorBody;
pub use onion::OnionSocket;
pub use onion::Tries;
pub use openapi::document as openapi_document;
pub use proxies::PROBE;
pub use proxies::Proxies;
pub use proxies::Public;
pub use proxies::Shown;
pub use server::Api;
pub use socket::BindError;
pub use socket::ControlSocket;
pub use socket::bind_tcp;
pub use socket::bind_unix;
pub use tls::Https;
