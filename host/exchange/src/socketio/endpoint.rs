//! The address of a Socket.IO server as one WebSocket request. In: the exchange's configuration. Out: the checked parts
//! that a connection needs; no text contains secrets.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue, Uri, header};
use url::Url;

use super::super::config::ExchangeConfig;
use outboard_base::redact::Secrets;
use outboard_net::{Guard, NetError};

/// What is wrong with the configuration; names the key, never a value that may be secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Not a URL, or one without a host.
    #[error("url: not a URL of a server ({0}); expected http://, https://, ws:// or wss:// and a host")]
    Url(String),
    /// The URL has a scheme that is not supported.
    #[error("url: scheme {0:?}; expected http, https, ws or wss")]
    Scheme(String),
    /// The path does not begin with a slash.
    #[error("path: {0:?} does not start with a slash")]
    Path(String),
    /// The namespace is not valid.
    #[error("namespace: {0:?} does not start with a slash, or holds a comma or a question mark")]
    Namespace(String),
    /// CONNECT's payload is not a JSON object.
    #[error("auth: expected a JSON object")]
    Auth,
    /// A header's name or value is not valid in HTTP.
    #[error("headers: {0:?} is not a valid header (name or value)")]
    Header(String),
    /// A header that the WebSocket handshake sets itself.
    #[error("headers: {0:?} is set by the WebSocket upgrade itself")]
    ReservedHeader(String),
}

/// A server, a namespace on it, and the credentials for it. Cheap to keep; created once.
#[derive(Clone)]
pub struct Endpoint {
    uri: Uri,
    host: String,
    port: u16,
    server: String,
    namespace: String,
    auth: Option<Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
    ca_file: Option<PathBuf>,
    guard: Guard,
    connect_timeout: Duration,
    /// Secrets that a server's text may quote and that must not be shown.
    secrets: Secrets,
}

const DEFAULT_PATH: &str = "/socket.io/";

impl Endpoint {
    /// Checks the settings of the processor, without connecting.
    pub fn new(config: &ExchangeConfig) -> Result<Self, EndpointError> {
        let mut url = Url::parse(&config.url).map_err(|error| EndpointError::Url(error.to_string()))?;
        let scheme = match url.scheme() {
            "http" | "ws" => "ws",
            "https" | "wss" => "wss",
            other => return Err(EndpointError::Scheme(other.to_owned())),
        };
        let host = url.host_str().ok_or_else(|| EndpointError::Url("no host".to_owned()))?;
        let (host, port) = (host.to_owned(), url.port_or_known_default().unwrap_or_default());
        let server = format!("{host}:{port}");
        let (path, namespace) = places(config, url.path())?;
        if config.auth.as_ref().is_some_and(|auth| !auth.is_object()) {
            return Err(EndpointError::Auth);
        }
        let mut headers = headers(&config.headers)?;
        headers.extend(authorization(&url));
        let secrets = secrets(config, &url);

        // Changing between ws and wss, and removing the user, always succeeds.
        let _ = url.set_scheme(scheme);
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.set_fragment(None);
        url.set_path(&path);
        let given: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        url.set_query(None);
        url.query_pairs_mut()
            .extend_pairs(given.iter().chain(&config.query).filter(|(key, _)| !is_engine_key(key)))
            .extend_pairs([("EIO", "4"), ("transport", "websocket")]);
        // The text of this error may contain the query.
        let uri = url.as_str().parse().map_err(|_| EndpointError::Url("not a URI".to_owned()))?;
        Ok(Self {
            uri,
            host,
            port,
            server,
            namespace,
            auth: config.auth.clone(),
            headers,
            ca_file: config.ca_file.clone(),
            guard: config.guard.clone(),
            connect_timeout: config.connect_timeout,
            secrets,
        })
    }

    /// Whether a server's text quotes credentials.
    pub fn is_quoted_in(&self, text: &str) -> bool {
        self.secrets.quoted_in(text)
    }

    /// A server's text on one line; replaced if it quotes credentials.
    pub fn hide(&self, text: &str) -> String {
        self.secrets.hide(text)
    }

    /// Host name or address, without brackets.
    pub fn host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// The path of the handshake request.
    pub fn path(&self) -> &str {
        self.uri.path()
    }

    /// Host and port, which may be logged.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The namespace to join.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Payload of CONNECT; a secret.
    pub fn auth(&self) -> Option<&Value> {
        self.auth.as_ref()
    }

    /// The certificate authorities to trust instead of the system's.
    pub fn ca_file(&self) -> Option<&std::path::Path> {
        self.ca_file.as_deref()
    }

    /// Opens a TCP connection to the server, if the network policy allows it.
    pub async fn dial(&self) -> Result<TcpStream, NetError> {
        self.guard.connect(&self.host, self.port).await
    }

    /// Whether the connection uses TLS.
    pub fn tls(&self) -> bool {
        self.uri.scheme_str() == Some("wss")
    }

    /// Limit for the connection; the handshake has the same limit again.
    pub fn connect_timeout(&self) -> Duration {
        self.connect_timeout
    }

    /// The request of the WebSocket handshake.
    pub fn request(&self) -> Result<Request, tokio_tungstenite::tungstenite::Error> {
        let mut request = self.uri.clone().into_client_request()?;
        for (name, value) in &self.headers {
            request.headers_mut().append(name, value.clone());
        }
        Ok(request)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("server", &self.server)
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

/// The Engine.IO path and the namespace, from the settings and the URL's path.
fn places(config: &ExchangeConfig, url_path: &str) -> Result<(String, String), EndpointError> {
    let slashed = |path: &str| if path.ends_with('/') { path.to_owned() } else { format!("{path}/") };
    if let Some(path) = config.path.as_ref().filter(|path| !path.starts_with('/')) {
        return Err(EndpointError::Path(path.clone()));
    }
    let url_is_path = slashed(url_path).ends_with(DEFAULT_PATH);
    let path = match &config.path {
        Some(path) => path.clone(),
        None if url_is_path => slashed(url_path),
        None => DEFAULT_PATH.to_owned(),
    };
    let namespace = match &config.namespace {
        Some(namespace) if namespace.is_empty() => "/",
        Some(namespace) => namespace.as_str(),
        None if url_is_path || slashed(&path) == slashed(url_path) => "/",
        None => url_path,
    };
    if !namespace.starts_with('/') || namespace.contains([',', '?']) {
        return Err(EndpointError::Namespace(namespace.to_owned()));
    }
    Ok((path, namespace.to_owned()))
}

fn headers(pairs: &[(String, String)]) -> Result<Vec<(HeaderName, HeaderValue)>, EndpointError> {
    let reserved = |name: &HeaderName| {
        [header::HOST, header::CONNECTION, header::UPGRADE].contains(name)
            || name.as_str().starts_with("sec-websocket-")
    };
    let mut headers = Vec::with_capacity(pairs.len());
    for (name, value) in pairs {
        let bad = || EndpointError::Header(name.clone());
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
        if reserved(&header) {
            return Err(EndpointError::ReservedHeader(name.clone()));
        }
        let mut value = HeaderValue::from_str(value).map_err(|_| bad())?;
        value.set_sensitive(true);
        headers.push((header, value));
    }
    Ok(headers)
}

/// Basic authorization (RFC 7617) from the URL's user and password.
fn authorization(url: &Url) -> Option<(HeaderName, HeaderValue)> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let decode = |text: &str| {
        let pair = format!("x={}", text.replace('+', "%2B"));
        url::form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
    };
    let pair = format!("{}:{}", decode(url.username()), decode(url.password().unwrap_or_default()));
    let value = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair));
    let mut value = HeaderValue::from_str(&value).ok()?;
    value.set_sensitive(true);
    Some((header::AUTHORIZATION, value))
}

/// The secrets: password (or the name if it is alone), header values, query values and all texts of `auth`.
fn secrets(config: &ExchangeConfig, url: &Url) -> Secrets {
    let mut all = vec![url.password().unwrap_or(url.username()).to_owned()];
    all.extend(url.query_pairs().map(|(_, value)| value.into_owned()));
    all.extend(config.query.iter().chain(&config.headers).map(|(_, value)| value.clone()));
    if let Some(auth) = &config.auth {
        texts(auth, &mut all);
    }
    Secrets::new(all)
}

/// Every text in a JSON value; no deeper than JSON is parsed.
fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(values) => values.iter().for_each(|value| texts(value, found)),
        Value::Object(values) => values.values().for_each(|value| texts(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn is_engine_key(key: &str) -> bool {
    matches!(key, "EIO" | "transport" | "sid" | "t" | "b64")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(change: impl FnOnce(&mut ExchangeConfig)) -> Result<Endpoint, EndpointError> {
        let mut config = ExchangeConfig::new("http://localhost:5000");
        change(&mut config);
        Endpoint::new(&config)
    }

    fn at(url: &str) -> (String, String) {
        let endpoint = endpoint(|config| config.url = url.to_owned()).unwrap();
        (endpoint.uri.to_string(), endpoint.namespace)
    }

    #[test]
    fn urls_become_websocket_requests() {
        let plain = ("ws://localhost:5000/socket.io/?EIO=4&transport=websocket".to_owned(), "/".to_owned());
        assert_eq!(at("http://localhost:5000"), plain);
        assert_eq!(at("ws://localhost:5000/"), plain);
        assert_eq!(at("ws://localhost:5000/socket.io"), plain);
        assert_eq!(at("http://localhost:5000/socket.io/?EIO=3&transport=polling&sid=x"), plain);
        let (uri, namespace) = at("https://host/audio/fr?room=a%20b#f");
        assert_eq!(uri, "wss://host/socket.io/?room=a+b&EIO=4&transport=websocket");
        assert_eq!(namespace, "/audio/fr");
        let (uri, namespace) = at("wss://host/behind/proxy/socket.io/");
        assert_eq!(
            (uri.as_str(), namespace.as_str()),
            ("wss://host/behind/proxy/socket.io/?EIO=4&transport=websocket", "/")
        );
        assert!(at("http://[::1]:5000").0.starts_with("ws://[::1]:5000/"));
    }

    #[test]
    fn settings_go_before_the_url() {
        let custom = endpoint(|config| {
            config.url = "http://localhost:5000/rt".to_owned();
            config.path = Some("/rt".to_owned());
            config.query = vec![("key".to_owned(), "a&b".to_owned())];
        })
        .unwrap();
        assert_eq!(custom.uri.to_string(), "ws://localhost:5000/rt?key=a%26b&EIO=4&transport=websocket");
        assert_eq!(custom.namespace(), "/");
        let named = endpoint(|config| {
            config.url = "http://localhost:5000/other".to_owned();
            config.namespace = Some("/audio".to_owned());
        });
        assert_eq!(named.unwrap().namespace(), "/audio");
        assert_eq!(endpoint(|config| config.namespace = Some(String::new())).unwrap().namespace(), "/");
    }

    #[test]
    fn headers_and_users_reach_the_request_and_no_text() {
        let endpoint = endpoint(|config| {
            config.url = "http://us%40er:pa+ss@localhost:5000".to_owned();
            config.headers = vec![("X-Stream-ID".to_owned(), "s-1".to_owned())];
        })
        .unwrap();
        let request = endpoint.request().unwrap();
        assert_eq!(request.headers()["x-stream-id"], "s-1");
        let expected = base64::engine::general_purpose::STANDARD.encode("us@er:pa+ss");
        assert_eq!(request.headers()["authorization"], format!("Basic {expected}"));
        assert_eq!(request.headers()["host"], "localhost:5000");
        assert!(!format!("{endpoint:?} {:?}", request.headers()).contains("pa+ss"));
        assert!(!format!("{:?}", request.headers()).contains(&expected));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let wrong = |change: fn(&mut ExchangeConfig)| endpoint(change).unwrap_err().to_string();
        assert!(wrong(|c| c.url = "localhost".to_owned()).starts_with("url: not a URL of a server"));
        assert_eq!(
            wrong(|c| c.url = "localhost:5000".to_owned()),
            "url: scheme \"localhost\"; expected http, https, ws or wss"
        );
        assert!(wrong(|c| c.url = "http://".to_owned()).starts_with("url: "));
        assert!(wrong(|c| c.path = Some("rt".to_owned())).starts_with("path: \"rt\""));
        assert!(wrong(|c| c.namespace = Some("audio".to_owned())).starts_with("namespace: \"audio\""));
        assert!(wrong(|c| c.namespace = Some("/a,b".to_owned())).starts_with("namespace: "));
        assert!(wrong(|c| c.auth = Some(serde_json::json!("token"))).starts_with("auth: "));
        assert!(wrong(|c| c.headers = vec![("a b".to_owned(), "secret".to_owned())]).starts_with("headers: \"a b\""));
        assert!(wrong(|c| c.headers = vec![("a".to_owned(), "secret\n".to_owned())]).starts_with("headers: \"a\""));
        assert!(wrong(|c| c.headers = vec![("Upgrade".to_owned(), "x".to_owned())]).contains("set by the WebSocket"));
    }
}
