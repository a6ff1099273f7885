//! Finds another address when the current one does not deliver: the other of the two URLs, or a fresh address from the
//! same master playlist (its tokens may have run out).

use futures_util::future::BoxFuture;
use tokio::sync::watch;

use super::config::SourceConfig;
use super::error::{SourceError, redacted};
use super::event::SourceEvent;
use super::fetch::Http;
use super::locate::{Found, Location, find};

/// One search at a time, on request of the followers.
pub(super) struct Relocator {
    http: Http,
    config: SourceConfig,
    location: watch::Sender<Location>,
    /// The backup URL is followed now.
    on_backup: bool,
    /// The URL that was tried last; after a failure the other one has its turn.
    tried_backup: bool,
    search: Option<Search>,
}

struct Search {
    backup: bool,
    reason: String,
    found: BoxFuture<'static, Result<Found, SourceError>>,
}

impl Relocator {
    /// `on_backup`: the source had to be started from the backup URL.
    pub(super) fn new(http: Http, config: SourceConfig, location: watch::Sender<Location>, on_backup: bool) -> Self {
        Self { http, config, location, on_backup, tried_backup: on_backup, search: None }
    }

    /// Begins a search unless one is under way or there is nowhere to look.
    pub(super) fn start(&mut self, reason: String) {
        if self.search.is_some() {
            return;
        }
        let backup = self.config.backup_url.is_some() && !self.tried_backup;
        let url = match &self.config.backup_url {
            Some(url) if backup => url.clone(),
            None if !self.location.borrow().by_master => return,
            _ => self.config.url.clone(),
        };
        self.tried_backup = backup;
        let (http, config) = (self.http.clone(), self.config.clone());
        let found = Box::pin(async move { find(&http, &config, &url).await });
        self.search = Some(Search { backup, reason, found });
    }

    /// A search is under way.
    pub(super) fn is_busy(&self) -> bool {
        self.search.is_some()
    }

    /// Waits for the search and moves the followers. Can be dropped and called again.
    pub(super) async fn done(&mut self) -> Option<SourceEvent> {
        let search = self.search.as_mut()?;
        let result = (&mut search.found).await;
        let Search { backup, reason, .. } = self.search.take()?;
        match result {
            Ok(found) => self.move_to(found.location, backup, reason),
            Err(error) => Some(SourceEvent::Warning(format!("{reason}; looking for another address failed: {error}"))),
        }
    }

    fn move_to(&mut self, mut location: Location, backup: bool, reason: String) -> Option<SourceEvent> {
        let current = self.location.borrow().clone();
        if location.audio.is_some() != current.audio.is_some() {
            let text = "the other address carries its audio differently (separate rendition or not) and is not used";
            return Some(SourceEvent::Warning(format!("{reason}; {text}")));
        }
        let other = backup != self.on_backup;
        location.origin = current.origin + u64::from(other);
        if location != current {
            self.location.send_replace(location);
        }
        self.on_backup = backup;
        let url = if backup { self.config.backup_url.as_ref()? } else { &self.config.url };
        other.then(|| SourceEvent::Failover { to: redacted(url), reason })
    }
}
