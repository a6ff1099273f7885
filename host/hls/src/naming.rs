//! The last step of a segment: its index, final file names, duration, and its event.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::watch;

use super::config::Resume;
use super::download::{Download, Fetched};
use super::error::{FetchError, redacted};
use super::event::{Gap, GapReason, SourceEvent, Track};
use super::window::Planned;
use crate::limits::EXTINF_TOLERANCE;
use outboard_media::duration;
use outboard_media::segment::{Container, Part, Segment};

/// Numbers segments in the order of delivery; skipped segments use no number.
pub(super) struct Naming {
    dir: PathBuf,
    next_index: u64,
    /// Whether the segments belong to a live stream.
    live: bool,
    /// Whether a segment was delivered in this run or before it, so that continuity can break.
    begun: bool,
    /// Whether a segment was skipped since the last delivered one.
    broken: bool,
    /// Initialization sections of the last segment's video and audio; their names are digests of their content.
    inits: (Option<PathBuf>, Option<PathBuf>),
    /// PIDs of the last transport stream.
    pids: BTreeSet<u16>,
    /// Which warnings were already reported; each is reported once.
    told: ReportedWarnings,
    /// Duration of the newest segment by its media; zero: not known.
    measured: watch::Sender<Duration>,
}

#[derive(Default)]
struct ReportedWarnings {
    junk: bool,
    length: bool,
}

impl Naming {
    pub(super) fn new(dir: &Path, first_index: u64, resume: Option<&Resume>, live: bool) -> Self {
        let next_index = resume.map_or(first_index, |resume| resume.next_index);
        let (dir, begun) = (dir.to_owned(), resume.is_some());
        let (pids, told) = (BTreeSet::new(), ReportedWarnings::default());
        let measured = watch::Sender::default();
        Self { dir, next_index, live, begun, broken: false, inits: (None, None), pids, told, measured }
    }

    /// The duration of the newest segment by its media; zero until one is known.
    pub(super) fn measured(&self) -> watch::Receiver<Duration> {
        self.measured.subscribe()
    }

    /// Marks the next segment as discontinuous.
    pub(super) fn break_off(&mut self) {
        self.broken = self.begun;
    }

    /// Another initialization section means other codec settings or time scales, with or without EXT-X-DISCONTINUITY. A
    /// demuxer would otherwise continue with the previous ones.
    fn changes_init(&mut self, picture: &Part, sound: Option<&Part>) -> bool {
        let inits = (picture.init.clone(), sound.and_then(|part| part.init.clone()));
        let changed = |old: &Option<PathBuf>, new: &Option<PathBuf>| old.is_some() && new.is_some() && old != new;
        let change = changed(&self.inits.0, &inits.0) || changed(&self.inits.1, &inits.1);
        self.inits = (inits.0.or_else(|| self.inits.0.take()), inits.1.or_else(|| self.inits.1.take()));
        change
    }

    /// Other PIDs in place of the previous ones mean another multiplex (such as an advertisement's), with or without
    /// EXT-X-DISCONTINUITY. A demuxer would otherwise wait for the previous PIDs and lose the new ones. Adding or
    /// removing a stream does not count.
    fn changes_pids(&mut self, pids: BTreeSet<u16>) -> bool {
        if pids.is_empty() {
            return false;
        }
        let before = std::mem::replace(&mut self.pids, pids);
        before.difference(&self.pids).next().is_some() && self.pids.difference(&before).next().is_some()
    }

    /// Renames fetched files to their final names; failed downloads become gaps.
    pub(super) async fn settle(&mut self, main: Download, audio: Vec<Download>) -> Vec<SourceEvent> {
        let (planned, fetched) = main;
        let mut events = Vec::new();
        let sound = audio.iter().filter_map(|(_, fetched)| fetched.as_ref().ok());
        let junk = fetched.iter().chain(sound).map(|fetched| fetched.whole.junk).find(|junk| *junk > 0);
        events.extend(junk.and_then(|bytes| self.tell_junk(bytes)));
        let picture = match fetched {
            Ok(fetched) => self.keep(fetched, "").await,
            Err(error) => Err(error),
        };
        let picture = match picture {
            Ok(part) => part,
            Err(error) => {
                self.broken = true;
                events.push(gap(Track::Main, &planned, error.into()));
                events.extend(audio.iter().map(|(planned, _)| gap(Track::Audio, planned, GapReason::Unpaired)));
                return events;
            }
        };
        let mut discontinuity = std::mem::take(&mut self.broken) || planned.discontinuity;
        let mut parts = Vec::new();
        for (sound, fetched) in audio {
            discontinuity |= sound.discontinuity;
            let part = match fetched {
                Ok(fetched) => self.keep(fetched, &format!("-audio-{}", parts.len())).await,
                Err(error) => Err(error),
            };
            match part {
                Ok(part) => parts.push(part),
                Err(error) => {
                    self.broken = true;
                    events.push(gap(Track::Audio, &sound, error.into()));
                }
            }
        }
        discontinuity |= self.changes_init(&picture, parts.first());
        let listed = planned.entry.duration();
        let Measured { length, exact, pids } = measure(&picture).await;
        discontinuity |= self.changes_pids(pids);
        let lie = length.filter(|measured| differ(listed, *measured));
        if let Some(measured) = lie {
            events.extend(self.tell_length(listed, measured));
        }
        if let Some(measured) = length {
            self.measured.send_replace(measured);
        }
        let segment = Segment {
            index: self.next_index,
            media_sequence: planned.entry.sequence,
            duration: lie.or(length.filter(|_| exact)).unwrap_or(listed),
            discontinuity: discontinuity && self.begun,
            live: self.live,
            identity: planned.entry.identity(),
            cues: planned.entry.cues,
            main: picture,
            audio: parts,
        };
        self.next_index += 1;
        self.begun = true;
        tracing::debug!(
            index = segment.index,
            sequence = segment.media_sequence,
            bytes = segment.main.bytes,
            "segment"
        );
        events.push(SourceEvent::Segment(Box::new(segment)));
        events
    }

    fn tell_junk(&mut self, bytes: u64) -> Option<SourceEvent> {
        let index = self.next_index;
        tracing::debug!(index, bytes, "bytes before the first packet are left out");
        let first = !std::mem::replace(&mut self.told.junk, true);
        first.then(|| {
            SourceEvent::Warning(format!(
                "segment {index} has {bytes} bytes before the first packet of its transport stream; such bytes are left out"
            ))
        })
    }

    fn tell_length(&mut self, listed: Duration, measured: Duration) -> Option<SourceEvent> {
        let (index, listed, measured) = (self.next_index, listed.as_secs_f64(), measured.as_secs_f64());
        tracing::debug!(index, listed, measured, "EXTINF differs from the media");
        let first = !std::mem::replace(&mut self.told.length, true);
        first.then(|| {
            SourceEvent::Warning(format!(
                "segment {index} lasts {measured:.3} s, the playlist says {listed:.3} s (EXTINF); where they differ this much, the media counts"
            ))
        })
    }

    async fn keep(&self, fetched: Fetched, role: &str) -> Result<Part, FetchError> {
        let Fetched { whole, init } = fetched;
        let extension = match whole.container {
            Container::MpegTs => "ts",
            Container::Fmp4 => "m4s",
            Container::PackedAac => "aac",
        };
        let path = self.dir.join(format!("segment-{}{role}.{extension}", self.next_index));
        whole.file.keep(&path).await?;
        Ok(Part { path, bytes: whole.bytes, container: whole.container, init })
    }
}

/// What a segment's media tells.
#[derive(Default)]
struct Measured {
    /// The media's own duration, if it can be determined.
    length: Option<Duration>,
    /// It is right to a millisecond: better than EXTINF, which may be rounded.
    exact: bool,
    /// PIDs of a transport stream.
    pids: BTreeSet<u16>,
}

async fn measure(part: &Part) -> Measured {
    let (path, init, container) = (part.path.clone(), part.init.clone(), part.container);
    let exactly = |length| Measured { length, exact: true, pids: BTreeSet::new() };
    let look = move || match container {
        Container::MpegTs => {
            let ts = duration::of_ts(&path).unwrap_or_default();
            Measured { length: ts.length, exact: ts.even, pids: ts.pids }
        }
        Container::Fmp4 => exactly(duration::of_mp4(&path, init.as_deref())),
        Container::PackedAac => exactly(duration::of_adts(&path)),
    };
    tokio::task::spawn_blocking(look).await.unwrap_or_default()
}

/// Whether EXTINF differs from the media by more than rounding and track borders explain.
fn differ(listed: Duration, measured: Duration) -> bool {
    listed.abs_diff(measured) > EXTINF_TOLERANCE.max(measured / 4)
}

fn gap(track: Track, planned: &Planned, reason: GapReason) -> SourceEvent {
    let reason = reason.about(&redacted(&planned.entry.uri));
    SourceEvent::Gap(Gap { track, segments: 1, duration: planned.entry.duration(), reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_multiplex_breaks_a_stream_that_comes_or_goes_does_not() {
        let mut naming = Naming::new(Path::new("/tmp"), 0, None, true);
        let mut changes = |pids: &[u16]| naming.changes_pids(pids.iter().copied().collect());
        assert!(!changes(&[256, 257]), "the first");
        assert!(!changes(&[256, 257]) && !changes(&[]) && !changes(&[256, 257]));
        assert!(!changes(&[256]), "the sound went");
        assert!(!changes(&[256, 257]), "and came back");
        assert!(changes(&[256, 300]), "another sound");
        assert!(changes(&[356, 357]) && !changes(&[356, 357]), "another multiplex");
    }

    #[test]
    fn rounding_is_no_lie() {
        let ms = Duration::from_millis;
        assert!(!differ(ms(2000), ms(2480)) && !differ(ms(2000), ms(1520)) && !differ(ms(6000), ms(7000)));
        assert!(differ(ms(1000), ms(2000)) && differ(ms(10_000), ms(2000)) && differ(ms(0), ms(600)));
    }
}
