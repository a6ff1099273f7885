use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::*;
use outboard_media::probe;

/// Longest wait for something quick, on a busy machine.
const SOON: Duration = Duration::from_secs(120);

/// Replies whose probing lasts until the gate is opened, that is, dropped.
struct Flood {
    running: Arc<AtomicUsize>,
    began: mpsc::Receiver<()>,
    begin: mpsc::Sender<()>,
    gate: Arc<Mutex<mpsc::Receiver<()>>>,
    open: mpsc::Sender<()>,
    replies: JoinSet<Result<(), String>>,
}

impl Flood {
    fn new() -> Self {
        let ((begin, began), (open, gate)) = (mpsc::channel(), mpsc::channel());
        let gate = Arc::new(Mutex::new(gate));
        Self { running: Arc::default(), began, begin, gate, open, replies: JoinSet::new() }
    }

    /// Starts this many replies of each of these renditions.
    fn send(&mut self, renditions: &[Readers], replies: usize, bytes: usize) {
        for readers in renditions {
            for _ in 0..replies {
                let (readers, running, gate) = (readers.clone(), self.running.clone(), self.gate.clone());
                let begin = self.begin.clone();
                let work = move || {
                    running.fetch_add(1, Ordering::SeqCst);
                    begin.send(()).unwrap();
                    // Nothing is ever sent: one thread holds the lock until the gate opens, the others wait for the
                    // lock.
                    let _ = gate.lock().unwrap_or_else(PoisonError::into_inner).recv();
                };
                self.replies.spawn(async move { readers.read(Instant::now() + SOON, bytes, work).await });
            }
        }
    }

    /// Waits until this many of them are being probed.
    async fn began(self, count: usize) -> Self {
        let waiting = tokio::task::spawn_blocking(move || {
            (0..count).for_each(|_| self.began.recv_timeout(SOON).unwrap());
            self
        });
        waiting.await.unwrap()
    }

    fn running(&self) -> usize {
        self.running.load(Ordering::SeqCst)
    }

    /// Opens the gate; returns how many were probed.
    async fn end(mut self) -> usize {
        drop(self.open);
        let mut read = 0;
        while let Some(reply) = self.replies.join_next().await {
            read += usize::from(reply.unwrap().is_ok());
        }
        read
    }
}

fn renditions(pool: &ReadPool, tenant: &str, count: usize) -> Vec<Readers> {
    (0..count).map(|_| pool.rendition(tenant)).collect()
}

/// Probes a real reply for a rendition of this tenant.
async fn reads(readers: &Readers) -> Result<probe::Probe, String> {
    let audio = crate::fake::tone(20);
    let bytes = audio.len();
    let read = readers.read(Instant::now() + SOON, bytes, move || probe::probe(&audio)).await;
    read.and_then(|found| found.map_err(|error| error.to_string()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_that_floods_has_its_own_places_and_another_is_read_at_once() {
    let pool = ReadPool::new(PROBES_PER_TENANT + 2);
    let quiet = pool.rendition("quiet");
    let many = renditions(&pool, "flood", 20);
    let mut flood = Flood::new();
    flood.send(&many, 10, 1000);
    let flood = flood.began(PROBES_PER_TENANT).await;
    for _ in 0..3 {
        assert_eq!(reads(&quiet).await.unwrap().packets, 20, "while all of the other's are held up");
    }
    assert_eq!(flood.running(), PROBES_PER_TENANT, "so many threads, whatever it sends");
    assert_eq!(flood.end().await, 200, "nothing is lost by waiting");
    assert!(locked(&pool.held).tenants.is_empty(), "nothing is kept of what was read");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tenants_together_have_the_places_of_the_process_and_one_of_them_is_kept() {
    let pool = ReadPool::new(PROBES_PER_TENANT + 2);
    let quiet = pool.rendition("quiet");
    let mut flood = Flood::new();
    let (one, other) = (renditions(&pool, "one", 4), renditions(&pool, "other", 4));
    flood.send(&one, 5, 1000);
    flood.send(&other, 5, 1000);
    // All slots but the last, which is reserved for a tenant without any.
    let flood = flood.began(PROBES_PER_TENANT + 1).await;
    assert_eq!(reads(&quiet).await.unwrap().packets, 20);
    assert_eq!(flood.running(), PROBES_PER_TENANT + 1);
    assert_eq!(flood.end().await, 40);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rendition_cannot_have_all_places_of_its_tenant() {
    let pool = ReadPool::new(PROBES_PER_TENANT + 2);
    let (stuck, fine) = (renditions(&pool, "a", 1), pool.rendition("a"));
    let mut flood = Flood::new();
    flood.send(&stuck, 20, 1000);
    let flood = flood.began(PROBES_AT_ONCE).await;
    assert_eq!(reads(&fine).await.unwrap().packets, 20);
    assert_eq!((flood.running(), flood.end().await), (PROBES_AT_ONCE, 20));
}

#[test]
fn bytes_that_wait_to_be_read_are_bounded_for_each_tenant_and_in_all() {
    const LARGEST: u64 = crate::limits::EXCHANGE_ATTACHMENTS_MAX_BYTES as u64;
    let pool = ReadPool::new(4);
    let mut claims = Vec::new();
    for tenant in ["a", "b", "c", "d", "e"] {
        let readers = pool.rendition(tenant);
        let before = claims.len();
        while let Ok(claim) = readers.claim(LARGEST) {
            claims.push(claim);
        }
        let own = locked(&pool.held).tenants[tenant];
        assert!(claims.len() > before && own <= PROBE_BYTES_PER_TENANT, "{tenant} has {own}");
    }
    let all = locked(&pool.held).all;
    assert!(all <= PROBE_BYTES_MAX && all > PROBE_BYTES_MAX / 2, "{all}");
    assert!(pool.rendition("f").claim(1 << 20).is_ok(), "there is some left for who comes");
    let refused = pool.rendition("a").claim(LARGEST).unwrap_err();
    assert!(!refused.contains(char::is_numeric), "{refused}");
    drop(claims);
    let held = locked(&pool.held);
    assert!(held.all == 0 && held.tenants.is_empty(), "{held:?}");
}
