//! Owns a service's log files: opening, turning over, reading the end and what follows.
//!
//! The program itself has `current.log` open, in append mode, so that neither the node's nor the supervisor's death
//! reaches it through a broken pipe. That is why turning over copies the file and then empties it: lines that
//! arrive between the last read of the copy and the emptying, a window of microseconds, are lost.

use std::collections::VecDeque;
use std::fs::DirBuilder;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use futures::StreamExt;
use futures::stream;
use futures::stream::BoxStream;

use super::layout::absent_is_fine;
use crate::runtime::LogLine;
use crate::runtime::LogQuery;

/// At this length a log is turned over. Units: bytes.
pub(crate) const LARGEST: u64 = 10 * 1024 * 1024;

/// How many old logs are kept.
const KEPT: u32 = 5;

/// The name of the log that is written now.
pub(crate) const CURRENT: &str = "current.log";

/// How often a follower looks for more.
const GLANCE: Duration = Duration::from_millis(150);

/// How much is read at once, and the longest line that is kept whole. Units: bytes.
const PIECE: usize = 64 * 1024;

/// Opens `log` for appending, with its folder.
pub(crate) fn open(log: &Path) -> io::Result<File> {
    if let Some(folder) = log.parent() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(log)
}

/// Turns `log` over where it has grown past [`LARGEST`].
pub(crate) fn turn_over(log: &Path) -> io::Result<()> {
    let length = match std::fs::metadata(log) {
        Ok(found) => found.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if length < LARGEST {
        return Ok(());
    }
    let fresh = log.with_extension("log.new");
    let mut current = OpenOptions::new().read(true).write(true).open(log)?;
    // Old logs are moved only for a copy that is whole: on a full disk none is ever given away for nothing.
    let copied = copy_to(&fresh, &mut current).and_then(|copy| {
        shift(log)?;
        std::fs::rename(&fresh, old(log, 1))?;
        Ok(copy)
    });
    let mut copy = match copied {
        Ok(copy) => copy,
        Err(error) => {
            // Part of a copy helps nobody and holds space that the disk may need.
            absent_is_fine(std::fs::remove_file(&fresh))?;
            return Err(error);
        }
    };
    // Whatever arrived while the copy was put in its place is added to it, until nothing is left to add.
    loop {
        match io::copy(&mut current, &mut copy) {
            Ok(0) => return current.set_len(0),
            Ok(_) => {}
            Err(error) => {
                // The whole log is still in its place, and its copy would be there twice after the next attempt.
                absent_is_fine(std::fs::remove_file(old(log, 1)))?;
                return Err(error);
            }
        }
    }
}

/// Copies what `current` holds to a new file at `fresh`.
fn copy_to(fresh: &Path, current: &mut File) -> io::Result<File> {
    let mut copy = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(fresh)?;
    io::copy(current, &mut copy)?;
    Ok(copy)
}

/// Makes room for the newest old log: those before the first gap move up by one, and the oldest goes where there is
/// no gap.
fn shift(log: &Path) -> io::Result<()> {
    let gap = (1..=KEPT).find(|number| !old(log, *number).exists());
    for number in (1..gap.unwrap_or(KEPT)).rev() {
        std::fs::rename(old(log, number), old(log, number + 1))?;
    }
    Ok(())
}

/// Returns the end of `log` from `from` on, at most `most` bytes of it.
pub(crate) fn end_of(log: &Path, from: u64, most: u64) -> io::Result<String> {
    let mut file = match File::open(log) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
        Err(error) => return Err(error),
    };
    let length = file.metadata()?.len();
    let from = if from > length { 0 } else { from };
    file.seek(SeekFrom::Start(from.max(length.saturating_sub(most))))?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Reads the last lines of `log` and its predecessors and, where wanted, goes on as more arrive.
pub(crate) fn read(log: &Path, query: LogQuery) -> io::Result<BoxStream<'static, LogLine>> {
    let mut reader = LogReader::open(log)?;
    let mut lines = reader.advance()?;
    if !query.follow {
        lines.extend(reader.finish());
    }
    let mut number = 1;
    while lines.len() < query.tail && number <= KEPT {
        let Ok(bytes) = std::fs::read(old(log, number)) else {
            break;
        };
        let mut earlier: VecDeque<String> = split(&bytes).into();
        earlier.extend(lines);
        lines = earlier.into();
        number += 1;
    }
    let surplus = lines.len().saturating_sub(query.tail);
    lines.drain(..surplus);
    let first = stream::iter(lines.into_iter().map(|text| LogLine { text }));
    if !query.follow {
        return Ok(first.boxed());
    }
    let rest = stream::unfold(reader, |mut reader| async move {
        loop {
            tokio::time::sleep(GLANCE).await;
            match reader.advance() {
                Ok(lines) if lines.is_empty() => {}
                Ok(lines) => return Some((lines, reader)),
                Err(_) => return None,
            }
        }
    })
    .flat_map(|lines| stream::iter(lines.into_iter().map(|text| LogLine { text })));
    Ok(first.chain(rest).boxed())
}

/// Reads a log as it grows, across turnings over.
struct LogReader {
    log: PathBuf,
    position: u64,
    turned: Option<u64>,
    begun: Vec<u8>,
}

impl LogReader {
    /// Begins near the end of `log`: no further back than one whole log.
    fn open(log: &Path) -> io::Result<Self> {
        Ok(Self {
            log: log.to_owned(),
            position: 0,
            turned: turned(log)?,
            begun: Vec::new(),
        })
    }

    /// Returns the lines that were finished since the last call.
    fn advance(&mut self) -> io::Result<Vec<String>> {
        let mut bytes = Vec::new();
        let turned = turned(&self.log)?;
        let length = length(&self.log)?;
        if turned != self.turned && length < self.position {
            // What was not read yet lies at the end of the copy.
            self.position = read_from(&old(&self.log, 1), self.position, &mut bytes)?;
            self.turned = turned;
            self.position = 0;
        } else if length < self.position {
            self.position = 0;
        }
        self.position = read_from(&self.log, self.position, &mut bytes)?;
        self.begun.extend(bytes);
        let Some(last) = self.begun.iter().rposition(|byte| *byte == b'\n') else {
            if self.begun.len() > PIECE {
                return Ok(self.finish());
            }
            return Ok(Vec::new());
        };
        let rest = self.begun.split_off(last + 1);
        let whole = std::mem::replace(&mut self.begun, rest);
        Ok(split(&whole))
    }

    /// Returns the line that has no end yet.
    fn finish(&mut self) -> Vec<String> {
        split(&std::mem::take(&mut self.begun))
    }
}

fn split(bytes: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(bytes)
        .lines()
        .map(str::to_owned)
        .collect()
}

fn read_from(path: &Path, position: u64, into: &mut Vec<u8>) -> io::Result<u64> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    file.seek(SeekFrom::Start(position))?;
    let read = file.take(2 * LARGEST).read_to_end(into)?;
    Ok(position + u64::try_from(read).unwrap_or(u64::MAX))
}

fn length(log: &Path) -> io::Result<u64> {
    match std::fs::metadata(log) {
        Ok(found) => Ok(found.len()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

/// Returns what tells one turning over from the next: the inode of the newest copy.
fn turned(log: &Path) -> io::Result<Option<u64>> {
    match std::fs::metadata(old(log, 1)) {
        Ok(found) => Ok(Some(found.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn old(log: &Path, number: u32) -> PathBuf {
    log.with_extension(format!("log.{number}"))
}

#[cfg(test)]
mod tests;
