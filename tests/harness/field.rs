//! Streams as senders in the field have them: one small clip whose packets are all different, cut into segments by ffmpeg
//! and changed as transport packets.

#![expect(clippy::unwrap_used, reason = "a harness that cannot do its part fails the test")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use crate::media::ffmpeg;

/// The PIDs in which ffmpeg sends pictures, sound and the table of the programme.
pub const PICTURE: u16 = 256;
/// The same for sound.
pub const SOUND: u16 = 257;
/// The same for the table of the programme.
pub const MAP: u16 = 4096;

/// Ticks of 90 kHz after which a time of 33 bits begins anew.
const TURN: i64 = 1 << 33;

/// Pictures with noise, so that each is different: what `-f lavfi -i` takes.
pub fn picture(size: &str, fps: u32) -> String {
    format!("testsrc2=size={size}:rate={fps},noise=alls=8:allf=t:all_seed=1")
}

/// A tone with noise, so that nearly each frame is different.
pub fn sound(rate: u32) -> String {
    format!(
        "sine=440:beep_factor=4:sample_rate={rate},volume=0.7[s];anoisesrc=r={rate}:a=0.02:seed=1[n];[s][n]amix=inputs=2:duration=first:normalize=0"
    )
}

/// Encodes pictures of 25 frames per second in groups of 50.
pub const VIDEO: &str =
    "-c:v libx264 -preset veryfast -threads 1 -bf 3 -g 50 -keyint_min 50 -sc_threshold 0 -b:v 250k -pix_fmt yuv420p";
/// Encodes sound.
pub const AUDIO: &str = "-c:a aac -b:a 96k -ac 2";

/// Makes a clip of pictures and sound with these arguments of ffmpeg, once for the whole test run.
pub fn clip(seconds: u32, arguments: &str) -> PathBuf {
    made(&format!("{seconds} {arguments}"), |path| {
        let (picture, sound, length) = (picture("320x180", 25), sound(48_000), seconds.to_string());
        let mut all = vec!["-f", "lavfi", "-i", &picture, "-f", "lavfi", "-i", &sound, "-t", &length];
        all.extend(arguments.split_whitespace());
        all.push(path.to_str().unwrap());
        ffmpeg(&all);
    })
}

/// A file named `clip.ts` that `make` writes, once for each name and the whole test run.
pub fn made(name: &str, make: impl FnOnce(&Path)) -> PathBuf {
    static MADE: OnceLock<Mutex<HashMap<String, Arc<OnceLock<PathBuf>>>>> = OnceLock::new();
    let one = MADE.get_or_init(Mutex::default).lock().unwrap().entry(name.to_owned()).or_default().clone();
    // Outside of the lock: one clip may be made of another.
    let new = || {
        let path = tempfile::Builder::new().prefix("outboard-field-").tempdir().unwrap().keep().join("clip.ts");
        make(&path);
        path
    };
    one.get_or_init(new).clone()
}

/// Cuts a file into segments of `seconds`, `dir/<name><n>.ts`, with ffmpeg's HLS muxer and these further arguments.
pub fn segments(file: &Path, dir: &Path, name: &str, seconds: u32, arguments: &str) -> Vec<PathBuf> {
    std::fs::create_dir_all(dir).unwrap();
    let (pattern, list) = (dir.join(format!("{name}%d.ts")), dir.join(format!("{name}.m3u8")));
    let (seconds, copy) = (seconds.to_string(), "-c copy -hls_list_size 0 -f hls");
    let mut all = vec!["-copyts", "-i", file.to_str().unwrap(), "-map", "0"];
    all.extend(copy.split(' '));
    all.extend(arguments.split_whitespace());
    all.extend(["-hls_time", &seconds, "-hls_segment_filename", pattern.to_str().unwrap(), list.to_str().unwrap()]);
    ffmpeg(&all);
    (0..).map(|n| dir.join(format!("{name}{n}.ts"))).take_while(|path| path.exists()).collect()
}

/// Changes the segments in place; `each` gets the number and the packets of each one.
pub fn change(segments: &[PathBuf], mut each: impl FnMut(usize, Vec<[u8; 188]>) -> Vec<u8>) {
    for (n, path) in segments.iter().enumerate() {
        let bytes = std::fs::read(path).unwrap();
        let packets = bytes.chunks_exact(188).map(|packet| packet.try_into().unwrap()).collect();
        std::fs::write(path, each(n, packets)).unwrap();
    }
}

/// The PID of a transport packet.
pub fn pid(packet: &[u8; 188]) -> u16 {
    u16::from(packet[1] & 0x1f) << 8 | u16::from(packet[2])
}

/// Puts another PID into a transport packet.
pub fn set_pid(packet: &mut [u8; 188], pid: u16) {
    let [high, low] = pid.to_be_bytes();
    (packet[1], packet[2]) = (packet[1] & 0xe0 | high, low);
}

/// Moves the streams of a packet with a PMT by so many PIDs, and tells another version of it.
pub fn move_map(packet: &mut [u8; 188], by: u16) {
    let at = 5 + usize::from(packet[4]);
    let length = usize::from(packet[at + 1] & 0xf) << 8 | usize::from(packet[at + 2]);
    let end = at + 3 + length - 4;
    let number = |packet: &[u8; 188], at: usize| u16::from(packet[at]) << 8 | u16::from(packet[at + 1]);
    let add = |packet: &mut [u8; 188], at: usize| {
        let [high, low] = ((number(packet, at) & 0x1fff) + by).to_be_bytes();
        (packet[at], packet[at + 1]) = (packet[at] & 0xe0 | high, low);
    };
    packet[at + 5] = packet[at + 5] & 0xc1 | 2;
    add(packet, at + 8);
    let mut stream = at + 12 + usize::from(number(packet, at + 10) & 0xfff);
    while stream < end {
        add(packet, stream + 1);
        stream += 5 + usize::from(number(packet, stream + 3) & 0xfff);
    }
    let crc = packet[at..end].iter().fold(u32::MAX, |crc, byte| {
        (0..8)
            .fold(crc ^ u32::from(*byte) << 24, |crc, _| if crc >> 31 == 1 { crc << 1 ^ 0x04c1_1db7 } else { crc << 1 })
    });
    packet[end..end + 4].copy_from_slice(&crc.to_be_bytes());
}

/// Moves the times of a transport packet by so many ticks of 90 kHz: those of PES packets and of the clock, which wrap.
pub fn shift(packet: &mut [u8; 188], ticks: i64) {
    let moved = |time: u64| (time as i64 + ticks).rem_euclid(TURN) as u64;
    if packet[3] & 0x20 != 0 && packet[4] > 6 && packet[5] & 0x10 != 0 {
        let clock = packet[6..12].iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        let clock = moved(clock >> 15) << 15 | clock & 0x7fff;
        packet[6..12].copy_from_slice(&clock.to_be_bytes()[2..]);
    }
    for place in stamps(packet) {
        let time = moved(stamp(packet, place));
        let byte = |shift: u32| (time >> shift) as u8;
        let stamp = [packet[place] & 0xf1 | byte(29) & 14, byte(22), byte(14) | 1, byte(7), byte(0) << 1 | 1];
        packet[place..place + 5].copy_from_slice(&stamp);
    }
}

/// Where the times of the PES packet are that begins in this packet: none, one or two.
fn stamps(packet: &[u8; 188]) -> Vec<usize> {
    let at = if packet[3] & 0x20 == 0 { 4 } else { 5 + usize::from(packet[4]) };
    let pes = packet[1] & 0x40 != 0 && packet[3] & 0x10 != 0 && packet.get(at..at + 3) == Some(&[0, 0, 1]);
    match if pes { packet[at + 7] >> 6 } else { 0 } {
        2 => vec![at + 9],
        3 => vec![at + 9, at + 14],
        _ => Vec::new(),
    }
}

fn stamp(packet: &[u8; 188], place: usize) -> u64 {
    let [a, b, c, d, e] = [0, 1, 2, 3, 4].map(|n| u64::from(packet[place + n]));
    (a >> 1 & 7) << 30 | b << 22 | (c >> 1) << 15 | d << 7 | e >> 1
}

/// The first presentation time of a file in ticks of 90 kHz, as its 33 bits are.
pub fn first_time(file: &Path) -> Option<u64> {
    let bytes = std::fs::read(file).unwrap();
    let mut packets = bytes.chunks_exact(188).map(|packet| <&[u8; 188]>::try_from(packet).unwrap());
    packets.find_map(|packet| Some(stamp(packet, *stamps(packet).first()?)))
}
