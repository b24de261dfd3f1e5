//! Owns what waits to be sent to one client: a queue bounded in bytes, and the task that empties it.
//!
//! Deliberately does not know what a frame says. Answers to a query wait for room; the live feed does not,
//! because it would hold up everyone else: a reader that falls behind there is given up.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::CloseFrame;
use axum::extract::ws::Message;
use axum::extract::ws::Utf8Bytes;
use axum::extract::ws::WebSocket;
use futures_util::SinkExt;
use futures_util::stream::SplitSink;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// The bytes that a frame counts for at least, so that the number of frames is bounded as well.
pub(crate) const MIN_FRAME_BYTES: usize = 128;

/// Says that a reader was given up, or is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gone;

/// The sending half of one connection.
#[derive(Debug)]
pub(crate) struct Outbound {
    queue: mpsc::Sender<Parcel>,
    answers: Arc<Semaphore>,
    live: Arc<Semaphore>,
    bytes: usize,
    patience: Duration,
    /// Cancelled when the reader is given up.
    gone: CancellationToken,
}

/// Frames that are written together, with the room they take until they are.
#[derive(Debug)]
pub(crate) struct Parcel {
    messages: Vec<Message>,
    _room: Option<OwnedSemaphorePermit>,
}

impl Outbound {
    /// Makes a queue for `bytes` of answers and `bytes` of everything else.
    pub(crate) fn new(
        bytes: usize,
        patience: Duration,
        gone: CancellationToken,
    ) -> (Self, mpsc::Receiver<Parcel>) {
        let (queue, parcels) = mpsc::channel(2 * bytes / MIN_FRAME_BYTES + 8);
        let outbound = Self {
            queue,
            answers: Arc::new(Semaphore::new(bytes)),
            live: Arc::new(Semaphore::new(bytes)),
            bytes,
            patience,
            gone,
        };
        (outbound, parcels)
    }

    /// Queues frames of an answer as soon as there is room for them.
    ///
    /// Errors: the reader did not make room in time and was given up.
    pub(crate) async fn answer(&self, frames: Vec<String>) -> Result<(), Gone> {
        if frames.is_empty() {
            return Ok(());
        }
        // A parcel leaves the queue as a whole, so it must not be larger than the queue.
        let (mut parcel, mut bytes) = (Vec::new(), 0);
        for frame in frames {
            let length = frame.len().max(MIN_FRAME_BYTES);
            if !parcel.is_empty() && bytes + length > self.bytes {
                self.send_when_there_is_room(std::mem::take(&mut parcel), bytes)
                    .await?;
                bytes = 0;
            }
            bytes += length;
            parcel.push(Message::Text(frame.into()));
        }
        self.send_when_there_is_room(parcel, bytes).await
    }

    async fn send_when_there_is_room(
        &self,
        messages: Vec<Message>,
        bytes: usize,
    ) -> Result<(), Gone> {
        let room = self.room(bytes);
        let permit = tokio::select! {
            // Waiting for room is cancel-safe: a dropped wait takes nothing.
            permit = timeout(self.patience, Arc::clone(&self.answers).acquire_many_owned(room)) => permit,
            () = self.gone.cancelled() => return Err(Gone),
        };
        let Ok(Ok(permit)) = permit else {
            return Err(self.give_up());
        };
        self.send(Parcel {
            messages,
            _room: Some(permit),
        })
    }

    /// Queues one frame now or gives the reader up.
    pub(crate) fn push(&self, frame: impl Into<Utf8Bytes>) {
        let frame: Utf8Bytes = frame.into();
        let room = self.room(frame.len().max(MIN_FRAME_BYTES));
        match Arc::clone(&self.live).try_acquire_many_owned(room) {
            Ok(permit) => {
                let _ = self.send(Parcel {
                    messages: vec![Message::Text(frame)],
                    _room: Some(permit),
                });
            }
            Err(_) => {
                self.give_up();
            }
        }
    }

    /// Queues a ping.
    pub(crate) fn ping(&self) {
        let _ = self.send(Parcel {
            messages: vec![Message::Ping(Vec::new().into())],
            _room: None,
        });
    }

    /// Queues the end of the connection, behind everything queued before.
    pub(crate) fn close(&self, code: u16, reason: &'static str) {
        let frame = CloseFrame {
            code,
            reason: Utf8Bytes::from_static(reason),
        };
        let _ = self.send(Parcel {
            messages: vec![Message::Close(Some(frame))],
            _room: None,
        });
    }

    /// Returns how much may wait for the reader. Units: bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Tells whether the reader was given up.
    pub(crate) fn gone(&self) -> &CancellationToken {
        &self.gone
    }

    fn room(&self, bytes: usize) -> u32 {
        // One frame larger than the queue takes all of it.
        u32::try_from(bytes.min(self.bytes)).expect("a queue is smaller than 2^30 bytes")
    }

    fn send(&self, parcel: Parcel) -> Result<(), Gone> {
        self.queue.try_send(parcel).map_err(|_| self.give_up())
    }

    fn give_up(&self) -> Gone {
        self.gone.cancel();
        Gone
    }
}

/// Writes parcels until the queue ends, the reader is given up, or one write takes longer than `patience`.
pub(crate) async fn write(
    mut sink: SplitSink<WebSocket, Message>,
    mut parcels: mpsc::Receiver<Parcel>,
    patience: Duration,
    gone: CancellationToken,
) {
    let mut waiting = Vec::new();
    loop {
        let received = tokio::select! {
            // recv_many is cancel-safe; what is cut off here belongs to a reader that was given up.
            received = parcels.recv_many(&mut waiting, 64) => received,
            () = gone.cancelled() => return,
        };
        if received == 0 {
            return;
        }
        let ends = waiting.iter().any(|parcel| {
            parcel
                .messages
                .iter()
                .any(|m| matches!(m, Message::Close(_)))
        });
        // Everything that waits leaves in one flush: a frame per packet would wait for delayed acknowledgements.
        let writing = async {
            for parcel in &mut waiting {
                for message in parcel.messages.drain(..) {
                    sink.feed(message).await?;
                }
            }
            sink.flush().await
        };
        let written = tokio::select! {
            written = timeout(patience, writing) => matches!(written, Ok(Ok(()))),
            () = gone.cancelled() => false,
        };
        waiting.clear();
        if !written || ends {
            gone.cancel();
            return;
        }
    }
}
