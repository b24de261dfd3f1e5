//! Owns the listener at which a Tor hands its visitors over: a unix socket in that service's own volume.
//!
//! Nobody says who such a visitor is: all of them together are one neighbour, and those that ask for work wait for each
//! other, so that nobody elsewhere waits for them. It does not know Tor (`app::ways`), nor a single path (`router`).

use std::ffi::OsString;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use axum::body::Body;
use axum::body::Bytes;
use axum::extract::Request;
use axum::extract::State;
use axum::http::Method;
use axum::middleware::Next;
use axum::response::IntoResponse as _;
use axum::response::Response;
use rustix::fs::AtFlags;
use rustix::fs::FileType;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::Stat;
use tokio::net::UnixListener;
use tokio::net::UnixStream;
use tokio::sync::Semaphore;

use super::body;
use super::guard::Names;
use super::proxies::PROBE;
use super::server::Accept;

/// How many requests that change something are worked on at once: half of those that may wait for a look at a password.
const AT_ONCE: usize = 4;

/// A unix socket of mode 0600 that belongs to whoever owns its folder, and is taken away again when it is dropped.
#[derive(Debug)]
pub struct OnionSocket {
    listener: UnixListener,
    folder: OwnedFd,
    name: OsString,
    /// Device and inode of our socket: whatever else lies there is left alone.
    identity: (u64, u64),
    names: Arc<Names>,
    tries: Arc<Tries>,
}

impl OnionSocket {
    /// Listens in `folder`, which another identity may own and fill, for requests that name `host`; a socket or a link that
    /// lies there is replaced. Errors: the folder is not there, something else lies there, or the system refuses.
    pub fn bind(folder: &Path, name: &str, host: &str) -> io::Result<Self> {
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = rustix::fs::open(folder, flags, Mode::empty())?;
        let owner = rustix::fs::fstat(&folder)?;
        match look(&folder, name) {
            Ok(found) => match FileType::from_raw_mode(found.st_mode) {
                FileType::Socket | FileType::Symlink => {
                    rustix::fs::unlinkat(&folder, name, AtFlags::empty())?;
                }
                _ => {
                    return Err(io::Error::new(
                        io::ErrorKind::AlreadyExists,
                        format!("{name} is there already, and is not a socket"),
                    ));
                }
            },
            Err(rustix::io::Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
        // By its descriptor: no folder above can be another one meanwhile, and no path is too long.
        let place = format!("/proc/self/fd/{}/{name}", folder.as_raw_fd());
        let listener = std::os::unix::net::UnixListener::bind(place)?;
        listener.set_nonblocking(true)?;
        let identity = give(&folder, name, &owner)?;
        Ok(Self {
            listener: UnixListener::from_std(listener)?,
            folder,
            name: name.into(),
            identity,
            names: Arc::new(Names::onion(host)),
            tries: Arc::default(),
        })
    }

    /// Whether it is still found where it was made.
    #[must_use]
    pub fn there(&self) -> bool {
        look(&self.folder, &self.name).is_ok_and(|found| identity(&found) == self.identity)
    }

    /// Returns by what the node's own tries are recognised.
    #[must_use]
    pub fn tries(&self) -> Arc<Tries> {
        Arc::clone(&self.tries)
    }

    pub(super) fn names(&self) -> Arc<Names> {
        Arc::clone(&self.names)
    }
}

impl Drop for OnionSocket {
    fn drop(&mut self) {
        if self.there() {
            // Nothing depends on it: a socket that stays behind is replaced.
            let _ = rustix::fs::unlinkat(&self.folder, &self.name, AtFlags::empty());
        }
    }
}

fn look(folder: &OwnedFd, name: impl rustix::path::Arg) -> rustix::io::Result<Stat> {
    rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)
}

fn identity(found: &Stat) -> (u64, u64) {
    (found.st_dev, found.st_ino)
}

/// Gives the socket that was just made to the owner of its folder. Whoever may write into the folder could have put
/// something else in its place: what is not a socket is not touched.
fn give(folder: &OwnedFd, name: &str, owner: &Stat) -> io::Result<(u64, u64)> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let made = rustix::fs::openat(folder, name, flags, Mode::empty())?;
    let found = rustix::fs::fstat(&made)?;
    if FileType::from_raw_mode(found.st_mode) != FileType::Socket {
        return Err(io::Error::other("something took the place of the socket"));
    }
    let itself = format!("/proc/self/fd/{}", made.as_raw_fd());
    std::fs::set_permissions(&itself, std::fs::Permissions::from_mode(0o600))?;
    if (found.st_uid, found.st_gid) != (owner.st_uid, owner.st_gid) {
        std::os::unix::fs::chown(&itself, Some(owner.st_uid), Some(owner.st_gid))?;
    }
    Ok(identity(&found))
}

impl Accept for Arc<OnionSocket> {
    type Raw = UnixStream;
    type Stream = UnixStream;

    fn enter(
        &self,
        raw: UnixStream,
    ) -> impl Future<Output = io::Result<Option<UnixStream>>> + Send + 'static {
        std::future::ready(Ok(Some(raw)))
    }

    async fn next(&self) -> io::Result<Option<(UnixStream, Option<std::net::SocketAddr>)>> {
        let (stream, _) = self.listener.accept().await?;
        Ok(Some((stream, None)))
    }
}

/// What the node's own tries through Tor are recognised by, and whether the last one came in.
#[derive(Debug, Default)]
pub struct Tries(Mutex<(Option<String>, bool)>);

impl Tries {
    fn inner(&self) -> MutexGuard<'_, (Option<String>, bool)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a try that brings `probe`; an earlier one does not count any more.
    pub fn expect(&self, probe: String) {
        *self.inner() = (Some(probe), false);
    }

    /// Whether it came in.
    #[must_use]
    pub fn came(&self) -> bool {
        self.inner().1
    }

    fn see(&self, sent: &[u8]) {
        let mut inner = self.inner();
        if inner
            .0
            .as_ref()
            .is_some_and(|probe| probe.as_bytes() == sent)
        {
            inner.1 = true;
        }
    }
}

/// What a listener keeps of its visitors.
#[derive(Clone)]
pub(super) struct Desk {
    tries: Arc<Tries>,
    turns: Arc<Semaphore>,
}

impl Desk {
    pub(super) fn of(tries: Arc<Tries>) -> Self {
        Self {
            tries,
            turns: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }
}

/// Notices a try of the node's own, and lets few change something at once: first all of what they bring is read, so that
/// nobody keeps a turn by being slow.
pub(super) async fn desk(State(desk): State<Desk>, request: Request, next: Next) -> Response {
    if let Some(sent) = request.headers().get(PROBE) {
        desk.tries.see(sent.as_bytes());
    }
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return next.run(request).await;
    }
    let (head, body) = request.into_parts();
    let body = match body::gather(body).await {
        // Its buffer is wiped once the last who reads it is done.
        Ok(body) => Body::from(Bytes::from_owner(body)),
        Err(error) => return error.into_response(),
    };
    // Nobody closes it.
    let _turn = desk.turns.acquire().await;
    next.run(Request::from_parts(head, body)).await
}
