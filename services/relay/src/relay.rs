//! Owns the life of one relay: opens the parts in order, and stops them so that nothing acknowledged is lost.
//!
//! Deliberately does not know HTTP or NIPs; it is the one place that names every part.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use nostr::event::Event;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::info;
use tracing::warn;

use crate::admission::Admission;
use crate::clock::Clock;
use crate::config::Config;
use crate::config::ConfigError;
use crate::deletion::Tombstones;
use crate::expiry::Expiry;
use crate::health::Health;
use crate::http;
use crate::hub::Hub;
use crate::limits::Limits;
use crate::limits::Rates;
use crate::metrics::Metrics;
use crate::public_url::PublicUrl;
use crate::store::Store;
use crate::store::StoreError;
use crate::task::Tasks;
use crate::writer;
use crate::writer::Job;
use crate::writer::Writer;

/// Saved events that may wait to be handed to subscriptions.
const LIVE_QUEUE: usize = 4096;
/// Connections beyond the limits for WebSockets, so that HTTP is answered when these are reached.
const PLAIN_CONNECTIONS: usize = 64;
const PLAIN_CONNECTIONS_PER_ADDRESS: usize = 16;
const BYTES_PER_MIB: usize = 1024 * 1024;
/// Seconds between two sweeps of the rate counters.
const FORGET_SECS: u64 = 60;
/// What tasks may take after the drain before the process stops waiting for them.
const LAST_WAIT: Duration = Duration::from_secs(5);

/// Why a relay did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The configuration is not usable.
    #[error("the configuration is not usable")]
    Config(#[from] ConfigError),
    /// The address is taken or not ours.
    #[error("could not listen on {address}")]
    Listen {
        /// The address of the configuration.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The database could not be opened or read.
    #[error("could not open the database")]
    Store(#[from] StoreError),
}

/// What every connection shares.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) limits: Limits,
    /// The addresses by which clients may know this relay.
    pub(crate) urls: Vec<PublicUrl>,
    pub(crate) clock: Clock,
    pub(crate) store: Store,
    pub(crate) tombstones: Arc<Tombstones>,
    pub(crate) health: Arc<Health>,
    pub(crate) metrics: Metrics,
    pub(crate) rates: Rates,
    pub(crate) admission: Arc<Admission>,
    /// Counts every connection, from the moment it is accepted.
    pub(crate) sockets: Arc<Admission>,
    pub(crate) hub: Arc<Hub>,
    /// Events on their way to the disk.
    pub(crate) jobs: mpsc::Sender<Job>,
    /// Events on their way to subscriptions.
    pub(crate) live: mpsc::Sender<Arc<Event>>,
    /// Sessions and what they start.
    pub(crate) tasks: Tasks,
    /// Cancelled when no new work is taken.
    pub(crate) stopping: CancellationToken,
}

/// A running relay; dropping it without [`Relay::stop`] is a crash, which loses nothing acknowledged either.
pub struct Relay {
    shared: Arc<Shared>,
    address: SocketAddr,
    /// Tasks that outlive the sessions: writer, feed, expiry, sweeps.
    background: Tasks,
    stop_background: CancellationToken,
}

impl Relay {
    /// Opens the database, listens and begins to serve.
    ///
    /// Errors: the configuration, the address or the database is not usable; nothing is left running.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        config.validate()?;
        let listener = listen(config.listen).await?;
        let address = listener.local_addr().map_err(|source| StartError::Listen {
            address: config.listen,
            source,
        })?;
        let store = Store::open(&config.data_dir, config.map_size_mib * BYTES_PER_MIB).await?;
        let tombstones = Arc::new(Tombstones::load(&store).await?);
        let urls = public_urls(&config, address)?;
        let (jobs, queued) = mpsc::channel(writer::QUEUE);
        let (live, saved) = mpsc::channel(LIVE_QUEUE);
        let shared = Arc::new(Shared {
            limits: config.limits.clone(),
            rates: Rates::new(&config.limits),
            admission: Arc::new(Admission::new(
                config.limits.max_connections,
                config.limits.connections_per_address,
                0,
            )),
            sockets: Arc::new(Admission::new(
                config.limits.max_connections + PLAIN_CONNECTIONS,
                config.limits.connections_per_address + PLAIN_CONNECTIONS_PER_ADDRESS,
                PLAIN_CONNECTIONS_PER_ADDRESS,
            )),
            urls,
            clock: Clock::System,
            store,
            tombstones,
            health: Arc::default(),
            metrics: Metrics::default(),
            hub: Arc::default(),
            jobs,
            live,
            tasks: Tasks::default(),
            stopping: CancellationToken::new(),
            config,
        });
        let relay = Self {
            address,
            background: Tasks::default(),
            stop_background: CancellationToken::new(),
            shared,
        };
        relay.run_background(queued, saved);
        relay
            .shared
            .tasks
            .spawn("accept", http::serve(Arc::clone(&relay.shared), listener));
        info!(%address, "listening on {address}");
        Ok(relay)
    }

    /// Returns the address the relay listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops taking work, finishes what was taken, says goodbye to every client and closes the database.
    pub async fn stop(self) {
        info!("stopping: no new connections, queued events are saved first");
        self.shared.health.drain();
        self.shared.stopping.cancel();
        let drain = Duration::from_secs(self.shared.limits.drain_secs) + LAST_WAIT;
        if timeout(drain, self.shared.tasks.wait()).await.is_err() {
            warn!("some connections did not end in time and are cut");
        }
        self.stop_background.cancel();
        if timeout(drain, self.background.wait()).await.is_err() {
            warn!("the writer did not end in time; what it had not saved was not acknowledged");
        }
        info!("stopped");
    }

    fn run_background(&self, queued: mpsc::Receiver<Job>, saved: mpsc::Receiver<Arc<Event>>) {
        let (shared, stop) = (&self.shared, &self.stop_background);
        let expiry = Arc::new(Expiry::default());
        let writer = Writer {
            store: shared.store.clone(),
            tombstones: Arc::clone(&shared.tombstones),
            expiry: Arc::clone(&expiry),
            health: Arc::clone(&shared.health),
            saved: shared.live.clone(),
        };
        self.background
            .spawn("write", writer.run(queued, stop.clone()));
        self.background
            .spawn("feed", Arc::clone(&shared.hub).run(saved, stop.clone()));
        let (store, clock, stop_expiry) = (shared.store.clone(), shared.clock, stop.clone());
        let period = Duration::from_secs(shared.limits.purge_secs);
        self.background.spawn("expire", async move {
            expiry.run(store, clock, period, stop_expiry).await;
        });
        self.background
            .spawn("sweep", sweep(Arc::clone(shared), stop.clone()));
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| StartError::Listen { address, source })
}

/// Returns the configured addresses, and behind them those that follow from where the relay listens: whoever
/// reaches it there made its proof for that address.
fn public_urls(config: &Config, address: SocketAddr) -> Result<Vec<PublicUrl>, ConfigError> {
    let mut urls = config.public_urls()?;
    let mut local = vec![format!("ws://{address}")];
    if address.ip().is_loopback() {
        local.push(format!("ws://localhost:{}", address.port()));
    }
    for url in local {
        let url = PublicUrl::parse(&url).map_err(ConfigError::PublicUrl)?;
        if !urls.contains(&url) {
            urls.push(url);
        }
    }
    Ok(urls)
}

async fn sweep(shared: Arc<Shared>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(Duration::from_secs(FORGET_SECS));
    loop {
        tokio::select! {
            // A tick that is not awaited comes again.
            _ = ticks.tick() => shared.rates.forget_idle(),
            () = stop.cancelled() => return,
        }
    }
}
