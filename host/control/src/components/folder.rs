//! Folders that components are dropped into: `<storage>/<tenant>/stages/` of each tenant, `<storage>/stages/shared/` of the
//! operator.
//!
//! Looked into each [`STAGE_FOLDER_EVERY`]: that works on every file system, also on those that others mount. A file is taken once it
//! has not changed from one look to the next, so that half-written ones are waited for; one that is refused is looked at again
//! when it, its signature (`<file>.sig`) or the tenant's stage policy changes. What is taken is copied into the store by its digest: renaming, replacing or deleting the file later takes nothing
//! away.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::known::is_wasm;
use super::signature::Signature;
use super::{Components, Offered, Refused, WeakComponents};
use crate::access::Actor;
use crate::limits::{STAGE_FOLDER_EVERY, STAGE_FOLDER_FILES_MAX, STAGE_SIGNATURE_BYTES_MAX};
use crate::registry::ComponentSource;
use outboard_base::unix_time::now_ms;
use outboard_stage::limits::STAGE_COMPONENT_BYTES_MAX;
use outboard_store::files::{shared_stages_dir, tenant_stages_dir};

/// What tells a file's contents apart without reading them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Print {
    inode: u64,
    bytes: u64,
    changed: Option<SystemTime>,
}

/// A component and what lies beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    component: Print,
    signature: Option<Print>,
}

/// A folder, and whose it is.
#[derive(Debug, Clone)]
struct Folder {
    dir: PathBuf,
    tenant: Option<String>,
    policy: Option<Value>,
}

/// A file as it was at the last look.
#[derive(Debug)]
struct ScannedFile {
    found: Found,
    verdict: Verdict,
}

/// What was made of a file as it is.
#[derive(Debug, PartialEq)]
enum Verdict {
    /// The file may still be changing; it is read once two scans find it equal.
    Waits,
    Taken,
    /// Rejected under this stage policy; it is read again when the policy changes.
    Refused(Option<Value>),
}

/// Files of all folders with what the last scan found.
type Known = HashMap<PathBuf, ScannedFile>;

/// Folders whose files are being added, by whose they are: a file that compiles for long keeps nobody else's waiting.
type Working = HashMap<Option<String>, AbortOnDropHandle<Vec<(PathBuf, Found, Verdict)>>>;

/// Looks into the folders for as long as the service lives.
pub(super) async fn watch(components: WeakComponents) {
    let (mut known, mut working) = (Known::default(), Working::default());
    loop {
        tokio::time::sleep(STAGE_FOLDER_EVERY).await;
        let Some(components) = components.upgrade() else { return };
        look(&components, &mut known, &mut working).await;
    }
}

async fn look(components: &Components, known: &mut Known, working: &mut Working) {
    let done: Vec<_> = working.iter().filter(|(_, work)| work.is_finished()).map(|(of, _)| of.clone()).collect();
    for work in done.iter().filter_map(|of| working.remove(of)) {
        for (path, found, verdict) in work.await.unwrap_or_default() {
            if let Some(seen) = known.get_mut(&path).filter(|seen| seen.found == found) {
                seen.verdict = verdict;
            }
        }
    }
    let root = components.0.host.storage().root().to_owned();
    let mut folders = vec![Folder { dir: shared_stages_dir(&root), tenant: None, policy: None }];
    folders.extend(components.0.tenants.all().iter().filter(|tenant| !tenant.disabled).map(|tenant| Folder {
        dir: tenant_stages_dir(&root, &tenant.name),
        tenant: Some(tenant.name.clone()),
        policy: tenant.stages.clone(),
    }));
    let found = tokio::task::spawn_blocking(move || {
        let list = |folder: Folder| files(&folder.dir).into_iter().map(move |one| (folder.clone(), one));
        folders.into_iter().flat_map(list).collect::<Vec<_>>()
    });
    let Ok(found) = found.await else { return };
    known.retain(|path, _| found.iter().any(|(_, (there, _))| there == path));
    let mut new: HashMap<Option<String>, Vec<(Folder, PathBuf, Found)>> = HashMap::new();
    for (folder, (path, found)) in found {
        match known.get_mut(&path) {
            Some(seen) if seen.found == found => {
                let again = match &seen.verdict {
                    Verdict::Waits => true,
                    Verdict::Taken => false,
                    Verdict::Refused(policy) => *policy != folder.policy,
                };
                if again && found.component.bytes > 0 && !working.contains_key(&folder.tenant) {
                    new.entry(folder.tenant.clone()).or_default().push((folder, path, found));
                }
            }
            // The first look, still being written, or another file under the same name: that is remembered, no more.
            _ => drop(known.insert(path, ScannedFile { found, verdict: Verdict::Waits })),
        }
    }
    for (of, files) in new {
        working.insert(of, AbortOnDropHandle::new(tokio::spawn(take_all(components.clone(), files))));
    }
}

/// Adds the components of one folder, one after the other.
async fn take_all(components: Components, files: Vec<(Folder, PathBuf, Found)>) -> Vec<(PathBuf, Found, Verdict)> {
    let mut verdicts = Vec::new();
    for (folder, path, found) in files {
        let taken = take(&components, folder.tenant, &path, found.signature.is_some()).await;
        verdicts.push((path, found, if taken { Verdict::Taken } else { Verdict::Refused(folder.policy) }));
    }
    verdicts
}

/// Adds a component; false: it is refused.
async fn take(components: &Components, tenant: Option<String>, path: &Path, signed: bool) -> bool {
    let origin = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let source = ComponentSource::Folder;
    let refuse = |reason: String| {
        tracing::warn!(tenant, origin, reason, "a component file in a stages folder was rejected");
        let (tenant, origin) = (tenant.clone(), origin.clone());
        components.0.library.refuse(Refused { tenant, origin, source, reason, at_ms: now_ms() });
        false
    };
    let bytes = match read(path, STAGE_COMPONENT_BYTES_MAX, "a component").await {
        Ok(bytes) => bytes,
        Err(reason) => return refuse(reason),
    };
    let signature = if signed {
        let file = read(&signature_of(path), STAGE_SIGNATURE_BYTES_MAX as u64, "a signature").await;
        match file.and_then(|file| Signature::read(&file)) {
            Ok(signature) => Some(signature.text()),
            Err(reason) => return refuse(format!("signature file: {reason}")),
        }
    } else {
        None
    };
    let actor = Actor::local("stages folder");
    let gone = CancellationToken::new();
    let offered =
        Offered { tenant: tenant.clone(), bytes: bytes.into(), source, origin: origin.clone(), signature, gone };
    match components.add(&actor, offered).await {
        Ok(listed) => {
            let label = listed.component.label();
            tracing::info!(
                tenant,
                file = origin,
                name = label.name,
                version = label.version,
                digest = label.digest,
                "added a component from a stages folder"
            );
            true
        }
        // A component that is no good was remembered as refused.
        Err(crate::error::ControlError::InvalidInput(_)) => false,
        Err(error) => refuse(error.to_string()),
    }
}

async fn read(path: &Path, most: u64, what: &str) -> Result<Vec<u8>, String> {
    let unread = |error: std::io::Error| format!("cannot be read: {error}");
    let bytes = tokio::fs::metadata(path).await.map_err(unread)?.len();
    if bytes > most {
        return Err(format!("has {bytes} bytes; the limit for {what} is {most}"));
    }
    tokio::fs::read(path).await.map_err(unread)
}

/// The components in a folder, at most [`STAGE_FOLDER_FILES_MAX`]; none where there is no folder.
fn files(dir: &Path) -> Vec<(PathBuf, Found)> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let one = |entry: std::fs::DirEntry| {
        let path = entry.path();
        let component = print(&path).filter(|_| is_wasm(&path))?;
        let signature = print(&signature_of(&path));
        Some((path, Found { component, signature }))
    };
    entries.flatten().filter_map(one).take(STAGE_FOLDER_FILES_MAX).collect()
}

/// Of a file. Links are not followed: they could lead to another tenant's files.
fn print(path: &Path) -> Option<Print> {
    let facts = std::fs::symlink_metadata(path).ok().filter(std::fs::Metadata::is_file)?;
    Some(Print { inode: facts.ino(), bytes: facts.len(), changed: facts.modified().ok() })
}

fn signature_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".sig");
    name.into()
}
