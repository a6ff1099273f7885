//! Watches several streams on air in windows of time: the longest gap of each, and the longest delay of an idle thread
//! on this machine in the same window.
#![expect(clippy::unwrap_used, reason = "a harness that cannot do its part fails the test")]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// Interval between readings of the files, and the sleep of a probe.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// The readings of one window.
#[derive(Debug, Clone)]
pub struct Window {
    /// The longest time without a packet, per stream. A gap that began before the window counts in full.
    pub longest: Vec<Duration>,
    /// The longest oversleep of all processors. A packet can be delayed by as much without any fault.
    pub overslept: Duration,
}

/// Watches until it is dropped.
pub struct Windows {
    streams: Arc<Mutex<Vec<Stream>>>,
    overslept_ns: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

struct Stream {
    length: Box<dyn Fn() -> u64 + Send>,
    last: u64,
    grown: Instant,
    longest: Duration,
}

impl Stream {
    fn look(&mut self) {
        let now = (self.length)();
        self.longest = self.longest.max(self.grown.elapsed());
        if now > self.last {
            (self.last, self.grown) = (now, Instant::now());
        }
    }
}

impl Windows {
    /// Starts to watch the lengths that these functions return; all streams are on air already.
    pub fn start(lengths: Vec<Box<dyn Fn() -> u64 + Send>>) -> Self {
        let stream = |length: Box<dyn Fn() -> u64 + Send>| {
            let last = length();
            Stream { length, last, grown: Instant::now(), longest: Duration::ZERO }
        };
        let streams = Arc::new(Mutex::new(lengths.into_iter().map(stream).collect::<Vec<_>>()));
        let (overslept_ns, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let ours = sched_getaffinity(Pid::from_raw(0)).unwrap();
        let processors = (0..CpuSet::count()).filter(|processor| ours.is_set(*processor).unwrap_or(false));
        let mut threads: Vec<_> = processors
            .map(|processor| {
                let (overslept, stop) = (overslept_ns.clone(), stop.clone());
                std::thread::spawn(move || {
                    let mut only = CpuSet::new();
                    only.set(processor).unwrap();
                    sched_setaffinity(Pid::from_raw(0), &only).unwrap();
                    while !stop.load(Ordering::Relaxed) {
                        sleep(&overslept);
                    }
                })
            })
            .collect();
        let (watched, overslept, stopped) = (streams.clone(), overslept_ns.clone(), stop.clone());
        threads.push(std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                watched.lock().unwrap().iter_mut().for_each(Stream::look);
                // If this thread is late, it sees packets late.
                sleep(&overslept);
            }
        }));
        Self { streams, overslept_ns, stop, threads }
    }

    /// Ends a window and begins the next one.
    pub fn next(&self) -> Window {
        let mut streams = self.streams.lock().unwrap();
        let longest = streams.iter_mut().map(|stream| {
            stream.look();
            std::mem::take(&mut stream.longest)
        });
        let longest = longest.collect();
        Window { longest, overslept: Duration::from_nanos(self.overslept_ns.swap(0, Ordering::Relaxed)) }
    }
}

/// Sleeps for one interval, and records the oversleep.
fn sleep(overslept_ns: &AtomicU64) {
    let began = Instant::now();
    std::thread::sleep(LOOK_EVERY);
    let late = began.elapsed().saturating_sub(LOOK_EVERY);
    overslept_ns.fetch_max(u64::try_from(late.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
}

impl Drop for Windows {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.drain(..).for_each(|thread| {
            let _ = thread.join();
        });
    }
}
