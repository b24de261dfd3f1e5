//! Owns jobs: containers that run to their end in the place of a service.
//!
//! One that outlives the node is found again by what it is, and never runs beside itself.

use std::time::Duration;

use bollard::Docker;
use bollard::query_parameters::CreateContainerOptionsBuilder;
use bollard::query_parameters::KillContainerOptionsBuilder;
use bollard::query_parameters::LogsOptionsBuilder;
use bollard::query_parameters::RemoveContainerOptionsBuilder;
use bollard::query_parameters::StartContainerOptions;
use bollard::query_parameters::WaitContainerOptions;
use futures::StreamExt as _;
use futures::TryStreamExt as _;

use super::Inner;
use super::container;
use super::engine;
use super::names::label;
use super::network;
use super::observe;
use super::observe::Standing;
use super::orphan;
use crate::id::ServiceId;
use crate::runtime::Job;
use crate::runtime::JobOutcome;
use crate::runtime::RuntimeError;
use crate::runtime::Unit;
use crate::runtime::layout;
use crate::runtime::log;

/// How much of a job's output is kept for its outcome. Units: bytes.
const TAIL: usize = 4096;
/// How long the engine may take, beyond the job's own time, to end it.
const GRACE: Duration = Duration::from_secs(30);

/// Runs `job` to its end, or waits for the one that an earlier node began.
pub(super) async fn run(inner: &Inner, unit: &Unit, job: &Job) -> Result<JobOutcome, RuntimeError> {
    let docker = inner.engine.docker().await?;
    let service = &unit.service;
    let name = inner.names.job(service);
    let hash = hash(unit, job);
    let fault = |action, error: &bollard::errors::Error| network::engine(service, action, error);
    if !adopt(inner, &docker, service, &name, &hash).await? {
        if let Some(folder) = job.clears.clone() {
            tracing::warn!(%service, job = %job.name, "what this job left when it was cut short is removed");
            let emptied = tokio::task::spawn_blocking(move || layout::empty(&folder)).await;
            emptied
                .map_err(std::io::Error::other)
                .and_then(|emptied| emptied)
                .map_err(|source| RuntimeError::Io {
                    service: service.clone(),
                    action: "removing what its job left when it was cut short",
                    source,
                })?;
        }
        inner.lay(unit).await?;
        let body = container::of_job(
            unit,
            &inner.around(&docker, unit).await?,
            command(job),
            &hash,
            mode(inner, &docker, service).await?,
        );
        let options = CreateContainerOptionsBuilder::default().name(&name).build();
        docker
            .create_container(Some(options), body)
            .await
            .map_err(|error| inner.not_created(unit, &error))?;
        docker
            .start_container(&name, None::<StartContainerOptions>)
            .await
            .map_err(|error| inner.not_started(unit, &job.program, &error))?;
        crate::fail::point("docker.job_started");
    }
    let patience = Duration::from_secs(u64::from(job.timeout_seconds));
    if tokio::time::timeout(patience, ended(&docker, &name))
        .await
        .is_err()
    {
        let kill = KillContainerOptionsBuilder::default()
            .signal("SIGKILL")
            .build();
        match docker.kill_container(&name, Some(kill)).await {
            Ok(()) => {}
            // It ended meanwhile.
            Err(error) if engine::conflict(&error) || engine::absent(&error) => {}
            Err(error) => return Err(fault("killing its job", &error)),
        }
        if tokio::time::timeout(GRACE, ended(&docker, &name))
            .await
            .is_err()
        {
            return Err(RuntimeError::Timeout {
                service: service.clone(),
                seconds: job.timeout_seconds,
            });
        }
    }
    outcome(inner, &docker, unit, job, &name).await
}

/// Names what the job is, so that the same one is waited for and another one is not.
fn hash(unit: &Unit, job: &Job) -> String {
    format!(
        "{} {} {} {:?}",
        unit.spec_hash,
        job.name,
        job.program.display(),
        job.args
    )
}

fn command(job: &Job) -> Vec<String> {
    let program = job.program.to_string_lossy().into_owned();
    std::iter::once(program)
        .chain(job.args.iter().cloned())
        .collect()
}

/// Whether a job of an earlier node is this very one. Another one is removed: jobs may be repeated.
async fn adopt(
    inner: &Inner,
    docker: &Docker,
    service: &ServiceId,
    name: &str,
    hash: &str,
) -> Result<bool, RuntimeError> {
    let Some(found) = inner.inspect(docker, service, name).await? else {
        return Ok(false);
    };
    if !observe::ours(&found, &inner.names, label::JOB) {
        return Err(RuntimeError::NameTaken {
            service: service.clone(),
            what: "a container",
            name: name.to_owned(),
        });
    }
    let same = observe::hash(&found).is_some_and(|found| found.0 == hash);
    let standing = observe::standing(&found);
    if same && standing == Some(Standing::Running) {
        return Ok(true);
    }
    // One that the engine forgot works on, beside whatever is run next on the same data. How it ended nobody knows.
    let forgotten = standing != Some(Standing::Running) && orphan::end(service, &found).await?;
    if same && !forgotten && standing != Some(Standing::Created) {
        return Ok(true);
    }
    remove(docker, service, name).await?;
    Ok(false)
}

/// A job of a running service is where the service is; one before its start has no network.
async fn mode(inner: &Inner, docker: &Docker, service: &ServiceId) -> Result<String, RuntimeError> {
    let name = inner.names.container(service);
    let found = inner.inspect(docker, service, &name).await?;
    let runs = found.filter(|found| {
        observe::ours(found, &inner.names, label::SERVICE)
            && observe::standing(found) == Some(Standing::Running)
    });
    Ok(match runs.and_then(|found| found.id) {
        Some(id) => format!("container:{id}"),
        None => "none".to_owned(),
    })
}

/// Returns once the container runs no more.
async fn ended(docker: &Docker, name: &str) {
    // An exit code other than 0 is an error of this call, and how it ended is read from the container itself.
    let mut waited = docker.wait_container(name, None::<WaitContainerOptions>);
    while waited.next().await.is_some() {}
}

async fn outcome(
    inner: &Inner,
    docker: &Docker,
    unit: &Unit,
    job: &Job,
    name: &str,
) -> Result<JobOutcome, RuntimeError> {
    let service = &unit.service;
    let record = || RuntimeError::Record {
        service: service.clone(),
    };
    let found = inner
        .inspect(docker, service, name)
        .await?
        .ok_or_else(record)?;
    let exit = observe::exit(&found).ok_or_else(record)?;
    let options = LogsOptionsBuilder::default()
        .stdout(true)
        .stderr(true)
        .build();
    let printed: Vec<u8> = docker
        .logs(name, Some(options))
        .try_fold(Vec::new(), |mut all, line| async move {
            all.extend_from_slice(&line.into_bytes());
            Ok(all)
        })
        .await
        .map_err(|error| network::engine(service, "reading what its job printed", &error))?;
    keep(inner, service, job, &printed).map_err(|source| RuntimeError::Io {
        service: service.clone(),
        action: "writing its job's log",
        source,
    })?;
    crate::fail::point("docker.job_ended");
    remove(docker, service, name).await?;
    let from = printed.len().saturating_sub(TAIL);
    Ok(JobOutcome {
        exit,
        tail: String::from_utf8_lossy(&printed[from..]).into_owned(),
    })
}

fn keep(inner: &Inner, service: &ServiceId, job: &Job, printed: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    let path = inner.logs_dir(service).join(format!("{}.log", job.name));
    log::turn_over(&path)?;
    log::open(&path)?.write_all(printed)
}

async fn remove(docker: &Docker, service: &ServiceId, name: &str) -> Result<(), RuntimeError> {
    let options = RemoveContainerOptionsBuilder::default()
        .force(true)
        .v(true)
        .build();
    match docker.remove_container(name, Some(options)).await {
        Ok(()) => Ok(()),
        Err(error) if engine::absent(&error) => Ok(()),
        Err(error) => Err(network::engine(service, "removing its job", &error)),
    }
}
