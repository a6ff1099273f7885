//! Demuxes a file; prints the result and the speed: `cargo run --release -p outboard-media --example demux -- FILE`.
//!
//! It reads transport streams, fragmented MP4 (with its initialization section) and packed audio. The speed is that of
//! the fastest of ten runs; for comparison, it also prints the speed of copying the same bytes.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use outboard_media::demux::{Choice, Event, Mp4, Packed, Ts, Witness};

const RUNS: usize = 10;
const PIECE: usize = 64 << 10;

fn main() -> ExitCode {
    let Some(path) = std::env::args().nth(1) else {
        eprintln!("usage: demux FILE");
        return ExitCode::from(2);
    };
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) => {
            eprintln!("{path}: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut best = (Duration::MAX, 0, Witness::default());
    let mut copy = Duration::MAX;
    for _ in 0..RUNS {
        let began = Instant::now();
        let (packets, witness) = run(&bytes);
        if began.elapsed() < best.0 {
            best = (began.elapsed(), packets, witness);
        }
        let began = Instant::now();
        std::hint::black_box(std::hint::black_box(&bytes).clone());
        copy = copy.min(began.elapsed());
    }
    let (time, packets, witness) = best;
    let speed = |time: Duration| bytes.len() as f64 / 1e6 / time.as_secs_f64();
    println!("{witness:#?}");
    println!("{packets} packets, {:.0} MB/s; a copy of the file {:.0} MB/s", speed(time), speed(copy));
    ExitCode::SUCCESS
}

fn run(bytes: &[u8]) -> (u64, Witness) {
    macro_rules! drive {
        ($demuxer:expr) => {{
            let mut demuxer = $demuxer;
            let mut packets = 0;
            for piece in bytes.chunks(PIECE) {
                demuxer.feed(piece);
                while let Some(event) = demuxer.next_event() {
                    packets += u64::from(matches!(event, Event::Packet(_)));
                }
            }
            demuxer.end();
            while let Some(event) = demuxer.next_event() {
                packets += u64::from(matches!(event, Event::Packet(_)));
            }
            (packets, demuxer.witness())
        }};
    }
    match bytes {
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => drive!(Mp4::new(Choice::default())),
        [b'I', b'D', b'3', ..] | [0xff, ..] => drive!(Packed::new()),
        _ => drive!(Ts::new(Choice::default())),
    }
}
