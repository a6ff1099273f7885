//! Splits the batches of a run, one after the other.
//!
//! In: the segments of a batch. Out: `video.fmp4`, `audio.fmp4` and `packets.txt` in the batch's folder, and its facts.
//! Our own demuxer does it ([`Reader`]); ffmpeg, where the content is nothing that it knows ([`WithFfmpeg`]).

use std::path::Path;

use tracing::Span;

use super::counts::Counts;
use super::reader::{Before, Found, Reader};
use super::with_ffmpeg::WithFfmpeg;
use super::{DemuxError, Layout, check_codecs, part, rename};
use outboard_ffmpeg::{FfmpegError, Slots};
use outboard_media::demux::{Choice, Stream};
use outboard_media::facts::{BatchFacts, TrackFacts};
use outboard_media::segment::Segment;
use outboard_store::files::names;

/// Highest sample rate of the core of HE-AAC, in hertz, which is decoded to twice as much (ISO/IEC 14496-3 section
/// 4.6.18.2.6).
const HE_AAC_RATE_MAX: u32 = 24_000;

/// Sentences about media that cannot be used in an error.
const DAMAGE_IN_ERROR: usize = 3;
/// What is told where the settings choose and ffmpeg demuxes.
const NO_CHOICE: &str =
    "ffmpeg demuxes the source and takes its first sound: the chosen programme and sound do not apply";

/// Splits batches; keeps what is open from one batch to the next.
#[derive(Debug)]
pub struct Splitter {
    reader: Reader,
    with_ffmpeg: WithFfmpeg,
    /// What is taken of the source.
    choice: Choice,
    /// ffmpeg splits the rest of the run.
    foreign: bool,
    /// Streams that ffmpeg was asked about and makes no track of either.
    known: Vec<Stream>,
    /// Sample rate and channels by the headers of sound that may be HE-AAC, and those that it is decoded to.
    decoded: Option<((u32, u32), (u32, u32))>,
}

/// A batch that was split.
#[derive(Debug)]
pub struct Split {
    /// Its tracks and packets.
    pub facts: BatchFacts,
    /// Where the packets are; `None`: ffmpeg wrote the files.
    pub layout: Option<Layout>,
    /// What else is to be told of it.
    pub counts: Counts,
}

impl Splitter {
    /// For a new stream. `slots`: where runs of ffmpeg wait for their turn.
    pub fn new(slots: Slots) -> Self {
        Self {
            reader: Reader::default(),
            with_ffmpeg: WithFfmpeg::new(slots),
            choice: Choice::default(),
            foreign: false,
            known: Vec::new(),
            decoded: None,
        }
    }

    /// Takes these programme and streams of a new stream; where it does not have them, the best there are.
    pub fn choosing(mut self, choice: Choice) -> Self {
        (self.reader, self.choice) = (Reader::new(choice.clone()), choice);
        self
    }

    /// Splits segments that nothing comes before and nothing follows, into files in `dir`, which exists.
    ///
    /// # Errors
    /// [`DemuxError`]: they cannot be split; no file has its name.
    pub async fn split(&mut self, segments: &[Segment], dir: &Path) -> Result<BatchFacts, DemuxError> {
        (self.reader, self.foreign) = (Reader::new(self.choice.clone()), false);
        let split = self.next(segments, true, dir).await;
        self.reader = Reader::new(self.choice.clone());
        Ok(split?.facts)
    }

    /// True until the first batch.
    pub fn is_new(&self) -> bool {
        self.reader.is_new() && !self.foreign
    }

    /// After a restart: `segments` are the last ones before the first batch that comes, oldest first, and the batch before
    /// has these `facts`.
    pub fn after(&mut self, segments: Vec<Segment>, facts: Option<&BatchFacts>) {
        self.reader.after(Before::new(segments, facts));
    }

    /// Splits the next batch into files in `dir`, which exists. Files appear whole under their names or not at all.
    /// `last`: nothing that follows continues it.
    ///
    /// # Errors
    /// [`DemuxError`]: it cannot be split. The next call goes on as if this one had not been.
    pub async fn next(&mut self, segments: &[Segment], last: bool, dir: &Path) -> Result<Split, DemuxError> {
        if self.foreign {
            let facts = self.with_ffmpeg.split(segments, dir).await?;
            return commit(Split { facts, layout: None, counts: Counts::default() }, dir).await;
        }
        let (mut reader, batch, to, span) = (self.reader.clone(), segments.to_vec(), dir.to_owned(), Span::current());
        let reading = tokio::task::spawn_blocking(move || {
            let _entered = span.entered();
            let found = reader.batch(&batch, last, &to);
            (reader, found)
        });
        let (reader, found) = reading
            .await
            .map_err(|error| DemuxError::File { path: dir.to_owned(), source: std::io::Error::other(error) })?;
        let mut found = found?;
        if let Some(why) = self.is_foreign(segments, &found).await? {
            return self.hand_over(segments, dir, why).await;
        }
        if found.facts.packets() == 0 {
            nothing(&found)?;
        }
        check_codecs(&found.facts)?;
        if let Some(audio) = &mut found.facts.audio {
            self.look_at_sound(audio, dir).await;
        }
        let split = commit(Split { facts: found.facts, layout: Some(found.layout), counts: found.counts }, dir).await?;
        self.reader = reader;
        Ok(split)
    }

    /// No batch follows: counts what is left.
    pub fn finish(&mut self) -> Counts {
        if self.foreign { Counts::default() } else { self.reader.finish() }
    }

    /// Why ffmpeg is to split the batch: nothing of it can be read here, or ffmpeg finds a track more.
    async fn is_foreign(&mut self, segments: &[Segment], found: &Found) -> Result<Option<String>, DemuxError> {
        if let Some(why) = found.foreign {
            return Ok(Some(why.to_owned()));
        }
        if found.doubtful.is_empty() || found.doubtful == self.known {
            return Ok(None);
        }
        let theirs = match self.with_ffmpeg.look(segments).await {
            Ok(theirs) => theirs,
            Err(error @ DemuxError::Ffmpeg(FfmpegError::Start { .. } | FfmpegError::Busy { .. })) => return Err(error),
            Err(error) => {
                tracing::debug!(%error, "ffmpeg reads no more of it");
                BatchFacts::default()
            }
        };
        let has = |track: &Option<TrackFacts>| track.as_ref().is_some_and(|track| !track.packets.is_empty());
        let more = has(&theirs.video) && !has(&found.facts.video) || has(&theirs.audio) && !has(&found.facts.audio);
        if !more {
            self.known.clone_from(&found.doubtful);
            return Ok(None);
        }
        check_codecs(&theirs)?;
        let codecs: Vec<&str> = theirs.tracks().map(|track| track.codec.as_str()).collect();
        Ok(Some(format!(
            "ffmpeg finds {} in it, of which a part is in a form that is not known here",
            codecs.join(" and ")
        )))
    }

    /// HE-AAC mostly tells the sample rate and channels of its core alone. ffmpeg is asked once for each of these.
    async fn look_at_sound(&mut self, audio: &mut TrackFacts, dir: &Path) {
        let told = (audio.sample_rate, audio.channels);
        if told.0 > HE_AAC_RATE_MAX {
            return;
        }
        let known = self.decoded.filter(|(of, _)| *of == told).map(|(_, decoded)| decoded);
        let decoded = match known {
            Some(decoded) => decoded,
            None => match self.with_ffmpeg.decoded(dir, &part(dir, names::AUDIO)).await {
                Ok(decoded) => decoded.unwrap_or(told),
                Err(error) => {
                    tracing::debug!(%error, "the decoded sound is not known");
                    told
                }
            },
        };
        self.decoded = Some((told, decoded));
        (audio.sample_rate, audio.channels) = decoded;
    }

    /// ffmpeg splits this batch and the rest of the run.
    async fn hand_over(&mut self, segments: &[Segment], dir: &Path, why: String) -> Result<Split, DemuxError> {
        let facts = self.with_ffmpeg.split(segments, dir).await?;
        // What is open ends here.
        let mut counts = Counts { handed_to_ffmpeg: Some(why), ..self.reader.finish() };
        if self.choice != Choice::default() {
            counts.unmet.push(NO_CHOICE.to_owned());
        }
        let split = commit(Split { facts, layout: None, counts }, dir).await?;
        self.foreign = true;
        Ok(split)
    }
}

/// Says why nothing of a batch can be used, where that is known.
fn nothing(found: &Found) -> Result<(), DemuxError> {
    let Found { encrypted, counts, .. } = found;
    if *encrypted {
        let streams = counts.streams.last().map(|streams| format!(" ({streams})")).unwrap_or_default();
        return Err(DemuxError::Unsupported(format!(
            "the source is encrypted inside its segments{streams}: only AES-128 with plain keys can be read"
        )));
    }
    let damage: Vec<&str> = counts.damage.iter().take(DAMAGE_IN_ERROR).map(String::as_str).collect();
    if damage.is_empty() {
        return Ok(());
    }
    Err(DemuxError::Unsupported(format!("nothing of the source can be used: {}", damage.join("; "))))
}

/// Gives the files their names.
async fn commit(split: Split, dir: &Path) -> Result<Split, DemuxError> {
    let path = part(dir, names::PACKETS);
    let list = split.facts.to_text();
    tokio::fs::write(&path, list).await.map_err(|source| DemuxError::File { path, source })?;
    for (track, name) in [(&split.facts.video, names::VIDEO), (&split.facts.audio, names::AUDIO)] {
        if track.is_some() {
            rename(&part(dir, name), &dir.join(name)).await?;
        }
    }
    rename(&part(dir, names::PACKETS), &dir.join(names::PACKETS)).await?;
    Ok(split)
}
