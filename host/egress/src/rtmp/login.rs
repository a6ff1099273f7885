//! Logins at `connect`. A server that requires a login refuses `connect` with a challenge; the answer is put into the
//! query of `app` and `tcUrl` of the next `connect`, on a new connection. Two methods are in use: Adobe's
//! (`authmod=adobe`) and Limelight's (`authmod=llnw`). There is no specification; both follow what servers and ffmpeg
//! send.
//!
//! In: descriptions of refusals. Out: the query for the next `connect`. Pure; at most two answers per login.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};

use super::answer::RtmpError;
use super::challenge::method;
use super::credentials::Login;
use outboard_base::text::{one_line, shortened};

/// The progress of a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The server has not requested a login yet.
    Start,
    /// The server knows the user name.
    Named,
    /// The server has the answer to its challenge.
    Answered,
}

/// One login, over the connections that it needs.
pub(super) struct Dialogue<'a> {
    login: Option<&'a Login>,
    app: &'a str,
    /// Our part of the challenge: eight hexadecimal digits.
    nonce: String,
    step: Step,
    query: String,
}

impl<'a> Dialogue<'a> {
    /// `random` must differ for each login.
    pub(super) fn new(login: Option<&'a Login>, app: &'a str, random: u32) -> Self {
        Self { login, app, nonce: format!("{random:08x}"), step: Step::Start, query: String::new() }
    }

    /// The query for `app` and `tcUrl` of the next `connect`.
    pub(super) fn query(&self) -> &str {
        &self.query
    }

    /// Processes the server's text when it refused `connect` because of a missing login.
    ///
    /// # Errors
    /// There is no login, the server refuses it, or it requires an unknown method.
    pub(super) fn refused(&mut self, description: &str) -> Result<(), RtmpError> {
        let method = method(description);
        let Some(login) = self.login else { return Err(RtmpError::LoginMissing { method: method.to_owned() }) };
        let refuse = |reason: &str| RtmpError::LoginRefused {
            user: login.user.clone(),
            reason: shortened(one_line(reason), REASON_BYTES_MAX),
        };
        let asked = reason_of(description);
        match asked {
            "authfailed" => return Err(refuse("wrong user or password")),
            "nosuchuser" => return Err(refuse("the server does not know the user")),
            _ => {}
        }
        if !["adobe", "llnw"].contains(&method) {
            return Err(refuse(&format!("it requires the method {method:?}; adobe and llnw are supported")));
        }
        let user = escaped(&login.user);
        match (self.step, asked) {
            (Step::Answered, _) => return Err(refuse(description)),
            (_, "needauth") => {
                self.step = Step::Answered;
                let challenge = parameters(description);
                self.query = if method == "adobe" {
                    self.adobe(login, &user, &challenge)
                } else {
                    self.limelight(login, &user, &challenge)
                };
            }
            (Step::Start, _) => {
                self.step = Step::Named;
                self.query = format!("?authmod={method}&user={user}");
            }
            (Step::Named, _) => return Err(refuse(description)),
        }
        Ok(())
    }

    fn adobe(&self, login: &Login, user: &str, challenge: &[(&str, &str)]) -> String {
        let nonce = &self.nonce;
        let opaque = find(challenge, "opaque");
        let salt = find(challenge, "salt").unwrap_or_default();
        let theirs = opaque.or(find(challenge, "challenge")).unwrap_or_default();
        let secret = base64_of(&[&login.user, salt, &login.password]);
        let response = base64_of(&[&secret, theirs, nonce]);
        let opaque = opaque.map(|opaque| format!("&opaque={opaque}")).unwrap_or_default();
        format!("?authmod=adobe&user={user}&challenge={nonce}&response={response}{opaque}")
    }

    /// HTTP's digest (RFC 2617, section 3.2.2) with fixed realm, method and count.
    fn limelight(&self, login: &Login, user: &str, challenge: &[(&str, &str)]) -> String {
        const COUNT: &str = "00000001";
        let (ours, theirs) = (self.nonce.as_str(), find(challenge, "nonce").unwrap_or_default());
        let instance = if self.app.contains('/') { "" } else { "/_definst_" };
        let secret = hex_of(&[&login.user, ":live:", &login.password]);
        let place = hex_of(&["publish:/", self.app, instance]);
        let response = hex_of(&[&secret, ":", theirs, ":", COUNT, ":", ours, ":auth:", &place]);
        format!("?authmod=llnw&user={user}&nonce={theirs}&cnonce={ours}&nc={COUNT}&response={response}")
    }
}

/// Longest text of a server that is shown with a refusal, in bytes.
const REASON_BYTES_MAX: usize = 200;

/// The text after `?reason=`: `needauth`, `authfailed`, `nosuchuser`; empty if only the method is named.
fn reason_of(description: &str) -> &str {
    let rest = description.split("?reason=").nth(1).unwrap_or_default();
    rest.split(['&', ' ', ']']).next().unwrap_or_default()
}

/// The parameters after the question mark.
fn parameters(description: &str) -> Vec<(&str, &str)> {
    let query = description.split_once('?').map_or("", |(_, query)| query.trim());
    query.split('&').filter_map(|pair| pair.split_once('=')).collect()
}

fn find<'a>(parameters: &[(&str, &'a str)], name: &str) -> Option<&'a str> {
    parameters.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
}

/// Escapes a user name so that it stays within the query. Servers use the rest as it is.
fn escaped(user: &str) -> String {
    let mut escaped = String::with_capacity(user.len());
    for byte in user.bytes() {
        match byte {
            b'%' | b'&' | b'=' | b'?' | b'#' | b' ' | 0x7f => escaped.push_str(&format!("%{byte:02X}")),
            0x00..=0x1f | 0x80.. => escaped.push_str(&format!("%{byte:02X}")),
            _ => escaped.push(char::from(byte)),
        }
    }
    escaped
}

fn md5_of(parts: &[&str]) -> [u8; 16] {
    let hash = parts.iter().fold(Md5::new(), |hash, part| hash.chain_update(part));
    hash.finalize().into()
}

fn base64_of(parts: &[&str]) -> String {
    STANDARD.encode(md5_of(parts))
}

fn hex_of(parts: &[&str]) -> String {
    md5_of(parts).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::super::challenge::is_asked_for;
    use super::*;

    const RANDOM: u32 = 0x0bad_cafe;

    fn login() -> Login {
        Login { user: "user".into(), password: "secret".into() }
    }

    fn dialogue<'a>(login: &'a Login, app: &'a str) -> Dialogue<'a> {
        Dialogue::new(Some(login), app, RANDOM)
    }

    // The answers below were computed with Python's hashlib.

    #[test]
    fn adobes_challenge_is_answered() {
        let login = login();
        let mut dialogue = dialogue(&login, "live");
        assert_eq!(dialogue.query(), "");
        dialogue.refused("[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] : ").unwrap();
        assert_eq!(dialogue.query(), "?authmod=adobe&user=user");
        let asked = "[ AccessManager.Reject ] : [ authmod=adobe ] : ?reason=needauth&user=user&salt=c2FsdA==&challenge=Y2hhbGxlbmdl";
        dialogue.refused(&format!("{asked}&opaque=b3BhcXVl")).unwrap();
        assert_eq!(
            dialogue.query(),
            "?authmod=adobe&user=user&challenge=0badcafe&response=MR09oEyiKVhxyV/uHww7RQ==&opaque=b3BhcXVl"
        );
        let mut without = Dialogue::new(Some(&login), "live", RANDOM);
        without.refused(asked).unwrap();
        assert_eq!(without.query(), "?authmod=adobe&user=user&challenge=0badcafe&response=ewZfz/eNSTVnr01bwBC3NQ==");
    }

    #[test]
    fn limelights_challenge_is_answered() {
        let login = login();
        let asked = "[ AccessManager.Reject ] : [ authmod=llnw ] : ?reason=needauth&user=user&nonce=MTYz";
        for (app, response) in
            [("live", "a35f36f2623161c7f95ed41f57658a6a"), ("app/inst", "fb31ba80e76eca9c77cfe5309543667a")]
        {
            let mut dialogue = dialogue(&login, app);
            dialogue.refused("[ AccessManager.Reject ] : [ code=403 need auth; authmod=llnw ] : ").unwrap();
            assert_eq!(dialogue.query(), "?authmod=llnw&user=user");
            dialogue.refused(asked).unwrap();
            let query = format!("?authmod=llnw&user=user&nonce=MTYz&cnonce=0badcafe&nc=00000001&response={response}");
            assert_eq!(dialogue.query(), query);
        }
    }

    #[test]
    fn a_refusal_ends_it_and_names_the_user_but_never_the_password() {
        let needed = "[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] : ";
        let asked = "[ authmod=adobe ] : ?reason=needauth&user=user&salt=a&challenge=b&opaque=c";
        for (said, words) in [
            (vec![asked, "[ authmod=adobe ] : ?reason=authfailed&opaque=c"], "wrong user or password"),
            (vec!["[ authmod=adobe ] : ?reason=nosuchuser"], "does not know the user"),
            (vec![asked, asked], "needauth"),
            (vec![needed, needed], "code=403"),
            (vec!["[ code=403 need auth; authmod=basic ]"], "the method \"basic\"; adobe and llnw"),
        ] {
            let login = login();
            let mut dialogue = dialogue(&login, "live");
            let ended = said.iter().map(|text| dialogue.refused(text)).find_map(Result::err).unwrap().to_string();
            assert!(ended.starts_with("the server refused the login of user \"user\": "), "{ended}");
            assert!(ended.contains(words) && !ended.contains("secret"), "{ended}");
        }
        let mut nobody = Dialogue::new(None, "live", RANDOM);
        let missing = nobody.refused(needed).unwrap_err().to_string();
        assert!(missing.contains("requires a login (adobe)") && missing.contains("user:password@"), "{missing}");
        assert!(is_asked_for(needed) && !is_asked_for("go away"));
        assert!(!format!("{:?}", login()).contains("secret"));
    }

    #[test]
    fn a_user_stays_inside_the_query() {
        assert_eq!(escaped("a&b=c d%é"), "a%26b%3Dc%20d%25%C3%A9");
        assert_eq!(escaped("me@example.org"), "me@example.org");
    }
}
