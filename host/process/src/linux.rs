//! Confinement on Linux: what is prepared before the fork, and applied after it.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use landlock::RulesetCreated;
use rustix::process::{Pid, PidfdFlags, Resource, Rlimit, Signal, pidfd_open};
use seccompiler::BpfProgram;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::process::Command;

use super::{Confinement, ConfinementSupport, support};

mod calls;
mod files;

/// The version of Landlock that the kernel has, and whether it filters system calls.
pub(super) fn probe() -> ConfinementSupport {
    let seccomp = calls::supported();
    ConfinementSupport {
        limits: true,
        landlock_abi: files::abi(),
        seccomp,
        no_new_privileges: rustix::thread::no_new_privs().is_ok(),
        process_handles: pidfd_open(rustix::process::getpid(), PidfdFlags::empty()).is_ok(),
    }
}

/// A descriptor that becomes readable when a child ends, before it is reaped.
pub(super) fn handle(child: Pid) -> Option<AsyncFd<OwnedFd>> {
    let handle = pidfd_open(child, PidfdFlags::empty()).ok()?;
    // SAFETY: an `OwnedFd` is the same open descriptor until it is dropped, and the `AsyncFd` drops it.
    #[expect(unsafe_code, reason = "tokio has no safe way to wait for a descriptor")]
    let watched = unsafe { AsyncFd::register_with_interest(handle, Interest::READABLE) };
    watched.ok()
}

/// Makes the command apply its confinement before it executes the program. Unless the child may finish its input, it is killed when
/// the thread that started it ends.
pub(super) fn surround(
    command: &mut Command,
    program: &Path,
    confinement: &Confinement,
    pass: Vec<OwnedFd>,
    finishes: bool,
) -> Result<(), String> {
    let support = support();
    let ruleset = support.landlock_abi.map(|_| files::ruleset(program, confinement)).transpose()?;
    let filters = if support.seccomp { calls::filters(&confinement.network)? } else { &[] };
    let no_new_privileges = support.no_new_privileges;
    let ends_with = (!finishes).then(rustix::process::getpid);
    let mut prepared = Prepared { limits: limits(confinement), no_new_privileges, ruleset, ends_with, filters, pass };
    // SAFETY: between fork and exec only one thread lives, and whatever another one had locked stays locked. `put_up`
    // makes system calls on what was prepared, and neither allocates nor takes a lock.
    #[expect(unsafe_code, reason = "the confinement is for the child alone, so it is applied between fork and exec")]
    unsafe {
        command.pre_exec(move || prepared.put_up());
    }
    Ok(())
}

/// What the child needs after the fork, prepared before it.
struct Prepared {
    limits: [(Resource, Rlimit); 6],
    no_new_privileges: bool,
    ruleset: Option<RulesetCreated>,
    /// The process that the child must end with.
    ends_with: Option<Pid>,
    filters: &'static [BpfProgram],
    pass: Vec<OwnedFd>,
}

impl Prepared {
    fn put_up(&mut self) -> io::Result<()> {
        close_on_exec();
        for fd in &self.pass {
            rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::empty())?;
        }
        for (resource, limit) in &self.limits {
            rustix::process::setrlimit(*resource, *limit)?;
        }
        if self.no_new_privileges {
            rustix::thread::set_no_new_privs(true)?;
        }
        if let Some(ruleset) = self.ruleset.take() {
            ruleset.restrict_self().map_err(|_| io::Error::last_os_error())?;
        }
        if let Some(parent) = self.ends_with {
            end_with(parent)?;
        }
        for filter in self.filters {
            seccompiler::apply_filter(filter).map_err(|_| io::Error::last_os_error())?;
        }
        Ok(())
    }
}

/// The kernel kills this process when the thread that forked it ends, which lives as long as `parent`.
fn end_with(parent: Pid) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // The parent may have ended before this was set.
    if rustix::process::getppid() == Some(parent) { Ok(()) } else { Err(rustix::io::Errno::SRCH.into()) }
}

/// Marks all descriptors to be closed at exec, as a library may have forgotten to.
fn close_on_exec() {
    const FIRST: libc::c_uint = 3;
    // SAFETY: no memory is passed. A kernel before 5.11 answers with an error and changes nothing.
    #[expect(unsafe_code, reason = "no crate of ours wraps this system call")]
    unsafe {
        libc::syscall(libc::SYS_close_range, FIRST, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC);
    }
}

fn limits(confinement: &Confinement) -> [(Resource, Rlimit); 6] {
    let cpu = confinement.cpu.map(|time| time.as_secs().max(1));
    let plain = |resource, most: Option<u64>| (resource, below(resource, most, most));
    [
        plain(Resource::As, Some(confinement.memory_bytes)),
        // First a signal, a second later the kill.
        (Resource::Cpu, below(Resource::Cpu, cpu, cpu.map(|seconds| seconds + 1))),
        plain(Resource::Fsize, confinement.file_bytes),
        plain(Resource::Stack, confinement.stack_bytes),
        plain(Resource::Nofile, Some(confinement.open_files)),
        plain(Resource::Core, Some(0)),
    ]
}

/// Sets a limit, but never above the current one.
fn below(resource: Resource, current: Option<u64>, maximum: Option<u64>) -> Rlimit {
    let ours = rustix::process::getrlimit(resource);
    let least = |a: Option<u64>, b: Option<u64>| a.into_iter().chain(b).min();
    let maximum = least(maximum, ours.maximum);
    // Without a value, the current limit stays.
    let current = current.or(ours.current);
    Rlimit { current: least(current, maximum), maximum }
}
