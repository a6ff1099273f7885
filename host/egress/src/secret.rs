//! Secrets in a destination's URL, which other users of this machine must not read.
//!
//! The arguments of a process are visible to all users, so ffmpeg reads secret options from a pipe: `-fpre` names a
//! file with one option per line, and that file is the end of a pipe that the process inherits.

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd};

use url::{Position, Url};

/// Options of SRT that grant access, as named in a URL and by ffmpeg.
const SECRET: [(&str, &str); 2] = [("passphrase", "passphrase"), ("streamid", "srt_streamid")];

/// A URL without its secrets, and the secrets.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TakenOut {
    /// The URL for ffmpeg's arguments: scheme, host, port and the options that are not secret.
    pub(super) url: String,
    /// Secret options and their values.
    pub(super) secrets: Vec<(&'static str, String)>,
    /// The port to send to; `None`: it may listen and accept callers.
    pub(super) port: Option<u16>,
}

/// Splits an SRT or UDP URL as ffmpeg does: options from the question mark to the end, at each `&`; the first of equal
/// names counts, and `+` is a space. Both protocols ignore user, password and path.
pub(super) fn taken_out(url: &Url) -> TakenOut {
    let options = url.query().map_or("", |_| &url[Position::BeforeQuery..]);
    let mut open: Vec<&str> = Vec::new();
    let mut secrets: Vec<(&str, String)> = Vec::new();
    let mut listens = false;
    for option in options.split('&').filter(|option| !option.is_empty()) {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        match SECRET.iter().find(|(known, _)| *known == name && url.scheme() == "srt") {
            Some((_, name)) if secrets.iter().all(|(other, _)| other != name) => {
                secrets.push((name, value.replace('+', " ")));
            }
            Some(_) => {}
            None => {
                listens |= (name == "mode" && value != "caller") || name.starts_with("local");
                open.push(option);
            }
        }
    }
    let mark = if open.is_empty() { "" } else { "?" };
    let port = url.port().unwrap_or_default();
    let host = url.host_str().unwrap_or_default();
    TakenOut {
        url: format!("{}://{host}:{port}{mark}{}", url.scheme(), open.join("&")),
        secrets,
        port: Some(port).filter(|_| !listens),
    }
}

/// The reading end of a pipe with the options; `None` without any.
///
/// # Errors
/// The operating system refused a pipe, or the options exceed its capacity.
pub(super) fn pipe(secrets: &[(&str, String)]) -> io::Result<Option<OwnedFd>> {
    /// Minimum capacity of a pipe before it has a reader (POSIX's `PIPE_BUF` on Linux).
    const MOST_BYTES: usize = 4096;
    let lines: String = secrets.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    if lines.is_empty() {
        return Ok(None);
    }
    if lines.len() > MOST_BYTES {
        return Err(io::Error::other(format!(
            "passphrase and stream id have {} bytes; the limit is {MOST_BYTES}",
            lines.len()
        )));
    }
    let (reader, mut writer) = io::pipe()?;
    writer.write_all(lines.as_bytes())?;
    Ok(Some(reader.into()))
}

/// The path of the file behind a descriptor, for the process that has it.
pub(super) fn name(fd: &OwnedFd) -> OsString {
    let dir = if cfg!(target_os = "linux") { "/proc/self/fd" } else { "/dev/fd" };
    format!("{dir}/{}", fd.as_raw_fd()).into()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn taken(url: &str) -> TakenOut {
        taken_out(&Url::parse(url).unwrap())
    }

    #[test]
    fn secrets_are_taken_out_of_the_url() {
        let srt =
            taken("srt://u:pw@h:9000/path?mode=caller&passphrase=a+b%20c=d&latency=20000&streamid=#!::r=a,m=publish");
        assert_eq!(srt.url, "srt://h:9000?mode=caller&latency=20000");
        let secrets = [("passphrase", "a b%20c=d".to_owned()), ("srt_streamid", "#!::r=a,m=publish".to_owned())];
        assert_eq!(srt.secrets, secrets);
        assert_eq!(srt.port, Some(9000));
        let first = taken("srt://h:9000?passphrase=first&passphrase=second");
        assert_eq!(
            (first.url.as_str(), first.secrets[0].1.as_str(), first.secrets.len()),
            ("srt://h:9000", "first", 1)
        );
        assert_eq!(taken("srt://[::1]:9000?mode=listener").port, None);
        assert_eq!(taken("udp://h:5000?localport=1").port, None);
        assert_eq!(taken("udp://h:5000?pkt_size=1316").url, "udp://h:5000?pkt_size=1316");
    }

    #[test]
    fn a_pipe_holds_an_option_a_line() {
        let pipe = pipe(&[("passphrase", "secret".to_owned()), ("srt_streamid", "id".to_owned())]).unwrap().unwrap();
        let mut text = String::new();
        std::fs::File::from(pipe).read_to_string(&mut text).unwrap();
        assert_eq!(text, "passphrase=secret\nsrt_streamid=id\n");
        assert!(super::pipe(&[]).unwrap().is_none());
        let long = super::pipe(&[("srt_streamid", "x".repeat(5000))]).unwrap_err().to_string();
        assert!(long.contains("the limit is 4096"), "{long}");
    }
}
