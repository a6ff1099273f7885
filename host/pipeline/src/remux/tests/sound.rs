//! Sound as numbers: decoded by ffmpeg, compared sample by sample.

use std::path::Path;
use std::process::Command;

/// The samples of a file, decoded in one run: for each of so many channels, from the first sample that the file shows.
pub fn samples(file: &Path, format: &[&str], channels: usize) -> Vec<Vec<f32>> {
    let out = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error"])
        .args(format)
        .arg("-i")
        .arg(file)
        .args(["-f", "f32le", "-c:a", "pcm_f32le", "pipe:1"])
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let all: Vec<f32> = out.stdout.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect();
    (0..channels).map(|channel| all.iter().skip(channel).step_by(channels).copied().collect()).collect()
}

/// Mean power.
pub fn power(samples: &[f32]) -> f64 {
    samples.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / samples.len().max(1) as f64
}

/// The level in decibels below full scale.
pub fn level(samples: &[f32]) -> f64 {
    10.0 * power(samples).max(1e-12).log10()
}

/// By how many samples `heard` is late against `source`, at most `most` either way: where they are most alike.
pub fn late_by(source: &[f32], heard: &[f32], from: usize, length: usize, most: i64) -> i64 {
    let window = &source[from..from + length];
    let alike = |late: i64| -> f64 {
        let at = usize::try_from(from as i64 + late).unwrap();
        window.iter().zip(&heard[at..]).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    (-most..=most).max_by(|a, b| alike(*a).total_cmp(&alike(*b))).unwrap()
}
