//! Wrappers around ffmpeg that hang, as ffmpeg can with malicious media; and media that the host leaves to ffmpeg.
#![expect(clippy::unwrap_used, reason = "a harness that cannot do its part fails the test")]

use std::path::{Path, PathBuf};

use crate::media::{self, Clip, Entry};

/// Whether a process runs with `word` as its last argument.
pub fn runs(word: &str) -> bool {
    let all = std::fs::read_dir("/proc").unwrap().filter_map(|entry| Some(entry.ok()?.path()));
    let ends = format!("\0{word}\0");
    all.filter_map(|path| std::fs::read(path.join("cmdline")).ok()).any(|line| line.ends_with(ends.as_bytes()))
}

/// A folder with this script as `ffmpeg`, and a PATH in which it comes first.
pub fn wrapper(script: &str) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ffmpeg");
    std::fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", dir.path().display(), std::env::var("PATH").unwrap());
    (dir, path)
}

/// The ffmpeg in the tests' PATH.
pub fn real() -> PathBuf {
    let path = std::env::var("PATH").unwrap();
    std::env::split_paths(&path).map(|dir| dir.join("ffmpeg")).find(|file| file.exists()).unwrap()
}

/// The sound of a clip in a form that the host leaves to ffmpeg: packed audio that does not tell its time.
pub fn foreign(clip: &Clip, dir: &Path) -> Vec<Entry> {
    let entry = |(n, from): (usize, Entry)| {
        let path = dir.join(format!("foreign-{n}.aac"));
        let [from, to] = [&from.path, &path].map(|path| path.display().to_string());
        media::ffmpeg(&["-i", &from, "-map", "0:a", "-c", "copy", "-f", "adts", &to]);
        Entry { path, discontinuity: false }
    };
    media::entries(clip, false).into_iter().enumerate().map(entry).collect()
}
