use std::collections::BTreeSet;
use std::path::Path;

use super::*;
use crate::graphql::{bare_schema, sdl};

const INTROSPECTION: &str = "{ __schema {
    queryType { name } mutationType { name } subscriptionType { name }
    types { kind name description
        fields { name description args { name description } }
        inputFields { name description }
        enumValues { name description } } } }";

#[test]
fn the_schema_that_is_checked_in_is_the_one_that_is_served() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema.graphql");
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(&file, sdl()).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        kept == sdl(),
        "host/api/schema.graphql is not what is served: UPDATE_SCHEMA=1 cargo test -p outboard-api --lib schema"
    );
}

#[tokio::test]
async fn everything_is_documented() {
    let answer = serde_json::to_value(bare_schema::bare().finish().execute(INTROSPECTION).await).unwrap();
    let schema = &answer["data"]["__schema"];
    let mut missing = BTreeSet::new();
    let mut seen = 0;
    let mut look = |place: String, thing: &Value| {
        seen += 1;
        if thing["description"].as_str().is_none_or(|text| text.trim().is_empty()) {
            missing.insert(place);
        }
    };
    // GraphQL's own, which every client knows.
    let own = ["Boolean", "Float", "ID", "Int", "String"];
    let types = schema["types"].as_array().unwrap().iter();
    for kind in
        types.filter(|kind| kind["name"].as_str().is_some_and(|name| !name.starts_with("__") && !own.contains(&name)))
    {
        let name = kind["name"].as_str().unwrap();
        look(name.to_owned(), kind);
        for list in ["fields", "inputFields", "enumValues"] {
            for field in kind[list].as_array().into_iter().flatten() {
                let place = format!("{name}.{}", field["name"].as_str().unwrap());
                look(place.clone(), field);
                for argument in field["args"].as_array().into_iter().flatten() {
                    look(format!("{place}({})", argument["name"].as_str().unwrap()), argument);
                }
            }
        }
    }
    assert!(missing.is_empty(), "without a description: {missing:#?}");
    assert!(seen > 400, "only {seen} things were looked at");
}

#[tokio::test]
async fn nothing_secret_comes_out() {
    // Names under which a secret could leave. The two that do show one once, to who made it.
    let answer = serde_json::to_value(bare_schema::bare().finish().execute(INTROSPECTION).await).unwrap();
    let words = ["secret", "password", "auth", "hash", "key", "credential", "value"];
    let mut found = BTreeSet::new();
    for kind in answer["data"]["__schema"]["types"].as_array().unwrap() {
        let name = kind["name"].as_str().unwrap();
        for field in kind["fields"].as_array().into_iter().flatten().filter(|_| !name.starts_with("__")) {
            let field = field["name"].as_str().unwrap();
            if words.iter().any(|word| field.to_lowercase().contains(word)) {
                found.insert(format!("{name}.{field}"));
            }
        }
    }
    let known = [
        "CreateTokenPayload.secret",
        "CreateWebhookPayload.secret",
        "Limit.value",
        "ProcessorSettings.hasAuth",
        "StagePolicy.publicKey",
    ];
    assert_eq!(found, known.map(str::to_owned).into());
}
