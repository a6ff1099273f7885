//! Keeps the order of a running source: pairs the steps of the playlists, fetches a few segments at a time, and
//! delivers strictly in order. One task; dropping it drops all work in progress.
//!
//! Backpressure: while the receiver's channel is full, finished segments stay on disk (up to `ahead`); then no more
//! steps are taken and the followers wait. Segments that leave the playlist in the meantime are counted as missed.

use std::collections::VecDeque;

use futures_util::future::{BoxFuture, join_all};
use futures_util::stream::{FuturesOrdered, StreamExt};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::download::{Download, Downloader, Edge};

use super::event::{Gap, SourceEvent, Track};
use super::follow::Notice;
use super::naming::Naming;
use super::pairing::{Paired, Pairing};
use super::relocate::Relocator;
use super::window::{Mark, Planned, Step};
use crate::limits::{NOTICES_WAITING_MAX, STEPS_WAITING_MAX};

/// Receiving ends of the followers.
pub(super) struct Inputs {
    pub(super) main: mpsc::Receiver<Step>,
    pub(super) audio: Option<mpsc::Receiver<Step>>,
    pub(super) notices: mpsc::Receiver<Notice>,
    pub(super) main_edge: watch::Receiver<Edge>,
    pub(super) audio_edge: watch::Receiver<Edge>,
}

/// The result for one place in the order.
enum Outcome {
    Event(SourceEvent),
    Segment { main: Box<Download>, audio: Vec<Download> },
}

/// The parts of a running source.
pub(super) struct Delivery<'a> {
    pub(super) downloader: &'a Downloader,
    pub(super) pairing: Pairing,
    pub(super) inputs: Inputs,
    pub(super) relocator: Relocator,
    pub(super) naming: Naming,
    /// Maximum number of places in the order that are in progress or finished.
    pub(super) ahead: usize,
    pub(super) events: mpsc::Sender<SourceEvent>,
}

impl Delivery<'_> {
    /// Runs until everything before ENDLIST is delivered, or until the receiver is dropped.
    pub(super) async fn run(mut self) {
        let zero = Instant::now();
        let mut jobs: FuturesOrdered<BoxFuture<'_, Outcome>> = FuturesOrdered::new();
        // Downloads continue while the receiver is slow: finished results wait here in order.
        let mut finished: VecDeque<Outcome> = VecDeque::new();
        let mut out: VecDeque<SourceEvent> = VecDeque::new();
        let (mut main_open, mut audio_open, mut ended) = (true, self.inputs.audio.is_some(), false);
        loop {
            while jobs.len() + finished.len() < self.ahead.max(1)
                && let Some(paired) = self.pairing.next(zero.elapsed())
            {
                jobs.push_back(job(self.downloader, paired, &self.inputs));
            }
            // Files get their names when they are delivered, so undelivered segments use no numbers.
            while out.is_empty()
                && let Some(outcome) = finished.pop_front()
            {
                match outcome {
                    Outcome::Event(event) => out.push_back(event),
                    Outcome::Segment { main, audio } => out.extend(self.naming.settle(*main, audio).await),
                }
            }
            if !main_open && !ended && self.pairing.waiting() == 0 && jobs.is_empty() && finished.is_empty() {
                ended = true;
                out.extend(self.pairing.rest().map(|mark| event(Track::Audio, mark)));
                out.push_back(SourceEvent::Ended);
            }
            if ended && out.is_empty() {
                return;
            }
            let room = jobs.len() + finished.len() < self.ahead.max(1);
            let deadline = self.pairing.deadline().filter(|_| room).map(|at| zero + at);
            tokio::select! {
                permit = self.events.reserve(), if !out.is_empty() => match (permit, out.pop_front()) {
                    (Ok(permit), Some(event)) => permit.send(event),
                    _ => return,
                },
                () = self.events.closed(), if out.is_empty() => return,
                Some(outcome) = jobs.next(), if !jobs.is_empty() => finished.push_back(outcome),
                step = self.inputs.main.recv(), if main_open && self.pairing.waiting() < STEPS_WAITING_MAX => match step {
                    Some(step) => self.pairing.push_main(step, zero.elapsed()),
                    None => main_open = false,
                },
                step = receive(&mut self.inputs.audio), if audio_open && self.pairing.audio_waiting() < STEPS_WAITING_MAX => {
                    match step {
                        Some(step) => if let Some(paired) = self.pairing.push_audio(step) {
                            jobs.push_back(job(self.downloader, paired, &self.inputs));
                        },
                        None => {
                            audio_open = false;
                            self.pairing.end_audio();
                        }
                    }
                },
                Some(notice) = self.inputs.notices.recv(), if !ended && out.len() < NOTICES_WAITING_MAX => match notice {
                    Notice::Event(event) => out.push_back(event),
                    Notice::Trouble(reason) => self.relocator.start(reason),
                },
                events = self.relocator.done(), if self.relocator.is_busy() => out.extend(events),
                () = sleep_until(deadline.unwrap_or(zero)), if deadline.is_some() => {}
            }
        }
    }
}

async fn receive(steps: &mut Option<mpsc::Receiver<Step>>) -> Option<Step> {
    steps.as_mut()?.recv().await
}

/// The work for one place in the order.
fn job<'a>(downloader: &'a Downloader, paired: Paired, inputs: &Inputs) -> BoxFuture<'a, Outcome> {
    match paired {
        Paired::Main(mark) => Box::pin(std::future::ready(Outcome::Event(event(Track::Main, mark)))),
        Paired::Audio(mark) => Box::pin(std::future::ready(Outcome::Event(event(Track::Audio, mark)))),
        Paired::Segment { main, audio } => {
            let (main_edge, audio_edge) = (inputs.main_edge.clone(), inputs.audio_edge.clone());
            Box::pin(async move {
                let sound = audio.into_iter().map(|planned| download(downloader, planned, audio_edge.clone()));
                let (main, audio) = tokio::join!(download(downloader, *main, main_edge), join_all(sound));
                Outcome::Segment { main: Box::new(main), audio }
            })
        }
    }
}

async fn download(downloader: &Downloader, planned: Planned, edge: watch::Receiver<Edge>) -> Download {
    let fetched = downloader.fetch(&planned, edge).await;
    (planned, fetched)
}

/// Converts a mark into an event.
fn event(track: Track, mark: Mark) -> SourceEvent {
    match mark {
        Mark::Gap { segments, duration, reason } => SourceEvent::Gap(Gap { track, segments, duration, reason }),
        Mark::Epoch { number, reason } => SourceEvent::NewEpoch { track, epoch: number, reason },
    }
}
