//! Which components a tenant may use: the digests that are listed, and those that are signed.
//!
//! | component | may be used |
//! |---|---|
//! | bundled | always: it is the host's own, and what it falls back to |
//! | the tenant's own | where there is a list, only if listed; where there is a key, only if signed with that key |
//! | shared | where there is a list, or a key, only if listed |
//!
//! Checked when a component is added, and whenever settings, a start or a swap name one.

use serde::{Deserialize, Serialize};

use super::signature::{PublicKey, Signature};
use super::store::Standing;
use crate::error::ControlError;
use crate::limits::STAGE_POLICY_DIGESTS_MAX;
use crate::registry::TenantRow;
use outboard_base::Problem;

/// A tenant's policy, as host admins set it. What is left out asks for nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct StagePolicy {
    /// Digests, `sha256:…`; `None`: any.
    pub allow: Option<Vec<String>>,
    /// PEM; `None`: nothing has to be signed.
    pub public_key: Option<String>,
}

// === impl StagePolicy ===

impl StagePolicy {
    /// A tenant's. One that cannot be read lets nothing through but what is bundled.
    pub fn of(tenant: &TenantRow) -> Self {
        let Some(kept) = &tenant.stages else { return Self::default() };
        Self::deserialize(kept).unwrap_or_else(|error| {
            tracing::error!(tenant = tenant.name, %error, "failed to read the stage policy: no component is permitted");
            Self { allow: Some(Vec::new()), public_key: None }
        })
    }

    /// Everything that is wrong with it.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let listed = self.allow.as_deref().unwrap_or_default();
        if listed.len() > STAGE_POLICY_DIGESTS_MAX {
            let message = format!("has {} digests; the limit is {STAGE_POLICY_DIGESTS_MAX}", listed.len());
            problems.push(Problem { path: "allow".to_owned(), message });
        } else {
            let wrong = listed.iter().enumerate().filter(|(_, digest)| !is_digest(digest));
            problems.extend(wrong.map(|(n, digest)| {
                let short: String = digest.chars().take(80).collect();
                let message = format!("{short:?} is not a digest: \"sha256:\" and 64 hexadecimal digits in lower case");
                Problem { path: format!("allow[{n}]"), message }
            }));
        }
        if let Some(Err(message)) = self.public_key.as_deref().map(PublicKey::from_pem) {
            problems.push(Problem { path: "publicKey".to_owned(), message });
        }
        problems
    }

    /// Whether a component may be added for the tenant. Answers the id of the key that it is signed with, where there is one.
    ///
    /// # Errors
    /// [`ControlError::InvalidInput`] at `path` or at `signature`.
    pub(super) fn admit(
        &self,
        path: &str,
        digest: &str,
        bytes: &[u8],
        signature: Option<&Signature>,
    ) -> Result<Option<String>, ControlError> {
        if !self.lists(digest).unwrap_or(true) {
            return Err(ControlError::invalid(path, unlisted(digest)));
        }
        let wrong = |message: String| ControlError::invalid("signature", message);
        let Some(key) = self.key().map_err(wrong)? else { return Ok(None) };
        match signature {
            None => Err(wrong(format!(
                "is missing: this tenant accepts only components that are signed with its key {}",
                key.id()
            ))),
            Some(signature) if key.verifies(bytes, signature) => Ok(Some(key.id())),
            Some(_) => Err(wrong(format!(
                "does not match this file ({digest}) and the tenant's key {}; sign the unchanged file",
                key.id()
            ))),
        }
    }

    /// Whether a component that the tenant has may be used.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn check(&self, digest: &str, standing: &Standing) -> Result<(), String> {
        match self.lists(digest) {
            Some(false) => return Err(unlisted(digest)),
            // A shared one that is listed needs nothing else.
            Some(true) if standing.shared => return Ok(()),
            _ => {}
        }
        let Some(key) = self.key()? else { return Ok(()) };
        match &standing.own {
            Some(signed_by) if signed_by.as_deref() == Some(&*key.id()) => Ok(()),
            Some(_) => {
                Err(format!("{digest} is not signed with the tenant's key {}: add it with a signature", key.id()))
            }
            None => Err(format!(
                "{digest} is shared, and the tenant has a key of its own: an admin of the host can list it in \
                 stagePolicy.allow"
            )),
        }
    }

    /// `None`: there is no list.
    fn lists(&self, digest: &str) -> Option<bool> {
        self.allow.as_ref().map(|listed| listed.iter().any(|one| one == digest))
    }

    fn key(&self) -> Result<Option<PublicKey>, String> {
        let key = self.public_key.as_deref().map(PublicKey::from_pem).transpose();
        key.map_err(|error| format!("cannot be verified: the tenant's key {error}"))
    }
}

fn unlisted(digest: &str) -> String {
    format!("{digest} is not among the components that this tenant may use (stagePolicy.allow)")
}

fn is_digest(text: &str) -> bool {
    let hex = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
    text.strip_prefix("sha256:").is_some_and(|digits| digits.len() == 64 && digits.bytes().all(hex))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of nobody's: what is verified in these tests is told in [`Standing`].
    const KEY: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA7loSPeLPPTuwvC6WhRoRyrjfOd3PVt1QKYhyaSV/EW8=
-----END PUBLIC KEY-----";

    fn policy(listed: bool, list: bool, key: bool) -> StagePolicy {
        let allow = list.then(|| if listed { vec!["it".to_owned()] } else { Vec::new() });
        StagePolicy { allow, public_key: key.then(|| KEY.to_owned()) }
    }

    #[test]
    fn lists_and_keys_say_what_may_be_used() {
        let id = PublicKey::from_pem(KEY).unwrap().id();
        let shared = Standing { shared: true, own: None };
        let plain = Standing { shared: false, own: Some(None) };
        let signed = Standing { shared: false, own: Some(Some(id.clone())) };
        let by_another = Standing { shared: false, own: Some(Some("sha256:00".to_owned())) };
        let both = Standing { shared: true, own: Some(Some(id)) };
        // [no policy, listed, not listed, key, key and listed, key and not listed]
        let cases = [
            (shared, [true, true, false, false, true, false]),
            (plain, [true, true, false, false, false, false]),
            (signed, [true, true, false, true, true, false]),
            (by_another, [true, true, false, false, false, false]),
            (both, [true, true, false, true, true, false]),
        ];
        let policies = [
            policy(false, false, false),
            policy(true, true, false),
            policy(false, true, false),
            policy(false, false, true),
            policy(true, true, true),
            policy(false, true, true),
        ];
        for (standing, wanted) in cases {
            let found = policies.each_ref().map(|policy| policy.check("it", &standing).is_ok());
            assert_eq!(found, wanted, "{standing:?}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_policy_is_named_by_its_place() {
        let policy = StagePolicy {
            allow: Some(vec![format!("sha256:{}", "0a".repeat(32)), "sha256:0A".to_owned()]),
            public_key: Some("none".to_owned()),
        };
        let paths: Vec<_> = policy.problems().into_iter().map(|problem| problem.path).collect();
        assert_eq!(paths, ["allow[1]", "publicKey"]);
        let many = StagePolicy { allow: Some(vec![String::new(); 300]), public_key: None };
        assert_eq!(many.problems().len(), 1);
        assert_eq!(StagePolicy::default().problems(), []);
    }
}
