//! Opens everything that a pipeline needs, in the one right order: storage, journal, stages, exchange, air, steps.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use url::Url;

use super::air::clock::AirClock;
use super::air::position::Position;
use super::air::spool::Spool;
use super::air::{self, Air, AirConfig, DestinationConfig};
use super::batch::Batcher;
use super::decide::Decider;
use super::demux::Demuxer;
use super::diary::Diary;
use super::exchange::{Exchange, ExchangeConfig};
use super::framer::{StageFramer, StateKeeper};
use super::host::{Host, Owner};
use super::prepare::Preparer;
use super::release::{Positions, Releaser, storage_event};
use super::remux::output::Series;
use super::status::Status;
use super::timeline::Timeline;
use super::watch::RunningStage;
use super::{Pipeline, demux, remux, source};
use crate::config::{Destination, PipelineConfig};
use crate::limits::{AIR_EVENTS_WAITING, AIR_KEEP_FOR_LATE, CUSHION_MIN, CUSHION_PART, START_AFTER_RESTART};
use crate::net::Guard;
use crate::stage::swap::{Shared, Swaps};
use crate::stage::{
    BatchingStage, FramingStage, Opening, RemuxStage, StageComponent, StageKind, StageLabels, StageRuntime,
};
use crate::store::files::{FilesError, StreamFiles};
use crate::store::journal::{BatchRow, JournalError, Resumed, Step, StreamJournal};
use crate::store::retention::{self, Keep};
use crate::store::room::Room;

/// Why a pipeline cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// ffmpeg is not there.
    #[error(transparent)]
    Ffmpeg(#[from] crate::ffmpeg::FfmpegError),
    /// The storage.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// No threads for what leaves.
    #[error("the threads that send to destinations could not be started: {0}")]
    Threads(#[source] std::io::Error),
    /// The stage runtime.
    #[error("stages: {0}")]
    Runtime(#[from] crate::stage::RuntimeError),
    /// A component.
    #[error("stages.{kind}: {source}")]
    Component {
        /// Its kind in the settings.
        kind: &'static str,
        /// Why not.
        source: crate::stage::LoadError,
    },
    /// A component of another kind than its place asks for.
    #[error("stages.{kind}: {file} is a {found} stage")]
    Kind {
        /// Its kind in the settings.
        kind: &'static str,
        /// The file.
        file: String,
        /// What it is.
        found: &'static str,
    },
    /// A stage that does not open.
    #[error("stages.{kind}: {source}")]
    Stage {
        /// Its kind in the settings.
        kind: &'static str,
        /// Why not.
        source: crate::stage::StageError,
    },
    /// The exchange.
    #[error(transparent)]
    Exchange(#[from] super::exchange::ExchangeError),
}

impl Pipeline {
    /// Opens a pipeline; goes on with an unfinished run of the same stream and source. `batches`: stop after so many.
    pub async fn load(
        host: &Host,
        owner: Owner,
        config: PipelineConfig,
        batches: Option<u64>,
    ) -> Result<Self, LoadError> {
        // Whatever the log's level: every line below it tells whose it is.
        let span = tracing::error_span!("pipeline", tenant = owner.tenant, stream = config.stream_id);
        Self::open(host, owner, config, batches, span.clone()).instrument(span).await
    }

    async fn open(
        host: &Host,
        owner: Owner,
        config: PipelineConfig,
        batches: Option<u64>,
        span: tracing::Span,
    ) -> Result<Self, LoadError> {
        let files = host.storage().stream(&owner.tenant, &config.stream_id)?;
        let (journal, resumed) =
            host.journal().begin(&owner.tenant, &config.stream_id, &identity(&config.source.url)).await?;
        let journal = journal.telling(owner.progress.clone());
        retention::sweep(&files).await;
        if !resumed.unfinished {
            retention::clean_unused(&journal, &files).await?;
        }
        let status = Arc::new(Status::default());
        let told = status.clone();
        let keep = Keep { batches: config.keep_batches, max_age: config.keep_age, max_bytes: config.keep_bytes };
        let keeper = host.janitor().register(
            (owner.tenant.clone(), config.stream_id.clone()),
            journal.clone(),
            keep,
            Arc::new(move |event| told.tell(storage_event(event))),
        );
        let room = keeper.room();
        let diary = Diary::new(journal.clone(), status.clone(), room.clone());
        let stages = Stages::open(host, &owner, &config, &resumed).await?;
        let running = stages.running().await;
        let fetching = CancellationToken::new();
        let exchange = start_exchange(&config, &owner.guard, stages.framing.clone(), &journal).await?;
        let swaps = stages.swaps(exchange.as_deref());

        let slots = host.queue().tenant(&owner.tenant, owner.ffmpeg_processes);
        let (clock, spool) = (AirClock::with_speed(config.speed), Spool::new());
        let (ready, waiting) = reload_ready(&files, &resumed);
        let first = waiting.first().map_or(resumed.next_batch, |row| row.number);
        let output = Series::resume(&files, first);
        for batch in ready {
            clock.extend(batch.end_ms);
            spool.append(batch);
        }
        let positions = positions(&config, &resumed);
        go_on(&clock, &spool, &positions);
        let passed = positions.iter().map(|position| position.as_ref().map_or(0, Position::batch)).min();
        let (events, air_events) = mpsc::channel(AIR_EVENTS_WAITING);
        let destinations = air_config(host, &config, &owner.guard, &positions);
        let positions = Arc::new(Positions(journal.clone()));
        let air = Air::start(destinations, spool.clone(), clock.clone(), positions, events, &CancellationToken::new());
        if resumed.unfinished && resumed.next_segment > 0 {
            tracing::info!(
                batches = resumed.batches.len(),
                segments = resumed.uncut.len(),
                "going on where the last run was"
            );
        }
        let cushion = cushion(&config);
        Ok(Self {
            batcher: Batcher {
                stage: stages.batching,
                journal: diary.clone(),
                status: status.clone(),
                next_batch: resumed.next_batch,
                pending: resumed.uncut.clone().into(),
                limit: batches,
                stop: fetching.clone(),
            },
            preparer: Preparer {
                demuxer: Demuxer::new(slots.clone()),
                timeline: resumed.timeline.clone().unwrap_or_default(),
                files: files.clone(),
                journal: diary.clone(),
                status: status.clone(),
                exchange: exchange.clone(),
                stream_id: config.stream_id.clone(),
                slots: slots.clone(),
                room: room.clone(),
            },
            decider: Decider {
                keeper: StateKeeper::new(journal.clone(), StageKind::RemuxPlanning.name()),
                stage: stages.remux,
                journal: diary.clone(),
                status: status.clone(),
                clock: clock.clone(),
                spool: spool.clone(),
                hold: config.hold,
                cushion,
                batch: config.batch,
                started: tokio::time::Instant::now(),
                end_ms: None,
                slots,
                room: room.clone(),
                output,
            },
            releaser: Releaser {
                events: air_events,
                destinations: config.destinations.len(),
                passed,
                spool: spool.clone(),
                clock: clock.clone(),
                journal: diary,
                files: files.clone(),
                keeper,
                status: status.clone(),
            },
            stages: running,
            swaps,
            resume: resumed.known.last().map(source::Resume::after),
            source: source_config(&config, &owner.guard, files.segments, resumed.next_segment, room),
            resumed: waiting,
            batch: config.batch,
            host: host.clone(),
            span,
            status,
            journal,
            clock,
            spool,
            air,
            exchange,
            fetching,
        })
    }
}

/// The three stages in their seats.
struct Stages {
    batching: Shared<BatchingStage>,
    framing: Shared<FramingStage>,
    remux: Shared<RemuxStage>,
}

impl Stages {
    async fn open(host: &Host, owner: &Owner, config: &PipelineConfig, resumed: &Resumed) -> Result<Self, LoadError> {
        let (runtime, batch_seconds) = (host.runtime(), batch_seconds(config));
        let open = async |kind: StageKind, key: &'static str| -> Result<_, LoadError> {
            let component = component_of(runtime, config, kind, key).await?;
            let state = resumed.stages.get(kind.name()).map(|snapshot| snapshot.state.clone());
            let previous = previous_of(runtime, config, kind, key).await;
            let opening = Opening { state, previous, witness: host.witness(), ..opening(owner, config, key) };
            Ok((component, opening))
        };
        // A stream that was on air goes on, whatever its stages make of their old state: they are tried again later.
        let again = resumed.unfinished;
        let refused = |kind| move |source| LoadError::Stage { kind, source };
        let (component, opening) = open(StageKind::Batching, "batching").await?;
        let batching = match again {
            true => BatchingStage::resume(runtime, component, opening, batch_seconds).await,
            false => {
                BatchingStage::open(runtime, component, opening, batch_seconds).await.map_err(refused("batching"))?
            }
        };
        let (component, opening) = open(StageKind::Framing, "framing").await?;
        let framing = match again {
            true => FramingStage::resume(runtime, component, opening).await,
            false => FramingStage::open(runtime, component, opening).await.map_err(refused("framing"))?,
        };
        let (component, opening) = open(StageKind::RemuxPlanning, "remux_planning").await?;
        let remux = match again {
            true => RemuxStage::resume(runtime, component, opening).await,
            false => RemuxStage::open(runtime, component, opening).await.map_err(refused("remux_planning"))?,
        };
        Ok(Self { batching: shared(batching), framing: shared(framing), remux: shared(remux) })
    }

    fn swaps(&self, exchange: Option<&Exchange>) -> Swaps {
        let wake = exchange.map(Exchange::waker);
        let wake = move || wake.iter().for_each(|wake| wake());
        Swaps::new(self.batching.clone(), self.framing.clone(), self.remux.clone(), wake)
    }

    async fn running(&self) -> Vec<RunningStage> {
        let swaps = self.swaps(None);
        let mut running = Vec::new();
        for kind in StageKind::ALL {
            running.push(RunningStage { kind, face: swaps.face(kind).await });
        }
        running
    }
}

fn shared<S>(stage: S) -> Shared<S> {
    Arc::new(tokio::sync::Mutex::new(stage))
}

/// Time in hand for slower replies.
pub(crate) fn cushion(config: &PipelineConfig) -> Duration {
    config.cushion.unwrap_or_else(|| CUSHION_MIN.max(config.batch / CUSHION_PART))
}

pub(crate) fn batch_seconds(config: &PipelineConfig) -> u32 {
    u32::try_from(config.batch.as_secs()).unwrap_or(u32::MAX)
}

/// How a stage of a new stream is opened. `key`: its kind in the settings.
pub(crate) fn opening(owner: &Owner, config: &PipelineConfig, key: &str) -> Opening {
    let own = config.stages.files.contains_key(key);
    Opening {
        settings: stage_settings(key, own, config.stages.settings.get(key).cloned(), batch_seconds(config)),
        state: None,
        limits: owner.stage_limits,
        labels: StageLabels::new(&owner.tenant, &config.stream_id),
        on_failure: config.stages.on_failure.get(key).copied().unwrap_or_default(),
        ..Opening::default()
    }
}

/// Settings as a stage is opened with them. `own`: it is not the bundled one, which is told the length of batches.
pub(crate) fn stage_settings(key: &str, own: bool, settings: Option<serde_json::Value>, batch_seconds: u32) -> String {
    let mut settings = settings;
    if key == "batching" && !own {
        let object = settings.get_or_insert_with(|| serde_json::json!({}));
        if let Some(object) = object.as_object_mut() {
            object.entry("batch_seconds").or_insert_with(|| batch_seconds.into());
        }
    }
    settings.as_ref().map(ToString::to_string).unwrap_or_default()
}

/// A component from its file, or the bundled one of a kind.
pub(crate) async fn bundled_or_file(
    runtime: &StageRuntime,
    kind: StageKind,
    file: Option<&Path>,
) -> Result<Arc<StageComponent>, crate::stage::LoadError> {
    match file {
        Some(file) => runtime.load_file(file).await,
        None => runtime.bundled(kind).await,
    }
}

/// The version of a stage that was on air before, with its settings. One that cannot be loaded any more is none.
async fn previous_of(
    runtime: &StageRuntime,
    config: &PipelineConfig,
    wanted: StageKind,
    key: &str,
) -> Option<(Arc<StageComponent>, String)> {
    let previous = config.stages.previous.get(key)?;
    let settings = || stage_settings(key, previous.file.is_some(), previous.settings.clone(), batch_seconds(config));
    match bundled_or_file(runtime, wanted, previous.file.as_deref()).await {
        Ok(component) if component.kind() == wanted => Some((component, settings())),
        Ok(_) => None,
        Err(error) => {
            tracing::warn!(kind = wanted.name(), %error, "the version before cannot be used any more");
            None
        }
    }
}

/// The component of a stage. `kind`: its kind in the settings.
pub(crate) async fn component_of(
    runtime: &StageRuntime,
    config: &PipelineConfig,
    wanted: StageKind,
    kind: &'static str,
) -> Result<Arc<StageComponent>, LoadError> {
    let file = config.stages.files.get(kind).map(PathBuf::as_path);
    let component = bundled_or_file(runtime, wanted, file).await;
    let component = component.map_err(|source| LoadError::Component { kind, source })?;
    let Some(file) = file.filter(|_| component.kind() != wanted) else { return Ok(component) };
    Err(LoadError::Kind { kind, file: file.display().to_string(), found: component.kind().name() })
}

async fn start_exchange(
    config: &PipelineConfig,
    guard: &Guard,
    stage: Shared<FramingStage>,
    journal: &StreamJournal,
) -> Result<Option<Arc<Exchange>>, LoadError> {
    let Some(settings) = exchange_config(config, guard) else { return Ok(None) };
    let keeper = StateKeeper::new(journal.clone(), StageKind::Framing.name());
    let framer = StageFramer::new(stage, Some(keeper));
    let exchange = Exchange::start(settings, &config.stream_id, Box::new(framer), &CancellationToken::new()).await?;
    Ok(Some(Arc::new(exchange)))
}

/// What the exchange is told; `None`: the original audio stays.
pub(crate) fn exchange_config(config: &PipelineConfig, guard: &Guard) -> Option<ExchangeConfig> {
    let processor = config.processor.as_ref()?;
    let mut settings = ExchangeConfig::new(processor.url.as_str());
    settings.path = processor.path.clone();
    settings.namespace = processor.namespace.clone();
    settings.auth = processor.auth.clone();
    settings.headers = processor.headers.clone();
    settings.in_flight = processor.in_flight;
    settings.guard = guard.clone();
    Some(settings)
}

/// What the source is told.
pub(crate) fn source_config(
    config: &PipelineConfig,
    guard: &Guard,
    dir: PathBuf,
    first_index: u64,
    room: Room,
) -> source::SourceConfig {
    let mut settings = source::SourceConfig::new(config.source.url.clone(), dir);
    settings.guard = guard.clone();
    settings.first_index = first_index;
    settings.room = room;
    settings.backup_url = config.source.backup_url.clone();
    settings.headers = config.source.headers.clone();
    settings.variant.max_bandwidth = config.source.max_bandwidth;
    settings.variant.resolution = config.source.resolution;
    settings
}

/// Batches that were ready before a restart go straight to air; the others take their steps again, from the one that
/// they had reached.
fn reload_ready(files: &StreamFiles, resumed: &Resumed) -> (Vec<air::spool::ReadyBatch>, Vec<BatchRow>) {
    let mut ready = Vec::new();
    let mut waiting = Vec::new();
    for row in &resumed.batches {
        let reloaded = (row.step >= Step::Remuxed && waiting.is_empty()).then(|| reload(files, row)).flatten();
        match reloaded {
            Some(batch) => ready.push(batch),
            None => waiting.push(row.clone()),
        }
    }
    (ready, waiting)
}

fn reload(files: &StreamFiles, row: &BatchRow) -> Option<air::spool::ReadyBatch> {
    let dir = files.batch(row.number);
    let mut timeline: Timeline = row.timeline.clone()?;
    let text = std::fs::read_to_string(dir.join(demux::names::PACKETS)).ok()?;
    let facts = crate::media::facts::BatchFacts::parse(&text).ok()?;
    let placed = timeline.place(&facts, row.discontinuity);
    match remux::reload(row.number, &dir, (placed.start_ms, placed.end_ms)) {
        Ok(batch) => Some(batch),
        Err(error) => {
            tracing::warn!(batch = row.number, %error, "not ready any more, put together again");
            None
        }
    }
}

/// Where each destination was, by its name.
fn positions(config: &PipelineConfig, resumed: &Resumed) -> Vec<Option<Position>> {
    let of = |to: &Destination| serde_json::from_str(resumed.air.get(&destination_name(&to.text))?).ok();
    config.destinations.iter().map(of).collect()
}

/// Starts the clock where air was, if there is anything to send; else the first batch will.
fn go_on(clock: &AirClock, spool: &Spool, positions: &[Option<Position>]) {
    let Some(oldest) = spool.oldest() else { return };
    let furthest = positions.iter().flatten().map(|position| position.air_ms).max();
    let from_ms = furthest.unwrap_or(oldest.start_ms).max(oldest.start_ms);
    clock.start(from_ms, tokio::time::Instant::now() + START_AFTER_RESTART);
}

fn air_config(host: &Host, config: &PipelineConfig, guard: &Guard, positions: &[Option<Position>]) -> AirConfig {
    let destination = |(configured, position): (&Destination, &Option<Position>)| {
        let mut destination = DestinationConfig::new(destination_name(&configured.text), configured.target.clone());
        destination.resume = *position;
        destination.max_lag = AIR_KEEP_FOR_LATE;
        destination.guard = guard.clone();
        destination
    };
    let destinations = config.destinations.iter().zip(positions).map(destination).collect();
    let ffmpeg = ffmpeg_sidecar::paths::ffmpeg_path();
    AirConfig { stream: config.stream_id.clone(), destinations, ffmpeg, runtime: host.air() }
}

/// A name that stays the same over restarts and tells no key: the scheme and part of a digest.
pub fn destination_name(url: &str) -> String {
    let digest = Sha256::digest(url.as_bytes());
    let part: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{part}", url.split(':').next().unwrap_or_default())
}

/// Tells sources apart: without user, password, query and fragment, which may change with every token.
fn identity(url: &Url) -> String {
    format!(
        "{}://{}:{}{}",
        url.scheme(),
        url.host_str().unwrap_or_default(),
        url.port_or_known_default().unwrap_or(0),
        url.path()
    )
}
