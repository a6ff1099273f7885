//! Answers that hold their places until their client has taken them.
//!
//! An answer that nobody reads still lies in memory. So what it holds (a place among its tenant's requests, its bytes among
//! those that wait) is given back when its last piece is handed to the connection, not when it was computed. Pieces are asked
//! for as the client takes them.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use hyper::body::{Frame, SizeHint};

use crate::limits::API_PIECE_BYTES;

/// A body of known length, and what is let go of after its last piece.
struct Held<T> {
    left: Bytes,
    with: Option<T>,
}

/// A body that keeps `with` until the client has taken it, but for what its connection buffers.
pub fn body<T: Send + Unpin + 'static>(bytes: impl Into<Bytes>, with: T) -> Body {
    Body::new(Held { left: bytes.into(), with: Some(with) })
}

impl<T: Send + Unpin> hyper::body::Body for Held<T> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let length = self.left.len().min(API_PIECE_BYTES);
        let piece = self.left.split_to(length);
        if self.left.is_empty() {
            self.with = None;
        }
        Poll::Ready((!piece.is_empty()).then(|| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::StreamExt;

    use super::*;

    #[tokio::test]
    async fn what_is_held_goes_with_the_last_piece() {
        let held = Arc::new(());
        let mut pieces = body(vec![1; API_PIECE_BYTES + 1], held.clone()).into_data_stream();
        assert_eq!(pieces.next().await.unwrap().unwrap().len(), API_PIECE_BYTES);
        assert_eq!(Arc::strong_count(&held), 2);
        assert_eq!(pieces.next().await.unwrap().unwrap().len(), 1);
        assert_eq!(Arc::strong_count(&held), 1);
        assert!(pieces.next().await.is_none());
    }

    #[tokio::test]
    async fn one_that_nobody_reads_lets_go_when_it_is_dropped() {
        let held = Arc::new(());
        drop(body("x", held.clone()));
        assert_eq!(Arc::strong_count(&held), 1);
    }
}
