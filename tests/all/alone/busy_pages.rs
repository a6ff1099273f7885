//! The web pages under load: fifty pipelines, a thousand log lines per second. The page must stay responsive and must
//! not grow. `node tests/browser/ui/load.mjs` does the same for longer, by hand.

use std::time::Duration;

use outboard_tests::browser::Script;
use serde_json::json;

const LIMIT: Duration = Duration::from_secs(240);
/// Duration of the load on each screen.
const SECONDS: u32 = 15;
/// Longest task on the main thread, in milliseconds; from there on users notice delays.
const LONGEST_TASK_MS: f64 = 200.0;
/// Accepted growth of memory after garbage collection, in MB: less than the data that arrives in between.
const GROWTH_MB: f64 = 4.0;

#[tokio::test]
async fn pages_answer_and_do_not_grow_with_fifty_pipelines_and_a_thousand_lines_a_second() {
    let given = json!({ "pipelines": 50, "lines": 1000, "seconds": SECONDS });
    let told = Script::start("ui/load.mjs", &given).result(LIMIT).await;
    assert_eq!(told["overview"]["rows"], 50, "{told:#}");
    assert!(told["logs"]["linesASecond"].as_f64().unwrap() > 900.0, "the load was there: {told:#}");
    assert_eq!(told["logs"]["newest"], true, "the log is followed where one sees it: {told:#}");
    for screen in ["overview", "pipeline", "logs"] {
        let seen = &told[screen];
        assert_eq!(seen["complaints"], json!([]), "{screen}: {told:#}");
        assert!(seen["tasks"].as_f64().unwrap() > 100.0, "{screen} was measured: {told:#}");
        assert!(seen["longestTaskMs"].as_f64().unwrap() <= LONGEST_TASK_MS, "{screen}: {told:#}");
        let heap: Vec<f64> = seen["heapMB"].as_array().unwrap().iter().map(|mb| mb.as_f64().unwrap()).collect();
        assert!(heap[1] - heap[0] < GROWTH_MB, "{screen}: {told:#}");
    }
}
