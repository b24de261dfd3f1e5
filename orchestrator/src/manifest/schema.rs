//! Owns the shape of a service manifest, version 1, as an author writes it in TOML.
//!
//! It does not know whether a manifest makes sense (`validate`), nor what an operator chose.
//! Every table rejects unknown keys. The JSON Schema in `manifests/schema.json` is generated from here,
//! so a doc comment is what an author reads in the editor.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

use crate::id::ManifestId;
use crate::id::Name;

/// The one schema version that this build reads.
pub const SCHEMA_VERSION: u32 = 1;

/// Declares a service: what should run, what it offers, whom it calls and how its health is read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Schema version of this file: 1.
    pub manifest: u32,
    /// The manifest's name, unique on a node.
    pub id: ManifestId,
    /// What people call the service.
    pub title: String,
    /// One sentence: what it is for.
    pub summary: String,
    /// Which version this manifest describes and which ones must never start.
    pub version: Version,
    /// The program, for image and process alike. Image entrypoints are not used.
    pub program: Program,
    /// The container image. Absent: the service runs only as a process.
    pub image: Option<Image>,
    /// Networks on which the service may run; empty means all.
    #[serde(default)]
    pub networks: Vec<Network>,
    /// Why it may not run on the others, shown where it is refused.
    pub networks_reason: Option<String>,
    /// Folders that outlive the service.
    #[serde(default)]
    pub volumes: BTreeMap<Name, Volume>,
    /// Ports on which the program listens.
    #[serde(default)]
    pub ports: BTreeMap<Name, Port>,
    /// What the service offers to others, each behind a port and a kind of credential.
    #[serde(default)]
    pub interfaces: BTreeMap<Name, Interface>,
    /// Whom the service calls, and for what.
    #[serde(default)]
    pub edges: BTreeMap<Name, Edge>,
    /// What the node itself calls on this service, as a consumer with a credential of its own.
    #[serde(default)]
    pub node: BTreeMap<Name, NodeEdge>,
    /// The way in to the node's own pages that the service can be, for visitors of the Tor network.
    pub onion: Option<Onion>,
    /// Secrets of the service's own, made once by the vault.
    #[serde(default)]
    pub secrets: BTreeMap<Name, Secret>,
    /// Files rendered before each start.
    #[serde(default)]
    pub files: BTreeMap<Name, File>,
    /// What an operator may change; forms, `flash-node set` and files derive from it.
    #[serde(default)]
    pub settings: BTreeMap<Name, Setting>,
    /// Questions that the node asks the service.
    #[serde(default)]
    pub probes: BTreeMap<Name, Probe>,
    /// How the answers become the three signals.
    pub health: Health,
    /// Idempotent jobs around the start.
    #[serde(default)]
    pub init: Vec<Init>,
    /// Memory and process limits.
    pub limits: Limits,
    /// Requirements with a message for the operator.
    #[serde(default)]
    pub checks: Vec<Check>,
    /// Addresses worth showing to a person.
    #[serde(default)]
    pub endpoints: BTreeMap<Name, Endpoint>,
}

/// A Bitcoin network.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// Real money.
    Mainnet,
    /// The public test network of the whole stack.
    Signet,
    /// A private chain.
    Regtest,
}

/// The version a manifest describes, and how the installed one is read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Version {
    /// The version that the image holds.
    pub current: String,
    /// The oldest version that may start. Compared number by number; a suffix such as `-beta` is ignored.
    pub minimum_safe: Option<String>,
    /// Versions that must never start, though newer than `minimum_safe`. `30.0` covers 30.0 and 30.0.0, not 30.0.1.
    #[serde(default)]
    pub refused: Vec<String>,
    /// Why, shown with a refusal.
    pub reason: Option<String>,
    /// Arguments that make a native program print its version.
    #[serde(default)]
    pub probe_args: Vec<String>,
}

/// The program and how it is stopped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// The program's file name, looked up on the PATH, or beside `flash-node` for our own.
    pub command: String,
    /// Arguments; each is a template.
    #[serde(default)]
    pub args: Vec<String>,
    /// Environment; each value is a template. Never a secret.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// The signal that asks the program to stop.
    pub stop_signal: StopSignal,
    /// How long it may take, in seconds, before it is killed.
    pub stop_grace_seconds: u32,
    /// How the program listens; `single` means that it can bind one address only.
    #[serde(default)]
    pub listen: Listen,
}

/// A stop signal from the closed set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum StopSignal {
    /// SIGTERM.
    Term,
    /// SIGINT.
    Int,
    /// SIGQUIT.
    Quit,
    /// SIGUSR1.
    Usr1,
}

/// How many addresses a program can bind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Listen {
    /// One listener for each edge.
    #[default]
    PerEdge,
    /// One listener only: in a container it binds all addresses and no other port is open.
    Single,
}

/// A container image, by digest or packed from our own binary.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Image {
    /// Pulled and checked by digest; never a tag alone.
    Pinned(PinnedImage),
    /// The word `self`: our own binary, packed with its libraries.
    Own(OwnImage),
}

/// The word `self`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OwnImage {
    /// Our own binary.
    #[serde(rename = "self")]
    Own,
}

/// An image by repository and digest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PinnedImage {
    /// Repository, such as `docker.io/bitcoin/bitcoin`.
    pub repository: String,
    /// The tag that the digest was read from, for people only.
    pub tag: String,
    /// `sha256:` and 64 hex digits.
    pub digest: String,
    /// The image's own folder in which the program starts. It says nothing about the machine outside.
    pub folder: Option<String>,
}

/// What losing or rolling back a folder means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DataClass {
    /// Cannot be made again; backed up.
    Critical,
    /// Can be made again from other data.
    Rebuildable,
    /// Holds keys.
    Secret,
    /// An old copy loses money; never restored by itself.
    ToxicIfStale,
}

/// A folder that outlives the service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Volume {
    /// What losing or rolling it back means.
    pub class: DataClass,
    /// What lies in it, in one sentence.
    pub holds: String,
    /// Sub-folders of another class.
    #[serde(default)]
    pub parts: BTreeMap<String, DataClass>,
    /// Free space without which the service does not start, in MiB, by network; `default` covers the rest.
    #[serde(default)]
    pub needs_mib: BTreeMap<NetworkKey, u64>,
}

/// A network, or all that are not named.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum NetworkKey {
    /// All networks that are not named.
    Default,
    /// Real money.
    Mainnet,
    /// The public test network.
    Signet,
    /// A private chain.
    Regtest,
}

/// A port on which the program listens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Port {
    /// Number by network; `default` covers the rest.
    pub number: BTreeMap<NetworkKey, u16>,
    /// Whether strangers reach it (8333, 9735): such a port is never re-chosen silently.
    #[serde(default)]
    pub public: bool,
}

/// What a service offers: a port behind a kind of credential.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Interface {
    /// The port, by name.
    pub port: Name,
    /// Further ports that the same consumers need (ZMQ beside RPC).
    #[serde(default)]
    pub also: Vec<Name>,
    /// The kind of credential each consumer gets. Absent: reaching the port is enough.
    pub credential: Option<CredentialKind>,
    /// Path below a volume, for `provider-file`.
    pub file: Option<ProviderFile>,
    /// Names that a consumer's `allow` may hold; empty means that the interface takes no list.
    #[serde(default)]
    pub allows: Vec<String>,
}

/// A file that only the provider can make, such as a cookie or a certificate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProviderFile {
    /// The provider's volume.
    pub volume: Name,
    /// A template for the path below it.
    pub path: String,
}

/// A kind of credential from the closed set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CredentialKind {
    /// A bitcoind `rpcauth` user with a whitelist.
    Rpcauth,
    /// A Postgres role that owns one database.
    PostgresRole,
    /// A macaroon with a root key id of its own.
    LndMacaroon,
    /// Tor's control password.
    TorPassword,
    /// A user name and a random token.
    Token,
    /// A key and certificate for each side.
    TlsPair,
    /// A file that only the provider can make.
    ProviderFile,
}

/// What a consumer does when a provider goes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnLoss {
    /// It keeps running and is degraded until the provider is back.
    RidesOut,
    /// It stops itself and is started again when the provider is back.
    Exits,
}

/// Whom a service calls, and for what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Edge {
    /// The provider's manifest, `node` for the node itself, or `internet` for the way out.
    pub to: ManifestId,
    /// The provider's interface; absent for `internet`.
    pub interface: Option<Name>,
    /// What the consumer may do: RPC names, macaroon permissions. Nothing is implied.
    #[serde(default)]
    pub allow: Vec<String>,
    /// What the consumer does when the provider goes away.
    #[serde(default = "rides_out")]
    pub on_loss: OnLoss,
    /// Whether the service can run without it.
    #[serde(default)]
    pub optional: bool,
    /// Which of the provider's signals the consumer waits for at its first start.
    #[serde(default)]
    pub waits_for: WaitsFor,
}

fn rides_out() -> OnLoss {
    OnLoss::RidesOut
}

/// A provider's signal that gates a consumer's first start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WaitsFor {
    /// Only that it runs.
    Alive,
    /// That it serves.
    #[default]
    Ready,
    /// That it has caught up.
    Synced,
}

/// What the node itself calls on a service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NodeEdge {
    /// What the node may do: RPC names, macaroon permissions.
    #[serde(default)]
    pub allow: Vec<String>,
}

/// The port that visitors of an onion address ask for: the one that browsers leave out.
pub const ONION_PORT: u16 = 80;

/// The way in to the node's own pages for visitors of the Tor network: the service hands them over at a unix socket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Onion {
    /// The volume in which the node listens, and in which the service writes its onion address.
    pub volume: Name,
    /// The name of the socket at which the node listens, directly in the volume.
    pub socket: String,
    /// The path below the volume of the file in which the service writes its onion address.
    pub hostname: String,
    /// Through which interface the node tries the address as a visitor would (SOCKS 5); `[node]` names it too.
    pub socks: Name,
}

/// A secret of the service's own, made once by the vault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Secret {
    /// How it is made.
    pub make: SecretMake,
    /// What it protects, in one sentence.
    pub holds: String,
    /// Whether the service gets it as a file. `false`: only the node uses it, in init jobs and probes.
    #[serde(default = "yes")]
    pub file: bool,
}

fn yes() -> bool {
    true
}

/// How a secret comes into being.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SecretMake {
    /// 32 random bytes as 64 hex digits.
    Hex32,
    /// 64 random bytes as 128 hex digits.
    Hex64,
    /// 32 random bytes as base64.
    Base64,
    /// 32 random letters and digits.
    Password,
    /// Captured from the service by an init job.
    Captured,
}

/// A file rendered before each start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Its file name.
    pub name: String,
    /// Its text, a template. It may hold secrets: every rendered file lies on the runtime's tmpfs, mode 0400.
    pub template: String,
}

/// Something an operator may change.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(extend("unevaluatedProperties" = false))]
pub struct Setting {
    /// Its type and range.
    #[serde(flatten)]
    pub kind: SettingKind,
    /// One sentence for the form.
    pub help: String,
}

/// A setting's type, default and range.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum SettingKind {
    /// True or false.
    Bool {
        /// Value where the operator says nothing.
        default: bool,
    },
    /// A whole number.
    Integer {
        /// Value where the operator says nothing.
        default: i64,
        /// Smallest legal value.
        min: i64,
        /// Largest legal value.
        max: i64,
        /// Unit, for people.
        unit: Option<String>,
    },
    /// A line of text without control characters.
    Text {
        /// Value where the operator says nothing.
        default: String,
        /// Longest legal value, in characters.
        max_length: usize,
    },
    /// One of a few words.
    Choice {
        /// Value where the operator says nothing.
        default: String,
        /// Legal values.
        options: Vec<String>,
    },
}

/// A question that the node asks, from a closed set of protocols.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(extend("unevaluatedProperties" = false))]
pub struct Probe {
    /// The protocol and what is asked.
    #[serde(flatten)]
    pub ask: Ask,
    /// One of the service's own ports. Give this or `edge`.
    pub port: Option<Name>,
    /// One of the service's edges: the question goes to that provider, with the node's own credential there.
    pub edge: Option<Name>,
    /// Which entry of `[node]` (or, with `edge`, of the provider's `[node]`) gives the credential.
    pub credential: Option<Name>,
    /// How long to wait for an answer, in milliseconds.
    #[serde(default = "probe_timeout")]
    pub timeout_ms: u32,
}

/// How long a probe waits where the manifest says nothing. Units: milliseconds.
pub const PROBE_TIMEOUT_MS: u32 = 5_000;

fn probe_timeout() -> u32 {
    PROBE_TIMEOUT_MS
}

/// A probe's protocol and question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Ask {
    /// Opens a connection; may send a text and read the answer, up to 4 KiB.
    Tcp {
        /// What to send, a template; `\r\n` as written.
        send: Option<String>,
        /// Ends the answer; absent means the first packet is the answer.
        until: Option<String>,
    },
    /// Asks over HTTP or, with `tls`, HTTPS with a pinned certificate.
    Http {
        /// `GET` or `POST`.
        #[serde(default)]
        method: HttpMethod,
        /// The path, a template.
        path: String,
        /// Request headers, each a template.
        #[serde(default)]
        headers: BTreeMap<String, String>,
        /// Request body, a template.
        body: Option<String>,
        /// The certificate that the answer must come with.
        tls: Option<ProviderFile>,
    },
    /// Asks by JSON-RPC over HTTP (Bitcoin Core).
    Jsonrpc {
        /// The method.
        method: String,
        /// Its parameters, as JSON text.
        params: Option<String>,
    },
    /// Asks by JSON-RPC over a line-based TCP connection (Electrum protocol).
    Electrum {
        /// The method.
        method: String,
        /// Its parameters, as JSON text.
        params: Option<String>,
    },
    /// Opens a WebSocket; may send a text message and read the first answer.
    Websocket {
        /// The path.
        path: String,
        /// What to send, a template.
        send: Option<String>,
    },
    /// Runs one query that returns one row with one column.
    Sql {
        /// The query.
        query: String,
        /// The database.
        database: String,
    },
    /// Asks Tor's control port.
    TorControl {
        /// The keyword, such as `status/bootstrap-phase`.
        getinfo: String,
    },
}

/// An HTTP method from the closed set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum HttpMethod {
    /// GET.
    #[default]
    Get,
    /// POST.
    Post,
}

/// The three signals, each an ordered list of rules: the first that holds decides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Health {
    /// Does it run and answer at all?
    pub alive: Vec<Rule>,
    /// Does it serve?
    pub ready: Vec<Rule>,
    /// Has it caught up? Empty: not applicable.
    #[serde(default)]
    pub synced: Vec<Rule>,
}

/// One rule of a signal. A rule without `when` always holds and stands last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Conditions that must all hold.
    #[serde(default)]
    pub when: Vec<Condition>,
    /// The verdict; absent means "not knowable now".
    pub ok: Option<bool>,
    /// The machine code, `snake_case`.
    pub code: Name,
    /// One sentence, a template over the probes' answers.
    pub text: String,
    /// Where a number from 0 to 1 stands that says how far it is; `synced` only. From it the node foretells when it is done.
    pub share: Option<SameAs>,
}

/// A condition on one probe's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// The probe.
    pub probe: Name,
    /// What is asked of its answer. Exactly one of the following keys is given, beside `pointer` where it applies.
    pub pointer: Option<String>,
    /// Whether an answer came at all (any answer, an error too).
    pub answered: Option<bool>,
    /// The HTTP status equals this.
    pub status: Option<u16>,
    /// The answer's text holds this.
    pub contains: Option<String>,
    /// The value at `pointer` exists (or not).
    pub exists: Option<bool>,
    /// The value at `pointer` equals this.
    pub equals: Option<serde_json::Value>,
    /// The value at `pointer` differs from this, or is absent.
    pub differs: Option<serde_json::Value>,
    /// The number at `pointer` is at least this.
    pub at_least: Option<f64>,
    /// The number at `pointer` is at most this.
    pub at_most: Option<f64>,
    /// The value at `pointer` equals the value that another probe has at its pointer.
    pub same_as: Option<SameAs>,
}

/// A value in a probe's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SameAs {
    /// The other probe.
    pub probe: Name,
    /// The JSON pointer into its answer.
    pub pointer: String,
}

/// An idempotent job around the start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Init {
    /// The job's name.
    pub name: Name,
    /// When it runs.
    pub when: InitWhen,
    /// The job is done already where this file exists.
    pub unless_exists: Option<ProviderFile>,
    /// The job runs only where all these hold (not for `before_start`).
    #[serde(default)]
    pub only_if: Vec<Condition>,
    /// What it does, in order.
    pub steps: Vec<InitStep>,
}

/// When an init job runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InitWhen {
    /// Once, before the first start.
    BeforeStart,
    /// Once, when the service is alive for the first time.
    Alive,
    /// Each time the service has become alive.
    EveryStart,
}

/// One step of an init job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InitStep {
    /// Runs a program to its end, with the service's identity, files and volumes.
    pub run: Option<RunStep>,
    /// Asks the service over one of the probe protocols; an answer that is not a success fails the job.
    pub ask: Option<Probe>,
    /// Stores values of the answer as secrets, each before the next step begins.
    #[serde(default)]
    pub capture: Vec<Capture>,
}

/// Runs a program to its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunStep {
    /// The program's file name.
    pub command: String,
    /// Arguments; each is a template.
    #[serde(default)]
    pub args: Vec<String>,
}

/// Stores one value of an answer as a secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Capture {
    /// JSON pointer into the answer.
    pub pointer: String,
    /// The secret, declared with `make = "captured"`.
    pub secret: Name,
}

/// Memory and process limits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Memory by RAM class of the machine, in MiB.
    pub memory_mib: MemoryByClass,
    /// Most processes and threads.
    pub pids: u32,
}

/// Memory by RAM class: machines of up to 4, up to 8 and over 8 GiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MemoryByClass {
    /// Up to 4 GiB of RAM.
    pub small: u32,
    /// Up to 8 GiB of RAM.
    pub medium: u32,
    /// Over 8 GiB of RAM.
    pub large: u32,
}

/// A requirement with a message for the operator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// Whose setting: one of the edges' providers by edge name; absent means the service's own.
    pub edge: Option<Name>,
    /// The setting.
    pub setting: Name,
    /// Its required value.
    pub equals: serde_json::Value,
    /// What the operator reads where it does not hold.
    pub message: String,
}

/// An address worth showing to a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// The port, by name.
    pub port: Name,
    /// URL scheme.
    pub scheme: Scheme,
    /// Path, beginning with `/`, or empty.
    #[serde(default)]
    pub path: String,
}

/// A URL scheme from the closed set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// `http://`
    Http,
    /// `https://`
    Https,
    /// `ws://`
    Ws,
    /// `tcp://`
    Tcp,
}

impl From<Network> for NetworkKey {
    fn from(network: Network) -> Self {
        match network {
            Network::Mainnet => Self::Mainnet,
            Network::Signet => Self::Signet,
            Network::Regtest => Self::Regtest,
        }
    }
}

impl Network {
    /// Returns the name as it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mainnet => "mainnet",
            Self::Signet => "signet",
            Self::Regtest => "regtest",
        }
    }
}
