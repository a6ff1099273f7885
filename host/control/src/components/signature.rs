//! Detached signatures over a component's file: Ed25519, and ECDSA on P-256 with SHA-256 as `cosign sign-blob --key` makes them.
//!
//! Keys are PEM (`-----BEGIN PUBLIC KEY-----`), signatures base64 or the bytes themselves. Not done: certificates, transparency
//! logs, signatures over a container's manifest.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ECDSA_P256_SHA256_ASN1, ED25519, UnparsedPublicKey};
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject;

use crate::limits::{STAGE_POLICY_KEY_BYTES_MAX, STAGE_SIGNATURE_BYTES_MAX};
use outboard_stage::Digest;

/// What stands before a key's own bytes in its DER form (RFC 8410, RFC 5480): the algorithm, which has no variable part.
const ED25519_HEAD: &[u8] = &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const P256_HEAD: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// An Ed25519 signature's length, and that of the longest of ECDSA on P-256 in DER.
const RAW_BYTES: std::ops::RangeInclusive<usize> = 64..=72;

/// Whoever has its private half may sign for a tenant.
pub struct PublicKey {
    key: UnparsedPublicKey<Vec<u8>>,
    id: Digest,
}

// === impl PublicKey ===

impl PublicKey {
    /// # Errors
    /// What is wrong, and what would be right.
    pub fn from_pem(pem: &str) -> Result<Self, String> {
        const WANTED: &str = "expected an Ed25519 or ECDSA P-256 public key as PEM (-----BEGIN PUBLIC KEY-----)";
        if pem.len() > STAGE_POLICY_KEY_BYTES_MAX {
            return Err(format!("has {} bytes; the limit is {STAGE_POLICY_KEY_BYTES_MAX}", pem.len()));
        }
        let der = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes());
        let der = der.map_err(|_| format!("is not a public key; {WANTED}"))?;
        // ECDSA: the point in full, 4 and both coordinates.
        let key = match (der.strip_prefix(ED25519_HEAD), der.strip_prefix(P256_HEAD)) {
            (Some(key), _) if key.len() == 32 => UnparsedPublicKey::new(&ED25519 as _, key.to_vec()),
            (_, Some(key)) if key.len() == 65 && key[0] == 4 => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1 as _, key.to_vec())
            }
            _ => return Err(format!("is a public key of an unsupported kind; {WANTED}")),
        };
        Ok(Self { key, id: Digest::of(&der) })
    }

    /// The SHA-256 of its DER form.
    pub fn id(&self) -> String {
        format!("sha256:{}", self.id)
    }

    /// Whether these bytes were signed with it.
    pub fn verifies(&self, bytes: &[u8], signature: &Signature) -> bool {
        self.key.verify(bytes, &signature.0).is_ok()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.id())
    }
}

/// A detached signature over a component's file, Ed25519 or ECDSA P-256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature(Vec<u8>);

// === impl Signature ===

impl Signature {
    /// Of a signature file: base64 text, or the signature itself.
    ///
    /// # Errors
    /// It is neither.
    pub fn read(file: &[u8]) -> Result<Self, String> {
        if file.len() > STAGE_SIGNATURE_BYTES_MAX {
            return Err(format!("has {} bytes; the limit is {STAGE_SIGNATURE_BYTES_MAX}", file.len()));
        }
        match STANDARD.decode(file.trim_ascii()) {
            Ok(bytes) if !bytes.is_empty() => Ok(Self(bytes)),
            _ if RAW_BYTES.contains(&file.len()) => Ok(Self(file.to_vec())),
            _ => Err("is not a signature; expected base64, as cosign sign-blob prints it".to_owned()),
        }
    }

    /// The signature in base64, as it is stored.
    pub fn text(&self) -> String {
        STANDARD.encode(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Made with openssl: `pkeyutl -sign -rawin` and `dgst -sha256 -sign`, which is also what `cosign sign-blob` does.
    const SIGNED: &[u8] = b"outboard signs\n";
    const ED25519_KEY: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA7loSPeLPPTuwvC6WhRoRyrjfOd3PVt1QKYhyaSV/EW8=
-----END PUBLIC KEY-----";
    const ED25519_SIGNATURE: &str =
        "byRk+vcLuIY0RHy2QghT8yWfST4bCpmdXcnhCeFJK163cf3ahatXOIZ5/tUK1+ibHWRupNyFv0a44HplIy9MDg==";
    const P256_KEY: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEIXYgOd0q0upuspsYAvtKrRK1kXYZ
O4Jv/7a+nYC3HWoVgoG24Ed68f9s6W63W2oP/bG9hmCXpxrzeq2vS3CGZA==
-----END PUBLIC KEY-----\n";
    const P256_SIGNATURE: &str =
        "MEUCIQCY6/X951/P6/vk6HtekBWvCVDD04BwJE54mhRhv+ROwgIgdjG662KFM4P4pgBHbhHFYO6urIG2+rVRB+3HkRdgmTo=";
    const P384_KEY: &str = "-----BEGIN PUBLIC KEY-----
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEnVQ2WBWH0sQjNCT9yJDpcIQq8erfXcEG
RcJqslAVez+aK2sCe4i3z/xrcGKQNGjBmy12Ex+uCJdbxmAOkw9a4k0/5/Jgsrhu
9UTVFH3sKabtqM4Lvu/OHUUGZGSA5K6z
-----END PUBLIC KEY-----";

    #[test]
    fn a_signature_is_of_these_bytes_by_this_key() {
        for (key, text, other) in
            [(ED25519_KEY, ED25519_SIGNATURE, P256_SIGNATURE), (P256_KEY, P256_SIGNATURE, ED25519_SIGNATURE)]
        {
            let key = PublicKey::from_pem(key).unwrap();
            let signature = Signature::read(text.as_bytes()).unwrap();
            assert!(key.verifies(SIGNED, &signature));
            assert!(!key.verifies(b"outboard signs", &signature), "other bytes");
            assert!(!key.verifies(SIGNED, &Signature::read(other.as_bytes()).unwrap()), "another key's");
            let mut broken = signature.clone();
            broken.0[40] ^= 1;
            assert!(!key.verifies(SIGNED, &broken));
        }
    }

    #[test]
    fn signature_files_are_text_or_bytes() {
        let signature = Signature::read(ED25519_SIGNATURE.as_bytes()).unwrap();
        assert_eq!(signature.text(), ED25519_SIGNATURE);
        assert_eq!(Signature::read(format!("{ED25519_SIGNATURE}\n").as_bytes()).unwrap(), signature);
        assert_eq!(Signature::read(&signature.0).unwrap(), signature);
        for file in [&b""[..], b"\n", b"not a signature", &[0xff; 40]] {
            assert!(Signature::read(file).unwrap_err().contains("is not a signature"), "{file:?}");
        }
        assert!(Signature::read(&[b'A'; 2000]).unwrap_err().contains("the limit is"));
    }

    #[test]
    fn other_keys_are_named() {
        for (pem, says) in [
            (P384_KEY, "of an unsupported kind"),
            ("", "is not a public key"),
            ("-----BEGIN PUBLIC KEY-----\nnon?sense\n-----END PUBLIC KEY-----", "is not a public key"),
            ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "of an unsupported kind"),
            (&ED25519_KEY.replace("PUBLIC", "PRIVATE"), "is not a public key"),
            (&"x".repeat(5000), "the limit is"),
        ] {
            let error = PublicKey::from_pem(pem).unwrap_err();
            assert!(error.contains(says), "{pem}: {error}");
        }
    }
}
