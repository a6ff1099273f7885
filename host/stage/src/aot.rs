//! The cache of compiled components on disk.
//!
//! In: a component's digest and its compiled code. Out: the code, if the entry was written by this host, is complete, and is for this
//! engine. An entry is the file `<digest>-<engine>.cwasm` and beside it `….mac`, the HMAC-SHA256 of its name and content; both are
//! written to a temporary name and renamed. Compiled code runs with the host's rights. Therefore only the host's user may use the
//! directory (0700), the [`key`] is outside of it, and an entry whose MAC does not match is compiled again, never loaded.
//!
//! Limits: the cache's size on disk. Compiling a component removes its entries for other engines (another wasmtime).

mod key;

use self::key::{Key, Mac};
use crate::limits::STAGE_AOT_BYTES_MAX;
use outboard_base::Digest;
use sha2::{Digest as _, Sha256};
use std::fs::{self, DirBuilder, File, Permissions};
use std::hash::{Hash as _, Hasher};
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use wasmtime::component::Component;
use wasmtime::{Engine, Precompiled};

/// The cache of one host.
#[derive(Debug, Clone)]
pub(super) struct Cache {
    dir: Option<CacheDir>,
    /// The [key](engine_key) of the engine that entries must be for.
    engine: String,
}

/// The directory of the entries, and the key that authenticates them.
#[derive(Debug, Clone)]
struct CacheDir {
    dir: PathBuf,
    key: Key,
}

impl Cache {
    /// Opens the cache. `key`: the key's file; by default `<directory>.key`. Nothing is cached without a directory, or if others than
    /// this user may use the directory or the key.
    pub(super) fn open(dir: Option<&Path>, key: Option<&Path>, engine: &Engine) -> Self {
        let dir = dir.and_then(|dir| match CacheDir::open(dir, key) {
            Ok(dir) => Some(dir),
            Err(error) => {
                tracing::warn!(dir = %dir.display(), %error, "compiled stages are not cached");
                None
            }
        });
        Self { dir, engine: engine_key(engine) }
    }

    /// The key of the engine, which differs between engines that cannot run each other's code.
    pub(super) fn engine(&self) -> &str {
        &self.engine
    }

    /// Loads a component's code from the cache, if it has a valid entry.
    pub(super) fn find(&self, engine: &Engine, digest: &Digest) -> Option<Component> {
        let dir = self.dir.as_ref()?;
        match dir.read(engine, &self.name(digest)) {
            Ok(found) => found,
            Err(reason) => {
                tracing::warn!(%digest, %reason, "a compiled stage in the cache cannot be used; compiling again");
                None
            }
        }
    }

    /// Compiles a component in this process and caches its code. Blocks: milliseconds for Rust, seconds for languages with a runtime.
    pub(super) fn compile(&self, engine: &Engine, digest: &Digest, wasm: &[u8]) -> wasmtime::Result<Component> {
        let compiled = engine.precompile_component(wasm).and_then(|code| self.keep(engine, digest, &code));
        give_memory_back();
        compiled
    }

    /// Caches code from this host's compiler, and loads it.
    pub(super) fn keep(&self, engine: &Engine, digest: &Digest, code: &[u8]) -> wasmtime::Result<Component> {
        if let Some(dir) = &self.dir {
            let name = self.name(digest);
            match dir.write(digest, &name, code) {
                Ok(()) => return deserialize_file(engine, &dir.dir.join(name)),
                Err(error) => tracing::warn!(%digest, %error, "a compiled stage could not be cached"),
            }
        }
        deserialize(engine, code)
    }

    fn name(&self, digest: &Digest) -> String {
        format!("{digest}-{}.cwasm", self.engine)
    }
}

// === impl CacheDir ===

impl CacheDir {
    fn open(dir: &Path, key: Option<&Path>) -> io::Result<Self> {
        make_private(dir)?;
        let key = key.map_or_else(|| dir.with_extension("key"), Path::to_owned);
        Ok(Self { dir: dir.to_owned(), key: Key::open(&key)? })
    }

    fn write(&self, digest: &Digest, name: &str, code: &[u8]) -> io::Result<()> {
        let path = self.dir.join(name);
        remove_others(&self.dir, digest, &path)?;
        make_room(&self.dir, STAGE_AOT_BYTES_MAX.saturating_sub(code.len() as u64))?;
        let mut mac = self.key.mac(name);
        mac.update(code);
        // The MAC is written first: an entry without one is not used.
        write_renamed(&mac_path(&path), mac.text().as_bytes())?;
        write_renamed(&path, code)
    }

    /// Loads an entry after checking its MAC; `None` if there is no entry.
    fn read(&self, engine: &Engine, name: &str) -> Result<Option<Component>, String> {
        let path = self.dir.join(name);
        let mut file = match File::options().read(true).custom_flags(libc::O_NOFOLLOW).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.to_string()),
        };
        own(&file.metadata().map_err(|error| error.to_string())?, 0o022).map_err(|error| error.to_string())?;
        let told = fs::read_to_string(mac_path(&path)).map_err(|error| format!("its MAC: {error}"))?;
        let mut mac = self.key.mac(name);
        take_all(&mut file, &mut mac).map_err(|error| error.to_string())?;
        if !mac.is(&told) {
            return Err("this host's key did not make it".to_owned());
        }
        // The file that was checked, even if its name was replaced since.
        let opened = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        let path = if opened.exists() { opened } else { path };
        match Engine::detect_precompiled_file(&path) {
            Ok(Some(Precompiled::Component)) => {
                deserialize_file(engine, &path).map(Some).map_err(|error| format!("{error:#}"))
            }
            Ok(_) => Err("it is not a compiled component".to_owned()),
            Err(error) => Err(format!("{error:#}")),
        }
    }
}

#[expect(unsafe_code, reason = "compiled code can only be loaded on trust")]
fn deserialize_file(engine: &Engine, path: &Path) -> wasmtime::Result<Component> {
    // SAFETY: the file is what this host's own compiler made: it lies in a directory that only the host's user can
    // write to, its name has the digest of the component and the engine's compatibility hash, its content was just
    // written or has a MAC of the host's key, and files there are only ever replaced by renaming, never changed in place,
    // so the mapping stays as it was checked. wasmtime itself checks version, target and settings in the file.
    unsafe { Component::deserialize_file(engine, path) }
}

/// Loads code that was just compiled.
#[expect(unsafe_code, reason = "compiled code can only be loaded on trust")]
pub(super) fn deserialize(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: callers have the code from this host's own compiler, in this process or in one that this process started.
    // wasmtime itself checks version, target and settings in it.
    unsafe { Component::deserialize(engine, code) }
}

/// Returns free memory to the system. A compilation takes tens of megabytes, hundreds for JavaScript, which glibc would keep.
fn give_memory_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        #[expect(unsafe_code, reason = "a C function without a safe wrapper")]
        // SAFETY: it takes no pointer, may be called at any time from any thread and only touches memory that is free.
        unsafe {
            libc::malloc_trim(0);
        }
    }
}

fn take_all(file: &mut File, mac: &mut Mac) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(()),
            read => mac.update(buffer.get(..read).unwrap_or_default()),
        }
    }
}

/// Creates a directory that only this user may use; restricts the mode of an existing one.
pub(super) fn make_private(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    own(&fs::metadata(dir)?, 0)?;
    fs::set_permissions(dir, Permissions::from_mode(0o700))
}

/// Checks that a file belongs to this user and that its mode has none of these bits.
fn own(facts: &fs::Metadata, without: u32) -> io::Result<()> {
    let (of, we) = (facts.uid(), rustix::process::geteuid().as_raw());
    if of != we {
        return Err(io::Error::other(format!("it belongs to user {of}, and this process runs as user {we}")));
    }
    let mode = facts.mode() & 0o777;
    match mode & without {
        0 => Ok(()),
        _ => Err(io::Error::other(format!("its mode is {mode:04o}: others than its owner may use it"))),
    }
}

pub(super) fn write_renamed(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    file.write_all(bytes)?;
    file.persist(path)?;
    Ok(())
}

fn mac_path(path: &Path) -> PathBuf {
    path.with_extension("mac")
}

/// Removes the entries of a component for other engines.
fn remove_others(dir: &Path, digest: &Digest, keep: &Path) -> io::Result<()> {
    let prefix = format!("{digest}-");
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let of_digest = path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(&prefix));
        if of_digest && path != keep && path != mac_path(keep) {
            remove(&path)?;
        }
    }
    Ok(())
}

/// Removes the oldest entries until the cache has at most `limit` bytes.
fn make_room(dir: &Path, limit: u64) -> io::Result<()> {
    let mut entries: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let Ok(facts) = entry.metadata() else { continue };
        if entry.path().extension().is_some_and(|extension| extension == "cwasm") {
            entries.push((facts.modified()?, facts.len(), entry.path()));
        }
    }
    entries.sort();
    let mut total: u64 = entries.iter().map(|(_, size, _)| size).sum();
    for (_, size, path) in entries {
        if total <= limit {
            break;
        }
        remove(&path)?;
        remove(&mac_path(&path))?;
        total = total.saturating_sub(size);
    }
    Ok(())
}

pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A hash of wasmtime's version, target, compiler flags and tunables: 16 hexadecimal digits.
pub(super) fn engine_key(engine: &Engine) -> String {
    struct Sha(Sha256);
    impl Hasher for Sha {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }

        fn finish(&self) -> u64 {
            let bytes = self.0.clone().finalize();
            bytes.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
        }
    }
    let mut hasher = Sha(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

#[cfg(test)]
mod tests;
