//! Destinations: settings, change, check, display names, and the effect of a change on air.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Settings;
use super::change_effect::{ChangeEffect, Part};
use super::checks::Checks;
use super::hidden::shown_url;
use super::patch_field::{named, set};
use crate::limits::{DESTINATION_NAME_MAX_CHARS, DESTINATIONS_MAX};
use crate::load::destination_name;
use outboard_base::{Problem, printable};
use outboard_egress::rtmp::enhanced::EnhancedRtmp;
use outboard_egress::target::Target;

/// A receiver of the stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Destination {
    /// The URL; contains the stream key.
    pub url: String,
    /// The display name; `None`: derived from host and application.
    pub name: Option<String>,
    /// Whether packets are sent to it.
    pub enabled: bool,
    /// Base URL of SRS's HTTP API, which is asked whether the stream arrives.
    pub srs_api: Option<String>,
    /// When its RTMP server is sent pictures that are not H.264.
    pub enhanced_rtmp: EnhancedRtmp,
}

/// A destination in a patch: a new one by its URL, an existing one by its id.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct DestinationPatch {
    /// Id of an existing destination.
    pub id: Option<String>,
    /// The URL; optional with an id.
    pub url: Option<String>,
    /// New value of [`Destination::name`]; `Some(None)` removes it.
    #[serde(deserialize_with = "named")]
    pub name: Option<Option<String>>,
    /// New value of [`Destination::enabled`]; `Some(None)`: true.
    #[serde(deserialize_with = "named")]
    pub enabled: Option<Option<bool>>,
    /// New value of [`Destination::srs_api`]; `Some(None)` removes it.
    #[serde(deserialize_with = "named")]
    pub srs_api: Option<Option<String>>,
    /// New value of [`Destination::enhanced_rtmp`]; `Some(None)`: the default.
    #[serde(deserialize_with = "named")]
    pub enhanced_rtmp: Option<Option<EnhancedRtmp>>,
}

/// A [`Destination`] whose fields were checked, with its URL parsed and its name set.
#[derive(Clone)]
pub struct CheckedDestination {
    /// The URL; may contain a key.
    pub text: String,
    /// Protocol and address from the URL.
    pub target: Target,
    /// The display name: given, or derived from host and application. Unique in the pipeline.
    pub name: String,
    /// Whether packets are sent to it.
    pub enabled: bool,
    /// When its RTMP server is sent pictures that are not H.264.
    pub enhanced_rtmp: EnhancedRtmp,
}

// === impl Destination ===

impl Default for Destination {
    fn default() -> Self {
        Self { url: String::new(), name: None, enabled: true, srs_api: None, enhanced_rtmp: EnhancedRtmp::Auto }
    }
}

impl Destination {
    /// Identifies the destination in status, events and patches; stays the same as long as the URL does.
    pub fn id(&self) -> String {
        destination_name(&self.url)
    }

    /// The URL without its stream key.
    pub fn shown(&self) -> String {
        Target::parse(&self.url).map_or_else(|_| "…".to_owned(), |to| to.redacted())
    }

    pub(super) fn shown_whole(&self) -> Value {
        let Self { url: _, name, enabled, srs_api, enhanced_rtmp } = self;
        json!({
            "id": self.id(),
            "url": self.shown(),
            "name": name,
            "enabled": enabled,
            "srsApi": srs_api.as_deref().map(shown_url),
            "enhancedRtmp": enhanced_rtmp,
        })
    }
}

impl std::fmt::Debug for CheckedDestination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.target.fmt(f)
    }
}

/// Checks all destinations of a pipeline.
pub(super) fn resolve(destinations: &[Destination], checks: &mut Checks) -> Vec<CheckedDestination> {
    let all = checks.name("destinations", "air.to");
    if destinations.is_empty() {
        checks.wrong(all, "is missing: give the URL of a destination, such as rtmp://127.0.0.1/live/key");
    }
    if destinations.len() > DESTINATIONS_MAX {
        let count = destinations.len();
        checks.wrong(all, format!("has {count} destinations; the limit is {DESTINATIONS_MAX}"));
    }
    let mut resolved: Vec<CheckedDestination> = Vec::new();
    let mut given: Vec<Option<&str>> = Vec::new();
    for (n, Destination { url, name, enabled, srs_api, enhanced_rtmp }) in destinations.iter().enumerate() {
        let path = checks.name(format!("destinations[{n}].url"), format!("air.to[{n}]"));
        let text = checks.secret(&path, url);
        match Target::parse(&text) {
            Ok(_) if resolved.iter().any(|other| other.text == text) => checks.wrong(path, "is listed twice"),
            Ok(target) => {
                let (enabled, enhanced_rtmp) = (*enabled, *enhanced_rtmp);
                resolved.push(CheckedDestination { text, target, name: String::new(), enabled, enhanced_rtmp });
                given.push(name.as_deref());
            }
            Err(error) => checks.wrong(path, error.to_string()),
        }
        // Only the API sets names.
        if let Some(wrong) = name.as_deref().and_then(|name| wrong_name(name, &destinations[..n])) {
            checks.wrong(format!("destinations[{n}].name"), wrong);
        }
        if let Some(wrong) = srs_api.as_deref().and_then(wrong_srs_api) {
            checks.wrong(format!("destinations[{n}].srsApi"), wrong);
        }
    }
    let targets: Vec<&Target> = resolved.iter().map(|destination| &destination.target).collect();
    let names = names(&given, &targets);
    resolved.iter_mut().zip(names).for_each(|(destination, name)| destination.name = name);
    resolved
}

/// Why a destination may not have this name, given the destinations before it.
fn wrong_name(name: &str, before: &[Destination]) -> Option<String> {
    if name.trim().is_empty() {
        Some("is empty: omit it to use a name derived from host and application".to_owned())
    } else if name.chars().count() > DESTINATION_NAME_MAX_CHARS {
        Some(format!("has {} characters; the limit is {DESTINATION_NAME_MAX_CHARS}", name.chars().count()))
    } else if let Err(message) = printable::check(name) {
        Some(message)
    } else if before.iter().any(|other| other.name.as_deref() == Some(name)) {
        Some(format!("{name:?} is the name of another destination of this pipeline"))
    } else {
        None
    }
}

fn wrong_srs_api(text: &str) -> Option<String> {
    let is_url = |url: url::Url| matches!(url.scheme(), "http" | "https") && url.host_str().is_some();
    match printable::check_hidden(text) {
        Ok(()) if url::Url::parse(text).is_ok_and(is_url) => None,
        Ok(()) => Some("must be the base URL of SRS's HTTP API, such as http://127.0.0.1:1985".to_owned()),
        Err(message) => Some(message),
    }
}

impl Settings {
    /// Applies a change to a destination.
    pub(super) fn patched_destination(
        &self,
        n: usize,
        patch: DestinationPatch,
        problems: &mut Vec<Problem>,
    ) -> Option<Destination> {
        let DestinationPatch { id, url, name, enabled, srs_api, enhanced_rtmp } = patch;
        let known = id.as_ref().map(|id| self.destinations.iter().find(|known| known.id() == *id));
        let mut destination = match (known, url) {
            (Some(Some(known)), None) => known.clone(),
            (Some(Some(known)), Some(url)) => Destination { url, ..known.clone() },
            (Some(None), None) => {
                let message = format!("{:?} is not a destination of this pipeline", id.unwrap_or_default());
                problems.push(Problem { path: format!("destinations[{n}].id"), message });
                return None;
            }
            (_, Some(url)) => Destination { url, ..Destination::default() },
            (None, None) => {
                let message = "is missing: give the URL of a new destination, or the id of an existing one".to_owned();
                problems.push(Problem { path: format!("destinations[{n}].url"), message });
                return None;
            }
        };
        set(&mut destination.name, name);
        set(&mut destination.srs_api, srs_api);
        destination.enhanced_rtmp = enhanced_rtmp.map_or(destination.enhanced_rtmp, |given| given.unwrap_or_default());
        destination.enabled = enabled.map_or(destination.enabled, |given| given.unwrap_or(true));
        Some(destination)
    }
}

pub(super) fn effect(old: &[Destination], new: &[Destination], effect: &mut ChangeEffect) {
    let by_id = |list: &[Destination]| list.iter().map(Destination::id).collect::<Vec<_>>();
    effect.live(Part::Destinations, by_id(old) != by_id(new));
    for old in old {
        let Some(new) = new.iter().find(|new| new.url == old.url) else { continue };
        let Destination { url: _, name, enabled, srs_api, enhanced_rtmp } = old;
        let now = (&new.name, &new.enabled, &new.enhanced_rtmp);
        effect.live(Part::Destinations, (name, enabled, enhanced_rtmp) != now);
        effect.live(Part::Beside, *srs_api != new.srs_api);
    }
}

/// A name for each target: the given one, or one derived from host and application, with ` (2)` and so on if the name
/// is taken.
fn names(given: &[Option<&str>], targets: &[&Target]) -> Vec<String> {
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

/// Host and application; never the stream key.
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
