use std::net::{TcpListener, UdpSocket};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::ChildStdout;

use super::*;

const PATIENCE: Duration = Duration::from_secs(60);
const MEMORY: u64 = 1 << 30;

fn closed() -> Confinement {
    Confinement::closed(MEMORY, Duration::from_secs(20))
}

/// What a script of bash's writes to stdout and stderr, and how it ends.
async fn script(confinement: Confinement, script: &str) -> (String, ExitStatus) {
    run("bash", &["-c", &format!("exec 2>&1; {script}")], confinement).await
}

async fn run(program: &str, args: &[&str], confinement: Confinement) -> (String, ExitStatus) {
    let mut child = Launch::new(program, confinement).args(args).stdout(Stdio::piped()).launch().await.unwrap();
    let mut text = String::new();
    let mut stdout = child.stdout.take().unwrap();
    tokio::time::timeout(PATIENCE, stdout.read_to_string(&mut text)).await.unwrap().unwrap();
    let Ended::Itself(status) = child.wait_for(PATIENCE).await.unwrap() else {
        panic!("{program} did not end: {text}")
    };
    (text, status)
}

/// Whether a process is there, and more than a remainder that nobody waited for.
fn lives(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

async fn gone(pid: &str) {
    let gone = async {
        while lives(pid) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.unwrap_or_else(|_| panic!("process {pid} is still there"));
}

#[tokio::test]
async fn the_environment_is_empty_but_for_the_path_and_the_language() {
    let (text, _) = run("env", &[], closed()).await;
    let mut names: Vec<_> = text.lines().map(|line| line.split('=').next().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["LC_ALL", "PATH"], "{text}");
}

#[tokio::test]
async fn a_child_has_its_three_streams_and_no_other_descriptor() {
    let dir = tempfile::tempdir().unwrap();
    let leaked = std::fs::File::create(dir.path().join("leaked")).unwrap();
    rustix::io::fcntl_setfd(&leaked, rustix::io::FdFlags::empty()).unwrap();
    let mut child = Launch::new("cat", closed()).stdin(Stdio::piped()).stdout(Stdio::piped()).launch().await.unwrap();
    // It runs its own code when it answers: before that its loader opens libraries.
    child.stdin.as_mut().unwrap().write_all(b"x").await.unwrap();
    child.stdout.as_mut().unwrap().read_exact(&mut [0]).await.unwrap();
    let open = std::fs::read_dir(format!("/proc/{}/fd", child.id().unwrap())).unwrap();
    let mut open: Vec<_> = open.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    open.sort_unstable();
    assert_eq!(open, ["0", "1", "2"]);
    child.end().await;
}

#[tokio::test]
async fn a_descriptor_is_passed_under_its_number() {
    use std::io::Write;
    use std::os::fd::AsRawFd;

    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(b"secret").unwrap();
    drop(writer);
    let number = reader.as_raw_fd().to_string();
    let launch = Launch::new("bash", closed()).args(["-c", &format!("cat <&{number}")]).pass(reader.into());
    let mut child = launch.stdout(Stdio::piped()).launch().await.unwrap();
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "secret");
}

#[tokio::test]
async fn only_the_named_files_are_read_and_written() {
    let support = support();
    if support.landlock_abi.is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    for name in ["in", "out", "other"] {
        std::fs::create_dir(dir.path().join(name)).unwrap();
        std::fs::write(dir.path().join(name).join("file"), name).unwrap();
    }
    let confinement = || Confinement {
        read: vec![path("in").into(), path("not-there").into()],
        write: vec![path("out").into()],
        file_bytes: Some(1000),
        ..closed()
    };
    let (text, _) = script(confinement(), &format!("cat {0}/file {1}/file", path("in"), path("out"))).await;
    assert_eq!(text, "inout");
    let (text, status) =
        script(confinement(), &format!("cd {0}; echo x > new; mv new file; cat file; rm file", path("out"))).await;
    assert!(status.success() && text == "x\n", "{text}");
    for attack in [
        format!("cat {}/file", path("other")),
        "cat /etc/passwd".to_owned(),
        format!("ls {}", dir.path().display()),
        format!("echo x > {}/file", path("other")),
        format!("echo x > {}/file", path("in")),
        format!("mv {0}/file {1}/file", path("other"), path("out")),
        format!("ln -s /etc/passwd {}/link", path("out")),
        "cat /proc/$PPID/environ".to_owned(),
    ] {
        let (text, status) = script(confinement(), &attack).await;
        assert!(!status.success() && text.contains("ermission denied"), "{attack}: {text}");
    }
    // A link that was there before leads no further.
    std::os::unix::fs::symlink("/etc/passwd", dir.path().join("in/link")).unwrap();
    let (text, status) = script(confinement(), &format!("cat {}/link", path("in"))).await;
    assert!(!status.success() && text.contains("ermission denied"), "{text}");
}

#[tokio::test]
async fn without_a_network_no_socket_is_made() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    udp.set_read_timeout(Some(PATIENCE)).unwrap();
    let udp_port = udp.local_addr().unwrap().port();
    let to_tcp = format!("echo x > /dev/tcp/127.0.0.1/{port}");
    let to_udp = format!("echo x > /dev/udp/127.0.0.1/{udp_port}");
    for attack in [&to_tcp, &to_udp] {
        let (text, status) = script(closed(), attack).await;
        assert!(!status.success() && text.contains("not permitted"), "{attack}: {text}");
    }
    let network = Network::Udp { port: Some(udp_port) };
    let (text, status) = script(Confinement { network: network.clone(), ..closed() }, &to_udp).await;
    assert!(status.success(), "{text}");
    assert_eq!(udp.recv(&mut [0; 9]).unwrap(), 2);
    let (text, status) = script(Confinement { network, ..closed() }, &to_tcp).await;
    assert!(!status.success() && text.contains("not permitted"), "{text}");
    // The one that listens cannot call, where the kernel knows ports.
    if support().landlock_abi >= Some(4) {
        let network = Network::Listen { port: udp_port };
        let (text, status) = script(Confinement { network, ..closed() }, &to_tcp).await;
        assert!(!status.success() && text.contains("ermission denied"), "{text}");
    }
}

#[tokio::test]
async fn a_file_becomes_no_larger_than_allowed() {
    const MOST: u64 = 100_000;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    let confinement = Confinement { write: vec![dir.path().to_owned()], file_bytes: Some(MOST), ..closed() };
    let (_, status) =
        run("dd", &["if=/dev/zero", &format!("of={}", file.display()), "bs=1000", "count=1000"], confinement).await;
    assert_eq!(status.signal(), Some(libc::SIGXFSZ), "{status}");
    assert_eq!(std::fs::metadata(file).unwrap().len(), MOST);
}

#[tokio::test]
async fn processor_time_and_memory_end() {
    let (_, status) =
        script(Confinement { cpu: Some(Duration::from_secs(1)), ..closed() }, "while :; do :; done").await;
    assert_eq!(status.signal(), Some(libc::SIGXCPU), "{status}");
    let confinement = Confinement { memory_bytes: 100 << 20, ..closed() };
    let (text, status) = script(confinement, "dd if=/dev/zero of=/dev/null bs=200M count=1").await;
    assert!(!status.success() && text.contains("memory exhausted"), "{text}");
    let limits = "ulimit -n; ulimit -c; ulimit -s";
    let (text, _) = script(Confinement { stack_bytes: Some(1 << 20), ..closed() }, limits).await;
    assert_eq!(text, format!("{CHILD_OPEN_FILES}\n0\n1024\n"));
}

/// Starts a script of bash's; its first line, and what may still come.
async fn first_line(script: &str) -> (Child, String, BufReader<ChildStdout>) {
    let mut child = Launch::new("bash", closed()).args(["-c", script]).stdout(Stdio::piped()).launch().await.unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    tokio::time::timeout(PATIENCE, stdout.read_line(&mut line)).await.unwrap().unwrap();
    (child, line.trim().to_owned(), stdout)
}

#[tokio::test]
async fn what_a_child_started_ends_when_it_is_killed() {
    let (mut child, grandchild, mut stdout) = first_line("sleep 1000 & echo $!; wait").await;
    assert!(lives(&grandchild));
    assert_eq!(child.wait_for(Duration::from_millis(1)).await.unwrap(), Ended::Killed);
    gone(&grandchild).await;
    // Nobody holds the output open.
    tokio::time::timeout(PATIENCE, stdout.read_to_string(&mut String::new())).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_a_child_started_ends_when_it_ends_by_itself() {
    let (mut child, grandchild, _stdout) = first_line("sleep 1000 & echo $!").await;
    assert!(child.wait().await.unwrap().success());
    gone(&grandchild).await;
}

#[tokio::test]
async fn what_a_child_started_ends_when_it_is_dropped() {
    let (child, grandchild, _stdout) = first_line("sleep 1000 & echo $!; wait").await;
    drop(child);
    gone(&grandchild).await;
}

/// The first word of the line with which a process of this test's says which children it has.
const CHILDREN: &str = "children";

/// Starts children as a host does that is killed then: one that would run on, from a thread that ends before, and one that
/// finishes its input.
fn starts_children_and_stays(out: &Path) {
    let out = std::fs::File::create(out).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let handle = runtime.handle().clone();
    let launch = || handle.block_on(Launch::new("sleep", closed()).args(["1000"]).launch()).unwrap();
    let stays = std::thread::scope(|scope| scope.spawn(launch).join().unwrap());
    let finishes = async {
        let confinement = Confinement { file_bytes: None, ..closed() };
        let launch = Launch::new("bash", confinement).args(["-c", "sleep 1; cat"]).finishes_its_input();
        let mut child = launch.stdin(Stdio::piped()).stdout(out.into()).launch().await.unwrap();
        child.stdin.as_mut().unwrap().write_all(b"all of it").await.unwrap();
        child
    };
    let finishes = runtime.block_on(finishes);
    let line = format!("\n{CHILDREN} {} {}\n", stays.id().unwrap(), finishes.id().unwrap());
    std::io::Write::write_all(&mut std::io::stdout(), line.as_bytes()).unwrap();
    loop {
        std::thread::park();
    }
}

#[tokio::test]
async fn children_end_with_the_process_and_not_with_the_thread_that_asked_for_them() {
    const NAME: &str = "tests::children_end_with_the_process_and_not_with_the_thread_that_asked_for_them";
    const OUT: &str = "OUTBOARD_TEST_OUT";
    if let Some(out) = std::env::var_os(OUT) {
        return tokio::task::spawn_blocking(move || starts_children_and_stays(Path::new(&out))).await.unwrap();
    }
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let mut host = tokio::process::Command::new(std::env::current_exe().unwrap());
    host.args(["--exact", NAME, "--nocapture"]).env(OUT, &out).stdout(Stdio::piped()).kill_on_drop(true);
    let mut host = host.spawn().unwrap();
    let mut lines = BufReader::new(host.stdout.take().unwrap()).lines();
    let children = async {
        loop {
            let line = lines.next_line().await.unwrap().expect("it starts children");
            let mut words = line.split(' ').map(str::to_owned);
            if words.next().as_deref() == Some(CHILDREN) {
                return words.collect::<Vec<_>>();
            }
        }
    };
    let children = tokio::time::timeout(PATIENCE, children).await.unwrap();
    let [stays, finishes] = &children[..] else { panic!("{children:?}") };
    assert!(lives(stays), "it ended with the thread");
    host.kill().await.unwrap();
    if cfg!(target_os = "linux") {
        gone(stays).await;
    }
    gone(finishes).await;
    assert_eq!(std::fs::read_to_string(out).unwrap(), "all of it");
}

#[tokio::test]
async fn nobody_leaves_the_group() {
    if !support().seccomp {
        return;
    }
    // In the shell's background it leads no group, so nothing but the wall forbids it.
    let (text, status) = script(closed(), "setsid sleep 0 & wait $!").await;
    assert!(!status.success() && text.contains("not permitted"), "{text}");
    // The last one: out of what ends with us.
    let attacks =
        ["unshare -U true", "unshare -r -n true", "mount -t tmpfs none /mnt", "setpriv --pdeathsig clear true"];
    for attack in attacks {
        let (text, status) = script(closed(), attack).await;
        assert!(!status.success() && text.contains("ermi"), "{attack}: {text}");
    }
}

#[tokio::test]
async fn rights_cannot_be_gained_and_calls_are_filtered() {
    let mut child = Launch::new("sleep", closed()).args(["1000"]).launch().await.unwrap();
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id().unwrap())).unwrap();
    let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim();
    assert_eq!(line("NoNewPrivs:"), if support().no_new_privileges { "1" } else { "0" });
    assert_eq!(line("Seccomp:"), if support().seccomp { "2" } else { "0" });
    child.end().await;
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let error = Launch::new("/nonexistent/program", closed()).launch().await.unwrap_err().to_string();
    assert!(error.starts_with("cannot start /nonexistent/program: No such file"), "{error}");
    let error = Launch::new("no-program-of-this-name", closed()).launch().await.unwrap_err().to_string();
    assert!(error.starts_with("cannot start no-program-of-this-name: "), "{error}");
}

#[test]
fn what_is_missing_is_said() {
    let none = ConfinementSupport {
        limits: true,
        landlock_abi: None,
        seccomp: false,
        no_new_privileges: true,
        process_handles: true,
    };
    assert_eq!(none.missing().len(), 2);
    assert!(none.to_string().contains("no Landlock") && none.to_string().contains("no seccomp"), "{none}");
    let all = ConfinementSupport {
        limits: true,
        landlock_abi: Some(7),
        seccomp: true,
        no_new_privileges: true,
        process_handles: true,
    };
    assert_eq!(all.to_string(), "resource limits, no_new_privs, Landlock ABI 7, seccomp");
}
