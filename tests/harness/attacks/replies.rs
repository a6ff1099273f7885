//! Small replies of a processor that take forever to parse.
#![expect(clippy::unwrap_used, reason = "a harness that cannot do its part fails the test")]

use crate::processor::{fmp4, wav};

/// All kinds: a name, the file, and the expected text of the refusal.
pub fn all() -> [(&'static str, Vec<u8>, &'static str); 3] {
    [
        ("endless-run", endless_run(), "more than 50000 packets"),
        ("empty-runs", empty_runs(), "more than 100000 boxes"),
        ("endless-chunks", endless_chunks(), "more than 1024 chunks"),
    ]
}

/// Where a box of this name begins, after `after`.
fn find(file: &[u8], name: &[u8; 4], after: usize) -> usize {
    after + file[after..].windows(4).position(|window| window == name).unwrap() - 4
}

/// Appends bytes to a box and extends the boxes around it.
fn append(file: &mut Vec<u8>, path: &[&[u8; 4]], bytes: &[u8]) {
    let mut at = 0;
    let mut end = 0;
    for name in path {
        at = find(file, name, at);
        let size = u32::from_be_bytes(file[at..at + 4].try_into().unwrap());
        end = at + size as usize;
        let longer = size + u32::try_from(bytes.len()).unwrap();
        file[at..at + 4].copy_from_slice(&longer.to_be_bytes());
    }
    file.splice(end..end, bytes.iter().copied());
}

/// A run that counts the maximum number of samples and has no field for any of them.
fn endless_run() -> Vec<u8> {
    let mut file = fmp4(1);
    let at = find(&file, b"trun", 0) + 8;
    file[at..at + 4].copy_from_slice(&1_u32.to_be_bytes());
    file[at + 4..at + 8].copy_from_slice(&u32::MAX.to_be_bytes());
    file
}

/// A file with so many runs without samples that the search for each sample takes long.
fn empty_runs() -> Vec<u8> {
    let mut file = fmp4(8);
    let run = [&16_u32.to_be_bytes()[..], b"trun", &[0; 8]].concat();
    append(&mut file, &[b"moof", b"traf"], &run.repeat(200_000));
    file
}

/// A file of meaningless chunks.
fn endless_chunks() -> Vec<u8> {
    let mut file = wav(1);
    let at = find(&file, b"fmt ", 0) + 4;
    file.splice(at..at, b"junk\0\0\0\0".repeat(500_000));
    file
}
