//! Makes clips with ffmpeg. Each picture and nearly each audio frame is unique, so that hashes can be compared.

use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::differential::{self, Difference};

/// Runs ffmpeg in a folder of its own; returns the bytes of the file that it writes.
pub fn ffmpeg(args: &[&str], name: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-y"])
        .args(args)
        .arg(&path)
        .stdin(Stdio::null())
        .output()
        .expect("ffmpeg is installed");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    std::fs::read(path).unwrap()
}

/// The settings for making a clip.
#[derive(Debug, Clone)]
pub struct Clip<'a> {
    pub seconds: u32,
    pub fps: u32,
    pub rate: u32,
    /// Arguments of the encoders, separated by spaces.
    pub video: &'a str,
    pub audio: &'a str,
    /// Arguments of the muxer.
    pub mux: &'a str,
    pub name: &'a str,
    /// The differences from ffmpeg's demuxer that it shows.
    pub differs: &'a [Difference],
}

impl Default for Clip<'_> {
    fn default() -> Self {
        Self {
            seconds: 4,
            fps: 25,
            rate: 48_000,
            video: "-c:v libx264 -preset veryfast -threads 1 -bf 2 -g 25 -keyint_min 25 -sc_threshold 0 -b:v 300k",
            audio: "-c:a aac -b:a 96k -ac 2",
            mux: "",
            name: "clip.ts",
            differs: &[],
        }
    }
}

impl Clip<'_> {
    /// Encodes the clip, once for the whole test run, and demuxes it with ffmpeg too.
    pub fn make(&self) -> Vec<u8> {
        differential::once(format!("{self:?}"), || {
            let bytes = self.encode();
            differential::check(&bytes, self.name, self.differs);
            bytes
        })
    }

    fn encode(&self) -> Vec<u8> {
        let Self { seconds, fps, rate, video, audio, mux, name, differs: _ } = self;
        let picture = format!("testsrc2=size=320x180:rate={fps},noise=alls=8:allf=t:all_seed=1");
        let sound = format!(
            "sine=frequency=440:beep_factor=4:sample_rate={rate},volume=0.7[s];anoisesrc=r={rate}:a=0.02:seed=1[n];[s][n]amix=inputs=2:duration=first:normalize=0"
        );
        let seconds = seconds.to_string();
        let mut args = vec!["-f", "lavfi", "-i", &picture, "-f", "lavfi", "-i", &sound, "-t", &seconds];
        args.extend(["-pix_fmt", "yuv420p"]);
        args.extend(video.split_whitespace());
        args.extend(audio.split_whitespace());
        args.extend(mux.split_whitespace());
        ffmpeg(&args, name)
    }
}

/// The clip that most tests use: four seconds of H.264 with B-frames and AAC.
pub fn plain() -> &'static [u8] {
    static MADE: OnceLock<Vec<u8>> = OnceLock::new();
    MADE.get_or_init(|| Clip::default().make())
}

/// Copies the streams of `input` into another container with ffmpeg; returns the file that it writes.
pub fn remux(input: &[u8], name: &str, args: &str, output: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, input).unwrap();
    let path = path.to_str().unwrap();
    let mut all = vec!["-i", path, "-map", "0", "-c", "copy"];
    all.extend(args.split_whitespace());
    let made = ffmpeg(&all, output);
    differential::check(&made, output, &[]);
    made
}
