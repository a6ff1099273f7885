//! Components that are refused before they run.

use super::*;

#[tokio::test]
async fn what_is_no_stage_is_refused_in_terms_of_the_contract() {
    let tmp = tempfile::tempdir().unwrap();
    let text = tmp.path().join("text.wasm");
    std::fs::write(&text, "#!/bin/sh\n").unwrap();
    let module = tmp.path().join("module.wasm");
    std::fs::write(&module, b"\0asm\x01\0\0\0").unwrap();
    let damaged = tmp.path().join("damaged.wasm");
    let whole = std::fs::read(path("faulty-remux")).unwrap();
    std::fs::write(&damaged, &whole[..whole.len() / 2]).unwrap();
    let empty = tmp.path().join("empty.wasm");
    std::fs::write(&empty, b"\0asm\x0d\0\x01\0").unwrap();

    for (file, says) in [
        (path("forbidden-import"), "it imports acme:db/query@1.2.3, which a stage does not get"),
        (path("two-worlds"), "it exports batching and remux-planning; a component implements exactly one world"),
        (path("mistyped"), "its lifecycle does not fit the contract"),
        (path("trap-in-describe"), "describe: the stage trapped"),
        (text, "not a WebAssembly component"),
        (module, "core module"),
        (damaged, "the component is not compiled: it cannot be read: "),
        (empty, "it exports nothing"),
        (tmp.path().join("absent.wasm"), "No such file"),
    ] {
        let report = inspect(runtime(), &file).await;
        assert!(!report.is_usable() && report.stage.is_none() && report.notes.is_empty(), "{file:?}");
        let [problem] = report.problems.as_slice() else { panic!("{file:?}: {:?}", report.problems) };
        assert!(problem.contains(says), "{file:?}: {problem}");
        assert!(report.to_string().contains(problem), "the printed report names it");
    }
}

#[tokio::test]
async fn what_is_a_stage_is_described() {
    let report = inspect(runtime(), &path("faulty-batching")).await;
    assert!(report.is_usable(), "{:?}", report.problems);
    let stage = report.stage.as_ref().unwrap();
    assert_eq!((stage.kind, stage.name.as_str()), (StageKind::Batching, "guest-faulty-batching"));
    assert!(stage.exports.contains(&"outboard:stage/batching@0.1.0".to_owned()), "{:?}", stage.exports);
    assert!(
        stage.imports.iter().all(|import| import.starts_with("wasi:") || import.starts_with("outboard:stage/types"))
    );
    let printed = report.to_string();
    assert!(printed.contains(&stage.digest.to_string()) && printed.contains("settings"), "{printed}");
}

#[tokio::test]
async fn a_check_opens_the_stage_and_goes_on_from_its_snapshot() {
    let report = inspect(runtime(), &path("needs-settings")).await;
    assert!(report.is_usable());
    assert!(report.notes[0].contains("does not open without settings (voice: is missing;"), "{:?}", report.notes);
    assert!(report.notes[0].len() < 2000, "a thousand problems are cut to a few");
    assert!(report.to_string().contains("note: it does not open"));

    let report = inspect(runtime(), &path("refuses-own-snapshot")).await;
    assert!(!report.is_usable() && report.stage.is_some());
    assert!(report.problems[0].contains("from its own snapshot") && report.problems[0].contains("what is this?"));
}

#[tokio::test]
async fn a_component_over_the_size_limit_is_refused_unread() {
    let config = StageRuntimeConfig { component_bytes: 1000, instances: 1, ..StageRuntimeConfig::default() };
    let small = StageRuntime::new(&config).unwrap();
    let error = small.load_file(&path("faulty-remux")).await.unwrap_err();
    assert!(matches!(error, LoadError::TooLarge { limit: 1000, .. }), "{error}");
    let error = small.load(vec![0; 1001]).await.unwrap_err();
    assert!(matches!(error, LoadError::TooLarge { size: 1001, .. }), "{error}");
}

#[tokio::test]
async fn a_stage_of_another_kind_does_not_sit() {
    let framing = load("faulty-framing").await;
    let error = RemuxStage::open(runtime(), framing, orders(&json!({}))).await.err().unwrap();
    assert!(error.to_string().contains("this is a framing stage, not a remux-planning stage"), "{error}");
}
