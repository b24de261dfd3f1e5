//! Owns a runtime in memory whose programs do what a test tells them.
//!
//! It starts nothing and touches no disk. A clone is another node looking at the same machine: dropping one and
//! making another is how a test lets the orchestrator die.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream;
use futures::stream::BoxStream;
use tokio::sync::watch;

use super::DropStage;
use super::Exit;
use super::Instance;
use super::InstanceState;
use super::Job;
use super::JobOutcome;
use super::LogLine;
use super::LogQuery;
use super::Runtime;
use super::RuntimeError;
use super::RuntimeKind;
use super::Unit;
use super::layout;
use crate::clock::Clock;
use crate::clock::UnixMillis;
use crate::id::Name;
use crate::id::ServiceId;
use crate::manifest::schema::StopSignal;
use crate::service::spec::SpecHash;
use crate::service::spec::StopSpec;

/// What a service's program does.
#[derive(Debug, Clone, Default)]
pub struct Behaviour {
    /// What happens when it is started.
    pub on_start: OnStart,
    /// What happens when it is asked to stop.
    pub on_ask: OnAsk,
    /// Whether being killed does not end it, as a program that waits for a broken disk.
    pub survives_kill: bool,
    /// Whether it first prints its environment as `NAME=VALUE`, and its files as `NAME VALUE`.
    pub prints_surroundings: bool,
    /// What it prints at its start.
    pub prints: Vec<String>,
}

/// What a program does when it is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnStart {
    /// It runs until it is stopped.
    #[default]
    Runs,
    /// It ends at once, with this code.
    Exits(i32),
    /// It is not seen to run until [`FakeRuntime::come_up`]; `ensure` answers with a timeout.
    Hangs,
}

/// What a program does when it is asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnAsk {
    /// The signal ends it.
    #[default]
    EndsBySignal,
    /// It ends by itself, with this code.
    Exits(i32),
    /// It notes that it was asked and goes on.
    Ignores,
}

/// What a job does.
#[derive(Debug, Clone)]
pub enum JobScript {
    /// It ends with this code and output.
    Exits(i32, String),
    /// It runs until its time is over.
    Hangs,
}

/// A verb that can be made to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// [`Runtime::ensure`]
    Ensure,
    /// [`Runtime::drop`]
    Drop,
    /// [`Runtime::run_job`]
    RunJob,
}

/// A failure to inject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The program cannot be executed.
    NoProgram,
    /// The disk is full.
    DiskFull,
    /// A record is damaged.
    Record,
    /// Nothing answered in time.
    Timeout,
    /// What ran before has not ended yet.
    StillRuns,
}

/// A runtime in memory.
#[derive(Clone)]
pub struct FakeRuntime {
    world: Arc<World>,
}

struct World {
    clock: Arc<dyn Clock>,
    changes: watch::Sender<u64>,
    machine: Mutex<Machine>,
}

#[derive(Default)]
struct Machine {
    services: BTreeMap<ServiceId, FakeService>,
    behaviours: BTreeMap<ServiceId, Behaviour>,
    jobs: BTreeMap<(ServiceId, Name), JobScript>,
    faults: VecDeque<(ServiceId, Verb, Fault)>,
    logs: BTreeMap<ServiceId, Vec<String>>,
    starts: BTreeMap<ServiceId, u32>,
    asks: BTreeMap<ServiceId, u32>,
    kills: BTreeMap<ServiceId, u32>,
    jobs_run: Vec<(ServiceId, Name)>,
    damaged: Vec<ServiceId>,
    last_pid: u32,
}

struct FakeService {
    unit: Unit,
    state: InstanceState,
    started_at: Option<UnixMillis>,
    running_hash: SpecHash,
    supervised: bool,
}

impl FakeRuntime {
    /// Makes an empty machine.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            world: Arc::new(World {
                clock,
                changes: watch::Sender::new(0),
                machine: Mutex::default(),
            }),
        }
    }

    /// Says what the program of `service` does from its next start on.
    pub fn behave(&self, service: &ServiceId, behaviour: Behaviour) {
        self.machine().behaviours.insert(service.clone(), behaviour);
    }

    /// Says what `job` of `service` does; unsaid, it ends with 0.
    pub fn script_job(&self, service: &ServiceId, job: &Name, script: JobScript) {
        self.machine()
            .jobs
            .insert((service.clone(), job.clone()), script);
    }

    /// Makes the next call of `verb` for `service` fail; several calls queue up.
    pub fn fail_next(&self, service: &ServiceId, verb: Verb, fault: Fault) {
        self.machine()
            .faults
            .push_back((service.clone(), verb, fault));
    }

    /// Ends the program of `service` as `code` or `signal` says.
    pub fn end(&self, service: &ServiceId, code: Option<i32>, signal: Option<i32>) {
        let at = self.world.clock.wall();
        if let Some(found) = self.machine().services.get_mut(service)
            && matches!(found.state, InstanceState::Running { .. })
        {
            found.state = InstanceState::Exited(Exit { code, signal, at });
            found.supervised = false;
        }
        self.changed();
    }

    /// Kills the supervisor of `service`; the program lives on.
    pub fn unsupervise(&self, service: &ServiceId) {
        if let Some(found) = self.machine().services.get_mut(service) {
            found.supervised = false;
        }
        self.changed();
    }

    /// Lets a program that hangs in its start come up.
    pub fn come_up(&self, service: &ServiceId) {
        let now = self.world.clock.wall();
        self.machine().run(service, now);
        self.changed();
    }

    /// Leaves `unit` as a node that died between recording and starting would.
    pub fn prepare(&self, unit: &Unit) {
        self.machine().prepare(unit);
        self.changed();
    }

    /// Damages the record of `service`, or mends it.
    pub fn damage(&self, service: &ServiceId, damaged: bool) {
        let mut machine = self.machine();
        machine.damaged.retain(|one| one != service);
        if damaged {
            machine.damaged.push(service.clone());
        }
        drop(machine);
        self.changed();
    }

    /// Makes `service` print a line.
    pub fn print(&self, service: &ServiceId, line: &str) {
        self.machine()
            .logs
            .entry(service.clone())
            .or_default()
            .push(line.to_owned());
        self.changed();
    }

    /// Counts how often the program of `service` was started.
    #[must_use]
    pub fn starts(&self, service: &ServiceId) -> u32 {
        self.machine().starts.get(service).copied().unwrap_or(0)
    }

    /// Counts how often the program of `service` was asked to stop.
    #[must_use]
    pub fn asks(&self, service: &ServiceId) -> u32 {
        self.machine().asks.get(service).copied().unwrap_or(0)
    }

    /// How often the program of `service` was killed.
    #[must_use]
    pub fn kills(&self, service: &ServiceId) -> u32 {
        self.machine().kills.get(service).copied().unwrap_or(0)
    }

    /// Lists the jobs that were run, in their order.
    #[must_use]
    pub fn jobs_run(&self) -> Vec<(ServiceId, Name)> {
        self.machine().jobs_run.clone()
    }

    /// Returns the unit from which `service` was last made.
    #[must_use]
    pub fn unit(&self, service: &ServiceId) -> Option<Unit> {
        self.machine()
            .services
            .get(service)
            .map(|found| found.unit.clone())
    }

    fn machine(&self) -> MutexGuard<'_, Machine> {
        self.world
            .machine
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self) {
        self.world.changes.send_modify(|count| *count += 1);
    }

    fn refused(&self, service: &ServiceId, verb: Verb) -> Result<(), RuntimeError> {
        let mut machine = self.machine();
        if machine.damaged.contains(service) {
            return Err(error_of(service, Fault::Record));
        }
        let queued = machine
            .faults
            .iter()
            .position(|(one, when, _)| one == service && *when == verb);
        let fault = queued.and_then(|index| machine.faults.remove(index));
        fault.map_or(Ok(()), |(_, _, fault)| Err(error_of(service, fault)))
    }
}

impl Machine {
    fn prepare(&mut self, unit: &Unit) {
        self.services.insert(
            unit.service.clone(),
            FakeService {
                unit: unit.clone(),
                state: InstanceState::Prepared,
                started_at: None,
                running_hash: unit.spec_hash.clone(),
                supervised: false,
            },
        );
    }

    fn run(&mut self, service: &ServiceId, now: UnixMillis) {
        self.last_pid += 1;
        let pid = self.last_pid;
        let Some(found) = self.services.get_mut(service) else {
            return;
        };
        let behaviour = self.behaviours.get(service).cloned().unwrap_or_default();
        *self.starts.entry(service.clone()).or_default() += 1;
        let log = self.logs.entry(service.clone()).or_default();
        if behaviour.prints_surroundings {
            log.extend(
                environment(&found.unit)
                    .iter()
                    .map(|(name, value)| format!("{name}={value}")),
            );
            log.extend(found.unit.files.iter().map(|(name, bytes)| {
                format!("{name} {}", bytes.expose_text().unwrap_or_default())
            }));
        }
        log.extend(behaviour.prints);
        found.started_at = Some(now);
        found.running_hash = found.unit.spec_hash.clone();
        found.state = match behaviour.on_start {
            OnStart::Runs | OnStart::Hangs => InstanceState::Running { pid },
            OnStart::Exits(code) => InstanceState::Exited(Exit {
                code: Some(code),
                signal: None,
                at: now,
            }),
        };
        found.supervised = matches!(found.state, InstanceState::Running { .. });
    }

    fn ask(&mut self, service: &ServiceId, signal: StopSignal, now: UnixMillis) {
        let behaviour = self.behaviours.get(service).cloned().unwrap_or_default();
        let Some(found) = self.services.get_mut(service) else {
            return;
        };
        if !matches!(found.state, InstanceState::Running { .. }) {
            return;
        }
        *self.asks.entry(service.clone()).or_default() += 1;
        let (code, signal) = match behaviour.on_ask {
            OnAsk::EndsBySignal => (None, Some(number(signal))),
            OnAsk::Exits(code) => (Some(code), None),
            OnAsk::Ignores => {
                self.logs
                    .entry(service.clone())
                    .or_default()
                    .push("asked".to_owned());
                return;
            }
        };
        found.state = InstanceState::Exited(Exit {
            code,
            signal,
            at: now,
        });
        found.supervised = false;
    }
}

#[async_trait]
impl Runtime for FakeRuntime {
    fn kind(&self) -> RuntimeKind {
        RuntimeKind::Fake
    }

    async fn ensure(&self, unit: &Unit) -> Result<(), RuntimeError> {
        self.refused(&unit.service, Verb::Ensure)?;
        let now = self.world.clock.wall();
        let mut machine = self.machine();
        if let Some(found) = machine.services.get_mut(&unit.service)
            && matches!(found.state, InstanceState::Running { .. })
        {
            if found.running_hash != unit.spec_hash {
                return Err(RuntimeError::Conflict {
                    service: unit.service.clone(),
                    running: found.running_hash.clone(),
                });
            }
            found.supervised = true;
            drop(machine);
            self.changed();
            return Ok(());
        }
        machine.prepare(unit);
        let behaviour = machine.behaviours.get(&unit.service);
        let hangs = behaviour.is_some_and(|behaviour| behaviour.on_start == OnStart::Hangs);
        if !hangs {
            machine.run(&unit.service, now);
        }
        drop(machine);
        self.changed();
        if hangs {
            return Err(error_of(&unit.service, Fault::Timeout));
        }
        Ok(())
    }

    async fn drop(
        &self,
        service: &ServiceId,
        stop: StopSpec,
        stage: DropStage,
    ) -> Result<(), RuntimeError> {
        self.refused(service, Verb::Drop)?;
        let now = self.world.clock.wall();
        match stage {
            DropStage::Ask => self.machine().ask(service, stop.signal, now),
            DropStage::Kill => {
                let survives = {
                    let mut machine = self.machine();
                    *machine.kills.entry(service.clone()).or_default() += 1;
                    let behaviour = machine.behaviours.get(service);
                    behaviour.is_some_and(|behaviour| behaviour.survives_kill)
                };
                if !survives {
                    self.end(service, None, Some(9));
                }
            }
            DropStage::Clean => {
                let mut machine = self.machine();
                let runs = machine
                    .services
                    .get(service)
                    .is_some_and(|found| matches!(found.state, InstanceState::Running { .. }));
                if runs {
                    return Err(RuntimeError::StillRuns {
                        service: service.clone(),
                    });
                }
                machine.services.remove(service);
            }
        }
        self.changed();
        Ok(())
    }

    async fn list(
        &self,
    ) -> Result<BTreeMap<ServiceId, Result<Instance, RuntimeError>>, RuntimeError> {
        let machine = self.machine();
        let mut listed: BTreeMap<_, _> = machine
            .services
            .iter()
            .map(|(service, found)| {
                let running = matches!(found.state, InstanceState::Running { .. });
                let instance = Instance {
                    service: service.clone(),
                    spec_hash: found.running_hash.clone(),
                    state: found.state,
                    started_at: found.started_at,
                    addresses: found.unit.addresses.clone(),
                    supervised: running && found.supervised,
                };
                (service.clone(), Ok(instance))
            })
            .collect();
        for service in &machine.damaged {
            listed.insert(service.clone(), Err(error_of(service, Fault::Record)));
        }
        Ok(listed)
    }

    fn watch(&self) -> watch::Receiver<u64> {
        self.world.changes.subscribe()
    }

    async fn logs(
        &self,
        service: &ServiceId,
        query: LogQuery,
    ) -> Result<BoxStream<'static, LogLine>, RuntimeError> {
        let changes = self.world.changes.subscribe();
        let lines = self.lines(service, 0);
        let position = lines.len();
        let skipped = position.saturating_sub(query.tail);
        let first = stream::iter(lines.into_iter().skip(skipped));
        if !query.follow {
            return Ok(first.boxed());
        }
        let begin = (self.clone(), service.clone(), position, changes);
        let rest = stream::unfold(begin, |(fake, service, position, mut changes)| async move {
            loop {
                let lines = fake.lines(&service, position);
                if !lines.is_empty() {
                    let position = position + lines.len();
                    return Some((stream::iter(lines), (fake, service, position, changes)));
                }
                changes.changed().await.ok()?;
            }
        });
        Ok(first.chain(rest.flatten()).boxed())
    }

    async fn run_job(&self, unit: &Unit, job: &Job) -> Result<JobOutcome, RuntimeError> {
        self.refused(&unit.service, Verb::RunJob)?;
        if let Some(folder) = &job.clears {
            layout::empty(folder).map_err(|source| RuntimeError::Io {
                service: unit.service.clone(),
                action: "removing what its job left when it was cut short",
                source,
            })?;
        }
        let at = self.world.clock.wall();
        let key = (unit.service.clone(), job.name.clone());
        let mut machine = self.machine();
        machine.jobs_run.push(key.clone());
        let (code, signal, tail) = match machine.jobs.get(&key) {
            Some(JobScript::Exits(code, tail)) => (Some(*code), None, tail.clone()),
            Some(JobScript::Hangs) => (None, Some(9), String::new()),
            None => (Some(0), None, String::new()),
        };
        Ok(JobOutcome {
            exit: Exit { code, signal, at },
            tail,
        })
    }
}

impl FakeRuntime {
    fn lines(&self, service: &ServiceId, from: usize) -> Vec<LogLine> {
        let machine = self.machine();
        let lines = machine.logs.get(service).map_or(&[][..], Vec::as_slice);
        lines
            .iter()
            .skip(from)
            .map(|text| LogLine { text: text.clone() })
            .collect()
    }
}

/// Returns the whole environment of a program: its own variables over the few that every runtime gives.
fn environment(unit: &Unit) -> BTreeMap<String, String> {
    let home = unit.volumes.first().map(|mount| mount.inside.clone());
    let home = home.unwrap_or_else(|| PathBuf::from("/"));
    let mut all = BTreeMap::from([
        ("HOME".to_owned(), home.to_string_lossy().into_owned()),
        ("LANG".to_owned(), "C.UTF-8".to_owned()),
        ("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned()),
    ]);
    all.extend(unit.env.clone());
    all
}

fn error_of(service: &ServiceId, fault: Fault) -> RuntimeError {
    let service = service.clone();
    match fault {
        Fault::NoProgram => RuntimeError::NoProgram {
            service,
            program: PathBuf::from("/fake/program"),
            source: io::ErrorKind::NotFound.into(),
        },
        Fault::DiskFull => RuntimeError::Io {
            service,
            action: "recording what is to run",
            source: io::ErrorKind::StorageFull.into(),
        },
        Fault::Record => RuntimeError::Record { service },
        Fault::Timeout => RuntimeError::Timeout {
            service,
            seconds: 30,
        },
        Fault::StillRuns => RuntimeError::StillRuns { service },
    }
}

fn number(signal: StopSignal) -> i32 {
    match signal {
        StopSignal::Int => 2,
        StopSignal::Quit => 3,
        StopSignal::Usr1 => 10,
        StopSignal::Term => 15,
    }
}
