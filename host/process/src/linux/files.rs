//! Landlock: which files and ports a child may use.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, NetPort, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr,
    RulesetError, Scope, make_bitflags, path_beneath_rules,
};

use crate::{Confinement, Network};

/// The newest version that this code uses. Older kernels ignore what they do not know.
const KNOWN: ABI = ABI::V10;

/// Folders of programs and their libraries, which may be read and executed. None of them has users' data.
const PROGRAMS: [&str; 20] = [
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/usr/bin",
    "/usr/sbin",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libexec",
    "/usr/local/bin",
    "/usr/local/sbin",
    "/usr/local/lib",
    "/usr/local/lib64",
    "/usr/local/libexec",
    "/nix/store",
    "/gnu/store",
    "/snap",
];
/// Files that libraries read.
const DATA: [&str; 11] = [
    "/usr/share",
    "/usr/local/share",
    "/etc/ld.so.cache",
    "/etc/ld.so.preload",
    "/etc/fonts",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/sys/devices/system/cpu",
    "/sys/devices/system/node",
    "/dev/random",
    "/dev/urandom",
];
/// Devices that have no content.
const NOTHING: [&str; 2] = ["/dev/null", "/dev/zero"];

const EXECUTE: BitFlags<AccessFs> = make_bitflags!(AccessFs::{Execute | ReadFile | ReadDir});
const READ: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | ReadDir});
const WRITE: BitFlags<AccessFs> =
    make_bitflags!(AccessFs::{ReadFile | ReadDir | WriteFile | Truncate | MakeReg | RemoveFile});

/// The Landlock version of the kernel.
pub(super) fn abi() -> Option<u32> {
    const VERSION: libc::c_uint = 1;
    // SAFETY: the kernel reads nothing from the null pointer when it is asked for its version.
    #[expect(unsafe_code, reason = "the crate tells the version only after it has restricted somebody")]
    let version =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<libc::c_void>(), 0_usize, VERSION) };
    u32::try_from(version).ok().filter(|version| *version > 0)
}

/// The rules of what `program` may use by its `confinement`; everything else is forbidden.
pub(super) fn ruleset(program: &Path, confinement: &Confinement) -> Result<RulesetCreated, String> {
    make(program, confinement).map_err(|error| error.to_string())
}

fn make(program: &Path, confinement: &Confinement) -> Result<RulesetCreated, RulesetError> {
    let ports = match confinement.network {
        Network::Udp { port: None } => AccessNet::BindTcp | AccessNet::ConnectTcp,
        _ => AccessNet::from_all(KNOWN),
    };
    let ruleset = Ruleset::default()
        .handle_access(AccessFs::from_all(KNOWN))?
        .handle_access(ports)?
        .scope(Scope::from_all(KNOWN))?
        .create()?
        .add_rules(path_beneath_rules(PROGRAMS, EXECUTE))?
        .add_rules(path_beneath_rules(own(program), EXECUTE))?
        .add_rules(path_beneath_rules(DATA, READ))?
        .add_rules(path_beneath_rules(NOTHING, WRITE))?
        .add_rules(path_beneath_rules(&confinement.read, READ))?
        .add_rules(path_beneath_rules(&confinement.write, WRITE))?;
    match confinement.network {
        Network::None | Network::Udp { port: None } => Ok(ruleset),
        // The kernel binds a socket that sends, so binding must be allowed.
        Network::Udp { port: Some(port) } => ruleset
            .add_rule(NetPort::new(port, AccessNet::ConnectSendUdp))?
            .add_rule(NetPort::new(0, AccessNet::BindUdp)),
        Network::Listen { port } => ruleset.add_rule(NetPort::new(port, AccessNet::BindTcp)),
    }
}

/// The program's file, and the libraries beside its `bin` folder if it has one.
fn own(program: &Path) -> Vec<PathBuf> {
    let mut paths = vec![program.to_owned()];
    if let Ok(file) = program.canonicalize() {
        let bin = file.parent().filter(|dir| dir.ends_with("bin"));
        paths.extend(bin.and_then(Path::parent).map(|prefix| prefix.join("lib")));
        paths.push(file);
    }
    paths
}
