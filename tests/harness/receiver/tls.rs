//! A TLS proxy in front of a receiver, with a certificate made for the test.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// Accepts TLS on its own port and forwards plain bytes; ends on drop.
pub struct TlsFront {
    port: u16,
    certificate: PathBuf,
    _dir: tempfile::TempDir,
    _tasks: JoinSet<()>,
}

impl TlsFront {
    /// Starts a proxy for a port on 127.0.0.1.
    pub async fn start(to: u16) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let certificate = make_certificate(dir.path());
        let chain: Vec<_> =
            CertificateDer::pem_file_iter(&certificate).expect("PEM").map(|one| one.expect("PEM")).collect();
        let key = PrivateKeyDer::from_pem_file(dir.path().join("key.pem")).expect("a key");
        let builder = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().expect("protocol versions").with_no_client_auth();
        let acceptor = TlsAcceptor::from(Arc::new(builder.with_single_cert(chain, key).expect("a certificate")));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                connections.spawn(async move {
                    let mut plain = TcpStream::connect(("127.0.0.1", to)).await?;
                    let mut client = acceptor.accept(client).await?;
                    copy_bidirectional(&mut client, &mut plain).await
                });
            }
        });
        Self { port, certificate, _dir: dir, _tasks: tasks }
    }

    /// The port on which it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The certificate to trust.
    pub fn certificate(&self) -> &Path {
        &self.certificate
    }
}

fn make_certificate(dir: &Path) -> PathBuf {
    let certificate = dir.join("certificate.pem");
    let status = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=outboard test", "-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
        .arg(dir.join("key.pem"))
        .arg("-out")
        .arg(&certificate)
        .stderr(std::process::Stdio::null())
        .status();
    assert!(status.expect("openssl starts").success(), "openssl makes a certificate");
    certificate
}
