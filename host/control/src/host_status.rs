//! How the host is: whether it can work, since when it runs, and what is measured, as far as a caller may see it.
//!
//! Called by the API. Owns the time at which the server was started.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::access::{Action, Actor};
use super::error::{ControlError, unread};
use super::id::PipelineId;
use super::pipeline_directory::PipelineDirectory;
use super::pipeline_handle::PipelineHandle;
use super::recorder::Recorder;
use super::registry::{Registry, Scope};
use super::tenant_directory::TenantDirectory;
use super::webhooks::Webhooks;
use crate::samples::{HostSample, PipelineSample, WebhookSample};
use outboard_logs::LogHub;
use outboard_pipeline::Host;
use outboard_store::database::DatabaseError;

/// The status of this host. Cheap to clone.
#[derive(Debug, Clone)]
pub struct HostStatus {
    below: Arc<Below>,
    started: Instant,
    /// Unix time in milliseconds.
    started_ms: u64,
}

/// The parts of the control plane that [`HostStatus`] reads.
#[derive(Debug)]
pub(super) struct Below {
    pub(super) host: Host,
    pub(super) registry: Registry,
    pub(super) recorder: Recorder,
    pub(super) tenants: Arc<TenantDirectory>,
    pub(super) directory: Arc<PipelineDirectory>,
    pub(super) webhooks: Webhooks,
    pub(super) logs: LogHub,
}

impl HostStatus {
    /// The server is started now.
    pub(super) fn new(below: Below) -> Self {
        Self { below: Arc::new(below), started: Instant::now(), started_ms: outboard_base::unix_time::now_ms() }
    }

    /// The host, for host-wide callers, and the pipelines that the caller may see.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub async fn samples(&self, actor: &Actor) -> Result<(Option<HostSample>, Vec<PipelineSample>), ControlError> {
        let scope = self.below.tenants.scope(actor, Action::ViewMetrics, None)?;
        let usage = self.below.host.janitor().usage();
        let sample = |handle: &Arc<PipelineHandle>| {
            let PipelineId { tenant, stream } = handle.id();
            PipelineSample::of(tenant, stream, &handle.snapshot(), &usage.stream(tenant, stream))
        };
        let handles = self.below.directory.all();
        let seen = handles.iter().filter(|handle| match &scope {
            Scope::Tenant(tenant) => handle.id().tenant == *tenant,
            _ => true,
        });
        let pipelines = seen.map(sample).collect();
        if scope != Scope::All {
            return Ok((None, pipelines));
        }
        let (uptime, _) = self.uptime();
        let host = HostSample::take(&self.below.host, &self.below.logs, uptime, self.below.recorder.listeners());
        // A database that does not answer shows elsewhere; the rest is told all the same.
        let waiting = self.below.registry.deliveries_waiting().await.ok();
        let webhooks = Some(WebhookSample { sent: self.below.webhooks.stats(), waiting });
        Ok((Some(HostSample { webhooks, ..host }), pipelines))
    }

    /// Whether the host can work now: the database writes and reads, and there is room on the disk.
    ///
    /// # Errors
    /// [`ControlError::Unavailable`] with what does not work.
    pub async fn ready(&self) -> Result<(), ControlError> {
        // As a change that is answered is written: what that refuses, this must not call well.
        let written = self.below.host.database().write_durable_or(|_| Ok::<_, DatabaseError>(())).await;
        written.map_err(unread)?;
        self.below.host.database().read(|_| Ok(())).await.map_err(unread)?;
        if self.below.host.janitor().is_disk_full() {
            return Err(ControlError::Unavailable(
                "the disk is full and no finished batch is left to remove: fetching is paused".to_owned(),
            ));
        }
        Ok(())
    }

    /// How long the server has been up, and since when (Unix time in milliseconds).
    pub fn uptime(&self) -> (Duration, u64) {
        (self.started.elapsed(), self.started_ms)
    }
}
