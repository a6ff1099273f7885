//! The configuration of each step, made of the pipeline's.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::error::LoadError;
use super::identity::destination_name;
use crate::deadline::PaceSettings;
use crate::host::Host;
use crate::limits::{AIR_KEEP_FOR_LATE, AIR_LIVE_LAG, CUSHION_MIN, CUSHION_PART};
use crate::settings::{CatchUp, CheckedDestination, PipelineConfig, SourceAudio, WhenEnded};
use crate::stage_framer::{StageFramer, StateKeeper};
use outboard_base::room::Room;
use outboard_egress::position::Position;
use outboard_egress::{AirConfig, DestinationConfig};
use outboard_exchange::{Exchange, ExchangeConfig, Readers};
use outboard_media::demux::{Choice, Codec, Wish};
use outboard_net::Guard;
use outboard_stage::swap::Shared;
use outboard_stage::{FramingStage, StageKind};
use outboard_store::journal::StreamJournal;
use outboard_store::retention::Keep;

/// Length of batches, hold and cushion, for the batch step and the deadlines.
pub fn pace_of(config: &PipelineConfig) -> PaceSettings {
    PaceSettings { batch: config.batch, hold: config.hold, cushion: cushion(config) }
}

/// What is kept of batches that went on air, for the janitor.
pub fn keep(config: &PipelineConfig) -> Keep {
    Keep { batches: config.keep.batches, max_age: config.keep.age, max_bytes: config.keep.bytes }
}

/// Time in hand for slower replies: as configured, else a part of a batch and [`CUSHION_MIN`] at least.
pub fn cushion(config: &PipelineConfig) -> Duration {
    config.cushion.unwrap_or_else(|| CUSHION_MIN.max(config.batch / CUSHION_PART))
}

pub(super) async fn start_exchange(
    config: &PipelineConfig,
    guard: &Guard,
    readers: Readers,
    stage: Shared<FramingStage>,
    journal: &StreamJournal,
) -> Result<Option<Arc<Exchange>>, LoadError> {
    let Some(settings) = exchange_config(config, guard) else { return Ok(None) };
    let keeper = StateKeeper::new(journal.clone(), StageKind::Framing.name());
    let framer = StageFramer::new(stage, Some(keeper));
    let exchange =
        Exchange::start(settings, &config.stream_id, Box::new(framer), readers, &CancellationToken::new()).await?;
    Ok(Some(Arc::new(exchange)))
}

/// Configuration of the exchange; `None`: there is no processor, the original audio stays.
pub fn exchange_config(config: &PipelineConfig, guard: &Guard) -> Option<ExchangeConfig> {
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

/// Configuration of the source. `dir`: where its segments go; `first_index`: number of the first one.
pub fn source_config(
    config: &PipelineConfig,
    guard: &Guard,
    dir: PathBuf,
    first_index: u64,
    room: Room,
) -> outboard_hls::SourceConfig {
    let mut settings = outboard_hls::SourceConfig::new(config.source.url.clone(), dir);
    settings.guard = guard.clone();
    settings.first_index = first_index;
    settings.room = room;
    settings.backup_url = config.source.backup_url.clone();
    settings.headers = config.source.headers.clone();
    // They were checked with the rest.
    settings.header_hosts =
        config.source.header_hosts.iter().filter_map(|host| outboard_hls::HeaderHost::parse(host).ok()).collect();
    settings.variant.max_bandwidth = config.source.max_bandwidth;
    settings.variant.resolution = config.source.resolution;
    settings.audio.language.clone_from(&config.source.audio.language);
    settings.audio.name.clone_from(&config.source.audio.name);
    settings.live_edge = config.source.live_edge;
    settings.catch_up_live = config.source.catch_up == CatchUp::Live;
    settings.wait_when_ended = config.source.when_ended == Some(WhenEnded::Wait);
    settings
}

/// Which programme and streams are taken of the source's media.
pub fn source_choice(config: &PipelineConfig) -> Choice {
    let SourceAudio { pid, language, codec, name: _ } = &config.source.audio;
    let codec = codec.as_ref().and_then(|name| Codec::SOUNDS.into_iter().find(|codec| codec.name() == name));
    let audio = Wish { number: *pid, language: language.clone(), codec };
    Choice { program: config.source.program, video: Wish::default(), audio }
}

pub(super) fn air_config(
    host: &Host,
    config: &PipelineConfig,
    guard: &Guard,
    positions: &[Option<Position>],
) -> AirConfig {
    let destination = |(configured, position): (&CheckedDestination, &Option<Position>)| {
        destination_config(configured, guard, *position, lag(config))
    };
    let destinations = config.destinations.iter().zip(positions).map(destination).collect();
    let ffmpeg = ffmpeg_sidecar::paths::ffmpeg_path();
    AirConfig { stream: config.stream_id.clone(), destinations, ffmpeg, runtime: host.air() }
}

/// How far behind the clock packets may leave; what is later is skipped.
pub fn lag(config: &PipelineConfig) -> Duration {
    match config.source.catch_up {
        CatchUp::All => AIR_KEEP_FOR_LATE,
        CatchUp::Live => AIR_LIVE_LAG,
    }
}

/// Configuration of a destination. `resume`: where it goes on; `lag`: how far behind the clock its packets may leave.
pub fn destination_config(
    configured: &CheckedDestination,
    guard: &Guard,
    resume: Option<Position>,
    lag: Duration,
) -> DestinationConfig {
    let mut destination = DestinationConfig::new(destination_name(&configured.text), configured.target.clone());
    destination.label.clone_from(&configured.name);
    destination.enabled = configured.enabled;
    destination.enhanced = configured.enhanced_rtmp;
    destination.resume = resume;
    destination.max_lag = lag;
    destination.guard = guard.clone();
    destination
}
