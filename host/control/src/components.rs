//! The components that stages can be made of: what comes with the host, what the operator added for everybody, and what a
//! tenant added for itself. A component is its digest; names and versions are labels.
//!
//! Called by the API, and by the folders that this service watches. Owns no state of its own: the store is [`library`]'s, which pipelines
//! and swaps use as well. Depends on swaps, for stages follow a component's name, and on the directory of pipelines.
//!
//! Everything is validated before it is listed: loaded, checked against the contract, compiled apart from live media, and asked
//! to describe itself. What is refused is remembered with the reason ([`Refused`]).

mod folder;
mod known;
pub(super) mod library;
pub mod oci;
mod offered;
mod policy;
mod pull;
mod room;
pub mod signature;
mod store;

use std::sync::{Arc, Weak};

pub use self::known::Known;
pub use self::offered::{ListedComponent, Offered, Refused};
pub use self::policy::StagePolicy;
pub use self::pull::NewPull;

use self::library::ComponentLibrary;
use super::access::{Action, Actor};
use super::error::ControlError;

use outboard_stage::Digest;

use outboard_stage::StageComponent;

use super::pipeline_directory::PipelineDirectory;
use super::pipeline_handle::PipelineHandle;
use super::swaps::NewSwap;
use super::swaps::StageSwaps;
use super::tenant_directory::TenantDirectory;
use outboard_pipeline::Host;

/// The components of this host, as callers manage them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Components(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    host: Host,
    tenants: Arc<TenantDirectory>,
    directory: Arc<PipelineDirectory>,
    library: ComponentLibrary,
    swaps: StageSwaps,
}

/// Components that end with their service, for what watches beside it.
#[derive(Debug, Clone)]
struct WeakComponents(Weak<Inner>);

impl WeakComponents {
    fn upgrade(&self) -> Option<Components> {
        self.0.upgrade().map(Components)
    }
}

// === impl Components ===

impl Components {
    pub(super) fn new(
        host: Host,
        tenants: Arc<TenantDirectory>,
        directory: Arc<PipelineDirectory>,
        library: ComponentLibrary,
        swaps: StageSwaps,
    ) -> Self {
        Self(Arc::new(Inner { host, tenants, directory, library, swaps }))
    }

    /// Begins to look into the folders, until the last clone is dropped.
    pub(super) fn watch_folders(&self) {
        tokio::spawn(folder::watch(WeakComponents(Arc::downgrade(&self.0))));
    }

    /// What a tenant can use: see [`ComponentLibrary::list`].
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub async fn list(&self, actor: &Actor, tenant: Option<&str>) -> Result<Vec<ListedComponent>, ControlError> {
        let tenant = self.0.tenants.allowed(actor, Action::ViewStages, tenant)?;
        self.0.library.list(&tenant).await
    }

    /// Components that were not taken, newest first.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub fn refused(&self, actor: &Actor, tenant: Option<&str>) -> Result<Vec<Refused>, ControlError> {
        let tenant = self.0.tenants.allowed(actor, Action::ViewStages, tenant)?;
        let host_wide = actor.tenant.is_none();
        let wanted = |one: &Refused| one.tenant.as_ref().map_or(host_wide, |of| *of == tenant.name);
        Ok(self.0.library.refused(wanted))
    }

    /// Adds a component. Idempotent: equal bytes of the same owner are the same component. Where the tenant's pipelines follow its name,
    /// they are swapped for one that is new.
    ///
    /// # Errors
    /// Any [`ControlError`]; [`ControlError::InvalidInput`] at `file` (`reference`, from a registry) with what is wrong in terms of
    /// the contract, at `signature` where the tenant's policy asks for another one.
    pub async fn add(&self, actor: &Actor, offered: Offered) -> Result<ListedComponent, ControlError> {
        let tenant = offered.tenant.clone();
        let added = self.0.library.add(actor, offered).await?;
        if added.is_new {
            self.follow_names(actor, tenant.as_deref(), &added.component).await;
        }
        Ok(added.listed)
    }

    /// Removes a component. False: there was none.
    ///
    /// # Errors
    /// Any [`ControlError`]; [`ControlError::Conflict`] while a pipeline is set to it, now or as its version before.
    pub async fn remove(
        &self,
        actor: &Actor,
        digest: &str,
        tenant: Option<&str>,
        shared: bool,
    ) -> Result<bool, ControlError> {
        let of = match shared {
            true => {
                actor.check(Action::ShareStage, None)?;
                None
            }
            false => Some(self.0.tenants.allowed(actor, Action::RemoveStage, tenant)?.name.clone()),
        };
        self.0.library.file_of(digest)?;
        let _changing = self.0.directory.change().await;
        let pipelines = match &of {
            Some(tenant) => self.0.directory.of_tenant(tenant),
            None => self.0.directory.all(),
        };
        let used = |handle: &&Arc<PipelineHandle>| handle.settings().stages.names(digest);
        let users: Vec<String> = pipelines.iter().filter(used).map(|handle| handle.id().to_string()).collect();
        if !users.is_empty() {
            return Err(ControlError::Conflict(format!(
                "{digest} is used by {}: swap it there first",
                users.join(", ")
            )));
        }
        self.0.library.remove(actor, digest, of.as_deref()).await
    }

    /// Ids of the caller's pipelines in which a component decides now.
    pub fn users_of(&self, actor: &Actor, digest: Digest) -> Vec<String> {
        let runs = |handle: &PipelineHandle| {
            handle.snapshot().stages().iter().any(|stage| stage.status.current().component.digest() == digest)
        };
        let handles = self.0.directory.all().into_iter().filter(|handle| actor.knows(&handle.id().tenant));
        handles
            .filter(|handle| handle.swaps().is_some() && runs(handle))
            .map(|handle| handle.id().to_string())
            .collect()
    }

    /// Stages that follow a component's name are swapped for it.
    async fn follow_names(&self, actor: &Actor, tenant: Option<&str>, component: &Arc<StageComponent>) {
        let (kind, label) = (component.kind(), component.label());
        for handle in self.0.directory.all() {
            let settings = handle.settings();
            let stage = settings.stages.of(kind);
            if !stage.auto_swap || stage.pinned || tenant.is_some_and(|tenant| handle.id().tenant != tenant) {
                continue;
            }
            let Some((_, swaps)) = handle.swaps() else { continue };
            let runs = swaps.status_feed(kind).await.current().component.label();
            if runs.name != label.name || runs.digest == label.digest {
                continue;
            }
            let new = NewSwap { component: Some(label.digest.clone()), ..NewSwap::default() };
            if let Err(error) = self.0.swaps.swap_of(actor, &handle, kind, new, None).await {
                tracing::warn!(pipeline = %handle.id(), %error, "failed to swap in a newer component");
            }
        }
    }
}
