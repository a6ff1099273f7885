//! A request with a name that does not exist is refused, and told which name is near.

use super::*;

#[tokio::test]
async fn unknown_names_of_a_request_are_refused_with_the_nearest_known_one() {
    let server = Server::start().await;
    for (query, wrong, right) in [
        ("{ pipeline(id: \"tv\") { streamID } }", "streamID", "streamId"),
        ("{ pipelin(id: \"tv\") { id } }", "pipelin", "pipeline"),
        ("{ pipelines(tenan: \"x\") { id } }", "tenan", "tenant"),
        ("mutation { deletePipelines(id: \"tv\") { id } }", "deletePipelines", "deletePipeline"),
    ] {
        let answer = server.asked(query, json!({})).await;
        let message = answer["errors"][0]["message"].as_str().unwrap();
        assert_eq!(code(&answer), "INVALID_INPUT", "{answer}");
        assert!(message.contains(&format!("\"{wrong}\"")) && message.contains("Did you mean"), "{message}");
        assert!(message.contains(&format!("\"{right}\"")), "{message}");
    }
}

#[tokio::test]
async fn unknown_fields_of_an_input_are_refused_with_the_nearest_known_one() {
    let server = Server::start().await;
    let create = "mutation($input: CreatePipelineInput!) { createPipeline(input: $input) { id } }";
    let written = "mutation { createPipeline(input: { streamId: \"tv\", settings: { batchSecond: 3 } }) { id } }";
    let settings = |name: &str| json!({ "input": { "streamId": "tv", "settings": { (name): 3 } } });
    for (query, variables, hint) in [
        (written, json!({}), "Did you mean \"batchSeconds\"?"),
        (create, settings("batchSecond"), "Did you mean \"batchSeconds\"?"),
        (create, settings("proccessor"), "Did you mean \"processor\"?"),
        (create, json!({ "input": { "streamId": "tv", "settings": {}, "noted": "x" } }), "Did you mean \"note\"?"),
    ] {
        let answer = server.asked(query, variables).await;
        let told = answer["errors"].to_string();
        assert_eq!(code(&answer), "INVALID_INPUT", "{answer}");
        assert!(told.contains(&hint.replace('"', "\\\"")), "{told}");
    }
    let far = server.asked(create, settings("zzzzzzzzzzzzzzzz")).await["errors"].to_string();
    assert!(!far.contains("Did you mean"), "{far}");
}
