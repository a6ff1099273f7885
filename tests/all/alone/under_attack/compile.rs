//! Components that crash or block the compiler.

use std::path::PathBuf;

use outboard_tests::attacks::components::{large, nested_types, slow};
use tokio::process::Command;

use super::Attacker;

/// Number of uploads with nested types; each is refused at once.
const UPLOADS: usize = 10;

impl Attacker<'_> {
    fn component(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.dir.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// Uploads a component; returns why it is refused.
    async fn refused(&self, file: PathBuf) -> String {
        let mut push = Command::new(self.server.program());
        push.args(["stage", "push"]).arg(file).args(["--server", &self.server.url(""), "--token", self.token]);
        let output = push.kill_on_drop(true).output().await.unwrap();
        assert!(!output.status.success(), "{output:?}");
        [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat()
    }
}

pub async fn nested(attacker: &Attacker<'_>) {
    let file = attacker.component("nested.wasm", &nested_types());
    for _ in 0..UPLOADS {
        let why = attacker.refused(file.clone()).await;
        assert!(why.contains("types inside of types"), "{why}");
    }
}

pub async fn bombs(attacker: &Attacker<'_>) {
    let (slow, large) = (attacker.component("slow.wasm", &slow()), attacker.component("large.wasm", &large()));
    let (slow, large) = tokio::join!(attacker.refused(slow), attacker.refused(large));
    assert!(slow.contains("of execution (limits.compile_seconds)"), "{slow}");
    assert!(large.contains("of memory (limits.compile_memory)"), "{large}");
}
