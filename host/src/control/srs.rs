//! What SRS says of a destination (law 7): its HTTP API is asked while the pipeline runs, so that both views can be shown
//! side by side. Nothing depends on the answer.
//!
//! Source: SRS 5 and 6, `GET /api/v1/streams/` (with the slash; without it comes a redirect).

use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::Instant;
use url::Url;

use super::runner::{Run, RunState, Wanted};
use super::settings::Destination;
use crate::limits::{SRS_ANSWER_BYTES_MAX, SRS_ASK_EVERY, SRS_STREAMS_MAX, SRS_TIMEOUT};
use crate::net::http::Client;
use crate::pipeline::air::target::Target;

/// SRS's view of our stream.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SrsView {
    /// Its API answered.
    pub reachable: bool,
    /// It has our stream, with a publisher.
    pub publishing: bool,
    /// Who is connected to the stream there, the publisher included.
    pub clients: Option<u64>,
    /// What it received in the last half minute, in kilobits per second; it tells nothing in the first half minute.
    pub recv_kbps: Option<f64>,
    /// Why there is no view.
    pub problem: Option<String>,
}

impl SrsView {
    fn problem(reachable: bool, problem: impl Into<String>) -> Self {
        Self { reachable, problem: Some(problem.into()), ..Self::default() }
    }
}

/// Where to ask, and for what.
#[derive(Debug, Clone, PartialEq)]
struct Question {
    url: Url,
    app: String,
    /// The stream's name: the key without its query. A secret.
    name: String,
}

#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(default)]
    code: i64,
    #[serde(default)]
    streams: Vec<Stream>,
}

#[derive(Debug, Deserialize)]
struct Stream {
    #[serde(default)]
    name: String,
    #[serde(default)]
    app: String,
    #[serde(default)]
    clients: u64,
    #[serde(default)]
    kbps: Rates,
    #[serde(default)]
    publish: Publish,
}

#[derive(Debug, Default, Deserialize)]
struct Rates {
    #[serde(default)]
    recv_30s: f64,
}

#[derive(Debug, Default, Deserialize)]
struct Publish {
    #[serde(default)]
    active: bool,
}

/// Asks for each destination that names an API, for as long as the pipeline runs.
pub(super) async fn follow(
    mut wanted: watch::Receiver<Wanted>,
    mut run: watch::Receiver<Run>,
    shown: watch::Sender<Vec<Option<SrsView>>>,
) {
    let mut client = None;
    loop {
        if wanted.has_changed().unwrap_or(true) {
            // What may be reached may have changed too.
            client = None;
        }
        let now = wanted.borrow_and_update().clone();
        let questions: Vec<Option<Question>> = now.settings.destinations.iter().map(Question::of).collect();
        let running = matches!(run.borrow_and_update().state, RunState::Running | RunState::Stopping);
        if !running || questions.iter().all(Option::is_none) {
            shown.send_if_modified(|views| !std::mem::take(views).is_empty());
            tokio::select! {
                changed = wanted.changed() => if changed.is_err() { return },
                changed = run.changed() => if changed.is_err() { return },
                () = shown.closed() => return,
            }
            continue;
        }
        let began = Instant::now();
        let client = match &client {
            Some(client) => client,
            None => match Client::new(&now.owner.guard, 0, |client| client) {
                Ok(made) => client.insert(made),
                Err(error) => {
                    tracing::error!(%error, "SRS cannot be asked");
                    return;
                }
            },
        };
        let asking = questions.iter().map(|question| ask(question.as_ref(), client));
        let views = futures_util::future::join_all(asking).await;
        shown.send_if_modified(|before| {
            let new = *before != views;
            *before = views;
            new
        });
        tokio::select! {
            () = tokio::time::sleep_until(began + SRS_ASK_EVERY) => {}
            () = shown.closed() => return,
        }
    }
}

impl Question {
    fn of(destination: &Destination) -> Option<Self> {
        let base = Url::parse(destination.srs_api.as_ref()?).ok()?;
        let Ok(Target::Rtmp(target)) = Target::parse(&destination.url) else { return None };
        let mut url = base;
        let path = format!("{}/api/v1/streams/", url.path().trim_end_matches('/'));
        url.set_path(&path);
        url.set_query(Some(&format!("start=0&count={SRS_STREAMS_MAX}")));
        let name = target.key.split('?').next().unwrap_or_default().to_owned();
        Some(Self { url, app: target.app, name })
    }

    /// Our stream in the answer.
    fn read(&self, body: &[u8]) -> SrsView {
        let answer: Answer = match serde_json::from_slice(body) {
            Ok(answer) => answer,
            Err(error) => return SrsView::problem(true, format!("its answer is not SRS's list of streams: {error}")),
        };
        if answer.code != 0 {
            return SrsView::problem(true, format!("it answered with its error code {}", answer.code));
        }
        let ours = answer.streams.iter().find(|stream| stream.app == self.app && stream.name == self.name);
        let Some(stream) = ours else { return SrsView { reachable: true, ..SrsView::default() } };
        SrsView {
            reachable: true,
            publishing: stream.publish.active,
            clients: Some(stream.clients),
            recv_kbps: Some(stream.kbps.recv_30s),
            problem: None,
        }
    }
}

async fn ask(question: Option<&Question>, client: &Client) -> Option<SrsView> {
    let question = question?;
    Some(match tokio::time::timeout(SRS_TIMEOUT, fetch(question, client)).await {
        Ok(Ok(body)) => question.read(&body),
        Ok(Err(problem)) => SrsView::problem(false, problem),
        Err(_) => SrsView::problem(false, format!("no answer within {} s", SRS_TIMEOUT.as_secs())),
    })
}

async fn fetch(question: &Question, client: &Client) -> Result<Vec<u8>, String> {
    let request = client.request(reqwest::Method::GET, question.url.clone()).map_err(|denied| denied.to_string())?;
    let mut response = request.send().await.map_err(|error| match crate::net::http::denied(&error) {
        Some(denied) => denied.to_string(),
        None => "cannot connect".to_owned(),
    })?;
    if !response.status().is_success() {
        return Err(format!("HTTP status {}", response.status().as_u16()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| error.without_url().to_string())? {
        body.extend_from_slice(&chunk);
        if body.len() > SRS_ANSWER_BYTES_MAX {
            return Err(format!("its answer has more than {SRS_ANSWER_BYTES_MAX} bytes"));
        }
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Guard;

    fn client(guard: &Guard) -> Client {
        Client::new(guard, 0, |client| client).unwrap()
    }

    fn question() -> Question {
        Question::of(&Destination {
            url: "rtmp://127.0.0.1/live/KEY?token=1".into(),
            srs_api: Some("http://127.0.0.1:1985".into()),
        })
        .unwrap()
    }

    /// As SRS 6 answers, but for fields that are not read.
    fn answer(active: bool) -> String {
        format!(
            r#"{{"code":0,"server":"vid-1","streams":[
                {{"id":"vid-2","name":"KEY","app":"other","clients":9,"kbps":{{"recv_30s":1,"send_30s":0}},
                  "publish":{{"active":true,"cid":"a"}},"video":null,"audio":null}},
                {{"id":"vid-3","name":"KEY","app":"live","tcUrl":"rtmp://127.0.0.1/live","clients":3,
                  "kbps":{{"recv_30s":5120,"send_30s":10240}},"publish":{{"active":{active},"cid":"b"}},
                  "video":{{"codec":"H264","profile":"High"}},"audio":{{"codec":"AAC"}}}}]}}"#
        )
    }

    #[test]
    fn our_stream_is_found_by_application_and_name() {
        assert_eq!(question().url.as_str(), "http://127.0.0.1:1985/api/v1/streams/?start=0&count=1000");
        let view = question().read(answer(true).as_bytes());
        assert_eq!((view.publishing, view.clients, view.recv_kbps), (true, Some(3), Some(5120.0)));
        assert!(!question().read(answer(false).as_bytes()).publishing);
        let gone = question().read(br#"{"code":0,"streams":[]}"#);
        assert!(gone.reachable && !gone.publishing && gone.problem.is_none());
    }

    #[test]
    fn an_answer_of_something_else_is_a_problem_without_our_key() {
        for body in ["<html>", r#"{"code":100}"#, "[]"] {
            let view = question().read(body.as_bytes());
            assert!(view.reachable && !view.publishing, "{body}");
            assert!(!view.problem.unwrap().contains("KEY"));
        }
    }

    #[tokio::test]
    async fn an_api_that_is_not_there_is_said_so() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let mut question = question();
        question.url.set_port(Some(port)).unwrap();
        let view = ask(Some(&question), &client(&Guard::open())).await.unwrap();
        assert_eq!((view.reachable, view.problem.as_deref()), (false, Some("cannot connect")));
        let strict = Guard::new(crate::net::Policy::strict()).unwrap();
        let denied = ask(Some(&question), &client(&strict)).await.unwrap().problem.unwrap();
        assert!(denied.contains("127.0.0.1"), "{denied}");
    }

    #[test]
    fn only_rtmp_destinations_with_an_api_are_asked_about() {
        let of =
            |url: &str, api: Option<&str>| Question::of(&Destination { url: url.into(), srs_api: api.map(Into::into) });
        assert_eq!(of("rtmp://h/live/k", None), None);
        assert_eq!(of("file:/a.flv", Some("http://h:1985")), None);
    }
}
