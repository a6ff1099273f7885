//! What ffmpeg reads of a batch. In: its segments. Out: ffmpeg's arguments.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::DemuxError;
use outboard_ffmpeg as ffmpeg;
use outboard_media::id3;
use outboard_media::segment::{Container, Part, Segment};

/// What ffmpeg reads: the batch's files joined by bytes, which is right within one discontinuity sequence.
pub(super) struct Inputs {
    dir: PathBuf,
    pub(super) main: Input,
    pub(super) audio: Option<Input>,
}

pub(super) struct Input {
    format: &'static str,
    url: OsString,
    /// Packed audio tells its time in an ID3 tag, which ffmpeg passes over.
    pub(super) offset_us: Option<i64>,
}

impl Inputs {
    pub(super) fn of(segments: &[Segment]) -> Result<Self, DemuxError> {
        let parts: Vec<&Part> = segments.iter().map(|segment| &segment.main).collect();
        let audio: Vec<&Part> = segments.iter().flat_map(|segment| &segment.audio).collect();
        let first = parts.first().ok_or_else(|| DemuxError::Unsupported("a batch without segments".into()))?;
        let dir = first.path.parent().unwrap_or(Path::new(".")).to_owned();
        Ok(Self { main: Input::of(&parts), audio: (!audio.is_empty()).then(|| Input::of(&audio)), dir })
    }

    pub(super) fn add_to(&self, command: &mut ffmpeg::Command) {
        // Names without folders: the storage path may hold the separator of `concat:`.
        command.reads(&self.dir).as_inner_mut().current_dir(&self.dir);
        command.arg("-copyts");
        for input in std::iter::once(&self.main).chain(&self.audio) {
            command.args(["-f", input.format]).arg("-i").arg(&input.url);
        }
    }

    pub(super) fn audio_index(&self) -> &'static str {
        if self.audio.is_some() { "1" } else { "0" }
    }
}

impl Input {
    fn of(parts: &[&Part]) -> Self {
        let mut url = OsString::from("concat:");
        let mut init = None;
        let mut join = |path: &Path| {
            if url != "concat:" {
                url.push("|");
            }
            url.push(path.file_name().unwrap_or_default());
        };
        for part in parts {
            if part.init.is_some() && part.init != init {
                init.clone_from(&part.init);
                part.init.iter().for_each(|path| join(path));
            }
            join(&part.path);
        }
        let format = match parts.first().map(|part| part.container) {
            Some(Container::Fmp4) => "mp4",
            Some(Container::PackedAac) => "aac",
            Some(Container::MpegTs) | None => "mpegts",
        };
        let offset_us = match parts.first() {
            Some(part) if part.container == Container::PackedAac => id3::timestamp_us(&part.path),
            _ => None,
        };
        Self { format, url, offset_us }
    }
}
