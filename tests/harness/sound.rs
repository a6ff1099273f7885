//! Sound as numbers: decoded by one decoder from end to end, and held against the source's sample by sample.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a harness that cannot do its part fails the test")]

use std::ops::Range;
use std::path::Path;
use std::process::Command;

/// Samples on both sides of a border between two batches.
const NEAR: usize = 2048;
/// Samples at the start that whoever hears a stream decodes cold, and at the end that wait for what never comes.
const COLD: usize = 8192;
const OPEN: usize = 4096;
/// Samples that are looked for elsewhere, and how far.
const WINDOW: usize = 4096;
const FAR: i64 = 256;
/// Samples of which the mean is taken for levels: four milliseconds.
const SMOOTH: usize = 192;

/// The samples of each of so many channels of a file's sound, decoded in one run from its first packet on.
pub fn samples(file: &Path, channels: usize) -> Vec<Vec<f32>> {
    let mut copied = Command::new("ffmpeg");
    copied
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(file)
        .args(["-map", "0:a", "-c", "copy", "-f", "adts", "pipe:1"]);
    let adts = output(copied);
    let packets = tempfile::Builder::new().suffix(".aac").tempfile().unwrap();
    std::fs::write(packets.path(), adts).unwrap();
    let mut decoded = Command::new("ffmpeg");
    decoded.args(["-nostdin", "-v", "error", "-i"]).arg(packets.path());
    decoded.args(["-c:a", "pcm_f32le", "-f", "f32le", "pipe:1"]);
    let bytes = output(decoded);
    let all: Vec<f32> = bytes.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect();
    (0..channels).map(|channel| all.iter().skip(channel).step_by(channels).copied().collect()).collect()
}

fn output(mut command: Command) -> Vec<u8> {
    let out = command.output().unwrap();
    assert!(out.status.success(), "{command:?}: {}", String::from_utf8_lossy(&out.stderr));
    out.stdout
}

/// What sound on air is like against the source's.
#[derive(Debug, Clone)]
pub struct Likeness {
    /// By how many samples each batch is late; negative: early.
    pub late: Vec<i64>,
    /// The largest difference of level in a batch and channel, in decibels.
    pub level_db: f64,
    /// The energy of the difference around borders over the largest one elsewhere, in decibels.
    pub seams_db: f64,
    /// The energy of the difference over that of the source, in decibels.
    pub noise_db: f64,
}

/// Holds sound on air against the source's. `borders`: the sample where each batch but the first starts.
///
/// # Panics
/// If there is too little of it.
pub fn likeness(source: &[Vec<f32>], heard: &[Vec<f32>], borders: &[usize]) -> Likeness {
    let end = heard[0].len().min(source[0].len()) - OPEN;
    let starts: Vec<usize> = std::iter::once(COLD).chain(borders.iter().copied()).collect();
    let late: Vec<i64> = starts.iter().map(|from| late_by(&source[0], &heard[0], from + NEAR, end)).collect();
    let mut level_db: f64 = 0.0;
    let (mut near, mut elsewhere, mut noise) = (Vec::new(), Vec::new(), 0.0);
    for (source, heard) in source.iter().zip(heard) {
        let differs = |range: Range<usize>, late: i64| -> Vec<f32> {
            let at = |n: usize| usize::try_from(n as i64 + late).unwrap();
            range.filter(|n| at(*n) < end).map(|n| heard[at(n)] - source[n]).collect()
        };
        for (n, from) in starts.iter().enumerate() {
            let span = *from + NEAR..starts.get(n + 1).map_or(end, |next| next - NEAR).min(end);
            let off = 10.0 * (power(&smooth(&heard[span.clone()])) / power(&smooth(&source[span.clone()]))).log10();
            level_db = level_db.max(off.abs());
            elsewhere.extend(differs(span.clone(), late[n]).chunks_exact(2 * NEAR).map(power));
            noise = f64::max(noise, power(&differs(span.clone(), late[n])) / power(&source[span]));
            if n > 0 {
                near.push(
                    (power(&differs(from - NEAR..*from, late[n - 1])) + power(&differs(*from..from + NEAR, late[n])))
                        / 2.0,
                );
            }
        }
    }
    let mean = |all: &[f64]| all.iter().sum::<f64>() / all.len() as f64;
    elsewhere.sort_by(f64::total_cmp);
    // As many as there are near borders, of the same length: the ones that differ most.
    let most = &elsewhere[elsewhere.len().saturating_sub(near.len())..];
    let seams_db = 10.0 * (mean(&near).max(1e-12) / mean(most).max(1e-12)).log10();
    Likeness { late, level_db, seams_db, noise_db: 10.0 * noise.max(1e-12).log10() }
}

/// Where a window of the source is found on air.
fn late_by(source: &[f32], heard: &[f32], from: usize, end: usize) -> i64 {
    let length = WINDOW.min(end.saturating_sub(from + FAR.unsigned_abs() as usize));
    assert!(length > WINDOW / 4, "{length} samples from {from} to {end}");
    let window = &source[from..from + length];
    let alike = |late: i64| -> f64 {
        let at = usize::try_from(from as i64 + late).unwrap();
        window.iter().zip(&heard[at..]).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    (-FAR..=FAR).max_by(|a, b| alike(*a).total_cmp(&alike(*b))).unwrap_or_else(|| panic!("an empty range"))
}

/// Mean power.
fn power(samples: &[f32]) -> f64 {
    samples.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / samples.len().max(1) as f64
}

/// Without high tones, of which encoders leave some out: the mean of as many samples as last four milliseconds.
fn smooth(samples: &[f32]) -> Vec<f32> {
    let sums: Vec<f64> = std::iter::once(0.0)
        .chain(samples.iter().scan(0.0, |sum, sample| {
            *sum += f64::from(*sample);
            Some(*sum)
        }))
        .collect();
    sums.iter().zip(sums.iter().skip(SMOOTH)).map(|(from, to)| ((to - from) / SMOOTH as f64) as f32).collect()
}
