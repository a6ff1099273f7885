//! The processor: settings, change, check, and the effect of a change on air.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;

use super::change_effect::{ChangeEffect, Part};
use super::checks::Checks;
use super::headers::{self, Header, HeaderPatch, Known};
use super::hidden::{HIDDEN, shown_headers, shown_url};
use super::patch_field::{named, origin, set};
use crate::limits::IN_FLIGHT;
use outboard_base::Problem;
use outboard_exchange::limits::IN_FLIGHT_DEFAULT;

/// The schemes of a processor's URL.
pub const PROCESSOR_SCHEMES: [&str; 4] = ["http", "https", "ws", "wss"];

/// The Socket.IO server that processes the audio.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Processor {
    /// URL of the server: http, https, ws or wss. May contain credentials.
    pub url: String,
    /// Path of Engine.IO on the server; `None`: `/socket.io/`.
    pub path: Option<String>,
    /// Namespace to connect to; `None`: the path of the URL.
    pub namespace: Option<String>,
    /// Payload of Socket.IO's CONNECT; a secret.
    pub auth: Option<Value>,
    /// Additional headers of the WebSocket handshake.
    pub headers: Vec<Header>,
    /// Maximum number of unanswered fragments.
    pub in_flight: Option<u32>,
    /// Whether fragments in fMP4 start with one hidden packet of the batch before; `None`: they do.
    pub pre_roll: Option<bool>,
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
    /// The complete list of headers; those not in the list are removed.
    pub headers: Option<Vec<HeaderPatch>>,
    /// New value of [`Processor::in_flight`]; `Some(None)` removes it.
    #[serde(deserialize_with = "named")]
    pub in_flight: Option<Option<u32>>,
    /// New value of [`Processor::pre_roll`]; `Some(None)` removes it.
    #[serde(deserialize_with = "named")]
    pub pre_roll: Option<Option<bool>>,
}

/// A [`Processor`] whose fields were checked, with its URL parsed.
#[derive(Debug, Clone)]
pub struct ProcessorConfig {
    /// URL with the scheme http, https, ws or wss.
    pub url: Url,
    /// Path of the Socket.IO endpoint; `None`: `/socket.io/`.
    pub path: Option<String>,
    /// Socket.IO namespace; `None`: the URL's path.
    pub namespace: Option<String>,
    /// Payload of Socket.IO's CONNECT.
    pub auth: Option<Value>,
    /// Additional request headers: name and value.
    pub headers: Vec<(String, String)>,
    /// Maximum number of unanswered fragments.
    pub in_flight: usize,
    /// Whether fragments in fMP4 start with one hidden packet of the batch before.
    pub pre_roll: bool,
}

// === impl Processor ===

impl Processor {
    /// Checks all fields and adds each problem to `checks`; `None` if the URL is not valid.
    pub(super) fn resolve(&self, checks: &mut Checks) -> Option<ProcessorConfig> {
        let Self { url, path, namespace, auth, headers, in_flight, pre_roll } = self;
        let url = checks.url("processor.url", url, &PROCESSOR_SCHEMES);
        let mut absolute = |name: &'static str, text: &Option<String>| {
            let text = checks.text(name, text.as_deref()?);
            if !text.starts_with('/') {
                checks.wrong(name, format!("{text:?} must start with '/'"));
            }
            Some(text)
        };
        let (path, namespace) = (absolute("processor.path", path), absolute("processor.namespace", namespace));
        auth.iter().for_each(|auth| checks.json("processor.auth", auth));
        let headers = headers::resolve(headers, "processor.headers", checks);
        let name = checks.name("processor.inFlight", "processor.in_flight");
        let in_flight = checks.whole(name, in_flight.map(u64::from), &IN_FLIGHT);
        let in_flight = in_flight.and_then(|count| usize::try_from(count).ok()).unwrap_or(IN_FLIGHT_DEFAULT);
        let pre_roll = pre_roll.unwrap_or(true);
        Some(ProcessorConfig { url: url?, path, namespace, auth: auth.clone(), headers, in_flight, pre_roll })
    }

    /// Applies a change to these settings.
    pub(super) fn patch(&mut self, patch: ProcessorPatch, problems: &mut Vec<Problem>) {
        let before = origin(&self.url);
        if let Some(url) = patch.url {
            self.url = url;
        }
        set(&mut self.path, patch.path);
        set(&mut self.namespace, patch.namespace);
        let elsewhere = origin(&self.url) != before;
        if elsewhere && self.auth.is_some() && patch.auth.is_none() {
            let message =
                "must be given again or set to null, because it would be sent to another server than before".to_owned();
            problems.push(Problem { path: "processor.auth".to_owned(), message });
        }
        set(&mut self.auth, patch.auth);
        set(&mut self.in_flight, patch.in_flight);
        set(&mut self.pre_roll, patch.pre_roll);
        let known = Known { headers: &self.headers, elsewhere };
        self.headers = known.patched("processor.headers", patch.headers, problems);
    }

    /// The settings without secrets.
    pub(super) fn shown(&self) -> Value {
        let Self { url, path, namespace, auth, headers, in_flight, pre_roll } = self;
        json!({
            "url": shown_url(url),
            "path": path,
            "namespace": namespace,
            "auth": auth.as_ref().map(|_| HIDDEN),
            "headers": shown_headers(headers),
            "inFlight": in_flight,
            "preRoll": pre_roll,
        })
    }
}

pub(super) fn effect(old: Option<&Processor>, new: Option<&Processor>, effect: &mut ChangeEffect) {
    let (Some(old), Some(new)) = (old, new) else {
        effect.restart("processor", old != new);
        return;
    };
    let Processor { url, path, namespace, auth, headers, in_flight, pre_roll } = old;
    let place = (url, path, namespace) != (&new.url, &new.path, &new.namespace);
    let access = (auth, headers) != (&new.auth, &new.headers);
    effect.restart("processor.preRoll", *pre_roll != new.pre_roll);
    effect.live(Part::Processor, place || access || *in_flight != new.in_flight);
}
