//! ffmpeg that hangs, in all pipelines of the attacker.

use std::path::PathBuf;

use outboard_tests::attacks::ffmpeg::{foreign, real, runs, wrapper};
use outboard_tests::media::{Clip, LiveOrigin};

use super::{Attacker, PATIENCE, WINDOW};

/// Pipelines whose ffmpeg hangs: enough to take every slot of a small machine.
const HUNG: usize = 4;

/// A unique argument that distinguishes this sleep from all others on the machine.
fn long() -> String {
    format!("3000000.{}", std::process::id())
}

/// An ffmpeg that hangs on batches of streams named `hung-…`, and works on all others.
pub fn hanging() -> (tempfile::TempDir, String) {
    let real: PathBuf = real();
    wrapper(&format!(
        "case \"$*\" in */processed_fragments/hung-*) sleep {} & wait;; esac\nexec {} \"$@\"",
        long(),
        real.display()
    ))
}

pub async fn hung(attacker: &Attacker<'_>) {
    let media = tempfile::tempdir().unwrap();
    let entries = foreign(&Clip::small(24), media.path());
    let mut running = Vec::new();
    for n in 0..HUNG {
        let (name, origin) = (format!("hung-{n}"), LiveOrigin::start(entries.clone()).await);
        running.push((attacker.start(&name, &attacker.settings(&origin.url, &name)).await, origin));
    }
    let hangs = async {
        while !runs(&long()) {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, hangs).await.is_ok(), "no ffmpeg hangs: {:#?}", attacker.server.log());
    tokio::time::sleep(WINDOW).await;
    assert!(runs(&long()), "it hangs still");
    for (id, _) in &running {
        attacker.delete(id).await;
    }
}
