//! nginx with its RTMP module, which records what it receives.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::free_port;
use super::packets::Recording;

const PROGRAM: &str = "/usr/sbin/nginx";
const MODULE: &str = "/usr/lib/nginx/modules/ngx_rtmp_module.so";
const STARTS_WITHIN: Duration = Duration::from_secs(60);

/// A receiver at `rtmp://127.0.0.1:<port>/live/<key>`; killed on drop.
pub struct Nginx {
    dir: tempfile::TempDir,
    port: u16,
    running: Option<Child>,
    /// Number of starts; each run records into its own folder.
    runs: u32,
}

impl Nginx {
    /// Starts a receiver on a free port.
    pub fn start() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let mut nginx = Self { dir, port: free_port(), running: None, runs: 0 };
        nginx.start_again();
        nginx
    }

    /// Starts it again on the same port.
    pub fn start_again(&mut self) {
        assert!(self.running.is_none(), "nginx runs already");
        self.runs += 1;
        let records = self.records(self.runs);
        std::fs::create_dir_all(&records).expect("a directory for recordings");
        let base = self.dir.path().display();
        let conf = format!(
            "load_module {MODULE};\ndaemon off;\nmaster_process off;\nworker_processes 1;\nuser root;\n\
             pid {base}/nginx.pid;\nerror_log {base}/error.log info;\nevents {{ worker_connections 64; }}\n\
             rtmp {{ server {{ listen 127.0.0.1:{port}; chunk_size 4096; max_message 16M; ping 1s;\n\
             application live {{ live on; record all; record_path {records}; record_unique on; }} }} }}\n",
            port = self.port,
            records = records.display(),
        );
        let path = self.dir.path().join("nginx.conf");
        std::fs::write(&path, conf).expect("a configuration");
        let child = Command::new(PROGRAM)
            .args(["-p".as_ref(), self.dir.path().as_os_str(), "-c".as_ref(), path.as_os_str()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.running = Some(child.expect("nginx starts"));
        let deadline = Instant::now() + STARTS_WITHIN;
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < deadline, "nginx does not listen: {}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Kills it, as a crash would.
    pub fn kill(&mut self) {
        let mut child = self.running.take().expect("nginx runs");
        child.kill().expect("nginx can be killed");
        child.wait().expect("nginx is gone");
    }

    /// Pauses it without closing connections, until [`Nginx::thaw`].
    pub fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Resumes the process after [`Nginx::freeze`].
    pub fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        let child = self.running.as_ref().expect("nginx runs");
        kill(Pid::from_raw(child.id() as i32), signal).expect("a signal");
    }

    /// The port on which it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL for publishing under a key.
    pub fn url(&self, key: &str) -> String {
        format!("rtmp://127.0.0.1:{}/live/{key}", self.port)
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("error.log")).unwrap_or_default()
    }

    /// The folder in which one run (from 1) records.
    pub fn record_dir(&self, run: u32) -> PathBuf {
        self.records(run)
    }

    fn records(&self, run: u32) -> PathBuf {
        self.dir.path().join(format!("run-{run}"))
    }

    /// Files that one run (from 1) has recorded under a key, in order.
    pub fn files(&self, run: u32, key: &str) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.records(run)).expect("recordings");
        let mut files: Vec<_> =
            entries.map(|entry| entry.expect("an entry").path()).filter(|path| belongs(path, key)).collect();
        files.sort();
        files
    }

    /// All recordings of all runs under a key, in order.
    pub fn recordings(&self, key: &str) -> Vec<Recording> {
        (1..=self.runs).flat_map(|run| self.files(run, key)).map(|path| Recording::read(&path)).collect()
    }
}

/// Whether a recording was made under this key: `<key>-<time>.flv`.
pub fn belongs(path: &Path, key: &str) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let rest = name.strip_prefix(key).and_then(|rest| rest.strip_suffix(".flv"));
    rest.is_some_and(|rest| {
        rest.is_empty() || rest.strip_prefix('-').is_some_and(|time| time.bytes().all(|b| b.is_ascii_digit()))
    })
}

impl Drop for Nginx {
    fn drop(&mut self) {
        if let Some(mut child) = self.running.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
