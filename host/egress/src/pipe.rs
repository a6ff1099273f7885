//! Destinations that use ffmpeg: one long-lived process that receives FLV on its standard input.
//!
//! In: tag bodies with their times. Out: what the URL requires (SRT and UDP as MPEG-TS, files by their extension). The
//! process copies and never encodes. Limits: a timeout for writes, the size of the kept stderr. The process may send to
//! one UDP port or write one file.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStderr, ChildStdin};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tracing::Instrument;

use super::rtmp::enhanced::picture_name;
use super::secret;
use super::target::{FileFormat, Target};
use crate::limits::FFMPEG_LOG_LINES_PER_MINUTE;
use crate::limits::{AIR_CLOSE_TIMEOUT, AIR_STDERR_BYTES, AIR_WRITE_BYTES, AIR_WRITE_TIMEOUT};
use outboard_base::redact::Secrets;
use outboard_ffmpeg::limits::FFMPEG_LOG_LINE_BYTES;

use outboard_base::{LineBudget, Lines};
use outboard_ffmpeg as ffmpeg;
use outboard_media::demux::Codec;
use outboard_media::flv::FileHeader;
use outboard_media::flv::FlvError;
use outboard_media::flv::TagKind;
use outboard_media::flv::head::four_cc;
use outboard_media::flv::write_tag_of;
use outboard_process::Child;
use outboard_process::Confinement;
use outboard_process::Launch;
use outboard_process::LaunchError;
use outboard_process::Network;

/// Why the process could not start or can no longer be used.
#[derive(Debug, Error)]
pub enum PipeError {
    /// The process did not start.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// The secret options could not be passed to the process.
    #[error("failed to pass the secret options to ffmpeg: {0}")]
    Secrets(std::io::Error),
    /// The output file could not be created.
    #[error("{path}: {error}")]
    File {
        /// The file that ffmpeg writes.
        path: PathBuf,
        /// The error of the operating system.
        error: std::io::Error,
    },
    /// ffmpeg exited on its own.
    #[error("ffmpeg ended ({status}): {tail}")]
    Ended {
        /// Exit code or signal, for people.
        status: String,
        /// The last lines of its stderr, without secrets.
        tail: String,
    },
    /// ffmpeg accepted no data.
    #[error("ffmpeg accepted no data for {} s: {tail}", AIR_WRITE_TIMEOUT.as_secs())]
    Stalled {
        /// The last lines of its stderr, without secrets.
        tail: String,
    },
    /// ffmpeg does not read the pictures from FLV. Probably permanent: retried rarely.
    #[error(
        "the source's picture is {codec}, and {version} writes this destination, which does not read {codec} from FLV; expected H.264, or ffmpeg 6.1 or newer"
    )]
    Picture {
        /// The codec's name for people.
        codec: &'static str,
        /// Name and version of the ffmpeg.
        version: String,
    },
    /// The version of ffmpeg is not known.
    #[error(transparent)]
    Version(#[from] ffmpeg::FfmpegError),
    /// A body that FLV cannot contain.
    #[error(transparent)]
    Flv(#[from] FlvError),
}

type Tail = Arc<Mutex<VecDeque<u8>>>;

/// A running ffmpeg that sends or writes one destination.
#[derive(Debug)]
pub struct Pipe {
    child: Child,
    stdin: Option<ChildStdin>,
    out: Vec<u8>,
    written: u64,
    tail: Tail,
    secrets: Secrets,
    stderr: Option<JoinHandle<()>>,
    new_header_needs_new: bool,
}

impl Pipe {
    /// Starts the process for a destination that is not RTMP.
    ///
    /// # Errors
    /// [`PipeError::Launch`], [`PipeError::Secrets`] or [`PipeError::File`].
    pub async fn spawn(ffmpeg: &Path, target: &Target, header: FileHeader) -> Result<Self, PipeError> {
        let LaunchPlan { args, secrets, confinement } = LaunchPlan::of(target)?;
        let mut launch = Launch::new(ffmpeg, confinement).args(args).stdin(Stdio::piped()).stderr(Stdio::piped());
        if let Some(secrets) = secrets {
            launch = launch.pass(secrets);
        }
        if matches!(target, Target::File(..)) {
            // The journal counts the data as sent, so ffmpeg writes all of it even if this process is killed.
            launch = launch.finishes_its_input();
        }
        let mut child = launch.launch().await?;
        let tail = Tail::default();
        let stderr = child
            .stderr
            .take()
            .map(|stderr| tokio::spawn(keep_tail(stderr, tail.clone(), target.secrets()).in_current_span()));
        Ok(Self {
            stdin: child.stdin.take(),
            child,
            out: header.to_bytes().to_vec(),
            written: 0,
            tail,
            secrets: target.secrets(),
            stderr,
            // Only the FLV muxer can write a new sequence header into the same file; other formats have it at their
            // start.
            new_header_needs_new: !matches!(target, Target::File(_, FileFormat::Flv)),
        })
    }

    /// Checks that ffmpeg reads pictures in this codec. The process gets them as enhanced FLV, unless they are H.264.
    ///
    /// # Errors
    /// [`PipeError::Picture`]; [`PipeError::Version`] if ffmpeg cannot be asked.
    pub async fn check_picture(picture: Option<Codec>) -> Result<(), PipeError> {
        let Some(codec) = picture.filter(|codec| four_cc(*codec).is_some()) else { return Ok(()) };
        let version = ffmpeg::version().await?;
        match reads_enhanced(&version) {
            true => Ok(()),
            false => {
                let version = version.split(" Copyright").next().unwrap_or_default().to_owned();
                Err(PipeError::Picture { codec: picture_name(codec), version })
            }
        }
    }

    /// Whether a changed sequence header requires a new process.
    pub fn new_header_needs_new(&self) -> bool {
        self.new_header_needs_new
    }

    /// Buffers a tag, whose body is these pieces. `dts_ms` is written modulo 2^32.
    ///
    /// # Errors
    /// [`PipeError::Flv`] if the tag cannot be written in FLV.
    pub fn push(&mut self, kind: TagKind, dts_ms: u64, body: &[&[u8]]) -> Result<(), PipeError> {
        Ok(write_tag_of(&mut self.out, kind, dts_ms as u32, body)?)
    }

    /// Bytes that ffmpeg has not accepted yet.
    pub fn buffered(&self) -> usize {
        self.out.len()
    }

    /// Bytes that ffmpeg has accepted since it started.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Writes the buffered bytes.
    ///
    /// # Errors
    /// The process cannot be used any more.
    pub async fn flush(&mut self) -> Result<(), PipeError> {
        let Some(stdin) = &mut self.stdin else { return Err(self.ended().await) };
        match timeout(AIR_WRITE_TIMEOUT, stdin.write_all(&self.out)).await {
            Err(_) => return Err(PipeError::Stalled { tail: self.tail() }),
            Ok(Err(_)) => return Err(self.ended().await),
            Ok(Ok(())) => {}
        }
        self.written += self.out.len() as u64;
        self.out.clear();
        self.out.shrink_to(2 * AIR_WRITE_BYTES);
        Ok(())
    }

    /// Waits until the process ends unexpectedly. Cancel safe.
    pub async fn ended(&mut self) -> PipeError {
        let status = self.child.wait().await.map_or_else(|error| error.to_string(), |status| status.to_string());
        // Its last output may not have been read yet.
        if let Some(stderr) = &mut self.stderr {
            let _ = timeout(AIR_CLOSE_TIMEOUT, stderr).await;
            self.stderr = None;
        }
        PipeError::Ended { status, tail: self.tail() }
    }

    /// Ends the input and waits until everything is written. At most [`AIR_CLOSE_TIMEOUT`], then the process is killed.
    pub async fn close(mut self) {
        if self.buffered() > 0
            && let Err(error) = self.flush().await
        {
            tracing::debug!(%error, "the last packets did not reach ffmpeg");
        }
        drop(self.stdin.take());
        if timeout(AIR_CLOSE_TIMEOUT, self.child.wait()).await.is_err() {
            tracing::warn!(tail = self.tail(), "ffmpeg did not exit in time; killing it");
            self.child.end().await;
        }
        if let Some(stderr) = self.stderr {
            stderr.abort();
        }
    }

    fn tail(&self) -> String {
        let bytes: Vec<u8> = self.tail.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect();
        let text = String::from_utf8_lossy(&bytes);
        // The first line may have lost its start, and with it a part of a secret.
        let whole = if bytes.len() < AIR_STDERR_BYTES { &text } else { text.split_once('\n').unwrap_or_default().1 };
        let lines = whole.trim().lines().map(|line| self.secrets.hide(line.trim_end()));
        lines.collect::<Vec<_>>().join(" | ")
    }
}

/// Keeps the end of ffmpeg's stderr and logs its lines, without secrets and at a limited rate.
async fn keep_tail(mut stderr: ChildStderr, tail: Tail, secrets: Secrets) {
    let mut piece = [0; 512];
    // Longer than what is logged, so that no secret is split before it is found.
    let mut lines = Lines::new(4 * FFMPEG_LOG_LINE_BYTES);
    let mut budget = LineBudget::new(FFMPEG_LOG_LINES_PER_MINUTE);
    let mut say = |line: &str| {
        if let Some(left_out) = budget.take(Instant::now()) {
            let left_out = (left_out > 0).then_some(left_out);
            let line = secrets.hide(line);
            let line = line.get(..line.floor_char_boundary(FFMPEG_LOG_LINE_BYTES)).unwrap_or_default();
            tracing::info!(target: "ffmpeg", run = "destination", left_out, "{line}");
        }
    };
    while let Ok(read) = stderr.read(&mut piece).await {
        if read == 0 {
            return lines.end(&mut say);
        }
        lines.feed(piece.get(..read).unwrap_or_default(), &mut say);
        let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
        let over = (tail.len() + read).saturating_sub(AIR_STDERR_BYTES);
        tail.drain(..over);
        tail.extend(piece.get(..read).unwrap_or_default());
    }
}

/// The arguments of the process, and what it may access.
struct LaunchPlan {
    args: Vec<OsString>,
    /// Options that are read from a pipe, because arguments are visible to all users.
    secrets: Option<OwnedFd>,
    confinement: Confinement,
}

impl LaunchPlan {
    fn of(target: &Target) -> Result<Self, PipeError> {
        let words = |words: &str| words.split(' ').map(OsString::from).collect::<Vec<_>>();
        let mut args = words("-nostdin -hide_banner -nostats -loglevel warning -protocol_whitelist pipe");
        // Little probing: sequence headers come first. (`nobuffer` would drop the probed packets.)
        args.extend(words("-analyzeduration 1000000 -f flv -i pipe:0 -map 0 -dn -c copy"));
        // The process lives and writes as long as the stream.
        let mut confinement = Confinement { cpu: None, file_bytes: Some(0), ..ffmpeg::confinement() };
        let mut secrets = None;
        match target {
            Target::File(path, format) => {
                args.extend(match format {
                    FileFormat::Flv => words("-f flv -flvflags no_duration_filesize"),
                    FileFormat::Ts => words("-f mpegts"),
                    FileFormat::Mp4 => words("-f mp4 -movflags +frag_keyframe+empty_moov+default_base_moof"),
                    FileFormat::Mkv => words("-f matroska"),
                });
                args.push("-y".into());
                let path = free_name(path)?;
                let mut file = OsString::from("file:");
                file.push(&path);
                args.push(file);
                confinement.file_bytes = None;
                confinement.write.push(path);
            }
            Target::Stream(url) => {
                // Times on air continue over restarts of the process.
                args.extend(words("-copyts -muxdelay 0 -muxpreload 0 -flush_packets 1 -f mpegts -mpegts_copyts 1"));
                let open = secret::taken_out(url);
                if let Some(pipe) = secret::pipe(&open.secrets).map_err(PipeError::Secrets)? {
                    args.extend(["-fpre".into(), secret::name(&pipe)]);
                    secrets = Some(pipe);
                }
                args.push(open.url.into());
                confinement.network = Network::Udp { port: open.port };
            }
            Target::Rtmp(target) => args.push(target.tc_url.clone().into()),
        }
        Ok(Self { args, secrets, confinement })
    }
}

/// Creates the file, or the first free one of `name-2.ext`, `name-3.ext`...: recordings are never overwritten.
fn free_name(path: &Path) -> Result<PathBuf, PipeError> {
    const TRIES: u32 = 10_000;
    let mut tried = path.to_owned();
    for n in 2..TRIES {
        match std::fs::File::create_new(&tried) {
            Ok(_) => return Ok(tried),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                let stem = path.file_stem().unwrap_or_default().to_string_lossy();
                let ending = path.extension().unwrap_or_default().to_string_lossy();
                tried = path.with_file_name(format!("{stem}-{n}.{ending}"));
            }
            Err(error) => return Err(PipeError::File { path: tried, error }),
        }
    }
    let error = std::io::ErrorKind::AlreadyExists.into();
    Err(PipeError::File { path: tried, error })
}

/// Whether a program that calls itself this reads enhanced FLV: ffmpeg does since 6.1. A build from its repository has no number and
/// is taken for a new one.
fn reads_enhanced(version: &str) -> bool {
    let number = version.strip_prefix("ffmpeg version ").unwrap_or(version).trim_start_matches('n');
    let mut parts = number.split(|other: char| !other.is_ascii_digit());
    let mut part = || parts.next().filter(|part| !part.is_empty())?.parse::<u32>().ok();
    match (part(), part()) {
        (Some(major), minor) => (major, minor.unwrap_or_default()) >= (6, 1),
        (None, _) => number.starts_with('N'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: FileHeader = FileHeader { audio: true, video: true };

    #[test]
    fn files_are_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.ts");
        let names: Vec<_> = (0..3).map(|_| free_name(&path).unwrap()).collect();
        assert_eq!(names, ["out.ts", "out-2.ts", "out-3.ts"].map(|name| dir.path().join(name)));
        let error = free_name(Path::new("/nowhere/at/all.ts")).unwrap_err();
        assert!(error.to_string().starts_with("/nowhere/at/all.ts: "), "{error}");
    }

    #[test]
    fn arguments_are_words_and_follow_the_target() {
        let line = |target: &str| {
            let order = LaunchPlan::of(&Target::parse(target).unwrap()).unwrap();
            order.args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
        };
        let srt = line("srt://h:9000?passphrase=0123456789 x");
        assert!(srt.starts_with("-nostdin -hide_banner") && srt.contains("-f mpegts"), "{srt}");
        let dir = tempfile::tempdir().unwrap();
        for (ending, format) in [("flv", "-f flv"), ("ts", "-f mpegts"), ("mp4", "+frag_keyframe"), ("mkv", "matroska")]
        {
            let shown = line(&format!("file:{}/a b.{ending}", dir.path().display()));
            assert!(shown.contains(format) && shown.ends_with(&format!("a b.{ending}")), "{shown}");
        }
    }

    #[tokio::test]
    async fn what_went_wrong_is_told_with_its_last_words_and_without_secrets() {
        let target = Target::parse("srt://127.0.0.1:9?passphrase=SECRET-SECRET").unwrap();
        let error = Pipe::spawn(Path::new("/nowhere/ffmpeg"), &target, HEADER).await.unwrap_err();
        assert!(error.to_string().starts_with("cannot start /nowhere/ffmpeg: "), "{error}");
        // A replacement for ffmpeg that prints its arguments and exits.
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("talker");
        std::fs::write(
            &program,
            "#!/bin/sh\nfor n in 1 2 3 4 5 6 7 8 9 10 11 12; do echo \"$n\" \"$@\" >&2; done; exit 3\n",
        )
        .unwrap();
        std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let mut pipe = Pipe::spawn(&program, &target, HEADER).await.unwrap();
        assert!(pipe.new_header_needs_new());
        let error = pipe.ended().await.to_string();
        assert!(error.contains("exit status: 3") && error.contains("12 -nostdin"), "{error}");
        assert!(!error.contains("SECRET"), "{error}");
        pipe.push(TagKind::Audio, 0, &[&[0; 100_000]]).unwrap();
        assert!(matches!(pipe.flush().await, Err(PipeError::Ended { .. })));
    }

    #[test]
    fn ffmpeg_reads_pictures_that_are_not_h264_since_6_1() {
        for (line, reads) in [
            ("ffmpeg version 5.1.9-0+deb12u1 Copyright (c) 2000-2026 the FFmpeg developers", false),
            ("ffmpeg version 6.0 Copyright", false),
            ("ffmpeg version 6.1.1-3ubuntu5 Copyright", true),
            ("ffmpeg version n7.1 Copyright", true),
            ("ffmpeg version 10.0", true),
            ("ffmpeg version N-118000-gabcdef Copyright", true),
            ("", false),
        ] {
            assert_eq!(reads_enhanced(line), reads, "{line}");
        }
    }
}
