//! What a subscriber gets of a broadcast: items, and how many were lost before the next one.

use futures_util::{Stream, stream};
use tokio::sync::broadcast;

/// The next thing, or how many were lost before it.
#[derive(Debug, Clone, PartialEq)]
pub enum Watched<T> {
    /// The next item, in the order of sending.
    Item(T),
    /// The reader was too slow: so many are gone.
    Lost(u64),
}

/// What a broadcast brings, holes told.
pub(super) fn received<T: Clone + Send + 'static>(
    receiver: broadcast::Receiver<T>,
) -> impl Stream<Item = Watched<T>> + Send + 'static {
    stream::unfold(receiver, |mut receiver| async move {
        let next = match receiver.recv().await {
            Ok(item) => Watched::Item(item),
            Err(broadcast::error::RecvError::Lagged(lost)) => Watched::Lost(lost),
            Err(broadcast::error::RecvError::Closed) => return None,
        };
        Some((next, receiver))
    })
}
