use super::*;
use crate::access::Role;
use crate::registry::NewToken;
use outboard_store::database::{Database, Waiting};

struct Place {
    _dir: tempfile::TempDir,
    path: std::path::PathBuf,
    database: Database,
    registry: Registry,
    tokens: Tokens,
}

fn place() -> Place {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("outboard.db");
    let database = Database::open(&path).unwrap();
    let registry = Registry::new(database.clone());
    Place { _dir: dir, path, database, tokens: Tokens::new(registry.clone()), registry }
}

/// Makes a token as another process does.
async fn make(registry: &Registry, name: &str, expires_ms: Option<u64>) -> (String, TokenRow) {
    let (secret, hash) = make_secret();
    let tenant = Some("default".to_owned());
    let new = NewToken { tenant, name: name.into(), role: Role::Operator, expires_ms, hash };
    (secret.take(), registry.create_token(&Actor::local("test"), new).await.unwrap())
}

async fn is_good(tokens: &Tokens, secret: &str) -> bool {
    match tokens.authenticate(secret).await {
        Ok(_) => true,
        Err(ControlError::Unauthenticated(_)) => false,
        Err(other) => panic!("{other}"),
    }
}

/// As if the time had passed for which something is taken as it was.
fn later(tokens: &Tokens) {
    let mut memory = tokens.memory();
    let known = memory.known.entries.values_mut().map(|entry| &mut entry.0);
    known.for_each(|at| *at = at.checked_sub(TOKEN_FRESH).unwrap());
    let unknown = memory.unknown.entries.values_mut().map(|entry| &mut entry.0);
    unknown.for_each(|at| *at = at.checked_sub(TOKEN_FRESH).unwrap());
}

/// As if all of it had been looked up at this moment, however long the test took.
fn just_now(tokens: &Tokens) {
    let mut memory = tokens.memory();
    memory.known.entries.values_mut().for_each(|entry| entry.0 = Instant::now());
    memory.unknown.entries.values_mut().for_each(|entry| entry.0 = Instant::now());
}

#[test]
fn secrets_are_as_documented_and_never_alike() {
    let made: Vec<_> = (0..1000).map(|_| make_secret()).collect();
    for (secret, hash) in &made {
        let text = secret.get();
        assert_eq!((text.len(), &text[..4]), (47, "obt_"));
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{text}");
        assert_eq!(hash_of(text), Some(*hash));
        assert!(!format!("{secret:?}").contains(&text[4..]));
    }
    let mut hashes: Vec<_> = made.iter().map(|(_, hash)| *hash).collect();
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), 1000);
    let other = crate::webhooks::make_secret();
    assert_eq!(hash_of(other.get()), None, "no token, and not taken for one");
}

#[test]
fn what_cannot_be_a_secret_has_no_hash() {
    let secret = make_secret().0.take();
    let bare = secret.strip_prefix("obt_").unwrap();
    let longer = format!("{secret}A");
    let wrong = ["", "obt_", bare, &secret[..46], &longer, &format!("obt_{bare}="), &format!(" {secret}"), "obt_ä"];
    for text in wrong {
        assert_eq!(hash_of(text), None, "{text:?}");
    }
    assert_eq!(hash_of(&format!("obt_{}", "A".repeat(1 << 20))), None);
    // The last letter holds two bits that mean nothing: only one writing of a secret is taken.
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let taken =
        letters.iter().filter(|last| hash_of(&format!("{}{}", &secret[..46], **last as char)).is_some()).count();
    assert_eq!(taken, letters.len() / 4);
}

#[tokio::test]
async fn whoever_comes_with_a_token_is_who_it_says() {
    let Place { registry, tokens, _dir, .. } = place();
    let (secret, row) = make(&registry, "ci", None).await;
    let actor = tokens.authenticate(&secret).await.unwrap();
    let who = (actor.tenant.as_deref(), actor.role, actor.token, actor.name.as_str());
    assert_eq!(who, (Some("default"), Role::Operator, Some(row.id), "token ci"));
    let (other, _) = make_secret();
    for wrong in [other.get().as_str(), "", "Bearer", "obt_x"] {
        let error = tokens.authenticate(wrong).await.unwrap_err();
        assert_eq!((error.code(), error.to_string()), ("UNAUTHENTICATED", not_good().to_string()));
    }
}

#[tokio::test]
async fn a_token_of_another_process_counts_within_a_moment_both_ways() {
    let Place { path, tokens, _dir, .. } = place();
    let other = Registry::new(Database::open(&path).unwrap());
    let (secret, row) = make(&other, "ci", None).await;
    assert!(is_good(&tokens, &secret).await, "it was never asked for before");
    other.revoke_token(&Actor::local("cli"), row.id).await.unwrap();
    later(&tokens);
    assert!(!is_good(&tokens, &secret).await);
}

#[tokio::test]
async fn a_secret_that_was_unknown_is_looked_up_again_after_a_moment() {
    let Place { registry, tokens, _dir, .. } = place();
    let (secret, hash) = make_secret();
    assert!(!is_good(&tokens, secret.get()).await);
    let new = NewToken { tenant: None, name: "late".into(), role: Role::Admin, expires_ms: None, hash };
    registry.create_token(&Actor::local("test"), new).await.unwrap();
    just_now(&tokens);
    assert!(!is_good(&tokens, secret.get()).await, "guesses do not reach the database each time");
    later(&tokens);
    assert!(is_good(&tokens, secret.get()).await);
}

#[tokio::test]
async fn what_this_process_revokes_is_not_taken_any_more_when_it_is_answered() {
    let Place { registry, tokens, _dir, .. } = place();
    for n in 0..20 {
        let (secret, row) = make(&registry, &format!("t{n}"), None).await;
        assert!(is_good(&tokens, &secret).await);
        // Others keep asking, so that a look-up is under way all the time.
        let asking = tokio::spawn({
            let (tokens, secret) = (tokens.clone(), secret.clone());
            async move {
                loop {
                    tokens.forget_all();
                    is_good(&tokens, &secret).await;
                }
            }
        });
        registry.revoke_token(&Actor::local("test"), row.id).await.unwrap();
        tokens.forget_all();
        assert!(!is_good(&tokens, &secret).await);
        asking.abort();
    }
}

#[tokio::test]
async fn a_look_up_that_was_overtaken_by_a_change_is_not_remembered() {
    let Place { registry, tokens, _dir, .. } = place();
    let (secret, row) = make(&registry, "ci", None).await;
    let hash = hash_of(&secret).unwrap();
    // What the look-up read, and then the change comes between reading and remembering.
    let (read, changed) = tokio::join!(tokens.look_up(hash), async { tokens.forget_all() });
    assert_eq!(read.unwrap().map(|row| row.id), Some(row.id));
    let () = changed;
    assert!(matches!(tokens.remembered(&hash), Remembered::Never));
}

#[tokio::test]
async fn a_remembered_token_still_ends_with_its_time() {
    let Place { registry, tokens, _dir, .. } = place();
    let (secret, _) = make(&registry, "short", None).await;
    assert!(is_good(&tokens, &secret).await);
    // Only what is remembered of it knows of its end: a look-up would find it good.
    for (_, row) in tokens.memory().known.entries.values_mut() {
        row.expires_ms = Some(now_ms() - 1);
    }
    just_now(&tokens);
    assert!(!is_good(&tokens, &secret).await, "also while it is remembered");
}

#[tokio::test]
async fn the_last_use_is_written_once_a_minute_at_most() {
    let Place { registry, tokens, database, _dir, .. } = place();
    let (secret, row) = make(&registry, "ci", None).await;
    let last = async || {
        // The writer works in order: what was queued is done then.
        database.write(|_| Ok(())).await.unwrap();
        registry.token(row.id).await.unwrap().unwrap().last_used_ms
    };
    assert_eq!(last().await, None);
    assert!(is_good(&tokens, &secret).await);
    let first = last().await;
    assert!(first.is_some_and(|at| at.abs_diff(now_ms()) < 10_000));
    let changes = database.write(|transaction| Ok(transaction.total_changes())).await.unwrap();
    for _ in 0..50 {
        assert!(is_good(&tokens, &secret).await);
    }
    tokens.forget_all();
    assert!(is_good(&tokens, &secret).await);
    assert_eq!(last().await, first);
    assert_eq!(database.write(|transaction| Ok(transaction.total_changes())).await.unwrap(), changes);
    let old = now_ms() - 61_000;
    let set = move |transaction: &rusqlite::Transaction<'_>| {
        transaction.execute("UPDATE token SET last_used_ms = ?", [old])?;
        Ok(())
    };
    database.write(set).await.unwrap();
    tokens.forget_all();
    assert!(is_good(&tokens, &secret).await);
    assert!(last().await.unwrap() > old);
}

#[tokio::test]
async fn guesses_are_bounded_in_memory_and_hold_up_nobody_who_is_known() {
    let Place { registry, tokens, database, _dir, .. } = place();
    let (secret, _) = make(&registry, "ci", None).await;
    assert!(is_good(&tokens, &secret).await);
    let mut guessing = tokio::task::JoinSet::new();
    for _ in 0..UNKNOWN_TOKENS_REMEMBERED + 500 {
        let tokens = tokens.clone();
        guessing.spawn(async move { is_good(&tokens, make_secret().0.get()).await });
    }
    tokio::task::yield_now().await;
    assert!(database.waiting().reads <= TOKEN_LOOKUPS_AT_ONCE, "{:?}", database.waiting());
    later(&tokens);
    // Stale, and looked up all the same while the guesses wait for each other.
    assert!(is_good(&tokens, &secret).await);
    let mut done = 0;
    while guessing.try_join_next().is_some() {
        done += 1;
    }
    assert!(done < UNKNOWN_TOKENS_REMEMBERED / 2, "{done} guesses went before");
    assert!(guessing.join_all().await.into_iter().all(|good| !good));
    let memory = tokens.memory();
    assert_eq!(memory.unknown.entries.len(), UNKNOWN_TOKENS_REMEMBERED);
    assert_eq!(memory.unknown.order.len(), UNKNOWN_TOKENS_REMEMBERED);
    assert_eq!((memory.known.entries.len(), database.waiting()), (1, Waiting { writes: 0, reads: 0 }));
}

#[tokio::test]
async fn a_connection_ends_with_its_token() {
    let Place { registry, tokens, _dir, .. } = place();
    let (secret, row) = make(&registry, "ci", None).await;
    let (_, short) = make(&registry, "short", Some(now_ms() + 100)).await;
    let actor = tokens.authenticate(&secret).await.unwrap();
    let ending = short.actor();
    tokio::time::timeout(TOKEN_RECHECK / 2, tokens.until_bad(&ending)).await.expect("its time is over");

    let watching = tokio::spawn({
        let tokens = tokens.clone();
        async move { tokens.until_bad(&actor).await }
    });
    tokens.forget_all();
    registry.token(row.id).await.unwrap();
    assert!(!watching.is_finished(), "nothing happened to it");
    registry.revoke_token(&Actor::local("test"), row.id).await.unwrap();
    tokens.forget_all();
    tokio::time::timeout(TOKEN_RECHECK / 2, watching).await.expect("it was revoked").unwrap();
    let local = Actor::local("local");
    assert!(tokio::time::timeout(Duration::from_millis(20), tokens.until_bad(&local)).await.is_err());
}
