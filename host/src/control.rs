//! The control plane's core, without HTTP: which pipelines there are, who may do what with them, what happens in them.
//!
//! In: an [`Actor`] and what they want. Out: what is, or a [`ControlError`]. What is answered `Ok` is in
//! the database and survives `kill -9` (law 5). Each method checks the actor itself, by the one table in [`access`];
//! GraphQL, REST and the command line only translate.
//!
//! The way through the files: `pipelines` (make, change, start, stop) writes to the `registry` and tells an `entry` what
//! is wanted; its `runner` keeps the pipeline so; `snapshot` and `health` say how it is; the `recorder` writes down what
//! happens and tells `watching` subscribers and `webhooks`; `incidents` makes one problem of what repeats. What is deleted leaves through `removing`.

pub mod access;
pub mod components;
mod demo;
pub mod dry_run;
pub mod error;
pub mod health;
pub mod hidden;
pub mod id;
mod incidents;
mod interruption;
pub mod listing;
mod metering;
mod pipeline_directory;
pub mod pipeline_handle;
mod pipelines;
mod preview;
pub mod quota;
pub mod recorder;
pub mod registry;
mod removing;
pub mod runner;
pub mod snapshot;
pub mod srs;
mod storage;
mod swaps;
mod tenancy;
mod tenant_directory;
mod tenant_network;
pub mod tokens;
mod validating;
pub mod watching;
pub mod webhooks;
mod words;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::broadcast;
use tokio::time::Instant;

pub use self::interruption::Interruption;
pub use self::pipelines::{Apply, Change, NewPipeline};
pub use self::storage::{Cleaning, StorageView};
pub use self::swaps::NewSwap;
pub use self::tenancy::{NewToken, TokenSecret};
pub use self::tenant_network::tenant_policy;
pub use self::watching::Watched;
pub use self::webhooks::{MadeWebhook, NewWebhook};

use self::access::{Action, Actor, Denied};
use self::components::ComponentStore;
use self::dry_run::DryRuns;
use self::error::ControlError;
use self::id::PipelineId;
use self::pipeline_directory::PipelineDirectory;
use self::pipeline_handle::PipelineHandle;
use self::recorder::Recorder;
use self::registry::{Registry, Scope, SwapRow, TenantRow};
use self::removing::Removing;
use self::runner::StopMode;
use self::tenant_directory::TenantDirectory;
use self::tokens::Tokens;
use self::webhooks::Webhooks;
use self::webhooks::sender::{Patience, Sender};
use crate::limits::{SHUTDOWN_LIMIT, SWAPS_LISTENED, WEBHOOK_STOP_LIMIT};
use crate::logs::{Filter, LogHub};
use crate::pipeline::Host;
use crate::stage::StageKind;
use crate::store::database::DatabaseError;
use crate::telemetry;

/// A handle to the control plane. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Control(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    host: Host,
    /// Where it was opened. What goes on after a call has returned runs there, whoever calls from wherever.
    home: Handle,
    registry: Registry,
    tokens: Tokens,
    directory: Arc<PipelineDirectory>,
    tenants: Arc<TenantDirectory>,
    removing: Arc<Removing>,
    recorder: Recorder,
    webhooks: Webhooks,
    logs: LogHub,
    dry_runs: DryRuns,
    swaps: SwapBooks,
    store: ComponentStore,
    demo: demo::Running,
    started: Instant,
    started_ms: u64,
}

/// Swaps that are under way.
#[derive(Debug)]
struct SwapBooks {
    under_way: Mutex<HashMap<(PipelineId, StageKind), u64>>,
    /// Swaps under way that go no further, and why.
    called_off: Mutex<HashMap<u64, String>>,
    changes: broadcast::Sender<Arc<SwapRow>>,
}

impl Default for SwapBooks {
    fn default() -> Self {
        let changes = broadcast::Sender::new(SWAPS_LISTENED);
        Self { under_way: Mutex::default(), called_off: Mutex::default(), changes }
    }
}

impl SwapBooks {
    /// A swap that is under way goes no further; where it was cut over meanwhile, it is taken back.
    fn call_off(&self, swap: u64, reason: String) {
        self.called_off.lock().unwrap_or_else(PoisonError::into_inner).insert(swap, reason);
    }

    /// Why a swap was called off, if it was.
    fn called_off(&self, swap: u64) -> Option<String> {
        self.called_off.lock().unwrap_or_else(PoisonError::into_inner).get(&swap).cloned()
    }

    /// A swap is over.
    fn forget(&self, seat: &(PipelineId, StageKind), swap: u64) {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(seat);
        self.called_off.lock().unwrap_or_else(PoisonError::into_inner).remove(&swap);
    }
}

// === impl Control ===

impl Control {
    /// Reads what is kept and starts every pipeline that is meant to run.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn open(host: Host) -> Result<Self, ControlError> {
        let registry = Registry::new(host.database().clone());
        let (home, logs) = (Handle::current(), telemetry::hub());
        let (tenants, directory) = (Arc::<TenantDirectory>::default(), Arc::<PipelineDirectory>::default());
        let removing = Removing::new(host.clone(), home.clone(), registry.clone(), logs.clone());
        let guards = tenants.clone();
        let guards = Arc::new(move |tenant: &str| guards.guard(tenant));
        let sender = Arc::new(Sender::start(registry.clone(), guards, Patience::default()));
        let recorder = Recorder::start(registry.newest_event().await?, registry.clone(), sender.clone());
        let control = Self(Arc::new(Inner {
            tokens: Tokens::new(registry.clone()),
            webhooks: Webhooks::new(registry.clone(), tenants.clone(), sender),
            registry,
            host,
            home,
            directory,
            tenants,
            removing: Arc::new(removing),
            recorder,
            logs,
            dry_runs: DryRuns::default(),
            swaps: SwapBooks::default(),
            store: ComponentStore::default(),
            demo: demo::Running::default(),
            started: Instant::now(),
            started_ms: crate::unix_time::now_ms(),
        }));
        control.hear_storage();
        control.load_tenants().await?;
        control.0.removing.finish_removals().await?;
        control.0.registry.interrupt_roll_outs().await?;
        for row in control.0.registry.interrupt_swaps().await? {
            let reason = row.swap.reason.unwrap_or_default();
            tracing::warn!(pipeline = %row.pipeline, swap = row.id, reason, "a swap was interrupted");
        }
        control.load_components().await?;
        control.end_old_demo().await?;
        control.load_pipelines().await?;
        Ok(control)
    }

    /// Stops every pipeline, at once or after what is buffered went on air, and writes down what is left to be written.
    /// What is wanted of them stays as it is: the next start goes on.
    pub async fn shutdown(&self, mode: StopMode, limit: Duration) {
        let entries = self.entries();
        let ending = entries.iter().map(|entry| entry.end(mode));
        if tokio::time::timeout(limit, futures_util::future::join_all(ending)).await.is_err() {
            tracing::warn!("not every pipeline stopped within {limit:?}; the next start resumes from the journal");
            let ending = entries.iter().map(|entry| entry.end(StopMode::AtOnce));
            let _ = tokio::time::timeout(SHUTDOWN_LIMIT, futures_util::future::join_all(ending)).await;
        }
        if let Some((parts, _)) = self.0.demo.lock().await.take() {
            parts.stop().await;
        }
        self.0.recorder.flush().await;
        self.0.webhooks.shutdown(WEBHOOK_STOP_LIMIT).await;
    }

    /// Who comes with this token.
    ///
    /// # Errors
    /// [`ControlError::Unauthenticated`] for one that is unknown, expired or revoked.
    pub async fn authenticate(&self, secret: &str) -> Result<Actor, ControlError> {
        self.0.tokens.authenticate(secret).await
    }

    /// Waits until an actor's token is not taken any more: for streams, which outlive the question who is calling. Never
    /// ends for an actor without a token.
    pub async fn until_unwelcome(&self, actor: &Actor) -> ControlError {
        self.0.tokens.until_bad(actor).await;
        ControlError::Unauthenticated("this token is no longer valid".to_owned())
    }

    /// Whoever can reach a server that only this machine can reach.
    pub fn local_actor(&self) -> Actor {
        Actor::local("local")
    }

    /// The shared parts of this process.
    pub fn host(&self) -> &Host {
        &self.0.host
    }

    /// Whether anybody could manage this server with a token.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn has_host_admin(&self) -> Result<bool, ControlError> {
        Ok(self.0.registry.has_host_admin(crate::unix_time::now_ms()).await?)
    }

    /// The log; what a caller may read of it is what passes [`Self::log_filter`].
    pub fn logs(&self) -> &LogHub {
        &self.0.logs
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
            let entry = self.allowed(actor, Action::ViewLogs, id)?;
            return Ok(Filter::of_tenant(&entry.id().tenant).stream(Some(entry.id().stream.clone())));
        }
        Ok(match self.scope(actor, Action::ViewLogs, tenant)? {
            Scope::Tenant(tenant) => Filter::of_tenant(tenant),
            _ => Filter::of_host(),
        })
    }

    /// Whether the host can work now: the database writes and reads, and there is room on the disk.
    ///
    /// # Errors
    /// [`ControlError::Unavailable`] with what does not work.
    pub async fn ready(&self) -> Result<(), ControlError> {
        // As a change that is answered is written: what that refuses, this must not call well.
        let written = self.0.host.database().write_durable_or(|_| Ok::<_, DatabaseError>(())).await;
        written.map_err(listing::unread)?;
        self.0.host.database().read(|_| Ok(())).await.map_err(listing::unread)?;
        if self.0.host.janitor().is_disk_full() {
            return Err(ControlError::Unavailable(
                "the disk is full and no finished batch is left to remove: fetching is paused".to_owned(),
            ));
        }
        Ok(())
    }

    /// How long the server has been up, and since when (Unix time in milliseconds).
    pub fn uptime(&self) -> (Duration, u64) {
        (self.0.started.elapsed(), self.0.started_ms)
    }

    /// Every pipeline, whoever's; for the process's own books, not for callers.
    pub(crate) fn entries(&self) -> Vec<Arc<PipelineHandle>> {
        self.0.directory.all()
    }

    fn entry(&self, id: &PipelineId) -> Option<Arc<PipelineHandle>> {
        self.0.directory.get(id)
    }

    /// The pipeline that a caller names, if they may do that with it.
    fn allowed(&self, actor: &Actor, action: Action, id: &str) -> Result<Arc<PipelineHandle>, ControlError> {
        self.0.directory.allowed(actor, action, id)
    }

    /// The tenant that a caller names or means, if they may do that there.
    fn tenant_for(&self, actor: &Actor, action: Action, tenant: Option<&str>) -> Result<Arc<TenantRow>, ControlError> {
        self.0.tenants.allowed(actor, action, tenant)
    }

    fn tenant_row(&self, name: &str) -> Option<Arc<TenantRow>> {
        self.0.tenants.get(name)
    }

    fn scope(&self, actor: &Actor, action: Action, tenant: Option<&str>) -> Result<Scope, ControlError> {
        self.0.tenants.scope(actor, action, tenant)
    }

    /// Webhooks of tenants, and what they were sent.
    pub fn webhooks(&self) -> &Webhooks {
        &self.0.webhooks
    }
}

impl From<Denied> for ControlError {
    fn from(denied: Denied) -> Self {
        denied.or_absent(Self::NotFound("not found".to_owned()))
    }
}

#[cfg(test)]
mod tests;
