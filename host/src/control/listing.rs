//! Lists of what was: revisions, batches, events, audit. Each read page by page, beside the writer.

use super::Control;
use super::access::{Action, Actor};
use super::error::ControlError;
use super::id::PipelineId;
use super::registry::{AuditRow, EventFilter, EventRow, IncidentRow, RevisionRow, Scope};
use crate::pipeline::event::{EventKind, Severity};
use crate::store::journal::{BatchRecord, JournalError};
use crate::store::page::{Listed, Page};

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

// === impl Control ===

impl Control {
    /// What a pipeline was set to; numbers rise with time.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub async fn revisions(&self, actor: &Actor, id: &str, page: Page) -> Result<Listed<RevisionRow>, ControlError> {
        let entry = self.allowed(actor, Action::ViewPipelines, id)?;
        Ok(self.0.registry.revisions(entry.id(), page).await?)
    }

    /// A pipeline's batches, keyed by number.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub async fn batches(&self, actor: &Actor, id: &str, page: Page) -> Result<Listed<BatchRecord>, ControlError> {
        let entry = self.allowed(actor, Action::ViewPipelines, id)?;
        let PipelineId { tenant, stream } = entry.id();
        self.0.host.journal().batches(tenant, stream, page).await.map_err(unread)
    }

    /// One batch.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub async fn batch(&self, actor: &Actor, id: &str, number: u64) -> Result<BatchRecord, ControlError> {
        let entry = self.allowed(actor, Action::ViewPipelines, id)?;
        let PipelineId { tenant, stream } = entry.id();
        let found = self.0.host.journal().batch(tenant, stream, number).await.map_err(unread)?;
        found.ok_or_else(|| ControlError::NotFound(format!("pipeline {} has no batch {number} (any more)", entry.id())))
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
        Ok(self.0.registry.events(filter, page).await?)
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
        let entry = self.allowed(actor, Action::ViewEvents, id)?;
        Ok(self.0.registry.incidents(entry.id(), open, page).await?)
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
        let scope = self.scope(actor, Action::ViewAudit, tenant)?;
        Ok(self.0.registry.audit(scope, page).await?)
    }

    pub(super) fn event_filter(&self, actor: &Actor, query: &EventQuery) -> Result<EventFilter, ControlError> {
        let (scope, stream) = match &query.pipeline {
            Some(id) => {
                let entry = self.allowed(actor, Action::ViewEvents, id)?;
                if query.tenant.as_ref().is_some_and(|tenant| *tenant != entry.id().tenant) {
                    return Err(PipelineId::absent(id));
                }
                (Scope::Tenant(entry.id().tenant.clone()), Some(entry.id().stream.clone()))
            }
            None => (self.scope(actor, Action::ViewEvents, query.tenant.as_deref())?, None),
        };
        Ok(EventFilter {
            scope,
            stream,
            at_least: query.at_least.unwrap_or(Severity::Info),
            kinds: query.kinds.iter().map(|kind| kind.name().to_owned()).collect(),
        })
    }
}

/// The journal could not be read.
pub(crate) fn unread(error: JournalError) -> ControlError {
    match error {
        // Logged when it was found.
        JournalError::Lost(trouble) => ControlError::Unavailable(format!("the server's database file {trouble}")),
        error => {
            tracing::error!(%error, "the journal does not answer");
            ControlError::Unavailable("the server's database does not answer".to_owned())
        }
    }
}
