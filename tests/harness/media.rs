//! Test media: clips that are encoded once, a live HLS origin that publishes them in real time, and packet lists from
//! an independent reader (ffprobe).
#![expect(clippy::unwrap_used, reason = "a harness that cannot do its part fails the test")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use axum::extract::{Path as Name, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Router, routing::get};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::differential;

/// The content and the encoding of a clip.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Clip {
    /// Length of the clip in seconds.
    pub seconds: u32,
    /// Width and height of the video; `None`: audio only.
    pub size: Option<(u32, u32)>,
    /// Whether there is audio.
    pub sound: bool,
    /// A flash and a beep at each full second instead of moving video and a tone.
    pub flash: bool,
    /// Frequency of the tone in Hz, which distinguishes clips.
    pub tone: u32,
}

/// Segment length in seconds.
pub const SEGMENT_SECONDS: u32 = 2;
/// The same.
const SEGMENT: Duration = Duration::from_secs(SEGMENT_SECONDS as u64);
/// Number of segments in a live playlist.
const WINDOW: usize = 5;
/// Number of segments that are listed from the start, so that a client starts with the first.
const AT_ONCE: usize = 3;

impl Clip {
    /// Small video with audio.
    pub fn small(seconds: u32) -> Self {
        Self { seconds, size: Some((320, 180)), sound: true, flash: false, tone: 440 }
    }

    /// The folder with `segment-<n>.ts`, encoded on first use and kept for the whole test run. Our demuxer reads the same of it
    /// as ffmpeg's, or the test stops.
    pub fn segments(&self) -> PathBuf {
        static MADE: OnceLock<Mutex<HashMap<Clip, PathBuf>>> = OnceLock::new();
        let mut made = MADE.get_or_init(Mutex::default).lock().unwrap();
        made.entry(self.clone()).or_insert_with(|| self.encode()).clone()
    }

    fn encode(&self) -> PathBuf {
        let dir = tempfile::Builder::new().prefix("outboard-clip-").tempdir().unwrap().keep();
        let seconds = self.seconds;
        let mut arguments = Vec::new();
        if let Some((width, height)) = self.size {
            let moving = format!("testsrc2=s={width}x{height}:r=30:d={seconds}");
            let flash = format!(
                "color=c=black:s={width}x{height}:r=30:d={seconds},geq=lum='if(lt(mod(N,30),2),255,16)':cb=128:cr=128"
            );
            arguments.extend(["-f".into(), "lavfi".into(), "-i".into(), if self.flash { flash } else { moving }]);
        }
        if self.sound {
            let tone = format!("sine=f={}:r=48000:d={seconds}", self.tone);
            let beep = format!("aevalsrc='if(lt(mod(t,1),0.0667),0.8*sin(2*PI*1000*t),0)':s=48000:d={seconds}");
            arguments.extend(["-f".into(), "lavfi".into(), "-i".into(), if self.flash { beep } else { tone }]);
        }
        let coding = "-c:v libx264 -preset ultrafast -bf 2 -g 60 -keyint_min 60 -sc_threshold 0 -b:v 5M -maxrate 5M \
                      -bufsize 5M -c:a aac -b:a 128k -ac 2 -f hls -hls_list_size 0 -hls_segment_filename";
        arguments.extend(coding.split_whitespace().map(Into::into));
        arguments.push(dir.join("segment-%d.ts").display().to_string());
        arguments.extend(["-hls_time".into(), SEGMENT_SECONDS.to_string()]);
        arguments.push(dir.join("list.m3u8").display().to_string());
        ffmpeg(&arguments);
        let segments = (0..seconds.div_ceil(SEGMENT_SECONDS)).map(|n| dir.join(format!("segment-{n}.ts")));
        differential::agree(&segments.collect::<Vec<_>>(), [self.size.is_some(), self.sound]);
        dir
    }
}

/// Runs ffmpeg until it exits.
pub fn ffmpeg(arguments: &[impl AsRef<std::ffi::OsStr>]) {
    let out = Command::new("ffmpeg").args(["-nostdin", "-v", "error", "-y"]).args(arguments).output().unwrap();
    assert!(out.status.success(), "ffmpeg: {}", String::from_utf8_lossy(&out.stderr));
}

/// One packet as ffprobe lists it.
#[derive(Debug, Clone, PartialEq)]
pub struct Packet {
    /// Presentation time in seconds.
    pub pts: f64,
    /// Decoding time in seconds.
    pub dts: f64,
    /// MD5 of the payload.
    pub hash: String,
}

/// The packets of a stream (`v` or `a`) of a file.
pub fn packets(file: &Path, stream: &str) -> Vec<Packet> {
    let out = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", stream, "-show_entries", "packet=pts_time,dts_time,data_hash"])
        .args(["-show_data_hash", "md5", "-of", "compact=p=0"])
        .arg(file)
        .output()
        .unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    let packet = |line: &str| {
        let field = |name: &str| line.split('|').find_map(|field| field.strip_prefix(name));
        let (pts, dts) = (field("pts_time=")?.parse().ok()?, field("dts_time=")?.parse().ok()?);
        Some(Packet { pts, dts, hash: field("data_hash=")?.to_owned() })
    };
    // A packet with side data is split into two lines.
    text.replace("|\n|", "|").lines().filter_map(packet).collect()
}

/// The packets of segments in the form that MP4 and FLV use. The segments' timestamps are continuous.
pub fn source_packets(segments: &[PathBuf], stream: &str) -> Vec<Packet> {
    let dir = tempfile::tempdir().unwrap();
    let joined = dir.path().join("joined.ts");
    let bytes: Vec<u8> = segments.iter().flat_map(|path| std::fs::read(path).unwrap()).collect();
    std::fs::write(&joined, bytes).unwrap();
    let file = dir.path().join("joined.mp4");
    let map = format!("0:{stream}");
    let [joined, file_name] = [&joined, &file].map(|path| path.display().to_string());
    ffmpeg(&["-copyts", "-i", &joined, "-map", &map, "-c", "copy", "-bsf:a", "aac_adtstoasc", "-f", "mp4", &file_name]);
    packets(&file, stream)
}

/// One segment in the origin's playlist.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Path of the segment's file on disk.
    pub path: PathBuf,
    /// Whether EXT-X-DISCONTINUITY stands before it.
    pub discontinuity: bool,
}

/// All segments of a clip; `discontinuity` applies to the first.
pub fn entries(clip: &Clip, discontinuity: bool) -> Vec<Entry> {
    let dir = clip.segments();
    let count = clip.seconds.div_ceil(SEGMENT_SECONDS);
    (0..count)
        .map(|n| Entry { path: dir.join(format!("segment-{n}.ts")), discontinuity: discontinuity && n == 0 })
        .collect()
}

struct Programme {
    /// Number of earlier programmes of the origin: part of every segment's name.
    number: usize,
    entries: Vec<Entry>,
    clock: Mutex<Clock>,
    window: usize,
    /// Whether all segments are listed from the start.
    vod: bool,
    /// EXT-X-PROGRAM-DATE-TIME of the first entry; later entries continue from it.
    begins: Option<jiff::Timestamp>,
}

/// The progress of a programme.
#[derive(Default)]
struct Clock {
    started: Option<Instant>,
    /// Number of its entries if it was ended early.
    ended: Option<usize>,
    /// No more entries than this are listed for now.
    held: Option<usize>,
    /// How long the programme was held.
    away: Duration,
}

impl Programme {
    /// Number of entries published so far, and in total. `end`: the programme ends here.
    fn published(&self, end: bool) -> (usize, usize) {
        let mut clock = self.clock.lock().unwrap();
        let started = *clock.started.get_or_insert_with(Instant::now);
        let running = started.elapsed().saturating_sub(clock.away);
        let published = AT_ONCE + (running.as_millis() / SEGMENT.as_millis()) as usize;
        let published = published.min(clock.held.unwrap_or(usize::MAX));
        let count = clock.ended.unwrap_or(self.entries.len());
        let published = if self.vod { count } else { published.min(count) };
        if end {
            clock.ended = Some(published);
        }
        (published, clock.ended.unwrap_or(count))
    }
}

/// A live HLS origin: publishes a segment each [`SEGMENT_SECONDS`] and ends with EXT-X-ENDLIST. Time starts with the
/// first request.
pub struct LiveOrigin {
    /// URL of the media playlist.
    pub url: String,
    programmes: Programmes,
    server: JoinHandle<()>,
}

/// All programmes of an origin; the last one is current.
type Programmes = Arc<Mutex<Vec<Arc<Programme>>>>;

impl Drop for LiveOrigin {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl LiveOrigin {
    /// Publishes `entries` once, in real time.
    pub async fn start(entries: Vec<Entry>) -> Self {
        Self::serve(entries, false, WINDOW, None).await
    }

    /// Publishes `entries` once, each with its date-time; the first begins at this Unix time.
    pub async fn start_dated(entries: Vec<Entry>, begins_s: i64) -> Self {
        Self::serve(entries, false, WINDOW, Some(jiff::Timestamp::from_second(begins_s).unwrap())).await
    }

    /// Publishes `entries` once; the newest `window` are listed.
    pub async fn start_wide(entries: Vec<Entry>, window: usize) -> Self {
        Self::serve(entries, false, window, None).await
    }

    /// Lists all `entries` at once, as a recording does.
    pub async fn vod(entries: Vec<Entry>) -> Self {
        Self::serve(entries, true, WINDOW, None).await
    }

    async fn serve(entries: Vec<Entry>, vod: bool, window: usize, begins: Option<jiff::Timestamp>) -> Self {
        let programme = Programme { number: 0, entries, clock: Mutex::default(), window, vod, begins };
        let programmes: Programmes = Arc::new(Mutex::new(vec![Arc::new(programme)]));
        let app = Router::new()
            .route("/live.m3u8", get(playlist))
            .route("/segment/{number}", get(segment))
            .with_state(programmes.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/live.m3u8", listener.local_addr().unwrap());
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, programmes, server }
    }

    /// Ends the programme with the last published segment. Returns the total number of segments.
    pub fn end(&self) -> usize {
        let programme = self.programmes.lock().unwrap().last().unwrap().clone();
        programme.published(true).0
    }

    /// Lists nothing after the first `entries` until [`Self::release`], as with an encoder that is away.
    pub fn hold_after(&self, entries: usize) {
        self.programmes.lock().unwrap().last().unwrap().clock.lock().unwrap().held = Some(entries);
    }

    /// The programme goes on with the next entry, now. Returns how much later that is than without
    /// [`Self::hold_after`].
    pub fn release(&self) -> Duration {
        let programme = self.programmes.lock().unwrap().last().unwrap().clone();
        let mut clock = programme.clock.lock().unwrap();
        let next = clock.held.take().unwrap() + 1;
        let due = SEGMENT * u32::try_from(next.saturating_sub(AT_ONCE)).unwrap() + clock.away;
        let late = clock.started.unwrap().elapsed().saturating_sub(due);
        clock.away += late;
        late
    }

    /// Starts a new programme with other entries, as a restarted encoder does: numbers begin at 0, and ENDLIST is gone.
    pub fn start_over(&self, entries: Vec<Entry>) {
        let mut programmes = self.programmes.lock().unwrap();
        let (number, clock) = (programmes.len(), Mutex::default());
        programmes.push(Arc::new(Programme { number, entries, clock, window: WINDOW, vod: false, begins: None }));
    }
}

async fn playlist(State(programmes): State<Programmes>) -> String {
    let programme = programmes.lock().unwrap().last().unwrap().clone();
    let (end, count) = programme.published(false);
    let first = if programme.vod { 0 } else { end.saturating_sub(programme.window) };
    let jumps = programme.entries[..first].iter().filter(|entry| entry.discontinuity).count();
    let mut text = format!(
        "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:{SEGMENT_SECONDS}\n#EXT-X-MEDIA-SEQUENCE:{first}\n\
         #EXT-X-DISCONTINUITY-SEQUENCE:{jumps}\n"
    );
    for n in first..end {
        if programme.entries[n].discontinuity {
            text += "#EXT-X-DISCONTINUITY\n";
        }
        if let Some(begins) = programme.begins {
            let at = begins + jiff::SignedDuration::from_secs(n as i64 * i64::from(SEGMENT_SECONDS));
            text += &format!("#EXT-X-PROGRAM-DATE-TIME:{at}\n");
        }
        text += &format!("#EXTINF:{SEGMENT_SECONDS}.0,\nsegment/{}-{n}.ts\n", programme.number);
    }
    if end == count {
        text += "#EXT-X-ENDLIST\n";
    }
    text
}

async fn segment(State(programmes): State<Programmes>, Name(name): Name<String>) -> Response {
    let numbers = name.strip_suffix(".ts").and_then(|name| name.split_once('-'));
    let numbers =
        numbers.and_then(|(programme, number)| Some((programme.parse::<usize>().ok()?, number.parse::<usize>().ok()?)));
    let Some((programme, number)) = numbers else { return StatusCode::NOT_FOUND.into_response() };
    let path = programmes.lock().unwrap()[programme].entries[number].path.clone();
    tokio::fs::read(path).await.unwrap().into_response()
}
