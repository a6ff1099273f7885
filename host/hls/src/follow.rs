//! Follows one media playlist: reloads it and sends new steps. Does not end while the stream is live; faults are
//! reported and retried with backoff.

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use url::Url;

use super::config::Bounds;
use super::download::Edge;
use super::error::FetchError;
use super::event::{SourceEvent, Track};
use super::fetch::Http;
use super::locate::{Loaded, Location, fingerprint};
use super::media_playlist::MediaPlaylist;
use super::playlist::parse_media;
use super::reload::{Health, Load, Pace};
use super::variables::Variables;
use super::window::{Mark, Step, Window};
use crate::limits::RELOCATE_AFTER_REFUSALS;
use outboard_base::asleep::Stopwatch;

/// Messages of a follower besides its steps.
#[derive(Debug)]
pub(super) enum Notice {
    /// An event that the receiver forwards.
    Event(SourceEvent),
    /// This URL does not work; another one should be found.
    Trouble(String),
}

/// Follows one of the two playlists.
pub(super) struct Follower {
    pub(super) track: Track,
    pub(super) http: Http,
    pub(super) bounds: Bounds,
    pub(super) window: Window,
    /// The playlist's URL; changes when another one was found.
    pub(super) location: watch::Receiver<Location>,
    /// New steps in order; dropped at ENDLIST.
    pub(super) steps: mpsc::Sender<Step>,
    pub(super) notices: mpsc::Sender<Notice>,
    /// The oldest listed segment, for the downloads.
    pub(super) edge: watch::Sender<Edge>,
    /// The window's clock. It continues while the machine is suspended, as the source does.
    pub(super) clock: Stopwatch,
    /// Duration of the newest segment by its media; zero: not known. `None`: nobody measures this track.
    pub(super) measured: Option<watch::Receiver<Duration>>,
}

impl Follower {
    /// Runs until ENDLIST, or until the receiver of its steps is dropped.
    pub(super) async fn run(mut self, first: Loaded) {
        let mut pace = Pace::new(first.playlist.target, self.bounds.reload_min, self.bounds.retry_step, Instant::now());
        let mut seen = LastLoad { fingerprint: first.fingerprint, origin: 0 };
        let mut next = match self.take(&first.playlist, &mut pace).await {
            Next::Over => return,
            Next::Load => pace.next_load(Load::Changed, None, first.began, Instant::now()),
        };
        let (mut refusals, mut began) = (0, first.began);
        loop {
            self.wait_until(next, began, &mut pace).await;
            began = Instant::now();
            let (url, moved) = self.address(&mut seen);
            if moved {
                self.window.moved();
            }
            let variables = self.location.borrow().variables.clone();
            let result = self.load(&url, &mut pace).await;
            let now = Instant::now();
            next = match result.and_then(|loaded| self.read(loaded, variables.as_deref(), &mut seen)) {
                // An identical playlist that confirms a restart is processed again.
                Ok(Some((playlist, load))) => {
                    refusals = 0;
                    match self.take(&playlist, &mut pace).await {
                        Next::Over => return,
                        Next::Load => pace.next_load(load, Some(playlist.target), began, Instant::now()),
                    }
                }
                Ok(None) => pace.next_load(Load::Unchanged, None, began, now),
                Err(error) => self.failed(&error, &mut pace, began, &mut refusals),
            };
        }
    }

    /// Parses a loaded text unless it is identical to the previous one.
    fn read(
        &self,
        (base, text): (Url, String),
        imports: Option<&Variables>,
        seen: &mut LastLoad,
    ) -> Result<Option<(MediaPlaylist, Load)>, FetchError> {
        let fingerprint = fingerprint(&base, &text);
        let changed = seen.fingerprint != fingerprint;
        if !changed && !self.window.is_waiting() {
            return Ok(None);
        }
        let playlist = parse_media(&base, &text, imports)?;
        seen.fingerprint = fingerprint;
        Ok(Some((playlist, if changed { Load::Changed } else { Load::Unchanged })))
    }

    /// Sends what is new in a playlist.
    async fn take(&mut self, playlist: &MediaPlaylist, pace: &mut Pace) -> Next {
        let steps = self.window.update(playlist, self.clock.elapsed());
        let behind = self.window.is_waiting();
        let slides = !playlist.numbered || playlist.media_sequence > 0;
        pace.slides(if slides { playlist.entries.len() } else { 0 });
        if !behind {
            self.edge.send_replace(Edge { epoch: self.window.epoch(), first: self.window.first_listed() });
        }
        let progress = steps.iter().any(|step| matches!(step, Step::Segment(_) | Step::Mark(Mark::Gap { .. })));
        for step in steps {
            // Waits while the receiver is slow; segments that leave the playlist in the meantime count as missed.
            if self.steps.send(step).await.is_err() {
                return Next::Over;
            }
        }
        if progress && let Some(health) = pace.progress(Instant::now()) {
            self.tell(health);
        }
        if playlist.ended && !behind { Next::Over } else { Next::Load }
    }

    fn failed(&self, error: &FetchError, pace: &mut Pace, began: Instant, refusals: &mut u32) -> Instant {
        *refusals = if error.refused() { *refusals + 1 } else { 0 };
        let next = pace.next_load(Load::Failed, None, began, Instant::now());
        tracing::debug!(track = ?self.track, %error, failures = pace.failures(), "playlist load failed");
        if pace.failures() == 1 {
            self.notice(Notice::Event(SourceEvent::Warning(format!("{} playlist: {error}", self.name()))));
        }
        if *refusals >= RELOCATE_AFTER_REFUSALS {
            *refusals = 0;
            self.notice(Notice::Trouble(format!("{} playlist: {error}", self.name())));
        }
        next
    }

    /// Waits for the next load, after one that began at `began`; a new URL ends the wait at once.
    async fn wait_until(&mut self, mut next: Instant, began: Instant, pace: &mut Pace) {
        loop {
            let stale_at = pace.stale_at();
            tokio::select! {
                () = sleep_until(next) => return,
                Ok(()) = self.location.changed() => return,
                length = measured(&mut self.measured) => {
                    pace.measured(length);
                    // Whether the target duration is too long may be known only when the first segment is there.
                    if pace.failures() == 0 {
                        next = next.min(began + pace.wait_max());
                    }
                }
                () = sleep_until(stale_at) => self.overdue(pace),
            }
        }
    }

    async fn load(&mut self, url: &Url, pace: &mut Pace) -> Result<(Url, String), FetchError> {
        let (http, budget) = (self.http.clone(), self.bounds.playlist);
        let load = http.playlist(url, &budget);
        tokio::pin!(load);
        loop {
            let stale_at = pace.stale_at();
            tokio::select! {
                result = &mut load => return result,
                () = sleep_until(stale_at) => self.overdue(pace),
            }
        }
    }

    /// The current URL, and whether its origin differs from the previous one.
    fn address(&mut self, seen: &mut LastLoad) -> (Url, bool) {
        let location = self.location.borrow_and_update().clone();
        let moved = std::mem::replace(&mut seen.origin, location.origin) != location.origin;
        let url = match self.track {
            Track::Main => location.main,
            Track::Audio => location.audio.unwrap_or(location.main),
        };
        (url, moved)
    }

    fn overdue(&self, pace: &mut Pace) {
        if let Some(health) = pace.overdue(Instant::now()) {
            self.tell(health);
        }
        self.notice(Notice::Trouble(format!("{} playlist: no new segment", self.name())));
    }

    fn tell(&self, health: Health) {
        let track = self.track;
        self.notice(Notice::Event(match health {
            Health::Stale(unchanged_for) => SourceEvent::Stale { track, unchanged_for },
            Health::Fresh(after) => SourceEvent::Fresh { track, after },
        }));
    }

    /// Notices never delay loads: when the queue is full, they are only logged.
    fn notice(&self, notice: Notice) {
        if let Err(mpsc::error::TrySendError::Full(notice)) = self.notices.try_send(notice) {
            tracing::warn!(?notice, "receiver is slow, a notice is dropped");
        }
    }

    fn name(&self) -> &'static str {
        match self.track {
            Track::Main => "main",
            Track::Audio => "audio",
        }
    }
}

/// The next duration of a segment by its media.
async fn measured(lengths: &mut Option<watch::Receiver<Duration>>) -> Duration {
    let Some(lengths) = lengths else { return std::future::pending().await };
    match lengths.changed().await {
        Ok(()) => *lengths.borrow_and_update(),
        // The source ends.
        Err(_) => std::future::pending().await,
    }
}

/// Whether the follower continues.
enum Next {
    Load,
    Over,
}

/// Fingerprint and origin number of the last loaded playlist.
struct LastLoad {
    fingerprint: u64,
    origin: u64,
}
