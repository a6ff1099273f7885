//! Harness: network. Addresses that must not be reached and count connections, names that resolve to them, and guards
//! that deny them.
//!
//! Loopback addresses represent both sides: 127.0.0.1, where the harness's servers listen, stands for the public
//! internet; the rest of 127.0.0.0/8 and ::1 stand for forbidden addresses. No packet leaves the machine.

#![expect(clippy::expect_used, reason = "a harness stops the test at the first thing that is not as it should be")]

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use outboard::net::{Guard, Policy, Resolver};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A listener on TCP and UDP that counts connections and datagrams. Ends on drop.
pub struct CountingListener {
    address: SocketAddr,
    came: Arc<AtomicUsize>,
    probes: AtomicUsize,
    udp: UdpSocket,
    task: JoinHandle<()>,
}

impl CountingListener {
    /// Listens on a free port of this address.
    pub async fn at(address: &str) -> Self {
        let listener = TcpListener::bind((address, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("the address of a bound listener");
        let udp = UdpSocket::bind(address).expect("the same port for UDP");
        udp.set_nonblocking(true).expect("a socket that does not wait");
        let came = Arc::<AtomicUsize>::default();
        let counter = Arc::clone(&came);
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    let _ = stream.read(&mut [0; 4096]).await;
                    // A response that HTTP clients accept and that every other protocol rejects.
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
                });
            }
        });
        Self { address, came, probes: AtomicUsize::default(), udp, task }
    }

    /// The port of the listener.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Number of connections so far, and whether a datagram arrived. Connections are accepted in order: once a probe of
    /// ours is answered, all earlier ones are counted.
    pub async fn came(&self) -> (usize, bool) {
        let mut probe = TcpStream::connect(self.address).await.expect("the door is there");
        probe.write_all(b"x").await.expect("it takes bytes");
        let _ = probe.read(&mut [0; 1]).await;
        let came = self.came.load(Ordering::SeqCst) - self.probes.fetch_add(1, Ordering::SeqCst) - 1;
        (came, self.udp.recv(&mut [0; 1]).is_ok())
    }
}

impl Drop for CountingListener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Resolves `<name>.test` to 127.0.0.1, except: `inner.test` to 127.0.0.2, `six.test` to ::1, and `rebind.test` first
/// to 127.0.0.1, later to 127.0.0.2.
#[derive(Debug, Default)]
struct Names(AtomicUsize);

impl Resolver for Names {
    fn lookup(&self, host: &str, port: u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        let again = || self.0.fetch_add(1, Ordering::SeqCst) > 0;
        let address = match host {
            "inner.test" => "127.0.0.2",
            "six.test" => "::1",
            "rebind.test" if again() => "127.0.0.2",
            _ => "127.0.0.1",
        };
        let address: IpAddr = address.parse().expect("an address");
        std::future::ready(Ok(vec![SocketAddr::new(address, port)])).boxed()
    }
}

/// Allows 127.0.0.1 and the public internet, and no other loopback address.
pub fn strict() -> Guard {
    let policy = Policy { allow_ranges: vec!["127.0.0.1".to_owned()], ..Policy::strict() };
    Guard::new(policy).expect("a policy without mistakes").with_resolver(Arc::<Names>::default())
}
