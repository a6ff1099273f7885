//! What is deleted leaves the disk: first it is deleted in the database, where what is left to do is noted, then what runs
//! ends, then its files go. That may take a while and holds nobody up but those who make something new of the tenant's.
//!
//! A process that dies in between leaves the note, and the next one goes on with it before anything starts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

use super::Control;
use super::entry::Entry;
use super::error::ControlError;
use super::registry::Removal;
use super::runner::StopMode;

/// Of which tenants something is being removed. Many things can be at once; who makes something new waits for all.
#[derive(Debug, Default)]
pub(super) struct Removing(Mutex<HashMap<String, Arc<RwLock<()>>>>);

// === impl Removing ===

impl Removing {
    /// Something of the tenant's is removed until this is dropped.
    pub(super) async fn begin(&self, tenant: &str) -> OwnedRwLockReadGuard<()> {
        self.of(tenant).read_owned().await
    }

    /// Nothing of the tenant's is removed until this is dropped.
    async fn none(&self, tenant: &str) -> OwnedRwLockWriteGuard<()> {
        self.of(tenant).write_owned().await
    }

    fn of(&self, tenant: &str) -> Arc<RwLock<()>> {
        let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever holds or waits for one has a handle of their own.
        locks.retain(|_, lock| Arc::strong_count(lock) > 1);
        locks.entry(tenant.to_owned()).or_default().clone()
    }
}

// === impl Control ===

impl Control {
    /// Waits until what was deleted of a tenant is gone, and keeps it so until the answer is dropped.
    ///
    /// # Errors
    /// [`ControlError::Unavailable`]: it cannot be removed.
    pub(super) async fn make_room_for(&self, tenant: &str) -> Result<OwnedRwLockWriteGuard<()>, ControlError> {
        let making = self.0.removing.none(tenant).await;
        for left in self.0.registry.removals().await?.into_iter().filter(|left| left.tenant == tenant) {
            self.remove(left).await?;
        }
        Ok(making)
    }

    /// Ends what runs and removes what was deleted, whether or not the caller waits for it. `guard` is held until then.
    pub(super) async fn remove_behind(&self, guard: impl Send + 'static, removal: Removal, entry: Option<Arc<Entry>>) {
        let control = self.clone();
        let removing = self.0.home.spawn(async move {
            if let Some(entry) = entry {
                entry.end(StopMode::AtOnce).await;
            }
            if let Err(error) = control.remove(removal).await {
                tracing::error!(%error, "deletion incomplete; will retry");
            }
            drop(guard);
        });
        if removing.await.is_err() {
            tracing::error!("deletion interrupted; the next start of the server resumes it");
        }
    }

    /// Goes on with what an earlier process could not do any more.
    pub(super) async fn finish_removals(&self) -> Result<(), ControlError> {
        for removal in self.0.registry.removals().await? {
            tracing::info!(tenant = removal.tenant, stream = removal.stream, "deletion complete");
            if let Err(error) = self.remove(removal).await {
                tracing::error!(%error, "deletion incomplete; will retry");
            }
        }
        Ok(())
    }

    /// Nothing of it may run.
    async fn remove(&self, removal: Removal) -> Result<(), ControlError> {
        let (janitor, logs) = (self.0.host.janitor(), &self.0.logs);
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
        Ok(self.0.registry.removed(removal).await?)
    }
}
