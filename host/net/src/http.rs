//! An HTTP client behind a guard: every address that it connects to was checked, and every hop of a redirect.
//!
//! An IP address in a URL never gets to the resolver, so it is checked where the request is made ([`Client::request`])
//! and at each redirect; a name is checked there too, and its addresses by the resolver. Proxies of the environment
//! would connect for us, to addresses that we don't see: only a guard that allows everything uses them.

use std::error::Error;

use futures_util::FutureExt;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{ClientBuilder, Method, RequestBuilder};
use url::Url;

use super::Guard;
use super::error::{Denied, NetError};

/// Requests that the guard allows.
#[derive(Debug, Clone)]
pub struct Client {
    inner: reqwest::Client,
    guard: Guard,
}

impl Client {
    /// `redirects`: how many are followed, each checked; with 0 a redirect is an answer like any other. `settings` adds
    /// what the caller needs, such as timeouts.
    ///
    /// # Errors
    /// reqwest cannot build it.
    pub fn new(
        guard: &Guard,
        redirects: usize,
        settings: impl FnOnce(ClientBuilder) -> ClientBuilder,
    ) -> reqwest::Result<Self> {
        crate::tls::install();
        let builder = settings(reqwest::Client::builder())
            // No Referer: it would carry tokens to other hosts.
            .referer(false)
            .redirect(redirect(guard.clone(), redirects))
            .dns_resolver(Lookup(guard.clone()));
        let builder = if guard.allows_all() { builder } else { builder.no_proxy() };
        Ok(Self { inner: builder.build()?, guard: guard.clone() })
    }

    /// Begins a request.
    ///
    /// # Errors
    /// [`Denied`]: the host may not be reached. That of its addresses shows when it is sent: see [`denied`].
    pub fn request(&self, method: Method, url: Url) -> Result<RequestBuilder, Denied> {
        self.guard.check_url(&url)?;
        Ok(self.inner.request(method, url))
    }
}

/// Why a request that failed was refused by the guard, if it was.
pub fn denied(error: &reqwest::Error) -> Option<&Denied> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(denied) = error.downcast_ref::<Denied>() {
            return Some(denied);
        }
        cause = error.source();
    }
    None
}

/// What went wrong, without the URL, which may hold secrets.
pub fn reason(error: &reqwest::Error) -> String {
    if let Some(denied) = denied(error) {
        return denied.to_string();
    }
    let kind = if error.is_connect() { "cannot connect" } else { "connection broke" };
    let words = words(error);
    if words.is_empty() { kind.to_owned() } else { format!("{kind}: {words}") }
}

/// The causes of an error, in their own words; empty where there is none besides reqwest.
fn words(error: &reqwest::Error) -> String {
    let mut words = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        // reqwest's own errors name their URL; what lies below them does not.
        if !error.is::<reqwest::Error>() {
            words.push(error.to_string());
        }
        cause = error.source();
    }
    words.join(": ")
}

fn redirect(guard: Guard, most: usize) -> Policy {
    if most == 0 {
        return Policy::none();
    }
    let limited = Policy::limited(most);
    Policy::custom(move |attempt| match guard.check_url(attempt.url()) {
        Ok(()) => limited.redirect(attempt),
        Err(denied) => attempt.error(denied),
    })
}

/// The guard as reqwest's resolver: a name's allowed addresses and no others.
struct Lookup(Guard);

impl Resolve for Lookup {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.0.clone();
        async move {
            // Port 0 stands for the URL's.
            match guard.resolve(name.as_str(), 0).await {
                Ok(addresses) => Ok(Box::new(addresses.into_iter()) as Addrs),
                Err(NetError::Denied(denied)) => Err(denied.into()),
                Err(NetError::Failed(error)) => Err(error.into()),
            }
        }
        .boxed()
    }
}
