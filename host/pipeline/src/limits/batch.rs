//! Batches, and the ffmpeg runs that take them apart and put them together.

use std::time::Duration;

use outboard_base::backoff::Schedule;

// === batch ===

// === demux and remux (ffmpeg) ===

/// Packet facts of one batch, as text: about 60 bytes a packet, so two tracks of 120 s take under 1 MB.
pub const PACKET_FACTS_BYTES: usize = 16 * 1024 * 1024;

/// Waits before a source is looked at again whose origin was away when the stream was resumed: 1 s doubling to 15 s.
pub const SOURCE_AGAIN: Schedule = Schedule::doubling(Duration::from_secs(1), Duration::from_secs(15));
/// Batches that wait between two steps; they are on disk.
pub const BATCHES_WAITING: usize = 4;
/// Events of the source that wait for the batch step.
pub const SOURCE_EVENTS_WAITING: usize = 16;
/// Time in hand for slower replies unless set: this part of a batch...
pub const CUSHION_PART: u32 = 10;
/// ...but at least this: a playlist is looked at each half target duration, so batches come that unevenly.
pub const CUSHION_MIN: Duration = Duration::from_millis(2500);
/// A batch that is less late was held up by chance; one that is more late, though its segments came in time, by what we do.
pub const LATE_BY_US: Duration = Duration::from_millis(500);
/// Segments of one batch may come so much less evenly than they last before the source counts as slow.
pub const SOURCE_UNEVEN: Duration = Duration::from_secs(2);
/// Batches become longer on air as far as this part of the cushion stays in hand.
pub const CUSHION_RESERVE_PART: u32 = 3;
/// A stream that is resumed with media in hand starts so long after the start, so that destinations can connect.
pub const START_AFTER_RESTART: Duration = Duration::from_millis(300);
/// What is buffered at the end may take this much longer than it lasts: a destination may have to reconnect.
pub const DRAIN_SPARE: Duration = Duration::from_secs(20);
/// A destination this far behind the clock loses what it has not taken.
pub const AIR_KEEP_FOR_LATE: Duration = Duration::from_secs(60);
/// A destination of a stream that is to be live (`source.catch_up`) skips what is later than this.
pub const AIR_LIVE_LAG: Duration = Duration::from_secs(2);
/// Events of destinations that wait to be journalled.
pub const AIR_EVENTS_WAITING: usize = 256;
/// Time before a batch is due at which its decision falls, until remuxing has been measured...
pub const REMUX_MARGIN_FIRST: Duration = Duration::from_millis(500);
/// ...then three times what it took, but at least this...
pub const REMUX_MARGIN_MIN: Duration = Duration::from_millis(250);
/// ...and at most this.
pub const REMUX_MARGIN_MAX: Duration = Duration::from_secs(5);
/// Batches are not put together earlier than this (or three batch lengths) before they are due.
pub const AIR_AHEAD: Duration = Duration::from_secs(60);
/// Largest change of speed that a plan may ask for, in per mille.
pub const PLAN_STRETCH_PERMILLE_MAX: u32 = 250;
/// Largest shift of sound against picture that a plan may ask for.
pub const PLAN_OFFSET_MAX: Duration = Duration::from_secs(2);
/// Largest gain that a plan may ask for, in hundredths of a decibel.
pub const PLAN_GAIN_CENTIBEL_MAX: u32 = 6000;
