//! Migrations in the lab's PostgreSQL: each applied once, in a transaction of its own, in a schema of the service's own.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_postgres::Client;

use super::migrate::digest;
use crate::lab::{
    primary::{Primary, said},
    script::declared::Migration,
};

/// How long a primary may be looked for, and each migration may take.
const WITHIN: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(100);

/// Applies the migrations that were not applied yet.
///
/// # Errors
/// Which one fails, and why; those before it stay applied.
pub async fn migrate(primary: &Primary, service: &str, migrations: &[Migration]) -> Result<(), (Migration, String)> {
    for one in migrations {
        apply(primary, service, one).await.map_err(|why| (one.clone(), why))?;
    }
    Ok(())
}

async fn apply(primary: &Primary, service: &str, migration: &Migration) -> Result<(), String> {
    let until = Instant::now() + WITHIN;
    loop {
        let why = match primary.line().await {
            Ok(line) => match apply_once(&line.client, service, migration).await {
                // A connection that has ended says nothing of the migration.
                Err(Failure::Database(e)) if e.code().is_none() => said(&e),
                Err(Failure::Database(e)) => return Err(said(&e)),
                Err(Failure::Text(why)) => return Err(why.to_owned()),
                Ok(()) => {
                    primary.put(line);
                    return Ok(());
                }
            },
            Err(why) => why,
        };
        if Instant::now() >= until {
            return Err(why);
        }
        sleep(PAUSE).await;
    }
}

enum Failure {
    Database(tokio_postgres::Error),
    /// The migration's own text.
    Text(&'static str),
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error)
    }
}

async fn apply_once(client: &Client, service: &str, Migration { name, sql, .. }: &Migration) -> Result<(), Failure> {
    // The replicas of a service wait for each other.
    client
        .batch_execute(&format!(
            "begin; select pg_advisory_xact_lock(hashtext('{service}')); create schema if not exists \"{service}\"; \
             create table if not exists schema_migration(name text primary key, digest text not null, \
             applied_at timestamptz not null default now())"
        ))
        .await?;
    let digest = digest(sql);
    let known = client.query_opt("select digest from schema_migration where name = $1", &[name]).await?;
    match known.map(|row| row.try_get::<_, String>(0)).transpose()? {
        Some(known) if known == digest => return Ok(client.batch_execute("commit").await?),
        Some(_) => {
            client.batch_execute("rollback").await?;
            return Err(Failure::Text("it was applied with another text -> leave it as it was, and add one"));
        }
        None => {}
    }
    client.batch_execute("savepoint migration").await?;
    client.batch_execute(sql).await?;
    if client.batch_execute("release savepoint migration").await.is_err() {
        return Err(Failure::Text("it ends its own transaction -> leave `commit` and `rollback` out"));
    }
    client.execute("insert into schema_migration(name, digest) values ($1, $2)", &[name, &digest]).await?;
    client.batch_execute("commit").await?;
    tracing::info!(migration = name, "migration applied");
    Ok(())
}
