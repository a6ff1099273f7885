//! One connection to the test processor: handles each fragment from arrival to reply.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use socketioxide::extract::SocketRef;
use tokio::sync::watch;
use tokio::time::Instant;

use super::{Shared, audio, fault::Fault};
use crate::limits::{ECHO_FRAGMENTS_REMEMBERED, ECHO_REORDER_MAX};

/// Body of a `fragment:data` message from the client.
#[derive(Debug, Deserialize)]
pub struct Incoming {
    fragment: Value,
    data: Bytes,
}

/// Body of a `fragment:processed` message, the reply to the client.
#[derive(Debug, Serialize)]
struct Processed<'a> {
    fragment: &'a Value,
    data: Bytes,
    metadata: Value,
}

/// The state of a connection.
#[derive(Debug)]
pub struct Session {
    shared: Arc<Shared>,
    /// Number of replies sent, so that a reply can wait for the next one.
    answers: watch::Sender<u64>,
    arrivals: AtomicU64,
}

/// How often each fragment arrived, over all connections of the process.
#[derive(Debug, Default)]
pub struct Visits(Mutex<HashMap<u64, u64>>);

impl Visits {
    /// Counts an arrival; returns the number of earlier ones.
    fn count(&self, number: u64) -> u64 {
        let mut visits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Numbers only rise: old ones are not sent again.
        if visits.len() >= ECHO_FRAGMENTS_REMEMBERED {
            let newest = visits.keys().copied().max().unwrap_or_default();
            visits.retain(|&old, _| old + (ECHO_FRAGMENTS_REMEMBERED as u64) / 2 > newest);
        }
        let times = visits.entry(number).or_default();
        *times += 1;
        *times - 1
    }
}

impl Session {
    pub fn new(shared: Arc<Shared>) -> Self {
        Self { shared, answers: watch::Sender::new(0), arrivals: AtomicU64::new(0) }
    }

    /// Receives a fragment and replies, or applies the faults.
    pub async fn fragment(&self, socket: &SocketRef, incoming: Result<Incoming, String>) {
        let arrived = Instant::now();
        let count = |counter: &AtomicU64, by| counter.fetch_add(by, Ordering::Relaxed);
        let counters = &self.shared.counters;
        count(&counters.received, 1);
        let Incoming { fragment, data } = match incoming {
            Ok(incoming) => incoming,
            Err(error) => {
                count(&counters.errors, 1);
                let reason = format!("fragment:data must contain {{fragment, data}} with data as binary: {error}");
                self.emit(socket, "fragment:error", &json!({"fragment": null, "error": reason, "retryable": false}));
                return;
            }
        };
        count(&counters.bytes, data.len() as u64);
        let number = self.number(&fragment);
        let faults = self.faults(number);
        count(&counters.faulty, u64::from(!faults.is_empty()));
        tracing::debug!(number, bytes = data.len(), faults = ?faults, "fragment");

        if faults.contains(&Fault::Drop) {
            return;
        }
        if self.shared.config.ack {
            self.emit(socket, "fragment:ack", &json!({"fragmentId": fragment.get("id")}));
        }
        if faults.contains(&Fault::Silent) {
            return;
        }
        if faults.contains(&Fault::Disconnect) {
            // Fails only if the socket is already closed.
            let _ = socket.clone().disconnect();
            return;
        }
        let answer = self.answer(&fragment, data, &faults, arrived);
        let answer = tokio::select! {
            () = self.shared.cancel.cancelled() => return,
            answer = answer => answer,
        };
        match answer {
            Ok(processed) => {
                let copies = if faults.contains(&Fault::Duplicate) { 2 } else { 1 };
                for _ in 0..copies {
                    if self.emit(socket, "fragment:processed", &processed) {
                        count(&counters.answered, 1);
                    }
                }
                self.answers.send_modify(|answers| *answers += 1);
            }
            Err(error) => {
                count(&counters.errors, u64::from(!error.told));
                let code = if error.told { "TEST_FAILURE" } else { "PROCESSING_ERROR" };
                let body =
                    json!({"fragment": fragment, "error": error.reason, "code": code, "retryable": error.retryable});
                self.emit(socket, "fragment:error", &body);
            }
        }
    }

    /// Waits for the delay, changes the audio, and waits for its turn.
    async fn answer<'a>(
        &self,
        fragment: &'a Value,
        mut data: Bytes,
        faults: &[Fault],
        arrived: Instant,
    ) -> Result<Processed<'a>, Failure> {
        let mut delay = self.shared.delay();
        for fault in faults {
            match *fault {
                Fault::Late(other) => delay = other,
                Fault::Fail { retryable } => {
                    tokio::time::sleep_until(arrived + delay).await;
                    return Err(Failure { reason: "simulated failure".to_owned(), retryable, told: true });
                }
                other => {
                    data = audio::changed(data, other).await.map_err(|error| Failure {
                        reason: error.to_string(),
                        retryable: false,
                        told: false,
                    })?;
                }
            }
        }
        tokio::time::sleep_until(arrived + delay).await;
        if faults.contains(&Fault::Reorder) {
            let mut answers = self.answers.subscribe();
            // Without a next reply this one is sent after the timeout.
            let _ = tokio::time::timeout(ECHO_REORDER_MAX, answers.changed()).await;
        }
        let took = u64::try_from(arrived.elapsed().as_millis()).unwrap_or(u64::MAX);
        let names: Vec<String> = faults.iter().map(ToString::to_string).collect();
        let metadata = json!({"processingTime": took, "processor": "outboard echo", "faults": names});
        Ok(Processed { fragment, data, metadata })
    }

    /// The batch number, or the order of arrival if there is none.
    fn number(&self, fragment: &Value) -> u64 {
        let arrival = self.arrivals.fetch_add(1, Ordering::Relaxed);
        ["batchNumber", "sequenceNumber"]
            .iter()
            .find_map(|key| fragment.get(key).and_then(Value::as_u64))
            .unwrap_or(arrival)
    }

    fn faults(&self, number: u64) -> Vec<Fault> {
        let time = self.shared.visits.count(number);
        let rules = self.shared.config.faults.iter().filter(|rule| rule.applies(number, time));
        rules.map(|rule| rule.fault).collect()
    }

    fn emit(&self, socket: &SocketRef, event: &str, body: &impl Serialize) -> bool {
        match socket.emit(event, body) {
            Ok(()) => true,
            Err(error) => {
                tracing::debug!(event, %error, "not sent");
                false
            }
        }
    }
}

/// Why there is no audio for the reply.
struct Failure {
    reason: String,
    retryable: bool,
    /// True for a simulated fault, false for a real one.
    told: bool,
}
