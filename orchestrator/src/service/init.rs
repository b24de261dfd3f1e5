//! Owns init jobs: what a service needs done before its first start, once it is alive, or at each start.
//!
//! It does not know when a job is due nor when a failed one is tried again (`reconcile`). Every job may be run again
//! after a crash at any point: a job whose guard file exists is left alone, a job whose condition does not hold is left
//! alone, and a step whose captured secrets all exist is skipped. What a step captures is in the vault before the next
//! step begins, so that a seed is never used before it is kept.
//!
//! A guard file says only that a job was begun: a program writes it when it likes. So it is noted when a guarded job is
//! begun on an empty volume. What such a job leaves that fails is removed at once; one that was noted and not seen to end
//! is waited for where it still runs, and otherwise begun anew on a volume that is emptied first.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::id::Name;
use crate::manifest::schema::Capture;
use crate::manifest::schema::Init;
use crate::manifest::schema::InitStep;
use crate::manifest::schema::InitWhen;
use crate::manifest::schema::Probe;
use crate::manifest::schema::ProviderFile;
use crate::manifest::schema::RunStep;
use crate::manifest::schema::SecretMake;
use crate::runtime::Job;
use crate::runtime::Runtime;
use crate::runtime::Unit;
use crate::runtime::layout;
use crate::secret::SecretBytes;
use crate::secret::SecretKey;
use crate::secret::SecretRef;
use crate::secret::SecretSource;
use crate::secret::SecretUnavailable;
use crate::service::health::HealthTarget;
use crate::service::health::Prober;
use crate::service::health::judge;
use crate::service::health::judge::Asked;
use crate::service::health::judge::Truth;
use crate::service::health::name_conditions;
use crate::service::health::question;
use crate::service::health::question::Texts;
use crate::service::health::question::Unasked;
use crate::service::probe;
use crate::service::probe::Answer;
use crate::service::volume_file;

mod captured;
mod error;

#[cfg(test)]
mod tests;

pub use error::InitError;

/// How long a `run` step may take. Units: seconds.
const RUN_TIMEOUT_SECONDS: u32 = 600;

/// Keeps captured secrets; the vault is one, a map in tests another.
pub trait SecretSink: Send + Sync {
    /// Returns the newest generation of a secret, or nothing where none was ever stored. Errors: [`SecretUnavailable`].
    fn existing(&self, key: &SecretKey) -> Result<Option<SecretRef>, SecretUnavailable>;

    /// Stores `value` as the secret's next generation; it is on the disk when this returns. Errors:
    /// [`SecretUnavailable`], with nothing stored.
    fn store(&self, key: &SecretKey, value: SecretBytes) -> Result<SecretRef, SecretUnavailable>;
}

/// Remembers which guarded jobs were begun on an empty volume and not seen to end.
pub trait JobNotes: Send + Sync {
    /// Whether `job` is noted. Errors: it cannot be known.
    fn begun(&self, job: &Name) -> Result<bool, NotNoted>;

    /// Notes `job`; it is on the disk when this returns. Errors: it is not noted.
    fn begin(&self, job: &Name) -> Result<(), NotNoted>;

    /// Forgets `job`: nothing is left of it. Errors: it stays noted.
    fn end(&self, job: &Name) -> Result<(), NotNoted>;
}

/// Why nothing could be noted or read of it.
pub type NotNoted = Box<dyn std::error::Error + Send + Sync>;

/// Everything that init jobs need.
pub struct InitJobs<'a> {
    /// The service, as its probes see it. `standing` is not looked at.
    pub target: &'a HealthTarget<'a>,
    /// Asks the `only_if` probes.
    pub prober: &'a Prober,
    /// The service, ready to run: `run` steps take its identity, files and volumes.
    pub unit: &'a Unit,
    /// Where `run` steps run.
    pub runtime: &'a dyn Runtime,
    /// Programs by file name.
    pub programs: &'a BTreeMap<String, PathBuf>,
    /// Values for questions.
    pub secrets: &'a dyn SecretSource,
    /// Keeps what is captured.
    pub sink: &'a dyn SecretSink,
    /// Remembers what was begun.
    pub notes: &'a dyn JobNotes,
    /// Jobs that were [`JobReport::finished`] before; only `every_start` jobs among them run again.
    pub finished: &'a BTreeSet<Name>,
}

/// What became of the jobs of one occasion.
#[derive(Debug)]
pub struct InitReport {
    /// The jobs that were looked at, in the manifest's order.
    pub jobs: Vec<JobReport>,
    /// Why the last of them failed; those after it were not begun. The caller tries again, with a pause.
    pub failed: Option<InitError>,
}

/// What became of one job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobReport {
    /// The job.
    pub job: Name,
    /// The machine code: `done`, `already_done`, `exists`, `not_needed` or `failed`.
    pub code: &'static str,
    /// One sentence for a person.
    pub text: String,
    /// Whether the job need never run again; the caller keeps it. `not_needed` is no such end: a condition that does
    /// not hold while a service starts may hold a second later.
    pub finished: bool,
}

/// Runs the jobs of one occasion in the manifest's order, up to the first that fails.
pub async fn run(when: InitWhen, jobs: &InitJobs<'_>) -> InitReport {
    let mut report = InitReport {
        jobs: Vec::new(),
        failed: None,
    };
    for init in &jobs.target.manifest.init {
        if init.when != when {
            continue;
        }
        let once = when != InitWhen::EveryStart;
        if once && jobs.finished.contains(&init.name) {
            report.jobs.push(told(init, Outcome::AlreadyDone));
            continue;
        }
        match one(init, jobs).await {
            Ok(outcome) => report.jobs.push(told(init, outcome)),
            Err(error) => {
                report.jobs.push(JobReport {
                    job: init.name.clone(),
                    code: "failed",
                    text: error.to_string(),
                    finished: false,
                });
                report.failed = Some(error);
                break;
            }
        }
    }
    report
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Done,
    AlreadyDone,
    Exists,
    NotNeeded,
}

fn told(init: &Init, outcome: Outcome) -> JobReport {
    let (code, text) = match outcome {
        Outcome::Done => ("done", "was done"),
        Outcome::AlreadyDone => ("already_done", "was done before"),
        Outcome::Exists => ("exists", "was done before: its file exists"),
        Outcome::NotNeeded => (
            "not_needed",
            "is not needed now: its condition does not hold",
        ),
    };
    JobReport {
        job: init.name.clone(),
        code,
        text: format!("Init job {} {text}.", init.name),
        finished: init.when != InitWhen::EveryStart && outcome != Outcome::NotNeeded,
    }
}

async fn one(init: &Init, jobs: &InitJobs<'_>) -> Result<Outcome, InitError> {
    let mut clears = None;
    if let Some(guard) = &init.unless_exists {
        let noted = |source| not_noted(init, source);
        if jobs.notes.begun(&init.name).map_err(noted)? {
            clears = Some(volume_of(init, guard, jobs)?);
        } else if exists(init, guard, jobs).await? {
            return Ok(Outcome::Exists);
        }
    }
    let mut own_secrets = own_secrets(init, jobs)?;
    if !needed(init, jobs, &own_secrets).await? {
        return Ok(Outcome::NotNeeded);
    }
    if let (Some(guard), None) = (&init.unless_exists, &clears) {
        note(init, guard, jobs).await?;
    }
    let mut worked = false;
    for (index, step) in init.steps.iter().enumerate() {
        let at = At {
            init,
            step: index + 1,
        };
        if !step.capture.is_empty() && all_captured(step, &own_secrets) {
            continue;
        }
        worked = true;
        if let Some(run) = &step.run {
            let ended = run_step(&at, run, jobs, clears.take()).await;
            if let (Some(guard), Err(InitError::Failed { .. })) = (&init.unless_exists, &ended) {
                remove_half(init, guard, jobs).await?;
            }
            ended?;
        }
        if let Some(ask) = &step.ask {
            let answer = ask_step(&at, ask, jobs, &own_secrets).await?;
            captured::keep(&at, &step.capture, answer, jobs, &mut own_secrets)?;
        }
    }
    if !worked && !init.only_if.is_empty() && !init.steps.is_empty() {
        return Err(InitError::CapturedBefore {
            job: init.name.clone(),
        });
    }
    Ok(Outcome::Done)
}

/// Where in the manifest a step stands, for errors.
struct At<'a> {
    init: &'a Init,
    step: usize,
}

impl At<'_> {
    fn job(&self) -> Name {
        self.init.name.clone()
    }

    fn unasked(&self, unasked: Unasked) -> InitError {
        match unasked {
            Unasked::Withheld(why) => InitError::Secret {
                job: self.job(),
                why,
            },
            Unasked::Missing(error) => InitError::Refused {
                job: self.job(),
                step: self.step,
                status: None,
                error: Some(error),
            },
        }
    }
}

/// Notes that a job is begun, where nothing is in the volume that somebody else may have put there.
async fn note(init: &Init, guard: &ProviderFile, jobs: &InitJobs<'_>) -> Result<(), InitError> {
    let root = volume_of(init, guard, jobs)?;
    let looked = tokio::task::spawn_blocking(move || layout::is_empty(&root)).await;
    let empty = looked
        .map_err(std::io::Error::other)
        .and_then(|looked| looked)
        .map_err(|source| InitError::Guard {
            job: init.name.clone(),
            source,
        })?;
    if empty {
        let noted = jobs.notes.begin(&init.name);
        noted.map_err(|source| not_noted(init, source))?;
    }
    Ok(())
}

fn not_noted(init: &Init, source: NotNoted) -> InitError {
    InitError::NotNoted {
        job: init.name.clone(),
        source,
    }
}

/// Removes what a job left that failed, where nothing else is in the volume, before anybody can put something there.
async fn remove_half(
    init: &Init,
    guard: &ProviderFile,
    jobs: &InitJobs<'_>,
) -> Result<(), InitError> {
    let noted = |source| not_noted(init, source);
    if !jobs.notes.begun(&init.name).map_err(noted)? {
        return Ok(());
    }
    let root = volume_of(init, guard, jobs)?;
    let emptied = tokio::task::spawn_blocking(move || layout::empty(&root)).await;
    emptied
        .map_err(std::io::Error::other)
        .and_then(|emptied| emptied)
        .map_err(|source| InitError::Half {
            job: init.name.clone(),
            source,
        })?;
    jobs.notes.end(&init.name).map_err(noted)
}

fn volume_of(init: &Init, guard: &ProviderFile, jobs: &InitJobs<'_>) -> Result<PathBuf, InitError> {
    let found = jobs.target.volumes.get(&guard.volume).cloned();
    found.ok_or_else(|| InitError::Manifest {
        job: init.name.clone(),
        what: "the volume of its guard file is unknown",
    })
}

async fn exists(init: &Init, guard: &ProviderFile, jobs: &InitJobs<'_>) -> Result<bool, InitError> {
    let root = volume_of(init, guard, jobs)?;
    let path = texts(jobs)
        .plain(&guard.path)
        .map_err(|_| InitError::Manifest {
            job: init.name.clone(),
            what: "the path of its guard file does not render",
        })?;
    let looked = tokio::task::spawn_blocking(move || volume_file::exists(&root, &path)).await;
    looked
        .map_err(std::io::Error::other)
        .and_then(|looked| looked)
        .map_err(|source| InitError::Guard {
            job: init.name.clone(),
            source,
        })
}

/// Returns the service's own secrets, with the newest generation of each one that the job captures.
///
/// Asking the vault for them before the first step also proves that it is open: what a step would capture must not be
/// made by the service while nobody could keep it.
fn own_secrets(init: &Init, jobs: &InitJobs<'_>) -> Result<BTreeMap<Name, SecretRef>, InitError> {
    let mut own = jobs.target.secrets.clone();
    let captures = init.steps.iter().any(|step| !step.capture.is_empty());
    let declared = jobs.target.manifest.secrets.iter();
    for (name, _) in declared.filter(|(_, secret)| secret.make == SecretMake::Captured) {
        match jobs.sink.existing(&question::own_key(jobs.target, name)) {
            Ok(Some(secret)) => {
                own.insert(name.clone(), secret);
            }
            Ok(None) => {
                own.remove(name);
            }
            Err(error) if captures => {
                return Err(At { init, step: 0 }.unasked(error.into()));
            }
            // A job that captures nothing may not need the vault at all; a question that does will say so.
            Err(_) => {}
        }
    }
    Ok(own)
}

/// Whether all of `only_if` hold, by fresh answers. A silence decides nothing: it is an error, to be tried again.
async fn needed(
    init: &Init,
    jobs: &InitJobs<'_>,
    own_secrets: &BTreeMap<Name, SecretRef>,
) -> Result<bool, InitError> {
    if init.only_if.is_empty() {
        return Ok(true);
    }
    let mut names = BTreeSet::new();
    name_conditions(&init.only_if, &mut names);
    let answers = jobs
        .prober
        .ask(jobs.target, own_secrets, &names, jobs.secrets)
        .await;
    match judge::all(&init.only_if, &answers) {
        Truth::True => return Ok(true),
        Truth::Unknown(why) => {
            return Err(InitError::Secret {
                job: init.name.clone(),
                why,
            });
        }
        Truth::False => {}
    }
    let about_silence = init
        .only_if
        .iter()
        .any(|condition| condition.answered.is_some());
    let silence = answers.values().find_map(|asked| match asked {
        Asked::Answer(answer) if !answer.reached => answer.error,
        _ => None,
    });
    match silence {
        Some(reason) if !about_silence => Err(InitError::Undecided {
            job: init.name.clone(),
            reason,
        }),
        _ => Ok(false),
    }
}

fn all_captured(step: &InitStep, own_secrets: &BTreeMap<Name, SecretRef>) -> bool {
    let exists = |capture: &Capture| own_secrets.contains_key(&capture.secret);
    step.capture.iter().all(exists)
}

fn texts<'a>(jobs: &'a InitJobs<'_>) -> Texts<'a> {
    Texts {
        target: jobs.target,
        own_secrets: &jobs.target.secrets,
        secrets: jobs.secrets,
    }
}

async fn run_step(
    at: &At<'_>,
    run: &RunStep,
    jobs: &InitJobs<'_>,
    clears: Option<PathBuf>,
) -> Result<(), InitError> {
    let texts = texts(jobs);
    let mut args = Vec::with_capacity(run.args.len());
    for arg in &run.args {
        args.push(texts.plain(arg).map_err(|_| InitError::Manifest {
            job: at.job(),
            what: "an argument does not render, or would show a secret",
        })?);
    }
    let program = jobs
        .programs
        .get(&run.command)
        .ok_or_else(|| InitError::NoProgram {
            job: at.job(),
            program: run.command.clone(),
        })?;
    let job = Job {
        name: at.job(),
        program: program.clone(),
        args,
        timeout_seconds: RUN_TIMEOUT_SECONDS,
        clears,
    };
    let outcome = jobs
        .runtime
        .run_job(jobs.unit, &job)
        .await
        .map_err(|source| InitError::Run {
            job: at.job(),
            step: at.step,
            source,
        })?;
    if outcome.exit.code == Some(0) {
        return Ok(());
    }
    Err(InitError::Failed {
        job: at.job(),
        step: at.step,
        program: run.command.clone(),
        exit: outcome.exit,
        tail: SecretBytes::from(outcome.tail),
    })
}

async fn ask_step(
    at: &At<'_>,
    ask: &Probe,
    jobs: &InitJobs<'_>,
    own_secrets: &BTreeMap<Name, SecretRef>,
) -> Result<Answer, InitError> {
    let question = question::resolve(jobs.target, own_secrets, ask, jobs.secrets)
        .await
        .map_err(|unasked| at.unasked(unasked))?;
    let answer = probe::ask(&question).await;
    if answer.succeeded(&question.ask) {
        return Ok(answer);
    }
    Err(InitError::Refused {
        job: at.job(),
        step: at.step,
        status: answer.status,
        error: answer.error,
    })
}
