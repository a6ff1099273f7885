//! The stages that come with the host, as scripts/components built them.

use super::component::StageKind;

/// Name and file of the default stage of a kind.
pub(super) fn default_of(kind: StageKind) -> (&'static str, &'static [u8]) {
    match kind {
        StageKind::Batching => {
            ("batching-duration", include_bytes!("../../../components/dist/batching-duration.wasm").as_slice())
        }
        StageKind::Framing => {
            ("framing-fragment", include_bytes!("../../../components/dist/framing-fragment.wasm").as_slice())
        }
        StageKind::RemuxPlanning => {
            ("remux-replace", include_bytes!("../../../components/dist/remux-replace.wasm").as_slice())
        }
    }
}
