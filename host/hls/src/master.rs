//! Parses a master playlist into variants and audio renditions with absolute URLs.
//!
//! Parsed line by line and leniently: an attribute that does not belong there (FORCED or INSTREAM-ID on audio), a value
//! without quotes, a number with a fraction or a missing CODECS only loses its own value.

use url::Url;

use super::attributes::Attributes;
use super::error::PlaylistError;
use super::playlist::showable;
use super::tags::offset_us;
use super::variables::Variables;
use crate::limits::{MASTER_ENTRIES_MAX, PLAYLIST_WARNINGS_MAX};

/// The parts of a master playlist that are needed for selecting a variant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Master {
    /// Playable variants in the order of the playlist, without I-frame variants.
    pub(super) variants: Vec<Variant>,
    /// The EXT-X-MEDIA tags with TYPE=AUDIO.
    pub(super) audio: Vec<Rendition>,
    /// EXT-X-DEFINE, for the media playlists to import.
    pub(super) variables: Variables,
    /// EXT-X-START in microseconds, for media playlists without their own.
    pub(super) start_us: Option<i64>,
    /// Lines that could not be used.
    pub(super) warnings: Vec<String>,
}

/// A variant, from one EXT-X-STREAM-INF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    /// Absolute URL; may contain a token.
    pub(super) url: Url,
    /// The URI as written, with variables substituted.
    pub(super) uri: String,
    /// NAME, which many packagers add.
    pub name: Option<String>,
    /// BANDWIDTH in bits per second, else AVERAGE-BANDWIDTH; 0 if both are missing.
    pub bandwidth: u64,
    /// Width and height in pixels.
    pub resolution: Option<(u32, u32)>,
    /// CODECS as written in the playlist.
    pub codecs: Option<String>,
    /// Group of separate audio renditions.
    pub audio_group: Option<String>,
}

/// One EXT-X-MEDIA of TYPE=AUDIO.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendition {
    /// Its GROUP-ID, to which variants refer.
    pub group: String,
    /// Its NAME for people.
    pub name: String,
    /// Its LANGUAGE attribute; `None` if it has none.
    pub language: Option<String>,
    /// Whether DEFAULT=YES is set.
    pub default: bool,
    /// Whether AUTOSELECT=YES is set.
    pub autoselect: bool,
    /// URL of its playlist; `None`: the audio is inside the variant; an error: the URL as written cannot be used.
    pub(super) url: Result<Option<Url>, String>,
}

/// Parses a master playlist; `base` is its final URL.
///
/// # Errors
/// [`PlaylistError::NoVariants`] if no variant is playable, and the errors of EXT-X-DEFINE.
pub(super) fn parse_master(base: &Url, text: &str) -> Result<Master, PlaylistError> {
    let mut master = Master::default();
    let mut pending = None;
    let text = showable(text);
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        match name.trim_end() {
            "#EXT-X-STREAM-INF" => pending = Some((number, value)),
            "#EXT-X-MEDIA" => master.media(number, base, value)?,
            "#EXT-X-DEFINE" => master.variables.define(number, value, base, None)?,
            "#EXT-X-START" => match offset_us(Attributes::parse(value).get("TIME-OFFSET")) {
                Some(offset) => master.start_us = Some(offset),
                None => master.warn(format!("line {number}: EXT-X-START has no TIME-OFFSET in seconds")),
            },
            _ if line.is_empty() || line.starts_with('#') => {}
            _ => match pending.take() {
                Some(tag) => master.variant(tag, number, base, line)?,
                None => master.warn(format!("line {number}: a URI without EXT-X-STREAM-INF")),
            },
        }
    }
    if master.variants.is_empty() { Err(PlaylistError::NoVariants) } else { Ok(master) }
}

impl Master {
    fn variant(&mut self, tag: (usize, &str), number: usize, base: &Url, uri: &str) -> Result<(), PlaylistError> {
        let (line, list) = (tag.0, Attributes::parse(tag.1));
        let uri = self.variables.expand(number, uri)?.into_owned();
        let Some(url) = http_url(base, &uri) else {
            self.warn(format!("line {number}: a variant without an http(s) address is left out"));
            return Ok(());
        };
        if self.variants.len() >= MASTER_ENTRIES_MAX {
            self.warn(format!("only the first {MASTER_ENTRIES_MAX} variants are read"));
            return Ok(());
        }
        let text = |name: &str| Ok(self.variables.optional(line, list.get(name))?.filter(|text| !text.is_empty()));
        let bandwidth = list.get("BANDWIDTH").and_then(bits);
        let resolution = list.get("RESOLUTION").map(size);
        let variant = Variant {
            url,
            name: text("NAME")?,
            bandwidth: bandwidth.or(list.get("AVERAGE-BANDWIDTH").and_then(bits)).unwrap_or_default(),
            resolution: resolution.flatten(),
            codecs: text("CODECS")?,
            audio_group: text("AUDIO")?,
            uri,
        };
        if let (Some(value), None) = (list.get("BANDWIDTH"), bandwidth) {
            self.warn(format!("line {line}: BANDWIDTH={} is not a number of bits per second", short(value)));
        }
        if let (Some(value), Some(None)) = (list.get("RESOLUTION"), resolution) {
            self.warn(format!("line {line}: RESOLUTION={} is not width x height", short(value)));
        }
        self.variants.push(variant);
        Ok(())
    }

    fn media(&mut self, line: usize, base: &Url, tag: &str) -> Result<(), PlaylistError> {
        let list = Attributes::parse(tag);
        let kind = list.get("TYPE").unwrap_or_default();
        if kind.is_empty() {
            self.warn(format!("line {line}: EXT-X-MEDIA without TYPE is left out"));
        }
        if !kind.eq_ignore_ascii_case("AUDIO") {
            return Ok(());
        }
        if self.audio.len() >= MASTER_ENTRIES_MAX {
            self.warn(format!("only the first {MASTER_ENTRIES_MAX} audio renditions are read"));
            return Ok(());
        }
        let text = |name: &str| Ok(self.variables.optional(line, list.get(name))?.filter(|text| !text.is_empty()));
        let (group, language): (Option<String>, Option<String>) = (text("GROUP-ID")?, text("LANGUAGE")?);
        let url = match text("URI")? {
            None => Ok(None),
            Some(uri) => http_url(base, &uri).map(Some).ok_or_else(|| {
                format!("line {line}: '{}' is not an http(s) address", short(uri.split('?').next().unwrap_or_default()))
            }),
        };
        let rendition = Rendition {
            name: text("NAME")?.or_else(|| language.clone()).unwrap_or_else(|| "audio".to_owned()),
            default: list.is_yes("DEFAULT"),
            autoselect: list.is_yes("AUTOSELECT"),
            group: group.unwrap_or_default(),
            language,
            url,
        };
        if rendition.group.is_empty() {
            self.warn(format!("line {line}: EXT-X-MEDIA without GROUP-ID: no variant can use this audio"));
        }
        self.audio.push(rendition);
        Ok(())
    }

    fn warn(&mut self, warning: String) {
        if self.warnings.len() < PLAYLIST_WARNINGS_MAX {
            self.warnings.push(warning);
        }
    }
}

/// Parses bits per second, with or without a fraction.
fn bits(text: &str) -> Option<u64> {
    let fraction = || {
        let value = text.parse::<f64>().ok().filter(|value| (0.0..1e15).contains(value))?;
        // In range, so only the fraction is lost.
        Some(value.round() as u64)
    };
    text.parse().ok().or_else(fraction)
}

/// Parses `1280x720`, `1280X720` or `1280.0x720.0`.
fn size(text: &str) -> Option<(u32, u32)> {
    let side = |text: &str| {
        let value = text.trim().parse::<f64>().ok().filter(|value| (1.0..=65_535.0).contains(value))?;
        Some(value.round() as u32)
    };
    let (width, height) = text.split_once(['x', 'X'])?;
    Some((side(width)?, side(height)?))
}

fn short(text: &str) -> String {
    text.chars().take(60).collect()
}

fn http_url(base: &Url, uri: &str) -> Option<Url> {
    let mut url = base.join(uri).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    url.set_fragment(None);
    Some(url)
}

#[cfg(test)]
#[path = "master_test.rs"]
mod tests;
