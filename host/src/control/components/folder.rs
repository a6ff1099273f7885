//! Folders that components are dropped into: `<storage>/<tenant>/stages/` of each tenant, `<storage>/stages/shared/` of the
//! operator.
//!
//! Looked into each [`STAGE_FOLDER_EVERY`]: that works on every file system, also on those that others mount. A file is taken once it
//! has not changed from one look to the next, so that half-written ones are waited for; one that is refused is looked at again
//! when it changes. What is taken is copied into the store by its digest: renaming, replacing or deleting the file later takes nothing
//! away.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, Weak};
use std::time::SystemTime;

use super::{Control, Offered, Refused, is_wasm};
use crate::control::Inner;
use crate::control::access::Actor;
use crate::control::registry::ComponentSource;
use crate::limits::{STAGE_COMPONENT_BYTES_MAX, STAGE_FOLDER_EVERY, STAGE_FOLDER_FILES_MAX};
use crate::store::files::{shared_stages_dir, tenant_stages_dir};
use crate::unix_time::now_ms;

/// What tells a file's contents apart without reading them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Print {
    inode: u64,
    bytes: u64,
    changed: Option<SystemTime>,
}

/// A file as it was at the last look.
#[derive(Debug)]
struct Seen {
    print: Print,
    /// It was taken or refused as it is.
    judged: bool,
}

/// Files by path.
type Known = HashMap<PathBuf, Seen>;

/// Looks into the folders for as long as the control plane lives.
pub(super) async fn watch(control: Weak<Inner>) {
    let mut known = Known::default();
    loop {
        tokio::time::sleep(STAGE_FOLDER_EVERY).await;
        let Some(control) = control.upgrade().map(Control) else { return };
        look(&control, &mut known).await;
    }
}

async fn look(control: &Control, known: &mut Known) {
    let root = control.0.host.storage().root().to_owned();
    let tenants: Vec<String> = {
        let tenants = control.0.tenants.read().unwrap_or_else(PoisonError::into_inner);
        tenants.values().filter(|tenant| !tenant.disabled).map(|tenant| tenant.name.clone()).collect()
    };
    let mut folders = vec![(None, shared_stages_dir(&root))];
    folders.extend(tenants.into_iter().map(|tenant| (Some(tenant.clone()), tenant_stages_dir(&root, &tenant))));
    let found = tokio::task::spawn_blocking(move || {
        let list =
            |(tenant, dir): (Option<String>, PathBuf)| files(&dir).into_iter().map(move |one| (tenant.clone(), one));
        folders.into_iter().flat_map(list).collect::<Vec<_>>()
    });
    let Ok(found) = found.await else { return };
    known.retain(|path, _| found.iter().any(|(_, (there, _))| there == path));
    for (tenant, (path, print)) in found {
        let seen = known.entry(path.clone()).or_insert(Seen { print: print.clone(), judged: false });
        if seen.print != print {
            // Still being written, or another file under the same name.
            *seen = Seen { print, judged: false };
            continue;
        }
        // The first look at it only remembers it.
        if std::mem::replace(&mut seen.judged, true) || print.bytes == 0 {
            continue;
        }
        take(control, tenant, &path).await;
    }
}

async fn take(control: &Control, tenant: Option<String>, path: &Path) {
    let origin = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let source = ComponentSource::Folder;
    let refuse = |reason: String| {
        tracing::warn!(tenant, origin, reason, "a file in a stages folder is refused");
        let (tenant, origin) = (tenant.clone(), origin.clone());
        control.0.shelf.refuse(Refused { tenant, origin, source, reason, at_ms: now_ms() });
    };
    match tokio::fs::metadata(path).await {
        Ok(facts) if facts.len() > STAGE_COMPONENT_BYTES_MAX => {
            let bytes = facts.len();
            return refuse(format!("{bytes} bytes; a component may have {STAGE_COMPONENT_BYTES_MAX} at most"));
        }
        Ok(_) => {}
        // It was there a moment ago; the next look will tell.
        Err(_) => return,
    }
    let bytes = match tokio::fs::read(path).await {
        Ok(bytes) => bytes,
        Err(error) => return refuse(format!("it cannot be read: {error}")),
    };
    let actor = Actor::local("stages folder");
    let offered = Offered { tenant: tenant.clone(), bytes: bytes.into(), source, origin: origin.clone() };
    match control.add_component(&actor, offered).await {
        Ok(listed) => {
            let label = listed.component.label();
            tracing::info!(
                tenant,
                file = origin,
                name = label.name,
                version = label.version,
                digest = label.digest,
                "a component was dropped in"
            );
        }
        // A component that is no good was remembered as refused.
        Err(crate::control::error::ControlError::InvalidInput(_)) => {}
        Err(error) => refuse(error.to_string()),
    }
}

/// The components in a folder, at most [`STAGE_FOLDER_FILES_MAX`]; none where there is no folder.
fn files(dir: &Path) -> Vec<(PathBuf, Print)> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let one = |entry: std::fs::DirEntry| {
        let path = entry.path();
        // Links are not followed: they could lead to another tenant's files.
        let facts = entry.metadata().ok().filter(|facts| facts.is_file() && is_wasm(&path))?;
        Some((path, Print { inode: facts.ino(), bytes: facts.len(), changed: facts.modified().ok() }))
    };
    entries.flatten().filter_map(one).take(STAGE_FOLDER_FILES_MAX).collect()
}
