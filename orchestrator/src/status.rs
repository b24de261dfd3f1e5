//! Owns the status as the API, the command line and the dashboard read it.
//!
//! It does not know how a signal was found out.

use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

/// One signal of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Signal {
    /// True, false, or null where it cannot be known now.
    pub ok: Option<bool>,
    /// The machine code, `snake_case`.
    pub code: String,
    /// One sentence for a person.
    pub text: String,
    /// How much of what there is to do is done, where the service says so. Units: millionths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<u32>,
}

impl Signal {
    /// Builds a signal.
    pub fn new(ok: Option<bool>, code: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            ok,
            code: code.into(),
            text: text.into(),
            share: None,
        }
    }
}

/// An address worth showing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EndpointStatus {
    /// The endpoint's name in the manifest, such as `nostr` or `cashu`.
    pub name: String,
    /// Where it answers.
    pub url: String,
}

/// One service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServiceStatus {
    /// The service.
    pub id: String,
    /// What people call it.
    pub title: String,
    /// What runs it: `process`, `docker`, `external` or `none`.
    pub runtime: String,
    /// The reconciler's state: `absent`, `prepared`, `running`, `stopping`, `exited`, `backing_off`, `needs_you`, `held_back`, `external`,
    /// `unknown` (nobody can say now what runs).
    pub state: String,
    /// Whether it is part of the node; one that was left out is listed until it has stopped.
    pub wanted: bool,
    /// Since when the program runs. Units: milliseconds since the Unix epoch.
    pub started_at: Option<u64>,
    /// Does it run and answer at all?
    pub alive: Signal,
    /// Does it serve?
    pub ready: Signal,
    /// Has it caught up?
    pub synced: Signal,
    /// When it will have caught up at the pace of the last hour, rounded; nothing where that cannot be told yet.
    /// Units: milliseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub synced_at: Option<u64>,
    /// Where people and programs reach it.
    pub endpoints: Vec<EndpointStatus>,
    /// What the operator should do, where something is needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Confinement that this runtime cannot give, one code each.
    pub not_enforced: Vec<String>,
}

/// The vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VaultStatus {
    /// `open`, `sealed` or `self_unsealing` (no passphrase is set: play money only).
    pub state: String,
    /// Whether there is a vault; outside play money the first passphrase makes it.
    pub exists: bool,
    /// Whether a passphrase opens it.
    pub passphrase_set: bool,
    /// One sentence for a person.
    pub text: String,
}

/// The whole node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodeStatus {
    /// The profile.
    pub profile: String,
    /// The Bitcoin network.
    pub network: String,
    /// Whether nothing here is worth anything.
    pub play_money: bool,
    /// `flash-node`'s version.
    pub version: String,
    /// The daemon's process id.
    pub pid: u32,
    /// The vault.
    pub vault: VaultStatus,
    /// Every service, sorted by id.
    pub services: Vec<ServiceStatus>,
    /// Where the API answers; empty where the node only stops what another daemon left.
    pub api: String,
    /// Moves whenever anything above changes.
    pub cursor: u64,
}
