//! One HTTP request and its body: headers, redirects, timeouts, lengths. No retries.
//!
//! The configured headers are sent to the source's own origins and to the hosts in the settings only, because a
//! playlist or a redirect can name any host. Redirects are followed here and not by reqwest, which would forward all
//! but four headers. Playlists may be compressed; their size is limited after decompression. Media is requested without
//! compression, and refused if it is compressed.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use reqwest::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, HeaderMap, HeaderName, HeaderValue, LOCATION,
    RANGE, USER_AGENT,
};
use reqwest::{Method, Response, StatusCode};
use tokio::time::{Instant, timeout_at};
use url::{Origin, Position, Url};

use super::config::{Budget, HeaderHost, SourceConfig};
use super::error::{FetchError, SourceError};
use crate::limits::{
    CONNECT_TIMEOUT, HOSTS_KEPT_MAX, IDLE_CONNECTION_KEPT, IDLE_CONNECTIONS_MAX, PLAYLIST_BYTES_MAX, REDIRECTS_MAX,
};
use outboard_net::Jar;
use outboard_net::http::{Client, denied, reason};

/// The HTTP clients and headers of one source.
#[derive(Clone)]
pub(super) struct Http {
    /// For playlists: responses are decompressed.
    packed: Client,
    /// For media and keys: responses are used as they are.
    plain: Client,
    /// For media and keys from hosts that are not in `kept`: the connection closes after the response.
    passing: Client,
    /// Hosts whose connections are kept for the next request, at most [`HOSTS_KEPT_MAX`].
    kept: Arc<Mutex<Vec<String>>>,
    common: HeaderMap,
    /// Headers only for the hosts in `homes` and `hosts`.
    private: HeaderMap,
    homes: Vec<Home>,
    hosts: Vec<HeaderHost>,
}

/// Which bytes of a file are requested, and whether the response may be compressed.
#[derive(Clone, Copy)]
struct FileRequest {
    /// First byte and length.
    range: Option<(u64, u64)>,
    packed: bool,
}

/// A configured origin and the credentials in its URL, still percent-encoded.
#[derive(Clone)]
struct Home {
    origin: Origin,
    login: Option<(String, Option<String>)>,
}

impl Http {
    /// Builds the HTTP clients, with and without compression, which share their cookies.
    ///
    /// # Errors
    /// [`SourceError::Header`] and [`SourceError::Client`].
    pub(super) fn new(config: &SourceConfig) -> Result<Self, SourceError> {
        let jar = Arc::new(Jar::default());
        let client = |packed, idle| {
            let client = Client::new(&config.guard, 0, |builder| {
                builder
                    .gzip(packed)
                    .cookie_provider(Arc::clone(&jar))
                    .connect_timeout(CONNECT_TIMEOUT)
                    .pool_max_idle_per_host(idle)
                    .pool_idle_timeout(IDLE_CONNECTION_KEPT)
            });
            client.map_err(SourceError::Client)
        };
        let (packed, plain) = (client(true, IDLE_CONNECTIONS_MAX)?, client(false, IDLE_CONNECTIONS_MAX)?);
        let (passing, kept) = (client(false, 0)?, Arc::default());
        let (mut common, mut private) = (HeaderMap::new(), HeaderMap::new());
        common.insert(USER_AGENT, HeaderValue::from_static(concat!("outboard/", env!("CARGO_PKG_VERSION"))));
        for (name, value) in &config.headers {
            let wrong = || SourceError::Header { name: name.clone() };
            let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
            let mut value = HeaderValue::from_str(value).map_err(|_| wrong())?;
            value.set_sensitive(true);
            if header == USER_AGENT {
                common.insert(header, value);
            } else {
                private.append(header, value);
            }
        }
        let homes = [Some(&config.url), config.backup_url.as_ref()].into_iter().flatten().map(|url| Home {
            origin: url.origin(),
            login: (!url.username().is_empty()).then(|| (url.username().to_owned(), url.password().map(str::to_owned))),
        });
        Ok(Self {
            packed,
            plain,
            passing,
            kept,
            common,
            private,
            homes: homes.collect(),
            hosts: config.header_hosts.clone(),
        })
    }

    /// Sends a GET for media and waits for the headers. `limit` bounds the body in bytes, `range` is first byte and
    /// length.
    ///
    /// # Errors
    /// Any [`FetchError`] about status, time, transport, redirects or range.
    pub(super) async fn open(
        &self,
        url: &Url,
        range: Option<(u64, u64)>,
        limit: u64,
        budget: &Budget,
    ) -> Result<Body, FetchError> {
        self.get(url, FileRequest { range, packed: false }, limit, budget).await
    }

    async fn get(&self, url: &Url, wanted: FileRequest, limit: u64, budget: &Budget) -> Result<Body, FetchError> {
        if !is_http(url) {
            return Err(FetchError::Scheme(url.scheme().to_owned()));
        }
        let began = Instant::now();
        let until = began + budget.first_byte;
        let mut url = url.clone();
        for _ in 0..=REDIRECTS_MAX {
            let response = match timeout_at(until, self.ask(&url, wanted)).await {
                Ok(answer) => answer?,
                Err(_) => return Err(FetchError::FirstByte(budget.first_byte)),
            };
            match location(&response)? {
                Some(next) => url = next,
                None => return Body::new(response, wanted, limit, budget, began),
            }
        }
        Err(FetchError::Redirect("too many".to_owned()))
    }

    /// One request to one host.
    async fn ask(&self, url: &Url, wanted: FileRequest) -> Result<Response, FetchError> {
        let mut address = url.clone();
        let mut headers = self.common.clone();
        let origin = url.origin();
        let home = self.homes.iter().find(|home| home.origin == origin);
        if home.is_some() || self.hosts.iter().any(|host| host.is(url)) {
            headers.extend(self.private.iter().map(|(name, value)| (name.clone(), value.clone())));
        }
        if let Some(home) = home
            && let Some((user, password)) = &home.login
        {
            // Cannot fail for an http(s) URL; reqwest converts it to a header.
            let _ = address.set_username(user);
            let _ = address.set_password(password.as_deref());
        }
        if let Some((first, length)) = wanted.range {
            let last = first.saturating_add(length).saturating_sub(1);
            let value = format!("bytes={first}-{last}");
            headers.insert(
                RANGE,
                HeaderValue::try_from(value).map_err(|_| FetchError::Length { expected: length, got: 0 })?,
            );
        }
        if !wanted.packed {
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        let client = match wanted.packed {
            true => &self.packed,
            false if self.keeps(url) => &self.plain,
            false => &self.passing,
        };
        client.request(Method::GET, address)?.headers(headers).send().await.map_err(transport)
    }

    /// Whether connections to this host are kept: a playlist may name another host with each segment.
    fn keeps(&self, url: &Url) -> bool {
        let host = &url[Position::BeforeHost..Position::AfterPort];
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < HOSTS_KEPT_MAX && !kept.iter().any(|known| known == host) {
            kept.push(host.to_owned());
        }
        kept.iter().any(|known| known == host)
    }

    /// Reads a small body into memory; returns it with its final URL.
    ///
    /// # Errors
    /// Those of [`Self::open`] and [`Body::chunk`].
    pub(super) async fn read(
        &self,
        url: &Url,
        range: Option<(u64, u64)>,
        limit: u64,
        budget: &Budget,
    ) -> Result<(Url, Vec<u8>), FetchError> {
        self.open(url, range, limit, budget).await?.whole().await
    }

    /// A playlist as text, and the URL against which its relative URIs resolve.
    ///
    /// # Errors
    /// Those of [`Self::read`].
    pub(super) async fn playlist(&self, url: &Url, budget: &Budget) -> Result<(Url, String), FetchError> {
        let wanted = FileRequest { range: None, packed: true };
        let (url, bytes) = self.get(url, wanted, PLAYLIST_BYTES_MAX, budget).await?.whole().await?;
        Ok((
            url,
            String::from_utf8(bytes).unwrap_or_else(|wrong| String::from_utf8_lossy(wrong.as_bytes()).into_owned()),
        ))
    }
}

/// A body in progress; checks its length and its time.
pub(super) struct Body {
    response: Response,
    began: Instant,
    budget: Budget,
    limit: u64,
    got: u64,
    /// Bytes before the range, if the response ignored the Range header.
    skip: u64,
    /// Bytes of the range that are still missing.
    due: Option<u64>,
    range: Option<u64>,
}

impl Body {
    fn new(
        response: Response,
        wanted: FileRequest,
        limit: u64,
        budget: &Budget,
        began: Instant,
    ) -> Result<Self, FetchError> {
        let status = response.status();
        if status.is_redirection() {
            // All permitted redirects were followed.
            return Err(FetchError::Redirect(format!(
                "status {} to an address that sources may not reach",
                status.as_u16()
            )));
        }
        if !status.is_success() {
            return Err(FetchError::Status(status.as_u16()));
        }
        let coding = response.headers().get(CONTENT_ENCODING).filter(|coding| *coding != "identity");
        if let Some(coding) = coding.filter(|_| !wanted.packed) {
            let got = format!("a body with Content-Encoding {}", String::from_utf8_lossy(coding.as_bytes()));
            return Err(FetchError::Content { expected: "media that is not compressed", got });
        }
        let range = wanted.range;
        let length = range.map(|(_, length)| length);
        let mut skip = 0;
        if let Some((first, length)) = range {
            if status == StatusCode::PARTIAL_CONTENT {
                check_range(&response, first, length)?;
            } else {
                skip = first;
            }
        }
        // The relevant length is what will be read: for an ignored Range, everything up to its end.
        let announced = range.map(|(_, length)| skip.saturating_add(length)).or(content_length(&response));
        if announced.is_some_and(|announced| announced > limit) {
            return Err(FetchError::TooLarge { limit });
        }
        Ok(Self { response, began, budget: *budget, limit, got: 0, skip, due: length, range: length })
    }

    /// The final URL, after redirects.
    pub(super) fn url(&self) -> &Url {
        self.response.url()
    }

    /// The next bytes; `None` at the regular end.
    ///
    /// # Errors
    /// [`FetchError::Stalled`], [`FetchError::Slow`], [`FetchError::Transport`] (also if the connection ends before
    /// Content-Length), [`FetchError::TooLarge`], [`FetchError::Length`], [`FetchError::Empty`].
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, FetchError> {
        loop {
            if self.due == Some(0) {
                return Ok(None);
            }
            let whole = self.began + self.budget.whole;
            let pause = Instant::now() + self.budget.first_byte;
            let next = match timeout_at(whole.min(pause), self.response.chunk()).await {
                Ok(next) => next.map_err(transport)?,
                Err(_) if whole <= pause => return Err(FetchError::Slow(self.budget.whole)),
                Err(_) => return Err(FetchError::Stalled(self.budget.first_byte)),
            };
            let Some(mut bytes) = next else { return self.end() };
            self.got = self.got.saturating_add(bytes.len() as u64);
            if self.got > self.limit {
                return Err(FetchError::TooLarge { limit: self.limit });
            }
            let skipped = usize::try_from(self.skip).unwrap_or(usize::MAX).min(bytes.len());
            self.skip -= skipped as u64;
            drop(bytes.split_to(skipped));
            if let Some(due) = &mut self.due {
                bytes.truncate(usize::try_from(*due).unwrap_or(usize::MAX));
                *due -= bytes.len() as u64;
            }
            if !bytes.is_empty() {
                return Ok(Some(bytes));
            }
        }
    }

    /// The whole body, and its final URL.
    async fn whole(mut self) -> Result<(Url, Vec<u8>), FetchError> {
        let mut bytes = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            bytes.extend_from_slice(&chunk);
        }
        Ok((self.url().clone(), bytes))
    }

    fn end(&self) -> Result<Option<Bytes>, FetchError> {
        match (self.range, self.due) {
            (Some(expected), Some(due)) if due > 0 => Err(FetchError::Length { expected, got: expected - due }),
            _ if self.got == 0 => Err(FetchError::Empty),
            _ => Ok(None),
        }
    }
}

/// Content-Length of a response that is not compressed (reqwest removes the header otherwise).
fn content_length(response: &Response) -> Option<u64> {
    response.headers().get(CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

/// Checks that a 206 response has exactly the requested range.
fn check_range(response: &Response, first: u64, length: u64) -> Result<(), FetchError> {
    let last = first.saturating_add(length).saturating_sub(1);
    let header = response.headers().get(CONTENT_RANGE).map(|value| String::from_utf8_lossy(value.as_bytes()));
    if let Some(got) = header
        && !got.trim().strip_prefix("bytes").is_some_and(|range| {
            range.trim_start().split('/').next().is_some_and(|range| range.trim() == format!("{first}-{last}"))
        })
    {
        return Err(FetchError::Range { wanted: format!("{first}-{last}"), got: got.into_owned() });
    }
    match content_length(response) {
        Some(got) if got != length => Err(FetchError::Length { expected: length, got }),
        _ => Ok(()),
    }
}

/// Describes a transport fault without the URL, which may contain a token.
fn transport(error: reqwest::Error) -> FetchError {
    if let Some(denied) = denied(&error) {
        return FetchError::Denied(denied.clone());
    }
    FetchError::Transport(reason(&error))
}

fn is_http(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
}

/// The target of a redirect; it may contain a token, so no text shows it.
fn location(response: &Response) -> Result<Option<Url>, FetchError> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(to) = response.headers().get(LOCATION) else { return Ok(None) };
    let to = to.to_str().ok().and_then(|to| response.url().join(to).ok());
    let mut to = to.ok_or_else(|| FetchError::Redirect("to an invalid address".to_owned()))?;
    if !is_http(&to) {
        return Err(FetchError::Redirect(format!("to a {}: address", to.scheme())));
    }
    to.set_fragment(None);
    Ok(Some(to))
}
