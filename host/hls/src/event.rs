//! The events of a running source: segments, and a record of everything that is not delivered.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::FetchError;
use outboard_media::segment::Segment;

/// The playlist that an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Track {
    /// The variant: video and, unless a rendition is separate, audio.
    Main,
    /// A separate audio rendition.
    Audio,
}

/// An event, in the order of the data; only [`Stale`](Self::Stale), [`Fresh`](Self::Fresh),
/// [`Failover`](Self::Failover) and [`Warning`](Self::Warning) may overtake segments that are still being fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceEvent {
    /// What was chosen. The first event, sent once.
    Started(Started),
    /// The next segment, completely on disk.
    Segment(Box<Segment>),
    /// Media that will not be delivered. The segment after a gap of the main track carries `discontinuity`.
    Gap(Gap),
    /// The playlist's numbering or content restarted. The stream continues; the next segment carries `discontinuity`.
    NewEpoch {
        /// The playlist concerned: main or audio.
        track: Track,
        /// Number of the epoch in this run, from 1.
        epoch: u64,
        /// What showed that the playlist restarted.
        reason: EpochReason,
    },
    /// No new segment for three target durations. Loads continue, and a backup URL is tried.
    Stale {
        /// The playlist concerned: main or audio.
        track: Track,
        /// Time since the last new segment.
        unchanged_for: Duration,
    },
    /// New segments after [`Stale`](Self::Stale).
    Fresh {
        /// The playlist concerned: main or audio.
        track: Track,
        /// How long there was no new segment.
        after: Duration,
    },
    /// The other URL is used from now on.
    Failover {
        /// The new URL, without credentials and query.
        to: String,
        /// Why the previous URL was left.
        reason: String,
    },
    /// Something that a person may want to fix; nothing was lost.
    Warning(String),
    /// A live source ended (ENDLIST) without a request; everything before it was delivered or accounted for. It is
    /// polled until it is back.
    Over,
    /// A source that was [`Over`](Self::Over) has new segments; the next one carries `discontinuity`.
    Back {
        /// Time since the source ended.
        after: Duration,
    },
    /// ENDLIST, and everything before it was delivered or accounted for. The last event.
    Ended,
}

/// What was chosen at the start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// BANDWIDTH in bits per second; `None` without a master playlist.
    pub bandwidth: Option<u64>,
    /// Width and height, if the master playlist contains them.
    pub resolution: Option<(u32, u32)>,
    /// CODECS as written in the playlist.
    pub codecs: Option<String>,
    /// The separate audio rendition (NAME and LANGUAGE), if there is one.
    pub audio: Option<String>,
    /// What in the master playlist promises audio, in words; `None`: nothing.
    #[serde(default)]
    pub promised_sound: Option<String>,
    /// EXT-X-TARGETDURATION of the main playlist.
    pub target_duration: Duration,
    /// False for a playlist with ENDLIST, which is delivered from the beginning.
    pub live: bool,
}

/// Consecutive media that will not be delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The playlist concerned: main or audio.
    pub track: Track,
    /// Number of segments, as far as the numbering shows it.
    pub segments: u64,
    /// Media time, measured by programme date-time or estimated from the target duration.
    pub duration: Duration,
    /// Why the segments are missing.
    pub reason: GapReason,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.segments {
            1 => write!(f, "1 segment is missing: {}", self.reason),
            count => write!(f, "{count} segments are missing: {}", self.reason),
        }
    }
}

/// Why media is not delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GapReason {
    /// The playlist marks it as missing (EXT-X-GAP).
    Marked,
    /// It left the playlist before it was seen.
    Missed,
    /// It accumulated during an outage of ours, and was skipped to return to the live edge.
    Behind,
    /// Every attempt failed; contains the last fault in words.
    GivenUp(String),
    /// The content cannot be used, and a retry would return the same: it is too large, protected, not media, or
    /// forbidden.
    Unusable(String),
    /// There was no room to store it; names the tenant's quota or the disk.
    NoRoom(String),
    /// Audio of a separate rendition whose video is missing or already delivered.
    Unpaired,
}

impl From<FetchError> for GapReason {
    fn from(error: FetchError) -> Self {
        match &error {
            FetchError::NoRoom(_) => Self::NoRoom(error.to_string()),
            _ if error.is_disk_full() => Self::NoRoom(error.to_string()),
            _ if !error.may_pass() => Self::Unusable(error.to_string()),
            _ => Self::GivenUp(error.to_string()),
        }
    }
}

impl GapReason {
    /// Adds which segment it is about; `uri` is without secrets.
    pub(super) fn about(self, uri: &str) -> Self {
        let named = |why: String| format!("{uri}: {why}");
        match self {
            Self::GivenUp(why) => Self::GivenUp(named(why)),
            Self::Unusable(why) => Self::Unusable(named(why)),
            other => other,
        }
    }
}

impl fmt::Display for GapReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Marked => f.write_str("marked as missing by the playlist"),
            Self::Behind => f.write_str("skipped to return to the live edge"),
            Self::Missed => f.write_str("left the playlist before it was seen"),
            Self::GivenUp(why) | Self::Unusable(why) => write!(f, "given up: {why}"),
            Self::NoRoom(why) => write!(f, "not fetched: {why}"),
            Self::Unpaired => f.write_str("audio without its video"),
        }
    }
}

/// Why a playlist counts as restarted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EpochReason {
    /// Numbers went back, and the segments are new.
    Restarted,
    /// Numbers jumped further ahead than the elapsed time explains.
    Jumped,
    /// The known segment is listed under another number.
    Renumbered,
    /// Known segments were replaced by others.
    Replaced,
    /// The playlist now comes from another origin.
    Moved,
}

#[cfg(test)]
mod tests {
    use super::*;
    use outboard_base::room::NoRoom;

    #[test]
    fn a_gap_names_its_segment() {
        let reason = GapReason::from(FetchError::Status(404)).about("http://h/7.ts?token=***");
        let gap = |segments| Gap { track: Track::Main, segments, duration: Duration::ZERO, reason: reason.clone() };
        assert_eq!(gap(1).to_string(), "1 segment is missing: given up: http://h/7.ts?token=***: HTTP status 404");
        assert!(gap(2).to_string().starts_with("2 segments are missing: "));
        assert_eq!(GapReason::Marked.about("x"), GapReason::Marked);
    }

    #[test]
    fn reasons_read_well() {
        let full = std::fs::write("/dev/full", b"x").unwrap_err();
        let words = [
            (GapReason::Marked, "marked as missing by the playlist"),
            (GapReason::Missed, "left the playlist before it was seen"),
            (GapReason::GivenUp("HTTP status 404".into()), "given up: HTTP status 404"),
            (FetchError::NoRoom(NoRoom::Disk).into(), "not fetched: the disk is nearly full"),
            (FetchError::Disk(full).into(), "not fetched: disk: No space left on device (os error 28)"),
            (FetchError::Status(404).into(), "given up: HTTP status 404"),
            (GapReason::Unpaired, "audio without its video"),
        ];
        for (reason, text) in words {
            assert_eq!(reason.to_string(), text);
        }
    }
}
