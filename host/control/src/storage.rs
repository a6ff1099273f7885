//! What lies on disk, and room made by hand. Events of the janitor become events of tenants and pipelines.
//!
//! Called by the API. Owns nothing: files and their numbers are the janitor's.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::access::{Action, Actor};
use super::error::{ControlError, unread};
use super::id::PipelineId;
use super::pipeline_directory::PipelineDirectory;
use super::recorder::Recorder;
use super::registry::{NewAudit, Registry, Scope};
use super::removing::Removing;
use super::tenant_directory::TenantDirectory;
use crate::limits::STORAGE_EVENTS_WAITING;
use outboard_pipeline::Host;
use outboard_pipeline::event::Event;
use outboard_pipeline::release::storage_event;
use outboard_store::janitor::{self, Cleaned, StorageEvent, StorageEvents};
use outboard_store::retention::Keep;
use outboard_store::usage::{Space, Totals};

/// What lies on disk, as far as a caller may see.
#[derive(Debug, Clone, Default)]
pub struct StorageView {
    /// Of everything below, by kind of file.
    pub totals: Totals,
    /// Use of each pipeline, including deleted ones with files.
    pub pipelines: Vec<(PipelineId, Totals)>,
    /// The tenant's quota in bytes; `None` for all tenants together, and without a quota.
    pub quota: Option<u64>,
    /// Size and free space of the file system.
    pub space: Space,
    /// Why segments are not fetched now, in a sentence.
    pub refusal: Option<String>,
}

/// What was removed of a pipeline's files, or would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cleaning {
    /// The pipeline, which may be deleted already.
    pub pipeline: PipelineId,
    /// Batches and bytes that were removed, or would be in a dry run.
    pub cleaned: Cleaned,
}

/// Storage of this host, as callers look at it and make room in it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct StorageAdmin {
    host: Host,
    registry: Registry,
    tenants: Arc<TenantDirectory>,
    directory: Arc<PipelineDirectory>,
    removing: Arc<Removing>,
}

// === impl StorageAdmin ===

impl StorageAdmin {
    pub(super) fn new(
        host: Host,
        registry: Registry,
        tenants: Arc<TenantDirectory>,
        directory: Arc<PipelineDirectory>,
        removing: Arc<Removing>,
    ) -> Self {
        Self { host, registry, tenants, directory, removing }
    }

    /// What lies on disk: of one pipeline, of one tenant, or for a host-wide caller that names none, of all.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub fn view(
        &self,
        actor: &Actor,
        tenant: Option<&str>,
        pipeline: Option<&str>,
    ) -> Result<StorageView, ControlError> {
        let janitor = self.host.janitor();
        let (usage, space) = (janitor.usage(), janitor.usage().space().unwrap_or_default());
        if let Some(id) = pipeline {
            let handle = self.directory.allowed(actor, Action::ViewStorage, id)?;
            let PipelineId { tenant, stream } = handle.id();
            let totals = usage.stream(tenant, stream);
            return Ok(StorageView {
                totals,
                pipelines: vec![(handle.id().clone(), totals)],
                quota: janitor.quota(tenant),
                space,
                refusal: janitor.refusal(tenant).map(|why| why.to_string()),
            });
        }
        let scope = self.tenants.scope(actor, Action::ViewStorage, tenant)?;
        let mut pipelines: Vec<_> = usage
            .streams()
            .into_iter()
            .filter(|((owner, _), _)| match &scope {
                Scope::Tenant(tenant) => owner == tenant,
                _ => true,
            })
            .map(|((tenant, stream), totals)| (PipelineId { tenant, stream }, totals))
            .collect();
        pipelines.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(match scope {
            Scope::Tenant(tenant) => StorageView {
                totals: usage.tenant(&tenant),
                pipelines,
                quota: janitor.quota(&tenant),
                space,
                refusal: janitor.refusal(&tenant).map(|why| why.to_string()),
            },
            _ => StorageView { totals: usage.all(), pipelines, quota: None, space, refusal: None },
        })
    }

    /// Removes the finished batches of a pipeline but the newest `keep`; what is not yet on air stays. Of a stream whose
    /// pipeline was deleted and whose files were kept, removes everything. `dry_run`: only says what would go.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub async fn clean(&self, actor: &Actor, id: &str, keep: usize, dry_run: bool) -> Result<Cleaning, ControlError> {
        let action = if dry_run { Action::ViewStorage } else { Action::CleanStorage };
        let handle = match self.directory.allowed(actor, action, id) {
            Ok(handle) => handle,
            Err(ControlError::NotFound(_)) => return self.clean_left_behind(actor, action, id, keep).await,
            Err(error) => return Err(error),
        };
        let PipelineId { tenant, stream } = handle.id();
        let janitor = self.host.janitor();
        let planned = janitor.plan_clean(tenant, stream, Keep::newest(keep)).await.map_err(unread)?;
        let planned = Cleaned { batches: planned.len() as u64, bytes: planned.iter().map(|batch| batch.bytes).sum() };
        if dry_run {
            return Ok(Cleaning { pipeline: handle.id().clone(), cleaned: planned });
        }
        self.note_cleaning(actor, handle.id(), keep, planned).await?;
        let cleaned = janitor.clean(tenant, stream, Keep::newest(keep)).await.map_err(unread)?;
        Ok(Cleaning { pipeline: handle.id().clone(), cleaned })
    }

    /// [`Self::clean`] of a stream without a pipeline. Which of its batches were on air nobody knows any more.
    async fn clean_left_behind(
        &self,
        actor: &Actor,
        action: Action,
        id: &str,
        keep: usize,
    ) -> Result<Cleaning, ControlError> {
        let pipeline = PipelineId::parse(id, actor.home())?;
        let PipelineId { tenant, stream } = &pipeline;
        actor.check(action, Some(tenant)).map_err(|denied| denied.or_absent(PipelineId::absent(id)))?;
        let janitor = self.host.janitor();
        let removing = self.removing.begin(tenant).await;
        let is_there = janitor.usage().stream(tenant, stream).all().files > 0;
        // One whose settings cannot be read is left out, and is somebody's all the same.
        if !is_there || self.registry.pipeline(&pipeline).await?.is_some() {
            return Err(PipelineId::absent(id));
        }
        if keep > 0 {
            let message =
                format!("must be 0: pipeline {pipeline} was deleted, and its files can only be removed all at once");
            return Err(ControlError::invalid("keepBatches", message));
        }
        let cleaned = janitor.left_behind(tenant, stream).await;
        if action == Action::CleanStorage {
            self.note_cleaning(actor, &pipeline, keep, cleaned).await?;
            self.removing.remove_behind(removing, pipeline.removal(true), None).await;
        }
        Ok(Cleaning { pipeline, cleaned })
    }

    /// Written before anything goes: what is gone cannot be undone, and must not be gone without a trace.
    async fn note_cleaning(
        &self,
        actor: &Actor,
        id: &PipelineId,
        keep: usize,
        planned: Cleaned,
    ) -> Result<(), ControlError> {
        let line = NewAudit::new(actor, Action::CleanStorage, Some(&id.tenant), format!("pipeline {id}"));
        let detail = serde_json::json!({ "keep": keep, "batches": planned.batches, "bytes": planned.bytes });
        Ok(self.registry.record(line.detail(detail)).await?)
    }

    /// Stores the janitor's events from now on, for as long as the process lives.
    pub(super) fn listen(&self, recorder: Recorder) {
        let (told, mut heard) = mpsc::channel(STORAGE_EVENTS_WAITING);
        self.host.janitor().listen(Arc::new(Ear(told)));
        tokio::spawn(async move {
            while let Some((tenant, stream, event)) = heard.recv().await {
                recorder.record(tenant, stream, event).await;
            }
        });
    }
}

/// Hands the janitor's events on; it never waits.
struct Ear(mpsc::Sender<(Option<String>, Option<String>, Event)>);

impl StorageEvents for Ear {
    fn storage_event(&self, scope: janitor::Scope<'_>, event: StorageEvent) {
        let (tenant, stream) = match scope {
            janitor::Scope::Host => (None, None),
            janitor::Scope::Tenant(tenant) => (Some(tenant.to_owned()), None),
            janitor::Scope::Stream(tenant, stream) => (Some(tenant.to_owned()), Some(stream.to_owned())),
        };
        if self.0.try_send((tenant, stream, storage_event(event))).is_err() {
            tracing::warn!("failed to store an event of the storage: {event}");
        }
    }
}
