//! Compares a receiver's recordings with the packets of the source.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a harness that cannot do its part fails the test")]

pub mod windows;

use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::media::{Entry, Packet, packets, source_packets};
use crate::receiver::nginx::{Nginx, belongs};

/// The packets of a stream (`v` or `a`) of all entries, in order; times are continuous only within a discontinuity.
pub fn of_entries(entries: &[Entry], stream: &str) -> Vec<Vec<Packet>> {
    let mut runs: Vec<Vec<PathBuf>> = Vec::new();
    for entry in entries {
        if entry.discontinuity || runs.is_empty() {
            runs.push(Vec::new());
        }
        runs.last_mut().unwrap().push(entry.path.clone());
    }
    runs.iter().map(|run| source_packets(run, stream)).collect()
}

/// Hashes of packets, in order.
pub fn hashes(packets: &[Packet]) -> Vec<&str> {
    packets.iter().map(|packet| packet.hash.as_str()).collect()
}

/// Panics with the first difference.
pub fn assert_same_packets(got: &[&str], want: &[&str], what: &str) {
    if let Some(at) = got.iter().zip(want).position(|(got, want)| got != want) {
        panic!(
            "{what}: packet {at} of {} differs (got {} packets): {:?} instead of {:?}",
            want.len(),
            got.len(),
            &got[at..got.len().min(at + 3)],
            &want[at..want.len().min(at + 3)]
        );
    }
    assert_eq!(got.len(), want.len(), "{what}: number of packets");
}

/// Panics if time goes back within a stream of a recording; returns its packets.
pub fn monotonic(file: &std::path::Path, stream: &str) -> Vec<Packet> {
    let list = packets(file, stream);
    for pair in list.windows(2) {
        assert!(pair[1].dts >= pair[0].dts, "{stream}: {} s after {} s", pair[1].dts, pair[0].dts);
    }
    list
}

/// Checks the first run's sessions under this key: packets of the source may be missing, but the others are in order
/// and unique, and the last one is the source's last.
///
/// # Panics
/// If this does not hold.
pub fn assert_in_order_to_the_end(nginx: &Nginx, key: &str, programme: &[Entry]) {
    for stream in ["v", "a"] {
        let source: Vec<Packet> = of_entries(programme, stream).concat();
        let sent: Vec<Packet> = nginx.files(1, key).iter().flat_map(|file| monotonic(file, stream)).collect();
        let (want, air) = (hashes(&source), hashes(&sent));
        let mut rest = want.iter();
        assert!(air.iter().all(|packet| rest.any(|wanted| wanted == packet)), "{stream}: in order, and none twice");
        assert!(air.last() == want.last(), "{stream}: on air to the end");
    }
}

/// Joins recordings of several sessions, each of which may repeat the end of the previous one. Returns the joined
/// hashes and the number of repeated packets per session. Panics if a session does not continue the previous one.
pub fn join_sessions<'a>(sessions: &'a [Vec<Packet>], want: &[&str], what: &str) -> (Vec<&'a str>, Vec<usize>) {
    let mut joined: Vec<&str> = Vec::new();
    let mut repeats = Vec::new();
    for session in sessions {
        let new = hashes(session);
        // Hashes repeat in simple test media: the right place is where the session continues as the source does.
        let fits = |repeated: usize| {
            let from = joined.len() - repeated;
            new.iter().zip(&want[from..]).all(|(got, want)| got == want)
        };
        let repeated = (0..=joined.len()).find(|repeated| fits(*repeated));
        let repeated = repeated.unwrap_or_else(|| {
            let same = |repeated: usize| {
                let from = joined.len() - repeated;
                new.iter().zip(&want[from..]).take_while(|(got, want)| got == want).count()
            };
            let most = (0..=joined.len()).map(|repeated| (same(repeated), joined.len() - repeated)).max();
            let (same, from) = most.unwrap_or_default();
            let next = want.iter().position(|want| new.get(same) == Some(want));
            panic!(
                "{what}: a session of {} does not follow on {}: from {from} on {same} packets do, then comes {next:?} of {}",
                new.len(),
                joined.len(),
                want.len()
            )
        });
        repeats.push(repeated);
        let from = joined.len() - repeated;
        joined.truncate(from);
        joined.extend(new);
    }
    (joined, repeats)
}

/// Returns a function that counts the bytes that a receiver's first run has recorded under a key.
pub fn recorded(nginx: &Nginx, key: &str) -> impl Fn() -> u64 + Send + 'static {
    let (dir, key) = (nginx.record_dir(1), key.to_owned());
    move || {
        let files = std::fs::read_dir(&dir).into_iter().flatten().flatten();
        let of_key = files.filter(|entry| belongs(&entry.path(), &key));
        of_key.filter_map(|entry| Some(entry.metadata().ok()?.len())).sum()
    }
}

/// Watches growing files: the longest time without growth between the first and the last byte. On its own thread, so
/// that a busy test does not look like a gap.
pub struct GapWatch {
    task: JoinHandle<Duration>,
    stop: SyncSender<()>,
}

impl GapWatch {
    /// Starts to watch the total length that `length` returns.
    pub fn start(length: impl Fn() -> u64 + Send + 'static) -> Self {
        let (stop, stopped) = sync_channel(1);
        let task = std::thread::spawn(move || {
            let (mut last, mut grown, mut longest) = (0, None::<Instant>, Duration::ZERO);
            loop {
                let now = length();
                if now > last {
                    if let Some(before) = grown.replace(Instant::now()) {
                        longest = longest.max(before.elapsed());
                    }
                    last = now;
                }
                if stopped.recv_timeout(Duration::from_millis(10)) != Err(RecvTimeoutError::Timeout) {
                    return longest;
                }
            }
        });
        Self { task, stop }
    }

    /// Starts to watch a receiver's recordings under a key.
    pub fn of(nginx: &Nginx, key: &str) -> Self {
        Self::start(recorded(nginx, key))
    }

    /// The longest gap so far.
    pub async fn longest(self) -> Duration {
        self.stop.send(()).ok();
        tokio::task::spawn_blocking(|| self.task.join().unwrap()).await.unwrap()
    }
}
