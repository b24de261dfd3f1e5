use std::os::fd::OwnedFd;

use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::pty::OpenptFlags;
use rustix::termios::LocalModes;
use rustix::termios::tcgetattr;

use super::read_line;

/// A terminal: the side of the keyboard, and the side of the program.
fn terminal() -> (OwnedFd, OwnedFd) {
    let keyboard = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    rustix::pty::grantpt(&keyboard).unwrap();
    rustix::pty::unlockpt(&keyboard).unwrap();
    let name = rustix::pty::ptsname(&keyboard, Vec::new()).unwrap();
    let flags = OFlags::RDWR | OFlags::NOCTTY;
    let program = rustix::fs::open(name, flags, Mode::empty()).unwrap();
    (keyboard, program)
}

fn shown(program: &OwnedFd) -> (bool, bool) {
    let modes = tcgetattr(program).unwrap().local_modes;
    (
        modes.contains(LocalModes::ECHO),
        modes.contains(LocalModes::ISIG),
    )
}

/// Types once the terminal hides what is typed, and returns what was read.
fn typed(keys: &[u8]) -> Option<String> {
    let (keyboard, program) = terminal();
    assert_eq!(shown(&program), (true, true));
    let read = std::thread::scope(|scope| {
        let reading = scope.spawn(|| read_line(&program, 64));
        while shown(&program) != (false, false) {
            std::thread::yield_now();
        }
        rustix::io::write(&keyboard, keys).unwrap();
        reading.join().unwrap()
    });
    assert_eq!(
        shown(&program),
        (true, true),
        "the terminal is given back as it was"
    );
    read.unwrap().map(|line| line.to_string())
}

#[test]
fn a_line_is_read_without_echo_and_can_be_corrected() {
    assert_eq!(typed(b"correct horse\n").as_deref(), Some("correct horse"));
    assert_eq!(typed(b"horsf\x7fe\n").as_deref(), Some("horse"));
    assert_eq!(typed(b"\n").as_deref(), Some(""));
    assert_eq!(typed(b"\x04").as_deref(), Some(""));
}

#[test]
fn ctrl_c_cancels_and_gives_the_echo_back() {
    assert_eq!(typed(b"\x03"), None);
    assert_eq!(typed(b"half a passphr\x03"), None);
}
