//! The process's TLS provider: *ring*, for every client and server in it.

/// Makes *ring* the provider of all rustls users in this process. May be called any number of times.
pub fn install() {
    // An error says that a provider is set already, which is what is wanted.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
