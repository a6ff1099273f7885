//! Settings tried without being kept.

use super::{NewPipeline, Pipelines};
use crate::Interruption;
use crate::access::{Action, Actor};
use crate::dry_run::{Validation, taken};
use crate::error::ControlError;
use crate::id::PipelineId;
use crate::registry::{NewAudit, TenantRow};
use crate::tenant_network::owner;
use outboard_pipeline::settings::{Patch, Settings};

impl Pipelines {
    /// Looks at everything that a new pipeline would need, without making it.
    ///
    /// # Errors
    /// Any [`ControlError`]; [`ControlError::InvalidInput`] for what needs no looking.
    pub async fn validate(&self, actor: &Actor, new: NewPipeline) -> Result<Validation, ControlError> {
        let tenant = self.0.tenants.allowed(actor, Action::ValidatePipeline, new.tenant.as_deref())?;
        let (id, settings) = self.0.rules.named(&tenant, new.stream_id, new.patch)?;
        self.note_trial(actor, &id).await?;
        let found = self.look(&tenant, &id, &settings, &[]).await?;
        Ok(found.with(taken::stream_id(&id, self.0.directory.get(&id).is_some())))
    }

    /// Looks at everything that a changed pipeline would need, without changing it.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub async fn validate_change(&self, actor: &Actor, id: &str, patch: Patch) -> Result<Validation, ControlError> {
        let handle = self.0.directory.allowed(actor, Action::ValidatePipeline, id)?;
        let tenant = self.0.tenants.allowed(actor, Action::ValidatePipeline, Some(&handle.id().tenant))?;
        let settings = handle.settings().patched(patch).map_err(ControlError::InvalidInput)?;
        self.note_trial(actor, handle.id()).await?;
        let destinations = &handle.snapshot().destinations;
        let on_air = destinations.iter().filter(|to| to.on_air).map(|to| to.status.name.clone()).collect::<Vec<_>>();
        let found = self.look(&tenant, handle.id(), &settings, &on_air).await?;
        let config = settings.check(&handle.id().stream, self.0.host.storage()).map_err(ControlError::InvalidInput)?;
        Ok(Validation { interruption: Interruption::of(&handle, &settings, &config), ..found })
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
        self.0.rules.check(tenant, id, settings)?;
        let config = settings.check(&id.stream, self.0.host.storage()).map_err(ControlError::InvalidInput)?;
        // Boxed: it is 130 kB, and whoever awaits it by value has to hold that, a dozen frames deep under GraphQL.
        let found = Box::pin(self.0.dry_runs.run(&self.0.host, &owner(tenant), &config, on_air)).await?;
        Ok(found.taken(taken::addresses(id, settings, &self.0.directory.all())))
    }
}
