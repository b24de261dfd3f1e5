//! Owns `service`: the units by which systemd starts the node with the machine and lets its services outlive it.
//!
//! Two units, because two things end: the daemon alone (an upgrade, a crash: its services go on) and the machine
//! (every service is stopped with its own grace first, which no `KillMode` can express).
//! Sources: systemd.unit(5), systemd.service(5), systemd.exec(5), systemd.kill(5).

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use super::Context;
use super::args;
use super::client::Client;
use super::exit::Exit;
use super::exit::Failure;
use super::status::LOOK;
use crate::config::Card;
use crate::config::profile_name;
use crate::manifest::Catalog;
use crate::manifest::choices;
use crate::runtime::RuntimeKind;

/// Where root's units lie.
const SYSTEM_UNITS: &str = "/etc/systemd/system";
/// Exists where systemd is the machine's first process. Source: sd_booted(3).
const BOOTED: &str = "/run/systemd/system";
/// What a stop may take beyond the longest grace of a service. Units: seconds.
const BEYOND_GRACE: u32 = 60;
/// How long a daemon may take to end once it was asked.
const LEAVE: Duration = Duration::from_secs(30);
/// Ends that another start does not mend: they wait for a person.
const FINAL: [Exit; 7] = [
    Exit::Usage,
    Exit::BadData,
    Exit::DataRefused,
    Exit::Database,
    Exit::Refused,
    Exit::Config,
    Exit::NotBuilt,
];

/// What the units say.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Install {
    node: String,
    profile: &'static str,
    program: PathBuf,
    data: PathBuf,
    /// Further folders that the node writes to.
    roots: BTreeSet<PathBuf>,
    docker: bool,
    root: bool,
    /// Where programs of services are searched; only processes of this machine are.
    search: Vec<PathBuf>,
    /// The longest time that a service may take to stop. Units: seconds.
    grace: u32,
}

/// The two files, each with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Units {
    daemon: (String, String),
    halt: (String, String),
}

/// Does what was asked with the units of a node.
pub(super) async fn manage(context: &mut Context, wanted: args::Manage) -> Result<Exit, Failure> {
    match wanted {
        args::Manage::Install => install(context).await,
        args::Manage::Remove => remove(context),
        args::Manage::Show => {
            let units = units(&read(context)?)?;
            for (name, text) in [&units.daemon, &units.halt] {
                context.screen.print(&format!("# {name}\n{text}\n"));
            }
            Ok(Exit::Ok)
        }
    }
}

async fn install(context: &mut Context) -> Result<Exit, Failure> {
    let what = read(context)?;
    let units = units(&what)?;
    needs_systemd()?;
    let folder = folder(context, what.root)?;
    std::fs::create_dir_all(&folder).map_err(|error| not_written(&folder, &error))?;
    for (name, text) in [&units.daemon, &units.halt] {
        let path = folder.join(name);
        std::fs::write(&path, text).map_err(|error| not_written(&path, &error))?;
        context.screen.note(&format!("wrote {}", path.display()));
    }
    let (daemon, halt) = (&units.daemon.0, &units.halt.0);
    systemctl(what.root, &["daemon-reload"])?;
    systemctl(what.root, &["enable", daemon, halt])?;
    // It does nothing until it is stopped, and it is what stops services at a halt: it comes before all that may fail.
    systemctl(what.root, &["start", halt])?;
    let ctl = if what.root {
        "systemctl"
    } else {
        "systemctl --user"
    };
    hand_over(context, &what.data, &format!("{ctl} start {daemon} {halt}")).await?;
    systemctl(what.root, &["start", daemon, halt])?;
    context.screen.print(&format!(
        "the node runs under systemd and starts with the machine from now on: {ctl} status {daemon}\n"
    ));
    if !what.root {
        context
            .screen
            .note("next: `loginctl enable-linger`, or it runs only while you are logged in");
    }
    Ok(Exit::Ok)
}

/// Ends a daemon that `up --detach` started, so that systemd's takes its services over; they go on meanwhile.
///
/// Errors: it runs in the foreground, where its end would stop the services.
async fn hand_over(context: &mut Context, data: &Path, start: &str) -> Result<(), Failure> {
    let Some(socket) = context.surroundings.running_socket(data) else {
        return Ok(());
    };
    let client = Client::at(socket);
    let pid = client.status().await?.pid;
    let folder = PathBuf::from(format!("/proc/{pid}"));
    let command = std::fs::read(folder.join("cmdline")).unwrap_or_default();
    let detached = command
        .split(|byte| *byte == 0)
        .any(|word| word == b"--background-daemon");
    let pid = i32::try_from(pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    let (true, Some(pid)) = (detached, pid) else {
        return Err(Failure::new(
            Exit::Failed,
            "the node runs in the foreground; the units are written and enabled, and not started",
            format!("end it (Ctrl-C there stops its services), then `{start}`"),
        ));
    };
    // Under systemd already: `start` finds it running.
    let cgroup = std::fs::read_to_string(folder.join("cgroup")).unwrap_or_default();
    if cgroup.contains("/flash-node-") {
        return Ok(());
    }
    context
        .screen
        .note("ending the daemon that runs; its services go on");
    rustix::process::kill_process(pid, rustix::process::Signal::TERM)
        .map_err(|error| Failure::internal(format!("the daemon took no signal: {error}")))?;
    let gone = async {
        while folder.exists() {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(LEAVE, gone).await.map_err(|_| {
        Failure::new(
            Exit::Failed,
            "the daemon that runs did not end",
            format!("look into its log, then `{start}`"),
        )
    })
}

fn remove(context: &mut Context) -> Result<Exit, Failure> {
    let what = read(context)?;
    let (daemon, halt) = names(&what.node);
    let folder = folder(context, what.root)?;
    let there: Vec<PathBuf> = [&daemon, &halt]
        .map(|name| folder.join(name))
        .into_iter()
        .filter(|path| path.exists())
        .collect();
    if there.is_empty() {
        context.screen.note(&format!(
            "there is no unit of this node in {}",
            folder.display()
        ));
        return Ok(Exit::Ok);
    }
    let booted = Path::new(BOOTED).exists();
    if booted {
        systemctl(what.root, &["disable", &daemon, &halt])?;
    }
    for path in there {
        std::fs::remove_file(&path).map_err(|error| not_written(&path, &error))?;
        context.screen.note(&format!("removed {}", path.display()));
    }
    if booted {
        systemctl(what.root, &["daemon-reload"])?;
    }
    context.screen.print(
        "the node no longer starts with the machine; what runs goes on until `flash-node down`\n",
    );
    Ok(Exit::Ok)
}

/// Whether the unit that stops the services of the node `node` before the machine halts is there and active: one that
/// was only written, or was stopped since, does nothing.
pub(super) fn stops_at_halt(node: &str) -> bool {
    let halt = names(node).1;
    Path::new(SYSTEM_UNITS).join(&halt).exists()
        && Path::new(BOOTED).exists()
        && systemctl(true, &["is-active", "--quiet", &halt]).is_ok()
}

fn needs_systemd() -> Result<(), Failure> {
    if Path::new(BOOTED).exists() {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Config,
        "systemd does not run this machine; nothing was written",
        "`flash-node service show` prints the units; another service manager must end the daemon alone (docs/operator.md)",
    ))
}

fn folder(context: &Context, root: bool) -> Result<PathBuf, Failure> {
    if root {
        return Ok(PathBuf::from(SYSTEM_UNITS));
    }
    let home = context.surroundings.config_home.clone();
    home.map(|home| home.join("systemd/user")).ok_or_else(|| {
        Failure::new(
            Exit::Config,
            "there is no home folder for your units",
            "set HOME, or run this as root",
        )
    })
}

fn not_written(path: &Path, error: &io::Error) -> Failure {
    Failure::new(
        Exit::Failed,
        format!("{} could not be written: {error}", path.display()),
        "run this as the user who starts the node; root for all users",
    )
}

/// Collects what the units say. Errors: no node was started in the folder yet.
fn read(context: &Context) -> Result<Install, Failure> {
    let data = context.data()?;
    let data = std::path::absolute(&data).unwrap_or(data);
    let Some(card) = Card::read(&data)? else {
        return Err(Failure::new(
            Exit::NotRunning,
            format!("no node was started in {} yet", data.display()),
            "start it once with `flash-node up --detach`: a unit never makes a new node, for the disk may only be missing",
        ));
    };
    let catalog = Catalog::load(Some(&data.join("manifests")))
        .map_err(|mistakes| Failure::new(Exit::BadData, mistakes.to_string(), "mend them"))?;
    let grace = catalog
        .iter()
        .map(|(_, entry)| entry.manifest.program.stop_grace_seconds)
        .max()
        .unwrap_or_default();
    let text = std::fs::read_to_string(data.join("node.toml")).unwrap_or_default();
    let roots = match choices::parse(&text, "node.toml") {
        Ok(choices) => choices.storage.into_values().map(|root| root.path),
        Err(mistakes) => {
            return Err(Failure::new(
                Exit::BadData,
                mistakes.to_string(),
                "mend node.toml",
            ));
        }
    };
    let program = std::env::current_exe()
        .map_err(|error| Failure::internal(format!("the program has no path: {error}")))?;
    let docker = card.runtime == Some(RuntimeKind::Docker);
    Ok(Install {
        node: card.node_id,
        profile: profile_name(card.profile),
        program,
        data,
        roots: roots.collect(),
        docker,
        root: context.surroundings.uid == 0,
        search: if docker {
            Vec::new()
        } else {
            context.surroundings.programs.clone()
        },
        grace,
    })
}

fn names(node: &str) -> (String, String) {
    let short = node.get(..6).unwrap_or(node);
    (
        format!("flash-node-{short}.service"),
        format!("flash-node-{short}-halt.service"),
    )
}

/// Writes the units. Errors: a path that no unit can hold.
fn units(what: &Install) -> Result<Units, Failure> {
    let (daemon, halt) = names(&what.node);
    let halt_text = halt_unit(what, &daemon)?;
    Ok(Units {
        daemon: (daemon, daemon_unit(what)?),
        halt: (halt, halt_text),
    })
}

fn daemon_unit(what: &Install) -> Result<String, Failure> {
    let data = quoted(&what.data)?;
    let mut unit = String::new();
    let mut line = |text: &str| writeln!(unit, "{text}").expect("a String takes every text");
    line("[Unit]");
    line(&format!("Description=Flash Node ({})", what.profile));
    line("Wants=network-online.target");
    line("After=network-online.target time-sync.target");
    if what.docker {
        // Wanted, not required: the node says by itself that its engine is gone, and goes on once it is back.
        line("Wants=docker.service");
        line("After=docker.service");
    }
    line(&format!(
        "RequiresMountsFor=\"{}\"",
        inside_quotes(&what.data)?
    ));
    line("# Never a new node in the place of one whose disk is missing.");
    line(&format!(
        "AssertPathExists={}",
        escaped(&what.data.join("node.json"))?
    ));
    line("");
    line("[Service]");
    line("Type=exec");
    line(&format!(
        "ExecStart={} --data {data} up --background-daemon",
        quoted(&what.program)?
    ));
    if !what.search.is_empty() {
        let search = std::env::join_paths(&what.search).map_err(|_| bad_path(&what.program))?;
        let search = PathBuf::from(search);
        line(&format!("Environment=\"PATH={}\"", inside_quotes(&search)?));
    }
    line("# The daemon alone: its services outlive it, and the next start takes them over.");
    line("KillMode=process");
    line("KillSignal=SIGTERM");
    line(&format!("TimeoutStopSec={}", what.grace + BEYOND_GRACE));
    line("Restart=on-failure");
    line("RestartSec=5");
    let finals: Vec<String> = FINAL.iter().map(|exit| (*exit as u8).to_string()).collect();
    line(&format!("RestartPreventExitStatus={}", finals.join(" ")));
    line("UMask=0077");
    line("LimitNOFILE=65536");
    for hardening in hardening(what)? {
        line(&hardening);
    }
    line("");
    line("[Install]");
    line(if what.root {
        "WantedBy=multi-user.target"
    } else {
        "WantedBy=default.target"
    });
    Ok(unit)
}

/// What the daemon and, where services are its children, they have no need of.
fn hardening(what: &Install) -> Result<Vec<String>, Failure> {
    let mut lines: Vec<String> = [
        "NoNewPrivileges=yes",
        "LockPersonality=yes",
        "RestrictRealtime=yes",
        "RestrictSUIDSGID=yes",
        "SystemCallArchitectures=native",
    ]
    .map(str::to_owned)
    .to_vec();
    // A user's manager cannot give the rest without a namespace in which services would not find their users.
    if !what.root {
        return Ok(lines);
    }
    lines.extend(
        [
            "ProtectSystem=strict",
            "ProtectKernelTunables=yes",
            "ProtectKernelModules=yes",
            "ProtectKernelLogs=yes",
            "ProtectControlGroups=yes",
            "ProtectClock=yes",
            "ProtectHostname=yes",
            "RestrictNamespaces=yes",
            "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
        ]
        .map(str::to_owned),
    );
    let mut writes = BTreeSet::from([what.data.clone()]);
    writes.extend(what.roots.iter().cloned());
    // Rendered files and the control socket, the firewall's lock; images are packed on a disk.
    writes.extend(["/run", "/dev/shm", "/var/tmp"].map(PathBuf::from));
    let writes: Result<Vec<String>, Failure> =
        writes.iter().map(|path| quoted_soft(path)).collect();
    lines.push(format!("ReadWritePaths={}", writes?.join(" ")));
    let home = |path: &Path| ["/home", "/root"].iter().any(|home| path.starts_with(home));
    let all = [&what.data, &what.program];
    if !all
        .into_iter()
        .chain(&what.roots)
        .chain(&what.search)
        .any(|path| home(path))
    {
        lines.push("ProtectHome=yes".to_owned());
    }
    // Folders and files for the users of services; a signal to them. With containers, the firewall; with processes,
    // becoming those users. A low port is tried by binding it before the engine publishes it.
    let own = if what.docker {
        "CAP_NET_ADMIN CAP_NET_RAW CAP_NET_BIND_SERVICE"
    } else {
        "CAP_SETUID CAP_SETGID CAP_SYS_PTRACE"
    };
    lines.push(format!(
        "CapabilityBoundingSet=CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_KILL {own}"
    ));
    Ok(lines)
}

fn halt_unit(what: &Install, daemon: &str) -> Result<String, Failure> {
    let data = quoted(&what.data)?;
    let mut unit = String::new();
    let mut line = |text: &str| writeln!(unit, "{text}").expect("a String takes every text");
    line("[Unit]");
    line(&format!(
        "Description=Flash Node ({}): stops every service before the machine halts",
        what.profile
    ));
    line(
        "# What stands in After= is stopped later: daemon and engine are there while services stop.",
    );
    line(&format!("After={daemon}"));
    if what.docker {
        line("After=docker.service containerd.service");
    }
    line(&format!(
        "RequiresMountsFor=\"{}\"",
        inside_quotes(&what.data)?
    ));
    line("");
    line("[Service]");
    line("Type=oneshot");
    line("RemainAfterExit=yes");
    line("ExecStart=/bin/true");
    line(&format!(
        "ExecStop={} --data {data} down",
        quoted(&what.program)?
    ));
    line("# Services stop one after the other where one needs the other.");
    line(&format!("TimeoutStopSec={}", 2 * what.grace + BEYOND_GRACE));
    line("");
    line("[Install]");
    line(if what.root {
        "WantedBy=multi-user.target"
    } else {
        "WantedBy=default.target"
    });
    Ok(unit)
}

fn bad_path(path: &Path) -> Failure {
    Failure::new(
        Exit::Config,
        format!("no unit can hold the path {}", path.display()),
        "use paths of ordinary characters",
    )
}

/// Escapes what a unit file replaces: `%` begins a specifier. Errors: control characters, or no text.
fn escaped(path: &Path) -> Result<String, Failure> {
    let text = path.to_str().ok_or_else(|| bad_path(path))?;
    if text.chars().any(char::is_control) {
        return Err(bad_path(path));
    }
    Ok(text.replace('%', "%%"))
}

/// Escapes a path for the inside of double quotes.
fn inside_quotes(path: &Path) -> Result<String, Failure> {
    Ok(escaped(path)?.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Quotes a path as one word of a command line, where `$` begins a variable as well.
fn quoted(path: &Path) -> Result<String, Failure> {
    Ok(format!("\"{}\"", inside_quotes(path)?.replace('$', "$$")))
}

/// Quotes a path that need not be there.
fn quoted_soft(path: &Path) -> Result<String, Failure> {
    Ok(format!("\"-{}\"", inside_quotes(path)?))
}

#[expect(
    clippy::disallowed_methods,
    reason = "systemd is told by its own program, here and nowhere else"
)]
fn systemctl(root: bool, args: &[&str]) -> Result<(), Failure> {
    let mut command = Command::new("systemctl");
    if !root {
        command.arg("--user");
    }
    let output = command.args(args).stdin(Stdio::null()).output();
    let failed = |why: String| {
        Failure::new(
            Exit::Failed,
            format!("systemctl {} failed: {why}", args.join(" ")),
            "the units are written; give that command yourself once it can work",
        )
    };
    let output = output.map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(failed(
        String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    ))
}

#[cfg(test)]
mod tests;
