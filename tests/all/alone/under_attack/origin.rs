//! Origins: cookies, a playlist of the maximum size, a target duration of an hour.

use outboard::limits::COOKIE_BYTES_MAX;
use outboard_tests::attacks::origins;
use outboard_tests::origin::Origin;

use super::{Attacker, WINDOW};

/// Number of segments, and of cookies that each of them sets.
const SEGMENTS: usize = 60;
const COOKIES: usize = 40;

pub async fn playlists(attacker: &Attacker<'_>) {
    let origin = Origin::start().await;
    origins::cookies(&origin, "/cookies.m3u8", SEGMENTS, COOKIES, 2 * COOKIE_BYTES_MAX);
    origins::huge_playlist(&origin, "/huge.m3u8");
    origin.put("/hour.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:3600\n#EXTINF:2,\n0.ts\n");
    let mut running = Vec::new();
    for name in ["cookies", "huge", "hour"] {
        let url = origin.url(&format!("/{name}.m3u8"));
        running.push(attacker.start(name, &attacker.settings(url.as_str(), name)).await);
    }
    // What matters is the effect on other tenants during this time.
    tokio::time::sleep(WINDOW).await;
    // Several segments are requested at once, and each response has more cookies than are kept: any of them may come back.
    let asked = origin.log();
    let came_back = asked.iter().any(|asked| !asked.header("cookie").is_empty());
    assert!(came_back, "cookies come back: {:?}", asked.iter().map(|asked| &asked.path).collect::<Vec<_>>());
    assert!(!origin.asked("/huge.m3u8").is_empty() && !origin.asked("/hour.m3u8").is_empty());
    for id in &running {
        attacker.delete(id).await;
    }
}
