//! Resumes a live source after an end that nobody requested (an encoder restarts and writes ENDLIST): polls it with
//! growing delays until it is back, and continues after the last delivered segment.
//!
//! The source is back when its playlist has no ENDLIST any more, or lists segments after the last one. A playlist of
//! other segments that has ENDLIST from the start is a recording and not part of the live stream.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::config::{Resume, SourceConfig};
use super::error::SourceError;
use super::event::{SourceEvent, Started};
use super::fetch::Http;
use super::media_playlist::MediaPlaylist;
use super::window::{Mark, Start, Step, Window};
use super::{First, find_first, follow_on, prepare};
use crate::limits::SOURCE_BACK;
use outboard_base::backoff::Backoff;

/// The receiver of the events was dropped.
struct Gone;

/// Runs a source, and resumes it after ends that count as outages.
pub(super) async fn run(
    config: SourceConfig,
    resume: Option<Resume>,
    events: mpsc::Sender<SourceEvent>,
) -> Result<(), SourceError> {
    let http = Http::new(&config)?;
    prepare(&config).await?;
    let mut first = find_first(&http, &config).await?;
    // A host that starts while the source is over finds ENDLIST where a live stream was.
    let was_live = resume.as_ref().is_some_and(|resume| resume.live);
    if !(config.wait_when_ended && (first.found.started.live || was_live)) {
        follow_on(&http, &config, first, resume.as_ref(), false, events).await;
        return Ok(());
    }
    let mut run = Run { last: resume, over: None, events };
    if !is_back(&first.found.main.playlist, run.last.as_ref()) {
        let started = Started { live: true, ..first.found.started };
        if run.tell(SourceEvent::Started(started)).await.is_err() || run.is_over().await.is_err() {
            return Ok(());
        }
        first = match run.until_back(&http, &config).await {
            Ok(first) => first,
            Err(Gone) => return Ok(()),
        };
    }
    loop {
        first.found.started.live = true;
        let (told, heard) = mpsc::channel(1);
        let from = run.last.clone();
        let following = follow_on(&http, &config, first, from.as_ref(), run.over.is_some(), told);
        let (passed_on, ()) = tokio::join!(run.pass_on(heard), following);
        if passed_on.is_err() || run.is_over().await.is_err() {
            return Ok(());
        }
        first = match run.until_back(&http, &config).await {
            Ok(first) => first,
            Err(Gone) => return Ok(()),
        };
    }
}

/// A live source over several connections.
struct Run {
    /// The last segment that was delivered.
    last: Option<Resume>,
    /// When the source ended; `None` while it runs.
    over: Option<Instant>,
    events: mpsc::Sender<SourceEvent>,
}

impl Run {
    /// Forwards events until the source ends.
    async fn pass_on(&mut self, mut heard: mpsc::Receiver<SourceEvent>) -> Result<(), Gone> {
        while let Some(event) = heard.recv().await {
            match &event {
                SourceEvent::Ended => return Ok(()),
                // The source started before; its first segment shows that it is back.
                SourceEvent::Started(_) if self.over.is_some() => continue,
                SourceEvent::Segment(segment) => {
                    self.last = Some(Resume::after(segment));
                    if let Some(since) = self.over.take() {
                        self.tell(SourceEvent::Back { after: since.elapsed() }).await?;
                    }
                }
                _ => {}
            }
            self.tell(event).await?;
        }
        // The followers end only with ENDLIST.
        Err(Gone)
    }

    /// Reports the end of the source, unless it is already reported.
    async fn is_over(&mut self) -> Result<(), Gone> {
        if self.over.is_some() {
            return Ok(());
        }
        self.over = Some(Instant::now());
        self.tell(SourceEvent::Over).await
    }

    /// Polls the source until it is back. A fault in the meantime is reported once.
    async fn until_back(&self, http: &Http, config: &SourceConfig) -> Result<First, Gone> {
        let (mut looks, mut told) = (Backoff::new(SOURCE_BACK), false);
        loop {
            let wait = looks.failed();
            tokio::select! {
                () = sleep(wait) => {}
                () = self.events.closed() => return Err(Gone),
            }
            match find_first(http, config).await {
                Ok(first) if is_back(&first.found.main.playlist, self.last.as_ref()) => return Ok(first),
                Ok(_) => tracing::debug!(?wait, "the source has still ended"),
                Err(error) => {
                    tracing::debug!(?wait, %error, "the source has ended and cannot be read");
                    if !std::mem::replace(&mut told, true) {
                        self.tell(SourceEvent::Warning(format!("it has ended, and {error}"))).await?;
                    }
                }
            }
        }
    }

    async fn tell(&self, event: SourceEvent) -> Result<(), Gone> {
        self.events.send(event).await.map_err(|_| Gone)
    }
}

/// Whether a playlist shows that a source which ended after `last` continues.
fn is_back(playlist: &MediaPlaylist, last: Option<&Resume>) -> bool {
    if !playlist.ended {
        return true;
    }
    let steps = Window::new(Start::LiveEdge, last).update(playlist, Duration::ZERO);
    let new = steps.iter().any(|step| matches!(step, Step::Segment(_)));
    let anew = steps.iter().any(|step| matches!(step, Step::Mark(Mark::Epoch { .. })));
    new && !anew && last.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playlist::parse_media;
    use outboard_media::segment::Identity;

    fn playlist(from: u64, to: u64, name: &str, ended: bool) -> MediaPlaylist {
        let mut text = format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:{from}\n");
        (from..to).for_each(|n| text += &format!("#EXTINF:2,\n{name}{n}.ts\n"));
        if ended {
            text += "#EXT-X-ENDLIST\n";
        }
        parse_media(&"http://o.test/live.m3u8".parse().unwrap(), &text, None).unwrap()
    }

    #[test]
    fn only_what_goes_on_is_back() {
        let identity = Identity { uri: "http://o.test/seg9.ts".into(), range: None, program_date_time_us: None };
        let last = Resume { next_index: 10, identity, media_sequence: 9, duration: Duration::from_secs(2), live: true };
        for (list, back, what) in [
            (playlist(5, 10, "seg", true), false, "the playlist that ended"),
            (playlist(5, 12, "seg", true), true, "it goes on, and ends again"),
            (playlist(0, 3, "new", false), true, "another encoder, live"),
            (playlist(0, 3, "archive", true), false, "a recording in its place"),
            (playlist(5, 10, "seg", false), true, "ENDLIST is taken back"),
        ] {
            assert_eq!(is_back(&list, Some(&last)), back, "{what}");
        }
        assert!(!is_back(&playlist(0, 3, "seg", true), None));
    }
}
