//! Who comes with a token: made here, looked up here, remembered for a moment.
//!
//! In: the secret that a caller sent. Out: an [`Actor`], or [`ControlError::Unauthenticated`], the same for a secret that
//! never was one, is revoked, expired, or of a tenant that is shut out. What is known of a token is used for
//! [`TOKEN_FRESH`], so that one made or revoked by another process (`outboard token`) counts within that; what this process
//! changes counts at once ([`Tokens::forget_all`]). Secrets nobody knows are looked up a few at a time, apart from the
//! others: whoever guesses waits for other guessers only.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use super::access::Actor;
use super::error::ControlError;
use super::hidden::Hidden;
use super::registry::{Registry, TokenRow};
use crate::limits::{
    TOKEN_FRESH, TOKEN_LOOKUP_WAIT, TOKEN_LOOKUPS_AT_ONCE, TOKEN_RECHECK, TOKEN_USE_WRITTEN_EVERY, TOKENS_REMEMBERED,
    UNKNOWN_TOKENS_REMEMBERED,
};
use outboard_base::unix_time::now_ms;

/// Begins every token, so that one is known for what it is wherever it turns up.
const PREFIX: &str = "obt_";
/// Bytes of a secret, all of them random.
const SECRET_BYTES: usize = 32;

/// SHA-256 of a secret: all that is kept of it.
pub type TokenHash = [u8; 32];

/// What is known of tokens. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Tokens(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Registry,
    memory: Mutex<Memory>,
    lookups: Semaphore,
    /// Rises when something changed that may concern any token.
    changes: watch::Sender<u64>,
}

#[derive(Debug)]
struct Memory {
    known: Recent<TokenRow>,
    unknown: Recent<()>,
    /// Of [`Inner::changes`], when the rest was looked up.
    change: u64,
}

/// The latest so many of something, each with when it was looked up.
#[derive(Debug)]
struct Recent<T> {
    most: usize,
    entries: HashMap<TokenHash, (Instant, T)>,
    /// Keys in the order of insertion; the oldest is evicted first.
    order: VecDeque<TokenHash>,
}

/// Makes a token's secret, and the hash that is kept of it.
pub fn make_secret() -> (Hidden<String>, TokenHash) {
    let secret: [u8; SECRET_BYTES] = rand::random();
    let text = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(secret));
    (Hidden::new(text), Sha256::digest(secret).into())
}

/// The hash of what a caller sent; `None` for what cannot be a secret.
fn hash_of(secret: &str) -> Option<TokenHash> {
    // Longer texts are not even decoded.
    let encoded = secret.strip_prefix(PREFIX).filter(|encoded| encoded.len() <= 2 * SECRET_BYTES)?;
    let bytes = URL_SAFE_NO_PAD.decode(encoded).ok().filter(|bytes| bytes.len() == SECRET_BYTES)?;
    Some(Sha256::digest(bytes).into())
}

fn not_good() -> ControlError {
    ControlError::Unauthenticated(
        "this token is unknown or no longer valid; create one with `outboard token create`".to_owned(),
    )
}

// === impl Tokens ===

impl Tokens {
    /// Looks them up here.
    pub fn new(registry: Registry) -> Self {
        let memory = Memory {
            known: Recent::new(TOKENS_REMEMBERED),
            unknown: Recent::new(UNKNOWN_TOKENS_REMEMBERED),
            change: 0,
        };
        Self(Arc::new(Inner {
            registry,
            memory: Mutex::new(memory),
            lookups: Semaphore::new(TOKEN_LOOKUPS_AT_ONCE),
            changes: watch::Sender::new(0),
        }))
    }

    /// Who comes with this secret.
    ///
    /// # Errors
    /// [`ControlError::Unauthenticated`]; [`ControlError::Unavailable`] where it cannot be looked up now.
    pub async fn authenticate(&self, secret: &str) -> Result<Actor, ControlError> {
        let hash = hash_of(secret).ok_or_else(not_good)?;
        let row = match self.remembered(&hash) {
            Remembered::Known(row) => Some(row),
            Remembered::Unknown => None,
            Remembered::Stale => self.look_up(hash).await?,
            Remembered::Never => {
                // Nobody can tell a guess from a token that was made a moment ago.
                let turn = tokio::time::timeout(TOKEN_LOOKUP_WAIT, self.0.lookups.acquire()).await;
                let _turn = turn.map_err(|_| {
                    ControlError::Unavailable("too many requests with unknown tokens; retry in a moment".to_owned())
                })?;
                self.look_up(hash).await?
            }
        };
        let now = now_ms();
        let row = row.filter(|row| row.is_good(now)).ok_or_else(not_good)?;
        self.note_use(&hash, &row, now);
        Ok(row.actor())
    }

    /// Forgets all that is remembered: something changed that the next caller has to meet.
    pub fn forget_all(&self) {
        let mut memory = self.memory();
        memory.known.clear();
        memory.unknown.clear();
        memory.change += 1;
        let change = memory.change;
        drop(memory);
        self.0.changes.send_replace(change);
    }

    /// Waits until an actor's token is not good any more, for connections that outlive a request. Never ends for an actor
    /// without a token. Told at once by this process, within [`TOKEN_RECHECK`] by another.
    pub async fn until_bad(&self, actor: &Actor) {
        let Some(id) = actor.token else { return std::future::pending().await };
        let mut changes = self.0.changes.subscribe();
        loop {
            changes.mark_unchanged();
            let now = now_ms();
            let left = match self.0.registry.token(id).await {
                Ok(Some(row)) if row.is_good(now) => {
                    row.expires_ms.map_or(Duration::MAX, |end| Duration::from_millis(end.saturating_sub(now)))
                }
                Ok(_) => return,
                // It was good, and nobody said otherwise.
                Err(error) => {
                    tracing::warn!(%error, "failed to look up a token again");
                    Duration::MAX
                }
            };
            // A change, or time to look again.
            let _ = tokio::time::timeout(left.min(TOKEN_RECHECK), changes.changed()).await;
        }
    }

    async fn look_up(&self, hash: TokenHash) -> Result<Option<TokenRow>, ControlError> {
        let before = self.memory().change;
        let row = self.0.registry.token_by_hash(hash).await?;
        let mut memory = self.memory();
        // What was read may be older than the change.
        if memory.change == before {
            match &row {
                Some(row) => {
                    memory.unknown.remove(&hash);
                    memory.known.put(hash, row.clone());
                }
                None => {
                    memory.known.remove(&hash);
                    memory.unknown.put(hash, ());
                }
            }
        }
        Ok(row)
    }

    fn remembered(&self, hash: &TokenHash) -> Remembered {
        let memory = self.memory();
        match (memory.known.get(hash), memory.unknown.get(hash)) {
            (Some((true, row)), _) => Remembered::Known(row.clone()),
            (Some((false, _)), _) => Remembered::Stale,
            (None, Some((true, ()))) => Remembered::Unknown,
            (None, _) => Remembered::Never,
        }
    }

    fn note_use(&self, hash: &TokenHash, row: &TokenRow, now: u64) {
        let every = u64::try_from(TOKEN_USE_WRITTEN_EVERY.as_millis()).unwrap_or(u64::MAX);
        let is_time = row.last_used_ms.is_none_or(|last| now.saturating_sub(last) >= every);
        if is_time
            && self.0.registry.token_was_used(row.id, now)
            && let Some((_, row)) = self.memory().known.entries.get_mut(hash)
        {
            row.last_used_ms = Some(now);
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What memory says of a hash.
enum Remembered {
    /// The token that the hash belongs to.
    Known(TokenRow),
    /// It is no token's.
    Unknown,
    /// It was a token's a while ago.
    Stale,
    /// Never seen before: the database must be asked.
    Never,
}

// === impl Recent ===

impl<T> Recent<T> {
    fn new(most: usize) -> Self {
        Self { most, entries: HashMap::new(), order: VecDeque::new() }
    }

    /// With whether it is fresh.
    fn get(&self, hash: &TokenHash) -> Option<(bool, &T)> {
        self.entries.get(hash).map(|(at, value)| (at.elapsed() < TOKEN_FRESH, value))
    }

    fn put(&mut self, hash: TokenHash, value: T) {
        if self.entries.insert(hash, (Instant::now(), value)).is_none() {
            self.order.push_back(hash);
        }
        while self.entries.len() > self.most
            && let Some(oldest) = self.order.pop_front()
        {
            self.entries.remove(&oldest);
        }
    }

    fn remove(&mut self, hash: &TokenHash) {
        if self.entries.remove(hash).is_some() {
            self.order.retain(|other| other != hash);
        }
    }

    fn clear(&mut self) {
        self.entries.clear();
        self.order.clear();
    }
}

#[cfg(test)]
mod tests;
