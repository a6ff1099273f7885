//! Splits the batches of a run, one after the other, each as its segments come.
//!
//! In: segments, and where batches end. Out: `video.fmp4`, `audio.fmp4` and `packets.txt` in the batch's folder, and its
//! facts. Our own demuxer does it ([`Reader`]); ffmpeg, where the content is nothing that it knows ([`WithFfmpeg`]): it splits
//! a batch whole, when it is cut.

use std::path::Path;

use tracing::Span;

use super::counts::Counts;
use super::encoded::{self, Encoder};
use super::open::Open;
use super::reader::{Before, Found, Reader};
use super::with_ffmpeg::WithFfmpeg;
use super::{DemuxError, Layout, OF_FFMPEG, OURS, check_codecs, part};
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

/// Splits batches; keeps what is open from one segment to the next.
#[derive(Debug)]
pub struct Splitter {
    reader: Reader,
    /// The batch that is open.
    open: Option<Open>,
    /// The start of the one after it: the batch ends before its newest segment.
    rest: Option<Open>,
    /// The state at the start of the batch that is open; `None`: that is not known.
    start: Option<Reader>,
    with_ffmpeg: WithFfmpeg,
    /// What is taken of the source.
    choice: Choice,
    encoder: Encoder,
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
            open: None,
            rest: None,
            start: None,
            with_ffmpeg: WithFfmpeg::new(slots.clone()),
            encoder: Encoder::new(slots),
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
        self.start_anew();
        let split = self.next(segments, true, dir).await;
        self.start_anew();
        Ok(split?.facts)
    }

    fn start_anew(&mut self) {
        (self.reader, self.foreign) = (Reader::new(self.choice.clone()), false);
        (self.open, self.rest, self.start) = (None, None, None);
        self.encoder.reset();
    }

    /// True until the first batch.
    pub fn is_new(&self) -> bool {
        self.reader.is_new() && !self.foreign
    }

    /// After a restart: `segments` are the last ones before the first batch that comes, oldest first, and the batch before
    /// has these `facts`.
    pub fn after(&mut self, segments: Vec<Segment>, facts: Option<&BatchFacts>) {
        self.encoder.after(&segments, facts);
        self.reader.after(Before::new(segments, facts));
    }

    /// Splits the next batch into files in `dir`, which exists. Files appear whole under their names or not at all.
    /// `last`: nothing that follows continues it.
    ///
    /// # Errors
    /// [`DemuxError`]: it cannot be split. The next call goes on as if this one had not been.
    pub async fn next(&mut self, segments: &[Segment], last: bool, dir: &Path) -> Result<Split, DemuxError> {
        let split = async {
            for segment in segments {
                self.segment(segment, dir).await?;
            }
            self.cut(segments, last, dir, dir).await
        };
        let split = split.await;
        if split.is_err() {
            self.give_up();
        }
        split
    }

    /// Demuxes the next segment of the batch that is open, whose folder `dir` exists. A segment that ffmpeg is to split is
    /// passed over.
    ///
    /// # Errors
    /// [`DemuxError`]: nothing of it is in the batch. The next call goes on as if this one had not been.
    pub async fn segment(&mut self, segment: &Segment, dir: &Path) -> Result<(), DemuxError> {
        if self.foreign {
            return Ok(());
        }
        if self.open.is_none() {
            self.open = Some(Open::new(dir));
            self.start = Some(self.reader.clone());
        }
        let segment = segment.clone();
        self.work(dir, move |reader, open| reader.segment(&segment, open)).await
    }

    /// Index of the newest segment that is in the batch that is open.
    pub fn newest(&self) -> Option<u64> {
        self.open.as_ref().and_then(Open::newest)
    }

    /// Ends the batch that is open, and gives its files in `dir` their names. `segments`: those of it that
    /// [`Self::segment`] took. Where that took more, these are the start of the next batch, whose folder is `next`. `last`:
    /// nothing that follows continues the batch.
    ///
    /// # Errors
    /// [`DemuxError`]: it cannot be split. It is still open, until another call succeeds or [`Self::give_up`].
    pub async fn cut(
        &mut self,
        segments: &[Segment],
        last: bool,
        dir: &Path,
        next: &Path,
    ) -> Result<Split, DemuxError> {
        if self.foreign {
            let facts = self.with_ffmpeg.split(segments, dir).await?;
            return commit(Split { facts, layout: None, counts: Counts::default() }, dir, false).await;
        }
        let end = segments.last().map_or(0, |segment| segment.index);
        if self.newest().is_some_and(|newest| newest > end) {
            let next = next.to_owned();
            self.rest = self.work(dir, move |_, open| open.split_off(end, &next)).await?;
        }
        // What comes after is in the rest, and its start too.
        let last = last && self.rest.is_none();
        let before = self.reader.clone();
        let (found, mark) = self
            .work(dir, move |reader, open| {
                let mark = open.mark()?;
                Ok((reader.cut(open, last)?, mark))
            })
            .await?;
        let split = self.finished(segments, last, dir, found).await;
        match split {
            Ok(split) => {
                (self.open, self.start) = (self.rest.take(), None);
                Ok(split)
            }
            Err(error) => {
                self.reader = before;
                if self.open.as_mut().is_some_and(|open| open.back_to(&mark).is_err()) {
                    self.come_again();
                }
                Err(error)
            }
        }
    }

    /// The batch that is open is lost; its part files stay in its folder.
    pub fn give_up(&mut self) {
        let start = self.start.take();
        let lost = self.open.is_some();
        self.open = self.rest.take();
        if lost && self.open.is_none() {
            self.reader = start.unwrap_or_else(|| Reader::new(self.choice.clone()));
        }
    }

    /// Whether ffmpeg splits the rest of the run.
    pub fn is_foreign(&self) -> bool {
        self.foreign
    }

    /// Goes back to the start of the batch that is open, whose segments are to come again. False: that cannot be.
    pub fn again(&mut self) -> bool {
        let Some(start) = self.start.clone().filter(|_| self.rest.is_none()) else { return false };
        (self.reader, self.open) = (start, None);
        true
    }

    /// Runs `work` on a thread that may block. Where it fails, it leaves nothing.
    async fn work<T: Send + 'static>(
        &mut self,
        dir: &Path,
        work: impl FnOnce(&mut Reader, &mut Open) -> Result<T, DemuxError> + Send + 'static,
    ) -> Result<T, DemuxError> {
        let (mut reader, span) = (self.reader.clone(), Span::current());
        let mut open = self.open.take().unwrap_or_else(|| Open::new(dir));
        let working = tokio::task::spawn_blocking(move || {
            let _entered = span.entered();
            let done = open
                .mark()
                .map_err(|error| (error, false))
                .and_then(|mark| work(&mut reader, &mut open).map_err(|error| (error, open.back_to(&mark).is_ok())));
            (reader, open, done)
        });
        match working.await {
            Ok((reader, open, Ok(done))) => {
                (self.reader, self.open) = (reader, Some(open));
                Ok(done)
            }
            Ok((_, open, Err((error, undone)))) => {
                if undone {
                    self.open = Some(open);
                } else {
                    self.come_again();
                }
                Err(error)
            }
            // It panicked.
            Err(error) => {
                self.come_again();
                Err(DemuxError::File { path: dir.to_owned(), source: std::io::Error::other(error) })
            }
        }
    }

    /// What is open is of no use: the segments of the batch are to come again, from its first one.
    fn come_again(&mut self) {
        (self.open, self.rest) = (None, None);
        self.reader = self.start.clone().unwrap_or_else(|| Reader::new(self.choice.clone()));
    }

    /// Gives a batch its facts and its files their names; where ffmpeg is to split it, after that.
    async fn finished(
        &mut self,
        segments: &[Segment],
        last: bool,
        dir: &Path,
        mut found: Found,
    ) -> Result<Split, DemuxError> {
        if let Some(why) = self.why_foreign(segments, &found).await? {
            return self.hand_over(segments, dir, why).await;
        }
        if found.facts.packets() == 0 {
            nothing(&found)?;
        }
        check_codecs(&found.facts, &OURS)?;
        let mut encoder = self.encoder.clone();
        let is_encoded = encoder.is_needed(found.layout.audio.as_ref());
        if is_encoded {
            let ends = (segments.first(), last);
            let sound = encoder.batch(found.facts.audio.as_ref(), found.layout.audio.as_ref(), ends, dir).await?;
            (found.facts.audio, found.layout.audio) = (sound.facts, sound.layout);
            found.counts.no_batch(sound.no_place);
            if let Some(encoded) = sound.encoded {
                found.counts.encoded(encoded);
            }
        }
        if let Some(audio) = found.facts.audio.as_mut().filter(|_| !is_encoded) {
            self.look_at_sound(audio, dir).await;
        }
        let split = Split { facts: found.facts, layout: Some(found.layout), counts: found.counts };
        let split = commit(split, dir, is_encoded).await?;
        self.encoder = encoder;
        Ok(split)
    }

    /// No batch follows: counts what is left.
    pub fn finish(&mut self) -> Counts {
        if self.foreign {
            return Counts::default();
        }
        let mut counts = self.reader.finish();
        counts.no_batch(self.encoder.finish());
        counts
    }

    /// Why ffmpeg is to split the batch: nothing of it can be read here, or ffmpeg finds a track more.
    async fn why_foreign(&mut self, segments: &[Segment], found: &Found) -> Result<Option<String>, DemuxError> {
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
        check_codecs(&theirs, &OF_FFMPEG)?;
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
        let mut counts = Counts { handed_to_ffmpeg: Some(why), ..self.finish() };
        if self.choice != Choice::default() {
            counts.unmet.push(NO_CHOICE.to_owned());
        }
        let split = commit(Split { facts, layout: None, counts }, dir, false).await?;
        // What came after the batch is read by ffmpeg too.
        (self.foreign, self.rest) = (true, None);
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

/// Gives the files their names. `is_encoded`: the sound is in a file of its own, and the source's is not wanted any more.
async fn commit(split: Split, dir: &Path, is_encoded: bool) -> Result<Split, DemuxError> {
    let dir = dir.to_owned();
    let named = tokio::task::spawn_blocking(move || {
        let path = part(&dir, names::PACKETS);
        std::fs::write(&path, split.facts.to_text()).map_err(|source| DemuxError::File { path, source })?;
        let tracks = [(&split.facts.video, names::VIDEO), (&split.facts.audio, names::AUDIO)];
        let there = tracks.into_iter().filter(|(track, _)| track.is_some()).map(|(_, name)| name);
        for name in there.chain([names::PACKETS]) {
            let from = if is_encoded && name == names::AUDIO { encoded::FILE } else { name };
            let part = part(&dir, from);
            std::fs::rename(&part, dir.join(name)).map_err(|source| DemuxError::File { path: part, source })?;
        }
        if is_encoded {
            // What is left is removed with its batch.
            let _ = std::fs::remove_file(part(&dir, names::AUDIO));
        }
        Ok(split)
    });
    named
        .await
        .map_err(|error| DemuxError::File { path: names::PACKETS.into(), source: std::io::Error::other(error) })?
}
