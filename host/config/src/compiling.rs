//! Settings for the compilation of uploaded components (`limits.compile_…`).

use std::time::Duration;

use super::{Keys, Layers, Problems};
use outboard_stage::ChildCompiler;
use outboard_stage::limits::{STAGE_COMPILE_BYTES_RANGE, STAGE_COMPILE_SECONDS};

/// Reads only these settings, for commands that need no others.
///
/// # Errors
/// Every problem of these settings.
pub fn compiling(layers: Layers) -> Result<ChildCompiler, Problems> {
    let mut keys = layers.into_keys();
    let compiler = compiler(&mut keys);
    keys.finish_part()?;
    Ok(compiler)
}

pub(super) fn compiler(keys: &mut Keys) -> ChildCompiler {
    const MEMORY: &str = "limits.compile_memory";
    let mut compiler = ChildCompiler::default();
    if let Some(seconds) = keys.integer("limits.compile_seconds", STAGE_COMPILE_SECONDS) {
        compiler.cpu = Duration::from_secs(seconds);
    }
    match keys.bytes(MEMORY) {
        Some(bytes) if STAGE_COMPILE_BYTES_RANGE.contains(&bytes) => compiler.memory_bytes = bytes,
        Some(bytes) => {
            let (least, most) = (STAGE_COMPILE_BYTES_RANGE.start() >> 20, STAGE_COMPILE_BYTES_RANGE.end() >> 20);
            keys.problem(MEMORY, format!("{bytes} bytes must be from {least} MiB to {most} MiB"));
        }
        None => {}
    }
    compiler
}
