//! remux -> **air**: sends FLV tags as RTMP messages on the air clock.
//!
//! In: batches in the [`spool`] and one [`clock`] per programme. Out: each packet once and at its time at every
//! destination; positions for the journal, events, status. Each destination is a task with its own position in the
//! spool: a failed or slow one does not delay another and never changes the clock. Destinations run on their own
//! threads ([`runtime`]). Limits: [`limits`].
//!
//! Uses `outboard-base`, `outboard-media` and `outboard-net`, and runs ffmpeg (`outboard-ffmpeg`, `outboard-process`)
//! for destinations that are not RTMP. Does not depend on the origin of batches, on stages or on the database.

pub mod bodies;
pub mod clock;
pub mod cursor;
mod destination;
mod guarded;
pub mod journal;
pub mod limits;
mod marks;
mod outage;
pub mod pipe;
pub mod position;
pub mod roster;
pub mod rtmp;
pub mod runtime;
mod secret;
pub mod sink;
pub mod spool;
pub mod status;
pub mod target;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use self::clock::AirClock;
use self::journal::{AirEvent, AirJournal};
use self::position::Position;
use self::roster::{Destinations, Shared, Statuses};
use self::rtmp::enhanced::EnhancedRtmp;
use self::rtmp::transport::TlsSettings;
use self::spool::Spool;
use self::status::DestinationStatus;
use self::target::Target;
use crate::limits::{AIR_CLOSE_TIMEOUT, AIR_MAX_LAG_DEFAULT};
use outboard_net::Guard;

/// The destinations of a programme, and what they need.
#[derive(Debug, Clone)]
pub struct AirConfig {
    /// The stream's id, for the log.
    pub stream: String,
    /// All destinations of the pipeline.
    pub destinations: Vec<DestinationConfig>,
    /// The ffmpeg for destinations that are not RTMP.
    pub ffmpeg: PathBuf,
    /// The runtime for destinations, see [`runtime`].
    pub runtime: Handle,
}

/// One destination and how it is reached.
#[derive(Debug, Clone)]
pub struct DestinationConfig {
    /// Its name in the journal, events and status; unique in the programme and the same over restarts.
    pub name: String,
    /// Its name for people, shown in the status; `name` by default.
    pub label: String,
    /// Whether packets are sent to it.
    pub enabled: bool,
    /// Protocol and address; contains secrets.
    pub target: Target,
    /// Which certificates to trust for RTMPS.
    pub tls: TlsSettings,
    /// When an RTMP server is sent pictures that are not H.264.
    pub enhanced: EnhancedRtmp,
    /// Checks each address against the network policy before connecting.
    pub guard: Guard,
    /// The position to resume at, from the journal; `None`: the oldest batch of the spool.
    pub resume: Option<Position>,
    /// Lag behind the clock after which it skips to a key frame.
    pub max_lag: Duration,
}

impl DestinationConfig {
    /// A destination with the defaults.
    pub fn new(name: impl Into<String>, target: Target) -> Self {
        let name = name.into();
        Self {
            label: name.clone(),
            name,
            enabled: true,
            target,
            tls: TlsSettings::default(),
            enhanced: EnhancedRtmp::default(),
            guard: Guard::open(),
            resume: None,
            max_lag: AIR_MAX_LAG_DEFAULT,
        }
    }
}

/// All destinations of a programme, on air. Dropping it stops them like [`Air::stop`], without waiting.
#[derive(Debug)]
pub struct Air {
    spool: Spool,
    cancel: CancellationToken,
    destinations: Destinations,
    bound: JoinHandle<()>,
}

impl Air {
    /// Starts all destinations. No packet is sent before `clock` is started; `cancel` stops them like [`Air::stop`].
    pub fn start(
        config: AirConfig,
        spool: Spool,
        clock: AirClock,
        journal: Arc<dyn AirJournal>,
        events: mpsc::Sender<AirEvent>,
        cancel: &CancellationToken,
    ) -> Self {
        let AirConfig { stream, destinations: configs, ffmpeg, runtime } = config;
        let cancel = cancel.child_token();
        let bound = runtime.spawn(bind(spool.clone(), clock.clone(), cancel.clone()).in_current_span());
        let shared =
            Shared { stream, ffmpeg, runtime, spool: spool.clone(), clock, journal, events, cancel: cancel.clone() };
        let destinations = Destinations::new(shared);
        destinations.begin(configs);
        Self { spool, cancel, destinations, bound }
    }

    /// Handle to change the destinations while they are on air.
    pub fn destinations(&self) -> &Destinations {
        &self.destinations
    }

    /// The status of each destination, in the order of the configuration.
    pub fn status(&self) -> Vec<DestinationStatus> {
        self.watch().iter().map(|status| status.borrow().clone()).collect()
    }

    /// Changes of each destination's status, in the order of the configuration.
    pub fn watch(&self) -> Statuses {
        self.destinations.statuses().borrow().clone()
    }

    /// Lets every destination send the remaining packets of the spool at their time and end its session cleanly; after
    /// `limit`, stops those that are not done. Finishes the spool. Returns the final status.
    pub async fn drain(self, limit: Duration) -> Vec<DestinationStatus> {
        self.spool.finish();
        self.join(limit).await
    }

    /// Stops sending and ends the sessions cleanly. Returns the final status.
    pub async fn stop(self) -> Vec<DestinationStatus> {
        self.cancel.cancel();
        self.join(Duration::ZERO).await
    }

    async fn join(mut self, limit: Duration) -> Vec<DestinationStatus> {
        let mut tasks = self.destinations.close();
        let all = async {
            for task in tasks.iter_mut().filter_map(|(_, task)| task.as_mut()) {
                // The runtime reports a panic; the result below is the last published status.
                let _ = task.await;
            }
        };
        if timeout(limit, all).await.is_err() {
            self.cancel.cancel();
            let running = tasks.iter_mut().filter_map(|(_, task)| task.as_mut());
            for task in running.filter(|task| !task.is_finished()) {
                // Ends within this time, because each wait inside is shorter.
                if timeout(2 * AIR_CLOSE_TIMEOUT, &mut *task).await.is_err() {
                    task.abort();
                }
            }
        }
        self.cancel.cancel();
        let _ = (&mut self.bound).await;
        tasks.iter().map(|(status, _)| status.borrow().clone()).collect()
    }
}

impl Drop for Air {
    fn drop(&mut self) {
        self.cancel.cancel();
        drop(self.destinations.close());
    }
}

/// Informs the clock of the end of the spool's media.
async fn bind(spool: Spool, clock: AirClock, cancel: CancellationToken) {
    let mut changes = spool.watch();
    loop {
        let finished = changes.borrow_and_update().finished;
        if let Some(newest) = spool.newest() {
            clock.extend(newest.end_ms);
        }
        if finished {
            clock.unbound();
            return;
        }
        if !matches!(cancel.run_until_cancelled(changes.changed()).await, Some(Ok(()))) {
            return;
        }
    }
}
