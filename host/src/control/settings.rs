//! What a pipeline is set to: the form that is kept, shown and changed. Checked by the same rules as the command line.
//!
//! In: [`Patch`]es from the API, applied to what was set before, so that a secret that is never shown need not be given
//! again. Out: a [`PipelineConfig`], or every problem with the path that the API's caller used.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::{self, CatchUp, Destination as Checked, Layers, PipelineConfig, Problem, WhenEnded, printable};
use crate::limits::DESTINATION_NAME_MAX_CHARS;
use crate::net::{Denied, Guard};
use crate::pipeline::air::target::Target;
use crate::pipeline::load::destination_name;
use crate::redact;
use crate::stage::{FailurePolicy, StageKind};
use crate::store::files::Storage;

mod configured;
mod effect;
mod patch;
mod shown;

pub use effect::{ChangeEffect, Part};
pub use patch::{DestinationPatch, HeaderPatch, Patch, ProcessorPatch, SourcePatch, StagePatch, StagesPatch};

/// Everything that a pipeline is set to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Settings {
    /// Where the stream comes from.
    pub source: Source,
    /// Where the audio goes to and comes back from; without one the original stays.
    pub processor: Option<Processor>,
    /// Where the stream goes on air.
    pub destinations: Vec<Destination>,
    /// Length of a batch in seconds.
    pub batch_seconds: Option<u32>,
    /// When air starts: `None` is automatic, else seconds after the first batch is complete.
    pub hold_seconds: Option<f64>,
    /// Time in hand for slower replies, in seconds.
    pub cushion_seconds: Option<f64>,
    /// What is kept once it was on air.
    pub keep: Keep,
    /// Settings of the stages.
    pub stages: Stages,
    /// Seconds of media that go on air in a second; `None`: 1. Only of a pipeline in the server's configuration: rehearsals of
    /// recordings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed: Option<f64>,
}

/// The HLS source of a pipeline.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Source {
    /// URL of the HLS playlist, master or media. May hold credentials.
    pub url: String,
    /// Another one with the same content.
    pub backup_url: Option<String>,
    /// Highest variant up to this many bits per second.
    pub max_bandwidth: Option<u64>,
    /// The variant of this size, such as `1280x720`.
    pub resolution: Option<String>,
    /// A live stream starts so many segments before the end of its playlist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live_edge: Option<u32>,
    /// Sent with every request to the source's own origins.
    pub headers: Vec<Header>,
    /// Further hosts that they are sent to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub header_hosts: Vec<String>,
    /// What to do when a live source ends; `None`: wait until it is back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when_ended: Option<WhenEnded>,
    /// What becomes of media that has piled up; `None`: all of it goes on air.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub catch_up: Option<CatchUp>,
}

/// A request header; its value is a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Name of the header, as it is sent.
    pub name: String,
    /// Value of the header; a secret.
    pub value: String,
}

/// The Socket.IO server that processes the audio.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Processor {
    /// URL of the server: http, https, ws or wss. May hold credentials.
    pub url: String,
    /// Path of Engine.IO on the server; `None`: `/socket.io/`.
    pub path: Option<String>,
    /// Namespace to connect to; `None`: the path of the URL.
    pub namespace: Option<String>,
    /// Sent in Socket.IO's CONNECT; a secret.
    pub auth: Option<Value>,
    /// Sent with the WebSocket's upgrade.
    pub headers: Vec<Header>,
    /// Fragments under way at once.
    pub in_flight: Option<u32>,
}

/// A receiver of the stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Destination {
    /// Its URL; it holds the stream key.
    pub url: String,
    /// The name that people see; `None`: made of host and application.
    pub name: Option<String>,
    /// False: no packets go there.
    pub enabled: bool,
    /// Base URL of SRS's HTTP API, to ask what it sees.
    pub srs_api: Option<String>,
}

impl Default for Destination {
    fn default() -> Self {
        Self { url: String::new(), name: None, enabled: true, srs_api: None }
    }
}

/// What is kept of batches that went on air; whichever limit comes first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Keep {
    /// Number of aired batches to keep, the newest ones.
    pub batches: Option<u32>,
    /// Not older than so many seconds.
    pub max_age_seconds: Option<u64>,
    /// Not more than so many bytes.
    pub max_bytes: Option<u64>,
}

/// The stages that decide.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Stages {
    /// When a batch is cut.
    pub batching: Stage,
    /// How a fragment is framed for the processor.
    pub framing: Stage,
    /// How the returned audio is put back.
    pub remux_planning: Stage,
}

/// A stage: which component, with which settings.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Stage {
    /// `sha256:…` of a component in the host's store; `None`: the bundled one.
    pub component: Option<String>,
    /// A JSON object after the stage's own schema; `None`: its defaults.
    pub settings: Option<Value>,
    /// Who goes on where it fails; `None`: the version before, else the host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<FailurePolicy>,
    /// A newer file of the same name is swapped in when it is there.
    #[serde(skip_serializing_if = "is_false")]
    pub auto_swap: bool,
    /// Neither a newer file nor a roll-out changes it.
    #[serde(skip_serializing_if = "is_false")]
    pub pinned: bool,
    /// The version that decided before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<PreviousStage>,
}

/// A version of a stage that decided before.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PreviousStage {
    /// The component of that version, see [`Stage::component`].
    pub component: Option<String>,
    /// The stage's own settings, see [`Stage::settings`].
    pub settings: Option<Value>,
}

// === impl Settings ===

impl Settings {
    /// Checks everything at once.
    ///
    /// # Errors
    /// Every problem, with paths as in this type (`source.url`, `destinations[0].url`, `batchSeconds`).
    pub fn check(&self, stream_id: &str, storage: &Storage) -> Result<PipelineConfig, Vec<Problem>> {
        let mut problems = self.check_here();
        let files = self.stages.files(storage, &mut problems);
        match config::check(self.layers(stream_id), true) {
            Ok((_, Some(mut config))) if problems.is_empty() => {
                config.stages.files = files;
                self.name_destinations(&mut config.destinations);
                self.stages.fill_in(storage, &mut config.stages);
                return Ok(config);
            }
            Ok(_) => {}
            Err(found) => problems.extend(found.0.into_iter().map(renamed)),
        }
        Err(problems)
    }

    /// What the command line's rules do not know.
    fn check_here(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (n, destination) in self.destinations.iter().enumerate() {
            let Some(text) = &destination.srs_api else { continue };
            let is_url = |url: url::Url| matches!(url.scheme(), "http" | "https") && url.host_str().is_some();
            let message = match printable::check_hidden(text) {
                Ok(()) if url::Url::parse(text).is_ok_and(is_url) => continue,
                Ok(()) => "must be the base URL of SRS's HTTP API, such as http://127.0.0.1:1985".to_owned(),
                Err(message) => message,
            };
            problems.push(Problem { path: format!("destinations[{n}].srsApi"), message });
        }
        problems.extend(self.wrong_names());
        problems
    }

    /// Names of destinations that cannot be.
    fn wrong_names(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let name_of = |destination: &Destination| destination.name.clone();
        for (n, destination) in self.destinations.iter().enumerate() {
            let Some(name) = &destination.name else { continue };
            let before = self.destinations.iter().take(n).filter_map(name_of).any(|other| other == *name);
            let message = if name.trim().is_empty() {
                "is empty: omit it to have a name made from host and application".to_owned()
            } else if name.chars().count() > DESTINATION_NAME_MAX_CHARS {
                format!("has {} characters; the limit is {DESTINATION_NAME_MAX_CHARS}", name.chars().count())
            } else if let Err(message) = printable::check(name) {
                message
            } else if before {
                format!("{name:?} is the name of another destination of this pipeline")
            } else {
                continue;
            };
            problems.push(Problem { path: format!("destinations[{n}].name"), message });
        }
        problems
    }

    /// Gives checked destinations, which are in the order of the settings, their names and whether they are enabled.
    fn name_destinations(&self, checked: &mut [Checked]) {
        let given: Vec<Option<&str>> = self.destinations.iter().map(|one| one.name.as_deref()).collect();
        let targets: Vec<&Target> = checked.iter().map(|one| &one.target).collect();
        let names = config::destination_names(&given, &targets);
        for ((checked, name), set) in checked.iter_mut().zip(names).zip(&self.destinations) {
            (checked.name, checked.enabled) = (name, set.enabled);
        }
    }

    /// As the settings of `outboard run`.
    fn layers(&self, stream_id: &str) -> Layers {
        let number = |value: Option<f64>| value.map(|value| value.to_string());
        let headers = |headers: &[Header]| {
            (!headers.is_empty())
                .then(|| headers.iter().map(|h| format!("{}: {}", h.name, h.value)).collect::<Vec<_>>())
        };
        let hosts = (!self.source.header_hosts.is_empty()).then(|| self.source.header_hosts.clone());
        let urls: Vec<String> = self.destinations.iter().map(|destination| destination.url.clone()).collect();
        let mut layers = Layers::new()
            .set("pipeline.stream_id", Some(stream_id))
            .set("pipeline.batch_seconds", self.batch_seconds.map(i64::from))
            .set("pipeline.hold", number(self.hold_seconds))
            .set("pipeline.cushion_seconds", number(self.cushion_seconds))
            .set("pipeline.keep_batches", self.keep.batches.map(i64::from))
            .set("pipeline.keep_seconds", self.keep.max_age_seconds.map(|value| value.to_string()))
            .set("pipeline.keep_bytes", self.keep.max_bytes.map(|value| value.to_string()))
            .set("source.url", Some(self.source.url.clone()))
            .set("source.backup_url", self.source.backup_url.clone())
            .set("source.max_bandwidth", self.source.max_bandwidth.map(|value| value.to_string()))
            .set("source.resolution", self.source.resolution.clone())
            .set("source.live_edge", self.source.live_edge.map(i64::from))
            .set("source.headers", headers(&self.source.headers))
            .set("source.header_hosts", hosts)
            .set("source.when_ended", Some(self.source.when_ended.unwrap_or(WhenEnded::Wait).name()))
            .set("source.catch_up", self.source.catch_up.map(CatchUp::name))
            .set("air.to", Some(urls))
            .set("air.speed", number(self.speed));
        if let Some(processor) = &self.processor {
            layers = layers
                // Given, but empty, is not the same as none.
                .set("processor.url", Some(given(&processor.url)))
                .set("processor.path", processor.path.clone())
                .set("processor.namespace", processor.namespace.clone())
                .set("processor.auth", processor.auth.as_ref().map(ToString::to_string))
                .set("processor.headers", headers(&processor.headers))
                .set("processor.in_flight", processor.in_flight.map(i64::from));
        }
        for (kind, stage) in self.stages.by_kind() {
            let key = format!("stages.{kind}_settings");
            layers = layers.set(&key, stage.settings.as_ref().map(ToString::to_string));
        }
        layers
    }

    /// The addresses that a network policy does not allow, as far as can be said without looking names up. Only for
    /// settings that were checked.
    pub fn denied(&self, guard: &Guard) -> Vec<Problem> {
        let mut judged: Vec<(String, Result<(), Denied>)> = Vec::new();
        let mut url = |path: String, text: &str| {
            if let Ok(url) = url::Url::parse(text) {
                judged.push((path, guard.check_url(&url)));
            }
        };
        url("source.url".to_owned(), &self.source.url);
        self.source.backup_url.iter().for_each(|text| url("source.backupUrl".to_owned(), text));
        self.processor.iter().for_each(|processor| url("processor.url".to_owned(), &processor.url));
        for (n, destination) in self.destinations.iter().enumerate() {
            destination.srs_api.iter().for_each(|text| url(format!("destinations[{n}].srsApi"), text));
        }
        for (n, destination) in self.destinations.iter().enumerate() {
            if let Ok(target) = Target::parse(&destination.url) {
                judged.push((format!("destinations[{n}].url"), target.check(guard)));
            }
        }
        let denied = judged.into_iter().filter_map(|(path, judged)| Some((path, judged.err()?)));
        denied.map(|(path, denied)| Problem { path, message: format!("is not allowed: {denied}") }).collect()
    }
}

impl Destination {
    /// Names it in status, events and patches; it stays the same as long as the URL does.
    pub fn id(&self) -> String {
        destination_name(&self.url)
    }

    /// The URL without its key.
    pub fn shown(&self) -> String {
        Target::parse(&self.url).map_or_else(|_| "…".to_owned(), |to| to.redacted())
    }
}

impl Stages {
    /// Each with the name of its kind in the configuration.
    fn by_kind(&self) -> [(&'static str, &Stage); 3] {
        [("batching", &self.batching), ("framing", &self.framing), ("remux_planning", &self.remux_planning)]
    }

    /// The stage of a kind.
    pub fn of(&self, kind: StageKind) -> &Stage {
        match kind {
            StageKind::Batching => &self.batching,
            StageKind::Framing => &self.framing,
            StageKind::RemuxPlanning => &self.remux_planning,
        }
    }

    /// Whether a component is named here, also as a version before.
    pub fn names(&self, digest: &str) -> bool {
        StageKind::ALL.into_iter().any(|kind| {
            let stage = self.of(kind);
            let before = stage.previous.as_ref().and_then(|previous| previous.component.as_deref());
            stage.component.as_deref() == Some(digest) || before == Some(digest)
        })
    }

    /// The stage of a kind, to be changed.
    pub fn of_mut(&mut self, kind: StageKind) -> &mut Stage {
        match kind {
            StageKind::Batching => &mut self.batching,
            StageKind::Framing => &mut self.framing,
            StageKind::RemuxPlanning => &mut self.remux_planning,
        }
    }

    /// Who goes on where a stage fails.
    fn fill_in(&self, storage: &Storage, stages: &mut config::Stages) {
        for (kind, stage) in self.by_kind() {
            stages.on_failure.extend(stage.on_failure.map(|policy| (kind, policy)));
            if let Some(previous) = &stage.previous {
                let file = previous.component.as_deref().and_then(|digest| storage.component(digest));
                let settings = previous.settings.clone();
                stages.previous.insert(kind, config::PreviousStage { file, settings });
            }
        }
    }

    /// The files of the components that are not the bundled ones.
    fn files(&self, storage: &Storage, problems: &mut Vec<Problem>) -> BTreeMap<&'static str, PathBuf> {
        let mut files = BTreeMap::new();
        for (kind, stage) in self.by_kind() {
            let Some(component) = &stage.component else { continue };
            match storage.component(component) {
                Some(file) if file.is_file() => drop(files.insert(kind, file)),
                Some(_) => problems.push(Problem {
                    path: format!("stages.{}.component", camel(kind)),
                    message: format!("{component} is not in this host's store; add it with `outboard stage add FILE`"),
                }),
                None => problems.push(Problem {
                    path: format!("stages.{}.component", camel(kind)),
                    message: format!("{component:?} is not a digest: \"sha256:\" and 64 hexadecimal digits"),
                }),
            }
        }
        files
    }
}

impl From<&Checked> for Destination {
    fn from(checked: &Checked) -> Self {
        Self { url: checked.text.clone(), enabled: checked.enabled, ..Self::default() }
    }
}

/// An empty URL must be refused, not read as "none".
fn given(url: &str) -> String {
    if url.is_empty() { "(empty)".to_owned() } else { url.to_owned() }
}

/// A source's URL without what gives access; what is no URL is not shown.
pub(crate) fn shown_url(url: &str) -> String {
    redact::url(url)
}

/// A problem under the path that this type gives it.
fn renamed(problem: Problem) -> Problem {
    let Problem { path, message } = problem;
    let path = match path.as_str() {
        "pipeline.stream_id" => "streamId".to_owned(),
        "pipeline.batch_seconds" => "batchSeconds".to_owned(),
        "pipeline.hold" => "holdSeconds".to_owned(),
        "pipeline.cushion_seconds" => "cushionSeconds".to_owned(),
        "pipeline.keep_batches" => "keep.batches".to_owned(),
        "pipeline.keep_seconds" => "keep.maxAgeSeconds".to_owned(),
        "pipeline.keep_bytes" => "keep.maxBytes".to_owned(),
        "air.speed" => "speed".to_owned(),
        "air.to" => "destinations".to_owned(),
        path if path.starts_with("stages.") => format!("{}.settings", camel(path.trim_end_matches("_settings"))),
        path => match path.strip_prefix("air.to") {
            Some(place) => format!("destinations{place}.url"),
            None => camel(path),
        },
    };
    Problem { path, message }
}

/// The name of a kind in settings.
pub(super) fn key(kind: StageKind) -> &'static str {
    match kind {
        StageKind::Batching => "batching",
        StageKind::Framing => "framing",
        StageKind::RemuxPlanning => "remux_planning",
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls it with")]
fn is_false(value: &bool) -> bool {
    !value
}

pub(super) fn camel(path: &str) -> String {
    let mut upper = false;
    let mut text = String::with_capacity(path.len());
    for letter in path.chars() {
        match letter {
            '_' => upper = true,
            letter if upper => {
                text.push(letter.to_ascii_uppercase());
                upper = false;
            }
            letter => text.push(letter),
        }
    }
    text
}

#[cfg(test)]
mod tests;
