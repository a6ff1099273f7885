//! Tokens from the command line: the secret is printed once, only on standard output, and is never stored.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first thing that is not as it should be")]

use std::path::Path;
use std::time::Duration;

use outboard_tests::host::{Ended, Host};

async fn token(storage: &Path, words: &[&str]) -> Ended {
    let storage = storage.to_str().unwrap();
    let ended = Host::spawn(&[&["token"], words, &["--storage", storage]].concat());
    ended.ended(Duration::from_secs(90)).await
}

#[tokio::test]
async fn a_secret_is_said_once_and_kept_nowhere() {
    let dir = tempfile::tempdir().unwrap();
    let storage = dir.path().join("storage");
    let made = token(&storage, &["create", "--name", "ci", "--role", "operator"]).await;
    assert!(made.status.success(), "{:#?}", made.log);
    let secret = made.stdout.strip_suffix('\n').unwrap();
    assert!(secret.starts_with("obt_") && secret.len() == 47 && !secret.contains(char::is_whitespace), "{secret:?}");
    assert_eq!(made.lines_with(secret), 0, "{:#?}", made.log);
    assert!(made.lines_with("token 1 (ci): operator of the whole host, does not expire") == 1, "{:#?}", made.log);

    let listed = token(&storage, &["list"]).await;
    assert!(listed.stdout.contains("ci") && listed.stdout.contains("never used"), "{}", listed.stdout);
    let json = token(&storage, &["list", "--json"]).await;
    assert_eq!((&json.report()["name"], &json.report()["role"]), (&"ci".into(), &"operator".into()));
    let files: Vec<_> = std::fs::read_dir(&storage).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!files.is_empty());
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        let holds = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
        assert!(!holds(secret) && !holds(&secret[4..]), "{}", file.display());
        let open = std::os::unix::fs::PermissionsExt::mode(&file.metadata().unwrap().permissions()) & 0o077;
        assert_eq!(open, 0, "{} is its owner's alone", file.display());
    }

    let revoked = token(&storage, &["revoke", "1"]).await;
    assert!(revoked.status.success() && revoked.stdout.is_empty(), "{:#?}", revoked.log);
    assert!(token(&storage, &["list"]).await.stdout.contains("revoked 20"));
    let absent = token(&storage, &["create", "--tenant", "nobody"]).await;
    assert_eq!((absent.status.code(), absent.stdout.as_str()), (Some(1), ""));
    assert_eq!(absent.lines_with("there is no tenant \"nobody\""), 1, "{:#?}", absent.log);
    let usage = token(&storage, &["create", "--role", "root"]).await;
    assert_eq!(usage.status.code(), Some(2), "{:#?}", usage.log);
}
