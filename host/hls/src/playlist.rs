//! Parses the text of a media playlist into a [`MediaPlaylist`].

use std::borrow::Cow;

use url::Url;

use super::container::describe;
use super::error::PlaylistError;
use super::media_playlist::MediaPlaylist;
use super::reader::Reader;
use super::variables::Variables;
use outboard_base::redact::{plain, steers};

/// Whether the text is a master playlist.
///
/// # Errors
/// [`PlaylistError::NotAPlaylist`] with a description of the content.
pub(super) fn is_master(text: &str) -> Result<bool, PlaylistError> {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    if !text.starts_with("#EXTM3U") {
        return Err(PlaylistError::NotAPlaylist { got: describe(text.as_bytes()) });
    }
    let of_master = |line: &str| line.starts_with("#EXT-X-STREAM-INF") || line.starts_with("#EXT-X-I-FRAME-STREAM-INF");
    Ok(text.lines().map(str::trim_start).any(of_master))
}

/// The text without terminal control characters, for warnings and errors that quote it.
pub(super) fn showable(text: &str) -> Cow<'_, str> {
    if !text.lines().any(|line| line.trim().contains(steers)) {
        return text.into();
    }
    text.lines().map(|line| plain(line.trim())).collect::<Vec<_>>().join("\n").into()
}

/// Parses a media playlist; `base` is its final URL, `imports` are the variables of the master playlist that led to it.
///
/// # Errors
/// See [`PlaylistError`]. Unknown tags and harmless deviations are ignored.
pub(super) fn parse_media(base: &Url, text: &str, imports: Option<&Variables>) -> Result<MediaPlaylist, PlaylistError> {
    if is_master(text)? {
        return Err(PlaylistError::NestedMaster);
    }
    let mut reader = Reader::new(base, imports);
    for (number, line) in showable(text.trim_start_matches('\u{feff}')).lines().enumerate() {
        reader.line(number + 1, line.trim())?;
    }
    reader.finish()
}

#[cfg(test)]
#[path = "playlist_test.rs"]
mod tests;
