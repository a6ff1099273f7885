//! A server's response to the WebSocket handshake other than 101: its status and its text, shortened and on one line.
//!
//! tungstenite returns only the part of the body that came with the head, and drops the stream. Therefore the stream is
//! lent to it ([`Lent`]), and the rest is read here.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio_tungstenite::tungstenite::handshake::client::Response;
use tokio_tungstenite::tungstenite::http::{HeaderMap, StatusCode, header};

use super::endpoint::Endpoint;
use crate::limits::{EXCHANGE_REFUSAL_MAX_BYTES, EXCHANGE_REFUSAL_SHOWN_BYTES, EXCHANGE_REFUSAL_WAIT};
use outboard_base::redact::{LEFT_OUT, redact};
use outboard_base::text::{one_line, shortened};

/// The response on one line, without our secrets, and advice for the operator.
pub(super) async fn read<S: AsyncRead + Unpin>(
    response: &Response,
    stream: Option<S>,
    endpoint: &Endpoint,
) -> (String, String) {
    let body = body(response, stream).await;
    let said = match endpoint.is_quoted_in(&body) {
        true => LEFT_OUT.to_owned(),
        false => redact(&said(response.headers(), &body)).into_owned(),
    };
    let advice = advice(response.status(), response.headers(), &said, endpoint.path());
    (said, advice)
}

/// As much of the body as will be shown. Ends after [`EXCHANGE_REFUSAL_WAIT`] at the latest.
async fn body<S: AsyncRead + Unpin>(response: &Response, stream: Option<S>) -> String {
    let mut raw = response.body().clone().unwrap_or_default();
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
    let length: Option<usize> = header(header::CONTENT_LENGTH).and_then(|value| value.trim().parse().ok());
    let chunked = header(header::TRANSFER_ENCODING).is_some_and(|value| value.to_ascii_lowercase().contains("chunked"));
    let whole = |raw: &[u8]| {
        raw.len() >= EXCHANGE_REFUSAL_MAX_BYTES
            || if chunked { raw.ends_with(b"0\r\n\r\n") } else { length.is_some_and(|length| raw.len() >= length) }
    };
    if let Some(mut stream) = stream {
        let reading = async {
            while !whole(&raw) {
                match stream.read_buf(&mut raw).await {
                    Ok(0) | Err(_) => break,
                    Ok(_) => {}
                }
            }
        };
        // What has arrived by then is shown.
        let _ = tokio::time::timeout(EXCHANGE_REFUSAL_WAIT, reading).await;
    }
    raw.truncate(length.unwrap_or(usize::MAX).min(EXCHANGE_REFUSAL_MAX_BYTES));
    String::from_utf8_lossy(&if chunked { unchunked(&raw) } else { raw }).into_owned()
}

/// The data of a chunked body (RFC 9112, section 7.1), as far as it can be parsed.
fn unchunked(mut raw: &[u8]) -> Vec<u8> {
    let mut data = Vec::new();
    while let Some(end) = raw.windows(2).position(|pair| pair == b"\r\n") {
        let (line, rest) = raw.split_at(end);
        let size = std::str::from_utf8(line).ok().and_then(|line| line.split(';').next());
        let Some(size) = size.and_then(|size| usize::from_str_radix(size.trim(), 16).ok()).filter(|size| *size > 0)
        else {
            break;
        };
        let rest = rest.get(2..).unwrap_or_default();
        data.extend_from_slice(rest.get(..size).unwrap_or(rest));
        raw = rest.get(size + 2..).unwrap_or_default();
    }
    data
}

/// The server's text on one line; for a web page, its title. Empty if there is none.
fn said(headers: &HeaderMap, body: &str) -> String {
    let text = one_line(body);
    let html = headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    let text = match text.strip_prefix('<') {
        Some(_) if html || text.to_ascii_lowercase().contains("<html") => {
            let lower = text.to_ascii_lowercase();
            let title = lower.find("<title>").zip(lower.find("</title>"));
            match title.and_then(|(from, to)| text.get(from + "<title>".len()..to)) {
                Some(title) => format!("a web page with the title {:?}", title.trim()),
                None => "a web page".to_owned(),
            }
        }
        _ => text,
    };
    shortened(text, EXCHANGE_REFUSAL_SHOWN_BYTES)
}

fn advice(status: StatusCode, headers: &HeaderMap, said: &str, path: &str) -> String {
    let lower = said.to_ascii_lowercase();
    if lower.contains("transport") || lower.contains("websocket upgrade") {
        return "the processor offers no WebSocket transport; allow the transport \"websocket\" in its Socket.IO server"
            .to_owned();
    }
    if lower.contains("protocol version") || lower.contains("unsupported version") {
        return "the processor does not speak Engine.IO 4; it needs a Socket.IO server of version 3 or later"
            .to_owned();
    }
    if let Some(place) = headers.get(header::LOCATION).and_then(|place| place.to_str().ok()) {
        let origin = url::Url::parse(place).ok().map(|place| place.origin().ascii_serialization());
        let place = origin.unwrap_or_else(|| "another path".to_owned());
        return format!(
            "it redirects to {place}, and redirects are not followed; set processor.url to where the server is"
        );
    }
    match status.as_u16() {
        // Python's ASGI servers send a plain 403 if the Socket.IO server does not accept the transport.
        403 if said.is_empty() => {
            "check processor.headers, the user and the query in processor.url, and that the processor's \
                                   Socket.IO server allows the transport \"websocket\""
                .to_owned()
        }
        401 | 403 => "check processor.headers, and the user and the query in processor.url".to_owned(),
        404 => format!("no Socket.IO server is at the path {path}; check processor.path"),
        502..=504 => "the proxy in front of the processor does not reach it".to_owned(),
        _ => format!("expected 101 from a Socket.IO server at the path {path}"),
    }
}

/// Where a stream is returned when it is no longer used.
type Shelf<S> = Mutex<Option<S>>;

/// A stream that is returned to its owner on drop, if the owner still waits for it.
#[derive(Debug)]
pub struct Lent<S> {
    stream: Option<S>,
    owner: Weak<Shelf<S>>,
}

impl<S> Lent<S> {
    /// The stream to lend, and where it is returned.
    pub(super) fn new(stream: S) -> (Self, Arc<Shelf<S>>) {
        let owner = Arc::new(Mutex::new(None));
        (Self { stream: Some(stream), owner: Arc::downgrade(&owner) }, owner)
    }

    fn stream(&mut self) -> io::Result<Pin<&mut S>>
    where
        S: Unpin,
    {
        self.stream.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

/// Takes the stream that was returned.
pub(super) fn returned<S>(owner: &Shelf<S>) -> Option<S> {
    owner.lock().unwrap_or_else(PoisonError::into_inner).take()
}

impl<S> Drop for Lent<S> {
    fn drop(&mut self) {
        if let Some(owner) = self.owner.upgrade() {
            *owner.lock().unwrap_or_else(PoisonError::into_inner) = self.stream.take();
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lent<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_read(context, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Lent<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write(context, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::super::connection::Connection;
    use super::*;
    use crate::config::ExchangeConfig;
    use crate::fake::Script;

    /// The error for a server that sends these pieces in response to the handshake. The connection stays open.
    async fn told(pieces: &[&str]) -> String {
        let (script, url) = Script::new().await;
        let endpoint = Endpoint::new(&ExchangeConfig::new(format!("{url}/?key=SECRET0123"))).unwrap();
        let server = async {
            let mut raw = script.raw().await;
            let mut request = [0; 4096];
            let _ = raw.read(&mut request).await.unwrap();
            for piece in pieces {
                raw.write_all(piece.as_bytes()).await.unwrap();
                raw.flush().await.unwrap();
                // So that each piece is read separately.
                tokio::task::yield_now().await;
            }
            raw
        };
        let (connection, _raw) = tokio::join!(Connection::connect(&endpoint), server);
        let told = connection.expect_err("no connection").to_string();
        told.strip_prefix(&format!("{} answered HTTP ", endpoint.server()))
            .unwrap_or_else(|| panic!("{told}"))
            .to_owned()
    }

    #[tokio::test]
    async fn the_server_s_own_words_are_shown() {
        let node = r#"{"code":0,"message":"Transport unknown"}"#;
        let head = format!(
            "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            node.len()
        );
        let shown = told(&[&head, node]).await;
        assert_eq!(
            shown,
            format!(
                "400 to the WebSocket upgrade, {node}: the processor offers no WebSocket transport; allow the transport \
                 \"websocket\" in its Socket.IO server"
            )
        );
        let python = [
            "HTTP/1.1 400 BAD REQUEST\r\nContent-Type: text/plain\r\nContent-Length: 19\r\n\r\n",
            "\"Invalid ",
            "transport\"",
        ];
        let shown = told(&python).await;
        assert!(
            shown.starts_with("400 to the WebSocket upgrade, \"Invalid transport\": ")
                && shown.contains("offers no WebSocket"),
            "{shown}"
        );
        let version = [
            "HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\n\r\n",
            "18\r\n{\"code\":5,\"message\":\"Uns\r\n",
            "1f\r\nupported protocol version\"}\n\t \u{7}\r\n0\r\n\r\n",
        ];
        let shown = told(&version).await;
        assert!(
            shown.contains(r#", {"code":5,"message":"Unsupported protocol version"}: "#)
                && shown.contains("Engine.IO 4"),
            "{shown}"
        );
    }

    #[tokio::test]
    async fn what_it_says_is_bounded_and_holds_no_secret() {
        let page = "HTTP/1.1 404 Not Found\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 70\r\n\r\n<!doctype html>\n<html><head><title>Not\n here</title></head><body></html>";
        let shown = told(&[page]).await;
        assert_eq!(
            shown,
            "404 to the WebSocket upgrade, a web page with the title \"Not here\": no Socket.IO server is at the path /socket.io/; check processor.path"
        );
        // No length, and the connection stays open: what arrived within the limit is shown.
        let shown = told(&["HTTP/1.1 401 Unauthorized\r\n\r\nno such key: SECRET0123"]).await;
        assert_eq!(
            shown,
            "401 to the WebSocket upgrade, (its words quote a secret and are left out): check processor.headers, and the user and the query in processor.url"
        );
        let long = format!("HTTP/1.1 500 Oops\r\n\r\n{}", "x".repeat(100_000));
        assert!(told(&[&long]).await.len() < EXCHANGE_REFUSAL_SHOWN_BYTES + 200);
        let shown =
            told(&["HTTP/1.1 301 Moved\r\nLocation: https://p.test/a/SECRET0123?x\r\nContent-Length: 0\r\n\r\n"]).await;
        assert_eq!(
            shown,
            "301 to the WebSocket upgrade: it redirects to https://p.test, and redirects are not followed; set processor.url to where the server is"
        );
        assert!(told(&["HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"]).await.contains("expected 101"));
        assert!(told(&["HTTP/1.1 502 Bad\r\nContent-Length: 0\r\n\r\n"]).await.contains("proxy"));
    }
}
