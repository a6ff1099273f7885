//! Downloads one planned segment as a complete file: key, initialization section and media, with retries.
//!
//! Retries end when the budget is used up, when the fault cannot be resolved by retrying, or, after a first attempt,
//! when the segment has left the playlist.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};
use tokio::io::AsyncReadExt;
use tokio::sync::{Mutex, Semaphore, watch};
use url::Url;

use super::config::{Bounds, Budget, SourceConfig};
use super::container::{describe, sniff_init};
use super::crypt::{BLOCK, Chain, implicit_iv};
use super::error::FetchError;
use super::fetch::Http;
use super::file::{MediaFile, TempFile, Whole};
use super::media_playlist::{Key, KeySource, Map};
use super::retry::Retry;
use super::window::Planned;
use crate::limits::{INIT_BYTES_MAX, INITS_MAX, KEY_BYTES_MAX, KEYS_MAX, SEGMENT_BYTES_MAX};
use outboard_base::limits::ROOM_PATIENCE;
use outboard_base::room::Room;
use outboard_media::segment::Container;

/// The oldest segment that the playlist still lists.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Edge {
    /// Epoch of the number.
    pub(super) epoch: u64,
    /// Number of the first entry.
    pub(super) first: u64,
}

impl Edge {
    fn left_behind(&self, planned: &Planned) -> bool {
        (self.epoch, self.first) > (planned.epoch, planned.entry.sequence)
    }
}

/// Returns whether a segment is still in the playlist.
type Listed<'a> = &'a (dyn Fn() -> bool + Send + Sync);

/// A fetched file with its initialization section.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) whole: Whole,
    pub(super) init: Option<PathBuf>,
}

/// A planned segment and the result of its download.
pub(super) type Download = (Planned, Result<Fetched, FetchError>);

/// Fetches segments into one folder.
pub(super) struct Downloader {
    http: Http,
    dir: PathBuf,
    bounds: Bounds,
    places: Semaphore,
    room: Room,
    /// How long a segment waits for room; `None`: without limit.
    patience: Option<Duration>,
    keys: Mutex<VecDeque<(Url, [u8; BLOCK])>>,
    inits: Mutex<VecDeque<(InitId, PathBuf)>>,
}

/// A section is fetched again after a discontinuity or restart, because the same URL may return another one.
type InitId = (u64, u64, Arc<Map>);

/// Key and initialization vector.
type Secret = ([u8; BLOCK], [u8; BLOCK]);

const TS_PACKET: u64 = 188;

impl Downloader {
    /// `live`: segments leave the playlist, so their wait for room is limited.
    pub(super) fn new(http: Http, config: &SourceConfig, live: bool) -> Self {
        let (dir, bounds, room) = (config.dir.clone(), config.bounds, config.room.clone());
        let places = Semaphore::new(bounds.in_flight.max(1));
        let patience = live.then_some(ROOM_PATIENCE);
        Self { http, dir, bounds, places, room, patience, keys: Mutex::default(), inits: Mutex::default() }
    }

    /// Fetches a segment, after waiting for a download slot.
    ///
    /// # Errors
    /// The last fault, when the segment is skipped.
    pub(super) async fn fetch(&self, planned: &Planned, edge: watch::Receiver<Edge>) -> Result<Fetched, FetchError> {
        let _place = self.places.acquire().await;
        self.room.wait(self.patience).await.map_err(FetchError::NoRoom)?;
        let listed = || !edge.borrow().left_behind(planned);
        let sequence = planned.entry.sequence;
        let mut retry = Retry::new(&self.bounds.segment, self.bounds.retry_step);
        let mut odd_length = None;
        let whole = loop {
            // Key and section have their own retries; when those are used up, the segment is skipped.
            let chain = match entry_key(planned) {
                Some(key) => Some(self.chain(key, sequence, &listed).await?),
                None => None,
            };
            let error = match self.body(planned, chain, &mut odd_length).await {
                Ok(whole) => break whole,
                Err(error) => error,
            };
            if let (FetchError::Decrypt(_) | FetchError::Content { .. }, Some(key)) = (&error, entry_key(planned)) {
                // The URL may return a new key by now.
                self.forget_key(key).await;
            }
            if error.is_disk_full() {
                self.room.nudge();
            }
            let Some(wait) = retry.after(&error).filter(|_| listed()) else {
                tracing::warn!(sequence, %error, tries = retry.failures(), "segment is given up");
                return Err(error);
            };
            tracing::debug!(sequence, %error, ?wait, "segment is tried again");
            tokio::time::sleep(wait).await;
        };
        let init = match &planned.entry.map {
            Some(map) => Some(self.init(planned, map, &listed).await?),
            None if whole.container == Container::Fmp4 && !starts_itself(&whole).await? => {
                let got = "fragments without EXT-X-MAP".to_owned();
                return Err(FetchError::Content { expected: "an initialization section", got });
            }
            None => None,
        };
        Ok(Fetched { whole, init })
    }

    /// One attempt. A transport stream with an odd length and no Content-Length may be truncated: it is accepted only
    /// if a second attempt has the same length.
    async fn body(
        &self,
        planned: &Planned,
        chain: Option<Chain>,
        odd_length: &mut Option<u64>,
    ) -> Result<Whole, FetchError> {
        let entry = &planned.entry;
        let mut body = self.http.open(&entry.uri, entry.range, SEGMENT_BYTES_MAX, &self.bounds.segment).await?;
        let mut file = MediaFile::create(&self.dir, chain).await?;
        while let Some(chunk) = body.chunk().await? {
            file.push(&chunk).await?;
        }
        let whole = file.finish().await?;
        let odd = whole.container == Container::MpegTs && !whole.bytes.is_multiple_of(TS_PACKET);
        if odd && odd_length.replace(whole.bytes) != Some(whole.bytes) {
            return Err(FetchError::Length { expected: whole.bytes.next_multiple_of(TS_PACKET), got: whole.bytes });
        }
        Ok(whole)
    }

    async fn chain(&self, key: &Key, sequence: u64, listed: Listed<'_>) -> Result<Chain, FetchError> {
        let (key, iv) = self.secret(key, sequence, listed).await?;
        Ok(Chain::new(&key, &iv))
    }

    /// Key and initialization vector.
    async fn secret(&self, key: &Key, sequence: u64, listed: Listed<'_>) -> Result<Secret, FetchError> {
        match key {
            Key::Aes128 { source, iv } => {
                let key = match source {
                    KeySource::At(uri) => self.key(uri, listed).await?,
                    KeySource::Given(key) => *key,
                };
                Ok((key, iv.unwrap_or_else(|| implicit_iv(sequence))))
            }
            Key::Unsupported { method, keyformat } => {
                Err(FetchError::Protected { method: method.clone(), keyformat: keyformat.clone() })
            }
        }
    }

    /// A key, from the cache or from its server. One request at a time, because the segments of a playlist share keys.
    async fn key(&self, uri: &Url, listed: Listed<'_>) -> Result<[u8; BLOCK], FetchError> {
        let mut keys = self.keys.lock().await;
        if let Some((_, key)) = keys.iter().find(|(known, _)| known == uri) {
            return Ok(*key);
        }
        let check = |bytes: Vec<u8>| match <[u8; BLOCK]>::try_from(bytes.as_slice()) {
            Ok(key) => Ok(key),
            Err(_) => {
                // A few bytes may be a key: they are not shown.
                let got = if bytes.len() > 4 * BLOCK { describe(&bytes) } else { format!("{} bytes", bytes.len()) };
                Err(FetchError::Content { expected: "a key of 16 bytes", got })
            }
        };
        let key = self.small(uri, None, KEY_BYTES_MAX, &self.bounds.key, listed, check).await;
        let key = key.map_err(|error| error.needed("its key", uri))?;
        remember(&mut keys, (uri.clone(), key), KEYS_MAX);
        Ok(key)
    }

    async fn forget_key(&self, key: &Key) {
        if let Key::Aes128 { source: KeySource::At(uri), .. } = key {
            self.keys.lock().await.retain(|(known, _)| known != uri);
        }
    }

    /// The initialization section of a segment, stored once per distinct content.
    async fn init(&self, planned: &Planned, map: &Arc<Map>, listed: Listed<'_>) -> Result<PathBuf, FetchError> {
        let id = (planned.epoch, planned.entry.discontinuity_sequence, Arc::clone(map));
        let mut inits = self.inits.lock().await;
        if let Some((_, path)) = inits.iter().find(|(known, _)| *known == id)
            && still_there(path)
        {
            return Ok(path.clone());
        }
        inits.retain(|(known, _)| *known != id);
        let secret = match map.key.as_deref() {
            Some(key) => Some(self.secret(key, planned.entry.sequence, listed).await?),
            None => None,
        };
        let check = |mut bytes: Vec<u8>| {
            if let Some((key, iv)) = &secret {
                let clear = Chain::new(key, iv).finish(&mut bytes)?;
                bytes.truncate(clear);
            }
            let start = sniff_init(&bytes)?;
            bytes.drain(..start.skip);
            Ok((start.container, bytes))
        };
        let fetched = self.small(&map.uri, map.range, INIT_BYTES_MAX, &self.bounds.segment, listed, check).await;
        let (container, bytes) = fetched.map_err(|error| error.needed("its initialization section", &map.uri))?;
        let extension = if container == Container::MpegTs { "ts" } else { "mp4" };
        let digest: String = Sha256::digest(&bytes).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        let path = self.dir.join(format!("init-{digest}.{extension}"));
        TempFile::write(&self.dir, &bytes).await?.keep(&path).await?;
        remember(&mut inits, (id, path.clone()), INITS_MAX);
        Ok(path)
    }

    /// Fetches a small body into memory, with its own retries: a key has more of them than the segment that needs it.
    /// `check` converts the content; invalid content is a fault like any other.
    async fn small<T>(
        &self,
        uri: &Url,
        range: Option<(u64, u64)>,
        limit: u64,
        budget: &Budget,
        listed: Listed<'_>,
        check: impl Fn(Vec<u8>) -> Result<T, FetchError>,
    ) -> Result<T, FetchError> {
        let mut retry = Retry::new(budget, self.bounds.retry_step);
        loop {
            let result = self.http.read(uri, range, limit, budget).await;
            let error = match result.and_then(|(_, bytes)| check(bytes)) {
                Ok(wanted) => return Ok(wanted),
                Err(error) => error,
            };
            let Some(wait) = retry.after(&error).filter(|_| listed()) else { return Err(error) };
            tokio::time::sleep(wait).await;
        }
    }
}

/// Updates the file time of an initialization section, because retention removes sections that were not used for long.
fn still_there(path: &Path) -> bool {
    let file = std::fs::File::options().append(true).open(path);
    file.and_then(|file| file.set_modified(SystemTime::now())).is_ok()
}

fn remember<T>(list: &mut VecDeque<T>, item: T, limit: usize) {
    if list.len() >= limit {
        list.pop_front();
    }
    list.push_back(item);
}

fn entry_key(planned: &Planned) -> Option<&Key> {
    planned.entry.key.as_deref()
}

/// Whether an MP4 segment contains its own `ftyp` and `moov`.
async fn starts_itself(whole: &Whole) -> Result<bool, FetchError> {
    let mut head = [0; 8];
    tokio::fs::File::open(whole.file.path()).await?.read_exact(&mut head).await?;
    Ok(matches!(head.get(4..), Some(b"ftyp" | b"moov")))
}
