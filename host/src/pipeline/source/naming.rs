//! The last step of a segment: its number, its final file names, and the event that tells of it.

use std::path::{Path, PathBuf};

use super::config::Resume;
use super::deliver::Download;
use super::download::Fetched;
use super::error::FetchError;
use super::event::{Gap, GapReason, SourceEvent, Track};
use super::segment::{Container, Part, Segment};
use super::window::Planned;

/// Numbers segments in the order of delivery: what was given up takes no number.
pub(super) struct Naming {
    dir: PathBuf,
    next_index: u64,
    /// The segments are of a live stream.
    live: bool,
    /// Something before this run or in it was delivered, so there is something to break.
    begun: bool,
    /// A segment was given up since the last one that was delivered.
    broken: bool,
    /// Initialization sections of the last segment's picture and sound; their names are digests of their content.
    inits: (Option<PathBuf>, Option<PathBuf>),
}

impl Naming {
    pub(super) fn new(dir: &Path, first_index: u64, resume: Option<&Resume>, live: bool) -> Self {
        let next_index = resume.map_or(first_index, |resume| resume.next_index);
        let (dir, begun) = (dir.to_owned(), resume.is_some());
        Self { dir, next_index, live, begun, broken: false, inits: (None, None) }
    }

    /// The next segment does not follow on from what was delivered before.
    pub(super) fn break_off(&mut self) {
        self.broken = self.begun;
    }

    /// Another initialization section means other codec settings or time scales, with or without EXT-X-DISCONTINUITY: a
    /// demuxer would go on with the old ones.
    fn changes_init(&mut self, picture: &Part, sound: Option<&Part>) -> bool {
        let inits = (picture.init.clone(), sound.and_then(|part| part.init.clone()));
        let changed = |old: &Option<PathBuf>, new: &Option<PathBuf>| old.is_some() && new.is_some() && old != new;
        let change = changed(&self.inits.0, &inits.0) || changed(&self.inits.1, &inits.1);
        self.inits = (inits.0.or_else(|| self.inits.0.take()), inits.1.or_else(|| self.inits.1.take()));
        change
    }

    /// Gives fetched files their names; what failed becomes gaps.
    pub(super) async fn settle(&mut self, main: Download, audio: Vec<Download>) -> Vec<SourceEvent> {
        let (planned, fetched) = main;
        let mut events = Vec::new();
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
        let mut discontinuity = planned.discontinuity || std::mem::take(&mut self.broken);
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
        let segment = Segment {
            index: self.next_index,
            media_sequence: planned.entry.sequence,
            duration: planned.entry.duration(),
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

fn gap(track: Track, planned: &Planned, reason: GapReason) -> SourceEvent {
    SourceEvent::Gap(Gap { track, segments: 1, duration: planned.entry.duration(), reason })
}
