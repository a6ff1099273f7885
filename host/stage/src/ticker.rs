//! The ticker: a thread that advances the engine's epoch while a call runs, which ends the guests' time slices.
//!
//! While no call runs, the thread is parked and costs nothing. A call that starts wakes it only if it is parked, so calls in quick
//! succession are not slowed. The thread has a weak handle of the engine and ends when its [`Ticker`] is dropped.

use crate::limits::STAGE_EPOCH_TICK;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle, Thread};
use wasmtime::EngineWeak;

#[derive(Debug, Default)]
struct Shared {
    /// How many calls run now.
    running: AtomicUsize,
    stop: AtomicBool,
}

/// Owner of the thread; dropping it ends the thread.
#[derive(Debug)]
pub(super) struct Ticker {
    shared: Arc<Shared>,
    thread: Thread,
    join: Option<JoinHandle<()>>,
}

impl Ticker {
    pub(super) fn start(engine: EngineWeak) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        let join = thread::Builder::new().name("stage-ticker".to_owned()).spawn(move || run(&of_thread, &engine))?;
        Ok(Self { shared, thread: join.thread().clone(), join: Some(join) })
    }

    /// Makes the epoch advance until the guard is dropped.
    pub(super) fn guard(&self) -> TickerGuard {
        if self.shared.running.fetch_add(1, Ordering::SeqCst) == 0 {
            self.thread.unpark();
        }
        TickerGuard(Arc::clone(&self.shared))
    }
}

fn run(shared: &Shared, engine: &EngineWeak) {
    while !shared.stop.load(Ordering::SeqCst) {
        if shared.running.load(Ordering::SeqCst) == 0 {
            // An `unpark` between the load and here is not lost: `park` then returns at once.
            thread::park();
            continue;
        }
        thread::sleep(STAGE_EPOCH_TICK);
        match engine.upgrade() {
            Some(engine) => engine.increment_epoch(),
            None => return,
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.thread.unpark();
        if let Some(join) = self.join.take() {
            // It sleeps for one tick at most. A panic there has been reported by the panic hook.
            let _ = join.join();
        }
    }
}

/// A running call. The epoch advances while any guard exists.
#[derive(Debug)]
pub(super) struct TickerGuard(Arc<Shared>);

impl Drop for TickerGuard {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}
