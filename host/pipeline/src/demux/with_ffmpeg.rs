//! Batches of a form that our own demuxer does not know, split by ffmpeg.
//!
//! In: the segments of one batch. Out: `video.fmp4.part` and `audio.fmp4.part` in the batch's folder, and its facts, from
//! one ffmpeg run that copies every packet. ffmpeg keeps nothing from one batch to the next: a unit that reaches over a
//! border is cut there.

use std::path::Path;

use super::inputs::Inputs;
use super::{DemuxError, OF_FFMPEG, check_codecs, part};
use crate::limits::PACKET_FACTS_BYTES;
use outboard_ffmpeg::limits::FFMPEG_TIMEOUT;
use outboard_ffmpeg::{self as ffmpeg, FfmpegError, Slots, Turn};
use outboard_media::facts::{BatchFacts, OFFSET};
use outboard_media::segment::Segment;
use outboard_store::files::names;

/// Which tracks a stream has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tracks {
    video: bool,
    audio: bool,
}

impl Tracks {
    const BOTH: Self = Self { video: true, audio: true };

    fn of(facts: &BatchFacts) -> Self {
        Self { video: facts.video.is_some(), audio: facts.audio.is_some() }
    }
}

/// Splits batches with ffmpeg; remembers which tracks the stream has, so that a batch is one run.
#[derive(Debug)]
pub(super) struct WithFfmpeg {
    tracks: Tracks,
    slots: Slots,
}

impl WithFfmpeg {
    pub(super) fn new(slots: Slots) -> Self {
        Self { tracks: Tracks::BOTH, slots }
    }

    /// Splits `segments` into files in `dir`, which exists. The files have their temporary names.
    pub(super) async fn split(&mut self, segments: &[Segment], dir: &Path) -> Result<BatchFacts, DemuxError> {
        let inputs = Inputs::of(segments)?;
        let facts = match self.run(&inputs, dir).await {
            Ok(facts) => facts,
            // Mostly a track that is not there, or a codec that the muxer refuses: look closer. A run that was killed
            // is tried once more.
            Err(DemuxError::Ffmpeg(error @ (FfmpegError::Failed { .. } | FfmpegError::Timeout { .. }))) => {
                if matches!(error, FfmpegError::Timeout { .. }) {
                    tracing::warn!(%error, "demuxing the batch again");
                }
                let found = self.list(&inputs).await?;
                check_codecs(&found, &OF_FFMPEG)?;
                self.tracks = Tracks::of(&found);
                self.run(&inputs, dir).await?
            }
            Err(error) => return Err(error),
        };
        check_codecs(&facts, &OF_FFMPEG)?;
        // A track that came back: the list names what is there, also what was not written.
        if Tracks::of(&facts) == self.tracks {
            return Ok(facts);
        }
        self.tracks = Tracks::of(&facts);
        self.run(&inputs, dir).await
    }

    /// Which tracks there are and how they are coded, without writing them.
    pub(super) async fn look(&self, segments: &[Segment]) -> Result<BatchFacts, DemuxError> {
        self.list(&Inputs::of(segments)?).await
    }

    /// Sample rate in Hz and number of channels of the decoded sound of a file: of HE-AAC the configuration tells half of
    /// them.
    pub(super) async fn decoded(&self, dir: &Path, file: &Path) -> Result<Option<(u32, u32)>, DemuxError> {
        let mut command = ffmpeg::command("file,pipe");
        command.reads(dir).args(["-f", "mp4", "-i"]).arg(file);
        command.args(["-map", "0:a:0", "-c", "copy", "-frames:a", "1", "-f", "framecrc", "pipe:1"]);
        let text = self.turn().output("probe", command, PACKET_FACTS_BYTES, FFMPEG_TIMEOUT).await?;
        let facts = BatchFacts::parse(&String::from_utf8_lossy(&text))?;
        Ok(facts.audio.map(|audio| (audio.sample_rate, audio.channels)).filter(|(rate, _)| *rate > 0))
    }

    async fn run(&self, inputs: &Inputs, dir: &Path) -> Result<BatchFacts, DemuxError> {
        let mut command = ffmpeg::command("file,pipe,concat");
        inputs.add_to(&mut command);
        command.writes(dir);
        let video_map = "0:v:0";
        let audio_map = format!("{}:a:0", inputs.audio_index());
        // -copyinkf: pictures before the first key frame are packets like any other.
        let copy = ["-c", "copy", "-copyinkf"];
        if self.tracks.video {
            command.args(["-map", video_map]).args(copy);
            command.args(["-f", "mp4", "-movflags", "frag_keyframe+empty_moov+default_base_moof"]);
            command.arg(part(dir, names::VIDEO));
        }
        if self.tracks.audio {
            // ADTS headers do not fit into MP4, and the moov waits for the first packet, which tells how AAC is set up.
            // make_zero: a processor must see a file that starts at 0, not hours of empty edit. 5 s a fragment: one a
            // packet would double the size.
            command.args(["-map", &audio_map]).args(copy).args([
                "-bsf:a",
                "aac_adtstoasc",
                "-frag_duration",
                "5000000",
            ]);
            command.args(["-avoid_negative_ts", "make_zero", "-f", "mp4", "-movflags", "delay_moov+default_base_moof"]);
            command.arg(part(dir, names::AUDIO));
        }
        command.args(["-map", &format!("{video_map}?"), "-map", &format!("{audio_map}?")]);
        command.args(copy).args(["-f", "framecrc", "pipe:1"]);
        let text = self.turn().output("demux", command, PACKET_FACTS_BYTES, FFMPEG_TIMEOUT).await?;
        let mut text = String::from_utf8_lossy(&text).into_owned();
        let mut facts = BatchFacts::parse(&text)?;
        if let Some(offset_us) = inputs.audio.as_ref().unwrap_or(&inputs.main).offset_us {
            text.insert_str(0, &format!("#{OFFSET} {}: {offset_us}\n", u8::from(facts.video.is_some())));
            facts = BatchFacts::parse(&text)?;
        }
        Ok(facts)
    }

    async fn list(&self, inputs: &Inputs) -> Result<BatchFacts, DemuxError> {
        let mut command = ffmpeg::command("file,pipe,concat");
        inputs.add_to(&mut command);
        let audio_map = format!("{}:a:0?", inputs.audio_index());
        command.args(["-map", "0:v:0?", "-map", &audio_map, "-c", "copy", "-copyinkf", "-f", "framecrc", "pipe:1"]);
        let text = self.turn().output("probe", command, PACKET_FACTS_BYTES, FFMPEG_TIMEOUT).await?;
        Ok(BatchFacts::parse(&String::from_utf8_lossy(&text))?)
    }

    /// Soon: the processor is to have its time.
    fn turn(&self) -> Turn<'_> {
        Turn { slots: &self.slots, by: None }
    }
}
