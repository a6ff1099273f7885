//! What lies on disk, and room made by hand. Events of the janitor become events of tenants and pipelines.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::Control;
use super::access::{Action, Actor};
use super::error::ControlError;
use super::id::PipelineId;
use super::recorder::Recorder;
use super::registry::{NewAudit, Scope};
use crate::limits::STORAGE_EVENTS_WAITING;
use crate::pipeline::event::Event;
use crate::pipeline::release::storage_event;
use crate::store::janitor::{self, Cleaned, StorageEvent, StorageEvents};
use crate::store::retention::Candidate;
use crate::store::usage::{Space, Totals};

/// What lies on disk, as far as a caller may see.
#[derive(Debug, Clone, Default)]
pub struct StorageView {
    /// Of everything below, by kind of file.
    pub totals: Totals,
    /// By pipeline.
    pub pipelines: Vec<(PipelineId, Totals)>,
    /// The tenant's quota in bytes; `None` for all tenants together, and without a quota.
    pub quota: Option<u64>,
    /// The file system.
    pub space: Space,
    /// Why segments are not fetched now, in a sentence.
    pub refusal: Option<String>,
}

// === impl Control ===

impl Control {
    /// What lies on disk: of one pipeline, of one tenant, or for a host-wide caller that names none, of all.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub fn storage(
        &self,
        actor: &Actor,
        tenant: Option<&str>,
        pipeline: Option<&str>,
    ) -> Result<StorageView, ControlError> {
        let janitor = self.0.host.janitor();
        let (usage, space) = (janitor.usage(), janitor.usage().space().unwrap_or_default());
        if let Some(id) = pipeline {
            let entry = self.allowed(actor, Action::ViewStorage, id)?;
            let PipelineId { tenant, stream } = entry.id();
            let totals = usage.stream(tenant, stream);
            return Ok(StorageView {
                totals,
                pipelines: vec![(entry.id().clone(), totals)],
                quota: janitor.quota(tenant),
                space,
                refusal: janitor.refusal(tenant).map(|why| why.to_string()),
            });
        }
        let scope = self.scope(actor, Action::ViewStorage, tenant)?;
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

    /// Changes with what lies on disk.
    pub fn storage_changes(&self) -> tokio::sync::watch::Receiver<u64> {
        self.0.host.janitor().usage().changes()
    }

    /// The finished batches that [`Self::clean`] would remove, oldest first.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub async fn plan_clean(&self, actor: &Actor, id: &str, keep: usize) -> Result<Vec<Candidate>, ControlError> {
        let entry = self.allowed(actor, Action::ViewStorage, id)?;
        let PipelineId { tenant, stream } = entry.id();
        self.0.host.janitor().plan_clean(tenant, stream, keep).await.map_err(super::listing::unread)
    }

    /// Removes the finished batches of a pipeline but the newest `keep`. What is not yet on air stays.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub async fn clean(&self, actor: &Actor, id: &str, keep: usize) -> Result<Cleaned, ControlError> {
        let entry = self.allowed(actor, Action::CleanStorage, id)?;
        let PipelineId { tenant, stream } = entry.id();
        let cleaned = self.0.host.janitor().clean(tenant, stream, keep).await.map_err(super::listing::unread)?;
        let line = NewAudit::new(actor, Action::CleanStorage, Some(tenant), format!("pipeline {}", entry.id()));
        let detail = serde_json::json!({ "keep": keep, "batches": cleaned.batches, "bytes": cleaned.bytes });
        self.0.registry.record(line.detail(detail)).await?;
        Ok(cleaned)
    }

    /// Tells the janitor's events from now on.
    pub(super) fn hear_storage(&self) {
        let (told, mut heard) = mpsc::channel(STORAGE_EVENTS_WAITING);
        self.0.host.janitor().listen(Arc::new(Ear(told)));
        let recorder: Recorder = self.0.recorder.clone();
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
            // The pipeline tells its own.
            janitor::Scope::Stream(..) => return,
        };
        if self.0.try_send((tenant, stream, storage_event(event))).is_err() {
            tracing::warn!("an event of the storage is not kept: {event}");
        }
    }
}
