//! Fuzz targets for input from stages, processors, origins and API clients. A target takes bytes, converts them to
//! input, and panics if a property does not hold.
//!
//! Compiled only for tests and with the feature `fuzzing`. The test below runs every target over its corpus and some
//! thousands of seeded inputs; `tests/fuzz` runs them with cargo-fuzz for as long as needed. An input that broke
//! something is added to `tests/fuzz/corpus/<target>/`.

pub use crate::api::graphql::fuzz_requests as requests;
pub use crate::media::demux::fuzz_segments as segments;
pub use crate::media::probe::fuzz_replies as replies;
pub use crate::pipeline::exchange::fuzz_packets as packets;
pub use crate::pipeline::source::fuzz_playlists as playlists;
pub use crate::redact::fuzz::redactions;
pub use crate::stage::{
    fuzz_components as components, fuzz_cuts as cuts, fuzz_messages as messages, fuzz_plans as plans,
    fuzz_snapshots as snapshots,
};

/// A target takes the bytes of one input.
pub type Target = fn(&[u8]);

/// All targets, by name.
pub const TARGETS: [(&str, Target); 11] = [
    ("components", components),
    ("cuts", cuts),
    ("messages", messages),
    ("plans", plans),
    ("snapshots", snapshots),
    ("packets", packets),
    ("playlists", playlists),
    ("redactions", redactions),
    ("replies", replies),
    ("requests", requests),
    ("segments", segments),
];

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{Rng as _, RngExt as _, SeedableRng as _};
    use std::path::Path;

    /// Longest generated input in bytes.
    const INPUT_BYTES_MAX: usize = 2048;

    fn corpus(target: &str) -> Vec<Vec<u8>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/corpus").join(target);
        let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
        entries.map(|entry| std::fs::read(entry.unwrap().path()).unwrap()).collect()
    }

    /// Runs a target over its corpus, over slightly changed inputs from it, and over `made_up` random inputs.
    fn run(name: &str, made_up: usize) {
        let target = TARGETS.iter().find(|(known, _)| *known == name).unwrap().1;
        // The same inputs each time, so that failures are reproducible.
        let mut random = StdRng::seed_from_u64(0x0B0A_4D00);
        let corpus = corpus(name);
        corpus.iter().for_each(|input| target(input));
        for n in 0..made_up {
            let mut input = match corpus.get(n % 8) {
                Some(seed) => seed.clone(),
                None => vec![0; random.random_range(0..INPUT_BYTES_MAX)],
            };
            if n % 8 >= corpus.len() {
                random.fill_bytes(&mut input);
            } else {
                for _ in 0..random.random_range(1..8) {
                    let at = random.random_range(0..input.len().max(1));
                    if let Some(byte) = input.get_mut(at) {
                        *byte = random.random();
                    }
                }
            }
            if let Err(panic) = std::panic::catch_unwind(|| target(&input)) {
                let hex: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
                eprintln!("target {name}, input {n}; as a file of the corpus, in hex: {hex}");
                std::panic::resume_unwind(panic);
            }
        }
    }

    #[test]
    fn components_hold() {
        run("components", 1000);
    }

    #[test]
    fn cuts_hold() {
        run("cuts", 5000);
    }

    #[test]
    fn messages_hold() {
        run("messages", 20_000);
    }

    #[test]
    fn requests_hold() {
        run("requests", 20_000);
    }

    #[test]
    fn plans_hold() {
        run("plans", 20_000);
    }

    #[test]
    fn snapshots_hold() {
        run("snapshots", 1500);
    }

    #[test]
    fn playlists_hold() {
        run("playlists", 20_000);
    }

    #[test]
    fn redactions_hold() {
        run("redactions", 5000);
    }

    #[test]
    fn packets_hold() {
        run("packets", 20_000);
    }

    #[test]
    fn replies_hold() {
        run("replies", 5000);
    }

    #[test]
    fn segments_hold() {
        run("segments", 2000);
    }
}
