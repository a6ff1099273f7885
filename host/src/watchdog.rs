//! A thread that detects when the other threads no longer run. When the threads that do the work have not run for too
//! long, or a shutdown does not finish, it logs the state of every thread and ends the process with [`EXIT_HUNG`]. The
//! supervisor then restarts the process, which resumes from the journal.
//!
//! This must not be confused with a process that did not run as a whole (SIGSTOP, suspend, an overloaded machine): in
//! that case the watchdog's own checks are late too, and time in which the watchdog did not run is not counted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak, mpsc};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use self::silence::{CounterState, Silence};
use crate::asleep::Stopwatch;
use crate::limits::{WATCHDOG_AWAY, WATCHDOG_BEAT, WATCHDOG_LOOK, WATCHDOG_REPORT, WATCHDOG_WARN, WATCHDOG_WARN_EVERY};

mod silence;
mod threads;

/// The exit code of a process that hung.
pub const EXIT_HUNG: i32 = 3;

/// Watches until it is dropped.
#[derive(Debug)]
pub struct Watchdog(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    beats: Vec<Beat>,
    /// The time left for the shutdown.
    ending: Mutex<Option<Duration>>,
}

/// Threads that share their work.
#[derive(Debug)]
struct Beat {
    name: &'static str,
    count: Arc<AtomicU64>,
    task: AbortHandle,
}

impl Drop for Beat {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The part of the process that makes no progress.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Hang {
    /// The named threads have not run for this time.
    Threads(&'static str, Duration),
    /// The shutdown did not finish in time.
    Shutdown,
}

impl std::fmt::Display for Hang {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Threads(name, silent) => {
                write!(f, "the {name} threads have not run for {:.0} s", silent.as_secs_f64())
            }
            Self::Shutdown => f.write_str("the shutdown did not finish in time"),
        }
    }
}

impl Watchdog {
    /// Watches these runtimes, each with its name. The process ends when one has not run for `hang`.
    ///
    /// # Errors
    /// The operating system refused to start a thread.
    pub fn start(runtimes: &[(&'static str, Handle)], hang: Duration) -> std::io::Result<Self> {
        Self::start_with(runtimes, hang, |hang| end(&hang))
    }

    fn start_with(
        runtimes: &[(&'static str, Handle)],
        hang: Duration,
        hung: impl FnOnce(Hang) + Send + 'static,
    ) -> std::io::Result<Self> {
        let beats = runtimes.iter().map(|(name, handle)| Beat::of(name, handle)).collect();
        let shared = Arc::new(Shared { beats, ending: Mutex::default() });
        let watched = Arc::downgrade(&shared);
        let watch = move || {
            if let Some(hang) = watch(&watched, hang) {
                hung(hang);
            }
        };
        std::thread::Builder::new().name("watchdog".into()).spawn(watch)?;
        Ok(Self(shared))
    }

    /// Everything must have ended within `limit` from now on.
    pub fn ending(&self, limit: Duration) {
        self.0.ending.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(limit);
    }
}

impl Beat {
    fn of(name: &'static str, runtime: &Handle) -> Self {
        let count = Arc::new(AtomicU64::new(0));
        let counted = count.clone();
        let beat = async move {
            loop {
                counted.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(WATCHDOG_BEAT).await;
            }
        };
        Self { name, count, task: runtime.spawn(beat).abort_handle() }
    }
}

/// The watchdog's own checks; their delay shows whether the process as a whole ran.
struct Looks(Stopwatch);

/// The times that one check measured.
struct Look {
    /// Time since the last check that counts for the watched threads.
    counted: Duration,
    /// How long the process did not run, if that is worth a log line.
    away: Option<Duration>,
}

impl Looks {
    fn look(&mut self) -> Look {
        let passed = self.0.lap();
        Look { counted: passed.min(WATCHDOG_LOOK * 2), away: Some(passed).filter(|passed| *passed > WATCHDOG_AWAY) }
    }
}

/// Checks until something hangs or the watchdog is dropped.
fn watch(shared: &Weak<Shared>, hang: Duration) -> Option<Hang> {
    let beats = shared.upgrade()?.beats.len();
    let mut silences = vec![Silence::new(WATCHDOG_WARN, hang, WATCHDOG_WARN_EVERY); beats];
    let mut looks = Looks(Stopwatch::start());
    loop {
        std::thread::sleep(WATCHDOG_LOOK);
        let Look { counted, away } = looks.look();
        if let Some(away) = away {
            let seconds = away.as_secs_f64();
            tracing::warn!(
                "the process did not run for {seconds:.1} s: it was stopped, or the machine was busy or suspended"
            );
        }
        let shared = shared.upgrade()?;
        for (beat, silence) in shared.beats.iter().zip(&mut silences) {
            match silence.look(beat.count.load(Ordering::Relaxed), counted) {
                CounterState::Runs => {}
                CounterState::Quiet(silent) => {
                    tracing::warn!("the {} threads have not run for {:.1} s", beat.name, silent.as_secs_f64());
                }
                CounterState::Back(silent) => {
                    tracing::warn!("the {} threads run again, after {:.1} s", beat.name, silent.as_secs_f64());
                }
                CounterState::Hangs(silent) => return Some(Hang::Threads(beat.name, silent)),
            }
        }
        let mut ending = shared.ending.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(left) = ending.as_mut() {
            *left = left.saturating_sub(counted);
            if left.is_zero() {
                return Some(Hang::Shutdown);
            }
        }
    }
}

/// Logs the state of every thread and ends the process.
fn end(hang: &Hang) {
    let what = format!("{hang}; the process ends with code {EXIT_HUNG} and can be restarted");
    let (said, done) = mpsc::channel();
    // Logs in a separate thread, because the log may be what hangs.
    let say = move || {
        tracing::error!("{what}");
        threads::list().iter().for_each(|line| tracing::error!("{line}"));
        crate::telemetry::finish();
        let _ = said.send(());
    };
    if std::thread::Builder::new().name("watchdog-says".into()).spawn(say).is_ok() {
        let _ = done.recv_timeout(WATCHDOG_REPORT);
    }
    // Ends the process even if the exit handlers hang.
    let _ = std::thread::Builder::new().name("watchdog-ends".into()).spawn(|| {
        std::thread::sleep(WATCHDOG_REPORT);
        std::process::abort();
    });
    std::process::exit(EXIT_HUNG);
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
    }

    #[test]
    fn a_runtime_whose_threads_are_held_up_is_found_and_one_that_runs_is_not() {
        let (held, runs) = (runtime(), runtime());
        let (hung, heard) = mpsc::channel();
        let runtimes = [("runs", runs.handle().clone()), ("held", held.handle().clone())];
        let watchdog =
            Watchdog::start_with(&runtimes, Duration::from_secs(2), move |hang| hung.send(hang).unwrap()).unwrap();
        let (end, until) = mpsc::channel::<()>();
        held.spawn(async move {
            let _ = until.recv();
        });
        let hang = heard.recv_timeout(Duration::from_secs(60)).unwrap();
        assert!(matches!(hang, Hang::Threads("held", silent) if silent >= Duration::from_secs(2)), "{hang:?}");
        let listed = threads::list();
        assert!(listed.iter().any(|line| line.contains("tokio")), "{listed:#?}");
        drop((end, watchdog));
    }

    #[test]
    fn a_suspended_machine_was_away_and_nobody_hung() {
        const SUSPENDED: Duration = Duration::from_secs(600);
        thread_local!(static SLEPT: Cell<Duration> = const { Cell::new(Duration::ZERO) });
        let mut looks = Looks(Stopwatch::beside(|| SLEPT.get()));
        SLEPT.set(SUSPENDED);
        let Look { counted, away } = looks.look();
        assert!(away.is_some_and(|away| away >= SUSPENDED), "{away:?}");
        assert_eq!(counted, WATCHDOG_LOOK * 2);
    }

    #[test]
    fn a_shutdown_has_an_end_and_a_watchdog_that_is_dropped_says_nothing() {
        let runs = runtime();
        let (hung, heard) = mpsc::channel();
        let runtimes = [("runs", runs.handle().clone())];
        let start = || {
            let hung = hung.clone();
            Watchdog::start_with(&runtimes, Duration::from_secs(3600), move |hang| hung.send(hang).unwrap()).unwrap()
        };
        let (ends, goes) = (start(), start());
        goes.ending(WATCHDOG_LOOK * 4);
        drop(goes);
        ends.ending(WATCHDOG_LOOK * 4);
        assert_eq!(heard.recv_timeout(Duration::from_secs(60)).unwrap(), Hang::Shutdown);
        drop((hung, ends));
        assert!(heard.recv_timeout(Duration::from_secs(60)).is_err(), "the other one ended without a word");
    }
}
