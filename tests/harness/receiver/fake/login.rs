//! Servers that require a login at `connect`, with Adobe's and Limelight's methods: a refusal that names the method, a
//! refusal with a challenge, then a check of the answer.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};

/// The login that a server accepts.
#[derive(Debug, Clone, Copy)]
pub struct Login {
    /// Name of the login method: `adobe` or `llnw`.
    pub method: &'static str,
    /// User name of the publisher.
    pub user: &'static str,
    /// Password of the publisher.
    pub password: &'static str,
}

const SALT: &str = "c2FsdA==";
const OPAQUE: &str = "b3BhcXVlIQ==";
const NONCE: &str = "bm9uY2U=";

impl Login {
    /// Whether `connect` to this application is accepted; otherwise the description of the refusal.
    pub(super) fn check(&self, app: &str) -> Result<(), String> {
        let Self { method, user, password } = *self;
        let (name, query) = app.split_once('?').unwrap_or((app, ""));
        let get = |key: &str| query.split('&').filter_map(|pair| pair.split_once('=')).find(|(name, _)| *name == key);
        let given = |key: &str| get(key).map(|(_, value)| value).unwrap_or_default();
        if query.is_empty() {
            return Err(format!("[ AccessManager.Reject ] : [ code=403 need auth; authmod={method} ] : "));
        }
        let refuse = |why: &str| Err(format!("[ AccessManager.Reject ] : [ authmod={method} ] : ?reason={why}"));
        if given("authmod") != method || given("user") != user {
            return refuse("nosuchuser");
        }
        if get("response").is_none() {
            return refuse(&match method {
                "adobe" => format!("needauth&user={user}&salt={SALT}&challenge={OPAQUE}&opaque={OPAQUE}"),
                _ => format!("needauth&user={user}&nonce={NONCE}"),
            });
        }
        let want = if method == "adobe" {
            let secret = STANDARD.encode(Md5::digest(format!("{user}{SALT}{password}")));
            STANDARD.encode(Md5::digest(format!("{secret}{OPAQUE}{}", given("challenge"))))
        } else {
            let hex = |text: String| Md5::digest(text).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
            let place = if name.contains('/') { name.to_owned() } else { format!("{name}/_definst_") };
            let (secret, place) = (hex(format!("{user}:live:{password}")), hex(format!("publish:/{place}")));
            hex(format!("{secret}:{NONCE}:{}:{}:auth:{place}", given("nc"), given("cnonce")))
        };
        if given("response") == want { Ok(()) } else { refuse("authfailed") }
    }
}
