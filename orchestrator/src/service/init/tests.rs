//! Init jobs against small real servers and real programs.

use std::sync::Arc;
use std::sync::Mutex;

use async_trait::async_trait;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use axum::routing::post;
use futures::stream::BoxStream;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::*;
use crate::clock::UnixMillis;
use crate::id::ServiceId;
use crate::manifest::schema::Manifest;
use crate::manifest::schema::StopSignal;
use crate::runtime::DropStage;
use crate::runtime::Exit;
use crate::runtime::Instance;
use crate::runtime::JobOutcome;
use crate::runtime::LogLine;
use crate::runtime::LogQuery;
use crate::runtime::RuntimeError;
use crate::runtime::RuntimeKind;
use crate::service::health::Withheld;
use crate::service::health::tests::SealedVault;
use crate::service::health::tests::manifest;
use crate::service::health::tests::name;
use crate::service::health::tests::target;
use crate::service::probe::ProbeError;
use crate::service::spec::LimitSpec;
use crate::service::spec::SpecHash;
use crate::service::spec::StopSpec;

mod cut_short;
mod lightning;

/// A vault in memory; `full` refuses to store anything more.
#[derive(Default)]
struct Vault {
    kept: Mutex<BTreeMap<SecretRef, SecretBytes>>,
    full_after: Mutex<Option<usize>>,
}

impl Vault {
    fn holding(key: &str, value: &str) -> Self {
        let vault = Self::default();
        vault
            .store(
                &SecretKey(key.to_owned()),
                SecretBytes::from(value.to_owned()),
            )
            .unwrap();
        vault
    }

    fn value(&self, key: &str) -> Option<String> {
        let newest = self.existing(&SecretKey(key.to_owned())).unwrap()?;
        let kept = self.kept.lock().unwrap();
        Some(kept[&newest].expose_text().unwrap().to_owned())
    }
}

impl SecretSource for Vault {
    fn secret(&self, secret: &SecretRef) -> Result<SecretBytes, SecretUnavailable> {
        self.kept.lock().unwrap().secret(secret)
    }
}

impl SecretSink for Vault {
    fn existing(&self, key: &SecretKey) -> Result<Option<SecretRef>, SecretUnavailable> {
        let kept = self.kept.lock().unwrap();
        Ok(kept.keys().rfind(|secret| secret.key == *key).cloned())
    }

    fn store(&self, key: &SecretKey, value: SecretBytes) -> Result<SecretRef, SecretUnavailable> {
        let generation = self
            .existing(key)?
            .map_or(1, |newest| newest.generation + 1);
        let mut kept = self.kept.lock().unwrap();
        if self
            .full_after
            .lock()
            .unwrap()
            .is_some_and(|most| kept.len() >= most)
        {
            return Err(SecretUnavailable::Unreadable("disk full".to_owned()));
        }
        let secret = SecretRef {
            key: key.clone(),
            generation,
        };
        kept.insert(secret.clone(), value);
        Ok(secret)
    }
}

impl SecretSink for SealedVault {
    fn existing(&self, _: &SecretKey) -> Result<Option<SecretRef>, SecretUnavailable> {
        Err(SecretUnavailable::Sealed)
    }

    fn store(&self, _: &SecretKey, _: SecretBytes) -> Result<SecretRef, SecretUnavailable> {
        Err(SecretUnavailable::Sealed)
    }
}

/// Runs jobs as children of the test; it has no services.
struct JobRunner;

#[async_trait]
impl Runtime for JobRunner {
    fn kind(&self) -> RuntimeKind {
        RuntimeKind::Fake
    }

    async fn ensure(&self, _: &Unit) -> Result<(), RuntimeError> {
        unreachable!("init jobs start no service")
    }

    async fn drop(&self, _: &ServiceId, _: StopSpec, _: DropStage) -> Result<(), RuntimeError> {
        unreachable!("init jobs stop no service")
    }

    async fn list(
        &self,
    ) -> Result<BTreeMap<ServiceId, Result<Instance, RuntimeError>>, RuntimeError> {
        unreachable!("init jobs list no service")
    }

    fn watch(&self) -> tokio::sync::watch::Receiver<u64> {
        unreachable!("init jobs watch no service")
    }

    async fn logs(
        &self,
        _: &ServiceId,
        _: LogQuery,
    ) -> Result<BoxStream<'static, LogLine>, RuntimeError> {
        unreachable!("init jobs read no log")
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the test's runtime runs real programs"
    )]
    async fn run_job(&self, _: &Unit, job: &Job) -> Result<JobOutcome, RuntimeError> {
        if let Some(folder) = &job.clears {
            layout::empty(folder).unwrap();
        }
        let output = std::process::Command::new(&job.program)
            .args(&job.args)
            .env_clear()
            .output()
            .map_err(|source| RuntimeError::NoProgram {
                service: ServiceId::new("thing").unwrap(),
                program: job.program.clone(),
                source,
            })?;
        Ok(JobOutcome {
            exit: Exit {
                code: output.status.code(),
                signal: std::os::unix::process::ExitStatusExt::signal(&output.status),
                at: UnixMillis(0),
            },
            tail: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }
}

fn unit(service: &ServiceId) -> Unit {
    Unit {
        service: service.clone(),
        spec_hash: SpecHash("v1:0".to_owned()),
        program: PathBuf::from("/nothing"),
        args: Vec::new(),
        env: BTreeMap::new(),
        files: BTreeMap::new(),
        image: None,
        folder: None,
        volumes: Vec::new(),
        network: crate::service::spec::NetworkSpec::default(),
        addresses: BTreeMap::new(),
        stop: StopSpec {
            signal: StopSignal::Term,
            grace_seconds: 1,
        },
        limits: LimitSpec {
            memory_mib: 64,
            pids: 16,
        },
        uid: None,
    }
}

/// Notes in memory.
#[derive(Default)]
struct Noted(Mutex<BTreeSet<Name>>);

impl JobNotes for Noted {
    fn begun(&self, job: &Name) -> Result<bool, NotNoted> {
        Ok(self.0.lock().unwrap().contains(job))
    }

    fn begin(&self, job: &Name) -> Result<(), NotNoted> {
        self.0.lock().unwrap().insert(job.clone());
        Ok(())
    }

    fn end(&self, job: &Name) -> Result<(), NotNoted> {
        self.0.lock().unwrap().remove(job);
        Ok(())
    }
}

/// Runs the jobs of `target` as a caller would.
async fn run_all<V: SecretSource + SecretSink>(
    when: InitWhen,
    target: &HealthTarget<'_>,
    vault: &V,
    finished: &[&str],
) -> InitReport {
    run_noted(when, target, vault, finished, &Noted::default()).await
}

async fn run_noted<V: SecretSource + SecretSink>(
    when: InitWhen,
    target: &HealthTarget<'_>,
    vault: &V,
    finished: &[&str],
    notes: &dyn JobNotes,
) -> InitReport {
    let finished = finished.iter().copied().map(name).collect();
    let programs = BTreeMap::from([("sh".to_owned(), PathBuf::from("/bin/sh"))]);
    let unit = unit(target.service);
    let jobs = InitJobs {
        target,
        prober: &Prober::new(),
        unit: &unit,
        runtime: &JobRunner,
        programs: &programs,
        secrets: vault,
        sink: vault,
        notes,
        finished: &finished,
    };
    run(when, &jobs).await
}

fn codes(report: &InitReport) -> Vec<&'static str> {
    report.jobs.iter().map(|job| job.code).collect()
}

const HEALTH: &str = r#"
[[health.alive]]
ok = true
code = "alive"
text = "x"
[[health.ready]]
ok = false
code = "x"
text = "x"
"#;

#[tokio::test]
async fn a_run_job_runs_once_by_its_guard_file() {
    let manifest = manifest(&format!(
        r#"{HEALTH}
[volumes.data]
class = "rebuildable"
holds = "x"
[[init]]
name = "make_data"
when = "before_start"
unless_exists = {{ volume = "data", path = "made" }}
[[init.steps]]
run = {{ command = "sh", args = ["-c", "echo {{{{ setting.word }}}} >> {{{{ volume.data.path }}}}/made"] }}
"#
    ));
    let service = ServiceId::new("thing").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut target = target(&service, &manifest, "127.0.0.1:1".parse().unwrap());
    target
        .volumes
        .insert(name("data"), folder.path().to_owned());
    target.variables["volume"]["data"]["path"] = folder.path().display().to_string().into();
    let vault = Vault::default();
    let report = run_all(InitWhen::BeforeStart, &target, &vault, &[]).await;
    assert_eq!(codes(&report), ["done"], "{report:?}");
    assert!(report.jobs[0].finished);
    let report = run_all(InitWhen::BeforeStart, &target, &vault, &[]).await;
    assert_eq!(codes(&report), ["exists"]);
    let report = run_all(InitWhen::BeforeStart, &target, &vault, &["make_data"]).await;
    assert_eq!(codes(&report), ["already_done"]);
    assert!(
        run_all(InitWhen::Alive, &target, &vault, &[])
            .await
            .jobs
            .is_empty()
    );
    let made = std::fs::read_to_string(folder.path().join("made")).unwrap();
    assert_eq!(made, "hello\n");
}

#[tokio::test]
async fn a_failed_job_stops_those_after_it_and_shows_no_output() {
    let manifest = manifest(&format!(
        r#"{HEALTH}
[[init]]
name = "fails"
when = "before_start"
[[init.steps]]
run = {{ command = "sh", args = ["-c", "echo hunter2 >&2; exit 3"] }}
[[init]]
name = "after"
when = "before_start"
[[init.steps]]
run = {{ command = "sh", args = ["-c", "exit 0"] }}
"#
    ));
    let service = ServiceId::new("thing").unwrap();
    let target = target(&service, &manifest, "127.0.0.1:1".parse().unwrap());
    let report = run_all(InitWhen::BeforeStart, &target, &Vault::default(), &[]).await;
    assert_eq!(codes(&report), ["failed"]);
    assert_eq!(
        report.jobs[0].text,
        "step 1 of init job fails failed: sh ended with exit code 3"
    );
    let printed = format!("{report:?}");
    assert!(!printed.contains("hunter2"), "{printed}");
    assert!(matches!(
        report.failed,
        Some(InitError::Failed { tail, .. }) if tail.expose() == b"hunter2\n"
    ));
}

#[tokio::test]
async fn an_argument_with_a_secret_and_an_unknown_program_are_refused() {
    let service = ServiceId::new("thing").unwrap();
    for (step, wanted) in [
        (
            r#"run = { command = "sh", args = ["-c", "echo {{ secret.word.value }}"] }"#,
            "does not render",
        ),
        (r#"run = { command = "no-such-program" }"#, "not installed"),
    ] {
        let manifest = manifest(&format!(
            "{HEALTH}\n[secrets.word]\nmake = \"password\"\nholds = \"x\"\n[[init]]\nname = \"job\"\nwhen = \"before_start\"\n[[init.steps]]\n{step}\n"
        ));
        let mut target = target(&service, &manifest, "127.0.0.1:1".parse().unwrap());
        let secret = SecretRef {
            key: SecretKey("service/thing/word".to_owned()),
            generation: 1,
        };
        // As `service::resolve` puts it: a marker.
        let marker = crate::service::marker::marker(&secret, crate::service::marker::Form::Plain);
        target.variables["secret"]["word"]["value"] = marker.into();
        target.secrets.insert(name("word"), secret);
        let vault = Vault::holding("service/thing/word", "hunter2");
        let report = run_all(InitWhen::BeforeStart, &target, &vault, &[]).await;
        assert!(
            report.jobs[0].text.contains(wanted),
            "{}",
            report.jobs[0].text
        );
    }
}

/// A service that makes a new seed each time it is asked for one, as LND does, and takes the first.
#[derive(Default)]
struct Wallet {
    seeds: Mutex<u32>,
    made_from: Mutex<Option<String>>,
}

struct WalletServer {
    address: std::net::SocketAddr,
    wallet: Arc<Wallet>,
    _tasks: JoinSet<()>,
}

async fn wallet_server() -> WalletServer {
    let wallet = Arc::new(Wallet::default());
    let state = async |State(wallet): State<Arc<Wallet>>| {
        let made = wallet.made_from.lock().unwrap().is_some();
        if made {
            r#"{"state":"ACTIVE"}"#
        } else {
            r#"{"state":"NONE"}"#
        }
    };
    let seed = async |State(wallet): State<Arc<Wallet>>| {
        let mut seeds = wallet.seeds.lock().unwrap();
        *seeds += 1;
        format!(r#"{{"words":["w{seeds}","x"],"fingerprint":"f{seeds}"}}"#)
    };
    let make = async |State(wallet): State<Arc<Wallet>>, body: String| {
        let mut made = wallet.made_from.lock().unwrap();
        if made.is_some() {
            return (axum::http::StatusCode::CONFLICT, "{}");
        }
        *made = Some(body);
        (axum::http::StatusCode::OK, r#"{"macaroon":"bWFj"}"#)
    };
    let router = Router::new()
        .route("/state", get(state))
        .route("/seed", get(seed))
        .route("/make", post(make))
        .with_state(wallet.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
    WalletServer {
        address,
        wallet,
        _tasks: tasks,
    }
}

fn wallet_manifest() -> Manifest {
    manifest(&format!(
        r#"{HEALTH}
[secrets.password]
make = "password"
holds = "x"
[secrets.words]
make = "captured"
holds = "x"
[secrets.fingerprint]
make = "captured"
holds = "x"
[secrets.macaroon]
make = "captured"
holds = "x"
[probes.state]
kind = "http"
port = "main"
path = "/state"
timeout_ms = 20000
[[init]]
name = "make_wallet"
when = "alive"
only_if = [{{ probe = "state", pointer = "/state", equals = "NONE" }}]
[[init.steps]]
ask = {{ kind = "http", port = "main", path = "/seed", timeout_ms = 20000 }}
capture = [{{ pointer = "/words", secret = "words" }}, {{ pointer = "/fingerprint", secret = "fingerprint" }}]
[[init.steps]]
capture = [{{ pointer = "/macaroon", secret = "macaroon" }}]
[init.steps.ask]
kind = "http"
method = "POST"
port = "main"
path = "/make"
timeout_ms = 20000
body = '''{{"words": {{{{ secret.words.value }}}}, "password": "{{{{ secret.password.value | base64 }}}}"}}'''
"#
    ))
}

fn wallet_target<'a>(
    service: &'a ServiceId,
    manifest: &'a Manifest,
    server: &WalletServer,
) -> HealthTarget<'a> {
    let mut target = target(service, manifest, server.address);
    target.secrets.insert(
        name("password"),
        SecretRef {
            key: SecretKey("service/thing/password".to_owned()),
            generation: 1,
        },
    );
    target
}

#[tokio::test]
async fn what_a_step_captures_is_kept_and_used_by_the_next() {
    let (server, manifest) = (wallet_server().await, wallet_manifest());
    let service = ServiceId::new("thing").unwrap();
    let target = wallet_target(&service, &manifest, &server);
    let vault = Vault::holding("service/thing/password", "hunter2");
    let report = run_all(InitWhen::Alive, &target, &vault, &[]).await;
    assert_eq!(codes(&report), ["done"], "{report:?}");
    assert_eq!(vault.value("service/thing/words").unwrap(), r#"["w1","x"]"#);
    assert_eq!(vault.value("service/thing/fingerprint").unwrap(), "f1");
    assert_eq!(vault.value("service/thing/macaroon").unwrap(), "bWFj");
    let made_from = server.wallet.made_from.lock().unwrap().clone().unwrap();
    assert_eq!(
        made_from,
        r#"{"words": ["w1","x"], "password": "aHVudGVyMg=="}"#
    );

    let report = run_all(InitWhen::Alive, &target, &vault, &[]).await;
    assert_eq!(codes(&report), ["not_needed"]);
    assert!(!report.jobs[0].finished);
    assert_eq!(*server.wallet.seeds.lock().unwrap(), 1);
}

#[tokio::test]
async fn a_seed_that_could_not_be_kept_is_never_used_and_a_later_run_starts_over() {
    let (server, manifest) = (wallet_server().await, wallet_manifest());
    let service = ServiceId::new("thing").unwrap();
    let target = wallet_target(&service, &manifest, &server);
    let vault = Vault::holding("service/thing/password", "hunter2");
    // The words fit in, the fingerprint does not: what was captured is incomplete.
    *vault.full_after.lock().unwrap() = Some(2);
    let report = run_all(InitWhen::Alive, &target, &vault, &[]).await;
    assert!(
        matches!(report.failed, Some(InitError::NotStored { .. })),
        "{report:?}"
    );
    assert!(server.wallet.made_from.lock().unwrap().is_none());

    *vault.full_after.lock().unwrap() = None;
    let report = run_all(InitWhen::Alive, &target, &vault, &[]).await;
    assert_eq!(codes(&report), ["done"], "{report:?}");
    // Both values are of one answer.
    assert_eq!(vault.value("service/thing/words").unwrap(), r#"["w2","x"]"#);
    assert_eq!(vault.value("service/thing/fingerprint").unwrap(), "f2");
}

#[tokio::test]
async fn a_run_after_a_crash_between_steps_uses_the_seed_that_was_kept() {
    let (server, manifest) = (wallet_server().await, wallet_manifest());
    let service = ServiceId::new("thing").unwrap();
    let target = wallet_target(&service, &manifest, &server);
    let vault = Vault::holding("service/thing/password", "hunter2");
    for (key, value) in [("words", r#"["old","x"]"#), ("fingerprint", "old")] {
        let key = SecretKey(format!("service/thing/{key}"));
        vault
            .store(&key, SecretBytes::from(value.to_owned()))
            .unwrap();
    }
    let report = run_all(InitWhen::Alive, &target, &vault, &[]).await;
    assert_eq!(codes(&report), ["done"], "{report:?}");
    assert_eq!(*server.wallet.seeds.lock().unwrap(), 0);
    let made_from = server.wallet.made_from.lock().unwrap().clone().unwrap();
    assert!(made_from.contains(r#"["old","x"]"#), "{made_from}");
}

#[tokio::test]
async fn a_wallet_that_is_gone_is_not_silently_replaced() {
    let (server, manifest) = (wallet_server().await, wallet_manifest());
    let service = ServiceId::new("thing").unwrap();
    let target = wallet_target(&service, &manifest, &server);
    let vault = Vault::holding("service/thing/password", "hunter2");
    run_all(InitWhen::Alive, &target, &vault, &[]).await;
    *server.wallet.made_from.lock().unwrap() = None;
    let report = run_all(InitWhen::Alive, &target, &vault, &[]).await;
    assert!(
        matches!(report.failed, Some(InitError::CapturedBefore { .. })),
        "{report:?}"
    );
    assert!(server.wallet.made_from.lock().unwrap().is_none());
}

#[tokio::test]
async fn a_sealed_vault_keeps_the_service_from_making_a_seed() {
    let (server, manifest) = (wallet_server().await, wallet_manifest());
    let service = ServiceId::new("thing").unwrap();
    let target = wallet_target(&service, &manifest, &server);
    let report = run_all(InitWhen::Alive, &target, &SealedVault, &[]).await;
    assert!(
        matches!(
            report.failed,
            Some(InitError::Secret {
                why: Withheld::Sealed,
                ..
            })
        ),
        "{report:?}"
    );
    assert_eq!(*server.wallet.seeds.lock().unwrap(), 0);
}

#[tokio::test]
async fn a_silence_does_not_say_that_a_job_is_not_needed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let (server, manifest) = (wallet_server().await, wallet_manifest());
    let service = ServiceId::new("thing").unwrap();
    let mut target = wallet_target(&service, &manifest, &server);
    target.addresses.insert(name("main"), address);
    let report = run_all(InitWhen::Alive, &target, &Vault::default(), &[]).await;
    assert!(
        matches!(
            report.failed,
            Some(InitError::Undecided {
                reason: ProbeError::Refused,
                ..
            })
        ),
        "{report:?}"
    );
}

#[tokio::test]
async fn an_answer_without_the_value_to_capture_stores_nothing() {
    let (server, _) = (wallet_server().await, ());
    let manifest = manifest(&format!(
        r#"{HEALTH}
[secrets.fingerprint]
make = "captured"
holds = "x"
[secrets.nothing]
make = "captured"
holds = "x"
[[init]]
name = "job"
when = "alive"
[[init.steps]]
ask = {{ kind = "http", port = "main", path = "/seed", timeout_ms = 20000 }}
capture = [{{ pointer = "/fingerprint", secret = "fingerprint" }}, {{ pointer = "/no/such", secret = "nothing" }}]
"#
    ));
    let service = ServiceId::new("thing").unwrap();
    let target = target(&service, &manifest, server.address);
    let vault = Vault::default();
    let report = run_all(InitWhen::Alive, &target, &vault, &[]).await;
    assert!(
        matches!(report.failed, Some(InitError::NotCaptured { .. })),
        "{report:?}"
    );
    assert!(vault.kept.lock().unwrap().is_empty());
}
