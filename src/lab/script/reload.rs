//! A script whose file changes: the new one is taken over once it can run, and the old one goes on until then.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock, atomic::Ordering},
    time::Duration,
};

use tokio_util::sync::CancellationToken;

#[cfg(feature = "sql")]
use super::doors::migrate_postgres;
use super::{
    consume,
    doors::{forget, own_migrations},
    host::Host,
    invalidate,
    place::{self, Source},
    program::{self, Program},
    schedule,
};
use crate::error::{Error, Fault};

/// How often the file is read anew.
const ROUND: Duration = Duration::from_millis(250);

/// The program that runs, and what may take its place.
pub struct Running {
    file: PathBuf,
    program: RwLock<Arc<Program>>,
}

impl Running {
    /// A program that runs from now on.
    #[must_use]
    pub fn new(file: PathBuf, program: Program) -> Self {
        Self { file, program: RwLock::new(Arc::new(program)) }
    }

    /// The program that runs now.
    #[must_use]
    pub fn program(&self) -> Arc<Program> {
        self.program.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps the schedules and subscriptions of the program that runs, and follows its file.
    pub async fn follow(&self, host: &Arc<Host>, stop: CancellationToken) {
        let mut schedules = stop.child_token();
        begin(host, &self.program(), &schedules);
        let mut seen = self.program().source.text.clone();
        let mut found = seen.clone();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(ROUND) => {}
            }
            // An editor may have taken it away for a moment.
            let Ok(text) = program::text(&self.file) else { continue };
            // Who writes it may be in the middle of that: an editor begins with an empty file.
            let is_whole = text == found;
            found.clone_from(&text);
            if !is_whole || text == seen {
                continue;
            }
            seen.clone_from(&text);
            let failed = match self.take_over(host, text).await {
                Ok(()) => {
                    schedules.cancel();
                    schedules = stop.child_token();
                    begin(host, &self.program(), &schedules);
                    tracing::info!(service = host.service, "the script was reloaded");
                    false
                }
                Err(e) => {
                    tell(host, &e);
                    true
                }
            };
            host.observed.reload_failed.store(failed, Ordering::Relaxed);
        }
    }

    async fn take_over(&self, host: &Arc<Host>, text: String) -> Result<(), Error> {
        let (host, file) = (host.clone(), self.file.clone());
        let ready = tokio::task::spawn_blocking(move || prepare(&host, &file, text)).await;
        let program = ready.map_err(|e| crate::lab::state::broken("the script", e))??;
        *self.program.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(program);
        Ok(())
    }
}

/// Begins what a program does without being asked, until `stop`.
fn begin(host: &Arc<Host>, program: &Arc<Program>, stop: &CancellationToken) {
    schedule::begin(host, program, stop);
    consume::begin(host, program, stop);
    if program.uses.caches() {
        tokio::spawn(invalidate::keep(host.clone(), stop.clone()));
    }
}

fn prepare(host: &Host, file: &Path, text: String) -> Result<Program, Error> {
    let program = Program::of(Source { file: file.display().to_string(), text })?;
    if host.verifier.is_none() && program.requires_tokens() {
        let what = "a route requires tokens, and this lab was started without an identity provider";
        return Err(Error::usage(what, "end the lab, and start it anew"));
    }
    if host.keeps_in_postgres() != program.declared.postgres.is_some() {
        let what = "rows stay where they are kept while a replica runs: `postgres()` was added or taken out";
        return Err(Error::usage(what, "end the lab, and start it anew"));
    }
    migrate(host, &program)?;
    Ok(program)
}

/// Applies the migrations of a program.
///
/// # Errors
/// Which one fails, with its place.
pub fn migrate(host: &Host, program: &Program) -> Result<(), Fault> {
    let own = own_migrations(&program.uses);
    let all = [&own[..], &program.declared.migrations].concat();
    #[cfg(feature = "sql")]
    let migrated = match &host.primary {
        Some(primary) => host.runtime.block_on(migrate_postgres(primary, &host.service, &all)),
        None => host.database.migrate(&all),
    };
    #[cfg(not(feature = "sql"))]
    let migrated = host.database.migrate(&all);
    migrated.map_err(|(migration, why)| {
        let (what, hint) = place::split(&why);
        program.source.fault(migration.at, format!("the migration `{}`: {what}", migration.name), hint)
    })?;
    if program.uses.has_messages() {
        forget(&host.database);
    }
    Ok(())
}

fn tell(host: &Host, error: &Error) {
    let hint = error.hint();
    match error {
        Error::Document(fault) => {
            let Fault { place, what, .. } = &**fault;
            tracing::error!(
                service = host.service,
                file = place.file,
                line = place.line,
                column = place.column,
                hint,
                "not reloaded, the script before goes on: {what}"
            );
        }
        other => tracing::error!(service = host.service, hint, "not reloaded, the script before goes on: {other}"),
    }
}
