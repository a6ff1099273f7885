//! The pipelines that this process holds, by id, and the lock under which they and their tenants change.
//!
//! In: handles from [`super::pipelines`], the only service that adds and removes them. Out: handles, for every service that is told a
//! pipeline's id. Depends on nothing but [`PipelineHandle`].

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::{Mutex, MutexGuard, watch};

use super::access::{Action, Actor};
use super::error::ControlError;
use super::id::PipelineId;
use super::pipeline_handle::PipelineHandle;

/// Every pipeline that exists and whose settings can be read.
#[derive(Debug, Default)]
pub(super) struct PipelineDirectory {
    handles: RwLock<BTreeMap<PipelineId, Arc<PipelineHandle>>>,
    /// Rises with each pipeline that is added or removed.
    turn: watch::Sender<u64>,
    /// Held while a pipeline's or a tenant's row and what is known of it in memory change together.
    changing: Mutex<()>,
}

impl PipelineDirectory {
    /// Adds a pipeline, or replaces the one of the same id.
    pub(super) fn insert(&self, handle: Arc<PipelineHandle>) {
        self.handles.write().unwrap_or_else(PoisonError::into_inner).insert(handle.id().clone(), handle);
        self.turn.send_modify(|turn| *turn += 1);
    }

    /// Removes a pipeline; what runs goes on until its handle is dropped or ended.
    pub(super) fn remove(&self, id: &PipelineId) {
        self.handles.write().unwrap_or_else(PoisonError::into_inner).remove(id);
        self.turn.send_modify(|turn| *turn += 1);
    }

    /// The pipeline of that id, whoever asks.
    pub(super) fn get(&self, id: &PipelineId) -> Option<Arc<PipelineHandle>> {
        self.handles.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// Every pipeline, sorted by id, whoever's.
    pub(super) fn all(&self) -> Vec<Arc<PipelineHandle>> {
        self.handles.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The pipelines of one tenant, sorted by id.
    pub(super) fn of_tenant(&self, tenant: &str) -> Vec<Arc<PipelineHandle>> {
        let handles = self.handles.read().unwrap_or_else(PoisonError::into_inner);
        handles.values().filter(|handle| handle.id().tenant == tenant).cloned().collect()
    }

    /// The pipeline that a caller names, if they may do that with it.
    ///
    /// # Errors
    /// [`ControlError::NotFound`] for one that does not exist or is another tenant's; [`ControlError::Forbidden`].
    pub(super) fn allowed(&self, actor: &Actor, action: Action, id: &str) -> Result<Arc<PipelineHandle>, ControlError> {
        let parsed = PipelineId::parse(id, actor.home())?;
        actor.check(action, Some(&parsed.tenant)).map_err(|denied| denied.or_absent(PipelineId::absent(id)))?;
        self.get(&parsed).ok_or_else(|| PipelineId::absent(id))
    }

    /// Changes each time a pipeline was added or removed.
    pub(super) fn turns(&self) -> watch::Receiver<u64> {
        self.turn.subscribe()
    }

    /// One change at a time, so that memory and database tell the same. Lock order: after [`super::removing::Removing`].
    pub(super) async fn change(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().await
    }
}
