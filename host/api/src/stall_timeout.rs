//! A TCP connection that is closed when its client does not read.
//!
//! This applies to everything that is written: answers, streams of events, WebSockets after their upgrade, previews. The system
//! buffers at most [`API_SEND_BUFFER_BYTES`] for a client and drops data that is not acknowledged for [`API_UNACKNOWLEDGED_MAX`]. So
//! clients that do not read use little memory, and only for a short time.

use std::future::Future;
use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use crate::limits::{API_SEND_BUFFER_BYTES, API_UNACKNOWLEDGED_MAX};

/// A TCP connection whose writes fail with [`ErrorKind::TimedOut`] if the client reads nothing for the timeout.
#[derive(Debug)]
pub struct StallTimeout<T> {
    stream: TcpStream,
    patience: Duration,
    /// Runs since a write made no progress; ends after the timeout.
    stalled: Option<Pin<Box<Sleep>>>,
    _with: T,
}

impl<T> StallTimeout<T> {
    /// Configures the connection. `patience`: how long the client may read nothing while data waits; `with`: dropped with the
    /// connection.
    pub fn new(stream: TcpStream, patience: Duration, with: T) -> Self {
        let socket = socket2::SockRef::from(&stream);
        // Answers are small and written as a whole. These options are optimisations: a failure does not matter.
        socket.set_tcp_nodelay(true).ok();
        socket.set_send_buffer_size(API_SEND_BUFFER_BYTES).ok();
        #[cfg(target_os = "linux")]
        socket.set_tcp_user_timeout(Some(API_UNACKNOWLEDGED_MAX)).ok();
        Self { stream, patience, stalled: None, _with: with }
    }

    /// Restarts the timeout after progress; fails once it is over.
    fn check_stall(&mut self, cx: &mut Context<'_>, written: Poll<Result<usize>>) -> Poll<Result<usize>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let patience = self.patience;
        ready!(self.stalled.get_or_insert_with(|| Box::pin(sleep(patience))).as_mut().poll(cx));
        let text = format!("the client read nothing for {patience:?}");
        Poll::Ready(Err(Error::new(ErrorKind::TimedOut, text)))
    }
}

impl<T: Unpin> AsyncRead for StallTimeout<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<T: Unpin> AsyncWrite for StallTimeout<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.check_stall(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.check_stall(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    async fn pair(patience: Duration) -> (StallTimeout<()>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (StallTimeout::new(listener.accept().await.unwrap().0, patience, ()), client)
    }

    #[tokio::test]
    async fn a_client_that_reads_nothing_is_given_up() {
        let (mut server, _client) = pair(Duration::from_millis(200)).await;
        let error = server.write_all(&vec![0; 64 << 20]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    }

    #[tokio::test]
    async fn one_that_reads_on_gets_all_however_long_it_takes() {
        // Each pause is shorter than the patience, all of them together are longer.
        let patience = Duration::from_secs(3);
        let (mut server, mut client) = pair(patience).await;
        let sending = tokio::spawn(async move {
            server.write_all(&vec![7; 12 << 20]).await.unwrap();
        });
        let began = tokio::time::Instant::now();
        let mut read = 0;
        let mut piece = vec![0; 1 << 20];
        while read < 12 << 20 {
            read += client.read_exact(&mut piece).await.unwrap();
            tokio::time::sleep(patience / 8).await;
        }
        sending.await.unwrap();
        assert!(began.elapsed() > patience);
    }
}
