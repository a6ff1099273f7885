//! What the source tells, and who records it.

use std::time::Duration;

use crate::event::{Event, EventKind, Severity};
use crate::report::Reporter;
use crate::status::Phase;
use outboard_base::unix_time;
use outboard_hls::{Gap, GapReason, SourceError, SourceEvent, Started};

/// Where these lines of the log come from: the step that follows the source.
const LOG_TARGET: &str = "outboard_pipeline::batch";

/// What came of following the source.
#[derive(Debug)]
pub(crate) enum Outcome<'a> {
    /// What a source that runs tells.
    Told(&'a SourceEvent),
    /// A source that was on air before cannot be reached at the start of this run. It is tried again after `wait`.
    Unreachable { error: &'a SourceError, wait: Duration },
}

impl Reporter {
    /// Tells what came of following the source. Segments are only counted: who puts them into batches writes them down.
    pub(crate) fn source(&self, outcome: Outcome<'_>) {
        match outcome {
            Outcome::Told(event) => self.source_told(event),
            Outcome::Unreachable { error, wait } => {
                self.status.update(|stats| stats.source_problem = Some(error.to_string()));
                let what = format_args!("source: {error}; trying again in {wait:?}");
                self.status.warn(EventKind::SourceLost, what);
            }
        }
    }

    fn source_told(&self, event: &SourceEvent) {
        match event {
            SourceEvent::Started(started) => self.started(started),
            SourceEvent::Segment(segment) => {
                self.status.enter(Phase::Buffering);
                self.status.update(|stats| {
                    stats.segments += 1;
                    stats.segment_bytes +=
                        segment.main.bytes + segment.audio.iter().map(|part| part.bytes).sum::<u64>();
                });
            }
            SourceEvent::Gap(gap) => self.gap(gap),
            SourceEvent::NewEpoch { reason, .. } => {
                self.status.update(|stats| stats.epochs += 1);
                let what = format_args!("source: the playlist restarted ({reason:?})");
                self.status.warn(EventKind::SourceRestarted, what);
            }
            SourceEvent::Stale { unchanged_for, .. } => {
                let ms = u64::try_from(unchanged_for.as_millis()).unwrap_or(u64::MAX);
                let since = unix_time::now_ms().saturating_sub(ms);
                self.status.update(|stats| stats.stale_since_ms = stats.stale_since_ms.or(Some(since)));
                let what = format_args!("source: no new segment for {:.0} s", unchanged_for.as_secs_f64());
                self.status.warn(EventKind::SourceStale, what);
            }
            SourceEvent::Fresh { after, .. } => {
                self.status.update(|stats| stats.stale_since_ms = None);
                self.fresh(format!("source: new segments again after {:.0} s", after.as_secs_f64()));
            }
            SourceEvent::Back { after } => {
                self.status.update(|stats| stats.ended_since_ms = None);
                self.fresh(format!("source: available again after {:.0} s", after.as_secs_f64()));
            }
            SourceEvent::Failover { to, reason } => {
                let what = format_args!("source: switched to {to}: {reason}");
                self.status.warn(EventKind::SourceFailover, what);
            }
            SourceEvent::Warning(text) => self.status.warn(EventKind::SourceWarning, format_args!("source: {text}")),
            SourceEvent::Over => {
                self.status.update(|stats| {
                    stats.ended_since_ms = Some(unix_time::now_ms());
                    stats.stale_since_ms = None;
                });
                let what = "source: the live stream has ended (ENDLIST); checking it until it returns";
                self.status.tell(Event::new(EventKind::SourceLost, Severity::Error, what));
            }
            other => tracing::info!(target: LOG_TARGET, event = ?other, "source"),
        }
    }

    fn started(&self, started: &Started) {
        self.status.update(|stats| {
            stats.recording = !started.live;
            stats.source_problem = None;
            stats.source = Some(started.clone());
        });
        let kind = if started.live { "live" } else { "a recording" };
        let what = format!("source: connected, {kind}");
        self.status.tell(Event::new(EventKind::SourceConnected, Severity::Info, what));
    }

    fn gap(&self, gap: &Gap) {
        let reason = match gap.reason {
            GapReason::Marked => "marked",
            GapReason::Missed => "missed",
            GapReason::Behind => "behind",
            GapReason::GivenUp(_) | GapReason::Unusable(_) => "given-up",
            GapReason::NoRoom(_) => "no-room",
            _ => "unpaired",
        };
        self.status.update(|stats| *stats.gaps.entry(reason).or_default() += gap.segments);
        self.status.warn(EventKind::SourceGap, format_args!("source: {gap}"));
    }

    fn fresh(&self, what: String) {
        self.status.tell(Event::new(EventKind::SourceFresh, Severity::Info, what));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::{Case, segment};
    use crate::status::Stats;
    use outboard_hls::{EpochReason, FetchError, Track};

    const S: Duration = Duration::from_secs(1);

    /// Tells each event; answers the counts, and kind, severity and text of what listeners heard.
    async fn told(events: &[SourceEvent]) -> (Stats, Vec<(EventKind, Severity, String)>) {
        let mut case = Case::new().await;
        events.iter().for_each(|event| case.reporter.source(Outcome::Told(event)));
        let heard = std::iter::from_fn(|| case.events.try_recv().ok());
        let heard = heard.map(|event| (event.kind, event.severity, event.message)).collect();
        (case.reporter.status.get(), heard)
    }

    fn gap(segments: u64, reason: GapReason) -> SourceEvent {
        SourceEvent::Gap(Gap { track: Track::Main, segments, duration: S, reason })
    }

    fn heard(kind: EventKind, severity: Severity, text: &str) -> (EventKind, Severity, String) {
        (kind, severity, text.to_owned())
    }

    #[tokio::test]
    async fn segments_are_counted_with_their_bytes_and_are_no_events() {
        let events = [0, 1].map(|index| SourceEvent::Segment(Box::new(segment(index))));
        let (stats, heard) = told(&events).await;
        assert_eq!((stats.segments, stats.segment_bytes, stats.phase), (2, 30, Phase::Buffering));
        assert_eq!(heard, []);
    }

    #[tokio::test]
    async fn a_start_says_what_was_chosen_and_ends_the_problem_of_before() {
        let case = Case::new().await;
        let cause = FetchError::Status(404);
        let error = SourceError::Unreachable { url: "http://o/".into(), tries: 3, cause };
        case.reporter.source(Outcome::Unreachable { error: &error, wait: S });
        let lost = case.reporter.status.get();
        assert_eq!(lost.source_problem, Some(error.to_string()));
        assert_eq!(lost.last_error, Some(format!("source: {error}; trying again in 1s")));
        for live in [true, false] {
            case.reporter.source(Outcome::Told(&SourceEvent::Started(Started { live, ..Started::default() })));
            let stats = case.reporter.status.get();
            assert_eq!((stats.recording, stats.source_problem), (!live, None));
            assert_eq!(stats.source.map(|source| source.live), Some(live));
        }
    }

    #[tokio::test]
    async fn what_is_missing_is_counted_by_reason_and_warned_of() {
        let (stats, warned) = told(&[
            gap(1, GapReason::Marked),
            gap(2, GapReason::GivenUp("HTTP status 404".into())),
            gap(3, GapReason::Unusable("too large".into())),
            gap(4, GapReason::NoRoom("disk".into())),
            gap(5, GapReason::Unpaired),
            SourceEvent::NewEpoch { track: Track::Main, epoch: 1, reason: EpochReason::Jumped },
        ])
        .await;
        assert_eq!(stats.gaps, [("marked", 1), ("given-up", 5), ("no-room", 4), ("unpaired", 5)].into());
        assert_eq!(stats.epochs, 1);
        let gap = |text| heard(EventKind::SourceGap, Severity::Warning, text);
        let restarted = "source: the playlist restarted (Jumped)";
        assert_eq!(
            warned,
            [
                gap("source: 1 segment is missing: marked as missing by the playlist"),
                gap("source: 2 segments are missing: given up: HTTP status 404"),
                gap("source: 3 segments are missing: given up: too large"),
                gap("source: 4 segments are missing: not fetched: disk"),
                gap("source: 5 segments are missing: audio without its video"),
                heard(EventKind::SourceRestarted, Severity::Warning, restarted),
            ]
        );
    }

    #[tokio::test]
    async fn a_source_that_stands_or_ends_is_told_until_it_is_back() {
        let stale = SourceEvent::Stale { track: Track::Main, unchanged_for: 20 * S };
        let fresh = SourceEvent::Fresh { track: Track::Main, after: 25 * S };
        let (standing, _) = told(std::slice::from_ref(&stale)).await;
        assert!(standing.stale_since_ms.is_some_and(|since| since + 20_000 <= unix_time::now_ms()));
        let (over, _) = told(&[stale.clone(), SourceEvent::Over]).await;
        assert!(over.ended_since_ms.is_some() && over.stale_since_ms.is_none());
        let back = SourceEvent::Back { after: 30 * S };
        let (stats, all) = told(&[stale, fresh, SourceEvent::Over, back]).await;
        assert_eq!((stats.stale_since_ms, stats.ended_since_ms), (None, None));
        let ended = "source: the live stream has ended (ENDLIST); checking it until it returns";
        assert_eq!(
            all,
            [
                heard(EventKind::SourceStale, Severity::Warning, "source: no new segment for 20 s"),
                heard(EventKind::SourceFresh, Severity::Info, "source: new segments again after 25 s"),
                heard(EventKind::SourceLost, Severity::Error, ended),
                heard(EventKind::SourceFresh, Severity::Info, "source: available again after 30 s"),
            ]
        );
    }

    #[tokio::test]
    async fn another_url_and_what_a_person_may_mend_are_warnings() {
        let to = "http://b/".to_owned();
        let (_, all) =
            told(&[SourceEvent::Failover { to, reason: "it is stale".into() }, SourceEvent::Warning("odd".into())])
                .await;
        let switched = "source: switched to http://b/: it is stale";
        assert_eq!(
            all,
            [
                heard(EventKind::SourceFailover, Severity::Warning, switched),
                heard(EventKind::SourceWarning, Severity::Warning, "source: odd"),
            ]
        );
    }
}
