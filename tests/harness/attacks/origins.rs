//! Playlists and responses of hostile origins.

use crate::origin::{Origin, Reply, ts};

/// Entries of a playlist of the maximum size: 4 MiB.
const HUGE_ENTRIES: usize = 60_000;

/// A playlist of this many segments, each of which sets this many cookies of 2 kB and one of `huge` bytes. They are
/// named `c<segment>-<n>` and `huge<segment>`.
pub fn cookies(origin: &Origin, path: &str, segments: usize, cookies: usize, huge: usize) {
    let mut playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n".to_owned();
    for segment in 0..segments {
        let mut reply = Reply::ok(ts("a"));
        for n in 0..cookies {
            let value = "x".repeat(2000);
            reply = reply.header("set-cookie", &format!("c{segment}-{n}={value}; Path=/"));
        }
        let huge = "y".repeat(huge);
        origin.put(&format!("/{segment}.ts"), reply.header("set-cookie", &format!("huge{segment}={huge}; Path=/")));
        playlist += &format!("#EXTINF:1,\n{segment}.ts\n");
    }
    origin.put(path, format!("{playlist}#EXT-X-ENDLIST\n"));
}

/// A playlist of the maximum size. Each load lists new segments, none of which exists.
pub fn huge_playlist(origin: &Origin, path: &str) {
    let huge: String =
        (0..HUGE_ENTRIES).map(|n| format!("#EXTINF:2.0,\nsegment-of-a-long-name-{n:09}-{n:09}.ts\n")).collect();
    let huge = (0..40).map(|round| {
        format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:{}\n{huge}", round * HUGE_ENTRIES)
    });
    origin.script(path, huge.collect::<Vec<_>>());
}
