//! The storage folder: how much room there is.

use super::{Check, Finding, check, summary};
use crate::limits::DRY_RUN_FILE_LIMIT;
use crate::pipeline::Host;

/// What was seen of the storage.
pub(super) struct Seen {
    pub(super) check: Check,
    /// Bytes that we may still write.
    pub(super) free: Option<u64>,
}

pub(super) async fn look(host: &Host) -> Seen {
    let root = host.storage().root().to_owned();
    let mut room = None;
    let check = check("keep", DRY_RUN_FILE_LIMIT, async {
        let stat = tokio::task::spawn_blocking(move || rustix::fs::statvfs(&root)).await;
        let stat = stat.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        let free = stat.f_bavail.saturating_mul(stat.f_frsize);
        room = Some(free);
        Ok::<_, String>(Finding::new(format!("{} are free", summary::size(free))).fact("freeBytes", free))
    })
    .await;
    Seen { check, free: room }
}
