//! The program `flash-mint`: reads its command line and configuration, then runs the mint or says why not.

use std::{
    error::Error,
    io::{self, IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use flash_mint::{
    config::{self, Config, LogFormat, LogLevel},
    error::MintError,
    run,
};
use tracing_subscriber::EnvFilter;

/// The Cashu mint of Flash Node.
#[derive(Debug, Parser)]
#[command(name = "flash-mint", version)]
struct Cli {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Checks the configuration and the seed file, and starts nothing.
    Check,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match carry_out(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut sentence = format!("flash-mint: {error}");
            let mut cause = error.source();
            while let Some(inner) = cause {
                sentence.push_str(&format!(": {inner}"));
                cause = inner.source();
            }
            // Where stderr is gone there is nobody left to tell; the exit code still says it.
            let _ = writeln!(io::stderr(), "{sentence}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn carry_out(cli: &Cli) -> Result<(), MintError> {
    let config = config::load(&cli.config)?;
    match cli.command {
        Some(Command::Check) => {
            let identity = run::check(&config)?;
            let _ = writeln!(
                io::stdout(),
                "{}: ok: mint {} on {}",
                cli.config.display(),
                identity.pubkey,
                config.network.as_str()
            );
            Ok(())
        }
        None => {
            start_logging(&config);
            run::run(config)
        }
    }
}

fn start_logging(config: &Config) {
    let level = match config.log_level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
        LogLevel::Trace => "trace",
    };
    // Libraries print request bodies, and so tokens, below info: they never get there.
    let libraries = match config.log_level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info | LogLevel::Debug | LogLevel::Trace => "info",
    };
    let filter = EnvFilter::new(format!("{libraries},flash_mint={level}"));
    let builder = tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_env_filter(filter);
    match config.log_format {
        LogFormat::Text => builder.with_ansi(io::stderr().is_terminal()).init(),
        LogFormat::Json => builder.json().init(),
    }
}
