//! The configuration file: its shape, its defaults and its rules.
//!
//! Owns every key of the file and the line numbers in what is said about it. Deliberately knows nothing of what the
//! values cause; `policy` decides which back end a network allows.

use std::{
    collections::BTreeSet,
    fs, io,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::readers::{self, Reader};

/// Everything the operator decides about one mint.
///
/// Shape: TOML; unknown keys are refused. services/mint/README.md lists every key.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The address to listen on; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// The folder of the database, the lock file and the identity file.
    pub data_dir: PathBuf,
    /// The file that holds the seed as 128 hexadecimal digits.
    pub seed_file: PathBuf,
    /// The network whose money is behind the ecash.
    pub network: Network,
    /// The name that wallets show.
    pub name: String,
    /// One or two sentences about the mint.
    #[serde(default)]
    pub description: String,
    /// The message of the day that wallets show.
    pub motd: Option<String>,
    /// The address under which wallets reach the mint.
    pub url: String,
    /// How log lines are written.
    #[serde(default)]
    pub log_format: LogFormat,
    /// How much this program logs; what its libraries log never exceeds `info`, since they may print tokens below that.
    #[serde(default)]
    pub log_level: LogLevel,
    /// The currency unit; satoshis are the only one so far.
    #[serde(default)]
    pub unit: Unit,
    /// The fee for spending, per thousand inputs, rounded up per transaction.
    #[serde(default)]
    pub input_fee_ppk: u64,
    /// Whether new keysets have the longer ids of version 2.
    #[serde(default = "yes")]
    pub use_keyset_v2: bool,
    /// States that a database exists already: an empty folder is then refused instead of becoming a new mint.
    #[serde(default)]
    pub expect_existing: bool,
    /// How long quotes stay valid.
    #[serde(default)]
    pub quote_ttl_seconds: QuoteTtl,
    /// The smallest amount of one mint quote.
    #[serde(default = "one")]
    pub min_mint_sat: u64,
    /// The largest amount of one mint quote.
    #[serde(default = "half_a_million")]
    pub max_mint_sat: u64,
    /// The smallest amount of one melt quote.
    #[serde(default = "one")]
    pub min_melt_sat: u64,
    /// The largest amount of one melt quote.
    #[serde(default = "half_a_million")]
    pub max_melt_sat: u64,
    /// The most proofs one request may spend.
    #[serde(default = "thousand")]
    pub max_inputs: usize,
    /// The most blinded messages one request may have signed.
    #[serde(default = "thousand")]
    pub max_outputs: usize,
    /// How long a stop waits for requests in flight.
    #[serde(default = "ten")]
    pub shutdown_seconds: u64,
    /// How long a melt may keep its client waiting; the payment goes on, and the wallet asks for the quote's state.
    #[serde(default = "sixty")]
    pub melt_answer_seconds: u64,
    /// What pays and is paid.
    pub backend: Backend,
    /// What one address may ask for.
    #[serde(default)]
    pub limits: Limits,
    /// Who may read the books at `/health` and `/metrics`; whoever reaches them where nobody is named.
    #[serde(default)]
    pub readers: Vec<Reader>,
}

/// The network whose money is behind the ecash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// No chain at all: a demonstration.
    Demo,
    /// A private chain.
    Regtest,
    /// The public test network.
    Signet,
    /// Bitcoin.
    Mainnet,
}

impl Network {
    /// The name as written in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Demo => "demo",
            Self::Regtest => "regtest",
            Self::Signet => "signet",
            Self::Mainnet => "mainnet",
        }
    }
}

/// The currency unit of the keysets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Satoshis.
    #[default]
    Sat,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Only what failed.
    Error,
    /// Also what an operator should look at.
    Warn,
    /// Also what happened.
    #[default]
    Info,
    /// Also how it happened.
    Debug,
    /// Everything.
    Trace,
}

/// How long quotes stay valid. Units: seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuoteTtl {
    /// A mint quote.
    pub mint: u64,
    /// A melt quote.
    pub melt: u64,
}

impl Default for QuoteTtl {
    fn default() -> Self {
        Self {
            mint: 600,
            melt: 120,
        }
    }
}

/// What pays and is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, tag = "kind", rename_all = "lowercase")]
pub enum Backend {
    /// cdk's fake wallet: every invoice counts as paid after a delay. Play money.
    Fake {
        /// How long an invoice, or a payment, takes.
        #[serde(default)]
        delay_seconds: u64,
        /// The least fee that a melt reserves. cdk's fake wallet spends 1 sat more than the invoice, so 0 would leave
        /// every melt paid and unfinished.
        #[serde(default = "one")]
        fee_reserve_min_sat: u64,
        /// The fee that a melt reserves, in millionths of the amount.
        #[serde(default)]
        fee_reserve_ppm: u32,
    },
}

/// What one address may ask for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Requests a minute and address, in the long run; 0 switches the limit off.
    pub requests_per_minute: u32,
    /// Requests that an address may send at once before the rate applies.
    pub burst: u32,
    /// Requests served at the same time, all addresses together.
    pub in_flight: usize,
    /// Proxies whose last `X-Forwarded-For` entry is believed.
    pub trusted_proxies: BTreeSet<IpAddr>,
}

impl Default for Limits {
    fn default() -> Self {
        // A wallet restoring from its seed asks for a few hundred batches in a row; 20 requests a second let it.
        Self {
            requests_per_minute: 1_200,
            burst: 600,
            in_flight: 256,
            trusted_proxies: BTreeSet::new(),
        }
    }
}

fn yes() -> bool {
    true
}
fn one() -> u64 {
    1
}
fn ten() -> u64 {
    10
}
fn sixty() -> u64 {
    60
}
fn half_a_million() -> u64 {
    500_000
}
fn thousand() -> usize {
    1_000
}

/// Why a configuration file was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("{}: the configuration could not be read; give its path with --config", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file is not TOML, or not of our shape.
    #[error("{}:{line}: {message}; {advice}", file.display())]
    Malformed {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What the parser found.
        message: String,
        /// What to do.
        advice: &'static str,
    },
    /// A value breaks a rule.
    #[error("{}:{line}: {rule}", file.display())]
    Forbidden {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The rule, and so what to do.
        rule: String,
    },
}

/// Reads and checks the configuration in `file`.
///
/// Errors: each names the file, the line and what to do.
pub fn load(file: &Path) -> Result<Config, ConfigError> {
    let text = fs::read_to_string(file).map_err(|source| ConfigError::Unreadable {
        file: file.to_owned(),
        source,
    })?;
    parse(file, &text)
}

/// Parses and checks `text`; `file` is only named in errors.
///
/// Errors: as [`load`].
pub fn parse(file: &Path, text: &str) -> Result<Config, ConfigError> {
    let config: Config = toml::from_str(text).map_err(|error| malformed(file, text, &error))?;
    match broken_rule(&config) {
        None => Ok(config),
        Some((key, rule)) => Err(ConfigError::Forbidden {
            file: file.to_owned(),
            line: line_of(text, key),
            rule,
        }),
    }
}

fn malformed(file: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    let start = error.span().map_or(0, |span| span.start.min(text.len()));
    let line = text.as_bytes()[..start]
        .iter()
        .filter(|byte| **byte == b'\n')
        .count()
        + 1;
    let message = error.message().trim().replace('\n', ", ");
    let advice = if message.starts_with("unknown field") {
        "remove the key or correct its spelling"
    } else if message.starts_with("missing field") {
        "add the key"
    } else {
        "correct the line"
    };
    ConfigError::Malformed {
        file: file.to_owned(),
        line,
        message,
        advice,
    }
}

/// The key that breaks a rule, whether it does, and the rule.
type Rule = (&'static str, bool, &'static str);

/// The first rule that `config` breaks, with the key that breaks it.
fn broken_rule(config: &Config) -> Option<(&'static str, String)> {
    let rules = text_rules(config)
        .into_iter()
        .chain(money_rules(config))
        .chain(load_rules(config));
    rules
        .into_iter()
        .find(|(_, broken, _)| *broken)
        .map(|(key, _, rule)| (key, rule.to_owned()))
}

fn text_rules(config: &Config) -> Vec<Rule> {
    let longer = |text: &str, characters| text.chars().count() > characters;
    let url = config.url.as_str();
    let web = url.starts_with("http://") || url.starts_with("https://");
    vec![
        (
            "data_dir",
            config.data_dir.as_os_str().is_empty(),
            "data_dir is empty: name a folder",
        ),
        (
            "seed_file",
            config.seed_file.as_os_str().is_empty(),
            "seed_file is empty: name a file",
        ),
        (
            "name",
            config.name.trim().is_empty() || longer(&config.name, 100),
            "name needs 1 to 100 characters",
        ),
        (
            "name",
            config.name.chars().any(char::is_control),
            "name has a control character: remove it",
        ),
        (
            "description",
            longer(&config.description, 1_000),
            "description is over 1000 characters: shorten it",
        ),
        (
            "motd",
            config.motd.as_ref().is_some_and(|motd| longer(motd, 1_000)),
            "motd is over 1000 characters: shorten it",
        ),
        (
            "url",
            !web || url.chars().any(char::is_whitespace),
            "url must begin with http:// or https:// and hold no spaces",
        ),
    ]
}

fn money_rules(config: &Config) -> Vec<Rule> {
    let Backend::Fake {
        delay_seconds,
        fee_reserve_min_sat,
        fee_reserve_ppm,
    } = config.backend;
    let QuoteTtl { mint, melt } = config.quote_ttl_seconds;
    vec![
        (
            "input_fee_ppk",
            config.input_fee_ppk > 10_000,
            "input_fee_ppk must be 0 to 10000",
        ),
        (
            "quote_ttl_seconds",
            !(30..=86_400).contains(&mint),
            "mint must be 30 to 86400 seconds",
        ),
        (
            "quote_ttl_seconds",
            !(30..=86_400).contains(&melt),
            "melt must be 30 to 86400 seconds",
        ),
        (
            "max_mint_sat",
            !allowed_range(config.min_mint_sat, config.max_mint_sat),
            "min_mint_sat must be at least 1 and max_mint_sat between it and 100000000",
        ),
        (
            "max_melt_sat",
            !allowed_range(config.min_melt_sat, config.max_melt_sat),
            "min_melt_sat must be at least 1 and max_melt_sat between it and 100000000",
        ),
        (
            "delay_seconds",
            delay_seconds > 3_600,
            "delay_seconds must be 0 to 3600",
        ),
        (
            "fee_reserve_min_sat",
            !(1..=1_000).contains(&fee_reserve_min_sat),
            "fee_reserve_min_sat must be 1 to 1000: the fake wallet spends 1 sat of it on every payment",
        ),
        (
            "fee_reserve_ppm",
            fee_reserve_ppm > 1_000_000,
            "fee_reserve_ppm must be 0 to 1000000",
        ),
    ]
}

fn load_rules(config: &Config) -> Vec<Rule> {
    let limits = &config.limits;
    vec![
        (
            "max_inputs",
            !(1..=1_000).contains(&config.max_inputs),
            "max_inputs must be 1 to 1000",
        ),
        (
            "max_outputs",
            !(1..=1_000).contains(&config.max_outputs),
            "max_outputs must be 1 to 1000",
        ),
        (
            "shutdown_seconds",
            !(1..=600).contains(&config.shutdown_seconds),
            "shutdown_seconds must be 1 to 600",
        ),
        (
            "melt_answer_seconds",
            !(1..=600).contains(&config.melt_answer_seconds),
            "melt_answer_seconds must be 1 to 600",
        ),
        (
            "burst",
            limits.burst == 0 && limits.requests_per_minute > 0,
            "burst must be at least 1",
        ),
        (
            "in_flight",
            !(1..=10_000).contains(&limits.in_flight),
            "in_flight must be 1 to 10000",
        ),
        (
            "readers",
            readers::broken(&config.readers),
            "each of readers needs a name of its own, without colons and control characters",
        ),
    ]
}

fn allowed_range(min_sat: u64, max_sat: u64) -> bool {
    min_sat >= 1 && max_sat >= min_sat && max_sat <= 100_000_000
}

/// The line that sets `key` or begins its first table, or the first one where it is left to its default.
fn line_of(text: &str, key: &str) -> usize {
    let table = format!("[[{key}]]");
    let sets = |line: &&str| {
        let line = line.trim_start();
        line.starts_with(&table)
            || line
                .strip_prefix(key)
                .is_some_and(|r| r.trim_start().starts_with('='))
    };
    text.lines()
        .position(|line| sets(&line))
        .map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests;
