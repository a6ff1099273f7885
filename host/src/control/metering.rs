//! What is measured, as far as a caller may see it.

use super::Control;
use super::access::{Action, Actor};
use super::error::ControlError;
use super::id::PipelineId;
use super::registry::Scope;
use crate::metrics::{HostSample, PipelineSample, WebhookSample};

impl Control {
    /// The host, for host-wide callers, and the pipelines that the caller may see.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub async fn samples(&self, actor: &Actor) -> Result<(Option<HostSample>, Vec<PipelineSample>), ControlError> {
        let scope = self.scope(actor, Action::ViewMetrics, None)?;
        let usage = self.0.host.janitor().usage();
        let sample = |entry: &std::sync::Arc<super::pipeline_handle::PipelineHandle>| {
            let PipelineId { tenant, stream } = entry.id();
            PipelineSample::of(tenant, stream, &entry.snapshot(), &usage.stream(tenant, stream))
        };
        let entries = self.entries();
        let seen = entries.iter().filter(|entry| match &scope {
            Scope::Tenant(tenant) => entry.id().tenant == *tenant,
            _ => true,
        });
        let pipelines = seen.map(sample).collect();
        if scope != Scope::All {
            return Ok((None, pipelines));
        }
        let (uptime, _) = self.uptime();
        let host = HostSample::take(&self.0.host, &self.0.logs, uptime, self.0.recorder.listeners());
        // A database that does not answer shows elsewhere; the rest is told all the same.
        let waiting = self.0.registry.deliveries_waiting().await.ok();
        let webhooks = Some(WebhookSample { sent: self.0.webhooks.stats(), waiting });
        Ok((Some(HostSample { webhooks, ..host }), pipelines))
    }
}
