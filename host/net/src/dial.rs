//! Opens a TCP connection to the first address that answers.

use std::io;
use std::net::SocketAddr;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::limits::NET_CONNECT_STAGGER;

/// Connects to the first address that answers ("happy eyeballs", RFC 8305): tries them in order, the next one as soon as one fails or
/// has not answered for [`NET_CONNECT_STAGGER`]. Sets `TCP_NODELAY`. The caller limits the time.
///
/// # Errors
/// The error of the last address, if all fail.
pub(super) async fn dial(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut waiting = addresses.iter();
    let mut attempts = FuturesUnordered::new();
    let mut last = io::Error::new(io::ErrorKind::NotFound, "no address");
    loop {
        attempts.extend(waiting.next().map(TcpStream::connect));
        tokio::select! {
            biased;
            ended = attempts.next() => match ended {
                Some(Ok(stream)) => return stream.set_nodelay(true).map(|()| stream),
                Some(Err(error)) => last = error,
                None => return Err(last),
            },
            () = sleep(NET_CONNECT_STAGGER), if waiting.len() > 0 => {}
        }
    }
}
