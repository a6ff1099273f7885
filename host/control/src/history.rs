//! What happened: revisions, batches, events, incidents, the audit log, the log. Lists are read page by page, beside the writer;
//! events can be followed as well.
//!
//! Called by the API. Owns nothing: revisions, events and the audit log are the registry's, batches the journal's, lines the log hub's.

use std::sync::Arc;

use futures_util::{Stream, StreamExt};

use super::access::{Action, Actor};
use super::error::{ControlError, unread};
use super::id::PipelineId;
use super::pipeline_directory::PipelineDirectory;
use super::recorder::{RecordedEvent, Recorder};
use super::registry::{AuditRow, EventFilter, EventRow, IncidentRow, Registry, RevisionRow, Scope};
use super::tenant_directory::TenantDirectory;
use super::watching::{Watched, received};
use outboard_logs::{Filter, LogHub};
use outboard_pipeline::Host;
use outboard_pipeline::event::{EventKind, Severity};
use outboard_store::journal::BatchRecord;
use outboard_store::page::{Listed, Page};

/// Which events a caller asks for.
#[derive(Debug, Clone, Default)]
pub struct EventQuery {
    /// Only this tenant's; `None`: all that the caller may see.
    pub tenant: Option<String>,
    /// Only this pipeline's, by its id.
    pub pipeline: Option<String>,
    /// Only these kinds; empty: all.
    pub kinds: Vec<EventKind>,
    /// Only those that matter at least so much.
    pub at_least: Option<Severity>,
}

/// What happened, as far as a caller may see it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct History {
    host: Host,
    registry: Registry,
    recorder: Recorder,
    tenants: Arc<TenantDirectory>,
    directory: Arc<PipelineDirectory>,
    logs: LogHub,
}

// === impl History ===

impl History {
    pub(super) fn new(
        host: Host,
        registry: Registry,
        recorder: Recorder,
        tenants: Arc<TenantDirectory>,
        directory: Arc<PipelineDirectory>,
        logs: LogHub,
    ) -> Self {
        Self { host, registry, recorder, tenants, directory, logs }
    }

    /// What a pipeline was set to; numbers rise with time.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub async fn revisions(&self, actor: &Actor, id: &str, page: Page) -> Result<Listed<RevisionRow>, ControlError> {
        let handle = self.directory.allowed(actor, Action::ViewPipelines, id)?;
        Ok(self.registry.revisions(handle.id(), page).await?)
    }

    /// A pipeline's batches, keyed by number.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub async fn batches(&self, actor: &Actor, id: &str, page: Page) -> Result<Listed<BatchRecord>, ControlError> {
        let handle = self.directory.allowed(actor, Action::ViewPipelines, id)?;
        let PipelineId { tenant, stream } = handle.id();
        self.host.journal().batches(tenant, stream, page).await.map_err(unread)
    }

    /// Reads one batch of a pipeline from the journal, by its number.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub async fn batch(&self, actor: &Actor, id: &str, number: u64) -> Result<BatchRecord, ControlError> {
        let handle = self.directory.allowed(actor, Action::ViewPipelines, id)?;
        let PipelineId { tenant, stream } = handle.id();
        let found = self.host.journal().batch(tenant, stream, number).await.map_err(unread)?;
        found
            .ok_or_else(|| ControlError::NotFound(format!("pipeline {} has no batch {number} (any more)", handle.id())))
    }

    /// What happened, keyed by id.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub async fn events(
        &self,
        actor: &Actor,
        query: &EventQuery,
        page: Page,
    ) -> Result<Listed<EventRow>, ControlError> {
        let filter = self.event_filter(actor, query)?;
        Ok(self.registry.events(filter, page).await?)
    }

    /// A pipeline's incidents, keyed by id; `open`: only those that are open, or only those that are over.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub async fn incidents(
        &self,
        actor: &Actor,
        id: &str,
        open: Option<bool>,
        page: Page,
    ) -> Result<Listed<IncidentRow>, ControlError> {
        let handle = self.directory.allowed(actor, Action::ViewEvents, id)?;
        Ok(self.registry.incidents(handle.id(), open, page).await?)
    }

    /// Who did what, keyed by id; `tenant`: only what is about this one.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub async fn audit(
        &self,
        actor: &Actor,
        tenant: Option<&str>,
        page: Page,
    ) -> Result<Listed<AuditRow>, ControlError> {
        let scope = self.tenants.scope(actor, Action::ViewAudit, tenant)?;
        Ok(self.registry.audit(scope, page).await?)
    }

    fn event_filter(&self, actor: &Actor, query: &EventQuery) -> Result<EventFilter, ControlError> {
        let (scope, stream) = match &query.pipeline {
            Some(id) => {
                let handle = self.directory.allowed(actor, Action::ViewEvents, id)?;
                if query.tenant.as_ref().is_some_and(|tenant| *tenant != handle.id().tenant) {
                    return Err(PipelineId::absent(id));
                }
                (Scope::Tenant(handle.id().tenant.clone()), Some(handle.id().stream.clone()))
            }
            None => (self.tenants.scope(actor, Action::ViewEvents, query.tenant.as_deref())?, None),
        };
        Ok(EventFilter {
            scope,
            stream,
            at_least: query.at_least.unwrap_or(Severity::Info),
            kinds: query.kinds.iter().map(|kind| kind.name().to_owned()).collect(),
        })
    }

    /// Id of the newest event that was told to listeners; 0: none. A reader that takes it before it calls
    /// [`Self::watch_events`] can list the events after it and misses none.
    pub fn newest_event(&self) -> u64 {
        self.recorder.newest()
    }

    /// What happens from now on, each once it is written down.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub fn watch_events(
        &self,
        actor: &Actor,
        query: &EventQuery,
    ) -> Result<impl Stream<Item = Watched<Arc<RecordedEvent>>> + Send + use<>, ControlError> {
        let filter = self.event_filter(actor, query)?;
        let wanted = move |event: &Watched<Arc<RecordedEvent>>| {
            std::future::ready(match event {
                Watched::Item(event) => matches(&filter, event),
                // Whose they were nobody knows; that there is a hole, the reader must.
                Watched::Lost(_) => true,
            })
        };
        Ok(Box::pin(received(self.recorder.listen()).filter(wanted)))
    }

    /// The log; what a caller may read of it is what passes [`Self::log_filter`].
    pub fn logs(&self) -> &LogHub {
        &self.logs
    }

    /// What a caller may read of the log: of one pipeline, of one tenant, or for a host-wide caller that names none, all.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub fn log_filter(
        &self,
        actor: &Actor,
        tenant: Option<&str>,
        pipeline: Option<&str>,
    ) -> Result<Filter, ControlError> {
        if let Some(id) = pipeline {
            let handle = self.directory.allowed(actor, Action::ViewLogs, id)?;
            return Ok(Filter::of_tenant(&handle.id().tenant).stream(Some(handle.id().stream.clone())));
        }
        Ok(match self.tenants.scope(actor, Action::ViewLogs, tenant)? {
            Scope::Tenant(tenant) => Filter::of_tenant(tenant),
            _ => Filter::of_host(),
        })
    }
}

fn matches(filter: &EventFilter, event: &RecordedEvent) -> bool {
    let whose = match &filter.scope {
        Scope::All => true,
        Scope::Host => event.tenant.is_none(),
        Scope::Tenant(tenant) => event.tenant.as_ref() == Some(tenant),
    };
    whose
        && filter.stream.as_ref().is_none_or(|stream| event.stream.as_ref() == Some(stream))
        && event.event.severity >= filter.at_least
        && (filter.kinds.is_empty() || filter.kinds.iter().any(|kind| kind == event.event.kind.name()))
}
