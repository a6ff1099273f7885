//! Audio encoded by ffmpeg.

use std::process::{Command, Stdio};

/// A tone of this many seconds as fragmented MP4 with stereo AAC at 48 kHz.
pub fn fmp4(seconds: u32) -> Vec<u8> {
    ffmpeg(seconds, "-c:a aac -b:a 128k -f mp4 -movflags empty_moov+frag_keyframe -frag_duration 1000000")
}

/// A tone of this many seconds as WAV, stereo at 48 kHz: 192 kB per second.
pub fn wav(seconds: u32) -> Vec<u8> {
    ffmpeg(seconds, "-c:a pcm_s16le -f wav")
}

fn ffmpeg(seconds: u32, output: &str) -> Vec<u8> {
    let done = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-f", "lavfi", "-i"])
        .arg(format!("sine=1000:sample_rate=48000:duration={seconds}"))
        .args(["-ac", "2"])
        .args(output.split(' '))
        .arg("pipe:1")
        .stdin(Stdio::null())
        .output()
        .expect("ffmpeg is installed");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    done.stdout
}
