//! Streams from the field, from the playlist to the receiver: each packet of the source is on air once, in order and in
//! step, through a processor. One module for what the media are like, one for what the playlists are like.
//!
//! Further such streams are in `every_packet_once` (frames over borders), `standstill` (a source that is away),
//! `exchange_cases` (long polling only) and `air_cases` (logins).
#![expect(clippy::unwrap_used, reason = "a test may stop at the first thing that is not as it should be")]

mod coded;
mod playlists;
mod transport;

use std::path::{Path, PathBuf};
use std::time::Duration;

use outboard::media::flv::body::{AudioFacts, PacketType};
use outboard::media::flv::{TagKind, TagReader};
use outboard_tests::field::{AUDIO, VIDEO, clip};
use outboard_tests::host::{Ended, Host};
use outboard_tests::media::{Packet, source_packets};
use outboard_tests::onair::{assert_same_packets, hashes, monotonic};
use outboard_tests::origin::{Origin, Reply};
use outboard_tests::receiver::nginx::Nginx;

/// Longest wait for the end of a run.
const PATIENCE: Duration = Duration::from_secs(180);
/// Rounding to milliseconds is all that is added to times on air, in seconds.
const ROUNDING: f64 = 0.001 + 1e-6;

/// A run that has ended, and its recording.
struct Aired {
    ended: Ended,
    nginx: Nginx,
}

/// Serves a playlist of the origin through an echo to a receiver, at several times its speed.
async fn aired(origin: &Origin, path: &str, options: &[&str]) -> Aired {
    let (_echo, url) = Host::echo(0, &[]).await;
    let nginx = Nginx::start();
    let storage = tempfile::tempdir().unwrap();
    let (source, to) = (origin.url(path).to_string(), nginx.url("field"));
    let all = ["--source", &source, "--processor", &url, "--to", &to, "--batches", "1000"];
    let host = Host::run(storage.path(), &[&all[..], options].concat());
    let ended = host.ended(PATIENCE).await;
    assert!(ended.status.success(), "{:#?}", ended.log);
    assert_eq!(ended.count("packets_lost"), 0, "{:#?}", ended.log);
    // An echo changes nothing: a reply that comes late on a busy machine is no fault, one that is refused is.
    assert_eq!(ended.lines_with("original audio, invalid"), 0, "{:#?}", ended.log);
    Aired { ended, nginx }
}

impl Aired {
    fn file(&self) -> PathBuf {
        let files = self.nginx.files(1, "field");
        assert_eq!(files.len(), 1, "one session: {:#?}", self.ended.log);
        files[0].clone()
    }

    fn packets(&self, stream: &str) -> Vec<Packet> {
        monotonic(&self.file(), stream)
    }

    /// Checks that the packets on air are those of the source, and that these are all that were counted.
    fn has(&self, pictures: &[Packet], sounds: &[Packet]) {
        for (stream, source) in [("v", pictures), ("a", sounds)] {
            assert_same_packets(&hashes(&self.packets(stream)), &hashes(source), stream);
        }
        let all = (pictures.len() + sounds.len()) as u64;
        let counted = ["packets_in", "packets_on_air"].map(|name| self.ended.count(name));
        assert_eq!(counted, [all; 2], "{}", self.ended.report());
    }

    /// Checks that all times on air have one distance to those of the source, in both tracks.
    fn in_step(&self, pictures: &[Packet], sounds: &[Packet]) {
        self.in_step_within(ROUNDING, pictures, sounds);
    }

    /// The same, with so many seconds of slack.
    fn in_step_within(&self, slack: f64, pictures: &[Packet], sounds: &[Packet]) {
        let mut shifts = Vec::new();
        for (stream, source) in [("v", pictures), ("a", sounds)] {
            let air = self.packets(stream);
            assert_eq!(air.len(), source.len(), "{stream}");
            shifts.extend(air.iter().zip(source).map(|(air, source)| air.pts - source.pts));
        }
        let (least, most) = range(&shifts);
        assert!(most - least <= slack, "times on air are {least} s to {most} s after those of the source");
    }

    /// The number of frames of sound before each configuration of it, and its bytes.
    fn configurations(&self) -> Vec<(usize, Vec<u8>)> {
        let (bytes, mut reader) = (std::fs::read(self.file()).unwrap(), TagReader::new());
        reader.feed(&bytes);
        let (mut frames, mut found): (usize, Vec<(usize, Vec<u8>)>) = (0, Vec::new());
        while let Some(tag) = reader.next_tag().unwrap() {
            if tag.kind != TagKind::Audio {
                continue;
            }
            let record = tag.body[2..].to_vec();
            match AudioFacts::parse(tag.body).unwrap().packet {
                // The recorder writes the first one twice.
                PacketType::SequenceHeader if found.last().is_none_or(|(_, last)| *last != record) => {
                    found.push((frames, record));
                }
                PacketType::SequenceHeader => {}
                _ => frames += 1,
            }
        }
        found
    }
}

/// The least and the greatest number.
fn range(numbers: &[f64]) -> (f64, f64) {
    (numbers.iter().copied().fold(f64::MAX, f64::min), numbers.iter().copied().fold(f64::MIN, f64::max))
}

/// Twenty-four seconds of pictures with B-frames and of sound: 600 and 1126 packets.
fn plain() -> PathBuf {
    clip(24, &format!("{VIDEO} {AUDIO}"))
}

/// The packets of a file or of files in a row, both tracks.
fn both(files: &[PathBuf]) -> (Vec<Packet>, Vec<Packet>) {
    (source_packets(files, "v"), source_packets(files, "a"))
}

/// A playlist of these files, which are all listed from the start.
fn listed(files: &[PathBuf], extinf: &str) -> String {
    let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    let lines: String = files.iter().map(|path| format!("#EXTINF:{extinf},\n{}\n", name(path))).collect();
    format!("#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:7\n#EXT-X-MEDIA-SEQUENCE:0\n{lines}#EXT-X-ENDLIST\n")
}

/// Serves all files below a folder.
async fn serve(dir: &Path) -> Origin {
    let origin = Origin::start().await;
    let mut folders = vec![dir.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(dir).unwrap().to_str().unwrap().to_owned();
            origin.put(&format!("/{name}"), Reply::ok(std::fs::read(&path).unwrap()));
        }
    }
    origin
}

/// Batches of two segments, four seconds of media in each second.
const QUICK: [&str; 6] = ["--batch-seconds", "4", "--speed", "4", "--cushion-seconds", "4"];
