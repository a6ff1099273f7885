//! Fuzz target `playlists`: successive reloads of an origin's playlist. For any content, parsing ends, numbers stay in
//! range, and planned segments move forward.

use std::fmt::Write as _;
use std::time::Duration;

use url::Url;

use super::master::parse_master;
use super::media_playlist::MediaPlaylist;
use super::playlist::{is_master, parse_media};
use super::window::{Start, Step, Window};
use crate::limits::{EXTINF_MAX, MEDIA_SEQUENCE_MAX, PLAYLIST_ENTRIES_MAX, PLAYLIST_WARNINGS_MAX, TARGET_DURATION_MAX};

/// Reloads of one input.
const RELOADS: usize = 8;

/// Lines as origins write them, with a placeholder for a number.
const LINES: [(&str, &str); 22] = [
    ("#EXTINF:", ",\nsegment.ts"),
    ("#EXTINF:6.", ",title, with commas\nname.m4s?n="),
    ("segment-", ".ts"),
    ("#EXT-X-TARGETDURATION:", ""),
    ("#EXT-X-MEDIA-SEQUENCE:", ""),
    ("#EXT-X-DISCONTINUITY-SEQUENCE:", ""),
    ("#EXT-X-DISCONTINUITY", ""),
    ("#EXT-X-GAP", ""),
    ("#EXT-X-ENDLIST", ""),
    ("#EXT-X-START:TIME-OFFSET=-", ""),
    ("#EXT-X-BYTERANGE:", "@7"),
    ("#EXT-X-BYTERANGE:7@", ""),
    ("#EXT-X-MAP:URI=\"init", ".mp4\",BYTERANGE=\"100@0\""),
    ("#EXT-X-KEY:METHOD=AES-128,URI=\"key", "\",IV=0x00112233445566778899aabbccddeeff"),
    ("#EXT-X-KEY:METHOD=NONE", ""),
    ("#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:", "Z"),
    ("#EXT-X-PROGRAM-DATE-TIME:", ""),
    ("#EXT-X-DEFINE:NAME=\"a\",VALUE=\"", "\"\n{$a}.ts"),
    ("#EXT-X-CUE-OUT:", ""),
    ("#EXT-X-DATERANGE:ID=\"", "\",START-DATE=\"2026-01-01T00:00:00Z\",DURATION=3"),
    ("#EXT-X-STREAM-INF:BANDWIDTH=", ",AUDIO=\"a\"\nvariant.m3u8"),
    ("#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"", "\",URI=\"audio.m3u8\""),
];

/// Usual numbers, and the extremes of what can be written.
const NUMBERS: [&str; 14] = [
    "0",
    "1",
    "2",
    "6",
    "10",
    "59.94",
    "-1",
    "3600",
    "86401",
    "4294967296",
    "9007199254740993",
    "18446744073709551615",
    "1e400",
    "NaN",
];

/// An input that begins with `#` is text, with playlists separated by NUL; otherwise each pair of bytes selects a line
/// and its number.
pub fn playlists(data: &[u8]) {
    let texts: Vec<String> = match data.first() {
        Some(b'#') => data.split(|byte| *byte == 0).map(|text| String::from_utf8_lossy(text).into_owned()).collect(),
        _ => data.split(|byte| *byte == 0).map(written).collect(),
    };
    // A constant URL that always parses.
    let Ok(base) = Url::parse("http://origin.example/live/index.m3u8") else { return };
    let mut windows = [Start::LiveEdge, Start::Behind(2), Start::Beginning].map(Followed::new);
    for (n, text) in texts.iter().take(RELOADS).enumerate() {
        if is_master(text).is_ok_and(|master| master) {
            let _ = parse_master(&base, text);
            continue;
        }
        let Ok(playlist) = parse_media(&base, text, None) else { continue };
        bounded(&playlist);
        let now = Duration::from_secs(4 * n as u64);
        windows.iter_mut().for_each(|window| window.update(&playlist, now));
    }
}

fn written(data: &[u8]) -> String {
    let mut text = "#EXTM3U\n".to_owned();
    for pair in data.chunks(2) {
        let [line, number] = [pair.first(), pair.get(1)].map(|byte| usize::from(byte.copied().unwrap_or_default()));
        if let (Some((before, after)), Some(number)) =
            (LINES.get(line % LINES.len()), NUMBERS.get(number % NUMBERS.len()))
        {
            let _ = writeln!(text, "{before}{number}{after}");
        }
    }
    text
}

fn bounded(playlist: &MediaPlaylist) {
    assert!(playlist.target <= TARGET_DURATION_MAX, "{:?}", playlist.target);
    assert!(playlist.entries.len() <= PLAYLIST_ENTRIES_MAX, "{} entries", playlist.entries.len());
    assert!(playlist.warnings.len() <= PLAYLIST_WARNINGS_MAX, "{} warnings", playlist.warnings.len());
    assert!(playlist.media_sequence <= MEDIA_SEQUENCE_MAX, "{}", playlist.media_sequence);
    for (n, entry) in playlist.entries.iter().enumerate() {
        assert_eq!(entry.sequence, playlist.media_sequence + n as u64, "numbers rise by one");
        assert!(entry.duration_us >= 0 && entry.duration() <= EXTINF_MAX, "{:?}", entry.duration());
        assert!(entry.range.is_none_or(|(first, length)| first.checked_add(length).is_some()), "{:?}", entry.range);
    }
}

/// A window and its progress.
struct Followed {
    window: Window,
    epoch: u64,
    clock_us: i64,
}

impl Followed {
    fn new(start: Start) -> Self {
        Self { window: Window::new(start, None), epoch: 0, clock_us: i64::MIN }
    }

    fn update(&mut self, playlist: &MediaPlaylist, now: Duration) {
        for step in self.window.update(playlist, now) {
            let Step::Segment(planned) = step else { continue };
            assert!(planned.epoch >= self.epoch, "epoch {} after {}", planned.epoch, self.epoch);
            assert!(planned.clock_us >= self.clock_us, "{} us after {} us", planned.clock_us, self.clock_us);
            (self.epoch, self.clock_us) = (planned.epoch, planned.clock_us);
        }
    }
}
