//! Keys for signing components.
#![expect(clippy::unwrap_used, reason = "a harness that cannot do its part fails the test")]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};

/// A private key and its public key.
pub struct Signer {
    key: Key,
    /// The public key, as PEM.
    pub public: String,
}

enum Key {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
}

impl Signer {
    /// A new Ed25519 key.
    pub fn ed25519() -> Self {
        let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let key = Ed25519KeyPair::from_pkcs8(made.as_ref()).unwrap();
        let public = pem(b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00", key.public_key().as_ref());
        Self { key: Key::Ed25519(key), public }
    }

    /// A new ECDSA key on P-256, as created by cosign.
    pub fn p256() -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let made = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(algorithm, made.as_ref(), &random).unwrap();
        let head =
            b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00";
        let public = pem(head, key.public_key().as_ref());
        Self { key: Key::P256(key), public }
    }

    /// The detached signature, in base64.
    pub fn sign(&self, bytes: &[u8]) -> String {
        match &self.key {
            Key::Ed25519(key) => STANDARD.encode(key.sign(bytes)),
            Key::P256(key) => STANDARD.encode(key.sign(&SystemRandom::new(), bytes).unwrap()),
        }
    }
}

fn pem(head: &[u8], key: &[u8]) -> String {
    let der = STANDARD.encode([head, key].concat());
    format!("-----BEGIN PUBLIC KEY-----\n{der}\n-----END PUBLIC KEY-----\n")
}
