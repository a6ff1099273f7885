//! The control plane, without HTTP: which pipelines exist, who may view and change them, and what happened in them.
//!
//! Input: an [`Actor`] and a request. Output: the requested data, or a [`ControlError`]. A change is in the database
//! before its method returns `Ok`, and survives `kill -9` (law 5). Each method of a service checks the rights of the
//! actor itself, with the one table in [`access`]; GraphQL, REST and the command line only translate requests and
//! results.
//!
//! [`Control`] builds the services and gives access to them. Each service owns its state, and uses only modules above
//! it in this list:
//!
//! | module | owns |
//! |---|---|
//! | `registry`, `access`, `quota`, `id`, `error` | rows in the database, rights; no state in memory |
//! | `tenant_directory` | the tenants in memory |
//! | `pipeline_directory` | the handles of pipelines; the lock for changes |
//! | `webhooks` | the task that sends due deliveries |
//! | `recorder` | the task that stores events; the subscriptions to events |
//! | `removing` | the removals of files in progress |
//! | `components/library` | the known components, in memory |
//! | `settings_rules` | no state: checks settings |
//! | `swaps` | the swaps in progress |
//! | `components` | the folders that it watches |
//! | `pipelines` | the running pipelines, dry runs, the demo |
//! | `tenancy` | the changes of `tenant_directory`; the tokens in memory |
//! | `history`, `storage`, `host_status` | no state: read from the modules above |
//!
//! A [`pipeline_handle`] holds the desired state and the settings of one pipeline. Its `runner` starts the pipeline,
//! restarts it after a failure and stops it, as the desired state requires. `snapshot` and `health` describe its
//! current state. `incidents` combines repeated events with one cause into one incident.

pub mod access;
pub mod components;
pub mod dry_run;
pub mod error;
pub mod health;
pub mod hidden;
pub mod history;
mod host_status;
pub mod id;
mod incidents;
mod interruption;
pub mod limits;
mod pipeline_directory;
pub mod pipeline_handle;
mod pipelines;
pub mod preview;
pub mod quota;
pub mod recorder;
pub mod registry;
mod removing;
pub mod runner;
pub mod samples;
mod settings_rules;
pub mod snapshot;
pub mod srs;
mod storage;
mod swaps;
mod tenancy;
mod tenant_directory;
mod tenant_network;
pub mod tokens;
pub mod watching;
pub mod webhooks;
mod words;

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

pub use self::history::History;
pub use self::host_status::HostStatus;
pub use self::interruption::Interruption;
pub use self::pipelines::{Apply, Change, NewPipeline, Pipelines};
pub use self::storage::{Cleaning, StorageAdmin, StorageView};
pub use self::swaps::{NewSwap, StageSwaps};
pub use self::tenancy::{NewToken, Tenancy, TokenSecret};
pub use self::tenant_network::tenant_policy;
pub use self::watching::Watched;
pub use self::webhooks::{MadeWebhook, NewWebhook, Webhooks};

use self::access::{Actor, Denied};
use self::components::Components;
use self::components::library::ComponentLibrary;
use self::error::ControlError;
use self::pipeline_directory::PipelineDirectory;
use self::recorder::Recorder;
use self::registry::Registry;
use self::removing::Removing;
use self::runner::StopMode;
use self::settings_rules::SettingsRules;
use self::tenant_directory::TenantDirectory;
use self::webhooks::sender::{Patience, Sender};
use crate::limits::{SHUTDOWN_LIMIT, WEBHOOK_STOP_LIMIT};
use outboard_logs::telemetry;
use outboard_pipeline::Host;

/// The services of the control plane. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Control(Arc<Services>);

#[derive(Debug)]
struct Services {
    host: Host,
    recorder: Recorder,
    webhooks: Webhooks,
    swaps: StageSwaps,
    components: Components,
    pipelines: Pipelines,
    tenancy: Tenancy,
    history: History,
    storage: StorageAdmin,
    status: HostStatus,
}

// === impl Control ===

impl Control {
    /// Reads what is kept and starts every pipeline that is meant to run. What goes on after a call has returned runs on the runtime of
    /// this call, whoever calls from wherever.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn open(host: Host) -> Result<Self, ControlError> {
        let registry = Registry::new(host.database().clone());
        let (home, logs) = (Handle::current(), telemetry::hub());
        let (tenants, directory) = (Arc::<TenantDirectory>::default(), Arc::<PipelineDirectory>::default());
        let guards = tenants.clone();
        let guards = Arc::new(move |tenant: &str| guards.guard(tenant));
        let sender = Arc::new(Sender::start(registry.clone(), guards, Patience::default()));
        let recorder = Recorder::start(registry.newest_event().await?, registry.clone(), sender.clone());
        let webhooks = Webhooks::new(registry.clone(), tenants.clone(), sender);
        let removing = Arc::new(Removing::new(host.clone(), home.clone(), registry.clone(), logs.clone()));
        let library = ComponentLibrary::new(host.clone(), registry.clone(), tenants.clone());
        let rules = SettingsRules::new(host.clone(), library.clone(), directory.clone());
        let swaps = StageSwaps::new(swaps::Below {
            host: host.clone(),
            home: home.clone(),
            registry: registry.clone(),
            recorder: recorder.clone(),
            tenants: tenants.clone(),
            directory: directory.clone(),
            library: library.clone(),
            rules: rules.clone(),
        });
        let components =
            Components::new(host.clone(), tenants.clone(), directory.clone(), library.clone(), swaps.clone());
        let pipelines = Pipelines::new(pipelines::Below {
            host: host.clone(),
            home,
            registry: registry.clone(),
            recorder: recorder.clone(),
            tenants: tenants.clone(),
            directory: directory.clone(),
            removing: removing.clone(),
            library: library.clone(),
            rules,
            swaps: swaps.clone(),
        });
        let tenancy = Tenancy::new(
            host.clone(),
            registry.clone(),
            tenants.clone(),
            directory.clone(),
            removing.clone(),
            library.clone(),
        );
        let history = History::new(
            host.clone(),
            registry.clone(),
            recorder.clone(),
            tenants.clone(),
            directory.clone(),
            logs.clone(),
        );
        let storage =
            StorageAdmin::new(host.clone(), registry.clone(), tenants.clone(), directory.clone(), removing.clone());
        let status = HostStatus::new(host_status::Below {
            host: host.clone(),
            registry,
            recorder: recorder.clone(),
            tenants,
            directory,
            webhooks: webhooks.clone(),
            logs,
        });
        storage.listen(recorder.clone());
        tenancy.load().await?;
        removing.finish_removals().await?;
        swaps.interrupt().await?;
        library.load().await?;
        components.watch_folders();
        pipelines.end_old_demo().await?;
        pipelines.load().await?;
        let services =
            Services { host, recorder, webhooks, swaps, components, pipelines, tenancy, history, storage, status };
        Ok(Self(Arc::new(services)))
    }

    /// Stops every pipeline, at once or after what is buffered went on air, and writes down what is left to be written.
    /// What is wanted of them stays as it is: the next start goes on.
    pub async fn shutdown(&self, mode: StopMode, limit: Duration) {
        if tokio::time::timeout(limit, self.0.pipelines.end_all(mode)).await.is_err() {
            tracing::warn!("not every pipeline stopped within {limit:?}; the next start resumes from the journal");
            let _ = tokio::time::timeout(SHUTDOWN_LIMIT, self.0.pipelines.end_all(StopMode::AtOnce)).await;
        }
        self.0.pipelines.end_demo().await;
        self.0.recorder.flush().await;
        self.0.webhooks.shutdown(WEBHOOK_STOP_LIMIT).await;
    }

    /// Whoever can reach a server that only this machine can reach.
    pub fn local_actor(&self) -> Actor {
        Actor::local("local")
    }

    /// The shared parts of this process.
    pub fn host(&self) -> &Host {
        &self.0.host
    }

    /// Pipelines: made, changed, started, stopped, deleted, watched.
    pub fn pipelines(&self) -> &Pipelines {
        &self.0.pipelines
    }

    /// Swaps of running pipelines' stages, and roll-outs of them.
    pub fn swaps(&self) -> &StageSwaps {
        &self.0.swaps
    }

    /// Components that stages can be made of.
    pub fn components(&self) -> &Components {
        &self.0.components
    }

    /// Tenants and their tokens.
    pub fn tenancy(&self) -> &Tenancy {
        &self.0.tenancy
    }

    /// Webhooks of tenants, and what they were sent.
    pub fn webhooks(&self) -> &Webhooks {
        &self.0.webhooks
    }

    /// Events, revisions, batches, the audit log, the log.
    pub fn history(&self) -> &History {
        &self.0.history
    }

    /// Files on disk, and room made by hand.
    pub fn storage(&self) -> &StorageAdmin {
        &self.0.storage
    }

    /// Whether the host can work, and what is measured.
    pub fn status(&self) -> &HostStatus {
        &self.0.status
    }
}

impl From<Denied> for ControlError {
    fn from(denied: Denied) -> Self {
        denied.or_absent(Self::NotFound("not found".to_owned()))
    }
}

#[cfg(test)]
mod tests;
