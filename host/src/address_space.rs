//! What a process may use of address space (`ulimit -v`), and how it gets along with little.

use crate::limits::MALLOC_ARENAS_SCARCE;

/// Bytes that this process may use; `None`: as many as it likes.
pub fn allowed() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::As).current
}

/// Where address space is limited, keeps the C library from reserving 64 MiB for each thread that allocates: the threads of an
/// idle server would take 1 GiB in that way, and the first allocation after that would end the process. To be called before
/// any thread is started. Costs threads some waiting for each other.
pub fn spare() {
    if allowed().is_some() {
        few_arenas();
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn few_arenas() {
    #[expect(unsafe_code, reason = "a C function without a safe wrapper")]
    // SAFETY: it takes numbers only, and nothing else allocates meanwhile. Failing changes nothing.
    let _ = unsafe { libc::mallopt(libc::M_ARENA_MAX, MALLOC_ARENAS_SCARCE) };
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn few_arenas() {
    // Other C libraries have no such thing.
    let _ = MALLOC_ARENAS_SCARCE;
}
