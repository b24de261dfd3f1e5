//! Owns container images as data: how one is named, and how one is packed from programs of this machine.
//!
//! It does not know the engine that runs them.

pub mod pack;
pub mod reference;

pub use reference::ImageReference;
