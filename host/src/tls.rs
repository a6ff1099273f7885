//! The TLS provider of the process: reqwest and the RTMPS client are built without one of their own.

/// Makes ring the process's rustls provider. Cheap and idempotent: whoever builds a TLS client calls it first.
pub fn install() {
    // An error only says that a provider is already there, which is what we want.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_second_call_keeps_the_provider() {
        super::install();
        super::install();
        assert!(rustls::crypto::CryptoProvider::get_default().is_some());
    }
}
