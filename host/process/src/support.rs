//! Which restrictions the kernel supports, and a text about those that are missing.

use std::fmt;

/// The restrictions that the kernel supports. The minimal environment and process groups work everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConfinementSupport {
    /// True if memory, processor time, file sizes and descriptors can be limited.
    pub limits: bool,
    /// Version of Landlock, which restricts files (from 1), TCP (from 4), signals (from 6) and UDP (from 10); `None`: no Landlock.
    pub landlock_abi: Option<u32>,
    /// True if system calls can be filtered.
    pub seccomp: bool,
    /// True if a child can be kept from gaining rights by executing a program.
    pub no_new_privileges: bool,
    /// True if the end of a child can be seen before its process id can be reused.
    pub process_handles: bool,
}

impl ConfinementSupport {
    /// The missing restrictions, each with what to do about it.
    pub fn missing(&self) -> Vec<&'static str> {
        let limits = (!self.limits).then_some("no resource limits (Linux only)");
        let files = match self.landlock_abi {
            None => Some(
                "no Landlock, ffmpeg can read what the host can (Linux 5.13 or newer, \"landlock\" in lsm= at boot)",
            ),
            Some(..4) => Some("Landlock without TCP (Linux 6.7 or newer)"),
            Some(_) => None,
        };
        let calls = (!self.seccomp).then_some("no seccomp, ffmpeg can make every system call (CONFIG_SECCOMP_FILTER)");
        let rights = (!self.no_new_privileges).then_some("no no_new_privs, set-user-id programs work in children");
        let handles = (!self.process_handles).then_some("no process handles (Linux 5.3 or newer)");
        [limits, files, calls, rights, handles].into_iter().flatten().collect()
    }
}

impl fmt::Display for ConfinementSupport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.limits { "resource limits" } else { "process group and empty environment" })?;
        if self.no_new_privileges {
            f.write_str(", no_new_privs")?;
        }
        if let Some(abi) = self.landlock_abi {
            write!(f, ", Landlock ABI {abi}")?;
        }
        if self.seccomp {
            f.write_str(", seccomp")?;
        }
        for missing in self.missing() {
            write!(f, "; {missing}")?;
        }
        Ok(())
    }
}
