//! The engine: the options of the compiler, and the memory of instances.
//!
//! Memory comes from a pool that is reserved once (address space only; pages are touched as guests use them), so that an
//! instance is ready in microseconds. Where address space is scarce (`ulimit -v`), instances allocate for themselves.

use super::error::RuntimeError;
use crate::limits::{
    STAGE_CORE_INSTANCES_PER_COMPONENT, STAGE_MEMORIES_PER_COMPONENT, STAGE_MEMORY_BYTES_MAX, STAGE_STACK_BYTES,
    STAGE_TABLE_ELEMENTS, STAGE_TABLES_PER_COMPONENT,
};
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

/// Address space reserved for a growing memory outside the pool, bytes; beyond it the memory is moved.
const UNPOOLED_RESERVATION_BYTES: u64 = 16 << 20;
/// Guard pages after such a memory, bytes.
const UNPOOLED_GUARD_BYTES: u64 = 64 << 10;

/// Sets up the engine for this many instances at once; returns it, and whether it has a pool.
pub(super) fn build(instances: u32) -> Result<(Engine, bool), RuntimeError> {
    let mut pooled = common();
    pooled.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(instances)));
    match Engine::new(&pooled) {
        Ok(engine) => Ok((engine, true)),
        Err(error) => {
            tracing::warn!(%error, "no pool for stage instances; they allocate for themselves");
            Ok((for_compiling(false)?, false))
        }
    }
}

/// An engine without a pool that compiles code for one with a pool (`pooled`), or without.
pub(super) fn for_compiling(pooled: bool) -> Result<Engine, RuntimeError> {
    let mut config = common();
    config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
    if !pooled {
        config
            .memory_reservation(UNPOOLED_RESERVATION_BYTES)
            .memory_reservation_for_growth(UNPOOLED_RESERVATION_BYTES)
            .memory_guard_size(UNPOOLED_GUARD_BYTES);
    }
    Engine::new(&config).map_err(|error| RuntimeError::Engine(format!("{error:#}")))
}

fn common() -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .epoch_interruption(true)
        .async_stack_size(2 * STAGE_STACK_BYTES)
        .max_wasm_stack(STAGE_STACK_BYTES)
        // One low-priority thread compiles (see `runtime`), not every core: live media goes before.
        .parallel_compilation(false)
        // Backtraces need neither: they name functions, and no native debugger looks in.
        .generate_address_map(false)
        .native_unwind_info(false)
        // The same input gives the same answer on every machine.
        .relaxed_simd_deterministic(true)
        .cranelift_nan_canonicalization(true);
    config
}

fn pool(instances: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_stacks(instances)
        .max_core_instances_per_component(STAGE_CORE_INSTANCES_PER_COMPONENT)
        .max_memories_per_component(STAGE_MEMORIES_PER_COMPONENT)
        .max_tables_per_component(STAGE_TABLES_PER_COMPONENT)
        // Nearly every component has one memory and few tables; a store takes what it needs.
        .total_core_instances(instances.saturating_mul(STAGE_CORE_INSTANCES_PER_COMPONENT))
        .total_memories(instances.saturating_mul(2))
        .total_tables(instances.saturating_mul(STAGE_TABLES_PER_COMPONENT))
        .max_tables_per_module(STAGE_TABLES_PER_COMPONENT)
        .table_elements(STAGE_TABLE_ELEMENTS)
        .max_memory_size(usize::try_from(STAGE_MEMORY_BYTES_MAX).unwrap_or(usize::MAX));
    pool
}

#[cfg(test)]
mod tests {
    use crate::{Opening, RemuxStage, StageKind, StageRuntime, StageRuntimeConfig};
    use std::process::Command;

    /// Set in the child process, which has little address space.
    const CHILD: &str = "OUTBOARD_TEST_LITTLE_ADDRESS_SPACE";

    #[test]
    fn the_compilers_engine_makes_code_for_the_one_that_runs_it() {
        let (running, pooled) = super::build(4).unwrap();
        assert!(pooled);
        let name = crate::aot::engine_key;
        assert_eq!(name(&super::for_compiling(true).unwrap()), name(&running));
        assert_ne!(name(&super::for_compiling(false).unwrap()), name(&running));
    }

    /// Runs itself again in a process with 1.5 GB of address space, where no pool can be had.
    #[tokio::test]
    async fn without_address_space_for_a_pool_stages_still_run() {
        if std::env::var_os(CHILD).is_none() {
            let test = "engine::tests::without_address_space_for_a_pool_stages_still_run";
            let output = Command::new("sh")
                .args(["-c", "ulimit -v 1500000 && exec \"$0\" --exact \"$1\" --nocapture"])
                .arg(std::env::current_exe().unwrap())
                .arg(test)
                .env(CHILD, "1")
                .output()
                .unwrap();
            let told = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success() && told.contains("1 passed"), "{told}{output:?}");
            let pooled = StageRuntime::new(&StageRuntimeConfig::default()).unwrap().is_pooled();
            assert!(pooled, "with address space there is a pool");
            return;
        }
        let runtime = StageRuntime::new(&StageRuntimeConfig::default()).unwrap();
        assert!(!runtime.is_pooled());
        let component = runtime.bundled(StageKind::RemuxPlanning).await.unwrap();
        let mut stages = Vec::new();
        for _ in 0..20 {
            stages.push(RemuxStage::open(&runtime, component.clone(), Opening::default()).await.unwrap());
        }
        assert!(stages.iter().all(|stage| stage.snapshot().is_some()));
    }
}
