//! The processor: connection, fragments, replies.

use std::time::Duration;

use outboard_base::backoff::Schedule;

/// Fragments that a processor works on at once, unless set.
pub const IN_FLIGHT_DEFAULT: usize = 3;
/// Most fragments in flight that can be set.
pub const IN_FLIGHT_MAX: usize = 32;
/// Fragments that wait for the processor, sent ones included. More are refused: the pipeline's look-ahead is far smaller.
pub const EXCHANGE_FRAGMENTS_MAX: usize = 64;
/// Largest fragment read from disk to be sent: 120 s of 48 kHz stereo PCM is 23 MB.
pub const EXCHANGE_AUDIO_MAX_BYTES: u64 = 48 << 20;
/// Largest WebSocket message taken from a processor, text or binary.
pub const EXCHANGE_FRAME_MAX_BYTES: usize = 32 << 20;
/// Most bytes of all attachments of one incoming packet.
pub const EXCHANGE_ATTACHMENTS_MAX_BYTES: usize = 48 << 20;
/// Most attachments of one packet, either way.
pub const EXCHANGE_ATTACHMENTS_MAX: usize = 16;
/// Most packets that wait to be written. More means that the processor does not read.
pub const EXCHANGE_WRITE_QUEUE_PACKETS: usize = 128;
/// Packets read ahead of their handling; further ones stay in the socket.
pub const EXCHANGE_READ_QUEUE_PACKETS: usize = 2;
/// Most events that one message may mean.
pub const EXCHANGE_EVENTS_MAX: usize = 64;
/// Longest text of a processor's (reason, note, event name) that is kept or logged.
pub const EXCHANGE_TEXT_MAX_BYTES: usize = 1024;
/// Things that came from a processor and answered nothing that are remembered.
pub const EXCHANGE_HEARD_MAX: usize = 8;
/// Most bytes that are remembered of each.
pub const EXCHANGE_HEARD_BYTES: usize = 300;
/// Of those, so many are named with a fragment that got no reply.
pub const EXCHANGE_HEARD_NAMED: usize = 3;
/// Most bytes of an unknown event's arguments that are named.
pub const EXCHANGE_HEARD_ARGUMENTS_BYTES: usize = 120;
/// Largest metadata object kept with a reply.
pub const EXCHANGE_METADATA_MAX_BYTES: usize = 64 << 10;
/// Ids of finished fragments that are remembered, to tell late and doubled replies from unknown ones.
pub const EXCHANGE_HISTORY_MAX: usize = 256;
/// For DNS, TCP, TLS and the WebSocket upgrade together, and again for the Socket.IO handshake, unless set.
pub const EXCHANGE_CONNECT_TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);
/// Most bytes that are read of the body with which a server refuses the WebSocket upgrade.
pub const EXCHANGE_REFUSAL_MAX_BYTES: usize = 4 << 10;
/// Most bytes of such a body, or of an unexpected frame, that are shown.
pub const EXCHANGE_REFUSAL_SHOWN_BYTES: usize = 300;
/// Longest wait for the rest of such a body.
pub const EXCHANGE_REFUSAL_WAIT: Duration = Duration::from_secs(1);
/// From the greeting to the message that means `ready`, for dialects that have one, unless set.
pub const EXCHANGE_READY_TIMEOUT_DEFAULT: Duration = Duration::from_secs(15);
/// For DISCONNECT and the close frame to leave.
pub const EXCHANGE_CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// Longest ping interval, and longest ping timeout, that a server may ask for.
pub const EXCHANGE_PING_MAX: Duration = Duration::from_secs(300);
/// A processor that is replaced may still answer for this long after the new one is connected; what it has not answered
/// by then is sent again to the new one.
pub const PROCESSOR_HANDOVER_WAIT: Duration = Duration::from_secs(1);
/// Waits before a reconnect, for ever: 250 ms doubling to 30 s, half of each by chance. A connection that lived 10 s was
/// healthy.
pub const PROCESSOR_RECONNECT: Schedule = Schedule::doubling(Duration::from_millis(250), Duration::from_secs(30))
    .jitter(50, 100)
    .healthy_after(Duration::from_secs(10));
/// Longest wait that a processor can ask for with `slow-down`.
pub const SLOW_DOWN_MAX: Duration = Duration::from_secs(60);
/// A connection that is lost so soon after a fragment was written is taken to have been killed by it.
pub const SUSPECT_WINDOW: Duration = Duration::from_secs(5);
/// A fragment that seemed to kill so many connections in a row is not sent again.
pub const FRAGMENT_KILLS_MAX: u32 = 2;
/// A fragment is sent at most so many times, whatever the reasons.
pub const FRAGMENT_SENDS_MAX: u32 = 6;
/// How often a fragment is sent again after the processor gave it up as worth another try.
pub const FRAGMENT_RETRIES: u32 = 1;
/// Failures in a row that open the breaker, unless set.
pub const BREAKER_FAILURES_DEFAULT: u32 = 5;
/// How long the open breaker waits before it lets one fragment through, unless set.
pub const BREAKER_PROBE_AFTER_DEFAULT: Duration = Duration::from_secs(30);
/// Returned files of one rendition that are read at once; further ones wait.
pub const PROBES_AT_ONCE: usize = 2;
/// Returned files of one tenant that are read at once; further ones wait.
pub const PROBES_PER_TENANT: usize = 4;
/// Returned files that are read at once in the whole process, this many a core; further ones wait.
pub const PROBES_PER_CORE: usize = 2;
/// Bytes of a tenant's returned files that are read or wait for it; further ones are refused.
pub const PROBE_BYTES_PER_TENANT: u64 = 512 << 20;
/// Bytes of all returned files that are read or wait for it.
pub const PROBE_BYTES_MAX: u64 = 2 << 30;
