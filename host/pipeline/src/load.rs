//! Opens everything that a pipeline needs, in the one right order: storage, journal, stages, exchange, air, steps.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::Pipeline;
use super::batch::Batcher;
use super::deadline::Deadlines;
use super::demux::demuxer::FragmentSender;
use super::demux::{Demuxer, Splitter};
use super::diary::Diary;
use super::framer::StateKeeper;
use super::host::{Host, Owner};
use super::live::{self, Live};
use super::pace::Pace;
use super::release::{Positions, Releaser, storage_event};
use super::remux::assembler::Assembler;
use super::remux::output::Series;
use super::remux::{Planner, Remuxer};
use super::report::Reporter;
use super::status::Status;
use crate::limits::AIR_EVENTS_WAITING;
use crate::settings::PipelineConfig;
use going_on::{go_on, positions, reload_ready};
use outboard_egress::Air;
use outboard_egress::clock::AirClock;
use outboard_egress::position::Position;
use outboard_egress::spool::{Counts, Spool};
use outboard_stage::StageKind;
use outboard_store::files::FilesError;
use outboard_store::journal::JournalError;
use outboard_store::retention;
use stages::Stages;
use told::{air_config, start_exchange};

mod going_on;
mod stages;
mod told;

pub use stages::{batch_seconds, bundled_or_file, component_of, opening, stage_settings};
pub use told::destination_name;
pub use told::{cushion, destination_config, exchange_config, identity, keep, lag, pace_of, source_config};

/// Why a pipeline cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// ffmpeg is not there.
    #[error(transparent)]
    Ffmpeg(#[from] outboard_ffmpeg::FfmpegError),
    /// A folder of the stream could not be created or read.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The journal could not be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// No threads for what leaves.
    #[error("the threads that send to destinations could not be started: {0}")]
    Threads(#[source] std::io::Error),
    /// The runtime of stages could not be started.
    #[error("stages: {0}")]
    Runtime(#[from] outboard_stage::RuntimeError),
    /// A component cannot be used as this stage.
    #[error("stages.{kind}: {source}")]
    Component {
        /// Its kind in the settings.
        kind: &'static str,
        /// Why it cannot be loaded.
        source: outboard_stage::LoadError,
    },
    /// A component of another kind than its place asks for.
    #[error("stages.{kind}: {file} is a {found} stage")]
    Kind {
        /// Its kind in the settings.
        kind: &'static str,
        /// Name of the component's file.
        file: String,
        /// The kind of stage that it is.
        found: &'static str,
    },
    /// A stage that does not open.
    #[error("stages.{kind}: {source}")]
    Stage {
        /// Its kind in the settings.
        kind: &'static str,
        /// The stage's error or trap.
        source: outboard_stage::StageError,
    },
    /// The exchange could not be started.
    #[error(transparent)]
    Exchange(#[from] outboard_exchange::ExchangeError),
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
        let keep = keep(&config);
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
        let exchange =
            start_exchange(&config, &owner.guard, host.readers(&owner.tenant), stages.framing.clone(), &journal)
                .await?;
        let swaps = stages.swaps(exchange.as_deref());

        let slots = host.queue().tenant(&owner.tenant, owner.ffmpeg_processes);
        let (clock, spool) = (AirClock::with_speed(config.speed), Spool::new());
        let (ready, waiting) = reload_ready(&files, &resumed);
        let first = waiting.first().map_or(resumed.next_batch, |row| row.number);
        let output = Series::resume(&files, first);
        let positions = positions(&config, &resumed);
        if let (Some(from), Some(to)) = (positions.iter().flatten().map(Position::batch).min(), resumed.oldest()) {
            // A destination that was away may never have come to batches that are released by now.
            for (number, air) in journal.on_air(from, to).await? {
                let own = Counts { video: air.video, audio: air.audio };
                spool.remember(number, own, (air.start_ms, air.end_ms));
            }
        }
        for batch in ready {
            clock.extend(batch.end_ms);
            spool.append(batch);
        }
        go_on(&clock, &spool, &positions);
        let (events, air_events) = mpsc::channel(AIR_EVENTS_WAITING);
        let destinations = air_config(host, &config, &owner.guard, &positions);
        let positions = Arc::new(Positions(journal.clone()));
        let air = Air::start(destinations, spool.clone(), clock.clone(), positions, events, &CancellationToken::new());
        if resumed.unfinished && resumed.next_segment > 0 {
            tracing::info!(
                batches = resumed.batches.len(),
                segments = resumed.uncut.len(),
                "resuming where the last run ended"
            );
        }
        let pace = Pace::new(pace_of(&config));
        let reporter = Reporter { journal: diary.clone(), status: status.clone() };
        let mut source =
            source_config(&config, &owner.guard, files.segments.clone(), resumed.next_segment, room.clone());
        // A run of so many batches is to end.
        source.wait_when_ended &= batches.is_none();
        Ok(Self {
            batcher: Batcher {
                stage: stages.batching,
                journal: diary.clone(),
                status: status.clone(),
                next_batch: resumed.next_batch,
                pending: resumed.uncut.clone().into(),
                limit: batches,
                stop: fetching.clone(),
                too_long: None,
                pace: pace.clone(),
                clock: clock.clone(),
            },
            demuxer: Demuxer {
                splitter: Splitter::new(slots.clone()),
                timeline: resumed.timeline.clone().unwrap_or_default(),
                files: files.clone(),
                reporter: reporter.clone(),
                sender: exchange.clone().map(|exchange| FragmentSender {
                    exchange,
                    stream_id: config.stream_id.clone(),
                    slots: slots.clone(),
                }),
                room: room.clone(),
                silent: false,
            },
            remuxer: Remuxer {
                planner: Planner {
                    keeper: StateKeeper::new(journal.clone(), StageKind::RemuxPlanning.name()),
                    stage: stages.remux,
                },
                assembler: Assembler { slots, room: room.clone(), output },
                deadlines: Deadlines::new(pace.settings(), tokio::time::Instant::now()),
                pace: pace.clone(),
                clock: clock.clone(),
                spool: spool.clone(),
                reporter,
            },
            releaser: Releaser {
                events: air_events,
                destinations: air.destinations().clone(),
                spool: spool.clone(),
                clock: clock.clone(),
                journal: diary,
                files: files.clone(),
                keeper,
                status: status.clone(),
            },
            live: Live::new(live::Parts {
                destinations: air.destinations().clone(),
                exchange: exchange.as_ref().map(Arc::downgrade),
                janitor: host.janitor().clone(),
                pace: pace.clone(),
                stream: (owner.tenant.clone(), config.stream_id.clone()),
                guard: owner.guard.clone(),
            }),
            stages: running,
            swaps,
            resume: resumed.known.last().map(outboard_hls::Resume::after),
            source,
            resumed: waiting,
            pace,
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
