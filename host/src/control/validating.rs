//! Settings tried without being kept.

use super::access::{Action, Actor};
use super::dry_run::{Validation, taken};
use super::error::ControlError;
use super::id::PipelineId;
use super::pipelines::NewPipeline;
use super::registry::{NewAudit, TenantRow};
use super::tenant_network::owner;
use super::{Control, Interruption};
use crate::settings::{Patch, Settings};

impl Control {
    /// Looks at everything that a new pipeline would need, without making it.
    ///
    /// # Errors
    /// Any [`ControlError`]; [`ControlError::InvalidInput`] for what needs no looking.
    pub async fn validate(&self, actor: &Actor, new: NewPipeline) -> Result<Validation, ControlError> {
        let tenant = self.tenant_for(actor, Action::ValidatePipeline, new.tenant.as_deref())?;
        let (id, settings) = self.named(&tenant, new.stream_id, new.patch)?;
        self.note_trial(actor, &id).await?;
        let found = self.look(&tenant, &id, &settings, &[]).await?;
        Ok(found.with(taken::stream_id(&id, self.entry(&id).is_some())))
    }

    /// Looks at everything that a changed pipeline would need, without changing it.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub async fn validate_change(&self, actor: &Actor, id: &str, patch: Patch) -> Result<Validation, ControlError> {
        let entry = self.allowed(actor, Action::ValidatePipeline, id)?;
        let tenant = self.tenant_for(actor, Action::ValidatePipeline, Some(&entry.id().tenant))?;
        let settings = entry.settings().patched(patch).map_err(ControlError::InvalidInput)?;
        self.note_trial(actor, entry.id()).await?;
        let destinations = &entry.snapshot().destinations;
        let on_air = destinations.iter().filter(|to| to.on_air).map(|to| to.status.name.clone()).collect::<Vec<_>>();
        let found = self.look(&tenant, entry.id(), &settings, &on_air).await?;
        let config = settings.check(&entry.id().stream, self.0.host.storage()).map_err(ControlError::InvalidInput)?;
        Ok(Validation { interruption: Interruption::of(&entry, &settings, &config), ..found })
    }

    /// It changes nothing, but it reaches out, with credentials that may be others'.
    async fn note_trial(&self, actor: &Actor, id: &PipelineId) -> Result<(), ControlError> {
        let line = NewAudit::new(actor, Action::ValidatePipeline, Some(&id.tenant), format!("pipeline {id}"));
        Ok(self.0.registry.record(line).await?)
    }

    async fn look(
        &self,
        tenant: &TenantRow,
        id: &PipelineId,
        settings: &Settings,
        on_air: &[String],
    ) -> Result<Validation, ControlError> {
        self.check(tenant, id, settings)?;
        let config = settings.check(&id.stream, self.0.host.storage()).map_err(ControlError::InvalidInput)?;
        // Boxed: it is 130 kB, and whoever awaits it by value has to hold that, a dozen frames deep under GraphQL.
        let found = Box::pin(self.0.dry_runs.run(&self.0.host, &owner(tenant), &config, on_air)).await?;
        Ok(found.taken(taken::addresses(id, settings, &self.entries())))
    }
}
