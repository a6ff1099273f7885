//! What SRS says of our streams, beside what we know ourselves (law 7).
//!
//! In: the destinations of a pipeline that runs, and the base URL of SRS's HTTP API where one is set (`srs_api`). Out: a
//! [`SrsView`] for each, every [`SRS_ASK_EVERY`]. The API is asked through the tenant's guard. Limits:
//! [`crate::limits`], section SRS.
//!
//! Not done: SRS's view of SRT destinations.

mod answer;
mod poller;

use std::collections::HashMap;

use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::time::sleep;

use self::poller::{Place, SrsPoller};
use super::runner::{DesiredRun, Run, RunState};
use crate::limits::SRS_ASK_EVERY;
use outboard_pipeline::Watch;

/// SRS's view of our stream.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SrsView {
    /// Whether SRS's API answered the last query.
    pub reachable: bool,
    /// It has our stream, with a publisher.
    pub publishing: bool,
    /// Since when those two are as they are, Unix time in milliseconds.
    pub since_ms: u64,
    /// Who watches it there; the publisher is not counted.
    pub clients: Option<u64>,
    /// What it receives, in kilobits per second, since it was asked last.
    pub recv_kbps: Option<f64>,
    /// How it reads our pictures, such as `H264 High 4, 1280x720`.
    pub video: Option<String>,
    /// How it reads our sound, such as `AAC LC, 44100 Hz, stereo`.
    pub audio: Option<String>,
    /// Why there is no view, or no stream.
    pub problem: Option<String>,
}

/// SRS's views by the names of destinations, which may come and go between a question and its answer.
pub type SrsViews = HashMap<String, SrsView>;

/// Asks SRS for as long as the pipeline runs.
pub(super) async fn follow(
    mut wanted: watch::Receiver<DesiredRun>,
    mut run: watch::Receiver<Run>,
    shown: watch::Sender<SrsViews>,
) {
    let mut pollers = Vec::new();
    loop {
        let (names, places) = places(&wanted.borrow_and_update(), &run.borrow_and_update());
        pollers = renewed(pollers, places);
        let asking = pollers.iter_mut().map(async |poller: &mut Option<SrsPoller>| Some(poller.as_mut()?.poll().await));
        let views: Vec<Option<SrsView>> = tokio::select! {
            views = join_all(asking) => views,
            () = shown.closed() => return,
        };
        let idle = views.iter().all(Option::is_none);
        let views: SrsViews = names.into_iter().zip(views).filter_map(|(name, view)| Some((name, view?))).collect();
        shown.send_if_modified(|shown| {
            let changed = *shown != views;
            *shown = views;
            changed
        });
        tokio::select! {
            () = shown.closed() => return,
            changed = run.changed() => if changed.is_err() { return },
            changed = wanted.changed() => if changed.is_err() { return },
            () = sleep(SRS_ASK_EVERY), if !idle => {}
        }
    }
}

/// The names of the destinations that run, and where to ask for each.
fn places(wanted: &DesiredRun, run: &Run) -> (Vec<String>, Vec<Option<Place>>) {
    if !matches!(run.state, RunState::Running | RunState::Stopping) {
        return (Vec::new(), Vec::new());
    }
    let running = run.watch.as_ref().map(Watch::destinations).unwrap_or_default();
    // What is wanted may be newer than what runs: destinations are told apart by their names.
    let of = |name: &str| wanted.settings.destinations.iter().find(|destination| destination.id() == name);
    let place = |name: &str| {
        let destination = of(name)?;
        Place::new(destination.srs_api.as_deref()?, &destination.url, &wanted.owner.guard)
    };
    running.into_iter().map(|status| (status.name.clone(), place(&status.name))).unzip()
}

/// A poller for each place; one that asked there before goes on.
fn renewed(mut before: Vec<Option<SrsPoller>>, places: Vec<Option<Place>>) -> Vec<Option<SrsPoller>> {
    let mut poller = |place: Place| {
        let known = before.iter_mut().find(|poller| poller.as_ref().is_some_and(|poller| *poller.place() == place));
        known.and_then(Option::take).unwrap_or_else(|| SrsPoller::new(place))
    };
    places.into_iter().map(|place| place.map(&mut poller)).collect()
}

#[cfg(test)]
mod tests;
