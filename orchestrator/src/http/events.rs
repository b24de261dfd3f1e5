//! Owns the live stream: the node's events and its status, as server-sent events.
//!
//! Events carry their cursor as id, so a reader that was away resumes without loss; where the history no longer
//! reaches back far enough, a `gap` says so. It does not know where events are kept.

#![allow(
    unused_qualifications,
    reason = "utoipa's macros write out the path of each type"
)]

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::Query;
use axum::extract::State;
use axum::extract::rejection::QueryRejection;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::response::Sse;
use axum::response::sse;
use futures::StreamExt;
use futures::stream;
use serde::Deserialize;
use serde::Serialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use utoipa::IntoParams;
use utoipa::ToSchema;

use super::access;
use super::error::ApiError;
use super::error::ErrorBody;
use super::lanes::StreamPlace;
use super::proxies::UNGATHERED;
use super::router::Face;
use super::shop;
use crate::account::Principal;
use crate::account::Right;
use crate::node::Event;
use crate::node::Node;
use crate::status::NodeStatus;

/// How many events are read at once.
const PAGE: usize = 256;
/// How often an idle stream says that it lives.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// From where, and how long, a reader wants events.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// The cursor of the last event that the reader has. `Last-Event-ID` says the same and wins.
    after: Option<u64>,
    /// How many of the newest events to begin with, where no cursor is named.
    tail: Option<u64>,
    /// Only events before this cursor, the newest `tail` of them; with `follow=false`.
    before: Option<u64>,
    /// `false` ends the stream at the newest event; it then carries no status.
    follow: Option<bool>,
}

/// Says that events between two cursors are not kept any more.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(super) struct Gap {
    /// The cursor from which the reader wanted to go on.
    pub(super) after: u64,
    /// The first event that follows.
    pub(super) first: u64,
}

/// One event of a stream, as its reader sees it. Source: HTML, "Server-sent events".
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes what a stream is made of")]
struct SentEvent {
    /// `event`, `status`, `gap`, `error`, `shop` or `alive`.
    event: String,
    /// What the name before it says, as JSON.
    data: String,
    /// The cursor, of `event` alone.
    id: Option<String>,
}

/// Streams events (`event: event`, with the cursor as id) and each new status (`event: status`, without an id).
///
/// `event: gap` says that events are missing, `event: error` ends the stream with the one error shape. Who may not read
/// the node is told `event: shop` alone: whether the shop is open, now and each time that changes. `event: alive` comes
/// where nothing else did for 15 seconds.
#[utoipa::path(get, path = "/api/v1/events", tag = "read",
    params(Wanted, ("Last-Event-ID" = Option<u64>, Header, description = "The cursor of the last event that the reader has")),
    responses(
        (status = 200, description = "Server-sent events: event (Event), status (NodeStatus), gap (Gap), error (ErrorBody), shop (Shop)",
            content_type = "text/event-stream", body = SentEvent),
        (status = 400, description = "The query or the cursor is not understood", body = ErrorBody),
        (status = 503, description = "Too many streams are open", body = ErrorBody),
    ))]
pub(super) async fn events(
    State(face): State<Face>,
    who: Option<Extension<Principal>>,
    headers: HeaderMap,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<impl IntoResponse, ApiError> {
    let Query(wanted) = wanted.map_err(|rejection| bad_query(&rejection))?;
    let last = match headers.get("last-event-id") {
        None => None,
        Some(last) => Some(
            last.to_str()
                .ok()
                .and_then(|last| last.trim().parse().ok())
                .ok_or_else(bad_cursor)?,
        ),
    };
    if wanted.before.is_some() && (wanted.follow != Some(false) || last.or(wanted.after).is_some())
    {
        return Err(ApiError::bad_request(
            "what was before a cursor is over, so that it can be neither followed nor resumed",
            "send before=CURSOR with tail=NUMBER and follow=false alone",
        ));
    }
    let who = who.map(|who| who.0);
    let place = face.lanes.stream(who.as_ref())?;
    // Nobody in particular is somebody at this machine, before the node has an owner.
    let reads = who.as_ref().is_none_or(|who| who.may(Right::Read));
    let right = if reads { Right::Read } else { Right::Shop };
    let over = access::over(face.clone(), headers, who, right);
    let items = if reads {
        let reader = Reader::new(&face, place, last.or(wanted.after), &wanted);
        let items = stream::unfold(reader, |mut reader| async move {
            let item = reader.next().await?;
            Some((item, reader))
        });
        items.left_stream()
    } else {
        shop::signs(&face, place, wanted.follow.unwrap_or(true)).right_stream()
    };
    let stream = Sse::new(items.map(Ok::<_, Infallible>).take_until(over));
    // An event and no comment: a page must be able to see that it comes no more.
    let alive = sse::Event::default().event("alive").data("{}");
    let stream = stream.keep_alive(sse::KeepAlive::new().interval(KEEP_ALIVE).event(alive));
    Ok(([UNGATHERED], stream))
}

/// Says what is wrong with the query: an unknown name, or a value that it does not take.
fn bad_query(rejection: &QueryRejection) -> ApiError {
    let mut cause: &dyn std::error::Error = rejection;
    while let Some(next) = cause.source() {
        cause = next;
    }
    ApiError::bad_request(
        format!("the query of the event stream is not understood: {cause}"),
        "it takes after=CURSOR, tail=NUMBER, before=CURSOR and follow=true|false",
    )
}

fn bad_cursor() -> ApiError {
    ApiError::bad_request(
        "the cursor of the event stream is not a number",
        "send the id of the last event that was read, or nothing",
    )
}

/// One reader's place in the history.
struct Reader {
    node: Arc<dyn Node>,
    token: CancellationToken,
    status: watch::Receiver<NodeStatus>,
    moved: watch::Receiver<u64>,
    cursor: u64,
    /// The cursor before which it ends, where one was named.
    until: Option<u64>,
    /// Whether the history may hold events that were not read.
    behind: bool,
    follow: bool,
    ended: bool,
    ready: VecDeque<sse::Event>,
    _place: StreamPlace,
}

impl Reader {
    fn new(face: &Face, place: StreamPlace, after: Option<u64>, wanted: &Wanted) -> Self {
        let mut status = face.node.status();
        let moved = face.node.events_watch();
        let newest = *moved.borrow();
        let mut ready = VecDeque::new();
        let tail = wanted.tail.unwrap_or(0);
        let cursor = match after {
            // The history was replaced by a younger one: begin at its start, and say so.
            Some(after) if after > newest => {
                ready.push_back(event("gap", &Gap { after, first: 0 }));
                0
            }
            Some(after) => after,
            None => {
                let last = wanted
                    .before
                    .map_or(newest, |before| before.saturating_sub(1));
                last.min(newest).saturating_sub(tail)
            }
        };
        let follow = wanted.follow.unwrap_or(true);
        if follow {
            ready.push_back(event("status", &*status.borrow_and_update()));
        }
        Self {
            node: Arc::clone(&face.node),
            token: face.token.clone(),
            status,
            moved,
            cursor,
            until: wanted.before,
            behind: true,
            follow,
            ended: false,
            ready,
            _place: place,
        }
    }

    async fn next(&mut self) -> Option<sse::Event> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Some(item);
            }
            if self.ended {
                return None;
            }
            if self.behind {
                self.read().await;
            } else if self.follow {
                self.wait().await;
            } else {
                self.ended = true;
            }
        }
    }

    /// Reads the next page of the history.
    async fn read(&mut self) {
        // Marked as seen before the read: an event that arrives during it wakes the next wait.
        self.moved.mark_unchanged();
        match self.node.events(self.cursor, PAGE).await {
            Err(refusal) => {
                let body = ApiError::from(refusal).into_body();
                self.ready.push_back(event("error", &body));
                self.ended = true;
            }
            Ok(page) => {
                self.behind = page.len() >= PAGE;
                for item in page {
                    if self.until.is_some_and(|until| item.cursor >= until) {
                        self.behind = false;
                        break;
                    }
                    self.take(&item);
                }
            }
        }
    }

    fn take(&mut self, item: &Event) {
        if item.cursor > self.cursor + 1 {
            let gap = Gap {
                after: self.cursor,
                first: item.cursor,
            };
            self.ready.push_back(event("gap", &gap));
        }
        self.cursor = item.cursor;
        self.ready
            .push_back(event("event", item).id(item.cursor.to_string()));
    }

    /// Waits for something new. Every branch only waits for a signal and may be dropped at any time.
    async fn wait(&mut self) {
        tokio::select! {
            () = self.token.cancelled() => self.ended = true,
            moved = self.moved.changed() => {
                self.behind = true;
                self.ended = moved.is_err();
            }
            changed = self.status.changed() => {
                self.ended = changed.is_err();
                self.ready.push_back(event("status", &*self.status.borrow_and_update()));
            }
        }
    }
}

/// Writes one event of a stream.
pub(super) fn event<T: Serialize>(name: &str, data: &T) -> sse::Event {
    let text = serde_json::to_string(data).expect("our own types are JSON");
    sse::Event::default().event(name).data(text)
}
