//! Owns the one suite that every runtime passes, expanded by [`runtime_conformance!`](crate::runtime_conformance).
//!
//! It knows a runtime through its trait alone; what a program does is said by [`Act`] and put into a unit by the
//! [`Bench`] of each runtime.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use futures::StreamExt;
use tokio::sync::watch;

use super::DropStage;
use super::ImageId;
use super::Instance;
use super::InstanceState;
use super::Job;
use super::LogQuery;
use super::Mount;
use super::Runtime;
use super::RuntimeError;
use super::Unit;
use crate::clock::UnixMillis;
use crate::id::Name;
use crate::id::ServiceId;
use crate::manifest::schema::StopSignal;
use crate::secret::SecretBytes;
use crate::service::spec::LimitSpec;
use crate::service::spec::NetworkSpec;
use crate::service::spec::SpecHash;
use crate::service::spec::StopSpec;

/// What a program or job of the suite does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Runs until a signal ends it.
    Runs,
    /// Prints `ready`, then `asked` whenever it is asked to stop, and goes on.
    Ignores,
    /// Prints `out` and ends with this code.
    Exits(i32),
    /// Prints its whole environment as `NAME=VALUE` and each of its files as `NAME VALUE`, then `done`, and runs.
    Shows,
    /// Prints `one` to `five`, and runs.
    Counts,
    /// Runs for ever as a job.
    Hangs,
}

/// What the suite needs of a runtime beside its trait.
pub trait Bench: Send + Sync {
    /// Returns the node's runtime.
    fn runtime(&self) -> &dyn Runtime;

    /// Ends the node, as a crash would, and begins another on the same machine.
    fn restart_node(&mut self);

    /// Returns a folder for data of `service`.
    fn volume(&self, service: &ServiceId) -> PathBuf;

    /// Returns the image in which the programs of the suite run, where the runtime has images.
    fn image(&self) -> Option<ImageId> {
        None
    }

    /// Returns where the program finds its volume.
    fn mount(&self, service: &ServiceId) -> Mount {
        let on_host = self.volume(service);
        Mount {
            inside: on_host.clone(),
            on_host,
        }
    }

    /// Returns program and arguments of `act`. A runtime in memory notes it for `service` instead.
    fn program(&self, service: &ServiceId, act: &Act) -> (PathBuf, Vec<String>);

    /// Notes what `job` does, where the runtime is in memory.
    fn note_job(&self, service: &ServiceId, job: &Name, act: &Act);

    /// Makes `service` print `line` while it runs [`Act::Counts`].
    fn print(&self, service: &ServiceId, line: &str);

    /// Leaves `unit` recorded and not started, as a node that died in between would.
    fn leave_prepared(&self, unit: &Unit) -> impl Future<Output = ()> + Send;

    /// Checks, where files are real, that those of `service` are its own alone: mode 0400 in a folder 0500.
    fn check_files(&self, service: &ServiceId, names: &[&str]);
}

/// Nothing here takes longer on a machine that works. Units: seconds.
const PATIENCE: Duration = Duration::from_secs(60);

const STOP: StopSpec = StopSpec {
    signal: StopSignal::Term,
    grace_seconds: 10,
};

fn service(name: &str) -> ServiceId {
    ServiceId::new(name).expect("the suite names services well")
}

fn name(name: &str) -> Name {
    Name::new(name).expect("the suite names things well")
}

fn unit<B: Bench>(bench: &B, id: &str, act: &Act) -> Unit {
    let service = service(id);
    let (program, args) = bench.program(&service, act);
    Unit {
        spec_hash: SpecHash(format!("v1:{id}-{act:?}")),
        program,
        args,
        env: BTreeMap::new(),
        files: BTreeMap::new(),
        image: bench.image(),
        folder: None,
        volumes: vec![bench.mount(&service)],
        addresses: BTreeMap::new(),
        network: NetworkSpec::default(),
        stop: STOP,
        limits: LimitSpec {
            memory_mib: 64,
            pids: 64,
        },
        uid: None,
        service,
    }
}

async fn seen<B: Bench>(bench: &B, service: &ServiceId) -> Option<Instance> {
    let mut listed = bench.runtime().list().await.expect("services are listed");
    listed
        .remove(service)
        .map(|one| one.expect("the record is whole"))
}

/// Waits until `holds` of the instance of `service`, at every move of the runtime's counter.
async fn until<B: Bench>(
    bench: &B,
    service: &ServiceId,
    holds: impl Fn(&Instance) -> bool,
) -> Instance {
    let waited = tokio::time::timeout(PATIENCE, async {
        let mut changes = bench.runtime().watch();
        loop {
            if let Some(instance) = seen(bench, service).await
                && holds(&instance)
            {
                return instance;
            }
            moved(&mut changes).await;
        }
    });
    waited
        .await
        .unwrap_or_else(|_| panic!("{service} never got there"))
}

async fn moved(changes: &mut watch::Receiver<u64>) {
    changes.changed().await.expect("the runtime lives");
}

fn ended(instance: &Instance) -> bool {
    matches!(instance.state, InstanceState::Exited(_))
}

async fn running<B: Bench>(bench: &B, unit: &Unit) -> (u32, UnixMillis) {
    bench.runtime().ensure(unit).await.expect("it starts");
    standing(bench, unit).await
}

async fn standing<B: Bench>(bench: &B, unit: &Unit) -> (u32, UnixMillis) {
    let instance = seen(bench, &unit.service).await.expect("it is listed");
    assert_eq!(instance.spec_hash, unit.spec_hash);
    assert!(instance.supervised, "{instance:?}");
    match (instance.state, instance.started_at) {
        (InstanceState::Running { pid }, Some(at)) => (pid, at),
        other => panic!("{} does not run: {other:?}", unit.service),
    }
}

async fn go_down<B: Bench>(bench: &B, service: &ServiceId) {
    for stage in [DropStage::Kill, DropStage::Clean] {
        let dropped = tokio::time::timeout(PATIENCE, async {
            until_gone_or(bench, service, stage).await;
        });
        dropped.await.expect("it goes down");
    }
}

/// Drops what has ended. Its supervisor may be on its way out still, and hold the records for that long.
async fn dropped<B: Bench>(bench: &B, service: &ServiceId, stage: DropStage) {
    let down = tokio::time::timeout(PATIENCE, async {
        loop {
            match bench.runtime().drop(service, STOP, stage).await {
                Err(RuntimeError::StillRuns { .. }) => tokio::task::yield_now().await,
                done => return done,
            }
        }
    });
    let down = down.await.expect("its records are let go of");
    down.expect("it is dropped");
}

async fn until_gone_or<B: Bench>(bench: &B, service: &ServiceId, stage: DropStage) {
    dropped(bench, service, stage).await;
    if stage == DropStage::Kill && seen(bench, service).await.is_some() {
        until(bench, service, |instance| {
            !matches!(instance.state, InstanceState::Running { .. })
        })
        .await;
    }
}

async fn printed<B: Bench>(bench: &B, service: &ServiceId, last: &str) -> Vec<String> {
    let query = LogQuery {
        tail: 1000,
        follow: true,
    };
    let mut lines = bench
        .runtime()
        .logs(service, query)
        .await
        .expect("logs are readable");
    let mut texts = Vec::new();
    let read = tokio::time::timeout(PATIENCE, async {
        while let Some(line) = lines.next().await {
            texts.push(line.text);
            if texts.last().is_some_and(|text| text == last) {
                return;
            }
        }
    });
    let arrived = read.await.is_ok();
    assert!(arrived, "`{last}` was never printed: {texts:?}");
    texts
}

/// A second `ensure` of what runs changes nothing.
pub async fn ensure_leaves_a_running_program_alone<B: Bench>(bench: B) {
    let unit = unit(&bench, "alpha", &Act::Runs);
    let first = running(&bench, &unit).await;
    assert_eq!(running(&bench, &unit).await, first);
    go_down(&bench, &unit.service).await;
}

/// What runs is never replaced under another specification.
pub async fn ensure_refuses_another_specification_while_one_runs<B: Bench>(bench: B) {
    let unit = unit(&bench, "alpha", &Act::Runs);
    let first = running(&bench, &unit).await;
    let other = Unit {
        spec_hash: SpecHash("v1:other".to_owned()),
        ..unit.clone()
    };
    let refused = bench.runtime().ensure(&other).await;
    let Err(RuntimeError::Conflict { running, .. }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(running, unit.spec_hash);
    assert_eq!(standing(&bench, &unit).await, first);
    go_down(&bench, &unit.service).await;
}

/// The stop signal is what ends a program that was asked.
pub async fn ask_ends_a_program_by_its_stop_signal<B: Bench>(bench: B) {
    let unit = unit(&bench, "alpha", &Act::Runs);
    running(&bench, &unit).await;
    let stop = StopSpec {
        signal: StopSignal::Int,
        ..STOP
    };
    bench
        .runtime()
        .drop(&unit.service, stop, DropStage::Ask)
        .await
        .expect("it is asked");
    let instance = until(&bench, &unit.service, ended).await;
    let InstanceState::Exited(exit) = instance.state else {
        unreachable!("it has ended");
    };
    assert_eq!((exit.code, exit.signal), (None, Some(2)));
    go_down(&bench, &unit.service).await;
}

/// Asking leaves a stubborn program running; killing does not.
pub async fn kill_ends_a_program_that_ignores_being_asked<B: Bench>(bench: B) {
    let unit = unit(&bench, "alpha", &Act::Ignores);
    let first = running(&bench, &unit).await;
    printed(&bench, &unit.service, "ready").await;
    let drop = |stage| bench.runtime().drop(&unit.service, STOP, stage);
    drop(DropStage::Ask).await.expect("it is asked");
    printed(&bench, &unit.service, "asked").await;
    assert_eq!(standing(&bench, &unit).await, first);
    drop(DropStage::Kill).await.expect("it is killed");
    let instance = until(&bench, &unit.service, ended).await;
    let InstanceState::Exited(exit) = instance.state else {
        unreachable!("it has ended");
    };
    assert_eq!((exit.code, exit.signal), (None, Some(9)));
    go_down(&bench, &unit.service).await;
}

/// An exit code is reported, and the next `ensure` starts the program again.
pub async fn exit_code_is_reported_and_ensure_starts_again<B: Bench>(bench: B) {
    let unit = unit(&bench, "alpha", &Act::Exits(7));
    bench.runtime().ensure(&unit).await.expect("it starts");
    let instance = until(&bench, &unit.service, ended).await;
    let InstanceState::Exited(exit) = instance.state else {
        unreachable!("it has ended");
    };
    assert_eq!((exit.code, exit.signal), (Some(7), None));
    assert!(instance.started_at.is_some());
    printed(&bench, &unit.service, "out").await;

    let (program, args) = bench.program(&unit.service, &Act::Runs);
    let again = Unit {
        spec_hash: SpecHash("v1:again".to_owned()),
        program,
        args,
        ..unit
    };
    running(&bench, &again).await;
    go_down(&bench, &again.service).await;
}

/// A start that never happened is listed as such and carried out by the next `ensure`.
pub async fn prepared_service_is_started_by_the_next_ensure<B: Bench>(bench: B) {
    let unit = unit(&bench, "alpha", &Act::Runs);
    bench.leave_prepared(&unit).await;
    let instance = seen(&bench, &unit.service).await.expect("it is listed");
    assert_eq!(instance.state, InstanceState::Prepared);
    assert_eq!(instance.started_at, None);
    running(&bench, &unit).await;
    go_down(&bench, &unit.service).await;
}

/// Every stage of `drop` may be repeated, also for what never was.
pub async fn drop_may_be_repeated_at_every_stage<B: Bench>(bench: B) {
    let unit = unit(&bench, "alpha", &Act::Runs);
    let all = [DropStage::Ask, DropStage::Kill, DropStage::Clean];
    let drop = |stage| bench.runtime().drop(&unit.service, STOP, stage);
    for stage in all {
        drop(stage).await.expect("what never was is down already");
    }
    running(&bench, &unit).await;
    drop(DropStage::Ask).await.expect("it is asked");
    drop(DropStage::Ask).await.expect("it is asked again");
    until(&bench, &unit.service, ended).await;
    for stage in all.into_iter().chain(all) {
        dropped(&bench, &unit.service, stage).await;
    }
    assert_eq!(seen(&bench, &unit.service).await, None);
}

/// Records of what runs are not removed.
pub async fn clean_refuses_while_the_program_runs<B: Bench>(bench: B) {
    let unit = unit(&bench, "alpha", &Act::Runs);
    let first = running(&bench, &unit).await;
    let refused = bench
        .runtime()
        .drop(&unit.service, STOP, DropStage::Clean)
        .await;
    assert!(
        matches!(refused, Err(RuntimeError::StillRuns { .. })),
        "{refused:?}"
    );
    assert_eq!(standing(&bench, &unit).await, first);
    go_down(&bench, &unit.service).await;
}

/// Data outlive the service.
pub async fn clean_keeps_volumes<B: Bench>(bench: B) {
    let unit = unit(&bench, "alpha", &Act::Runs);
    running(&bench, &unit).await;
    let kept = bench.volume(&unit.service).join("kept");
    std::fs::create_dir_all(bench.volume(&unit.service)).expect("a folder can be made");
    std::fs::write(&kept, "money").expect("a file can be written");
    go_down(&bench, &unit.service).await;
    assert_eq!(seen(&bench, &unit.service).await, None);
    assert_eq!(
        std::fs::read_to_string(&kept).expect("it is there"),
        "money"
    );
}

/// `list` says where a service listens.
pub async fn list_reports_addresses<B: Bench>(bench: B) {
    let address = SocketAddr::from(([127, 0, 0, 1], 4242));
    let unit = Unit {
        addresses: BTreeMap::from([(name("rpc"), address)]),
        ..unit(&bench, "alpha", &Act::Runs)
    };
    running(&bench, &unit).await;
    let instance = seen(&bench, &unit.service).await.expect("it is listed");
    assert_eq!(instance.addresses, unit.addresses);
    go_down(&bench, &unit.service).await;
}

/// The counter moves when a program ends by itself.
pub async fn watch_moves_when_a_program_ends<B: Bench>(bench: B) {
    let unit = unit(&bench, "alpha", &Act::Runs);
    let mut changes = bench.runtime().watch();
    running(&bench, &unit).await;
    tokio::time::timeout(PATIENCE, moved(&mut changes))
        .await
        .expect("a start moves it");
    bench
        .runtime()
        .drop(&unit.service, STOP, DropStage::Ask)
        .await
        .expect("it is asked");
    // `until` looks only when the counter moves.
    until(&bench, &unit.service, ended).await;
    go_down(&bench, &unit.service).await;
}

/// The newest lines come first in time order; a follower then gets what is printed later.
pub async fn logs_end_with_the_newest_lines_and_follow<B: Bench>(bench: B) {
    let unit = unit(&bench, "alpha", &Act::Counts);
    running(&bench, &unit).await;
    printed(&bench, &unit.service, "five").await;
    let query = |follow| LogQuery { tail: 2, follow };
    let logs = |follow| bench.runtime().logs(&unit.service, query(follow));
    let tail: Vec<String> = logs(false)
        .await
        .expect("logs are readable")
        .map(|line| line.text)
        .collect()
        .await;
    assert_eq!(tail, ["four", "five"]);
    let mut follower = logs(true).await.expect("logs are readable");
    bench.print(&unit.service, "six");
    for expected in ["four", "five", "six"] {
        let line = tokio::time::timeout(PATIENCE, follower.next())
            .await
            .expect("a line arrives")
            .expect("a follower does not end");
        assert_eq!(line.text, expected);
    }
    go_down(&bench, &unit.service).await;
}

/// A job's code and output come back.
pub async fn job_reports_its_exit_and_output<B: Bench>(bench: B) {
    let unit = unit(&bench, "alpha", &Act::Runs);
    let act = Act::Exits(3);
    bench.note_job(&unit.service, &name("init"), &act);
    let (program, args) = bench.program(&unit.service, &act);
    let job = Job {
        name: name("init"),
        program,
        args,
        timeout_seconds: 30,
        clears: None,
    };
    for _ in 0..2 {
        let outcome = bench.runtime().run_job(&unit, &job).await.expect("it runs");
        assert_eq!((outcome.exit.code, outcome.exit.signal), (Some(3), None));
        assert_eq!(outcome.tail, "out\n");
    }
}

/// What an earlier job left half done is removed first, and the service's other folders are not touched.
pub async fn job_clears_a_folder_before_it_begins<B: Bench>(bench: B) {
    let unit = unit(&bench, "alpha", &Act::Runs);
    let act = Act::Exits(0);
    bench.note_job(&unit.service, &name("init"), &act);
    let (program, args) = bench.program(&unit.service, &act);
    let folder = bench.volume(&unit.service);
    let kept = folder.with_file_name("kept");
    for folder in [folder.join("deep"), kept.clone()] {
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join("left"), "half").expect("a file");
    }
    std::os::unix::fs::symlink(&kept, folder.join("link")).expect("a link");
    let job = Job {
        name: name("init"),
        program,
        args,
        timeout_seconds: 30,
        clears: Some(folder.clone()),
    };
    let outcome = bench.runtime().run_job(&unit, &job).await.expect("it runs");
    assert_eq!(outcome.exit.code, Some(0));
    assert!(!folder.join("deep").exists() && !folder.join("link").exists());
    assert!(folder.exists() && kept.join("left").exists());
    std::fs::remove_dir_all(&kept).expect("it is removed");
}

/// A job that takes too long is killed.
pub async fn job_is_killed_when_its_time_is_over<B: Bench>(bench: B) {
    let unit = unit(&bench, "alpha", &Act::Runs);
    let act = Act::Hangs;
    bench.note_job(&unit.service, &name("init"), &act);
    let (program, args) = bench.program(&unit.service, &act);
    let job = Job {
        name: name("init"),
        program,
        args,
        timeout_seconds: 1,
        clears: None,
    };
    let run = bench.runtime().run_job(&unit, &job);
    let outcome = tokio::time::timeout(PATIENCE, run)
        .await
        .expect("it ends")
        .expect("it runs");
    assert_eq!((outcome.exit.code, outcome.exit.signal), (None, Some(9)));
}

/// Environment and files are what was given and no more.
pub async fn program_sees_its_environment_and_files_alone<B: Bench>(bench: B) {
    let shows = unit(&bench, "alpha", &Act::Shows);
    let unit = Unit {
        env: BTreeMap::from([("GIVEN".to_owned(), "yes".to_owned())]),
        files: BTreeMap::from([
            (
                "a.conf".to_owned(),
                SecretBytes::from("first-value".to_owned()),
            ),
            (
                "b.token".to_owned(),
                SecretBytes::from("second-value".to_owned()),
            ),
        ]),
        ..shows
    };
    running(&bench, &unit).await;
    let mut lines = printed(&bench, &unit.service, "done").await;
    lines.pop();
    lines.sort();
    let home = bench
        .mount(&unit.service)
        .inside
        .to_string_lossy()
        .into_owned();
    assert_eq!(
        lines,
        [
            "GIVEN=yes".to_owned(),
            format!("HOME={home}"),
            "LANG=C.UTF-8".to_owned(),
            "PATH=/usr/local/bin:/usr/bin:/bin".to_owned(),
            "a.conf first-value".to_owned(),
            "b.token second-value".to_owned(),
        ]
    );
    bench.check_files(&unit.service, &["a.conf", "b.token"]);
    go_down(&bench, &unit.service).await;
}

/// Services do not touch each other.
pub async fn two_services_run_side_by_side<B: Bench>(bench: B) {
    let one = unit(&bench, "alpha", &Act::Runs);
    let two = unit(&bench, "beta", &Act::Runs);
    let (first, second) = tokio::join!(bench.runtime().ensure(&one), bench.runtime().ensure(&two));
    first.expect("it starts");
    second.expect("it starts");
    let kept = standing(&bench, &two).await;
    assert_ne!(standing(&bench, &one).await.0, kept.0);
    go_down(&bench, &one.service).await;
    assert_eq!(standing(&bench, &two).await, kept);
    assert_eq!(seen(&bench, &one.service).await, None);
    go_down(&bench, &two.service).await;
}

/// A node that dies and comes back finds what it left, untouched.
pub async fn node_that_returns_adopts_what_runs<B: Bench>(mut bench: B) {
    let unit = unit(&bench, "alpha", &Act::Runs);
    let first = running(&bench, &unit).await;
    bench.restart_node();
    assert_eq!(standing(&bench, &unit).await, first);
    assert_eq!(running(&bench, &unit).await, first);
    // Its end is noticed by the new node too.
    bench
        .runtime()
        .drop(&unit.service, STOP, DropStage::Ask)
        .await
        .expect("it is asked");
    let instance = until(&bench, &unit.service, ended).await;
    let InstanceState::Exited(exit) = instance.state else {
        unreachable!("it has ended");
    };
    assert_eq!(exit.signal, Some(15));
    go_down(&bench, &unit.service).await;
}

/// Expands the suite for the runtime that `$bench` makes; the caller's crate has `tokio`.
#[macro_export]
macro_rules! runtime_conformance {
    ($bench:expr) => {
        $crate::runtime_conformance! { $bench;
            ensure_leaves_a_running_program_alone
            ensure_refuses_another_specification_while_one_runs
            ask_ends_a_program_by_its_stop_signal
            kill_ends_a_program_that_ignores_being_asked
            exit_code_is_reported_and_ensure_starts_again
            prepared_service_is_started_by_the_next_ensure
            drop_may_be_repeated_at_every_stage
            clean_refuses_while_the_program_runs
            clean_keeps_volumes
            list_reports_addresses
            watch_moves_when_a_program_ends
            logs_end_with_the_newest_lines_and_follow
            job_reports_its_exit_and_output
            job_clears_a_folder_before_it_begins
            job_is_killed_when_its_time_is_over
            program_sees_its_environment_and_files_alone
            two_services_run_side_by_side
            node_that_returns_adopts_what_runs
        }
    };
    ($bench:expr; $($test:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                $crate::runtime::conformance::$test($bench).await;
            }
        )*
    };
}
