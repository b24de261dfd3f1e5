//! Owns that a request with an `Idempotency-Key` is carried out once, however often it is sent.
//!
//! Source: draft-ietf-httpapi-idempotency-key-header-07. That a request was carried out is kept in the vault
//! (`account::request`); what was answered, which may be shown only once, is kept in memory alone. It does not know what any
//! request asks for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use axum::body::Body;
use axum::body::Bytes;
use axum::extract::Request;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::HeaderValue;
use axum::http::Method;
use axum::http::StatusCode;
use axum::http::header;
use axum::middleware::Next;
use axum::response::IntoResponse;
use axum::response::Response;
use http_body_util::BodyExt as _;
use sha2::Digest as _;
use sha2::Sha256;
use tokio::sync::watch;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::body;
use super::error::ApiError;
use super::router::Face;
use crate::account::Accounts;
use crate::account::Begun;
use crate::account::Principal;
use crate::account::REQUESTS_REMEMBERED;

/// The header that names a request.
pub(super) const KEY: &str = "idempotency-key";
/// The header by which an answer is recognised that was given before.
pub(super) const REPLAYED: &str = "idempotency-replayed";
/// The longest key. Units: bytes.
const LONGEST_KEY: usize = 255;
/// How many answers are kept in memory.
const KEPT: usize = 256;

/// Who named a request, and how.
type Name = (String, String);
/// What a request asked: of two that differ, one is not the other sent again.
type Asked = [u8; 32];

/// The answers to requests with a key, of all listeners.
#[derive(Default)]
pub(super) struct Answers(Mutex<BTreeMap<Name, Slot>>);

struct Slot {
    asked: Asked,
    at: Instant,
    /// Nothing as long as it is worked on.
    answer: watch::Receiver<Option<Arc<Answer>>>,
}

/// An answer as it was given.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    /// Wiped when the last one who holds it lets go.
    body: Bytes,
}

/// How a request is met that has a key.
enum Met {
    /// It is the first of its name.
    First(watch::Sender<Option<Arc<Answer>>>),
    /// It was sent before.
    Again(watch::Receiver<Option<Arc<Answer>>>),
    /// Its name is another request's.
    Another,
}

impl Answers {
    fn slots(&self) -> MutexGuard<'_, BTreeMap<Name, Slot>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn meet(&self, name: &Name, asked: Asked) -> Met {
        let mut slots = self.slots();
        slots.retain(|_, slot| slot.at.elapsed() < REQUESTS_REMEMBERED);
        if let Some(slot) = slots.get(name) {
            return if slot.asked == asked {
                Met::Again(slot.answer.clone())
            } else {
                Met::Another
            };
        }
        if slots.len() >= KEPT {
            // What is worked on stays: nothing else says so.
            let answered = slots
                .iter()
                .filter(|(_, slot)| slot.answer.borrow().is_some());
            let oldest = answered.min_by_key(|(_, slot)| slot.at);
            if let Some(oldest) = oldest.map(|(name, _)| name.clone()) {
                slots.remove(&oldest);
            }
        }
        let (tell, answer) = watch::channel(None);
        let at = Instant::now();
        slots.insert(name.clone(), Slot { asked, at, answer });
        Met::First(tell)
    }

    fn forget(&self, name: &Name) {
        self.slots().remove(name);
    }
}

/// Carries out a request with a key that was not before, and gives the same answer where it was.
pub(super) async fn once(State(face): State<Face>, request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let given = request.headers().get(KEY).filter(|_| !reads).cloned();
    // Nobody's requests have nobody to be kept for.
    let who = request.extensions().get::<Principal>();
    let (Some(given), Some(who)) = (given, who.map(Principal::asker)) else {
        return next.run(request).await;
    };
    let Some(key) = key_of(&given) else {
        return ApiError::bad_request(
            format!(
                "an Idempotency-Key is 1 to {LONGEST_KEY} letters, digits and signs, without blanks"
            ),
            "send a fresh random one, such as a UUID, with each new request",
        )
        .into_response();
    };
    let (head, incoming) = request.into_parts();
    let bytes = match body::gather(incoming).await {
        Ok(bytes) => bytes,
        Err(error) => return error.into_response(),
    };
    let mut asked = Sha256::new();
    for part in [head.method.as_str(), &head.uri.to_string()] {
        asked.update(part.as_bytes());
        asked.update([0]);
    }
    asked.update(&bytes);
    let name = (who, key);
    let tell = match face.answers.meet(&name, asked.finalize().into()) {
        Met::First(tell) => tell,
        Met::Again(answer) => return again(answer).await,
        Met::Another => return reused().into_response(),
    };
    // Wiped when it was read, as every body is.
    let request = Request::from_parts(head, Body::from(Bytes::from_owner(bytes)));
    // It is carried out to its end, even where nobody waits any more.
    #[expect(
        clippy::disallowed_methods,
        reason = "it is one request, which is waited for here as long as its asker waits; a node that stops writes down no end"
    )]
    let work = tokio::spawn(async move {
        let answer = Arc::new(carry_out(&face, &name, request, next).await);
        if !answer.status.is_success() {
            // What was refused may be asked again.
            face.answers.forget(&name);
        }
        let _ = tell.send(Some(Arc::clone(&answer)));
        answer
    });
    match work.await {
        Ok(answer) => answer.give(false),
        Err(error) => {
            tracing::error!(%error, "a request with a key broke off");
            ApiError::internal().into_response()
        }
    }
}

async fn carry_out(face: &Face, name: &Name, request: Request, next: Next) -> Answer {
    let begun = noted(face, name, |accounts, (asker, key)| {
        accounts.begin_request(&asker, &key)
    });
    match begun.await {
        Ok(Begun::Now) => {}
        Ok(Begun::Before) => return Answer::of(unknown().into_response()).await,
        Ok(Begun::Done(status)) => return Answer::of(done(status).into_response()).await,
        Err(error) => return Answer::of(error.into_response()).await,
    }
    let answer = Answer::of(next.run(request).await).await;
    let ended = if answer.status.is_success() {
        Some(answer.status.as_u16())
    } else if answer.status.is_server_error() {
        // How far it came is not known: whoever sends it again is told so.
        return answer;
    } else {
        None
    };
    let noting = noted(face, name, move |accounts, (asker, key)| {
        accounts.end_request(&asker, &key, ended)
    });
    if let Err(error) = noting.await {
        // After a restart it counts as one of which nobody knows how it ended.
        tracing::warn!(?error, "how a request with a key ended is not written down");
    }
    answer
}

async fn noted<T: Send + 'static>(
    face: &Face,
    name: &Name,
    act: impl FnOnce(&Accounts, Name) -> Result<T, crate::account::AccountError> + Send + 'static,
) -> Result<T, ApiError> {
    let (accounts, name) = (Arc::clone(&face.accounts), name.clone());
    let done = tokio::task::spawn_blocking(move || act(&accounts, name)).await;
    Ok(done.map_err(|_| ApiError::internal())??)
}

/// Gives the answer of a request that was sent before, once there is one.
async fn again(mut answer: watch::Receiver<Option<Arc<Answer>>>) -> Response {
    let given = answer.wait_for(Option::is_some).await;
    let given = given.ok().and_then(|given| given.clone());
    given.map_or_else(|| unknown().into_response(), |answer| answer.give(true))
}

impl Answer {
    async fn of(response: Response) -> Self {
        let (mut head, body) = response.into_parts();
        let bytes = match body.collect().await {
            Ok(bytes) => bytes.to_bytes(),
            Err(error) => {
                tracing::error!(%error, "an answer broke off");
                head.status = StatusCode::INTERNAL_SERVER_ERROR;
                Bytes::new()
            }
        };
        Self {
            status: head.status,
            headers: head.headers,
            body: Bytes::from_owner(Zeroizing::new(bytes.to_vec())),
        }
    }

    /// Answers; a session is entered by the first answer alone.
    fn give(&self, replayed: bool) -> Response {
        let mut response = Response::new(Body::from(self.body.clone()));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers.clone();
        if replayed {
            response.headers_mut().remove(header::SET_COOKIE);
            response
                .headers_mut()
                .insert(REPLAYED, HeaderValue::from_static("true"));
        }
        response
    }
}

/// Reads a key; the draft wants it quoted, and everybody sends it bare: both are the same.
fn key_of(given: &HeaderValue) -> Option<String> {
    let text = given.to_str().ok()?;
    let bare = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(text);
    let fits =
        (1..=LONGEST_KEY).contains(&bare.len()) && bare.bytes().all(|b| b.is_ascii_graphic());
    fits.then(|| bare.to_owned())
}

fn reused() -> ApiError {
    ApiError::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "key_reused",
        "another request had this Idempotency-Key",
        "send a fresh one with each new request",
    )
}

fn unknown() -> ApiError {
    ApiError::new(
        StatusCode::CONFLICT,
        "outcome_unknown",
        "this request was begun before, and it is not known how it ended",
        "look at what is there; where it was not done, send it with a fresh Idempotency-Key",
    )
}

fn done(status: u16) -> ApiError {
    ApiError::new(
        StatusCode::CONFLICT,
        "carried_out",
        format!("this request was carried out before ({status}); its answer is not kept any more"),
        "look at what is there: nothing was done twice",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_bare_or_quoted_and_nothing_else_is_one() {
        let read = |text: &str| key_of(&HeaderValue::from_str(text).unwrap());
        assert_eq!(read("a-1").as_deref(), Some("a-1"));
        assert_eq!(read("\"a-1\"").as_deref(), Some("a-1"));
        let long = "k".repeat(LONGEST_KEY);
        assert_eq!(read(&long).as_deref(), Some(long.as_str()));
        for bad in ["", "\"\"", "a b", &format!("{long}k")] {
            assert_eq!(read(bad), None, "{bad}");
        }
        assert_eq!(key_of(&HeaderValue::from_bytes(b"k\xe4").unwrap()), None);
    }

    #[tokio::test]
    async fn memory_is_bounded_and_what_is_worked_on_stays() {
        let answers = Answers::default();
        let name = |number: usize| ("asker".to_owned(), number.to_string());
        let Met::First(working) = answers.meet(&name(0), [0; 32]) else {
            panic!("it is the first");
        };
        for number in 1..=KEPT + 5 {
            let Met::First(tell) = answers.meet(&name(number), [0; 32]) else {
                panic!("{number} is the first of its name");
            };
            let answer = Answer::of(StatusCode::NO_CONTENT.into_response()).await;
            tell.send(Some(Arc::new(answer))).unwrap();
        }
        assert_eq!(answers.slots().len(), KEPT);
        assert!(matches!(answers.meet(&name(0), [0; 32]), Met::Again(_)));
        assert!(matches!(answers.meet(&name(0), [1; 32]), Met::Another));
        // Of the others the oldest went.
        assert!(matches!(
            answers.meet(&name(KEPT + 5), [0; 32]),
            Met::Again(_)
        ));
        assert!(matches!(answers.meet(&name(1), [0; 32]), Met::First(_)));
        drop(working);
    }
}
