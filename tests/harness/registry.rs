//! Debian's registry, and components that the ecosystem's own client pushes to it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a harness that cannot do its part fails the test")]

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use oci_client::client::{ClientConfig, ClientProtocol, Config, ImageLayer};
use oci_client::manifest::OciImageManifest;
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference};
use outboard::stage::Digest;
use serde_json::json;

use crate::receiver::free_port;

/// The user of a registry that was started with [`Registry::guarded`].
pub const USER: &str = "cuts";
/// The password of that user.
pub const PASSWORD: &str = "registry-secret";
/// Both as a line of an htpasswd file (bcrypt).
const HTPASSWD: &str = "cuts:$2b$05$lS4oHfyoRuujwqLjIR4bhO8Ohmydlq1Qd14FqqE93f3PVKBx3cpb.\n";
const STARTS_WITHIN: Duration = Duration::from_secs(60);

/// A registry at `127.0.0.1:<port>`; killed on drop.
pub struct Registry {
    _dir: tempfile::TempDir,
    child: Child,
    address: String,
    auth: RegistryAuth,
}

impl Registry {
    /// Starts a registry without authentication.
    pub fn start() -> Self {
        Self::new(false)
    }

    /// Starts a registry that requires [`USER`] and [`PASSWORD`].
    pub fn guarded() -> Self {
        Self::new(true)
    }

    fn new(guarded: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let address = format!("127.0.0.1:{}", free_port());
        let passwords = dir.path().join("htpasswd");
        std::fs::write(&passwords, HTPASSWD).unwrap();
        // YAML is a superset of JSON.
        let mut conf = json!({
            "version": 0.1,
            "log": { "level": "error" },
            "storage": { "filesystem": { "rootdirectory": dir.path().join("files") } },
            "http": { "addr": address },
        });
        if guarded {
            conf["auth"] = json!({ "htpasswd": { "realm": "cuts", "path": passwords } });
        }
        let path = dir.path().join("config.yml");
        std::fs::write(&path, conf.to_string()).unwrap();
        let child = Command::new("docker-registry")
            .arg("serve")
            .arg(&path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(dir.path().join("log")).unwrap())
            .spawn()
            .unwrap_or_else(|error| panic!("docker-registry: {error}; run ./scripts/setup first"));
        let deadline = Instant::now() + STARTS_WITHIN;
        while std::net::TcpStream::connect(&address).is_err() {
            let log = || std::fs::read_to_string(dir.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "the registry does not listen: {}", log());
            std::thread::sleep(Duration::from_millis(10));
        }
        let auth = match guarded {
            true => RegistryAuth::Basic(USER.to_owned(), PASSWORD.to_owned()),
            false => RegistryAuth::Anonymous,
        };
        Self { _dir: dir, child, address, auth }
    }

    /// Pushes a component in the CNCF's layout, with annotations of its layer; returns the reference with its digest.
    pub async fn push(&self, name: &str, file: Vec<u8>, notes: &[(&str, &str)]) -> String {
        outboard::tls::install();
        let client = Client::new(ClientConfig { protocol: ClientProtocol::Http, ..ClientConfig::default() });
        let notes: BTreeMap<_, _> = notes.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let layer = ImageLayer::new(file, "application/wasm".to_owned(), Some(notes));
        let config = json!({
            "created": "2026-01-01T00:00:00Z", "architecture": "wasm", "os": "wasip2",
            "layerDigests": [layer.sha256_digest()], "component": { "exports": [], "imports": [], "target": null },
        });
        let config = Config::new(config.to_string(), "application/vnd.wasm.config.v0+json".to_owned(), None);
        let manifest = OciImageManifest::build(std::slice::from_ref(&layer), &config, None);
        let image: Reference = format!("{}/{name}", self.address).parse().unwrap();
        client.push(&image, &[layer], config, &self.auth, Some(manifest)).await.unwrap();
        let (stored, digest) = client
            .pull_manifest_raw(&image, &self.auth, &["application/vnd.oci.image.manifest.v1+json"])
            .await
            .unwrap();
        assert_eq!(digest, format!("sha256:{}", Digest::of(&stored)));
        format!("oci://{image}@{digest}")
    }

    /// Kills it, as a crash would.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
