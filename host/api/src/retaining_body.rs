//! A response body that keeps a value, such as a slot of the tenant's requests, until the client has read it.
//!
//! An answer that its client does not read stays in memory. Therefore the slots and byte counts that it uses are released when its
//! last piece is passed to the connection, not when it was computed. The connection polls for pieces as the client reads.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use hyper::body::{Frame, SizeHint};

use crate::limits::API_PIECE_BYTES;

/// A body of known length, and the value that is dropped after its last piece.
struct RetainingBody<T> {
    left: Bytes,
    retained: Option<T>,
}

/// A body that drops `retained` when the client has read it, except for what the connection buffers.
pub fn retain<T: Send + Unpin + 'static>(bytes: impl Into<Bytes>, retained: T) -> Body {
    Body::new(RetainingBody { left: bytes.into(), retained: Some(retained) })
}

impl<T: Send + Unpin> hyper::body::Body for RetainingBody<T> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let length = self.left.len().min(API_PIECE_BYTES);
        let piece = self.left.split_to(length);
        if self.left.is_empty() {
            self.retained = None;
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
    async fn the_value_is_dropped_with_the_last_piece() {
        let held = Arc::new(());
        let mut pieces = retain(vec![1; API_PIECE_BYTES + 1], held.clone()).into_data_stream();
        assert_eq!(pieces.next().await.unwrap().unwrap().len(), API_PIECE_BYTES);
        assert_eq!(Arc::strong_count(&held), 2);
        assert_eq!(pieces.next().await.unwrap().unwrap().len(), 1);
        assert_eq!(Arc::strong_count(&held), 1);
        assert!(pieces.next().await.is_none());
    }

    #[tokio::test]
    async fn a_body_that_is_not_read_drops_its_value_too() {
        let held = Arc::new(());
        drop(retain("x", held.clone()));
        assert_eq!(Arc::strong_count(&held), 1);
    }
}
