//! What is known of the components in the host's store, so that telling it reads none of them.
//!
//! A component is its digest: what it said of itself when it was loaded first stays true. Loading reads, hashes and links a file and
//! runs it once; a list does that for files that are new to it, one at a time of each tenant, and never twice. No tenant waits
//! for what another's files take.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::SystemTime;

use tokio::sync::OnceCell;

use crate::limits::COMPONENT_FILES_MAX;
use outboard_stage::{CompileRequester, ComponentLabel, Digest, StageComponent, StageKind, StageRuntime};

/// What a component is, without its code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Identity: the SHA-256 of the file.
    pub digest: Digest,
    /// The kind of stage, which is the world that it implements.
    pub kind: StageKind,
    /// By its own account.
    pub name: String,
    /// By its own account.
    pub version: String,
    /// By its own account.
    pub summary: String,
    /// JSON Schema of its settings, as JSON text.
    pub settings_schema: String,
    /// Size of the file in bytes.
    pub size: u64,
    /// Names of the interfaces it imports.
    pub imports: Vec<String>,
    /// The contract that it was built against.
    pub contract: String,
}

impl Known {
    /// Its identity for people and settings.
    pub fn label(&self) -> ComponentLabel {
        let (name, version) = (self.name.clone(), self.version.clone());
        ComponentLabel { digest: format!("sha256:{}", self.digest), name, version }
    }
}

/// Descriptions of all components that were loaded before, and the turns of those that are loading.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// Each kind's default first.
    bundled: OnceCell<Vec<Bundled>>,
    stored: Mutex<HashMap<PathBuf, Look>>,
    /// By tenant, while one loads: one file at a time of each is loaded to be listed.
    loading: Mutex<HashMap<String, Weak<Loading>>>,
}

/// Held while a file of a tenant's list is loaded.
type Loading = tokio::sync::Mutex<()>;

/// A component that comes with the host, and whether it is its kind's default.
type Bundled = (Arc<Known>, bool);

/// What a file was found to be; `None`: nothing that can be used.
#[derive(Debug, Clone)]
struct Look {
    written: Option<SystemTime>,
    found: Option<Arc<Known>>,
}

/// A file in the store.
#[derive(Debug, Clone)]
pub(super) struct StoredFile {
    pub(super) path: PathBuf,
    written: Option<SystemTime>,
}

impl From<&StageComponent> for Known {
    fn from(component: &StageComponent) -> Self {
        let description = component.description();
        Self {
            digest: component.digest(),
            kind: component.kind(),
            name: description.name.clone(),
            version: description.version.clone(),
            summary: description.summary.clone(),
            settings_schema: description.settings_schema.clone(),
            size: component.size(),
            imports: component.imports().to_vec(),
            contract: component.contract(),
        }
    }
}

impl Facts {
    /// The bundled components, in the order of the data.
    pub(super) async fn bundled(&self, runtime: &StageRuntime) -> &[Bundled] {
        let load = async || {
            let mut all = Vec::new();
            for kind in StageKind::ALL {
                for (n, loaded) in runtime.all_bundled(kind).await.into_iter().enumerate() {
                    match loaded {
                        Ok(component) => all.push((Arc::new(Known::from(&*component)), n == 0)),
                        Err(error) => tracing::error!(%error, "failed to load a bundled component"),
                    }
                }
            }
            all
        };
        self.bundled.get_or_init(load).await
    }

    /// What a file of the store is. One that cannot be used is logged once. `asker`: in whose turn it is compiled, if it is.
    pub(super) async fn stored(
        &self,
        runtime: &StageRuntime,
        file: &StoredFile,
        asker: &CompileRequester,
    ) -> Option<Arc<Known>> {
        if let Some(look) = self.look(file) {
            return look.found;
        }
        let loading = self.loading(&asker.tenant);
        let _one_at_a_time = loading.lock().await;
        if let Some(look) = self.look(file) {
            return look.found;
        }
        let found = match runtime.load_file_for(&file.path, asker).await {
            Ok(component) => Some(Arc::new(Known::from(&*component))),
            Err(error) => {
                tracing::warn!(%error, file = %file.path.display(), "failed to load a stored component");
                None
            }
        };
        let look = Look { written: file.written, found: found.clone() };
        self.stored.lock().unwrap_or_else(PoisonError::into_inner).insert(file.path.clone(), look);
        found
    }

    /// Forgets files that are not there any more.
    pub(super) fn keep_only(&self, files: &[StoredFile]) {
        let there: HashSet<&Path> = files.iter().map(|file| file.path.as_path()).collect();
        self.stored.lock().unwrap_or_else(PoisonError::into_inner).retain(|path, _| there.contains(path.as_path()));
    }

    /// What a tenant's loads wait for. It is forgotten once none waits or loads.
    fn loading(&self, tenant: &str) -> Arc<Loading> {
        let mut all = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(loading) = all.get(tenant).and_then(Weak::upgrade) {
            return loading;
        }
        all.retain(|_, loading| loading.strong_count() > 0);
        let loading = Arc::<Loading>::default();
        all.insert(tenant.to_owned(), Arc::downgrade(&loading));
        loading
    }

    fn look(&self, file: &StoredFile) -> Option<Look> {
        let stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
        stored.get(&file.path).filter(|look| look.written == file.written).cloned()
    }
}

/// Whether a file is named as a component.
pub(super) fn is_wasm(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "wasm")
}

/// The files in a folder of components, at most [`COMPONENT_FILES_MAX`].
pub(super) async fn files_in(dir: PathBuf) -> Vec<StoredFile> {
    let listing = move || {
        // Nothing was ever put there.
        let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
        let files = entries.filter(|entry| is_wasm(&entry.path())).map(|entry| {
            let written = entry.metadata().and_then(|file| file.modified()).ok();
            StoredFile { path: entry.path(), written }
        });
        files.take(COMPONENT_FILES_MAX).collect()
    };
    tokio::task::spawn_blocking(listing).await.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use outboard_stage::StageRuntimeConfig;

    #[tokio::test]
    async fn a_file_is_loaded_once_until_it_is_another() {
        let dir = tempfile::tempdir().unwrap();
        let (runtime, facts) = (StageRuntime::new(&StageRuntimeConfig::default()).unwrap(), Facts::default());
        let (path, asker) = (dir.path().join("a.wasm"), CompileRequester::default());
        std::fs::write(&path, outboard_stage::bundled::files().next().unwrap()).unwrap();
        let file = files_in(dir.path().to_owned()).await.pop().unwrap();
        let known = facts.stored(&runtime, &file, &asker).await.unwrap();
        // Whoever opened it now would find nothing.
        std::fs::remove_file(&path).unwrap();
        assert_eq!(facts.stored(&runtime, &file, &asker).await, Some(known));
        std::fs::write(&path, "something else").unwrap();
        std::fs::File::open(&path).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        let other = files_in(dir.path().to_owned()).await;
        assert_eq!(facts.stored(&runtime, &other[0], &asker).await, None);
        facts.keep_only(&other);
        assert_eq!(facts.stored.lock().unwrap().len(), 1);
        facts.keep_only(&[]);
        assert!(facts.stored.lock().unwrap().is_empty());
    }
    #[tokio::test]
    async fn a_file_of_one_tenant_that_takes_long_holds_up_its_own_list_and_no_other() {
        /// For what takes a moment, on a machine that does much else.
        const SOON: std::time::Duration = std::time::Duration::from_secs(120);
        let dir = tempfile::tempdir().unwrap();
        let (runtime, facts) = (StageRuntime::new(&StageRuntimeConfig::default()).unwrap(), Arc::<Facts>::default());
        // A file that can be read once somebody has written it.
        let slow = dir.path().join("slow.wasm");
        nix::unistd::mkfifo(&slow, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let fine = dir.path().join("fine.wasm");
        std::fs::write(&fine, outboard_stage::bundled::files().next().unwrap()).unwrap();
        let ask = |tenant: &'static str, path: &Path| {
            let (runtime, facts) = (runtime.clone(), facts.clone());
            let file = StoredFile { path: path.to_owned(), written: None };
            tokio::spawn(async move { facts.stored(&runtime, &file, &CompileRequester::of(Some(tenant))).await })
        };
        let held = ask("a", &slow);
        let pipe = slow.clone();
        // Opened once the other end is being read.
        let opening = tokio::task::spawn_blocking(move || std::fs::OpenOptions::new().write(true).open(pipe).unwrap());
        let pipe = tokio::time::timeout(SOON, opening).await.unwrap().unwrap();
        let own = ask("a", &fine);
        let other = tokio::time::timeout(SOON, ask("b", &fine)).await.expect("it waits for the other tenant's file");
        assert!(other.unwrap().is_some());
        assert!(!held.is_finished() && !own.is_finished(), "of the first tenant one is loaded");
        drop(pipe);
        assert_eq!(held.await.unwrap(), None, "an empty file is no component");
        assert!(own.await.unwrap().is_some());
        facts.loading("c");
        assert_eq!(facts.loading.lock().unwrap().len(), 1, "nothing is kept of tenants that wait for nothing");
    }
}
