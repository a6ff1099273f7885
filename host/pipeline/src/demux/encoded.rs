//! Sound that is not AAC on its way to AAC ([why so](../../../../docs/decisions/0020-other-codecs.md)).
//!
//! In: a batch's sound in the source's codecs, as the reader wrote it. Out: the same sound in AAC in a file of its own, its
//! facts and its layout. ffmpeg decodes and encodes, once per batch; nothing of it lives on between two batches. The packets of
//! all batches lie in one grid of 1024 samples: a packet is made from frames of the source alone, never from padding, so those
//! at the end of a batch for which the frames of the next one are needed are in the next batch. Each run begins so far before
//! its first packet that decoder and encoder have settled, so that no border is heard.

use std::path::Path;

use super::{DemuxError, part};
use crate::levels;
use crate::limits::ENCODED_BYTES_MAX;
use outboard_ffmpeg::{FfmpegError, Slots};
use outboard_media::adts;
use outboard_media::demux::{AudioConfig, Codec, Config, Key, Packet, TICKS_PER_SECOND, Timing, TrackKind};
use outboard_media::facts::{self, BatchFacts, TrackFacts};
use outboard_media::fmp4::writer::Writer;
use outboard_media::layout::TrackLayout;
use outboard_media::segment::Segment;
use outboard_store::files::names;

// what follows on what
mod frames;
mod run;
// one run of ffmpeg
mod with_ffmpeg;
// after a restart
mod before;

use super::track::{TURN, audio_name, us};
use before::Before;
use frames::Frame;
use run::Run;

/// The file, until it gets the name of the batch's sound.
pub(super) const FILE: &str = "encoded-audio.fmp4";
/// Samples of an AAC packet.
const BLOCK: u64 = adts::SAMPLES as u64;

/// What was encoded of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Encoded {
    /// ffmpeg's name of the source's codec.
    pub from: &'static str,
    /// Frames of the source that were given to the encoder.
    pub frames: u64,
    /// Of them, those that it could not encode, in two attempts.
    pub failed: u64,
    /// Why not, in words.
    pub why: Option<String>,
    /// Bit rate of the AAC, in bits per second.
    pub bitrate: u32,
}

impl Encoded {
    /// What is encoded to what: `sound mp3 is encoded to AAC 128 kb/s`.
    pub fn words(&self) -> String {
        format!("sound {} is encoded to AAC {} kb/s", self.from, self.bitrate / 1000)
    }
}

/// The sound of a batch as it goes on air.
#[derive(Debug, Default)]
pub(super) struct Sound {
    /// `None`: there is none.
    pub(super) facts: Option<TrackFacts>,
    pub(super) layout: Option<TrackLayout>,
    /// `None`: all of it was AAC.
    pub(super) encoded: Option<Encoded>,
    /// Packets from before a jump of the source's time that found no place.
    pub(super) no_place: u64,
}

/// Encodes the sound of a stream, batch after batch.
#[derive(Debug, Clone)]
pub(super) struct Encoder {
    slots: Slots,
    /// What was open when the batch before was cut.
    open: Option<Run>,
    /// Until the first batch: what was before a restart.
    before: Option<Before>,
}

/// Whether sound in this codec is decoded and encoded to AAC.
pub(super) fn is_encoded(codec: Codec) -> bool {
    matches!(codec, Codec::MpegAudio | Codec::Ac3 | Codec::Eac3 | Codec::Opus)
}

/// A part of a batch's sound.
enum Piece {
    /// As it is: AAC.
    Copied(Vec<Frame>),
    /// Frames that follow on each other, and on what the run has before them.
    Encoded { run: Run, frames: Vec<Frame>, ends: bool },
}

/// A packet of AAC, with its time in microseconds.
struct Made {
    config: AudioConfig,
    at_us: i64,
    samples: u32,
    data: Vec<u8>,
}

impl Encoder {
    /// For a new stream.
    pub(super) fn new(slots: Slots) -> Self {
        Self { slots, open: None, before: None }
    }

    /// After a restart: `segments` are the last ones before the first batch that comes, oldest first, and the batch before
    /// has these `facts`.
    pub(super) fn after(&mut self, segments: &[Segment], facts: Option<&BatchFacts>) {
        self.before = Before::new(segments, facts);
    }

    /// A new stream begins.
    pub(super) fn reset(&mut self) {
        (self.open, self.before) = (None, None);
    }

    /// No batch follows: answers how many packets are left that could be made.
    pub(super) fn finish(&mut self) -> u64 {
        self.open.take().map_or(0, |run| run.end(true, false) - run.done)
    }

    /// Whether the sound of a batch must go through [`batch`](Self::batch).
    pub(super) fn is_needed(&self, layout: Option<&TrackLayout>) -> bool {
        let other = |(_, config): &(usize, Config)| matches!(config, Config::Audio(audio) if is_encoded(audio.codec));
        self.open.is_some() || layout.is_some_and(|layout| layout.configs.iter().any(other))
    }

    /// Encodes the sound of a batch, which is in `audio.fmp4.part` in `dir`, into [`FILE`], under its temporary name. `first`: its first segment; `last`:
    /// nothing follows it.
    ///
    /// # Errors
    /// [`DemuxError`]: a file could not be read or written, or no ffmpeg could be started. The source's sound is still there.
    pub(super) async fn batch(
        &mut self,
        facts: Option<&TrackFacts>,
        layout: Option<&TrackLayout>,
        (first, last): (Option<&Segment>, bool),
        dir: &Path,
    ) -> Result<Sound, DemuxError> {
        let path = part(dir, names::AUDIO);
        let failed = |source| DemuxError::File { path: path.clone(), source };
        let bytes: u64 = layout.iter().flat_map(|layout| &layout.packets).map(|packet| u64::from(packet.len)).sum();
        if bytes > ENCODED_BYTES_MAX {
            let why = format!("the sound of a batch has {bytes} bytes; at most {ENCODED_BYTES_MAX} are encoded to AAC");
            return Err(DemuxError::Unsupported(why));
        }
        let frames = match (facts, layout) {
            (Some(facts), Some(layout)) => frames::read(&tokio::fs::read(&path).await.map_err(failed)?, facts, layout),
            _ => Vec::new(),
        };
        if let (Some(before), Some(next)) = (self.before.take(), first.map(|first| first.index)) {
            self.open = tokio::task::spawn_blocking(move || before.run(next)).await.ok().flatten();
        }
        let jump = first.is_some_and(|first| first.discontinuity);
        let mut sound = Sound::default();
        let (mut made, mut border) = (Vec::new(), 0);
        for (n, piece) in pieces(self.open.take(), jump, frames, last).into_iter().enumerate() {
            let (mut run, frames, ends) = match piece {
                Piece::Copied(frames) => {
                    made.extend(frames.into_iter().map(Made::of));
                    continue;
                }
                Piece::Encoded { run, frames, ends } => (run, frames, ends),
            };
            let count = frames.len() as u64;
            let encoded = sound.encoded.get_or_insert_with(Encoded::default);
            encoded.from = audio_name(run.config.codec, run.config.layer);
            encoded.bitrate = with_ffmpeg::bitrate(&run.config);
            encoded.frames += count;
            let left_over = n == 0 && count == 0;
            run.take(frames);
            let end = run.end(ends, ends && last);
            match self.packets(&run, end, dir).await {
                Ok(packets) => {
                    let at = |block: u64| run.at_us(block * BLOCK);
                    let timed = packets.into_iter().zip(run.done..end);
                    made.extend(timed.map(|((config, data), block)| Made {
                        config,
                        at_us: at(block),
                        samples: adts::SAMPLES,
                        data,
                    }));
                    run.settle(end);
                    self.open = Some(run).filter(|_| !ends);
                }
                Err(error) if is_ours(&error) => return Err(error),
                Err(error) => {
                    encoded.failed += count;
                    encoded.why = Some(error.to_string());
                }
            }
            if left_over {
                border = made.len();
            }
        }
        // What was open before a jump goes right before what follows, so that the jump is at the border of the batches.
        if border > 0 {
            sound.no_place = retime(&mut made, border);
        }
        write(made, &part(dir, FILE), &mut sound).await?;
        if let (Some(facts), Some(encoded)) = (&mut sound.facts, &sound.encoded) {
            encoded.from.clone_into(&mut facts.encoded_from);
        }
        Ok(sound)
    }

    /// The packets of AAC from the last one that was made to `end`, in two attempts.
    async fn packets(&self, run: &Run, end: u64, dir: &Path) -> Result<Vec<(AudioConfig, Vec<u8>)>, DemuxError> {
        if end == run.done {
            return Ok(Vec::new());
        }
        match with_ffmpeg::packets(run, end, dir, &self.slots).await {
            Err(error) if !is_ours(&error) => {
                tracing::warn!(%error, "encoding the sound again");
                with_ffmpeg::packets(run, end, dir, &self.slots).await
            }
            packets => packets,
        }
    }
}

/// The error has nothing to do with the sound.
fn is_ours(error: &DemuxError) -> bool {
    error.is_disk_full()
        || !matches!(
            error,
            DemuxError::Ffmpeg(FfmpegError::Failed { .. } | FfmpegError::Timeout { .. } | FfmpegError::Output { .. })
        )
}

/// Divides the frames of a batch where they do not follow on each other. The first piece has no frames if what is open ends
/// with the batch before, as after a `jump`.
fn pieces(open: Option<Run>, jump: bool, frames: Vec<Frame>, last: bool) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    pieces.extend(open.map(|run| Piece::Encoded { run, frames: Vec::new(), ends: true }));
    let mut jump = jump && !pieces.is_empty();
    for mut frame in frames {
        let other = is_encoded(frame.config.codec);
        match pieces.last_mut() {
            Some(Piece::Copied(frames)) if !other => frames.push(frame),
            _ if !other => pieces.push(Piece::Copied(vec![frame])),
            last => {
                if let Some(Piece::Encoded { run, frames, .. }) = last
                    && !jump
                    && run.place(&mut frame)
                {
                    frames.push(frame);
                } else {
                    let mut run = Run::new(frame.config.clone(), frame.at_us);
                    run.place(&mut frame);
                    pieces.push(Piece::Encoded { run, frames: vec![frame], ends: true });
                }
            }
        }
        jump = false;
    }
    if let Some(Piece::Encoded { ends, .. }) = pieces.last_mut() {
        *ends = last;
    }
    pieces
}

/// Moves the first packets, `count` of them, right before the others. Answers how many are left out, because the others are
/// coded in another way, or there are none.
fn retime(made: &mut Vec<Made>, count: usize) -> u64 {
    let next = made.get(count).map(|next| (next.at_us, next.config.clone()));
    let fits = |(_, config): &(i64, AudioConfig)| made.iter().take(count).all(|packet| packet.config == *config);
    let Some((mut at_us, _)) = next.filter(fits) else {
        made.drain(..count);
        return count as u64;
    };
    for packet in made.iter_mut().take(count).rev() {
        at_us -= us(packet.samples.into(), packet.config.sample_rate.into());
        packet.at_us = at_us;
    }
    0
}

/// Writes the packets, and notes their facts.
async fn write(made: Vec<Made>, path: &Path, sound: &mut Sound) -> Result<(), DemuxError> {
    let failed = |source| DemuxError::File { path: path.to_owned(), source };
    let (mut writer, mut bytes) = (Writer::default(), Vec::new());
    let mut facts = TrackFacts::default();
    for Made { config, at_us, samples, data } in made {
        if facts.packets.is_empty() {
            config.codec.name().clone_into(&mut facts.codec);
            (facts.sample_rate, facts.channels) = (config.sample_rate, config.channels.into());
        }
        let packet = packet(at_us, samples, data);
        facts.packets.push(facts::Packet {
            dts_us: at_us,
            pts_us: at_us,
            duration_us: u32::try_from(us(samples.into(), config.sample_rate.into())).unwrap_or_default(),
            size: u32::try_from(packet.data.len()).unwrap_or(u32::MAX),
        });
        writer.packet(&Config::Audio(config), &packet, &mut bytes).map_err(failed)?;
    }
    writer.flush(&mut bytes).map_err(failed)?;
    if facts.packets.is_empty() {
        return Ok(());
    }
    tokio::fs::write(path, bytes).await.map_err(failed)?;
    (sound.facts, sound.layout) = (Some(facts), Some(writer.into_layout()));
    Ok(())
}

/// A packet at this time, in microseconds.
fn packet(at_us: i64, samples: u32, data: Vec<u8>) -> Packet {
    let ticks = (i128::from(at_us) * i128::from(TICKS_PER_SECOND)).div_euclid(1_000_000);
    let dts = i64::try_from(ticks).unwrap_or_default();
    Packet { kind: TrackKind::Audio, dts, pts: dts, timing: Timing::Read, key: Key::Sync, samples, data }
}

impl Made {
    fn of(Frame { config, at_us, samples, data, .. }: Frame) -> Self {
        Self { config, at_us, samples, data }
    }
}
