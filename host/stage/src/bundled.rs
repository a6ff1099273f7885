//! The bundled stages: components that are part of the host's program, as `scripts/components` built them.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use super::kind::StageKind;
use outboard_base::Digest;

/// A bundled stage: its name, which is that of its folder in `components/`, and the bytes of its file.
pub(super) type Bundled = (&'static str, &'static [u8]);

macro_rules! bundled {
    ($name:literal) => {
        ($name, include_bytes!(concat!("../../../components/dist/", $name, ".wasm")).as_slice())
    };
}

/// The default stage of a kind, used when the settings name none.
pub(super) fn default_of(kind: StageKind) -> Bundled {
    match kind {
        StageKind::Batching => bundled!("batching-duration"),
        StageKind::Framing => bundled!("framing-fragment"),
        StageKind::RemuxPlanning => bundled!("remux-replace"),
    }
}

/// The bundled stages of a kind other than the default.
fn alternatives_of(kind: StageKind) -> &'static [Bundled] {
    match kind {
        StageKind::Batching => const { &[bundled!("batching-aligned")] },
        StageKind::Framing => const { &[bundled!("framing-sts")] },
        StageKind::RemuxPlanning => const { &[bundled!("remux-duck")] },
    }
}

/// All bundled stages of a kind, the default first.
pub(super) fn of_kind(kind: StageKind) -> impl Iterator<Item = Bundled> {
    std::iter::once(default_of(kind)).chain(alternatives_of(kind).iter().copied())
}

/// The files of all bundled stages. A host stores them, so that settings can name their digests.
pub fn files() -> impl Iterator<Item = &'static [u8]> {
    StageKind::ALL.into_iter().flat_map(of_kind).map(|(_, wasm)| wasm)
}

/// True if a digest, `sha256:…`, is that of a bundled component.
pub fn is_bundled(digest: &str) -> bool {
    static DIGESTS: LazyLock<BTreeSet<String>> =
        LazyLock::new(|| files().map(|wasm| format!("sha256:{}", Digest::of(wasm))).collect());
    DIGESTS.contains(digest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn every_component_that_is_built_is_bundled() {
        let folders = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../components").read_dir().unwrap();
        let mut built: Vec<String> = folders
            .filter_map(|entry| Some(entry.ok()?).filter(|entry| entry.path().join("Cargo.toml").is_file()))
            .map(|entry| entry.file_name().into_string().unwrap())
            .filter(|name| name.contains('-'))
            .collect();
        let mut bundled: Vec<_> = StageKind::ALL.into_iter().flat_map(of_kind).map(|(name, _)| name).collect();
        built.sort_unstable();
        bundled.sort_unstable();
        assert_eq!(bundled, built);
    }
}
