//! How the client trusts a server: the system's roots, or one CA file instead of them.

use std::path::Path;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::error::ConnectError;

/// The configuration of a TLS client with these roots.
pub async fn client(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, ConnectError> {
    let Some(path) = ca_file else { return Ok(outboard_net::tls::client_config().await) };
    outboard_net::tls::install();
    let refuse = |reason: String| ConnectError::CaFile {
        file: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        reason,
    };
    let pem = tokio::fs::read(path).await.map_err(|error| refuse(error.to_string()))?;
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| refuse(error.to_string()))?;
        roots.add(certificate).map_err(|error| refuse(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(refuse("it holds no PEM certificate".to_owned()));
    }
    Ok(Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_ca_file_that_is_none_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let error = client(Some(&path)).await.err().unwrap().to_string();
        assert!(error.starts_with("the CA file ca.pem cannot be used: "), "{error}");
        std::fs::write(&path, "nothing").unwrap();
        let error = client(Some(&path)).await.err().unwrap().to_string();
        assert_eq!(error, "the CA file ca.pem cannot be used: it holds no PEM certificate");
        std::fs::write(&path, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        assert!(client(Some(&path)).await.is_err());
        assert!(client(None).await.is_ok());
    }
}
