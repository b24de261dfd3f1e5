//! Rounds of asking against real small servers; the judging has tables of its own.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::*;
use crate::secret::SecretBytes;
use crate::secret::SecretKey;
use crate::secret::SecretUnavailable;

mod judging;
mod stack;

pub(in crate::service) fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// A manifest with `rest` after the parts that every manifest needs.
pub(in crate::service) fn manifest(rest: &str) -> Manifest {
    let text = format!(
        r#"
manifest = 1
id = "thing"
title = "Thing"
summary = "A thing."
{rest}
[version]
current = "1.0"
[program]
command = "thing"
stop_signal = "TERM"
stop_grace_seconds = 10
[limits]
memory_mib = {{ small = 64, medium = 64, large = 64 }}
pids = 16
[ports.main]
number = {{ default = 1000 }}
"#
    );
    // Its shape alone is read: some tests give what the rules refuse, to prove that it is refused here too.
    toml::from_str(&text).unwrap()
}

pub(in crate::service) fn target<'a>(
    service: &'a ServiceId,
    manifest: &'a Manifest,
    address: SocketAddr,
) -> HealthTarget<'a> {
    HealthTarget {
        service,
        manifest,
        standing: Standing::Running,
        addresses: manifest
            .ports
            .keys()
            .map(|port| (port.clone(), address))
            .collect(),
        node_credentials: BTreeMap::new(),
        providers: BTreeMap::new(),
        secrets: BTreeMap::new(),
        volumes: BTreeMap::new(),
        settings: BTreeMap::new(),
        variables: json!({"network": "regtest", "setting": {"word": "hello"}}),
    }
}

pub(in crate::service) fn secret(key: &str) -> SecretRef {
    SecretRef {
        key: SecretKey(key.to_owned()),
        generation: 1,
    }
}

/// A vault that is closed.
pub(in crate::service) struct SealedVault;

impl SecretSource for SealedVault {
    fn secret(&self, _: &SecretRef) -> Result<SecretBytes, SecretUnavailable> {
        Err(SecretUnavailable::Sealed)
    }
}

/// No secret at all.
fn empty_vault() -> BTreeMap<SecretRef, SecretBytes> {
    BTreeMap::new()
}

struct LineServer {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

/// Answers each line with what `reply` makes of it, or never.
async fn line_server(reply: fn(&str) -> Option<&'static str>) -> LineServer {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let counter = counter.clone();
            connections.spawn(async move {
                let mut chunk = [0; 1024];
                while let Ok(count) = stream.read(&mut chunk).await
                    && count > 0
                {
                    counter.fetch_add(1, Ordering::SeqCst);
                    let line = String::from_utf8_lossy(&chunk[..count]).into_owned();
                    if let Some(reply) = reply(line.trim()) {
                        let _ = stream.write_all(reply.as_bytes()).await;
                    }
                }
            });
        }
    });
    LineServer {
        address,
        asked,
        _tasks: tasks,
    }
}

const LOCKED_THING: &str = r#"
[probes.ping]
kind = "tcp"
port = "main"
send = "PING\r\n"
until = "\r\n"
timeout_ms = 20000
[probes.login]
kind = "tcp"
port = "main"
send = "AUTH {{ secret.password.value }}\r\n"
until = "\r\n"
timeout_ms = 20000
[[health.alive]]
when = [{ probe = "ping", answered = true }]
ok = true
code = "alive"
text = "It answers {{ ping }}"
[[health.alive]]
ok = false
code = "no_answer"
text = "It does not answer."
[[health.ready]]
when = [{ probe = "ping", contains = "LOADING" }]
ok = false
code = "loading"
text = "It loads."
[[health.ready]]
when = [{ probe = "login", contains = "+OK" }, { probe = "ping", contains = "+PONG" }]
ok = true
code = "ready"
text = "It serves."
[[health.ready]]
ok = false
code = "refused"
text = "It refuses."
[secrets.password]
make = "password"
holds = "The password."
"#;

fn locked_thing(line: &str) -> Option<&'static str> {
    match line {
        "PING" => Some("+PONG\r\n"),
        "AUTH right" => Some("+OK\r\n"),
        _ => Some("-WRONGPASS\r\n"),
    }
}

#[tokio::test]
async fn one_round_asks_each_probe_once_and_judges_by_its_answer() {
    let server = line_server(locked_thing).await;
    let (service, manifest) = (ServiceId::new("thing").unwrap(), manifest(LOCKED_THING));
    let mut target = target(&service, &manifest, server.address);
    target
        .secrets
        .insert(name("password"), secret("service/thing/password"));
    let right = BTreeMap::from([(
        secret("service/thing/password"),
        SecretBytes::from("right".to_owned()),
    )]);
    let signals = Prober::new().signals(&target, &right).await;
    assert_eq!(signals.alive.ok, Some(true));
    assert_eq!(
        (signals.ready.ok, signals.ready.code.as_str()),
        (Some(true), "ready")
    );
    assert_eq!(signals.synced.code, "not_applicable");
    assert_eq!(signals.synced.ok, None);
    assert_eq!(server.asked.load(Ordering::SeqCst), 2);

    let wrong = BTreeMap::from([(
        secret("service/thing/password"),
        SecretBytes::from("wrong".to_owned()),
    )]);
    let signals = Prober::new().signals(&target, &wrong).await;
    assert_eq!(
        (signals.ready.ok, signals.ready.code.as_str()),
        (Some(false), "refused")
    );
}

#[tokio::test]
async fn a_sealed_vault_leaves_unknown_only_what_hangs_on_it() {
    let server = line_server(locked_thing).await;
    let (service, manifest) = (ServiceId::new("thing").unwrap(), manifest(LOCKED_THING));
    let mut target = target(&service, &manifest, server.address);
    target
        .secrets
        .insert(name("password"), secret("service/thing/password"));
    let signals = Prober::new().signals(&target, &SealedVault).await;
    assert_eq!(signals.alive.ok, Some(true));
    assert_eq!(
        (signals.ready.ok, signals.ready.code.as_str()),
        (None, "sealed")
    );

    let signals = Prober::new().signals(&target, &empty_vault()).await;
    assert_eq!(
        (signals.ready.ok, signals.ready.code.as_str()),
        (None, "secret_missing")
    );

    let loading = line_server(|_| Some("-LOADING\r\n")).await;
    target.addresses.insert(name("main"), loading.address);
    let signals = Prober::new().signals(&target, &SealedVault).await;
    // Decided before the login would have been looked at.
    assert_eq!(
        (signals.ready.ok, signals.ready.code.as_str()),
        (Some(false), "loading")
    );
}

#[tokio::test]
async fn a_service_that_is_down_is_not_asked() {
    let server = line_server(locked_thing).await;
    let (service, manifest) = (ServiceId::new("thing").unwrap(), manifest(LOCKED_THING));
    let mut target = target(&service, &manifest, server.address);
    target.standing = Standing::Down {
        code: "stopped".to_owned(),
        text: "It was stopped.".to_owned(),
    };
    let signals = Prober::new().signals(&target, &empty_vault()).await;
    assert_eq!(
        (signals.alive.ok, signals.alive.code.as_str()),
        (Some(false), "stopped")
    );
    assert_eq!(signals.ready.ok, Some(false));
    assert_eq!(
        (signals.synced.ok, signals.synced.code.as_str()),
        (None, "not_applicable")
    );
    assert_eq!(server.asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_silent_service_is_neither_alive_nor_ready() {
    let server = line_server(|_| None).await;
    let service = ServiceId::new("thing").unwrap();
    let manifest = manifest(&LOCKED_THING.replace("20000", "200"));
    let mut target = target(&service, &manifest, server.address);
    target
        .secrets
        .insert(name("password"), secret("service/thing/password"));
    let vault = BTreeMap::from([(
        secret("service/thing/password"),
        SecretBytes::from("right".to_owned()),
    )]);
    let signals = Prober::new().signals(&target, &vault).await;
    assert_eq!(
        (signals.alive.ok, signals.alive.code.as_str()),
        (Some(false), "no_answer")
    );
    assert_eq!(signals.ready.ok, Some(false));
}

#[tokio::test]
async fn probes_of_a_round_are_asked_at_the_same_time() {
    let server = line_server(|_| None).await;
    let service = ServiceId::new("thing").unwrap();
    let mut rules = String::new();
    for index in 0..8 {
        rules.push_str(&format!(
            "[probes.p{index}]\nkind = \"tcp\"\nport = \"main\"\nsend = \"x\"\ntimeout_ms = 2000\n\
             [[health.alive]]\nwhen = [{{ probe = \"p{index}\", answered = true }}]\nok = true\n\
             code = \"alive\"\ntext = \"x\"\n"
        ));
    }
    rules.push_str("[[health.ready]]\nok = false\ncode = \"x\"\ntext = \"x\"\n");
    let manifest = manifest(&rules);
    let target = target(&service, &manifest, server.address);
    let prober = Prober::new();
    let vault = empty_vault();
    // Eight silences of two seconds each, one after the other, would take sixteen.
    let round = tokio::time::timeout(Duration::from_secs(8), prober.signals(&target, &vault)).await;
    assert_eq!(round.unwrap().alive.code, "undecided");
    assert_eq!(server.asked.load(Ordering::SeqCst), 8);
}

#[tokio::test]
async fn a_probe_through_an_edge_asks_the_provider_with_its_cookie_file() {
    let provider_manifest = manifest(
        r#"
[interfaces.api]
port = "main"
credential = "provider-file"
file = { volume = "data", path = "{{ network }}/.cookie" }
[volumes.data]
class = "rebuildable"
holds = "Things."
[[health.alive]]
ok = true
code = "alive"
text = "x"
[[health.ready]]
ok = false
code = "x"
text = "x"
"#,
    );
    let consumer_manifest = manifest(
        r#"
[edges.provider]
to = "thing"
interface = "api"
[probes.count]
kind = "jsonrpc"
edge = "provider"
credential = "api"
method = "count"
timeout_ms = 20000
[[health.alive]]
when = [{ probe = "count", pointer = "/result", equals = 7 }]
ok = true
code = "alive"
text = "It counts {{ count.result }}."
[[health.alive]]
ok = false
code = "no_answer"
text = "x"
[[health.ready]]
ok = false
code = "x"
text = "x"
"#,
    );
    let provider = line_server(|request| {
        // "__cookie__:hunter2"
        let ours = request
            .to_lowercase()
            .contains("authorization: basic x19jb29rawvfxzpodw50zxiy");
        Some(if ours {
            "HTTP/1.1 200 OK\r\ncontent-length: 25\r\n\r\n{\"result\":7,\"error\":null}"
        } else {
            "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n"
        })
    })
    .await;
    let volume = tempfile::tempdir().unwrap();
    let service = ServiceId::new("consumer").unwrap();
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 1));
    let mut target = target(&service, &consumer_manifest, nowhere);
    let prober = Prober::new();
    let signals = prober.signals(&target, &empty_vault()).await;
    assert_eq!(
        (signals.alive.ok, signals.alive.code.as_str()),
        (None, "no_provider")
    );

    target.providers.insert(
        name("provider"),
        ProviderTarget {
            manifest: &provider_manifest,
            address: provider.address,
            node_credentials: BTreeMap::new(),
            volumes: BTreeMap::from([(name("data"), volume.path().to_owned())]),
            variables: json!({"network": "regtest"}),
        },
    );
    let signals = prober.signals(&target, &empty_vault()).await;
    assert_eq!(
        (signals.alive.ok, signals.alive.code.as_str()),
        (Some(false), "no_answer")
    );
    assert_eq!(provider.asked.load(Ordering::SeqCst), 0);

    std::fs::create_dir(volume.path().join("regtest")).unwrap();
    std::fs::write(
        volume.path().join("regtest/.cookie"),
        "__cookie__:hunter2\n",
    )
    .unwrap();
    let signals = prober.signals(&target, &empty_vault()).await;
    assert_eq!(
        (signals.alive.ok, signals.alive.text.as_str()),
        (Some(true), "It counts 7.")
    );
}

fn is_send<F: Future + Send>(future: F) -> F {
    future
}

#[tokio::test]
async fn a_round_can_be_carried_by_any_thread() {
    let (service, manifest) = (ServiceId::new("thing").unwrap(), manifest(LOCKED_THING));
    let mut target = target(&service, &manifest, SocketAddr::from(([127, 0, 0, 1], 1)));
    target.standing = Standing::Down {
        code: "stopped".to_owned(),
        text: "x".to_owned(),
    };
    let (prober, vault) = (Prober::new(), empty_vault());
    is_send(prober.signals(&target, &vault)).await;
}
