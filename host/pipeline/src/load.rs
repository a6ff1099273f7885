//! Opens everything that a pipeline needs, in the one right order: storage, journal, stages, exchange, air, steps.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::Pipeline;
use super::batch::Batcher;
use super::deadline::Deadlines;
use super::demux::demuxer::FragmentSender;
use super::demux::{Demuxer, Splitter, Waiting};
use super::host::{Host, Owner};
use super::journal_writer::JournalWriter;
use super::live::{self, Live};
use super::pace::Pace;
use super::release::{Positions, Releaser, storage_event};
use super::remux::assembler::Assembler;
use super::remux::encode::aired::Aired;
use super::remux::output::kept::{Keeper, Wanted};
use super::remux::output::series::Series;
use super::remux::{Planner, Remuxer};
use super::report::Reporter;
use super::stage_framer::StateKeeper;
use super::status::Status;
use crate::limits::AIR_EVENTS_WAITING;
use crate::settings::PipelineConfig;
use outboard_base::unix_time;
use outboard_egress::Air;
use outboard_egress::clock::AirClock;
use outboard_egress::position::Position;
use outboard_egress::spool::{Counts, Spool};
use outboard_stage::StageKind;
use outboard_store::retention;
use resume::{last_before, positions, reload_ready, start_clock};
use stages::Stages;
use step_config::{air_config, start_exchange};

pub mod error;
pub mod identity;
mod resume;
mod stages;
mod step_config;

pub use error::LoadError;
pub use identity::destination_name;
pub use identity::identity;
pub use stages::{batch_seconds, bundled_or_file, component_of, opening, stage_settings};
pub use step_config::{cushion, destination_config, exchange_config, keep, lag, pace_of, source_choice, source_config};

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
        let storage_status = status.clone();
        let keep = keep(&config);
        let keeper = host.janitor().register(
            (owner.tenant.clone(), config.stream_id.clone()),
            journal.clone(),
            keep,
            Arc::new(move |event| storage_status.tell(storage_event(event))),
        );
        let room = keeper.room();
        let writer = JournalWriter::new(journal.clone(), status.clone(), room.clone());
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
        let series = Series::resume(&files, first);
        let outputs = Wanted::default();
        outputs.set(config.keep.output);
        let positions = positions(&config, &resumed);
        if let (Some(from), Some(to)) = (positions.iter().flatten().map(Position::batch).min(), resumed.oldest()) {
            // A destination that was away may never have come to batches that are released by now.
            for (number, air) in journal.on_air(from, to).await? {
                let own = Counts { video: air.video, audio: air.audio };
                spool.remember(number, own, (air.start_ms, air.end_ms));
            }
        }
        let aired = ready.last().and_then(Aired::resumed);
        for batch in ready {
            clock.extend(batch.end_ms);
            spool.append(batch);
        }
        start_clock(&clock, &spool, &positions);
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
        let reporter = Reporter { journal: writer, status };
        let mut source =
            source_config(&config, &owner.guard, files.segments.clone(), resumed.next_segment, room.clone());
        // A run of so many batches is to end.
        source.wait_when_ended &= batches.is_none();
        Ok(Self {
            batcher: Batcher {
                stage: stages.batching,
                reporter: reporter.clone(),
                next_batch: resumed.next_batch,
                pending: resumed.uncut.clone().into(),
                limit: batches,
                stop: fetching.clone(),
                too_long: None,
                arrived: (tokio::time::Instant::now(), unix_time::now_ms()),
                handed: None,
                pace: pace.clone(),
                clock: clock.clone(),
            },
            demuxer: Demuxer {
                splitter: Splitter::new(slots.clone()).choosing(source_choice(&config)),
                waiting: Waiting::default(),
                before: last_before(&resumed, waiting.first()),
                timeline: resumed.timeline.clone().unwrap_or_default(),
                files: files.clone(),
                reporter: reporter.clone(),
                sender: exchange.clone().map(|exchange| FragmentSender {
                    exchange,
                    stream_id: config.stream_id.clone(),
                    slots: slots.clone(),
                    pre_roll: config.processor.as_ref().is_none_or(|processor| processor.pre_roll),
                }),
                room: room.clone(),
                silent: false,
            },
            remuxer: Remuxer {
                planner: Planner {
                    keeper: StateKeeper::new(journal.clone(), StageKind::RemuxPlanning.name()),
                    stage: stages.remux,
                },
                assembler: Assembler { slots, room: room.clone(), series, aired },
                deadlines: Deadlines::new(pace.settings(), tokio::time::Instant::now()),
                pace: pace.clone(),
                clock: clock.clone(),
                spool: spool.clone(),
                keeper: Keeper::new(outputs.clone(), room.clone()),
                reporter: reporter.clone(),
            },
            releaser: Releaser {
                events: air_events,
                destinations: air.destinations().clone(),
                spool: spool.clone(),
                clock: clock.clone(),
                keeper,
                reporter: reporter.clone(),
            },
            live: Live::new(live::Parts {
                destinations: air.destinations().clone(),
                exchange: exchange.as_ref().map(Arc::downgrade),
                janitor: host.janitor().clone(),
                outputs,
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
            reporter,
            journal,
            clock,
            spool,
            air,
            exchange,
            fetching,
        })
    }
}
