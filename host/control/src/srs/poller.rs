//! Polls one SRS for its view of one stream.
//!
//! The first time the list of streams is read, page by page; after that the stream itself by its id, until SRS does not
//! know it under that id any more.

use std::time::Duration;

use reqwest::{Method, Response};
use serde_json::from_slice;
use tokio::time::{Instant, timeout};
use url::Url;

use super::SrsView;
use super::answer::{Answer, Stream};
use crate::limits::{SRS_ANSWER_BYTES_MAX, SRS_PAGE_STREAMS, SRS_PAGES_MAX, SRS_TIMEOUT};
use outboard_base::unix_time::now_ms;
use outboard_egress::target::Target;
use outboard_net::Guard;
use outboard_net::http::{Client, reason};

/// A stream at an SRS. It holds secrets (the key, a login), so it has no `Debug`.
#[derive(Clone, PartialEq)]
pub(super) struct Place {
    api: Url,
    /// Application and stream key without its query; `None`: not a destination that SRS could tell of.
    stream: Option<(String, String)>,
    guard: Guard,
}

impl Place {
    /// `None`: `api` is no URL; the settings refuse that.
    pub(super) fn new(api: &str, destination: &str, guard: &Guard) -> Option<Self> {
        let stream = match Target::parse(destination) {
            Ok(Target::Rtmp(target)) => {
                let name = target.key.split('?').next().unwrap_or_default().to_owned();
                Some((target.app, name))
            }
            _ => None,
        };
        Some(Self { api: base(api)?, stream, guard: guard.clone() })
    }

    /// The list of streams from the `start`th on, or the one with this id.
    fn url(&self, id: Option<&str>, start: usize) -> Url {
        let mut url = self.api.clone();
        // With the slash: without it SRS answers with a redirect.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["api", "v1", "streams", id.unwrap_or_default()]);
        }
        if id.is_none() {
            let (start, count) = (start.to_string(), SRS_PAGE_STREAMS.to_string());
            url.query_pairs_mut().append_pair("start", &start).append_pair("count", &count);
        }
        url
    }
}

/// The base URL, whether or not it was given with the API's own path.
fn base(text: &str) -> Option<Url> {
    let mut url = Url::parse(text.trim()).ok()?;
    let path = url.path().trim_end_matches('/');
    let path = ["/api/v1/streams", "/api/v1", "/api"].iter().find_map(|own| path.strip_suffix(own)).unwrap_or(path);
    let path = path.to_owned();
    url.set_path(&path);
    url.set_fragment(None);
    Some(url)
}

/// Polls one SRS about one stream, and keeps what the next poll needs of the answers: the id of the stream there and its byte count.
pub(super) struct SrsPoller {
    place: Place,
    /// Keeps its connection; reading the system's roots takes time, so it is made once.
    client: Option<Client>,
    id: Option<String>,
    /// When SRS was last asked, and how many bytes it had received by then.
    received: Option<(Instant, u64)>,
    since: Option<(bool, bool, u64)>,
}

// === impl SrsPoller ===

impl SrsPoller {
    pub(super) fn new(place: Place) -> Self {
        Self { place, client: None, id: None, received: None, since: None }
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// SRS's view now. Takes at most [`SRS_TIMEOUT`].
    pub(super) async fn poll(&mut self) -> SrsView {
        let found = match timeout(SRS_TIMEOUT, self.find()).await {
            Ok(found) => found,
            Err(_) => Err(format!("SRS's API does not answer within {} s", SRS_TIMEOUT.as_secs())),
        };
        let mut view = match found {
            Ok(Some(stream)) => self.view(&stream),
            Ok(None) => {
                (self.id, self.received) = (None, None);
                let problem = Some("SRS does not list this stream".to_owned());
                SrsView { reachable: true, problem, ..SrsView::default() }
            }
            Err(problem) => {
                self.received = None;
                SrsView { problem: Some(problem), ..SrsView::default() }
            }
        };
        let now = (view.reachable, view.publishing);
        let since = self.since.filter(|(reachable, publishing, _)| (*reachable, *publishing) == now);
        view.since_ms = since.map_or_else(now_ms, |(.., since)| since);
        self.since = Some((now.0, now.1, view.since_ms));
        view
    }

    #[cfg(test)]
    pub(super) fn known_id(&self) -> Option<String> {
        self.id.clone()
    }

    #[cfg(test)]
    pub(super) fn know_id(&mut self, id: &str) {
        self.id = Some(id.to_owned());
    }

    fn view(&mut self, stream: &Stream) -> SrsView {
        let active = stream.publish.active;
        let rate = self.rate(stream.recv_bytes);
        // Its own figure is 0 for the first 30 s, so it only stands in for ours.
        let given = stream.kbps.recv_30s.filter(|kbps| *kbps > 0.0);
        SrsView {
            reachable: true,
            publishing: active,
            since_ms: 0,
            clients: Some(stream.watchers()),
            recv_kbps: if active { rate.or(given) } else { None },
            video: stream.video_in_words(),
            audio: stream.audio_in_words(),
            problem: (!active).then(|| "SRS lists this stream, but without a publisher".to_owned()),
        }
    }

    /// Kilobits per second since the last question.
    fn rate(&mut self, bytes: Option<u64>) -> Option<f64> {
        let now = Instant::now();
        let before = std::mem::replace(&mut self.received, bytes.map(|bytes| (now, bytes)));
        let ((then, before), bytes) = before.zip(bytes)?;
        let passed = now.duration_since(then).max(Duration::from_millis(1));
        // Fewer than before: SRS counts anew.
        let bits = bytes.checked_sub(before)?.saturating_mul(8);
        Some((bits as f64 / passed.as_secs_f64() / 100.0).round() / 10.0)
    }

    /// Our stream at SRS; `Err` in words, without secrets.
    async fn find(&mut self) -> Result<Option<Stream>, String> {
        let Some((app, name)) = self.place.stream.clone() else {
            return Err("SRS has a status only for rtmp: and rtmps: destinations".to_owned());
        };
        let ours = |stream: &Stream| stream.app == app && stream.name == name;
        let client = match &self.client {
            Some(client) => client.clone(),
            None => {
                let client = Client::new(&self.place.guard, 0, |builder| builder.pool_max_idle_per_host(1));
                self.client.insert(client.map_err(|error| reason(&error))?).clone()
            }
        };
        if let Some(id) = self.id.clone() {
            match self.get(&client, Some(&id), 0).await?.stream {
                Some(stream) if ours(&stream) && stream.publish.active => return Ok(Some(stream)),
                // Gone, or taken over by another publisher: it is looked for anew.
                _ => self.id = None,
            }
        }
        let mut found = None;
        for page in 0..SRS_PAGES_MAX {
            let streams = self.get(&client, None, page * SRS_PAGE_STREAMS).await?.streams;
            let last = streams.len() < SRS_PAGE_STREAMS;
            // The same name may be there once for each virtual host: the one that is published is ours.
            for stream in streams.into_iter().filter(ours) {
                if found.as_ref().is_none_or(|_: &Stream| stream.publish.active) {
                    found = Some(stream);
                }
            }
            if last || found.as_ref().is_some_and(|stream| stream.publish.active) {
                break;
            }
        }
        self.id = found.as_ref().map(|stream| stream.id.clone()).filter(|id| !id.is_empty());
        Ok(found)
    }

    async fn get(&self, client: &Client, id: Option<&str>, start: usize) -> Result<Answer, String> {
        let request = client.request(Method::GET, self.place.url(id, start)).map_err(|denied| denied.to_string())?;
        let answer = request.send().await.map_err(|error| format!("SRS's API: {}", reason(&error)))?;
        let status = answer.status();
        match status.as_u16() {
            200 => {}
            401 | 403 => {
                return Err(format!(
                    "SRS's API requires a user name and a password (HTTP status {status}); expected http://user:password@host:1985",
                    status = status.as_u16()
                ));
            }
            // Under its id it is gone.
            404 if id.is_some() => return Ok(Answer::default()),
            other => return Err(format!("SRS's API answered HTTP status {other}: is this SRS's API?")),
        }
        let body = body(answer).await?;
        let answer: Answer =
            from_slice(&body).map_err(|_| "the answer is not from SRS's API (not a JSON object)".to_owned())?;
        match answer.code {
            0 => Ok(answer),
            _ if id.is_some() => Ok(Answer::default()),
            code => Err(format!("SRS's API answered with code {code}")),
        }
    }
}

async fn body(mut answer: Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| format!("SRS's API: {}", reason(&error)))? {
        if body.len() + chunk.len() > SRS_ANSWER_BYTES_MAX {
            return Err(format!("SRS's API answered with more than {SRS_ANSWER_BYTES_MAX} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
