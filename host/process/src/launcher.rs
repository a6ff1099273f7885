//! The threads that start children.
//!
//! Linux ends a child with the *thread* that started it (`PR_SET_PDEATHSIG`), not with the process. So children are started
//! on threads that live as long as the process. They wait for no child: an order takes them from fork to exec.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::process::Command;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::Child;
use crate::limits::{CHILD_LAUNCH_TIME, CHILD_LAUNCHERS, CHILD_LAUNCHES_WAITING};

/// Where orders go.
static LAUNCHERS: OnceLock<SyncSender<Order>> = OnceLock::new();

/// A child that is to be started.
struct Order {
    command: Command,
    /// Of the one who waits: its pipes and its end are seen there.
    runtime: Handle,
    started: oneshot::Sender<io::Result<Child>>,
}

/// Starts the threads, where they do not run yet. Children have the priority of the thread that calls this first.
///
/// # Errors
/// The system gave no thread.
pub fn begin() -> io::Result<()> {
    launchers().map(drop)
}

/// Starts a child. One that nobody waits for any more is killed.
pub(super) async fn start(command: Command) -> io::Result<Child> {
    let (started, answer) = oneshot::channel();
    let order = Order { command, runtime: Handle::current(), started };
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

fn launchers() -> io::Result<&'static SyncSender<Order>> {
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
        // Where the second one fails, the first one ends with the channel.
        std::thread::Builder::new().name("launcher".into()).spawn(move || work(&come))?;
    }
    Ok(LAUNCHERS.get_or_init(|| orders))
}

/// Never ends: the other end of the channel is never dropped. A thread that ended would take its children with it.
fn work(orders: &Mutex<Receiver<Order>>) {
    loop {
        let order = orders.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Order { command, runtime, started }) = order else { return };
        if started.is_closed() {
            continue;
        }
        let _runtime = runtime.enter();
        // A panic is logged, and whoever waits is told: nothing is sent.
        catch_unwind(AssertUnwindSafe(|| spawn(command, started))).ok();
    }
}

fn spawn(mut command: Command, started: oneshot::Sender<io::Result<Child>>) {
    // What is not taken is dropped, and so killed.
    drop(started.send(command.spawn().map(Child::new)));
}
