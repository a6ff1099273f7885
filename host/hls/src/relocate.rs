//! Finds another URL when the current one does not work: the other configured URL, or a new URL from the same master
//! playlist, whose tokens may have expired.

use futures_util::future::BoxFuture;
use tokio::sync::watch;

use super::config::SourceConfig;
use super::error::{SourceError, redacted};
use super::event::SourceEvent;
use super::fetch::Http;
use super::locate::{Found, Location, find};

/// Runs one search at a time, requested by the followers.
pub(super) struct Relocator {
    http: Http,
    config: SourceConfig,
    location: watch::Sender<Location>,
    /// Whether the backup URL is in use.
    on_backup: bool,
    /// Whether the last search tried the backup URL; after a failure the other URL is tried.
    tried_backup: bool,
    search: Option<Search>,
}

struct Search {
    backup: bool,
    reason: String,
    found: BoxFuture<'static, Result<Found, SourceError>>,
}

impl Relocator {
    /// `on_backup`: the source was started from the backup URL.
    pub(super) fn new(http: Http, config: SourceConfig, location: watch::Sender<Location>, on_backup: bool) -> Self {
        Self { http, config, location, on_backup, tried_backup: on_backup, search: None }
    }

    /// Starts a search unless one is in progress or there is no other URL.
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

    /// Whether a search is in progress.
    pub(super) fn is_busy(&self) -> bool {
        self.search.is_some()
    }

    /// Waits for the search and moves the followers. Cancel safe.
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
