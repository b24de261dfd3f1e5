//! The program: reads the command line, starts the relay, stops it on SIGTERM or SIGINT.
//!
//! Exit codes: 0 after an orderly stop, 75 when another process has the port or the database, 78 when the
//! configuration is wrong, 1 for everything else.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use clap::Subcommand;
use flash_relay::Relay;
use flash_relay::StartError;
use flash_relay::StoreError;
use flash_relay::config::Config;
use flash_relay::config::LogFormat;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tracing::error;
use tracing_subscriber::EnvFilter;

/// Somebody else has what is needed: trying again later may help. Source: sysexits.h, EX_TEMPFAIL.
const TRY_LATER: u8 = 75;
/// The configuration is wrong. Source: sysexits.h, EX_CONFIG.
const BAD_CONFIG: u8 = 78;

/// A Nostr relay that keeps private messages private.
#[derive(Debug, Parser)]
#[command(name = "flash-relay", version)]
struct Arguments {
    /// The configuration file (TOML).
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Reads the configuration, says whether it is usable, and exits.
    Check,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let config = match Config::load(&arguments.config) {
        Ok(config) => config,
        Err(failure) => {
            complain(&failure);
            return ExitCode::from(BAD_CONFIG);
        }
    };
    if let Some(Command::Check) = arguments.command {
        say(&format!("{} is usable", arguments.config.display()));
        return ExitCode::SUCCESS;
    }
    log(&config);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(run(config)),
        Err(failure) => {
            complain(&failure);
            ExitCode::FAILURE
        }
    }
}

async fn run(config: Config) -> ExitCode {
    let signals = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    );
    let (Ok(mut terminate), Ok(mut interrupt)) = signals else {
        error!("the system does not deliver signals");
        return ExitCode::FAILURE;
    };
    let relay = match Relay::start(config).await {
        Ok(relay) => relay,
        Err(failure) => {
            complain(&failure);
            return exit_code(&failure);
        }
    };
    tokio::select! {
        // Receiving a signal is cancel-safe, and either one means the same.
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    relay.stop().await;
    ExitCode::SUCCESS
}

fn exit_code(failure: &StartError) -> ExitCode {
    match failure {
        StartError::Config(_) => ExitCode::from(BAD_CONFIG),
        StartError::Listen { source, .. } if source.kind() == ErrorKind::AddrInUse => {
            ExitCode::from(TRY_LATER)
        }
        StartError::Listen { .. } => ExitCode::from(BAD_CONFIG),
        StartError::Store(StoreError::Locked(_)) => ExitCode::from(TRY_LATER),
        StartError::Store(_) => ExitCode::FAILURE,
    }
}

/// Says what to do about a failure, where that is known.
fn hint(failure: &(dyn std::error::Error + 'static)) -> Option<&'static str> {
    match failure.downcast_ref::<StartError>()? {
        StartError::Listen { source, .. } if source.kind() == ErrorKind::AddrInUse => Some(
            "another process has this port: stop it, or choose another `listen` in the configuration",
        ),
        StartError::Listen { .. } => {
            Some("`listen` must be an address of this machine and a port it may use")
        }
        StartError::Store(StoreError::Locked(_)) => {
            Some("another relay is running on this `data_dir`: stop it, or choose another folder")
        }
        StartError::Store(StoreError::Missing(_)) => {
            Some("restore `data_dir`; to start empty on purpose, remove the file `in-use` in it")
        }
        StartError::Store(_) | StartError::Config(_) => None,
    }
}

fn log(config: &Config) {
    let filter = EnvFilter::try_new(&config.log_level).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match config.log_format {
        LogFormat::Text => builder.with_ansi(false).init(),
        LogFormat::Json => builder.json().init(),
    }
}

#[expect(
    clippy::print_stdout,
    reason = "the answer of `check` is the program's output"
)]
fn say(text: &str) {
    println!("{text}");
}

/// Writes an error with its causes, and what to do about it.
#[expect(
    clippy::print_stderr,
    reason = "there is no log yet, or the message must be seen without it"
)]
fn complain(failure: &(dyn std::error::Error + 'static)) {
    eprintln!("flash-relay: {failure}");
    let mut source = failure.source();
    while let Some(cause) = source {
        eprintln!("  because: {cause}");
        source = cause.source();
    }
    if let Some(hint) = hint(failure) {
        eprintln!("  hint: {hint}");
    }
}
