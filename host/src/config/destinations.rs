//! Destinations of a pipeline: their URLs, and the names that people see.

use super::Keys;
use crate::limits::DESTINATION_NAME_MAX_CHARS;
use crate::pipeline::air::target::Target;

/// Most destinations of one pipeline.
const DESTINATIONS_MOST: usize = 16;

/// A destination as it was given, and as it was understood.
#[derive(Clone)]
pub struct Destination {
    /// The URL; it may hold a key.
    pub text: String,
    /// Where that is.
    pub target: Target,
    /// The name that people see: given, or made of host and application. Unique in the pipeline.
    pub name: String,
    /// False: no packets go there.
    pub enabled: bool,
}

impl std::fmt::Debug for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.target.fmt(f)
    }
}

/// Reads `air.to`.
pub(super) fn destinations(keys: &mut Keys) -> Vec<Destination> {
    let list = keys.list("air.to").unwrap_or_default();
    if list.is_empty() {
        keys.problem("air.to", "is missing: where is the stream to go, such as rtmp://127.0.0.1/live/key".into());
    }
    if list.len() > DESTINATIONS_MOST {
        keys.problem("air.to", format!("has {} destinations; the limit is {DESTINATIONS_MOST}", list.len()));
    }
    let mut destinations: Vec<Destination> = Vec::new();
    for (n, text) in list.into_iter().enumerate() {
        let key = format!("air.to[{n}]");
        match Target::parse(&text) {
            Ok(_) if destinations.iter().any(|other| other.text == text) => {
                keys.problem(&key, "is listed twice".into())
            }
            Ok(target) => destinations.push(Destination { text, target, name: String::new(), enabled: true }),
            Err(error) => keys.problem(&key, error.to_string()),
        }
    }
    let none = vec![None; destinations.len()];
    let targets: Vec<&Target> = destinations.iter().map(|destination| &destination.target).collect();
    let names = names(&none, &targets);
    destinations.iter_mut().zip(names).for_each(|(destination, name)| destination.name = name);
    destinations
}

/// A name for each target: the given one, or one made of host and application, with ` (2)` and so on where a name is taken.
pub fn names(given: &[Option<&str>], targets: &[&Target]) -> Vec<String> {
    let mut taken: Vec<String> = given.iter().flatten().map(|name| (*name).to_owned()).collect();
    let mut named = |(given, target): (&Option<&str>, &&Target)| {
        if let Some(name) = given {
            return (*name).to_owned();
        }
        let made = made(target);
        let numbered = (2..).map(|number| format!("{made} ({number})"));
        let free = std::iter::once(made.clone()).chain(numbered).find(|name| !taken.contains(name));
        let name = free.unwrap_or(made);
        taken.push(name.clone());
        name
    };
    given.iter().zip(targets).map(&mut named).collect()
}

/// Host and application; the stream key never shows.
fn made(target: &Target) -> String {
    let name = match target {
        Target::Rtmp(rtmp) => {
            let host = if rtmp.host.contains(':') { format!("[{}]", rtmp.host) } else { rtmp.host.clone() };
            let port =
                if rtmp.port == if rtmp.tls { 443 } else { 1935 } { String::new() } else { format!(":{}", rtmp.port) };
            format!("{host}{port}/{}", rtmp.app)
        }
        Target::Stream(url) => {
            let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
            format!("{}{port}", url.host_str().unwrap_or_default())
        }
        Target::File(path, _) => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
    };
    name.chars().take(DESTINATION_NAME_MAX_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(given: &[Option<&str>], urls: &[&str]) -> Vec<String> {
        let targets: Vec<Target> = urls.iter().map(|url| Target::parse(url).unwrap()).collect();
        names(given, &targets.iter().collect::<Vec<_>>())
    }

    #[test]
    fn names_are_made_of_host_and_application_and_tell_destinations_apart() {
        let urls = [
            "rtmp://live.example.com/app/one",
            "rtmp://live.example.com/app/two",
            "rtmps://[::1]:1443/app/inst/key",
            "srt://h.test:9000?streamid=secret",
            "file:/a/b/c.flv",
        ];
        let expected =
            ["live.example.com/app", "live.example.com/app (2)", "[::1]:1443/app/inst", "h.test:9000", "c.flv"];
        assert_eq!(named(&[None; 5], &urls), expected);
    }

    #[test]
    fn a_name_that_was_given_is_kept_and_not_made_again() {
        let urls = ["rtmp://h/app/one", "rtmp://h/app/two", "rtmp://h/app/three"];
        assert_eq!(named(&[None, Some("h/app"), Some("Main")], &urls), ["h/app (2)", "h/app", "Main"]);
    }
}
