//! The components that stages can be made of: what comes with the host, what the operator added for everybody, and what a
//! tenant added for itself. A component is its digest; names and versions are labels.
//!
//! Everything is validated before it is listed: loaded, checked against the contract, compiled apart from live media, and asked
//! to describe itself. What is refused is remembered with the reason ([`Refused`]).

mod folder;
mod known;
pub mod oci;
mod policy;
mod pull;
mod room;
mod shelf;
pub mod signature;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

pub use self::known::Known;
pub use self::policy::StagePolicy;
pub use self::pull::NewPull;
pub use self::shelf::Shelf;

use self::signature::Signature;
use super::Control;
use super::access::{Action, Actor};
use super::error::ControlError;
use super::registry::{ComponentRow, ComponentSource, NewComponent, TenantRow};
use crate::limits::COMPONENTS_LISTED_MAX;
use crate::stage::{self, CompileRequester, Digest, LoadError, StageComponent, StageKind};
use crate::store::files::{component_file, components_dir, keep_component_bytes};
use crate::unix_time::now_ms;

/// A component that can be used.
#[derive(Debug, Clone)]
pub struct ListedComponent {
    /// Description of the component, without its code.
    pub component: Arc<Known>,
    /// It is used where none is chosen.
    pub default: bool,
    /// Whose; `None`: every tenant's.
    pub tenant: Option<String>,
    /// The way by which it was added.
    pub source: ComponentSource,
    /// File or reference that it came by.
    pub origin: Option<String>,
    /// Who added it, and when (Unix time in milliseconds).
    pub added: Option<(String, u64)>,
    /// The id of the key that it is signed with, where one was asked for.
    pub signed_by: Option<String>,
}

/// A component that was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Whose it would be; `None`: every tenant's.
    pub tenant: Option<String>,
    /// File or reference that it came by.
    pub origin: String,
    /// The way by which it was offered.
    pub source: ComponentSource,
    /// Why it was not taken.
    pub reason: String,
    /// Unix time in milliseconds.
    pub at_ms: u64,
}

/// A component that is to be added.
#[derive(Debug, Clone)]
pub struct Offered {
    /// Whose it will be; `None`: every tenant's.
    pub tenant: Option<String>,
    /// The component's binary, not yet validated.
    pub bytes: Bytes,
    /// The way by which it is added.
    pub source: ComponentSource,
    /// File or reference that it came by.
    pub origin: String,
    /// Its detached signature, in base64.
    pub signature: Option<String>,
    /// Cancelled once nobody waits for the answer: then it is not compiled on.
    pub gone: CancellationToken,
}

// === impl Control ===

impl Control {
    /// What a tenant can use: the bundled components in the order of the data, each kind's default first, then those in the
    /// host's store that its policy lets it use. A file that cannot be used any more is left out and logged. What was told
    /// once is known; nothing is read for it again.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub async fn stage_components(
        &self,
        actor: &Actor,
        tenant: Option<&str>,
    ) -> Result<Vec<ListedComponent>, ControlError> {
        let tenant = self.tenant_for(actor, Action::ViewStages, tenant)?;
        let runtime = self.0.host.runtime();
        let facts = self.0.shelf.facts();
        let of_host = |(component, default): &(Arc<Known>, bool)| ListedComponent {
            component: component.clone(),
            default: *default,
            tenant: None,
            source: ComponentSource::Bundled,
            origin: None,
            added: None,
            signed_by: None,
        };
        let mut all: Vec<ListedComponent> = facts.bundled(runtime).await.iter().map(of_host).collect();
        let rows = self.0.registry.components().await?;
        let policy = StagePolicy::of(&tenant);
        let asker = CompileRequester::of(Some(&tenant.name));
        let mut stored = Vec::new();
        let files = known::files_in(components_dir(self.0.host.storage().root())).await;
        facts.keep_only(&files);
        for file in &files {
            let digest = format!("sha256:{}", file.path.file_stem().unwrap_or_default().to_string_lossy());
            let standing = self.0.shelf.standing(&tenant.name, &digest);
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
            stored.extend(facts.stored(runtime, file, &asker).await.map(|component| listed(component, row)));
        }
        let order = |one: &ListedComponent| {
            (one.component.kind, one.component.name.clone(), one.added.as_ref().map(|(_, at)| *at))
        };
        stored.sort_by_key(order);
        all.extend(stored);
        Ok(all)
    }

    /// Components that were not taken, newest first.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub fn refused_components(&self, actor: &Actor, tenant: Option<&str>) -> Result<Vec<Refused>, ControlError> {
        let tenant = self.tenant_for(actor, Action::ViewStages, tenant)?;
        let host_wide = actor.tenant.is_none();
        let wanted = |one: &Refused| one.tenant.as_ref().map_or(host_wide, |of| *of == tenant.name);
        Ok(self.0.shelf.refused(wanted))
    }

    /// Adds a component. The same again is the same component. Where the tenant's pipelines follow its name, they are swapped
    /// for one that is new.
    ///
    /// # Errors
    /// Any [`ControlError`]; [`ControlError::InvalidInput`] at `file` (`reference`, from a registry) with what is wrong in terms of
    /// the contract, at `signature` where the tenant's policy asks for another one.
    pub async fn add_component(&self, actor: &Actor, offered: Offered) -> Result<ListedComponent, ControlError> {
        let policy = match &offered.tenant {
            Some(tenant) => StagePolicy::of(&*self.tenant_for(actor, Action::AddStage, Some(tenant))?),
            // The operator's own, whom nobody sets rules.
            None => {
                actor.check(Action::ShareStage, None)?;
                StagePolicy::default()
            }
        };
        let judged = match self.take_room(&offered) {
            Ok(room) => self.judge_component(&policy, &offered).await.map(|judged| (judged, room)),
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
                self.0.shelf.refuse(Refused { tenant, origin, source, reason, at_ms: now_ms() });
                return Err(error);
            }
        };
        let Offered { tenant, bytes, source, origin, .. } = offered;
        let label = component.label();
        // In this order: what is only half added is a file that its owner may add again, never a stranger's to see.
        self.0.shelf.know(&label.digest, tenant.clone(), signed_by.clone());
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
        let there = component_file(self.0.host.storage().root(), &label.digest).is_some_and(|file| file.is_file());
        let added = self.0.registry.add_component(actor, new).await?;
        keep_component_bytes(self.0.host.storage().root(), &bytes).await.map_err(|error| {
            tracing::error!(%error, "failed to store a component");
            ControlError::Unavailable(
                "failed to store the component: the server cannot write to its storage".to_owned(),
            )
        })?;
        room.keep();
        self.0.shelf.take_back_refusal(tenant.as_deref(), &origin);
        // What was there before is nothing newer: a folder's files are looked at anew after each start of the server.
        if added.changed || !there {
            self.follow_names(actor, tenant.as_deref(), &component).await;
        }
        Ok(listed(Arc::new(Known::from(&*component)), Some(&added.row)))
    }

    /// Holds a component against the tenant's policy, then against the contract: what may not be used is not compiled.
    async fn judge_component(
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
        let loading = self.0.host.runtime().load_for(offered.bytes.clone(), &asker);
        let Some(loaded) = offered.gone.run_until_cancelled(loading).await else {
            return Err(ControlError::Unavailable("the client disconnected before the component was added".to_owned()));
        };
        let refused = |error: LoadError| match error.passes() {
            true => ControlError::Unavailable(error.to_string()),
            false => ControlError::invalid(path, error.to_string()),
        };
        Ok((loaded.map_err(refused)?, signed_by))
    }

    /// Takes a component away. False: there was none.
    ///
    /// # Errors
    /// Any [`ControlError`]; [`ControlError::Conflict`] while a pipeline is set to it.
    pub async fn remove_component(
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
            false => Some(self.tenant_for(actor, Action::RemoveStage, tenant)?.name.clone()),
        };
        let Some(file) = component_file(self.0.host.storage().root(), digest) else {
            let what = format!("{digest:?} is not a digest: \"sha256:\" and 64 hexadecimal digits");
            return Err(ControlError::invalid("digest", what));
        };
        let _changing = self.0.changing.lock().await;
        let users: Vec<String> = self
            .entries()
            .iter()
            .filter(|entry| of.as_ref().is_none_or(|tenant| entry.id().tenant == *tenant))
            .filter(|entry| entry.settings().stages.names(digest))
            .map(|entry| entry.id().to_string())
            .collect();
        if !users.is_empty() {
            return Err(ControlError::Conflict(format!(
                "{digest} is used by {}: swap it there first",
                users.join(", ")
            )));
        }
        let (removed, last) = self.0.registry.remove_component(actor, digest, of.as_deref()).await?;
        self.0.shelf.forget(digest, of.as_deref());
        // Whoever may remove it for everybody may have it tried again.
        let released = actor.tenant.is_none() && self.0.host.runtime().release(digest).await;
        self.give_room_back(digest, of.as_deref());
        if (removed && last) || (shared && file.is_file() && last) {
            if let Err(error) = tokio::fs::remove_file(&file).await {
                tracing::warn!(%error, file = %file.display(), "failed to remove the file of a component");
            }
            return Ok(true);
        }
        Ok(removed || released)
    }

    /// Before a tenant goes: the files that only it has. One without an owner would be everybody's.
    pub(super) async fn remove_components_of(&self, tenant: &str) -> Result<(), ControlError> {
        let rows = self.0.registry.components().await?;
        let of = |row: &ComponentRow| row.component.tenant.as_deref() == Some(tenant);
        for row in rows.iter().filter(|row| of(row)) {
            let digest = &row.component.digest;
            self.0.shelf.forget(digest, Some(tenant));
            self.give_room_back(digest, Some(tenant));
            let alone = !rows.iter().any(|other| other.component.digest == *digest && !of(other));
            if let Some(file) = component_file(self.0.host.storage().root(), digest).filter(|_| alone)
                && let Err(error) = tokio::fs::remove_file(&file).await
                && error.kind() != std::io::ErrorKind::NotFound
            {
                let file = file.display();
                return Err(ControlError::Unavailable(format!("component {file} cannot be removed: {error}")));
            }
        }
        Ok(())
    }

    /// Ids of the caller's pipelines in which a component decides now.
    pub fn users_of(&self, actor: &Actor, digest: Digest) -> Vec<String> {
        let runs = |entry: &super::entry::Entry| {
            entry.snapshot().stages().iter().any(|stage| stage.status.current().component.digest() == digest)
        };
        let entries = self.entries().into_iter().filter(|entry| actor.knows(&entry.id().tenant));
        entries.filter(|entry| entry.swaps().is_some() && runs(entry)).map(|entry| entry.id().to_string()).collect()
    }

    /// Whether a tenant may set its stages to these components.
    ///
    /// # Errors
    /// The first that it may not use: why its policy forbids it, or that it is not there.
    pub(super) fn check_components(
        &self,
        tenant: &TenantRow,
        settings: &crate::settings::Settings,
    ) -> Result<(), ControlError> {
        let policy = StagePolicy::of(tenant);
        for kind in StageKind::ALL {
            let Some(digest) = &settings.stages.of(kind).component else { continue };
            if stage::is_bundled(digest) {
                continue;
            }
            let standing = self.0.shelf.standing(&tenant.name, digest);
            let judged = match standing {
                Some(standing) => policy.check(digest, &standing),
                None => Err(format!("{digest} is not in this host's store")),
            };
            judged.map_err(|wrong| {
                let path = crate::settings::component_path(kind);
                ControlError::invalid(path, wrong)
            })?;
        }
        Ok(())
    }

    /// Whether a pipeline may start with the components that it is set to: the tenant's policy may have changed since.
    pub(super) fn may_start(&self, entry: &super::entry::Entry) -> Result<(), ControlError> {
        // Of one without a tenant nothing is left to start.
        let Some(tenant) = self.tenant_row(&entry.id().tenant) else { return Ok(()) };
        let wrong = |error| ControlError::Conflict(format!("pipeline {} cannot start: {error}", entry.id()));
        self.check_components(&tenant, &entry.settings()).map_err(wrong)
    }

    /// Reads what is kept of components, and begins to look into the folders.
    pub(super) async fn load_components(&self) -> Result<(), ControlError> {
        for row in self.0.registry.components().await? {
            self.count_component(&row);
            self.0.shelf.know(&row.component.digest, row.component.tenant, row.component.signed_by);
        }
        tokio::spawn(folder::watch(Arc::downgrade(&self.0)));
        Ok(())
    }

    /// Stages that follow a component's name are swapped for it.
    async fn follow_names(&self, actor: &Actor, tenant: Option<&str>, component: &Arc<StageComponent>) {
        let (kind, label) = (component.kind(), component.label());
        for entry in self.entries() {
            let settings = entry.settings();
            let stage = settings.stages.of(kind);
            if !stage.auto_swap || stage.pinned || tenant.is_some_and(|tenant| entry.id().tenant != tenant) {
                continue;
            }
            let Some((_, swaps)) = entry.swaps() else { continue };
            let runs = swaps.status_feed(kind).await.current().component.label();
            if runs.name != label.name || runs.digest == label.digest {
                continue;
            }
            let new = super::NewSwap { component: Some(label.digest.clone()), ..super::NewSwap::default() };
            if let Err(error) = self.swap_of(actor, &entry, kind, new, None).await {
                tracing::warn!(pipeline = %entry.id(), %error, "failed to swap in a newer component");
            }
        }
    }
}

fn listed(component: Arc<Known>, row: Option<&ComponentRow>) -> ListedComponent {
    ListedComponent {
        component,
        default: false,
        tenant: row.and_then(|row| row.component.tenant.clone()),
        source: row.map_or(ComponentSource::CommandLine, |row| row.component.source),
        origin: row.and_then(|row| row.component.origin.clone()),
        added: row.map(|row| (row.added_by.clone(), row.added_ms)),
        signed_by: row.and_then(|row| row.component.signed_by.clone()),
    }
}

fn is_wasm(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "wasm")
}
