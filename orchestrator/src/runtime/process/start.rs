//! Owns the way from whatever a slot is to a program that runs, supervised.
//!
//! The order is the argument that a program is never there twice. (1) `lock` is held by the supervisor for its
//! whole life, so that there is one. (2) A start is decided under `start.lock`: the node writes a new nonce only when
//! it has seen, under that lock, that no recorded process lives. (3) The supervisor hands the held `start.lock` to
//! the process that becomes the program, which checks nonce and record, records itself durably, and lets go of
//! the lock at `exec`. So whoever holds it sees every process that was ever allowed to become the program, and one
//! that comes late finds its nonce outdated. (4) One nonce is carried out at most once. Any of them may be killed at
//! any point; the next `ensure` finds a state of [`super::observe::Standing`] and goes on.

use std::fs::File;
use std::io;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustix::event::Timespec;

use super::fail;
use super::lock;
use super::observe::Standing;
use super::observe::observe;
use super::record::Slot;
use super::record::UnitRecord;
use super::session;
use crate::runtime::RuntimeError;
use crate::runtime::Unit;
use crate::runtime::layout;
use crate::runtime::log;

/// How long a start may take until the program is there. Units: seconds.
const START_SECONDS: u32 = 30;

/// How long the record of a start may take to appear after its supervisor was seen to end.
const RECORD: Duration = Duration::from_secs(2);

/// How long the locks of a slot may be held by somebody who is at its end.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// What is needed to start the program of a slot.
#[derive(Debug)]
pub(super) struct Start<'a> {
    /// The records.
    pub(super) slot: &'a Slot,
    /// The service, with its files.
    pub(super) unit: &'a Unit,
    /// What will be recorded; its nonce is replaced.
    pub(super) record: UnitRecord,
    /// Where rendered files go.
    pub(super) files: &'a Path,
    /// The name of this start.
    pub(super) nonce: String,
    /// This program.
    pub(super) exe: &'a Path,
}

impl Start<'_> {
    /// Carries the start out, or leaves alone what runs already. Blocks.
    pub(super) fn carry_out(mut self) -> Result<(), RuntimeError> {
        let attempts = PATIENCE.as_millis() / lock::PAUSE.as_millis();
        for _ in 0..attempts {
            if self.stands()? {
                return Ok(());
            }
            // A program that runs is only given a supervisor; its file need not be found for that.
            if !self.runs()? {
                self.check_program()?;
            }
            self.slot
                .create()
                .map_err(|error| self.slot.fault("making its folder of records", error))?;
            let taken = lock::try_take(&self.slot.lock())
                .map_err(|error| self.slot.fault("locking its records", error))?;
            if let Some(held) = taken {
                return self.begin(held);
            }
            std::thread::sleep(lock::PAUSE);
        }
        Err(self.timeout())
    }

    /// Whether the wanted program runs and is supervised. Errors: another one runs.
    fn stands(&self) -> Result<bool, RuntimeError> {
        let seen =
            observe(self.slot).map_err(|error| self.slot.fault("reading its records", error))?;
        if seen.standing == Standing::Damaged {
            return Err(RuntimeError::Record {
                service: self.slot.service().clone(),
            });
        }
        let Some(child) = seen.running() else {
            return Ok(false);
        };
        if child.spec_hash != self.record.spec_hash {
            return Err(RuntimeError::Conflict {
                service: self.slot.service().clone(),
                running: child.spec_hash.clone(),
            });
        }
        Ok(seen.supervisor.is_some())
    }

    /// Whether any program of the service runs.
    fn runs(&self) -> Result<bool, RuntimeError> {
        observe(self.slot)
            .map(|seen| seen.running().is_some())
            .map_err(|error| self.slot.fault("reading its records", error))
    }

    fn begin(&mut self, held: File) -> Result<(), RuntimeError> {
        fail::point(self.slot.dir(), "ensure_locked");
        let decided = lock::take_within(&self.slot.start_lock(), PATIENCE)
            .map_err(|error| self.slot.fault("locking its start", error))?
            .ok_or_else(|| self.timeout())?;
        if self.stands()? {
            return Ok(());
        }
        let seen =
            observe(self.slot).map_err(|error| self.slot.fault("reading its records", error))?;
        let nonce = match seen.running() {
            // The program lives without a supervisor: a new one adopts it.
            Some(child) => child.nonce.clone(),
            None => {
                // It may have ended since; whoever only brought a supervisor must not start it then.
                self.check_program()?;
                if let Some(child) = &seen.child {
                    session::sweep_by_log(&child.process, &self.record.log)
                        .map_err(|error| self.slot.fault("ending what it left behind", error))?;
                }
                self.prepare()?;
                self.nonce.clone()
            }
        };
        drop(decided);
        drop(held);
        fail::point(self.slot.dir(), "ensure_unlocked");
        self.launch()?;
        fail::point(self.slot.dir(), "ensure_launched");
        self.confirm(&nonce)
    }

    /// Lays out what the program finds, then records what is to run.
    fn prepare(&mut self) -> Result<(), RuntimeError> {
        let slot = self.slot;
        layout::lay_volumes(&self.unit.volumes, self.record.uid)
            .map_err(|error| slot.fault("preparing its volumes", error))?;
        layout::lay_files(self.files, &self.unit.files, self.record.uid)
            .map_err(|error| slot.fault("writing its rendered files", error))?;
        fail::point(slot.dir(), "ensure_laid_out");
        self.record.log_from = log::open(&self.record.log)
            .and_then(|log| log.metadata())
            .map_err(|error| slot.fault("opening its log", error))?
            .len();
        self.record.nonce = Some(self.nonce.clone());
        slot.write_unit(&self.record)
            .map_err(|error| slot.fault("recording what is to run", error))?;
        fail::point(slot.dir(), "ensure_recorded");
        Ok(())
    }

    fn check_program(&self) -> Result<(), RuntimeError> {
        let program = &self.record.program;
        let found = std::fs::metadata(program).and_then(|found| {
            if found.is_file() && found.permissions().mode() & 0o111 != 0 {
                Ok(())
            } else {
                Err(io::ErrorKind::PermissionDenied.into())
            }
        });
        found.map_err(|source| self.no_program(source))
    }

    /// Starts the supervisor and waits until it says that the start is decided, or is gone.
    fn launch(&self) -> Result<(), RuntimeError> {
        let fault = |error| self.slot.fault("starting its supervisor", error);
        let mut launcher = self.spawn().map_err(fault)?;
        let spoke = launcher.stdout.take();
        launcher.wait().map_err(fault)?;
        let Some(mut spoke) = spoke else {
            return Ok(());
        };
        let timeout = Timespec {
            tv_sec: i64::from(START_SECONDS),
            tv_nsec: 0,
        };
        let mut fds = [PollFd::from_borrowed_fd(spoke.as_fd(), PollFlags::IN)];
        let ready = rustix::io::retry_on_intr(|| rustix::event::poll(&mut fds, Some(&timeout)))
            .map_err(|error| fault(error.into()))?;
        if ready == 0 {
            return Err(self.timeout());
        }
        let mut said = [0; 1];
        spoke.read(&mut said).map_err(fault).map(|_| ())
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the supervisor is started here; child processes belong to runtime/process"
    )]
    fn spawn(&self) -> io::Result<Child> {
        let output = log::open(&self.record.log)?;
        Command::new(self.exe)
            .arg("shim")
            .arg("--dir")
            .arg(self.slot.dir())
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::from(output))
            .spawn()
    }

    /// Waits for the record of the start, or of its failure.
    fn confirm(&self, nonce: &str) -> Result<(), RuntimeError> {
        let rounds = RECORD.as_millis() / lock::PAUSE.as_millis();
        for _ in 0..rounds {
            if let Some(failure) = self.slot.failure(nonce) {
                let source = failure.errno.map_or_else(
                    || io::Error::other("the start failed"),
                    io::Error::from_raw_os_error,
                );
                return Err(if failure.program {
                    self.no_program(source)
                } else {
                    self.slot.fault("starting its program", source)
                });
            }
            let child = self
                .slot
                .child()
                .map_err(|error| self.slot.fault("reading its records", error))?;
            if child.is_some_and(|child| child.nonce == nonce) {
                return Ok(());
            }
            std::thread::sleep(lock::PAUSE);
        }
        Err(self.slot.fault(
            "starting its program",
            io::Error::other("its supervisor ended before the program was there"),
        ))
    }

    fn no_program(&self, source: io::Error) -> RuntimeError {
        RuntimeError::NoProgram {
            service: self.slot.service().clone(),
            program: self.record.program.clone(),
            source,
        }
    }

    fn timeout(&self) -> RuntimeError {
        RuntimeError::Timeout {
            service: self.slot.service().clone(),
            seconds: START_SECONDS,
        }
    }
}
