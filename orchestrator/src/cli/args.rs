//! Owns what may be typed: every command, its arguments and its help.
//!
//! It does not know what a command does.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use clap::Parser;
use clap::Subcommand;
use clap::ValueEnum;

use super::exit::EXIT_HELP;
use crate::account::Role;
use crate::manifest::profile::ProfileName;
use crate::runtime::RuntimeKind;

/// Runs your own Bitcoin, Lightning, Nostr and eCash services, and says what they do.
#[derive(Debug, Parser)]
#[command(
    name = "flash-node",
    version,
    arg_required_else_help = true,
    after_help = EXIT_HELP,
    max_term_width = 110
)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
pub(super) struct Global {
    /// The node's data folder [default: the user's data home, flash-node/PROFILE; env: FLASH_NODE_DATA]
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) data: Option<PathBuf>,
    /// What the node is for, and with it the default data folder [default: demo, or what the data folder was made for]
    #[arg(long, global = true, value_enum, value_name = "NAME")]
    pub(super) profile: Option<ProfileArg>,
    /// How the log is written.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    pub(super) log_format: LogFormat,
    /// Logs less: errors only.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(super) quiet: bool,
    /// Logs more; twice for everything.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// A profile, as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ProfileArg {
    /// Play money; no Docker, no downloads.
    Demo,
    /// The full stack on a private chain.
    Regtest,
    /// The full stack on the public test network.
    Signet,
    /// Real money.
    Mainnet,
}

impl Global {
    /// Returns the profile that was named.
    pub(super) fn profile(&self) -> Option<ProfileName> {
        self.profile.map(ProfileName::from)
    }
}

impl From<ProfileArg> for ProfileName {
    fn from(profile: ProfileArg) -> Self {
        match profile {
            ProfileArg::Demo => Self::Demo,
            ProfileArg::Regtest => Self::Regtest,
            ProfileArg::Signet => Self::Signet,
            ProfileArg::Mainnet => Self::Mainnet,
        }
    }
}

/// A runtime, as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum RuntimeArg {
    /// Programs on this machine.
    Process,
    /// Containers.
    Docker,
}

impl RuntimeArg {
    /// Returns how it is typed.
    pub(super) fn word(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

impl From<RuntimeArg> for RuntimeKind {
    fn from(runtime: RuntimeArg) -> Self {
        match runtime {
            RuntimeArg::Process => Self::Process,
            RuntimeArg::Docker => Self::Docker,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Starts the node: in the foreground until Ctrl-C, or in the background with --detach.
    Up(Up),
    /// Stops every service, then the daemon. Data stay.
    Down,
    /// Prints what `apply` would do with node.toml and the manifests as they are now.
    Plan,
    /// Accepts node.toml and the manifests as they are now.
    Apply,
    /// Shows every service, its signals and its addresses.
    Status(Status),
    /// Prints what a service logged.
    Logs(Logs),
    /// Checks manifests, profiles and node.toml files; needs no daemon.
    Check {
        /// Files, or folders of them.
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<PathBuf>,
    },
    /// Changes a setting of a service, in node.toml and at once; without a value lists what can be set.
    Set(Set),
    /// Leaves a service out. Its data stay until `purge`.
    Remove {
        /// The service.
        service: String,
        /// Only prints what would happen.
        #[arg(long)]
        dry_run: bool,
    },
    /// Lists the services that were left out and still have data here.
    Removed,
    /// Deletes the data of a removed service, for ever.
    Purge {
        /// The service.
        service: String,
        /// The service's name again; asked for on a terminal.
        #[arg(long, value_name = "NAME")]
        confirm: Option<String>,
    },
    /// Tries a service again that needs you.
    Retry {
        /// The service.
        service: String,
    },
    /// Lists who may reach whom, for what, with which credential.
    Edges,
    /// Replaces the credential of an edge, and ends by proving that the old one is refused.
    Rotate(Rotate),
    /// The images that services run in.
    #[command(subcommand)]
    Images(Images),
    /// Prints the node's history.
    Events {
        /// Goes on as more happens.
        #[arg(short, long)]
        follow: bool,
        /// How many of the newest events.
        #[arg(short = 'n', long, default_value_t = 50, value_name = "N")]
        tail: u64,
    },
    /// Looks at the machine, the engine, the data folder and the daemon, and says what is wrong.
    Doctor {
        /// Compares what runs with what was declared, too: images, capabilities, open ports, the age of credentials.
        #[arg(long)]
        audit: bool,
    },
    /// Starts the node with the machine, by systemd.
    #[command(subcommand)]
    Service(Manage),
    /// Opens the vault with the passphrase, read from the terminal or from standard input.
    Unlock(Opener),
    /// The vault's passphrase.
    #[command(subcommand)]
    Passphrase(Passphrase),
    /// Key files, a further way to open the vault.
    #[command(subcommand)]
    KeyFile(KeyFile),
    /// Closes the vault; services go on.
    Seal,
    /// Prints the code with which the first owner begins, and how it is used.
    SetupCode,
    /// Prints how the node's pages are reached, and by what its certificate is known.
    #[command(group = clap::ArgGroup::new("way").multiple(true))]
    Access {
        /// Opens the node to your own network by HTTPS, or closes it.
        #[arg(long, value_enum, group = "way")]
        lan: Option<Switch>,
        /// Opens the node to the Tor network at an onion address of its own, or closes it.
        #[arg(long, value_enum, group = "way")]
        onion: Option<Switch>,
        /// Only prints what would happen.
        #[arg(long, requires = "way")]
        dry_run: bool,
    },
    /// What is known to be dangerous in programs that the node runs.
    #[command(subcommand)]
    Advisories(Advisories),
    /// Lists what needs you, what is urgent first.
    Tasks,
    /// Says whether everything that takes payments is ready.
    Shop,
    /// Prints how much memory and disk there is, and how much of it is used.
    Machine,
    /// The people who may use the node.
    #[command(subcommand)]
    Account(Account),
    /// Tokens, which programs use the node with.
    #[command(subcommand)]
    Token(Token),
    /// The log of who did what.
    #[command(subcommand)]
    Audit(Audit),
    /// Prints the API's description (OpenAPI).
    Openapi,
}

/// What to do with advisories.
#[derive(Debug, Subcommand)]
pub(super) enum Advisories {
    /// Prints those that name a version of this node, then the others.
    List,
    /// Takes a newer file, whose signature lies beside it as FILE.minisig.
    Import {
        /// The file.
        file: PathBuf,
    },
}

/// A choice between two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Switch {
    On,
    Off,
}

#[derive(Debug, Args)]
pub(super) struct Up {
    /// What runs the services [default: the profile's]
    #[arg(long, value_enum)]
    pub(super) runtime: Option<RuntimeArg>,
    /// Returns once the services are ready; the node goes on in the background.
    #[arg(long)]
    pub(super) detach: bool,
    /// Where the API listens; loopback only [default: 127.0.0.1:4420]
    #[arg(long, value_name = "ADDR")]
    pub(super) listen: Option<SocketAddr>,
    /// Says that the data folder was moved here on purpose, and that no copy of it runs elsewhere.
    #[arg(long)]
    pub(super) moved: bool,
    /// How long to wait for the services, with --detach.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub(super) timeout: u64,
    /// Is the daemon behind `--detach`.
    #[arg(long, hide = true, conflicts_with = "detach")]
    pub(super) background_daemon: bool,
}

#[derive(Debug, Args)]
pub(super) struct Status {
    /// Prints JSON, the same as GET /api/v1/status.
    #[arg(long)]
    pub(super) json: bool,
    /// Waits until every service is ready or needs you [default: 300 seconds]
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "300")]
    pub(super) wait: Option<u64>,
}

#[derive(Debug, Args)]
pub(super) struct Logs {
    /// The service.
    pub(super) service: String,
    /// How many of the newest lines.
    #[arg(short = 'n', long, default_value_t = 200, value_name = "N")]
    pub(super) tail: usize,
    /// Goes on as more lines arrive.
    #[arg(short, long)]
    pub(super) follow: bool,
}

#[derive(Debug, Args)]
pub(super) struct Set {
    /// What to change.
    #[arg(value_name = "SERVICE.SETTING")]
    pub(super) target: String,
    /// Its new value; without one the settings of SERVICE (or the one) are listed.
    #[arg(allow_hyphen_values = true)]
    pub(super) value: Option<String>,
    /// Only prints what would happen.
    #[arg(long)]
    pub(super) dry_run: bool,
}

#[derive(Debug, Clone, Copy, Subcommand)]
pub(super) enum Manage {
    /// Writes the units, enables them and starts the node under them.
    Install,
    /// Takes the units away; what runs goes on.
    Remove,
    /// Prints the units; changes nothing.
    Show,
}

#[derive(Debug, Subcommand)]
pub(super) enum Images {
    /// Lists the image of every service, and whether it is on this machine.
    List,
    /// Lets a service run in another image; --dry-run shows the plan alone.
    Set {
        /// The service.
        service: String,
        /// `repository@sha256:…`, or `sha256:…` for an image of this machine.
        #[arg(value_name = "DIGEST")]
        image: String,
        /// Only prints what would happen.
        #[arg(long)]
        dry_run: bool,
    },
    /// Packs programs of this machine, with the libraries they need, into an image, and prints its ID.
    Pack {
        /// The programs, by absolute path.
        #[arg(required = true, value_name = "PROGRAM")]
        programs: Vec<PathBuf>,
        /// A folder or file that they look for; it stands at the same place inside.
        #[arg(long, value_name = "PATH")]
        with: Vec<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(super) struct Rotate {
    /// Which edges, as `edges` lists them: FROM/FOR/TO, such as electrs/rpc/bitcoind.
    #[arg(value_name = "EDGE", required_unless_present = "all")]
    pub(super) edges: Vec<String>,
    /// Every edge whose credential the node makes: after a break-in.
    #[arg(long, conflicts_with = "edges")]
    pub(super) all: bool,
    /// Only prints what would happen, and who is without service meanwhile.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// How long to wait for the proofs; 0 does not wait, and `events` tells.
    #[arg(long, value_name = "SECONDS", default_value_t = 1800)]
    pub(super) timeout: u64,
}

#[derive(Debug, Subcommand)]
pub(super) enum Passphrase {
    /// Sets the passphrase, or changes it. Not on a terminal: the old one and the new one, a line each, on standard
    /// input; only the new one where none was set, or with a key file.
    Change(Opener),
}

/// What opens the vault, where it is not the passphrase.
#[derive(Debug, Args)]
pub(super) struct Opener {
    /// Reads the recovery key instead of the passphrase.
    #[arg(long, conflicts_with = "key_file")]
    pub(super) recovery_key: bool,
    /// Uses a key file instead of the passphrase.
    #[arg(long, value_name = "PATH")]
    pub(super) key_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Account {
    /// Lists them.
    List,
    /// Adds somebody, with a first password that is read from the terminal or from standard input.
    Add {
        /// What the person signs in by.
        name: String,
        /// What the person may do.
        #[arg(long, value_enum)]
        role: RoleArg,
        /// Which language the pages speak, as a tag.
        #[arg(long, value_name = "TAG", default_value = "en")]
        language: String,
    },
    /// Changes what somebody may do.
    Role {
        /// The account's name.
        name: String,
        /// What the person may do from now on.
        #[arg(value_enum)]
        role: RoleArg,
    },
    /// Lists where somebody is signed in, newest use first.
    Sessions {
        /// The account's name.
        name: String,
    },
    /// Signs somebody out everywhere, such as where a phone is lost.
    SignOut {
        /// The account's name.
        name: String,
    },
    /// Deletes somebody's account, with its sessions, tokens and passkeys.
    Remove {
        /// The account's name.
        name: String,
    },
    /// Gives somebody who cannot sign in any more a new password, read from the terminal or from standard input, and
    /// takes the second factor, sessions and tokens away.
    Reset {
        /// The account's name.
        name: String,
    },
}

/// A role, as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum RoleArg {
    /// Everything.
    Owner,
    /// Runs the node day by day: everything but people, the vault, tokens, images, ways in, advisories, stopping the node
    /// and deleting.
    Manager,
    /// Takes payments; sees whether the shop is open.
    Cashier,
    /// Reads everything but logs, and changes nothing.
    Auditor,
}

impl From<RoleArg> for Role {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::Owner => Self::Owner,
            RoleArg::Manager => Self::Manager,
            RoleArg::Cashier => Self::Cashier,
            RoleArg::Auditor => Self::Auditor,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Token {
    /// Lists them, with their IDs.
    List,
    /// Makes one, and prints its value this once. It also ends when the oldest owner gets a new password or another role,
    /// or is deleted.
    Add {
        /// What it is called in lists and in the audit log.
        name: String,
        /// What it may do.
        #[arg(long, value_enum)]
        role: RoleArg,
        /// How long it lives: 1 to 365 days.
        #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=365))]
        days: u64,
    },
    /// Takes one back.
    Revoke {
        /// Its ID, as `list` shows it.
        id: String,
    },
}

#[derive(Debug, Clone, Copy, Subcommand)]
pub(super) enum Audit {
    /// Prints its newest rows, the newest last.
    List {
        /// How many.
        #[arg(short = 'n', long, default_value_t = 50, value_name = "N")]
        tail: usize,
    },
    /// Looks at every row, and names the first that is not as it was written.
    Verify,
}

#[derive(Debug, Subcommand)]
pub(super) enum KeyFile {
    /// Writes a key file. Whoever has the file and the data folder can open the vault.
    Add {
        /// Where.
        path: PathBuf,
    },
}
