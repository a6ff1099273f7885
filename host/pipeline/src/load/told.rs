//! What each part of a pipeline is told of its configuration.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::LoadError;
use crate::deadline::PaceSettings;
use crate::framer::{StageFramer, StateKeeper};
use crate::host::Host;
use crate::limits::{AIR_KEEP_FOR_LATE, AIR_LIVE_LAG, CUSHION_MIN, CUSHION_PART};
use crate::settings::{CatchUp, CheckedDestination, PipelineConfig, WhenEnded};
use outboard_base::room::Room;
use outboard_egress::position::Position;
use outboard_egress::{AirConfig, DestinationConfig};
use outboard_exchange::{Exchange, ExchangeConfig, Readers};
use outboard_net::Guard;
use outboard_stage::swap::Shared;
use outboard_stage::{FramingStage, StageKind};
use outboard_store::journal::StreamJournal;
use outboard_store::retention::Keep;

/// How batches and the clock are paced.
pub fn pace_of(config: &PipelineConfig) -> PaceSettings {
    PaceSettings { batch: config.batch, hold: config.hold, cushion: cushion(config) }
}

/// What is kept of batches that went on air.
pub fn keep(config: &PipelineConfig) -> Keep {
    Keep { batches: config.keep.batches, max_age: config.keep.age, max_bytes: config.keep.bytes }
}

/// Time in hand for slower replies.
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

/// What the exchange is told; `None`: the original audio stays.
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

/// What the source is told.
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
    settings.live_edge = config.source.live_edge;
    settings.catch_up_live = config.source.catch_up == CatchUp::Live;
    settings.wait_when_ended = config.source.when_ended == Some(WhenEnded::Wait);
    settings
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

/// How late packets of a pipeline may leave.
pub fn lag(config: &PipelineConfig) -> Duration {
    match config.source.catch_up {
        CatchUp::All => AIR_KEEP_FOR_LATE,
        CatchUp::Live => AIR_LIVE_LAG,
    }
}

/// What a destination is told. `resume`: where it goes on; `lag`: how late its packets may be.
pub fn destination_config(
    configured: &CheckedDestination,
    guard: &Guard,
    resume: Option<Position>,
    lag: Duration,
) -> DestinationConfig {
    let mut destination = DestinationConfig::new(destination_name(&configured.text), configured.target.clone());
    destination.label.clone_from(&configured.name);
    destination.enabled = configured.enabled;
    destination.resume = resume;
    destination.max_lag = lag;
    destination.guard = guard.clone();
    destination
}

/// A name that stays the same over restarts and tells no key: the scheme and part of a digest.
pub fn destination_name(url: &str) -> String {
    let digest = Sha256::digest(url.as_bytes());
    let part: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{part}", url.split(':').next().unwrap_or_default())
}

/// Tells sources apart: without user, password, query and fragment, which may change with every token.
pub fn identity(url: &Url) -> String {
    format!(
        "{}://{}:{}{}",
        url.scheme(),
        url.host_str().unwrap_or_default(),
        url.port_or_known_default().unwrap_or(0),
        url.path()
    )
}
