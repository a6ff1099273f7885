//! seccomp: which system calls a child may make.
//!
//! Forbidden are calls that affect other processes, the kernel or the system's setup, that leave the process group, and sockets beyond
//! the child's network. All others are allowed, as the calls of a media library change from release to release.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

use crate::Network;

/// Calls that are forbidden for every child.
const NEVER: [libc::c_long; 59] = [
    // Other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_process_mrelease,
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_send_signal,
    libc::SYS_migrate_pages,
    libc::SYS_move_pages,
    // Leaving the process group, which is killed.
    libc::SYS_setsid,
    libc::SYS_setpgid,
    // Namespaces and mounts.
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    // Access to files without their path.
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    libc::SYS_fanotify_init,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    // Parts of the kernel with many known vulnerabilities.
    libc::SYS_bpf,
    libc::SYS_userfaultfd,
    libc::SYS_perf_event_open,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_vmsplice,
    libc::SYS_memfd_secret,
    libc::SYS_personality,
    // The system.
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_syslog,
    libc::SYS_vhangup,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
];

/// Numbers of the same calls under the x32 ABI, which has the architecture of x86-64.
const X32_BIT: libc::c_long = 0x4000_0000;

/// True if the kernel can filter system calls of this process.
pub(super) fn supported() -> bool {
    if architecture().is_none() {
        return false;
    }
    let action = libc::SECCOMP_RET_ERRNO;
    // SAFETY: the kernel reads one u32 from the pointer.
    #[expect(unsafe_code, reason = "the crate cannot ask without filtering")]
    let answer =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_GET_ACTION_AVAIL, 0_u32, std::ptr::from_ref(&action)) };
    answer == 0
}

fn architecture() -> Option<TargetArch> {
    TargetArch::try_from(std::env::consts::ARCH).ok()
}

/// The filter programs for a network, compiled once.
pub(super) fn filters(network: &Network) -> Result<&'static [BpfProgram], String> {
    static NONE: OnceLock<Result<[BpfProgram; 2], String>> = OnceLock::new();
    static UDP: OnceLock<Result<[BpfProgram; 2], String>> = OnceLock::new();
    static TCP: OnceLock<Result<[BpfProgram; 2], String>> = OnceLock::new();
    let (made, kind) = match network {
        Network::None => (&NONE, None),
        Network::Udp { .. } => (&UDP, Some(libc::SOCK_DGRAM)),
        Network::Listen { .. } => (&TCP, Some(libc::SOCK_STREAM)),
    };
    match made.get_or_init(|| make(kind).map_err(|error| error.to_string())) {
        Ok(programs) => Ok(programs),
        Err(reason) => Err(reason.clone()),
    }
}

/// `kind`: the kind of sockets that may be created.
fn make(kind: Option<libc::c_int>) -> Result<[BpfProgram; 2], BackendError> {
    let mut denied: BTreeMap<_, _> = NEVER.iter().map(|call| (*call, Vec::new())).collect();
    denied.insert(libc::SYS_socket, sockets(kind)?);
    // Its own limits, not those of another process.
    denied.insert(libc::SYS_prlimit64, vec![SeccompRule::new(vec![argument(0, SeccompCmpOp::Ne, 0)?])?]);
    denied.insert(libc::SYS_clone, namespaces()?);
    // It must end with the host.
    let death_signal = argument(0, SeccompCmpOp::Eq, libc::PR_SET_PDEATHSIG)?;
    denied.insert(libc::SYS_prctl, vec![SeccompRule::new(vec![death_signal])?]);
    // Its flags are in memory, which a filter cannot read. libc takes the error for that of an old kernel and uses `clone`.
    let unknown = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    Ok([program(denied, libc::EPERM)?, program(unknown, libc::ENOSYS)?])
}

fn program(
    mut denied: BTreeMap<libc::c_long, Vec<SeccompRule>>,
    errno: libc::c_int,
) -> Result<BpfProgram, BackendError> {
    let architecture = architecture().ok_or_else(|| BackendError::InvalidTargetArch(String::new()))?;
    if architecture == TargetArch::x86_64 {
        let x32: Vec<_> = denied.iter().map(|(call, rules)| (call | X32_BIT, rules.clone())).collect();
        denied.extend(x32);
    }
    let denial = SeccompAction::Errno(errno.unsigned_abs());
    SeccompFilter::new(denied, SeccompAction::Allow, denial, architecture)?.try_into()
}

fn argument(index: u8, operator: SeccompCmpOp, value: libc::c_int) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(index, SeccompCmpArgLen::Dword, operator, u64::from(value.unsigned_abs()))
}

/// `socket(family, kind, protocol)`: denied are all families but IPv4 and IPv6, and all kinds but `kind`.
fn sockets(kind: Option<libc::c_int>) -> Result<Vec<SeccompRule>, BackendError> {
    /// The lower bits of the kind; the upper ones are flags.
    const KIND_BITS: u64 = 0xf;
    let Some(kind) = kind else { return Ok(Vec::new()) };
    let other_family = SeccompRule::new(vec![
        argument(0, SeccompCmpOp::Ne, libc::AF_INET)?,
        argument(0, SeccompCmpOp::Ne, libc::AF_INET6)?,
    ])?;
    let other_kinds = (0..=0xf).filter(|other| *other != kind);
    let other_kinds =
        other_kinds.map(|other| SeccompRule::new(vec![argument(1, SeccompCmpOp::MaskedEq(KIND_BITS), other)?]));
    std::iter::once(Ok(other_family)).chain(other_kinds).collect()
}

/// `clone(flags, ...)`: threads and processes, no namespaces.
fn namespaces() -> Result<Vec<SeccompRule>, BackendError> {
    let flags = [
        libc::CLONE_NEWNS,
        libc::CLONE_NEWCGROUP,
        libc::CLONE_NEWUTS,
        libc::CLONE_NEWIPC,
        libc::CLONE_NEWUSER,
        libc::CLONE_NEWPID,
        libc::CLONE_NEWNET,
    ];
    let one = |flag: libc::c_int| {
        let bits = u64::from(flag.unsigned_abs());
        SeccompRule::new(vec![argument(0, SeccompCmpOp::MaskedEq(bits), flag)?])
    };
    flags.into_iter().map(one).collect()
}
