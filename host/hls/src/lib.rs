//! HLS -> **source** -> batch: follows a playlist and stores each segment on disk, once and in order.
//!
//! In: the URL of a master or media playlist. Out: [`SourceEvent`]s on a bounded channel. Segments are complete files
//! when their event is sent, and everything that is not delivered is reported as a [`Gap`]. Follows RFC 8216 and the
//! common deviations of origins.
//!
//! The files: `locate` loads the first playlists (`master`, `variant`, `playlist`). `follow` reloads them (`reload`
//! decides when) and asks `window` what is new (`place` finds where to continue, `align` numbers playlists without
//! numbers). `pairing` assigns a separate audio rendition to the video. `download` fetches (`fetch`, `retry`, `crypt`,
//! `file`, `container`). `deliver` keeps the order, `naming` sets the final names, `relocate` finds another URL, and
//! `again` resumes a live source that ended and came back.
//!
//! Before the start, a permanent fault returns a [`SourceError`]. Once the source runs, faults are retried without end
//! and with bounded backoff, and reported as [`SourceEvent::Stale`].
//!
//! Uses `outboard-base`, `outboard-media` and `outboard-net`. Does not depend on batches, on stages or on the database.
//! Limits: [`limits`].
//!
//! Not supported: low-latency parts (whole segments are used).

mod again;
mod align;
mod attributes;
mod config;
mod container;
mod crypt;
mod data_uri;
mod deliver;
mod download;
mod error;
mod event;
mod fetch;
mod file;
mod follow;
#[cfg(any(test, feature = "fuzzing"))]
mod fuzz;
pub mod limits;
mod locate;
mod master;
mod media_playlist;
mod naming;
mod outlook;
mod pairing;
mod place;
mod playlist;
mod reader;
mod reload;
mod relocate;
mod retry;
mod tags;
mod variables;
mod variant;
mod window;

use futures_util::future::OptionFuture;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

pub use config::{AudioChoice, Bounds, Budget, HeaderHost, Resume, SourceConfig, VariantChoice};
use error::redacted;
pub use error::{FetchError, PlaylistError, SourceError};
pub use event::{EpochReason, Gap, GapReason, SourceEvent, Started, Track};
#[cfg(any(test, feature = "fuzzing"))]
pub use fuzz::playlists as fuzz_playlists;
pub use locate::SourceReport;

use crate::limits::{AUDIO_WAIT_TARGETS, NOTICES_WAITING_MAX, STEPS_WAITING_MAX};
use deliver::{Delivery, Inputs};
use download::{Downloader, Edge};
use fetch::Http;
use follow::Follower;
use locate::{Found, find};
use naming::Naming;
use outboard_base::asleep::Stopwatch;
use pairing::Pairing;
use relocate::Relocator;
use window::{Start, Window};

/// Runs a source until ENDLIST (the last event is [`SourceEvent::Ended`]), until `cancel`, or until the receiver is
/// dropped. With [`SourceConfig::wait_when_ended`], a live source is resumed after its ENDLIST once it is back. All
/// work happens in the returned future: dropping it stops everything and removes incomplete files.
///
/// `resume` continues after the last segment that an earlier run delivered: no segment is delivered twice, and none
/// that the playlist still lists is left out.
///
/// # Errors
/// [`SourceError`], before [`SourceEvent::Started`] only.
pub async fn run(
    config: SourceConfig,
    resume: Option<Resume>,
    events: mpsc::Sender<SourceEvent>,
    cancel: CancellationToken,
) -> Result<(), SourceError> {
    tokio::select! {
        biased;
        () = cancel.cancelled() => Ok(()),
        result = again::run(config, resume, events) => result,
    }
}

/// Loads the playlists once and reports what a run would do, without fetching media.
///
/// # Errors
/// Those of [`run`].
pub async fn probe(config: &SourceConfig) -> Result<SourceReport, SourceError> {
    let http = Http::new(config)?;
    Ok(find_first(&http, config).await?.found.into())
}

/// The first playlists, and the URL that they came from.
struct First {
    found: Found,
    on_backup: bool,
    failover: Option<SourceEvent>,
}

/// Follows the playlists until ENDLIST, or until the receiver is dropped. If `anew`, the source ended before, and the first
/// segment is discontinuous.
async fn follow_on(
    http: &Http,
    config: &SourceConfig,
    first: First,
    resume: Option<&Resume>,
    anew: bool,
    events: mpsc::Sender<SourceEvent>,
) {
    let First { found, on_backup, failover } = first;
    let first = std::iter::once(SourceEvent::Started(found.started.clone()));
    for event in first.chain(failover).chain(found.warnings.iter().cloned().map(SourceEvent::Warning)) {
        if events.send(event).await.is_err() {
            return;
        }
    }
    let clock = Stopwatch::start();
    let mut naming = Naming::new(&config.dir, config.first_index, resume, found.started.live);
    if anew {
        naming.break_off();
    }
    let (location, moves) = watch::channel(found.location.clone());
    let (notice_tx, notices) = mpsc::channel(NOTICES_WAITING_MAX);
    let follower = |track, start, resume| {
        let (steps, received) = mpsc::channel(STEPS_WAITING_MAX);
        let (edge, edges) = watch::channel(Edge::default());
        let follower = Follower {
            track,
            http: http.clone(),
            bounds: config.bounds,
            window: Window::new(start, resume).catching_up(config.catch_up_live && track == Track::Main),
            location: moves.clone(),
            steps,
            notices: notice_tx.clone(),
            edge,
            clock,
            measured: (track == Track::Main).then(|| naming.measured()),
        };
        (follower, received, edges)
    };
    let (main, main_steps, main_edge) =
        follower(Track::Main, config.live_edge.map_or(Start::LiveEdge, Start::Behind), resume);
    let (audio, audio_steps, audio_edge) = follower(Track::Audio, Start::Beginning, None);
    let separate = found.audio.is_some();
    let target = found.main.playlist.target;
    let downloader = Downloader::new(http.clone(), config, found.started.live);
    let delivery = Delivery {
        downloader: &downloader,
        pairing: Pairing::new(
            &found.main.playlist,
            found.audio.as_ref().map(|audio| &audio.playlist),
            target.max(config.bounds.reload_min).saturating_mul(AUDIO_WAIT_TARGETS),
        ),
        inputs: Inputs { main: main_steps, audio: separate.then_some(audio_steps), notices, main_edge, audio_edge },
        naming,
        ahead: if found.started.live { config.bounds.ahead_live } else { config.bounds.ahead_vod },
        events,
        relocator: Relocator::new(http.clone(), config.clone(), location, on_backup),
    };
    let following = async {
        let audio: OptionFuture<_> = found.audio.map(|first| audio.run(first)).into();
        tokio::join!(main.run(found.main), audio);
        // Both followers have ended; the delivery of their segments continues.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = delivery.run() => {}
        () = following => {}
    }
}

/// Tries the configured URL, then the backup.
async fn find_first(http: &Http, config: &SourceConfig) -> Result<First, SourceError> {
    let error = match find(http, config, &config.url).await {
        Ok(found) => return Ok(First { found, on_backup: false, failover: None }),
        Err(error) => error,
    };
    let Some(backup) = config.backup_url.as_ref().filter(|_| error.other_url_may_work()) else { return Err(error) };
    match find(http, config, backup).await {
        Ok(found) => {
            let failover = SourceEvent::Failover { to: redacted(backup), reason: error.to_string() };
            Ok(First { found, on_backup: true, failover: Some(failover) })
        }
        // The error of the first URL, which the user must fix.
        Err(_) => Err(error),
    }
}

async fn prepare(config: &SourceConfig) -> Result<(), SourceError> {
    let failed = |cause| SourceError::Directory { path: config.dir.clone(), cause };
    tokio::fs::create_dir_all(&config.dir).await.map_err(failed)?;
    file::sweep(&config.dir).await.map_err(failed)
}
