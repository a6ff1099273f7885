use super::*;

/// What is written here is the rule; the code has to agree, action by action.
///
/// `own`: a tenant's actor about their own tenant. `foreign`: about another one. `host`: about the host itself.
/// `host-wide`: an actor of the host, about a tenant and about the host alike. V, O, A: viewer, operator, admin.
/// `+` may, `f` FORBIDDEN, `-` NOT_FOUND.
const RULES: &str = "
                    | own V O A | foreign V O A | host V O A | host-wide V O A
server.view         |     + + + |         - - - |      + + + |           + + +
self.view           |     + + + |         - - - |      + + + |           + + +
pipeline.view       |     + + + |         - - - |      f f f |           + + +
event.view          |     + + + |         - - - |      f f f |           + + +
log.view            |     + + + |         - - - |      f f f |           + + +
metrics.view        |     + + + |         - - - |      f f f |           + + +
media.view          |     + + + |         - - - |      f f f |           + + +
storage.view        |     + + + |         - - - |      f f f |           + + +
tenant.view         |     + + + |         - - - |      f f f |           + + +
stage.view          |     + + + |         - - - |      f f f |           + + +
pipeline.validate   |     f + + |         - - - |      f f f |           f + +
pipeline.create     |     f + + |         - - - |      f f f |           f + +
pipeline.update     |     f + + |         - - - |      f f f |           f + +
pipeline.roll-back  |     f + + |         - - - |      f f f |           f + +
pipeline.start      |     f + + |         - - - |      f f f |           f + +
pipeline.stop       |     f + + |         - - - |      f f f |           f + +
pipeline.restart    |     f + + |         - - - |      f f f |           f + +
destination.reconnect|     f + + |         - - - |      f f f |           f + +
pipeline.delete     |     f + + |         - - - |      f f f |           f + +
stage.add           |     f + + |         - - - |      f f f |           f + +
stage.remove        |     f + + |         - - - |      f f f |           f + +
stage.share         |     f f f |         - - - |      f f f |           f + +
stage.swap          |     f + + |         - - - |      f f f |           f + +
stage.roll-out      |     f + + |         - - - |      f f f |           f + +
storage.clean       |     f + + |         - - - |      f f f |           f + +
token.view          |     f f + |         - - - |      f f f |           f f +
token.create        |     f f + |         - - - |      f f f |           f f +
token.revoke        |     f f + |         - - - |      f f f |           f f +
webhook.view        |     f f + |         - - - |      f f f |           f f +
webhook.create      |     f f + |         - - - |      f f f |           f f +
webhook.update      |     f f + |         - - - |      f f f |           f f +
webhook.delete      |     f f + |         - - - |      f f f |           f f +
webhook.deliver     |     f f + |         - - - |      f f f |           f f +
audit.view          |     f f + |         - - - |      f f f |           f f +
demo.start          |     f f f |         - - - |      f f f |           f + +
tenant.list         |     f f f |         - - - |      f f f |           + + +
tenant.create       |     f f f |         - - - |      f f f |           f f +
tenant.delete       |     f f f |         - - - |      f f f |           f f +
tenant.disable      |     f f f |         - - - |      f f f |           f f +
tenant.set-quotas   |     f f f |         - - - |      f f f |           f f +
tenant.set-network  |     f f f |         - - - |      f f f |           f f +
tenant.set-stages   |     f f f |         - - - |      f f f |           f f +
";

fn actor(tenant: Option<&str>, role: Role) -> Actor {
    Actor { tenant: tenant.map(str::to_owned), role, token: Some(1), name: "t".into() }
}

fn sign(result: &Result<(), Denied>) -> char {
    match result {
        Ok(()) => '+',
        Err(Denied::Forbidden { .. }) => 'f',
        Err(Denied::NotFound) => '-',
    }
}

#[test]
fn every_action_for_every_role_near_and_far() {
    let mut rules = RULES.trim_matches('\n').lines().skip(1);
    for action in Action::ALL {
        let line = rules.next().unwrap();
        let (name, expected) = line.split_once('|').unwrap();
        assert_eq!(name.trim(), action.name(), "the table here has another order");
        let expected: String = expected.chars().filter(|sign| "+f-".contains(*sign)).collect();
        let of = |tenant: Option<&str>, about: Option<&str>| -> String {
            Role::ALL.iter().map(|role| sign(&actor(tenant, *role).check(*action, about))).collect()
        };
        let own = Some("acme");
        let found = [of(own, own), of(own, Some("other")), of(own, None), of(None, own)].concat();
        assert_eq!(found, expected, "{line}");
        assert_eq!(of(None, own), of(None, None), "host-wide actors are at home everywhere: {action}");
    }
    assert_eq!(rules.next(), None);
}

#[test]
fn a_foreign_tenant_and_one_that_is_not_there_are_denied_alike() {
    let operator = actor(Some("acme"), Role::Operator);
    for action in Action::ALL {
        let (there, absent) = (operator.check(*action, Some("other")), operator.check(*action, Some("nobody")));
        assert_eq!(there, absent);
        let absent = ControlError::NotFound("there is no pipeline \"x\"".into());
        assert_eq!(there.unwrap_err().or_absent(absent.clone()), absent);
    }
}

#[test]
fn names_that_only_resemble_are_foreign() {
    let admin = actor(Some("acme"), Role::Admin);
    for other in ["", "ACME", "acme ", "acm", "acme2", "*"] {
        assert_eq!(admin.check(Action::ViewPipelines, Some(other)), Err(Denied::NotFound), "{other:?}");
    }
}

#[test]
fn what_is_denied_says_what_would_do() {
    let said = |tenant, role, action| actor(tenant, role).check(action, Some("acme")).unwrap_err().to_string();
    let text = said(Some("acme"), Role::Viewer, Action::CreatePipeline);
    assert_eq!(text, "pipeline.create needs operator; this token's role is viewer");
    let text = said(Some("acme"), Role::Admin, Action::SetQuotas);
    assert_eq!(text, "tenant.set-quotas needs a host-wide admin; this token is of one tenant");
    let code = |denied: Denied| denied.or_absent(ControlError::NotFound(String::new())).code();
    assert_eq!(code(actor(None, Role::Viewer).check(Action::CreateTenant, None).unwrap_err()), "FORBIDDEN");
}
