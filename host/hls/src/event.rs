//! What a running source tells: segments, and everything that is accounted for instead of delivered.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::FetchError;
use outboard_media::segment::Segment;

/// Which of the two playlists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Track {
    /// The variant: picture and, unless a rendition is separate, sound.
    Main,
    /// A separate audio rendition.
    Audio,
}

/// In the order of the data, except that [`Stale`](Self::Stale), [`Fresh`](Self::Fresh),
/// [`Failover`](Self::Failover) and [`Warning`](Self::Warning) may overtake segments that are still being fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SourceEvent {
    /// Once, first: what was chosen.
    Started(Started),
    /// The next segment, whole on disk.
    Segment(Box<Segment>),
    /// Media that will not come. The segment after a gap of the main track carries `discontinuity`.
    Gap(Gap),
    /// The playlist's numbering or content started anew; the stream goes on, the next segment carries `discontinuity`.
    NewEpoch {
        /// The playlist concerned: main or audio.
        track: Track,
        /// Count over the run, from 1.
        epoch: u64,
        /// What showed that the playlist restarted.
        reason: EpochReason,
    },
    /// No new segment for three target durations. Loads go on; a backup URL is tried.
    Stale {
        /// The playlist concerned: main or audio.
        track: Track,
        /// Since the last new segment.
        unchanged_for: Duration,
    },
    /// New segments again after [`Stale`](Self::Stale).
    Fresh {
        /// The playlist concerned: main or audio.
        track: Track,
        /// How long it stood.
        after: Duration,
    },
    /// The other URL is followed from now on.
    Failover {
        /// The new URL, without credentials and query.
        to: String,
        /// Why the former one was left.
        reason: String,
    },
    /// Something a person may want to mend; nothing was lost.
    Warning(String),
    /// A live source ended (ENDLIST) and nobody ordered it; everything before it was delivered or accounted for. It is
    /// looked at again until it is back.
    Over,
    /// A source that was [`Over`](Self::Over) has new segments; the next one carries `discontinuity`.
    Back {
        /// Time since the source ended.
        after: Duration,
    },
    /// ENDLIST, and everything before it was delivered or accounted for. Nothing follows.
    Ended,
}

/// What was chosen at the start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// BANDWIDTH in bits per second; `None` without a master playlist.
    pub bandwidth: Option<u64>,
    /// Width and height, where the master playlist says.
    pub resolution: Option<(u32, u32)>,
    /// CODECS as the playlist has it.
    pub codecs: Option<String>,
    /// The separate audio rendition (NAME and LANGUAGE), if one is followed.
    pub audio: Option<String>,
    /// What in the master playlist promises sound, in words; `None`: nothing does.
    #[serde(default)]
    pub promised_sound: Option<String>,
    /// EXT-X-TARGETDURATION of the main playlist.
    pub target_duration: Duration,
    /// False: ENDLIST was there, everything is delivered from the beginning.
    pub live: bool,
}

/// A run of media that will not come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The playlist concerned: main or audio.
    pub track: Track,
    /// How many segments, as far as the numbering tells.
    pub segments: u64,
    /// How much media time, measured by programme date-time or estimated from the target duration.
    pub duration: Duration,
    /// Why the segments are missing.
    pub reason: GapReason,
}

/// Why media will not come.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum GapReason {
    /// The playlist says so (EXT-X-GAP).
    Marked,
    /// It left the playlist before it was seen.
    Missed,
    /// It had piled up while we were away, and was skipped to return to the live edge.
    Behind,
    /// Every try failed; the last fault in words.
    GivenUp(String),
    /// What came cannot be used and would be the same again: it is too large, protected, no media, or forbidden.
    Unusable(String),
    /// There was no room to keep it: the tenant's quota or the disk; which, in words.
    NoRoom(String),
    /// Sound of a separate rendition whose picture is missing or already gone.
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

/// Why a playlist counts as started anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum EpochReason {
    /// Numbers went back and the segments are new ones.
    Restarted,
    /// Numbers jumped further ahead than time can explain.
    Jumped,
    /// The segment we had is listed under another number.
    Renumbered,
    /// Segments that we had were replaced by others.
    Replaced,
    /// The playlist now comes from another origin.
    Moved,
}

#[cfg(test)]
mod tests {
    use super::*;
    use outboard_base::room::NoRoom;

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
