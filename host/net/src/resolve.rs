//! Resolves names to addresses, by the system's resolver or by another one.

use std::fmt::Debug;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::limits::NET_LOOKUPS_AT_ONCE;

/// Looks up the addresses of a host. The guard checks each address before it is used.
pub trait Resolver: Debug + Send + Sync {
    /// Looks up the addresses of a host, each with this port.
    fn lookup(&self, host: &str, port: u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>>;
}

/// Looks up a host for at most `limit`.
pub(super) async fn within(
    limit: Duration,
    resolver: &dyn Resolver,
    host: &str,
    port: u16,
) -> io::Result<Vec<SocketAddr>> {
    timeout(limit, resolver.lookup(host, port)).await.unwrap_or_else(|_| {
        let text = format!("the lookup of {host} took longer than {limit:?}");
        Err(io::Error::new(io::ErrorKind::TimedOut, text))
    })
}

/// The system's resolver: its hosts file, then DNS. A lookup blocks a thread until the name server answers, so their number is limited
/// for each guard: a tenant whose name servers do not answer delays only itself.
#[derive(Debug)]
pub(super) struct System(Arc<Semaphore>);

impl Default for System {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(NET_LOOKUPS_AT_ONCE)))
    }
}

impl Resolver for System {
    fn lookup(&self, host: &str, port: u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        let (places, host) = (Arc::clone(&self.0), host.to_owned());
        async move {
            let place = places.acquire_owned().await.map_err(io::Error::other)?;
            let lookup = tokio::task::spawn_blocking(move || {
                let found = (host.as_str(), port).to_socket_addrs().map(Iterator::collect);
                // Held until the thread is free again, also where nobody waits any more.
                drop(place);
                found
            });
            lookup.await.map_err(io::Error::other)?
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Never;

    impl Resolver for Never {
        fn lookup(&self, _host: &str, _port: u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
            std::future::pending().boxed()
        }
    }

    #[tokio::test]
    async fn a_lookup_that_hangs_is_given_up() {
        let error = within(Duration::from_millis(5), &Never, "slow.test", 1).await.unwrap_err();
        assert_eq!(error.to_string(), "the lookup of slow.test took longer than 5ms");
    }

    #[tokio::test]
    async fn lookups_beyond_the_bound_wait() {
        let system = System::default();
        let places = Arc::clone(&system.0).acquire_many_owned(u32::try_from(NET_LOOKUPS_AT_ONCE).unwrap()).await;
        let error = within(Duration::from_millis(5), &system, "127.0.0.1", 1).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(places);
        let found = within(Duration::from_secs(60), &system, "127.0.0.1", 1).await.unwrap();
        assert_eq!(found, ["127.0.0.1:1".parse().unwrap()]);
    }
}
