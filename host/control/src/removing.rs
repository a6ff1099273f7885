//! What is deleted leaves the disk: first it is deleted in the database, where what is left to do is noted, then what runs
//! ends, then its files go. That may take a while and holds nobody up but those who make something new of the tenant's.
//!
//! A process that dies in between leaves the note, and the next one goes on with it before anything starts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

use super::error::ControlError;
use super::pipeline_handle::PipelineHandle;
use super::registry::{Registry, Removal};
use super::runner::StopMode;
use outboard_logs::LogHub;
use outboard_pipeline::Host;

/// Removes what was deleted, and knows of which tenants something is being removed. Several removals of a tenant can be under way at
/// once; whoever makes something new of that tenant's waits for all of them. Called by pipelines, tenancy and storage.
#[derive(Debug)]
pub(super) struct Removing {
    host: Host,
    /// Runs removals, whether or not their caller waits.
    home: Handle,
    registry: Registry,
    logs: LogHub,
    locks: Mutex<HashMap<String, Arc<RwLock<()>>>>,
}

// === impl Removing ===

impl Removing {
    /// `home`: where removals run on after their caller has gone.
    pub(super) fn new(host: Host, home: Handle, registry: Registry, logs: LogHub) -> Self {
        Self { host, home, registry, logs, locks: Mutex::default() }
    }

    /// Something of the tenant's is removed until this is dropped.
    pub(super) async fn begin(&self, tenant: &str) -> OwnedRwLockReadGuard<()> {
        self.of(tenant).read_owned().await
    }

    /// Nothing of the tenant's is removed until this is dropped.
    async fn none(&self, tenant: &str) -> OwnedRwLockWriteGuard<()> {
        self.of(tenant).write_owned().await
    }

    fn of(&self, tenant: &str) -> Arc<RwLock<()>> {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever holds or waits for one has a handle of their own.
        locks.retain(|_, lock| Arc::strong_count(lock) > 1);
        locks.entry(tenant.to_owned()).or_default().clone()
    }

    /// Waits until what was deleted of a tenant is gone, and keeps it so until the answer is dropped.
    ///
    /// # Errors
    /// [`ControlError::Unavailable`]: it cannot be removed.
    pub(super) async fn make_room_for(&self, tenant: &str) -> Result<OwnedRwLockWriteGuard<()>, ControlError> {
        let making = self.none(tenant).await;
        for left in self.registry.removals().await?.into_iter().filter(|left| left.tenant == tenant) {
            self.remove(left).await?;
        }
        Ok(making)
    }

    /// Ends what runs and removes what was deleted, whether or not the caller waits for it. `guard` is held until then.
    pub(super) async fn remove_behind(
        self: &Arc<Self>,
        guard: impl Send + 'static,
        removal: Removal,
        handle: Option<Arc<PipelineHandle>>,
    ) {
        let removing = self.clone();
        let task = self.home.spawn(async move {
            if let Some(handle) = handle {
                handle.end(StopMode::AtOnce).await;
            }
            if let Err(error) = removing.remove(removal).await {
                tracing::error!(%error, "deletion incomplete; will retry");
            }
            drop(guard);
        });
        if task.await.is_err() {
            tracing::error!("deletion interrupted; the next start of the server resumes it");
        }
    }

    /// Goes on with what an earlier process could not do any more.
    pub(super) async fn finish_removals(&self) -> Result<(), ControlError> {
        for removal in self.registry.removals().await? {
            tracing::info!(tenant = removal.tenant, stream = removal.stream, "deletion complete");
            if let Err(error) = self.remove(removal).await {
                tracing::error!(%error, "deletion incomplete; will retry");
            }
        }
        Ok(())
    }

    /// Nothing of it may run.
    async fn remove(&self, removal: Removal) -> Result<(), ControlError> {
        let (janitor, logs) = (self.host.janitor(), &self.logs);
        match &removal.stream {
            Some(stream) if removal.files => {
                janitor.remove_stream(&removal.tenant, stream).await;
                logs.forget(&removal.tenant, stream).await;
            }
            Some(_) => {}
            None => {
                logs.forget_tenant(&removal.tenant).await;
                if let Err(error) = janitor.remove_tenant(&removal.tenant).await {
                    tracing::error!(tenant = removal.tenant, %error, "failed to remove the directory of a tenant");
                    return Err(ControlError::Unavailable(format!(
                        "files of an earlier tenant {} are still in the storage and cannot be removed",
                        removal.tenant
                    )));
                }
            }
        }
        Ok(self.registry.removed(removal).await?)
    }
}
