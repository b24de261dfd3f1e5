//! Owns a secret's way from a terminal: a line is read without echo, and the terminal is given back as it was.
//!
//! It does not know what the secret is for.

use std::io;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;

use rustix::termios::LocalModes;
use rustix::termios::OptionalActions;
use rustix::termios::SpecialCodeIndex;
use rustix::termios::Termios;
use rustix::termios::tcgetattr;
use rustix::termios::tcsetattr;
use zeroize::Zeroizing;

/// What Ctrl-C types.
const CANCEL: u8 = 0x03;
/// What ends a line.
const ENTER: u8 = b'\n';

/// A terminal that does not show what is typed; dropped, it is as it was.
struct Hidden<'a> {
    terminal: BorrowedFd<'a>,
    before: Termios,
}

impl<'a> Hidden<'a> {
    /// Hides what is typed. Ctrl-C ends the line instead of the program: a program that ends here would leave the
    /// terminal without echo.
    fn new(terminal: BorrowedFd<'a>) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut hidden = before.clone();
        hidden
            .local_modes
            .remove(LocalModes::ECHO | LocalModes::ISIG);
        hidden.special_codes[SpecialCodeIndex::VEOL] = CANCEL;
        tcsetattr(terminal, OptionalActions::Flush, &hidden)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Hidden<'_> {
    fn drop(&mut self) {
        // A terminal that went away needs nothing back.
        let _ = tcsetattr(self.terminal, OptionalActions::Flush, &self.before);
    }
}

/// Reads one line of at most `limit` bytes from `terminal` without showing it; nothing where Ctrl-C was typed.
pub(super) fn read_line(
    terminal: impl AsFd,
    limit: usize,
) -> io::Result<Option<Zeroizing<String>>> {
    let hidden = Hidden::new(terminal.as_fd())?;
    // The whole room is taken at once: a buffer that grows leaves copies behind.
    let mut typed = Zeroizing::new(vec![0; limit]);
    let mut length = 0;
    loop {
        let room = typed.get_mut(length..).unwrap_or_default();
        let read = match rustix::io::read(hidden.terminal, room) {
            Err(rustix::io::Errno::INTR) => continue,
            other => other?,
        };
        length += read;
        let line = typed.get(..length).unwrap_or_default();
        match line.last() {
            Some(&CANCEL) => return Ok(None),
            Some(&ENTER) => break,
            _ if read == 0 => break,
            _ => {}
        }
    }
    let line = typed.get(..length).unwrap_or_default();
    let text = std::str::from_utf8(line)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not text"))?;
    Ok(Some(Zeroizing::new(
        text.trim_end_matches(['\r', '\n']).to_owned(),
    )))
}

#[cfg(test)]
mod tests;
