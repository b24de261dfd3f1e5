//! Owns the way in by an onion address: where Tor hands its visitors over, under which name, and whether it works.
//!
//! Which service is Tor, and where it keeps its address, its manifest says. The node opens no port for it.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_socks::tcp::Socks5Stream;
use tokio_util::sync::CancellationToken;

use super::TRY_EVERY;
use super::blocking;
use super::hello;
use super::well;
use crate::app::world::World;
use crate::clock::UnixMillis;
use crate::entropy::Entropy;
use crate::entropy::SystemEntropy;
use crate::http::Api;
use crate::http::OnionSocket;
use crate::http::PROBE;
use crate::http::Tries;
use crate::id::ServiceId;
use crate::manifest::schema::ONION_PORT;
use crate::manifest::schema::Onion as Declared;
use crate::service::desired::Wanted;
use crate::service::places::Places;
use crate::service::volume_file;
use crate::view::Entrance;
use crate::view::EntranceKind;

/// How often an address is tried at which nobody answered yet.
const TRY_AGAIN: Duration = Duration::from_secs(10);
/// How long a try may take: the way there and back leads over six other machines.
const TRY_TIME: Duration = Duration::from_secs(45);
/// How long a Tor that was just started is given to make the address known. A try that comes sooner asks in vain at every place
/// that keeps addresses, and a Tor asks at none of them again for 15 minutes. Source: tor, `REND_HID_SERV_DIR_REQUERY_PERIOD`.
const SETTLING: Duration = Duration::from_secs(60);
/// How long an address may take to become known to the Tor network: a try that was in vain for the reason above included.
const PUBLISHING: Duration = Duration::from_secs(20 * 60);
/// How long nobody may answer at an address that was open: a circuit fails now and then.
const LAPSE: Duration = Duration::from_secs(3 * 60);
/// The longest path of a unix socket. Units: bytes. Source: unix(7), `sun_path` with its end.
const LONGEST_PATH: usize = 107;

/// The way in by Tor.
pub(super) struct Onion {
    api: Api,
    places: Places,
    open: Option<Open>,
    /// What serves visitors: one at a time, since each has the same place.
    serving: JoinSet<()>,
}

/// What listens now.
struct Open {
    at: At,
    host: String,
    socket: Arc<OnionSocket>,
    close: CancellationToken,
    /// When the Tor was started that was tried. Units: milliseconds since the Unix epoch.
    started_at: Option<u64>,
    /// Since when Tor has been ready and nobody answered.
    silent: Option<Instant>,
    /// Whether somebody answered since that Tor was started.
    was_open: bool,
    tried: Option<Instant>,
    trying: JoinSet<Result<(), String>>,
    /// What the last try came to.
    answered: Option<Result<(), String>>,
}

/// Where Tor and the node meet.
#[derive(Debug, Clone, PartialEq, Eq)]
struct At {
    service: ServiceId,
    volume: PathBuf,
    socket: String,
    hostname: String,
    /// The socket's path, as the service sees it.
    seen: PathBuf,
    socks: Option<SocketAddr>,
}

/// How the service is by which visitors come in.
struct Standing {
    ready: bool,
    /// What it says of itself.
    text: String,
    /// Units: milliseconds since the Unix epoch.
    started_at: Option<u64>,
}

impl Onion {
    pub(super) fn new(api: Api, places: Places) -> Self {
        Self {
            api,
            places,
            open: None,
            serving: JoinSet::new(),
        }
    }

    /// Opens or closes it as it is wanted, tries it from time to time, and says how it is.
    pub(super) async fn look(
        &mut self,
        world: &World,
        now: UnixMillis,
        token: &CancellationToken,
    ) -> Entrance {
        if !world.choices.access.onion {
            self.shut().await;
            return entrance(
                None,
                "off",
                "Closed: no onion address leads here. `flash-node access --onion on` opens it.",
                Vec::new(),
            );
        }
        match self.ensure(world, now, token).await {
            Ok(entrance) => entrance,
            Err((code, text)) => entrance(Some(false), code, &text, Vec::new()),
        }
    }

    /// Lets nobody in any more; what was begun is answered first.
    pub(super) async fn shut(&mut self) {
        if let Some(open) = self.open.take() {
            open.close.cancel();
        }
        while self.serving.join_next().await.is_some() {}
    }

    async fn ensure(
        &mut self,
        world: &World,
        now: UnixMillis,
        token: &CancellationToken,
    ) -> Result<Entrance, (&'static str, String)> {
        let at = match find(world, &self.places) {
            Ok(at) => at,
            Err(text) => {
                self.shut().await;
                return Err(("no_tor", text));
            }
        };
        let standing = self.standing(&at.service);
        let not_ready = |text: &str| {
            let service = &at.service;
            Err(("tor_not_ready", format!("{service} is not ready: {text}")))
        };
        let asked = at.clone();
        let host = match blocking(move || address(&asked)).await {
            Some(Ok(host)) => host,
            Some(Err(Unread::NotYet)) | None => return not_ready(&standing.text),
            Some(Err(Unread::NoAddress)) => {
                return not_ready("what it wrote as its address is no onion address.");
            }
            Some(Err(Unread::Failed(error))) => {
                return not_ready(&format!("its address cannot be read ({error})."));
            }
        };
        let stays = |open: &Open| open.at == at && open.host == host && open.socket.there();
        if !self.open.as_ref().is_some_and(stays) {
            self.shut().await;
            self.open = Some(self.open(&at, &host, token)?);
        }
        let Some(open) = self.open.as_mut().filter(|_| standing.ready) else {
            return not_ready(&standing.text);
        };
        open.try_it(standing.started_at, now);
        Ok(open.told())
    }

    fn open(
        &mut self,
        at: &At,
        host: &str,
        token: &CancellationToken,
    ) -> Result<Open, (&'static str, String)> {
        if at.seen.as_os_str().len() > LONGEST_PATH {
            return Err((
                "not_listening",
                format!(
                    "{} is too long a path: a socket's has {LONGEST_PATH} characters at most. Move the data folder to a shorter one.",
                    at.seen.display()
                ),
            ));
        }
        let socket = OnionSocket::bind(&at.volume, &at.socket, host);
        let socket = Arc::new(socket.map_err(|error| {
            let place = at.volume.join(&at.socket);
            (
                "not_listening",
                format!("{} cannot be listened at ({error}).", place.display()),
            )
        })?);
        let close = token.child_token();
        let serving = self.api.clone();
        self.serving
            .spawn(serving.serve_onion(Arc::clone(&socket), close.clone()));
        Ok(Open {
            at: at.clone(),
            host: host.to_owned(),
            socket,
            close,
            started_at: None,
            silent: None,
            was_open: false,
            tried: None,
            trying: JoinSet::new(),
            answered: None,
        })
    }

    /// Returns how `service` is.
    fn standing(&self, service: &ServiceId) -> Standing {
        let status = self.api.node().status();
        let status = status.borrow();
        let mut services = status.services.iter();
        let found = services.find(|one| one.id == service.as_str());
        found.map_or_else(
            || Standing {
                ready: false,
                text: "it does not run yet.".to_owned(),
                started_at: None,
            },
            |one| Standing {
                ready: one.ready.ok == Some(true),
                text: one.ready.text.clone(),
                started_at: one.started_at,
            },
        )
    }
}

impl Open {
    /// Begins a try where one is due, and takes what the last one came to. A Tor that was started anew makes the address
    /// known anew.
    fn try_it(&mut self, started_at: Option<u64>, now: UnixMillis) {
        while let Some(done) = self.trying.try_join_next() {
            self.answered = Some(done.unwrap_or_else(|error| Err(error.to_string())));
        }
        if self.started_at != started_at {
            self.started_at = started_at;
            self.trying = JoinSet::new();
            (self.silent, self.tried, self.answered) = (None, None, None);
            self.was_open = false;
        }
        let well = matches!(self.answered, Some(Ok(())));
        if well {
            self.silent = None;
            self.was_open = true;
        }
        let silent = *self.silent.get_or_insert_with(Instant::now);
        let runs_for = started_at.and_then(|started_at| now.0.checked_sub(started_at));
        let settled = runs_for.is_some_and(|runs| Duration::from_millis(runs) >= SETTLING);
        // Only before the first answer: a clock that went back does not keep it from being looked at again.
        if self.answered.is_none() && !settled && silent.elapsed() < SETTLING {
            return;
        }
        let every = if well { TRY_EVERY } else { TRY_AGAIN };
        let due = self.tried.is_none_or(|tried| tried.elapsed() >= every);
        if let (true, true, Some(socks)) = (due, self.trying.is_empty(), self.at.socks) {
            self.tried = Some(Instant::now());
            self.trying
                .spawn(tried(socks, self.host.clone(), self.socket.tries()));
        }
    }

    fn told(&self) -> Entrance {
        let url = vec![format!("http://{}", self.host)];
        let patience = if self.was_open { LAPSE } else { PUBLISHING };
        let silent = self.silent.map(|since| since.elapsed());
        let patient = silent.is_some_and(|silent| silent < patience);
        match &self.answered {
            Some(Ok(())) => open(url),
            Some(Err(_)) if patient && self.was_open => open(url),
            Some(Err(why)) if !patient => entrance(
                Some(false),
                "no_answer",
                &format!(
                    "Nobody answers at its onion address ({why}). Is the machine's clock right, and does it reach the internet?"
                ),
                url,
            ),
            other => {
                let last = other.as_ref().and_then(|last| last.as_ref().err());
                let last = last.map_or_else(String::new, |why| format!(" The last try: {why}."));
                let text = format!(
                    "Its onion address is being made known to the Tor network: that takes a minute or two.{last}"
                );
                entrance(Some(false), "publishing", &text, url)
            }
        }
    }
}

/// Finds the service by which visitors come in: the first that can and that the node runs. Errors: there is none, in a
/// sentence.
fn find(world: &World, places: &Places) -> Result<At, String> {
    let mut why = None;
    for (id, service) in &world.resolved.desired.services {
        let manifest = world.catalog.get(&service.manifest);
        let Some(declared) = manifest.and_then(|manifest| manifest.onion.as_ref()) else {
            continue;
        };
        let spec = match &service.wanted {
            Wanted::Run { spec, .. } => spec,
            Wanted::HeldBack { text, .. } => {
                why.get_or_insert(format!("{id} does not run here: {text}"));
                continue;
            }
            Wanted::External => {
                why.get_or_insert(format!(
                    "{id} is a server of your own, and the node changes nothing there: for an onion address it needs a Tor that it runs itself."
                ));
                continue;
            }
        };
        let Declared {
            volume,
            socket,
            hostname,
            socks,
        } = declared;
        let Some(folder) = spec.volumes.get(volume) else {
            continue;
        };
        let port = manifest.and_then(|manifest| manifest.interfaces.get(socks));
        let port = port.map(|interface| &interface.port);
        return Ok(At {
            service: id.clone(),
            volume: folder.path.clone(),
            socket: socket.clone(),
            hostname: hostname.clone(),
            seen: places.volume_for_program(volume, &folder.path).join(socket),
            socks: port.and_then(|port| service.addresses.get(port).copied()),
        });
    }
    Err(why.unwrap_or_else(|| {
        "This node has no Tor: write `manifest = \"tor\"` under [services.tor] in node.toml, then `flash-node apply`.".to_owned()
    }))
}

/// Why an address is not known.
enum Unread {
    NotYet,
    NoAddress,
    Failed(io::Error),
}

/// Reads the address that the service wrote.
fn address(at: &At) -> Result<String, Unread> {
    match volume_file::read(Path::new(&at.volume), &at.hostname, 128) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes).trim().to_ascii_lowercase();
            if is_address(&text) {
                Ok(text)
            } else {
                Err(Unread::NoAddress)
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Unread::NotYet),
        Err(error) => Err(Unread::Failed(error)),
    }
}

/// Whether `text` is written like an address of version 3: 35 bytes in base32, of which the last is the version.
/// Source: torspec, rend-spec-v3, "Encoding onion addresses".
fn is_address(text: &str) -> bool {
    text.strip_suffix(".onion").is_some_and(|letters| {
        let base32 = |byte: u8| matches!(byte, b'a'..=b'z' | b'2'..=b'7');
        letters.len() == 56 && letters.ends_with('d') && letters.bytes().all(base32)
    })
}

/// Asks as any visitor would. Errors: why nobody answered, in a few words.
async fn tried(socks: SocketAddr, host: String, tries: Arc<Tries>) -> Result<(), String> {
    let mut random = [0; 16];
    SystemEntropy.fill(&mut random);
    let probe = hex::encode(random);
    tries.expect(probe.clone());
    let asked = tokio::time::timeout(TRY_TIME, ask(socks, &host, &probe)).await;
    match asked {
        Ok(Ok(())) if tries.came() => Ok(()),
        Ok(Ok(())) => Err("another node answers: its key is in use elsewhere too".to_owned()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("nothing within {} s", TRY_TIME.as_secs())),
    }
}

async fn ask(socks: SocketAddr, host: &str, probe: &str) -> io::Result<()> {
    let stream = Socks5Stream::connect(socks, (host, ONION_PORT)).await;
    let mut stream = stream.map_err(io::Error::other)?;
    let line = format!("{PROBE}: {probe}\r\n");
    well(hello(&mut stream, host, &line).await?)
}

fn open(url: Vec<String>) -> Entrance {
    let text =
        "Open to whoever knows its onion address and has the Tor Browser; encrypted all the way.";
    entrance(Some(true), "open", text, url)
}

fn entrance(ok: Option<bool>, code: &str, text: &str, urls: Vec<String>) -> Entrance {
    Entrance {
        kind: EntranceKind::Onion,
        urls,
        ok,
        code: code.to_owned(),
        text: text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_of_version_3_and_nothing_around_it() {
        let key = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wi";
        assert!(is_address(&format!("{key}d.onion")));
        for wrong in [
            String::new(),
            ".onion".to_owned(),
            format!("{key}d"),
            format!("{key}e.onion"),
            format!("{key}1.onion"),
            format!("www.{key}d.onion"),
            format!("{key}d.onion\r\nevil"),
            "expyuzz4wqqyqhjn.onion".to_owned(),
        ] {
            assert!(!is_address(&wrong), "{wrong}");
        }
    }
}
