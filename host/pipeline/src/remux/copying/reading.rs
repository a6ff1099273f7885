//! The packets of one file of a batch, in pieces.
//!
//! In: fragmented MP4, from ffmpeg or from our own writer, or ADTS; told apart by their first bytes. Out: the decoder's
//! configuration, then packet after packet. Only a file that is read to its last byte counts: one that has more than is
//! understood here is left to ffmpeg, and one that is cut off is an error.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::CopyError;
use crate::demux::DemuxError;
use crate::limits::REMUX_READ_BYTES;
use crate::remux::RemuxError;
use outboard_media::demux::{
    Choice, Codec, Config, Demuxer, Event, Mp4, Notice, Packed, Packet, Reason, Streams, TrackKind,
};

/// Reads a file from its start to its end.
#[derive(Debug)]
pub(super) struct Reader {
    path: PathBuf,
    kind: TrackKind,
    file: File,
    piece: Vec<u8>,
    demuxer: Demuxer,
    config: Vec<u8>,
    /// The next packet; `None` at the end.
    next: Option<Packet>,
    /// Whether all bytes of the file were read.
    ended: bool,
    /// Bytes of an incomplete box at the end.
    left: u64,
}

impl Reader {
    /// Opens the file and reads up to its first packet of this kind.
    ///
    /// # Errors
    /// [`CopyError`]: the file cannot be read, has no packet of this kind that is copied here, or is cut off before it.
    pub(super) fn open(path: PathBuf, kind: TrackKind) -> Result<Self, CopyError> {
        let mut file = File::open(&path).map_err(|source| failed(&path, source))?;
        let mut piece = vec![0; REMUX_READ_BYTES];
        let n = read(&mut file, &mut piece).map_err(|source| failed(&path, source))?;
        let start = piece.get(..n).unwrap_or_default();
        let mut demuxer = match (Demuxer::recognise(start, Choice::default()), kind) {
            (Some(Demuxer::Mp4(_)), _) => Demuxer::Mp4(Box::new(Mp4::stored(Choice::default()))),
            (Some(Demuxer::Packed(_)), TrackKind::Audio) => Demuxer::Packed(Box::new(Packed::starting_at(0))),
            _ => {
                let why = "it is neither fragmented MP4 nor, for audio, ADTS".to_owned();
                return Err(CopyError::Foreign { path, why });
            }
        };
        demuxer.feed(start);
        let mut reader =
            Self { path, kind, file, piece, demuxer, config: Vec::new(), next: None, ended: false, left: 0 };
        reader.advance()?;
        if reader.demuxer.witness().container.skipped > 0 {
            return Err(reader.foreign(
                "it has bytes before its first packet that belong to none, such as samples outside of fragments",
            ));
        }
        if reader.next.is_none() || reader.config.is_empty() {
            return Err(reader.foreign(&format!("it has no {kind} packet with a configuration in its fragments")));
        }
        Ok(reader)
    }

    /// The decoder's configuration: AVCDecoderConfigurationRecord or AudioSpecificConfig.
    pub(super) fn config(&self) -> &[u8] {
        &self.config
    }

    /// Whether a packet is left.
    pub(super) fn has_packet(&self) -> bool {
        self.next.is_some()
    }

    /// The next packet; `None` at the end. After the last one the whole file is known to be read.
    ///
    /// # Errors
    /// [`CopyError`]: the file cannot be read on, has more than is understood here, or is cut off.
    pub(super) fn take(&mut self) -> Result<Option<Packet>, CopyError> {
        let packet = self.next.take();
        self.advance()?;
        Ok(packet)
    }

    fn advance(&mut self) -> Result<(), CopyError> {
        loop {
            while let Some(event) = self.demuxer.next_event() {
                match event {
                    Event::Packet(packet) if packet.kind == self.kind => {
                        self.next = Some(packet);
                        return Ok(());
                    }
                    Event::Streams(streams) => self.streams(&streams)?,
                    Event::Config(config) => self.configure(config)?,
                    Event::Notice(Notice::Skipped { bytes }) => self.left += bytes,
                    Event::Notice(Notice::BoxDamaged { name }) => {
                        return Err(self.foreign(&format!("its box {} is damaged", name.escape_ascii())));
                    }
                    _ => {}
                }
            }
            if self.ended {
                return self.check_end();
            }
            let n = read(&mut self.file, &mut self.piece).map_err(|source| failed(&self.path, source))?;
            self.ended = n == 0;
            match self.ended {
                true => self.demuxer.end(),
                false => self.demuxer.feed(self.piece.get(..n).unwrap_or_default()),
            }
        }
    }

    /// One track of the kind, and nothing unknown that might be one.
    fn streams(&self, streams: &Streams) -> Result<(), CopyError> {
        let of_kind = streams.streams.iter().filter(|stream| stream.codec.kind() == Some(self.kind)).count();
        let unknown = streams.streams.iter().any(|stream| stream.codec.kind().is_none());
        if of_kind == 1 && !unknown {
            return Ok(());
        }
        let codecs: Vec<_> = streams.streams.iter().map(|stream| stream.codec.name()).collect();
        let (kind, codecs) = (self.kind, codecs.join(", "));
        Err(self.foreign(&format!("it has the tracks [{codecs}], and one {kind} track is copied")))
    }

    fn configure(&mut self, config: Config) -> Result<(), CopyError> {
        let (kind, codec, record) = match config {
            Config::Video(config) => (TrackKind::Video, config.codec, config.record),
            Config::Audio(config) => {
                // Configuration 0 of ADTS: only the content of a frame tells the channels, and the configuration needs it.
                let told = config.channels > 0 || matches!(self.demuxer, Demuxer::Mp4(_));
                (TrackKind::Audio, config.codec, if told { config.record } else { Vec::new() })
            }
        };
        if kind != self.kind {
            return Ok(());
        }
        if !matches!(codec, Codec::H264 | Codec::Aac) {
            return Err(self.foreign(&format!("its {kind} codec is {}, and H.264 and AAC are copied", codec.name())));
        }
        if self.config.is_empty() {
            self.config = record;
        } else if self.config != record {
            // The index of a batch has one sequence header a track.
            tracing::warn!(path = %self.path.display(), %kind, "the configuration changes inside the batch, and the first one stays on air");
        }
        Ok(())
    }

    /// Holds what was handed out against what was read.
    fn check_end(&mut self) -> Result<(), CopyError> {
        let witness = self.demuxer.witness();
        let track = witness.track(self.kind);
        let (cut, unused) = (track.unused(Reason::Truncated).units, track.unused_in_all());
        let is_mp4 = matches!(self.demuxer, Demuxer::Mp4(_));
        if cut > 0 || (is_mp4 && self.left > 0) {
            let what = format!("{cut} announced packets and {} bytes of a box are incomplete at its end", self.left);
            return Err(RemuxError::Torn { path: self.path.clone(), what }.into());
        }
        let (units, bytes, skipped) = (unused.units, unused.bytes, witness.container.skipped);
        if units > 0 || bytes > 0 || skipped > 0 {
            let why =
                format!("{units} packets, {bytes} bytes of {} and {skipped} other bytes are not understood", self.kind);
            return Err(self.foreign(&why));
        }
        Ok(())
    }

    fn foreign(&self, why: &str) -> CopyError {
        CopyError::Foreign { path: self.path.clone(), why: why.to_owned() }
    }
}

fn failed(path: &Path, source: std::io::Error) -> CopyError {
    RemuxError::File(DemuxError::File { path: path.to_owned(), source }).into()
}

/// Reads once; 0 bytes: the file has ended.
fn read(file: &mut File, piece: &mut [u8]) -> std::io::Result<usize> {
    loop {
        match file.read(piece) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}
