//! The limit of a process's address space (`ulimit -v`), and how the process adapts to it.

use crate::limits::MALLOC_ARENAS_SCARCE;

/// The limit of address space in bytes; `None`: unlimited.
pub fn allowed() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::As).current
}

/// With limited address space, keeps the C library from reserving 64 MiB for each thread that allocates: the threads of
/// an idle server would otherwise reserve 1 GiB, and the next allocation would end the process. Must be called before
/// any thread is started. Threads then wait for each other when they allocate.
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
    // Other C libraries have no such setting.
    let _ = MALLOC_ARENAS_SCARCE;
}
