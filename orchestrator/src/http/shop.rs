//! Owns the sign of the shop over HTTP: whether it is open, at once or as a stream for whoever may see no more.
//!
//! It does not know what a service needs to be ready.

#![allow(
    unused_qualifications,
    reason = "utoipa's macros write out the path of each type"
)]

use axum::extract::State;
use axum::response::sse;
use futures::Stream;
use futures::stream;
use serde::Deserialize;
use serde::Serialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use super::error::ErrorBody;
use super::events;
use super::json::Json;
use super::lanes::StreamPlace;
use super::router::Face;
use crate::status::NodeStatus;
use crate::status::ServiceStatus;

/// Whether the shop is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(super) struct Shop {
    /// True where every service is ready, false where one is not, null where that is not known.
    open: Option<bool>,
    /// The machine code, `snake_case`.
    code: String,
    /// One sentence for a person.
    text: String,
}

/// Tells whether the shop is open, to everybody who works in it.
#[utoipa::path(get, path = "/api/v1/shop", tag = "people", responses(
    (status = 200, description = "Whether it is open", body = Shop),
    (status = 401, description = "Nobody is signed in", body = ErrorBody)))]
pub(super) async fn shop(State(face): State<Face>) -> Json<Shop> {
    Json(sign(&face.status().services))
}

/// Reads the sign off the services.
fn sign(services: &[ServiceStatus]) -> Shop {
    let waiting: Vec<&str> = services
        .iter()
        .filter(|service| service.ready.ok == Some(false))
        .map(|service| service.title.as_str())
        .collect();
    let unknown = services.iter().any(|service| service.ready.ok.is_none());
    let (open, code, text) = match (waiting.as_slice(), unknown) {
        ([], false) if services.is_empty() => (
            Some(false),
            "empty",
            "nothing that takes payments runs here".to_owned(),
        ),
        ([], false) => (
            Some(true),
            "open",
            "everything that takes payments is ready".to_owned(),
        ),
        ([], true) => (
            None,
            "unknown",
            "whether everything is ready is not known yet".to_owned(),
        ),
        (waiting, _) => (
            Some(false),
            "waiting",
            format!("not ready yet: {}", waiting.join(", ")),
        ),
    };
    Shop {
        open,
        code: code.to_owned(),
        text,
    }
}

/// Streams the sign, now and each time it becomes another; without `follow` only as it is now.
pub(super) fn signs(
    face: &Face,
    place: StreamPlace,
    follow: bool,
) -> impl Stream<Item = sse::Event> + use<> {
    let reader = Reader {
        status: face.node.status(),
        token: face.token.clone(),
        shown: None,
        follow,
        _place: place,
    };
    stream::unfold(reader, |mut reader| async move {
        let sign = reader.next().await?;
        Some((events::event("shop", &sign), reader))
    })
}

/// Somebody who looks at the sign.
struct Reader {
    status: watch::Receiver<NodeStatus>,
    token: CancellationToken,
    shown: Option<Shop>,
    follow: bool,
    _place: StreamPlace,
}

impl Reader {
    async fn next(&mut self) -> Option<Shop> {
        loop {
            let now = sign(&self.status.borrow_and_update().services);
            if self.shown.as_ref() != Some(&now) {
                self.shown = Some(now.clone());
                return Some(now);
            }
            if !self.follow {
                return None;
            }
            // Both branches only wait for a signal and may be dropped at any time.
            tokio::select! {
                () = self.token.cancelled() => return None,
                changed = self.status.changed() => changed.ok()?,
            }
        }
    }
}
