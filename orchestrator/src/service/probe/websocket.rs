//! Owns the WebSocket probe: the handshake, and perhaps one message each way.

use std::net::SocketAddr;

use futures::SinkExt;
use futures::StreamExt;
use tokio_tungstenite::tungstenite;
use tungstenite::Message;
use tungstenite::client::IntoClientRequest;
use tungstenite::protocol::WebSocketConfig;

use super::Answer;
use super::MAX_TEXT;
use super::ProbeError;
use super::connection;
use crate::secret::SecretBytes;

/// The status of a handshake that was accepted.
const SWITCHING: u16 = 101;

pub(super) async fn ask(
    address: SocketAddr,
    path: &str,
    send: Option<&SecretBytes>,
) -> Result<Answer, ProbeError> {
    if !path.starts_with('/') {
        return Err(ProbeError::Question);
    }
    let request = format!("ws://{address}{path}")
        .into_client_request()
        .map_err(|_| ProbeError::Question)?;
    let connection = connection::connect(address).await?;
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_TEXT))
        .max_frame_size(Some(MAX_TEXT));
    let opened =
        tokio_tungstenite::client_async_with_config(request, connection, Some(config)).await;
    let (mut socket, _) = match opened {
        Ok(opened) => opened,
        Err(tungstenite::Error::Http(response)) => return Ok(refused(&response)),
        Err(error) => return Err(websocket_error(&error)),
    };
    let Some(send) = send else {
        return Ok(Answer::whole(Some(SWITCHING), b""));
    };
    let send = send.expose_text().ok_or(ProbeError::Question)?;
    socket
        .send(Message::text(send))
        .await
        .map_err(|error| websocket_error(&error))?;
    while let Some(message) = socket.next().await {
        match message {
            Ok(Message::Text(text)) => return Ok(Answer::whole(Some(SWITCHING), text.as_bytes())),
            Ok(Message::Binary(bytes)) => return Ok(Answer::whole(Some(SWITCHING), &bytes)),
            Ok(Message::Close(_)) => return Err(ProbeError::Closed),
            Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {}
            Err(tungstenite::Error::Capacity(_)) => {
                return Ok(Answer::cut(Some(SWITCHING), b"", ProbeError::TooLong));
            }
            Err(error) => return Err(websocket_error(&error)),
        }
    }
    Err(ProbeError::Closed)
}

fn refused(response: &tungstenite::http::Response<Option<Vec<u8>>>) -> Answer {
    let status = Some(response.status().as_u16());
    let body = response.body().as_deref().unwrap_or_default();
    Answer::cut(status, body, ProbeError::Failed)
}

fn websocket_error(error: &tungstenite::Error) -> ProbeError {
    match error {
        tungstenite::Error::Io(error) => connection::io_error(error),
        tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed => {
            ProbeError::Closed
        }
        tungstenite::Error::Protocol(
            tungstenite::error::ProtocolError::HandshakeIncomplete
            | tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
        ) => ProbeError::Closed,
        _ => ProbeError::Malformed,
    }
}
