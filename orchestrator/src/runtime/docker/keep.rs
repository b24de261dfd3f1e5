//! Owns the keeping of what containers print: the engine's own copy dies with the container, ours does not.
//!
//! Lines are taken over exactly once: beside a log stands how far it goes and how long it was then, so that what was
//! written and not yet noted when the node died is cut off and taken over again.

use std::io;
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;

use bollard::Docker;
use bollard::query_parameters::LogsOptionsBuilder;
use futures::StreamExt as _;
use serde::Deserialize;
use serde::Serialize;

use super::engine::absent;
use super::engine::said;
use crate::runtime::log;

/// How many lines are taken over at once at most.
const BATCH: usize = 256;
/// How the engine's timestamps are long, always: with nine digits of a second's fraction.
const STAMP: usize = "2026-11-26T11:42:00.573040344Z".len();

/// How far a log goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    /// The container whose lines it holds last.
    container: String,
    /// The engine's timestamp of its last line.
    at: String,
    /// How long it is with that line. Units: bytes.
    length: u64,
}

/// Takes over what `container` printed into `log`, from where it was left, until the program ends (`follow`) or until
/// all is there.
pub(super) async fn take_over(
    docker: &Docker,
    container: &str,
    log: &Path,
    follow: bool,
) -> io::Result<()> {
    let mut mark = resume(log, container)?;
    let since = mark.as_ref().and_then(|mark| seconds(&mark.at));
    let options = LogsOptionsBuilder::default()
        .stdout(true)
        .stderr(true)
        .timestamps(true)
        .follow(follow)
        .since(since.unwrap_or_default())
        .build();
    let mut batches = docker.logs(container, Some(options)).ready_chunks(BATCH);
    while let Some(batch) = batches.next().await {
        let mut text = Vec::new();
        let mut last = mark
            .as_ref()
            .map(|mark| mark.at.clone())
            .unwrap_or_default();
        for line in batch {
            let line = match line {
                Ok(line) => line.into_bytes(),
                Err(error) if absent(&error) => return Ok(()),
                Err(error) => return Err(io::Error::other(said(&error))),
            };
            let Some((at, line)) = split(&line) else {
                text.extend_from_slice(&line);
                continue;
            };
            // `since` counts whole seconds: what came before the mark within its second is there already.
            if at <= last.as_str() {
                continue;
            }
            text.extend_from_slice(line);
            last = at.to_owned();
        }
        if !text.is_empty() {
            mark = Some(append(log, container, &text, last)?);
        }
    }
    Ok(())
}

fn split(line: &[u8]) -> Option<(&str, &[u8])> {
    let at = std::str::from_utf8(line.get(..STAMP)?).ok()?;
    (at.ends_with('Z') && line.get(STAMP) == Some(&b' ')).then(|| (at, &line[STAMP + 1..]))
}

fn seconds(at: &str) -> Option<i32> {
    let format = &time::format_description::well_known::Rfc3339;
    let at = time::OffsetDateTime::parse(at, format).ok()?;
    i32::try_from(at.unix_timestamp()).ok()
}

fn append(log: &Path, container: &str, text: &[u8], at: String) -> io::Result<Mark> {
    log::turn_over(log)?;
    let mut file = log::open(log)?;
    file.write_all(text)?;
    let mark = Mark {
        container: container.to_owned(),
        at,
        length: file.metadata()?.len(),
    };
    let fresh = beside(log, "mark.new");
    std::fs::write(&fresh, serde_json::to_vec(&mark)?)?;
    std::fs::rename(&fresh, beside(log, "mark"))?;
    Ok(mark)
}

/// Finds how far `log` goes, and cuts off what was written without being noted.
fn resume(log: &Path, container: &str) -> io::Result<Option<Mark>> {
    let kept = match std::fs::read(beside(log, "mark")) {
        Ok(kept) => kept,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    // A mark that cannot be read is no reason to lose lines: some may be there twice.
    let Ok(mark) = serde_json::from_slice::<Mark>(&kept) else {
        return Ok(None);
    };
    if let Ok(found) = std::fs::metadata(log)
        && found.len() > mark.length
    {
        std::fs::OpenOptions::new()
            .write(true)
            .open(log)?
            .set_len(mark.length)?;
    }
    Ok(Some(mark).filter(|mark| mark.container == container))
}

fn beside(log: &Path, extension: &str) -> PathBuf {
    log.with_extension(extension)
}

#[cfg(test)]
mod tests;
