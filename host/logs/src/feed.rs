//! A live feed of log lines. It only holds a position in each ring: it neither delays writers nor keeps lines in
//! memory.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::Stream;
use tokio::sync::watch;

use super::filter::Filter;
use super::hub::Shared;
use super::record::LogRecord;
use super::ring::Ring;

/// An item of a feed.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// The next line that matches the feed's filter.
    Record(Arc<LogRecord>),
    /// Number of lines that were removed before the feed could read them, in the streams that it follows, whether or
    /// not they match the filter. The next line follows.
    Dropped(u64),
}

/// Follows the lines that match a filter. Lines of one stream arrive in order and once; those of different streams in
/// approximate order. Dropping the feed ends it.
#[derive(Debug)]
pub struct Feed {
    shared: Arc<Shared>,
    filter: Filter,
    places: Vec<Place>,
    edition: Option<u64>,
    wake: Option<watch::Receiver<()>>,
    dropped: u64,
}

#[derive(Debug)]
struct Place {
    ring: Arc<Ring>,
    next: u64,
}

impl Feed {
    /// Starts with the `last` most recent lines.
    pub(super) fn new(shared: Arc<Shared>, filter: Filter, last: usize) -> Self {
        shared.counts.subscribers.fetch_add(1, Ordering::Relaxed);
        let wake = shared.waker(&filter);
        let mut feed = Self { shared, filter, places: Vec::new(), edition: None, wake, dropped: 0 };
        let edition = feed.shared.edition();
        let rings = feed.shared.rings_for(&feed.filter);
        let mut ids: Vec<u64> = Vec::new();
        for ring in &rings {
            ids.extend(ring.last(u64::MAX, last, &feed.filter).iter().map(|record| record.id));
        }
        ids.sort_unstable();
        let from = ids.len().checked_sub(last.max(1)).map_or(ids.first(), |at| ids.get(at)).copied();
        feed.places = rings
            .into_iter()
            .map(|ring| {
                let next = from.filter(|_| last > 0).map_or_else(|| ring.end(), |id| ring.place_of(id));
                Place { ring, next }
            })
            .collect();
        feed.edition = Some(edition);
        feed
    }

    /// Waits for the next item; `None` when the log ends. Cancel safe.
    pub async fn next(&mut self) -> Option<Item> {
        loop {
            let wake = self.wake.as_mut()?;
            // Marked before reading, so that lines added during the read wake the feed again.
            wake.mark_unchanged();
            let closed = self.shared.closed();
            if let Some(item) = self.take() {
                return Some(item);
            }
            if closed {
                return None;
            }
            self.wake.as_mut()?.changed().await.ok()?;
        }
    }

    /// Converts the feed into a stream.
    pub fn into_stream(self) -> impl Stream<Item = Item> + Send {
        futures_util::stream::unfold(self, |mut feed| async move { feed.next().await.map(|item| (item, feed)) })
    }

    /// The next item, if one is available.
    fn take(&mut self) -> Option<Item> {
        self.follow_rings();
        let mut oldest: Option<(&mut Place, Arc<LogRecord>)> = None;
        for place in &mut self.places {
            let (missed, record) = place.ring.next(&mut place.next, &self.filter);
            self.dropped += missed;
            if let Some(record) = record
                && oldest.as_ref().is_none_or(|(_, other)| record.id < other.id)
            {
                oldest = Some((place, record));
            }
        }
        if self.dropped > 0 {
            return Some(Item::Dropped(std::mem::take(&mut self.dropped)));
        }
        let (place, record) = oldest?;
        place.next += 1;
        Some(Item::Record(record))
    }

    /// Adds and removes the rings of streams. A new ring is read from its first line.
    fn follow_rings(&mut self) {
        let edition = self.shared.edition();
        if self.edition == Some(edition) {
            return;
        }
        self.edition = Some(edition);
        let mut known = std::mem::take(&mut self.places);
        let place = |ring: Arc<Ring>| {
            let at = known.iter().position(|place| Arc::ptr_eq(&place.ring, &ring));
            at.map_or(Place { ring, next: 0 }, |at| known.swap_remove(at))
        };
        self.places = self.shared.rings_for(&self.filter).into_iter().map(place).collect();
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.shared.counts.subscribers.fetch_sub(1, Ordering::Relaxed);
    }
}
