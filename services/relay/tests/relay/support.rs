//! A relay inside the test or as the real program, and a client that speaks to either.

use std::collections::BTreeSet;
use std::io::BufRead;
use std::io::BufReader;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;
use std::time::Duration;

use flash_relay::Relay;
use flash_relay::config::Config;
use futures_util::SinkExt;
use futures_util::StreamExt;
use negentropy::Id;
use negentropy::Negentropy;
use negentropy::NegentropyStorageVector;
use nostr::event::Event;
use nostr::event::EventBuilder;
use nostr::event::FinalizeEvent;
use nostr::event::Kind;
use nostr::event::Tag;
use nostr::key::Keys;
use nostr::types::Timestamp;
use serde_json::Value;
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::MaybeTlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// No answer takes longer than this; a test that waits so long has failed.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// A relay inside the test's own process.
pub(crate) struct TestRelay {
    pub(crate) relay: Relay,
    pub(crate) folder: TempDir,
    pub(crate) url: String,
}

/// Starts a relay; `extra` is TOML that is put behind the required keys.
pub(crate) async fn start(extra: &str) -> TestRelay {
    let folder = tempfile::tempdir().expect("a folder");
    let config: Config =
        toml::from_str(&config_text(folder.path(), extra)).expect("the test's configuration");
    let relay = Relay::start(config).await.expect("the relay starts");
    let url = format!("ws://{}", relay.address());
    TestRelay { relay, folder, url }
}

pub(crate) fn config_text(folder: &Path, extra: &str) -> String {
    format!(
        "listen = \"127.0.0.1:0\"\ndata_dir = {:?}\nmap_size_mib = 64\nlog_level = \"info\"\n{extra}\n",
        folder.join("data")
    )
}

/// The real program.
pub(crate) struct Program {
    child: Child,
    pub(crate) url: String,
}

#[expect(clippy::disallowed_methods, reason = "a test starts the real program")]
pub(crate) fn command() -> Command {
    Command::new(env!("CARGO_BIN_EXE_flash-relay"))
}

impl Program {
    /// Starts the program on `folder` and reads from its log where it listens.
    pub(crate) fn start(folder: &Path, extra: &str) -> Self {
        let file = folder.join("relay.toml");
        std::fs::write(&file, config_text(folder, extra)).expect("the configuration is written");
        let mut child = command()
            .arg("--config")
            .arg(&file)
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut log = BufReader::new(child.stderr.take().expect("piped"));
        let address: SocketAddr = loop {
            let mut line = String::new();
            assert_ne!(
                log.read_line(&mut line).expect("a log"),
                0,
                "the program ended at once"
            );
            if let Some((_, address)) = line.trim().split_once("listening on ") {
                let address = address.split_whitespace().next().expect("an address");
                break address.parse().expect("an address");
            }
        };
        std::thread::spawn(move || {
            let mut rest = String::new();
            while log.read_line(&mut rest).is_ok_and(|read| read > 0) {
                rest.clear();
            }
        });
        Self {
            child,
            url: format!("ws://{address}"),
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("the program is killed");
        self.child.wait().expect("the program has ended");
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a test sends the real program a signal"
    )]
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args(["-s", name, &self.child.id().to_string()])
            .status();
        assert!(sent.expect("kill runs").success());
    }

    pub(crate) async fn wait(&mut self) -> ExitStatus {
        poll("the program to end", || {
            self.child.try_wait().expect("a status")
        })
        .await
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks again and again until there is an answer, for at most the deadline.
pub(crate) async fn poll<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask() {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(DEADLINE, asking)
        .await
        .unwrap_or_else(|_| panic!("waited too long for {what}"))
}

pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A client that speaks plain JSON.
pub(crate) struct Client {
    pub(crate) socket: Socket,
    pub(crate) url: String,
    pub(crate) challenge: String,
    next: u32,
}

impl Client {
    pub(crate) async fn connect(url: &str) -> Self {
        let (socket, _) = tokio_tungstenite::connect_async(url)
            .await
            .expect("the relay answers");
        Self::greet(socket, url).await
    }

    /// Connects from one of this machine's own addresses.
    pub(crate) async fn connect_from(from: &str, url: &str) -> Self {
        let to: SocketAddr = url.trim_start_matches("ws://").parse().expect("an address");
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket
            .bind(from.parse().expect("an address"))
            .expect("an address of this machine");
        let stream = socket.connect(to).await.expect("a connection");
        let stream = MaybeTlsStream::Plain(stream);
        let (socket, _) = tokio_tungstenite::client_async(url, stream)
            .await
            .expect("the relay answers");
        Self::greet(socket, url).await
    }

    async fn greet(socket: Socket, url: &str) -> Self {
        let mut client = Self {
            socket,
            url: url.to_owned(),
            challenge: String::new(),
            next: 0,
        };
        let greeting = client.receive().await;
        assert_eq!(greeting[0], "AUTH");
        client.challenge = greeting[1].as_str().expect("a challenge").to_owned();
        client
    }

    /// Connects and proves `keys`.
    pub(crate) async fn connect_as(url: &str, keys: &Keys) -> Self {
        let mut client = Self::connect(url).await;
        assert_eq!(client.authenticate(keys).await, (true, String::new()));
        client
    }

    pub(crate) async fn send_text(&mut self, text: &str) {
        self.socket
            .send(Message::text(text))
            .await
            .expect("the relay reads");
    }

    pub(crate) async fn send(&mut self, message: Value) {
        self.send_text(&message.to_string()).await;
    }

    /// Returns the next message, or `None` when the relay has ended the connection.
    pub(crate) async fn try_receive(&mut self) -> Option<Value> {
        loop {
            match timeout(DEADLINE, self.socket.next())
                .await
                .expect("an answer in time")?
            {
                Ok(Message::Text(text)) => {
                    return Some(serde_json::from_str(text.as_str()).expect("JSON"));
                }
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    pub(crate) async fn receive(&mut self) -> Value {
        self.try_receive()
            .await
            .expect("the relay keeps the connection")
    }

    pub(crate) async fn publish(&mut self, event: &Event) -> (bool, String) {
        self.send(json!(["EVENT", event])).await;
        self.fate(&event.id.to_hex()).await
    }

    /// Waits for the OK of one event, past everything else.
    pub(crate) async fn fate(&mut self, id: &str) -> (bool, String) {
        loop {
            let message = self.receive().await;
            if message[0] == "OK" && message[1] == id {
                let accepted = message[2].as_bool().expect("a bool");
                return (accepted, message[3].as_str().expect("a text").to_owned());
            }
        }
    }

    pub(crate) async fn authenticate(&mut self, keys: &Keys) -> (bool, String) {
        let (url, challenge) = (self.url.clone(), self.challenge.clone());
        self.authenticate_with(&proof(keys, &url, &challenge, Timestamp::now()))
            .await
    }

    pub(crate) async fn authenticate_with(&mut self, event: &Event) -> (bool, String) {
        self.send(json!(["AUTH", event])).await;
        self.fate(&event.id.to_hex()).await
    }

    /// Asks for what is stored and ends the subscription; the text is that of a refusal.
    pub(crate) async fn query(&mut self, filters: &[Value]) -> Result<Vec<Event>, String> {
        let name = self.subscribe(filters).await;
        let events = self.stored(&name).await?;
        self.send(json!(["CLOSE", name])).await;
        Ok(events)
    }

    pub(crate) async fn ids(&mut self, filter: Value) -> Result<Vec<String>, String> {
        let events = self.query(&[filter]).await?;
        Ok(events.iter().map(|event| event.id.to_hex()).collect())
    }

    pub(crate) async fn subscribe(&mut self, filters: &[Value]) -> String {
        let name = self.name();
        let mut message = vec![json!("REQ"), json!(name)];
        message.extend_from_slice(filters);
        self.send(Value::Array(message)).await;
        name
    }

    /// Reads up to EOSE or CLOSED.
    pub(crate) async fn stored(&mut self, name: &str) -> Result<Vec<Event>, String> {
        let mut events = Vec::new();
        loop {
            let message = self.receive().await;
            match message[0].as_str() {
                Some("EVENT") if message[1] == name => {
                    events.push(serde_json::from_value(message[2].clone()).expect("an event"));
                }
                Some("EOSE") if message[1] == name => return Ok(events),
                Some("CLOSED") if message[1] == name => {
                    return Err(message[2].as_str().expect("a text").to_owned());
                }
                _ => {}
            }
        }
    }

    pub(crate) async fn count(&mut self, filter: Value) -> Result<u64, String> {
        let name = self.name();
        self.send(json!(["COUNT", name, filter])).await;
        loop {
            let message = self.receive().await;
            match message[0].as_str() {
                Some("COUNT") if message[1] == name => {
                    return Ok(message[2]["count"].as_u64().expect("a number"));
                }
                Some("CLOSED") if message[1] == name => {
                    return Err(message[2].as_str().expect("a text").to_owned());
                }
                _ => {}
            }
        }
    }

    /// Reconciles `have` with the relay and returns the ids that only the relay has.
    pub(crate) async fn reconcile(
        &mut self,
        filter: Value,
        have: &[&Event],
    ) -> Result<BTreeSet<String>, String> {
        let mut storage = NegentropyStorageVector::new();
        for event in have {
            let id = Id::from_byte_array(event.id.to_bytes());
            storage
                .insert(event.created_at.as_secs(), id)
                .expect("room");
        }
        storage.seal().expect("once");
        let mut negentropy = Negentropy::owned(storage, 0).expect("a set");
        let first = hex(&negentropy.initiate().expect("a first message"));
        let name = self.name();
        self.send(json!(["NEG-OPEN", name, filter, first])).await;
        let (mut only_here, mut only_there) = (Vec::new(), Vec::new());
        loop {
            let message = self.receive().await;
            match message[0].as_str() {
                Some("NEG-MSG") if message[1] == name => {
                    let answer = unhex(message[2].as_str().expect("hex"));
                    let next = negentropy
                        .reconcile_with_ids(&answer, &mut only_here, &mut only_there)
                        .expect("a sound message");
                    let Some(next) = next else { break };
                    self.send(json!(["NEG-MSG", name, hex(&next)])).await;
                }
                Some("NEG-ERR") if message[1] == name => {
                    return Err(message[2].as_str().expect("a text").to_owned());
                }
                _ => {}
            }
        }
        self.send(json!(["NEG-CLOSE", name])).await;
        Ok(only_there.iter().map(|id| hex(&id[..])).collect())
    }

    fn name(&mut self) -> String {
        self.next += 1;
        format!("q{}", self.next)
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2)
        .map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).expect("hex"))
        .collect()
}

/// Makes the event of NIP-42.
pub(crate) fn proof(keys: &Keys, url: &str, challenge: &str, at: Timestamp) -> Event {
    sign(
        keys,
        22242,
        "",
        &[&["relay", url], &["challenge", challenge]],
        at,
    )
}

/// Signs an event dated now.
pub(crate) fn event(keys: &Keys, kind: u16, content: &str, tags: &[&[&str]]) -> Event {
    sign(keys, kind, content, tags, Timestamp::now())
}

pub(crate) fn sign(
    keys: &Keys,
    kind: u16,
    content: &str,
    tags: &[&[&str]],
    at: Timestamp,
) -> Event {
    let tags = tags
        .iter()
        .map(|tag| Tag::parse(tag.iter().copied()).expect("a tag"));
    EventBuilder::new(Kind::from_u16(kind), content)
        .tags(tags)
        .custom_created_at(at)
        .finalize(keys)
        .expect("a signature")
}
