//! Owns standard output and standard error: the only place that prints.
//!
//! It does not know what is printed. Text that others wrote loses its control characters before a terminal sees it.

use std::io;
use std::io::IsTerminal;
use std::io::Write;

use super::exit::Failure;

/// Where a command prints.
pub(super) struct Screen {
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    /// Whether standard output is a terminal.
    pub(super) out_terminal: bool,
    /// Whether standard error is a terminal.
    pub(super) err_terminal: bool,
    /// Whether standard output takes colours.
    pub(super) color: bool,
    /// Whether the reader of standard output went away, as `| head` does. Streams end then; a node does not.
    pub(super) closed: bool,
}

impl Screen {
    /// Prints to the process's own output.
    pub(super) fn process(no_color: bool) -> Self {
        let out_terminal = io::stdout().is_terminal();
        Self {
            out: Box::new(io::stdout()),
            err: Box::new(io::stderr()),
            out_terminal,
            err_terminal: io::stderr().is_terminal(),
            color: out_terminal && !no_color,
            closed: false,
        }
    }

    /// Prints text as it is.
    pub(super) fn print(&mut self, text: &str) {
        let printed = self
            .out
            .write_all(text.as_bytes())
            .and_then(|()| self.out.flush());
        self.closed |= printed.is_err();
    }

    /// Prints one line that others wrote.
    pub(super) fn foreign_line(&mut self, line: &str) {
        let line = if self.out_terminal {
            plain(line)
        } else {
            line.to_owned()
        };
        self.print(&format!("{line}\n"));
    }

    /// Tells a person something beside the result.
    pub(super) fn note(&mut self, line: &str) {
        // Nobody can be told that nobody can be told.
        let _ = writeln!(self.err, "{}", plain(line));
    }

    /// Prints why a command failed, and what to do next.
    pub(super) fn failure(&mut self, failure: &Failure) {
        let _ = write!(self.err, "{}", failure_text(failure));
    }
}

/// Writes a failure: what happened, then what to do.
pub(super) fn failure_text(failure: &Failure) -> String {
    let mut text = String::new();
    for (index, line) in failure.message.lines().enumerate() {
        let head = if index == 0 { "error: " } else { "       " };
        text.push_str(head);
        text.push_str(&plain(line));
        text.push('\n');
    }
    if !failure.next.is_empty() {
        text.push_str("next: ");
        text.push_str(&plain(&failure.next));
        text.push('\n');
    }
    text
}

/// Removes what could move a terminal's cursor or change its colours.
pub(super) fn plain(text: &str) -> String {
    text.chars()
        .filter(|c| *c == '\t' || !c.is_control())
        .collect()
}
