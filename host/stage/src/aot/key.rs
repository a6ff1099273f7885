//! The host's key, which authenticates the entries of the cache.
//!
//! 32 random bytes in a file that only the host's user may read (0600), created at first use. Without it, all entries are compiled
//! again. Whoever has it and may write into the cache can make the host run any code.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use super::own;

/// Length of a key, bytes.
const KEY_BYTES: usize = 32;

/// The key of a host; its bytes are never shown.
#[derive(Clone)]
pub(super) struct Key(Hmac<Sha256>);

/// A message authentication code that is being computed.
pub(super) struct Mac(Hmac<Sha256>);

// === impl Key ===

impl Key {
    /// Reads the key, or creates it if the file does not exist.
    ///
    /// # Errors
    /// The file has another length, belongs to another user, or may be read by others than its owner.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        match Self::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::make(path).map_err(named),
            read => read.map_err(named),
        }
    }

    /// Begins the code of an entry with this name; its content follows by [`Mac::update`].
    pub(super) fn mac(&self, name: &str) -> Mac {
        let mut mac = Mac(self.0.clone());
        mac.update(name.as_bytes());
        mac.update(&[0]);
        mac
    }

    fn read(path: &Path) -> io::Result<Self> {
        let file = File::options().read(true).custom_flags(libc::O_NOFOLLOW).open(path)?;
        own(&file.metadata()?, 0o077)?;
        let mut bytes = Vec::new();
        file.take(KEY_BYTES as u64 + 1).read_to_end(&mut bytes)?;
        match bytes.len() {
            KEY_BYTES => Self::of(&bytes),
            other => Err(io::Error::other(format!(
                "it has {other} bytes or more; a key has {KEY_BYTES}. Remove it, and one is made"
            ))),
        }
    }

    fn of(bytes: &[u8]) -> io::Result<Self> {
        Hmac::new_from_slice(bytes).map(Self).map_err(io::Error::other)
    }

    fn make(path: &Path) -> io::Result<Self> {
        let key: [u8; KEY_BYTES] = rand::random();
        // Its mode is 0600.
        let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
        file.write_all(&key)?;
        file.as_file().sync_all()?;
        match file.persist_noclobber(path) {
            Ok(_) => Self::of(&key),
            // Another process created it in the meantime.
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Self::read(path),
            Err(error) => Err(error.error),
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

// === impl Mac ===

impl Mac {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Ends the computation; returns the code as 64 lower-case hexadecimal digits.
    pub(super) fn text(self) -> String {
        self.0.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Ends the computation and compares the code with hexadecimal text, in constant time.
    pub(super) fn is(self, text: &str) -> bool {
        let digits = text.as_bytes().chunks(2).map(|pair| {
            let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
            u8::from_str_radix(pair, 16).ok()
        });
        digits.collect::<Option<Vec<u8>>>().is_some_and(|told| self.0.verify_slice(&told).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    fn code(key: &Key, name: &str, bytes: &[u8]) -> String {
        let mut mac = key.mac(name);
        mac.update(bytes);
        mac.text()
    }

    #[test]
    fn a_key_is_created_once_and_only_its_owner_may_read_it() {
        let tmp = tempfile::tempdir().unwrap();
        let path = tmp.path().join("key");
        let key = Key::open(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(code(&key, "a", b"b"), code(&Key::open(&path).unwrap(), "a", b"b"));
        let other = Key::open(&tmp.path().join("other")).unwrap();
        assert_ne!(code(&key, "a", b"b"), code(&other, "a", b"b"));
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        assert!(Key::open(&path).unwrap_err().to_string().contains("its mode is 0640"));
        fs::write(&path, "short").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        assert!(Key::open(&path).unwrap_err().to_string().contains("it has 5 bytes or more; a key has 32"));
    }

    #[test]
    fn a_code_covers_the_name_and_the_content() {
        let tmp = tempfile::tempdir().unwrap();
        let key = Key::open(&tmp.path().join("key")).unwrap();
        let told = code(&key, "name", b"content");
        let is = |name: &str, bytes: &[u8], told: &str| {
            let mut mac = key.mac(name);
            mac.update(bytes);
            mac.is(told)
        };
        assert!(is("name", b"content", &told));
        assert!(!is("nam", b"econtent", &told), "the name ends where it ends");
        assert!(!is("name", b"contents", &told));
        for wrong in ["", "0", "zz", &told[1..], &told[2..], &format!("{told}00"), "\u{e9}\u{e9}"] {
            assert!(!is("name", b"content", wrong), "{wrong:?}");
        }
    }
}
