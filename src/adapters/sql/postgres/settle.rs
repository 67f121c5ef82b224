//! Sessions of earlier terms: ended, and what they have set in motion awaited.

use std::time::Duration;

use tokio::time::Instant;
use tokio_postgres::types::Type;

use super::wire::Wire;
use crate::adapters::sql::{
    engine::Wire as _,
    failure::{Failure, Kind},
    limits::{ASK, PAUSE},
};

/// What names a session for good: a server gives the same pid away again, but not at the same time.
pub const NAME: &str = "\
    select pid || '@' || (extract(epoch from backend_start) * 1000000)::bigint \
    from pg_stat_activity where pid = pg_backend_pid()";

const END: &str = "\
    select pg_terminate_backend(pid) from pg_stat_activity \
    where pid || '@' || (extract(epoch from backend_start) * 1000000)::bigint = $1";

/// A promotion is told by a signal, whose file the server removes once it begins with it.
const TOLD: &str = "select pg_read_file('promote', 0, 1, true) is not null";

/// For so long a promotion that has begun may need until it shows. It has been told already, and all that was received is
/// applied.
const SHOWS: Duration = Duration::from_secs(3);

/// Ends a session; says whether it is gone.
pub async fn end(wire: &mut Wire, session: &str, until: Instant) -> Result<bool, Failure> {
    loop {
        if wire.rows(END, &[(&session, Type::TEXT)], ASK).await?.is_empty() {
            return Ok(true);
        }
        if Instant::now() >= until {
            return Ok(false);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Waits for a promotion that may have been told: ending the session that has told it does not stop it. Gives why it may still
/// come.
pub async fn await_promotion(wire: &mut Wire, until: Instant) -> Result<Option<String>, Failure> {
    let mut told_last = Instant::now();
    loop {
        let writable = wire.sample(ASK).await?.writable;
        if writable {
            return Ok(None);
        }
        let told = match wire.row(TOLD, &[], ASK).await.and_then(|row| Ok(row.try_get::<_, bool>(0)?)) {
            Ok(told) => Some(told),
            Err(failure) if failure.kind == Kind::Forbidden => None,
            Err(failure) => return Err(failure),
        };
        let now = Instant::now();
        match told {
            Some(true) if now >= until => return Ok(Some("a promotion was told, and has not begun".to_owned())),
            Some(true) => told_last = now,
            Some(false) if now.duration_since(told_last) >= SHOWS => return Ok(None),
            None if now >= until => {
                let why = "a promotion may have been told, and our user may not look: grant execute on function \
                           pg_read_file(text, bigint, bigint, boolean) to it";
                return Ok(Some(why.to_owned()));
            }
            Some(false) | None => {}
        }
        tokio::time::sleep(PAUSE).await;
    }
}
