//! Owns the command line: it reads what was typed, asks the daemon or starts it, prints, and picks the exit code.
//!
//! It does not know how a node works: what it needs of one it asks over the unix socket, and what it starts is
//! handed in by `main.rs` as [`Parts`].

mod access;
mod account;
mod advisories;
mod args;
mod audit;
mod check;
mod client;
mod detach;
mod doctor;
mod exit;
mod hidden;
mod launch;
mod log;
mod manager;
mod overview;
mod progress;
mod render;
mod rotate;
mod screen;
mod service;
mod settings;
mod status;
#[cfg(test)]
mod tests;
mod token;
mod up;
mod vault;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

pub use self::exit::EXIT_HELP;
pub use self::exit::Exit;
pub use self::exit::Failure;
pub use self::exit::chain;
pub use self::launch::Ended;
pub use self::launch::Launch;
pub use self::launch::Parts;
pub use self::launch::Stop;

use self::args::Cli;
use self::args::Command;
use self::args::Global;
use self::client::Client;
use self::screen::Screen;
use crate::config::Card;
use crate::config::ProcessEnvironment;
use crate::config::Surroundings;
use crate::config::profile_name;
use crate::node::Reply;

/// Runs the program to its end.
#[must_use]
pub fn main(parts: Parts) -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help goes to standard output, a mistake to standard error; a closed pipe is nobody's concern.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(Exit::Usage as u8));
        }
    };
    let exe = std::env::current_exe().ok();
    let uid = rustix::process::geteuid().as_raw();
    let surroundings = Surroundings::read(&ProcessEnvironment, uid, exe.as_deref());
    let mut context = Context {
        screen: Screen::process(surroundings.no_color),
        global: cli.global,
        surroundings,
        parts,
    };
    match context.run(cli.command) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            context.screen.failure(&failure);
            failure.exit.into()
        }
    }
}

/// What every command is given.
struct Context {
    screen: Screen,
    global: Global,
    surroundings: Surroundings,
    parts: Parts,
}

impl Context {
    fn run(&mut self, command: Command) -> Result<Exit, Failure> {
        // The daemon uses every core; a command that only asks needs none of its own.
        let runtime = match &command {
            Command::Up(_) | Command::Down => tokio::runtime::Builder::new_multi_thread()
                .enable_all()
                .build(),
            _ => tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build(),
        };
        let runtime = runtime.map_err(|error| {
            Failure::new(
                Exit::Config,
                format!("the system gives no threads or files: {error}"),
                "raise the limits of this user (`ulimit -a` shows them)",
            )
        })?;
        runtime.block_on(self.carry_out(command))
    }

    async fn carry_out(&mut self, command: Command) -> Result<Exit, Failure> {
        match command {
            Command::Up(up) => up::up(self, &up).await,
            Command::Down => up::down(self).await,
            Command::Plan => self.change("/api/v1/plan", None).await,
            Command::Apply => self.change("/api/v1/apply", None).await,
            Command::Status(wanted) => status::status(self, &wanted).await,
            Command::Logs(wanted) => service::logs(self, &wanted).await,
            Command::Check { paths } => check::check(self, &paths),
            Command::Set(set) => service::set(self, &set).await,
            Command::Remove { service, dry_run } => service::remove(self, &service, dry_run).await,
            Command::Removed => service::removed(self).await,
            Command::Purge { service, confirm } => service::purge(self, &service, confirm).await,
            Command::Retry { service } => service::retry(self, &service).await,
            Command::Edges => self.change("/api/v1/edges", None).await,
            Command::Images(args::Images::List) => self.change("/api/v1/images", None).await,
            Command::Images(args::Images::Set {
                service,
                image,
                dry_run,
            }) => service::set_image(self, &service, &image, dry_run).await,
            Command::Images(args::Images::Pack { programs, with }) => {
                let id = crate::app::pack_image(programs, with).await?;
                self.screen.print(&format!("{id}\n"));
                Ok(Exit::Ok)
            }
            Command::Rotate(wanted) => rotate::rotate(self, &wanted).await,
            Command::Events { follow, tail } => status::events(self, follow, tail).await,
            Command::Service(wanted) => manager::manage(self, wanted).await,
            Command::Doctor { audit } => doctor::doctor(self, audit).await,
            Command::Unlock(with) => vault::unlock(self, &with).await,
            Command::Passphrase(args::Passphrase::Change(with)) => {
                vault::change_passphrase(self, &with).await
            }
            Command::KeyFile(args::KeyFile::Add { path }) => vault::add_key_file(self, &path).await,
            Command::Seal => self.change("/api/v1/vault/seal", None).await,
            Command::SetupCode => account::set_up_code(self).await,
            Command::Access {
                lan: None,
                onion: None,
                ..
            } => access::access(self).await,
            Command::Access {
                lan,
                onion,
                dry_run,
            } => access::switch(self, (lan, onion), dry_run).await,
            Command::Advisories(wanted) => advisories::advisories(self, wanted).await,
            Command::Account(wanted) => account::account(self, wanted).await,
            Command::Tasks => overview::tasks(self).await,
            Command::Shop => overview::shop(self).await,
            Command::Machine => overview::machine(self).await,
            Command::Token(wanted) => token::token(self, wanted).await,
            Command::Audit(wanted) => audit::audit(self, wanted).await,
            Command::Openapi => {
                self.screen.print(&crate::http::openapi_document());
                Ok(Exit::Ok)
            }
        }
    }

    /// Returns the data folder that this command speaks to. Errors: where it holds a node of another profile than named.
    fn data(&self) -> Result<PathBuf, Failure> {
        let wanted = self.global.profile();
        let data = self.data_folder()?;
        let found = Card::read(&data)?.map(|card| card.profile);
        match (wanted, found) {
            (Some(wanted), Some(found)) if wanted != found => Err(Failure::new(
                Exit::DataRefused,
                format!(
                    "the node in {} is of profile {}, not {}",
                    data.display(),
                    profile_name(found),
                    profile_name(wanted)
                ),
                "name the folder you mean with --data DIR, or leave --profile out",
            )),
            _ => Ok(data),
        }
    }

    /// Returns the data folder that this command speaks to, whatever lies in it.
    fn data_folder(&self) -> Result<PathBuf, Failure> {
        let named = self.global.data.as_deref();
        let profile = self.global.profile();
        Ok(self.surroundings.data_for_client(named, profile)?)
    }

    /// Finds the daemon that this command speaks to.
    fn client(&self) -> Result<Client, Failure> {
        let named = self.global.data.is_some();
        Client::find(&self.surroundings, &self.data()?, named)
    }

    /// Sends a command and prints its answer.
    async fn change(&mut self, path: &str, body: Option<Vec<u8>>) -> Result<Exit, Failure> {
        let reply: Reply = self.client()?.post(path, body).await?;
        self.print_reply(&reply);
        Ok(Exit::Ok)
    }

    fn print_reply(&mut self, reply: &Reply) {
        for line in reply.text.lines() {
            self.screen.foreign_line(line);
        }
    }
}
