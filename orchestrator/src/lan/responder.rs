//! Owns the answers to whoever asks the machine's network for its `.local` name, and that the node's pages are found there.
//!
//! Source: RFC 6762 (multicast DNS) and RFC 6763 (service discovery). It asks and answers at the addresses that it is given,
//! and nowhere else. It does not know what listens there.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::time::Duration;

use mdns_sd::DaemonEvent;
use mdns_sd::Error;
use mdns_sd::HostnameResolutionEvent;
use mdns_sd::IfKind;
use mdns_sd::RRType;
use mdns_sd::Receiver;
use mdns_sd::ServiceDaemon;
use mdns_sd::ServiceInfo;
use tokio::time::Instant;

use super::machine;

/// As what the pages are found. Source: IANA's registry of service names.
const KIND: &str = "_https._tcp.local.";
/// How long a name is left alone that could not be had.
const AGAIN: Duration = Duration::from_secs(5 * 60);
/// How long others have to say that a name is theirs. Units: milliseconds.
const ASKED: u64 = 1500;

/// What is to be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// The name, with `.local`.
    pub host: String,
    /// Where it is.
    pub addresses: BTreeSet<Ipv4Addr>,
    /// Where the pages are.
    pub port: u16,
}

/// Whose a name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Held {
    /// It is asked whether somebody has it, or nothing is known.
    #[default]
    Unknown,
    /// This machine's, which answers for it.
    Ours,
    /// Another machine's.
    Taken,
}

/// Answers for one name at a time; once it is dropped, for none, which it says to whoever asked.
#[derive(Default)]
pub struct Responder {
    wanted: Option<Name>,
    running: Option<Running>,
    held: Held,
    /// When a name was given up.
    gave_up: Option<Instant>,
}

/// The thread that asks and answers.
struct Running {
    daemon: ServiceDaemon,
    events: Receiver<DaemonEvent>,
    host: String,
    /// What others say of the name, and what is told once none of them has it.
    asked: Option<(Receiver<HostnameResolutionEvent>, ServiceInfo)>,
}

impl Responder {
    /// Answers for `name` from now on, and for nothing where there is none; returns whose it is by now. What another machine
    /// has is given up, and asked for again later.
    pub fn look(&mut self, name: Option<Name>) -> Held {
        if self.wanted != name {
            *self = Self {
                wanted: name,
                ..Self::default()
            };
        }
        // Until it is known otherwise, a name is still whose it was.
        self.gave_up = self.gave_up.filter(|at| at.elapsed() < AGAIN);
        if let (Some(name), None, None) = (&self.wanted, &self.running, self.gave_up) {
            match Running::start(name) {
                Ok(running) => self.running = Some(running),
                Err(error) => self.give_up(Held::Unknown, &error),
            }
        }
        let Some(running) = &mut self.running else {
            return self.held;
        };
        match running.heard() {
            Heard::Nothing => {}
            Heard::Ours => self.held = Held::Ours,
            Heard::Taken => self.give_up(Held::Taken, &"another machine has the name"),
            Heard::Failed(error) => self.give_up(Held::Unknown, &error),
        }
        self.held
    }

    fn give_up(&mut self, held: Held, why: &dyn std::fmt::Display) {
        let host = self.wanted.as_ref().map(|name| name.host.as_str());
        tracing::warn!(host, "nobody is answered by the `.local` name: {why}");
        (self.running, self.held, self.gave_up) = (None, held, Some(Instant::now()));
    }
}

/// What came to pass since it was looked last.
enum Heard {
    Nothing,
    Ours,
    Taken,
    Failed(Error),
}

impl Running {
    fn start(name: &Name) -> Result<Self, Error> {
        let addresses: Vec<IpAddr> = name.addresses.iter().copied().map(IpAddr::V4).collect();
        let label = name.host.strip_suffix(".local").unwrap_or(&name.host);
        let title = format!("Flash Node on {label}");
        let host = format!("{label}.local.");
        let none: &[(&str, &str)] = &[];
        let service = ServiceInfo::new(KIND, &title, &host, addresses.as_slice(), name.port, none)?;
        let daemon = ServiceDaemon::new()?;
        let events = daemon.monitor()?;
        daemon.disable_interface(IfKind::All)?;
        daemon.enable_interface(addresses)?;
        let asked = daemon.resolve_hostname(&host, Some(ASKED))?;
        Ok(Self {
            daemon,
            events,
            host,
            asked: Some((asked, service)),
        })
    }

    /// Takes what others say of the name; once they had time to, it is told that it is ours.
    fn ask(&mut self) -> Result<(), Heard> {
        let Some((asked, _)) = &self.asked else {
            return Ok(());
        };
        let mut over = asked.is_disconnected();
        for event in asked.try_iter() {
            match event {
                HostnameResolutionEvent::AddressesFound(_, found) => {
                    let own = machine::own();
                    let another = found.iter().any(|one| match one.to_ip_addr() {
                        IpAddr::V4(address) => !own.contains(&address),
                        IpAddr::V6(_) => false,
                    });
                    if another {
                        return Err(Heard::Taken);
                    }
                }
                HostnameResolutionEvent::SearchTimeout(_)
                | HostnameResolutionEvent::SearchStopped(_) => over = true,
                _ => {}
            }
        }
        match self.asked.take_if(|_| over) {
            Some((_, service)) => self.daemon.register(service).map_err(Heard::Failed),
            None => Ok(()),
        }
    }

    fn heard(&mut self) -> Heard {
        if let Err(heard) = self.ask() {
            return heard;
        }
        let mut heard = Heard::Nothing;
        for event in self.events.try_iter() {
            match event {
                DaemonEvent::NameChange(change)
                    if change.rr_type == RRType::A
                        && change.original.eq_ignore_ascii_case(&self.host) =>
                {
                    return Heard::Taken;
                }
                DaemonEvent::Announce(..) => heard = Heard::Ours,
                DaemonEvent::Error(error) => heard = Heard::Failed(error),
                _ => {}
            }
        }
        heard
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Whoever kept an answer is told that it does not hold any more; nobody waits for that.
        let _ = self.daemon.shutdown();
    }
}
