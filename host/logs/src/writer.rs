//! The thread of the log: writes files, wakes readers and reports dropped lines.
//!
//! Readers are woken together, at most once per [`LOG_WAKE_EVERY`]. A thousand readers cost the writers of lines
//! nothing, and waking costs the host the same for ten lines as for one.

use std::sync::Arc;
use std::time::Instant;

use super::files::Files;
use super::hub::Shared;
use super::queue::Job;
use crate::limits::{LOG_TELL_EVERY, LOG_WAKE_EVERY};

/// Runs until the queue is closed.
pub(super) fn run(shared: &Arc<Shared>, mut files: Files) {
    let mut tell_at = Instant::now() + LOG_TELL_EVERY;
    loop {
        let work = shared.queue.wait(tell_at);
        if let Some(root) = work.root {
            files.open(root);
        }
        for job in work.jobs {
            match job {
                Job::Line(record) => files.write(&record),
                Job::Forget(key, done) => {
                    files.remove(&key);
                    let _ = done.send(());
                }
                Job::Flush(done) => drop(done.try_send(())),
            }
        }
        if Instant::now() >= tell_at {
            shared.tell_left_out();
            tell_at = Instant::now() + LOG_TELL_EVERY;
        }
        if work.closed {
            return shared.close();
        }
        if work.news {
            shared.wake(work.groups);
            shared.queue.pause(LOG_WAKE_EVERY);
        }
    }
}
