//! Whether a fault of the source may end without a change of the settings. A run retries in either case; a dry run
//! reports the difference.

use super::error::{FetchError, SourceError};
use super::event::GapReason;
use outboard_base::room;

impl SourceError {
    /// True: the same source may work later. False: another URL, token or stream is needed.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { cause, .. } => cause.may_pass(),
            Self::Rendition { cause, .. } => cause.may_pass(),
            Self::Directory { cause, .. } => room::is_full(cause),
            _ => false,
        }
    }
}

impl FetchError {
    /// See [`SourceError::may_pass`]. A missing page (404) may appear with the stream; a server that refuses access
    /// (401, 403) will not change its answer.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Needed { cause, .. } => cause.may_pass(),
            Self::Status(404 | 408 | 425 | 429) => true,
            Self::Status(status) => *status >= 500,
            Self::FirstByte(_) | Self::Stalled(_) | Self::Slow(_) | Self::Transport(_) => true,
            Self::Empty | Self::Length { .. } | Self::NoRoom(_) | Self::Disk(_) => true,
            _ => false,
        }
    }
}

impl GapReason {
    /// Whether another attempt may succeed, see [`SourceError::may_pass`].
    pub fn may_pass(&self) -> bool {
        !matches!(self, Self::Unusable(_) | Self::Unpaired)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::PlaylistError;

    #[test]
    fn what_may_pass_is_told_from_what_will_not() {
        let page = || FetchError::Playlist(PlaylistError::NotAPlaylist { got: "a web page (HTML)".into() });
        let protected = FetchError::Protected { method: "SAMPLE-AES".into(), keyformat: "identity".into() };
        for (error, may_pass) in [
            (FetchError::Status(404), true),
            (FetchError::Status(503), true),
            (FetchError::Transport("connection refused".into()), true),
            (FetchError::FirstByte(Duration::from_secs(1)), true),
            (FetchError::Empty, true),
            (FetchError::Status(403), false),
            (FetchError::Status(401), false),
            (FetchError::Status(410), false),
            (FetchError::TooLarge { limit: 1 }, false),
            (FetchError::Decrypt("wrong key"), false),
            (protected, false),
            (page(), false),
        ] {
            assert_eq!(error.may_pass(), may_pass, "{error}");
            assert_eq!(GapReason::from(error).may_pass(), may_pass);
        }
        let unreachable = |cause| SourceError::Unreachable { url: "http://h/x".into(), tries: 2, cause };
        assert!(unreachable(FetchError::Status(404)).may_pass() && !unreachable(FetchError::Status(403)).may_pass());
        let cause = Box::new(unreachable(FetchError::Status(502)));
        assert!(SourceError::Rendition { rendition: "main".into(), cause }.may_pass());
        assert!(!SourceError::Scheme { url: "ftp://h/x".into(), scheme: "ftp".into() }.may_pass());
    }
}
