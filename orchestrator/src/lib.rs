//! The Flash Node orchestrator.
//!
//! Imports go down only: `app, config → http → account, reconcile → manifest, runtime, service, store → clock, entropy,
//! id, secret, status, task`.

pub mod account;
pub mod acme;
pub mod advisory;
pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod entropy;
pub mod fail;
pub mod http;
pub mod id;
pub mod image;
pub mod lan;
pub mod manifest;
pub mod node;
pub mod reconcile;
pub mod runtime;
pub mod secret;
pub mod service;
pub mod status;
pub mod store;
pub mod task;
pub mod view;
