//! Owns how the two listeners come to be: a TCP one on loopback only, a unix one that only its owner can open.
//!
//! It does not know what is served over them (`server`).

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;

use tokio::net::TcpListener;
use tokio::net::UnixListener;

/// Why a listener could not be had.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The address is reachable from elsewhere.
    #[error(
        "{0} can be reached from other machines; by plain HTTP the node listens on loopback only"
    )]
    NotLoopback(SocketAddr),
    /// Another program listens there.
    #[error("the address {0} is taken by another program")]
    Taken(SocketAddr),
    /// The system refused.
    #[error("listening on {address} failed")]
    Tcp {
        /// Where.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A daemon answers at the socket.
    #[error("another daemon answers at {0}")]
    Answered(PathBuf),
    /// Something else lies where the socket belongs.
    #[error("{0} exists and is not a socket; nothing was changed")]
    NotASocket(PathBuf),
    /// Others than the owner could reach into the socket's folder.
    #[error("the folder {folder} may be read or written by others (mode {mode:o})")]
    OpenFolder {
        /// The folder.
        folder: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The folder belongs to another user.
    #[error("the folder {0} belongs to another user")]
    ForeignFolder(PathBuf),
    /// The system refused.
    #[error("opening the control socket {path} failed")]
    Unix {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Listens on a loopback address. Port 0 takes any free one. Errors: [`BindError`].
pub async fn bind_tcp(address: SocketAddr) -> Result<TcpListener, BindError> {
    if !address.ip().is_loopback() {
        return Err(BindError::NotLoopback(address));
    }
    TcpListener::bind(address)
        .await
        .map_err(|source| match source.kind() {
            io::ErrorKind::AddrInUse => BindError::Taken(address),
            _ => BindError::Tcp { address, source },
        })
}

/// A unix socket of mode 0600 that is taken away again when it is dropped.
#[derive(Debug)]
pub struct ControlSocket {
    pub(super) listener: UnixListener,
    path: PathBuf,
    /// Device and inode of our socket: a successor's is never removed.
    identity: (u64, u64),
}

impl ControlSocket {
    /// Returns where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        let ours = std::fs::symlink_metadata(&self.path)
            .is_ok_and(|meta| (meta.dev(), meta.ino()) == self.identity);
        if ours {
            // Nothing depends on it: a socket that stays behind is replaced at the next start.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Listens at `path`, in a folder that only the owner can read or write. A socket at which nobody answers is
/// replaced. Errors: [`BindError`].
pub fn bind_unix(path: &Path) -> Result<ControlSocket, BindError> {
    let failed = |source| BindError::Unix {
        path: path.to_owned(),
        source,
    };
    let folder = path
        .parent()
        .ok_or_else(|| failed(io::ErrorKind::InvalidInput.into()))?;
    check_folder(folder, path)?;
    check_stale(path)?;
    // Made in a folder that nobody else can enter and moved into place only with its final mode: there is no
    // moment at which another user could open it.
    let nest = folder.join(".new");
    let _ = std::fs::remove_dir_all(&nest);
    std::fs::DirBuilder::new()
        .mode(0o700)
        .create(&nest)
        .map_err(failed)?;
    let made = nest.join("s");
    let listener = UnixListener::bind(&made).map_err(failed)?;
    std::fs::set_permissions(&made, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
    let meta = std::fs::symlink_metadata(&made).map_err(failed)?;
    std::fs::rename(&made, path).map_err(failed)?;
    std::fs::remove_dir(&nest).map_err(failed)?;
    Ok(ControlSocket {
        listener,
        path: path.to_owned(),
        identity: (meta.dev(), meta.ino()),
    })
}

fn check_folder(folder: &Path, path: &Path) -> Result<(), BindError> {
    let failed = |source| BindError::Unix {
        path: path.to_owned(),
        source,
    };
    if !folder.exists() {
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(folder)
            .map_err(failed)?;
    }
    let meta = std::fs::symlink_metadata(folder).map_err(failed)?;
    if meta.uid() != rustix::process::geteuid().as_raw() {
        return Err(BindError::ForeignFolder(folder.to_owned()));
    }
    let mode = meta.mode() & 0o7777;
    if !meta.is_dir() || mode & 0o066 != 0 {
        return Err(BindError::OpenFolder {
            folder: folder.to_owned(),
            mode,
        });
    }
    Ok(())
}

fn check_stale(path: &Path) -> Result<(), BindError> {
    let Ok(meta) = std::fs::symlink_metadata(path) else {
        return Ok(());
    };
    if !meta.file_type().is_socket() {
        return Err(BindError::NotASocket(path.to_owned()));
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => Err(BindError::Answered(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        Err(source) => Err(BindError::Unix {
            path: path.to_owned(),
            source,
        }),
    }
}
