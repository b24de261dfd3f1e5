//! Owns what pages and programs read of a node beside its status: what can be set, who may reach whom, which images run.
//!
//! The command line prints the same as text. It does not know how any of it was found out.

use std::fmt;

use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

/// The ways into the node's pages and API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Access {
    /// Each way, open or not.
    pub entrances: Vec<Entrance>,
    /// What devices of the network are told to trust, once there is one.
    pub authority: Option<Authority>,
}

/// One way in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Entrance {
    /// From where.
    pub kind: EntranceKind,
    /// What is opened in a browser, the best first.
    pub urls: Vec<String>,
    /// Whether it works, by the node's own try; nothing where it is not wanted.
    pub ok: Option<bool>,
    /// The machine code, `snake_case`.
    pub code: String,
    /// One sentence for a person.
    pub text: String,
}

/// From where a way leads in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EntranceKind {
    /// From this machine.
    Machine,
    /// From the network that this machine is in.
    Network,
    /// From the internet, by a name.
    Public,
    /// From the Tor network, by an onion address.
    Onion,
}

/// The node's certificate authority, without its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Authority {
    /// By what people compare it: SHA-256, as pairs of hexadecimal digits.
    pub fingerprint: String,
    /// As PEM.
    pub certificate: String,
}

/// The services that were left out and still have something here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Removed {
    /// Each, sorted by id.
    pub items: Vec<RemovedService>,
}

/// A service that was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RemovedService {
    /// The service.
    pub id: String,
    /// What people call it; its id where nobody knows it any more.
    pub title: String,
    /// Where its data lie; empty where it has none and is only remembered.
    pub folders: Vec<String>,
}

/// What can be set, by service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Settings {
    /// Every service that has settings, sorted by id.
    pub services: Vec<ServiceSettings>,
}

/// What can be set of one service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServiceSettings {
    /// The service.
    pub id: String,
    /// What people call it.
    pub title: String,
    /// Its settings, sorted by name.
    pub settings: Vec<Setting>,
}

/// One setting: its type, its range and its value. Source: the service's manifest, `[settings]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Setting {
    /// Its name, `snake_case`.
    pub name: String,
    /// One sentence for the form.
    pub help: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: SettingType,
    /// The value where the operator says nothing.
    pub default: SettingValue,
    /// The value that was accepted.
    pub value: SettingValue,
    /// Whether the operator chose it.
    pub chosen: bool,
    /// The smallest legal number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<i64>,
    /// The largest legal number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<i64>,
    /// The number's unit, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The longest legal text. Units: characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_length: Option<usize>,
    /// The legal words of a choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub options: Option<Vec<String>>,
}

/// The type of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SettingType {
    /// True or false.
    Bool,
    /// A whole number.
    Integer,
    /// A line of text.
    Text,
    /// One of a few words.
    Choice,
}

/// The value of a setting, as its type asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum SettingValue {
    /// Of a `bool`.
    Bool(bool),
    /// Of an `integer`.
    Integer(i64),
    /// Of a `text` or a `choice`.
    Text(String),
}

/// Who may reach whom, for what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Edges {
    /// Every edge, sorted by who calls; there is no other way between two services.
    pub edges: Vec<Edge>,
    /// What an operator must know beside them.
    pub notes: Vec<EdgeNote>,
}

/// What an operator must know beside the edges.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EdgeNote {
    /// The machine code: `shared_network`, or `binds_every_address`.
    pub code: String,
    /// The service it is about, if one.
    pub service: Option<String>,
    /// Who else can reach that service's port.
    pub others: Vec<String>,
    /// One sentence for a person.
    pub text: String,
}

/// One way from who calls to who answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Edge {
    /// Its name, by which its credential is replaced: `consumer/interface/provider`; nothing for a published port.
    pub id: Option<String>,
    /// Who calls: a service, `node`, or, of a published port, `this machine`, `its network` or `anyone`.
    pub from: String,
    /// Who answers: a service, or `internet`.
    pub to: String,
    /// The provider's interface, or the published port and where it is.
    pub interface: String,
    /// What the consumer may ask for there; empty where the interface knows no such list.
    pub allow: Vec<String>,
    /// By what the provider knows the consumer, if by anything.
    pub credential: Option<Credential>,
    /// What carries it.
    pub way: Way,
    /// The network of its own, in CIDR notation; nothing where services share the machine's.
    pub network: Option<String>,
    /// The only addresses beyond that network; empty on a `way_out` means everywhere.
    pub reach: Vec<String>,
}

/// What carries an edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// A network of its two ends alone, or the machine's own.
    Between,
    /// A network that leads outside.
    WayOut,
    /// A published port.
    Published,
}

/// By what a consumer is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Credential {
    /// What it is.
    pub kind: CredentialWord,
    /// Grows by one each time it is replaced; nothing where the provider makes it.
    pub generation: Option<u32>,
    /// Whether the node can replace it.
    pub rotatable: bool,
}

/// What a credential is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CredentialWord {
    /// A user of Bitcoin Core's RPC, with a list of calls.
    RpcUser,
    /// A role of Postgres.
    Role,
    /// A macaroon of LND.
    Macaroon,
    /// A password.
    Password,
    /// A token.
    Token,
    /// A certificate with its key.
    TlsPair,
    /// A file that the provider makes.
    ProviderFile,
}

impl fmt::Display for CredentialWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RpcUser => "RPC user",
            Self::Role => "role",
            Self::Macaroon => "macaroon",
            Self::Password => "password",
            Self::Token => "token",
            Self::TlsPair => "TLS pair",
            Self::ProviderFile => "file of the provider",
        })
    }
}

/// What is known to be dangerous, and what of it is here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Advisories {
    /// The number of the file: it grows with each.
    pub serial: u64,
    /// The day of the file. Shape: `YYYY-MM-DD`.
    pub issued: String,
    /// Whether it was imported; otherwise it came with this release.
    pub imported: bool,
    /// Everything that it tells, what is here first.
    pub advisories: Vec<Advisory>,
}

/// One danger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Advisory {
    /// Its name, such as `FLASH-2026-0001`.
    pub id: String,
    /// Which kind of service has it: a manifest's id.
    pub manifest: String,
    /// How bad it is.
    pub severity: Severity,
    /// One sentence: what may happen.
    pub text: String,
    /// One sentence: what to do.
    pub action: String,
    /// The services of this node whose version it names.
    pub here: Vec<Affected>,
}

/// A service whose version an advisory names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Affected {
    /// The service.
    pub service: String,
    /// Its version. Shape: numbers with dots.
    pub version: String,
}

/// How bad a danger is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It costs work.
    Low,
    /// It costs a service.
    Medium,
    /// It may cost money.
    High,
    /// It is being used to take money.
    Critical,
}

/// In which image each service runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Images {
    /// Whether services run in containers; otherwise they are programs of this machine and have none.
    pub in_containers: bool,
    /// The image of every service, sorted by service.
    pub images: Vec<Image>,
}

/// The image of one service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Image {
    /// The service.
    pub service: String,
    /// How it is named: `repository@sha256:…`, `sha256:…`, or `self:PROGRAM@sha256:…`.
    pub reference: String,
    /// By what the engine knows it, where it is on this machine.
    pub id: Option<String>,
    /// Units: bytes.
    pub size: Option<u64>,
    /// What its program said of its version, in one line.
    pub version: Option<String>,
}

/// What the machine has, and how much of it is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Machine {
    /// How many cores it has.
    pub cores: usize,
    /// Its memory.
    pub memory: Room,
    /// The disk of the data folder (`data`), then the operator's storage roots by their names.
    pub disks: Vec<Disk>,
    /// What was seen over the last day, oldest first, one a minute; it begins with the daemon.
    pub samples: Vec<Sample>,
}

/// How much there is of something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Room {
    /// Units: bytes.
    pub total: u64,
    /// What is not to be had. Units: bytes.
    pub used: u64,
}

/// One disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Disk {
    /// `data`, or the name of a storage root.
    pub name: String,
    /// Units: bytes.
    pub total: u64,
    /// What is not to be had. Units: bytes.
    pub used: u64,
}

/// What was seen at one time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Sample {
    /// Units: milliseconds since the Unix epoch.
    pub at: u64,
    /// Units: bytes.
    pub memory_used: u64,
    /// Of the disk of the data folder. Units: bytes.
    pub disk_used: u64,
}

/// One step of a plan, for who shows it in words of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlannedStep {
    /// The service.
    pub service: String,
    /// What is done to it.
    pub action: PlannedAction,
    /// How long the service may take to stop, where it is stopped. Units: seconds.
    pub stop_seconds: Option<u32>,
}

/// What is done to a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlannedAction {
    /// It is stopped and cleared away; its data stay.
    Remove,
    /// It is asked to stop again.
    Stop,
    /// It did not stop in time, and is ended.
    Kill,
    /// What is left of it is cleared away; its data stay.
    Clean,
    /// It is watched over again, and not touched.
    Supervise,
    /// It is stopped, and started as it is wanted now.
    Restart,
    /// It is started.
    Start,
}

impl PlannedAction {
    /// Returns the word by which a plan prints it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Remove => "remove",
            Self::Stop => "stop",
            Self::Kill => "kill",
            Self::Clean => "clean",
            Self::Supervise => "supervise",
            Self::Restart => "restart",
            Self::Start => "start",
        }
    }
}
