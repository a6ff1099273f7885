//! The threads that start children.
//!
//! Linux ends a child with the *thread* that started it (`PR_SET_PDEATHSIG`), not with the process. Children are
//! therefore started on threads that live as long as the process. These threads do not wait for children: an order
//! occupies them from fork to exec.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::process::Command;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::Child;
use crate::limits::{CHILD_LAUNCH_TIME, CHILD_LAUNCHERS, CHILD_LAUNCHES_WAITING};

/// The queue of orders.
static LAUNCHERS: OnceLock<SyncSender<Order>> = OnceLock::new();

/// A child to start.
struct Order {
    command: Command,
    /// The caller's runtime, where its pipes and its end are handled.
    runtime: Handle,
    started: oneshot::Sender<io::Result<Child>>,
}

/// Starts the threads, if they do not run yet. Children have the priority of the thread that calls this first.
///
/// # Errors
/// The operating system refused a thread.
pub fn begin() -> io::Result<()> {
    launchers().map(drop)
}

/// Starts a child. It is killed if the caller is dropped in the meantime.
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
        // If the second one fails, the first one ends with the channel.
        std::thread::Builder::new().name("launcher".into()).spawn(move || work(&come))?;
    }
    Ok(LAUNCHERS.get_or_init(|| orders))
}

/// Never ends, because the other end of the channel is never dropped. A thread that ended would end its children too.
fn work(orders: &Mutex<Receiver<Order>>) {
    loop {
        let order = orders.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Order { command, runtime, started }) = order else { return };
        if started.is_closed() {
            continue;
        }
        let _runtime = runtime.enter();
        // A panic is logged, and the caller gets an error because nothing is sent.
        catch_unwind(AssertUnwindSafe(|| spawn(command, started))).ok();
    }
}

fn spawn(mut command: Command, started: oneshot::Sender<io::Result<Child>>) {
    // A child that nobody receives is dropped, and therefore killed.
    drop(started.send(command.spawn().map(Child::new)));
}
