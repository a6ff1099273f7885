//! The cache of compiled components on disk.
//!
//! In: a component's bytes and digest. Out: its code, from the cache if the entry is whole and of this very engine, else
//! compiled. An entry is `<digest>-<engine>.cwasm` and beside it `….sum`, the SHA-256 of its content; both are
//! written to a temporary name and renamed. Compiled code runs with the host's rights, so the directory is the host's own
//! (0700), and an entry whose checksum does not fit is compiled again, never run.
//!
//! Limits: the cache's size on disk; other entries of the same component (another wasmtime) go when it is compiled.

use super::component::Digest;
use crate::limits::STAGE_AOT_BYTES_MAX;
use sha2::{Digest as _, Sha256};
use std::fs::{self, DirBuilder, File, Permissions};
use std::hash::{Hash as _, Hasher};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use wasmtime::component::Component;
use wasmtime::{Engine, Precompiled};

/// The cache of one host.
#[derive(Debug, Clone)]
pub(super) struct Cache {
    dir: Option<PathBuf>,
    /// Tells engines apart whose code does not fit each other.
    engine: String,
}

impl Cache {
    /// Opens the cache. Without a directory, or with one that cannot be made private, nothing is cached.
    pub(super) fn open(dir: Option<&Path>, engine: &Engine) -> Self {
        let dir = dir.and_then(|dir| match make_private(dir) {
            Ok(()) => Some(dir.to_owned()),
            Err(error) => {
                tracing::warn!(dir = %dir.display(), %error, "compiled stages are not cached");
                None
            }
        });
        Self { dir, engine: engine_key(engine) }
    }

    /// A component's code from the cache, if there is any of use.
    pub(super) fn find(&self, engine: &Engine, digest: &Digest) -> Option<Component> {
        match read_entry(engine, &self.entry(digest)?) {
            Ok(found) => found,
            Err(reason) => {
                tracing::warn!(%digest, %reason, "a compiled stage in the cache is of no use; compiling again");
                None
            }
        }
    }

    /// Compiles a component and keeps its code. Takes milliseconds for Rust, seconds for languages with a runtime.
    pub(super) fn compile(&self, engine: &Engine, digest: &Digest, wasm: &[u8]) -> wasmtime::Result<Component> {
        let compiled = match self.entry(digest) {
            None => Component::new(engine, wasm),
            Some(path) => {
                let code = engine.precompile_component(wasm)?;
                match self.write_entry(digest, &path, &code) {
                    Ok(()) => deserialize_file(engine, &path),
                    Err(error) => {
                        tracing::warn!(%digest, %error, "a compiled stage could not be cached");
                        Component::new(engine, wasm)
                    }
                }
            }
        };
        give_memory_back();
        compiled
    }

    fn entry(&self, digest: &Digest) -> Option<PathBuf> {
        self.dir.as_ref().map(|dir| dir.join(format!("{digest}-{}.cwasm", self.engine)))
    }

    fn write_entry(&self, digest: &Digest, path: &Path, code: &[u8]) -> io::Result<()> {
        let Some(dir) = &self.dir else { return Ok(()) };
        remove_others(dir, digest, path)?;
        make_room(dir, STAGE_AOT_BYTES_MAX.saturating_sub(code.len() as u64))?;
        // The checksum first: an entry without one is not read.
        write_renamed(&sum_path(path), hex(&Sha256::digest(code)).as_bytes())?;
        write_renamed(path, code)
    }
}

/// Code of this engine from a whole entry; `None` if there is no entry.
fn read_entry(engine: &Engine, path: &Path) -> Result<Option<Component>, String> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let sum = fs::read_to_string(sum_path(path)).map_err(|error| format!("its checksum: {error}"))?;
    if sum != checksum(&mut file).map_err(|error| error.to_string())? {
        return Err("its checksum does not fit".to_owned());
    }
    match Engine::detect_precompiled_file(path) {
        Ok(Some(Precompiled::Component)) => {
            deserialize_file(engine, path).map(Some).map_err(|error| format!("{error:#}"))
        }
        Ok(_) => Err("it is not a compiled component".to_owned()),
        Err(error) => Err(format!("{error:#}")),
    }
}

#[expect(unsafe_code, reason = "compiled code can only be loaded on trust")]
fn deserialize_file(engine: &Engine, path: &Path) -> wasmtime::Result<Component> {
    // SAFETY: the file is what this host's own engine compiled: it lies in a directory that only the host's user can
    // write to, its name has the digest of the component and the engine's compatibility hash, its content was just
    // written or fits its checksum, and files there are only ever replaced by renaming, never changed in place, so the
    // mapping stays as it was checked. wasmtime itself checks version, target and settings in the file.
    unsafe { Component::deserialize_file(engine, path) }
}

/// Returns what a compilation took (tens of megabytes, hundreds for JavaScript) to the system: glibc would keep it.
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

fn checksum(file: &mut File) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&hash.finalize())),
            read => hash.update(buffer.get(..read).unwrap_or_default()),
        }
    }
}

fn make_private(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    // Only the owner may do this, so it also shows that the directory is ours.
    fs::set_permissions(dir, Permissions::from_mode(0o700))
}

fn write_renamed(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    file.write_all(bytes)?;
    file.persist(path)?;
    Ok(())
}

fn sum_path(path: &Path) -> PathBuf {
    path.with_extension("sum")
}

/// Removes what other engines compiled of the same component.
fn remove_others(dir: &Path, digest: &Digest, keep: &Path) -> io::Result<()> {
    let prefix = format!("{digest}-");
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let of_digest = path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(&prefix));
        if of_digest && path != keep && path != sum_path(keep) {
            remove(&path)?;
        }
    }
    Ok(())
}

/// Removes the entries that were written first until the cache has at most `limit` bytes.
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
        remove(&sum_path(&path))?;
        total = total.saturating_sub(size);
    }
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// wasmtime's version, target, compiler flags and tunables in a few characters.
fn engine_key(engine: &Engine) -> String {
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
mod tests {
    use super::*;

    /// The smallest component there is: the cache does not care what is in it.
    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    fn fixture() -> (tempfile::TempDir, Engine, Digest, &'static [u8]) {
        let (engine, _) = crate::stage::engine::build(4).unwrap();
        (tempfile::tempdir().unwrap(), engine, Digest::of(EMPTY), EMPTY)
    }

    fn files(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn compiled_once_then_taken_from_a_private_directory() {
        let (tmp, engine, digest, wasm) = fixture();
        let dir = tmp.path().join("aot");
        let cache = Cache::open(Some(&dir), &engine);
        assert!(cache.find(&engine, &digest).is_none());
        cache.compile(&engine, &digest, wasm).unwrap();
        assert!(cache.find(&engine, &digest).is_some());
        assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
        let name = format!("{digest}-{}", engine_key(&engine));
        assert_eq!(files(&dir), [format!("{name}.cwasm"), format!("{name}.sum")]);
    }

    #[test]
    fn a_damaged_entry_is_not_used_and_can_be_replaced() {
        let (tmp, engine, digest, wasm) = fixture();
        let cache = Cache::open(Some(tmp.path()), &engine);
        cache.compile(&engine, &digest, wasm).unwrap();
        let path = cache.entry(&digest).unwrap();
        let good = fs::read(&path).unwrap();

        let mut flipped = good.clone();
        let middle = flipped.len() / 2;
        flipped[middle] ^= 1;
        let wrong: [&[u8]; 3] = [&flipped, &good[..good.len() / 2], b""];
        for content in wrong {
            // Replaced, not changed in place: the first component's code is mapped from the old file.
            write_renamed(&path, content).unwrap();
            assert!(cache.find(&engine, &digest).is_none());
            cache.compile(&engine, &digest, wasm).unwrap();
            assert!(cache.find(&engine, &digest).is_some(), "the entry is whole again");
        }
        fs::remove_file(sum_path(&path)).unwrap();
        assert!(cache.find(&engine, &digest).is_none());
    }

    #[test]
    fn what_is_not_compiled_code_is_refused_even_with_its_checksum() {
        let (tmp, engine, digest, wasm) = fixture();
        let cache = Cache::open(Some(tmp.path()), &engine);
        let path = cache.entry(&digest).unwrap();
        for content in [b"garbage".as_slice(), wasm] {
            write_renamed(&path, content).unwrap();
            write_renamed(&sum_path(&path), hex(&Sha256::digest(content)).as_bytes()).unwrap();
            assert!(cache.find(&engine, &digest).is_none());
        }
    }

    #[test]
    fn another_engines_code_is_not_used_and_goes() {
        let (tmp, engine, digest, wasm) = fixture();
        let mut config = wasmtime::Config::new();
        config.cranelift_opt_level(wasmtime::OptLevel::None);
        let other = Engine::new(&config).unwrap();
        assert_ne!(engine_key(&engine), engine_key(&other));
        Cache::open(Some(tmp.path()), &other).compile(&other, &digest, wasm).unwrap();
        let cache = Cache::open(Some(tmp.path()), &engine);
        assert!(cache.find(&engine, &digest).is_none());
        // Even under this engine's name wasmtime itself refuses it.
        let theirs = Cache::open(Some(tmp.path()), &other).entry(&digest).unwrap();
        fs::copy(&theirs, cache.entry(&digest).unwrap()).unwrap();
        fs::copy(sum_path(&theirs), sum_path(&cache.entry(&digest).unwrap())).unwrap();
        assert!(cache.find(&engine, &digest).is_none());
        cache.compile(&engine, &digest, wasm).unwrap();
        assert_eq!(files(tmp.path()).len(), 2);
    }

    #[test]
    fn the_cache_is_bounded_oldest_first() {
        let tmp = tempfile::tempdir().unwrap();
        for (age, name) in [(3, "a"), (2, "b"), (1, "c")] {
            for extension in ["cwasm", "sum"] {
                let path = tmp.path().join(name).with_extension(extension);
                fs::write(&path, [0; 100]).unwrap();
                let time = SystemTime::now() - std::time::Duration::from_secs(age * 60);
                File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
            }
        }
        make_room(tmp.path(), 200).unwrap();
        assert_eq!(files(tmp.path()), ["b.cwasm", "b.sum", "c.cwasm", "c.sum"]);
    }

    #[test]
    fn without_a_usable_directory_it_still_compiles() {
        let (tmp, engine, digest, wasm) = fixture();
        let file = tmp.path().join("file");
        fs::write(&file, "").unwrap();
        for dir in [None, Some(file.as_path())] {
            let cache = Cache::open(dir, &engine);
            cache.compile(&engine, &digest, wasm).unwrap();
            assert!(cache.find(&engine, &digest).is_none());
        }
        let gone = tmp.path().join("gone");
        let cache = Cache::open(Some(&gone), &engine);
        fs::remove_dir(&gone).unwrap();
        cache.compile(&engine, &digest, wasm).unwrap();
    }
}
