//! The connection below RTMP: TCP, or TLS over TCP.
//!
//! In: host and port, and the guard that decides whether they may be reached. Out: a byte stream without Nagle's delay.
//! Limits: [`AIR_CONNECT_TIMEOUT`] for the connection, and another for the TLS handshake.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::limits::AIR_CONNECT_TIMEOUT;
use crate::target::RtmpTarget;
use outboard_net::{Guard, NetError};

/// A byte stream to a server.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// Which certificates to trust. The system's roots are always trusted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsSettings {
    /// A PEM file of additional roots.
    pub extra_ca: Option<PathBuf>,
    /// Accept any certificate: for tests and closed networks.
    pub insecure: bool,
}

/// Why there is no connection.
#[derive(Debug, Error)]
pub enum TransportError {
    /// TCP or name resolution failed, or the network policy denies the address.
    #[error("no connection to {host}:{port}: {error}")]
    Connect {
        /// Host name or address, as in the URL.
        host: String,
        /// TCP port of the server.
        port: u16,
        /// The error of the operating system, or the rule of the policy.
        error: NetError,
    },
    /// The time limit was exceeded.
    #[error("no connection to {host}:{port} within {} s", AIR_CONNECT_TIMEOUT.as_secs())]
    Timeout {
        /// Host name or address, as in the URL.
        host: String,
        /// TCP port of the server.
        port: u16,
    },
    /// The TLS handshake failed.
    #[error("no TLS with {host}: {error}")]
    Tls {
        /// Host name or address, as in the URL.
        host: String,
        /// The error of the TLS handshake.
        error: std::io::Error,
    },
    /// The TLS settings cannot be used.
    #[error("TLS settings: {0}")]
    Settings(String),
}

impl TransportError {
    /// Whether the same server may work later.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Connect { error, .. } => !matches!(error, NetError::Denied(_)),
            Self::Timeout { .. } => true,
            Self::Tls { .. } | Self::Settings(_) => false,
        }
    }
}

/// Connects to the target over TCP, with TLS if the target requires it.
///
/// # Errors
/// [`TransportError`] if the connection or the TLS handshake fails, takes too long, or has invalid settings.
pub async fn connect(target: &RtmpTarget, tls: &TlsSettings, guard: &Guard) -> Result<Box<dyn Io>, TransportError> {
    let (host, port) = (target.host.clone(), target.port);
    let slow = || TransportError::Timeout { host: target.host.clone(), port };
    let tcp = timeout(AIR_CONNECT_TIMEOUT, guard.connect(&host, port)).await.map_err(|_| slow())?;
    let tcp = tcp.map_err(|error| TransportError::Connect { host: host.clone(), port, error })?;
    if !target.tls {
        return Ok(Box::new(tcp));
    }
    let config = client_config(tls).await?;
    let name = ServerName::try_from(host.clone()).map_err(|error| TransportError::Settings(error.to_string()))?;
    let stream = TlsConnector::from(config).connect(name, tcp);
    let stream = timeout(AIR_CONNECT_TIMEOUT, stream).await.map_err(|_| slow())?;
    Ok(Box::new(stream.map_err(|error| TransportError::Tls { host, error })?))
}

async fn client_config(settings: &TlsSettings) -> Result<Arc<ClientConfig>, TransportError> {
    if *settings == TlsSettings::default() {
        return Ok(outboard_net::tls::client_config().await);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| TransportError::Settings(error.to_string()))?;
    if settings.insecure {
        let verifier = Arc::new(TakeAny(provider));
        return Ok(Arc::new(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()));
    }
    let mut roots = RootCertStore::clone(&*outboard_net::tls::roots().await);
    if let Some(path) = &settings.extra_ca {
        let bad = |error: &dyn std::fmt::Display| TransportError::Settings(format!("{}: {error}", path.display()));
        let pem = tokio::fs::read(path).await.map_err(|error| bad(&error))?;
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            roots.add(certificate.map_err(|error| bad(&error))?).map_err(|error| bad(&error))?;
        }
    }
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

/// Checks signatures, but not who signed.
#[derive(Debug)]
struct TakeAny(Arc<CryptoProvider>);

impl ServerCertVerifier for TakeAny {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn says_what_is_wrong() {
        // A port that was free a moment ago refuses connections.
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let target = |tls, port| RtmpTarget {
            tls,
            host: "127.0.0.1".into(),
            port,
            app: "a".into(),
            tc_url: String::new(),
            key: "k".into(),
            login: None,
        };
        let error = connect(&target(false, port), &TlsSettings::default(), &Guard::open()).await.err().unwrap();
        assert!(error.to_string().starts_with(&format!("no connection to 127.0.0.1:{port}")), "{error}");
        // A server without TLS.
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(async move { drop(listener.accept().await) });
        let error = connect(&target(true, port), &TlsSettings::default(), &Guard::open()).await.err().unwrap();
        assert!(error.to_string().starts_with("no TLS with 127.0.0.1"), "{error}");
        server.await.unwrap();
        let settings = TlsSettings { extra_ca: Some("/nowhere/ca.pem".into()), insecure: false };
        assert!(client_config(&settings).await.unwrap_err().to_string().contains("/nowhere/ca.pem"));
    }
}
