//! Owns the commands `advisories list` and `advisories import`.

use std::path::Path;
use std::path::PathBuf;

use super::Context;
use super::args;
use super::exit::Exit;
use super::exit::Failure;
use super::screen::plain;
use crate::view::Advisories;
use crate::view::Advisory;

/// Files of advisories are small. Units: bytes.
const LARGEST: u64 = 60 * 1024;

pub(super) async fn advisories(
    context: &mut Context,
    wanted: args::Advisories,
) -> Result<Exit, Failure> {
    match wanted {
        args::Advisories::List => list(context).await,
        args::Advisories::Import { file } => import(context, &file).await,
    }
}

/// Prints what is known; 1 where something of it is here.
async fn list(context: &mut Context) -> Result<Exit, Failure> {
    let client = context.client()?;
    let known: Advisories = client.get("/api/v1/advisories").await?;
    context.screen.print(&text(&known));
    let here = known.advisories.iter().any(|one| !one.here.is_empty());
    Ok(if here { Exit::Failed } else { Exit::Ok })
}

async fn import(context: &mut Context, file: &Path) -> Result<Exit, Failure> {
    let mut signature = file.as_os_str().to_owned();
    signature.push(".minisig");
    let body = serde_json::json!({
        "text": read(file)?,
        "signature": read(&PathBuf::from(signature))?,
    });
    let body = Some(body.to_string().into_bytes());
    context.change("/api/v1/advisories", body).await
}

fn read(path: &Path) -> Result<String, Failure> {
    let refused = |why: String| {
        Failure::new(
            Exit::Usage,
            format!("{}: {why}", path.display()),
            "advisories are two files of the release page, FILE and FILE.minisig: put them beside each other",
        )
    };
    let size = std::fs::metadata(path)
        .map_err(|error| refused(error.to_string()))?
        .len();
    if size > LARGEST {
        return Err(refused(format!("it is larger than {LARGEST} bytes")));
    }
    std::fs::read_to_string(path).map_err(|error| refused(error.to_string()))
}

fn text(known: &Advisories) -> String {
    let from = if known.imported {
        "imported"
    } else {
        "of this release"
    };
    let mut text = format!(
        "advisories of {} (no. {}, {from})
",
        plain(&known.issued),
        known.serial
    );
    for one in &known.advisories {
        text.push_str(&line(one));
    }
    text
}

fn line(one: &Advisory) -> String {
    let severity = serde_json::to_value(one.severity).unwrap_or_default();
    let severity = severity.as_str().unwrap_or_default();
    let here: Vec<String> = one
        .here
        .iter()
        .map(|here| format!("{} {}", here.service, here.version))
        .collect();
    let about = if here.is_empty() {
        format!("{}: no version of this node", one.manifest)
    } else {
        format!("HERE: {}", here.join(", "))
    };
    format!(
        "
{} {severity}, {}
  {}
  {}
",
        plain(&one.id),
        plain(&about),
        plain(&one.text),
        plain(&one.action)
    )
}
