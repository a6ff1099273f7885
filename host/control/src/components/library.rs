//! The host's store of components: what is in it, who may use what of it, and what is taken into it.
//!
//! In: components that are offered, settings and tenants that name them. Out: lists, verdicts, loaded components. Called by
//! [`super::Components`], by pipelines and swaps (may these settings use these components?) and by tenancy (a tenant goes). Owns what is
//! known of components in memory ([`ComponentStore`]); the rows are the registry's, the files the storage's. Knows no pipelines: whether
//! one uses a component is asked elsewhere.

use std::sync::Arc;

use super::known::{self, Known};
use super::offered::{ListedComponent, Offered, Refused};
use super::policy::StagePolicy;
use super::room;
use super::signature::Signature;
use super::store::ComponentStore;
use crate::access::{Action, Actor};
use crate::error::ControlError;
use crate::limits::COMPONENTS_LISTED_MAX;
use crate::registry::{ComponentRow, ComponentSource, NewComponent, Registry, TenantRow};
use crate::tenant_directory::TenantDirectory;
use outboard_base::unix_time::now_ms;
use outboard_pipeline::Host;
use outboard_pipeline::load::bundled_or_file;
use outboard_pipeline::settings::Settings;
use outboard_stage::{self as stage, CompileRequester, Digest, LoadError, StageComponent, StageKind};
use outboard_store::files::{component_file, components_dir, keep_component_bytes};

/// Every component that pipelines of this host can be set to. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct ComponentLibrary {
    host: Host,
    registry: Registry,
    tenants: Arc<TenantDirectory>,
    store: Arc<ComponentStore>,
}

/// A component that was added.
pub(super) struct Added {
    pub(super) listed: ListedComponent,
    pub(super) component: Arc<StageComponent>,
    /// False: the tenant had it, and its file was there, so that nobody has to be told of a newer version.
    pub(super) is_new: bool,
}

impl ComponentLibrary {
    /// Knows nothing yet: see [`Self::load`].
    pub(crate) fn new(host: Host, registry: Registry, tenants: Arc<TenantDirectory>) -> Self {
        Self { host, registry, tenants, store: Arc::default() }
    }

    /// Reads what is kept of components. Until then every file in the store counts as shared.
    ///
    /// # Errors
    /// The database cannot be read.
    pub(crate) async fn load(&self) -> Result<(), ControlError> {
        for row in self.registry.components().await? {
            room::count(&self.host, &row);
            self.store.know(&row.component.digest, row.component.tenant, row.component.signed_by);
        }
        Ok(())
    }

    /// What a tenant can use: the bundled components in the order of the data, each kind's default first, then those in the
    /// host's store that its policy lets it use. A file that cannot be used any more is left out and logged. Nothing is read again for
    /// a component that was listed before.
    ///
    /// # Errors
    /// The database cannot be read.
    pub(super) async fn list(&self, tenant: &TenantRow) -> Result<Vec<ListedComponent>, ControlError> {
        let runtime = self.host.runtime();
        let facts = self.store.facts();
        let of_host = |(component, default): &(Arc<Known>, bool)| ListedComponent::bundled(component.clone(), *default);
        let mut all: Vec<ListedComponent> = facts.bundled(runtime).await.iter().map(of_host).collect();
        let rows = self.registry.components().await?;
        let policy = StagePolicy::of(tenant);
        let asker = CompileRequester::of(Some(&tenant.name));
        let mut stored = Vec::new();
        let files = known::files_in(components_dir(self.host.storage().root())).await;
        facts.keep_only(&files);
        for file in &files {
            let digest = format!("sha256:{}", file.path.file_stem().unwrap_or_default().to_string_lossy());
            let standing = self.store.standing(&tenant.name, &digest);
            // Of those that this tenant may use: what others have takes no place in its list.
            if stored.len() >= COMPONENTS_LISTED_MAX {
                break;
            }
            if standing.is_none_or(|standing| policy.check(&digest, &standing).is_err()) || stage::is_bundled(&digest) {
                continue;
            }
            // The tenant's own label before the operator's.
            let mine = |row: &&ComponentRow| row.component.digest == digest;
            let row = rows.iter().filter(mine).find(|row| row.component.tenant.as_deref() == Some(&tenant.name));
            let row = row.or_else(|| rows.iter().filter(mine).find(|row| row.component.tenant.is_none()));
            let known = facts.stored(runtime, file, &asker).await;
            stored.extend(known.map(|component| ListedComponent::stored(component, row)));
        }
        let order = |one: &ListedComponent| {
            (one.component.kind, one.component.name.clone(), one.added.as_ref().map(|(_, at)| *at))
        };
        stored.sort_by_key(order);
        all.extend(stored);
        Ok(all)
    }

    /// Refused components that `wanted` lets through, newest first.
    pub(super) fn refused(&self, wanted: impl Fn(&Refused) -> bool) -> Vec<Refused> {
        self.store.refused(wanted)
    }

    /// Remembers that a component was refused, in place of what was remembered of the same origin.
    pub(super) fn refuse(&self, refused: Refused) {
        self.store.refuse(refused);
    }

    /// Marks that a component is being pulled for a tenant, until the answer is dropped.
    ///
    /// # Errors
    /// [`ControlError::LimitExceeded`]: one is being pulled for it already.
    pub(super) fn pulling(&self, tenant: Option<String>) -> Result<super::store::Pulling<'_>, ControlError> {
        self.store.pulling(tenant)
    }

    /// Judges a component and takes it into the store. Idempotent for equal bytes of the same owner.
    ///
    /// # Errors
    /// Any [`ControlError`]; [`ControlError::InvalidInput`] at `file` (`reference`, from a registry) with what is wrong in terms of
    /// the contract, at `signature` where the tenant's policy asks for another one.
    pub(super) async fn add(&self, actor: &Actor, offered: Offered) -> Result<Added, ControlError> {
        let policy = match &offered.tenant {
            Some(tenant) => StagePolicy::of(&*self.tenants.allowed(actor, Action::AddStage, Some(tenant))?),
            // The operator's own, whom nobody sets rules.
            None => {
                actor.check(Action::ShareStage, None)?;
                StagePolicy::default()
            }
        };
        let judged = match room::take(&self.host, &offered) {
            Ok(room) => self.judge(&policy, &offered).await.map(|judged| (judged, room)),
            Err(error) => Err(error),
        };
        let ((component, signed_by), room) = match judged {
            Ok(judged) => judged,
            // It may be taken later.
            Err(error @ ControlError::Unavailable(_)) => return Err(error),
            Err(error) => {
                let Offered { tenant, source, origin, .. } = offered;
                let reason = error.to_string();
                tracing::warn!(tenant, origin, reason, "a component was rejected");
                self.store.refuse(Refused { tenant, origin, source, reason, at_ms: now_ms() });
                return Err(error);
            }
        };
        let Offered { tenant, bytes, source, origin, .. } = offered;
        let label = component.label();
        // In this order: what is only half added is a file that its owner may add again, never a stranger's to see.
        self.store.know(&label.digest, tenant.clone(), signed_by.clone());
        let new = NewComponent {
            digest: label.digest.clone(),
            tenant: tenant.clone(),
            kind: component.kind().name().to_owned(),
            name: label.name,
            version: label.version,
            source,
            origin: Some(origin.clone()),
            signed_by,
        };
        let there = component_file(self.host.storage().root(), &label.digest).is_some_and(|file| file.is_file());
        let added = self.registry.add_component(actor, new).await?;
        keep_component_bytes(self.host.storage().root(), &bytes).await.map_err(|error| {
            tracing::error!(%error, "failed to store a component");
            ControlError::Unavailable(
                "failed to store the component: the server cannot write to its storage".to_owned(),
            )
        })?;
        room.keep();
        self.store.take_back_refusal(tenant.as_deref(), &origin);
        let listed = ListedComponent::stored(Arc::new(Known::from(&*component)), Some(&added.row));
        // What was there before is nothing newer: a folder's files are looked at anew after each start of the server.
        Ok(Added { listed, component, is_new: added.changed || !there })
    }

    /// Holds a component against the tenant's policy, then against the contract: what may not be used is not compiled.
    async fn judge(
        &self,
        policy: &StagePolicy,
        offered: &Offered,
    ) -> Result<(Arc<StageComponent>, Option<String>), ControlError> {
        let signature = offered.signature.as_deref().map(|text| Signature::read(text.as_bytes())).transpose();
        let signature = signature.map_err(|wrong| ControlError::invalid("signature", wrong))?;
        let digest = format!("sha256:{}", Digest::of(&offered.bytes));
        let path = if offered.source == ComponentSource::Registry { "reference" } else { "file" };
        let signed_by = policy.admit(path, &digest, &offered.bytes, signature.as_ref())?;
        let asker = CompileRequester::of(offered.tenant.as_deref());
        let loading = self.host.runtime().load_for(offered.bytes.clone(), &asker);
        let Some(loaded) = offered.gone.run_until_cancelled(loading).await else {
            return Err(ControlError::Unavailable("the client disconnected before the component was added".to_owned()));
        };
        let refused = |error: LoadError| match error.passes() {
            true => ControlError::Unavailable(error.to_string()),
            false => ControlError::invalid(path, error.to_string()),
        };
        Ok((loaded.map_err(refused)?, signed_by))
    }

    /// Removes a component that no pipeline is set to. `of`: its owner; `None`: the operator. False: there was none.
    ///
    /// # Errors
    /// Any [`ControlError`]; [`ControlError::InvalidInput`] at `digest`.
    pub(super) async fn remove(&self, actor: &Actor, digest: &str, of: Option<&str>) -> Result<bool, ControlError> {
        let file = self.file_of(digest)?;
        let (removed, last) = self.registry.remove_component(actor, digest, of).await?;
        self.store.forget(digest, of);
        // Whoever may remove it for everybody may have it tried again.
        let released = actor.tenant.is_none() && self.host.runtime().release(digest).await;
        room::give_back(&self.host, digest, of);
        if (removed && last) || (of.is_none() && file.is_file() && last) {
            if let Err(error) = tokio::fs::remove_file(&file).await {
                tracing::warn!(%error, file = %file.display(), "failed to remove the file of a component");
            }
            return Ok(true);
        }
        Ok(removed || released)
    }

    /// The file of a digest, whether or not it is there.
    ///
    /// # Errors
    /// [`ControlError::InvalidInput`] at `digest` for what is none.
    pub(super) fn file_of(&self, digest: &str) -> Result<std::path::PathBuf, ControlError> {
        component_file(self.host.storage().root(), digest).ok_or_else(|| {
            let what = format!("{digest:?} is not a digest: \"sha256:\" and 64 hexadecimal digits");
            ControlError::invalid("digest", what)
        })
    }

    /// Before a tenant goes: removes the files that only it has. One without an owner would be everybody's.
    ///
    /// # Errors
    /// [`ControlError::Unavailable`] for a file that cannot be removed.
    pub(crate) async fn remove_all_of(&self, tenant: &str) -> Result<(), ControlError> {
        let rows = self.registry.components().await?;
        let of = |row: &ComponentRow| row.component.tenant.as_deref() == Some(tenant);
        for row in rows.iter().filter(|row| of(row)) {
            let digest = &row.component.digest;
            self.store.forget(digest, Some(tenant));
            room::give_back(&self.host, digest, Some(tenant));
            let alone = !rows.iter().any(|other| other.component.digest == *digest && !of(other));
            if let Some(file) = component_file(self.host.storage().root(), digest).filter(|_| alone)
                && let Err(error) = tokio::fs::remove_file(&file).await
                && error.kind() != std::io::ErrorKind::NotFound
            {
                let file = file.display();
                return Err(ControlError::Unavailable(format!("component {file} cannot be removed: {error}")));
            }
        }
        Ok(())
    }

    /// Whether a tenant may set its stages to these components.
    ///
    /// # Errors
    /// [`ControlError::InvalidInput`] with the first that it may not use: why its policy forbids it, or that it is not there.
    pub(crate) fn check(&self, tenant: &TenantRow, settings: &Settings) -> Result<(), ControlError> {
        let policy = StagePolicy::of(tenant);
        for kind in StageKind::ALL {
            let Some(digest) = &settings.stages.of(kind).component else { continue };
            if stage::is_bundled(digest) {
                continue;
            }
            let standing = self.store.standing(&tenant.name, digest);
            let judged = match standing {
                Some(standing) => policy.check(digest, &standing),
                None => Err(format!("{digest} is not in this host's store")),
            };
            judged.map_err(|wrong| ControlError::invalid(outboard_pipeline::settings::component_path(kind), wrong))?;
        }
        Ok(())
    }

    /// Loads the component of a digest that was checked, or the default of a kind, in the turn of `asker`.
    ///
    /// # Errors
    /// It is not there, is no component, or cannot be compiled.
    pub(crate) async fn load_component(
        &self,
        asker: &CompileRequester,
        kind: StageKind,
        digest: Option<&str>,
    ) -> Result<Arc<StageComponent>, LoadError> {
        let file = digest.and_then(|digest| self.host.storage().component(digest));
        bundled_or_file(self.host.runtime(), asker, kind, file.as_deref()).await
    }
}
