//! What SRS says of a destination (law 7). The polling comes with its own change.

use tokio::sync::watch;

use super::runner::{Run, Wanted};

/// Asks SRS for as long as the pipeline runs.
pub(super) async fn follow(
    _wanted: watch::Receiver<Wanted>,
    _run: watch::Receiver<Run>,
    shown: watch::Sender<Vec<Option<SrsView>>>,
) {
    shown.closed().await;
}

/// SRS's view of our stream.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SrsView {
    /// Its API answered.
    pub reachable: bool,
    /// It has our stream, with a publisher.
    pub publishing: bool,
    /// Who watches it there.
    pub clients: Option<u64>,
    /// What it receives, in kilobits per second.
    pub recv_kbps: Option<f64>,
    /// Why there is no view.
    pub problem: Option<String>,
}
