//! The threads that start children.
//!
//! On Linux a child is ended with the *thread* that started it (`PR_SET_PDEATHSIG`), not with the process. So children are started by
//! threads that live as long as the process. They do not wait for children: an order ends with the exec.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::process::Command;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::Child;
use crate::limits::{CHILD_LAUNCH_TIME, CHILD_LAUNCHERS, CHILD_LAUNCHES_WAITING};

/// The queue of the launcher threads.
static LAUNCHERS: OnceLock<SyncSender<LaunchRequest>> = OnceLock::new();

/// A child that is to be started.
struct LaunchRequest {
    command: Command,
    /// The runtime of the caller, which polls the child's pipes and its end.
    runtime: Handle,
    started: oneshot::Sender<io::Result<Child>>,
}

/// Starts the launcher threads, unless they run already. Children have the priority of the thread that calls this first.
///
/// # Errors
/// The system's error if a thread cannot be started.
pub fn begin() -> io::Result<()> {
    launchers().map(drop)
}

/// Starts a child. If this future is dropped, the child is killed.
///
/// # Errors
/// The system's error; too many orders wait; or the child did not start within [`CHILD_LAUNCH_TIME`].
pub(super) async fn start(command: Command) -> io::Result<Child> {
    let (started, answer) = oneshot::channel();
    let order = LaunchRequest { command, runtime: Handle::current(), started };
    launchers()?.try_send(order).map_err(|_| io::Error::other("too many programs are being started"))?;
    match tokio::time::timeout(CHILD_LAUNCH_TIME, answer).await {
        Ok(Ok(child)) => child,
        Ok(Err(_)) => Err(io::Error::other("the thread that was to start it panicked")),
        Err(_) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("it did not start within {} s", CHILD_LAUNCH_TIME.as_secs()),
        )),
    }
}

fn launchers() -> io::Result<&'static SyncSender<LaunchRequest>> {
    static MAKING: Mutex<()> = Mutex::new(());
    if let Some(orders) = LAUNCHERS.get() {
        return Ok(orders);
    }
    let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(orders) = LAUNCHERS.get() {
        return Ok(orders);
    }
    let (orders, come) = sync_channel(CHILD_LAUNCHES_WAITING);
    let come = Arc::new(Mutex::new(come));
    for _ in 0..CHILD_LAUNCHERS {
        let come = come.clone();
        // If the second thread cannot be started, the first one ends with the channel.
        std::thread::Builder::new().name("launcher".into()).spawn(move || work(&come))?;
    }
    Ok(LAUNCHERS.get_or_init(|| orders))
}

/// Runs for the life of the process, as the sender is never dropped. If the thread ended, its children would be killed.
fn work(orders: &Mutex<Receiver<LaunchRequest>>) {
    loop {
        let order = orders.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(LaunchRequest { command, runtime, started }) = order else { return };
        if started.is_closed() {
            continue;
        }
        let _runtime = runtime.enter();
        // A panic is logged, and the caller gets an error, as nothing is sent.
        catch_unwind(AssertUnwindSafe(|| spawn(command, started))).ok();
    }
}

fn spawn(mut command: Command, started: oneshot::Sender<io::Result<Child>>) {
    // If the caller is gone, the child is dropped, which kills it.
    drop(started.send(command.spawn().map(Child::new)));
}
