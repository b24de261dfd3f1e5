//! Owns `doctor`: it looks at the machine, the data folder and the daemon, and says what is wrong and what to do.
//!
//! It changes nothing, and needs no daemon but for `--audit`.

mod machine;

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::Context;
use super::client::Client;
use super::client::typed;
use super::exit::Exit;
use super::exit::Failure;
use super::progress::Settled;
use super::progress::settled;
use super::render;
use crate::config::Card;
use crate::node::Reply;
use crate::runtime::RuntimeKind;
use crate::status::VaultStatus;

/// The file system type of a tmpfs. Source: linux/magic.h, `TMPFS_MAGIC`.
const TMPFS_MAGIC: u64 = 0x0102_1994;
/// Free space below which a node is likely to stop soon. Units: bytes.
const LOW_SPACE: u64 = 1024 * 1024 * 1024;

/// What one look found.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    weight: Weight,
    text: String,
    next: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    Good,
    Note,
    Bad,
}

impl Finding {
    fn good(text: impl Into<String>) -> Self {
        Self {
            weight: Weight::Good,
            text: text.into(),
            next: None,
        }
    }

    fn note(text: impl Into<String>, next: impl Into<String>) -> Self {
        Self {
            weight: Weight::Note,
            text: text.into(),
            next: Some(next.into()),
        }
    }

    fn bad(text: impl Into<String>, next: impl Into<String>) -> Self {
        Self {
            weight: Weight::Bad,
            ..Self::note(text, next)
        }
    }
}

/// Prints what it finds. Errors: exit 1 where something is wrong.
pub(super) async fn doctor(context: &mut Context, audit: bool) -> Result<Exit, Failure> {
    let data = context.data_folder()?;
    let uid = context.surroundings.uid;
    let mut findings = vec![data_folder(&data, uid)];
    findings.extend(space(&data));
    findings.push(programs(context));
    findings.push(machine::encryption(&data));
    findings.push(machine::clock());
    match context.data().and_then(|_| Ok(Card::read(&data)?)) {
        Ok(Some(card)) => {
            findings.push(Finding::good(format!("the node's id is {}", card.node_id)));
            findings.push(run_folder(context, &card.node_id));
            if card.runtime == Some(RuntimeKind::Docker) {
                findings.extend(machine::engine(&card.node_id).await);
            }
            findings.extend(daemon(context, &data).await);
        }
        Ok(None) => findings.push(Finding::note(
            "no node was started here yet",
            typed(
                &context.surroundings,
                "up",
                &data,
                context.global.data.is_some(),
            ),
        )),
        Err(failure) => findings.push(Finding::bad(failure.message, failure.next)),
    }
    if audit {
        findings.extend(audited(context).await?);
    }
    let mut bad = 0_usize;
    for finding in &findings {
        let head = match finding.weight {
            Weight::Good => "ok   ",
            Weight::Note => "note ",
            Weight::Bad => "bad  ",
        };
        bad += usize::from(finding.weight == Weight::Bad);
        context
            .screen
            .foreign_line(&format!("{head} {}", finding.text));
        if let Some(next) = &finding.next {
            context.screen.foreign_line(&format!("      next: {next}"));
        }
    }
    if bad == 0 {
        return Ok(Exit::Ok);
    }
    Err(Failure::new(
        Exit::Failed,
        format!("{bad} of {} looks found something wrong", findings.len()),
        "follow the lines above",
    ))
}

/// Asks the daemon what runs, against what was declared.
async fn audited(context: &Context) -> Result<Vec<Finding>, Failure> {
    let reply: Reply = context.client()?.post("/api/v1/audit", None).await?;
    let lines = reply.text.lines();
    Ok(lines
        .map(|line| match line.split_at_checked(5) {
            Some(("bad  ", text)) => Finding::bad(
                text.trim_start(),
                "find out who did that; `flash-node rotate --all` replaces what may be known to them",
            ),
            Some(("note ", text)) => Finding {
                weight: Weight::Note,
                text: text.trim_start().to_owned(),
                next: None,
            },
            Some((_, text)) => Finding::good(text.trim_start()),
            None => Finding::good(line),
        })
        .collect())
}

fn data_folder(data: &Path, uid: u32) -> Finding {
    let shown = data.display();
    match std::fs::metadata(data) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Finding::note(
            format!("the data folder {shown} does not exist yet"),
            "flash-node up makes it",
        ),
        Err(error) => Finding::bad(
            format!("the data folder {shown} cannot be read: {error}"),
            "run this as the user who started the node",
        ),
        Ok(meta) if !meta.is_dir() => Finding::bad(
            format!("{shown} is not a folder"),
            "name another with --data DIR",
        ),
        Ok(meta) if meta.uid() != uid => Finding::bad(
            format!("the data folder {shown} belongs to user {}", meta.uid()),
            "run this as that user",
        ),
        Ok(meta) if meta.mode() & 0o022 != 0 => Finding::bad(
            format!("the data folder {shown} can be written by others"),
            format!("chmod go-w {shown}"),
        ),
        Ok(_) => Finding::good(format!("the data folder is {shown}")),
    }
}

/// Looks at the space on the disk that holds `data`, or will.
fn space(data: &Path) -> Option<Finding> {
    let existing = data.ancestors().find(|folder| folder.is_dir())?;
    let disk = rustix::fs::statvfs(existing).ok()?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let mib = free / 1024 / 1024;
    Some(if free < LOW_SPACE {
        Finding::bad(
            format!("only {mib} MiB are free for {}", data.display()),
            "make room, or move the data folder to a larger disk",
        )
    } else {
        Finding::good(format!("{mib} MiB are free for {}", data.display()))
    })
}

fn programs(context: &Context) -> Finding {
    let ours = ["flash-relay", "flash-mint"];
    let missing: Vec<&str> = ours
        .into_iter()
        .filter(|name| {
            let folders = &context.surroundings.programs;
            !folders.iter().any(|folder| folder.join(name).is_file())
        })
        .collect();
    if missing.is_empty() {
        return Finding::good("flash-relay and flash-mint are installed");
    }
    Finding::bad(
        format!(
            "not beside flash-node nor on the PATH: {}",
            missing.join(", ")
        ),
        "install them beside flash-node (`make up` builds them)",
    )
}

fn run_folder(context: &Context, node_id: &str) -> Finding {
    let folders = context.surroundings.run_folders(node_id);
    let fitting = folders.iter().find(|folder| {
        let place = if folder.is_dir() {
            Some(folder.as_path())
        } else {
            folder.parent()
        };
        place.is_some_and(is_tmpfs)
    });
    match fitting {
        Some(folder) => Finding::good(format!(
            "secrets and the control socket lie in memory, in {}",
            folder.display()
        )),
        None => Finding::bad(
            "no folder in memory (tmpfs) was found for secret files",
            "mount a tmpfs at /dev/shm, or log in so that XDG_RUNTIME_DIR exists",
        ),
    }
}

fn is_tmpfs(folder: &Path) -> bool {
    rustix::fs::statfs(folder)
        .is_ok_and(|stat| u64::try_from(stat.f_type).is_ok_and(|kind| kind == TMPFS_MAGIC))
}

async fn daemon(context: &Context, data: &Path) -> Vec<Finding> {
    let named = context.global.data.is_some();
    let client = match Client::find(&context.surroundings, data, named) {
        Ok(client) => client,
        Err(failure) if failure.exit == Exit::NotRunning => {
            return vec![Finding::note(failure.message, failure.next)];
        }
        Err(failure) => return vec![Finding::bad(failure.message, failure.next)],
    };
    let status = match client.status().await {
        Ok(status) => status,
        Err(failure) => return vec![Finding::bad(failure.message, failure.next)],
    };
    let mut findings = vec![Finding::good(format!(
        "the daemon answers: version {}, process {}",
        status.version, status.pid
    ))];
    if status.version != env!("CARGO_PKG_VERSION") {
        findings.push(Finding::note(
            format!(
                "this program is version {}, the daemon {}",
                env!("CARGO_PKG_VERSION"),
                status.version
            ),
            "end the daemon with SIGTERM and start it again with `flash-node up --detach`; services go on",
        ));
    }
    findings.push(match settled(&status) {
        Settled::Ready if status.services.is_empty() => {
            Finding::note("this node has no services", "flash-node plan")
        }
        Settled::Ready => Finding::good("every service serves"),
        Settled::NotYet => Finding::note("services are still starting", "flash-node status --wait"),
        Settled::NeedsYou(waiting) => {
            let next = render::next_lines(&status).replace("next: ", "");
            Finding::bad(
                waiting.sentence(),
                next.lines().collect::<Vec<_>>().join("; "),
            )
        }
    });
    findings.push(vault(&status.vault));
    findings
}

/// Says where the vault stands.
fn vault(vault: &VaultStatus) -> Finding {
    if !vault.exists {
        return Finding::note(
            "there is no vault yet; what needs a secret waits for it",
            render::to_open(vault),
        );
    }
    match vault.state.as_str() {
        "sealed" => Finding::note(
            "the vault is sealed; what needs a secret waits",
            render::to_open(vault),
        ),
        "self_unsealing" => Finding::note(
            "the vault opens itself: anyone with this disk can read it",
            "flash-node passphrase change",
        ),
        _ => Finding::good("the vault is open"),
    }
}
