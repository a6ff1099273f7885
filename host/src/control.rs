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
pub mod entry;
pub mod error;
pub mod health;
pub mod hidden;
pub mod id;
mod incidents;
mod interruption;
pub mod listing;
mod metering;
mod notifying;
mod pipelines;
mod preview;
pub mod quota;
pub mod recorder;
pub mod registry;
mod removing;
pub mod runner;
pub mod settings;
pub mod snapshot;
pub mod srs;
mod storage;
mod swaps;
mod tenancy;
pub mod tokens;
mod validating;
pub mod watching;
pub mod webhooks;
mod words;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{broadcast, watch};
use tokio::time::Instant;

pub use self::interruption::Interruption;
pub use self::notifying::{MadeWebhook, NewWebhook};
pub use self::pipelines::{Apply, Change, NewPipeline, tenant_policy};
pub use self::storage::{Cleaning, StorageView};
pub use self::swaps::NewSwap;
pub use self::tenancy::{NewToken, TokenSecret};
pub use self::watching::Watched;

use self::access::{Action, Actor, Denied};
use self::components::Shelf;
use self::dry_run::DryRuns;
use self::entry::Entry;
use self::error::ControlError;
use self::id::PipelineId;
use self::recorder::{RecordedEvent, Recorder};
use self::registry::{Registry, Scope, SwapRow, TenantRow};
use self::removing::Removing;
use self::runner::StopMode;
use self::tokens::Tokens;
use self::webhooks::{Patience, Sender};
use crate::limits::{EVENTS_LISTENED, SHUTDOWN_LIMIT, SWAPS_LISTENED, WEBHOOK_STOP_LIMIT};
use crate::logs::{Filter, LogHub};
use crate::net::Guard;
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
    entries: RwLock<BTreeMap<PipelineId, Arc<Entry>>>,
    /// Rises with each pipeline that is made or deleted.
    roster: watch::Sender<u64>,
    /// By name; written through.
    tenants: Arc<RwLock<BTreeMap<String, Arc<TenantRow>>>>,
    /// One change at a time, so that memory and database tell the same.
    changing: tokio::sync::Mutex<()>,
    /// Taken before [`Self::changing`].
    removing: Removing,
    events: broadcast::Sender<Arc<RecordedEvent>>,
    recorder: Recorder,
    webhooks: Arc<Sender>,
    logs: LogHub,
    dry_runs: DryRuns,
    swaps: SwapBooks,
    shelf: Shelf,
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
        let events = broadcast::Sender::new(EVENTS_LISTENED);
        let tenants = Arc::<RwLock<BTreeMap<String, Arc<TenantRow>>>>::default();
        let guards = {
            let tenants = tenants.clone();
            let guard = move |name: &str| -> Option<Guard> {
                let tenants = tenants.read().unwrap_or_else(PoisonError::into_inner);
                Some(pipelines::tenant_guard(tenants.get(name).filter(|tenant| !tenant.disabled)?))
            };
            Arc::new(guard)
        };
        let webhooks = Arc::new(Sender::start(registry.clone(), guards, Patience::default()));
        let recorder =
            Recorder::start(registry.newest_event().await?, registry.clone(), events.clone(), webhooks.clone());
        let control = Self(Arc::new(Inner {
            tokens: Tokens::new(registry.clone()),
            registry,
            host,
            home: Handle::current(),
            entries: RwLock::default(),
            roster: watch::Sender::new(0),
            tenants,
            changing: tokio::sync::Mutex::new(()),
            removing: Removing::default(),
            events,
            recorder,
            webhooks,
            logs: telemetry::hub(),
            dry_runs: DryRuns::default(),
            swaps: SwapBooks::default(),
            shelf: Shelf::default(),
            demo: demo::Running::default(),
            started: Instant::now(),
            started_ms: crate::unix_time::now_ms(),
        }));
        control.hear_storage();
        control.load_tenants().await?;
        control.finish_removals().await?;
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
                "the disk is full and no finished batch is left to remove: sources are not fetched".to_owned(),
            ));
        }
        Ok(())
    }

    /// How long the server has been up, and since when (Unix time in milliseconds).
    pub fn uptime(&self) -> (Duration, u64) {
        (self.0.started.elapsed(), self.0.started_ms)
    }

    /// Every pipeline, whoever's; for the process's own books, not for callers.
    pub(crate) fn entries(&self) -> Vec<Arc<Entry>> {
        self.0.entries.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    fn entry(&self, id: &PipelineId) -> Option<Arc<Entry>> {
        self.0.entries.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// The pipeline that a caller names, if they may do that with it.
    fn allowed(&self, actor: &Actor, action: Action, id: &str) -> Result<Arc<Entry>, ControlError> {
        let parsed = PipelineId::parse(id, actor.home())?;
        actor.check(action, Some(&parsed.tenant)).map_err(|denied| denied.or_absent(PipelineId::absent(id)))?;
        self.entry(&parsed).ok_or_else(|| PipelineId::absent(id))
    }

    /// The tenant that a caller names or means, if they may do that there.
    fn tenant_for(&self, actor: &Actor, action: Action, tenant: Option<&str>) -> Result<Arc<TenantRow>, ControlError> {
        let name = tenant.unwrap_or_else(|| actor.home());
        let absent = || ControlError::NotFound(format!("there is no tenant {name:?}"));
        actor.check(action, Some(name)).map_err(|denied| denied.or_absent(absent()))?;
        self.tenant_row(name).ok_or_else(absent)
    }

    fn tenant_row(&self, name: &str) -> Option<Arc<TenantRow>> {
        self.0.tenants.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }
}

impl From<Denied> for ControlError {
    fn from(denied: Denied) -> Self {
        denied.or_absent(Self::NotFound("not found".to_owned()))
    }
}

#[cfg(test)]
mod tests;
