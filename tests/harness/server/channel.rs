//! A complete channel through the API (its own origin, a pipeline, a key at the receiver), and checks of the laws for
//! it.
#![expect(clippy::unwrap_used, reason = "a harness that cannot do its part fails the test")]

use std::time::Duration;

use serde_json::{Value, json};

use super::Server;
use crate::media::{Clip, Entry, LiveOrigin, Packet, entries};
use crate::onair::{GapWatch, assert_same_packets, hashes, join_sessions, monotonic, of_entries};
use crate::receiver::nginx::Nginx;

/// Longest gap that a viewer may see.
pub const GAP_MOST: Duration = Duration::from_secs(1);

/// The plan of a channel.
pub struct Plan<'a> {
    /// Name of stream and key.
    pub name: &'a str,
    /// The clip that its source publishes.
    pub clip: Clip,
    /// Length of a batch in seconds.
    pub batch_seconds: u32,
    /// URL of the processor; `None`: no processor.
    pub processor: Option<&'a str>,
}

/// A running channel: a pipeline on the server, with its own live source.
pub struct Channel {
    /// Name of stream and key.
    pub name: String,
    /// Id of the pipeline.
    pub id: String,
    token: Option<String>,
    programme: Vec<Entry>,
    gaps: Option<GapWatch>,
    origin: LiveOrigin,
}

impl Channel {
    /// Creates and starts the pipeline.
    pub async fn start(server: &Server, token: Option<&str>, nginx: &Nginx, plan: Plan<'_>) -> Self {
        let programme = entries(&plan.clip, false);
        // A wide window, so that a server that is down for a while misses nothing.
        let origin = LiveOrigin::start_wide(programme.clone(), 15).await;
        let settings = json!({
            "source": { "url": origin.url, "whenEnded": "STOP" },
            "processor": plan.processor.map(|url| json!({ "url": url })),
            "destinations": [{ "url": nginx.url(plan.name) }],
            "batchSeconds": plan.batch_seconds,
            "cushionSeconds": 3.0,
        });
        let id = server.create(token, plan.name, &settings, true).await;
        Self { name: plan.name.to_owned(), id, token: token.map(str::to_owned), programme, gaps: None, origin }
    }

    /// Waits until packets are sent, and watches for gaps from then on.
    pub async fn on_air(&mut self, server: &Server, nginx: &Nginx) {
        let limit = Duration::from_secs(90);
        server.until(self.token.as_deref(), &self.id, "on air", limit, |status| status["onAir"] == true).await;
        self.gaps = Some(GapWatch::of(nginx, &self.name));
    }

    /// Ends the programme with the segments published so far.
    ///
    /// # Panics
    /// If the clip is over: the test took longer than the clip.
    pub fn end(&mut self) {
        let published = self.origin.end();
        assert!(published < self.programme.len(), "{}: the clip was over before the test", self.name);
        self.programme.truncate(published);
    }

    /// Waits until all of it was on air; returns the last status.
    pub async fn ended(&self, server: &Server, limit: Duration) -> Value {
        let over = |status: &Value| {
            status["phase"] == "STOPPED" && status["lastError"].as_str().is_some_and(|text| text.starts_with("ended"))
        };
        server.until(self.token.as_deref(), &self.id, "over", limit, over).await
    }

    /// Checks laws 1 to 3 of a channel with one session: every packet of the source once and in order, no gap, one
    /// timeline. Returns the longest gap.
    pub async fn assert_laws(&mut self, server: &Server, nginx: &Nginx, last: &Value) -> Duration {
        let name = &self.name;
        let longest = self.gaps.take().unwrap().longest().await;
        let log = || server.log().into_iter().filter(|line| line.contains(name.as_str())).collect::<Vec<_>>();
        assert!(longest <= GAP_MOST, "{name}: {longest:?} without a packet: {last:#}: {:#?}", log());
        assert_eq!(last["counters"]["packetsLost"], 0, "{name}: {last:#}");
        let files = nginx.files(1, name);
        assert_eq!(files.len(), 1, "{name}: one session: {:#?}", log());
        let mut shifts = Vec::new();
        for stream in ["v", "a"] {
            let source: Vec<Packet> = of_entries(&self.programme, stream).concat();
            let air = monotonic(&files[0], stream);
            assert_same_packets(&hashes(&air), &hashes(&source), &format!("{name} {stream}"));
            shifts.extend(source.iter().zip(&air).map(|(source, air)| (air.pts - source.pts) * 1000.0));
        }
        // One shift for the whole stream and both tracks: only rounding to milliseconds is added.
        let (least, most) =
            (shifts.iter().copied().fold(f64::MAX, f64::min), shifts.iter().copied().fold(f64::MIN, f64::max));
        assert!(most - least <= 1.0 + 1e-6, "{name}: the shift varies from {least} to {most} ms");
        longest
    }

    /// Checks laws 1 and 5 of a channel whose server was killed repeatedly: the sessions continue each other, nothing
    /// is missing, and each repeats at most one group of pictures. Returns the number of sessions.
    pub fn assert_resumed(&self, nginx: &Nginx) -> usize {
        let name = &self.name;
        let files = nginx.files(1, name);
        for (stream, group) in [("v", 60), ("a", 95)] {
            let source: Vec<Packet> = of_entries(&self.programme, stream).concat();
            let want = hashes(&source);
            let sessions: Vec<Vec<Packet>> = files.iter().map(|file| monotonic(file, stream)).collect();
            let (joined, repeats) = join_sessions(&sessions, &want, &format!("{name} {stream}"));
            assert_same_packets(&joined, &want, &format!("{name} {stream}, of {} sessions", sessions.len()));
            assert!(repeats.iter().all(|repeat| *repeat <= group), "{name} {stream}: {repeats:?} packets repeat");
        }
        files.len()
    }
}

/// Seconds of media, or the number in the environment: tests are short in CI and can be made longer by hand.
pub fn seconds(short: u32) -> u32 {
    std::env::var("OUTBOARD_TEST_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(short)
}
