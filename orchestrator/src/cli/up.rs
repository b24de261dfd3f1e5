//! Owns the daemon's life as a person sees it: `up` in the foreground, and `down`.
//!
//! It does not know how a node is built; it hands a [`Launch`] on and watches.

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use tokio::signal::unix::Signal;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tokio::sync::oneshot;
use tokio::sync::watch;

use super::Context;
use super::account;
use super::args;
use super::client::Client;
use super::detach;
use super::exit::Exit;
use super::exit::Failure;
use super::launch::Ended;
use super::launch::Launch;
use super::launch::Stop;
use super::launch::forget_word;
use super::launch::leave_word;
use super::launch::stopped_by;
use super::log;
use super::progress::Progress;
use super::progress::Settled;
use super::progress::settled;
use super::render;
use super::status::LOOK;
use crate::config::Card;
use crate::manifest::profile::ProfileName;
use crate::node::Reply;
use crate::runtime::RuntimeKind;
use crate::status::NodeStatus;

/// How long the daemon may take to leave after its last service stopped.
const LEAVE: Duration = Duration::from_secs(30);

/// Starts the node.
pub(super) async fn up(context: &mut Context, up: &args::Up) -> Result<Exit, Failure> {
    if let Some(listen) = up.listen.filter(|listen| !listen.ip().is_loopback()) {
        return Err(crate::http::BindError::NotLoopback(listen).into());
    }
    let named = context.global.data.as_deref();
    let data = context
        .surroundings
        .data_for_up(named, context.global.profile())?;
    let data = std::path::absolute(&data).map_err(|error| {
        Failure::new(
            Exit::Usage,
            format!("the data folder has no absolute path: {error}"),
            "name it from the root on with --data DIR",
        )
    })?;
    if up.detach {
        return detach::start(context, up, &data).await;
    }
    if up.background_daemon {
        return detach::daemon(context, up, &data).await;
    }
    log::start(
        &context.global,
        context.surroundings.log_filter.as_deref(),
        None,
        context.screen.err_terminal,
    )?;
    context
        .screen
        .note(&format!("starting the node in {}", data.display()));
    let stop = watch::Sender::new(Stop::No);
    let wanted = up_launch(context, up, data);
    run(context, wanted, &stop).await
}

/// What an operator asked of `up`, without the parts that only a run has.
pub(super) struct Wanted {
    data: PathBuf,
    profile: Option<ProfileName>,
    runtime: Option<RuntimeKind>,
    listen: Option<std::net::SocketAddr>,
    moved: bool,
}

/// Collects what `up` was asked.
pub(super) fn up_launch(context: &Context, up: &args::Up, data: PathBuf) -> Wanted {
    Wanted {
        data,
        profile: context.global.profile(),
        runtime: up.runtime.map(RuntimeKind::from),
        listen: up.listen,
        moved: up.moved,
    }
}

impl Wanted {
    /// Adds what only a run has.
    pub(super) fn launch(
        self,
        context: &Context,
        stop: watch::Receiver<Stop>,
    ) -> (
        Launch,
        oneshot::Receiver<std::sync::Arc<dyn crate::node::Node>>,
    ) {
        let (started, node) = oneshot::channel();
        let launch = Launch {
            data: self.data,
            profile: self.profile,
            runtime: self.runtime,
            listen: self.listen,
            moved: self.moved,
            surroundings: context.surroundings.clone(),
            stop,
            started,
        };
        (launch, node)
    }
}

/// Runs a node in this process, shows what it does, and stops it with its services on a signal.
async fn run(
    context: &mut Context,
    wanted: Wanted,
    stop: &watch::Sender<Stop>,
) -> Result<Exit, Failure> {
    let data = wanted.data.clone();
    let mut signals = Signals::new()?;
    let (launch, mut node) = wanted.launch(context, stop.subscribe());
    forget_word(&data);
    let mut running = (context.parts.launch)(launch);
    let mut status: Option<watch::Receiver<NodeStatus>> = None;
    let mut waiting = true;
    let mut told = false;
    let mut progress = Progress::new(&context.screen);
    let ended = loop {
        // Every branch but the first only waits for a signal; the node itself is polled on, never dropped.
        tokio::select! {
            ended = &mut running => break ended,
            started = &mut node, if waiting => {
                waiting = false;
                status = started.ok().map(|node| node.status());
                if let Some(status) = &mut status {
                    status.mark_changed();
                }
            }
            () = changed(&mut status) => {}
            () = signals.next() => ask_to_stop(context, stop),
        }
        if let Some(status) = &mut status {
            let now = status.borrow_and_update().clone();
            let before = told;
            told = show(context, &mut progress, &now, &data, told, *stop.borrow());
            if told && !before {
                // The node must be polled on: it is what answers.
                tokio::select! {
                    ended = &mut running => break ended,
                    () = account::invite(context, &data) => {}
                }
            }
        }
    };
    progress.clear();
    leave_word(&data, &ended);
    match ended? {
        Ended::ServicesStopped => context.screen.note("every service is stopped"),
        Ended::ServicesGoOn => context.screen.note(
            "the daemon ended; its services go on (`flash-node down` stops them, `flash-node up` takes them over)",
        ),
    }
    Ok(Exit::Ok)
}

/// Shows a status and returns whether the addresses were told.
fn show(
    context: &mut Context,
    progress: &mut Progress,
    now: &NodeStatus,
    data: &Path,
    told: bool,
    stop: Stop,
) -> bool {
    if stop == Stop::No && told {
        return true;
    }
    progress.show(&mut context.screen, now);
    if stop != Stop::No || settled(now) == Settled::NotYet {
        return told;
    }
    progress.clear();
    let text = arrived(now, &settled(now), "press Ctrl-C", data);
    context.screen.print(&text);
    true
}

async fn changed(status: &mut Option<watch::Receiver<NodeStatus>>) {
    let ended = match status {
        Some(receiver) => receiver.changed().await.is_err(),
        None => std::future::pending().await,
    };
    if ended {
        *status = None;
    }
}

fn ask_to_stop(context: &mut Context, stop: &watch::Sender<Stop>) {
    let next = match *stop.borrow() {
        Stop::No => Stop::Services,
        Stop::Services | Stop::DaemonOnly => Stop::DaemonOnly,
    };
    stop.send_replace(next);
    context.screen.note(match next {
        Stop::DaemonOnly => {
            "leaving now; services that were asked to stop go on stopping by themselves"
        }
        _ => {
            "stopping the services, each with its own time; press Ctrl-C again to leave them to it"
        }
    });
}

/// Writes what a person needs once a node is up: addresses, what waits for them, how to stop.
pub(super) fn arrived(now: &NodeStatus, done: &Settled, stop: &str, data: &Path) -> String {
    let mut text = String::new();
    if now.play_money {
        text.push_str("PLAY MONEY: nothing on this node is worth anything\n");
    }
    match done {
        Settled::Ready => text.push_str("the node is ready:\n"),
        Settled::NotYet => text.push_str("the node is starting:\n"),
        Settled::NeedsYou(waiting) => {
            text.push_str(&format!("the node is up; {}\n", waiting.sentence()));
        }
    }
    text.push_str(&render::addresses(now));
    text.push_str(&format!("  data in {}\n", data.display()));
    if now.vault.state == "self_unsealing" {
        text.push_str(
            "the vault opens itself until a passphrase is set: anyone with this disk can read it (`flash-node passphrase change` sets one)\n",
        );
    }
    text.push_str(&render::next_lines(now));
    text.push_str(&format!("to stop: {stop}\n"));
    text
}

/// The signals that ask a program to end.
pub(super) struct Signals {
    all: [Signal; 3],
}

impl Signals {
    /// Takes over SIGINT, SIGTERM and SIGHUP.
    pub(super) fn new() -> Result<Self, Failure> {
        let take = |kind| {
            signal(kind)
                .map_err(|error| Failure::internal(format!("the system gives no signals: {error}")))
        };
        Ok(Self {
            all: [
                take(SignalKind::interrupt())?,
                take(SignalKind::terminate())?,
                take(SignalKind::hangup())?,
            ],
        })
    }

    /// Waits for one. Cancel-safe.
    pub(super) async fn next(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.all;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

/// Stops every service, then the daemon. Where no daemon runs, one is started just to stop what it left behind.
pub(super) async fn down(context: &mut Context) -> Result<Exit, Failure> {
    let data = context.data()?;
    let named = context.global.data.is_some();
    let client = match Client::find(&context.surroundings, &data, named) {
        Ok(client) => client,
        Err(failure) if failure.exit == Exit::NotRunning && Card::read(&data)?.is_some() => {
            return down_without_daemon(context, data).await;
        }
        Err(failure) => return Err(failure),
    };
    let pid = client.status().await?.pid;
    let reply: Reply = client.post("/api/v1/down", None).await?;
    context.print_reply(&reply);
    let mut progress = Progress::new(&context.screen);
    // Each service has its own grace, up to a quarter of an hour; the daemon ends the wait, not we.
    let mut unreadable = Vec::new();
    while client.answers() {
        if let Ok(now) = client.status().await {
            progress.show(&mut context.screen, &now);
            unreadable = unreadable_in(&now);
        }
        tokio::time::sleep(LOOK).await;
    }
    progress.clear();
    let gone = async {
        while Path::new(&format!("/proc/{pid}")).exists() {
            tokio::time::sleep(LOOK).await;
        }
    };
    if tokio::time::timeout(LEAVE, gone).await.is_err() {
        return Err(Failure::new(
            Exit::Failed,
            format!("the daemon closed its socket, but process {pid} goes on"),
            format!("look into {}", data.join("logs/flash-node.log").display()),
        ));
    }
    if !stopped_by(&data, pid) && unreadable.is_empty() {
        context
            .screen
            .note("the daemon ended before every service was stopped");
        return down_without_daemon(context, data).await;
    }
    if !unreadable.is_empty() {
        let (names, first) = (unreadable.join(", "), unreadable[0].clone());
        return Err(Failure::new(
            Exit::Failed,
            format!(
                "the node is down, but the record of {names} cannot be read, so that it may still run"
            ),
            format!(
                "look at run/{first} in the data folder, end what runs of it, remove that folder, then `flash-node down` again"
            ),
        ));
    }
    context.screen.note("the node is down; its data stay");
    Ok(Exit::Ok)
}

/// The services of which nobody can say whether they run.
fn unreadable_in(now: &NodeStatus) -> Vec<String> {
    let all = now.services.iter();
    all.filter(|service| service.ready.code == "record_unreadable")
        .map(|service| service.id.clone())
        .collect()
}

async fn down_without_daemon(context: &mut Context, data: PathBuf) -> Result<Exit, Failure> {
    context
        .screen
        .note("the daemon is not running; stopping what it left running");
    let filter = context.surroundings.log_filter.clone();
    log::start(&context.global, filter.as_deref(), None, true)?;
    let stop = watch::Sender::new(Stop::Services);
    let wanted = Wanted {
        data,
        profile: None,
        runtime: None,
        listen: None,
        moved: false,
    };
    run(context, wanted, &stop).await
}
