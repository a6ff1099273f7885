//! What a pipeline tells of itself: counts that only rise, the phase it is in, and the line at the end.

use std::collections::BTreeMap;

use serde::Serialize;
use tokio::sync::{broadcast, watch};

use super::cause::Cause;
use super::event::{Event, EventKind, Severity};
use crate::limits::PIPELINE_EVENTS_WAITING;
use crate::timings::Timings;
use outboard_base::unix_time::now_ms;
use outboard_egress::status::DestinationStatus;
use outboard_hls::Started;

/// Where a pipeline is in its life.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Looks for the source.
    #[default]
    Starting,
    /// Collects the first batch.
    Buffering,
    /// The first batch is complete; waits for its reply and its time.
    Holding,
    /// The air clock runs.
    OnAir,
    /// No more is fetched; what is there goes on air.
    Draining,
    /// The run has ended; nothing more is sent.
    Ended,
}

impl Phase {
    /// The word in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Buffering => "buffering",
            Self::Holding => "holding",
            Self::OnAir => "on-air",
            Self::Draining => "draining",
            Self::Ended => "ended",
        }
    }
}

/// Counts since the start of the run.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Stats {
    /// The current phase of the run.
    pub phase: Phase,
    /// The source is a recording: all of it was there from the start.
    pub recording: bool,
    /// What was chosen of the source, once it is there.
    pub source: Option<Started>,
    /// Since when the source brings nothing new, Unix time in milliseconds; `None` while it does.
    pub stale_since_ms: Option<u64>,
    /// Since when a live source has ended and is looked at again, Unix time in milliseconds; `None` while it has not.
    pub ended_since_ms: Option<u64>,
    /// Why the source gives nothing now, without "source: "; `None` while it is followed.
    pub source_problem: Option<String>,
    /// Segments fetched to disk since the start of the run.
    pub segments: u64,
    /// Bytes of the fetched segments.
    pub segment_bytes: u64,
    /// Media time in the batch that is being collected, in milliseconds.
    pub buffer_ms: u64,
    /// Segments missing, by reason.
    pub gaps: BTreeMap<&'static str, u64>,
    /// Restarts of the playlist.
    pub epochs: u64,
    /// Batches cut, since the start of the run.
    pub batches: u64,
    /// Batches with processed audio on air.
    pub processed: u64,
    /// Batches with the original audio, by reason.
    pub original: BTreeMap<&'static str, u64>,
    /// Why the newest batch has its original audio; `None` where it has processed audio, or there is no processor.
    pub last_original: Option<&'static str>,
    /// Milliseconds in hand when the newest batch was ready for air; negative where it was late.
    pub time_left_ms: Option<i64>,
    /// Milliseconds from the newest fragment's sending to its reply; `None` where the newest batch got no reply in time.
    pub round_trip_ms: Option<u64>,
    /// Batches whose first packet left for at least one destination.
    pub published: u64,
    /// Batches that could not be put on air, by step.
    pub failed: BTreeMap<&'static str, u64>,
    /// Why the newest batch could not be put on air; `None` where it could.
    pub lost: Option<Cause>,
    /// Why a stage's newest call failed, by its kind.
    pub stage_problems: BTreeMap<&'static str, String>,
    /// Packets that demuxing found.
    pub packets_in: u64,
    /// Packets of the source that could not be used, by reason.
    pub packets_unusable: BTreeMap<&'static str, u64>,
    /// What is done to the source's sound, in words, if it is not AAC: `sound mp3 is encoded to AAC 128 kb/s`.
    pub source_sound: Option<String>,
    /// Frames of the source's sound that were encoded to AAC; not packets on air: those are counted after it.
    pub frames_encoded: u64,
    /// Packets that remuxing lost.
    pub packets_lost: u64,
    /// Packets of processed audio beyond a batch's length.
    pub packets_trimmed: u64,
    /// Jumps in the source's timestamps that were spliced.
    pub splices: u64,
    /// The most that sound was moved against picture, in microseconds: by rounding, or at the end of a batch whose reply has
    /// another length.
    pub max_skew_us: u64,
    /// Batches that were ready later than their time on air.
    pub late_batches: u64,
    /// Batches that were late by half a second or more though their segments had come in time.
    pub late_by_us: u64,
    /// The last thing that went wrong, in a sentence.
    pub last_error: Option<String>,
    /// When that was, Unix time in milliseconds.
    pub last_error_ms: Option<u64>,
}

/// The counts of one pipeline, shared by its steps, and what happens in it. Changed once a batch or segment, never once a
/// packet; whoever watches is woken at each change.
#[derive(Debug)]
pub struct Status {
    stats: watch::Sender<Stats>,
    events: broadcast::Sender<Event>,
    timings: Timings,
}

impl Default for Status {
    fn default() -> Self {
        Self {
            stats: watch::Sender::default(),
            events: broadcast::Sender::new(PIPELINE_EVENTS_WAITING),
            timings: Timings::default(),
        }
    }
}

impl Status {
    /// A copy of the current counters.
    pub fn get(&self) -> Stats {
        self.stats.borrow().clone()
    }

    /// How long the steps take.
    pub fn timings(&self) -> &Timings {
        &self.timings
    }

    /// Changes of the counts.
    pub fn watch(&self) -> watch::Receiver<Stats> {
        self.stats.subscribe()
    }

    /// What happens from now on. A listener that is too slow loses the oldest.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Changes the counters in one step: readers see all of it or nothing.
    pub fn update(&self, change: impl FnOnce(&mut Stats)) {
        self.stats.send_modify(change);
    }

    /// Moves on to a phase; never back, but for `Draining` and `Ended` that come at the end of all.
    pub fn enter(&self, phase: Phase) {
        self.stats.send_if_modified(|stats| {
            let forward = (phase as u8) > stats.phase as u8;
            if forward {
                tracing::info!(phase = ?phase, "pipeline");
                stats.phase = phase;
            }
            forward
        });
    }

    /// Tells and logs something; what is not just information is the last error too.
    pub fn tell(&self, event: Event) {
        event.log();
        if event.severity > Severity::Info {
            self.stats.send_modify(|stats| {
                stats.last_error = Some(event.message.clone());
                stats.last_error_ms = Some(now_ms());
            });
        }
        // Nobody may be listening.
        let _ = self.events.send(event);
    }

    /// A stage's newest call went well, or failed for this.
    pub fn stage_answered(&self, kind: &'static str, problem: Option<String>) {
        self.stats.send_if_modified(|stats| match problem {
            Some(problem) => stats.stage_problems.insert(kind, problem.clone()) != Some(problem),
            None => stats.stage_problems.remove(kind).is_some(),
        });
    }

    /// Tells and logs that the pipeline goes on, but not as it should.
    pub fn warn(&self, kind: EventKind, what: impl std::fmt::Display) {
        self.tell(Event::new(kind, Severity::Warning, what.to_string()));
    }
}

/// The JSON line at the end of a run; the names are scripted against.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Report {
    /// Batches that went on air, since the start of the run.
    pub batches: u64,
    /// Of them with the processor's audio.
    pub processed: u64,
    /// Of them with the original audio.
    pub original: u64,
    /// Packets demuxed from the source.
    pub packets_in: u64,
    /// Packets that the first destination took, repeats aside.
    pub packets_on_air: u64,
    /// Packets that the first destination should have had and has not.
    pub packets_lost: u64,
    /// Longest pause between packets on air, in milliseconds.
    pub max_gap_ms: u64,
    /// The most that sound was moved against the picture, in milliseconds.
    pub max_skew_ms: f64,
}

/// The report of a run; `destination` is the first one.
pub fn report(stats: &Stats, destination: Option<&DestinationStatus>) -> Report {
    let mut report = Report {
        batches: stats.processed + stats.original.values().sum::<u64>(),
        processed: stats.processed,
        original: stats.original.values().sum(),
        packets_in: stats.packets_in,
        // How many packets a batch had that could not be demuxed nobody knows: at least one.
        packets_lost: stats.packets_lost + stats.failed.get("demux").copied().unwrap_or_default(),
        max_skew_ms: stats.max_skew_us as f64 / 1000.0,
        ..Report::default()
    };
    if let Some(destination) = destination {
        let counted = &destination.counters;
        report.packets_on_air = (counted.video + counted.audio).saturating_sub(counted.repeated);
        report.packets_lost += counted.dropped.all();
        report.max_gap_ms = u64::try_from(destination.max_own_gap.as_millis()).unwrap_or(u64::MAX);
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_only_go_forward() {
        let status = Status::default();
        status.enter(Phase::OnAir);
        status.enter(Phase::Buffering);
        assert_eq!(status.get().phase, Phase::OnAir);
        status.warn(EventKind::Failed, "no luck");
        assert_eq!(status.get().last_error.as_deref(), Some("no luck"));
    }

    #[test]
    fn the_report_has_the_names_that_scripts_read() {
        let line = serde_json::to_string(&Report::default()).unwrap();
        for name in [
            "batches",
            "processed",
            "original",
            "packets_in",
            "packets_on_air",
            "packets_lost",
            "max_gap_ms",
            "max_skew_ms",
        ] {
            assert!(line.contains(&format!("\"{name}\":")), "{line}");
        }
    }
}
