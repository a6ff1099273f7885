//! Batches with a container that [`super::copying`] does not read: one ffmpeg run joins the picture and the chosen audio,
//! all copied, into FLV on its stdout. The times on air are ours.

use tokio::io::AsyncReadExt;

use super::spooling::{Layout, Spooler};
use super::{CHUNK_BYTES, Job, RemuxError, Remuxed};
use outboard_ffmpeg as ffmpeg;
use outboard_ffmpeg::limits::FFMPEG_TIMEOUT;
use outboard_media::flv::body::{AudioFacts, PacketType, VideoFacts};
use outboard_media::flv::{TagKind, TagReader};
use outboard_store::files::names;

/// Writes the batch's `air.flv` under its temporary name.
pub(super) async fn run(job: &Job<'_>) -> Result<Remuxed, RemuxError> {
    let command = command(job);
    let mut tags = Tags { reader: TagReader::new(), spooler: Spooler::create(Layout::of(job))? };
    let (running, mut stdout) = job.turn.spawn("remux", command).await?;
    let mut chunk = vec![0; CHUNK_BYTES];
    let read = async {
        loop {
            let n = stdout.read(&mut chunk).await?;
            if n == 0 {
                return Ok::<_, RemuxError>(());
            }
            tags.feed(chunk.get(..n).unwrap_or_default())?;
        }
    };
    match tokio::time::timeout(FFMPEG_TIMEOUT, read).await {
        Ok(done) => {
            // With nobody reading, ffmpeg ends. Its own words tell more than the broken stream it left.
            drop(stdout);
            let finished = running.finish(FFMPEG_TIMEOUT).await;
            if !matches!(done, Err(RemuxError::Io(_))) {
                finished?;
            }
            done?;
        }
        Err(_) => return Err(running.overdue(FFMPEG_TIMEOUT).await.into()),
    }
    tags.reader.finish()?;
    tags.spooler.finish()
}

/// The command that writes FLV tags to stdout, all copied.
fn command(job: &Job<'_>) -> ffmpeg::Command {
    let mut command = ffmpeg::command("file,pipe");
    command.reads(job.dir);
    let mut maps: Vec<&str> = Vec::new();
    if job.facts.video.is_some() {
        command.args(["-f", "mp4", "-i"]).arg(job.dir.join(names::VIDEO));
        maps.extend(["-map", "0:v:0"]);
    }
    if job.has_audio() {
        maps.extend(["-map", if maps.is_empty() { "0:a:0" } else { "1:a:0" }]);
        match job.processed {
            Some(processed) => command.reads(&processed.path).args(["-f", processed.format, "-i"]).arg(&processed.path),
            None => command.args(["-f", "mp4", "-i"]).arg(job.dir.join(names::AUDIO)),
        };
        maps.extend(["-bsf:a", "aac_adtstoasc"]);
    }
    maps.extend(["-c", "copy", "-copyinkf"]);
    command.args(&maps).args(["-f", "flv", "-flvflags", "no_duration_filesize", "pipe:1"]);
    command
}

/// Takes ffmpeg's FLV in pieces.
struct Tags {
    reader: TagReader,
    spooler: Spooler,
}

impl Tags {
    fn feed(&mut self, piece: &[u8]) -> Result<(), RemuxError> {
        let Self { reader, spooler } = self;
        reader.feed(piece);
        while let Some(tag) = reader.next_tag()? {
            match tag.kind {
                TagKind::Script => spooler.metadata(tag.body)?,
                TagKind::Video => match VideoFacts::parse(tag.body)?.packet {
                    PacketType::SequenceHeader => spooler.header(TagKind::Video, tag.body)?,
                    PacketType::Media => {
                        let first = tag.body.first().copied().unwrap_or_default();
                        spooler.picture(first, tag.body.get(VIDEO_HEAD..).unwrap_or_default())?;
                    }
                    // ffmpeg ends each file with an end of sequence; the stream goes on.
                    _ => {}
                },
                TagKind::Audio => match AudioFacts::parse(tag.body)?.packet {
                    PacketType::SequenceHeader => spooler.header(TagKind::Audio, tag.body)?,
                    PacketType::Media => spooler.sound(&[tag.body])?,
                    _ => {}
                },
            }
        }
        Ok(())
    }
}

/// Bytes of the body of a picture before its payload: frame type, packet type, composition time.
const VIDEO_HEAD: usize = 5;
