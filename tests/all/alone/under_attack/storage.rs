//! Media folders that are removed under a running stream.

use serde_json::Value;

use super::{Attacker, PATIENCE, TENANT};

/// Number of video packets sent after it: longer than the buffered media.
const PICTURES: u64 = 200;

pub async fn folders(attacker: &Attacker<'_>) {
    let origin = attacker.live().await;
    let id = attacker.start("removed", &attacker.settings(&origin.url, "removed")).await;
    let video = |status: &Value| status["destinations"][0]["counters"]["video"].as_u64().unwrap_or_default();
    let (server, token) = (attacker.server, Some(attacker.token));
    let before = server.until(token, &id, "on air", PATIENCE, |status| status["onAir"] == true).await;
    for folder in ["original_stream", "processed_fragments"] {
        std::fs::remove_dir_all(server.storage().join(TENANT).join(folder)).unwrap();
    }
    let wanted = video(&before) + PICTURES;
    server.until(token, &id, "sending again", PATIENCE, |status| video(status) >= wanted).await;
    attacker.delete(&id).await;
}
