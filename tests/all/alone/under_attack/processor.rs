//! Replies that take forever to parse.

use outboard_tests::attacks::replies;
use outboard_tests::processor::{Processor, ServerKind};
use serde_json::{Value, json};

use super::{Attacker, PATIENCE};

pub async fn replies(attacker: &Attacker<'_>) {
    let mut running = Vec::new();
    for (name, file, _) in replies::all() {
        let path = attacker.dir.join(name);
        std::fs::write(&path, file).unwrap();
        let processor = Processor::start(ServerKind::Node, "echo", &[&format!("answer={}", path.display())]).await;
        let origin = attacker.live().await;
        let mut settings = attacker.settings(&origin.url, name);
        settings["processor"] = json!({ "url": processor.url() });
        running.push((attacker.start(name, &settings).await, origin, processor));
    }
    for (id, ..) in &running {
        let fallen_back = |status: &Value| status["counters"]["original"].as_u64() >= Some(2);
        attacker.server.until(Some(attacker.token), id, "on air with the original sound", PATIENCE, fallen_back).await;
    }
    for (id, ..) in &running {
        attacker.delete(id).await;
    }
}
