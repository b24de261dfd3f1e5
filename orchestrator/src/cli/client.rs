//! Owns the way from a command to the daemon: HTTP over the owner's unix socket.
//!
//! It does not know what an answer means.

use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use http_body_util::BodyExt;
use http_body_util::Full;
use hyper::Method;
use hyper::Request;
use hyper::Response;
use hyper::body::Bytes;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::task::JoinSet;

use super::exit::Exit;
use super::exit::Failure;
use crate::config::Card;
use crate::config::Surroundings;
use crate::http::ErrorBody;
use crate::status::NodeStatus;
use crate::store::folder::FolderError;

/// How long the daemon may take to begin a plain answer. A command such as `apply` may pull and start things
/// first, so this only catches a daemon that hangs.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(600);
/// The longest plain answer that is taken. Units: bytes.
const ANSWER_LIMIT: usize = 16 * 1024 * 1024;

/// A part of a list, as the API gives it.
#[derive(Deserialize)]
struct Page<T> {
    items: Vec<T>,
    next: Option<String>,
}

/// Speaks to one daemon.
#[derive(Debug, Clone)]
pub(super) struct Client {
    socket: PathBuf,
}

impl Client {
    /// Finds the daemon of a data folder; `named` where it was named by an argument. Errors: exit 69 where none answers, 73 where the folder is a copy, 77 where
    /// the daemon answers only another user.
    pub(super) fn find(
        surroundings: &Surroundings,
        data: &Path,
        named: bool,
    ) -> Result<Self, Failure> {
        let Some(card) = Card::read(data)? else {
            let up = typed(surroundings, "up", data, named);
            return Err(Failure::new(
                Exit::NotRunning,
                format!("there is no node in {} yet", data.display()),
                format!("start one with `{up}`, or name its folder with --data DIR"),
            ));
        };
        if let Some(from) = card.made_elsewhere(data) {
            return Err(copied(from, data));
        }
        let mut refused = None;
        for socket in surroundings.sockets(data, &card.node_id) {
            match std::os::unix::net::UnixStream::connect(&socket) {
                Ok(_) => return Ok(Self { socket }),
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    refused = Some(socket);
                }
                Err(_) => {}
            }
        }
        if let Some(socket) = refused {
            return Err(Failure::new(
                Exit::Refused,
                format!("you may not open {}", socket.display()),
                "run this as the user who started the node",
            ));
        }
        Err(not_running(surroundings, data, named))
    }

    /// Speaks to the daemon at `socket`, whether or not it answers yet.
    pub(super) fn at(socket: PathBuf) -> Self {
        Self { socket }
    }

    /// Says whether somebody answers.
    pub(super) fn answers(&self) -> bool {
        std::os::unix::net::UnixStream::connect(&self.socket).is_ok()
    }

    /// Asks for JSON.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.json(Method::GET, path, None).await
    }

    /// Asks for a list, page after page, and returns all of it.
    pub(super) async fn all<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, Failure> {
        let mut all = Vec::new();
        let mut next = Some(path.to_owned());
        while let Some(asked) = next {
            let mut page: Page<T> = self.get(&asked).await?;
            all.append(&mut page.items);
            next = page.next.map(|after| format!("{path}?after={after}"));
        }
        Ok(all)
    }

    /// Asks for JSON and returns it as it came.
    pub(super) async fn text(&self, path: &str) -> Result<String, Failure> {
        let mut answer = self.open(Method::GET, path, None).await?;
        let bytes = answer.whole().await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Returns the status.
    pub(super) async fn status(&self) -> Result<NodeStatus, Failure> {
        self.get("/api/v1/status").await
    }

    /// Sends a command. `body` is JSON; it may hold secrets.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<T, Failure> {
        self.json(Method::POST, path, body).await
    }

    /// Sends a change of what is there already. `body` is JSON.
    pub(super) async fn patch<T: DeserializeOwned>(
        &self,
        path: &str,
        body: Vec<u8>,
    ) -> Result<T, Failure> {
        self.json(Method::PATCH, path, Some(body)).await
    }

    /// Deletes something; the answer is empty.
    pub(super) async fn delete(&self, path: &str) -> Result<(), Failure> {
        let asked = self.open(Method::DELETE, path, None);
        in_time(asked).await?;
        Ok(())
    }

    async fn json<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<T, Failure> {
        let mut answer = in_time(self.open(method, path, body)).await?;
        let bytes = answer.whole().await?;
        serde_json::from_slice(&bytes).map_err(|_| {
            Failure::new(
                Exit::Failed,
                "the daemon answered in a way that this program does not understand",
                "use the flash-node that started the daemon; `flash-node --version` tells yours",
            )
        })
    }

    /// Opens a stream. Errors: as for a plain answer.
    pub(super) async fn open(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<Answer, Failure> {
        let stream = UnixStream::connect(&self.socket).await.map_err(gone)?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(lost)?;
        // The connection lives in the answer and ends with it.
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            // A broken connection shows itself in the answer's body.
            let _ = connection.await;
        });
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost")
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body.unwrap_or_default())))
            .map_err(|_| Failure::internal(format!("the path {path} cannot be asked for")))?;
        let response = sender.send_request(request).await.map_err(lost)?;
        let success = response.status().is_success();
        let mut answer = Answer {
            response,
            _driver: driver,
        };
        if success {
            return Ok(answer);
        }
        let status = answer.response.status();
        let bytes = answer.whole().await?;
        Err(match serde_json::from_slice::<ErrorBody>(&bytes) {
            Ok(error) => error.into(),
            Err(_) => Failure::new(
                Exit::Failed,
                format!("the daemon answered {status}"),
                "look into the daemon's log",
            ),
        })
    }
}

/// Waits for an answer, but not for ever.
async fn in_time(answer: impl Future<Output = Result<Answer, Failure>>) -> Result<Answer, Failure> {
    tokio::time::timeout(ANSWER_TIMEOUT, answer)
        .await
        .map_err(|_| {
            Failure::new(
                Exit::Failed,
                "the daemon did not answer in time",
                "`flash-node doctor` looks at it",
            )
        })?
}

/// An answer, as it arrives.
pub(super) struct Answer {
    response: Response<Incoming>,
    _driver: JoinSet<()>,
}

impl Answer {
    /// Returns the next piece; nothing at the end. Errors: the connection broke.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, Failure> {
        while let Some(frame) = self.response.frame().await {
            if let Ok(data) = frame.map_err(lost)?.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }

    async fn whole(&mut self) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            if bytes.len() + chunk.len() > ANSWER_LIMIT {
                return Err(Failure::internal("the daemon's answer does not end"));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }
}

/// Says that a data folder does not lie where it was made. A copy carries the id and the run folder of its original,
/// so that a command for the copy would reach the original's daemon.
pub(super) fn copied(from: &Path, data: &Path) -> Failure {
    let error = FolderError::Moved {
        from: from.to_owned(),
        to: data.canonicalize().unwrap_or_else(|_| data.to_owned()),
    };
    Failure::new(Exit::DataRefused, error.to_string(), error.hint())
}

/// Says that no daemon runs on a data folder.
pub(super) fn not_running(surroundings: &Surroundings, data: &Path, named: bool) -> Failure {
    let up = typed(surroundings, "up", data, named);
    Failure::new(
        Exit::NotRunning,
        format!("the node in {} is not running", data.display()),
        format!("start it with `{up}`, or name another folder with --data DIR"),
    )
}

/// Returns `word` for the node in `data` as it can be typed here: with the way to the program where the search path
/// does not lead to it, and with the folder where the command would not find it by itself.
pub(super) fn typed(surroundings: &Surroundings, word: &str, data: &Path, named: bool) -> String {
    let program = std::env::args_os()
        .next()
        .map(PathBuf::from)
        .filter(|typed| typed.components().count() > 1)
        .map_or_else(
            || "flash-node".to_owned(),
            |typed| typed.display().to_string(),
        );
    let found = match word {
        "up" => surroundings.data_for_up(None, None),
        _ => surroundings.data_for_client(None, None),
    };
    if !named && found.is_ok_and(|found| found == data) {
        return format!("{program} {word}");
    }
    format!("{program} {word} --data {}", data.display())
}

fn gone(error: io::Error) -> Failure {
    Failure::new(
        Exit::NotRunning,
        format!("the daemon does not answer: {error}"),
        "start it with `flash-node up`",
    )
}

fn lost(error: hyper::Error) -> Failure {
    Failure::new(
        Exit::NotRunning,
        format!("the connection to the daemon broke: {error}"),
        "`flash-node status` tells whether it still runs",
    )
}

/// Cuts a byte stream into lines, however the pieces fall.
#[derive(Debug, Default)]
pub(super) struct Lines {
    rest: Vec<u8>,
}

impl Lines {
    /// Takes a piece and returns the lines that it completes.
    pub(super) fn push(&mut self, piece: &[u8]) -> Vec<String> {
        self.rest.extend_from_slice(piece);
        let mut lines = Vec::new();
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            let line = line.strip_suffix(b"\n").unwrap_or(&line);
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            lines.push(String::from_utf8_lossy(line).into_owned());
        }
        lines
    }
}

/// One server-sent event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sent {
    /// Its kind, such as `status`.
    pub(super) kind: String,
    /// Its data.
    pub(super) data: String,
}

/// Reads server-sent events out of lines.
#[derive(Debug, Default)]
pub(super) struct SentReader {
    kind: String,
    data: String,
}

impl SentReader {
    /// Takes a line and returns the event that it completes.
    pub(super) fn line(&mut self, line: &str) -> Option<Sent> {
        if line.is_empty() {
            let kind = std::mem::take(&mut self.kind);
            let data = std::mem::take(&mut self.data);
            return (!data.is_empty()).then_some(Sent { kind, data });
        }
        if let Some(kind) = line.strip_prefix("event: ") {
            kind.clone_into(&mut self.kind);
        } else if let Some(data) = line.strip_prefix("data: ") {
            self.data.push_str(data);
        }
        None
    }
}
