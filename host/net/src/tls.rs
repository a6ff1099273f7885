//! TLS of the process: *ring* as the cryptography of every client and server, and the system's root certificates, read once.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use tokio::sync::OnceCell;

/// Installs *ring* as the cryptography provider of rustls in this process. Idempotent.
pub fn install() {
    // An error says that a provider is set already, which is what is wanted.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// The system's root certificates, read from disk at the first call and then kept. If none could be read, the next call tries again.
pub async fn roots() -> Arc<RootCertStore> {
    static ROOTS: OnceCell<Arc<RootCertStore>> = OnceCell::const_new();
    let read = async || {
        // A file each, or one of some hundred kilobytes.
        let read = tokio::task::spawn_blocking(|| {
            let found = rustls_native_certs::load_native_certs();
            let mut roots = RootCertStore::empty();
            let (_, unusable) = roots.add_parsable_certificates(found.certs);
            tracing::debug!(roots = roots.len(), unusable, errors = found.errors.len(), "read the system's roots");
            roots
        });
        match read.await {
            Ok(roots) if !roots.is_empty() => Ok(Arc::new(roots)),
            _ => Err(()),
        }
    };
    match ROOTS.get_or_try_init(read).await {
        Ok(roots) => Arc::clone(roots),
        Err(()) => {
            tracing::warn!("the system has no root certificates that can be read: no server will be trusted");
            Arc::new(RootCertStore::empty())
        }
    }
}

/// The configuration of clients that trust the system's roots and have no certificate. The whole process shares it.
pub async fn client_config() -> Arc<ClientConfig> {
    static CONFIG: OnceCell<Arc<ClientConfig>> = OnceCell::const_new();
    install();
    let make = |roots| Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth());
    let read = async || match roots().await {
        roots if roots.is_empty() => Err(make(roots)),
        roots => Ok(make(roots)),
    };
    match CONFIG.get_or_try_init(read).await {
        Ok(config) => Arc::clone(config),
        Err(config) => config,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn roots_are_read_once() {
        let (first, second) = (roots().await, roots().await);
        // Where the system has none, each call looks again.
        assert!(Arc::ptr_eq(&first, &second) || first.is_empty());
        let (first, second) = (client_config().await, client_config().await);
        assert!(Arc::ptr_eq(&first, &second) || roots().await.is_empty());
    }
}
