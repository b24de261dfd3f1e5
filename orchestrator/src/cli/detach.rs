//! Owns `up --detach`: it starts this program again as a daemon of its own session, and waits until the node has
//! settled or the daemon died.
//!
//! It does not know how a node is built. The daemon tells its parent why it died as one JSON line on the pipe that
//! is its standard output; nothing else is ever printed there.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;
use tokio::sync::watch;

use super::Context;
use super::account;
use super::args;
use super::client::Client;
use super::client::not_running;
use super::client::typed;
use super::exit::Exit;
use super::exit::Failure;
use super::launch::Stop;
use super::launch::forget_word;
use super::launch::leave_word;
use super::log;
use super::progress::Progress;
use super::progress::Settled;
use super::progress::settled;
use super::status::LOOK;
use super::up;
use crate::config::profile_name;
use crate::status::NodeStatus;
use crate::store::folder::make_log_folder;
use crate::store::folder::may_become_a_node;

/// The daemon's log, inside the data folder.
const LOG: &str = "logs/flash-node.log";

/// Why a daemon died, as it tells its parent.
#[derive(Debug, Serialize, Deserialize)]
struct LastWords {
    message: String,
    next: String,
}

/// Starts a daemon, or finds the one that runs, and waits until its services have settled.
pub(super) async fn start(
    context: &mut Context,
    up: &args::Up,
    data: &Path,
) -> Result<Exit, Failure> {
    let mut child = match context.surroundings.running_socket(data) {
        Some(_) => {
            context.screen.note("the node is running already");
            None
        }
        None => Some(Daemon(spawn(context, up, data)?)),
    };
    let mut progress = Progress::new(&context.screen);
    let waited = tokio::time::timeout(
        Duration::from_secs(up.timeout),
        wait(context, &mut progress, child.as_mut(), data),
    )
    .await;
    progress.clear();
    let Ok(waited) = waited else {
        return Err(Failure::new(
            Exit::Failed,
            format!(
                "the services have not settled after {} s; the daemon goes on",
                up.timeout
            ),
            "`flash-node status` shows where they stand, `flash-node down` stops them",
        ));
    };
    let (now, done) = waited?;
    let wanted = context.global.profile().map(profile_name);
    if let Some(wanted) = wanted.filter(|wanted| *wanted != now.profile) {
        return Err(Failure::new(
            Exit::Held,
            format!(
                "a node of profile {} runs in {}, not {wanted}",
                now.profile,
                data.display()
            ),
            "name another folder with --data DIR",
        ));
    }
    let named = context.global.data.is_some();
    let stop = typed(&context.surroundings, "down", data, named);
    let text = up::arrived(&now, &done, &stop, data);
    context.screen.print(&text);
    account::invite(context, data).await;
    Ok(Exit::Ok)
}

/// Waits until the services have settled. Errors: why the daemon died.
async fn wait(
    context: &mut Context,
    progress: &mut Progress,
    mut child: Option<&mut Daemon>,
    data: &Path,
) -> Result<(NodeStatus, Settled), Failure> {
    loop {
        if let Some(daemon) = child.as_deref_mut()
            && let Some(failure) = daemon.died(data)
        {
            return Err(failure);
        }
        if let Some(socket) = context.surroundings.running_socket(data)
            && let Ok(now) = Client::at(socket).status().await
        {
            progress.show(&mut context.screen, &now);
            let done = settled(&now);
            if done != Settled::NotYet {
                return Ok((now, done));
            }
        } else if child.is_none() {
            let named = context.global.data.is_some();
            return Err(not_running(&context.surroundings, data, named));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The daemon that was started; it is never ended by its parent.
struct Daemon(Child);

impl Daemon {
    /// Says why the daemon died; nothing while it lives.
    fn died(&mut self, data: &Path) -> Option<Failure> {
        let ended = match self.0.try_wait() {
            Ok(None) => return None,
            Ok(Some(ended)) => ended,
            Err(error) => {
                return Some(Failure::internal(format!(
                    "the daemon cannot be watched: {error}"
                )));
            }
        };
        let mut words = String::new();
        if let Some(pipe) = &mut self.0.stdout {
            // A daemon that died without a word still has its exit code.
            let _ = pipe.take(64 * 1024).read_to_string(&mut words);
        }
        let exit = ended.code().map_or(Exit::Failed, Exit::from_code);
        let log = data.join(LOG);
        Some(match serde_json::from_str::<LastWords>(words.trim()) {
            Ok(words) => Failure::new(exit, words.message, words.next),
            Err(_) => Failure::new(
                if exit == Exit::Ok { Exit::Failed } else { exit },
                format!("the daemon ended while it was starting ({ended})"),
                format!("look into {}", log.display()),
            ),
        })
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the command line starts the daemon itself, which is no service of a runtime"
)]
fn spawn(context: &Context, up: &args::Up, data: &Path) -> Result<Child, Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(
            Exit::Config,
            format!("the daemon could not be started: {error}"),
            "`flash-node doctor` looks at the machine",
        )
    };
    let exe = std::env::current_exe().map_err(failed)?;
    std::process::Command::new(exe)
        .args(arguments(&context.global, up, data))
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(errors_to(data))
        .spawn()
        .map_err(failed)
}

/// Writes the daemon's command line.
pub(super) fn arguments(
    global: &args::Global,
    up: &args::Up,
    data: &Path,
) -> Vec<std::ffi::OsString> {
    let mut words: Vec<std::ffi::OsString> = vec!["up".into(), "--background-daemon".into()];
    let mut option = |name: &str, value: std::ffi::OsString| {
        words.push(name.into());
        words.push(value);
    };
    option("--data", data.into());
    if let Some(profile) = global.profile() {
        option("--profile", profile_name(profile).into());
    }
    if let Some(runtime) = up.runtime {
        option("--runtime", runtime.word().into());
    }
    if let Some(listen) = up.listen {
        option("--listen", listen.to_string().into());
    }
    if global.log_format == args::LogFormat::Json {
        option("--log-format", "json".into());
    }
    if up.moved {
        words.push("--moved".into());
    }
    if global.quiet {
        words.push("--quiet".into());
    }
    words.extend((0..global.verbose).map(|_| "--verbose".into()));
    words
}

/// Opens the daemon's log for what it prints before and beside its logging, such as a panic.
///
/// A folder that is not a node's is not touched: the daemon will refuse it and say why.
fn errors_to(data: &Path) -> Stdio {
    log_file(data)
        .and_then(|path| {
            OpenOptions::new()
                .create(true)
                .append(true)
                .mode(0o600)
                .open(path)
                .ok()
        })
        .map_or_else(Stdio::null, Stdio::from)
}

/// Returns where the daemon logs, and makes the folder; nothing where `data` holds things that are not a node's.
fn log_file(data: &Path) -> Option<PathBuf> {
    let strange = data.exists() && !data.join("node.json").exists() && !may_become_a_node(data);
    if strange {
        return None;
    }
    make_log_folder(data).ok()?;
    Some(data.join(LOG))
}

/// Is the daemon: runs the node until it is told to stop. A signal ends the daemon alone; services go on.
pub(super) async fn daemon(
    context: &mut Context,
    up: &args::Up,
    data: &Path,
) -> Result<Exit, Failure> {
    // A session of its own: closing the terminal no longer reaches it. A leader of a group already has what is
    // wanted, so a refusal is no failure.
    let _ = rustix::process::setsid();
    let ended = serve(context, up, data).await;
    if let Err(failure) = &ended {
        let words = LastWords {
            message: failure.message.clone(),
            next: failure.next.clone(),
        };
        let words = serde_json::to_string(&words).expect("two texts are JSON");
        tracing::error!("the daemon ends: {}", failure.message);
        context.screen.print(&format!("{words}\n"));
    }
    ended
}

async fn serve(context: &mut Context, up: &args::Up, data: &Path) -> Result<Exit, Failure> {
    let filter = context.surroundings.log_filter.clone();
    let file = log_file(data);
    log::start(&context.global, filter.as_deref(), file.as_deref(), false)?;
    let mut signals = up::Signals::new()?;
    let stop = watch::Sender::new(Stop::No);
    let wanted = up::up_launch(context, up, data.to_owned());
    let (launch, _node) = wanted.launch(context, stop.subscribe());
    forget_word(data);
    let mut running = (context.parts.launch)(launch);
    loop {
        // The node is polled on, never dropped; waiting for a signal loses nothing.
        tokio::select! {
            ended = &mut running => {
                leave_word(data, &ended);
                return ended.map(|_| Exit::Ok);
            }
            () = signals.next() => {
                stop.send_replace(Stop::DaemonOnly);
            }
        }
    }
}
