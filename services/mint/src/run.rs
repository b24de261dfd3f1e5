//! One life of a mint: hold, examine, open, serve, stop.
//!
//! Owns the order of these steps. Deliberately knows nothing of how each is done.

use std::{future::pending, io, net::SocketAddr, sync::Arc, time::Duration};

use axum::serve::ListenerExt;
use cdk::mint::Mint;
use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use crate::{
    config::Config,
    database::{self, Found},
    error::MintError,
    http::{self, Admission},
    identity::Identity,
    issuer::{self, IssuerError},
    lock, policy,
    seed::Seed,
};

/// How long background tasks get to drop the database connection. Units: seconds.
const RUNTIME_STOP: Duration = Duration::from_secs(5);

/// Checks what can be checked without touching the data folder: the money rules and the seed.
///
/// Errors: a rule broken, or no usable seed.
pub fn check(config: &Config) -> Result<Identity, MintError> {
    policy::validate_backend(config.network, &config.backend)?;
    let seed = Seed::read(&config.seed_file)?;
    Ok(Identity::derive(&seed, config.network, config.unit))
}

/// Runs the mint until SIGTERM or SIGINT.
///
/// Errors: it could not start, and nothing was served; or the server broke.
pub fn run(config: Config) -> Result<(), MintError> {
    policy::validate_backend(config.network, &config.backend)?;
    let seed = Seed::read(&config.seed_file)?;
    let identity = Identity::derive(&seed, config.network, config.unit);
    let runtime = Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(server)?;
    let config = Arc::new(config);
    let result = runtime.block_on(live(&config, seed, &identity));
    stop_runtime(runtime);
    result
}

/// Dropping the runtime drops the last handle to the database, whose connection then copies its log into the file.
fn stop_runtime(runtime: Runtime) {
    runtime.shutdown_timeout(RUNTIME_STOP);
    tracing::info!("stopped");
}

async fn live(config: &Arc<Config>, seed: Seed, identity: &Identity) -> Result<(), MintError> {
    // Held for the whole life; the lock goes with the process, so a crash needs no clearing up.
    let held = lock::hold(&config.data_dir)?;
    let listener = listen(config.listen).await?;
    let found = database::examine(&config.data_dir, config.expect_existing)?;
    database::validate_owner(&config.data_dir, &found, identity)?;
    database::validate_keyset_change(
        &config.data_dir,
        &found,
        config.input_fee_ppk,
        config.use_keyset_v2,
    )?;
    if found == Found::Nothing {
        tracing::warn!(data_dir = %config.data_dir.display(), "there is no database: a new mint begins");
    }
    // From here on signals are ours: a stop during the recovery of interrupted operations is carried out after it.
    let stop = stop_signal().map_err(server)?;
    let database = database::open(&config.data_dir).await?;
    let mint = issuer::start(config, &seed, identity, database).await?;
    drop(seed);
    database::remember(&config.data_dir, identity)?;

    let left_open = issuer::list_open(&mint).await?;
    if left_open != issuer::Unresolved::default() {
        tracing::error!(swaps = ?left_open.swaps, melts = ?left_open.melts, "recovery left operations open");
    }
    let served = serve(config, listener, &mint, left_open, stop).await;
    if let Err(error) = mint.stop().await {
        tracing::error!(error = %error, "cdk did not stop its background work cleanly");
    }
    drop(held);
    served
}

async fn listen(address: SocketAddr) -> Result<TcpListener, MintError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| match source.kind() {
            io::ErrorKind::AddrInUse => MintError::AddressTaken { listen: address },
            _ => MintError::Listen {
                listen: address,
                source,
            },
        })
}

async fn serve(
    config: &Arc<Config>,
    listener: TcpListener,
    mint: &Arc<Mint>,
    left_open: issuer::Unresolved,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), MintError> {
    let admission = Admission::new(config);
    let app = http::router(mint.clone(), config.clone(), left_open, admission.clone())
        .await
        .map_err(IssuerError::Build)?;
    let address = listener.local_addr().map_err(server)?;
    // Answers are small and awaited one by one: waiting to fill a packet only delays them.
    let listener = listener.tap_io(|connection| {
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!(error = %error, "a connection keeps its delay");
        }
    });
    let (stopping, mut stopped) = watch::channel(false);
    let server_future = axum::serve(
        listener,
        app.into_make_service_with_connect_info::<SocketAddr>(),
    )
    .with_graceful_shutdown(async move {
        stop.await;
        tracing::info!("stopping: no new connections");
        stopping.send_replace(true);
    });
    let grace = Duration::from_secs(config.shutdown_seconds);
    let deadline = async {
        if stopped.wait_for(|stopping| *stopping).await.is_err() {
            pending::<()>().await;
        }
        tokio::time::sleep(grace).await;
    };
    let drained = async {
        let result = server_future.into_future().await;
        admission.drained().await;
        result
    };
    tracing::info!(%address, url = %config.url, network = config.network.as_str(), "listening");
    // Every branch may be dropped: the server finishes its requests in tasks of their own, the rest only waits.
    tokio::select! {
        result = drained => result.map_err(server)?,
        () = deadline => tracing::warn!("requests in flight outlived shutdown_seconds; they are resolved at the next start"),
        () = admission.forget_idle() => {}
    }
    Ok(())
}

/// Resolves when the process is asked to stop.
fn stop_signal() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => tracing::info!(signal = "SIGTERM", "asked to stop"),
            _ = interrupt.recv() => tracing::info!(signal = "SIGINT", "asked to stop"),
        }
    })
}

fn server(source: io::Error) -> MintError {
    MintError::Server { source }
}
