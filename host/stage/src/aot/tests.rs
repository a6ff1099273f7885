use super::*;

/// The smallest component there is: the cache does not care what is in it.
const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

fn fixture() -> (tempfile::TempDir, PathBuf, Engine, Digest, &'static [u8]) {
    let (engine, _) = crate::engine::build(4).unwrap();
    let tmp = tempfile::tempdir().unwrap();
    let dir = tmp.path().join("aot");
    (tmp, dir, engine, Digest::of(EMPTY), EMPTY)
}

fn entry(cache: &Cache, digest: &Digest) -> PathBuf {
    cache.dir.as_ref().unwrap().dir.join(cache.name(digest))
}

fn files(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn compiled_once_then_taken_from_a_private_directory() {
    let (_tmp, dir, engine, digest, wasm) = fixture();
    let cache = Cache::open(Some(&dir), None, &engine);
    assert!(cache.find(&engine, &digest).is_none());
    cache.compile(&engine, &digest, wasm).unwrap();
    assert!(cache.find(&engine, &digest).is_some());
    assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
    let name = format!("{digest}-{}", engine_key(&engine));
    assert_eq!(files(&dir), [format!("{name}.cwasm"), format!("{name}.mac")]);
}

#[test]
fn a_damaged_entry_is_not_used_and_can_be_replaced() {
    let (_tmp, dir, engine, digest, wasm) = fixture();
    let cache = Cache::open(Some(&dir), None, &engine);
    cache.compile(&engine, &digest, wasm).unwrap();
    let path = entry(&cache, &digest);
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
    fs::remove_file(mac_path(&path)).unwrap();
    assert!(cache.find(&engine, &digest).is_none());
}

#[test]
fn what_is_not_compiled_code_is_refused_even_with_the_hosts_mac() {
    let (_tmp, dir, engine, digest, wasm) = fixture();
    let cache = Cache::open(Some(&dir), None, &engine);
    for content in [b"garbage".as_slice(), wasm] {
        cache.dir.as_ref().unwrap().write(&digest, &cache.name(&digest), content).unwrap();
        assert!(cache.find(&engine, &digest).is_none());
    }
}

#[test]
fn what_another_key_made_is_not_used_nor_what_stood_under_another_name() {
    let (tmp, dir, engine, digest, wasm) = fixture();
    let cache = Cache::open(Some(&dir), None, &engine);
    cache.compile(&engine, &digest, wasm).unwrap();
    let path = entry(&cache, &digest);
    // Whole and of this engine, but of another host.
    let theirs = Cache::open(Some(&tmp.path().join("theirs")), None, &engine);
    theirs.compile(&engine, &digest, wasm).unwrap();
    assert_eq!(fs::read(&path).unwrap(), fs::read(entry(&theirs, &digest)).unwrap());
    fs::copy(mac_path(&entry(&theirs, &digest)), mac_path(&path)).unwrap();
    assert!(cache.find(&engine, &digest).is_none());
    // A SHA-256 instead, as anybody can make it.
    let sum: String = Sha256::digest(fs::read(&path).unwrap()).iter().map(|byte| format!("{byte:02x}")).collect();
    write_renamed(&mac_path(&path), sum.as_bytes()).unwrap();
    assert!(cache.find(&engine, &digest).is_none());
    // This host's own, of another component.
    cache.compile(&engine, &digest, wasm).unwrap();
    let other = Digest::of(b"other");
    fs::copy(&path, entry(&cache, &other)).unwrap();
    fs::copy(mac_path(&path), mac_path(&entry(&cache, &other))).unwrap();
    assert!(cache.find(&engine, &other).is_none());
    assert!(cache.find(&engine, &digest).is_some());
}

#[test]
fn what_others_can_write_to_is_not_used() {
    let (_tmp, dir, engine, digest, wasm) = fixture();
    let cache = Cache::open(Some(&dir), None, &engine);
    cache.compile(&engine, &digest, wasm).unwrap();
    let path = entry(&cache, &digest);
    fs::set_permissions(&path, Permissions::from_mode(0o622)).unwrap();
    assert!(cache.find(&engine, &digest).is_none());
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    assert!(cache.find(&engine, &digest).is_some());
    let aside = dir.join("aside");
    fs::rename(&path, &aside).unwrap();
    std::os::unix::fs::symlink(&aside, &path).unwrap();
    assert!(cache.find(&engine, &digest).is_none(), "a link is not followed");
    // Without its key, which others could know, nothing is cached.
    fs::set_permissions(dir.with_extension("key"), Permissions::from_mode(0o644)).unwrap();
    assert!(Cache::open(Some(&dir), None, &engine).dir.is_none());
}

#[test]
fn a_directory_of_another_user_is_not_used() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: only root can give a directory away");
        return;
    }
    let (_tmp, dir, engine, _, _) = fixture();
    fs::create_dir(&dir).unwrap();
    std::os::unix::fs::chown(&dir, Some(65534), None).unwrap();
    assert!(Cache::open(Some(&dir), None, &engine).dir.is_none());
}

#[test]
fn another_engines_code_is_not_used_and_goes() {
    let (_tmp, dir, engine, digest, wasm) = fixture();
    let mut config = wasmtime::Config::new();
    config.cranelift_opt_level(wasmtime::OptLevel::None);
    let other = Engine::new(&config).unwrap();
    assert_ne!(engine_key(&engine), engine_key(&other));
    let theirs = Cache::open(Some(&dir), None, &other);
    theirs.compile(&other, &digest, wasm).unwrap();
    let cache = Cache::open(Some(&dir), None, &engine);
    assert!(cache.find(&engine, &digest).is_none());
    // Even under this engine's name, with a MAC of this host's, wasmtime itself refuses it.
    let code = fs::read(entry(&theirs, &digest)).unwrap();
    cache.dir.as_ref().unwrap().write(&digest, &cache.name(&digest), &code).unwrap();
    assert!(cache.find(&engine, &digest).is_none());
    cache.compile(&engine, &digest, wasm).unwrap();
    assert_eq!(files(&dir).len(), 2);
}

#[test]
fn the_cache_is_bounded_oldest_first() {
    let tmp = tempfile::tempdir().unwrap();
    for (age, name) in [(3, "a"), (2, "b"), (1, "c")] {
        for extension in ["cwasm", "mac"] {
            let path = tmp.path().join(name).with_extension(extension);
            fs::write(&path, [0; 100]).unwrap();
            let time = SystemTime::now() - std::time::Duration::from_secs(age * 60);
            File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        }
    }
    make_room(tmp.path(), 200).unwrap();
    assert_eq!(files(tmp.path()), ["b.cwasm", "b.mac", "c.cwasm", "c.mac"]);
}

#[test]
fn without_a_usable_directory_it_still_compiles() {
    let (tmp, _, engine, digest, wasm) = fixture();
    let file = tmp.path().join("file");
    fs::write(&file, "").unwrap();
    for dir in [None, Some(file.as_path())] {
        let cache = Cache::open(dir, None, &engine);
        cache.compile(&engine, &digest, wasm).unwrap();
        assert!(cache.find(&engine, &digest).is_none());
    }
    let gone = tmp.path().join("gone");
    let cache = Cache::open(Some(&gone), None, &engine);
    fs::remove_dir(&gone).unwrap();
    cache.compile(&engine, &digest, wasm).unwrap();
}
