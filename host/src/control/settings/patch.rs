//! Changes of settings: what is not named stays as it is, what is named `null` goes. Hidden values stay only where they
//! go to the server that they went to before.

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use url::Origin;

use super::{Destination, Header, Keep, PreviousStage, Processor, Settings, Source, Stage};
use crate::config::{CatchUp, Problem, WhenEnded};
use crate::stage::FailurePolicy;

/// A change of settings. For a new pipeline it is applied to nothing.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Patch {
    /// Changes of the source.
    pub source: Option<SourcePatch>,
    /// The processor; `null` removes it.
    #[serde(deserialize_with = "named")]
    pub processor: Option<Option<ProcessorPatch>>,
    /// All destinations; one that is not in the list goes.
    pub destinations: Option<Vec<DestinationPatch>>,
    /// Length of a batch in seconds; `null`: the default.
    #[serde(deserialize_with = "named")]
    pub batch_seconds: Option<Option<u32>>,
    /// When air starts; `null`: automatic.
    #[serde(deserialize_with = "named")]
    pub hold_seconds: Option<Option<f64>>,
    /// Time in hand; `null`: worked out.
    #[serde(deserialize_with = "named")]
    pub cushion_seconds: Option<Option<f64>>,
    /// New retention; `None` keeps the old one.
    pub keep: Option<Keep>,
    /// Changes of the stages.
    pub stages: Option<StagesPatch>,
}

/// A change of the source.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct SourcePatch {
    /// New value of [`Source::url`].
    pub url: Option<String>,
    /// New value of [`Source::backup_url`]; `Some(None)` removes it.
    #[serde(deserialize_with = "named")]
    pub backup_url: Option<Option<String>>,
    /// New value of [`Source::max_bandwidth`]; `Some(None)` removes it.
    #[serde(deserialize_with = "named")]
    pub max_bandwidth: Option<Option<u64>>,
    /// New value of [`Source::resolution`]; `Some(None)` removes it.
    #[serde(deserialize_with = "named")]
    pub resolution: Option<Option<String>>,
    /// New value of [`Source::live_edge`]; `Some(None)` removes it.
    #[serde(deserialize_with = "named")]
    pub live_edge: Option<Option<u32>>,
    /// All headers from now on; those not in the list are removed.
    pub headers: Option<Vec<HeaderPatch>>,
    /// All hosts besides the source's own that they are sent to; `null`: none.
    #[serde(deserialize_with = "named")]
    pub header_hosts: Option<Option<Vec<String>>>,
    /// See [`Source`]; `null`: the default.
    #[serde(deserialize_with = "named")]
    pub when_ended: Option<Option<WhenEnded>>,
    /// See [`Source`]; `null`: the default.
    #[serde(deserialize_with = "named")]
    pub catch_up: Option<Option<CatchUp>>,
}

/// A header; without a value it keeps the one that it had.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeaderPatch {
    /// Name of the header, compared without case.
    pub name: String,
    /// New value; `None` keeps the old one.
    #[serde(default)]
    pub value: Option<String>,
}

/// A change of the processor.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ProcessorPatch {
    /// New value of [`Processor::url`].
    pub url: Option<String>,
    /// New value of [`Processor::path`]; `Some(None)` removes it.
    #[serde(deserialize_with = "named")]
    pub path: Option<Option<String>>,
    /// New value of [`Processor::namespace`]; `Some(None)` removes it.
    #[serde(deserialize_with = "named")]
    pub namespace: Option<Option<String>>,
    /// New value of [`Processor::auth`]; `Some(None)` removes it.
    #[serde(deserialize_with = "named")]
    pub auth: Option<Option<Value>>,
    /// All headers from now on; those not in the list are removed.
    pub headers: Option<Vec<HeaderPatch>>,
    /// New value of [`Processor::in_flight`]; `Some(None)` removes it.
    #[serde(deserialize_with = "named")]
    pub in_flight: Option<Option<u32>>,
}

/// A destination: a new one by its URL, one that is there by its id.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct DestinationPatch {
    /// Of a destination that is there.
    pub id: Option<String>,
    /// Its URL; not needed with an id.
    pub url: Option<String>,
    /// New value of [`Destination::name`]; `Some(None)` removes it.
    #[serde(deserialize_with = "named")]
    pub name: Option<Option<String>>,
    /// See [`Destination`]; `null`: true.
    #[serde(deserialize_with = "named")]
    pub enabled: Option<Option<bool>>,
    /// New value of [`Destination::srs_api`]; `Some(None)` removes it.
    #[serde(deserialize_with = "named")]
    pub srs_api: Option<Option<String>>,
}

/// Changes of each stage's settings.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct StagesPatch {
    /// The batching stage; `null`: the bundled one with its defaults.
    #[serde(deserialize_with = "named")]
    pub batching: Option<Option<StagePatch>>,
    /// The framing stage, likewise.
    #[serde(deserialize_with = "named")]
    pub framing: Option<Option<StagePatch>>,
    /// The remux-planning stage, likewise.
    #[serde(deserialize_with = "named")]
    pub remux_planning: Option<Option<StagePatch>>,
}

/// A change of one stage.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct StagePatch {
    /// Digest of a component in the host's store; `null`: the bundled one.
    #[serde(deserialize_with = "named")]
    pub component: Option<Option<String>>,
    /// Its settings, a whole object; `null`: its defaults.
    #[serde(deserialize_with = "named")]
    pub settings: Option<Option<Value>>,
    /// Who goes on where it fails; `null`: the version before, else the host.
    #[serde(deserialize_with = "named")]
    pub on_failure: Option<Option<FailurePolicy>>,
    /// See [`Stage`]; `null`: false.
    #[serde(deserialize_with = "named")]
    pub auto_swap: Option<Option<bool>>,
    /// See [`Stage`]; `null`: false.
    #[serde(deserialize_with = "named")]
    pub pinned: Option<Option<bool>>,
}

/// A field that is there, `null` or not.
fn named<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl Settings {
    /// These settings with a change.
    ///
    /// # Errors
    /// What the change refers to and is not there.
    pub fn patched(&self, patch: Patch) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut new = self.clone();
        if let Some(source) = patch.source {
            patch_source(&mut new.source, source, &mut problems);
        }
        match patch.processor {
            Some(Some(processor)) => {
                patch_processor(new.processor.get_or_insert_default(), processor, &mut problems);
            }
            Some(None) => new.processor = None,
            None => {}
        }
        if let Some(list) = patch.destinations {
            let found = list.into_iter().enumerate().filter_map(|(n, one)| self.destination(n, one, &mut problems));
            new.destinations = found.collect();
        }
        set(&mut new.batch_seconds, patch.batch_seconds);
        set(&mut new.hold_seconds, patch.hold_seconds);
        set(&mut new.cushion_seconds, patch.cushion_seconds);
        if let Some(Keep { batches, max_age_seconds, max_bytes }) = patch.keep {
            new.keep = Keep { batches, max_age_seconds, max_bytes };
        }
        if let Some(stages) = patch.stages {
            patch_stage(&mut new.stages.batching, stages.batching);
            patch_stage(&mut new.stages.framing, stages.framing);
            patch_stage(&mut new.stages.remux_planning, stages.remux_planning);
        }
        if problems.is_empty() { Ok(new) } else { Err(problems) }
    }

    fn destination(&self, n: usize, patch: DestinationPatch, problems: &mut Vec<Problem>) -> Option<Destination> {
        let DestinationPatch { id, url, name, enabled, srs_api } = patch;
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
        destination.enabled = enabled.map_or(destination.enabled, |given| given.unwrap_or(true));
        Some(destination)
    }
}

fn patch_source(source: &mut Source, patch: SourcePatch, problems: &mut Vec<Problem>) {
    let before = source.origins();
    if let Some(url) = patch.url {
        source.url = url;
    }
    set(&mut source.backup_url, patch.backup_url);
    set(&mut source.max_bandwidth, patch.max_bandwidth);
    set(&mut source.resolution, patch.resolution);
    set(&mut source.live_edge, patch.live_edge);
    set(&mut source.when_ended, patch.when_ended);
    set(&mut source.catch_up, patch.catch_up);
    let hosts_before = source.header_hosts.clone();
    if let Some(hosts) = patch.header_hosts {
        source.header_hosts = hosts.unwrap_or_default();
    }
    let elsewhere = source.origins().iter().any(|origin| !before.contains(origin))
        || source.header_hosts.iter().any(|host| !hosts_before.contains(host));
    let known = Known { headers: &source.headers, elsewhere };
    source.headers = known.patched("source.headers", patch.headers, problems);
}

fn patch_processor(processor: &mut Processor, patch: ProcessorPatch, problems: &mut Vec<Problem>) {
    let before = origin(&processor.url);
    if let Some(url) = patch.url {
        processor.url = url;
    }
    set(&mut processor.path, patch.path);
    set(&mut processor.namespace, patch.namespace);
    let elsewhere = origin(&processor.url) != before;
    if elsewhere && processor.auth.is_some() && patch.auth.is_none() {
        let message = "must be given again, or null: it would be sent to another server than before".to_owned();
        problems.push(Problem { path: "processor.auth".to_owned(), message });
    }
    set(&mut processor.auth, patch.auth);
    set(&mut processor.in_flight, patch.in_flight);
    let known = Known { headers: &processor.headers, elsewhere };
    processor.headers = known.patched("processor.headers", patch.headers, problems);
}

impl Source {
    /// Every server that is sent the headers.
    fn origins(&self) -> Vec<Option<Origin>> {
        [Some(&self.url), self.backup_url.as_ref()].into_iter().flatten().map(|url| origin(url)).collect()
    }
}

/// Another component than before is a version that can be taken back.
fn remember(stage: &mut Stage, before: Stage) {
    stage.previous = match stage.component == before.component {
        true => before.previous,
        false => Some(PreviousStage { component: before.component, settings: before.settings }),
    };
}

/// Scheme, host and port; what is no URL is nowhere.
fn origin(url: &str) -> Option<Origin> {
    url::Url::parse(url).ok().map(|url| url.origin())
}

fn patch_stage(stage: &mut Stage, patch: Option<Option<StagePatch>>) {
    let before = stage.clone();
    match patch {
        Some(Some(patch)) => {
            set(&mut stage.component, patch.component);
            set(&mut stage.settings, patch.settings);
            set(&mut stage.on_failure, patch.on_failure);
            stage.auto_swap = patch.auto_swap.map_or(stage.auto_swap, Option::unwrap_or_default);
            stage.pinned = patch.pinned.map_or(stage.pinned, Option::unwrap_or_default);
            remember(stage, before);
        }
        Some(None) => {
            *stage = Stage::default();
            remember(stage, before);
        }
        None => {}
    }
}

/// Headers as they are, whose values nobody is shown.
struct Known<'a> {
    headers: &'a [Header],
    /// They would go to another server than before: who may name one must not get them that way, so that their values
    /// have to be given again.
    elsewhere: bool,
}

impl Known<'_> {
    fn patched(&self, path: &str, patch: Option<Vec<HeaderPatch>>, problems: &mut Vec<Problem>) -> Vec<Header> {
        let patches = match patch {
            Some(patches) => patches,
            None if self.elsewhere => {
                let named = |header: &Header| HeaderPatch { name: header.name.clone(), value: None };
                self.headers.iter().map(named).collect()
            }
            None => return self.headers.to_vec(),
        };
        let mut headers = Vec::new();
        for (n, HeaderPatch { name, value }) in patches.into_iter().enumerate() {
            let before = self.headers.iter().find(|header| header.name.eq_ignore_ascii_case(&name));
            let problem = match (value, before) {
                (Some(value), _) => {
                    headers.push(Header { name, value });
                    continue;
                }
                (None, Some(before)) if !self.elsewhere => {
                    headers.push(Header { name, value: before.value.clone() });
                    continue;
                }
                (None, Some(_)) => format!("must be given again: {name} would be sent to another server than before"),
                (None, None) => "is missing: this header had no value before".to_owned(),
            };
            problems.push(Problem { path: format!("{path}[{n}].value"), message: problem });
        }
        headers
    }
}

fn set<T>(field: &mut Option<T>, patch: Option<Option<T>>) {
    if let Some(value) = patch {
        *field = value;
    }
}
