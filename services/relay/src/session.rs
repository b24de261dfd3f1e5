//! Owns the conversation with one client, from the challenge to the last OK.
//!
//! Deliberately does not know how a rule is decided or an event is kept: it asks policy, visibility, the
//! writer and the store, and words their answers. One message is handled at a time; a client that sends
//! faster than the disk writes is not read until there is room.

mod auth;
mod negentropy;
mod publish;
mod query;
mod reading;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::Message;
use axum::extract::ws::WebSocket;
use futures_util::StreamExt;
use futures_util::stream::SplitStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::hub::Connection;
use crate::message;
use crate::message::Misread;
use crate::message::Name;
use crate::message::Request;
use crate::outbound;
use crate::outbound::Gone;
use crate::outbound::Outbound;
use crate::relay::Shared;

/// How long a client may take to answer the end of the connection with its own.
const FAREWELL: Duration = Duration::from_secs(2);
/// Close code of a server that goes down. Source: RFC 6455, 7.4.1.
const GOING_AWAY: u16 = 1001;
/// Pings without a sign of life after which a connection is closed.
const MAX_SILENT_PINGS: u32 = 3;

/// One client's conversation.
struct Session {
    shared: Arc<Shared>,
    connection: Arc<Connection>,
    address: IpAddr,
    challenge: String,
    /// One permit per event that may wait for the disk.
    unsaved: Arc<Semaphore>,
    reconciliations: HashMap<Name, negentropy::Reconciliation>,
}

/// Talks with the client behind `socket` until either side ends it.
pub(crate) async fn run(shared: Arc<Shared>, socket: WebSocket, address: IpAddr) {
    let limits = &shared.limits;
    let patience = Duration::from_secs(limits.slow_reader_secs);
    let gone = CancellationToken::new();
    let (outbound, parcels) = Outbound::new(limits.outgoing_bytes, patience, gone.clone());
    let (sink, stream) = socket.split();
    shared.tasks.spawn(
        "send",
        outbound::write(sink, parcels, patience, gone.clone()),
    );
    let connection = Arc::new(Connection::new(outbound));
    let number = shared.hub.join(Arc::clone(&connection));
    let mut session = Session {
        connection,
        address,
        challenge: crate::entropy::challenge(),
        unsaved: Arc::new(Semaphore::new(limits.unsaved_events_per_connection)),
        reconciliations: HashMap::new(),
        shared: Arc::clone(&shared),
    };
    session.converse(stream, &gone).await;
    shared.hub.leave(number);
    if gone.is_cancelled() {
        shared.metrics.slow_readers.add();
    }
}

impl Session {
    async fn converse(&mut self, mut stream: SplitStream<WebSocket>, gone: &CancellationToken) {
        let stopping = self.shared.stopping.clone();
        self.connection
            .outbound
            .push(message::auth(&self.challenge));
        let mut pings = tokio::time::interval(Duration::from_secs(self.shared.limits.ping_secs));
        pings.reset();
        let mut silent = 0;
        let patience = Duration::from_secs(self.shared.limits.negentropy_idle_secs);
        loop {
            let received = tokio::select! {
                // Reading is cancel-safe: a message is returned whole or stays in the buffer.
                received = stream.next() => received,
                _ = pings.tick() => {
                    silent += 1;
                    if silent > MAX_SILENT_PINGS {
                        return;
                    }
                    self.connection.outbound.ping();
                    continue;
                }
                // Waiting again begins from the moment that the session was last used.
                name = Self::idle_negentropy(&self.reconciliations, patience) => {
                    self.reconciliations.remove(&name);
                    let text = "closed: the negentropy session was idle for too long";
                    self.connection.outbound.push(message::neg_error(&name, text));
                    continue;
                }
                () = gone.cancelled() => return,
                () = stopping.cancelled() => break,
            };
            silent = 0;
            let handled = match received {
                Some(Ok(Message::Text(text))) => tokio::select! {
                    // A stop drops a query half-way; an event is either queued, and will get its OK, or not.
                    handled = self.handle(text.as_str()) => handled,
                    () = stopping.cancelled() => break,
                },
                Some(Ok(Message::Binary(_))) => {
                    self.notice("invalid: messages are text");
                    Ok(())
                }
                Some(Ok(_)) => Ok(()),
                Some(Err(_)) | None => return,
            };
            if handled == Err(Gone) {
                return;
            }
        }
        self.say_goodbye(stream).await;
    }

    /// Waits for the fate of every queued event, then ends the connection in order.
    async fn say_goodbye(&self, mut stream: SplitStream<WebSocket>) {
        let all = u32::try_from(self.shared.limits.unsaved_events_per_connection)
            .expect("the limit is at most 100000");
        let saved = Arc::clone(&self.unsaved).acquire_many_owned(all);
        let _ = timeout(Duration::from_secs(self.shared.limits.drain_secs), saved).await;
        self.connection
            .outbound
            .close(GOING_AWAY, "the relay is stopping");
        let answered = async { while let Some(Ok(_)) = stream.next().await {} };
        // Unread bytes would turn the end of the connection into a reset and lose the last OKs.
        let _ = timeout(FAREWELL, answered).await;
    }

    async fn handle(&mut self, text: &str) -> Result<(), Gone> {
        if !self.shared.rates.message(self.address) {
            self.notice("rate-limited: too many messages from your address");
            return Ok(());
        }
        if text.len() > self.shared.limits.max_message_bytes {
            self.notice("invalid: the message is too large");
            return Ok(());
        }
        match message::read(text) {
            Ok(Request::Publish(event, bytes)) => self.publish(*event, bytes).await,
            Ok(Request::Subscribe(name, filters)) => return self.subscribe(name, filters).await,
            Ok(Request::Count(name, filters)) => self.count(&name, filters).await,
            Ok(Request::Close(name)) => {
                self.connection.close(&name);
            }
            Ok(Request::Auth(event)) => self.authenticate(&event),
            Ok(Request::NegOpen(name, filter, first)) => {
                self.open_negentropy(name, *filter, &first).await;
            }
            Ok(Request::NegMessage(name, next)) => self.go_on_negentropy(&name, &next),
            Ok(Request::NegClose(name)) => {
                self.reconciliations.remove(&name);
            }
            Err(Misread::Notice(text)) => self.notice(&text),
            Err(Misread::Event(id, text)) => {
                self.shared.metrics.refused.add();
                self.connection
                    .outbound
                    .push(message::ok(&id, false, &text));
            }
            Err(Misread::Request(name, text)) => self.refuse_query(&name, &text),
            Err(Misread::Negentropy(name, text)) => {
                self.connection
                    .outbound
                    .push(message::neg_error(&name, &text));
            }
        }
        Ok(())
    }

    fn notice(&self, text: &str) {
        self.connection.outbound.push(message::notice(text));
    }
}
