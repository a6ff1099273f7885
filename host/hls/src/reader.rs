//! Parses the lines of a media playlist (RFC 8216 section 4.3).
//!
//! Parsed here and not with a library: m3u8-rs 6.0 takes text after a comma in an EXTINF title for a segment, refuses
//! METHOD=NONE and date-times with `+0000`, holds one key and one DATERANGE per segment, stores durations as 32-bit
//! floats, and stops silently at a line that it cannot parse.

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::attributes::Attributes;
use super::crypt::parse_iv;
use super::data_uri;
use super::error::PlaylistError;
use super::media_playlist::{Entry, Key, KeySource, Map, MediaPlaylist};
use super::place;
use super::tags::{cue, date_us, micros, offset_us};
use super::variables::Variables;
use crate::limits::{
    EXTINF_MAX, KEY_FORMATS_MAX, MEDIA_SEQUENCE_MAX, PLAYLIST_ENTRIES_MAX, PLAYLIST_WARNINGS_MAX, TARGET_DURATION_MAX,
};
use outboard_media::segment::Cue;

/// The state of parsing.
pub(super) struct Reader<'a> {
    base: &'a Url,
    imports: Option<&'a Variables>,
    variables: Variables,
    target: Option<Duration>,
    /// `None`: missing, or not a number.
    media_sequence: Option<u64>,
    /// Whether EXT-X-PLAYLIST-TYPE is present: then no segment leaves the playlist.
    typed: bool,
    start_us: Option<i64>,
    discontinuity_sequence: u64,
    ended: bool,
    entries: Vec<Entry>,
    next: Next,
    /// Keys in effect, one per KEYFORMAT.
    keys: Vec<(String, Arc<Key>)>,
    map: Option<Arc<Map>>,
    /// Resource and end of the latest byte range, for implicit offsets.
    range_end: Option<(Url, u64)>,
    warnings: Vec<String>,
}

/// Tags that apply to the next URI line only.
#[derive(Default)]
struct Next {
    duration_us: Option<i64>,
    range: Option<(usize, String)>,
    discontinuity: bool,
    gap: bool,
    date_us: Option<i64>,
    cues: Vec<Cue>,
}

impl<'a> Reader<'a> {
    /// Starts parsing; `base` is the URL against which relative URIs resolve.
    pub(super) fn new(base: &'a Url, imports: Option<&'a Variables>) -> Self {
        Self {
            base,
            imports,
            variables: Variables::default(),
            target: None,
            media_sequence: None,
            typed: false,
            start_us: None,
            discontinuity_sequence: 0,
            ended: false,
            entries: Vec::new(),
            next: Next::default(),
            keys: Vec::new(),
            map: None,
            range_end: None,
            warnings: Vec::new(),
        }
    }

    /// Parses one line, counted from 1.
    pub(super) fn line(&mut self, number: usize, line: &str) -> Result<(), PlaylistError> {
        let Some(tag) = line.strip_prefix('#') else {
            return if line.is_empty() { Ok(()) } else { self.segment(number, line) };
        };
        let (name, value) = tag.split_once(':').unwrap_or((tag, ""));
        let value = value.trim();
        match name {
            "EXTINF" => {
                let seconds = value.split(',').next().unwrap_or_default();
                let length = self.believed(number, "EXTINF", seconds, EXTINF_MAX);
                self.next.duration_us = Some(place::micros(length));
            }
            "EXT-X-TARGETDURATION" => self.target = Some(self.believed(number, name, value, TARGET_DURATION_MAX)),
            "EXT-X-MEDIA-SEQUENCE" => {
                self.media_sequence = value.parse().ok().filter(|sequence| *sequence <= MEDIA_SEQUENCE_MAX);
            }
            "EXT-X-PLAYLIST-TYPE" => self.typed = true,
            "EXT-X-START" => match offset_us(Attributes::parse(value).get("TIME-OFFSET")) {
                Some(offset) => self.start_us = Some(offset),
                None => self.warn(format!("line {number}: EXT-X-START has no TIME-OFFSET in seconds")),
            },
            "EXT-X-DISCONTINUITY-SEQUENCE" => self.discontinuity_sequence = value.parse().unwrap_or_default(),
            "EXT-X-DISCONTINUITY" => self.next.discontinuity = true,
            "EXT-X-ENDLIST" => self.ended = true,
            "EXT-X-GAP" => self.next.gap = true,
            "EXT-X-BYTERANGE" => self.next.range = Some((number, value.to_owned())),
            "EXT-X-KEY" => self.key(number, value)?,
            "EXT-X-MAP" => self.map(number, value)?,
            "EXT-X-PROGRAM-DATE-TIME" => match date_us(value) {
                Some(date) => self.next.date_us = Some(date),
                None => self.warn(format!("line {number}: programme date-time '{value}' cannot be read")),
            },
            "EXT-X-DEFINE" => self.variables.define(number, value, self.base, self.imports)?,
            "EXT-X-I-FRAMES-ONLY" => return Err(PlaylistError::IFramesOnly),
            _ => self.next.cues.extend(cue(name, value, tag)),
        }
        Ok(())
    }

    fn key(&mut self, number: usize, value: &str) -> Result<(), PlaylistError> {
        let list = Attributes::parse(value);
        let method = list.get("METHOD").unwrap_or_default();
        let keyformat = list.get("KEYFORMAT").unwrap_or("identity");
        if method == "NONE" {
            self.keys.clear();
            return Ok(());
        }
        let iv = self.variables.optional(number, list.get("IV"))?.map(|iv| parse_iv(&iv));
        let key = match (method, keyformat, list.get("URI"), iv) {
            ("AES-128", "identity", Some(uri), None) => Key::Aes128 { source: self.key_source(number, uri)?, iv: None },
            ("AES-128", "identity", Some(uri), Some(Some(iv))) => {
                Key::Aes128 { source: self.key_source(number, uri)?, iv: Some(iv) }
            }
            _ => Key::Unsupported { method: method.to_owned(), keyformat: keyformat.to_owned() },
        };
        self.keys.retain(|(format, _)| format != keyformat);
        if self.keys.len() < KEY_FORMATS_MAX {
            self.keys.push((keyformat.to_owned(), Arc::new(key)));
        }
        Ok(())
    }

    fn key_source(&self, line: usize, uri: &str) -> Result<KeySource, PlaylistError> {
        match data_uri::key(&self.variables.expand(line, uri)?) {
            Some(key) => key.map(KeySource::Given).map_err(|why| PlaylistError::Key { line, why }),
            None => self.resolve(line, uri).map(KeySource::At),
        }
    }

    /// Parses seconds, limited to a maximum that is safe for delays and sums.
    fn believed(&mut self, number: usize, name: &str, value: &str, most: Duration) -> Duration {
        let told = Duration::from_micros(micros(value).unsigned_abs());
        if told > most {
            self.warn(format!("line {number}: {name} of {} s is taken as {} s", told.as_secs(), most.as_secs()));
        }
        told.min(most)
    }

    fn warn(&mut self, warning: String) {
        if self.warnings.len() < PLAYLIST_WARNINGS_MAX {
            self.warnings.push(warning);
        }
    }

    /// Of several keys for the same media, the one that is supported.
    fn key_in_force(&self) -> Option<Arc<Key>> {
        let usable = self.keys.iter().find(|(_, key)| matches!(**key, Key::Aes128 { .. }));
        usable.or(self.keys.last()).map(|(_, key)| Arc::clone(key))
    }

    fn map(&mut self, number: usize, value: &str) -> Result<(), PlaylistError> {
        let list = Attributes::parse(value);
        let uri = self.resolve(number, list.get("URI").unwrap_or_default())?;
        let range = match self.variables.optional(number, list.get("BYTERANGE"))? {
            // Without an offset: after the previous range of the same resource, else at the beginning.
            Some(value) => self.range(number, &value, &uri, Some(0))?,
            None => None,
        };
        let key = self.key_in_force();
        self.map = Some(Arc::new(Map { uri, range, key }));
        Ok(())
    }

    fn segment(&mut self, number: usize, line: &str) -> Result<(), PlaylistError> {
        if self.entries.len() >= PLAYLIST_ENTRIES_MAX {
            return Err(PlaylistError::TooLong);
        }
        let uri = self.resolve(number, line)?;
        let next = std::mem::take(&mut self.next);
        let range = match next.range {
            Some((number, value)) => self.range(number, &value, &uri, None)?,
            None => {
                self.range_end = None;
                None
            }
        };
        if next.discontinuity {
            self.discontinuity_sequence = self.discontinuity_sequence.saturating_add(1);
        }
        self.entries.push(Entry {
            sequence: 0,
            uri,
            range,
            duration_us: next.duration_us.unwrap_or_default(),
            discontinuity: next.discontinuity,
            discontinuity_sequence: self.discontinuity_sequence,
            gap: next.gap,
            date_us: next.date_us,
            time_us: next.date_us,
            key: self.key_in_force(),
            map: self.map.clone(),
            cues: next.cues,
        });
        Ok(())
    }

    /// Parses `<length>[@<offset>]` and remembers where it ends.
    fn range(
        &mut self,
        line: usize,
        value: &str,
        uri: &Url,
        without_offset: Option<u64>,
    ) -> Result<Option<(u64, u64)>, PlaylistError> {
        let wrong = || PlaylistError::ByteRange { line, value: value.to_owned() };
        let (length, offset) = value.split_once('@').map_or((value, None), |(length, offset)| (length, Some(offset)));
        let length: u64 = length.trim().parse().map_err(|_| wrong())?;
        let before = self.range_end.take().filter(|(resource, _)| resource == uri).map(|(_, end)| end);
        let offset = match offset {
            Some(offset) => offset.trim().parse().map_err(|_| wrong())?,
            None => before.or(without_offset).ok_or_else(wrong)?,
        };
        let end = offset.checked_add(length).filter(|_| length > 0).ok_or_else(wrong)?;
        self.range_end = Some((uri.clone(), end));
        Ok(Some((offset, length)))
    }

    fn resolve(&self, line: usize, text: &str) -> Result<Url, PlaylistError> {
        let wrong = |what: &str| PlaylistError::Uri { line, what: what.to_owned() };
        let text = &*self.variables.expand(line, text)?;
        let text_without_query = text.split(['?', '#']).next().unwrap_or_default();
        if text.is_empty() {
            return Err(wrong(""));
        }
        let mut url = self.base.join(text).map_err(|_| wrong(text_without_query))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong(&format!("{}:", url.scheme())));
        }
        url.set_fragment(None);
        Ok(url)
    }

    /// Called after the last line.
    pub(super) fn finish(mut self) -> Result<MediaPlaylist, PlaylistError> {
        let longest = self.entries.iter().map(Entry::duration).max();
        let target = self.target.filter(|target| !target.is_zero()).or(longest).ok_or(PlaylistError::Empty)?;
        // Without the tag, the longest segment counts.
        let target = target.min(TARGET_DURATION_MAX);
        let media_sequence = self.media_sequence.unwrap_or_default();
        for (sequence, entry) in (media_sequence..).zip(&mut self.entries) {
            entry.sequence = sequence;
        }
        self.fill_in_lengths();
        if self.media_sequence.is_none() && !self.ended && !self.typed {
            self.warn(
                "there is no EXT-X-MEDIA-SEQUENCE: segments are told apart by their addresses and dates".to_owned(),
            );
        }
        if dates_run_back(&self.entries) {
            self.warn("programme date-times do not rise; they are not used".to_owned());
            self.entries.iter_mut().for_each(|entry| (entry.date_us, entry.time_us) = (None, None));
        } else {
            carry_dates(&mut self.entries);
        }
        Ok(MediaPlaylist {
            target,
            media_sequence,
            numbered: self.media_sequence.is_some(),
            start_us: self.start_us,
            ended: self.ended,
            entries: self.entries,
            warnings: self.warnings,
        })
    }
}

impl Reader<'_> {
    /// A segment without a duration counts as one target duration until its media is measured.
    fn fill_in_lengths(&mut self) {
        let Some(target) = self.target.map(|target| i64::try_from(target.as_micros()).unwrap_or(i64::MAX)) else {
            return;
        };
        let mut count = 0;
        for entry in self.entries.iter_mut().filter(|entry| entry.duration_us == 0) {
            entry.duration_us = target;
            count += 1;
        }
        if count > 0 && target > 0 {
            let seconds = target as f64 / 1e6;
            self.warn(format!("EXTINF is 0 or missing ({count} segments): the target duration of {seconds} s is used until the media is there"));
        }
    }
}

/// Whether date-times stand still or go back within a continuous part; such dates identify nothing.
fn dates_run_back(entries: &[Entry]) -> bool {
    let mut latest = None;
    entries.iter().any(|entry| {
        if entry.discontinuity {
            latest = None;
        }
        let back = entry.date_us.is_some_and(|date| latest.is_some_and(|latest| date <= latest));
        latest = entry.date_us.or(latest);
        back
    })
}

/// Derives the time of each entry of a continuous part from the date-time before it, or from the first one after it.
fn carry_dates(entries: &mut [Entry]) {
    for stretch in entries.chunk_by_mut(|_, next| !next.discontinuity) {
        let mut time = None;
        for entry in stretch.iter_mut() {
            entry.time_us = entry.date_us.or(time);
            time = entry.time_us.map(|start| start.saturating_add(entry.duration_us));
        }
        let mut time = None;
        for entry in stretch.iter_mut().rev() {
            entry.time_us = entry.time_us.or_else(|| time.map(|next: i64| next.saturating_sub(entry.duration_us)));
            time = entry.time_us;
        }
    }
}
