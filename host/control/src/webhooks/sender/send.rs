//! One signed request to one receiver. The answer's status is all that is looked at: its body is not read.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, USER_AGENT};
use reqwest::{Method, Url};
use tokio::time::timeout;

use crate::registry::Due;
use crate::webhooks::sign::signature;
use outboard_base::unix_time::now_ms;
use outboard_net::Guard;
use outboard_net::http::{Client, reason};

/// Begins `webhook-id`; the delivery's number follows.
const ID_PREFIX: &str = "msg_";

/// Why a receiver did not take a delivery.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// HTTP status of the response, if there was one.
    pub(super) status: Option<u16>,
    /// In words, without the URL.
    pub(super) reason: String,
    /// The receiver wants no more of this.
    pub(super) last: bool,
}

impl Failure {
    fn new(reason: impl Into<String>) -> Self {
        Self { status: None, reason: reason.into(), last: false }
    }
}

/// Sends it. `Ok` with the status: it was taken.
pub(super) async fn once(due: &Due, guard: &Guard, limit: Duration) -> Result<u16, Failure> {
    match timeout(limit, request(due, guard)).await {
        Ok(sent) => sent.and_then(judge),
        Err(_) => Err(Failure::new(format!("no answer within {limit:?}"))),
    }
}

async fn request(due: &Due, guard: &Guard) -> Result<u16, Failure> {
    // The parser's words don't repeat the URL.
    let url = Url::parse(due.url.get()).map_err(|error| Failure::new(format!("the webhook's URL: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Failure::new(format!("the webhook's URL: {}: is neither http: nor https:", url.scheme())));
    }
    let tls = outboard_net::tls::client_config().await;
    // A client for each request: events are rare, and no connection is kept that another tenant could use.
    let client = Client::new(guard, 0, |builder| {
        builder.pool_max_idle_per_host(0).tls_backend_preconfigured(rustls::ClientConfig::clone(&tls))
    });
    let client = client.map_err(|error| Failure::new(reason(&error)))?;
    let (id, timestamp) = (format!("{ID_PREFIX}{}", due.delivery.id), now_ms() / 1000);
    let body = due.delivery.payload.clone();
    let request = client.request(Method::POST, url).map_err(|denied| Failure::new(denied.to_string()))?;
    let answer = request
        .header(CONTENT_TYPE, "application/json")
        .header(USER_AGENT, concat!("outboard/", env!("CARGO_PKG_VERSION")))
        .header("webhook-signature", signature(due.secret.get(), &id, timestamp, body.as_bytes()))
        .header("webhook-id", id)
        .header("webhook-timestamp", timestamp)
        .body(body)
        .send()
        .await;
    answer.map(|answer| answer.status().as_u16()).map_err(|error| Failure::new(reason(&error)))
}

fn judge(status: u16) -> Result<u16, Failure> {
    let reason = match status {
        200..=299 => return Ok(status),
        300..=399 => {
            format!("HTTP status {status}: redirects are not followed; set the webhook's URL to the final address")
        }
        410 => "HTTP status 410 (Gone): not retried".to_owned(),
        _ => format!("HTTP status {status}"),
    };
    Err(Failure { status: Some(status), reason, last: status == 410 })
}
