//! Law 6 over the whole schema: for every root field and every place that accepts an id, a token of one tenant gets
//! nothing of another tenant and changes nothing of theirs. Responses for another tenant's objects and for objects that
//! do not exist are identical.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first thing that is not as it should be")]

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use outboard_tests::media::{Clip, LiveOrigin, entries};
use outboard_tests::receiver::nginx::Nginx;
use outboard_tests::schema::{INTROSPECTION, Place, Schema};
use outboard_tests::server::Server;
use serde_json::{Value, json};

/// Part of all names of the victim, so that a leak is visible.
const MARK: &str = "zqvictim";

/// The ids of the victim's objects.
struct Victim {
    tenant: String,
    pipeline: String,
    webhook: String,
    delivery: String,
    token: String,
}

impl Victim {
    /// The victim's id for a place.
    fn at(&self, place: &Place) -> &str {
        let last = place.path.last().unwrap().as_str();
        let field = place.field.to_lowercase();
        match last {
            "tenant" => &self.tenant,
            "pipeline" => &self.pipeline,
            "webhook" => &self.webhook,
            _ if field.contains("webhook") => &self.webhook,
            _ if field.contains("deliver") => &self.delivery,
            _ if field.contains("token") => &self.token,
            _ if field.contains("tenant") => &self.tenant,
            _ => &self.pipeline,
        }
    }
}

/// Ids of the same form that do not exist.
fn nobody() -> Victim {
    Victim {
        tenant: "nobodys".into(),
        pipeline: "nobodys:nobodys".into(),
        webhook: "nobodys:999999".into(),
        delivery: "nobodys:999999".into(),
        token: "999999".into(),
    }
}

async fn ask(server: &Server, token: Option<&str>, query: &str) -> Value {
    server.graphql(token, query, &json!({})).await.body
}

/// The response; for a subscription, all messages within a short time.
async fn answer(server: &Server, token: &str, kind: &str, query: &str) -> Value {
    if kind != "subscription" {
        return ask(server, Some(token), query).await;
    }
    let url = server.url("/graphql");
    let request = reqwest::Client::new()
        .post(url)
        .header("content-type", "application/json")
        .header("accept", "text/event-stream")
        .header("authorization", format!("Bearer {token}"))
        .body(json!({ "query": query }).to_string());
    let mut response = request.send().await.unwrap();
    let mut text = String::new();
    let listening = async {
        while let Some(bytes) = response.chunk().await.unwrap() {
            text.push_str(&String::from_utf8_lossy(&bytes));
        }
    };
    // A running pipeline reports each second, and this one is on air.
    let _ = tokio::time::timeout(Duration::from_millis(2500), listening).await;
    Value::from(text)
}

async fn made(server: &Server, nginx: &Nginx, source: &str) -> (Victim, String) {
    let admin = server.tenant(&format!("{MARK}-tenant")).await;
    let settings = json!({
        "source": { "url": source },
        "destinations": [{ "url": nginx.url(&format!("{MARK}-key")) }],
        "batchSeconds": 2,
    });
    let pipeline = server.create(Some(&admin), &format!("{MARK}-stream"), &settings, true).await;
    server.until(Some(&admin), &pipeline, "on air", Duration::from_secs(60), |status| status["onAir"] == true).await;
    let hook = format!(
        "mutation {{ createWebhook(input: {{ name: \"{MARK}-hook\", url: \"http://127.0.0.1:9/{MARK}\" }}) {{ webhook {{ id }} }} }}"
    );
    let webhook = ask(server, Some(&admin), &hook).await["data"]["createWebhook"]["webhook"]["id"].clone();
    let tried = format!("mutation {{ testWebhook(id: {webhook}) {{ id }} }}");
    let delivery = ask(server, Some(&admin), &tried).await["data"]["testWebhook"]["id"].clone();
    let token = format!(
        "mutation {{ createToken(input: {{ name: \"{MARK}-token\", role: VIEWER }}) {{ token {{ id }} secret }} }}"
    );
    let made = ask(server, Some(&admin), &token).await["data"]["createToken"].clone();
    let text = |value: &Value| value.as_str().unwrap_or_else(|| unreachable!("{value}")).to_owned();
    let victim = Victim {
        tenant: format!("{MARK}-tenant"),
        pipeline,
        webhook: text(&webhook),
        delivery: text(&delivery),
        token: text(&made["token"]["id"]),
    };
    (victim, text(&made["secret"]))
}

/// The victim's state as the host's admin sees it, without values that change on their own.
async fn seen(server: &Server, victim: &Victim) -> Value {
    let query = format!(
        "{{ pipeline(id: \"{}\") {{ revision desired settings {{ batchSeconds }} status {{ startedAt restarts }} }}
            tenant(id: \"{tenant}\") {{ disabled quotas {{ pipelines }} networkPolicy {{ private public denyHosts }} }}
            webhooks(tenant: \"{tenant}\") {{ id name url enabled kinds }}
            tokens(tenant: \"{tenant}\") {{ edges {{ node {{ id name role usable }} }} }} }}",
        victim.pipeline,
        tenant = victim.tenant
    );
    let answer = ask(server, None, &query).await;
    assert!(answer["errors"].is_null(), "{answer}");
    answer
}

#[tokio::test]
async fn no_token_of_another_tenant_gets_anything() {
    let origin = LiveOrigin::start(entries(&Clip::small(60), false)).await;
    let nginx = Nginx::start();
    let storage = tempfile::tempdir().unwrap();
    let server = Server::start(storage.path()).await;
    let (victim, secret) = made(&server, &nginx, &origin.url).await;
    let admin = server.tenant("other").await;
    let mut tokens = vec![("admin", admin.clone())];
    for role in ["OPERATOR", "VIEWER"] {
        let query = format!("mutation {{ createToken(input: {{ name: \"{role}\", role: {role} }}) {{ secret }} }}");
        let made = ask(&server, Some(&admin), &query).await["data"]["createToken"]["secret"].clone();
        tokens.push((role, made.as_str().unwrap().to_owned()));
    }
    let schema = Schema::new(&ask(&server, Some(&admin), INTROSPECTION).await["data"]);
    let before = seen(&server, &victim).await;
    let (fields, places) = (schema.fields(), schema.id_places());
    assert!(places.len() >= 35 && fields.values().map(BTreeSet::len).sum::<usize>() >= 35, "{places:#?}");

    for (role, token) in &tokens {
        // Everything for which an id is not required.
        let asked = fields.iter().filter(|(kind, _)| **kind != "mutation");
        let asked =
            asked.flat_map(|(kind, names)| names.iter().map(|field| (*kind, schema.request(kind, field, None))));
        join_all(asked.map(async |(kind, query)| {
            let answer = answer(&server, token, kind, &query).await;
            assert!(!answer.to_string().contains(MARK), "{role}: {query}: {answer:#}");
        }))
        .await;
        // Every place for an id, with the victim's id and with one that does not exist.
        join_all(places.iter().map(async |place| {
            let mut answers = Vec::new();
            for of in [&victim, &nobody()] {
                let id = of.at(place);
                let query = schema.request(place.kind, &place.field, Some((&place.path, id)));
                let mut answer = answer(&server, token, place.kind, &query).await;
                // The location in the query is independent of the id.
                for error in answer.get_mut("errors").and_then(Value::as_array_mut).into_iter().flatten() {
                    error.as_object_mut().map(|error| error.remove("locations"));
                }
                // Responses may repeat the caller's input: the id, and the parts of it.
                let mut text = answer.to_string().replace(id, "X");
                for part in id.split(':') {
                    text = text.replace(part, "X");
                }
                assert!(!text.contains(MARK), "{role}: {query}: {answer:#}");
                answers.push(text);
            }
            assert_eq!(answers[0], answers[1], "{role}: {place:?} tells another's from what is not there");
        }))
        .await;
    }
    assert_eq!(seen(&server, &victim).await, before, "something of the victim changed");
    // The victim is still on air, and its token is still valid.
    let query = format!("{{ pipeline(id: \"{}\") {{ status {{ onAir }} }} }}", victim.pipeline);
    assert_eq!(ask(&server, Some(&secret), &query).await["data"]["pipeline"]["status"]["onAir"], true);
}
