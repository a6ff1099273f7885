//! Progress for people: one updating line on a terminal, otherwise a plain line at intervals.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tokio::task::JoinHandle;

use crate::pipeline::Watch;
use crate::pipeline::status::Phase;

/// Interval between updates on a terminal.
const TERMINAL: Duration = Duration::from_millis(500);
/// Interval between lines without a terminal.
const PLAIN: Duration = Duration::from_secs(10);

/// Shows a pipeline's progress on standard error.
#[derive(Debug)]
pub struct Progress {
    bars: Option<MultiProgress>,
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

/// Ends the display when dropped.
#[derive(Debug)]
pub struct Shown(JoinHandle<()>, Option<ProgressBar>);

impl Drop for Shown {
    fn drop(&mut self) {
        self.0.abort();
        if let Some(bar) = &self.1 {
            bar.finish_and_clear();
        }
    }
}

impl Progress {
    /// Shows an updating line if standard error is a terminal.
    pub fn new() -> Self {
        Self { bars: std::io::stderr().is_terminal().then(MultiProgress::new) }
    }

    /// The terminal display, so that log lines can be written above it.
    pub fn bars(&self) -> Option<MultiProgress> {
        self.bars.clone()
    }

    /// Follows a pipeline until the result is dropped.
    pub fn follow(&self, watch: Watch) -> Shown {
        let bar = self.bars.as_ref().map(|bars| {
            let bar = bars.add(ProgressBar::new_spinner());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed_precise} {msg}") {
                bar.set_style(style);
            }
            bar
        });
        let moving = bar.clone();
        let task = tokio::spawn(async move {
            let mut beat = tokio::time::interval(if moving.is_some() { TERMINAL } else { PLAIN });
            loop {
                beat.tick().await;
                let line = line(&watch);
                match &moving {
                    Some(bar) => {
                        bar.set_message(line);
                        bar.tick();
                    }
                    None => tracing::info!("{line}"),
                }
            }
        });
        Shown(task, bar)
    }
}

/// The state of the pipeline in one line.
fn line(watch: &Watch) -> String {
    let (stats, air_ms) = (watch.stats(), watch.air_ms());
    let buffer = stats.buffer_ms as f64 / 1000.0;
    let originals: u64 = stats.original.values().sum();
    let batches = format!("batches {} ({} processed, {originals} original)", stats.batches, stats.processed);
    match stats.phase {
        Phase::Starting => "connecting to the source".into(),
        Phase::Buffering => format!("buffering {buffer:.0} of {:.0} s", watch.batch_seconds()),
        Phase::Holding => format!("first batch is with the processor, buffering {buffer:.0} s · {batches}"),
        Phase::OnAir => {
            let (on_air, all) = watch.on_air();
            let where_to = if on_air == all { "on air".into() } else { format!("ON AIR AT {on_air} OF {all}") };
            format!("{where_to} {} · buffer {buffer:.0} s · {batches}", clock(air_ms.unwrap_or_default()))
        }
        Phase::Draining => {
            let left = watch.end_ms().saturating_sub(air_ms.unwrap_or_default());
            format!("draining, {} s left on air · {batches}", left / 1000)
        }
        Phase::Ended => format!("ended · {batches}"),
    }
}

fn clock(ms: u64) -> String {
    let seconds = ms / 1000;
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_air_time_as_a_clock() {
        assert_eq!(clock(3_723_999), "01:02:03");
    }
}
