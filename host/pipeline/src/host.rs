//! What all pipelines of a process share, and what one pipeline is allowed.

use std::path::Path;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::broadcast;

use super::load::LoadError;
use crate::evidence::EvidenceStore;
use outboard_egress::runtime::AirRuntime;
use outboard_exchange::{ReadPool, Readers};
use outboard_ffmpeg::Queue;
use outboard_net::Guard;
use outboard_stage::evidence::FailureSink;
use outboard_stage::{Compiler, StageLimits, StageRuntime, StageRuntimeConfig};
use outboard_store::database::{Database, History};
use outboard_store::files::{Storage, keep_component_bytes};
use outboard_store::janitor::Janitor;
use outboard_store::journal::{BatchProgress, Journal};
use outboard_store::limits::BATCH_STEPS_WAITING;

/// Shared by all pipelines; the storage is held for as long as any of them lives. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Host(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    storage: Storage,
    database: Database,
    journal: Journal,
    runtime: StageRuntime,
    ffmpeg: String,
    queue: Queue,
    janitor: Janitor,
    air: AirRuntime,
    evidence: EvidenceStore,
    read_pool: ReadPool,
}

/// Limits of everything that pipelines share; the default is what is right for this machine.
#[derive(Debug, Clone, Default)]
pub struct HostLimits {
    /// ffmpeg processes at once (`limits.ffmpeg_processes`).
    pub ffmpeg_processes: Option<usize>,
    /// Bytes of the disk that stay free (`storage.min_free`).
    pub min_free: Option<u64>,
    /// What the database keeps of each stream (`storage.history_…`).
    pub history: History,
    /// Where components are compiled that do not come with the host.
    pub compiler: Compiler,
}

impl Host {
    /// As [`Self::open_with`], with every default.
    ///
    /// # Errors
    /// [`LoadError`], in the cases of [`Self::open_with`].
    pub async fn open(storage: &Path) -> Result<Self, LoadError> {
        Self::open_with(storage, HostLimits::default()).await
    }

    /// Opens the storage, its database and the stage runtime, and looks for ffmpeg.
    ///
    /// # Errors
    /// [`LoadError`]: ffmpeg is not there, the storage is in use or cannot be read, stages cannot run here.
    pub async fn open_with(storage: &Path, limits: HostLimits) -> Result<Self, LoadError> {
        outboard_net::tls::install();
        // From here, so that no child has the priority of a thread that stands back.
        outboard_process::begin().map_err(LoadError::Threads)?;
        let ffmpeg = outboard_ffmpeg::version().await?;
        let storage = Storage::open(storage)?;
        keep_bundled(&storage).await;
        let database = Database::open_checked(storage.root())?.keeping(limits.history);
        let journal = Journal::new(database.clone());
        let runtime = StageRuntime::new(&StageRuntimeConfig {
            aot_dir: Some(storage.aot()),
            aot_key: Some(storage.key()),
            compiler: limits.compiler,
            ..StageRuntimeConfig::default()
        })?;
        let queue = limits.ffmpeg_processes.map_or_else(Queue::default, Queue::new);
        let janitor = Janitor::start(storage.root(), journal.clone(), limits.min_free);
        let air = AirRuntime::start().map_err(LoadError::Threads)?;
        let evidence = EvidenceStore::start(storage.root()).map_err(LoadError::Threads)?;
        let read_pool = ReadPool::default();
        let inner = Inner { storage, database, journal, runtime, ffmpeg, queue, janitor, air, evidence, read_pool };
        Ok(Self(Arc::new(inner)))
    }

    /// The storage folder, locked by this process.
    pub fn storage(&self) -> &Storage {
        &self.0.storage
    }

    /// The database, opened once for the process.
    pub fn database(&self) -> &Database {
        &self.0.database
    }

    /// The journal of all streams.
    pub fn journal(&self) -> &Journal {
        &self.0.journal
    }

    /// The runtime that compiles and runs stages.
    pub fn runtime(&self) -> &StageRuntime {
        &self.0.runtime
    }

    /// Where ffmpeg runs wait for their turn.
    pub fn queue(&self) -> &Queue {
        &self.0.queue
    }

    /// Keeps the storage within its bounds.
    pub fn janitor(&self) -> &Janitor {
        &self.0.janitor
    }

    /// Handle of the threads that send to destinations.
    pub fn air(&self) -> Handle {
        self.0.air.handle()
    }

    /// Where one more rendition of a tenant has replies of its processor read.
    pub fn readers(&self, tenant: &str) -> Readers {
        self.0.read_pool.rendition(tenant)
    }

    /// Where evidence of stages that failed is kept.
    pub fn evidence(&self) -> &EvidenceStore {
        &self.0.evidence
    }

    /// Keeps what stages do wrong.
    pub fn failure_sink(&self) -> FailureSink {
        self.0.evidence.failure_sink()
    }

    /// The first line of `ffmpeg -version`.
    pub fn ffmpeg(&self) -> &str {
        &self.0.ffmpeg
    }
}

/// Puts the stages that come with the host where settings name components by digest. They stay there: a pipeline that
/// named one keeps it when a newer host brings another.
async fn keep_bundled(storage: &Storage) {
    for wasm in outboard_stage::bundled::files() {
        if let Err(error) = keep_component_bytes(storage.root(), wasm).await {
            tracing::warn!(%error, "failed to store a bundled stage under its digest");
        }
    }
}

/// Whose a pipeline is, and what it may use.
#[derive(Debug, Clone)]
pub struct Owner {
    /// The tenant; part of every path and label.
    pub tenant: String,
    /// Limits of each stage instance.
    pub stage_limits: StageLimits,
    /// Where the steps of batches are told, over all runs.
    pub progress: broadcast::Sender<BatchProgress>,
    /// ffmpeg processes of all the tenant's pipelines at once.
    pub ffmpeg_processes: usize,
    /// What sources, processors and destinations may reach.
    pub guard: Guard,
}

/// The tenant of `run`, `demo` and of a server with one user.
pub const DEFAULT_TENANT: &str = "default";

impl Default for Owner {
    fn default() -> Self {
        Self {
            tenant: DEFAULT_TENANT.to_owned(),
            stage_limits: StageLimits::default(),
            progress: broadcast::Sender::new(BATCH_STEPS_WAITING),
            ffmpeg_processes: usize::MAX,
            guard: Guard::open(),
        }
    }
}
