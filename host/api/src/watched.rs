//! A connection that is given up when its client takes nothing of what is sent to it.
//!
//! It holds for everything that is written: answers, streams of events, WebSockets after their upgrade, previews. Little is
//! buffered for a client ([`API_SEND_BUFFER_BYTES`]), and the system gives up what is never acknowledged
//! ([`API_UNACKNOWLEDGED_MAX`]), so that clients that do not read hold little, and not for long.

use std::future::Future;
use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use crate::limits::{API_SEND_BUFFER_BYTES, API_UNACKNOWLEDGED_MAX};

/// A TCP connection; writing fails with [`ErrorKind::TimedOut`] once the client took nothing for so long.
#[derive(Debug)]
pub struct Watched<T> {
    stream: TcpStream,
    patience: Duration,
    /// Since a write did not go on.
    stalled: Option<Pin<Box<Sleep>>>,
    _with: T,
}

impl<T> Watched<T> {
    /// Sets the connection up. `patience`: how long its client may take nothing while something waits; `with`: let go of with it.
    pub fn new(stream: TcpStream, patience: Duration, with: T) -> Self {
        let socket = socket2::SockRef::from(&stream);
        // Answers are small, and written whole. None of these has to succeed.
        socket.set_tcp_nodelay(true).ok();
        socket.set_send_buffer_size(API_SEND_BUFFER_BYTES).ok();
        #[cfg(target_os = "linux")]
        socket.set_tcp_user_timeout(Some(API_UNACKNOWLEDGED_MAX)).ok();
        Self { stream, patience, stalled: None, _with: with }
    }

    /// Any progress is a sign of life; none within the patience is the end.
    fn judge(&mut self, cx: &mut Context<'_>, written: Poll<Result<usize>>) -> Poll<Result<usize>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let patience = self.patience;
        ready!(self.stalled.get_or_insert_with(|| Box::pin(sleep(patience))).as_mut().poll(cx));
        let text = format!("the client took nothing for {patience:?}");
        Poll::Ready(Err(Error::new(ErrorKind::TimedOut, text)))
    }
}

impl<T: Unpin> AsyncRead for Watched<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<T: Unpin> AsyncWrite for Watched<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.judge(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.judge(cx, written)
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

    async fn pair(patience: Duration) -> (Watched<()>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (Watched::new(listener.accept().await.unwrap().0, patience, ()), client)
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
