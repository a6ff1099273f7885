//! References to components in registries: `oci://host[:port]/name[:tag]@sha256:…`.

use std::fmt;
use std::str::FromStr;

use oci_spec::distribution;
use oci_spec::image::Digest;

use crate::limits::OCI_REFERENCE_BYTES_MAX;

/// What a reference has to look like.
const WANTED: &str = "expected oci://host[:port]/name[:tag]@sha256: and 64 hexadecimal digits in lower case";

/// A component in a registry, named by its manifest's digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    inner: distribution::Reference,
    digest: String,
}

// === impl Reference ===

impl Reference {
    /// # Errors
    /// What is wrong, and what would be right. Does not repeat what may be a password.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > OCI_REFERENCE_BYTES_MAX {
            return Err(format!("has {} bytes; the limit is {OCI_REFERENCE_BYTES_MAX}", text.len()));
        }
        let Some(rest) = text.strip_prefix("oci://") else {
            return Err(format!("does not begin with oci://; {WANTED}"));
        };
        // A library would make Docker's registry of a name without a host.
        let host = rest.split_once('/').map_or("", |(host, _)| host);
        if host.contains('@') {
            return Err("has credentials; give them as auth".to_owned());
        }
        if !(host.contains(['.', ':']) || host == "localhost") {
            return Err(format!("{text:?} names no registry (a name with a dot or a port, or localhost); {WANTED}"));
        }
        let inner = distribution::Reference::from_str(rest).map_err(|error| format!("{text:?}: {error}; {WANTED}"))?;
        let Some(digest) = inner.digest() else {
            return Err(format!("{text:?} has no digest, and a tag may move to another image; {WANTED}"));
        };
        let digest: Digest = digest.parse().map_err(|error| format!("{text:?}: {error}; {WANTED}"))?;
        super::is_sha256(&digest)?;
        Ok(Self { digest: digest.to_string(), inner })
    }

    /// Host and port that it is asked for at.
    pub fn registry(&self) -> &str {
        self.inner.resolve_registry()
    }

    /// Name of the repository in the registry, without host, tag and digest.
    pub fn repository(&self) -> &str {
        self.inner.repository()
    }

    /// Digest of the manifest: `sha256:` and 64 hexadecimal digits.
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "oci://{}", self.inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_pinned_to_a_digest() {
        let hex = "0f".repeat(32);
        let text = format!("oci://127.0.0.1:5000/stages/my-cuts:1.2@sha256:{hex}");
        let read = Reference::parse(&text).unwrap();
        assert_eq!((read.registry(), read.repository()), ("127.0.0.1:5000", "stages/my-cuts"));
        assert_eq!((read.digest(), read.to_string()), (&*format!("sha256:{hex}"), text));
        assert!(Reference::parse(&format!("oci://localhost/cuts@sha256:{hex}")).is_ok());
    }

    #[test]
    fn what_is_wrong_is_told_with_what_would_be_right() {
        let hex = "0f".repeat(32);
        for (text, says) in [
            ("oci://a.test/cuts:1".to_owned(), "has no digest"),
            ("oci://a.test/cuts".to_owned(), "has no digest"),
            ("https://a.test/cuts".to_owned(), "does not begin with oci://"),
            (format!("oci://cuts@sha256:{hex}"), "names no registry"),
            (format!("oci://me/cuts@sha256:{hex}"), "names no registry"),
            (format!("oci://a.test/Cuts@sha256:{hex}"), "invalid reference format"),
            (format!("oci://a.test/../cuts@sha256:{hex}"), "invalid reference format"),
            (format!("oci://a.test/cuts?x=1@sha256:{hex}"), "invalid reference format"),
            (format!("oci://a.test/cuts@sha256:{}", "0F".repeat(32)), "expected oci://"),
            ("oci://a.test/cuts@sha256:0f".to_owned(), "expected oci://"),
            (format!("oci://a.test/cuts@sha512:{}", "0f".repeat(64)), "expected sha256"),
            (format!("oci://a.test/{}@sha256:{hex}", "c".repeat(2000)), "bytes; the limit is"),
        ] {
            let error = Reference::parse(&text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
        let error = Reference::parse(&format!("oci://me:hunter2@a.test/cuts@sha256:{hex}")).unwrap_err();
        assert!(error.contains("give them as auth") && !error.contains("hunter2"), "{error}");
    }
}
