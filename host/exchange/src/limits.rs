//! Limits of the processor: connection, fragments, replies.

use std::time::Duration;

use outboard_base::backoff::Schedule;

/// Default number of fragments that a processor works on at once.
pub const IN_FLIGHT_DEFAULT: usize = 3;
/// Largest number of fragments in flight that can be set.
pub const IN_FLIGHT_MAX: usize = 32;
/// Fragments that wait for the processor, including sent ones. More are refused; the pipeline never has as many.
pub const EXCHANGE_FRAGMENTS_MAX: usize = 64;
/// Largest fragment that is sent, in bytes: 120 s of 48 kHz stereo PCM is 23 MB.
pub const EXCHANGE_AUDIO_MAX_BYTES: u64 = 48 << 20;
/// Largest WebSocket message accepted from a processor in bytes, text or binary.
pub const EXCHANGE_FRAME_MAX_BYTES: usize = 32 << 20;
/// Maximum bytes of all attachments of one incoming packet.
pub const EXCHANGE_ATTACHMENTS_MAX_BYTES: usize = 48 << 20;
/// Maximum number of attachments of one packet, incoming or outgoing.
pub const EXCHANGE_ATTACHMENTS_MAX: usize = 16;
/// Packets queued for writing. When it is full, the processor does not read.
pub const EXCHANGE_WRITE_QUEUE_PACKETS: usize = 128;
/// Packets that are read ahead; further ones stay in the socket.
pub const EXCHANGE_READ_QUEUE_PACKETS: usize = 2;
/// Maximum number of events that one message may produce.
pub const EXCHANGE_EVENTS_MAX: usize = 64;
/// Longest text of a processor (reason, note, event name) that is kept or logged, in bytes.
pub const EXCHANGE_TEXT_MAX_BYTES: usize = 1024;
/// Messages from a processor that answered no fragment and are remembered for error messages.
pub const EXCHANGE_HEARD_MAX: usize = 8;
/// Bytes that are remembered of each such message.
pub const EXCHANGE_HEARD_BYTES: usize = 300;
/// Number of such messages that are named in the error of a fragment without a reply.
pub const EXCHANGE_HEARD_NAMED: usize = 3;
/// Bytes of an unknown event's arguments that are shown.
pub const EXCHANGE_HEARD_ARGUMENTS_BYTES: usize = 120;
/// Largest metadata object that is kept with a reply, in bytes.
pub const EXCHANGE_METADATA_MAX_BYTES: usize = 64 << 10;
/// Ids of finished fragments that are remembered, to distinguish late and duplicate replies from unknown ones.
pub const EXCHANGE_HISTORY_MAX: usize = 256;
/// Default limit for DNS, TCP, TLS and the WebSocket handshake together; the Socket.IO handshake has the same limit
/// again.
pub const EXCHANGE_CONNECT_TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);
/// Bytes that are read of the body with which a server refuses the WebSocket handshake.
pub const EXCHANGE_REFUSAL_MAX_BYTES: usize = 4 << 10;
/// Bytes of such a body, or of an unexpected frame, that are shown.
pub const EXCHANGE_REFUSAL_SHOWN_BYTES: usize = 300;
/// Limit for receiving the rest of such a body.
pub const EXCHANGE_REFUSAL_WAIT: Duration = Duration::from_secs(1);
/// Default time from the greeting to the message that means `ready`, for dialects that have one.
pub const EXCHANGE_READY_TIMEOUT_DEFAULT: Duration = Duration::from_secs(15);
/// Time for sending DISCONNECT and the close frame.
pub const EXCHANGE_CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// Longest ping interval, and longest ping timeout, that a server may request.
pub const EXCHANGE_PING_MAX: Duration = Duration::from_secs(300);
/// After a new processor is connected, the previous one may still answer for this long; fragments without a reply are
/// then sent to the new one.
pub const PROCESSOR_HANDOVER_WAIT: Duration = Duration::from_secs(1);
/// Delays before a reconnect, without end: 250 ms, doubling to 30 s, half of each random. After a connection of at
/// least 10 s the delays start from the beginning.
pub const PROCESSOR_RECONNECT: Schedule = Schedule::doubling(Duration::from_millis(250), Duration::from_secs(30))
    .jitter(50, 100)
    .healthy_after(Duration::from_secs(10));
/// Longest pause that a processor can request with `slow-down`.
pub const SLOW_DOWN_MAX: Duration = Duration::from_secs(60);
/// A connection that is lost within this time after a fragment was written counts as ended by that fragment.
pub const SUSPECT_WINDOW: Duration = Duration::from_secs(5);
/// A fragment that ended this many consecutive connections is not sent again.
pub const FRAGMENT_KILLS_MAX: u32 = 2;
/// Maximum number of times that a fragment is sent.
pub const FRAGMENT_SENDS_MAX: u32 = 6;
/// Number of times that a fragment is sent again after the processor reported a retryable failure.
pub const FRAGMENT_RETRIES: u32 = 1;
/// Default number of consecutive failures that open the circuit breaker.
pub const BREAKER_FAILURES_DEFAULT: u32 = 5;
/// Default time after which an open breaker lets one fragment through.
pub const BREAKER_PROBE_AFTER_DEFAULT: Duration = Duration::from_secs(30);
/// Replies of one rendition that are read concurrently; further ones wait.
pub const PROBES_AT_ONCE: usize = 2;
/// Replies of one tenant that are read concurrently; further ones wait.
pub const PROBES_PER_TENANT: usize = 4;
/// Replies per core that are read concurrently in the whole process; further ones wait.
pub const PROBES_PER_CORE: usize = 2;
/// Bytes of one tenant's replies that are being read or wait to be read; further ones are refused.
pub const PROBE_BYTES_PER_TENANT: u64 = 512 << 20;
/// Bytes of all replies that are being read or wait to be read.
pub const PROBE_BYTES_MAX: u64 = 2 << 30;
