//! Systems other than Linux: a process group and an empty environment, no more.

use std::os::fd::OwnedFd;
use std::path::Path;

use tokio::process::Command;

use super::{Confinement, ConfinementSupport};

pub(super) fn probe() -> ConfinementSupport {
    ConfinementSupport {
        limits: false,
        landlock_abi: None,
        seccomp: false,
        no_new_privileges: false,
        process_handles: false,
    }
}

pub(super) fn surround(
    command: &mut Command,
    _: &Path,
    _: &Confinement,
    pass: Vec<OwnedFd>,
    _finishes: bool,
) -> Result<(), String> {
    // SAFETY: between fork and exec, one system call for each descriptor and nothing else.
    #[expect(unsafe_code, reason = "descriptors are handed over to the child alone, so between fork and exec")]
    unsafe {
        command.pre_exec(move || {
            pass.iter().try_for_each(|fd| rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::empty()))?;
            Ok(())
        });
    }
    Ok(())
}
