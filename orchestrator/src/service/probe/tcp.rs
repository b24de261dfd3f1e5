//! Owns the TCP probe: connect, perhaps send, perhaps read.

use std::net::SocketAddr;

use tokio::io::AsyncWriteExt;

use super::Answer;
use super::ProbeError;
use super::connection;
use crate::secret::SecretBytes;

/// The most that is read of an answer. Units: bytes.
const MAX_ANSWER: usize = 4 * 1024;

pub(super) async fn ask(
    address: SocketAddr,
    send: Option<&SecretBytes>,
    until: Option<&str>,
) -> Result<Answer, ProbeError> {
    let mut connection = connection::connect(address).await?;
    if let Some(send) = send {
        connection
            .write_all(send.expose())
            .await
            .map_err(|error| connection::io_error(&error))?;
    } else if until.is_none() {
        // Nothing was asked beyond the connection itself.
        return Ok(Answer::whole(None, b""));
    }
    let mut read = Vec::new();
    loop {
        let count = connection::read_some(&mut connection, &mut read).await?;
        if count == 0 {
            return match read.is_empty() {
                true => Err(ProbeError::Closed),
                false => Ok(Answer::cut(None, &read, ProbeError::Closed)),
            };
        }
        let complete = until.is_none_or(|until| holds(&read, until.as_bytes()));
        if read.len() > MAX_ANSWER {
            read.truncate(MAX_ANSWER);
            return Ok(Answer::cut(None, &read, ProbeError::TooLong));
        }
        if complete {
            return Ok(Answer::whole(None, &read));
        }
    }
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    part.is_empty() || bytes.windows(part.len()).any(|window| window == part)
}
