//! `outboard token create|list|revoke`: manages a server's tokens in its storage folder, also while it runs.
//!
//! Write access to the storage folder is the only permission needed: this is how the first token is created. A running
//! server accepts a new token at once, and rejects a revoked one after at most one second.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};

use super::{Ending, complain, say};
use crate::config::{self, Layers};
use crate::control::access::{Actor, Role};
use crate::control::registry::{NewToken, Registry, Scope, TokenRow};
use crate::control::tokens::make_secret;
use crate::limits::{PAGE_ROWS_MAX, TOKEN_DAYS_MAX};
use crate::store::database::{Database, check};
use crate::store::files::database_file;
use crate::store::page::Page;
use crate::unix_time::now_ms;

/// Subcommand and options of `outboard token`.
#[derive(Debug, Args)]
pub struct TokenArgs {
    #[command(subcommand)]
    command: TokenCommand,
    /// Storage directory of the server.
    #[arg(long, value_name = "DIR", global = true)]
    storage: Option<String>,
    /// TOML configuration file with the storage directory and other settings.
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    /// Create a token. Only its secret is printed on standard output; it cannot be shown again.
    Create(CreateArgs),
    /// List tokens without their secrets.
    List {
        /// Only tokens of this tenant.
        #[arg(long, value_name = "NAME")]
        tenant: Option<String>,
        /// Print one JSON object per line.
        #[arg(long)]
        json: bool,
    },
    /// Revoke a token permanently.
    Revoke {
        /// ID of the token, from `token list`.
        id: u64,
    },
}

#[derive(Debug, Args)]
struct CreateArgs {
    /// Tenant that the token belongs to. Without it, the token is valid for the whole host.
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Role of the token.
    #[arg(long, value_enum, default_value_t = RoleArg::Admin)]
    role: RoleArg,
    /// Name of the token in lists and in the audit log. Default: generated.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Number of days until the token expires. Default: never.
    #[arg(long, value_name = "D", value_parser = clap::value_parser!(u64).range(1..=TOKEN_DAYS_MAX))]
    expires_days: Option<u64>,
}

/// The role of a token on the command line.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum RoleArg {
    /// Read pipelines, stages, logs and storage.
    Viewer,
    /// Also create, change, start, stop and delete pipelines, and add and swap stages.
    Operator,
    /// Also manage tokens and webhooks, and without --tenant also tenants.
    Admin,
}

/// Runs the chosen subcommand.
pub async fn run(args: &TokenArgs, layers: Layers) -> anyhow::Result<Ending> {
    let host = match config::check(layers.set("storage.dir", args.storage.clone()), false) {
        Ok((host, _)) => host,
        Err(problems) => return Ok(Ending::Refused(problems)),
    };
    match &args.command {
        TokenCommand::Create(args) => create(&host.storage, args).await?,
        TokenCommand::List { tenant, json } => list(&host.storage, tenant.as_deref(), *json).await?,
        TokenCommand::Revoke { id } => revoke(&host.storage, *id).await?,
    }
    Ok(Ending::Done)
}

async fn create(storage: &Path, args: &CreateArgs) -> anyhow::Result<()> {
    // A server that has never started may need its first token to start.
    std::fs::create_dir_all(storage).with_context(|| format!("cannot create storage {}", storage.display()))?;
    let registry = open(storage)?;
    let role = args.role.into();
    let (secret, hash) = make_secret();
    let new = NewToken {
        tenant: args.tenant.clone(),
        name: args.name.clone().unwrap_or_else(|| some_name(role)),
        role,
        expires_ms: args.expires_days.map(|days| now_ms().saturating_add(ms(days))),
        hash,
    };
    let row = registry.create_token(&who(), new).await?;
    complain(&format!("token {} ({}): {}", row.id, row.name, described(&row)));
    complain("keep the secret: it is not stored and cannot be shown again");
    say(secret.get());
    Ok(())
}

async fn list(storage: &Path, tenant: Option<&str>, json: bool) -> anyhow::Result<()> {
    let registry = open_old(storage)?;
    let scope = tenant.map_or(Scope::All, |tenant| Scope::Tenant(tenant.to_owned()));
    if let Some(tenant) = tenant
        && registry.tenant(tenant).await?.is_none()
    {
        anyhow::bail!("there is no tenant {tenant:?}");
    }
    let mut page = Page::oldest(PAGE_ROWS_MAX);
    loop {
        let part = registry.tokens(scope.clone(), page.clone()).await?;
        for row in &part.rows {
            say(&if json { serde_json::to_string(row)? } else { line(row) });
        }
        match part.rows.last().filter(|_| part.more) {
            Some(last) => page = page.after(last.id),
            None => return Ok(()),
        }
    }
}

async fn revoke(storage: &Path, id: u64) -> anyhow::Result<()> {
    let row = open_old(storage)?.revoke_token(&who(), id).await?;
    complain(&format!("token {} ({}) is revoked", row.id, row.name));
    Ok(())
}

fn open(storage: &Path) -> anyhow::Result<Registry> {
    check::not_forgotten(storage)?;
    Ok(Registry::new(Database::open(&database_file(storage))?))
}

/// Opens an existing database; does not create one.
fn open_old(storage: &Path) -> anyhow::Result<Registry> {
    let file = database_file(storage);
    anyhow::ensure!(
        file.exists(),
        "{} does not exist: check storage.dir, or create the first token with `outboard token create`",
        file.display()
    );
    open(storage)
}

fn who() -> Actor {
    Actor::local("command line")
}

fn ms(days: u64) -> u64 {
    u64::try_from(Duration::from_hours(24).as_millis()).unwrap_or(u64::MAX).saturating_mul(days)
}

/// A generated, unique name that contains the time of creation.
fn some_name(role: Role) -> String {
    let salt: [u8; 3] = rand::random();
    let salt: String = salt.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{role}-{}-{salt}", jiff::Timestamp::now().strftime("%Y%m%d"))
}

/// One line for a token: id, name, tenant, role and last use.
fn line(row: &TokenRow) -> String {
    let used = row.last_used_ms.map_or("never used".to_owned(), |at| format!("last used {}", time(at)));
    format!("{:<5} {:<30} {}, {used}", row.id, row.name, described(row))
}

fn described(row: &TokenRow) -> String {
    let whose = row.tenant.as_ref().map_or("of the whole host".to_owned(), |tenant| format!("of tenant {tenant}"));
    let until = match (row.revoked_ms, row.expires_ms) {
        (Some(at), _) => format!("revoked {}", time(at)),
        (None, Some(at)) if at <= now_ms() => format!("expired {}", time(at)),
        (None, Some(at)) => format!("expires {}", time(at)),
        (None, None) => "does not expire".to_owned(),
    };
    format!("{} {whose}, {until}", row.role)
}

fn time(unix_ms: u64) -> String {
    let at = i64::try_from(unix_ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    at.map_or_else(|| format!("at {unix_ms} ms"), |at| at.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

impl From<RoleArg> for Role {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::Viewer => Self::Viewer,
            RoleArg::Operator => Self::Operator,
            RoleArg::Admin => Self::Admin,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::control::registry::NewTenant;
    use crate::store::files::Storage;

    async fn call(storage: &Path, words: &[&str]) -> anyhow::Result<Ending> {
        let storage = storage.display().to_string();
        let words = [&["outboard", "token"], words, &["--storage", &storage]].concat();
        let super::super::Command::Token(args) = super::super::Cli::try_parse_from(words)?.command else {
            panic!("another command")
        };
        run(&args, Layers::new()).await
    }

    async fn rows(storage: &Path) -> Vec<TokenRow> {
        open(storage).unwrap().tokens(Scope::All, Page::oldest(99)).await.unwrap().rows
    }

    #[tokio::test]
    async fn the_first_token_is_made_before_a_server_ever_ran_and_others_while_one_runs() {
        let dir = tempfile::tempdir().unwrap();
        let storage = dir.path().join("new/storage");
        call(&storage, &["create"]).await.unwrap();
        let first = rows(&storage).await.remove(0);
        assert_eq!((first.tenant.as_deref(), first.role, first.expires_ms), (None, Role::Admin, None));
        assert!(first.name.starts_with("admin-20") && first.created_by == "command line", "{first:?}");

        // The server has the storage locked and the file open.
        let held = Storage::open(&storage).unwrap();
        let server = Registry::new(Database::open(&held.journal()).unwrap());
        server.create_tenant(&who(), NewTenant { name: "acme".into(), ..NewTenant::default() }).await.unwrap();
        let words = ["create", "--tenant", "acme", "--role", "viewer", "--name", "ci", "--expires-days", "30"];
        call(&storage, &words).await.unwrap();
        let made = server.tokens(Scope::Tenant("acme".into()), Page::oldest(9)).await.unwrap().rows.remove(0);
        assert_eq!((made.name.as_str(), made.role), ("ci", Role::Viewer));
        let days = (made.expires_ms.unwrap() - made.created_ms) / ms(1);
        assert!((29..=30).contains(&days), "{made:?}");
        call(&storage, &["revoke", &made.id.to_string()]).await.unwrap();
        assert!(server.token(made.id).await.unwrap().unwrap().revoked_ms.is_some());
        call(&storage, &["list"]).await.unwrap();
        call(&storage, &["list", "--tenant", "acme", "--json"]).await.unwrap();
    }

    #[tokio::test]
    async fn what_cannot_be_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let storage = dir.path().join("storage");
        let said = async |words: &[&str]| call(&storage, words).await.unwrap_err().to_string();
        assert!(said(&["list"]).await.contains("outboard.db"), "nothing is made by looking");
        assert!(said(&["revoke", "1"]).await.contains("storage.dir"));
        assert!(!storage.exists());
        assert_eq!(said(&["create", "--tenant", "nobody"]).await, "there is no tenant \"nobody\"");
        assert!(said(&["create", "--name", "a b"]).await.contains("\"a b\""));
        assert!(said(&["create", "--role", "root"]).await.contains("viewer, operator, admin"));
        assert!(said(&["create", "--expires-days", "0"]).await.contains("1..=3650"));
        assert_eq!(said(&["revoke", "7"]).await, "there is no token 7");
        assert_eq!(said(&["list", "--tenant", "nobody"]).await, "there is no tenant \"nobody\"");
        call(&storage, &["create", "--name", "ci"]).await.unwrap();
        assert!(said(&["create", "--name", "ci"]).await.contains("the host has a token ci already"));
        assert_eq!(rows(&storage).await.len(), 1);
    }

    #[test]
    fn a_line_tells_what_a_person_looks_for() {
        let row = TokenRow {
            id: 3,
            tenant: Some("acme".into()),
            name: "ci".into(),
            role: Role::Operator,
            created_ms: 0,
            created_by: "x".into(),
            last_used_ms: None,
            expires_ms: Some(86_400_000),
            revoked_ms: None,
            tenant_disabled: false,
        };
        assert_eq!(
            line(&row).split_whitespace().collect::<Vec<_>>().join(" "),
            "3 ci operator of tenant acme, expired 1970-01-02 00:00 UTC, never used"
        );
        let other = TokenRow { tenant: None, expires_ms: None, revoked_ms: Some(60_000), ..row };
        assert_eq!(described(&other), "operator of the whole host, revoked 1970-01-01 00:01 UTC");
    }
}
