//! An HTTP client with a guard: every address that it connects to is checked, and every hop of a redirect.
//!
//! An IP address in a URL is not resolved, so hosts are checked when a request is made ([`Client::request`]) and at each redirect; the
//! addresses of a name are checked by the resolver. A proxy would connect on behalf of the client, to addresses that are not checked:
//! so the environment's proxies are used only if the guard allows everything.

use std::error::Error;

use futures_util::FutureExt;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{ClientBuilder, Method, RequestBuilder};
use url::Url;

use super::Guard;
use super::error::{Denied, NetError};

/// An HTTP client that sends only requests that the guard allows.
#[derive(Debug, Clone)]
pub struct Client {
    inner: reqwest::Client,
    guard: Guard,
}

impl Client {
    /// Builds a client. `redirects`: how many are followed, each after a check; with 0, a redirect is returned as the answer. `settings`
    /// adds options of the caller, such as timeouts.
    ///
    /// # Errors
    /// The error of reqwest if it cannot build the client.
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

    /// Begins a request, after checking the host of its URL.
    ///
    /// # Errors
    /// [`Denied`] for the host. Its addresses are checked when the request is sent: see [`denied`].
    pub fn request(&self, method: Method, url: Url) -> Result<RequestBuilder, Denied> {
        self.guard.check_url(&url)?;
        Ok(self.inner.request(method, url))
    }
}

/// The guard's refusal that made a request fail, if it was one.
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

/// The text of an error without its URL, which may have secrets.
pub fn reason(error: &reqwest::Error) -> String {
    if let Some(denied) = denied(error) {
        return denied.to_string();
    }
    let kind = if error.is_connect() { "cannot connect" } else { "connection broke" };
    let words = words(error);
    if words.is_empty() { kind.to_owned() } else { format!("{kind}: {words}") }
}

/// The texts of an error's causes; empty if it has none besides reqwest's.
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

/// The guard as reqwest's resolver: returns only the allowed addresses of a name.
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
