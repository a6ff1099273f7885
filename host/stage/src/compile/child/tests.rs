use super::*;
use std::time::Duration;

const ENGINE: &str = "engine";

fn limits() -> ChildCompiler {
    ChildCompiler { cpu: Duration::from_secs(3), memory_bytes: 200 << 20, ..ChildCompiler::default() }
}

async fn answer(message: &[u8]) -> Result<Option<Vec<u8>>, CompileFailure> {
    read_answer(message, ENGINE).await
}

fn output_of(first: &WorkerMessage, code: &[u8], last: &WorkerMessage) -> Vec<u8> {
    let line = |message| [serde_json::to_vec(message).unwrap(), b"\n".to_vec()].concat();
    [line(first), code.to_vec(), line(last)].concat()
}

#[tokio::test]
async fn code_is_taken_once_everything_was_said() {
    let all =
        output_of(&WorkerMessage::Code { engine: ENGINE.to_owned(), bytes: 5 }, b"\n{}\n\0", &WorkerMessage::Described);
    assert_eq!(answer(&all).await.unwrap().unwrap(), b"\n{}\n\0");
    for cut in 0..all.len() {
        assert!(matches!(answer(&all[..cut]).await, Ok(None)), "{cut} bytes of it");
    }
}

#[tokio::test]
async fn refusals_are_told_as_they_were_said() {
    let code = WorkerMessage::Code { engine: ENGINE.to_owned(), bytes: 1 };
    let first_call = WorkerMessage::Refused(Refusal::FirstCall("describe: it trapped".to_owned()));
    let refused = answer(&output_of(&code, b"x", &first_call)).await.unwrap_err();
    assert!(matches!(refused, CompileFailure::Refused(LoadError::FirstCall(text)) if text == "describe: it trapped"));
    let imports = WorkerMessage::Refused(Refusal::ForbiddenImports(vec!["a:b/c".to_owned()]));
    let refused = answer(&output_of(&imports, b"", &WorkerMessage::Described)).await.unwrap_err();
    assert!(matches!(refused, CompileFailure::Refused(LoadError::ForbiddenImports(list)) if list == ["a:b/c"]));
}

#[tokio::test]
async fn nonsense_is_no_code() {
    let other = WorkerMessage::Code { engine: "other".to_owned(), bytes: 1 };
    let huge = WorkerMessage::Code { engine: ENGINE.to_owned(), bytes: STAGE_COMPILED_BYTES_MAX + 1 };
    assert!(matches!(
        answer(&output_of(&other, b"x", &WorkerMessage::Described)).await,
        Err(CompileFailure::Unable(_))
    ));
    assert!(matches!(
        answer(&output_of(&huge, b"x", &WorkerMessage::Described)).await,
        Err(CompileFailure::Refused(LoadError::Compile(_)))
    ));
    assert!(matches!(
        answer(&output_of(&WorkerMessage::Described, b"x", &WorkerMessage::Described)).await,
        Err(CompileFailure::Unable(_))
    ));
    assert!(matches!(answer(b"{\n").await, Err(CompileFailure::Unable(_))));
    let endless = vec![b'x'; 2 * STAGE_COMPILER_WORDS_BYTES];
    assert!(matches!(answer(&endless).await, Ok(None)), "a line has an end");
}

/// A program in the compiler's place.
async fn ended(script: &str, limits: ChildCompiler) -> CompileFailure {
    use std::os::unix::fs::PermissionsExt as _;
    let tmp = tempfile::tempdir().unwrap();
    let program = tmp.path().join("compiler");
    std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
    let wasm = Bytes::from(vec![0; 1 << 20]);
    compile(&ChildCompiler { program, ..limits }, wasm, (ENGINE, true)).await.unwrap_err()
}

#[tokio::test]
async fn how_it_ends_says_which_limit_it_reached() {
    let broke = [
        ("kill -XCPU $$", "it took more than 3 s of execution (limits.compile_seconds)"),
        (
            "echo 'memory allocation of 9 bytes failed' >&2; kill -ABRT $$",
            "it took more than 200 MiB of memory (limits.compile_memory)",
        ),
        ("echo 'thread x has overflowed its stack' >&2; kill -ABRT $$", "it overflowed the compiler's call stack"),
        ("echo >&2; echo oh >&2; kill -SEGV $$", "the compiler crashed (signal: 11"),
        ("kill -KILL $$", "the compiler was killed (signal: 9"),
        ("echo \"thread 'x' panicked at y\" >&2; exit 101", "the compiler panicked: thread 'x' panicked at y"),
    ];
    for (script, wanted) in broke {
        match ended(script, limits()).await {
            CompileFailure::Broke(reason) => assert!(reason.starts_with(wanted), "{reason}"),
            other => panic!("{script}: {other:?}"),
        }
    }
    for script in ["kill -TERM $$", "exit 2", "echo nonsense"] {
        assert!(matches!(ended(script, limits()).await, CompileFailure::Unable(_)), "{script}");
    }
    let short = ChildCompiler { cpu: Duration::from_millis(20), grace: Duration::from_millis(20), ..limits() };
    let late = ended("sleep 600", short).await;
    assert!(
        matches!(&late, CompileFailure::Broke(reason) if reason == "it took more than 0.04 s from start to end"),
        "{late:?}"
    );
    let gone = ChildCompiler { program: "/there/is/none".into(), ..limits() };
    assert!(matches!(compile(&gone, Bytes::new(), (ENGINE, true)).await, Err(CompileFailure::Unable(_))));
}
