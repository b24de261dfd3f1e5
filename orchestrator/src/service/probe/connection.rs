//! Owns a connection from which only so much can ever be read, and the naming of its failures.
//!
//! It does not know any protocol above TCP.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;

use futures::future::Either;

use tokio::io::AsyncReadExt;
use tokio::io::Join;
use tokio::io::Take;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::tcp::OwnedWriteHalf;

use super::ProbeError;

/// The most that is ever read from one connection, handshakes included. Units: bytes.
const MAX_READ: u64 = 256 * 1024;

/// A connection that ends after [`MAX_READ`] bytes, so that no library above it can be made to buffer more.
pub(super) type Connection = Join<Take<OwnedReadHalf>, OwnedWriteHalf>;

pub(super) async fn connect(address: SocketAddr) -> Result<Connection, ProbeError> {
    let stream = TcpStream::connect(address)
        .await
        .map_err(|error| io_error(&error))?;
    stream.set_nodelay(true).map_err(|error| io_error(&error))?;
    let (reader, writer) = stream.into_split();
    Ok(tokio::io::join(reader.take(MAX_READ), writer))
}

pub(super) fn io_error(error: &io::Error) -> ProbeError {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => ProbeError::Refused,
        io::ErrorKind::TimedOut => ProbeError::Timeout,
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof => ProbeError::Closed,
        _ => ProbeError::Unreachable,
    }
}

/// Returns what `answer` gives, while `connection` is driven beside it; how the connection ends does not matter then.
pub(super) async fn driven<T>(answer: impl Future<Output = T>, connection: impl Future) -> T {
    match futures::future::select(pin!(answer), pin!(connection)).await {
        Either::Left((answer, _)) => answer,
        Either::Right((_, answer)) => answer.await,
    }
}

/// Reads once into `into`. Returns how much came; 0 at the end.
pub(super) async fn read_some(
    connection: &mut Connection,
    into: &mut Vec<u8>,
) -> Result<usize, ProbeError> {
    let mut chunk = [0; 4096];
    let count = connection
        .read(&mut chunk)
        .await
        .map_err(|error| io_error(&error))?;
    into.extend_from_slice(&chunk[..count]);
    Ok(count)
}
