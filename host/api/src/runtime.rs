//! Separate threads for answering requests, with a lower priority than those of media.
//!
//! What a request costs is decided by whoever sends it. On the threads that read playlists, cut batches and carry pipelines, a
//! text that is slow to parse would be in front of media; here it is in front of other requests only. These threads are
//! fewer than what media has, and stand back where processors are scarce (`nice`). What outlives a request, such as a pipeline
//! that it starts, runs where the core was opened ([`outboard_control::Control`]), never here.

use std::thread::available_parallelism;

use tokio::runtime::{Builder, Handle, Runtime};

use crate::limits::{API_BLOCKING_THREADS_MAX, API_NICE, API_STACK_BYTES, API_THREADS_MAX, API_THREADS_MIN};

/// The threads that answer requests. Dropping it drops the tasks that run there, without waiting for them.
#[derive(Debug)]
pub struct ApiRuntime {
    handle: Handle,
    runtime: Option<Runtime>,
}

impl ApiRuntime {
    /// Starts the threads of the API.
    ///
    /// # Errors
    /// The system's error if a thread or a poller cannot be created.
    pub fn start() -> std::io::Result<Self> {
        let cores = available_parallelism().map_or(API_THREADS_MIN, std::num::NonZero::get);
        let runtime = Builder::new_multi_thread()
            .thread_name("api")
            .worker_threads(cores.clamp(API_THREADS_MIN, API_THREADS_MAX))
            .max_blocking_threads(API_BLOCKING_THREADS_MAX)
            .thread_stack_size(API_STACK_BYTES)
            .on_thread_start(stand_back)
            .enable_all()
            .build()?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    /// A handle that spawns tasks on these threads.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }
}

impl Drop for ApiRuntime {
    fn drop(&mut self) {
        // The runtime's own drop waits for its threads, which is not allowed in async code.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Lowers the priority of the calling thread, on Linux. If that fails, media only has no priority over requests.
fn stand_back() {
    if let Err(error) = rustix::process::setpriority_process(None, API_NICE) {
        tracing::debug!(%error, "a thread of the API keeps its priority");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn its_threads_stand_behind_the_others() {
        let nice = || rustix::process::getpriority_process(None).unwrap();
        let own = nice();
        let api = ApiRuntime::start().unwrap();
        let (of_worker, of_blocking) = api
            .handle()
            .spawn(async move { (nice(), tokio::task::spawn_blocking(nice).await.unwrap()) })
            .await
            .unwrap();
        assert!(of_worker > own || own >= API_NICE, "{of_worker} beside {own}");
        assert_eq!((of_worker, of_worker), (API_NICE.max(own), of_blocking));
        assert_eq!(nice(), own, "of this thread alone");
    }
}
