//! Landlock: which files and ports a child may use.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, NetPort, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr,
    RulesetError, Scope, make_bitflags, path_beneath_rules,
};

use crate::{Network, Walls};

/// The newest version that we know what to do with. Older kernels leave out what they do not know.
const KNOWN: ABI = ABI::V10;

/// Where programs and their libraries are: read and executed. No folders that people keep data in.
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
/// What libraries look at.
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
/// Where nothing comes from and goes to.
const NOTHING: [&str; 2] = ["/dev/null", "/dev/zero"];

const EXECUTE: BitFlags<AccessFs> = make_bitflags!(AccessFs::{Execute | ReadFile | ReadDir});
const READ: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | ReadDir});
const WRITE: BitFlags<AccessFs> =
    make_bitflags!(AccessFs::{ReadFile | ReadDir | WriteFile | Truncate | MakeReg | RemoveFile});

/// The version that the kernel has.
pub(super) fn abi() -> Option<u32> {
    const VERSION: libc::c_uint = 1;
    // SAFETY: the kernel reads nothing from the null pointer when it is asked for its version.
    #[expect(unsafe_code, reason = "the crate tells the version only after it has restricted somebody")]
    let version =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<libc::c_void>(), 0_usize, VERSION) };
    u32::try_from(version).ok().filter(|version| *version > 0)
}

/// What `program` may reach between `walls`; all else is forbidden.
pub(super) fn ruleset(program: &Path, walls: &Walls) -> Result<RulesetCreated, String> {
    make(program, walls).map_err(|error| error.to_string())
}

fn make(program: &Path, walls: &Walls) -> Result<RulesetCreated, RulesetError> {
    let ports = match walls.network {
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
        .add_rules(path_beneath_rules(&walls.read, READ))?
        .add_rules(path_beneath_rules(&walls.write, WRITE))?;
    match walls.network {
        Network::None | Network::Udp { port: None } => Ok(ruleset),
        // The kernel binds a socket that sends.
        Network::Udp { port: Some(port) } => ruleset
            .add_rule(NetPort::new(port, AccessNet::ConnectSendUdp))?
            .add_rule(NetPort::new(0, AccessNet::BindUdp)),
        Network::Listen { port } => ruleset.add_rule(NetPort::new(port, AccessNet::BindTcp)),
    }
}

/// The program's own file, and the libraries that were installed with it where it is in a `bin` of its own.
fn own(program: &Path) -> Vec<PathBuf> {
    let mut paths = vec![program.to_owned()];
    if let Ok(file) = program.canonicalize() {
        let bin = file.parent().filter(|dir| dir.ends_with("bin"));
        paths.extend(bin.and_then(Path::parent).map(|prefix| prefix.join("lib")));
        paths.push(file);
    }
    paths
}
