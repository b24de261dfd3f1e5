//! Owns the putting together of a node: the one place that names real adapters.
//!
//! It decides nothing that `plan`, `resolve` or the vault decide; it opens what must be open, in an order in which a
//! failure at any point leaves the data folder as it was.

mod advisories;
mod audit;
mod change;
mod copies;
mod edges;
mod engine;
mod forecast;
mod images;
mod listen;
mod machine;
mod moved;
mod node;
mod obstacles;
mod pending;
mod publish;
mod purge;
mod refusal;
mod rotate;
mod sentence;
mod services;
mod settings;
mod status;
mod supply;
mod vault;
mod walls;
mod ways;
mod world;

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::RwLock;

use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::account::Accounts;
use crate::app::engine::Containers;
use crate::app::engine::Engine;
use crate::app::node::RealNode;
use crate::app::obstacles::Looks;
use crate::app::sentence::sentence;
use crate::app::services::RealServices;
use crate::app::vault::VaultSeat;
use crate::app::walls::Walls;
use crate::app::world::Ground;
use crate::app::world::Texts;
use crate::app::world::World;
use crate::app::world::WorldError;
use crate::cli::Ended;
use crate::cli::Exit;
use crate::cli::Failure;
use crate::cli::Launch;
use crate::cli::Stop;
use crate::clock::Clock;
use crate::clock::SystemClock;
use crate::config;
use crate::entropy::Entropy;
use crate::entropy::SystemEntropy;
use crate::http;
use crate::id::ServiceId;
use crate::manifest::profile;
use crate::manifest::profile::ProfileName;
use crate::manifest::schema::Network;
use crate::reconcile;
use crate::reconcile::Handle;
use crate::reconcile::View;
use crate::reconcile::backoff::Patience;
use crate::reconcile::signals::Rhythm;
use crate::runtime::RuntimeKind;
use crate::runtime::docker::DockerConfig;
use crate::runtime::docker::DockerRuntime;
use crate::runtime::docker::images::DockerImages;
use crate::runtime::process::ProcessConfig;
use crate::runtime::process::ProcessRuntime;
use crate::runtime::process::tmpfs;
use crate::service::desired::Desired;
use crate::service::places::Places;
use crate::service::programs::VersionCache;
use crate::service::resolve::MemoryClass;
use crate::store::StoreError;
use crate::store::folder::DataFolder;
use crate::store::folder::FolderError;
use crate::store::folder::NewNode;
use crate::store::state::StateDb;
use crate::store::vault::VaultError;
use crate::task::OnExit;
use crate::task::Tasks;

pub use images::pack_image;

pub use crate::runtime::docker::engine::EngineFacts;

/// Asks the machine's container engine what it is like. Errors: it does not answer.
pub async fn engine_facts() -> Result<EngineFacts, String> {
    let facts = crate::runtime::docker::engine::facts(Path::new(config::ENGINE_SOCKET)).await;
    facts.map_err(|error| sentence(&error))
}

/// Builds a node, runs it until it is told to stop, and says how it left the services.
///
/// Errors: a [`Failure`] with the exit code, what happened and what to do; nothing was changed that was not said.
pub async fn run(launch: Launch) -> Result<Ended, Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let base = Base::open(&launch, &clock, &entropy)?;
    let run_dir = choose_run_dir(&launch, &base)?;
    // The socket is bound first: a daemon that nobody could speak to must not start services.
    let socket = listen::control(&run_dir.join("control.sock")).await?;
    // Whoever only stops what another daemon left needs no API: its port may be taken meanwhile.
    let only_stops = *launch.stop.borrow() == Stop::Services;
    let listener = if only_stops {
        None
    } else {
        Some(listen::api(&launch, &base).await?)
    };
    let api = listener
        .as_ref()
        .map(TcpListener::local_addr)
        .transpose()
        .map_err(|error| Failure::internal(error.to_string()))?;

    let tasks = Tasks::new();
    let kind = base.folder.identity().runtime;
    let engine = Arc::new(build_engine(
        kind,
        &base,
        &run_dir,
        (&clock, &entropy),
        &tasks,
    )?);
    let runtime = engine.runtime();
    let ground = Arc::new(Ground {
        profile: base.folder.identity().profile,
        places: Places {
            kind,
            data: base.folder.path().to_owned(),
            files: run_dir.join("files"),
        },
        search: launch.surroundings.programs.clone(),
        node_id: base.folder.identity().node_id.clone(),
        memory_class: MemoryClass::of_mib(machine::memory().total / images::MIB),
        state: Arc::clone(&base.state),
        versions: Mutex::new(VersionCache::default()),
    });
    let world = accepted_world(&ground, &base, &*clock).await?;
    let mut folder = base.folder;
    if !folder.initialised() {
        folder
            .mark_initialised()
            .map_err(|error| folder_failure(&error))?;
        crate::fail::point("app.initialised");
    }
    finish_purges(&ground, &world, &clock).await?;
    let entropy_of_accounts = Arc::clone(&entropy);
    let services = Arc::new(RealServices {
        ground: Arc::clone(&ground),
        world: RwLock::new(Arc::clone(&world)),
        vault: base.vault.clone(),
        engine: Arc::clone(&engine),
        clock: Arc::clone(&clock),
        logs: folder.path().join("logs"),
        entropy,
        is_root: launch.surroundings.uid == 0,
        looks: Looks::default(),
        pulling: Mutex::default(),
        packing: tokio::sync::Mutex::default(),
    });
    if let Err(obstacle) = services.take_external_passwords() {
        tracing::warn!(
            code = obstacle.code,
            "passwords of external services were not taken: {}",
            obstacle.text
        );
    }
    let parts = reconcile::Parts {
        runtime,
        state: Arc::clone(&base.state),
        services: Arc::clone(&services) as Arc<dyn reconcile::services::Services>,
        clock: Arc::clone(&clock),
        patience: Patience::default(),
        rhythm: Rhythm::default(),
        parallel_starts: services.engine.parallel_starts(),
        boot_id: boot_id(),
    };
    // Whoever only stops starts nothing first, not even for a moment.
    let desired = if only_stops {
        nothing(world.resolved.desired.network)
    } else {
        world.resolved.desired.clone()
    };
    let (handle, reconciling) = reconcile::start(parts, desired, tasks.token());
    tasks.spawn("reconcile", OnExit::Shutdown, reconciling);
    if services.engine.walls().is_some() {
        let watching = walls::watch(Arc::clone(&services), tasks.token());
        tasks.spawn("firewall", OnExit::Shutdown, watching);
    }
    let copying = copies::follow(Arc::clone(&services), tasks.token());
    tasks.spawn("copies", OnExit::Shutdown, copying);
    let (down, asked_down) = watch::channel(Stop::No);
    let (told, ways) = watch::channel(ways::first(api));
    let entered = Arc::clone(&services);
    let (proved, proved_by) = (Arc::clone(&services), Arc::clone(&clock));
    let walls = Arc::clone(&services);
    let node = RealNode::start(
        node::Parts {
            handle: handle.clone(),
            services,
            engine,
            clock,
            data: folder.path().to_owned(),
            api,
            ways,
            down,
            stopping: launch.stop.clone(),
        },
        &tasks,
    );
    let token = tasks.token();
    let accounts = Arc::new(Accounts::new(
        Arc::new(base.vault.clone()),
        Arc::clone(&proved_by),
        entropy_of_accounts,
        None,
    ));
    let faces = http::Api::new(node.clone(), accounts);
    if !only_stops {
        let ways = ways::Ways {
            services: entered,
            api: faces.clone(),
            data: folder.path().to_owned(),
            loopback: api,
            told,
        };
        tasks.spawn("ways", OnExit::Shutdown, ways.keep(token.clone()));
    }
    if let Some(listener) = listener {
        let serving = faces.clone().serve_tcp(listener, token.clone());
        tasks.spawn("api", OnExit::Shutdown, serving);
    }
    let serving = faces.serve_unix(socket, token, launch.surroundings.uid);
    tasks.spawn("control", OnExit::Shutdown, serving);
    let proving = rotate::prove_all(proved, proved_by, tasks.token());
    tasks.spawn("rotations", OnExit::Shutdown, proving);
    // Nobody may be waiting any more: then nobody needs to know.
    let _ = launch.started.send(node);
    let ended = until_stopped(&handle, launch.stop, asked_down, &tasks).await;
    if matches!(ended, Ok(Ended::ServicesStopped))
        && let Some(walls) = walls.engine.walls()
    {
        // Nothing of this node runs any more: its rules have nobody to hold back.
        walls.remove();
    }
    tasks.stop("asked to");
    match tasks.wait().await {
        Some(reason) if reason != "asked to" => Err(Failure::internal(format!(
            "the daemon stopped by itself: {reason}; services go on"
        ))),
        _ => ended,
    }
}

/// A desired state without services.
fn nothing(network: Network) -> Desired {
    Desired {
        network,
        services: BTreeMap::new(),
    }
}

/// Finishes the deletions that an orchestrator before began, before anything could be started on half of the data.
async fn finish_purges(
    ground: &Arc<Ground>,
    world: &Arc<World>,
    clock: &Arc<dyn Clock>,
) -> Result<(), Failure> {
    let (ground, world, clock) = (Arc::clone(ground), Arc::clone(world), Arc::clone(clock));
    tokio::task::spawn_blocking(move || purge::finish(&ground, &world, &*clock))
        .await
        .map_err(|error| Failure::internal(error.to_string()))?
        .map_err(|error| store_failure(&error))
}

/// Waits for a stop and carries it out. Whoever asks for more gets more: a stop only ever grows.
async fn until_stopped(
    handle: &Handle,
    mut outside: watch::Receiver<Stop>,
    mut inside: watch::Receiver<Stop>,
    tasks: &Tasks,
) -> Result<Ended, Failure> {
    let token = tasks.token();
    let mut view = handle.view();
    let mut stuck = 0;
    loop {
        let stop = (*outside.borrow_and_update()).max(*inside.borrow_and_update());
        match stop {
            Stop::No => {}
            Stop::Services => {
                // Whatever was accepted meanwhile: a stop that was asked for stays one.
                let wanted = handle.wanted();
                if !wanted.services.is_empty() {
                    handle.want(nothing(wanted.network));
                    view.mark_unchanged();
                }
                let now = view.borrow_and_update().clone();
                let follows = now
                    .desired
                    .as_ref()
                    .is_some_and(|desired| desired.services.is_empty());
                if follows && now.all_down() {
                    return Ok(Ended::ServicesStopped);
                }
                // Several looks in a row: a record that is just being written is readable in the next one.
                stuck = if follows && now.only_unreadable_left() {
                    stuck + 1
                } else {
                    0
                };
                if stuck >= LOOKS_AT_UNREADABLE {
                    return Err(unreadable_left(&now));
                }
            }
            Stop::DaemonOnly => return Ok(Ended::ServicesGoOn),
        }
        // Every branch only waits for news; nothing is lost when another one is first.
        tokio::select! {
            () = token.cancelled() => return Ok(Ended::ServicesGoOn),
            changed = outside.changed() => if changed.is_err() { std::future::pending::<()>().await },
            changed = inside.changed() => if changed.is_err() { std::future::pending::<()>().await },
            changed = view.changed() => if changed.is_err() { return Ok(Ended::ServicesGoOn) },
        }
    }
}

/// How many looks in a row a record must be unreadable before a stop is given up.
const LOOKS_AT_UNREADABLE: u32 = 3;

/// Everything else is stopped, and nobody can say that this is.
fn unreadable_left(view: &View) -> Failure {
    let names = |ids: Vec<&ServiceId>| {
        let names: Vec<String> = ids.into_iter().map(ToString::to_string).collect();
        names.join(", ")
    };
    let unreadable = names(view.unreadable());
    let mut message = format!(
        "the record of {unreadable} cannot be read, so that it may still run; everything else was stopped"
    );
    if !view.instances.is_empty() {
        let waiting = names(view.instances.keys().collect());
        message.push_str(&format!(
            ", except what {unreadable} may be using: {waiting}"
        ));
    }
    Failure::new(
        Exit::Failed,
        message,
        format!(
            "look at run/{} in the data folder, end what runs of it, remove that folder, then `flash-node down` again",
            view.unreadable()
                .first()
                .map_or("SERVICE", |id| id.as_str())
        ),
    )
}

/// Everything that lies in the data folder, open.
struct Base {
    folder: DataFolder,
    state: Arc<StateDb>,
    vault: VaultSeat,
}

impl Base {
    fn open(
        launch: &Launch,
        clock: &Arc<dyn Clock>,
        entropy: &Arc<dyn Entropy>,
    ) -> Result<Self, Failure> {
        if launch.moved {
            DataFolder::accept_move(&launch.data).map_err(|error| folder_failure(&error))?;
        }
        let known = DataFolder::open(&launch.data);
        let name = match (&known, launch.profile) {
            (_, Some(named)) => named,
            (Ok(folder), None) => folder.identity().profile,
            (Err(_), None) => ProfileName::Demo,
        };
        let runtime = match (&known, launch.runtime) {
            (_, Some(named)) => named,
            (Ok(folder), None) => folder.identity().runtime,
            (Err(_), None) => profile(name).runtime,
        };
        refuse_impossible(name, runtime, launch.surroundings.uid)?;
        let folder = match known {
            Err(FolderError::NotANode { .. }) => {
                let new = NewNode {
                    profile: name,
                    runtime,
                    at: clock.wall(),
                    entropy: &**entropy,
                };
                DataFolder::create(&launch.data, new)
            }
            known => known,
        }
        .map_err(|error| folder_failure(&error))?;
        folder
            .expect(name, runtime)
            .map_err(|error| folder_failure(&error))?;
        crate::fail::point("app.folder");
        let unseals_itself = profile(name).vault_unseals_itself;
        let seat = |path: &Path| {
            VaultSeat::new(path, unseals_itself, Arc::clone(clock), Arc::clone(entropy))
        };
        let (state, vault) = if folder.initialised() {
            let state = StateDb::open_of(&folder.state_db(), &folder.identity().node_id)
                .map_err(|error| store_failure(&error))?;
            let vault = seat(folder.path());
            vault.attach().map_err(|error| vault_failure(&error))?;
            (state, vault)
        } else {
            folder
                .clear_unfinished()
                .map_err(|error| folder_failure(&error))?;
            let state = StateDb::create(&folder.state_db(), folder.identity())
                .map_err(|error| store_failure(&error))?;
            crate::fail::point("app.state_created");
            write_default_choices(folder.path(), name).map_err(|error| store_failure(&error))?;
            let vault = seat(folder.path());
            if unseals_itself {
                vault
                    .create_self_unsealing()
                    .map_err(|error| vault_failure(&error))?;
            }
            crate::fail::point("app.vault_created");
            (state, vault)
        };
        Ok(Self {
            folder,
            state: Arc::new(state),
            vault,
        })
    }
}

/// Refuses what cannot run like that, and says what can.
fn refuse_impossible(name: ProfileName, runtime: RuntimeKind, uid: u32) -> Result<(), Failure> {
    match (name, runtime) {
        (ProfileName::Mainnet, RuntimeKind::Process) => Err(Failure::new(
            Exit::Config,
            "mainnet does not run as processes of this machine: they share its network and its disk",
            "signet runs the same services with coins without value",
        )),
        (ProfileName::Mainnet, _) => Err(Failure::new(
            Exit::NotBuilt,
            "mainnet is not open yet: the words of its wallet must be shown and confirmed before it holds money, and that is not built yet",
            "signet runs the same services with coins without value",
        )),
        (_, RuntimeKind::Docker) if uid != 0 => Err(Failure::new(
            Exit::Config,
            format!(
                "the docker runtime, which the profile {name} uses by default, needs root: it gives each service an identity, a tmpfs and firewall rules"
            ),
            "run it as root (sudo flash-node up), or as processes of this machine: add `--runtime process`",
        )),
        _ => Ok(()),
    }
}

/// Builds the runtime of the data folder; nothing is started.
fn build_engine(
    kind: RuntimeKind,
    base: &Base,
    run_dir: &Path,
    (clock, entropy): (&Arc<dyn Clock>, &Arc<dyn Entropy>),
    tasks: &Tasks,
) -> Result<Engine, Failure> {
    let data = base.folder.path();
    let (files_dir, logs_dir) = (run_dir.join("files"), data.join("logs"));
    if kind == RuntimeKind::Docker {
        let socket = PathBuf::from(config::ENGINE_SOCKET);
        let config = DockerConfig {
            socket: socket.clone(),
            node_id: base.folder.identity().node_id.clone(),
            files_dir,
            logs_dir,
        };
        return Ok(Engine::Docker(Box::new(Containers {
            runtime: Arc::new(DockerRuntime::new(config, tasks.clone())),
            images: DockerImages::new(socket),
            walls: Walls::new(base.folder.identity().node_id.clone()),
        })));
    }
    let config = ProcessConfig {
        data_run_dir: data.join("run"),
        files_dir,
        logs_dir,
        exe: exe()?,
    };
    let (clock, entropy) = (Arc::clone(clock), Arc::clone(entropy));
    let runtime = ProcessRuntime::new(config, clock, entropy, tasks.clone());
    Ok(Engine::Process(Arc::new(runtime)))
}

/// Gives a new node a commented `node.toml`, unless the operator prepared one.
fn write_default_choices(data: &Path, name: ProfileName) -> Result<(), StoreError> {
    let path = data.join(world::CHOICES_FILE);
    if path.exists() {
        return Ok(());
    }
    let text = crate::manifest::choices::default_text(name);
    crate::store::durable::write(&path, text.as_bytes(), 0o600)
}

/// Takes what was accepted, or accepts the files at the very first start.
async fn accepted_world(
    ground: &Arc<Ground>,
    base: &Base,
    clock: &dyn Clock,
) -> Result<Arc<World>, Failure> {
    let accepted = ground
        .state
        .accepted()
        .map_err(|error| store_failure(&error))?;
    let first = accepted.is_none();
    let texts = match accepted {
        Some(accepted) => Texts::accepted(&accepted),
        None => Texts::read(base.folder.path(), ground.profile)
            .map_err(|error| world_failure(&error))?,
    };
    let builder = Arc::clone(ground);
    let world = tokio::task::spawn_blocking(move || World::build(&builder, texts))
        .await
        .map_err(|error| Failure::internal(error.to_string()))?
        .map_err(|error| world_failure(&error))?;
    if first {
        world
            .mark_new_storage(ground, clock.wall())
            .map_err(|error| world_failure(&error))?;
        world
            .accept(ground, clock.wall())
            .map_err(|error| store_failure(&error))?;
        crate::fail::point("app.accepted");
    } else {
        world
            .keep_ports(ground)
            .map_err(|error| store_failure(&error))?;
        crate::fail::point("app.ports_kept");
    }
    Ok(Arc::new(world))
}

fn choose_run_dir(launch: &Launch, base: &Base) -> Result<PathBuf, Failure> {
    let note = base.folder.path().join(config::RUN_NOTE);
    let kept = config::kept_run_folder(base.folder.path());
    // Rendered paths name the run folder: another one would restart every service.
    let mut candidates: Vec<PathBuf> = kept.clone().into_iter().collect();
    let node_id = base.folder.identity().node_id.as_str();
    candidates.extend(launch.surroundings.run_folders(node_id));
    let chosen = tmpfs::choose(&candidates).map_err(|error| {
        Failure::new(
            Exit::Config,
            format!("rendered secrets have no place in memory: {error}"),
            "mount a tmpfs at /run or /dev/shm: secrets are never written to a disk",
        )
    })?;
    if kept.as_ref() != Some(&chosen) {
        let text = format!("{}\n", chosen.display());
        crate::store::durable::write(&note, text.as_bytes(), 0o600)
            .map_err(|error| store_failure(&error))?;
        crate::fail::point("app.run_path_written");
    }
    Ok(chosen)
}

fn exe() -> Result<PathBuf, Failure> {
    std::env::current_exe().map_err(|error| {
        Failure::internal(format!("this program does not know where it lies: {error}"))
    })
}

/// Which boot of the machine this is. Source: random(4), `/proc/sys/kernel/random/boot_id`.
fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|id| id.trim().to_owned())
        .unwrap_or_default()
}

fn folder_failure(error: &FolderError) -> Failure {
    let exit = match error {
        FolderError::AlreadyRunning { .. } => Exit::Held,
        FolderError::Store(_) => Exit::Database,
        _ => Exit::DataRefused,
    };
    Failure::new(exit, sentence(error), error.hint())
}

fn store_failure(error: &StoreError) -> Failure {
    Failure::new(Exit::Database, sentence(error), error.hint())
}

fn vault_failure(error: &VaultError) -> Failure {
    Failure::new(Exit::Database, sentence(error), error.hint())
}

fn world_failure(error: &WorldError) -> Failure {
    match error {
        WorldError::Store(error) => store_failure(error),
        WorldError::Storage(error) => folder_failure(error),
        WorldError::Ports(error) => Failure::new(
            Exit::Config,
            error.to_string(),
            "stop that program, or choose another port in node.toml",
        ),
        WorldError::Subnets(error) => Failure::new(
            Exit::Config,
            error.to_string(),
            "then start it again; what runs keeps its addresses until its next start",
        ),
        WorldError::Texts(_) | WorldError::Resolve(_) | WorldError::Read { .. } => Failure::new(
            Exit::BadData,
            sentence(error),
            "mend it; `flash-node check` reads the files without starting anything",
        ),
    }
}
