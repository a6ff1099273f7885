//! Fuzz target `components`: bytes as a component, or as changes in one that is good. The look at it ends and does not panic; of
//! what passes, every type is read by the parser's own reader too, which recurses.

use wasmparser::{Parser, Payload};

use super::check;
use crate::{StageKind, bundled};

/// A change: a place in the file and a byte for it.
const CHANGE_BYTES: usize = 4;

/// Looks at a generated component.
pub fn components(data: &[u8]) {
    let wasm = generated_component(data);
    if check(&wasm).is_err() {
        return;
    }
    for payload in Parser::new(0).parse_all(&wasm).flatten() {
        if let Payload::ComponentTypeSection(types) = payload {
            types.into_iter().for_each(|declared| assert!(declared.is_ok(), "{declared:?} was not seen"));
        }
    }
}

fn generated_component(data: &[u8]) -> Vec<u8> {
    match data.split_first() {
        Some((0..=127, sections)) => [b"\0asm\x0d\0\x01\0", sections].concat(),
        Some((_, changes)) => {
            let mut wasm = bundled::default_of(StageKind::Batching).1.to_vec();
            for change in changes.chunks_exact(CHANGE_BYTES) {
                let [high, middle, low, byte] = [change[0], change[1], change[2], change[3]];
                let at = u32::from_be_bytes([0, high, middle, low]) as usize % wasm.len();
                if let Some(place) = wasm.get_mut(at) {
                    *place = byte;
                }
            }
            wasm
        }
        None => Vec::new(),
    }
}
