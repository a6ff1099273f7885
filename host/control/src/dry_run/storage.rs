//! The storage folder: that there is room. How much is free is the host's affair, not a tenant's, so it is not told.

use super::{Check, Fault, Finding, check};
use crate::limits::DRY_RUN_FILE_LIMIT;
use outboard_pipeline::Host;
use outboard_store::usage::Space;

/// What was seen of the storage.
pub(super) struct StorageFindings {
    pub(super) check: Check,
    /// Bytes that we may still write.
    pub(super) free: Option<u64>,
}

pub(super) async fn look(host: &Host) -> StorageFindings {
    let root = host.storage().root().to_owned();
    let mut room = None;
    let check = check("keep", DRY_RUN_FILE_LIMIT, async {
        let space = tokio::task::spawn_blocking(move || Space::of(&root)).await;
        let space = space
            .map_err(Fault::passing)?
            .map_err(|error| Fault::lasting(format_args!("the storage folder: {error}")))?;
        room = Some(space.free);
        Ok(Finding::new("there is enough free space for what would be kept"))
    })
    .await;
    StorageFindings { check, free: room }
}
