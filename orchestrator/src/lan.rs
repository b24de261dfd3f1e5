//! Owns what a node needs to be reached from its own network by HTTPS: a certificate authority of its own, the certificate
//! of this machine, the addresses and names for which that holds, and the answers to whoever asks for its `.local` name.
//!
//! It does not know who listens (`http`), nor where anything is kept (`app::ways`).

pub mod authority;
pub mod machine;
pub mod responder;
