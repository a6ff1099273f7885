//! A separate runtime for sending, so that other work in the process cannot delay it.
//!
//! The rest of the host shares its workers among all tenants: large playlists are parsed there, stages run there in
//! slices, and API queries are answered there. Each task is limited, but many of them at once would still delay a
//! packet that is due. On its own runtime (workers, timers, sockets and the pool that reads files), a packet waits only
//! for other packets and for the machine. This costs a few idle threads per process.

use tokio::runtime::{Builder, Handle, Runtime};

/// The runtime for destinations. Dropping it drops all its tasks without waiting for them.
#[derive(Debug)]
pub struct AirRuntime {
    handle: Handle,
    runtime: Option<Runtime>,
}

impl AirRuntime {
    /// Starts the threads: one worker per core.
    ///
    /// # Errors
    /// The operating system refused a thread or a poller.
    pub fn start() -> std::io::Result<Self> {
        let runtime = Builder::new_multi_thread().thread_name("air").enable_all().build()?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    /// Handle to spawn destinations on these threads.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }
}

impl Drop for AirRuntime {
    fn drop(&mut self) {
        // Waiting for the end, as the runtime's own drop does, is not allowed in async code.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    /// A worker that never yields is the worst case for the rest of the host.
    #[test]
    fn a_busy_host_does_not_hold_up_what_leaves() {
        let host = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let air = host.block_on(async { AirRuntime::start() }).unwrap();
        let (busy, is_busy) = mpsc::channel();
        let (end, until) = mpsc::channel::<()>();
        let (left, leaves) = mpsc::channel();
        let handle = air.handle();
        host.spawn(async move {
            // Spawned from the host's worker, as pipelines do.
            handle.spawn(async move {
                is_busy.recv().unwrap();
                tokio::time::sleep(Duration::from_millis(1)).await;
                tokio::task::spawn_blocking(|| ()).await.unwrap();
                left.send(std::thread::current().name().map(str::to_owned)).unwrap();
            });
            busy.send(()).unwrap();
            let _ = until.recv();
        });
        let ran_on = leaves.recv_timeout(Duration::from_secs(30)).unwrap();
        assert_eq!(ran_on.as_deref(), Some("air"));
        drop(end);
    }

    #[tokio::test]
    async fn it_can_be_dropped_where_async_code_runs() {
        let air = AirRuntime::start().unwrap();
        let task = air.handle().spawn(std::future::pending::<()>());
        drop(air);
        assert!(task.await.unwrap_err().is_cancelled());
    }
}
